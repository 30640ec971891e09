"""Who said yes to which opening, in the proof: read from the log, so neither box nor manifest can say otherwise."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.evidence.route import RouteGap, read_route
from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.route.rows import (
    RecordedLog,
    account_of,
    forge_log,
    forge_manifest,
    sealed_rows,
    verdicts,
    words_of_both,
)
from tests.house.robots import RobotHome, live

KEY = BoxKey.generate()
Row = dict[str, Any]
LIVES = range(12)
LATER = frozenset({"permits", "ages", "collected", "cold_chain"})  # fields that version 4 has not


@cache
def supervised() -> tuple[Row, ...]:
    """The log of a visit of a robot whose supervisor said yes once."""
    home = RobotHome(1)
    log = RecordedLog(home)
    home.run(20)
    home.comes()
    home.run(8)
    home.decides(yes=True)
    home.run(6)
    home.goes_in()
    home.run(5)
    home.comes_out()
    home.close()
    home.run(60)
    ((visit, _, count),) = log.seals
    return tuple(log.rows[visit][:count])


def rows() -> list[Row]:
    return deepcopy([*supervised()])


def event_of(found: list[Row]) -> Row:
    event: Row
    (event,) = (row["event"] for row in found if row["event"]["event"] == "OpeningDecided")
    return event


def reserve_of(found: list[Row]) -> Row:
    reserve: Row
    (reserve,) = (one for row in found for one in row["commands"] if one["command"] == "Reserve")
    return reserve


def test_the_manifest_says_who_said_yes_to_which_opening_on_which_picture(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    event, (permit,) = event_of(rows()), told["permits"]
    assert told["version"] == 6
    assert {name: permit[name] for name in ("closure", "by", "picture_sha256", "message_sha256")} == {
        "closure": "door", "by": "ines", "picture_sha256": event["picture_sha256"],
        "message_sha256": reserve_of(rows())["permit"],
    }  # fmt: skip
    assert permit["signed"] <= permit["used"] < permit["expires"]
    assert verdicts(folder, KEY) == ("ok", "ok", "")


@pytest.mark.parametrize("change", [
    {"by": "otto"}, {"closure": "street"}, {"picture_sha256": "0" * 64}, {"message_sha256": "f" * 64}, None,
])  # fmt: skip
def test_a_manifest_with_another_permit_than_its_log_is_found_out(tmp_path: Path, change: Row | None) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())["permits"]
    forge_manifest(folder, KEY, {"permits": [] if change is None else [told[0] | change]})
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    assert "permits" in where


def test_a_permit_cannot_be_left_out_by_the_version_before(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    forged = {name: value for name, value in told.items() if name not in LATER}
    (folder / "manifest.json").write_text("{}")
    forge_manifest(folder, KEY, forged | {"version": 4})
    assert verdicts(folder, KEY)[:2] == ("route_differs", "route_differs")


def no_yes(found: list[Row]) -> None:
    del reserve_of(found)["permit"]


def unknown_yes(found: list[Row]) -> None:
    reserve_of(found)["permit"] = "f" * 64


def yes_to_another_opening(found: list[Row]) -> None:
    event_of(found)["closure"] = "street"


def yes_of_another_visit(found: list[Row]) -> None:
    event_of(found)["visit"] = "v99"


def yes_without_a_picture(found: list[Row]) -> None:
    event_of(found)["picture_sha256"] = ""


def a_no_after_the_yes(found: list[Row]) -> None:
    number = next(n for n, row in enumerate(found) if row["event"]["event"] == "OpeningDecided")
    again = deepcopy(found[number])
    again["event"] |= {"yes": False, "message_sha256": "1" * 64, "picture_sha256": ""}
    again["commands"] = []
    found.insert(number + 1, again)
    for command in found[number]["commands"]:  # the intent comes after the no
        again["commands"].append(command)
    found[number]["commands"] = []


def used_twice(found: list[Row]) -> None:
    row = next(row for row in found if any(one["command"] == "Reserve" for one in row["commands"]))
    row["commands"].append(deepcopy(reserve_of(found)))


def an_old_yes(found: list[Row]) -> None:
    event_of(found)["expires"] = event_of(found)["issued"]


def a_yes_of_the_future(found: list[Row]) -> None:
    event_of(found)["issued"] = "2030-01-01T00:00:00.000000Z"
    event_of(found)["expires"] = "2030-01-01T00:00:30.000000Z"


@pytest.mark.parametrize("forge", [
    no_yes, unknown_yes, yes_to_another_opening, yes_of_another_visit, yes_without_a_picture, a_no_after_the_yes,
    used_twice, an_old_yes, a_yes_of_the_future,
])  # fmt: skip
def test_a_log_with_an_opening_without_its_own_yes_is_found_out(forge: Callable[[list[Row]], None]) -> None:
    found = rows()
    forge(found)
    assert words_of_both(account_of(found), found) == ("opening_unpermitted", "opening_unpermitted")


def test_a_proof_with_an_opening_that_nobody_permitted_does_not_verify(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    found = rows()
    no_yes(found)
    forge_log(folder, KEY, found)
    forge_manifest(folder, KEY, {"permits": []})
    ours, theirs, where = verdicts(folder, KEY)
    assert told["permits"] != []
    assert (ours, theirs) == ("opening_unpermitted", "opening_unpermitted")
    assert where == "door was opened, but it used no yes"


def test_where_the_disk_lost_the_yes_the_proof_says_that_entries_are_missing() -> None:
    found = rows()
    number = next(n for n, row in enumerate(found) if row["event"]["event"] == "OpeningDecided")
    if any(one["command"] == "Reserve" for one in found[number]["commands"]):
        found[number]["event"] = {"event": "Due"}
    else:
        del found[number]
    found.insert(number, deepcopy(found[number]) | {"event": {"event": "DiskChanged", "ok": False}, "commands": []})
    told = account_of(found)
    assert told.evidence.gaps == (RouteGap.LOG_INCOMPLETE,)
    (permit,) = told.permits
    assert (permit.by, permit.picture_sha256) == (None, None)
    assert words_of_both(told, found) == ("ok", "ok")


def test_a_clock_that_jumps_between_yes_and_opening_is_declared_and_accuses_nobody(tmp_path: Path) -> None:
    found = rows()
    an_old_yes(found)
    folder = sealed_rows(tmp_path, found, KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    assert told["evidence"]["gaps"] == ["clock_stepped"]
    assert verdicts(folder, KEY) == ("ok", "ok", "")


def test_a_robots_proof_of_the_release_before_the_permits_verifies_as_it_did(tmp_path: Path) -> None:
    found = rows()
    del event_of(found)["picture_sha256"]
    for row in found:
        row.get("route", {}).pop("yes_each", None)
    folder = sealed_rows(tmp_path, found, KEY)
    assert json.loads((folder / "manifest.json").read_bytes())["version"] == 4
    assert verdicts(folder, KEY) == ("ok", "ok", "")


@pytest.mark.parametrize("seed", LIVES)
def test_the_lives_of_a_door_that_robots_use_are_proven(seed: int) -> None:
    home = RobotHome(seed)
    log = RecordedLog(home)
    live(home, seed)
    for visit, part, count in log.seals:
        found = log.rows[visit][:count]
        told, reading = account_of(found, part), read_route(found, part=part)
        if reading.went_back:
            gaps = (*told.evidence.gaps, RouteGap.CLOCK_STEPPED.value)
            told = told.model_copy(update={"evidence": told.evidence.model_copy(update={"gaps": gaps})})
        assert words_of_both(told, found, part) == ("ok", "ok"), (visit, part)
    assert log.seals

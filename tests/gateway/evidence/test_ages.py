"""How old the values were by which a car was opened, in the proof: seconds and a word, read from the log."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.visit import events as e
from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.route.rows import (
    RecordedLog,
    forge_log,
    forge_manifest,
    honest_visit,
    sealed_rows,
    verdicts,
)
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery
from tests.house.things.car_boot import Car

KEY = BoxKey.generate()
Row = dict[str, Any]


def opened_by_a_fix_of(age_s: float) -> list[Row]:
    """The log of a visit before which the car saw no sky any more for so long; it was asked meanwhile."""
    house = build("car")
    log = RecordedLog(house)
    house.feed(e.WindowChanged(near=True))
    house.run(200)
    car = house.things["car"]
    assert isinstance(car, Car)
    car.sees_sky(sees=False)
    house.run(age_s)
    walk(house, announce_delivery(house))
    house.run(120)
    ((visit, _, count),) = log.seals
    return log.rows[visit][:count]


CAR = honest_visit("car")


def told(folder: Path) -> Row:
    return dict(json.loads((folder / "manifest.json").read_bytes()))


@pytest.mark.parametrize("age_s", [40, 75])
def test_the_proof_says_how_old_the_position_was_when_the_car_was_ordered_open(tmp_path: Path, age_s: float) -> None:
    folder = sealed_rows(tmp_path, opened_by_a_fix_of(age_s), KEY)
    manifest = told(folder)
    of_place = {one["sensor"]: one for one in manifest["ages"]}["place"]
    assert manifest["version"] == 6
    assert (of_place["closure"], of_place["value"], of_place["max_age_s"]) == ("car", "there", 120)
    assert of_place["age_s"] == pytest.approx(age_s, abs=1)
    assert verdicts(folder, KEY) == ("ok", "ok", "")


def test_every_value_of_a_car_that_grows_old_is_told_and_nothing_from_which_its_place_follows(tmp_path: Path) -> None:
    ages = told(sealed_rows(tmp_path, CAR, KEY))["ages"]
    assert [one["sensor"] for one in ages] == ["boot", "locked", "parked", "place"]
    assert {key for one in ages for key in one} == {"closure", "sensor", "value", "age_s", "max_age_s"}
    assert all(0 <= one["age_s"] <= one["max_age_s"] for one in ages)


def test_a_door_whose_values_do_not_grow_old_is_sealed_as_before(tmp_path: Path) -> None:
    manifest = told(sealed_rows(tmp_path, honest_visit("flat"), KEY))
    assert manifest["version"] == 4
    assert "ages" not in manifest


def test_a_car_that_was_opened_before_the_log_had_ages_verifies_as_it_did(tmp_path: Path) -> None:
    rows = changed(lambda unlock: unlock.pop("ages"))
    folder = sealed_rows(tmp_path, rows, KEY)
    assert told(folder)["version"] == 4
    assert verdicts(folder, KEY) == ("ok", "ok", "")


def changed(how: Callable[[Row], object]) -> list[Row]:
    """The log, with its order to open changed."""
    rows = deepcopy(CAR)
    for row in rows:
        for command in row["commands"]:
            if command["command"] == "Unlock":
                how(command)
    return rows


@pytest.mark.parametrize(
    "claim",
    [
        [],
        [{"closure": "car", "sensor": "place", "value": "there", "age_s": 0.0, "max_age_s": 120.0}],
    ],
)
def test_a_box_that_tells_other_ages_than_its_log_is_found_out(tmp_path: Path, claim: object) -> None:
    folder = sealed_rows(tmp_path, CAR, KEY)
    forge_manifest(folder, KEY, {"ages": claim})
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    assert "ages" in where


def test_a_log_in_which_a_car_was_opened_by_an_older_position_than_allowed_is_refused_by_both(tmp_path: Path) -> None:
    def grow_old(unlock: Row) -> None:
        unlock["ages"][-1]["age_s"] = 120.1

    folder = sealed_rows(tmp_path, changed(grow_old), KEY)
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_order", "route_order")
    assert where == "car: ordered open by a value of place of 120.1 s before, where 120 s are the most"


@pytest.mark.parametrize(
    "ages", ["old", [1], [{"sensor": "place", "value": "there", "age_s": -1, "max_age_s": 120}], [{"sensor": "place"}]]
)
def test_ages_of_no_known_shape_do_not_go_unread(tmp_path: Path, ages: object) -> None:
    def deform(unlock: Row) -> None:
        unlock["ages"] = ages

    folder = sealed_rows(tmp_path, CAR, KEY)
    forge_log(folder, KEY, changed(deform))
    ours, theirs, _ = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_order", "route_order")

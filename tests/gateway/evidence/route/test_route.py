"""The manifest has for each closure what the log has: when it opened, and which answers proved it secured."""

import copy
from typing import Any

import pytest

from gateway.domain.visit.closures import KINDS, AnyClosure
from gateway.domain.visit.closures.contract import Fact, View
from gateway.evidence.route import KNOWN_KINDS, needed_sensors, read_route
from tests.foreign import proof_route
from tests.gateway.evidence.custodies import custody_row
from tests.gateway.evidence.route.rows import account_of, honest_visit, words_of_both
from tests.house.entrances import BOXES

Row = dict[str, Any]


@pytest.fixture(scope="module")
def flat() -> list[Row]:
    return honest_visit("flat")


def times_of(rows: list[Row], command: str, closure: str) -> list[str]:
    """When the log has this command to a closure."""
    return [
        row["at"]
        for row in rows
        for one in row["commands"]
        if (one["command"], one.get("closure")) == (command, closure)
    ]


def test_a_flats_proof_lists_the_street_door_and_then_the_flats_door(flat: list[Row]) -> None:
    told = account_of(flat).model_dump(mode="json")
    street, door = told["route"]
    assert [(one["closure"], one["kind"], one["guarded"]) for one in (street, door)] == [
        ("street", "strike", True), ("flat", "bolted_door", True),
    ]  # fmt: skip
    assert {name: told[name] for name in ("holder", "marks", "custody", "place", "evidence")} == {
        "holder": "courier", "marks": [], "custody": [], "place": {"id": "hall", "alternative": 0},
        "evidence": {"required": "film", "gaps": []},
    }  # fmt: skip
    for one in (street, door):
        (ordered,) = times_of(flat, "Unlock", one["closure"])
        assert one["intent"] == one["ordered"] == ordered.replace(".000000", "")
        assert one["ordered"] < one["published"] < one["opened"][0] < one["secured"]
    assert (len(street["opened"]), len(door["opened"])) == (2, 1)  # he leaves the flat's door open while he is in it
    assert street["passable"] == street["ordered"]  # a strike reports nothing: the log has only its order
    assert door["passable"] > door["published"]


def test_the_street_door_was_proven_shut_before_the_flat_was_ordered_open(flat: list[Row]) -> None:
    street, door = account_of(flat).route
    assert street.passed is not None
    assert door.passed is None
    (answer,) = street.passed.answers.values()
    assert (street.passed.at, answer.value) == (door.ordered, "closed")
    assert street.ordered is not None
    assert answer.asked is not None
    assert (answer.asked - street.ordered).total_seconds() >= 10  # the order's life and the clock error of the device
    assert street.answers["door"].answered > answer.answered  # proven once more at the end


def test_all_closures_are_secured_at_the_same_instant(flat: list[Row]) -> None:
    street, door = account_of(flat).route
    (locked_again,) = {row["at"] for row in flat if row["phase"] == "locked_again" != row["phase_before"]}
    assert {street.secured, door.secured} == {account_of(flat).route[0].secured}
    assert street.model_dump(mode="json")["secured"] == locked_again.replace(".000000", "")
    assert {role: answer.value for role, answer in door.answers.items()} == {"door": "closed", "lock": "locked"}


def test_a_key_safes_proof_has_the_key_and_the_door_that_it_opens() -> None:
    told = account_of(honest_visit("key safe")).model_dump(mode="json")
    safe, door = told["route"]
    assert (door["kind"], door["guarded"], door["intent"], door["ordered"]) == ("keyed_door", False, None, None)
    assert door["opened"]
    assert door["secured"] == safe["secured"] is not None
    assert {role: answer["value"] for role, answer in safe["answers"].items()} == {"flap": "closed", "key": "present"}
    taken, returned = told["marks"]
    assert (taken["mark"], returned["mark"]) == ("key_taken", "key_returned")
    assert [step["step"] for step in told["custody"]] == ["key_offered", "key_taken", "key_returned"]
    assert told["custody"][1]["at"] == taken["at"]


def test_the_chosen_compartment_is_the_route_and_its_sensor_proves_the_parcel() -> None:
    rows = honest_visit("parcel box")
    (box,) = account_of(rows).route
    assert box.closure == BOXES[0]
    assert {role: answer.value for role, answer in box.answers.items()} == {
        "latch": "locked", "lid": "closed", "content": "occupied",
    }  # fmt: skip
    assert account_of(rows).evidence.model_dump(mode="json") == {"required": "sensor", "gaps": ["no_film"]}


def test_a_keeper_with_a_name_is_the_holder() -> None:
    rows = copy.deepcopy(honest_visit("key safe"))
    rows[0]["route"]["holder"] = "keeper:claire"
    for row in rows:
        for command in row["commands"]:
            if command.get("what") == "key_taken":
                command["what"] = "key_taken:claire"
    told = account_of(rows)
    assert told.holder == "keeper:claire"
    assert [step.by for step in told.custody] == ["claire", "claire", "claire"]
    assert words_of_both(told, rows) == ("ok", "ok")


def test_an_order_that_never_left_is_not_published(flat: list[Row]) -> None:
    rows = [row for row in flat if row["event"]["event"] != "UnlockPublished"]
    assert [closure.published for closure in account_of(rows).route] == [None, None]


def test_a_visit_that_is_not_locked_again_calls_nothing_secured(flat: list[Row]) -> None:
    end = next(number for number, row in enumerate(flat) if row["phase"] == "locked_again")
    told = account_of(flat[:end])
    assert [(closure.secured, closure.answers) for closure in told.route] == [(None, {}), (None, {})]
    opened_again = {**flat[-1], "phase_before": "locked_again", "phase": "relocking"}
    assert [closure.secured for closure in account_of([*flat, opened_again]).route] == [None, None]


def test_a_disk_that_failed_is_a_declared_gap_and_what_it_lost_is_not_claimed(flat: list[Row]) -> None:
    lost = {**flat[1], "event": {"event": "DiskChanged", "ok": False}, "commands": []}
    unheard = [row for row in flat if row["event"].get("sensor") != "flat/lock"]
    rows = [*unheard[:3], lost, *unheard[3:]]
    told = account_of(rows)
    assert told.evidence.gaps == ("log_incomplete",)
    street, door = told.route
    assert street.secured is not None
    assert (door.secured, door.answers) == (None, {})
    assert words_of_both(told, rows) == ("ok", "ok")


def test_entries_that_are_no_decisions_say_nothing() -> None:
    for rows in ([], [None, 7, "x", {"kind": "step"}, {"kind": "clip", "at": "x"}], [{"what": "scan", "visit": "v"}]):
        told = account_of(rows)
        assert (told.route, told.holder, told.place, told.evidence.required) == ((), None, None, None)
        assert words_of_both(told, rows) == ("ok", "ok")


@pytest.mark.parametrize("kind", KINDS)
def test_both_verifiers_know_each_kind_alike(kind: type[AnyClosure]) -> None:
    """The second verifier's table of kinds is that of the page; here it is compared with the kinds' own answers."""
    name = kind.model_fields["kind"].default
    table = proof_route.KINDS[name]
    closure = KNOWN_KINDS[name].model_construct(id="x", devices=dict.fromkeys(kind.roles, "device"))
    assert needed_sensors(closure) == table.needs.keys()
    assert closure.opening().is_ordered is not table.by_key

    def view(values: dict[str, str]) -> View:
        facts = {role: Fact(value=value, proven=True) for role, value in values.items()}
        return View(facts, {role: role for role in kind.roles})

    good = {role: min(values) for role, values in table.needs.items()}
    assert closure.secured(view(good))
    words = {word for one in (*table.needs.values(), *table.opens.values()) for word in one} | {"unknown", "jammed"}
    for role in kind.roles:
        for word in words:
            assert closure.secured(view({**good, role: word})) is (role not in table.needs or word in table.needs[role])
            assert closure.opened(view({role: word})) is (word in table.opens.get(role, ()))


def test_reading_ends_for_any_number_of_openings(flat: list[Row]) -> None:
    opened = next(
        row for row in flat if row["event"].get("sensor") == "street/door" and row["event"]["value"] == "open"
    )
    reports = []
    for seq in range(400):
        heard = {**opened["event"]["heard"], "seq": 1000 + seq}
        event = {**opened["event"], "heard": heard, "value": "open" if seq % 2 else "closed"}
        reports.append({**flat[-1], "event": event, "commands": []})
    rows = [*flat, *reports]
    assert len(read_route(rows).account.route[0].opened) == 100
    assert words_of_both(account_of(rows), rows) == ("ok", "ok")


def test_a_restart_takes_the_answers_away_and_is_no_failed_disk(flat: list[Row]) -> None:
    end = next(number for number, row in enumerate(flat) if row["phase"] == "locked_again")
    restarted = {**flat[end - 1], "event": {"event": "Restarted", "safe_mode": False}, "commands": []}
    well = {**flat[end - 1], "event": {"event": "DiskChanged", "ok": True}, "commands": []}
    rows = [*flat[:end], restarted, well, *flat[end:]]
    told = account_of(rows)
    assert told.evidence.gaps == ()
    assert "lock" not in told.route[1].answers
    assert words_of_both(told, rows) == ("route_unproven", "route_unproven")
    assert account_of([*rows, well]).evidence.gaps == ("log_incomplete",)


@pytest.mark.parametrize("change", [{}, {"retained": True, "seq": 10_000}, {"session": 9, "seq": 10_000}])
def test_a_late_copy_a_stored_copy_and_a_report_of_another_session_change_nothing(
    flat: list[Row], change: dict[str, Any]
) -> None:
    end = next(number for number, row in enumerate(flat) if row["phase"] == "locked_again")
    opened = next(row for row in flat if row["event"].get("sensor") == "flat/door" and row["event"]["value"] == "open")
    event = {**opened["event"], "heard": {**opened["event"]["heard"], **change}}
    rows = [*flat[:end], {**flat[end - 1], "event": event, "commands": []}, *flat[end:]]
    assert account_of(rows) == account_of(flat)
    assert words_of_both(account_of(rows), rows) == ("ok", "ok")


def test_the_entry_that_begins_a_visit_names_its_route_and_no_other_does(flat: list[Row]) -> None:
    """Old logs stay readable, so the name of this entry must not change."""
    first, *others = flat
    assert first["event"]["event"] == "Scanned"
    parcels = first["route"].pop("parcels")
    assert parcels == [first["event"]["code"]["hmac"]]
    assert first["route"] == {
        "alternative": 0, "evidence": "film", "holder": "courier", "place": "hall",
        "closures": [
            {"basic": {}, "closure": "street", "guarded": True, "kind": "strike", "sensors": ["door"]},
            {"basic": {}, "closure": "flat", "guarded": True, "kind": "bolted_door", "sensors": ["lock", "door"]},
        ],
    }  # fmt: skip
    assert not [row for row in others if "route" in row]


def test_a_sensor_that_answers_no_query_proves_by_its_last_report_also_from_before_the_visit(flat: list[Row]) -> None:
    rows = copy.deepcopy(flat)
    rows[0]["route"]["closures"][1]["basic"] = {"door": "closed"}
    for row in rows:
        if row["event"].get("sensor") == "flat/door":
            row["event"]["heard"]["answers"] = None
    (_, door) = account_of(rows).route
    assert door.secured is not None
    assert door.answers["door"].model_dump(exclude={"answered"}) == {"value": "closed", "query": None, "asked": None}
    assert door.answers["lock"].query is not None
    assert words_of_both(account_of(rows), rows) == ("ok", "ok")
    unheard = [row for row in rows if row["event"].get("sensor") != "flat/door"]
    told = account_of(unheard)
    assert told.route[1].answers["door"].model_dump(mode="json")["answered"] == rows[0]["at"].replace(".000000", "")
    assert words_of_both(told, unheard) == ("ok", "ok")
    rows[0]["route"]["closures"][1]["basic"] = {}  # of any other sensor such reports prove nothing
    assert words_of_both(account_of(rows), rows) == ("route_unproven", "route_unproven")


def test_a_receptions_part_names_the_receiver_of_the_parcel() -> None:
    rows: list[Any] = [
        custody_row("announced", "offered", 1),
        custody_row("offered", "offered", 2),  # he scanned it twice
        custody_row("offered", "received", 5, receiver="huissier"),
        custody_row("handed_over", "confirmed", 60, receiver="huissier"),
    ]
    told = account_of(rows)
    assert (told.holder, told.route, told.place, told.evidence.required) == ("receiver", (), None, None)
    assert [(step.step, step.by, step.parcel) for step in told.custody] == [
        ("offered", None, "0017"), ("received", "huissier", "0017"), ("confirmed", None, "0017"),
    ]  # fmt: skip
    assert words_of_both(told, rows) == ("ok", "ok")
    declined = [custody_row("offered", "declined", 5, receiver="huissier", reason="damaged")]
    assert [(step.by, step.reason) for step in account_of(declined).custody] == [("huissier", "damaged")]
    assert words_of_both(told, declined) == ("route_differs", "route_differs")

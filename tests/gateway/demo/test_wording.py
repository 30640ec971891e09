"""What people, doors and faults of a scenario are called: words, never ids of the program."""

from pathlib import Path

import pytest

from gateway.demo.plan import make_plan
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import SCENARIOS, find_scenarios
from gateway.demo.wording import (
    ACT_TEXTS,
    FAULT_TEXTS,
    THE_DOOR,
    DoorNames,
    act_text,
    door_names,
    fault_text,
    thing_text,
)


def names_of(title: str, folder: Path) -> DoorNames:
    """The names of the doors in the house of the first scenario of this name."""
    return door_names(find_scenarios(title)[0].equip(make_plan(folder, fast=True, language="en")))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_each_act_and_fault_of_each_thing_of_a_scenario_is_in_words(scenario: Scenario, tmp_path: Path) -> None:
    plan = scenario.equip(make_plan(tmp_path, fast=True, language="en"))
    doors = door_names(plan)
    for thing, section in plan.house.things.items():
        assert not section.makes.ACTS - ACT_TEXTS.keys()
        assert not section.makes.FAULTS - FAULT_TEXTS.keys()
        assert thing_text(thing, doors).startswith("the ")


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("flat", "goes through the street door"),
        ("locker", "puts the parcel into the compartment 1"),
        ("key-safe", "takes the key out of the key safe"),
        ("key-safe", "pulls the door with a key shut"),
    ],
)
def test_people_do_things_to_doors_with_names(title: str, text: str, tmp_path: Path) -> None:
    doors = names_of(title, tmp_path)
    worded = {act_text(act, thing, doors) for act in ACT_TEXTS for thing in doors.by_thing if thing is not None}
    assert text in worded


def test_a_single_front_door_needs_no_name(tmp_path: Path) -> None:
    names = names_of("delivered", tmp_path)
    assert (names.by_id, names.by_thing) == (THE_DOOR.by_id, THE_DOOR.by_thing)
    assert thing_text(None, THE_DOOR) == "the door"


def test_a_fault_begins_and_ends_in_words(tmp_path: Path) -> None:
    flat = names_of("flat", tmp_path)
    assert fault_text("street", "wedged", flat, is_on=True) == "the street door: somebody wedges it open"
    ends = "the street door: a neighbour takes the wedge out, and it falls shut"
    assert fault_text("street", "wedged", flat, is_on=False) == ends
    assert fault_text("front-lock", "jam", THE_DOOR, is_on=True) == "the lock: jams"


def test_what_a_new_thing_brings_is_printed_by_its_own_word() -> None:
    assert act_text("reach_through", "wall", THE_DOOR) == "reach through: wall"
    assert fault_text("wall", "half_open", THE_DOOR, is_on=False) == "wall: half open ends"

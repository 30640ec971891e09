from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.simulators.control import Impossible
from devices.simulators.doorway import HAND, Doorway, Position
from devices.simulators.physical_log import PhysicalLog, read_log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PhysicalLog]:
    with PhysicalLog(tmp_path / "log") as file:
        yield file


@pytest.fixture
def door(log: PhysicalLog) -> Doorway:
    return Doorway(log)


def test_a_locked_door_does_not_open_from_outside(door: Doorway) -> None:
    with pytest.raises(Impossible, match="locked"):
        door.open_door("courier")


def test_from_inside_the_door_always_opens_by_hand(door: Doorway) -> None:
    door.place("courier", Position.INSIDE)
    door.open_door("courier")
    assert door.open
    assert not door.thrown


def test_a_bolt_thrown_in_the_air_keeps_the_leaf_from_closing(door: Doorway) -> None:
    door.place("resident", Position.INSIDE)
    door.open_door("resident")
    door.lock_by_hand("resident")
    assert door.in_air
    with pytest.raises(Impossible, match="does not close"):
        door.close_door("resident")
    door.thumb_turn("resident")
    door.close_door("resident")
    assert not door.open


def test_only_the_resident_has_a_key(door: Doorway) -> None:
    with pytest.raises(Impossible, match="no key"):
        door.turn_key("thief")
    with pytest.raises(Impossible, match="no key"):
        door.lock_by_hand("courier")
    door.turn_key("resident")
    assert not door.thrown


def test_a_forced_door_is_open_though_its_bolt_is_out(door: Doorway) -> None:
    door.force_door("thief")
    assert door.in_air


def test_nobody_walks_through_a_closed_door(door: Doorway) -> None:
    with pytest.raises(Impossible, match="closed"):
        door.walk_in("courier")
    door.turn_key("resident")
    door.open_door("courier")
    door.walk_in("courier")
    door.close_door("courier")
    with pytest.raises(Impossible, match="closed"):
        door.walk_out("courier")


def test_nobody_acts_where_he_is_not(door: Doorway) -> None:
    with pytest.raises(Impossible, match="not inside"):
        door.thumb_turn("resident")
    with pytest.raises(Impossible, match="not outside"):
        door.leave("courier")
    with pytest.raises(Impossible, match="nobody here is called ghost"):
        door.open_door("ghost")


def test_what_is_so_already_does_not_happen_again(door: Doorway, tmp_path: Path) -> None:
    door.move_bolt(thrown=True, cause=HAND)
    assert read_log(tmp_path / "log") == ()
    door.turn_key("resident")
    door.open_door("resident")
    with pytest.raises(Impossible, match="open already"):
        door.open_door("resident")
    with pytest.raises(Impossible, match="open already"):
        door.force_door("thief")
    door.close_door("resident")
    with pytest.raises(Impossible, match="closed already"):
        door.close_door("resident")


def test_the_log_tells_every_movement_at_once_and_by_both_clocks(door: Doorway, tmp_path: Path) -> None:
    told: list[str] = []
    door.bolt_moved.append(told.append)
    door.turn_key("resident")
    door.open_door("resident")
    lines = read_log(tmp_path / "log")
    assert [line["what"] for line in lines] == ["person", "bolt", "door"]
    assert lines[1]["cause"] == "hand"
    assert lines[1]["in_air"] is False
    assert lines[2]["by"] == "resident"
    assert all(str(line["at"]).endswith("Z") and isinstance(line["mono"], float) for line in lines)
    assert told == ["hand"]

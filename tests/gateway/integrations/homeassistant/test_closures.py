"""Each closure in Home Assistant: its own entities, "locked" only where it is proven, and one door as it always was."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.reports import DoorState, LockState
from gateway.config.closures import entrance_closures
from gateway.config.home import Home, HomeAssistantSection
from gateway.demo.plan import DemoPlan, make_plan
from gateway.demo.scenarios.ways_in_homes import with_flat, with_key_safe, with_parcel_box
from gateway.domain.now import Now
from gateway.domain.visit.closures import (
    AnyClosure,
    BoltedDoor,
    Compartment,
    GarageDoor,
    KeyedDoor,
    KeySafe,
    Strike,
)
from gateway.domain.visit.closures.contract import Fact, Quantity
from gateway.domain.visit.state import Entrance, LockRequest, Phase, Rules, Securing, Visit
from gateway.domain.visit.summary import closure_states
from gateway.integrations.homeassistant.closures import SECURED, UNKNOWN, closure_entities, closure_values
from gateway.integrations.homeassistant.discovery import (
    discovery_messages,
    object_id,
    published_entities,
    removal_messages,
)
from gateway.integrations.homeassistant.state import entrance_snapshot
from tests.closures import KIND_WORDS, whole
from tests.shell.house import make_home, visit_delivery

NOW = Now(utc=datetime(2026, 11, 29, 12, tzinfo=UTC), trusted=True, mono=100.0)
SECTION = HomeAssistantSection(may=("lock_now", "stop", "somebody_home"), picture="last_visit")
ONE_DOOR_MESSAGES = Path(__file__).with_name("one_door.json")  # as release 77039efc sent them
BOX = {"order": "b", "latch": "b", "lid": "b", "content": "b"}
GOOD = {
    Quantity.BOLT: "locked", Quantity.CONTACT: "closed", Quantity.KEY: "present", Quantity.CONTENT: "empty",
    Quantity.OBSTRUCTION: "clear", Quantity.MOTION: "parked", Quantity.PLACE: "there",
}  # fmt: skip


def entrance(*closures: AnyClosure, proven: bool = True, **values: str) -> Entrance:
    """An entrance whose sensors report what is good, or these values by their names (`/` is `__`)."""
    facts = {
        name: Fact(
            value=values.get(name.replace("/", "__").replace("-", "_"), GOOD[closure.sensors[role].quantity]),
            proven=proven,
        )
        for closure in closures
        for role, name in closure.sensor_names.items()
    }
    return Entrance(id="front", broker_session=1, rules=Rules(closures=closures), facts=facts)


def home_with(tmp_path: Path, changed: Callable[[DemoPlan], DemoPlan]) -> Home:
    """The demo's home with another way in, and Home Assistant beside it."""
    home = changed(make_plan(tmp_path, fast=True)).home
    return home.model_copy(update={"homeassistant": SECTION, "language": "en"})


def components(home: Home) -> dict[str, dict[str, Any]]:
    """The entities of the only entrance."""
    (message,) = discovery_messages(home).values()
    return dict(message["components"])


def test_a_home_with_one_door_keeps_every_entity_id_and_topic_byte_for_byte() -> None:
    home = make_home(Path("x")).model_copy(update={"homeassistant": SECTION})
    now = json.dumps(discovery_messages(home), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert now == ONE_DOOR_MESSAGES.read_text(encoding="utf-8")
    for closure in (BoltedDoor(id="door"), GarageDoor(id="door", obstruction_sensor=True)):
        assert "closures" not in entrance_snapshot(entrance(closure), NOW)


@pytest.mark.parametrize("kind", KIND_WORDS)
def test_no_kind_is_shown_locked_closed_empty_or_with_its_key_before_that_is_proven(kind: str) -> None:
    closure = whole(kind)
    good = {"LOCKED", "closed"}
    for proven in (False, True):
        values = closure_values(entrance(closure, proven=proven))["x"]
        shapes = dict(closure_entities(closure))
        for part, shape in shapes.items():
            says_good = values[part] in good or values[part] == (
                "ON" if shape.icon in ("mdi:key", "mdi:parking") else "OFF"
            )
            assert says_good is proven, (part, values[part])
        if not proven:
            assert set(values.values()) == {UNKNOWN}


@pytest.mark.parametrize("kind", KIND_WORDS)
def test_locked_is_shown_exactly_where_the_closure_itself_is_proven_secured(kind: str) -> None:
    closure = whole(kind)
    bad = (
        LockState.UNLOCKED,
        LockState.NOT_FULLY_LOCKED,
        DoorState.OPEN,
        DoorState.AJAR,
        "absent",
        "occupied",
        "unknown",
    )
    sensors = [
        [Fact(value=word, proven=proven) for word in (*sensor.needs_answer, *bad) for proven in (False, True)]
        for sensor in closure.sensors.values()
    ]
    shown = 0
    for facts in itertools.product(*sensors):
        named = dict(zip(closure.sensor_names.values(), facts, strict=True))
        state = Entrance(id="front", rules=Rules(closures=(closure,)), facts=named)
        value = closure_values(state)["x"].get(SECURED)
        is_shown = value in {"LOCKED", "closed", "OFF"}
        assert is_shown is (value is not None and closure_states(state)["x"]["secured"])
        shown += is_shown
    assert shown or not closure.is_private


def test_a_door_that_neighbours_use_too_is_never_called_locked() -> None:
    assert SECURED not in dict(closure_entities(Strike(id="street")))


def test_a_flat_has_a_lock_of_its_own_and_a_contact_of_the_street_door(tmp_path: Path) -> None:
    home = home_with(tmp_path, with_flat)
    found = components(home)
    street, flat = found["street_door"], found["door_secured"]
    assert (street["platform"], street["device_class"], street["name"]) == (
        "binary_sensor",
        "door",
        "Street door: open",
    )
    assert (flat["platform"], flat["name"], flat["payload_lock"]) == ("lock", "Door: lock", "LOCK")
    assert street["unique_id"] == f"{object_id(home, 'front')}_street_door"
    assert "street_secured" not in found
    assert {"lock", "door", "problem", "delivery"} <= found.keys(), "those of the whole entrance stay"


def test_a_box_has_a_lock_a_lid_and_an_occupancy_of_each_compartment(tmp_path: Path) -> None:
    found = components(home_with(tmp_path, with_parcel_box))
    for box in ("box-1", "box-2"):
        classes = {part: found[f"{box}_{part}"]["device_class"] for part in ("secured", "lid", "content")}
        assert classes == {"secured": "lock", "lid": "door", "content": "occupancy"}
        assert box in found[f"{box}_content"]["name"]
    assert not {"lock_battery", "door_battery"} & found.keys(), "it has neither"


def test_a_key_safe_shows_its_key_and_its_door(tmp_path: Path) -> None:
    found = components(home_with(tmp_path, with_key_safe))
    assert found["safe_key"]["name"] == "Key safe: key on its hook"
    assert (found["safe_flap"]["device_class"], found["hall-door_door"]["device_class"]) == ("door", "door")
    assert found["hall-door_secured"]["device_class"] == "lock"


def test_a_garage_door_beside_others_is_a_cover_that_nobody_can_move_from_there() -> None:
    (part, shape), *_others = closure_entities(GarageDoor(id="garage"))
    assert (part, shape.platform, shape.device_class, shape.takes_lock) == (SECURED, "cover", "garage", False)
    assert closure_values(entrance(GarageDoor(id="garage"), garage__door="open"))["garage"] == {SECURED: "open"}


@pytest.mark.parametrize("changed", [with_flat, with_parcel_box, with_key_safe])
def test_every_entity_reads_a_value_that_is_published(tmp_path: Path, changed: Callable[[DemoPlan], DemoPlan]) -> None:
    home = home_with(tmp_path, changed)
    snapshot: dict[str, Any] = dict(entrance_snapshot(entrance(*entrance_closures(home, "front")), NOW))
    for name, component in components(home).items():
        template = str(component.get("value_template", ""))
        if ".closures[" in template:
            _head, closure, _middle, part, _tail = template.split("'")
            assert snapshot["closures"][closure][part], name


def test_what_left_the_house_file_is_removed(tmp_path: Path) -> None:
    flat = home_with(tmp_path, with_flat)
    one = flat.model_copy(update={"entrances": home_with(tmp_path, lambda plan: plan).entrances})
    one = one.model_copy(update={"devices": {**flat.devices, **home_with(tmp_path, lambda plan: plan).devices}})
    before = published_entities(discovery_messages(flat))
    ((_topic, message),) = removal_messages(before, discovery_messages(one))
    assert message["components"]["street_door"] == {"platform": "binary_sensor"}
    assert message["components"]["door_secured"] == {"platform": "lock"}


FLAT = (Strike(id="street"), BoltedDoor(id="flat"))


def visiting(phase: Phase, **facts: Any) -> Entrance:  # noqa: ANN401 - any of a visit
    """A visit to a flat whose bolt is in."""
    visit = Visit(id="v", delivery=visit_delivery(), scanner="s", route=("street", "flat"), phase=phase, **facts)
    return replace(entrance(*FLAT, flat__lock="unlocked"), visit=visit)


@pytest.mark.parametrize(
    ("state", "value"),
    [
        (visiting(Phase.RELOCKING, securing=Securing(closure="flat")), "LOCKING"),
        (visiting(Phase.RELOCKING, securing=Securing(closure="street")), "UNLOCKED"),
        (visiting(Phase.RELOCKING, securing=Securing(closure="flat"), jammed=True), "JAMMED"),
        (visiting(Phase.RELOCKING, securing=Securing(closure="street"), jammed=True), "UNLOCKED"),
        (visiting(Phase.UNLOCKING), "UNLOCKED"),  # the street door is being opened
        (
            replace(
                visiting(Phase.RINGING), visit=None,
                lock_request=LockRequest(id="l", is_closed=True, securing=Securing(is_waiting=False, closure="flat")),
            ),
            "LOCKING",
        ),
        (entrance(*FLAT, flat__door="open"), "JAMMED"),  # the bolt is out, the door open
    ],
)  # fmt: skip
def test_the_lock_of_a_closure_moves_with_what_happens_at_it_only(state: Entrance, value: str) -> None:
    assert closure_values(state)["flat"][SECURED] == value


def test_good_news_about_one_closure_proves_nothing_about_another() -> None:
    boxes = tuple(Compartment(id=name, devices=BOX) for name in ("c1", "c2"))
    values = closure_values(entrance(*boxes, c1__content="occupied", c2__latch="unlocked"))
    assert (values["c1"]["content"], values["c2"]["content"]) == ("ON", "OFF")
    assert (values["c1"][SECURED], values["c2"][SECURED]) == ("OFF", "ON")
    safe = closure_values(entrance(KeySafe(id="safe"), KeyedDoor(id="hall"), safe__key="absent"))
    assert (safe["safe"]["key"], safe["safe"][SECURED], safe["hall"][SECURED]) == ("OFF", "ON", "OFF")

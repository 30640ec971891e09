"""The rules of a story, in which waiting times and the fields of its one closure stand beside the others."""

from collections.abc import Iterator

from devices.reports import AlarmPanelState
from gateway.domain.timing import Timing
from gateway.domain.visit.closures import BoltedDoor, GarageDoor
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.conditions import ALWAYS, AlarmPanel, AnyCondition, Presence
from gateway.domain.visit.state import Rules


def rules_with(**fields: object) -> Rules:
    """`Rules` with these fields; those of `Timing` and of the closure go into it. A time may be 0 here.

    `presence` and `alarm` with `bypassed` make the conditions of these names. `garage_door`: the closure is one.
    `conditions`: all of them. `door_answers` False: the door sensor answers no query.
    """
    garage_door, answers = fields.pop("garage_door", False), fields.pop("door_answers", True)
    conditions = fields.pop("conditions", None) or (*ALWAYS, *_conditions(fields))
    kind = GarageDoor if garage_door else BoltedDoor
    times = {name: fields.pop(name) for name in Timing.model_fields if name in fields}
    own = {name: fields.pop(name) for name in kind.model_fields if name in fields and name != "cameras"}
    return Rules(
        closures=(kind(id=MAIN_CLOSURE).model_copy(update=own),),
        timing=Timing().model_copy(update=times),
        conditions=conditions,  # type: ignore[arg-type]  # as the last line
        basic_sensors=frozenset() if answers else frozenset({"door"}),
        **fields,  # type: ignore[arg-type] # a story names what it changes
    )


def _conditions(fields: dict[str, object]) -> Iterator[AnyCondition]:
    people, panel, bypassed = (fields.pop(name, ()) for name in ("presence", "alarm", "bypassed"))
    if isinstance(people, tuple) and people:
        yield Presence(people=people)
    if isinstance(panel, str):
        modes = bypassed if isinstance(bypassed, frozenset) else frozenset()
        yield AlarmPanel(device=panel, bypassed=frozenset(AlarmPanelState(mode) for mode in modes))


def tracked_people(rules: Rules) -> tuple[str, ...]:
    """Return the devices of the people who are tracked."""
    return next((one.people for one in rules.conditions if isinstance(one, Presence)), ())


def has_panel(rules: Rules) -> bool:
    """Return whether an alarm panel watches the entrance."""
    return any(isinstance(one, AlarmPanel) for one in rules.conditions)


def front_door(rules: Rules) -> BoltedDoor:
    """Return the one closure of these rules, which is a bolted door."""
    (closure,) = rules.closures
    assert isinstance(closure, BoltedDoor)
    return closure


def door_answers(rules: Rules) -> bool:
    """Return whether the door sensor answers queries."""
    return "door" not in rules.basic_sensors

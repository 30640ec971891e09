"""What an entrance with one bolted door knows of it."""

from gateway.domain.visit.closures import ONE_DOOR
from gateway.domain.visit.closures.bolted_door import NOT_LOCKED
from gateway.domain.visit.closures.contract import OPEN_DOOR_STATES, Fact
from gateway.domain.visit.state import Entrance
from gateway.domain.visit.views import fact_of

BOLTED = ONE_DOOR


def proven_door(
    bolt: Fact = Fact(value="locked", proven=True),  # noqa: B008 - it is frozen
    leaf: Fact = Fact(value="closed", proven=True),  # noqa: B008 - it is frozen
) -> dict[str, Fact]:
    """Return the facts of an entrance with one bolted door."""
    return {"lock": bolt, "door": leaf}


def bolt(state: Entrance) -> Fact:
    """Return what is known of the bolt."""
    return fact_of(state, "lock")


def leaf(state: Entrance) -> Fact:
    """Return what is known of the door."""
    return fact_of(state, "door")


def is_locked(state: Entrance) -> bool:
    """Return whether the bolt is proven locked; a garage door has none, and is locked when it is closed."""
    if "lock" not in state.rules.closures[0].sensors:
        return is_closed(state)
    return bolt(state).proven and bolt(state).value == "locked"


def is_closed(state: Entrance) -> bool:
    """Return whether the door is proven closed."""
    return leaf(state).proven and leaf(state).value == "closed"


def is_door_open(state: Entrance) -> bool:
    """Return whether the door was last seen open."""
    return leaf(state).value in OPEN_DOOR_STATES


def is_withdrawn(state: Entrance) -> bool:
    """Return whether the bolt was last seen withdrawn."""
    return bolt(state).value in NOT_LOCKED

"""The state of an entrance is read from a store that an earlier release wrote."""

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.visit.state import Entrance
from gateway.storage import entrance_state

BEFORE = Path(__file__).with_name("entrance_state.json").read_text()
"""A state in which nothing has its default, written by the release before the renames (d96f34a)."""


def test_no_fact_of_a_state_that_an_earlier_release_stored_is_lost() -> None:
    state = entrance_state.load(BEFORE)
    assert state.visit is not None
    assert state.grace_visit is not None
    assert state.lock_request is not None
    facts = (state.bolt, state.door, state.obstruction)
    parts: tuple[Any, ...] = (state, state.visit, state.grace_visit, state.lock_request, *facts)
    lost = [
        f"{type(part).__name__}.{field.name}"
        for part in (*parts, *state.scan_lockouts.values(), *state.preflights)
        for field in fields(part)
        if field.default is not MISSING and getattr(part, field.name) == field.default
    ]
    assert lost == []
    assert (state.rules.garage_door, state.rules.obstruction_sensor) == (True, True)
    assert (set(state.fridges), set(state.scan_lockouts), len(state.timers) > 20) == ({"fridge"}, {"sc"}, True)


def test_a_state_that_was_stored_now_is_read_as_it_was() -> None:
    state = entrance_state.load(BEFORE)
    assert entrance_state.load(entrance_state.dump(state)) == state
    assert entrance_state.load(entrance_state.dump(Entrance(id="front"))) == Entrance(id="front")


@pytest.mark.parametrize("text", ["[]", "null", "{}", "no JSON"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Field required|Expecting"):
        entrance_state.load(text)

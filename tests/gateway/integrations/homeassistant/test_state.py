"""What Home Assistant is shown of an entrance: locked only when it is proven, unknown as unknown."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.reports import BatteryLevel, DoorState, LockState
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.closures.contract import Fact
from gateway.domain.visit.state import (
    Entrance,
    LockRequest,
    LockRequestResult,
    Once,
    PausePeriod,
    Phase,
    Securing,
    Visit,
)
from gateway.integrations.homeassistant.closures import UNKNOWN
from gateway.integrations.homeassistant.state import (
    EVENT_TYPES,
    LockEntityState,
    decision_events,
    entrance_snapshot,
    refusal_event,
)
from tests.house.door import proven_door
from tests.shell.house import visit_delivery

NOW = Now(utc=datetime(2026, 11, 25, 12, tzinfo=UTC), trusted=True, mono=100.0)
GOOD = Entrance(
    id="front",
    broker_session=1,
    facts=proven_door(),
)
BOLT, LEAF = GOOD.facts["lock"], GOOD.facts["door"]


def shown(state: Entrance) -> Mapping[str, Any]:
    return entrance_snapshot(state, NOW)


def visiting(
    phase: Phase,
    bolt: LockState = LockState.UNLOCKED,
    door: DoorState = DoorState.CLOSED,
    **facts: Any,  # noqa: ANN401 - any of a visit
) -> Entrance:
    visit = Visit(id="v1", delivery=visit_delivery(), phase=phase, scanner="s", **facts)
    leaf = Fact(value=door, proven=door is DoorState.CLOSED)
    return replace(GOOD, visit=visit, facts=proven_door(Fact(value=bolt), leaf))


def test_locked_is_said_of_a_bolt_and_a_door_that_are_both_proven_so() -> None:
    assert shown(GOOD)["lock"] == "LOCKED"


@pytest.mark.parametrize(
    ("bolt", "door"),
    [
        (Fact(value=LockState.LOCKED), LEAF),  # it says locked, but nobody has asked it since the last bad news
        (BOLT, Fact(value=DoorState.CLOSED)),
        (BOLT, Fact(value=DoorState.UNKNOWN)),
        (Fact(value=LockState.UNKNOWN), LEAF),
    ],
)
def test_without_proof_the_lock_is_unknown(bolt: Fact, door: Fact) -> None:
    assert shown(replace(GOOD, facts=proven_door(bolt, door)))["lock"] == UNKNOWN


@pytest.mark.parametrize("bolt", [LockState.UNLOCKED, LockState.UNLATCHED, LockState.NOT_FULLY_LOCKED])
def test_bad_news_needs_no_proof(bolt: LockState) -> None:
    assert shown(replace(GOOD, facts=proven_door(Fact(value=bolt))))["lock"] == "UNLOCKED"
    assert shown(replace(GOOD, facts=proven_door(leaf=Fact(value=DoorState.OPEN))))["door"] == "ON"


def test_a_bolt_that_is_out_with_the_door_open_is_no_locked_door() -> None:
    air = replace(GOOD, facts=proven_door(leaf=Fact(value=DoorState.OPEN)))
    assert (shown(air)["lock"], shown(air)["problem"], shown(air)["problems"]) == ("JAMMED", "ON", ["bolt_in_the_air"])


@pytest.mark.parametrize(
    ("state", "lock"),
    [
        (visiting(Phase.UNLOCKING, bolt=LockState.LOCKED), LockEntityState.UNLOCKING),
        (visiting(Phase.UNLOCKED), LockEntityState.UNLOCKED),
        (visiting(Phase.INSIDE, door=DoorState.OPEN), LockEntityState.UNLOCKED),
        (visiting(Phase.RELOCKING), LockEntityState.LOCKING),
        (visiting(Phase.RELOCKING, bolt=LockState.LOCKED), LockEntityState.LOCKING),  # says locked, not proven yet
        (visiting(Phase.RELOCKING, notified=frozenset({Once.JAM})), LockEntityState.JAMMED),
        (visiting(Phase.HANDED_TO_OWNER), LockEntityState.UNLOCKED),
        (visiting(Phase.HANDED_TO_OWNER, bolt=LockState.UNKNOWN), LockEntityState.UNKNOWN),
    ],
)
def test_the_lock_follows_the_visit(state: Entrance, lock: LockEntityState) -> None:
    assert shown(state)["lock"] == lock.value
    assert shown(state)["delivery"] == getattr(state.visit, "phase", None)


def test_a_jam_that_a_later_try_has_mended_is_locked_again() -> None:
    visit = Visit(
        id="v1", delivery=visit_delivery(), phase=Phase.LOCKED_AGAIN, scanner="s", notified=frozenset({Once.JAM})
    )
    assert shown(replace(GOOD, visit=visit))["lock"] == "LOCKED"


def test_lock_now_shows_that_it_locks_only_once_the_bolt_was_told_to() -> None:
    open_bolt = replace(GOOD, facts=proven_door(Fact(value=LockState.UNLOCKED)))
    asks = replace(open_bolt, lock_request=LockRequest(id="l1"))
    assert shown(asks)["lock"] == "UNLOCKED"
    assert (
        shown(replace(asks, lock_request=LockRequest(id="l1", securing=Securing(closure="door"), is_closed=True)))[
            "lock"
        ]
        == "LOCKING"
    )


def test_batteries_and_door_that_nobody_has_heard_of_are_unknown() -> None:
    nothing = shown(Entrance(id="front"))
    assert (nothing["lock"], nothing["door"], nothing["lock_battery"], nothing["door_battery"]) == (UNKNOWN,) * 4
    assert shown(replace(GOOD, batteries={"lock": BatteryLevel.LOW}))["lock_battery"] == "low"


def test_a_delivery_is_idle_expected_paused_or_stopped() -> None:
    pause = PausePeriod(id="p", start=NOW.utc, end=NOW.utc + timedelta(hours=1))
    states = (GOOD, replace(GOOD, window_near=True), replace(GOOD, pauses=(pause,)), replace(GOOD, stopped=True))
    assert [shown(state)["delivery"] for state in states] == ["idle", "expected", "paused", "stopped"]


def test_every_phase_of_a_visit_has_its_word() -> None:
    assert {shown(visiting(phase))["delivery"] for phase in Phase} == {phase.value for phase in Phase}


def test_nothing_that_names_a_delivery_goes_out() -> None:
    told = str(shown(visiting(Phase.INSIDE, door=DoorState.OPEN)))
    secret = visit_delivery()
    assert not [word for word in (secret.id, secret.brand, secret.carrier, *secret.parcels, "v1") if word in told]


def test_what_happens_is_told_once_and_in_order() -> None:
    rings, inside = visiting(Phase.RINGING, bolt=LockState.LOCKED), visiting(Phase.INSIDE, door=DoorState.OPEN)
    assert [one["event_type"] for one in decision_events(GOOD, rings, ())] == ["at_the_door"]
    assert list(decision_events(rings, rings, ())) == []
    said = (
        c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED, detail="3SABC1234567"),
        c.ReportParcelResult(visit="v1", delivery="shop.d1", outcome=Outcome.PARTLY_DELIVERED, missing=1),
        c.ReportDoorResult(visit="v1", delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN),
        c.LogNote(what="x"),
    )
    assert list(decision_events(rings, inside, said)) == [
        {"event_type": "inside"},
        {"event_type": "alarm", "code": "lock_jammed"},
        {"event_type": "partly_delivered", "missing": 1},
        {"event_type": "locked_again"},
    ]


def test_every_outcome_has_a_word_of_its_own() -> None:
    told = [
        next(decision_events(GOOD, GOOD, (c.ReportParcelResult(visit="v", delivery="d", outcome=outcome),)))[
            "event_type"
        ]
        for outcome in Outcome
    ]
    told += [
        next(decision_events(GOOD, GOOD, (c.ReportDoorResult(visit="v", delivery="d", door_result=house),)))[
            "event_type"
        ]
        for house in DoorResult
    ]
    assert len(set(told)) == len(Outcome) + len(DoorResult)
    assert set(told) <= set(EVENT_TYPES)


def test_what_came_of_lock_now_is_told() -> None:
    running, done = (
        LockRequest(id="l1", is_closed=True),
        LockRequest(id="l1", is_closed=True, result=LockRequestResult.NOT_PROVEN),
    )
    before, after = replace(GOOD, lock_request=running), replace(GOOD, lock_request=done)
    assert list(decision_events(before, after, ())) == [{"event_type": "lock_now", "result": "not_proven"}]
    assert list(decision_events(after, after, ())) == []


def test_what_stood_before_the_first_look_is_no_news() -> None:
    assert list(decision_events(None, visiting(Phase.INSIDE), ())) == []


def test_a_refusal_says_what_was_asked_and_why() -> None:
    assert refusal_event("UNLOCK", "never") == {"event_type": "wish_refused", "asked": "UNLOCK", "why": "never"}

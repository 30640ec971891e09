"""Who holds a parcel that a concierge receives: what each scan does, and that no stage is ever skipped."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.custody import (
    OFFER_LIFE_S,
    TAKEN,
    TRANSITIONS,
    CourierScanned,
    CustodyAnswer,
    CustodyDecision,
    CustodyEvent,
    CustodyNotice,
    CustodyRefusal,
    CustodyRestarted,
    CustodyStage,
    DeclineReason,
    OwnerConfirmed,
    ParcelCustody,
    ReceiverAccepted,
    ReceiverDeclined,
    ReceiverHandedOver,
    TimePassed,
    custody,
    delivery_outcome,
    seconds_to_deadline,
)
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.now import Now

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ANNOUNCED = ParcelCustody()
PERISHABLE = ParcelCustody(keep_cold=7200.0)
MARC, NINA = "marc", "nina"
ON_DUTY = frozenset({MARC, NINA})


def at(seconds: float) -> Now:
    return Now(utc=NOON + timedelta(seconds=seconds), trusted=True, mono=1000.0 + seconds)


def scan(*, on_duty: frozenset[str] = ON_DUTY, refusal: Refusal | None = None) -> CourierScanned:
    return CourierScanned(scan="s1", on_duty=on_duty, refusal=refusal)


def accepts(who: str = MARC, *, on_duty: bool = True) -> ReceiverAccepted:
    return ReceiverAccepted(receiver=who, on_duty=on_duty)


def declines(reason: DeclineReason = DeclineReason.DAMAGED) -> ReceiverDeclined:
    return ReceiverDeclined(receiver=MARC, on_duty=True, reason=reason)


def hands_over(who: str = MARC) -> ReceiverHandedOver:
    return ReceiverHandedOver(receiver=who, to="Anna Dupont")


OWNER = OwnerConfirmed(person="p1")


def after(*events: CustodyEvent, first: ParcelCustody = ANNOUNCED) -> CustodyDecision:
    """Decide on the events, ten seconds apart."""
    decision = CustodyDecision(state=first)
    for number, event in enumerate(events):
        decision = custody(decision.state, event, now=at(10.0 * number))
    return decision


def test_a_parcel_goes_from_the_courier_over_the_receiver_to_the_household() -> None:
    assert after(scan()).state.stage is CustodyStage.OFFERED
    received = after(scan(), accepts())
    assert (received.state.stage, received.state.holder) == (CustodyStage.RECEIVED, MARC)
    given = after(scan(), accepts(), hands_over())
    assert (given.state.stage, given.state.to) == (CustodyStage.HANDED_OVER, "Anna Dupont")
    assert after(scan(), accepts(), hands_over(), OWNER).state.stage is CustodyStage.CONFIRMED


def test_the_owner_is_notified_of_what_the_receiver_does() -> None:
    assert after(scan()).notices == ()
    assert after(scan(), accepts()).notices == (CustodyNotice.RECEIVED,)
    assert after(scan(), declines()).notices == (CustodyNotice.DECLINED,)
    assert after(scan(), accepts(), hands_over()).notices == (CustodyNotice.HANDED_OVER,)


def test_the_couriers_scan_is_answered_go_while_somebody_is_on_duty() -> None:
    answer = after(scan()).answer
    assert answer is not None
    assert (answer.answer, answer.refusal) == (CustodyAnswer.GO, None)


def test_with_nobody_on_duty_the_courier_is_refused_and_nothing_changes() -> None:
    decision = after(scan(on_duty=frozenset()))
    assert decision.answer is not None
    assert (decision.answer.answer, decision.answer.refusal) == (CustodyAnswer.NO, Refusal.NO_RECEIVER)
    assert decision.state == ParcelCustody()
    assert decision.notices == (CustodyNotice.NO_RECEIVER,)


def test_a_delivery_that_may_not_come_is_refused_with_its_own_reason() -> None:
    decision = after(scan(on_duty=frozenset(), refusal=Refusal.OUTSIDE_WINDOW))
    assert decision.answer is not None
    assert decision.answer.refusal is Refusal.OUTSIDE_WINDOW
    assert decision.notices == ()


def test_a_courier_who_scans_again_changes_nothing_and_cannot_make_received() -> None:
    twice = after(scan(), scan(), scan())
    assert twice.state.stage is CustodyStage.OFFERED
    taken = after(scan(), accepts(), scan())
    assert taken.state.stage is CustodyStage.RECEIVED
    assert taken.answer is not None
    assert taken.answer.refusal is Refusal.ALREADY_USED


def test_a_receiver_takes_only_what_a_courier_offered() -> None:
    decision = after(accepts())
    assert (decision.state.stage, decision.refusal) == (CustodyStage.ANNOUNCED, CustodyRefusal.NOT_OFFERED)


def test_a_receiver_off_duty_takes_nothing() -> None:
    decision = after(scan(), accepts(on_duty=False))
    assert (decision.state.stage, decision.refusal) == (CustodyStage.OFFERED, CustodyRefusal.NOT_ON_DUTY)


def test_only_the_receiver_who_holds_a_parcel_hands_it_over() -> None:
    decision = after(scan(), accepts(MARC), hands_over(NINA))
    assert (decision.state.stage, decision.refusal) == (CustodyStage.RECEIVED, CustodyRefusal.NOT_YOURS)
    assert after(scan(), hands_over()).refusal is CustodyRefusal.NOT_RECEIVED


def test_the_owner_confirms_only_what_was_handed_over() -> None:
    decision = after(scan(), accepts(), OWNER)
    assert (decision.state.stage, decision.refusal) == (CustodyStage.RECEIVED, CustodyRefusal.NOT_HANDED_OVER)


@pytest.mark.parametrize("reason", DeclineReason)
def test_a_declined_parcel_keeps_its_reason_and_may_be_offered_again(reason: DeclineReason) -> None:
    declined = after(scan(), declines(reason)).state
    assert (declined.stage, declined.reason) == (CustodyStage.DECLINED, reason)
    again = custody(declined, scan(), now=at(60)).state
    assert (again.stage, again.reason, again.holder) == (CustodyStage.OFFERED, None, None)


def test_an_offer_that_nobody_answers_lapses() -> None:
    offered = after(scan()).state
    assert seconds_to_deadline(offered, at(0)) == OFFER_LIFE_S
    assert custody(offered, TimePassed(), now=at(OFFER_LIFE_S - 1)).state.stage is CustodyStage.OFFERED
    assert custody(offered, TimePassed(), now=at(OFFER_LIFE_S)).state.stage is CustodyStage.ANNOUNCED
    late = custody(offered, accepts(), now=at(OFFER_LIFE_S))
    assert (late.state.stage, late.refusal) == (CustodyStage.ANNOUNCED, CustodyRefusal.NOT_OFFERED)


def test_a_second_scan_lets_the_offer_wait_anew() -> None:
    offered = custody(after(scan()).state, scan(), now=at(600)).state
    assert seconds_to_deadline(offered, at(600)) == OFFER_LIFE_S


def test_a_perishable_parcel_that_is_not_handed_over_in_time_raises_one_alarm() -> None:
    kept = after(scan(), accepts(), first=PERISHABLE).state
    assert seconds_to_deadline(kept, at(10)) == 7200.0
    assert custody(kept, TimePassed(), now=at(7209)).notices == ()
    late = custody(kept, TimePassed(), now=at(7210))
    assert late.notices == (CustodyNotice.KEPT_TOO_LONG,)
    assert custody(late.state, TimePassed(), now=at(7300)).notices == ()
    given = custody(kept, hands_over(), now=at(3600)).state
    assert custody(given, TimePassed(), now=at(9000)).notices == ()
    assert custody(after(scan(), accepts()).state, TimePassed(), now=at(10**6)).notices == ()


def test_the_time_during_which_the_box_was_off_counts_for_a_perishable_parcel() -> None:
    kept = after(scan(), accepts(), first=PERISHABLE).state
    booted = Now(utc=NOON + timedelta(hours=3), trusted=True, mono=5.0)
    assert custody(kept, CustodyRestarted(), now=booted).notices == (CustodyNotice.KEPT_TOO_LONG,)


def test_a_clock_that_is_put_back_does_not_lengthen_the_time() -> None:
    kept = after(scan(), accepts(), first=PERISHABLE).state
    put_back = Now(utc=NOON - timedelta(days=1), trusted=True, mono=1010.0 + 7200.0)
    assert custody(kept, TimePassed(), now=put_back).notices == (CustodyNotice.KEPT_TOO_LONG,)


@pytest.mark.parametrize(
    ("stages", "over", "expected"),
    [
        ((CustodyStage.RECEIVED,), False, (Outcome.DELIVERED, 0)),
        ((CustodyStage.CONFIRMED, CustodyStage.HANDED_OVER), False, (Outcome.DELIVERED, 0)),
        ((CustodyStage.RECEIVED, CustodyStage.ANNOUNCED), False, None),
        ((CustodyStage.RECEIVED, CustodyStage.OFFERED), False, None),
        ((CustodyStage.RECEIVED, CustodyStage.ANNOUNCED), True, (Outcome.PARTLY_DELIVERED, 1)),
        ((CustodyStage.RECEIVED, CustodyStage.DECLINED), False, (Outcome.PARTLY_DELIVERED, 1)),
        ((CustodyStage.DECLINED, CustodyStage.DECLINED), False, (Outcome.NOT_DELIVERED, 0)),
        ((CustodyStage.DECLINED, CustodyStage.ANNOUNCED), False, None),
        ((CustodyStage.DECLINED, CustodyStage.ANNOUNCED), True, (Outcome.NOT_DELIVERED, 0)),
        ((CustodyStage.ANNOUNCED,), True, None),
        ((), True, None),
    ],
)
def test_a_retailer_reads_what_became_of_all_parcels(
    stages: tuple[CustodyStage, ...], over: bool, expected: tuple[Outcome, int] | None
) -> None:
    assert delivery_outcome(stages, over=over) == expected


RECEIVERS = st.sampled_from([MARC, NINA])
EVENTS = st.one_of(
    st.builds(
        CourierScanned,
        scan=st.just("s"),
        on_duty=st.sampled_from([ON_DUTY, frozenset[str]()]),
        refusal=st.sampled_from([None, None, None, Refusal.OUTSIDE_WINDOW, Refusal.CANCELLED]),
    ),
    st.builds(ReceiverAccepted, receiver=RECEIVERS, on_duty=st.booleans()),
    st.builds(ReceiverDeclined, receiver=RECEIVERS, on_duty=st.booleans(), reason=st.sampled_from(DeclineReason)),
    st.builds(ReceiverHandedOver, receiver=RECEIVERS, to=st.just("Anna")),
    st.just(OWNER),
    st.just(TimePassed()),
    st.just(CustodyRestarted()),
)
STEPS = st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 1.0, 60.0, 899.0, 901.0, 8000.0])), max_size=40)
ENTERED_BY: dict[CustodyStage, type[object]] = {
    CustodyStage.OFFERED: CourierScanned,
    CustodyStage.RECEIVED: ReceiverAccepted,
    CustodyStage.DECLINED: ReceiverDeclined,
    CustodyStage.HANDED_OVER: ReceiverHandedOver,
    CustodyStage.CONFIRMED: OwnerConfirmed,
}


@settings(max_examples=400, deadline=None)
@given(steps=STEPS, perishable=st.booleans())
def test_no_life_of_a_parcel_skips_a_stage(steps: list[tuple[CustodyEvent, float]], perishable: bool) -> None:
    """Invariant 32, over random lives: each stage is entered by its own person's act, and along a declared arrow."""
    state, elapsed, alarms = ParcelCustody(keep_cold=7200.0 if perishable else None), 0.0, 0
    for event, wait in steps:
        elapsed += wait
        decision = custody(state, event, now=at(elapsed))
        before, state = state, decision.state
        entered = state.stage is not before.stage
        if entered:
            assert state.stage in TRANSITIONS[before.stage]
            if state.stage is not CustodyStage.ANNOUNCED:
                assert isinstance(event, ENTERED_BY[state.stage])
        if isinstance(event, ReceiverAccepted) and entered and state.stage is CustodyStage.RECEIVED:
            assert event.on_duty
            assert state.holder == event.receiver
        if decision.answer is not None and decision.answer.answer is CustodyAnswer.GO:
            assert state.stage is CustodyStage.OFFERED
        if state.stage in TAKEN and before.stage in TAKEN:
            assert state.holder == before.holder
        assert (state.reason is not None) == (state.stage is CustodyStage.DECLINED) or not entered
        assert decision.refusal is None or replace(state, since=None, since_mono=None).stage in (
            before.stage,
            CustodyStage.ANNOUNCED,
        )
        alarms += decision.notices.count(CustodyNotice.KEPT_TOO_LONG)
    assert alarms <= (1 if perishable else 0)


def test_every_declared_change_of_stage_is_taken() -> None:
    """Each arrow of the table, so that none is declared that the machine cannot take."""
    lives: tuple[tuple[CustodyEvent, ...], ...] = (
        (scan(), accepts(), hands_over(), OWNER),
        (scan(), declines(), scan()),
    )
    taken = set()
    for life in lives:
        state = ParcelCustody()
        for event in life:
            new = custody(state, event, now=at(0)).state
            taken.add((state.stage, new.stage))
            state = new
    lapsed = custody(after(scan()).state, TimePassed(), now=at(OFFER_LIFE_S)).state
    taken.add((CustodyStage.OFFERED, lapsed.stage))
    assert taken == {(before, new) for before, following in TRANSITIONS.items() for new in following}

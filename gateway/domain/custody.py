"""Decides who holds a parcel that a person receives for the household: one state for each parcel. Pure.

The courier's scan offers the parcel, the receiver's own scan of the same label receives it, his second scan hands it
over, and the owner's scan confirms that. Nothing opens, nothing is filmed, nobody rings. `TRANSITIONS` has every change
of stage; `custody` makes no other.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum, auto
from types import MappingProxyType
from typing import assert_never

from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now

OFFER_LIFE_S = 900.0  # seconds for which an offer waits; then the courier has gone, and his next scan offers it again


class CustodyStage(StrEnum):
    """Who has the parcel, as far as scans show it."""

    ANNOUNCED = auto()  # the retailer or the carrier
    OFFERED = auto()  # the courier, at the reception
    RECEIVED = auto()  # the receiver
    DECLINED = auto()  # the courier: the receiver did not take it
    HANDED_OVER = auto()  # the household, by the receiver's word
    CONFIRMED = auto()  # the household, by its own scan


_S = CustodyStage
TRANSITIONS: Mapping[CustodyStage, frozenset[CustodyStage]] = MappingProxyType({
    _S.ANNOUNCED: frozenset({_S.OFFERED}),
    _S.OFFERED: frozenset({_S.ANNOUNCED, _S.RECEIVED, _S.DECLINED}),  # announced again: nobody answered in time
    _S.RECEIVED: frozenset({_S.HANDED_OVER}),
    _S.DECLINED: frozenset({_S.OFFERED}),  # the courier comes back with it
    _S.HANDED_OVER: frozenset({_S.CONFIRMED}),
    _S.CONFIRMED: frozenset(),
})  # fmt: skip
"""Each stage with the stages that may follow it."""

TAKEN = frozenset({_S.RECEIVED, _S.HANDED_OVER, _S.CONFIRMED})
"""The stages of a parcel that reached the receiver: for the retailer it is delivered."""


class DeclineReason(StrEnum):
    """Why a receiver does not take a parcel."""

    DAMAGED = auto()
    UNKNOWN = auto()  # the addressee is not known there
    NO_ROOM = auto()
    DECLINED = auto()  # no reason given


def declined_reason(word: str | None) -> str:
    """Return a retailer's reason for the word of a receiver, a `DeclineReason`; None: he gave none."""
    return "declined" if word in {None, DeclineReason.DECLINED} else f"declined_{word}"


class CustodyRefusal(StrEnum):
    """Why an act of a receiver or of the owner changes nothing."""

    NOT_OFFERED = auto()  # the courier has not scanned it
    NOT_ON_DUTY = auto()
    NOT_YOURS = auto()  # another receiver holds it
    NOT_RECEIVED = auto()  # it was never received, or was handed over already
    NOT_HANDED_OVER = auto()  # the receiver has not scanned it at the hand-over


class CustodyAnswer(StrEnum):
    """The answer to a courier's scan."""

    GO = auto()  # give it to the receiver
    NO = auto()


class ParcelCustody(Frozen):
    """The custody of one parcel. `since_mono` is on the monotonic clock of this boot; None: before it."""

    stage: CustodyStage = CustodyStage.ANNOUNCED
    since: datetime | None = None  # UTC; None: announced, and never offered
    since_mono: float | None = None
    holder: str | None = None  # the id of the receiver who took or declined it
    reason: DeclineReason | None = None
    to: str | None = None  # to whom the receiver says that he gave it
    keep_cold: float | None = None  # seconds for which the receiver may keep it; None: it is not perishable
    warned: bool = False  # of its being kept too long


class CourierScanned(Frozen):
    """A courier scanned the label. `refusal`: the delivery's own, or that of the clock."""

    scan: str
    on_duty: frozenset[str]
    refusal: Refusal | None = None


class ReceiverAccepted(Frozen):
    """A receiver scanned the label on his own page."""

    receiver: str
    on_duty: bool


class ReceiverDeclined(Frozen):
    """A receiver does not take the parcel."""

    receiver: str
    on_duty: bool
    reason: DeclineReason


class ReceiverHandedOver(Frozen):
    """A receiver scanned the label again, and says to whom he gives it."""

    receiver: str
    to: str


class OwnerConfirmed(Frozen):
    """Somebody of the household scanned the label; `person` is an account's id."""

    person: str


class TimePassed(Frozen):
    """A deadline may have passed."""


class CustodyRestarted(Frozen):
    """The gateway started: the monotonic clock begins anew."""


CustodyEvent = (
    CourierScanned
    | ReceiverAccepted
    | ReceiverDeclined
    | ReceiverHandedOver
    | OwnerConfirmed
    | TimePassed
    | CustodyRestarted
)


class CustodyNotice(StrEnum):
    """What the owner is notified of."""

    RECEIVED = auto()
    DECLINED = auto()
    HANDED_OVER = auto()
    NO_RECEIVER = auto()
    KEPT_TOO_LONG = auto()  # an alarm: a perishable parcel still lies at the reception


class AnswerCourier(Frozen):
    """Answer a courier's scan."""

    scan: str
    answer: CustodyAnswer
    refusal: Refusal | None = None


class CustodyDecision(Frozen):
    """The parcel's next state and what follows. `refusal`: why an act of receiver or owner changed nothing."""

    state: ParcelCustody
    answer: AnswerCourier | None = None
    notices: tuple[CustodyNotice, ...] = ()
    refusal: CustodyRefusal | None = None


def custody(state: ParcelCustody, event: CustodyEvent, *, now: Now) -> CustodyDecision:
    """Decide on one event. ValueError: a change of stage that `TRANSITIONS` does not have, which is a bug."""
    match event:
        case CourierScanned():
            decision = _scanned(state, event, now)
        case ReceiverAccepted():
            decision = _accepted(state, event, now)
        case ReceiverDeclined():
            decision = _declined(state, event, now)
        case ReceiverHandedOver():
            decision = _handed_over(state, event, now)
        case OwnerConfirmed():
            if state.stage is not CustodyStage.HANDED_OVER:
                decision = _refused(state, CustodyRefusal.NOT_HANDED_OVER)
            else:
                decision = CustodyDecision(state=_enter(state, CustodyStage.CONFIRMED, now))
        case TimePassed():
            decision = CustodyDecision(state=state)
        case CustodyRestarted():
            decision = CustodyDecision(state=replace(state, since_mono=None))
        case _:
            assert_never(event)
    return _after_deadlines(decision, now)


def _scanned(state: ParcelCustody, event: CourierScanned, now: Now) -> CustodyDecision:
    refusal, notices = event.refusal, tuple[CustodyNotice, ...]()
    if refusal is None and state.stage in TAKEN:
        refusal = Refusal.ALREADY_USED
    if refusal is None and not event.on_duty:
        refusal = Refusal.NO_RECEIVER
        notices = (CustodyNotice.NO_RECEIVER,)
    if refusal is not None:
        no = AnswerCourier(scan=event.scan, answer=CustodyAnswer.NO, refusal=refusal)
        return CustodyDecision(state=state, answer=no, notices=notices)
    go = AnswerCourier(scan=event.scan, answer=CustodyAnswer.GO)
    if state.stage is CustodyStage.OFFERED:  # scanned again: the offer waits anew
        return CustodyDecision(state=replace(state, since=now.utc, since_mono=now.mono), answer=go)
    offered = replace(_enter(state, CustodyStage.OFFERED, now), holder=None, reason=None)
    return CustodyDecision(state=offered, answer=go)


def _accepted(state: ParcelCustody, event: ReceiverAccepted, now: Now) -> CustodyDecision:
    refusal = _offer_refusal(state, on_duty=event.on_duty, now=now)
    if refusal is not None:
        return _refused(state, refusal)
    received = replace(_enter(state, CustodyStage.RECEIVED, now), holder=event.receiver)
    return CustodyDecision(state=received, notices=(CustodyNotice.RECEIVED,))


def _declined(state: ParcelCustody, event: ReceiverDeclined, now: Now) -> CustodyDecision:
    refusal = _offer_refusal(state, on_duty=event.on_duty, now=now)
    if refusal is not None:
        return _refused(state, refusal)
    declined = replace(_enter(state, CustodyStage.DECLINED, now), holder=event.receiver, reason=event.reason)
    return CustodyDecision(state=declined, notices=(CustodyNotice.DECLINED,))


def _handed_over(state: ParcelCustody, event: ReceiverHandedOver, now: Now) -> CustodyDecision:
    if state.stage is not CustodyStage.RECEIVED:
        return _refused(state, CustodyRefusal.NOT_RECEIVED)
    if state.holder != event.receiver:
        return _refused(state, CustodyRefusal.NOT_YOURS)
    given = replace(_enter(state, CustodyStage.HANDED_OVER, now), to=event.to)
    return CustodyDecision(state=given, notices=(CustodyNotice.HANDED_OVER,))


def _offer_refusal(state: ParcelCustody, *, on_duty: bool, now: Now) -> CustodyRefusal | None:
    if state.stage is not CustodyStage.OFFERED or seconds_in_stage(state, now) >= OFFER_LIFE_S:
        return CustodyRefusal.NOT_OFFERED
    return None if on_duty else CustodyRefusal.NOT_ON_DUTY


def _refused(state: ParcelCustody, refusal: CustodyRefusal) -> CustodyDecision:
    return CustodyDecision(state=state, refusal=refusal)


def _enter(state: ParcelCustody, stage: CustodyStage, now: Now) -> ParcelCustody:
    if stage not in TRANSITIONS[state.stage]:
        raise ValueError(f"no change of custody from {state.stage} to {stage}")
    return replace(state, stage=stage, since=now.utc, since_mono=now.mono)


def _after_deadlines(decision: CustodyDecision, now: Now) -> CustodyDecision:
    state = decision.state
    if state.stage is CustodyStage.OFFERED and seconds_in_stage(state, now) >= OFFER_LIFE_S:
        return replace(decision, state=_enter(state, CustodyStage.ANNOUNCED, now))
    if _keep_limit(state) <= seconds_in_stage(state, now):
        notices = (*decision.notices, CustodyNotice.KEPT_TOO_LONG)
        return replace(decision, state=replace(state, warned=True), notices=notices)
    return decision


def seconds_in_stage(state: ParcelCustody, now: Now) -> float:
    """Return for how long the parcel has been in its stage, never less than it was.

    Both clocks count: the wall clock goes on while the box is off, and nobody can set the monotonic one.
    """
    by_wall = 0.0 if state.since is None else (now.utc - state.since).total_seconds()
    by_mono = 0.0 if state.since_mono is None else now.mono - state.since_mono
    return max(by_wall, by_mono, 0.0)


def _keep_limit(state: ParcelCustody) -> float:
    waits = state.stage is CustodyStage.RECEIVED and state.keep_cold is not None and not state.warned
    return state.keep_cold if waits and state.keep_cold is not None else math.inf


def seconds_to_deadline(state: ParcelCustody, now: Now) -> float:
    """Return the seconds until time alone changes the custody, at least 0; infinite: it never does."""
    limit = OFFER_LIFE_S if state.stage is CustodyStage.OFFERED else _keep_limit(state)
    return max(0.0, limit - seconds_in_stage(state, now))


def delivery_outcome(stages: Iterable[CustodyStage], *, over: bool) -> tuple[Outcome, int] | None:
    """Return what became of a delivery and how many of its parcels are missing; None: that is not known yet.

    `over`: no parcel of it can be offered any more.
    """
    all_stages = tuple(stages)
    missing = sum(stage not in TAKEN for stage in all_stages)
    declined = CustodyStage.DECLINED in all_stages
    if all_stages and not missing:
        return Outcome.DELIVERED, 0
    if not over and _is_undecided(all_stages):
        return None
    if missing < len(all_stages):
        return Outcome.PARTLY_DELIVERED, missing
    return (Outcome.NOT_DELIVERED, 0) if declined else None


def _is_undecided(stages: Collection[CustodyStage]) -> bool:
    return any(stage in {CustodyStage.ANNOUNCED, CustodyStage.OFFERED} for stage in stages)

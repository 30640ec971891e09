"""A reception in the lives: couriers, two receivers and the household, and who has each parcel in his hands (I32).

I32: custody never skips a stage, and only the receiver's own scan makes a parcel received. It is judged by who scanned
which label when, and by where each parcel physically is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.domain.custody import (
    OFFER_LIFE_S,
    CourierScanned,
    CustodyAnswer,
    CustodyDecision,
    CustodyEvent,
    CustodyNotice,
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
)
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import replace
from tests.house.story import announce_delivery

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from datetime import datetime

    from tests.house.promise import SimulatedDelivery
    from tests.house.ways import EntranceHouse

RECEIVERS = ("marc", "nina")
COURIER, OWNER, HOME, TIME = "courier", "owner", "home", "time"
KEPT_COLD_S = 120.0  # for so long a receiver may keep a perishable parcel
_S = CustodyStage
WAITING = frozenset({_S.OFFERED, _S.RECEIVED})  # the stages that time alone may end, or alarm about
ARROWS = {
    (_S.ANNOUNCED, _S.OFFERED): COURIER,
    (_S.DECLINED, _S.OFFERED): COURIER,
    (_S.OFFERED, _S.ANNOUNCED): TIME,
    (_S.OFFERED, _S.RECEIVED): "receiver",
    (_S.OFFERED, _S.DECLINED): "receiver",
    (_S.RECEIVED, _S.HANDED_OVER): "receiver",
    (_S.HANDED_OVER, _S.CONFIRMED): OWNER,
}
"""Each change of stage with the person whose act alone may cause it."""


@dataclass
class Held:
    """One parcel: what the box has stored of it, and what is so. Times in seconds of the life."""

    promise: SimulatedDelivery
    stored: ParcelCustody
    entered: tuple[datetime | None, float | None] = None, None  # in memory: when, by both clocks
    where: str = COURIER  # who has it in his hands
    offered_at: float = -1e9  # the courier's newest scan that was answered "go"
    received_at: float | None = None
    alarms: int = 0


class Reception:
    """One desk with two receivers, run by the box of this house: its clock, its disk, its kills."""

    def __init__(self, house: EntranceHouse, rng: random.Random) -> None:
        self.house, self.rng = house, rng
        self.parcels: dict[str, Held] = {}
        self.by_delivery: defaultdict[str, list[Held]] = defaultdict(list)
        self.on_duty = {"marc"}
        self.crashes = 0

    # ---- people -----------------------------------------------------------------------------------------------------

    def courier_comes(self) -> None:
        """A retailer's order is for the reception, and the courier scans what he brings."""
        ident = f"r{len(self.by_delivery)}"
        promise = announce_delivery(self.house, ident, self.rng.choice((60.0, 3600.0)), entrance="desk")
        del self.house.promises[ident]  # no scanner of the entrance knows it
        keep_cold = KEPT_COLD_S if self.rng.random() < 0.3 else None
        for code in sorted(promise.parcels):
            self.parcels[code] = held = Held(promise, ParcelCustody(keep_cold=keep_cold))
            self.by_delivery[ident].append(held)
            self.courier_scans(code)

    def courier_scans(self, code: str) -> None:
        """A courier shows a label, also one that he gave away and photographed before."""
        held = self.parcels[code]
        event = CourierScanned(scan="s", on_duty=frozenset(self.on_duty), refusal=self._refusal(held))
        decision = self._decide(held, event, COURIER)
        if decision is not None and decision.answer is not None and decision.answer.answer is CustodyAnswer.GO:
            assert self.on_duty, "I32 a courier is told to give a parcel to nobody"
            assert self._refusal(held) is None, "I32 a courier is told to give what may not come"
            held.offered_at = self.house.t

    def _refusal(self, held: Held) -> Refusal | None:
        """Why the delivery may not come: its own reason, the clock, the window."""
        now, promise = self.house.now(), held.promise
        if promise.refusal is not None or not now.trusted:
            return promise.refusal or Refusal.CLOCK_UNTRUSTED
        return None if promise.start <= self.house.t < promise.end else Refusal.OUTSIDE_WINDOW

    def receiver_scans(self, who: str, code: str) -> None:
        """A receiver scans a label on his own page: he takes it, or he gives it to the household if he has it."""
        held = self.parcels[code]
        if held.stored.stage is CustodyStage.RECEIVED and held.stored.holder == who:
            self.receiver_gives(who, code)
        else:
            self._decide(held, ReceiverAccepted(receiver=who, on_duty=who in self.on_duty), who)

    def receiver_gives(self, who: str, code: str) -> None:
        """A receiver says that he gave a parcel to the household."""
        self._decide(self.parcels[code], ReceiverHandedOver(receiver=who, to="Anna"), who)

    def receiver_declines(self, who: str, code: str) -> None:
        reason = self.rng.choice(tuple(DeclineReason))
        event = ReceiverDeclined(receiver=who, on_duty=who in self.on_duty, reason=reason)
        self._decide(self.parcels[code], event, who)

    def owner_scans(self, code: str) -> None:
        """Somebody of the household confirms a parcel, also one that nobody gave to him."""
        self._decide(self.parcels[code], OwnerConfirmed(person="p1"), OWNER)

    def retailer_cancels(self, code: str) -> None:
        self.parcels[code].promise.refusal = self.rng.choice((Refusal.CANCELLED, None, None))

    # ---- the box ----------------------------------------------------------------------------------------------------

    def _decide(self, held: Held, event: CustodyEvent, who: str) -> CustodyDecision | None:
        """Have the box decide and store; None: it is off, or its disk stores nothing."""
        house = self.house
        if not house.alive or house.faults.commit:
            return None
        before = held.stored
        since, mono = held.entered
        known = replace(before, since_mono=mono if since == before.since else None)
        decision = custody(known, event, now=house.now())
        held.stored = decision.state
        held.entered = decision.state.since, decision.state.since_mono
        if decision.state.stage is not before.stage or decision.notices:
            self._judge(held, before, decision, who)
        if who != TIME:
            self._judge_delivery(held.promise.id)
        return decision

    def _tick(self) -> None:
        """The box looks at its deadlines; after a start it knows of no monotonic clock."""
        if not self.house.alive:
            return
        is_new, self.crashes = len(self.house.crashes) > self.crashes, len(self.house.crashes)
        for held in self.parcels.values():
            if is_new:
                held.entered = None, None
            if held.stored.stage not in WAITING:
                continue
            self._decide(held, CustodyRestarted() if is_new else TimePassed(), TIME)
            kept_s = self.house.t - (self.house.t if held.received_at is None else held.received_at)
            is_late = held.stored.stage is CustodyStage.RECEIVED and kept_s > KEPT_COLD_S + 0.01
            if is_late and held.stored.keep_cold is not None and not self.house.faults.commit:
                assert held.alarms == 1, f"I32 a perishable parcel is kept {kept_s:.0f} s, and {held.alarms} alarms"

    # ---- what must hold ---------------------------------------------------------------------------------------------

    def _judge(self, held: Held, before: ParcelCustody, decision: CustodyDecision, who: str) -> None:
        """I32, of one decision."""
        t, state, seen = self.house.t, decision.state, self.house.oracle.seen
        if state.stage is not before.stage:
            arrow = before.stage, state.stage
            assert arrow in ARROWS, f"I32 custody skips from {before.stage} to {state.stage}"
            actor = "receiver" if who in RECEIVERS else who
            is_lapse = state.stage is CustodyStage.ANNOUNCED
            assert is_lapse or ARROWS[arrow] == actor, f"I32 {state.stage} by the {actor}"
            seen[f"custody {before.stage} to {state.stage}"] += 1
        if state.stage is CustodyStage.RECEIVED and before.stage is not CustodyStage.RECEIVED:
            assert held.where == COURIER, f"I32 received, and it lies with {held.where}"
            assert state.holder == who, f"I32 received by {state.holder}, and {who} scanned it"
            assert who in self.on_duty, "I32 received by somebody who is not on duty"
            assert t - held.offered_at <= OFFER_LIFE_S, "I32 received, and no courier offered it just now"
            held.where, held.received_at = who, t
        if state.stage is CustodyStage.HANDED_OVER and before.stage is not CustodyStage.HANDED_OVER:
            assert held.where == who, f"I32 handed over by {who}, and it lies with {held.where}"
            held.where = HOME
        if CustodyNotice.KEPT_TOO_LONG in decision.notices:
            assert held.where in RECEIVERS, "I32 kept too long, and no receiver has it"
            assert held.received_at is not None
            assert t - held.received_at >= KEPT_COLD_S - 0.01, "I32 kept too long, and it came just now"
            held.alarms += 1
            seen["custody kept too long"] += 1

    def _judge_delivery(self, ident: str) -> None:
        """What the retailer is told is so: where all parcels of the delivery are."""
        held = self.by_delivery[ident]
        end = held[0].promise.end
        told = delivery_outcome((one.stored.stage for one in held), over=self.house.t >= end)
        outside = sum(one.where == COURIER for one in held)
        if told is None:
            return
        outcome, missing = told
        if outcome is Outcome.DELIVERED:
            assert not outside, f"I32 delivered, and the courier still has {outside}"
        elif outcome is Outcome.PARTLY_DELIVERED:
            assert 0 < missing == outside < len(held), f"I32 {missing} are missing, and the courier has {outside}"
        else:
            assert outside == len(held), "I32 not delivered, and a receiver has one"
        self.house.oracle.seen[f"custody {outcome}"] += 1

    # ---- a life -----------------------------------------------------------------------------------------------------

    def something_happens(self) -> None:
        """The box looks at its deadlines, and now and then somebody acts, honestly or not."""
        self._tick()
        if self.rng.random() < 0.4:
            return
        if not self.parcels:
            self.courier_comes()
            return
        rng, who = self.rng, self.rng.choice(RECEIVERS)
        code = rng.choice(list(self.parcels)[-4:])
        acts: list[tuple[int, Callable[[], object]]] = [
            (4, self.courier_comes),
            (4, partial(self.courier_scans, code)),
            (9, partial(self.receiver_scans, who, code)),
            (2, partial(self.receiver_gives, who, code)),
            (3, partial(self.receiver_declines, who, code)),
            (3, partial(self.owner_scans, code)),
            (3, partial(self.on_duty.add, who)),
            (2, partial(self.on_duty.discard, who)),
            (1, partial(self.retailer_cancels, code)),
        ]
        rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def settles(self) -> None:
        """All is well: an honest courier, receiver and owner bring a parcel all the way."""
        self._tick()
        for ident in self.by_delivery:
            self._judge_delivery(ident)
        self.on_duty = set(RECEIVERS)
        self.courier_comes()
        code, held = next(reversed(self.parcels.items()))
        self.receiver_scans("nina", code)
        self.receiver_scans("nina", code)
        self.owner_scans(code)
        assert held.stored.stage is CustodyStage.CONFIRMED, f"I32 an honest parcel stays {held.stored.stage}"
        assert held.where == HOME

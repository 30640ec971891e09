"""Computes what the pages of a reception show: to its receivers, to the household, and to a courier.

A receiver sees of a parcel its carrier and the end of its number. The whole number is on the label only, so whoever
scans or types it has the parcel in hand.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from typing import Any

from gateway.domain.custody import TAKEN, CustodyStage, DeclineReason
from gateway.domain.delivery.promise import State
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol.keys import shown_ending
from gateway.runtime.notifications.texts import DECLINE_TEXTS
from gateway.storage.custodies import StoredCustody
from gateway.system.i18n import Text
from gateway.web.server.context import GatewayServices, Viewer
from gateway.web.server.courier_view import find_delivery, late_step, moved_to

DONE_SHOWN = timedelta(days=2)  # for so long the pages still show what was declined, handed over or confirmed
OPEN_STAGES = (CustodyStage.OFFERED, CustodyStage.RECEIVED)
ENDED_STAGES = (CustodyStage.DECLINED, CustodyStage.HANDED_OVER, CustodyStage.CONFIRMED)


class ShownParcel(Frozen):
    """A parcel as a page shows it. `handle` names it in a form, and does not tell its number."""

    handle: str
    ending: str
    carrier: str
    brand: str
    stage: CustodyStage
    since: datetime
    holder: str  # the receiver's name
    to: str
    reason: Text | None
    keep_until: datetime | None


def parcel_handle(custody: StoredCustody) -> str:
    """Return the handle of a parcel."""
    return sha256(f"{custody.delivery}\0{custody.parcel}".encode()).hexdigest()[:16]


def shown_parcels(services: GatewayServices, held: Iterable[StoredCustody], now: Now) -> tuple[ShownParcel, ...]:
    """Return these parcels as a page shows them; one whose delivery the box has forgotten is left out."""
    return tuple(shown for custody in held for shown in [_shown(services, custody, now)] if shown is not None)


def _shown(services: GatewayServices, custody: StoredCustody, now: Now) -> ShownParcel | None:
    state, delivery = custody.state, services.store.deliveries.facts(custody.delivery, now)
    if delivery is None or state.since is None:
        return None
    receivers = (
        services.home.receptions[delivery.entrance].receivers if delivery.entrance in services.receptions else {}
    )
    holder = receivers.get(state.holder or "")
    keeps = state.stage is CustodyStage.RECEIVED and state.keep_cold is not None
    return ShownParcel(
        handle=parcel_handle(custody),
        ending=shown_ending(custody.parcel),
        carrier=delivery.carrier,
        brand=services.brand_name(delivery.brand),
        stage=state.stage,
        since=state.since,
        holder=(state.holder or "") if holder is None else holder.name,
        to=state.to or "",
        reason=None if state.reason is None else DECLINE_TEXTS[state.reason],
        keep_until=state.since + timedelta(seconds=state.keep_cold or 0) if keeps else None,
    )


def desk_facts(services: GatewayServices, of: str, _viewer: Viewer) -> Mapping[str, Any]:
    """Return what a receiver sees; `of` is `reception/receiver`. KeyError: the house file has no such one."""
    reception, _, receiver = of.partition("/")
    desk, now = services.receptions[reception], services.clock.now()
    person = desk.section.receivers[receiver]
    held = services.store.custodies.at(reception, (*OPEN_STAGES, CustodyStage.HANDED_OVER))
    mine = [one for one in held if one.state.holder == receiver and one.state.stage is CustodyStage.RECEIVED]
    given = [one for one in held if one.state.holder == receiver and one.state.stage is CustodyStage.HANDED_OVER]
    offered = [one for one in held if one.state.stage is CustodyStage.OFFERED]
    return {
        "on_duty": receiver in desk.on_duty(),
        "hours": person.hours,
        "trusted": now.trusted,
        "offered": shown_parcels(services, offered, now),
        "held": shown_parcels(services, mine, now),
        "given": shown_parcels(services, [one for one in given if _is_recent(one, now)], now),
        "reasons": [(reason.value, DECLINE_TEXTS[reason]) for reason in DeclineReason],
    }


def reception_facts(services: GatewayServices, reception: str, _viewer: Viewer) -> Mapping[str, Any]:
    """Return what the household sees of a reception. KeyError: the house file has no such one."""
    desk, now = services.receptions[reception], services.clock.now()
    on_duty = desk.on_duty()
    ended = [one for one in services.store.custodies.at(reception, ENDED_STAGES) if _is_recent(one, now)]
    return {
        "on_duty": [person.name for id_, person in desk.section.receivers.items() if id_ in on_duty],
        "open": shown_parcels(services, services.store.custodies.at(reception, OPEN_STAGES), now),
        "ended": shown_parcels(services, ended, now),
    }


def _is_recent(custody: StoredCustody, now: Now) -> bool:
    return custody.state.since is not None and now.utc - custody.state.since < DONE_SHOWN


class CourierDeskStep(StrEnum):
    """What a courier at a reception does next."""

    EARLY = auto()
    SCAN = auto()
    GIVE = auto()  # to the receiver
    DECLINED = auto()
    DONE = auto()
    LATE = auto()  # these three as `CourierStep`
    ASKED = auto()
    REFUSED = auto()
    OVER = auto()


def handing_facts(services: GatewayServices, digest: str, _viewer: Viewer) -> Mapping[str, Any]:
    """Return what a courier's page shows at a reception. KeyError: no delivery there has this courier token."""
    now = services.clock.now()
    delivery = find_delivery(services, digest, now)
    if delivery is None or delivery.entrance not in services.receptions:
        raise KeyError(digest)
    held = services.store.custodies.of_delivery(delivery.id)
    stages = [one.state.stage for one in held]
    result = services.store.deliveries.result(delivery.id, now)
    state = None if result is None else result.state
    left = len(delivery.parcels) - sum(stage in TAKEN for stage in stages)
    step = _courier_step(stages, state, early=now.utc < delivery.start, left=left)
    if step is CourierDeskStep.OVER and state is State.EXPIRED:
        step = CourierDeskStep(late_step(services, delivery.id, now))
    return {
        "step": step.value,
        "digest": digest,
        "time_answer": services.store.more_time.answer(delivery.id, now),
        "delivery": delivery,
        "place": services.entrance_name(delivery.entrance),
        "left": left,
        "moved_to": moved_to(services, delivery),
        "reason": next((DECLINE_TEXTS[one.state.reason] for one in held if one.state.reason is not None), None),
    }


def _courier_step(stages: Iterable[CustodyStage], state: State | None, *, early: bool, left: int) -> CourierDeskStep:
    seen = frozenset(stages)
    if not left:
        return CourierDeskStep.DONE
    if CustodyStage.OFFERED in seen:
        return CourierDeskStep.GIVE
    if CustodyStage.DECLINED in seen:
        return CourierDeskStep.DECLINED
    if state is State.SCHEDULED and early:
        return CourierDeskStep.EARLY
    return CourierDeskStep.SCAN if state in {State.WINDOW_OPEN, State.VISITING} else CourierDeskStep.OVER

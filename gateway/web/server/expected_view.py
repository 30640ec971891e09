"""Computes the list of expected deliveries: what comes when to which place, and whether the house is ready for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.promise import State, TimeAnswer
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.state import Holder
from gateway.protocol.keys import shown_ending
from gateway.runtime.own_parcels import PARCEL_STATE_TEXTS, ParcelState
from gateway.storage.arrivals import ExpectedArrival
from gateway.storage.deliveries import is_to_be_confirmed
from gateway.storage.more_time import is_late
from gateway.storage.rows import DeliveryRow
from gateway.system.i18n import Language, Text, _
from gateway.system.text import sanitized
from gateway.web.server.context import GatewayServices, Viewer, person_name
from gateway.web.server.readiness_now import ReadinessNow, Tone, readiness_now

SHOWN_AT_ONCE = 4  # deliveries; the others are behind "Show more"
MAX_SHOWN = 20  # deliveries: more than a household expects, and rendered in some milliseconds

_STATE_TEXTS: Mapping[State, Text] = {
    State.AWAITING_LABEL: _("Announced: the number of its parcel is not known yet"),
    State.AWAITING_PERMISSION: _("Waits for your answer whether the brand may come in"),
    State.SCHEDULED: _("Expected"),
    State.WINDOW_OPEN: _("May come now"),
    State.VISITING: _("The courier is at the door"),
}
_NOT_KNOWN_TEXT = _("Not known whether the parcel came in. {brand} has to announce it again if it comes once more")
_NOT_DELIVERED_TEXT = _("Not delivered: no parcel came in. {brand} has to announce it again if it comes once more")
_ATTENDED_TEXT = _("Somebody of the household opened to the courier. Was the parcel taken in?")
_LATE_TEXT = _("The courier is late, and asks for half an hour more")
_NOT_OUT_TEXT = _("Expected: it opens nothing before it is out for delivery")


class ExpectedDelivery(Frozen):
    """A delivery as the list shows it."""

    key: str
    delivery: VisitDelivery
    brand: str
    endings: tuple[str, ...]  # the last characters of each parcel's number
    entrance: str  # the name
    place: str  # the name
    by_keeper: bool
    is_moved: bool  # the house moved it here, because its own entrance could not take it
    state: Text
    tone: Tone
    readiness: ReadinessNow | None  # None: nothing is to be ready for it
    may_refuse: bool
    is_refused: bool  # by the household
    is_over: bool  # refused, or a visit ended without it: nothing opens for it any more
    is_not_out: bool  # an own parcel that is not known to be out for delivery
    asks_first: bool  # somebody of the household has to say yes while it rings
    note: str  # what the household calls an own parcel
    is_own: bool  # a member of the household announced it, so it has no retailer
    collect: tuple[str, ...]  # the last characters of each number that the courier takes with him
    may_take_in: bool  # somebody opened to its courier, and nobody said yet that the parcel was taken in
    asks_for_time: bool  # its courier is late, and waits for the household's answer
    on_the_way: bool  # its courier set out, as its carrier says
    eta: datetime | None  # when he is expected, in UTC; None: nobody said it
    eta_is_today: bool
    way: float  # how much of the way between setting out and the expected time is over: 0 to 1
    is_pending: bool  # its brand waits for the owner's answer


def expected_deliveries(services: GatewayServices, language: Language) -> tuple[ExpectedDelivery, ...]:
    """Return what is expected at all entrances and receptions, at most `MAX_SHOWN`; what is over comes last."""
    now = services.clock.now()
    rows = services.store.deliveries.expected(now, most=MAX_SHOWN)
    has_own = any(row.order.brand == OWN_BRAND for row in rows)
    notes = {parcel.key: parcel.note for parcel in services.store.own_parcels.parcels()} if has_own else {}
    shown = [one for row in rows if (one := _expected(services, row, language, now, notes)) is not None]
    return tuple(sorted(shown, key=lambda one: one.is_over))


def expected_facts(services: GatewayServices, of: str, viewer: Viewer) -> Mapping[str, Any]:
    """Return what the list shows; `of` is "home". KeyError: it is anything else."""
    if of != "home":
        raise KeyError(of)
    deliveries = expected_deliveries(services, viewer.language)
    return {"deliveries": deliveries[:SHOWN_AT_ONCE], "more": deliveries[SHOWN_AT_ONCE:]}


def _expected(
    services: GatewayServices, row: DeliveryRow, language: Language, now: Now, notes: Mapping[str, str]
) -> ExpectedDelivery | None:
    context, order = services.store.delivery_context, row.order
    delivery, state = row.facts(context, now), row.result(context, now).state
    is_refused = order.refused_at is not None
    ended = None if is_refused else lost_parcel_text(services, row, language, now)
    attended = is_to_be_confirmed(row)
    late = row.time_answer(now) is TimeAnswer.ASKED and is_late(row, now)
    if attended or late:
        ended = _ATTENDED_TEXT if attended else _LATE_TEXT
    if state not in _STATE_TEXTS and not is_refused and ended is None:
        return None
    section = services.home.entrances.get(order.entrance)
    may_come = not is_refused and ended is None and state is not State.VISITING
    arrival = services.store.arrivals.expected(order.key, now) if may_come and order.brand != OWN_BRAND else None
    return ExpectedDelivery(
        key=order.key,
        delivery=delivery,
        brand=services.brand_name(order.brand, language),
        endings=tuple(map(shown_ending, sorted(order.parcels))),
        entrance=services.entrance_name(order.entrance),
        place=services.place_name(delivery),
        by_keeper=section is not None and section.holder is Holder.KEEPER,
        is_moved=order.moved_from is not None,
        state=ended or _state_text(services, row, delivery, state),
        tone=Tone.GOOD if may_come and state is State.WINDOW_OPEN and delivery.refusal is None else Tone.NEUTRAL,
        readiness=_readiness(services, delivery, language) if may_come else None,
        may_refuse=may_come and not row.usage.withdrawals and not row.kept,
        is_refused=is_refused,
        is_over=is_refused or (ended is not None and not (attended or late)),
        is_not_out=delivery.refusal is Refusal.NOT_OUT_FOR_DELIVERY,
        asks_first=may_come and delivery.needs_yes,
        note=notes.get(order.key, ""),
        is_own=order.brand == OWN_BRAND,
        collect=tuple(map(shown_ending, sorted(order.collect))),
        may_take_in=attended,
        asks_for_time=late,
        on_the_way=arrival is not None and arrival.set_out is not None,
        eta=None if arrival is None else arrival.eta,
        eta_is_today=arrival is not None and _is_today(arrival.eta, services.zone, now),
        way=0.0 if arrival is None else _way_gone(arrival, now),
        is_pending=state is State.AWAITING_PERMISSION and not is_refused,
    )


def _is_today(at: datetime | None, zone: ZoneInfo, now: Now) -> bool:
    return at is not None and at.astimezone(zone).date() == now.utc.astimezone(zone).date()


def _way_gone(arrival: ExpectedArrival, now: Now) -> float:
    """Return how much of the time between setting out and the expected arrival is over; half if that is unknown."""
    if arrival.set_out is None:
        return 0.0
    if arrival.eta is None or arrival.eta <= arrival.set_out:
        return 0.5
    return min(1.0, max(0.0, (now.utc - arrival.set_out) / (arrival.eta - arrival.set_out)))


def lost_parcel_text(services: GatewayServices, row: DeliveryRow, language: Language, now: Now) -> Text | None:
    """Return what becomes of a delivery whose visit ended without it; None: it came in, or it may still come."""
    result = row.result(services.store.delivery_context, now)
    if result.state is not State.NOT_DELIVERED or result.reason == Outcome.ATTENDED:
        return None
    is_own, is_known = row.order.brand == OWN_BRAND, result.reason != Outcome.UNKNOWN
    if is_own:
        return PARCEL_STATE_TEXTS[ParcelState.NOT_DELIVERED if is_known else ParcelState.NOT_KNOWN]
    text = _NOT_DELIVERED_TEXT if is_known else _NOT_KNOWN_TEXT
    return text.with_facts(brand=sanitized(services.brand_name(row.order.brand, language)))


def lost_parcel(services: GatewayServices, delivery: str, language: Language) -> Text | None:
    """Return `lost_parcel_text` of a delivery by its key; None also if the box has forgotten it."""
    row = services.store.deliveries.row(delivery)
    return None if row is None else lost_parcel_text(services, row, language, services.clock.now())


def _state_text(services: GatewayServices, row: DeliveryRow, delivery: VisitDelivery, state: State | None) -> Text:
    if row.order.refused_at is not None:
        who = person_name(services.store.accounts, row.refused_by)
        if who is None:
            return _("Refused by your household: nothing opens for it, and its retailer was told")
        return _("Refused by {who}: nothing opens for it, and its retailer was told", who=who)
    if delivery.refusal is Refusal.NOT_OUT_FOR_DELIVERY:
        return _NOT_OUT_TEXT
    return _STATE_TEXTS[state or State.SCHEDULED]


def _readiness(services: GatewayServices, delivery: VisitDelivery, language: Language) -> ReadinessNow | None:
    """Return what the house says of its readiness now; None: the house file has no such entrance any more."""
    desk = services.receptions.get(delivery.entrance)
    if desk is not None:
        if desk.on_duty():
            return ReadinessNow(tone=Tone.GOOD, text=_("A receiver is on duty.").to(language))
        return ReadinessNow(tone=Tone.NEUTRAL, text=_("Nobody is on duty at the moment.").to(language))
    if delivery.entrance not in services.home.entrances:
        return None
    return readiness_now(services, delivery, language)

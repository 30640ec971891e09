"""Lets the owner announce a parcel to the house himself: no retailer, no hub, and nothing is forwarded to anybody.

The box makes the promise and signs it with its own key. Pages, the command line and MQTT use this service; the caller
checks the person's rights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum, auto
from types import MappingProxyType
from zoneinfo import ZoneInfo

from devices.reports import ParcelStatus
from gateway.config.home import Home
from gateway.domain.delivery import own_parcel
from gateway.domain.delivery.own_parcel import (
    ANY_CARRIER,
    CARRIERS,
    OWN_BRAND,
    live_status,
    own_window,
    read_number,
)
from gateway.domain.delivery.promise import Claims, Offer, State, Window, delivery_key
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import Frozen
from gateway.protocol.delivery_message import new_claims, sign_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.keys import shown_ending
from gateway.storage.models import StoreFailed
from gateway.storage.offers import MessageRefusal
from gateway.storage.own_parcels import OwnParcel, ParcelRefusal, SignedPromise
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.i18n import Text, _

MAX_NOTE_CHARS = 80


class AnnouncementProblem(StrEnum):
    """What is wrong with an announcement, beside `own_parcel.READING_PROBLEMS` and the store's refusals."""

    WINDOW = auto()
    CARRIER = auto()
    CLOCK_UNTRUSTED = auto()
    NOT_STORED = auto()


class ParcelAnnouncement(Frozen):
    """What the owner says of a parcel; days and hours are the house's own."""

    number: str  # as typed, pasted or photographed
    entrance: str
    place: str
    first_day: date
    last_day: date
    hours: tuple[time, time] | None = None  # of one day; None: the whole day
    carrier: str | None = None  # one of `CARRIERS`; None: as the number shows
    note: str = ""
    comes_today: bool = False  # the owner says himself that it is out for delivery today


class ParcelState(StrEnum):
    """How an announced parcel stands, for the owner."""

    EXPECTED = auto()  # it is not out for delivery, or its window has not begun
    OPENS = auto()  # its scan opens now, or asks for the tap
    REFUSED = auto()  # something else keeps it out: the owner's pause or stop is shown at the entrance
    VISITING = auto()
    DELIVERED = auto()
    NOT_DELIVERED = auto()
    NOT_KNOWN = auto()  # the box cannot say whether it came in
    ATTENDED = auto()  # somebody answered the bell
    ELSEWHERE = auto()  # its carrier says that it is delivered, and no visit brought it
    CANCELLED = auto()
    EXPIRED = auto()
    ANNOUNCE_AGAIN = auto()  # announced before the box's state was restored from a copy


PARCEL_STATE_TEXTS: Mapping[str, Text] = MappingProxyType(
    {
        ParcelState.EXPECTED: _("Expected: it opens nothing before it is out for delivery"),
        ParcelState.OPENS: _("Out for delivery: its scan is awaited"),
        ParcelState.REFUSED: _("Refused at the moment: see the entrance"),
        ParcelState.VISITING: _("The courier is at the door"),
        ParcelState.DELIVERED: _("Delivered here"),
        ParcelState.NOT_DELIVERED: _("Not delivered: no parcel came in. Announce it again if it comes once more"),
        ParcelState.NOT_KNOWN: _("Not known whether the parcel came in. Announce it again if it comes once more"),
        ParcelState.ATTENDED: _("Received by somebody"),
        ParcelState.ELSEWHERE: _("Delivered elsewhere, says its carrier: closed"),
        ParcelState.CANCELLED: _("Withdrawn"),
        ParcelState.EXPIRED: _("Its days are over: it did not come"),
        ParcelState.ANNOUNCE_AGAIN: _("Announce it again: the box was restored from a copy since"),
    }
)
PARCEL_STATUS_TEXTS: Mapping[str, Text] = MappingProxyType(
    {
        ParcelStatus.REGISTERED: _("announced to the carrier"),
        ParcelStatus.IN_TRANSIT: _("on its way"),
        ParcelStatus.OUT_FOR_DELIVERY: _("out for delivery today"),
        ParcelStatus.AT_PICKUP_POINT: _("at a pick-up point"),
        ParcelStatus.DELIVERED: _("delivered, says the carrier"),
        ParcelStatus.RETURNING: _("going back to its sender"),
        ParcelStatus.PROBLEM: _("a problem, says the carrier"),
        ParcelStatus.UNKNOWN: _("not known today"),
    }
)
PARCEL_REFUSAL_TEXTS: Mapping[str, Text] = MappingProxyType(
    {
        own_parcel.TOO_LONG: _("This text is too long: give the number alone."),
        own_parcel.NO_NUMBER: _("There is no tracking number in it: type the number as it stands on the label."),
        own_parcel.SEVERAL_NUMBERS: _("There are several numbers in it: give the one of the parcel alone."),
        own_parcel.TOO_SHORT: _("A number of less than 8 characters could be guessed at the door: give the whole one."),
        own_parcel.NOT_A_PARCEL: _("That is the number of an article or a courier, not of a parcel."),
        AnnouncementProblem.WINDOW: _(
            "These days or hours are not possible: from today on, a week at most, hours only for a single day."
        ),
        AnnouncementProblem.CARRIER: _("Choose one of the carriers that are offered."),
        AnnouncementProblem.CLOCK_UNTRUSTED: _("The box's time is not certain: until it is, nothing is announced."),
        AnnouncementProblem.NOT_STORED: _(
            "The box's disk takes nothing more: the health check (Settings, Installation) says why."
        ),
        ParcelRefusal.UNKNOWN_PARCEL: _("This parcel is not announced (any more)."),
        ParcelRefusal.ALREADY_ANNOUNCED: _("This parcel is announced already: withdraw it first to change it."),
        ParcelRefusal.ANNOUNCED_BY_BRAND: _(
            "A brand that you let in has announced this parcel: it needs nothing more."
        ),
        ParcelRefusal.ALREADY_USED: _("This parcel has come already: each one opens once."),
        ParcelRefusal.TOO_LATE: _("Its courier is or was at the door already."),
        ParcelRefusal.TOO_MANY: _("Fifty parcels are announced already: withdraw one first."),
        MessageRefusal.UNKNOWN_ENTRANCE: _("There is no such entrance."),
        MessageRefusal.UNKNOWN_PLACE: _("There is no such place at this entrance."),
        MessageRefusal.EXPIRED: _("That is over already."),
        MessageRefusal.CODE_COLLISION: _("Another announced parcel has this number."),
    }
)
"""Why a request about a parcel is refused, by its code."""


class ParcelView(Frozen):
    """One announced parcel, as the owner sees it. It has only the last characters of the number."""

    key: str
    id: str
    ending: str
    carrier: str
    note: str
    entrance: str
    place: str
    start: datetime
    end: datetime
    state: ParcelState
    status: ParcelStatus  # by the household's tracking, live
    said_today: bool
    needs_tap: bool

    @property
    def is_open(self) -> bool:
        """Return whether it may still come."""
        return self.state in _OPEN_STATES


_OPEN_STATES = frozenset(
    {ParcelState.EXPECTED, ParcelState.OPENS, ParcelState.REFUSED, ParcelState.VISITING, ParcelState.ANNOUNCE_AGAIN}
)
_STATES = {
    State.AWAITING_LABEL: ParcelState.REFUSED,
    State.AWAITING_PERMISSION: ParcelState.REFUSED,
    State.SCHEDULED: ParcelState.EXPECTED,
    State.WINDOW_OPEN: ParcelState.OPENS,
    State.VISITING: ParcelState.VISITING,
    State.DELIVERED: ParcelState.DELIVERED,
    State.PARTLY_DELIVERED: ParcelState.DELIVERED,
    State.NOT_DELIVERED: ParcelState.NOT_DELIVERED,
    State.COLLECTED: ParcelState.NOT_DELIVERED,  # an own parcel collects nothing
    State.PARTLY_COLLECTED: ParcelState.NOT_DELIVERED,
    State.NOT_COLLECTED: ParcelState.NOT_DELIVERED,
    State.REFUSED: ParcelState.REFUSED,
    State.CANCELLED: ParcelState.CANCELLED,
    State.EXPIRED: ParcelState.EXPIRED,
}
_NOT_DELIVERED_STATES = {Outcome.UNKNOWN.value: ParcelState.NOT_KNOWN, Outcome.ATTENDED.value: ParcelState.ATTENDED}


def parse_day_hours(text: str) -> tuple[time, time]:
    """Parse "HH:MM-HH:MM" of one day. ValueError: it is not written so, or ends before it begins."""
    start, _, end = text.partition("-")
    hours = time.fromisoformat(start), time.fromisoformat(end)
    if hours[0] >= hours[1]:
        raise ValueError("hours end after they begin")
    return hours


@dataclass(frozen=True, eq=False)
class OwnParcelService:
    """The owner's own parcels. `on_change` gets the keys of changed ones; `by` is a person's id, None: no page's."""

    home: Home
    store: Store
    clock: Clock
    key: SigningKey
    on_change: Callable[[tuple[str, ...]], None]

    @property
    def has_tracking(self) -> bool:
        """Return whether the house has a device that reports where the household's parcels are."""
        return any(device.kind == "parcels" for device in self.home.devices.values())

    async def announce(self, parcel: ParcelAnnouncement, by: str | None) -> ParcelView | str:
        """Announce a parcel; return how it stands, or the code of why it is refused, and then nothing is stored."""
        now, zone = self.clock.now(), ZoneInfo(self.home.timezone)
        number = read_number(parcel.number)
        window = own_window(parcel.first_day, parcel.last_day, parcel.hours, zone=zone, now=now)
        if isinstance(number, str):
            return number
        carrier = parcel.carrier or number.carrier or ANY_CARRIER
        if not now.trusted:
            return AnnouncementProblem.CLOCK_UNTRUSTED.value
        if carrier not in CARRIERS:
            return AnnouncementProblem.CARRIER.value
        if window is None:
            return AnnouncementProblem.WINDOW.value
        entrance = self.home.entrances.get(parcel.entrance)
        if entrance is None:
            return MessageRefusal.UNKNOWN_ENTRANCE
        if parcel.place not in entrance.places:
            return MessageRefusal.UNKNOWN_PLACE
        id_ = self.store.own_parcels.own_id(carrier, number.code)
        key = delivery_key(OWN_BRAND, id_)
        offer = Offer(
            id=id_,
            version=self.store.own_parcels.next_version(key),
            entrance=parcel.entrance,
            carrier=CARRIERS[carrier],
            place=parcel.place,
            window=Window(start=window[0], end=window[1]),
            parcels=(number.code,),
        )
        token = sign_delivery(
            Claims(**new_claims(OWN_BRAND, self.home.box, now.utc), delivery=offer), self.key, kid="box"
        )
        said_day = now.utc.astimezone(zone).date() if parcel.comes_today else None
        promise = SignedPromise(
            offer=offer,
            token=token,
            signed_by=self.key.public.text,
            note=parcel.note[:MAX_NOTE_CHARS],
            said_day=said_day,
        )
        try:
            refusal = await self.store.own_parcels.announce(promise, now, by=by)
        except StoreFailed:
            return AnnouncementProblem.NOT_STORED.value
        if refusal is not None:
            return refusal
        self.on_change((key,))
        return next(view for view in self.views() if view.key == key)

    async def cancel(self, id_: str, by: str | None) -> str | None:
        """Withdraw a parcel; return None, or the code of why that failed."""
        key = delivery_key(OWN_BRAND, id_)
        try:
            refusal = await self.store.own_parcels.cancel(key, self.clock.now(), by=by)
        except StoreFailed:
            return AnnouncementProblem.NOT_STORED.value
        self.on_change((key,))
        return None if refusal is None else refusal.value

    async def say_today(self, id_: str, by: str | None, *, comes: bool = True) -> str | None:
        """Store that the owner says that a parcel comes today, or takes that back; None, or why that failed."""
        key, now = delivery_key(OWN_BRAND, id_), self.clock.now()
        if not now.trusted:
            return AnnouncementProblem.CLOCK_UNTRUSTED.value
        day = now.utc.astimezone(ZoneInfo(self.home.timezone)).date() if comes else None
        try:
            refusal = await self.store.own_parcels.say_day(key, day, now, by=by)
        except StoreFailed:
            return AnnouncementProblem.NOT_STORED.value
        self.on_change((key,))
        return None if refusal is None else refusal.value

    def views(self) -> tuple[ParcelView, ...]:
        """Return the announced parcels, those that may still come first."""
        views = [self._view(parcel) for parcel in self.store.own_parcels.parcels()]
        return tuple(sorted(views, key=lambda view: (not view.is_open, view.start if view.is_open else view.end)))

    def _view(self, parcel: OwnParcel) -> ParcelView:
        now, zone, order = self.clock.now(), ZoneInfo(self.home.timezone), parcel.row.order
        context = self.store.delivery_context
        facts = parcel.row.facts(context, now)
        result = parcel.row.result(context, now)
        state = _STATES[result.state or State.REFUSED]
        if state is ParcelState.NOT_DELIVERED:
            state = _NOT_DELIVERED_STATES.get(result.reason or "", state)
        if parcel.elsewhere is not None and state is ParcelState.CANCELLED:
            state = ParcelState.ELSEWHERE
        elif facts.refusal is Refusal.ANNOUNCE_AGAIN:
            state = ParcelState.ANNOUNCE_AGAIN
        elif state is ParcelState.OPENS and facts.refusal is not None:
            waits = facts.refusal is Refusal.NOT_OUT_FOR_DELIVERY
            state = ParcelState.EXPECTED if waits else ParcelState.REFUSED
        return ParcelView(
            key=parcel.key,
            id=order.id,
            ending=shown_ending(parcel.code),
            carrier=order.carrier,
            note=parcel.note,
            entrance=order.entrance,
            place=order.place,
            start=order.start,
            end=order.end,
            state=state,
            status=live_status(order.parcels, context.tracked, zone=zone, now=now),
            said_today=order.said_day is not None and order.said_day == now.utc.astimezone(zone).date(),
            needs_tap=facts.needs_yes,
        )

"""Composes a message from a command, with facts of the house and the store."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from gateway.config.closures import entrance_closures
from gateway.config.device_names import device_labels
from gateway.config.home import EntranceSection, Home
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.own_parcel import OWN_BRAND, approval_limit_s
from gateway.domain.guests.bookings import BookingNotice
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.commands import BOOKING_NOTIFICATIONS
from gateway.runtime.notifications.texts import NAMING_HOLDER, ComposedMessage, message_facts
from gateway.storage.models import StoredMessage as Stored
from gateway.storage.store import Store

_COMMAND: TypeAdapter[c.OwnerMessage] = TypeAdapter(c.OwnerMessage)


def _seconds_left(section: EntranceSection, brand: str | None) -> dict[c.Notification | c.AlarmCode, float]:
    """Return in how many seconds something happens, by message. Without a signal nothing rings: it opens at once."""
    ring_s = 0.0 if section.signal is None else section.timing.ring
    approval_s = section.timing.approval
    if brand == OWN_BRAND:  # counted from the scan on
        approval_s = ring_s + approval_limit_s(OWN_BRAND, section.timing)
    return {
        **({c.Notification.AT_THE_DOOR: ring_s} if ring_s else {}),
        c.Notification.ASKS_FOR_YES: approval_s,
    }


class MessageComposer:
    """Composes the box's messages."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home, self._store, self._zone = home, store, ZoneInfo(home.timezone)
        self._devices, self._destinations = device_labels(home), home.destinations

    def compose(
        self, command: c.OwnerMessage, entrance: str, delivery: VisitDelivery | None, now: Now
    ) -> ComposedMessage:
        """Return the message for a command of an entrance or reception of this house. The caller adds the visit."""
        section, destination = self._home.entrances.get(entrance), self._destinations[entrance]
        about = command.notification if isinstance(command, c.NotifyOwner) else command.code
        brand_id, delivery_id = (None, None) if delivery is None else (delivery.brand, delivery.id)
        requested = command.delivery if isinstance(command, c.NotifyOwner) else None
        if requested is not None and about in (c.Notification.BRAND_ASKS, c.Notification.NEW_KEY):
            brand_id = requested.partition(".")[0]
        if requested is not None and brand_id is not None and about is c.Notification.BRAND_ASKS:
            known, delivery_id = self._requested_terms(brand_id), requested
        else:
            seconds = {} if section is None else _seconds_left(section, brand_id)
            known = {
                "carrier": None if delivery is None else delivery.carrier,
                "brand": None if brand_id is None else self._brand_name(brand_id),
                "own_parcel": "yes" if brand_id == OWN_BRAND else None,
                "entrance": destination.name,
                "place": None if delivery is None else destination.places.get(delivery.place),
                "seconds": str(round(seconds[about])) if about in seconds else None,
                "detail": self._person_name(entrance, about, command.detail),
                "until": self._key_due(entrance, now) if about is c.Notification.KEY_TAKEN and now.trusted else None,
                **self._arrival_facts(about, command.detail, now),
                **self._closure_facts(entrance, command.closure),
                **self._booking_facts(about, command.detail),
            }
        facts = message_facts(now.utc, self._zone, trusted=now.trusted, **known)
        return ComposedMessage(
            about=about, facts=facts, at=now.utc, delivery=delivery_id, entrance=entrance, devices=self._devices
        )

    def _closure_facts(self, entrance: str, closure: str) -> dict[str, str | None]:
        """Return the closure that a message is about, if there are several; an id that the house lost stays."""
        if not closure or entrance not in self._home.entrances:
            return {}
        kinds = {one.id: one.kind for one in entrance_closures(self._home, entrance)}
        kind = kinds.get(closure)
        is_only_one = kind is not None and [*kinds.values()].count(kind) == 1
        return {"closure": closure, "closure_kind": kind, "closure_is_only_one": "yes" if is_only_one else None}

    def _arrival_facts(self, about: c.Notification | c.AlarmCode, detail: str, now: Now) -> dict[str, str | None]:
        """Return when a courier is expected, as HH:MM of the house; a time of another day is not told."""
        if about not in {c.Notification.ON_THE_WAY, c.Notification.EXPECTED_AT}:
            return {}
        eta = None if not detail else datetime.fromisoformat(detail).astimezone(self._zone)
        is_today = eta is not None and eta.date() == now.utc.astimezone(self._zone).date()
        return {"detail": None, "until": f"{eta:%H:%M}" if is_today else None}

    def _booking_facts(self, about: c.Notification | c.AlarmCode, detail: str) -> dict[str, str | None]:
        """Return the source and the times of the booking that a message is about, and how many more there are."""
        if about not in BOOKING_NOTIFICATIONS:
            return {}
        notice = BookingNotice.parse(detail)
        starts, ends = (at.astimezone(self._zone).strftime("%Y-%m-%dT%H:%M") for at in (notice.starts, notice.ends))
        more = str(notice.more) if notice.more else None
        return {"detail": notice.source, "starts": starts, "ends": ends, "more": more}

    def _person_name(self, entrance: str, about: c.Notification | c.AlarmCode, detail: str) -> str:
        """Return the name of a reception's receiver or of a keeper instead of the id, and other details unchanged."""
        reception = self._home.receptions.get(entrance)
        receiver = None if reception is None else reception.receivers.get(detail)
        keeper = self._home.keepers.get(detail) if about in NAMING_HOLDER else None
        named = receiver or keeper
        return detail if named is None else named.name

    def _key_due(self, entrance: str, now: Now) -> str | None:
        """Return when a key that is taken now has to be back, as HH:MM of the house; None: there is no key."""
        within = (closure.key_back_within_s for closure in self._home.entrances[entrance].closures)
        seconds = next((time for time in within if time is not None), None)
        due = None if seconds is None else now.utc + timedelta(seconds=seconds)
        return None if due is None else due.astimezone(self._zone).strftime("%H:%M")

    def _brand_name(self, brand: str) -> str | None:
        """Return the name of a brand; None: the house no longer knows it."""
        known = brand == OWN_BRAND or brand in self._store.brands.known
        return self._store.brands.name_of(brand, self._home.language) if known else None

    def _requested_terms(self, brand: str) -> dict[str, str | None]:
        """Return what the owner's approval would permit: the present terms, which the brand's message cannot change."""
        permission = self._store.brands.permission(brand)
        known = self._store.brands.known.get(brand)
        name = brand if known is None else known.name
        if permission is None or not permission.terms.let_in:
            return {"brand": name}
        terms = permission.terms
        entrances = [destination.name for id_, destination in self._destinations.items() if id_ in terms.entrances]
        places = {id_: place for known in self._destinations.values() for id_, place in known.places.items()}
        return {
            "carrier": ", ".join(sorted(terms.carriers)),
            "brand": name,
            "entrance": ", ".join(entrances),
            "place": ", ".join(name for id_, name in places.items() if id_ in terms.places),
            "hours": terms.hours,
        }

    def recompose(self, stored: Stored, now: Now) -> ComposedMessage | None:
        """Return a stored message with the time of its event; None if the house no longer has its entrance."""
        if stored.entrance not in self._destinations:
            return None
        command = _COMMAND.validate_json(stored.body)
        delivery = getattr(command, "delivery", None)
        facts = None if delivery is None else self._store.deliveries.facts(delivery, now)
        message = self.compose(command, stored.entrance, facts, replace(now, utc=stored.at))
        return replace(message, visit=stored.visit, number=stored.id)

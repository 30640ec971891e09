"""Sorts the owner's messages into categories, of which each person chooses for each phone. Pure."""

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType

from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.system.i18n import Text, _


class MessageCategory(StrEnum):
    """What a phone may be told, or not. Every alarm is an `ALARM`."""

    DOORBELL = auto()
    ALARM = auto()
    DELIVERY = auto()
    READINESS = auto()
    REQUEST = auto()
    BOOKING = auto()
    UPKEEP = auto()


CATEGORY_TEXTS: Mapping[MessageCategory, tuple[Text, Text]] = MappingProxyType({
    MessageCategory.DOORBELL: (_("Somebody is at the door"), _("It rings, or the box asks whether to open.")),
    MessageCategory.ALARM: (_("Alarms"), _("A door that is not proven locked, a stop, safe mode, a new password.")),
    MessageCategory.DELIVERY: (
        _("Deliveries"), _("On its way, delivered and locked again, not opened, moved to another place."),
    ),
    MessageCategory.READINESS: (_("Before a delivery"), _("The entrance is not ready, and ready again.")),
    MessageCategory.REQUEST: (_("Requests of brands"), _("A brand asks to be let in, or has a new key.")),
    MessageCategory.BOOKING: (
        _("Bookings of guests"), _("A calendar proposes a booking, changes it, or does not list it any more."),
    ),
    MessageCategory.UPKEEP: (_("Upkeep"), _("A battery runs out, something was set aside.")),
})  # fmt: skip
"""The name of each category, and examples of what is in it."""

_CATEGORIES: Mapping[Notification, MessageCategory] = MappingProxyType({
    Notification.AT_THE_DOOR: MessageCategory.DOORBELL,
    Notification.ASKS_FOR_YES: MessageCategory.DOORBELL,
    Notification.ATTENDED: MessageCategory.DOORBELL,
    Notification.NOT_OPENED: MessageCategory.DELIVERY,
    Notification.LOCKED_AGAIN: MessageCategory.DELIVERY,
    Notification.DOOR_OPEN: MessageCategory.ALARM,
    Notification.LOOK_AFTER_THE_DOOR: MessageCategory.ALARM,
    Notification.NOT_READY: MessageCategory.READINESS,
    Notification.READY_AGAIN: MessageCategory.READINESS,
    Notification.STOPPED_INSIDE: MessageCategory.ALARM,
    Notification.LIFT_THE_HANDLE: MessageCategory.ALARM,
    Notification.KEY_TAKEN: MessageCategory.DELIVERY,
    Notification.KEY_MISSED: MessageCategory.ALARM,
    Notification.BATTERY_SOON: MessageCategory.UPKEEP,
    Notification.SAFE_MODE: MessageCategory.ALARM,
    Notification.STORE_IN_DOUBT: MessageCategory.ALARM,
    Notification.CODE_OF_SEVERAL: MessageCategory.REQUEST,
    Notification.BRAND_ASKS: MessageCategory.REQUEST,
    Notification.NEW_KEY: MessageCategory.REQUEST,
    Notification.PASSWORD_RESET: MessageCategory.ALARM,
    Notification.SET_ASIDE: MessageCategory.UPKEEP,
    Notification.PARCEL_RECEIVED: MessageCategory.DELIVERY,
    Notification.PARCEL_DECLINED: MessageCategory.DELIVERY,
    Notification.PARCEL_HANDED_OVER: MessageCategory.DELIVERY,
    Notification.NO_RECEIVER: MessageCategory.DELIVERY,
    Notification.ADMITTED: MessageCategory.DELIVERY,
    Notification.LATE_COURIER: MessageCategory.DOORBELL,
    Notification.ON_THE_WAY: MessageCategory.DELIVERY,
    Notification.EXPECTED_AT: MessageCategory.DELIVERY,
    Notification.MOVED: MessageCategory.DELIVERY,
    Notification.BOOKING_PROPOSED: MessageCategory.BOOKING,
    Notification.BOOKING_CHANGED: MessageCategory.BOOKING,
    Notification.BOOKING_GONE: MessageCategory.BOOKING,
})  # fmt: skip


def category(about: Notification | AlarmCode) -> MessageCategory:
    """Return the category of a message."""
    return MessageCategory.ALARM if isinstance(about, AlarmCode) else _CATEGORIES[about]


def parse_muted(stored: str) -> frozenset[MessageCategory]:
    """Read the categories that a phone is not told, from the store; a word of a later version means nothing here."""
    known = set(MessageCategory)
    return frozenset(MessageCategory(word) for word in stored.split(",") if word in known)


def format_muted(muted: frozenset[MessageCategory]) -> str:
    """Write the categories for the store."""
    return ",".join(sorted(muted))

"""Stores the browsers that get Web Push messages, at most one of each known device.

A subscription belongs to a known device and ends with it. So it also ends with its person's account, with the password,
and with the household; and with the sign-out of its browser (`sessions.end_session`).
"""

from dataclasses import field
from datetime import datetime
from enum import Enum, auto

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.part import StorePart, reads, writes

MAX_SUBSCRIPTIONS_PER_PERSON = 8
MAX_SUBSCRIPTIONS = 40


class PushSubscription(Frozen):
    """One browser; `role` is the present one of its person. `endpoint` is the address at its push service."""

    phone: str  # its name among the phones
    device: str
    person: str
    role: str
    endpoint: str = field(repr=False)
    p256dh: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    browser: str | None  # a value of gateway/web/auth/user_agent.py
    made: datetime


class SubscriptionKeys(Frozen):
    """What a browser's subscription says: the address at its push service, its public key, and a shared secret."""

    endpoint: str = field(repr=False)
    p256dh: bytes = field(repr=False)
    auth: bytes = field(repr=False)


class SubscribeResult(Enum):
    """The result of storing a subscription."""

    DONE = auto()
    SIGNED_OUT = auto()  # the box does not know the device any more, or its person may not be told
    TAKEN = auto()  # another browser has this address
    TOO_MANY = auto()


# An installer sees no visit, and no message about one
_SELECT = (
    "SELECT s.phone, s.device, d.person, p.role, s.endpoint, s.p256dh, s.auth, d.browser, s.made"
    " FROM push_subscription s JOIN device d ON d.id = s.device JOIN person p ON p.id = d.person"
    " WHERE p.removed IS NULL AND p.role IN ('owner', 'household')"
)


def subscriptions(db: Database) -> tuple[PushSubscription, ...]:
    """Return the subscriptions of people who may be told, oldest first."""
    return db.records(PushSubscription, f"{_SELECT} ORDER BY s.made, s.phone")


def subscription(db: Database, phone: str) -> PushSubscription | None:
    """Return one subscription; None: it has ended, or its person may no longer be told."""
    return db.record(PushSubscription, f"{_SELECT} AND s.phone = ?", (phone,))


def of_device(db: Database, device: str) -> PushSubscription | None:
    """Return the subscription of a device; None: it gets no messages."""
    return db.record(PushSubscription, f"{_SELECT} AND s.device = ?", (device,))


def subscribe(db: Database, phone: str, device: str, keys: SubscriptionKeys, now: Now) -> SubscribeResult:
    """Store a device's subscription in place of its earlier one.

    One browser in which two people signed in has one subscription: that of whoever asked for it last. Both know its
    keys; whoever knows only the address cannot take it over.
    """
    told = "p.role IN ('owner', 'household')"
    query = f"SELECT p.id FROM device d JOIN person p ON p.id = d.person WHERE d.id = ? AND {told}"  # noqa: S608 - ours
    person = db.value(str, query, (device,))
    if person is None:
        return SubscribeResult.SIGNED_OUT
    query = "SELECT endpoint, p256dh, auth FROM push_subscription WHERE endpoint = ?"
    known = db.record(SubscriptionKeys, query, (keys.endpoint,))
    if known not in (None, keys):
        return SubscribeResult.TAKEN
    others = "FROM push_subscription s JOIN device d ON d.id = s.device WHERE s.device != ? AND s.endpoint != ?"
    count = db.number(f"SELECT count(*) {others}", (device, keys.endpoint))
    own_count = db.number(f"SELECT count(*) {others} AND d.person = ?", (device, keys.endpoint, person))
    if count >= MAX_SUBSCRIPTIONS or own_count >= MAX_SUBSCRIPTIONS_PER_PERSON:
        return SubscribeResult.TOO_MANY
    db.execute("DELETE FROM push_subscription WHERE device = ? OR endpoint = ?", (device, keys.endpoint))
    db.insert("push_subscription", phone=phone, device=device, made=now.utc, **vars(keys))
    db.log("push_subscribed", now.utc, {"phone": phone, "by": person})
    return SubscribeResult.DONE


def unsubscribe(db: Database, phone: str, now: Now, *, by: str | None) -> bool:
    """End a subscription; `by` None: its push service no longer knows it. False: there is none."""
    if not db.execute("DELETE FROM push_subscription WHERE phone = ?", (phone,)).rowcount:
        return False
    db.log("push_gone" if by is None else "push_unsubscribed", now.utc, {"phone": phone}, by=by)
    return True


class PushStore(StorePart):
    """The browsers that get Web Push messages: `Store.push`."""

    subscriptions = reads(subscriptions)
    subscription = reads(subscription)
    of_device = reads(of_device)
    subscribe = writes(subscribe)
    unsubscribe = writes(unsubscribe)

"""At-least-once delivery queue for owner notifications, however long a phone or the box was away.

The store contains every due message since the decision itself (`gateway/storage/outbox.py`), so no crash loses it. Each
phone has a task of its own: a failing phone delays no other, and none delays a door. After a failure the queue tries
again, at first soon, later every five minutes, and at once for a new message. Alarms and "locked again" are sent one by
one; of the rest, more than three waiting messages are sent as one. Pictures are kept in memory only, so messages after
a restart have none.
"""

import asyncio
import contextlib
import itertools
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import structlog

from gateway.config.home import Home
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.runtime.notifications import action_links, batching
from gateway.runtime.notifications.action_links import LinkPurpose
from gateway.runtime.notifications.categories import MessageCategory, category, parse_muted
from gateway.runtime.notifications.composer import MessageComposer
from gateway.runtime.notifications.phone import SEND_TIMEOUT_S, Phone, SendResult
from gateway.runtime.notifications.texts import ComposedMessage
from gateway.storage.models import StoredMessage as Stored
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.backoff import Backoff, shortened
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.i18n import Language, Text, _, languages
from gateway.system.text import without_links

log = structlog.get_logger(__name__)

_RANDOM = secrets.SystemRandom()

POLL_INTERVAL_S = 1.0  # seconds between two checks for due messages
PHONE_BACKOFF = Backoff(2.0, 300.0)  # until a failed phone is tried again
PHONE_BACKOFF_STEPS = 10  # failures after which the wait grows no more
SEND_LEASE = timedelta(seconds=2 * SEND_TIMEOUT_S + 10)  # a send, another without its picture, and the store's time
HANDOVER_GRACE = timedelta(seconds=10)  # how long a stored message waits for its picture and its handover
MAX_CACHED_MESSAGES = 50  # messages kept in memory with their pictures: the newest

MESSAGE_ACTIONS: Mapping[Notification | type[AlarmCode], tuple[LinkPurpose, ...]] = MappingProxyType({
    Notification.AT_THE_DOOR: (LinkPurpose.VETO, LinkPurpose.STOP),
    Notification.ASKS_FOR_YES: (LinkPurpose.APPROVE, LinkPurpose.VETO, LinkPurpose.STOP),
    # brands only while their permission is undecided
    Notification.NOT_OPENED: (LinkPurpose.PERMIT, LinkPurpose.REFUSE_BRAND, LinkPurpose.STOP),
    Notification.NOT_READY: (LinkPurpose.STOP,),
    Notification.DOOR_OPEN: (LinkPurpose.STOP,),
    Notification.KEY_TAKEN: (LinkPurpose.STOP,),
    Notification.KEY_MISSED: (LinkPurpose.STOP,),
    Notification.LOOK_AFTER_THE_DOOR: (LinkPurpose.STOP,),
    Notification.BRAND_ASKS: (LinkPurpose.PERMIT, LinkPurpose.REFUSE_BRAND),
    Notification.LATE_COURIER: (LinkPurpose.GIVE_TIME, LinkPurpose.REFUSE_TIME),
    AlarmCode: (LinkPurpose.STOP,),  # every alarm
})  # fmt: skip
"""The actions of each kind of message; a kind that is not listed has none."""
RINGING = frozenset({Notification.AT_THE_DOOR, Notification.ASKS_FOR_YES})
ABOUT_A_VISIT = RINGING | {Notification.ATTENDED, Notification.NOT_OPENED, Notification.LOCKED_AGAIN}
"""Of one visit each replaces those before it, on the phone and on the way to it; an alarm is never replaced."""

_FAILED_TEXT: Text = _("The box was not reached: it has not heard this.")


@dataclass(eq=False, repr=False)
class NotificationQueue:
    """Sends the owner's messages to all phones."""

    home: Home
    _kw: KW_ONLY
    phones: Sequence[Phone]
    store: Store
    clock: Clock
    key: bytes  # signs links
    jitter: Callable[[], float] = _RANDOM.random  # returns 0 to 1
    poll_interval_s: float = POLL_INTERVAL_S
    containment: Containment = field(default_factory=Containment)
    on_change: Callable[[], None] = lambda: None  # called when a phone's state has changed
    on_gone: Callable[[str], None] = lambda _name: None  # called when a phone can never be reached again

    def __post_init__(self) -> None:
        self._recent_messages: OrderedDict[int, ComposedMessage] = OrderedDict()
        self._unstored_numbers = itertools.count(-1, -1)
        self._sender_numbers = itertools.count(1)
        self._zone = ZoneInfo(self.home.timezone)
        self._composer = MessageComposer(self.home, self.store)
        self._task_group: asyncio.TaskGroup | None = None
        self._sender_tasks: dict[str, asyncio.Task[None]] = {}
        self._senders: dict[str, _PhoneSender] = {}  # by the phone's name, in the order of the file
        self._set_senders(self.phones)

    async def register_phones(self) -> None:
        """Register the phones: only later messages are queued for them. Call it before any decision."""
        try:
            await self._store_recipients()
        except StoreFailed as failure:  # the phones of the last start still get everything
            log.error("phones_not_enlisted", why=str(failure))

    async def set_phones(self, phones: Sequence[Phone]) -> None:
        """Send to these phones from now on, and to no others. A phone that stays is not disturbed.

        Raises:
            StoreFailed: what is due to them from now on is not stored, only sent by this process.
        """
        self._set_senders(phones)
        self._start_senders()
        try:
            await self._store_recipients()
        finally:
            self.on_change()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._task_group = group
            self._start_senders()
            await asyncio.get_running_loop().create_future()  # phones may come and go; without any this still runs

    def language_of(self, name: str) -> Language | None:
        """Return a phone's own language; None: the house's."""
        own = next((status.language for status in self.store.phones.statuses() if status.name == name), None)
        return own if own in languages() else None

    def pages_address(self) -> str | None:
        """Return where phones find the box's pages, as an owner chose or the house file says; None: nobody did."""
        configured = None if self.home.messages is None else self.home.messages.pages
        return self.store.phones.address() or configured

    def muted_of(self, name: str) -> frozenset[MessageCategory]:
        """Return the categories that a phone is not told."""
        return next(
            (parse_muted(status.muted) for status in self.store.phones.statuses() if status.name == name), frozenset()
        )

    async def record_attempt(self, name: str, result: SendResult) -> None:
        """Record the result of a send; without the disk it is unknown after a restart."""
        reached = result is SendResult.TAKEN
        with contextlib.suppress(StoreFailed):
            await self.store.phones.record_attempt(name, result.value, self.clock.now(), reached=reached)
        self.on_change()

    def _set_senders(self, phones: Sequence[Phone]) -> None:
        self.phones = tuple(phones)
        self._senders = {
            phone.name: self._senders.get(phone.name) or _PhoneSender(next(self._sender_numbers), phone, self)
            for phone in phones
        }

    def _start_senders(self) -> None:
        if self._task_group is None:
            return
        for name in self._sender_tasks.keys() - self._senders.keys():
            self._sender_tasks.pop(name).cancel()
        for name, sender in self._senders.items():
            if name not in self._sender_tasks:
                run = self.containment.keep(f"phone {sender.phone.scheme}", sender.run)
                self._sender_tasks[name] = self._task_group.create_task(run, name=f"phone {name}")

    async def _store_recipients(self) -> None:
        await self.store.phones.set_recipients(list(self._senders), self.clock.now())

    def notify(self, message: ComposedMessage) -> None:
        """Queue the message. An unstored message is due only from this process."""
        if message.number:
            self._recent_messages[message.number] = message
            while len(self._recent_messages) > MAX_CACHED_MESSAGES:
                self._recent_messages.popitem(last=False)
        else:
            message = replace(message, number=next(self._unstored_numbers))
            for sender in self._senders.values():
                sender.add_unstored(message)
        for sender in self._senders.values():
            sender.wake()

    def message(self, stored: Stored, now: Now) -> ComposedMessage | None:
        """Return a stored message, with its picture if it was handed over; None while it may still be."""
        if timedelta() <= now.utc - stored.at < HANDOVER_GRACE:
            return self._recent_messages.get(stored.id)
        return self._recent_messages.get(stored.id) or self._composer.recompose(stored, now)

    def compose(
        self, group: Sequence[ComposedMessage], now: Now, language: Language | None, *, decides_brands: bool = True
    ) -> batching.PhoneNotification:
        """Return one notification for a group of messages, oldest first, in a language (None: the house's)."""
        language = language or self.home.language
        newest = group[-1]
        replaces = newest.about in ABOUT_A_VISIT and newest.visit is not None
        return batching.PhoneNotification(
            title=without_links(self.home.name),
            text=batching.group_text(group, utc=now.utc, language=language, zone=self._zone),
            urgent=newest.urgent,
            is_ringing=newest.about in RINGING,
            picture=newest.picture,
            buttons=self._action_buttons(newest, now, language, decides_brands=decides_brands),
            language=language,
            at=newest.at,
            late_text=batching.late_text(newest, utc=now.utc, language=language, zone=self._zone),
            failed_text=_FAILED_TEXT.to(language),
            subject=f"visit {newest.entrance}.{newest.visit}" if replaces else None,
            alone=f"message {newest.number}",
        )

    def _action_buttons(
        self, message: ComposedMessage, now: Now, language: Language, *, decides_brands: bool
    ) -> tuple[batching.Button, ...]:
        """Return the actions that still make sense, and that the phone's person may do."""
        address = self.pages_address()
        kind = AlarmCode if isinstance(message.about, AlarmCode) else message.about
        buttons = []
        for purpose in MESSAGE_ACTIONS.get(kind, ()):
            subject, expires = self._link_subject(purpose, message), message.at + purpose.lifetime
            if subject is None or now.utc >= expires or (purpose in action_links.OF_OWNERS and not decides_brands):
                continue
            message_id = f"{message.number}\n{message.at.isoformat()}"
            nonce = action_links.derive_nonce(message_id, purpose, subject, self.key)
            token = action_links.sign_link(purpose, subject, expires, nonce, self.key)
            path = f"/{action_links.LINK_PATH}/{token}"
            url = None if address is None else f"{address.rstrip('/')}{path}"
            buttons.append(
                batching.Button(
                    label=purpose.label.to(language), url=url, action=purpose.value, path=path,
                    at_once=purpose in action_links.AT_ONCE,
                )
            )  # fmt: skip
        return tuple(buttons)

    def _link_subject(self, purpose: LinkPurpose, message: ComposedMessage) -> str | None:
        entrance = message.entrance
        if purpose is LinkPurpose.STOP:
            return entrance
        if purpose is LinkPurpose.VETO and message.about is Notification.AT_THE_DOOR and "seconds" not in message.facts:
            return None  # it opens at once: nothing is left to refuse
        if purpose in {LinkPurpose.APPROVE, LinkPurpose.VETO}:
            return None if message.visit is None else f"{entrance}.{message.visit}"
        if purpose in {LinkPurpose.GIVE_TIME, LinkPurpose.REFUSE_TIME}:
            return None if message.delivery is None else f"{entrance}.{message.delivery}"
        brand = None if message.delivery is None else message.delivery.partition(".")[0]
        permission = None if brand is None else self.store.brands.permission(brand)
        if permission is None or permission.standing is not PermissionStatus.PENDING:
            return None
        terms = permission.terms
        if purpose is LinkPurpose.PERMIT and (
            not terms.let_in or terms.hub_signed or self.store.brands.is_guest(permission.brand)
        ):
            return None  # its terms must be seen, and an unknown brand examined, on the page
        return f"{entrance}.{permission.brand}.{permission.version}"


class _PhoneSender:
    """Sends notifications to one phone, one after the other. `index` is the phone's number in the log."""

    def __init__(self, index: int, phone: Phone, queue: NotificationQueue) -> None:
        self.phone = phone
        self._index, self._queue, self._store, self._clock = index, queue, queue.store.phones, queue.clock
        self._wake_event = asyncio.Event()
        self._unstored_messages: dict[int, ComposedMessage] = {}
        self._delivered: set[int] = set()  # sent messages that the store could not record yet
        # failed since the phone last accepted a message: these wait behind the rest
        self._failed_numbers: set[int] = set()
        self.failures = 0  # in a row
        self._retry_at_mono = 0.0

    def add_unstored(self, message: ComposedMessage) -> None:
        """Keep a message that is not stored; of too many, others than alarms and "locked again" are dropped."""
        self._unstored_messages[message.number] = message
        quiet = [number for number, message in self._unstored_messages.items() if not batching.matters(message)]
        for number in quiet[:-MAX_CACHED_MESSAGES]:
            del self._unstored_messages[number]

    def wake(self) -> None:
        """Try at once, because a new message is due, even where a send has just failed."""
        self._retry_at_mono = 0.0
        self._wake_event.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._wake_event.clear()
            now = self._clock.now()
            if now.mono >= self._retry_at_mono and await self._send_next(now):
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._queue.poll_interval_s):
                    await self._wake_event.wait()

    async def _send_next(self, now: Now) -> bool:
        """Send the phone one group of due messages; return False if none is to be sent now."""
        await self._store_delivered()
        waiting = list(self._unstored_messages.values())
        for stored in self._store.pending(self.phone.name, now, until=now.utc + SEND_LEASE):
            message = None if stored.id in self._delivered else self._queue.message(stored, now)
            if message is not None:
                waiting.append(message)
        waiting = await self._without_muted(waiting)
        groups = batching.group_messages(waiting, now.utc)
        if not groups:
            return False
        untried = [group for group in groups if not self._failed_numbers.issuperset(one.number for one in group)]
        group = await self._claim((untried or groups)[0], now)
        if not group:
            return False
        language = self._queue.language_of(self.phone.name)
        await self._deliver(group, self._queue.compose(group, now, language, decides_brands=self.phone.decides_brands))
        return True

    async def _without_muted(self, waiting: list[ComposedMessage]) -> list[ComposedMessage]:
        """Return the messages that this phone gets; the others count as delivered to it."""
        muted = self._queue.muted_of(self.phone.name) if waiting else frozenset()
        silent = [message.number for message in waiting if category(message.about) in muted]
        for number in silent:
            self._unstored_messages.pop(number, None)
        self._delivered.update(number for number in silent if number > 0)
        await self._store_delivered()
        return [message for message in waiting if message.number not in silent]

    async def _claim(self, group: tuple[ComposedMessage, ...], now: Now) -> tuple[ComposedMessage, ...]:
        """Claim messages that no other process sends; if the disk fails, send anyway: twice is better than never."""
        stored = tuple(message.number for message in group if message.number > 0)
        ours = frozenset(stored)
        if stored:
            with contextlib.suppress(StoreFailed):
                ours = await self._store.claim(self.phone.name, stored, now, until=now.utc + SEND_LEASE)
        return tuple(message for message in group if message.number < 0 or message.number in ours)

    async def _deliver(self, group: tuple[ComposedMessage, ...], notice: batching.PhoneNotification) -> None:
        result = await self.phone.send(notice)
        if result is SendResult.REFUSED and notice.picture is not None:  # perhaps because of the picture
            result = await self.phone.send(replace(notice, picture=None))
        numbers = tuple(message.number for message in group)
        now = self._clock.now()
        if result is SendResult.TAKEN:
            log.info("phone_told", phone=self._index, scheme=self.phone.scheme, messages=len(group),
                     late=batching.is_late(group[-1], now.utc))  # fmt: skip
            self.failures, self._retry_at_mono = 0, 0.0
            self._failed_numbers.clear()
            for number in numbers:
                self._unstored_messages.pop(number, None)
            self._delivered.update(number for number in numbers if number > 0)
            await self._store_delivered()
            await self._queue.record_attempt(self.phone.name, result)
            return
        if result is SendResult.GONE:
            log.warning("phone_gone", phone=self._index, scheme=self.phone.scheme)
            self._retry_at_mono = now.mono + PHONE_BACKOFF.delay_s(PHONE_BACKOFF_STEPS)
            self._queue.on_gone(self.phone.name)
            return
        self.failures += 1
        self._failed_numbers.update(numbers)
        wait = shortened(PHONE_BACKOFF.delay_s(self.failures - 1), self._queue.jitter())
        if not self._wake_event.is_set():  # else a new message arrived meanwhile, and is tried at once
            self._retry_at_mono = now.mono + wait
        log.warning("phone_not_reached", phone=self._index, scheme=self.phone.scheme, heard=result.value,
                    failures=self.failures, again_in=round(wait, 1))  # fmt: skip
        with contextlib.suppress(StoreFailed):  # then it is free when its time is over
            await self._store.release(self.phone.name, tuple(number for number in numbers if number > 0))
        await self._queue.record_attempt(self.phone.name, result)

    async def _store_delivered(self) -> None:
        """Record what the phone has; what the disk fails to store is recorded later, or sent again after a restart."""
        if self._delivered:
            delivered = frozenset(self._delivered)
            with contextlib.suppress(StoreFailed):
                await self._store.mark_delivered(self.phone.name, tuple(delivered))
                self._delivered -= delivered

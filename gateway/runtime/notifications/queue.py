"""The owner's pocket: every message reaches every phone at least once, however long a phone or the box was away.

What is owed stands in the store since the decision itself (`gateway/storage/outbox.py`), so no crash loses it. Each
phone has a task of its own: one that is down holds up no other, and none of them holds up a door. A phone that does
not take a message is tried again, at first soon, later every five minutes, and at once when there is something new.
Alarms and "locked again" are told one by one; of the rest more than three that wait are told as one. Pictures are kept
in memory only, so what is told after a restart has none.
"""

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import structlog

from gateway.config.home import Home
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Now
from gateway.runtime.notifications import action_links
from gateway.runtime.notifications.action_links import LINK_LIFETIMES, LinkPurpose
from gateway.runtime.notifications.apprise import SEND_TIMEOUT_S, PhoneEndpoint, SendResult
from gateway.runtime.notifications.batching import (
    MAX_LISTED_MESSAGES,
    SEPARATE_KINDS,
    Button,
    PendingMessage,
    PhoneNotification,
    group_messages,
    grouped_text,
    message_text,
)
from gateway.runtime.notifications.composer import MessageComposer, stored_kind
from gateway.runtime.notifications.texts import ComposedMessage
from gateway.storage import Store, StoreFailed
from gateway.storage import StoredMessage as Stored
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.i18n import Language, Text, _, languages, pgettext
from gateway.system.text import without_links

log = structlog.get_logger(__name__)

_RANDOM = secrets.SystemRandom()

POLL_INTERVAL_S = 1.0  # seconds between two looks at what is owed
FIRST_RETRY_DELAY_S, MAX_RETRY_DELAY_S = (
    2.0,
    300.0,
)  # seconds until a phone that failed is tried again: after once, and at most
SEND_LEASE = timedelta(
    seconds=2 * SEND_TIMEOUT_S + 10
)  # a try, without its picture once more, and what the store takes
HANDOVER_GRACE = timedelta(seconds=10)  # so long a stored message waits for its picture and for who hands it over
MAX_CACHED_MESSAGES = 50  # messages kept in memory with their pictures: the newest

MESSAGE_ACTIONS: Mapping[Notification | type[AlarmCode], tuple[LinkPurpose, ...]] = MappingProxyType({
    Notification.AT_THE_DOOR: (LinkPurpose.VETO, LinkPurpose.STOP),
    Notification.ASKS_FOR_YES: (LinkPurpose.APPROVE, LinkPurpose.VETO, LinkPurpose.STOP),
    # brands only while nobody has decided
    Notification.NOT_OPENED: (LinkPurpose.PERMIT, LinkPurpose.REFUSE_BRAND, LinkPurpose.STOP),
    Notification.NOT_READY: (LinkPurpose.STOP,),
    Notification.DOOR_OPEN: (LinkPurpose.STOP,),
    Notification.LOOK_AFTER_THE_DOOR: (LinkPurpose.STOP,),
    Notification.BRAND_ASKS: (LinkPurpose.PERMIT, LinkPurpose.REFUSE_BRAND),
    AlarmCode: (LinkPurpose.STOP,),  # every alarm
})  # fmt: skip
"""Which message carries which actions; what is not named carries none."""

ACTION_LABELS: Mapping[LinkPurpose, Text] = MappingProxyType({
    LinkPurpose.STOP: _("Stop everything"),
    LinkPurpose.APPROVE: pgettext("to do", "Open"),
    LinkPurpose.VETO: _("Do not open"),
    LinkPurpose.PERMIT: _("Let the brand in"),
    LinkPurpose.REFUSE_BRAND: _("Refuse the brand"),
})  # fmt: skip


def _parse_language(word: str | None) -> Language | None:
    return word if word in languages() else None


def retry_delay_s(failures: int, lot: float) -> float:
    """Seconds until a phone that failed so many times in a row is tried again; `lot` from 0 to 1 spreads them."""
    return float(min(MAX_RETRY_DELAY_S, FIRST_RETRY_DELAY_S * 2 ** min(failures - 1, 16)) * (0.5 + lot / 2))


class NotificationQueue:
    """A `Voice` (`texts.py`) towards all phones of the owner. `key` signs links; `lot` gives 0 to 1."""

    def __init__(  # noqa: PLR0913 - what it speaks with and knows, named one by one
        self,
        home: Home,
        *,
        phones: Sequence[PhoneEndpoint],
        store: Store,
        clock: Clock,
        key: bytes,
        lot: Callable[[], float] = _RANDOM.random,
        look: float = POLL_INTERVAL_S,
        contained: Containment | None = None,
    ) -> None:
        self._containment = contained or Containment()
        self._store = store
        self._recent_messages: OrderedDict[int, ComposedMessage] = OrderedDict()
        self._unstored_count = 0
        self._clock = clock
        self._writer = _NotificationWriter(home, store, key, self._recent_messages)
        self._jitter, self._poll_interval_s = lot, look
        self._sender_count = 0
        self._task_group: asyncio.TaskGroup | None = None
        self._sender_tasks: dict[str, asyncio.Task[None]] = {}
        self._senders: list[_PhoneSender] = []
        self.changed: Callable[[], None] = lambda: None  # called when it is known otherwise how a phone stands
        self._set_senders(phones)

    @property
    def phones(self) -> tuple[PhoneEndpoint, ...]:
        """Who is told, in the order in which they were named."""
        return tuple(carrier.phone for carrier in self._senders)

    @property
    def failures(self) -> list[int]:
        """How often each phone failed in a row, in the order in which they were named."""
        return [carrier.failures for carrier in self._senders]

    async def enlist(self) -> None:
        """Owe every message from now on to these phones and no others; call it before anything is decided."""
        try:
            await self._store_recipients()
        except StoreFailed as failure:  # those of the last start are still owed everything
            log.error("phones_not_enlisted", why=str(failure))
        spoken = {one.name: one.language for one in self._store.phones()}
        for carrier in self._senders:
            carrier.language = _parse_language(spoken.get(carrier.phone.name))

    async def take(self, phones: Sequence[PhoneEndpoint]) -> None:
        """Tell these phones from now on, and no others. One that stays is not disturbed.

        Raises:
            StoreFailed: what they are owed from now on is not stored, only told by this process.
        """
        self._set_senders(phones)
        self._start_senders()
        try:
            await self._store_recipients()
        finally:
            self.changed()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._task_group = group
            self._start_senders()
            await asyncio.get_running_loop().create_future()  # phones may come and go; with none there is still this

    def language_of(self, name: str) -> Language | None:
        """In which language of its own a phone is told; None: the house's."""
        return next((carrier.language for carrier in self._senders if carrier.phone.name == name), None)

    def speak(self, name: str, language: Language | None) -> None:
        """Tell a phone in a language of its own, or (None) in the house's."""
        for carrier in self._senders:
            if carrier.phone.name == name:
                carrier.language = language
        self.changed()

    async def note_try(self, name: str, heard: SendResult) -> None:
        """Note what came of telling a phone something; what the disk does not take is not known after a restart."""
        with contextlib.suppress(StoreFailed):
            await self._store.phone_tried(name, heard.value, self._clock.now(), reached=heard is SendResult.TAKEN)
        self.changed()

    def _set_senders(self, phones: Sequence[PhoneEndpoint]) -> None:
        """Have one carrier for each phone."""
        known = {carrier.phone.name: carrier for carrier in self._senders}
        carriers = []
        for phone in phones:
            carrier = known.get(phone.name)
            if carrier is None:
                self._sender_count += 1
                carrier = _PhoneSender(
                    self._sender_count,
                    phone,
                    store=self._store,
                    clock=self._clock,
                    writer=self._writer,
                    lot=self._jitter,
                    look=self._poll_interval_s,
                    heard=self.note_try,
                )
            carriers.append(carrier)
        self._senders = carriers

    def _start_senders(self) -> None:
        """Let each carrier work, and end those of phones that are gone."""
        if self._task_group is None:
            return
        wanted = {carrier.phone.name: carrier for carrier in self._senders}
        for name in self._sender_tasks.keys() - wanted.keys():
            self._sender_tasks.pop(name).cancel()
        for name, carrier in wanted.items():
            if name not in self._sender_tasks:
                self._sender_tasks[name] = self._task_group.create_task(
                    self._containment.keep(f"phone {carrier.phone.scheme}", carrier.run), name=f"phone {name}"
                )

    async def _store_recipients(self) -> None:
        await self._store.enlist([carrier.phone.name for carrier in self._senders], self._clock.now())

    async def tell(self, message: ComposedMessage) -> None:
        """Take the message and return at once. One that is not stored is owed by this process alone."""
        number = message.number
        if number is None:
            self._unstored_count += 1
            for carrier in self._senders:
                carrier.owes(-self._unstored_count, message)
        else:
            self._recent_messages[number] = message
            while len(self._recent_messages) > MAX_CACHED_MESSAGES:
                self._recent_messages.popitem(last=False)
        for carrier in self._senders:
            carrier.wake()


class _NotificationWriter:
    """Finds the words of what waits, and signs its links."""

    def __init__(self, home: Home, store: Store, key: bytes, fresh: Mapping[int, ComposedMessage]) -> None:
        self._home = home
        self._store = store
        self._key = key
        self._recent_messages = fresh
        self._zone = ZoneInfo(home.timezone)
        self._composer = MessageComposer(home, store)

    def ready(self, stored: Stored, now: Now) -> bool:
        """Whether it was handed over, or nobody will hand it over any more."""
        return stored.entrance in self._home.entrances and (
            stored.id in self._recent_messages or not timedelta() <= now.utc - stored.at < HANDOVER_GRACE
        )

    def notice(
        self,
        group: Sequence[PendingMessage],
        known: Mapping[int, ComposedMessage | Stored],
        now: Now,
        language: Language | None,
    ) -> PhoneNotification | None:
        """Word a group of messages as one notice, the newest first, in the house's language or another."""
        language = language or self._home.language
        told = [
            message
            for one in reversed(group[-1 - MAX_LISTED_MESSAGES :])
            if (message := self._compose_message(known[one.number], now)) is not None
        ]
        if not told:
            return None
        if len(group) == 1:
            text = message_text(told[0], utc=now.utc, language=language, zone=self._zone)
        else:
            text = grouped_text(told, len(group), group[0].at, utc=now.utc, language=language, zone=self._zone)
        return PhoneNotification(
            title=without_links(self._home.name),
            text=text,
            urgent=told[0].urgent,
            picture=told[0].picture,
            buttons=self._action_buttons(told[0], now, language),
        )

    def _compose_message(self, known: ComposedMessage | Stored, now: Now) -> ComposedMessage | None:
        if isinstance(known, ComposedMessage):
            return known
        return self._recent_messages.get(known.id) or self._composer.again(known, now)

    def _action_buttons(self, message: ComposedMessage, now: Now, language: Language) -> tuple[Button, ...]:
        """The actions that still answer something; where phones do not reach the box's pages there are none."""
        settings = self._home.messages
        if settings is None or settings.pages is None:
            return ()
        kind = AlarmCode if isinstance(message.about, AlarmCode) else message.about
        buttons = []
        for purpose in MESSAGE_ACTIONS.get(kind, ()):
            subject, expires = self._link_subject(purpose, message), message.at + LINK_LIFETIMES[purpose]
            if subject is None or now.utc >= expires:
                continue
            said = f"{message.number}\n{message.at.isoformat()}"
            nonce = action_links.derive_nonce(said, purpose, subject, self._key)
            token = action_links.sign_link(purpose, subject, expires, nonce, self._key)
            label = ACTION_LABELS[purpose].to(language)
            buttons.append(Button(label=label, url=action_links.link_url(settings.pages, token)))
        return tuple(buttons)

    def _link_subject(self, purpose: LinkPurpose, message: ComposedMessage) -> str | None:
        """What the link is about; None where there is nothing to answer."""
        entrance = message.entrance
        if entrance is None:
            return None
        if purpose is LinkPurpose.STOP:
            return entrance
        if purpose in {LinkPurpose.APPROVE, LinkPurpose.VETO}:
            return None if message.visit is None else f"{entrance}.{message.visit}"
        permission = None if message.delivery is None else self._store.permission(message.delivery.partition(".")[0])
        if permission is None or permission.standing is not PermissionStatus.PENDING:
            return None
        terms = permission.terms
        if purpose is LinkPurpose.PERMIT and (
            not terms.let_in or terms.hub_signed or self._store.brands.guest(permission.brand)
        ):
            return None  # first its terms are to be said, and whoever nobody knows is to be looked at, on the page
        return f"{entrance}.{permission.brand}.{permission.version}"


class _PhoneSender:
    """Tells one phone, one notice after the other."""

    def __init__(  # noqa: PLR0913 - what it works with, named one by one
        self,
        line: int,
        phone: PhoneEndpoint,
        *,
        store: Store,
        clock: Clock,
        writer: _NotificationWriter,
        lot: Callable[[], float],
        look: float,
        heard: Callable[[str, SendResult], Awaitable[None]],
    ) -> None:
        self.phone = phone
        self.language: Language | None = None  # None: the house's
        self._on_result = heard
        self._index = line  # which of the phones, for the log
        self._store = store
        self._clock = clock
        self._writer = writer
        self._jitter = lot
        self._poll_interval_s = look
        self._wake_event = asyncio.Event()
        self._unstored_messages: dict[int, ComposedMessage] = {}
        self._delivered: set[int] = set()  # what the phone has, as far as the store could not note it
        self._failed_numbers: set[int] = (
            set()
        )  # what failed since the phone last took something: it waits behind the rest
        self.failures = 0  # in a row
        self._retry_at_mono = 0.0  # mono

    def owes(self, number: int, message: ComposedMessage) -> None:
        """Keep a message that is not stored. Of many, others than alarms and "locked again" give way."""
        self._unstored_messages[number] = message
        quiet = [
            key for key, one in self._unstored_messages.items() if not one.urgent and one.about not in SEPARATE_KINDS
        ]
        for key in quiet[:-MAX_CACHED_MESSAGES]:
            del self._unstored_messages[key]

    def wake(self) -> None:
        """Something new is owed: try it at once, even where a try has just failed."""
        self._retry_at_mono = 0.0
        self._wake_event.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake_event.clear()
            now = self._clock.now()
            if now.mono >= self._retry_at_mono and await self._send_next(now):
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_interval_s):
                    await self._wake_event.wait()

    async def _send_next(self, now: Now) -> bool:
        """Tell the phone one group of what it is owed; False where nothing is to be told now."""
        await self._store_delivered()
        known: dict[int, ComposedMessage | Stored] = dict(self._unstored_messages)
        for stored in self._store.owed(self.phone.name, now, until=now.utc + SEND_LEASE):
            if stored.id not in self._delivered and self._writer.ready(stored, now):
                known[stored.id] = stored
        waiting = [
            PendingMessage(
                number=number, about=one.about if isinstance(one, ComposedMessage) else stored_kind(one), at=one.at
            )
            for number, one in known.items()
        ]
        ordered = group_messages(waiting, now.utc)
        if not ordered:
            return False
        untried = [group for group in ordered if not self._failed_numbers.issuperset(one.number for one in group)]
        chosen = (untried or ordered)[0]
        chosen = await self._claim(chosen, now)
        notice = self._writer.notice(chosen, known, now, self.language) if chosen else None
        if notice is None:
            return False
        await self._deliver(chosen, notice)
        return True

    async def _claim(self, group: tuple[PendingMessage, ...], now: Now) -> tuple[PendingMessage, ...]:
        """Take what nobody else tries. What cannot be noted is tried all the same: rather twice than never."""
        stored = tuple(one.number for one in group if one.number > 0)
        ours = frozenset(stored)
        if stored:
            with contextlib.suppress(StoreFailed):
                ours = await self._store.take_up(self.phone.name, stored, now, until=now.utc + SEND_LEASE)
        return tuple(one for one in group if one.number < 0 or one.number in ours)

    async def _deliver(self, group: tuple[PendingMessage, ...], notice: PhoneNotification) -> None:
        heard = await self.phone.tell(notice)
        if (
            heard is SendResult.REFUSED and notice.picture is not None
        ):  # perhaps only because of it: the words matter more
            heard = await self.phone.tell(replace(notice, picture=None))
        numbers = tuple(one.number for one in group)
        now = self._clock.now()
        if heard is SendResult.TAKEN:
            log.info("phone_told", phone=self._index, scheme=self.phone.scheme, messages=len(group),
                     late=group[-1].late(now.utc))  # fmt: skip
            self.failures, self._retry_at_mono = 0, 0.0
            self._failed_numbers.clear()
            for number in numbers:
                self._unstored_messages.pop(number, None)
            self._delivered.update(number for number in numbers if number > 0)
            await self._store_delivered()
            await self._on_result(self.phone.name, heard)
            return
        self.failures += 1
        self._failed_numbers.update(numbers)
        wait = retry_delay_s(self.failures, self._jitter())
        if not self._wake_event.is_set():  # else something new came meanwhile, and is tried at once
            self._retry_at_mono = now.mono + wait
        log.warning("phone_not_reached", phone=self._index, scheme=self.phone.scheme, heard=heard.value,
                    failures=self.failures, again_in=round(wait, 1))  # fmt: skip
        with contextlib.suppress(StoreFailed):  # then it is free when its time is over
            await self._store.put_back(self.phone.name, tuple(number for number in numbers if number > 0))
        await self._on_result(self.phone.name, heard)

    async def _store_delivered(self) -> None:
        """Note what the phone has; what the disk does not take is noted later, or told again after a restart."""
        if self._delivered:
            noted = frozenset(self._delivered)
            with contextlib.suppress(StoreFailed):
                await self._store.phone_has(self.phone.name, tuple(noted))
                self._delivered -= noted

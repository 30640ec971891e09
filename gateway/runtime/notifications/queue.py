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
from gateway.domain.delivery.permission import Standing
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Now
from gateway.runtime.notifications import action_links
from gateway.runtime.notifications.action_links import LIVES, Purpose
from gateway.runtime.notifications.apprise import LIMIT, Heard, Phone
from gateway.runtime.notifications.batching import ALONE, LISTED, Button, Notice, Waiting, groups, together, words
from gateway.runtime.notifications.composer import Wording, about
from gateway.runtime.notifications.texts import Message
from gateway.storage import Message as Stored
from gateway.storage import Store, StoreFailed
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.i18n import Language, Text, _, languages, pgettext
from gateway.system.text import unlinked

log = structlog.get_logger(__name__)

_LOTS = secrets.SystemRandom()

LOOK = 1.0  # seconds between two looks at what is owed
FIRST, LONGEST = 2.0, 300.0  # seconds until a phone that failed is tried again: after once, and at most
HELD = timedelta(seconds=2 * LIMIT + 10)  # a try, without its picture once more, and what the store takes
GRACE = timedelta(seconds=10)  # so long a stored message waits for its picture and for who hands it over
KEPT = 50  # messages kept in memory with their pictures: the newest

CARRIES: Mapping[Notification | type[AlarmCode], tuple[Purpose, ...]] = MappingProxyType({
    Notification.AT_THE_DOOR: (Purpose.VETO, Purpose.STOP),
    Notification.ASKS_FOR_YES: (Purpose.APPROVE, Purpose.VETO, Purpose.STOP),
    # brands only while nobody has decided
    Notification.NOT_OPENED: (Purpose.PERMIT, Purpose.REFUSE_BRAND, Purpose.STOP),
    Notification.NOT_READY: (Purpose.STOP,),
    Notification.DOOR_OPEN: (Purpose.STOP,),
    Notification.LOOK_AFTER_THE_DOOR: (Purpose.STOP,),
    Notification.BRAND_ASKS: (Purpose.PERMIT, Purpose.REFUSE_BRAND),
    AlarmCode: (Purpose.STOP,),  # every alarm
})  # fmt: skip
"""Which message carries which actions; what is not named carries none."""

LABELS: Mapping[Purpose, Text] = MappingProxyType({
    Purpose.STOP: _("Stop everything"),
    Purpose.APPROVE: pgettext("to do", "Open"),
    Purpose.VETO: _("Do not open"),
    Purpose.PERMIT: _("Let the brand in"),
    Purpose.REFUSE_BRAND: _("Refuse the brand"),
})  # fmt: skip


def _language(word: str | None) -> Language | None:
    return word if word in languages() else None


def backoff(failures: int, lot: float) -> float:
    """Seconds until a phone that failed so many times in a row is tried again; `lot` from 0 to 1 spreads them."""
    return float(min(LONGEST, FIRST * 2 ** min(failures - 1, 16)) * (0.5 + lot / 2))


class Pocket:
    """A `Voice` (`texts.py`) towards all phones of the owner. `key` signs links; `lot` gives 0 to 1."""

    def __init__(  # noqa: PLR0913 - what it speaks with and knows, named one by one
        self,
        home: Home,
        *,
        phones: Sequence[Phone],
        store: Store,
        clock: Clock,
        key: bytes,
        lot: Callable[[], float] = _LOTS.random,
        look: float = LOOK,
        contained: Containment | None = None,
    ) -> None:
        self._contained = contained or Containment()
        self._store = store
        self._fresh: OrderedDict[int, Message] = OrderedDict()
        self._unstored = 0
        self._clock = clock
        self._writer = _Secretary(home, store, key, self._fresh)
        self._lot, self._look = lot, look
        self._count = 0
        self._group: asyncio.TaskGroup | None = None
        self._working: dict[str, asyncio.Task[None]] = {}
        self._carriers: list[_Carrier] = []
        self.changed: Callable[[], None] = lambda: None  # called when it is known otherwise how a phone stands
        self._carry(phones)

    @property
    def phones(self) -> tuple[Phone, ...]:
        """Who is told, in the order in which they were named."""
        return tuple(carrier.phone for carrier in self._carriers)

    @property
    def failures(self) -> list[int]:
        """How often each phone failed in a row, in the order in which they were named."""
        return [carrier.failures for carrier in self._carriers]

    async def enlist(self) -> None:
        """Owe every message from now on to these phones and no others; call it before anything is decided."""
        try:
            await self._enlist()
        except StoreFailed as failure:  # those of the last start are still owed everything
            log.error("phones_not_enlisted", why=str(failure))
        spoken = {one.name: one.language for one in self._store.phones()}
        for carrier in self._carriers:
            carrier.language = _language(spoken.get(carrier.phone.name))

    async def take(self, phones: Sequence[Phone]) -> None:
        """Tell these phones from now on, and no others. One that stays is not disturbed.

        Raises:
            StoreFailed: what they are owed from now on is not stored, only told by this process.
        """
        self._carry(phones)
        self._work()
        try:
            await self._enlist()
        finally:
            self.changed()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._work()
            await asyncio.get_running_loop().create_future()  # phones may come and go; with none there is still this

    def language_of(self, name: str) -> Language | None:
        """In which language of its own a phone is told; None: the house's."""
        return next((carrier.language for carrier in self._carriers if carrier.phone.name == name), None)

    def speak(self, name: str, language: Language | None) -> None:
        """Tell a phone in a language of its own, or (None) in the house's."""
        for carrier in self._carriers:
            if carrier.phone.name == name:
                carrier.language = language
        self.changed()

    async def note_try(self, name: str, heard: Heard) -> None:
        """Note what came of telling a phone something; what the disk does not take is not known after a restart."""
        with contextlib.suppress(StoreFailed):
            await self._store.phone_tried(name, heard.value, self._clock.now(), reached=heard is Heard.TAKEN)
        self.changed()

    def _carry(self, phones: Sequence[Phone]) -> None:
        """Have one carrier for each phone."""
        known = {carrier.phone.name: carrier for carrier in self._carriers}
        carriers = []
        for phone in phones:
            carrier = known.get(phone.name)
            if carrier is None:
                self._count += 1
                carrier = _Carrier(
                    self._count, phone, store=self._store, clock=self._clock, writer=self._writer, lot=self._lot,
                    look=self._look, heard=self.note_try,
                )  # fmt: skip
            carriers.append(carrier)
        self._carriers = carriers

    def _work(self) -> None:
        """Let each carrier work, and end those of phones that are gone."""
        if self._group is None:
            return
        wanted = {carrier.phone.name: carrier for carrier in self._carriers}
        for name in self._working.keys() - wanted.keys():
            self._working.pop(name).cancel()
        for name, carrier in wanted.items():
            if name not in self._working:
                self._working[name] = self._group.create_task(
                    self._contained.keep(f"phone {carrier.phone.scheme}", carrier.run), name=f"phone {name}"
                )

    async def _enlist(self) -> None:
        await self._store.enlist([carrier.phone.name for carrier in self._carriers], self._clock.now())

    async def tell(self, message: Message) -> None:
        """Take the message and return at once. One that is not stored is owed by this process alone."""
        number = message.number
        if number is None:
            self._unstored += 1
            for carrier in self._carriers:
                carrier.owes(-self._unstored, message)
        else:
            self._fresh[number] = message
            while len(self._fresh) > KEPT:
                self._fresh.popitem(last=False)
        for carrier in self._carriers:
            carrier.wake()


class _Secretary:
    """Finds the words of what waits, and signs its links."""

    def __init__(self, home: Home, store: Store, key: bytes, fresh: Mapping[int, Message]) -> None:
        self._home = home
        self._store = store
        self._key = key
        self._fresh = fresh
        self._zone = ZoneInfo(home.timezone)
        self._wording = Wording(home, store)

    def ready(self, stored: Stored, now: Now) -> bool:
        """Whether it was handed over, or nobody will hand it over any more."""
        return stored.entrance in self._home.entrances and (
            stored.id in self._fresh or not timedelta() <= now.utc - stored.at < GRACE
        )

    def notice(
        self, group: Sequence[Waiting], known: Mapping[int, Message | Stored], now: Now, language: Language | None
    ) -> Notice | None:
        """Word a group of messages as one notice, the newest first, in the house's language or another."""
        language = language or self._home.language
        told = [
            message
            for one in reversed(group[-1 - LISTED :])
            if (message := self._message(known[one.number], now)) is not None
        ]
        if not told:
            return None
        if len(group) == 1:
            text = words(told[0], utc=now.utc, language=language, zone=self._zone)
        else:
            text = together(told, len(group), group[0].at, utc=now.utc, language=language, zone=self._zone)
        return Notice(
            title=unlinked(self._home.name),
            text=text,
            urgent=told[0].urgent,
            picture=told[0].picture,
            buttons=self._buttons(told[0], now, language),
        )

    def _message(self, known: Message | Stored, now: Now) -> Message | None:
        if isinstance(known, Message):
            return known
        return self._fresh.get(known.id) or self._wording.again(known, now)

    def _buttons(self, message: Message, now: Now, language: Language) -> tuple[Button, ...]:
        """The actions that still answer something; where phones do not reach the box's pages there are none."""
        settings = self._home.messages
        if settings is None or settings.pages is None:
            return ()
        kind = AlarmCode if isinstance(message.about, AlarmCode) else message.about
        buttons = []
        for purpose in CARRIES.get(kind, ()):
            subject, expires = self._subject(purpose, message), message.at + LIVES[purpose]
            if subject is None or now.utc >= expires:
                continue
            said = f"{message.number}\n{message.at.isoformat()}"
            nonce = action_links.nonce(said, purpose, subject, self._key)
            token = action_links.make(purpose, subject, expires, nonce, self._key)
            label = LABELS[purpose].to(language)
            buttons.append(Button(label=label, url=action_links.address(settings.pages, token)))
        return tuple(buttons)

    def _subject(self, purpose: Purpose, message: Message) -> str | None:
        """What the link is about; None where there is nothing to answer."""
        entrance = message.entrance
        if entrance is None:
            return None
        if purpose is Purpose.STOP:
            return entrance
        if purpose in {Purpose.APPROVE, Purpose.VETO}:
            return None if message.visit is None else f"{entrance}.{message.visit}"
        permission = None if message.delivery is None else self._store.permission(message.delivery.partition(".")[0])
        if permission is None or permission.standing is not Standing.PENDING:
            return None
        terms = permission.terms
        if purpose is Purpose.PERMIT and (
            not terms.let_in or terms.hub_signed or self._store.brands.guest(permission.brand)
        ):
            return None  # first its terms are to be said, and whoever nobody knows is to be looked at, on the page
        return f"{entrance}.{permission.brand}.{permission.version}"


class _Carrier:
    """Tells one phone, one notice after the other."""

    def __init__(  # noqa: PLR0913 - what it works with, named one by one
        self,
        line: int,
        phone: Phone,
        *,
        store: Store,
        clock: Clock,
        writer: _Secretary,
        lot: Callable[[], float],
        look: float,
        heard: Callable[[str, Heard], Awaitable[None]],
    ) -> None:
        self.phone = phone
        self.language: Language | None = None  # None: the house's
        self._heard = heard
        self._line = line  # which of the phones, for the log
        self._store = store
        self._clock = clock
        self._writer = writer
        self._lot = lot
        self._look = look
        self._woken = asyncio.Event()
        self._unstored: dict[int, Message] = {}
        self._has: set[int] = set()  # what the phone has, as far as the store could not note it
        self._failed: set[int] = set()  # what failed since the phone last took something: it waits behind the rest
        self.failures = 0  # in a row
        self._not_before = 0.0  # mono

    def owes(self, number: int, message: Message) -> None:
        """Keep a message that is not stored. Of many, others than alarms and "locked again" give way."""
        self._unstored[number] = message
        quiet = [key for key, one in self._unstored.items() if not one.urgent and one.about not in ALONE]
        for key in quiet[:-KEPT]:
            del self._unstored[key]

    def wake(self) -> None:
        """Something new is owed: try it at once, even where a try has just failed."""
        self._not_before = 0.0
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken.clear()
            now = self._clock.now()
            if now.mono >= self._not_before and await self._tell_one(now):
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look):
                    await self._woken.wait()

    async def _tell_one(self, now: Now) -> bool:
        """Tell the phone one group of what it is owed; False where nothing is to be told now."""
        await self._note()
        known: dict[int, Message | Stored] = dict(self._unstored)
        for stored in self._store.owed(self.phone.name, now, until=now.utc + HELD):
            if stored.id not in self._has and self._writer.ready(stored, now):
                known[stored.id] = stored
        waiting = [
            Waiting(number=number, about=one.about if isinstance(one, Message) else about(one), at=one.at)
            for number, one in known.items()
        ]
        ordered = groups(waiting, now.utc)
        if not ordered:
            return False
        untried = [group for group in ordered if not self._failed.issuperset(one.number for one in group)]
        chosen = (untried or ordered)[0]
        chosen = await self._taken_up(chosen, now)
        notice = self._writer.notice(chosen, known, now, self.language) if chosen else None
        if notice is None:
            return False
        await self._deliver(chosen, notice)
        return True

    async def _taken_up(self, group: tuple[Waiting, ...], now: Now) -> tuple[Waiting, ...]:
        """Take what nobody else tries. What cannot be noted is tried all the same: rather twice than never."""
        stored = tuple(one.number for one in group if one.number > 0)
        ours = frozenset(stored)
        if stored:
            with contextlib.suppress(StoreFailed):
                ours = await self._store.take_up(self.phone.name, stored, now, until=now.utc + HELD)
        return tuple(one for one in group if one.number < 0 or one.number in ours)

    async def _deliver(self, group: tuple[Waiting, ...], notice: Notice) -> None:
        heard = await self.phone.tell(notice)
        if heard is Heard.REFUSED and notice.picture is not None:  # perhaps only because of it: the words matter more
            heard = await self.phone.tell(replace(notice, picture=None))
        numbers = tuple(one.number for one in group)
        now = self._clock.now()
        if heard is Heard.TAKEN:
            log.info("phone_told", phone=self._line, scheme=self.phone.scheme, messages=len(group),
                     late=group[-1].late(now.utc))  # fmt: skip
            self.failures, self._not_before = 0, 0.0
            self._failed.clear()
            for number in numbers:
                self._unstored.pop(number, None)
            self._has.update(number for number in numbers if number > 0)
            await self._note()
            await self._heard(self.phone.name, heard)
            return
        self.failures += 1
        self._failed.update(numbers)
        wait = backoff(self.failures, self._lot())
        if not self._woken.is_set():  # else something new came meanwhile, and is tried at once
            self._not_before = now.mono + wait
        log.warning("phone_not_reached", phone=self._line, scheme=self.phone.scheme, heard=heard.value,
                    failures=self.failures, again_in=round(wait, 1))  # fmt: skip
        with contextlib.suppress(StoreFailed):  # then it is free when its time is over
            await self._store.put_back(self.phone.name, tuple(number for number in numbers if number > 0))
        await self._heard(self.phone.name, heard)

    async def _note(self) -> None:
        """Note what the phone has; what the disk does not take is noted later, or told again after a restart."""
        if self._has:
            noted = frozenset(self._has)
            with contextlib.suppress(StoreFailed):
                await self._store.phone_has(self.phone.name, tuple(noted))
                self._has -= noted

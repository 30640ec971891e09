"""Reads the sources of bookings in turn, each in a process of its own, and stores what they propose.

What a calendar says was written by strangers, and parsing it takes long. So nothing of it runs in the gateway: a
process with little memory and time reads it, and its answer is checked. A reading that fails changes nothing.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field

import structlog
from pydantic import ValidationError

from gateway.config.bookings import AnyBookingSource, IcsSource
from gateway.config.home import Home
from gateway.domain.frozen import replace
from gateway.domain.guests.bookings import Calendar, ReadingFailure, SourceStatus
from gateway.domain.now import Now
from gateway.domain.visit.commands import BOOKING_NOTIFICATIONS, NotifyOwner
from gateway.protocol.booking_reader import (
    ANSWER_ADAPTER,
    MAX_ANSWER_BYTES,
    ReadSource,
    SourceAnswer,
    SourceFailed,
    SourceRead,
)
from gateway.runtime.notifications.outbox import Outbox
from gateway.storage.bookings import Proposing
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.regular_file import read_text
from gateway.system.token_bucket import TokenBucket

log = structlog.get_logger(__name__)

POLL_INTERVAL_S = 5.0  # seconds between two looks at which source is due
FIRST_READING_S = 10.0  # seconds after the begin of the gateway: the doors come first
CALENDAR_INTERVAL_MIN = 30  # minutes between two readings of a calendar that the host added on the page
READING_TIMEOUT_S = 90.0  # seconds for one reading, after which its process is killed
MAX_MESSAGES_PER_DAY = 10  # to the host, of one source: what it says more often stands on the page Guests only
READER_COMMAND = (sys.executable, "-m", "gateway.integrations.bookings")


@dataclass(eq=False, repr=False)
class BookingReader:
    """Reads every source of the house and every calendar of the page in its interval, and tells the host what is new.

    `on_change` is called after each reading.
    """

    home: Home
    store: Store
    clock: Clock
    outbox: Outbox
    on_change: Callable[[], None]
    containment: Containment = field(default_factory=Containment)
    _: KW_ONLY
    command: Sequence[str] = READER_COMMAND

    def __post_init__(self) -> None:
        self._statuses = self.store.booking_sources
        self._statuses.update(dict.fromkeys(self.home.bookings, SourceStatus()))
        self._begin = self.clock.now().mono + FIRST_READING_S
        self._due: dict[str, float] = {}  # monotonic
        self._messages: dict[str, TokenBucket] = defaultdict(
            lambda: TokenBucket(MAX_MESSAGES_PER_DAY / 86400.0, MAX_MESSAGES_PER_DAY)
        )

    def _sources(self) -> Mapping[str, AnyBookingSource | Calendar]:
        """Return the sources by id; of two with one id, that of the house file."""
        return {**{one.id: one for one in self.store.bookings.calendars()}, **self.home.bookings}

    async def run(self) -> None:
        """Read what is due, one source after the other, until cancelled."""
        while True:
            for id_, source in self._sources().items():
                if self.clock.now().mono < self._due.get(id_, self._begin):
                    continue
                interval_min = CALENDAR_INTERVAL_MIN if isinstance(source, Calendar) else source.interval
                with self.containment.piece("bookings", id_):
                    await self.read(id_)
                self._due[id_] = self.clock.now().mono + 60.0 * interval_min
            await asyncio.sleep(POLL_INTERVAL_S)

    async def read(self, id_: str) -> None:
        """Read one source and store what it proposes. Without trusted time nothing is read."""
        source, now = self._sources().get(id_), self.clock.now()
        if source is None or not now.trusted:
            return
        answer = await self._ask(id_, source)
        if id_ not in self._sources():  # the host removed it meanwhile
            return
        if isinstance(answer, SourceFailed):
            before = self._statuses.get(id_, SourceStatus())
            log.warning("bookings_not_read", source=id_, why=answer.why.value)
            self._statuses[id_] = replace(before, why=answer.why, failed_since=before.failed_since or now.utc)
        else:
            try:
                await self._take(id_, source, answer)
            except StoreFailed as failure:
                log.error("bookings_not_stored", source=id_, why=str(failure))
                return
            self._statuses[id_] = SourceStatus(read_at=now.utc)
        self.on_change()

    async def _take(self, id_: str, source: AnyBookingSource | Calendar, answer: SourceRead) -> None:
        """Store a good reading with its messages, and send these. Raises `StoreFailed`."""
        now, limit = self.clock.now(), self._messages[id_]
        first = next(iter(self.home.entrances), None)
        is_told = limit.has(now.mono, len(BOOKING_NOTIFICATIONS))
        if not is_told:
            log.warning("bookings_not_told", source=id_, most=MAX_MESSAGES_PER_DAY)
        how = proposing(self.home, id_, source, tell_at=first if is_told else None)
        for message in await self.store.bookings.take_reading(how, answer.reading(), now):
            limit.take(now.mono)
            command = NotifyOwner(notification=message.about, detail=message.detail)
            self.outbox.notify_of_delivery(command, how.tell_at or "", now, message=message.number, delivery=None)

    async def _ask(self, id_: str, source: AnyBookingSource | Calendar) -> SourceAnswer:
        try:
            request = self._request(id_, source)
        except (OSError, ValueError):
            return SourceFailed(why=ReadingFailure.FILE)
        return await ask_reader(self.command, request)

    def _request(self, id_: str, source: AnyBookingSource | Calendar) -> ReadSource:
        """Return the request to read a source. OSError, ValueError: one of its files cannot be read."""
        if isinstance(source, Calendar):
            return calendar_request(self.home, source, self.clock.now())
        read = ReadSource(
            kind=source.kind, source=id_, private=source.private, zone=self.home.timezone, now=self.clock.now().utc,
            authority=None if source.authority is None else read_text(source.authority),
        )  # fmt: skip
        if isinstance(source, IcsSource):
            address = None if source.address_file is None else _first_line(read_text(source.address_file))
            more = {
                "address": address, "file": source.file, "arrival": source.arrival, "departure": source.departure,
            }  # fmt: skip
            return read.model_copy(update=more)
        secret = _first_line(read_text(source.key_file))
        return read.model_copy(update={"address": source.address, "secret": secret, "device": source.device})


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "").strip()


def proposing(home: Home, id_: str, source: AnyBookingSource | Calendar, *, tell_at: str | None = None) -> Proposing:
    """Return what the bookings of a source propose in this house."""
    is_calendar = isinstance(source, Calendar)
    entrances, admitting = frozenset(source.entrances), frozenset(home.guest_entrances)
    if is_calendar and entrances:
        entrances &= admitting  # the house file may have lost an entrance since the host chose it
    else:
        entrances = entrances or admitting
    return Proposing(
        source=id_, entrances=entrances, stays=isinstance(source, Calendar) or source.stays, tell_at=tell_at,
        is_calendar=is_calendar,
    )  # fmt: skip


def calendar_request(home: Home, calendar: Calendar, now: Now) -> ReadSource:
    """Return the request to read a calendar that the host added: never from a private network."""
    return ReadSource(
        kind="ics", source=calendar.id, address=calendar.address, zone=home.timezone, arrival=calendar.arrival,
        departure=calendar.departure, now=now.utc,
    )  # fmt: skip


async def ask_reader(
    command: Sequence[str], request: ReadSource, *, timeout_s: float = READING_TIMEOUT_S
) -> SourceAnswer:
    """Have a process read a source; return its answer, which is checked as a stranger's."""
    data = await run_reader(command, request.model_dump_json().encode(), timeout_s=timeout_s)
    try:
        return ANSWER_ADAPTER.validate_json(data)
    except ValidationError:
        return SourceFailed(why=ReadingFailure.CRASHED)


async def run_reader(command: Sequence[str], request: bytes, *, timeout_s: float = READING_TIMEOUT_S) -> bytes:
    """Return what the process answers; nothing if it cannot be started, is too slow or says too much."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    except OSError as failure:
        log.warning("bookings_reader_not_started", why=str(failure))
        return b""
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(process, request)
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _exchange(process: Process, request: bytes) -> bytes:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101 - the same
    process.stdin.write(request)
    await process.stdin.drain()
    process.stdin.close()
    data = bytearray()
    while piece := await process.stdout.read(1 << 16):
        data += piece
        if len(data) > MAX_ANSWER_BYTES:
            return b""
    return bytes(data)

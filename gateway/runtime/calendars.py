"""Adds and removes the calendars whose addresses the host pastes on the page Guests. The page checks his rights.

An address is a credential: who knows it reads the names and dates of the host's guests. So it is tried before it is
stored, it is stored once, and neither a page nor a log shows more of it than its server.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

from gateway.config.home import Home
from gateway.domain.guests.bookings import (
    Calendar,
    CalendarProblem,
    Reading,
    ReadingFailure,
    SourceStatus,
    calendar_problem,
)
from gateway.protocol.booking_reader import SourceFailed
from gateway.runtime.bookings import READER_COMMAND, ask_reader, calendar_request, proposing
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.token_bucket import SlidingWindow

TRY_TIMEOUT_S = 45.0  # seconds: the host waits for the answer
MAX_TRIES_PER_HOUR = 20


@dataclass(eq=False, repr=False)
class CalendarService:
    """The calendars of one house. Its methods raise `StoreFailed` without the disk."""

    home: Home
    store: Store
    clock: Clock
    _: KW_ONLY
    command: Sequence[str] = READER_COMMAND
    _trying: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tries: SlidingWindow = field(default_factory=lambda: SlidingWindow(MAX_TRIES_PER_HOUR, 3600.0))

    async def add(self, new: Calendar, by: str | None) -> Reading | CalendarProblem | ReadingFailure:
        """Try a calendar, and store it with what it proposes if it can be read; return that, or why it is not added.

        No message is sent of this first reading: the host sees it.
        """
        problem = self._problem(new)
        if problem is not None:
            return problem
        if self._trying.locked() or not self._tries.take(self.clock.now().mono):
            return CalendarProblem.TOO_OFTEN
        async with self._trying:
            request = calendar_request(self.home, new, self.clock.now())
            answer = await ask_reader(self.command, request, timeout_s=TRY_TIMEOUT_S)
        if isinstance(answer, SourceFailed):
            return answer.why
        now, reading = self.clock.now(), answer.reading()
        how = proposing(self.home, new.id, new)
        if not await self.store.bookings.add_calendar(new, how, reading, now, by=by):
            return CalendarProblem.TAKEN
        self.store.booking_sources[new.id] = SourceStatus(read_at=now.utc)
        return reading

    def _problem(self, new: Calendar) -> CalendarProblem | None:
        known = {one.id for one in self.store.bookings.calendars()}
        if not self.clock.now().trusted:
            return CalendarProblem.CLOCK_UNTRUSTED
        return calendar_problem(new, known | self.home.bookings.keys(), len(known))

    async def remove(self, ident: str, by: str | None) -> bool:
        """Remove a calendar, with what it proposed and nobody accepted; False: there is none."""
        is_removed = await self.store.bookings.remove_calendar(ident, self.clock.now(), by=by)
        if is_removed and ident not in self.home.bookings:
            self.store.booking_sources.pop(ident, None)
        return is_removed

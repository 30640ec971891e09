"""`python -m gateway.integrations.bookings`: reads one `ReadSource` from standard input and writes one answer.

Little memory and processor time, no core file, and after everything else on the machine: what is read was written by
strangers.
"""

import asyncio
import contextlib
import os
import resource
import ssl
import sys
from datetime import UTC, time
from typing import Final
from zoneinfo import ZoneInfo

from gateway.domain.guests.bookings import Reading, ReadingFailure
from gateway.integrations.bookings.fetch import Fetcher, SourceUnread, read_file
from gateway.integrations.bookings.ics import CalendarUnreadable, read_calendar
from gateway.integrations.bookings.seam import SEAM_URL, read_seam
from gateway.protocol.booking_reader import ReadSource, SourceFailed, SourceRead
from gateway.system.destinations import DestinationPolicy

NICENESS: Final = 10
MAX_MEMORY_BYTES: Final = 1 << 30  # of address space
MAX_PROCESSOR_S: Final = 20
MAX_REQUEST_BYTES: Final = 1 << 20


async def read_source(request: ReadSource) -> Reading:
    """Read a source; raise `SourceUnread`."""
    if request.kind == "ics" and request.file is not None:
        return _calendar(read_file(request.file), request)
    policy = DestinationPolicy(private=request.private)
    try:
        tls = None if request.authority is None else ssl.create_default_context(cadata=request.authority)
    except (ssl.SSLError, ValueError) as error:
        raise SourceUnread(ReadingFailure.FILE) from error
    async with Fetcher(policy, tls) as fetcher:
        if request.kind == "ics":
            return _calendar(await fetcher.get(request.address or ""), request)
        return await read_seam(
            fetcher, request.address or SEAM_URL, request.secret or "", device=request.device, source=request.source,
            now=request.now.astimezone(UTC),
        )  # fmt: skip


def _calendar(text: bytes, request: ReadSource) -> Reading:
    try:
        return read_calendar(
            text, source=request.source, zone=ZoneInfo(request.zone), arrival=time.fromisoformat(request.arrival),
            departure=time.fromisoformat(request.departure), now=request.now.astimezone(UTC),
        )  # fmt: skip
    except CalendarUnreadable as error:
        raise SourceUnread(ReadingFailure.UNREADABLE) from error


def main() -> None:
    """Answer one request."""
    with contextlib.suppress(PermissionError):  # the unit of a service may forbid it
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_PROCESSOR_S, MAX_PROCESSOR_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = ReadSource.model_validate_json(sys.stdin.buffer.read(MAX_REQUEST_BYTES))
    try:
        answer: SourceRead | SourceFailed = SourceRead.of(asyncio.run(read_source(request)))
    except SourceUnread as error:
        answer = SourceFailed(why=error.why)
    sys.stdout.write(answer.model_dump_json() + "\n")


if __name__ == "__main__":
    main()

"""The internet cable: what passes, what stands still while it is out, and what never arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.demo.page.cable import CableRelay
from tests.waiting import assert_stays, wait_until

SOON = 30.0  # seconds for what must come
QUIET = 0.2  # seconds in which nothing may come


@dataclass
class Far:
    """The far end: it answers each line with the same in capitals."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.readline():
            self.heard.append(data)
            writer.write(data.upper())
        self.ended += 1
        writer.close()


@asynccontextmanager
async def far() -> AsyncIterator[Far]:
    end = Far()
    async with await asyncio.start_server(end.serve, "127.0.0.1", 0) as server:
        end.port = server.sockets[0].getsockname()[1]
        yield end


@asynccontextmanager
async def near(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def line(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SOON):
        return await reader.readline()


async def test_what_is_said_at_one_end_is_heard_at_the_other_and_answered() -> None:
    async with far() as end, CableRelay() as cable, near(await cable.connect(end.port)) as (reader, writer):
        writer.write(b"one\n")
        assert await line(reader) == b"ONE\n"
        writer.write_eof()
        assert await line(reader) == b""
        await wait_until(lambda: end.ended == 1)


async def test_a_pulled_cable_carries_nothing_and_goes_on_when_it_is_back() -> None:
    async with far() as end, CableRelay() as cable, near(await cable.connect(end.port)) as (reader, writer):
        writer.write(b"one\n")
        await line(reader)
        cable.pull()
        assert not cable.is_plugged
        writer.write(b"two\n")
        await assert_stays(lambda: end.heard == [b"one\n"], QUIET)
        cable.plug()
        assert await line(reader) == b"TWO\n"


async def test_a_connection_made_while_it_is_out_reaches_nobody_until_it_is_back() -> None:
    async with far() as end, CableRelay() as cable:
        port = await cable.connect(end.port)
        cable.pull()
        async with near(port) as (reader, writer):
            writer.write(b"one\n")
            await assert_stays(lambda: end.heard == [], QUIET)
            cable.plug()
            assert await line(reader) == b"ONE\n"


async def test_what_its_sender_gave_up_on_while_it_was_out_never_arrives() -> None:
    """Half-open: the near end has gone, the far end cannot know it yet."""
    async with far() as end, CableRelay() as cable:
        port = await cable.connect(end.port)
        async with near(port) as (reader, writer):
            writer.write(b"one\n")
            await line(reader)
            cable.pull()
            writer.write(b"two\n")
        async with near(port) as (_, writer):
            writer.write(b"three\n")
        await assert_stays(lambda: end.ended == 0, QUIET)
        cable.plug()
        await wait_until(lambda: end.ended == 1)
        assert end.heard == [b"one\n"]


async def test_an_answer_stands_still_too() -> None:
    async with far() as end, CableRelay() as cable, near(await cable.connect(end.port)) as (reader, writer):
        writer.write(b"one\n")
        await line(reader)
        writer.write(b"two\n")
        async with asyncio.timeout(SOON):
            while len(end.heard) < 2:
                cable.plug()
                await asyncio.sleep(0)
                cable.pull()
        cable.plug()
        assert await line(reader) == b"TWO\n"


async def test_nobody_at_the_far_end_is_a_connection_that_ends() -> None:
    async with far() as end:
        port = end.port
    async with CableRelay() as cable, near(await cable.connect(port)) as (reader, _):
        assert await line(reader) == b""


async def test_leaving_it_ends_whatever_it_carries() -> None:
    async with far() as end:
        async with CableRelay() as cable:
            reader, writer = await asyncio.open_connection("127.0.0.1", await cable.connect(end.port))
            writer.write(b"one\n")
            await line(reader)
            cable.pull()
            writer.write(b"two\n")
        assert await line(reader) == b""
        writer.close()
        await wait_until(lambda: end.ended == 1)

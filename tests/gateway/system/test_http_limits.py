"""One client cannot hold the loop by requests that it sends ahead: by plain HTTP and by TLS, with aiohttp's server."""

import asyncio
import contextlib
import itertools
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from gateway.system.http_limits import MAX_WAITING_REQUESTS, BoundedReader, RequestTurns, limit_requests
from tests.certified import make_certificate

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
NO_MIDDLEWARE = b"GET / HTTP/1.1\r\nHost: here\r\nExpect: the-unexpected\r\n\r\n"


@dataclass
class Served:
    """A server whose handlers wait for nothing. `most`: requests that it began within one turn of its loop."""

    port: int
    tls: ssl.SSLContext | None
    began: int = 0
    most: int = 0

    async def watch(self) -> None:
        """Look at each turn of the loop, until cancelled."""
        while True:
            before = self.began
            await asyncio.sleep(0)
            self.most = max(self.most, self.began - before)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Come as a client."""
        name = None if self.tls is None else "localhost"
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname=name)


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and its client's."""
    authority, chain, key = make_certificate(folder, "localhost")
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(chain, key)
    client = ssl.create_default_context(cafile=str(authority))
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which wants more of a test's certificate
    return own, client


@asynccontextmanager
async def served(folder: Path | None) -> AsyncIterator[Served]:
    """Serve; by TLS if there is a folder for its files."""

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    own, client = (None, None) if folder is None else _contexts(folder)
    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    answer = runner.server.request_handler

    async def counted(request: web.BaseRequest) -> web.StreamResponse:
        at.began += 1
        return await answer(request)

    runner.server.request_handler = counted
    limit_requests(runner.server)
    server = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0, ssl=own)
    at = Served(server.sockets[0].getsockname()[1], client)
    watching = asyncio.create_task(at.watch())
    try:
        yield at
    finally:
        watching.cancel()
        server.close()
        await runner.cleanup()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionError):  # of what it did not read it is told by a reset
        return await reader.read()
    return b""


@pytest.mark.parametrize("said", [REQUEST, NO_MIDDLEWARE], ids=["a request", "one that reaches no middleware"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_of_three_hundred_requests_sent_at_once_one_is_answered_and_the_connection_closed(
    tmp_path: Path, said: bytes, tls: bool
) -> None:
    async with asyncio.timeout(30), served(tmp_path if tls else None) as at:
        callers = [await at.connect() for _ in range(8)]
        for _, writer in callers:
            writer.write(said * 330)
        for reader, writer in callers:
            await until_closed(reader)
            writer.close()
        assert at.most == 1
        assert 8 <= at.began <= 8 * (1 + MAX_WAITING_REQUESTS)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_what_came_last_is_not_answered_by_a_connection_that_sent_too_much_and_the_first_is_answered_whole(
    tmp_path: Path, tls: bool
) -> None:
    async with asyncio.timeout(30), served(tmp_path if tls else None) as at:
        reader, writer = await at.connect()
        writer.write(REQUEST * (2 + MAX_WAITING_REQUESTS))
        said = await until_closed(reader)
        writer.close()
    assert said.count(b"HTTP/1.1 200 OK") == 1
    assert said.endswith(b"here")


async def test_a_client_that_sends_one_request_after_another_keeps_its_connection() -> None:
    async with asyncio.timeout(30), served(None) as at:
        reader, writer = await at.connect()
        for _ in range(50):
            writer.write(REQUEST)
            assert b" 200 OK" in await reader.readuntil(b"here")
        writer.write(REQUEST * (1 + MAX_WAITING_REQUESTS))  # one is answered, one waits: as a proxy may do
        for _ in range(1 + MAX_WAITING_REQUESTS):
            assert b" 200 OK" in await reader.readuntil(b"here")
        writer.close()


@pytest.mark.parametrize("each", [1, 3])
async def test_who_comes_in_the_turn_in_which_the_last_that_waited_begins_waits_for_the_next(
    monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    turns, turn, begun, asking = RequestTurns(each), 0, list[int](), list[asyncio.Task[None]]()
    plain = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public is called once a turn

    async def ask() -> None:
        await turns.take()
        begun.append(turn)

    def counted_turn(loop: asyncio.BaseEventLoop) -> None:
        nonlocal turn
        turn += 1
        plain(loop)

    waves = (2, 0, 1, 1, 0, 1, 0, 0, 0, 4, 0, 1, 1, 1)
    monkeypatch.setattr(asyncio.BaseEventLoop, "_run_once", counted_turn)
    async with asyncio.timeout(10):
        for together in waves:
            asking += [asyncio.create_task(ask()) for _ in range(each * together)]
            await asyncio.sleep(0)
        await asyncio.gather(*asking)
    assert len(begun) == each * sum(waves)
    assert max(Counter(begun).values()) == each, begun


async def test_each_begins_in_a_turn_of_its_own_and_who_left_is_passed_over() -> None:
    turns, begun = RequestTurns(), list[int]()

    async def ask(number: int) -> None:
        await turns.take()
        begun.append(number)

    async with asyncio.timeout(10):
        asking = [asyncio.create_task(ask(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert begun == [0]
        asking[1].cancel()
        seen = [len(begun)]
        while len(begun) < 4:
            await asyncio.sleep(0)
            seen.append(len(begun))
        assert begun == [0, 2, 3, 4]
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(seen))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await turns.take()  # at once again: nobody waits
        await asyncio.gather(*asking, return_exceptions=True)


class _Heard(asyncio.Protocol):
    """All that came."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.ended.set()


async def test_what_comes_at_once_in_several_records_of_tls_is_read_as_it_was_sent(tmp_path: Path) -> None:
    own, client = _contexts(tmp_path)
    heard, sent = _Heard(), [f"piece {number};".encode() * number for number in range(1, 60)]
    server = await asyncio.get_running_loop().create_server(lambda: BoundedReader(heard), "127.0.0.1", 0, ssl=own)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")
    for piece in sent:
        writer.write(piece)  # each write is a record
    writer.close()
    async with asyncio.timeout(10):
        await heard.ended.wait()
    assert heard.data == b"".join(sent)
    server.close()

"""Connections that take and give nothing: they are bounded in count and time, and nobody keeps all others out."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web

from gateway.pagescertificate import certificate
from gateway.web.porch import PIECE, Porch, heard, listening
from tests.gateway.delivery.shop import NOW
from tests.shell.box import running
from tests.shell.parts import until

LONG = 30.0
HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def porch(
    *, context: ssl.SSLContext | None = None, most: int = 8, each: int = 8, patience: float = LONG
) -> AsyncIterator[int]:
    """A server behind a porch; its port."""

    async def page(request: web.BaseRequest) -> web.Response:
        heard(request)  # type: ignore[arg-type]  # a server without an application makes the simpler kind
        return web.Response(text="hello")

    server = web.Server(page)
    made = Porch(server, most=most, each=each, patience=patience)
    with listening("127.0.0.1", 0) as at:
        async with running(made.receive(at, context)):
            yield at.getsockname()[1]
        await server.shutdown(1.0)
        await made.close()


Call = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextmanager
def held(*calls: Call) -> Iterator[None]:
    """Connections that stay open until the block ends."""
    try:
        yield
    finally:
        for _, writer in calls:
            writer.close()


async def call(port: int, said: bytes = b"") -> Call:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    return reader, writer


async def hung_up(one: Call) -> bool:
    """Whether the other end hangs up; never True by chance, and soon where it is so."""
    try:
        async with asyncio.timeout(LONG):
            return await one[0].read() == b""
    except ConnectionError:
        return True


async def answered(one: Call) -> bool:
    async with asyncio.timeout(LONG):
        return b"200 OK" in await one[0].readline()


async def test_who_says_nothing_or_only_half_is_hung_up_on() -> None:
    async with porch(patience=0.1) as port:
        calls = [await call(port, said) for said in (b"", b"GET / HT", HELLO[:-2])]
        with held(*calls):
            for one in calls:
                assert await hung_up(one)


async def test_who_asked_once_is_not_hurried() -> None:
    async with porch(patience=0.1) as port:
        one, silent = await call(port, HELLO), await call(port)
        with held(one, silent):
            assert await answered(one)
            assert await hung_up(silent)  # which came later
            while await one[0].readline() != b"\r\n":
                pass
            await one[0].readexactly(5)
            one[1].write(HELLO)
            assert await answered(one)


async def test_too_many_connections_are_hung_up_on_and_room_is_room_again() -> None:
    async with porch(most=3) as port:
        inside = [await call(port, HELLO) for _ in range(3)]
        with held(*inside):
            for one in inside:
                assert await answered(one)
            late = await call(port, HELLO)
            with held(late):
                assert await hung_up(late)
        seen = asyncio.Event()

        async def comes_in() -> None:
            while not seen.is_set():
                again = await call(port, HELLO)
                with held(again):
                    if not await hung_up_or_silent(again):
                        seen.set()

        async with asyncio.timeout(LONG):
            await comes_in()


async def hung_up_or_silent(one: Call) -> bool:
    try:
        return await one[0].readline() == b""
    except ConnectionError:
        return True


async def test_one_place_cannot_keep_the_others_out() -> None:
    async with porch(most=8, each=2) as port:
        inside = [await call(port, HELLO) for _ in range(2)]
        with held(*inside):
            for one in inside:
                assert await answered(one)
            greedy = await call(port, HELLO)
            neighbour = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            with held(greedy, neighbour):
                assert await hung_up(greedy)
                neighbour[1].write(HELLO)
                assert await answered(neighbour)


async def test_who_never_shakes_hands_counts_and_is_hung_up_on(tmp_path: Path) -> None:
    context = certificate(tmp_path, box="box", names=["127.0.0.1"], now=NOW.utc).context()
    async with porch(context=context, most=2, patience=0.3) as port:
        calls = [await call(port) for _ in range(2)]
        with held(*calls):
            for one in calls:
                assert await hung_up(one)
        nonsense = await call(port, HELLO)
        with held(nonsense):
            assert b"HTTP" not in await nonsense[0].read()
        trusting = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        with held((reader, writer)):
            writer.write(HELLO)
            assert await answered((reader, writer))


async def test_who_says_much_at_once_is_heard_in_pieces() -> None:
    pieces: list[int] = []

    class Listener(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            pieces.append(len(data))

    with listening("127.0.0.1", 0) as at:
        made = Porch(Listener, patience=LONG)
        async with running(made.receive(at, None)):
            one = await call(at.getsockname()[1], b"x" * 1_000_000)
            with held(one):
                await until(lambda: sum(pieces) == 1_000_000, within=LONG)
        await made.close()
    assert max(pieces) <= PIECE


async def test_a_thousand_silent_connections_take_no_more_than_their_share() -> None:
    servers: list[asyncio.Protocol] = []
    server = web.Server(lambda _request: asyncio.sleep(0, web.Response()))

    def made() -> asyncio.Protocol:
        servers.append(server())
        return servers[-1]

    with listening("127.0.0.1", 0) as at:
        full = Porch(made, most=5, each=5, patience=LONG)
        async with running(full.receive(at, None)):
            calls = [await call(at.getsockname()[1]) for _ in range(100)]
            with held(*calls):
                ends = [asyncio.create_task(hung_up(one)) for one in calls]
                await until(lambda: sum(end.done() for end in ends) == 95, within=LONG)
                assert len(servers) == 5
        await server.shutdown(1.0)
        await full.close()
        await asyncio.gather(*ends)

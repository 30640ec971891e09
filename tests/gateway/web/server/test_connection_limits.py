"""Connections that take and give nothing: they are bounded in count and time, and nobody keeps all others out."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web

from gateway.system.http_limits import CONNECTION_BURST_S, MAX_CONNECTIONS_PER_SECOND, MAX_READ_BYTES
from gateway.system.pki.pages import pages_certificate
from gateway.web.server.connection_limits import ConnectionLimiter, ConnectionLimits, listen_socket
from tests.gateway.domain.delivery.shop import NOW
from tests.shell.box import run_tasks
from tests.waiting import assert_stays, wait_until

LONG = 30.0
HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SIGNED_IN = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: session=x\r\n\r\n"


@asynccontextmanager
async def porch(  # noqa: PLR0913 - the limits that are tried
    *,
    context: ssl.SSLContext | None = None,
    most: int = 8,
    each: int = 8,
    reserved: int = 0,
    patience: float = LONG,
    stay: float = LONG,
    rest: asyncio.Event | None = None,
) -> AsyncIterator[int]:
    """A server behind a porch, to which whoever brings a cookie is signed in; its port. `rest`: it answers after it."""

    async def page(request: web.BaseRequest) -> web.Response:
        made.count_request(request, signed_in="session" in request.cookies)
        if rest is not None:
            await rest.wait()
        return web.Response(text="hello")

    server = web.Server(page)
    limits = ConnectionLimits(
        connections=most, per_network=each, reserved=reserved, request_timeout_s=patience, stranger_lifetime_s=stay
    )
    made = ConnectionLimiter(server, limits)
    with listen_socket("127.0.0.1", 0) as at:
        async with run_tasks(made.accept(at, context)):
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


async def call(port: int, said: bytes = b"", *, place: str = "127.0.0.1") -> Call:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(place, 0))
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
        inside = [await call(port, SIGNED_IN) for _ in range(3)]
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
        inside = [await call(port, SIGNED_IN) for _ in range(2)]
        with held(*inside):
            for one in inside:
                assert await answered(one)
            greedy = await call(port, HELLO)
            neighbour = await call(port, place="127.0.0.2")
            with held(greedy, neighbour):
                assert await hung_up(greedy)
                neighbour[1].write(HELLO)
                assert await answered(neighbour)


async def test_who_never_shakes_hands_counts_and_is_hung_up_on(tmp_path: Path) -> None:
    context = pages_certificate(tmp_path, box="box", names=["127.0.0.1"], now=NOW.utc).context()
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

    with listen_socket("127.0.0.1", 0) as at:
        made = ConnectionLimiter(Listener, ConnectionLimits(request_timeout_s=LONG))
        async with run_tasks(made.accept(at, None)):
            one = await call(at.getsockname()[1], b"x" * 1_000_000)
            with held(one):
                await wait_until(lambda: sum(pieces) == 1_000_000, within=LONG)
        await made.close()
    assert max(pieces) <= MAX_READ_BYTES


async def test_a_thousand_silent_connections_take_no_more_than_their_share() -> None:
    servers: list[web.RequestHandler] = []
    server = web.Server(lambda _request: asyncio.sleep(0, web.Response()))

    def made() -> asyncio.Protocol:
        servers.append(server())
        return servers[-1]

    with listen_socket("127.0.0.1", 0) as at:
        full = ConnectionLimiter(
            made, ConnectionLimits(connections=5, per_network=5, reserved=0, request_timeout_s=LONG)
        )
        async with run_tasks(full.accept(at, None)):
            calls = [await call(at.getsockname()[1]) for _ in range(100)]
            with held(*calls):
                ends = [asyncio.create_task(hung_up(one)) for one in calls]
                await wait_until(lambda: sum(end.done() for end in ends) == 95, within=LONG)
                assert sum(end.done() for end in ends[-5:]) == 0, "those stay that came last"
                await wait_until(lambda: sum(one.connected for one in servers) <= 5, within=LONG)
        await server.shutdown(1.0)
        await full.close()
        await asyncio.gather(*ends)


# ---- who makes room for whom ----------------------------------------------------------------------------------------


async def test_three_addresses_that_hold_all_room_do_not_keep_out_who_was_signed_in_of_late() -> None:
    async with porch(most=24, each=9, reserved=6) as port:
        home = await call(port, SIGNED_IN)
        with held(home):
            assert await answered(home)
        crowd = [await call(port, HELLO, place=f"127.0.0.{10 + number % 3}") for number in range(27)]
        with held(*crowd):
            for _ in range(25):
                owner = await call(port, SIGNED_IN)
                with held(owner):
                    assert await answered(owner)


async def test_who_comes_for_the_first_time_takes_the_place_of_the_oldest_of_those_who_hold_most() -> None:
    async with porch(most=5, each=4, reserved=1) as port:
        alone = await call(port, HELLO, place="127.0.0.9")
        crowd = [await call(port, HELLO, place="127.0.0.10") for _ in range(3)]
        with held(alone, *crowd):
            for one in (alone, *crowd):
                assert await answered(one)
            owner = await call(port, SIGNED_IN)
            with held(owner):
                assert await answered(owner)
                await read_whole(crowd[0])
                assert await hung_up(crowd[0])
                for one in (alone, *crowd[1:]):
                    await read_whole(one)
                    one[1].write(HELLO)
                    assert await answered(one), "nobody else is hung up on"


async def test_nobody_makes_room_for_a_stranger_who_is_signed_in() -> None:
    async with porch(most=2, each=2) as port:
        inside = [await call(port, SIGNED_IN) for _ in range(2)]
        with held(*inside):
            for one in inside:
                assert await answered(one)
            stranger = await call(port, HELLO, place="127.0.0.2")
            with held(stranger):
                assert await hung_up(stranger)
            for one in inside:
                await read_whole(one)
                one[1].write(SIGNED_IN)
                assert await answered(one)


async def test_a_stranger_s_connection_lasts_for_a_while_and_that_of_who_is_signed_in_for_as_long_as_he_likes() -> None:
    async with porch(stay=0.3) as port:
        owner, stranger = await call(port, SIGNED_IN), await call(port, HELLO)
        with held(owner, stranger):
            for one in (owner, stranger):
                assert await answered(one)
                await read_whole(one)
            assert await hung_up(stranger)
            owner[1].write(SIGNED_IN)
            assert await answered(owner)
            await read_whole(owner)
            owner[1].write(HELLO)  # he has signed out
            assert await answered(owner)
            await read_whole(owner)
            assert await hung_up(owner)


async def test_what_a_stranger_is_being_answered_is_answered_when_his_time_is_over() -> None:
    rest, stay = asyncio.Event(), 0.1
    async with porch(stay=stay, rest=rest) as port:
        stranger = reader, _ = await call(port, HELLO)
        with held(stranger):
            await assert_stays(lambda: not reader.at_eof() and reader.exception() is None, 3 * stay, "hung up on")
            rest.set()
            assert await answered(stranger)
            await read_whole(stranger)
            assert await hung_up(stranger)


async def test_who_makes_connection_after_connection_is_hung_up_on_unheard() -> None:
    burst = int(MAX_CONNECTIONS_PER_SECOND * CONNECTION_BURST_S)
    async with porch() as port:
        refused = 0
        for _ in range(3 * burst):
            one = await call(port, HELLO)
            with held(one):
                refused += await hung_up_or_silent(one)
        assert refused > burst / 2


async def read_whole(one: Call) -> None:
    """Read an answer of this server to its end."""
    async with asyncio.timeout(LONG):
        while await one[0].readline() not in (b"\r\n", b""):
            pass
        await one[0].readexactly(5)

"""Strangers who open connections and ask nothing, or never come to an end."""

import asyncio
import contextlib
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from gateway.hub.config import HubFile, Limits
from gateway.hub.http.connection_limits import NETWORK_LIMIT_FACTOR, RESERVED_FILES, HubConnection, HubConnectionLimiter
from gateway.system.http_limits import CONNECTION_BURST_S
from tests.hubs import HIGH_LIMITS, RunningHub, hub_file, run_hub
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
SHORT_S = 0.5  # seconds that each part of a request may take
TRICKLE_S = 0.05  # seconds from one character to the next; 600 of them take far longer than `SHORT_S`
FEW = Limits(**{**HIGH_LIMITS.model_dump(), "connections": 5})


@contextlib.asynccontextmanager
async def hub_with(
    file: HubFile, *, asks: float = 60, sends: float = 60, idle: float = 60
) -> AsyncIterator[RunningHub]:
    async with run_hub(file) as hub:
        there = hub.hub.site.connection_limiter
        there.request_start_timeout_s, there.request_end_timeout_s, there.idle_timeout_s = asks, sends, idle
        yield hub


async def connected(hub: RunningHub) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = urlsplit(hub.url)
    return await asyncio.open_connection(at.hostname, at.port)


async def ended(reader: asyncio.StreamReader, seconds: float = 5) -> bool:
    """Whether it is let go within so long."""
    try:
        async with asyncio.timeout(seconds):
            await reader.read()
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


async def test_one_address_has_so_many_connections_and_another_place_is_free_as_soon_as_one_goes(
    tmp_path: Path,
) -> None:
    async with hub_with(hub_file(tmp_path, limits=FEW)) as hub:
        held = [await connected(hub) for _ in range(5)]
        await wait_until(lambda: len(hub.hub.site.connection_limiter.connections) == 5)
        reader, writer = await connected(hub)
        assert await ended(reader)
        writer.close()
        held[0][1].close()
        await wait_until(lambda: len(hub.hub.site.connection_limiter.connections) == 4)
        async with hub.http.get("/healthz") as answer:
            assert answer.status == 200
        for _, other in held:
            other.close()
        await hub.http.close()
        await wait_until(
            lambda: (
                not hub.hub.site.connection_limiter.connections and not hub.hub.site.connection_limiter.networks.open
            )
        )


class Came(asyncio.Transport):
    """A connection from anywhere."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1)})
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        """Close nothing."""


async def test_a_stranger_with_65536_networks_of_ipv6_does_not_take_the_places_of_all() -> None:
    threshold, kept = HubConnectionLimiter(max_per_address=5), []
    config = Config(lambda: None, ws="none", lifespan="off", log_config=None)
    for number in range(100):
        guest, came = HubConnection(threshold, config, ServerState()), Came(f"2001:db8:7:{number:x}::1")
        guest.connection_made(came)
        if not came.aborted:
            kept.append(guest)
    assert len(kept) == 5 * NETWORK_LIMIT_FACTOR
    for address, let_in in (("2001:db8:8::1", True), ("192.0.2.1", True), ("2001:db8:7:ffff::1", False)):
        guest, came = HubConnection(threshold, config, ServerState()), Came(address)
        guest.connection_made(came)
        assert came.aborted is not let_in, address
        guest.connection_lost(None)
    for guest in kept:
        guest.connection_lost(None)
    assert not threshold.connections
    assert not threshold.networks.open


async def test_behind_a_proxy_all_come_from_one_address(tmp_path: Path) -> None:
    file = hub_file(tmp_path, limits=FEW)
    file = file.model_copy(update={"listen": file.listen.model_copy(update={"behind_proxy": True})})
    async with hub_with(file) as hub:
        held = [await connected(hub) for _ in range(20)]
        await wait_until(lambda: len(hub.hub.site.connection_limiter.connections) == 20)
        for _, writer in held:
            writer.close()


async def test_who_asks_nothing_or_never_comes_to_an_end_is_let_go(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path), asks=0.3, sends=0.3, idle=0.3) as hub:
        who = await hub.retailer()
        host = urlsplit(hub.url).netloc
        head = f"POST /v1/api_keys HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {who.token}\r\n"
        whole = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"
        for said in (
            "",
            "GET /healthz HTTP/1.1\r\nHo",
            head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
            head + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
            whole,
            whole + "GET /heal",
        ):
            reader, writer = await connected(hub)
            writer.write(said.encode())
            assert await ended(reader), said
            writer.close()
        await wait_until(lambda: len(hub.hub.site.connection_limiter.connections) == 0)


async def test_who_trickles_is_let_go_and_who_listens_stays(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path), asks=SHORT_S, sends=SHORT_S, idle=SHORT_S) as hub:
        who = await hub.retailer()
        host = urlsplit(hub.url).netloc
        reader, writer = await connected(hub)

        async def trickle() -> None:
            with contextlib.suppress(OSError):
                for char in f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n" + "X: y\r\n" * 100:
                    writer.write(char.encode())
                    await writer.drain()
                    await asyncio.sleep(TRICKLE_S)

        drop = asyncio.create_task(trickle())
        async with hub.http.get("/v1/events/stream", params={"seconds": 3}, headers=who.headers) as stream:
            assert await ended(reader)
            await asyncio.sleep(2 * SHORT_S)  # who listens has said nothing for longer than it may be idle
            made = hub.http.post("/v1/webhook_endpoints", json={"url": "https://shop.example/"}, headers=who.headers)
            async with made as answer:
                endpoint = (await answer.json())["id"]
            async with hub.http.post(f"/v1/webhook_endpoints/{endpoint}/test", headers=who.headers) as answer:
                assert answer.status == 202
            assert b"event: ping" in await stream.content.read(), "it was followed for its three seconds"
        drop.cancel()


async def test_of_the_files_that_a_process_may_have_some_are_left_for_the_hub_itself(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path)) as hub:
        there = hub.hub.site.connection_limiter
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert there.max_connections <= soft - RESERVED_FILES
        async with hub.http.get("/healthz") as answer:
            assert answer.status == 200
        there.max_connections = len(there.connections)
        reader, writer = await connected(hub)
        assert await ended(reader), "there is no room"
        writer.close()
        async with hub.http.get("/healthz") as answer:
            assert answer.status == 200, "who is in stays in"


@pytest.mark.parametrize("path", ["/openapi.json", "/healthz"])
async def test_five_thousand_requests_sent_at_once_hold_nobody_else_up(tmp_path: Path, path: str) -> None:
    """One connection that sent 5,000 requests ahead was answered them all, and everybody else waited for that."""
    async with asyncio.timeout(60), hub_with(hub_file(tmp_path)) as hub:
        said = f"GET {path} HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\n\r\n".encode()
        callers = [await connected(hub) for _ in range(20)]
        for _, writer in callers:
            writer.write(said * 5_000)
        async with hub.http.get("/healthz") as answer:
            assert answer.status == 200
        for reader, writer in callers:
            got = b""
            with contextlib.suppress(ConnectionError):  # what it did not read it answers by a reset
                got = await reader.read()
            assert got.count(b"HTTP/1.1 200 OK") <= 2
            writer.close()


async def test_of_all_that_a_client_sends_at_once_the_hub_parses_one_piece_in_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """190 connections that pipelined 5,200 requests a write: 256 KiB of each were parsed in one turn of the loop."""
    pieces = list[int]()
    feed = HubConnection.data_received

    def fed(connection: HubConnection, data: bytes) -> None:
        feed(connection, data)
        pieces.append(len(data))

    monkeypatch.setattr(HubConnection, "data_received", fed)
    async with asyncio.timeout(60), hub_with(hub_file(tmp_path)) as hub:
        said = f"GET /healthz HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\n\r\n".encode()
        callers = [await connected(hub) for _ in range(20)]
        for _, writer in callers:
            writer.write(said * 5_200)
        for reader, writer in callers:
            with contextlib.suppress(ConnectionError):  # what it did not read it answers by a reset
                await reader.read()
            writer.close()
    assert len(pieces) >= 20
    assert max(pieces) <= 4_096, "bytes: some 80 requests"


async def said(hub: RunningHub, raw: bytes) -> bytes:
    """What comes back on one connection until it is hung up."""
    reader, writer = await connected(hub)
    writer.write(raw)
    got = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while piece := await reader.read(65_536):
                got += piece
    writer.close()
    return got


async def test_a_head_without_end_is_refused_and_so_is_what_never_ends_after_a_body(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path)) as hub:
        who = await hub.retailer()
        head = f"Host: {urlsplit(hub.url).netloc}\r\nAuthorization: Bearer {who.token}\r\n"
        assert b" 400 " in await said(hub, f"GET / HTTP/1.1\r\n{head}X: {'a' * 100_000}".encode())
        assert b" 400 " in await said(hub, f"GET /{'a' * 100_000}".encode())
        chunked = (
            f"POST /v1/api_keys HTTP/1.1\r\n{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert b" 400 " in await said(hub, f"{chunked}0\r\nX: {'a' * 100_000}".encode())
        assert b" 400 " in await said(hub, f"{chunked}1;{'a' * 100_000}".encode())


async def test_what_follows_a_body_is_no_header(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path)) as hub:
        who = await hub.retailer()
        asked = (
            f"POST /v1/api_keys HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\nContent-Type: application/json\r\n"
            "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            f'd\r\n{{"label":"x"}}\r\n0\r\nAuthorization: Bearer {who.token}\r\n\r\n'
        )
        assert b"HTTP/1.1 401 " in await said(hub, asked.encode())


@pytest.mark.parametrize("cut", [0, 1, 40, 250], ids=["at once", "after a byte", "in its head", "in its body"])
@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
async def test_java_s_offer_of_http_2_is_declined_and_its_request_is_served_with_its_body(
    tmp_path: Path, cut: int, *, chunked: bool
) -> None:
    """The JDK's HttpClient sends such a head with each request that is not encrypted."""
    async with hub_with(hub_file(tmp_path)) as hub:
        who = await hub.retailer()
        offer = (
            f"POST /v1/api_keys HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: {urlsplit(hub.url).netloc}\r\n"
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {who.token}\r\n"
        )
        body = '{"label":"java"}'
        sent = (
            f"Transfer-Encoding: chunked\r\n\r\n10\r\n{body}\r\n0\r\n\r\n"
            if chunked
            else (f"Content-Length: 16\r\n\r\n{body}")
        )
        reader, writer = await connected(hub)
        writer.write((offer + sent).encode()[:cut])
        await asyncio.sleep(0.05)
        writer.write((offer + sent).encode()[cut:] + (offer.replace("Upgrade, ", "Upgrade, close, ") + sent).encode())
        got = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert got.count(b"HTTP/1.1 201 ") == 2, got
        assert got.count(b'"label":"java"') == 2


async def test_a_hub_is_no_proxy(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path)) as hub:
        where = urlsplit(hub.url).netloc
        for target in (where, "/v1/api_keys"):
            got = await said(
                hub, f"CONNECT {target} HTTP/1.1\r\nHost: {where}\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1".encode()
            )
            assert got.startswith(b"HTTP/1.1 4")
            assert got.count(b"HTTP/1.1 ") == 1


async def test_a_mistake_in_what_was_sent_ahead_does_not_stand_in_the_answer_before_it(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path)) as hub:
        who = await hub.retailer()
        head = f"Host: {urlsplit(hub.url).netloc}\r\nAuthorization: Bearer {who.token}\r\n\r\n"
        got = await said(hub, f"GET /v1/api_keys HTTP/1.1\r\n{head}\x00 no HTTP\r\n\r\n".encode())
        assert got.startswith(b"HTTP/1.1 200 ")
        assert got.count(b"HTTP/1.1 ") == 1
        assert b"connection: close\r\n" in got.lower()


async def answers(hub: RunningHub, count: int, address: str) -> int:
    """How many of so many connections, opened one after the other from this address, are answered."""
    at, answered = urlsplit(hub.url), 0
    for _ in range(count):
        reader, writer = await asyncio.open_connection(at.hostname, at.port, local_addr=(address, 0))
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {at.netloc}\r\nConnection: close\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            answered += b" 200 OK" in await reader.read()
        writer.close()
    return answered


@pytest.mark.parametrize("proxied", [False, True])
async def test_who_opens_connection_after_connection_is_hung_up_on_and_another_address_and_a_proxy_are_not(
    tmp_path: Path, *, proxied: bool
) -> None:
    file = hub_file(tmp_path, limits=Limits(**{**HIGH_LIMITS.model_dump(), "new_connections": 1}))
    file = file.model_copy(update={"listen": file.listen.model_copy(update={"behind_proxy": proxied})})
    async with asyncio.timeout(60), hub_with(file) as hub:
        begun = asyncio.get_running_loop().time()
        answered = await answers(hub, 60, "127.0.0.2")
        took = asyncio.get_running_loop().time() - begun
        if proxied:
            assert answered == 60
        else:
            assert CONNECTION_BURST_S <= answered <= CONNECTION_BURST_S + took + 1
            assert answered < 60
        assert await answers(hub, 3, "127.0.0.3") == 3


async def test_an_answer_comes_as_one_piece_and_who_asks_no_more_is_hung_up_on_in_the_usual_way(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path), idle=SHORT_S) as hub:
        reader, writer = await connected(hub)
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\n\r\n".encode())
        first = await reader.read(65_536)
        assert first.startswith(b"HTTP/1.1 200 ")
        assert first.endswith(b"true}")
        async with asyncio.timeout(10):
            assert await reader.read() == b""  # no ConnectionResetError
        writer.close()


async def test_the_answer_to_a_head_request_comes_though_it_has_no_body(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path)) as hub, asyncio.timeout(10):
        reader, writer = await connected(hub)
        for _ in range(2):
            writer.write(f"HEAD /healthz HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_who_says_at_once_that_it_sends_no_more_gets_its_answer(tmp_path: Path, method: str) -> None:
    async with hub_with(hub_file(tmp_path)) as hub, asyncio.timeout(10):
        reader, writer = await connected(hub)
        writer.write(f"{method} /healthz HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\n\r\n".encode())
        writer.write_eof()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def asked_with_100_continue(hub: RunningHub) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the head of a request whose body of 13 bytes is to follow once the hub wants it."""
    who = await hub.retailer()
    reader, writer = await connected(hub)
    writer.write(
        f"POST /v1/api_keys HTTP/1.1\r\nHost: {urlsplit(hub.url).netloc}\r\nAuthorization: Bearer {who.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    return reader, writer


async def test_who_waits_for_100_continue_before_it_sends_a_body_gets_it(tmp_path: Path) -> None:
    async with hub_with(hub_file(tmp_path)) as hub, asyncio.timeout(10):
        reader, writer = await asked_with_100_continue(hub)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b'{"label":"x"}')
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201 ")
        writer.close()


async def test_a_request_that_the_end_of_the_hub_cuts_off_is_asked_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.http.server.CLOSE_TIMEOUT_S", SHORT_S)
    async with hub_with(hub_file(tmp_path)) as hub, asyncio.timeout(10):
        reader, writer = await asked_with_100_continue(hub)
        await reader.readuntil(b"\r\n\r\n")  # the hub waits for the body, which never comes
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in head
    assert json.loads(body)["code"] == "unavailable"
    writer.close()

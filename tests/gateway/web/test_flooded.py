"""What strangers send to the pages without end: no turn of the loop, in which doors are heard, is theirs for long."""

import asyncio
import gc
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest
from aiohttp import ClientConnectionError, ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType

from gateway.domain.delivery.barcodes import courier_token_digest, new_courier_token
from gateway.web.server.authorization import Authorizer
from gateway.web.server.connection_limits import (
    CONNECTION_LIMITS,
    STRANGER_REQUESTS_BURST,
    STRANGER_REQUESTS_PER_SECOND,
)
from gateway.web.server.feed import MAX_LINK_FEEDS, MESSAGES_BURST
from tests.certified import make_certificate
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.box import ShellBox, box, run_box, run_tasks
from tests.shell.house import make_home
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

LONG = 30.0
FLOOD_S = 1.5  # seconds of a flood in which each turn of the loop is measured
FEEDS_FLOOD_S = 3.0  # as above, with the time in which ninety feeds open
LONGEST_TURN_S = 0.1  # of the processor's time: of the machine's other work this test knows nothing
SECRET = bytes(range(16))
CODE, DIGEST = new_courier_token(SECRET), courier_token_digest(SECRET)
WANT = f'{{"want": ["en/courier/{DIGEST}"]}}'


class Counted:
    """How often a method is called, and how often at most in one turn of the loop.

    A task that wakes in each turn cannot count them: it wakes before a call in one turn and after a call in the next.
    """

    def __init__(self, owner: type[object], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.most = 0, 0
        before, plain = 0, getattr(owner, name)
        turn = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public is called once a turn

        def counted(*asked: object, **facts: object) -> object:
            self.calls += 1
            self.most = max(self.most, self.calls - before)
            return plain(*asked, **facts)

        def counted_turn(loop: asyncio.BaseEventLoop) -> None:
            nonlocal before
            before = self.calls
            turn(loop)

        monkeypatch.setattr(owner, name, counted)
        monkeypatch.setattr(asyncio.BaseEventLoop, "_run_once", counted_turn)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of a window, with a courier's link."""
    async with box(tmp_path, make_home(tmp_path), time=ManualTime(mono=7300.0)) as made:
        await receive(made.store, make_offer(courier_sha256=DIGEST), now=NOW)
        async with run_box(made):
            await made.good_day()
            yield made


@pytest.fixture
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


@contextmanager
def no_garbage() -> Iterator[None]:
    """This process has the tests' objects too: to look through them takes longer than what is measured."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@asynccontextmanager
async def turns() -> AsyncIterator[Callable[[], float]]:
    """The longest turn of this loop so far, in seconds of the processor's time."""
    longest = 0.0

    async def look() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - began)

    with no_garbage():
        async with run_tasks(look()):
            yield lambda: longest


def pipelines(  # noqa: PLR0913 - how the flood is
    port: int, path: str, over: threading.Event, *, tls: bool, connections: int, session: str | None = None
) -> int:
    """Send requests ahead, as many as there is room for, by many connections at once, until it is over.

    Return how many connections there were in all.
    """
    in_all = 0
    cookie = "" if session is None else f"Cookie: session={session}\r\n"
    request = f"GET {path} HTTP/1.1\r\nHost:localhost:{port}\r\n{cookie}\r\n".encode() * 330
    context = ssl._create_unverified_context() if tls else None  # noqa: S323, SLF001 - a stranger believes anybody
    while not over.is_set():
        with ExitStack() as stack:
            calls = []
            for _ in range(connections):
                with suppress(OSError):
                    made = socket.create_connection(("127.0.0.1", port), timeout=1.0)
                    calls.append(stack.enter_context(context.wrap_socket(made) if context is not None else made))
                    calls[-1].sendall(request)
            in_all += len(calls)
            for one in calls:  # who hangs up at once is not even read
                with suppress(OSError):
                    while one.recv(65_536):
                        pass
    return in_all


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("connections", [1, 8, 96])
async def test_requests_that_strangers_send_ahead_hold_no_turn_of_the_loop(
    made: ShellBox, tmp_path: Path, *, tls: bool, connections: int
) -> None:
    _, chain, key = make_certificate(tmp_path, "localhost")
    over = threading.Event()
    async with serve_site(made, tls=(chain, key) if tls else None) as site, turns() as longest:
        flood = [asyncio.to_thread(pipelines, site.site.port, "/enter", over, tls=tls, connections=connections)]
        flooding = asyncio.gather(*flood)
        await asyncio.sleep(FLOOD_S)
        over.set()
        await flooding
        assert longest() < LONGEST_TURN_S


@pytest.mark.parametrize("path", ["/", "/brands"])
async def test_nor_do_those_that_come_from_a_browser_of_the_house(
    site: ServedSite, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, session = threading.Event(), site.owner.session
    looked = Counted(Authorizer, "viewer", monkeypatch)  # each page calls it once or twice
    async with site.client(site.owner) as client, client.get(path) as answer:  # what is made once is made
        assert answer.status == 200
    of_a_page = looked.calls
    async with turns() as longest:
        flooding = asyncio.to_thread(pipelines, site.site.port, path, over, tls=False, connections=8, session=session)
        task = asyncio.create_task(flooding)
        await asyncio.sleep(FLOOD_S)
        over.set()
        connections = await task
        assert longest() < LONGEST_TURN_S
    answered = looked.calls // of_a_page
    assert 0 < answered < 10 * connections, "who sends requests ahead is hung up on"


async def test_a_stranger_who_asks_without_end_has_to_wait_and_who_is_signed_in_has_not(site: ServedSite) -> None:
    answers: Counter[int] = Counter()
    began_at = time.monotonic()
    async with site.client(None) as stranger, site.client(site.owner) as owner:
        for number in range(3 * int(STRANGER_REQUESTS_BURST)):
            with suppress(ClientConnectionError):  # hung up on unheard: too many connections too
                async with stranger.get("/static/page.js") as answer:
                    answers[answer.status] += 1
                    if answer.status == 429:
                        assert answer.headers["Retry-After"] == "1"
                        assert answer.headers["Connection"] == "close"
            if number % 10 == 0:
                async with owner.get("/static/page.js") as answer:
                    assert answer.status == 200
    lasted_s = time.monotonic() - began_at
    assert answers[429]
    assert STRANGER_REQUESTS_BURST <= answers[200] <= STRANGER_REQUESTS_BURST + STRANGER_REQUESTS_PER_SECOND * lasted_s


async def test_of_forms_whose_bodies_come_at_once_one_is_looked_at_each_turn(
    site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = Counted(Authorizer, "render_page", monkeypatch)
    body = b"language=none"
    head = (
        f"POST /language HTTP/1.1\r\nHost: localhost:{site.site.port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    ).encode()
    calls = [await asyncio.open_connection("127.0.0.1", site.site.port) for _ in range(40)]
    try:
        for _, writer in calls:
            writer.write(head)
        porch = site.site._connection_limiter  # noqa: SLF001 - who has been heard
        assert porch is not None
        await wait_until(lambda: sum(one.has_requested for one in porch._open_connections) == len(calls))  # noqa: SLF001 - the same
        for _, writer in calls:
            writer.write(body)
        async with asyncio.timeout(LONG):
            for reader, _ in calls:
                assert b" 400 " in await reader.readline()
    finally:
        for _, writer in calls:
            writer.close()
    assert painted.calls == 40
    assert painted.most == 1


async def test_three_addresses_that_hold_all_connections_do_not_keep_the_owner_out(site: ServedSite) -> None:
    """As anybody's machine in the house's network can: ninety connections of each, one small request now and then."""
    over = asyncio.Event()

    async def holds(place: str) -> None:
        ask = f"GET /static/page.js HTTP/1.1\r\nHost:localhost:{site.site.port}\r\n\r\n".encode()
        while not over.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", site.site.port, local_addr=(place, 0))
            except OSError:
                continue
            try:
                writer.write(ask)
                async with asyncio.timeout(4.0):
                    while await reader.read(65_536):
                        pass
            except (OSError, TimeoutError):
                pass
            finally:
                writer.close()
            await asyncio.sleep(0.05)

    crowd = [holds(f"127.0.0.{2 + place}") for place in range(3) for _ in range(90)]
    async with site.client(site.owner) as owner, owner.get("/") as answer:
        assert answer.status == 200
    async with run_tasks(*crowd):
        porch = site.site._connection_limiter  # noqa: SLF001 - how full it is
        half = CONNECTION_LIMITS.connections / 2
        await wait_until(lambda: porch is not None and len(porch._open_connections) > half, within=LONG)  # noqa: SLF001 - the same
        for _ in range(25):
            async with site.client(site.owner) as owner, owner.get("/", headers={"Connection": "close"}) as answer:
                assert answer.status == 200
        assert porch is not None
        assert max(porch._networks.open.values()) <= CONNECTION_LIMITS.per_network  # noqa: SLF001 - the same
        over.set()


# ---- WebSockets -----------------------------------------------------------------------------------------------------


async def closed(feed: ClientWebSocketResponse) -> None:
    async with asyncio.timeout(LONG):
        while not feed.closed:
            await feed.receive()


async def test_a_couriers_link_that_says_more_than_a_page_does_is_hung_up_on(site: ServedSite) -> None:
    async with site.client(None) as client, client.ws_connect(f"/c/{DIGEST}/feed") as feed:
        with suppress(ClientConnectionError):
            for _ in range(2 * int(MESSAGES_BURST)):
                await feed.send_str(WANT)
        await closed(feed)


async def test_a_page_that_shows_now_this_and_now_that_is_heard(site: ServedSite) -> None:
    async with site.client(None) as client, client.ws_connect(f"/c/{DIGEST}/feed") as feed:
        for _ in range(int(MESSAGES_BURST) // 2):
            await feed.send_str(WANT)
        async with asyncio.timeout(LONG):
            while (message := await feed.receive()).type is WSMsgType.TEXT and "beat" not in message.json():
                pass
        assert not feed.closed


async def test_of_one_link_so_many_pages_are_followed_and_the_oldest_is_hung_up_on(site: ServedSite) -> None:
    async with ExitStackOfFeeds(site) as feeds:
        for _ in range(MAX_LINK_FEEDS):
            await feeds.one_more()
        last = await feeds.one_more()
        await closed(feeds.open[0])
        await last.send_str(WANT)
        for feed in (feeds.open[1], last):
            async with asyncio.timeout(LONG):
                assert (await feed.receive()).type is WSMsgType.TEXT


class ExitStackOfFeeds:
    """Feeds of one courier's link, closed at the end."""

    def __init__(self, site: ServedSite) -> None:
        self._client = ClientSession(site.address, connector=TCPConnector(limit=0))
        self.open: list[ClientWebSocketResponse] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for feed in self.open:
            await feed.close()
        await self._client.close()

    async def one_more(self) -> ClientWebSocketResponse:
        """Open one, and hear it."""
        feed = await self._client.ws_connect(f"/c/{DIGEST}/feed")
        self.open.append(feed)
        assert (await feed.receive(timeout=LONG)).type is WSMsgType.TEXT
        return feed


async def test_ninety_feeds_that_want_and_want_hold_no_turn_of_the_loop(site: ServedSite) -> None:
    over = asyncio.Event()

    async def wants(client: ClientSession) -> None:
        while not over.is_set():
            with suppress(ClientConnectionError, ConnectionError):
                async with client.ws_connect(f"/c/{DIGEST}/feed") as feed:
                    while not over.is_set() and not feed.closed:
                        await feed.send_str(WANT)
            await asyncio.sleep(0.01)

    def in_a_thread() -> None:
        async def flood() -> None:
            async with ClientSession(site.address, connector=TCPConnector(limit=0)) as client:
                await asyncio.gather(*(wants(client) for _ in range(90)), return_exceptions=True)

        asyncio.run(flood())

    async with turns() as longest:
        flooding = asyncio.create_task(asyncio.to_thread(in_a_thread))
        await asyncio.sleep(FEEDS_FLOOD_S)
        over.set()
        await flooding
        assert longest() < LONGEST_TURN_S


async def test_all_parts_of_all_feeds_are_painted_one_in_a_turn(
    made: ShellBox, site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = Counted(Authorizer, "render_fragment", monkeypatch)
    kinds, languages = ("state", "visit", "lock", "timeline"), ("en", "fr")
    want = [f"{language}/{kind}/{door}" for language in languages for kind in kinds for door in made.home.entrances]
    async with site.client(site.owner) as client:
        feeds = [await client.ws_connect("/feed") for _ in range(6)]
        for feed in feeds:
            await feed.send_json({"want": want})
        for feed in feeds:
            while "parts" not in await feed.receive_json(timeout=LONG):
                pass
        site.site.changes.notify()
        await wait_until(lambda: painted.calls >= 2 * len(feeds) * len(want), within=LONG)
        for feed in feeds:
            await feed.close()
    assert painted.most == 1

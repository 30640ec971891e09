import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientError, ClientResponse, ClientSession, DigestAuthMiddleware
from PIL import Image
from yarl import URL

from tests.peers.authentication import Account, Scheme
from tests.peers.client import Clock, LostError, open_session
from tests.peers.doorbird import (
    IMAGE,
    INFO,
    MONITOR,
    OPEN_DOOR,
    OWNER,
    STATION,
    VISITOR_ONLY,
    Make,
    Station,
    create_app,
)
from tests.peers.line import serve
from tests.peers.strike import Fault
from tests.waiting import assert_stays, wait_until

BOTH = MONITOR + "?ring=doorbell,motionsensor"
QUICK = Make(released_s=0.1, keep_alive_s=0.1)


class House:
    """A station that listens, and clients of it."""

    def __init__(self, url: URL, station: Station, clock: Clock) -> None:
        self.url, self.station, self.clock = url, station, clock
        self.sessions: list[ClientSession] = []

    def client(self, account: Account | None = OWNER, scheme: Scheme = Scheme.DIGEST) -> ClientSession:
        session = open_session(self.url, account, scheme)
        self.sessions.append(session)
        return session

    async def status(self, path: str, account: Account | None = OWNER) -> int:
        async with self.client(account).get(path) as answer:
            return answer.status


@asynccontextmanager
async def listening(make: Make = QUICK) -> AsyncIterator[House]:
    clock = Clock()
    app = create_app(make, clock=clock)
    async with serve(app) as url:
        house = House(url, app[STATION], clock)
        try:
            yield house
        finally:
            for session in house.sessions:
                await session.close()


async def lines(answer: ClientResponse, many: int) -> list[str]:
    """The next states on a stream, read by the delimiter as it is documented."""
    found: list[str] = []
    async with asyncio.timeout(5):
        while len(found) < many:
            line = (await answer.content.readuntil(b"\r\n")).decode().strip()
            if line and not line.startswith(("--", "Content-Type:")):
                found.append(line)
    return found


async def test_who_says_nothing_is_offered_digest_and_basic() -> None:
    async with listening() as house, house.client(None).get(INFO) as answer:
        assert answer.status == 401
        digest, basic = answer.headers.getall("WWW-Authenticate")
        assert digest.startswith("Digest ")
        assert 'qop="auth"' in digest
        assert basic.startswith("Basic realm=")


@pytest.mark.parametrize("scheme", [Scheme.DIGEST, Scheme.BASIC])
async def test_info_tells_firmware_and_relays(scheme: Scheme) -> None:
    async with listening() as house, house.client(scheme=scheme).get(INFO) as answer:
        assert answer.status == 200
        bha = (await answer.json())["BHA"]
        assert bha["RETURNCODE"] == "1"
        assert bha["VERSION"][0]["RELAYS"] == ["1", "2", "gggaaa@1"]
        assert house.station.asked[-1].scheme is scheme


async def test_credentials_in_the_address_are_accepted_and_noted() -> None:
    async with listening() as house:
        assert await house.status(f"{INFO}?http-user={OWNER.name}&http-password={OWNER.password}", None) == 200
        assert house.station.asked[-1].scheme is Scheme.QUERY
        assert await house.status(f"{INFO}?http-user={OWNER.name}&http-password=wrong", None) == 401


async def test_a_digest_said_twice_is_stale() -> None:
    async with listening() as house:
        async with house.client().get(INFO) as answer:
            said = answer.request_info.headers["Authorization"]
        async with house.client(None).get(INFO, headers={"Authorization": said}) as again:
            assert again.status == 401
            assert "stale=true" in again.headers["WWW-Authenticate"]


async def test_a_digest_for_another_address_is_wrong() -> None:
    async with listening() as house:
        async with house.client().get(INFO) as answer:
            said = answer.request_info.headers["Authorization"]
        async with house.client(None).get(OPEN_DOOR, headers={"Authorization": said}) as other:
            assert other.status == 401
            assert "stale" not in other.headers["WWW-Authenticate"]
        assert house.station.orders == []


async def test_an_old_nonce_is_renewed_without_a_wrong_password_being_counted() -> None:
    async with listening() as house:
        session = house.client()
        for _ in range(2 * QUICK.blocked_after):
            async with session.get(INFO) as answer:
                assert answer.status == 200
            house.clock.now += QUICK.nonce_s + 1


async def test_many_wrong_passwords_block_the_address_for_a_minute() -> None:
    async with listening() as house:
        wrong = Account(OWNER.name, "wrong")
        assert [await house.status(INFO, wrong) for _ in range(QUICK.blocked_after)] == [401] * QUICK.blocked_after
        assert await house.status(INFO) == 423
        house.clock.now += 60
        assert await house.status(INFO) == 200


async def test_the_relay_holds_for_its_time_and_the_strike_follows() -> None:
    async with listening() as house:
        async with house.client().get(OPEN_DOOR, params={"r": "1"}) as answer:
            assert await answer.json() == {"BHA": {"RETURNCODE": "1"}}
        assert house.station.strikes["1"].is_released
        house.clock.now += 5
        await wait_until(lambda: not house.station.strikes["1"].is_released)
        assert [(one.at, one.released) for one in house.station.strikes["1"].log] == [(1000.0, True), (1005.0, False)]
        assert [(order.relay, order.user) for order in house.station.orders] == [("1", OWNER.name)]


async def test_without_a_relay_it_is_relay_1_and_a_paired_one_has_its_own_strike() -> None:
    async with listening() as house:
        assert await house.status(OPEN_DOOR) == 200
        assert await house.status(OPEN_DOOR + "?r=gggaaa@1") == 200
        assert [order.relay for order in house.station.orders] == ["1", "gggaaa@1"]
        assert house.station.strikes["2"].log == []


async def test_an_unknown_relay_is_refused_as_its_make_says() -> None:
    async with listening() as house:
        assert await house.status(OPEN_DOOR + "?r=9") == 400
    async with listening(Make(unknown_relay="RETURNCODE 0")) as house:
        async with house.client().get(OPEN_DOOR, params={"r": "9"}) as answer:
            assert await answer.json() == {"BHA": {"RETURNCODE": "0"}}
        assert house.station.orders == []


async def test_a_dead_strike_stays_though_the_order_was_taken() -> None:
    async with listening() as house:
        house.station.strikes["1"].fault = Fault.DEAD
        assert await house.status(OPEN_DOOR) == 200
        assert house.station.strikes["1"].is_energized
        assert house.station.strikes["1"].log == []


async def test_a_sticking_strike_stays_released_until_it_is_repaired() -> None:
    async with listening() as house:
        strike = house.station.strikes["1"]
        strike.fault = Fault.STICKS
        assert await house.status(OPEN_DOOR) == 200
        await wait_until(lambda: not strike.is_energized)
        assert strike.is_released
        strike.repair()
        assert not strike.is_released


async def test_a_visitor_opens_and_sees_only_after_a_ring() -> None:
    async with listening() as house:
        for path in (OPEN_DOOR, IMAGE):
            assert await house.status(path, VISITOR_ONLY) == 204
        house.station.ring()
        for path in (OPEN_DOOR, IMAGE):
            assert await house.status(path, VISITOR_ONLY) == 200
        house.clock.now += 299
        assert await house.status(IMAGE, VISITOR_ONLY) == 204
        assert await house.status(OPEN_DOOR, VISITOR_ONLY) == 200
        house.clock.now += 2
        assert await house.status(OPEN_DOOR, VISITOR_ONLY) == 204


async def test_the_image_is_a_jpeg() -> None:
    async with listening() as house, house.client().get(IMAGE) as answer:
        assert answer.content_type == "image/jpeg"
        assert Image.open(io.BytesIO(await answer.read())).format == "JPEG"


async def test_a_stream_tells_states_first_then_changes() -> None:
    async with listening(Make()) as house, house.client().get(BOTH) as answer:
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=--ioboundary"
        assert await lines(answer, 2) == ["doorbell:L", "motionsensor:L"]
        house.station.ring()
        house.station.move(seen=True)
        assert await lines(answer, 3) == ["doorbell:H", "doorbell:L", "motionsensor:H"]


async def test_a_part_is_as_documented() -> None:
    async with listening() as house, house.client().get(MONITOR + "?ring=doorbell") as answer:
        part = await answer.content.readexactly(54)
        assert part == b"--ioboundary\r\nContent-Type: text/plain\r\n\r\ndoorbell:L\r\n"


async def test_a_stream_may_begin_empty_have_another_delimiter_and_blank_keep_alives() -> None:
    make = Make(states_first=False, delimiter=b"----ioboundary", keep_alive="blank line", keep_alive_s=0.1)
    async with listening(make) as house, house.client().get(MONITOR + "?ring=doorbell") as answer:
        assert await answer.content.readexactly(4) == b"\r\n\r\n"
        house.station.press()
        said = await answer.content.readuntil(b"doorbell:H\r\n")
        assert said.strip(b"\r\n").startswith(b"----ioboundary\r\nContent-Type: text/plain\r\n\r\n")


async def test_a_stream_of_the_bell_alone_tells_no_motion() -> None:
    async with listening(Make()) as house, house.client().get(MONITOR + "?ring=doorbell") as answer:
        house.station.move(seen=True)
        house.station.press()
        assert await lines(answer, 2) == ["doorbell:L", "doorbell:H"]


async def test_states_come_again_as_keep_alive_unless_the_stream_is_silent() -> None:
    async with listening() as house, house.client().get(BOTH) as answer:
        assert await lines(answer, 6) == ["doorbell:L", "motionsensor:L"] * 3
        house.station.silent = True
        await asyncio.sleep(0.15)
        answer.content.read_nowait()
        house.station.ring()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await answer.content.readany()


@pytest.mark.parametrize("query", ["", "?ring=", "?ring=doorbell,smoke", "?check=doorbell"])
async def test_a_stream_of_what_it_does_not_have_is_refused(query: str) -> None:
    async with listening() as house:
        assert await house.status(MONITOR + query) == 400


async def test_the_ninth_stream_is_refused_and_a_reader_that_leaves_makes_room() -> None:
    async with listening(Make()) as house:
        session = house.client()
        async with contextlib.AsyncExitStack() as reading:
            readers = [await reading.enter_async_context(session.get(BOTH)) for _ in range(8)]
            assert await house.status(BOTH) == 509
            readers[0].close()
            await wait_until(lambda: house.station.streams == 7)
            assert await house.status(BOTH) == 200


async def test_a_cut_stream_ends_and_power_off_answers_nobody() -> None:
    async with listening() as house:
        session = house.client()
        async with session.get(BOTH) as answer:
            await lines(answer, 2)
            house.station.cut_streams()
            with pytest.raises(ClientError):
                await answer.content.read()
        house.station.power_off()
        with pytest.raises(LostError):
            await house.status(INFO)
        house.station.power_on()
        async with session.get(INFO) as answer:  # its nonce is of before: it is given a new one
            assert answer.status == 200


async def test_power_off_ends_the_current_in_the_strike() -> None:
    async with listening(Make()) as house:
        assert await house.status(OPEN_DOOR) == 200
        house.station.power_off()
        assert not house.station.strikes["1"].is_released


async def test_a_lost_question_moves_nothing_and_a_lost_answer_has_moved_all() -> None:
    async with listening() as house:
        trouble = house.station.line.on(OPEN_DOOR)
        trouble.questions_lost = 1
        with pytest.raises(LostError):
            await house.status(OPEN_DOOR)
        assert house.station.orders == []
        trouble.answers_lost = 1
        with pytest.raises(LostError):
            await house.status(OPEN_DOOR)
        assert len(house.station.orders) == 1
        assert house.station.asked[-1].status is None
        assert await house.status(OPEN_DOOR) == 200


async def test_a_client_that_sends_a_lost_get_again_is_seen_to_order_twice() -> None:
    async with listening() as house:
        house.station.line.on(OPEN_DOOR).answers_lost = 1
        digest = DigestAuthMiddleware(OWNER.name, OWNER.password)
        async with ClientSession(house.url, middlewares=(digest,)) as plain, plain.get(OPEN_DOOR) as answer:
            assert answer.status == 200
        assert len(house.station.orders) == 2


async def test_a_late_answer_and_an_order_obeyed_late_differ_in_when_the_strike_moves() -> None:
    async with listening() as house:
        trouble = house.station.line.on(OPEN_DOOR)
        trouble.answered_late_s = 2.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await house.status(OPEN_DOOR)
        assert len(house.station.orders) == 1
        trouble.answered_late_s, trouble.obeyed_late_s = 0.0, 2.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await house.status(OPEN_DOOR)
        assert len(house.station.orders) == 1
        await wait_until(lambda: len(house.station.orders) == 2)


async def test_power_off_forgets_what_was_to_be_obeyed_late() -> None:
    async with listening() as house:
        house.station.line.on(OPEN_DOOR).obeyed_late_s = 0.3
        waiting = asyncio.create_task(house.status(OPEN_DOOR))
        await asyncio.sleep(0.1)
        house.station.power_off()
        with pytest.raises(LostError):
            await waiting
        house.station.power_on()
        await assert_stays(lambda: house.station.orders == [], 0.4)


async def test_a_status_on_demand_does_nothing_else() -> None:
    async with listening() as house:
        house.station.line.on(OPEN_DOOR).statuses = (503, 500)
        assert [await house.status(OPEN_DOOR) for _ in range(3)] == [503, 500, 200]
        assert len(house.station.orders) == 1


async def test_requests_too_close_together_are_refused_where_the_make_says_so() -> None:
    async with listening(Make(requests_apart_s=1.0)) as house:
        assert await house.status(INFO) == 200
        assert await house.status(INFO) == 503
        house.clock.now += 1
        assert await house.status(INFO) == 200

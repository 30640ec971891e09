"""`perron intercom` at a real broker, before a DoorBird and a 2N that were written from their documents alone."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from devices.reports import (
    AvailabilityReport,
    CommandProgress,
    DoorbellPressed,
    ErrorReport,
    MotionReport,
    OperationError,
    ProgressReport,
)
from devices.vendors.words import TopicSuffix
from gateway.system.clock import machine_time
from tests.certified import make_certificate
from tests.gateway.integrations.intercom.beside import DEVICE, Beside, beside
from tests.peers import doorbird, twon
from tests.peers.strike import Fault
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
ONLINE, OFFLINE = AvailabilityReport(online=True), AvailabilityReport(online=False)
Peer = doorbird.Station | twon.Intercom


def accepted(id_: str = "v1") -> ProgressReport:
    return ProgressReport(id=id_, progress=CommandProgress.ACCEPTED)


def failed(failure: OperationError, id_: str = "v1") -> ErrorReport:
    return ErrorReport(id=id_, failure=failure)


@contextlib.asynccontextmanager
async def before(folder: Path, kind: str, **more: object) -> AsyncIterator[tuple[Beside, Peer]]:
    """The process before a peer of this kind, which it has found."""
    app = doorbird.create_app() if kind == "doorbird" else twon.create_app()
    peer: Peer = app[doorbird.STATION] if kind == "doorbird" else app[twon.INTERCOM]
    account = doorbird.OWNER if kind == "doorbird" else twon.OWNER
    async with beside(folder, app, {"kind": kind, **more}, login=(account.name, account.password)) as house:
        await house.until_said(ONLINE)
        yield house, peer


def opening(peer: Peer) -> str:
    return doorbird.OPEN_DOOR if isinstance(peer, doorbird.Station) else twon.CTRL


both = pytest.mark.parametrize("kind", ["doorbird", "2n"])


@both
async def test_an_order_releases_the_strike_once_and_the_answer_says_that_it_was_taken(
    tmp_path: Path, kind: str
) -> None:
    async with before(tmp_path, kind) as (house, peer):
        await house.order()
        said = await house.until_said(accepted())
        assert (said.channel, said.correlation, said.retained) == (TopicSuffix.RESULT, b"v1", False)
        assert len(peer.orders) == 1
        strike = next(iter(peer.strikes.values()))
        assert [movement.released for movement in strike.log] == [True]
        await house.order()
        await house.until_said(failed(OperationError.REPEATED))
        assert len(peer.orders) == 1


@both
async def test_two_hundred_ok_before_a_strike_that_does_not_move_is_called_taken_and_nothing_more(
    tmp_path: Path, kind: str
) -> None:
    async with before(tmp_path, kind) as (house, peer):
        for strike in peer.strikes.values():
            strike.fault = Fault.DEAD
        await house.order()
        await house.until_said(accepted())
        assert not any(strike.log for strike in peer.strikes.values())
        words = b"".join(said.payload for said in house.said)
        assert not [word for word in (b"opened", b"released", b"unlocked", b"door") if word in words]


@both
async def test_a_late_order_a_stored_one_and_one_of_another_process_reach_no_intercom(
    tmp_path: Path, kind: str
) -> None:
    async with before(tmp_path, kind) as (house, peer):
        await house.order("late", life=-1.0)
        await house.until_said(failed(OperationError.EXPIRED, "late"))
        await house.order("old", boot="another", until_ms=10**9)
        await house.until_said(failed(OperationError.EXPIRED, "old"))
        await house.order("stored", retain=True)
        await house.order("lives")
        await house.until_said(accepted("lives"))
        assert len(peer.orders) == 1
        assert not any(accepted("stored") in said.reports for said in house.said)


@both
async def test_an_order_that_waited_at_the_broker_while_the_process_was_away_is_not_obeyed(
    tmp_path: Path, kind: str
) -> None:
    async with before(tmp_path, kind) as (house, peer):
        await house.client.publish(f"perron/{DEVICE}/get", b"{}", qos=1, retain=True)
        await house.order("stored", life=60.0, retain=True)
        away = len(house.said)
        await house.process_again()
        await house.until_said(ONLINE, after=away)
        assert (await house.ask()).payload == b'{"online":true}'
        assert peer.orders == []


@both
async def test_a_deadline_on_the_process_s_own_uptime_holds_though_its_wall_clock_is_wrong(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with before(tmp_path, kind) as (house, peer):
        told = await house.ask()
        assert told.boot is not None
        monkeypatch.setattr(house.process, "_utc", lambda: machine_time().replace(year=2001))
        await house.order("good", boot=told.boot, until_ms=told.uptime_ms + 5_000)
        await house.until_said(accepted("good"))
        await house.order("late", boot=told.boot, until_ms=told.uptime_ms)
        await house.until_said(failed(OperationError.EXPIRED, "late"))
        assert len(peer.orders) == 1


@both
async def test_an_order_whose_answer_is_lost_may_have_been_obeyed_and_is_never_sent_again(
    tmp_path: Path, kind: str
) -> None:
    async with before(tmp_path, kind) as (house, peer):
        peer.line.on(opening(peer)).answers_lost = 1
        await house.order()
        await house.until_said(failed(OperationError.TIMEOUT))
        await assert_stays(lambda: len(peer.orders) == 1, 1.0, "it was sent again")


@both
async def test_an_order_that_is_lost_on_its_way_is_never_sent_again_either(tmp_path: Path, kind: str) -> None:
    async with before(tmp_path, kind) as (house, peer):
        peer.line.on(opening(peer)).questions_lost = 1
        await house.order()
        await house.until_said(failed(OperationError.TIMEOUT))
        await assert_stays(lambda: peer.orders == [], 1.0, "it was sent again")


@both
async def test_an_intercom_that_answers_too_late_is_not_waited_for_beyond_the_order_s_life(
    tmp_path: Path, kind: str
) -> None:
    async with before(tmp_path, kind, timeout=5.0) as (house, peer):
        peer.line.on(opening(peer)).answered_late_s = 3.0
        began = asyncio.get_running_loop().time()
        await house.order(life=0.6)
        await house.until_said(failed(OperationError.TIMEOUT))
        assert asyncio.get_running_loop().time() - began < 2.0
        await house.order("second", life=10.0)
        peer.line.on(opening(peer)).answered_late_s = 0.0
        await wait_until(lambda: len(peer.orders) <= 2)


@both
async def test_while_one_order_is_on_its_way_another_is_refused(tmp_path: Path, kind: str) -> None:
    async with before(tmp_path, kind) as (house, peer):
        peer.line.on(opening(peer)).answered_late_s = 0.5
        await house.order("first")
        await house.order("second")
        await house.until_said(failed(OperationError.BUSY, "second"))
        await house.until_said(accepted("first"))
        assert len(peer.orders) == 1


@both
async def test_it_is_online_only_while_the_intercom_answers(tmp_path: Path, kind: str) -> None:
    async with before(tmp_path, kind) as (house, peer):
        assert (await house.ask()).payload == b'{"online":true}'
        after = len(house.said)
        peer.power_off()
        said = await house.until_said(OFFLINE, after=after)
        assert said.channel is TopicSuffix.AVAILABILITY
        await house.order()
        found = {OperationError.UNREACHABLE, OperationError.TIMEOUT}
        await wait_until(lambda: any(failed(one) in said.reports for said in house.said for one in found))
        assert (await house.ask()).payload == b'{"online":false}'
        after = len(house.said)
        peer.power_on()
        await house.until_said(ONLINE, after=after)
        await house.order("again")
        await house.until_said(accepted("again"))


@both
async def test_a_ring_is_told_once_and_told_again_after_the_connection_was_lost(tmp_path: Path, kind: str) -> None:
    async with before(tmp_path, kind) as (house, peer):

        def is_heard() -> bool:
            return peer.streams > 0 if isinstance(peer, doorbird.Station) else peer.channels > 0

        def press() -> None:
            peer.ring() if isinstance(peer, doorbird.Station) else peer.press()

        await wait_until(is_heard)
        press()
        said = await house.until_said(DoorbellPressed())
        assert (said.channel, said.retained) == (TopicSuffix.EVENT, False)
        if isinstance(peer, doorbird.Station):
            peer.cut_streams()
        else:
            peer.reboot()
        await wait_until(is_heard)
        after = len(house.said)
        await assert_stays(lambda: not any(DoorbellPressed() in one.reports for one in house.said[after:]), 0.5)
        press()
        await house.until_said(DoorbellPressed(), after=after)


async def test_what_the_motion_sensor_sees_is_told_where_somebody_wants_it(tmp_path: Path) -> None:
    async with before(tmp_path, "doorbird", motion=True) as (house, peer):
        assert isinstance(peer, doorbird.Station)
        await wait_until(lambda: peer.streams)
        peer.move(seen=True)
        await house.until_said(MotionReport(detected=True))


async def test_a_stream_that_says_nothing_any_more_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.integrations.intercom.doorbird.SILENCE_S", 0.5)
    async with before(tmp_path, "doorbird") as (house, peer):
        assert isinstance(peer, doorbird.Station)
        await wait_until(lambda: peer.streams)
        peer.silent = True
        await wait_until(lambda: not peer.streams)
        peer.silent = False
        await wait_until(lambda: peer.streams)
        await asyncio.sleep(0.2)
        peer.ring()
        await house.until_said(DoorbellPressed())


@both
async def test_a_wrong_password_is_not_tried_until_the_intercom_lets_nobody_in_any_more(
    tmp_path: Path, kind: str
) -> None:
    app = doorbird.create_app() if kind == "doorbird" else twon.create_app()
    peer: Peer = app[doorbird.STATION] if kind == "doorbird" else app[twon.INTERCOM]
    name = doorbird.OWNER.name if kind == "doorbird" else twon.OWNER.name
    async with beside(tmp_path, app, {"kind": kind}, login=(name, "wrong")) as house:
        await house.until_said(OFFLINE)
        await asyncio.sleep(2.0)
        assert len(peer.asked) <= 8, "two questions, each with the two requests of a digest, or one more"
        if isinstance(peer, doorbird.Station):
            assert not peer.is_blocked("127.0.0.1")
        assert peer.orders == []


async def test_an_account_that_may_open_only_after_a_ring_is_told_so(tmp_path: Path) -> None:
    app = doorbird.create_app()
    visitor = doorbird.VISITOR_ONLY
    async with beside(tmp_path, app, {"kind": "doorbird"}, login=(visitor.name, visitor.password)) as house:
        await house.until_said(ONLINE)
        await house.order()
        await house.until_said(failed(OperationError.DISABLED_USER_DENIED))
        assert app[doorbird.STATION].orders == []


@pytest.mark.parametrize(("switch", "what"), [(2, "bistable"), (3, "disabled"), (9, "not there")])
async def test_a_switch_that_would_stay_on_is_never_ordered(tmp_path: Path, switch: int, what: str) -> None:
    app = twon.create_app()
    login = (twon.OWNER.name, twon.OWNER.password)
    async with beside(tmp_path, app, {"kind": "2n", "switch": switch}, login=login) as house:
        await house.until_said(OFFLINE)
        await house.order()
        await house.until_said(failed(OperationError.RESTRICTED))
        assert app[twon.INTERCOM].orders == [], what


async def test_a_relay_that_the_station_does_not_have_is_told_before_anybody_orders_it(tmp_path: Path) -> None:
    app = doorbird.create_app()
    login = (doorbird.OWNER.name, doorbird.OWNER.password)
    async with beside(tmp_path, app, {"kind": "doorbird", "relay": "7"}, login=login) as house:
        await house.until_said(OFFLINE)


@both
async def test_nothing_that_comes_from_the_house_ends_it(tmp_path: Path, kind: str) -> None:
    async with before(tmp_path, kind) as (house, peer):
        for payload in (b"", b"\xff", b"[" * 40, b'{"do":"open"}', b'{"do":"open","id":7}', b"x" * 60_000, b"null"):
            await house.send(payload)
        for number in range(100):
            await house.send(b'{"do":"close","id":"%d"}' % number)
        await asyncio.sleep(1.2)
        await house.order("good")
        await house.until_said(accepted("good"))
        assert len(peer.orders) == 1


@both
@pytest.mark.parametrize("status", [400, 500, 503])
async def test_an_error_of_the_intercom_is_told_as_one_and_the_order_is_not_repeated(
    tmp_path: Path, kind: str, status: int
) -> None:
    async with before(tmp_path, kind) as (house, peer):
        peer.line.on(opening(peer)).statuses = (status,)
        await house.order()
        wanted = OperationError.BUSY if status == 503 else OperationError.UNSPECIFIED
        await house.until_said(failed(wanted))
        assert peer.orders == []


@contextlib.asynccontextmanager
async def served_by_tls(app: web.Application, chain: Path, key: Path) -> AsyncIterator[URL]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield URL.build(scheme="https", host="localhost", port=runner.addresses[0][1], path="/")
    finally:
        await runner.cleanup()


def fingerprint(chain: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain.read_text(encoding="utf-8"))).hexdigest()


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("by", ["fingerprint", "ca"])
async def test_only_the_right_certificate_gets_the_password(tmp_path: Path, by: str, *, right: bool) -> None:
    (tmp_path / "other").mkdir()
    authority, chain, key = make_certificate(tmp_path, "doorbird")
    stranger, other, _ = make_certificate(tmp_path / "other", "doorbird")
    known = {
        "fingerprint": fingerprint(chain if right else other),
        "ca": authority if right else stranger,
    }
    app = doorbird.create_app()
    section = {"kind": "doorbird", by: known[by], "login": "basic"}
    login = (doorbird.OWNER.name, doorbird.OWNER.password)

    def served(one: web.Application) -> contextlib.AbstractAsyncContextManager[object]:
        return served_by_tls(one, chain, key)

    async with beside(tmp_path, app, section, login=login, served=served) as house:
        await house.until_said(ONLINE if right else OFFLINE)
        if not right:
            assert app[doorbird.STATION].asked == []
            return
        await house.order()
        await house.until_said(accepted())
        assert {one.scheme.value for one in app[doorbird.STATION].asked if one.scheme} == {"Basic"}

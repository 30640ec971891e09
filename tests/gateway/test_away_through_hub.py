"""The owner is away: what her browser orders and asks goes through a real hub to her real box, and nobody's else does.

Hub, box and house are processes of their own; the browser is a model of the page's (tests/remotebrowser.py).
"""

import asyncio
import contextlib
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select

from gateway.config.home import PagesSection
from gateway.demo.observers import TIMEOUT_MARGIN_S
from gateway.demo.plan import DemoPlan
from gateway.demo.result import door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode
from gateway.evidence.checkpoint import sign_checkpoint
from gateway.evidence.rollback import MARK_FILE
from gateway.hub.database.tables import browsers, jobs
from gateway.hub.deliveries import jobs as job_store
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.box_hub import JobKind
from gateway.protocol.browser_messages import IMMEDIATE_ORDER_LIFETIME_S
from gateway.protocol.hash_chain import ChainHead
from gateway.protocol.keys import BoxKey
from tests.gateway.test_through_hub import at_the_door, stands
from tests.gateway.web.house import ANNA_PASSWORD
from tests.remotebrowser import RemoteBrowser
from tests.smalldisk import fill, small_disk
from tests.through_hub import HOME, HubUnderTest, ThroughHub, through_hub, wait_for

pytestmark = pytest.mark.slow

ORDERS, QUESTIONS = "/v1/household/orders", "/v1/household/questions"
DAY = 86_400
STORE = "perron.sqlite3"
LEFT_S = 3.0  # seconds of its lifetime that a stop has left when it is sent
QUIET_S = 0.5  # seconds in which the box would have done what was played to it again


def inhabited(port: int, *, asks: bool = False) -> Any:  # noqa: ANN401 - a change of the plan
    """A house with pages; `asks`: its brand has not been let in yet."""

    def change(plan: DemoPlan) -> DemoPlan:
        home = plan.home
        brands = {
            name: one.model_copy(update={"permission": one.permission.model_copy(update={"state": "pending"})})
            if asks else one
            for name, one in home.brands.items()
        }  # fmt: skip
        return replace(plan, home=home.model_copy(update={"pages": PagesSection(port=port), "brands": brands}))

    return change


@dataclass
class Anna:
    """The owner: signed in at home in one browser, which is enrolled, and then away with it."""

    here: ThroughHub
    home: ClientSession
    phone: RemoteBrowser

    @property
    def hub(self) -> HubUnderTest:
        return self.here.hub

    async def asks(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Ask the hub as the page does: who has used up his ration comes again when he is told to."""
        while True:
            async with (
                ClientSession(self.hub.url) as http,
                http.request(method, path, json=body, headers=self.phone.headers) as answer,
            ):
                if answer.status != 429:
                    return answer.status, await answer.json(content_type=None)
                await asyncio.sleep(float(answer.headers["Retry-After"]))

    async def sends(self, token: bytes, seconds: int = 900) -> str:
        """Send a signed order; its id at the hub."""
        status, said = await self.asks("POST", ORDERS, {"sealed": self.phone.sealed(token), "seconds": seconds})
        assert status == 202, said
        return str(said["id"])

    async def orders(self, do: str, *, life: int = 900, **said: Any) -> str:  # noqa: ANN401 - an order's own
        """Order something, and wait until the box has it."""
        id_ = await self.sends(self.phone.order(do, life=life, **said), life)
        assert await self.ended(id_) == ("received", None)
        return id_

    async def ended(self, order: str) -> tuple[str, str | None]:
        """How an order ended at the hub."""
        found: dict[str, Any] = {}

        async def over() -> bool:
            _, said = await self.asks("GET", f"{ORDERS}/{order}")
            found.update(said)
            return bool(said["state"] != "waiting")

        await wait_for(over, f"the end of {order}")
        return found["state"], found["why"]

    async def ask(self, ask: str, **said: Any) -> tuple[dict[str, Any], bytes]:  # noqa: ANN401 - a question's own
        """Ask the house; it answers sealed, with what stands behind it."""
        id_, text = self.phone.question(ask, **said)
        status, answer = await self.asks("POST", QUESTIONS, {"sealed": self.phone.sealed(text)})
        assert status == 200, answer
        opened, raw = self.phone.read(answer["sealed"], id_)
        return opened.get("answer") or opened, raw

    async def state(self) -> dict[str, Any]:
        """How the house stands."""
        found: dict[str, Any] = (await self.ask("state"))[0]["state"]
        return found

    async def brand(self) -> dict[str, Any]:
        """How the shop stands."""
        name = self.here.shop.signer.brand
        return next(one for one in (await self.state())["brands"] if one["id"] == name)

    async def entrance(self) -> dict[str, Any]:
        """How the door stands."""
        name = self.here.play.plan.entrance
        return next(one for one in (await self.state())["entrances"] if one["id"] == name)

    async def became(self, state: str) -> None:
        """Wait until the newest order has become this."""

        async def so() -> bool:
            return bool((await self.state())["orders"][0]["state"] == state)

        await wait_for(so, f"the order {state}")


async def anna(here: ThroughHub, port: int) -> Anna:
    """She claims the box and enrols her browser at home; then the hub knows its key."""
    code = here.play.plan.home.claim_code_file

    async def written() -> bool:
        return code.exists()

    await wait_for(written, "the claim code")
    home = ClientSession(f"http://127.0.0.1:{port}", cookie_jar=CookieJar(unsafe=True))
    form = {"code": code.read_text().strip(), "name": "Anna", "password": ANNA_PASSWORD}
    async with home.post("/claim", data=form, allow_redirects=False) as answer:
        assert answer.status == 303
    phone = RemoteBrowser()
    assert (await phone.enrol(home))["hub"] == here.hub.url
    await wait_for(lambda: known(here.hub, phone.browser), "the browser at the hub")
    return Anna(here, home, phone)


async def known(hub: HubUnderTest, browser: str) -> bool:
    """Whether the hub lets this browser speak."""
    async with hub.store.reading() as tx:
        sign = await tx.scalar(select(browsers.c.sign).where(browsers.c.home == HOME, browsers.c.id == browser))
    return sign is not None


async def brings(hub: HubUnderTest, token: bytes) -> str:
    """The hub brings an envelope again, of its own."""
    async with hub.store.writing() as tx:
        return await job_store.enqueue(tx, HOME, JobKind.OWNER, token, now=datetime.now(UTC))


async def receipt(hub: HubUnderTest, job: str) -> str | None:
    """What the box said to it: None: it has it."""

    async def over() -> bool:
        async with hub.store.reading() as tx:
            return await tx.scalar(select(jobs.c.due).where(jobs.c.id == job)) is None

    await wait_for(over, "a receipt")
    async with hub.store.reading() as tx:
        refused: str | None = await tx.scalar(select(jobs.c.refused).where(jobs.c.id == job))
    return refused


async def test_from_afar_a_brand_is_let_in_and_stopped_and_revoked_and_the_hub_can_neither_invent_nor_replay_it(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with through_hub(tmp_path, rigged=False, change=inhabited(port, asks=True)) as here:
        play, owner = here.play, await anna(here, port)
        try:
            await wait_for(here.hub.ready, "the hub")
            assert (await owner.entrance())["door"] == "locked"
            shown = await owner.brand()
            assert shown["standing"] == "pending"
            first = await here.shop.announces()
            await here.hub.home_reported(first, State.AWAITING_PERMISSION)
            terms = {name: shown["terms"][name] for name in ("entrances", "places", "carriers", "days", "hours")}
            permit = await owner.orders("permit", life=DAY, brand=here.shop.signer.brand, ask=shown["ask"], terms=terms)
            await owner.became("done")
            assert (await owner.brand())["standing"] == "granted"
            await stands(here, first, State.WINDOW_OPEN)
            await at_the_door(play, first)
            assert (await owner.entrance())["visit"]["brand"] is not None
            _, jpeg = await owner.ask("live", camera=play.section.cameras.outside)
            assert jpeg.startswith(b"\xff\xd8\xff")
            await play.courier.goes_in()
            await play.leave_and_seal()
            assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
            await filmed(owner)
            await stopped_while_it_rings(owner)
            await replayed_after_a_revocation(owner, permit)
            async with owner.home.post("/away/end", data={"id": owner.phone.browser}, allow_redirects=False) as answer:
                assert answer.status == 303

            async def cut_off() -> bool:
                return (await owner.asks("POST", QUESTIONS, {"sealed": "h..i.c.t"}))[0] == 401

            await wait_for(cut_off, "the hub's no to a browser that has ended")
            late = await brings(here.hub, owner.phone.sealed(owner.phone.order("stop")).encode())
            assert await receipt(here.hub, late) == "unknown_browser", "and the house's"
            assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
        finally:
            await owner.home.close()


async def filmed(owner: Anna) -> None:
    """The film of the visit comes in pieces, and is what lies on the box's disk."""
    (visit,) = (await owner.ask("visits"))[0]["visits"]
    film = visit["films"][0]
    whole, piece, pieces = b"", 0, 1
    while piece < pieces:
        answer, raw = await owner.ask("film", path=film["path"], piece=piece)
        whole, piece, pieces = whole + raw, piece + 1, answer["pieces"]
    assert whole == (owner.here.play.plan.home.storage.folder / film["path"]).read_bytes()
    assert (await owner.ask("messages"))[0]["messages"]


async def stopped_while_it_rings(owner: Anna) -> None:
    """A second courier is at the door; a stop from afar ends it as a stop at home does."""
    here, play = owner.here, owner.here.play
    second = await here.shop.announces()
    await stands(here, second, State.WINDOW_OPEN)
    play.watch.mark_seen()
    await play.wait_for_new_scan()
    await play.courier.does("arrive")
    await play.courier.scans(second.parcel)
    await play.courier.scans(second.courier)
    await play.wait_for_ringing()
    await owner.orders("stop")
    await play.wait_for_phase("ready")
    assert (await owner.entrance())["stopped"] is True
    await play.wait_for_new_scan()
    await play.courier.scans(second.parcel)
    await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)


async def replayed_after_a_revocation(owner: Anna, permit: str) -> None:
    """What was permitted is revoked; the hub plays the permit again, as it was and as another job."""
    hub = owner.hub
    async with hub.store.reading() as tx:
        token: bytes = (await tx.execute(select(jobs.c.token).where(jobs.c.id == permit))).scalar_one()
    await owner.orders("revoke", life=DAY, brand=owner.here.shop.signer.brand)
    await owner.became("done")
    assert await receipt(hub, await brings(hub, token)) is None, "the same again is the same receipt"
    invented = RemoteBrowser(browser=owner.phone.browser, home=HOME, hub=hub.url, keys=owner.phone.keys)
    for lie, why in (
        (owner.phone.sealed(invented.order("stop", changed={"number": 99})), "wrong_signature"),
        (secrets.token_urlsafe(20) + "..a.b.c", "unknown_browser"),
    ):
        assert await receipt(hub, await brings(hub, lie.encode())) == why
    await asyncio.sleep(QUIET_S)
    assert (await owner.brand())["standing"] == "revoked"


async def test_a_box_whose_older_copy_came_back_on_a_full_disk_does_nothing_that_the_hub_plays_again(
    tmp_path: Path,
) -> None:
    port = free_port()
    with small_disk(tmp_path / "box", "48m") as disk:
        async with through_hub(tmp_path, rigged=True, change=inhabited(port)) as here:
            play, owner = here.play, await anna(here, port)
            try:
                await wait_for(here.hub.ready, "the hub")
                copied(disk / STORE, tmp_path / "older")
                stop = owner.phone.sealed(owner.phone.order("stop")).encode()
                assert await receipt(here.hub, await brings(here.hub, stop)) is None
                assert (await owner.entrance())["stopped"] is True
                await play.stage.gateway.end()
                note_the_end_of(disk)
                again, log = await brings(here.hub, stop), tmp_path / "gateway.log"
                with put_back(tmp_path / "older", disk):
                    ballast = fill(disk)
                    await play.stage.gateway.begin()
                    await play.wait_for_alarm(AlarmCode.SAFE_MODE)
                    await play.watch.wait_until(
                        "the log", lambda: "browsers_not_ended" in log.read_text(), within=TIMEOUT_MARGIN_S
                    )
                ballast.unlink()
                assert await receipt(here.hub, again) == "unknown_browser"

                async def ended() -> bool:
                    return not await known(here.hub, owner.phone.browser)

                await wait_for(ended, "the hub's word that the browser has ended")
                assert play.watch.state.get("stopped") is False
            finally:
                await owner.home.close()


def copied(store: Path, to: Path) -> None:
    """A copy of a store that is in use."""
    with contextlib.closing(sqlite3.connect(store)) as now, contextlib.closing(sqlite3.connect(to)) as copy:
        now.backup(copy)


def note_the_end_of(disk: Path) -> None:
    """Keep a checkpoint of the log as it is, as the next proof would."""
    with contextlib.closing(sqlite3.connect(disk / STORE)) as store:
        seq, link = store.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
    now = Now(utc=datetime.now(UTC), trusted=True, mono=0)
    kept = sign_checkpoint(ChainHead(seq=seq, hash=link), box="home", now=now, key=BoxKey.load_or_create(disk / "key"))
    (disk / MARK_FILE).write_bytes(kept.to_json())


@contextlib.contextmanager
def put_back(older: Path, disk: Path) -> Iterator[None]:
    """Put an older copy in the store's place. It is held open until left, or a full disk would not even open it."""
    for file in disk.glob(f"{STORE}*"):
        file.unlink()
    shutil.copy(older, disk / STORE)
    with contextlib.closing(sqlite3.connect(disk / STORE)) as held:
        held.execute("PRAGMA journal_mode = WAL")
        held.execute("SELECT count(*) FROM entry").fetchone()
        yield


async def test_an_order_waits_for_a_box_that_is_away_and_is_done_once_whatever_is_killed(tmp_path: Path) -> None:
    port = free_port()
    async with through_hub(tmp_path, rigged=True, change=inhabited(port)) as here:
        play, owner = here.play, await anna(here, port)
        brand = here.shop.signer.brand
        try:
            await wait_for(here.hub.ready, "the hub")
            await here.hub.broker.kill()  # the house is out of reach
            late = await owner.sends(owner.phone.order("stop", ago=IMMEDIATE_ORDER_LIFETIME_S - LEFT_S))
            waits = await owner.sends(owner.phone.order("revoke", life=DAY, brand=brand), DAY)
            await asyncio.sleep(LEFT_S + 1)
            await here.hub.broker.start()
            assert await owner.ended(late) == ("refused", "no_longer_valid")
            assert await owner.ended(waits) == ("received", None)
            await owner.became("done")
            assert (await owner.brand())["standing"] == "revoked"
            assert (await owner.entrance())["stopped"] is False

            shown = await owner.brand()
            terms = {name: shown["terms"][name] for name in ("entrances", "places", "carriers", "days", "hours")}
            await play.kill_gateway("order-kept")
            killed = await owner.sends(
                owner.phone.order("permit", life=DAY, brand=brand, ask=shown["ask"], terms=terms), DAY
            )
            await play.wait_for_gateway()  # it had the order on its disk, and had neither done it nor said so
            assert await owner.ended(killed) == ("received", None)
            await owner.became("done")
            assert (await owner.brand())["standing"] == "granted"
            good = await here.shop.announces()
            await stands(here, good, State.WINDOW_OPEN)
            await at_the_door(play, good)
            here.hub.kill()
            await play.courier.goes_in()
            await play.leave_and_seal()
            await wait_for(here.hub.ready, "the hub again")
            assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
            await owner.orders("stop")
            assert (await owner.entrance())["stopped"] is True
        finally:
            await owner.home.close()

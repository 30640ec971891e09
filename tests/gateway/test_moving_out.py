"""The whole gateway when its household moves out: it ends in good order and begins anew, wiped or another's."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar

from devices.reports import DoorReport, DoorState, LockReport, LockState, Report
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway import app as module
from gateway.app import App
from gateway.cli import console
from gateway.config.home import Home, MessagesSection, PagesSection
from gateway.config.topics import device_topic
from gateway.domain.visit import commands as c
from gateway.domain.visit.predicates import are_all_secured
from gateway.domain.visit.state import Entrance
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.keys import BoxKey, link_key, push_key
from gateway.runtime.maintenance import factory_reset
from gateway.runtime.notifications import action_links
from gateway.storage.push_subscriptions import subscriptions
from gateway.storage.schema import connect_read_only
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import make_step
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.test_app import Broker, Video, World
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.house import make_home
from tests.waiting import wait_until

ENGLISH = {"Accept-Language": "en"}


class Answering(Broker):
    """A broker at whose other end locks and doors answer that they are locked and closed."""

    house: Home

    def publish(self, topic: str, payload: bytes, **fields: Any) -> Any:  # noqa: ANN401 - of a PUBLISH
        outcome = super().publish(topic, payload, **fields)
        device = topic.removeprefix("perron/").removesuffix("/get")
        if topic.endswith("/get") and device.endswith(("lock", "door")):
            report = DoorReport(door=DoorState.CLOSED) if device.endswith("door") else LockReport(bolt=LockState.LOCKED)
            asyncio.get_running_loop().call_soon(self.answers, device, report, fields["correlation"])
        return outcome

    def answers(self, device: str, report: Report, correlation: bytes) -> None:
        configured = self.house.devices[device]
        for letter in VENDORS[configured.vendor].encode_report(report, configured.device_ref):
            topic = device_topic(self.house, device, TopicSuffix.RESULT)
            self.on_message(
                InboundMessage(topic=topic, payload=letter.payload, retain=False, session=1, correlation=correlation)
            )


@pytest.fixture(autouse=True)
def _recorders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MqttClient", Answering)
    monkeypatch.setattr(module, "VideoClient", Video)
    monkeypatch.setattr("os.umask", lambda _mask: 0o022)


@asynccontextmanager
async def begun(house: Home) -> AsyncIterator[tuple[App, asyncio.Task[bool], str]]:
    """A gateway whose doors are proven locked and whose pages are served; it is ended with the block."""
    Answering.house = house
    World.made.clear()
    made = App(house, free_bytes=lambda: 2**40)
    run = asyncio.create_task(made.run())
    await wait_until(lambda: run.done() or len(World.made) == 2)
    assert not run.done(), run.exception()
    World.broker.on_up(1)
    await wait_until(lambda: all(are_all_secured(one) for one, _ in made.states()))
    await wait_until(lambda: made._site is not None and made._site._accept_tasks)  # noqa: SLF001 - it tells nobody
    assert made._site is not None  # noqa: SLF001 - the same
    try:
        yield made, run, f"http://127.0.0.1:{made._site.port}"  # noqa: SLF001 - the same
    finally:
        made.stop()
        async with asyncio.timeout(20):
            await run


@asynccontextmanager
async def owner(house: Home, address: str, name: str = "Anna") -> AsyncIterator[ClientSession]:
    """Claim the box by the code it shows."""
    await wait_until(house.claim_code_file.exists)
    async with ClientSession(address, cookie_jar=CookieJar(unsafe=True), headers=ENGLISH) as client:
        code = house.claim_code_file.read_text(encoding="ascii")
        async with client.post("/claim", data={"code": code, "name": name, "password": ANNA_PASSWORD}) as answer:
            assert answer.status == 200, await answer.text()
        yield client


async def home_page(address: str, cookies: Mapping[str, str]) -> str:
    """Where a browser with these cookies is led that asks for the home page."""
    async with (
        ClientSession(address, cookies=cookies, cookie_jar=CookieJar(unsafe=True)) as client,
        client.get("/", allow_redirects=False) as answer,
    ):
        return answer.headers.get("Location", "it opens")


@pytest.fixture
def house(tmp_path: Path) -> Home:
    phones = tmp_path / "phones.txt"
    phones.write_text("")
    changes = {"pages": PagesSection(port=0), "messages": MessagesSection(file=phones)}
    return make_home(tmp_path / "box").model_copy(update=changes)


async def filmed(house: Home, visit: str) -> Path:
    """A box in which an incident was filmed before it starts."""
    folder = house.storage.folder
    folder.mkdir(exist_ok=True)
    BoxKey.load_or_create(folder / "key")  # a store without its box's key is in doubt
    store = await Store.open(folder / "perron.sqlite3", home=house, now=NOW)
    await store.commit(make_step(Entrance(id="front", incident=visit), c.StartRecording(visit=visit)))
    await store.commit(make_step(Entrance(id="front")))
    await store.close()
    film = folder / "visits" / visit / "cam-1.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"a film of Anna")
    return film


@pytest.mark.slow
async def test_a_box_that_was_wiped_on_its_page_begins_anew_as_nobody_s(house: Home) -> None:
    film = await filmed(house, "visit-of-the-incident")
    folder = house.storage.folder
    assert house.messages is not None
    house.messages.file.write_text("json://127.0.0.1:9/anna/", encoding="utf-8")
    async with begun(house) as (made, run, address), owner(house, address) as anna:
        key = (folder / "key" / "box.key.pem").read_bytes()
        async with anna.post("/settings/moving-out/wipe", data={"name": "Home"}) as answer:
            assert (answer.status, "The box is being wiped" in await answer.text()) == (200, True)
        async with asyncio.timeout(20):
            assert await asyncio.shield(run), "it ends to begin anew"
        assert factory_reset.is_marked_for_wipe(folder)
        assert film.exists(), "what is wiped is wiped by the start that follows, before anything is opened"
        cookies = {one.key: one.value for one in anna.cookie_jar}
        assert made.states()
    async with begun(house) as (_, run, address):
        assert not factory_reset.is_marked_for_wipe(folder)
        assert not film.exists()
        assert house.messages.file.read_bytes() == b""
        assert (folder / "key" / "box.key.pem").read_bytes() != key
        await wait_until(house.claim_code_file.exists)
        assert (await home_page(address, cookies)).startswith("/enter")
        left = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert b"Anna" not in left
        assert b"visit-of-the-incident" not in left
        async with owner(house, address, "Clara"):
            pass


@pytest.mark.slow
async def test_the_command_itself_goes_on_into_the_fresh_start(house: Home) -> None:
    """`perron run` without a supervisor: the same process, another box."""
    port = free_port()
    house = house.model_copy(update={"pages": PagesSection(port=port)})
    Answering.house = house
    World.made.clear()
    run = asyncio.create_task(console.run_gateway(house, house.storage.folder / "home.yaml"))
    address = f"http://127.0.0.1:{port}"
    await wait_until(house.claim_code_file.exists)
    World.broker.on_up(1)
    async with owner(house, address) as anna:
        await wait_until(lambda: len(World.broker.on("perron/lock/get")) > 0)
        status = 0
        async with asyncio.timeout(20):
            while status != 200:  # 409 until lock and door have answered
                async with anna.post("/settings/moving-out/wipe", data={"name": "Home"}) as answer:
                    status = answer.status
    await wait_until(lambda: len(World.made) == 4 and house.claim_code_file.exists())
    async with owner(house, address, "Clara"):
        assert not run.done()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(20):
        await run


async def test_a_box_that_died_with_the_mark_is_wiped_at_its_next_start(house: Home) -> None:
    film = await filmed(house, "v1")
    factory_reset.mark_for_wipe(house.storage.folder)
    async with begun(house) as (_, _, address), owner(house, address):
        assert not film.exists()
        assert not factory_reset.is_marked_for_wipe(house.storage.folder)


@pytest.mark.slow
async def test_a_house_with_another_owner_has_new_links_no_phones_and_no_films(house: Home) -> None:
    film = await filmed(house, "v1")
    folder = house.storage.folder
    assert house.messages is not None
    async with begun(house) as (_, run, address), owner(house, address) as anna:
        house.messages.file.write_text("ntfys://phone.example/anna", encoding="utf-8")
        old, old_push = link_key(folder / "key"), push_key(folder / "key").public_text
        browser = {"endpoint": "https://push.example.org/anna", "auth": "BTBZMqHH6r4Tts7J_aSIgg", "p256dh": old_push}
        async with anna.post("/settings/messages/browser", data=browser, allow_redirects=False) as answer:
            assert answer.status == 303
        identity = (folder / "key" / "box.key.pem").read_bytes()
        async with anna.post("/settings/moving-out/offer", data={"name": "Home"}) as answer:
            link = "/take-over/" + (await answer.text()).partition("/take-over/")[2].partition("<")[0]
        (folder / "proposals").mkdir()
        (folder / "proposals" / f"{'0' * 16}.login").write_text("admin:of the former household")
        async with ClientSession(address, cookie_jar=CookieJar(unsafe=True), headers=ENGLISH) as clara:
            async with clara.post(link, data={"name": "Clara", "password": ANNA_PASSWORD}) as answer:
                assert answer.status == 200
            cookies = {one.key: one.value for one in clara.cookie_jar}
        async with asyncio.timeout(20):
            assert await asyncio.shield(run)
    async with begun(house) as (_, _, address):
        new = link_key(folder / "key")
        assert new != old
        assert push_key(folder / "key").public_text != old_push
        with connect_read_only(folder / "perron.sqlite3") as store:
            assert subscriptions(store) == (), "no browser of the former household is told"
        assert not (folder / "proposals").exists(), "what was proposed was for the former owner's word"
        stop = action_links.sign_link(
            action_links.LinkPurpose.STOP, "front", NOW.utc + timedelta(hours=1), bytes(action_links.NONCE_BYTES), old
        )
        assert action_links.verify_link(stop, new, NOW) is action_links.LinkError.FORGED
        assert (folder / "key" / "box.key.pem").read_bytes() == identity, "the box stays who it is"
        assert house.messages.file.read_bytes() == b""
        await wait_until(lambda: not film.exists())
        assert [path.name for path in film.parent.iterdir()] == ["erased.json"]
        assert await home_page(address, cookies) == "it opens"


@pytest.mark.parametrize("left", ["handed over", "wiped"])
async def test_phones_of_the_former_household_that_cannot_be_taken_out_of_the_file_are_told_nothing(
    house: Home, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """A file that is mounted read-only: it is not used until it says something else."""
    asked: list[Path] = []

    def read(file: Path, **_given: object) -> tuple[()]:
        asked.append(file)
        return ()

    monkeypatch.setattr("gateway.runtime.notifications.apprise.load_phones", read)
    monkeypatch.setattr(factory_reset, "truncate", lambda _file: False)
    assert house.messages is not None
    house.storage.folder.mkdir()
    house.messages.file.write_text("ntfys://phone.example/anna", encoding="utf-8")
    if left == "wiped":
        factory_reset.mark_for_wipe(house.storage.folder)
    else:
        store = await Store.open(house.storage.folder / "perron.sqlite3", home=house, now=NOW)
        await store.handover.set_task("new_house.links", "new")
        await store.close()
    for _ in range(2):
        async with begun(house):
            assert asked == []
    house.messages.file.write_text("ntfys://phone.example/clara", encoding="utf-8")
    async with begun(house):
        assert asked == [house.messages.file]

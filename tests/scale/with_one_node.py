"""One real RabbitMQ node with the files of `perron hub-config`, the hub and boxes' real lines.

Run by `make test-scale`. Not part of `make test`: it needs Debian's rabbitmq-server.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.delivery.promise import State
from gateway.hub import admin
from gateway.hub.cluster.rabbitmq import set_up
from gateway.hub.config import Boxes, HubFile, Rabbit
from gateway.hub.database.tables import home_events, jobs
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.process import HubProcess
from gateway.integrations.hub_client.session import SUBSCRIBE_QOS
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.mqtt.packets import Sent
from gateway.protocol.box_hub import (
    GENESIS_DIGEST,
    Ack,
    BrowserStatus,
    Hello,
    Job,
    JobKind,
    JobReceipt,
    down_topic,
    reply_topic,
    shard_of,
    up_topic,
)
from gateway.protocol.browser_envelope import Jwk
from gateway.system.mqtt_settings import BrokerSection, BrokerTls
from tests.boxes import EventJournal, connected_box, make_result
from tests.hubs import RunningHub, hub_file, run_hub
from tests.joins import JoiningBox, create_claim
from tests.remotebrowser import RemoteBrowser
from tests.scale.rabbit import RabbitNode, missing

TIMEOUT_S = 30.0


@dataclass
class NodePlace:
    """A node, and the file of a hub that uses it. `host`: where boxes reach it."""

    file: HubFile
    node: RabbitNode
    folder: Path
    host: str = "localhost"

    async def joined(self, hub: RunningHub, name: str, *, home: str | None = None) -> "JoinedBox":
        """A box that has joined by a claim."""
        box = JoiningBox.new(self.folder / name)
        member = await box.join(await create_claim(hub, self.file, home=home))
        one = JoinedBox(self, box, member.home)
        async with asyncio.timeout(TIMEOUT_S):
            while not await one.may_come():  # noqa: ASYNC110 - as a box tries again: a node is told of it soon
                await asyncio.sleep(0.1)
        return one


@dataclass
class JoinedBox:
    """A box of a home."""

    place: NodePlace
    box: JoiningBox
    home: str

    def at(self, *, as_home: str | None = None) -> BrokerSection:
        """How it reaches the node; under another's name even."""
        assert self.place.file.boxes is not None
        pem = self.box.folder / "identity.pem"
        tls = BrokerTls(ca=self.box.folder / "authority.pem", certificate=pem, key=pem)
        return BrokerSection(
            host=self.place.host, port=self.place.file.boxes.port, username=as_home or self.home, tls=tls
        )

    async def may_come(self) -> bool:
        """Whether the node lets it in."""
        try:
            async with self.line():
                return True
        except ConnectionError:
            return False

    @contextlib.asynccontextmanager
    async def line(self, *topics: str) -> AsyncIterator[ShortSession]:
        """Connect as it, hearing as a box does."""
        own = topics or (down_topic(self.home, "jobs"), down_topic(self.home, "ack"))
        async with connect_once(self.at(), own, monotonic=time.monotonic, qos=SUBSCRIBE_QOS[0]) as line:
            yield line

    def topic(self, what: str) -> str:
        """Where it says something."""
        return up_topic(shard_of(self.home), self.home, what)  # type: ignore[arg-type]  # any word is tried


def rabbit_file(folder: Path) -> HubFile:
    """A hub whose cluster is one node of this machine."""
    rabbit = Rabbit(
        nodes={"r1": "127.0.0.1"}, files=folder / "hub" / "rabbit" / "r1", distribution=free_port(), memory=0.2,
        metrics=free_port(), management=free_port(),
    )  # fmt: skip
    boxes = Boxes(host="localhost", port=free_port(), listen="127.0.0.1", connections=500)
    return hub_file(folder).model_copy(update={"rabbit": rabbit, "boxes": boxes})


@pytest.fixture(scope="session", autouse=True)
def packages() -> None:
    """Say what is missing before anything else does."""
    assert not missing(), f"install first, without starting them: apt-get install {' '.join(missing())}"


@contextlib.asynccontextmanager
async def run_node(file: HubFile, folder: Path) -> AsyncIterator[NodePlace]:
    """Run the one node of this file."""
    assert file.boxes is not None
    assert file.rabbit is not None
    set_up(file, file.boxes, file.rabbit, now=datetime.now(UTC))
    cookie = (file.cluster / "erlang.cookie").read_text()
    node = RabbitNode(file.cluster / "r1", cookie=cookie, host="127.0.0.1", port=file.boxes.port, epmd=free_port())
    try:
        await node.start()
        await node.ready()
        yield NodePlace(file, node, folder)
    finally:
        await node.end()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[NodePlace]:
    async with run_node(rabbit_file(tmp_path), tmp_path) as there:
        yield there


async def wait_until_connected(hub: RunningHub) -> None:
    """Wait until the hub has its line."""
    async with asyncio.timeout(TIMEOUT_S):
        while hub.hub.broker_connection is None or not hub.hub.broker_connection.is_connected:  # noqa: ASYNC110 - it rings no bell of ours
            await asyncio.sleep(0.02)


async def next_message(line: ShortSession, topic: str) -> bytes:
    """The next word on a topic."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            word = await line.receive()
            if word.topic == topic:
                return word.payload


async def publish(line: ShortSession, topic: str, payload: bytes) -> int | None:
    """Publish; what the node says to it."""
    sent = line.publish(topic, payload)
    assert isinstance(sent, Sent)
    return (await asyncio.wait_for(sent.acknowledged, TIMEOUT_S)).code


async def wait_until_stored(hub: HubProcess, home: str, seq: int) -> None:
    """Wait until an event of a home is kept."""
    found = select(home_events.c.seq).where(home_events.c.home == home, home_events.c.seq == seq)
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            async with hub.store.reading() as tx:
                if await tx.scalar(found) is not None:
                    return
            await asyncio.sleep(0.05)


async def unsubscribe(node: RabbitNode, home: str) -> None:
    """Let the cluster lose what a home has subscribed to; its line stays."""
    told = await node.tells(
        "eval",
        f"""Q = rabbit_misc:r(<<"/">>, queue, <<"mqtt-subscription-{home}qos0">>),
        [rabbit_binding:remove(B, <<"test">>) || B <- rabbit_binding:list_for_destination(Q)].""",
    )
    assert "ok" in told, told


async def enqueue_job(hub: HubProcess, home: str, token: bytes = b"a.b.c") -> str:
    """Keep a job for a home and ring."""
    async with hub.store.writing() as tx:
        id_ = await job_store.enqueue(tx, home, JobKind.DELIVERY, token, now=hub.now())
    hub.wake_dispatcher()
    return id_


async def wait_for_job(hub: HubProcess, job: str, column: str, value: object) -> None:
    """Wait until a job's row says so."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            async with hub.store.reading() as tx:
                if await tx.scalar(select(jobs.c[column]).where(jobs.c.id == job)) == value:
                    return
            await asyncio.sleep(0.05)


async def publish_foreign(one: JoinedBox, topic: str) -> None:
    """Say what is not its own to say, and wait for what comes of it."""
    async with one.line() as line:
        assert isinstance(line.publish(topic, b"x"), Sent)
        await asyncio.wait_for(line.receive(), TIMEOUT_S)


async def revoke_while_connected(one: JoinedBox, hub: HubProcess) -> None:
    """Revoke it while it is connected; its line ends within ten seconds."""
    async with one.line() as line:
        await admin.revoke_home(hub.store, one.home, now=hub.now())
        await asyncio.wait_for(line.receive(), 10)


async def test_a_box_joins_gets_a_job_gives_its_receipt_and_its_event_is_acknowledged(place: NodePlace) -> None:
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        one = await place.joined(hub, "one")
        away = await enqueue_job(hub.hub, one.home)
        await wait_for_job(hub.hub, away, "parked", value=True)  # PUBACK 0x10: nobody there
        async with one.line() as line:
            hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris")
            assert await publish(line, one.topic("hello"), hello.model_dump_json().encode()) == 0
            first = Ack.model_validate_json(await next_message(line, down_topic(one.home, "ack")))
            assert (first.seq, first.head) == (0, GENESIS_DIGEST)
            job = Job.model_validate_json(await next_message(line, down_topic(one.home, "jobs")))
            assert (job.job, job.token) == (away, "a.b.c")
            await wait_for_job(hub.hub, away, "parked", value=False)
            await publish(line, one.topic("status"), JobReceipt(job=away, state="received").model_dump_json().encode())
            await wait_for_job(hub.hub, away, "due", value=None)
            journal = EventJournal(one.home, one.box.key)
            await publish(line, one.topic("evt"), journal.add(make_result("lune", "d-1", State.DELIVERED)))
            assert Ack.model_validate_json(await next_message(line, down_topic(one.home, "ack"))).seq == 1
        later = await enqueue_job(hub.hub, one.home, b"d.e.f")
        await wait_for_job(hub.hub, later, "parked", value=True)


async def test_a_home_is_what_its_certificate_says_and_speaks_and_hears_under_its_own_name_only(
    place: NodePlace,
) -> None:
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        one, other = await place.joined(hub, "one"), await place.joined(hub, "other")
        with pytest.raises(ConnectionError):
            async with connect_once(one.at(as_home=other.home), [], monotonic=time.monotonic):
                pass
        foreign = (
            down_topic(other.home, "jobs"),
            "dn/#",
            "dn/+/jobs",
            "#",
            "up/#",
            other.topic("evt"),
            f"up/+/{one.home}/evt",
        )
        for topic in foreign:
            with pytest.raises(ConnectionError):
                async with one.line(topic):
                    pass
        wrong = (
            other.topic("evt"), down_topic(one.home, "jobs"), one.topic("more"),
            up_topic((shard_of(one.home) + 1) % 64, one.home, "evt"),
        )  # fmt: skip
        for topic in wrong:
            with pytest.raises(ConnectionError):  # it is refused, and shown the door
                await publish_foreign(one, topic)
        for login in ("hub-1", "guest", other.home):
            named = one.at().model_copy(update={"username": login, "password_file": place.folder / "word"})
            (place.folder / "word").write_text("guest\n")
            with pytest.raises(ConnectionError):
                async with connect_once(named, [], monotonic=time.monotonic):
                    pass


async def test_a_revoked_home_is_cut_off_and_neither_it_nor_an_ended_certificate_comes_back(place: NodePlace) -> None:
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        one, other = await place.joined(hub, "one"), await place.joined(hub, "other")
        async with other.line() as steady:
            with pytest.raises(ConnectionError):
                await revoke_while_connected(one, hub.hub)
            with pytest.raises(ConnectionError):
                async with one.line():
                    pass
            assert await publish(steady, other.topic("hello"), b"{}") == 0
        anew = await place.joined(hub, "anew", home=one.home)
        assert anew.home == one.home
        with pytest.raises(ConnectionError):  # the home counts again, that certificate does not
            async with one.line():
                pass
        async with anew.line() as line:
            hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris")
            assert await publish(line, anew.topic("hello"), hello.model_dump_json().encode()) == 0
            assert await next_message(line, down_topic(anew.home, "ack"))


async def test_what_a_home_says_while_the_hub_is_away_is_kept_for_it(place: NodePlace) -> None:
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        one = await place.joined(hub, "one")
        journal = EventJournal(one.home, one.box.key)
        first, second = (journal.add(make_result("lune", f"d-{n}", State.DELIVERED)) for n in (1, 2))
        line = contextlib.AsyncExitStack()
        guest = await line.enter_async_context(one.line())
        await publish(guest, one.topic("evt"), first)
        await wait_until_stored(hub.hub, one.home, 1)
    async with line:
        assert await publish(guest, one.topic("evt"), second) == 0, "the cluster keeps it: the hub's session is there"
    async with run_hub(place.file) as hub:
        await wait_until_stored(hub.hub, one.home, 2)  # nobody has said it again: the box has gone


async def test_a_browser_of_the_household_asks_its_home_and_nobody_else_answers_for_it(place: NodePlace) -> None:
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        one, other = await place.joined(hub, "one"), await place.joined(hub, "other")
        browser = RemoteBrowser(home=one.home, hub=place.file.url, browser=f"brw-{1:032x}")
        agree = Jwk.of(browser.sign.public_key()).model_dump()
        browser.enrolled({"browser": browser.browser, "home": one.home, "hub": place.file.url, "agree": agree})
        async with connected_box(one.home, one.at()) as home:
            said = BrowserStatus(browser=browser.browser, sign=Jwk.of(browser.sign.public_key()), ended=False)
            await home.say("evt", EventJournal(one.home, one.box.key).add(said))
            await wait_until_stored(hub.hub, one.home, 1)
            asking = asyncio.create_task(query_home(hub, browser))
            question = await asyncio.wait_for(home.asked.get(), TIMEOUT_S)
            with pytest.raises(ConnectionError):  # it is refused, and shown the door
                await publish_foreign(other, reply_topic(shard_of(one.home), one.home, question.via))
            home.answers(question, "h..i.c.t")
            assert await asking == {"sealed": "h..i.c.t"}
        gone = await enqueue_job(hub.hub, one.home)
        await wait_for_job(hub.hub, gone, "parked", value=True)  # the broker knows
        assert (await query_home(hub, browser))["code"] == "home_offline", "and says so at once"


async def query_home(hub: RunningHub, browser: RemoteBrowser) -> dict[str, Any]:
    """Ask how the home is, over HTTP; what the hub answers."""
    body = {"sealed": browser.sealed(browser.question("state")[1])}
    async with hub.http.post("/v1/household/questions", json=body, headers=browser.headers) as answer:
        said: dict[str, Any] = await answer.json(content_type=None)
        return said

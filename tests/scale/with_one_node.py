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

from gateway.config.broker import Broker, BrokerTls
from gateway.domain.delivery.promise import State
from gateway.hub import admin
from gateway.hub import jobs as job_store
from gateway.hub.cluster.rabbitmq import set_up
from gateway.hub.config import Boxes, HubFile, Rabbit
from gateway.hub.process import Hub
from gateway.hub.tables import home_events, jobs
from gateway.integrations.hub_client.session import HEARS
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.mqtt.packets import Sent
from gateway.protocol.box_hub import (
    BEGINNING,
    Ack,
    BrowserSaid,
    Hello,
    Job,
    Kind,
    Receipt,
    ack_topic,
    jobs_topic,
    said_topic,
    shard_of,
    up_topic,
)
from gateway.protocol.browser_envelope import Jwk
from tests.boxes import Journal, connected, result
from tests.hubs import Running, hub_file, running
from tests.joins import Box, claim
from tests.remotebrowser import RemoteBrowser
from tests.scale.rabbit import Node, missing

LONG = 30.0


@dataclass
class Place:
    """A node, and the file of a hub that uses it. `host`: where boxes reach it."""

    file: HubFile
    node: Node
    folder: Path
    host: str = "localhost"

    async def joined(self, hub: Running, name: str, *, home: str | None = None) -> "Joined":
        """A box that has joined by a claim."""
        box = Box.new(self.folder / name)
        member = await box.join(await claim(hub, self.file, home=home))
        one = Joined(self, box, member.home)
        async with asyncio.timeout(LONG):
            while not await one.may_come():  # noqa: ASYNC110 - as a box tries again: a node is told of it soon
                await asyncio.sleep(0.1)
        return one


@dataclass
class Joined:
    """A box of a home."""

    place: Place
    box: Box
    home: str

    def at(self, *, as_home: str | None = None) -> Broker:
        """How it reaches the node; under another's name even."""
        assert self.place.file.boxes is not None
        pem = self.box.folder / "identity.pem"
        tls = BrokerTls(ca=self.box.folder / "authority.pem", certificate=pem, key=pem)
        return Broker(host=self.place.host, port=self.place.file.boxes.port, username=as_home or self.home, tls=tls)

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
        own = topics or (jobs_topic(self.home), ack_topic(self.home))
        async with connect_once(self.at(), own, monotonic=time.monotonic, qos=HEARS[0]) as line:
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
async def placed(file: HubFile, folder: Path) -> AsyncIterator[Place]:
    """Run the one node of this file."""
    assert file.boxes is not None
    assert file.rabbit is not None
    set_up(file, file.boxes, file.rabbit, now=datetime.now(UTC))
    cookie = (file.cluster / "erlang.cookie").read_text()
    node = Node(file.cluster / "r1", cookie=cookie, host="127.0.0.1", port=file.boxes.port, epmd=free_port())
    try:
        await node.start()
        await node.ready()
        yield Place(file, node, folder)
    finally:
        await node.end()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with placed(rabbit_file(tmp_path), tmp_path) as there:
        yield there


async def there(hub: Running) -> None:
    """Wait until the hub has its line."""
    async with asyncio.timeout(LONG):
        while hub.hub.line is None or not hub.hub.line.there:  # noqa: ASYNC110 - it rings no bell of ours
            await asyncio.sleep(0.02)


async def hears(line: ShortSession, topic: str) -> bytes:
    """The next word on a topic."""
    async with asyncio.timeout(LONG):
        while True:
            word = await line.receive()
            if word.topic == topic:
                return word.payload


async def says(line: ShortSession, topic: str, payload: bytes) -> int | None:
    """Publish; what the node says to it."""
    sent = line.publish(topic, payload)
    assert isinstance(sent, Sent)
    return (await asyncio.wait_for(sent.acknowledged, LONG)).code


async def keeps(hub: Hub, home: str, seq: int) -> None:
    """Wait until an event of a home is kept."""
    found = select(home_events.c.seq).where(home_events.c.home == home, home_events.c.seq == seq)
    async with asyncio.timeout(LONG):
        while True:
            async with hub.store.reading() as tx:
                if await tx.scalar(found) is not None:
                    return
            await asyncio.sleep(0.05)


async def unsubscribe(node: Node, home: str) -> None:
    """Let the cluster lose what a home has subscribed to; its line stays."""
    told = await node.tells(
        "eval",
        f"""Q = rabbit_misc:r(<<"/">>, queue, <<"mqtt-subscription-{home}qos0">>),
        [rabbit_binding:remove(B, <<"test">>) || B <- rabbit_binding:list_for_destination(Q)].""",
    )
    assert "ok" in told, told


async def send(hub: Hub, home: str, token: bytes = b"a.b.c") -> str:
    """Keep a job for a home and ring."""
    async with hub.store.writing() as tx:
        id_ = await job_store.send(tx, home, Kind.DELIVERY, token, now=hub.now())
    hub.ring()
    return id_


async def stands(hub: Hub, job: str, column: str, value: object) -> None:
    """Wait until a job's row says so."""
    async with asyncio.timeout(LONG):
        while True:
            async with hub.store.reading() as tx:
                if await tx.scalar(select(jobs.c[column]).where(jobs.c.id == job)) == value:
                    return
            await asyncio.sleep(0.05)


async def shouts(one: Joined, topic: str) -> None:
    """Say what is not its own to say, and wait for what comes of it."""
    async with one.line() as line:
        assert isinstance(line.publish(topic, b"x"), Sent)
        await asyncio.wait_for(line.receive(), LONG)


async def is_revoked(one: Joined, hub: Hub) -> None:
    """Revoke it while it is connected; its line ends within ten seconds."""
    async with one.line() as line:
        await admin.revoke(hub.store, one.home, now=hub.now())
        await asyncio.wait_for(line.receive(), 10)


async def test_a_box_joins_gets_a_job_gives_its_receipt_and_its_event_is_acknowledged(place: Place) -> None:
    async with running(place.file) as hub:
        await there(hub)
        one = await place.joined(hub, "one")
        away = await send(hub.hub, one.home)
        await stands(hub.hub, away, "parked", value=True)  # PUBACK 0x10: nobody there
        async with one.line() as line:
            hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris")
            assert await says(line, one.topic("hello"), hello.model_dump_json().encode()) == 0
            first = Ack.model_validate_json(await hears(line, ack_topic(one.home)))
            assert (first.seq, first.head) == (0, BEGINNING)
            job = Job.model_validate_json(await hears(line, jobs_topic(one.home)))
            assert (job.job, job.token) == (away, "a.b.c")
            await stands(hub.hub, away, "parked", value=False)
            await says(line, one.topic("status"), Receipt(job=away, state="received").model_dump_json().encode())
            await stands(hub.hub, away, "due", value=None)
            journal = Journal(one.home, one.box.key)
            await says(line, one.topic("evt"), journal.add(result("lune", "d-1", State.DELIVERED)))
            assert Ack.model_validate_json(await hears(line, ack_topic(one.home))).seq == 1
        later = await send(hub.hub, one.home, b"d.e.f")
        await stands(hub.hub, later, "parked", value=True)


async def test_a_home_is_what_its_certificate_says_and_speaks_and_hears_under_its_own_name_only(place: Place) -> None:
    async with running(place.file) as hub:
        await there(hub)
        one, other = await place.joined(hub, "one"), await place.joined(hub, "other")
        with pytest.raises(ConnectionError):
            async with connect_once(one.at(as_home=other.home), [], monotonic=time.monotonic):
                pass
        foreign = (jobs_topic(other.home), "dn/#", "dn/+/jobs", "#", "up/#", other.topic("evt"), f"up/+/{one.home}/evt")
        for topic in foreign:
            with pytest.raises(ConnectionError):
                async with one.line(topic):
                    pass
        wrong = (
            other.topic("evt"), jobs_topic(one.home), one.topic("more"),
            up_topic((shard_of(one.home) + 1) % 64, one.home, "evt"),
        )  # fmt: skip
        for topic in wrong:
            with pytest.raises(ConnectionError):  # it is refused, and shown the door
                await shouts(one, topic)
        for login in ("hub-1", "guest", other.home):
            named = one.at().model_copy(update={"username": login, "password_file": place.folder / "word"})
            (place.folder / "word").write_text("guest\n")
            with pytest.raises(ConnectionError):
                async with connect_once(named, [], monotonic=time.monotonic):
                    pass


async def test_a_revoked_home_is_cut_off_and_neither_it_nor_an_ended_certificate_comes_back(place: Place) -> None:
    async with running(place.file) as hub:
        await there(hub)
        one, other = await place.joined(hub, "one"), await place.joined(hub, "other")
        async with other.line() as steady:
            with pytest.raises(ConnectionError):
                await is_revoked(one, hub.hub)
            with pytest.raises(ConnectionError):
                async with one.line():
                    pass
            assert await says(steady, other.topic("hello"), b"{}") == 0
        anew = await place.joined(hub, "anew", home=one.home)
        assert anew.home == one.home
        with pytest.raises(ConnectionError):  # the home counts again, that certificate does not
            async with one.line():
                pass
        async with anew.line() as line:
            hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris")
            assert await says(line, anew.topic("hello"), hello.model_dump_json().encode()) == 0
            assert await hears(line, ack_topic(anew.home))


async def test_what_a_home_says_while_the_hub_is_away_is_kept_for_it(place: Place) -> None:
    async with running(place.file) as hub:
        await there(hub)
        one = await place.joined(hub, "one")
        journal = Journal(one.home, one.box.key)
        first, second = (journal.add(result("lune", f"d-{n}", State.DELIVERED)) for n in (1, 2))
        line = contextlib.AsyncExitStack()
        guest = await line.enter_async_context(one.line())
        await says(guest, one.topic("evt"), first)
        await keeps(hub.hub, one.home, 1)
    async with line:
        assert await says(guest, one.topic("evt"), second) == 0, "the cluster keeps it: the hub's session is there"
    async with running(place.file) as hub:
        await keeps(hub.hub, one.home, 2)  # nobody has said it again: the box has gone


async def test_a_browser_of_the_household_asks_its_home_and_nobody_else_answers_for_it(place: Place) -> None:
    async with running(place.file) as hub:
        await there(hub)
        one, other = await place.joined(hub, "one"), await place.joined(hub, "other")
        browser = RemoteBrowser(home=one.home, hub=place.file.url, browser=f"brw-{1:032x}")
        agree = Jwk.of(browser.sign.public_key()).model_dump()
        browser.enrolled({"browser": browser.browser, "home": one.home, "hub": place.file.url, "agree": agree})
        async with connected(one.home, one.at()) as home:
            said = BrowserSaid(browser=browser.browser, sign=Jwk.of(browser.sign.public_key()), ended=False)
            await home.say("evt", Journal(one.home, one.box.key).add(said))
            await keeps(hub.hub, one.home, 1)
            asking = asyncio.create_task(asks(hub, browser))
            question = await asyncio.wait_for(home.asked.get(), LONG)
            with pytest.raises(ConnectionError):  # it is refused, and shown the door
                await shouts(other, said_topic(shard_of(one.home), one.home, question.via))
            home.answers(question, "h..i.c.t")
            assert await asking == {"sealed": "h..i.c.t"}
        gone = await send(hub.hub, one.home)
        await stands(hub.hub, gone, "parked", value=True)  # the broker knows
        assert (await asks(hub, browser))["code"] == "home_offline", "and says so at once"


async def asks(hub: Running, browser: RemoteBrowser) -> dict[str, Any]:
    """Ask how the home is, over HTTP; what the hub answers."""
    body = {"sealed": browser.sealed(browser.question("state")[1])}
    async with hub.http.post("/v1/household/questions", json=body, headers=browser.headers) as answer:
        said: dict[str, Any] = await answer.json(content_type=None)
        return said

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest.mock import ANY

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from gateway.domain.delivery.promise import State
from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.config import HubBroker
from gateway.hub.database.tables import deliveries, home_events, jobs
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.metrics import HubMetrics
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.mqtt.packets import Acknowledgement
from gateway.protocol.box_hub import GENESIS_DIGEST, JobKind, token_digest
from gateway.protocol.keys import BoxKey
from gateway.system.mqtt_settings import BrokerTls
from tests.boxes import (
    EventJournal,
    connected_to_broker,
    insert_connection,
    insert_delivery,
    insert_home,
    make_result,
)
from tests.certified import make_certificate
from tests.hubs import RunningHub, broker_account, homes_broker, hub_file, run_hub
from tests.mosquitto import Mosquitto, mosquitto
from tests.waiting import assert_stays, wait_until


async def metric(hub: RunningHub, name: str, **labels: str) -> float:
    async with hub.http.get("/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    for family in families:
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0.0


async def ready(hub: RunningHub) -> bool:
    async with hub.http.get("/readyz") as answer:
        assert (answer.status == 200) is (await answer.json())["broker"]
        return answer.status == 200


async def there(hub: RunningHub) -> None:
    await waited(lambda: ready(hub))


class Home:
    """Two homes that joined, a brand's delivery at the first, and its journal."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub, self.key = hub, BoxKey.generate()
        self.journal = EventJournal("home-1", self.key)
        self.delivery = ""

    async def founded(self) -> "Home":
        retailer, now = await self.hub.retailer(), self.hub.hub.now()
        async with self.hub.hub.store.writing() as tx:
            await insert_home(tx, "home-1", self.key.public)
            await insert_home(tx, "home-2", BoxKey.generate().public)
            self.delivery = await insert_delivery(
                tx, await insert_connection(tx, retailer.id, "lune", "home-1"), "d-1", now=now
            )
        return self

    async def sends(self, token: bytes = b"a.b.c", *, ring: bool = True) -> str:
        async with self.hub.hub.store.writing() as tx:
            id_ = await job_store.enqueue(
                tx, "home-1", JobKind.DELIVERY, token, now=self.hub.hub.now(), delivery=self.delivery
            )
        if ring:
            self.hub.hub.wake_dispatcher()
        return id_

    async def parked(self, id_: str) -> bool:
        async with self.hub.hub.store.reading() as tx:
            return bool(await tx.scalar(select(jobs.c.parked).where(jobs.c.id == id_)))

    async def over(self, id_: str) -> bool:
        async with self.hub.hub.store.reading() as tx:
            return await tx.scalar(select(jobs.c.due).where(jobs.c.id == id_)) is None

    async def state(self) -> str | None:
        async with self.hub.hub.store.reading() as tx:
            return await tx.scalar(select(deliveries.c.state).where(deliveries.c.id == self.delivery))


async def waited(question: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it says yes."""
    await wait_until(question)


async def test_a_job_for_a_box_that_is_away_waits_and_arrives_with_its_hello(tmp_path: Path) -> None:
    async with (
        homes_broker("home-1") as broker,
        run_hub(hub_file(tmp_path, broker=broker_account(broker, tmp_path))) as hub,
    ):
        await there(hub)
        home = await Home(hub).founded()
        id_ = await home.sends()
        await waited(lambda: home.parked(id_))
        assert await metric(hub, "perron_jobs_published_total", outcome="nobody") == 1
        async with connected_to_broker("home-1", broker, tmp_path) as one:
            await one.hello()
            assert (await one.acks.get()).seq == 0
            job = await asyncio.wait_for(one.jobs.get(), 10)
            assert (job.job, job.token, job.kind) == (id_, "a.b.c", JobKind.DELIVERY)
            assert not await home.over(id_), "the broker has it, the box has not said so"
            await one.has(job)
            await waited(lambda: home.over(id_))
            assert await metric(hub, "perron_homes_connected") == 1
            assert await metric(hub, "perron_jobs_ended_total", how="received") == 1


async def test_events_are_acknowledged_when_they_are_kept_and_a_gap_is_answered_with_what_is(tmp_path: Path) -> None:
    async with (
        homes_broker("home-1") as broker,
        run_hub(hub_file(tmp_path, broker=broker_account(broker, tmp_path))) as hub,
    ):
        await there(hub)
        home = await Home(hub).founded()
        tokens = [home.journal.add(make_result("lune", "d-1", state)) for state in (State.VISITING, State.DELIVERED)]
        async with connected_to_broker("home-1", broker, tmp_path) as one:
            await one.say("evt", tokens[1])
            assert (await one.acks.get()).seq == 0
            forged = EventJournal("home-1", BoxKey.generate()).made(
                1, GENESIS_DIGEST, make_result("lune", "d-1", State.DELIVERED)
            )
            await one.say("evt", forged)
            await one.say("evt", b"\x00" * 60_000)
            await one.say("status", b"{")
            await one.say("hello", b'{"boot":NaN}')
            await one.say("evt", tokens[0])
            await one.say("evt", tokens[1])
            await waited(lambda: _kept(hub, 2))
            last = await asyncio.wait_for(one.acks.get(), 10)
            while last.seq < 2:
                last = await asyncio.wait_for(one.acks.get(), 10)
            assert last.head == token_digest(tokens[1])
        assert await home.state() == "delivered"
        assert await metric(hub, "perron_events_total", outcome="wrong_signature") == 1
        assert await metric(hub, "perron_events_total", outcome="malformed") == 1
        assert await metric(hub, "perron_dropped_total", why="unreadable") == 2


async def _kept(hub: RunningHub, seq: int) -> bool:
    async with hub.hub.store.reading() as tx:
        return await tx.scalar(select(home_events.c.seq).where(home_events.c.seq == seq)) is not None


async def test_a_box_speaks_and_hears_as_itself_only_and_a_stranger_s_word_is_dropped(tmp_path: Path) -> None:
    async with (
        homes_broker("home-1", "home-2", "home-3") as broker,
        run_hub(hub_file(tmp_path, broker=broker_account(broker, tmp_path))) as hub,
    ):
        await there(hub)
        home = await Home(hub).founded()
        token = home.journal.add(make_result("lune", "d-1", State.DELIVERED))
        async with (
            connected_to_broker("home-2", broker, tmp_path) as other,
            connected_to_broker("home-3", broker, tmp_path) as stranger,
        ):
            assert await other.say("evt", token, home="home-1") == 0x87, "the broker lets nobody speak for another"
            id_ = await home.sends()
            await waited(lambda: home.parked(id_))
            assert other.jobs.empty()
            assert await stranger.say("hello", b"{}") == 0
            await waited(lambda: _dropped(hub))
        assert await home.state() == "scheduled"


async def _dropped(hub: RunningHub) -> bool:
    return await metric(hub, "perron_dropped_total", why="stranger") > 0


@pytest.mark.slow
async def test_one_home_s_flood_costs_no_other_its_turn(tmp_path: Path) -> None:
    async with (
        homes_broker("home-1", "home-2") as broker,
        run_hub(hub_file(tmp_path, broker=broker_account(broker, tmp_path))) as hub,
    ):
        await there(hub)
        home = await Home(hub).founded()
        token = home.journal.add(make_result("lune", "d-1", State.DELIVERED))
        async with (
            connected_to_broker("home-2", broker, tmp_path) as loud,
            connected_to_broker("home-1", broker, tmp_path) as one,
        ):
            flood = asyncio.gather(*(loud.say("evt", b"x" * 2000) for _ in range(400)))
            await one.say("evt", token)
            ack = await asyncio.wait_for(one.acks.get(), 10)
            assert ack.seq == 1
            await flood
        assert await home.state() == "delivered"


async def test_the_hub_rides_out_its_broker(tmp_path: Path) -> None:
    async with (
        homes_broker("home-1") as broker,
        run_hub(hub_file(tmp_path, broker=broker_account(broker, tmp_path))) as hub,
    ):
        await there(hub)
        home = await Home(hub).founded()
        await broker.kill()
        await waited(lambda: _gone(hub))
        id_ = await home.sends()
        await broker.start()
        await there(hub)
        await _arrives(broker, tmp_path, id_)
        await waited(lambda: home.over(id_))


async def _gone(hub: RunningHub) -> bool:
    return not await ready(hub)


async def _arrives(broker: Mosquitto, folder: Path, id_: str) -> None:
    async with connected_to_broker("home-1", broker, folder) as one:
        await one.hello()
        job = await asyncio.wait_for(one.jobs.get(), 10)
        assert job.job == id_
        await one.has(job)
        await wait_until(lambda: not one.acks.empty())


async def test_what_was_kept_for_a_box_outlives_the_hub(tmp_path: Path) -> None:
    async with homes_broker("home-1") as broker:
        file = hub_file(tmp_path, broker=broker_account(broker, tmp_path))
        async with run_hub(file) as hub:
            id_ = await (await Home(hub).founded()).sends(ring=False)
        async with run_hub(file) as hub:
            await there(hub)
            home = Home(hub)
            await _arrives(broker, tmp_path, id_)
            await waited(lambda: home.over(id_))


async def test_the_hub_proves_itself_by_a_certificate_where_the_broker_asks_for_one(tmp_path: Path) -> None:
    authority, chain, key = make_certificate(tmp_path, "hub")
    files = f"cafile {authority}\ncertfile {chain}\nkeyfile {key}\n"
    tls = f"{files}require_certificate true\nuse_identity_as_username true\n"
    acl = "user hub\ntopic write dn/#\ntopic read up/#\n"
    async with mosquitto({}, acl, extra=tls) as broker:
        named = HubBroker(host="localhost", port=broker.port, tls=BrokerTls(ca=authority, certificate=chain, key=key))
        async with run_hub(hub_file(tmp_path, broker=named)) as hub:
            await there(hub)
        bare = named.model_copy(update={"tls": BrokerTls(ca=authority)})
        async with run_hub(hub_file(tmp_path / "bare", broker=bare)) as hub:
            connection = hub.hub.broker_connection
            assert connection is not None
            await assert_stays(lambda: not connection.is_connected, 0.5)
            assert not await ready(hub)


async def test_a_hub_whose_first_node_is_away_takes_the_next(tmp_path: Path) -> None:
    async with mosquitto({"hub": "secret"}, "user hub\ntopic write dn/#\ntopic read up/#\n") as broker:
        here = broker_account(broker, tmp_path)
        line = line_to(here.model_copy(update={"port": free_port()}), here)
        task = asyncio.create_task(line.run())
        try:
            await wait_until(lambda: line.is_connected)
        finally:
            task.cancel()
            await asyncio.wait({task})


async def test_a_broker_that_says_nothing_holds_no_job_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hub.boxes.mqtt.ACKNOWLEDGEMENT_TIMEOUT_S", 0.2)
    async with mosquitto({"hub": "secret"}, "user hub\ntopic write dn/#\ntopic read up/#\n") as broker:
        line = line_to(broker_account(broker, tmp_path))
        task = asyncio.create_task(line.run())
        try:
            await wait_until(lambda: line.is_connected)
            broker.pause()
            answer = await asyncio.wait_for(line.publish("dn/home-1/jobs", b"{}"), 5)
            assert isinstance(answer, Acknowledgement)
            assert answer.code is None, "it may have arrived"
            broker.resume()
            await wait_until(lambda: line.is_connected)
            assert await line.publish("dn/home-1/jobs", b"{}") == Acknowledgement(code=0x10, seconds=ANY)
        finally:
            task.cancel()
            await asyncio.wait({task})


def line_to(*brokers: HubBroker) -> HubBrokerConnection:
    return HubBrokerConnection(
        brokers, on_message=lambda _word: None, reply_topic="up/+/+/said/hub-1", on_connected=lambda: None,
        metrics=HubMetrics(CollectorRegistry()), monotonic=time.monotonic, shards=(1, 2),
    )  # fmt: skip

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import insert, select, update

from gateway.hub.boxes.dispatcher import (
    NOT_SENT_RETRY_DELAY,
    PARKED_RETRY_INTERVAL,
    JobDispatcher,
    schedule_after,
)
from gateway.hub.boxes.mqtt import ACKNOWLEDGEMENT_TIMEOUT_S, HubBrokerConnection
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import homes, jobs, retailers
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.metrics import HubMetrics
from gateway.mqtt.packets import Acknowledgement, NotSent
from gateway.protocol.box_hub import Job, JobKind
from gateway.protocol.keys import BoxKey
from tests.boxes import NOW, insert_connection, insert_delivery, insert_home, worker_context
from tests.hubs import database, make_database
from tests.waiting import assert_stays, wait_until


def code(number: int | None) -> Acknowledgement:
    return Acknowledgement(code=number, seconds=0.01)


@pytest.mark.parametrize(
    ("answer", "outcome", "parked", "tried"),
    [
        (code(0), "taken", False, True),
        (code(0x10), "nobody", True, True),
        (code(0x83), "nobody", True, True),
        (code(0x87), "refused", True, True),
        (code(None), "unknown", False, False),
        (Acknowledgement(code=None, seconds=ACKNOWLEDGEMENT_TIMEOUT_S), "silent", False, True),
        (NotSent.NO_BROKER, "not_sent", False, False),
        (NotSent.NO_ROOM, "not_sent", False, False),
    ],
)
def test_what_the_broker_says_decides_when_a_job_is_rung_again(
    answer: Acknowledgement | NotSent,
    outcome: str,
    parked: bool,
    tried: bool,
) -> None:
    found = schedule_after(answer, jitter=0)
    assert (found.outcome, found.is_parked, found.counts_as_attempt) == (outcome, parked, tried)
    assert found.delay == {
        "taken": None,
        "silent": None,
        "nobody": PARKED_RETRY_INTERVAL,
        "refused": PARKED_RETRY_INTERVAL,
    }.get(outcome, NOT_SENT_RETRY_DELAY)


class FakeBrokerConnection:
    """A line on which nothing hangs: it keeps what was rung."""

    is_connected: bool = True

    def __init__(self, answer: int | None = 0) -> None:
        self.rung: list[Job] = []
        self.answer = answer
        self.meanwhile: list[asyncio.Event] = []

    async def publish(self, _topic: str, payload: bytes) -> Acknowledgement:
        self.rung.append(Job.model_validate_json(payload))
        for event in self.meanwhile:
            await event.wait()
        return code(self.answer)


class Shop:
    """A store with a home and a brand that is let in there; the time stands where it is put."""

    def __init__(self, store: HubStore) -> None:
        self.store, self.now = store, NOW
        self.tally = HubMetrics(CollectorRegistry())

    def dispatcher(self) -> JobDispatcher:
        return JobDispatcher(worker_context(self.store, now=lambda: self.now, metrics=self.tally))

    async def due(self) -> list[str]:
        async with self.store.reading() as tx:
            return list((await tx.execute(select(jobs.c.id).where(jobs.c.due <= self.now))).scalars())


@contextlib.asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Shop]:
    store = await HubStore.open(make_database(database(folder)))
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id="ret-1", name="Lune", created=NOW))
        await insert_home(tx, "home-1", BoxKey.generate().public)
    try:
        yield Shop(store)
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def at_work(*pairs: tuple[JobDispatcher, FakeBrokerConnection]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run(cast("HubBrokerConnection", bell))) for one, bell in pairs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_two_dispatchers_never_ring_one_job_twice(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        async with here.store.writing() as tx:
            for number in range(250):
                await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.%d" % number, now=NOW)
        one, two = FakeBrokerConnection(), FakeBrokerConnection()
        async with at_work((here.dispatcher(), one), (here.dispatcher(), two)):
            await wait_until(lambda: len(one.rung) + len(two.rung) >= 250)
            await assert_stays(lambda: len(one.rung) + len(two.rung) == 250, 0.1)
        rung = [job.job for job in (*one.rung, *two.rung)]
        assert len(rung) == len(set(rung)) == 250


async def test_a_change_is_not_rung_before_the_box_has_what_it_changes(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        async with here.store.writing() as tx:
            delivery = await insert_delivery(tx, await insert_connection(tx, "ret-1", "lune", "home-1"), "d-1")
            for number, token in enumerate((b"of.fe.r", b"up.da.te")):
                at = NOW + timedelta(seconds=number)
                await job_store.enqueue(tx, "home-1", JobKind.DELIVERY, token, now=at, delivery=delivery)
        here.now, bell = NOW + timedelta(seconds=5), FakeBrokerConnection()
        dispatcher = here.dispatcher()
        async with at_work((dispatcher, bell)):
            await wait_until(lambda: bell.rung)
            await assert_stays(lambda: [job.token for job in bell.rung] == ["of.fe.r"], 0.1)
            async with here.store.writing() as tx:
                await tx.execute(update(jobs).where(jobs.c.id == bell.rung[0].job).values(due=None, received=NOW))
            dispatcher.wake_up()
            await wait_until(lambda: len(bell.rung) == 2)
        assert [job.token for job in bell.rung] == ["of.fe.r", "up.da.te"]


async def test_a_box_that_says_hello_while_it_is_rung_at_is_rung_at_again_at_once(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        async with here.store.writing() as tx:
            await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.c", now=NOW)
        bell, answered = FakeBrokerConnection(0x10), asyncio.Event()
        bell.meanwhile.append(answered)
        async with at_work((here.dispatcher(), bell)):
            await wait_until(lambda: bell.rung)
            async with here.store.writing() as tx:
                await tx.execute(update(jobs).values(due=NOW, parked=False))  # as `HomeTransaction.on_hello` does
            answered.set()
            await wait_until(lambda: len(bell.rung) == 2)
            assert bell.rung[0] == bell.rung[1], "nobody was there is older than the hello"


async def test_a_job_about_which_the_broker_says_nothing_holds_up_no_other_one(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        async with here.store.writing() as tx:
            await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.c", now=NOW)
        bell, never = FakeBrokerConnection(), asyncio.Event()
        bell.meanwhile.append(never)
        dispatcher = here.dispatcher()
        async with at_work((dispatcher, bell)):
            await wait_until(lambda: bell.rung)
            bell.meanwhile.clear()
            async with here.store.writing() as tx:
                second = await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.d", now=NOW)
            dispatcher.wake_up()
            await wait_until(lambda: len(bell.rung) == 2)
            async with asyncio.timeout(30):
                while len(await here.due()) > 1:  # noqa: ASYNC110 - what the broker said is written by another task
                    await asyncio.sleep(0.01)
            never.set()
            async with asyncio.timeout(30):
                while await here.due():  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.01)
        assert [job.token for job in bell.rung] == ["a.b.c", "a.b.d"]
        assert second == bell.rung[1].job


async def test_a_job_that_has_had_its_time_ends_and_one_of_a_revoked_home_is_never_rung(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        async with here.store.writing() as tx:
            await insert_home(tx, "home-2", BoxKey.generate().public)
            await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.c", now=NOW - timedelta(days=40))
            await job_store.enqueue(tx, "home-2", JobKind.CONNECT, b"a.b.d", now=NOW)
            await tx.execute(update(homes).where(homes.c.id == "home-2").values(revoked=NOW))
        bell = FakeBrokerConnection()
        async with at_work((here.dispatcher(), bell)):
            await assert_stays(lambda: bell.rung == [], 0.2)
            async with here.store.writing() as tx:
                other = await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.e", now=here.now)
            await wait_until(lambda: bell.rung)
        assert [job.job for job in bell.rung] == [other], "and it holds nobody else up"
        async with here.store.reading() as tx:
            ended = (await tx.execute(select(jobs.c.due).where(jobs.c.token == b"a.b.c"))).scalar_one()
        assert ended is None


async def test_an_operator_sees_how_long_the_hub_leaves_a_job_lying_and_how_long_a_box_does(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:

        async def enqueue(number: int, **values: object) -> None:
            async with here.store.writing() as tx:
                job = await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.%d" % number, now=NOW)
                await tx.execute(update(jobs).where(jobs.c.id == job).values(**values))

        hour = timedelta(hours=1)
        await enqueue(1, created=NOW - 5 * hour, due=NOW - hour, parked=True)  # its box is away
        await enqueue(2, created=NOW - hour, due=NOW + hour)  # it was sent, and its box has not confirmed it
        await enqueue(3, created=NOW, due=NOW - timedelta(seconds=90))
        await enqueue(4, due=NOW + timedelta(seconds=20), attempts=1)  # it is being sent
        bell = FakeBrokerConnection()
        bell.is_connected = False
        async with at_work((here.dispatcher(), bell)):
            await wait_until(lambda: here.tally.registry.get_sample_value("perron_jobs_due") == 4)
        found = [
            here.tally.registry.get_sample_value(f"perron_jobs_{name}")
            for name in ("parked", "oldest_age_seconds", "lag_seconds")
        ]
        assert found == [1, 3600, 90]


async def test_what_a_killed_dispatcher_had_leased_is_rung_by_another_after_the_lease(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        async with here.store.writing() as tx:
            id_ = await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.c", now=NOW)
        lost, never = FakeBrokerConnection(), asyncio.Event()
        lost.meanwhile.append(never)
        async with at_work((here.dispatcher(), lost)):
            await wait_until(lambda: lost.rung)
        other = FakeBrokerConnection()
        async with at_work((here.dispatcher(), other)):
            await assert_stays(lambda: other.rung == [], 0.1, "it is leased still")
            here.now += timedelta(seconds=31)
            await wait_until(lambda: other.rung)
            async with asyncio.timeout(30):
                while await here.due():  # noqa: ASYNC110 - what the broker said is written by another task
                    await asyncio.sleep(0.01)
        assert [job.job for job in other.rung] == [id_], "and it is due again later"

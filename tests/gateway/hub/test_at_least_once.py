"""The sentences that hold for both queues of the hub, on both databases: jobs to homes, webhook messages to endpoints.

A `Sender` is what one process of the hub runs. Jobs go to a broker that is written down here, and a box confirms them;
messages go by HTTP to a server.
"""

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import dialect

from gateway.hub.at_least_once import LeasedQueue, QueueLoop
from gateway.hub.boxes.box_events import HomeTransaction
from gateway.hub.boxes.dispatcher import JOB_QUEUE, JOB_RETRIES, JobDispatcher
from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.config import Webhooks
from gateway.hub.database.store import HubStore, log_unavailable
from gateway.hub.database.tables import endpoints, jobs, messages, retailers
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.deliveries.events import EventType, emit
from gateway.hub.webhooks.queue import ENDPOINT_QUEUE, QueuedMessage, new_secret
from gateway.hub.webhooks.retry import WEBHOOK_RETRIES
from gateway.hub.webhooks.sender import WebhookSender
from gateway.mqtt.packets import Acknowledgement
from gateway.protocol.box_hub import Job, JobKind, JobReceipt
from gateway.protocol.keys import BoxKey
from gateway.system.backoff import Backoff, RetrySchedule
from tests.boxes import NOW, insert_connection, insert_delivery, insert_home, worker_context
from tests.hubs import database, make_database, unknown_names
from tests.waiting import assert_stays, wait_until
from tests.webhookhouse import delivery_row

Answer = Callable[[str], Awaitable[bool]]


async def taken(_name: str) -> bool:
    return True


async def not_taken(_name: str) -> bool:
    return False


class Queue(ABC):
    """One of the two queues in a store. `heard`: the names of the items that came to the receiver, in their order."""

    leased: LeasedQueue
    retries_s: tuple[float, ...]  # the first delays, as the documentation has them

    def __init__(self, store: HubStore) -> None:
        self.store, self.now = store, NOW
        self.heard: list[str] = []
        self.answer: Answer = taken
        self.context = worker_context(store, now=lambda: self.now)

    @contextlib.asynccontextmanager
    async def process(self, *, also: int = 0) -> AsyncIterator[None]:
        """Run a process of a hub until the block ends, and so many `also` on PostgreSQL; then they are killed."""
        senders = [self._sender() for _ in range(1 if self.store.has_one_writer else 1 + also)]
        tasks = [asyncio.create_task(run()) for run, _ in senders]
        self._wake_ups = [wake_up for _, wake_up in senders]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def later(self, seconds: float) -> None:
        """Move the hub's clock, and let it look."""
        self.now += timedelta(seconds=seconds)
        for wake_up in self._wake_ups:
            wake_up()

    @abstractmethod
    def _sender(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], Callable[[], None]]:
        """Make what a process runs, and what wakes it."""

    @abstractmethod
    async def put(self, lane: str, *names: str) -> None:
        """Store items of one lane, which go one after the other."""

    @abstractmethod
    async def open(self) -> Sequence[str]:
        """The names of the items that are not over."""

    @abstractmethod
    async def poison(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make an item such that it cannot be sent."""


class Jobs(Queue):
    """Of one home; a lane is a delivery."""

    leased, retries_s, is_connected = JOB_QUEUE, (15, 30, 60), True

    def _sender(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], Callable[[], None]]:
        dispatcher = JobDispatcher(self.context)
        return lambda: dispatcher.run(cast("HubBrokerConnection", self)), dispatcher.wake_up

    async def publish(self, _topic: str, payload: bytes) -> Acknowledgement:
        """Answer as a broker; the box confirms what is taken."""
        job = Job.model_validate_json(payload)
        self.heard.append(name := job.token.partition(".")[0])
        if not await self.answer(name):
            return Acknowledgement(code=0, seconds=0.01)  # it came, and the box could not store it
        async with self.store.writing() as tx:
            home = await HomeTransaction.begin(tx, "home-1", self.now)
            assert home is not None
            await home.on_receipt(JobReceipt(job=job.job, state="received"))
        for wake_up in self._wake_ups:  # as the hub is woken after a receipt
            wake_up()
        return Acknowledgement(code=0, seconds=0.01)

    async def put(self, lane: str, *names: str) -> None:
        async with self.store.writing() as tx:
            if await tx.scalar(select(retailers.c.id).where(retailers.c.id == f"ret-{lane}")) is None:
                await tx.execute(insert(retailers).values(id=f"ret-{lane}", name="Lune", created=NOW))
            delivery = await insert_delivery(tx, await insert_connection(tx, f"ret-{lane}", lane, "home-1"), "d")
            for number, name in enumerate(names):
                at = self.now + timedelta(microseconds=number)
                token = f"{name}.x.y".encode()
                id_ = await job_store.enqueue(tx, "home-1", JobKind.DELIVERY, token, now=at, delivery=delivery)
                await tx.execute(update(jobs).where(jobs.c.id == id_).values(due=self.now))

    async def open(self) -> Sequence[str]:
        async with self.store.reading() as tx:
            tokens = (await tx.scalars(select(jobs.c.token).where(jobs.c.due.is_not(None)))).all()
        return sorted(token.decode().partition(".")[0] for token in tokens)

    async def poison(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - the other's
        async with self.store.writing() as tx:
            await tx.execute(update(jobs).where(jobs.c.token == f"{name}.x.y".encode()).values(kind="unknown"))


class Messages(Queue):
    """A lane is an endpoint."""

    leased, retries_s = ENDPOINT_QUEUE, (5, 30, 120)
    url = ""

    def _sender(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], Callable[[], None]]:
        sender = WebhookSender(self.context, Webhooks(private=True, plain=True, timeout=30), lookup=unknown_names)
        return sender.run, sender.wake_up

    async def handle(self, request: web.Request) -> web.Response:
        """Answer as a retailer's server."""
        self.heard.append(name := json.loads(await request.read())["data"]["name"])
        return web.Response(status=200 if await self.answer(name) else 500)

    async def put(self, lane: str, *names: str) -> None:
        id_ = f"ep-{lane}"
        secret = self.context.signer.seal(new_secret(), id_)
        async with self.store.writing() as tx:
            await tx.execute(insert(retailers).values(id=f"ret-{lane}", name="Lune", created=NOW))
            await tx.execute(
                insert(endpoints).values(
                    id=id_, retailer=f"ret-{lane}", url=self.url, types=[], secret=secret,
                    sandbox=False, enabled=True, seq=0, slow=False, leased=NOW, created=NOW,
                )
            )  # fmt: skip
            for name in names:
                row = delivery_row(f"ret-{lane}", sandbox=False)
                await emit(tx, row, EventType.DELIVERY_CHANGED, {"id": "dlv-1", "name": name}, self.now)

    async def open(self) -> Sequence[str]:
        named = select(messages.c.id).where(messages.c.due.is_not(None))
        async with self.store.reading() as tx:
            return list((await tx.scalars(named)).all())

    async def poison(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = QueuedMessage.body

        def body(message: QueuedMessage) -> bytes:
            if message.event.data["name"] == name:
                raise RuntimeError("it cannot be written")
            return whole(message)

        monkeypatch.setattr(QueuedMessage, "body", body)


@contextlib.asynccontextmanager
async def jobs_queue(folder: Path) -> AsyncIterator[Queue]:
    store = await HubStore.open(make_database(database(folder)))
    async with store.writing() as tx:
        await insert_home(tx, "home-1", BoxKey.generate().public)
    try:
        yield Jobs(store)
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def messages_queue(folder: Path) -> AsyncIterator[Queue]:
    store = await HubStore.open(make_database(database(folder)))
    queue, app = Messages(store), web.Application()
    app.router.add_post("/", queue.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    queue.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield queue
    finally:
        await site.stop()
        await runner.cleanup()
        await store.close()


both = pytest.mark.parametrize("opened", [jobs_queue, messages_queue])
Opened = Callable[[Path], contextlib.AbstractAsyncContextManager[Queue]]


@both
async def test_what_is_stored_together_goes_in_its_order_and_once_though_two_processes_send(
    opened: Opened, tmp_path: Path
) -> None:
    async with opened(tmp_path) as queue, queue.process(also=1):
        for lane in "abcdef":
            await queue.put(lane, *(f"{lane}{number}" for number in range(5)))
        queue.later(0)
        await wait_until(lambda: len(queue.heard) >= 30)
        await assert_stays(lambda: len(queue.heard) == 30, 0.1)
        for lane in "abcdef":
            assert [name for name in queue.heard if name[0] == lane] == [f"{lane}{number}" for number in range(5)]
        await wait_until(lambda: is_empty(queue))


async def is_empty(queue: Queue) -> bool:
    return not await queue.open()


@both
async def test_what_a_process_had_taken_when_it_was_killed_is_sent_by_another(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        await queue.put("a", "a0", "a1")
        reached = asyncio.Event()

        async def killed(_name: str) -> bool:
            reached.set()
            await asyncio.sleep(3600)
            return True

        queue.answer = killed
        async with queue.process():
            await asyncio.wait_for(reached.wait(), 10)
        queue.answer = taken
        async with queue.process():
            queue.later(61)
            await wait_until(lambda: queue.heard == ["a0", "a0", "a1"])
            await wait_until(lambda: is_empty(queue))


@both
async def test_what_a_process_learns_too_late_changes_nothing_that_another_has_stored(
    opened: Opened, tmp_path: Path
) -> None:
    async with opened(tmp_path) as queue:
        await queue.put("a", "a0")
        go_on = asyncio.Event()

        async def slow_at_first(_name: str) -> bool:
            if len(queue.heard) > 1:
                return True
            await go_on.wait()
            return False

        queue.answer = slow_at_first
        async with queue.process(also=1):
            await wait_until(lambda: len(queue.heard) == 1)
            queue.later(61)
            await wait_until(lambda: len(queue.heard) == 2)
            await wait_until(lambda: is_empty(queue))
            go_on.set()
            await asyncio.sleep(0.1)
            assert await is_empty(queue), "the first process heard a no, and the second had heard a yes"


@both
async def test_an_item_is_sent_again_at_the_documented_times_until_it_is_taken(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as queue, queue.process():
        queue.answer = not_taken
        await queue.put("a", "a0")
        queue.later(0)
        for number, delay in enumerate(queue.retries_s, start=1):
            await wait_until(lambda number=number: len(queue.heard) == number)  # type: ignore[misc]  # bound now
            await asyncio.sleep(0.05)  # until the answer is stored
            queue.later(delay - 0.5)
            await assert_stays(lambda number=number: len(queue.heard) == number, 0.06)  # type: ignore[misc]  # the same
            queue.later(delay / 5 + 5)  # chance, and the rest of an endpoint that failed twice
        queue.answer = taken
        await wait_until(lambda: len(queue.heard) == 4)
        await asyncio.sleep(0.05)
        queue.later(3600)
        await wait_until(lambda: is_empty(queue))


@both
async def test_an_item_that_cannot_be_sent_is_set_aside_and_every_other_is_sent(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as queue:
        for lane in "ab":
            await queue.put(lane, *(f"{lane}{number}" for number in range(3)))
        await queue.poison("a1", monkeypatch)
        async with queue.process():
            await wait_until(lambda: sorted(queue.heard) == ["a0", "a2", "b0", "b1", "b2"])


@pytest.mark.parametrize("queue", [JOB_QUEUE, ENDPOINT_QUEUE])
def test_a_process_takes_what_no_other_has_locked_and_chooses_once(queue: LeasedQueue) -> None:
    postgresql = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    asked = str(queue.take_due.compile(dialect=postgresql))
    assert asked.startswith("WITH due_now AS"), "within IN (...) its limit could be taken anew for each row"
    assert "SKIP LOCKED" in asked.partition("LIMIT")[2].partition(")")[2].partition(")")[0], asked


@given(st.sampled_from([JOB_RETRIES, WEBHOOK_RETRIES]), st.integers(1, 10_000), st.floats(0, 1))
def test_each_delay_is_at_least_the_one_before_and_chance_adds_a_fifth_at_most(
    retries: RetrySchedule, attempts: int, chance: float
) -> None:
    shortest, delay = retries.delay(attempts, chance=0), retries.delay(attempts, chance=chance)
    assert shortest <= delay <= 1.2 * shortest
    assert delay <= retries.max_delay
    assert retries.delay(attempts + 1, chance=0) >= shortest


async def test_a_loop_looks_when_it_is_woken_and_less_and_less_often_when_it_finds_nothing() -> None:
    looked: list[datetime] = []
    loop = QueueLoop(Backoff(0.01, 30.0), gather_s=0.0)

    async def look() -> bool:
        looked.append(NOW)
        if len(looked) == 2:
            raise OSError("the database is away")
        return len(looked) == 3

    task = asyncio.create_task(loop.run(look, lambda: log_unavailable("away")))
    try:
        await wait_until(lambda: looked)
        await assert_stays(lambda: len(looked) == 1, 0.05)
        loop.wake_up()
        await wait_until(lambda: len(looked) == 2)
        loop.wake_up()
        await wait_until(lambda: len(looked) >= 6)  # 10, 20, 40 ms after it found something
        seen = len(looked)
        await asyncio.sleep(0.3)
        assert len(looked) - seen <= 4
    finally:
        task.cancel()
        await asyncio.wait({task})

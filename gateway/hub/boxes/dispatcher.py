"""Publishes due jobs to homes, and again until the box confirms each.

The database decides what is sent; the broker only carries it. A job that the broker took is due again later, after a
growing delay. A job for an absent box is parked until the box says `hello`; a slow sweep tries it too. The dispatcher
sends the oldest unreceived job of a delivery only, because a box would refuse to change a delivery that it does not
know.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, assert_never

import structlog
from sqlalchemy import Row, bindparam, func, select, update

from gateway.domain.frozen import Frozen
from gateway.hub.at_least_once import NOW, Backlog, LeasedQueue, QueueLoop, next_due, pull_back, retry_instants
from gateway.hub.boxes import mqtt
from gateway.hub.boxes.box_events import refuse_job
from gateway.hub.boxes.presence import count_online
from gateway.hub.database.store import StoreUnavailable, log_unavailable
from gateway.hub.database.tables import homes, jobs
from gateway.hub.worker import WorkerContext
from gateway.mqtt.packets import Acknowledgement, NotSent
from gateway.protocol.box_hub import Job, JobKind, down_topic
from gateway.system.backoff import Backoff, RetrySchedule, lengthened

log = structlog.get_logger(__name__)

PublishAnswer = Acknowledgement | NotSent | None  # None: publishing raised an unforeseen error

MAX_JOBS_PER_ROUND = 100
JOB_RETRIES = RetrySchedule((15, 30, 60, 120, 240, 480, 600))  # until a job that was published and not received is due
PARKED_RETRY_INTERVAL = timedelta(hours=1)  # after which a parked job is published without a hello of its box
MAX_DUE_AHEAD = 2 * PARKED_RETRY_INTERVAL  # the longest delay of any job
NOT_SENT_RETRY_DELAY = timedelta(seconds=2)  # until a job that could not be published is due again
ANSWER_WAIT_S = 0.02  # for the broker's acknowledgements; jobs that become due meanwhile wait as long
MAX_ROUNDS = 100  # with acknowledgements outstanding
POLL_BACKOFF = Backoff(0.03, 1.0)  # between polls for jobs that another hub stored
GATHER_DELAY_S = 0.01
COUNT_INTERVAL = timedelta(seconds=5)  # between counts of due jobs

_IS_OPEN = jobs.c.due.is_not(None) & jobs.c.received.is_(None)
_COUNT_OPEN = select(
    func.count().label("open"),
    func.count().filter(jobs.c.parked).label("parked"),
    func.min(jobs.c.created).filter(~jobs.c.parked).label("oldest"),
).where(jobs.c.due.is_not(None))
_SELECT_MOST_OVERDUE = select(func.min(jobs.c.due)).where(jobs.c.due <= NOW, ~jobs.c.parked)


class JobSchedule(Frozen, kw_only=False):
    """When a job is due again after it was published. `delay` None: as `JOB_RETRIES` says, if it is not received."""

    outcome: str
    delay: timedelta | None = None
    is_parked: bool = False
    counts_as_attempt: bool = True  # its next delay grows


def schedule_after(answer: Acknowledgement | NotSent, *, jitter: float) -> JobSchedule:
    """Return when a job is due again. `jitter` is from 0 to 1."""
    match answer:
        case NotSent():
            return JobSchedule("not_sent", NOT_SENT_RETRY_DELAY, counts_as_attempt=False)
        case Acknowledgement(code=None, seconds=seconds) if seconds < mqtt.ACKNOWLEDGEMENT_TIMEOUT_S:
            # It may have arrived; then the box confirms it
            return JobSchedule("unknown", NOT_SENT_RETRY_DELAY, counts_as_attempt=False)
        case Acknowledgement(code=None):  # the box's node is lost; the box says hello at another
            return JobSchedule("silent")
        case Acknowledgement() if mqtt.has_no_subscriber(answer) or not answer.accepted:
            outcome = "nobody" if mqtt.has_no_subscriber(answer) else "refused"
            return JobSchedule(outcome, lengthened(PARKED_RETRY_INTERVAL, jitter), is_parked=True)
        case Acknowledgement():
            return JobSchedule("taken")
        case _:
            assert_never(answer)


_OLDER = jobs.alias()
_OF_DELIVERY_BEFORE = select(_OLDER.c.id).where(
    _OLDER.c.delivery == jobs.c.delivery, _OLDER.c.due.is_not(None), _OLDER.c.created < jobs.c.created
)
_SELECT_HOME_OF_JOB = select(homes).where(homes.c.id == jobs.c.home)
JOB_QUEUE = LeasedQueue(
    jobs.c.due,
    ready=(jobs.c.received.is_(None), jobs.c.expires > NOW, ~_OF_DELIVERY_BEFORE.exists()),
    order=(jobs.c.due, jobs.c.created),
    until=next_due(JOB_RETRIES, jobs.c.attempts),
    taken={"attempts": jobs.c.attempts + 1},
    given_back={"parked": bindparam("away"), "attempts": bindparam("tries")},
    waits=False,  # a box's hello locks several jobs too, in another order (a deadlock was seen)
    returning=(
        *(jobs.c[name] for name in ("id", "home", "kind", "token", "attempts", "parked", "due", "created")),
        _SELECT_HOME_OF_JOB.with_only_columns(homes.c.there).scalar_subquery().label("there"),
        _SELECT_HOME_OF_JOB.with_only_columns(homes.c.revoked.is_not(None)).scalar_subquery().label("revoked"),
    ),
)


class JobDispatcher:
    """Publishes due jobs, one dispatcher in each process; the processes share the work.

    `on_unsubscribed` is called with a home that counts as connected and has no subscription. A job that cannot be
    published is refused on behalf of its home, and all others continue.
    """

    def __init__(self, context: WorkerContext, *, on_unsubscribed: Callable[[str], None] = lambda _: None) -> None:
        self._store, self._now, self._metrics = context.store, context.now, context.metrics
        self._containment, self._on_unsubscribed = context.containment, on_unsubscribed
        self._loop = QueueLoop(POLL_BACKOFF, gather_s=GATHER_DELAY_S)
        self.wake_up = self._loop.wake_up
        self._rounds_left = asyncio.Semaphore(MAX_ROUNDS)
        self._counted = datetime.min.replace(tzinfo=UTC)

    async def run(self, connection: mqtt.HubBrokerConnection) -> None:
        """Publish due jobs until cancelled."""
        async with asyncio.TaskGroup() as rounds:
            look = partial(self._publish_due, connection, rounds)
            await self._loop.run(look, partial(log_unavailable, "jobs_not_read"))

    async def _publish_due(self, connection: mqtt.HubBrokerConnection, rounds: asyncio.TaskGroup) -> bool:
        await self._count()
        found = count = 0
        while connection.is_connected and (count := await self._round(connection, rounds)):
            found += count
            if count < MAX_JOBS_PER_ROUND:
                break
        return found > 0

    async def _round(self, connection: mqtt.HubBrokerConnection, rounds: asyncio.TaskGroup) -> int:
        now = self._now()
        retries = retry_instants(JOB_RETRIES, now, chance=random.random())  # noqa: S311 - jitter is no secret
        async with self._rounds_left:
            taken = await JOB_QUEUE.take(self._store, now=now, most=MAX_JOBS_PER_ROUND, **retries)
        if taken:
            publishing = rounds.create_task(self._publish_all(connection, taken))
            await asyncio.wait({publishing}, timeout=ANSWER_WAIT_S)  # a missing acknowledgement delays no other job
        return len(taken)

    async def _publish_all(self, connection: mqtt.HubBrokerConnection, taken: Sequence[Row[Any]]) -> None:
        """Publish jobs, a home's in the order in which they were stored."""
        async with self._rounds_left:
            jobs_in_order = sorted(taken, key=attrgetter("created"))
            answers = await asyncio.gather(*(self._publish(connection, job) for job in jobs_in_order))
            with self._containment.piece("dispatcher", "answers"), log_unavailable("jobs_not_settled"):
                await self._settle(zip(jobs_in_order, answers, strict=True))

    async def _settle(self, answered: Iterable[tuple[Row[Any], PublishAnswer]]) -> None:
        """Store what the broker's answers change: a job that a connected box will confirm stays as it was taken."""
        rows = []
        for job, answer in answered:
            if answer is None:
                await self._refuse(job)
                continue
            schedule = schedule_after(answer, jitter=random.random())  # noqa: S311 - jitter is no secret
            self._metrics.published.labels(schedule.outcome).inc()
            if job.there and not job.revoked and schedule.outcome == "nobody":
                self._on_unsubscribed(job.home)
            if schedule.delay is not None or job.parked:
                free_at = job.due if schedule.delay is None else self._now() + schedule.delay
                rows.append({"row": job.id, "until": job.due, "free_at": free_at, "away": schedule.is_parked,
                             "tries": job.attempts - (not schedule.counts_as_attempt)})  # fmt: skip
        await JOB_QUEUE.give_back(self._store, rows)

    async def _refuse(self, job: Row[Any]) -> None:
        """End a job that cannot be published, as if its home had refused it, so that its retailer is notified."""
        is_notified, reason = False, "the hub could not send it"
        with self._containment.piece("dispatcher", job.id, foreseen=(StoreUnavailable,)):
            is_notified = await refuse_job(self._store, job.home, job.id, reason, self._now())
        if not is_notified:
            mine = update(jobs).where(jobs.c.id == job.id)
            await self._store.execute_once(mine.values(due=None, refused=reason))
        self._metrics.ended.labels("set_aside").inc()

    async def _count(self) -> None:
        now, metrics = self._now(), self._metrics
        if timedelta() <= now - self._counted < COUNT_INTERVAL:
            return
        self._counted = now
        if count := await pull_back(self._store, jobs.c.due, now, MAX_DUE_AHEAD, _IS_OPEN):
            log.warning("clock_went_back", jobs=count)
        async with self._store.reading() as tx:
            known = (await tx.execute(_COUNT_OPEN)).one()
            overdue = await tx.scalar(_SELECT_MOST_OVERDUE, {"now": now})
            metrics.connected.set(await count_online(tx))
        backlog = Backlog(count=known.open, oldest=known.oldest, overdue_since=overdue)
        backlog.show(now, count=metrics.due, oldest=metrics.jobs_oldest, lag=metrics.jobs_lag)
        metrics.parked.set(known.parked)
        over = update(jobs).where(_IS_OPEN, jobs.c.expires <= now)
        if count := await self._store.change_any(over.values(due=None)):
            metrics.ended.labels("expired").inc(count)
            log.info("jobs_expired", count=count)

    async def _publish(self, connection: mqtt.HubBrokerConnection, job: Row[Any]) -> PublishAnswer:
        if job.revoked:  # if it joins again, it says hello
            return Acknowledgement(code=mqtt.NO_MATCHING_SUBSCRIBERS, seconds=0.0)
        with self._containment.piece("dispatcher", job.id):
            message = Job(job=job.id, kind=JobKind(job.kind), token=job.token.decode())
            return await connection.publish(down_topic(job.home, "jobs"), message.model_dump_json().encode())
        return None

"""Publishes due jobs to homes, and again until the box confirms each.

The database decides what is sent; the broker only carries it. A job that the broker took is due again later, after a
growing delay. A job for an absent box is parked until the box says `hello`; a slow sweep tries it too. The dispatcher
sends the oldest unreceived job of a delivery only, because a box would refuse to change a delivery that it does not
know.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, assert_never

import structlog
from sqlalchemy import Row, Select, bindparam, func, or_, select, text, update

from gateway.domain.frozen import Frozen
from gateway.hub.boxes import mqtt
from gateway.hub.boxes.box_events import refuse_job
from gateway.hub.boxes.presence import count_online
from gateway.hub.database.store import StoreUnavailable, log_unavailable
from gateway.hub.database.tables import homes, jobs
from gateway.hub.worker import WorkerContext
from gateway.mqtt.packets import Acknowledgement, NotSent
from gateway.protocol.box_hub import Job, JobKind, down_topic
from gateway.system.backoff import Backoff, lengthened

log = structlog.get_logger(__name__)

PublishAnswer = Acknowledgement | NotSent | None  # None: publishing raised an unforeseen error

MAX_JOBS_PER_LEASE = 100
JOB_LEASE = timedelta(seconds=30)  # the jobs of a killed dispatcher are due again after it
JOB_BACKOFF = Backoff(15.0, 600.0)  # until a job that was published and not received is due again
PARKED_RETRY_INTERVAL = timedelta(hours=1)  # after which a parked job is published without a hello of its box
MAX_DUE_AHEAD = 2 * PARKED_RETRY_INTERVAL  # the longest delay of any job
NOT_SENT_RETRY_DELAY = timedelta(seconds=2)  # until a job that could not be published is due again
ANSWER_WAIT_S = 0.02  # for the broker's acknowledgements; jobs that become due meanwhile wait as long
MAX_LATE_ROUNDS = 100  # with acknowledgements outstanding
POLL_BACKOFF = Backoff(0.03, 1.0)  # between polls for jobs that another hub stored
GATHER_DELAY_S = 0.01  # collects several wake-ups for one round
COUNT_INTERVAL = timedelta(seconds=5)  # between counts of due jobs


_COUNT_OPEN = select(
    func.count().label("open"),
    func.count().filter(jobs.c.parked).label("parked"),
    func.min(jobs.c.created).filter(~jobs.c.parked).label("oldest"),
).where(jobs.c.due.is_not(None))
# A leased job is being sent just now
_SELECT_MOST_OVERDUE = select(func.min(jobs.c.due)).where(
    jobs.c.due <= bindparam("now", type_=jobs.c.due.type),
    ~jobs.c.parked,
    or_(jobs.c.leased.is_(None), jobs.c.leased <= bindparam("now", type_=jobs.c.due.type)),
)


class JobSchedule(Frozen, kw_only=False):
    """When a job is due again after it was published. `counts_as_attempt`: its next delay grows."""

    outcome: str
    delay: timedelta
    is_parked: bool = False
    counts_as_attempt: bool = True


def schedule_after(answer: Acknowledgement | NotSent, attempts: int, *, jitter: float) -> JobSchedule:
    """Return when a job is due again. `attempts`: how often it was published before; `jitter` is from 0 to 1."""
    again = timedelta(seconds=JOB_BACKOFF.delay_s(attempts))
    match answer:
        case NotSent():
            return JobSchedule("not_sent", NOT_SENT_RETRY_DELAY, counts_as_attempt=False)
        case Acknowledgement(code=None, seconds=seconds) if seconds < mqtt.ACKNOWLEDGEMENT_TIMEOUT_S:
            # It may have arrived; then the box confirms it
            return JobSchedule("unknown", NOT_SENT_RETRY_DELAY, counts_as_attempt=False)
        case Acknowledgement(code=None):  # the box's node is lost; the box says hello at another
            return JobSchedule("silent", lengthened(again, jitter))
        case Acknowledgement() if mqtt.has_no_subscriber(answer) or not answer.accepted:
            outcome = "nobody" if mqtt.has_no_subscriber(answer) else "refused"
            return JobSchedule(outcome, lengthened(PARKED_RETRY_INTERVAL, jitter), is_parked=True)
        case Acknowledgement():
            return JobSchedule("taken", lengthened(again, jitter))
        case _:
            assert_never(answer)


# A lease that was freed meanwhile stays freed: the box received the job or said hello. Waiting for such a row
# while holding others would be a deadlock (seen), so locked rows are skipped; their leases expire.
_SELECT_LEASED = (
    select(jobs.c.id)
    .where(jobs.c.id == bindparam("job"), jobs.c.leased == bindparam("lease", type_=jobs.c.leased.type))
    .with_for_update(key_share=True, skip_locked=True)
)
_UPDATE_SETTLED = (
    update(jobs)
    .where(jobs.c.id == _SELECT_LEASED.scalar_subquery())
    .values(leased=None, due=bindparam("next"), parked=bindparam("away"), attempts=bindparam("tries"))
)


def _select_due() -> Select[tuple[str]]:
    older, now = jobs.alias(), bindparam("now", type_=jobs.c.due.type)
    behind = select(older.c.id).where(
        older.c.delivery == jobs.c.delivery, older.c.due.is_not(None), older.c.created < jobs.c.created
    )
    return (
        select(jobs.c.id)
        .where(
            jobs.c.due <= now,
            jobs.c.received.is_(None),
            jobs.c.expires > now,
            or_(jobs.c.leased.is_(None), jobs.c.leased <= now),
            ~behind.exists(),
        )
        .order_by(jobs.c.due, jobs.c.created)  # a box's waiting jobs go in the order in which they were stored
    )


_REPLAN = text("SET LOCAL plan_cache_mode = force_custom_plan")
_SELECT_ANY_DUE = _select_due().limit(1)
# A WITH is evaluated once; within IN (...) the limit could apply again for each row.
_SELECT_DUE = _select_due().limit(MAX_JOBS_PER_LEASE).with_for_update(skip_locked=True, of=jobs).cte("due_now")
_SELECT_HOME_OF_JOB = select(homes).where(homes.c.id == jobs.c.home)
LEASE_DUE_JOBS = (
    update(jobs)
    .where(jobs.c.id.in_(select(_SELECT_DUE.c.id)))
    .values(leased=bindparam("until", type_=jobs.c.leased.type))
    .returning(
        jobs.c.id, jobs.c.home, jobs.c.kind, jobs.c.token, jobs.c.attempts, jobs.c.due, jobs.c.created,
        _SELECT_HOME_OF_JOB.with_only_columns(homes.c.there).scalar_subquery().label("there"),
        _SELECT_HOME_OF_JOB.with_only_columns(homes.c.revoked.is_not(None)).scalar_subquery().label("revoked"),
    )
)  # fmt: skip


class JobDispatcher:
    """Publishes due jobs, one dispatcher in each process; the processes share the work by leases.

    `on_unsubscribed` is called with a home that counts as connected and has no subscription. A job that cannot be
    published is refused on behalf of its home, and all others continue.
    """

    def __init__(self, context: WorkerContext, *, on_unsubscribed: Callable[[str], None] = lambda _: None) -> None:
        self._store, self._now, self._metrics = context.store, context.now, context.metrics
        self._containment, self._on_unsubscribed = context.containment, on_unsubscribed
        self._wake_up = asyncio.Event()
        self._late_tasks: set[asyncio.Future[None]] = set()  # rounds with acknowledgements outstanding
        self._counted = datetime.min.replace(tzinfo=UTC)

    def wake_up(self) -> None:
        """Look for due jobs at once."""
        self._wake_up.set()

    async def run(self, connection: mqtt.HubBrokerConnection) -> None:
        """Publish due jobs until cancelled; after a round with jobs it polls sooner, because others may add more."""
        pause = POLL_BACKOFF.max_s
        while True:
            self._wake_up.clear()
            with log_unavailable("jobs_not_read"):
                await self._count()
                if connection.is_connected and await self._round(connection):
                    pause = POLL_BACKOFF.first_s
                    continue
            try:
                async with asyncio.timeout(pause):
                    await self._wake_up.wait()
            except TimeoutError:
                pause = POLL_BACKOFF.next_s(pause)
            else:
                await asyncio.sleep(GATHER_DELAY_S)

    async def _round(self, connection: mqtt.HubBrokerConnection) -> bool:
        leased, until = await self._lease()
        if not leased:
            return False
        publishing = {asyncio.ensure_future(self._publish(connection, job)): job for job in leased}
        try:
            answered, unanswered = await asyncio.wait(publishing, timeout=ANSWER_WAIT_S)
            await self._settle([(publishing[task], task.result()) for task in answered], until)
            if unanswered:  # a missing acknowledgement delays no other job
                late = asyncio.ensure_future(
                    self._await_late_answers({task: publishing[task] for task in unanswered}, until)
                )
                self._late_tasks.add(late)
                late.add_done_callback(self._late_tasks.discard)
            if len(self._late_tasks) >= MAX_LATE_ROUNDS:
                await asyncio.wait(self._late_tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            tasks: set[asyncio.Future[Any]] = {*publishing, *self._late_tasks}
            for task in tasks:
                task.cancel()
            raise
        return True

    async def _await_late_answers(
        self, unanswered: Mapping[asyncio.Future[PublishAnswer], Row[Any]], until: datetime
    ) -> None:
        """Settle the jobs whose acknowledgement comes late; an unsettled job is due again when its lease ends."""
        answered, _ = await asyncio.wait(unanswered)
        with self._containment.piece("dispatcher", "late answers"), log_unavailable("jobs_not_settled"):
            await self._settle([(unanswered[task], task.result()) for task in answered], until)

    async def _settle(self, answered: Sequence[tuple[Row[Any], PublishAnswer]], until: datetime) -> None:
        rows = []
        for job, answer in answered:
            if answer is None:
                await self._refuse(job)
                continue
            schedule = schedule_after(answer, job.attempts, jitter=random.random())  # noqa: S311 - jitter is no secret
            self._metrics.published.labels(schedule.outcome).inc()
            if job.there and not job.revoked and schedule.outcome == "nobody":
                self._on_unsubscribed(job.home)
            rows.append({"job": job.id, "lease": until, "next": self._now() + schedule.delay,
                         "away": schedule.is_parked,
                         "tries": job.attempts + schedule.counts_as_attempt})  # fmt: skip
        if rows:
            await self._store.execute_once(_UPDATE_SETTLED, rows)

    async def _refuse(self, job: Row[Any]) -> None:
        """End a job that cannot be published, as if its home had refused it, so that its retailer is notified."""
        is_notified, reason = False, "the hub could not send it"
        with self._containment.piece("dispatcher", job.id, foreseen=(StoreUnavailable,)):
            is_notified = await refuse_job(self._store, job.home, job.id, reason, self._now())
        if not is_notified:
            mine = update(jobs).where(jobs.c.id == job.id)
            await self._store.execute_once(mine.values(due=None, leased=None, refused=reason))
        self._metrics.ended.labels("set_aside").inc()

    async def _lease(self) -> tuple[Sequence[Row[Any]], datetime]:
        now = self._now()
        until = now + JOB_LEASE
        if self._store.has_one_writer:  # usually there is nothing, so the writer is not needed
            async with self._store.reading() as tx:
                if (await tx.execute(_SELECT_ANY_DUE, {"now": now})).first() is None:
                    return (), until
        async with self._store.writing() as tx:
            if not self._store.has_one_writer:  # a plan of an emptier table reads all jobs for each of them (2 s)
                await tx.execute(_REPLAN)
            leased = (await tx.execute(LEASE_DUE_JOBS, {"now": now, "until": until})).all()
        return sorted(leased, key=attrgetter("due", "created")), until

    async def _count(self) -> None:
        now = self._now()
        if timedelta() <= now - self._counted < COUNT_INTERVAL:
            return
        self._counted, open_ = now, jobs.c.due.is_not(None) & jobs.c.received.is_(None)
        # A clock that ran ahead wrote a time too far ahead; a lease may be another hub's, whose clock is a little ahead
        late = or_(jobs.c.due > now + MAX_DUE_AHEAD, jobs.c.leased > now + 4 * JOB_LEASE)
        if count := await self._store.change_any(update(jobs).where(open_, late).values(due=now, leased=None)):
            log.warning("clock_went_back", jobs=count)
        async with self._store.reading() as tx:
            known = (await tx.execute(_COUNT_OPEN)).one()
            overdue = await tx.scalar(_SELECT_MOST_OVERDUE, {"now": now})
            self._metrics.connected.set(await count_online(tx))
        self._metrics.due.set(known.open)
        self._metrics.parked.set(known.parked)
        self._metrics.jobs_oldest.set(0 if known.oldest is None else (now - known.oldest).total_seconds())
        self._metrics.jobs_lag.set(0 if overdue is None else (now - overdue).total_seconds())
        over = update(jobs).where(open_, jobs.c.expires <= now)
        if count := await self._store.change_any(over.values(due=None, leased=None)):
            self._metrics.ended.labels("expired").inc(count)
            log.info("jobs_expired", count=count)

    async def _publish(self, connection: mqtt.HubBrokerConnection, job: Row[Any]) -> PublishAnswer:
        if job.revoked:  # if it joins again, it says hello
            return Acknowledgement(code=mqtt.NO_MATCHING_SUBSCRIBERS, seconds=0.0)
        with self._containment.piece("dispatcher", job.id):
            message = Job(job=job.id, kind=JobKind(job.kind), token=job.token.decode())
            return await connection.publish(down_topic(job.home, "jobs"), message.model_dump_json().encode())
        return None

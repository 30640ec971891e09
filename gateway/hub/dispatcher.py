"""Rings at homes: what is due is put on the line, until the box says that it has it.

The store is the truth, the broker a doorbell. A job that the broker took is due again a while later, each time a longer
one; one for a box that is not there is parked until the box says `hello`, and looked at in a slow sweep besides. Of one
delivery only the oldest job that is not received is on its way: a box would refuse a change of what it does not know.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog
from sqlalchemy import BigInteger, Row, Select, bindparam, func, or_, select, type_coerce, update

from gateway.hub import box_events
from gateway.hub.metrics import Tally
from gateway.hub.mqtt import ANSWER, NOBODY, Line, nobody
from gateway.hub.presence import counted
from gateway.hub.store import UNAVAILABLE, Store, StoreSilent
from gateway.hub.tables import homes, jobs
from gateway.mqtt.packets import Acknowledgement, NotSent
from gateway.protocol.box_hub import Job, Kind, Receipt, jobs_topic
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

Answer = Acknowledgement | NotSent | None
"""What became of ringing a job; None: it raised an unforeseen error, so it cannot be rung."""

AT_ONCE = 100  # jobs leased in one go
LEASE = timedelta(seconds=30)  # that a dispatcher has for them; one that was killed gives them back by that
AGAIN = timedelta(seconds=15)  # after which a job that was rung and not received is due again, at first
LONGEST = timedelta(minutes=10)  # between two tries, however many there were
SWEEP = timedelta(hours=1)  # after which a parked job is tried although its box said nothing
FURTHEST = 2 * SWEEP  # that any job is put off
SOON = timedelta(seconds=2)  # after which what could not be put on the line is tried again
PROMPT = 0.02  # seconds that a round waits for the broker's answers together: what is due meanwhile waits as long
LATE = 100  # rounds of which some answers are waited for still
SOONEST, IDLE = 0.03, 1.0  # seconds between two looks while nobody rings: another hub may have kept a job
GATHERS = 0.01  # seconds that whoever rings waits for others: one look for them all
COUNTED = timedelta(seconds=5)  # between two counts of all that is due


@dataclass(frozen=True, slots=True)
class Next:
    """What becomes of a job that was rung. `tried`: it counts as a try."""

    outcome: str
    after: timedelta
    parked: bool = False
    tried: bool = True


def next_of(answer: Acknowledgement | NotSent, attempts: int, *, jitter: float) -> Next:
    """Tell when a job is due again. `attempts`: how often it was rung before; `jitter` from 0 to 1."""
    match answer:
        case NotSent():
            return Next("not_sent", SOON, tried=False)
        case Acknowledgement(code=None, seconds=seconds) if seconds < ANSWER:
            return Next("unknown", SOON, tried=False)  # it may have arrived: then the box says so
        case Acknowledgement(code=None):  # the node of its box is lost: the box says hello at another
            return Next("silent", spread(min(AGAIN * 2 ** min(attempts, 10), LONGEST), jitter))
        case Acknowledgement() if nobody(answer) or not answer.accepted:
            return Next("nobody" if nobody(answer) else "refused", spread(SWEEP, jitter), parked=True)
        case Acknowledgement():
            return Next("taken", spread(min(AGAIN * 2 ** min(attempts, 10), LONGEST), jitter))
        case _:
            assert_never(answer)


def spread(pause: timedelta, jitter: float) -> timedelta:
    """Take up to a fifth more, so that a thousand jobs of one instant are not due at one instant again."""
    return pause * (1 + jitter / 5)


# Whoever freed the lease knows better, or holds the row to do so: the box has received it, or has said hello meanwhile.
# To wait for one of them while holding others would be a deadlock (seen); what is passed over ends with its lease.
_MINE = (
    select(jobs.c.id)
    .where(jobs.c.id == bindparam("job"), jobs.c.leased == bindparam("lease", type_=jobs.c.leased.type))
    .with_for_update(key_share=True, skip_locked=True)
)
_SETTLED = (
    update(jobs)
    .where(jobs.c.id == _MINE.scalar_subquery())
    .values(leased=None, due=bindparam("next"), parked=bindparam("away"), attempts=bindparam("tries"))
)


def _due_now() -> Select[tuple[str]]:
    """What may be rung `now`, the longest due first."""
    older, now = jobs.alias(), bindparam("now", type_=jobs.c.due.type)
    # Written so that no index on `due` answers it: where next to nothing was due of late PostgreSQL believes that still
    # when thousands come at once, and went through all of them for each of them (7 s for 3,000).
    waits = func.coalesce(type_coerce(older.c.due, BigInteger), 0) != 0
    behind = select(older.c.id).where(older.c.delivery == jobs.c.delivery, waits, older.c.created < jobs.c.created)
    return (
        select(jobs.c.id)
        .where(
            jobs.c.due <= now,
            jobs.c.expires > now,
            or_(jobs.c.leased.is_(None), jobs.c.leased <= now),
            ~behind.exists(),
        )
        .order_by(jobs.c.due, jobs.c.created)  # what waited for a box goes in the order in which it was given
    )


_ANY = _due_now().limit(1)
# A WITH is asked once, however the rest is done: within IN (...) the limit could be taken anew for each row.
_DUE = _due_now().limit(AT_ONCE).with_for_update(skip_locked=True, of=jobs).cte("due_now")
_OF_ITS_HOME = select(homes).where(homes.c.id == jobs.c.home)
TAKEN = (
    update(jobs)
    .where(jobs.c.id.in_(select(_DUE.c.id)))
    .values(leased=bindparam("until", type_=jobs.c.leased.type))
    .returning(
        jobs.c.id, jobs.c.home, jobs.c.kind, jobs.c.token, jobs.c.attempts, jobs.c.due, jobs.c.created,
        _OF_ITS_HOME.with_only_columns(homes.c.there).scalar_subquery().label("there"),
        _OF_ITS_HOME.with_only_columns(homes.c.revoked.is_not(None)).scalar_subquery().label("revoked"),
    )
)  # fmt: skip


class Dispatcher:
    """One a process; several processes share the work by leases.

    `deaf` is called with a home that counts as there and does not hear what is for it. A job that cannot be rung is
    refused in its home's stead, and all others go on.
    """

    def __init__(
        self, store: Store, *, now: Callable[[], datetime], tally: Tally, deaf: Callable[[str], None] = lambda _: None,
        contained: Containment,
    ) -> None:  # fmt: skip
        self._store, self._now, self._tally, self._deaf, self._contained = store, now, tally, deaf, contained
        self._bell = asyncio.Event()
        self._behind: set[asyncio.Future[None]] = set()  # rounds that wait for answers still
        self._counted = datetime.min.replace(tzinfo=now().tzinfo)

    def ring(self) -> None:
        """There may be something due."""
        self._bell.set()

    async def run(self, line: Line) -> None:
        """Work until cancelled. Where there was something others may be keeping more: then it looks again sooner."""
        pause = IDLE
        while True:
            self._bell.clear()
            try:
                await self._count()
                if line.there and await self._round(line):
                    pause = SOONEST
                    continue
            except UNAVAILABLE as error:
                log.error("jobs_not_read", why=str(error).splitlines()[0])
            try:
                async with asyncio.timeout(pause):
                    await self._bell.wait()
            except TimeoutError:
                pause = min(2 * pause, IDLE)
            else:
                await asyncio.sleep(GATHERS)

    async def _round(self, line: Line) -> bool:
        """Ring at those that are due; False: none was."""
        leased, until = await self._lease()
        if not leased:
            return False
        rung = {asyncio.ensure_future(self._rung(line, job)): job for job in leased}
        try:
            answered, silent = await asyncio.wait(rung, timeout=PROMPT)
            await self._settle([(rung[one], one.result()) for one in answered], until)
            if silent:  # one that is not answered holds up nobody else's
                late = asyncio.ensure_future(self._late({one: rung[one] for one in silent}, until))
                self._behind.add(late)
                late.add_done_callback(self._behind.discard)
            if len(self._behind) >= LATE:
                await asyncio.wait(self._behind, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for ringing in rung:
                ringing.cancel()
            for behind in self._behind:
                behind.cancel()
            raise
        return True

    async def _late(self, silent: Mapping[asyncio.Future[Answer], Row[Any]], until: datetime) -> None:
        """Wait for answers that did not come at once. What is not settled here comes back when its lease ends."""
        answered, _ = await asyncio.wait(silent)
        with self._contained.piece("dispatcher", "late answers"):
            try:
                await self._settle([(silent[one], one.result()) for one in answered], until)
            except UNAVAILABLE as error:
                log.error("jobs_not_settled", why=str(error).splitlines()[0])

    async def _settle(self, answered: Sequence[tuple[Row[Any], Answer]], until: datetime) -> None:
        """Note when each is due again."""
        rows = []
        for job, answer in answered:
            if answer is None:
                await self._refuse(job)
                continue
            then = next_of(answer, job.attempts, jitter=random.random())  # noqa: S311 - jitter is no secret
            self._tally.published.labels(then.outcome).inc()
            if job.there and not job.revoked and then.outcome == "nobody":
                self._deaf(job.home)
            rows.append({"job": job.id, "lease": until, "next": self._now() + then.after, "away": then.parked,
                         "tries": job.attempts + then.tried})  # fmt: skip
        if rows:
            await self._store.once(_SETTLED, rows)

    async def _refuse(self, job: Row[Any]) -> None:
        """End a job that cannot be rung, as if its home had refused it: its retailer then hears of the delivery."""
        told = False
        with self._contained.piece("dispatcher", job.id, foreseen=(StoreSilent,)):
            async with self._store.writing() as tx:
                home = await box_events.home_of(tx, job.home)
                if home is not None:
                    refusal = Receipt(job=job.id, state="refused", why="the hub could not send it")
                    await box_events.received(tx, home, refusal, self._now())
                    told = True
        if not told:
            async with self._store.writing() as tx:
                mine = update(jobs).where(jobs.c.id == job.id)
                await tx.execute(mine.values(due=None, leased=None, refused="the hub could not send it"))
        self._tally.ended.labels("set_aside").inc()

    async def _lease(self) -> tuple[Sequence[Row[Any]], datetime]:
        now = self._now()
        until = now + LEASE
        if self._store.one_writer:  # most of the time there is nothing: no need for the writer's turn
            async with self._store.reading() as tx:
                if (await tx.execute(_ANY, {"now": now})).first() is None:
                    return (), until
        found = await self._store.once(TAKEN, {"now": now, "until": until})
        return sorted(found, key=lambda job: (job.due, job.created)), until

    async def _count(self) -> None:
        """Count what is due, now and then; what has had its time ends."""
        now = self._now()
        if timedelta() <= now - self._counted < COUNTED:
            return
        self._counted = now
        await self._set_right(now)
        over = (jobs.c.due.is_not(None), jobs.c.expires <= now)
        async with self._store.reading() as tx:
            parked = await tx.scalar(select(func.count()).where(jobs.c.due.is_not(None), jobs.c.parked)) or 0
            self._tally.due.set(await tx.scalar(select(func.count()).where(jobs.c.due.is_not(None))) or 0)
            ended = await tx.scalar(select(jobs.c.id).where(*over).limit(1))
            self._tally.connected.set(await counted(tx))
        self._tally.parked.set(parked)
        if ended is not None:
            async with self._store.writing() as tx:
                gone = await tx.execute(update(jobs).where(*over).values(due=None, leased=None))
            self._tally.ended.labels("expired").inc(gone.rowcount)
            log.info("jobs_expired", count=gone.rowcount)

    async def _set_right(self, now: datetime) -> None:
        """Let what no clock of ours can have meant be due now: it was written while this machine's ran ahead."""
        leased = jobs.c.leased > now + 4 * LEASE  # another hub may have leased since, by a clock that is ahead a little
        late = (jobs.c.due.is_not(None), or_(jobs.c.due > now + FURTHEST, leased))
        async with self._store.reading() as tx:
            if await tx.scalar(select(jobs.c.id).where(*late).limit(1)) is None:
                return
        async with self._store.writing() as tx:
            found = await tx.execute(update(jobs).where(*late).values(due=now, leased=None))
        log.warning("clock_went_back", jobs=found.rowcount)

    async def _rung(self, line: Line, job: Row[Any]) -> Answer:
        if job.revoked:  # nobody is rung there; should it join again it says hello
            return Acknowledgement(code=NOBODY, seconds=0.0)
        with self._contained.piece("dispatcher", job.id):
            said = Job(job=job.id, kind=Kind(job.kind), token=job.token.decode())
            return await line.ring(jobs_topic(job.home), said.model_dump_json().encode())
        return None

"""The robot: it plays all simulated homes, and the courier who comes to them.

It does what a box does, without a broker: takes the jobs that are kept for a home, answers them, and makes events,
which it signs and chains as a box does and gives to what keeps every home's events (gateway/hub/box_events.py). What
is due stands in the store, so a hub that dies in the middle goes on where it was. It looks at homes of the sandbox
alone.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, assert_never

import structlog
from sqlalchemy import ColumnElement, Row, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import Cancel, Claims, Offer, Promise, Result, State, promise
from gateway.domain.visit.state import DoorResult, Now
from gateway.hub import box_events
from gateway.hub.box_events import Kept, Outcome
from gateway.hub.deliveries import body_of
from gateway.hub.operation import Bells, Signer
from gateway.hub.sandbox import home as simulated
from gateway.hub.sandbox.home import Given, Known
from gateway.hub.sandbox.making import end
from gateway.hub.store import UNAVAILABLE, Store, StoreSilent
from gateway.hub.tables import brand_keys, connections, deliveries, delivery_versions, home_events, homes, jobs
from gateway.protocol import hub_signed
from gateway.protocol.box_event import seal, unseal, vouch
from gateway.protocol.box_hub import Decided, Happened, Kind, Receipt, digest
from gateway.protocol.consent_request import understood
from gateway.protocol.delivery_record import ENDS, Account, Statement, chained, head_of
from gateway.protocol.delivery_state import OVER
from gateway.protocol.hash_chain import link
from gateway.protocol.jws import Key, Keys, Rejected, public_key, verify
from gateway.protocol.keys import BoxKey
from gateway.system.containment import Containment, SetAside

log = structlog.get_logger(__name__)

_KINDS = (Kind.DELIVERY, Kind.HUB_DELIVERY, Kind.CONNECT)
LOOK = 0.25  # seconds between two looks
SWEEP = timedelta(minutes=1)  # between two looks for sandboxes whose time is over
AT_ONCE = 20  # homes of one look
OF_ONE = 10  # of one home in one look: no other home waits for all that a stranger has made due at once


@dataclass(frozen=True, slots=True)
class _Scene:
    """One home, in one transaction."""

    tx: AsyncConnection
    home: Row[Any]
    kept: Kept
    now: datetime


Due = Literal["job", "delivery", "connection"]
"""What is due in a home: a job to be answered, a delivery to be played on, a yes to be taken back."""


class Robot:
    """One a process. `key` signs for every simulated home; `hub` is the hub's own key.

    What raises an unforeseen error (a stranger made it, for whoever asks gets a sandbox) is set aside alone.
    """

    def __init__(  # noqa: PLR0913 - what it works with, named one by one
        self, store: Store, *, key: BoxKey, hub: Signer, now: Callable[[], datetime], bells: Bells,
        contained: Containment, monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        self._store, self._key, self._hub, self._now, self._bells = store, key, hub, now, bells
        self._contained, self._aside = contained, SetAside(monotonic=monotonic)

    async def run(self) -> None:
        """Work until cancelled."""
        swept = self._now()
        while True:
            await asyncio.sleep(LOOK)
            try:
                while await self.look():
                    self._bells.messages()
                if self._now() - swept >= SWEEP:
                    swept = self._now()
                    async with self._store.writing() as tx:
                        await end(tx, swept)
            except UNAVAILABLE as error:
                log.error("sandbox_stands_still", why=str(error).splitlines()[0])

    async def look(self) -> bool:
        """Do what is due in some homes; whether anything was."""
        now = self._now()
        jobs_due, plays_due, takes_due = self._due(now)
        rung = select(jobs.c.home).join(homes, homes.c.id == jobs.c.home).where(homes.c.sandbox, jobs_due)
        played = select(deliveries.c.home).where(plays_due)
        thought = select(connections.c.home).where(takes_due)
        async with self._store.reading() as tx:
            found = (await tx.execute(rung.union(played, thought).limit(AT_ONCE))).scalars().all()
        for name in found:
            await self._in_home(name, now)
        return bool(found)

    def _due(self, now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
        """Which jobs, deliveries and connections are due, but for those that are set aside."""
        aside, kinds = self._aside.rows(), list(_KINDS)
        return (
            and_(jobs.c.due.is_not(None), jobs.c.expires > now, jobs.c.kind.in_(kinds), jobs.c.id.not_in(aside)),
            and_(deliveries.c.sandbox, deliveries.c.play <= now, deliveries.c.id.not_in(aside)),
            and_(connections.c.sandbox, connections.c.play <= now, connections.c.id.not_in(aside)),
        )

    async def _in_home(self, name: str, now: datetime) -> None:
        """Do what is due in one home, oldest first, each piece in a transaction of its own."""
        jobs_due, plays_due, takes_due = self._due(now)
        answers = select(jobs.c.id).where(jobs.c.home == name, jobs_due).order_by(jobs.c.created, jobs.c.id)
        plays = select(deliveries.c.id).where(deliveries.c.home == name, plays_due).order_by(deliveries.c.play)
        takes = select(connections.c.id).where(connections.c.home == name, takes_due)
        everything: tuple[tuple[Due, Any], ...] = (("job", answers), ("delivery", plays), ("connection", takes))
        for what, asked in everything:
            async with self._store.reading() as tx:
                ids = (await tx.scalars(asked.limit(OF_ONE))).all()
            for id_ in ids:
                with self._contained.piece("sandbox", id_, foreseen=(StoreSilent,)) as piece:
                    await self._one(name, what, id_, now)
                if piece.fault is not None:
                    self._aside.add(id_)
                    await self._refuse(name, what, id_, now)

    async def _one(self, name: str, what: Due, id_: str, now: datetime) -> None:
        async with self._store.writing() as tx:
            home = await box_events.home_of(tx, name)
            if home is None or not home.sandbox:
                return
            scene = _Scene(tx, home, await box_events.kept_of(tx, name), now)
            match what:
                case "job":
                    await self._answer(scene, id_)
                case "delivery":
                    await self._play(scene, id_)
                case "connection":
                    await self._take_back(scene, id_)
                case _:
                    assert_never(what)

    async def _refuse(self, name: str, what: Due, id_: str, now: datetime) -> None:
        """Refuse a job that cannot be answered, as a box refuses what it cannot read."""
        if what != "job":
            return
        with self._contained.piece("sandbox", id_, foreseen=(StoreSilent,)):
            async with self._store.writing() as tx:
                home = await box_events.home_of(tx, name)
                if home is not None:
                    refusal = Receipt(job=id_, state="refused", why="the simulated box could not work it")
                    await box_events.received(tx, home, refusal, now)

    async def _answer(self, scene: _Scene, id_: str) -> None:
        """Take one job that is kept for the home."""
        mine = (jobs.c.id == id_, jobs.c.home == scene.home.id, jobs.c.due.is_not(None))
        job = (await scene.tx.execute(select(jobs).where(*mine))).one_or_none()
        if job is None:
            return
        await box_events.received(scene.tx, scene.home, Receipt(job=job.id, state="received"), scene.now)
        if job.kind == Kind.CONNECT:
            await self._asked(scene, job)
            return
        believed = await self._believed(scene, job)
        blank = {"box": scene.home.id, "at": scene.now, "token_sha256": digest(job.token)}
        if isinstance(believed, Claims):
            await self._said(scene, believed, blank, by_hub=job.kind == Kind.HUB_DELIVERY)
        else:
            told = {"accepted": False, "code": believed.code.value, "why": believed.why}
            await self._happened(scene, Result.model_validate({**blank, **told}))

    async def _believed(self, scene: _Scene, job: Row[Any]) -> Claims | Rejected:
        """Check a message as a box does: nothing is believed because the hub carried it."""
        at = Now(utc=scene.now, trusted=True, mono=0.0)
        if job.kind == Kind.HUB_DELIVERY:
            keys = {self._hub.kid: public_key(self._hub.x)}
            found = hub_signed.verify(job.token, keys, box=scene.home.id, now=at)
            return found if isinstance(found, Rejected) else found.for_brand
        rows = await scene.tx.execute(
            select(brand_keys).join(connections, connections.c.brand == brand_keys.c.brand)
            .where(connections.c.home == scene.home.id, brand_keys.c.sandbox, brand_keys.c.revoked.is_(None))
        )  # fmt: skip
        enrolled = Keys({row.kid: Key(row.brand, public_key(row.x)) for row in rows})
        return verify(job.token, enrolled, box=scene.home.id, now=at)

    async def _said(self, scene: _Scene, claims: Claims, blank: dict[str, Any], *, by_hub: bool) -> None:
        said = claims.delivery
        row = await _row(scene, claims.iss, said.id)
        known = None if row is None else await _known(scene, row)
        given = await _given(scene, claims.iss)
        if given is None:
            code: str | None = "brand_not_permitted"
        elif by_hub and not given.hub_signed:
            code = "hub_signed_not_permitted"
        else:
            others = await _others(scene, row)
            code = simulated.refusal(claims, known, others, given.meant, scene.now)
        told = {**blank, "brand": claims.iss, "delivery": said.id, "version": said.version, "answers": claims.jti,
                "accepted": code is None, "code": code}  # fmt: skip
        if code is None:
            told |= {"state": simulated.standing(said, scene.now)}
        elif known is None or row is None:
            told |= {"state": State.REFUSED, "reason": code}
        else:
            told |= {"state": known.state, "reason": row.reason, "missing": row.missing,
                     "house": None if row.house is None else DoorResult(row.house)}  # fmt: skip
        await self._happened(scene, Result.model_validate(told))
        if code is None and row is not None:
            parcels, end = ((), row.window_end) if isinstance(said, Cancel) else (said.parcels, said.window.end)
            await _next(scene, row.id, simulated.due(simulated.standing(said, scene.now), parcels, end, scene.now))

    async def _play(self, scene: _Scene, id_: str) -> None:
        """Go on with one delivery that is due."""
        mine = (deliveries.c.id == id_, deliveries.c.home == scene.home.id, deliveries.c.play <= scene.now)
        row = (await scene.tx.execute(select(deliveries).where(*mine))).one_or_none()
        if row is None:
            return
        state, parcels = State(row.state), tuple(row.promise["parcels"])
        onward = simulated.onward(state, parcels, row.window_end, scene.now)
        known = await _known(scene, row)
        told = {"box": scene.home.id, "at": scene.now, "brand": row.brand, "delivery": row.name,
                "version": row.version if known is None else known.version, **onward}  # fmt: skip
        result = Result.model_validate(told)
        await self._happened(scene, result, await self._account(scene, row, result))
        then = result.state or state
        await _next(scene, row.id, simulated.due(then, parcels, row.window_end, scene.now))

    async def _account(self, scene: _Scene, row: Row[Any], result: Result) -> Account | None:
        """The home's account of a delivery that is over. Its events are all the log that such a home has."""
        if result.state not in ENDS or result.version is None or result.house is None:
            return None
        promise = row.promise
        said = simulated.lines(result, tuple(promise["parcels"]), promise["max_celsius"], scene.now)
        lines, left_out = chained(said)
        head = head_of(lines)
        statement = Statement(
            home=scene.home.id, brand=row.brand, delivery=row.name, version=result.version, state=result.state,
            reason=result.reason, missing=result.missing, house=result.house, at=scene.now, clock_trusted=True,
            sandbox=True, message_sha256=await self._taken(scene, row),
            lines=len(lines), left_out=left_out, head=head,
            entry=link(bytes.fromhex(scene.kept.head), scene.kept.seq + 1, bytes.fromhex(head)).hex(),
        )  # fmt: skip
        return Account(lines=lines, token=vouch(statement, self._key.sign))

    async def _taken(self, scene: _Scene, row: Row[Any]) -> str | None:
        """Name the message that the home took last, by its SHA-256, as its own events tell it."""
        mine = (home_events.c.home == scene.home.id, home_events.c.delivery == row.id)
        said = select(home_events.c.token).where(*mine).order_by(home_events.c.seq.desc())
        for token in (await scene.tx.scalars(said)).all():
            event = unseal(token, self._key.public)
            if isinstance(event, Happened) and event.result is not None and event.result.accepted:
                return event.result.token_sha256
        return None

    async def _asked(self, scene: _Scene, job: Row[Any]) -> None:
        """Answer a brand that asks to be let in. One that only tells its keys is believed anyhow."""
        asking = understood(job.token)
        if asking is None or asking.connection is None or asking.asked is None:
            return
        mine = connections.c.id == asking.connection
        if simulated.SILENT in asking.asked.carriers:  # time is lapsed: the question is over soon
            over = scene.now + simulated.GIVES
            await scene.tx.execute(update(connections).where(mine).values(expires=over))
            return
        given = simulated.answer(asking.asked)
        await self._decide(scene, asking.brand, given, "refused")
        if given is not None and simulated.REVOKE in asking.asked.carriers:
            await scene.tx.execute(update(connections).where(mine).values(play=scene.now + simulated.GIVES))

    async def _take_back(self, scene: _Scene, id_: str) -> None:
        """Revoke what was to be revoked, and say of each open delivery what that makes of it."""
        mine = (connections.c.id == id_, connections.c.home == scene.home.id, connections.c.play <= scene.now)
        row = (await scene.tx.execute(select(connections).where(*mine))).one_or_none()
        if row is None:
            return
        await scene.tx.execute(update(connections).where(connections.c.id == row.id).values(play=None))
        await self._decide(scene, row.brand, None, "revoked")

    async def _decide(self, scene: _Scene, brand: str, given: Given | None, no: Literal["refused", "revoked"]) -> None:
        """Say the owner's word on a brand: one for all that it asked of this home."""
        known = select(func.max(connections.c.version)).where(
            connections.c.home == scene.home.id, connections.c.brand == brand, connections.c.sandbox
        )
        version = (await scene.tx.scalar(known) or 0) + 1
        said = {} if given is None else given.model_dump()
        decided = Decided.model_validate(
            {**said, "brand": brand, "version": version, "standing": no if given is None else "granted"}
        )
        await self._happened(scene, decided)
        if given is None:
            await self._refuse_open(scene, brand)

    async def _refuse_open(self, scene: _Scene, brand: str) -> None:
        """Of a delivery that nobody is at the door with nothing comes any more."""
        over = [str(state) for state in (*OVER, State.VISITING)]
        mine = (deliveries.c.home == scene.home.id, deliveries.c.brand == brand, deliveries.c.answered.is_not(None))
        asked = select(deliveries).where(*mine, deliveries.c.state.not_in(over))
        for row in (await scene.tx.execute(asked)).all():
            known = await _known(scene, row)
            told = {"box": scene.home.id, "at": scene.now, "brand": brand, "delivery": row.name,
                    "version": row.version if known is None else known.version, "state": State.REFUSED,
                    "reason": "brand_not_permitted"}  # fmt: skip
            await self._happened(scene, Result.model_validate(told))
            await _next(scene, row.id, None)

    async def _happened(self, scene: _Scene, said: Result | Decided, account: Account | None = None) -> None:
        """Make the home's next event, and have it kept as every home's are."""
        happened = Happened(
            home=scene.home.id, seq=scene.kept.seq + 1, prev=scene.kept.head, at=scene.now,
            result=said if isinstance(said, Result) else None, decided=said if isinstance(said, Decided) else None,
            account=account,
        )  # fmt: skip
        outcome = await box_events.happened(scene.tx, scene.home, scene.kept, seal(happened, self._key.sign), scene.now)
        if outcome is not Outcome.KEPT:
            raise RuntimeError(f"an event of the sandbox's own is {outcome}")


async def _row(scene: _Scene, brand: str, name: str) -> Row[Any] | None:
    """The delivery of which a message speaks."""
    named = (deliveries.c.brand == brand, deliveries.c.name == name)
    return (await scene.tx.execute(select(deliveries).where(deliveries.c.home == scene.home.id, *named))).one_or_none()


async def _known(scene: _Scene, row: Row[Any]) -> Known | None:
    """What the home knows of a delivery; None: it has taken no version of it."""
    if row.answered is None:
        return None
    taken = (delivery_versions.c.delivery == row.id, delivery_versions.c.refused.is_(False))
    newest = select(func.max(delivery_versions.c.version)).where(*taken, delivery_versions.c.version <= row.answered)
    version = await scene.tx.scalar(newest)
    return None if version is None else Known(version=version, state=State(row.state))


async def _given(scene: _Scene, brand: str) -> Given | None:
    """What the simulated owner lets a brand do."""
    asked = select(connections.c.terms).where(
        connections.c.home == scene.home.id, connections.c.brand == brand, connections.c.state == "granted"
    )
    terms = await scene.tx.scalar(asked.limit(1))
    return None if terms is None else Given.model_validate(terms, strict=False)


async def _others(scene: _Scene, row: Row[Any] | None) -> list[Promise]:
    """What else is open in the home."""
    open_ = deliveries.c.state.not_in([str(state) for state in OVER])
    asked = select(deliveries).where(deliveries.c.home == scene.home.id, deliveries.c.answered.is_not(None), open_)
    rows = (await scene.tx.execute(asked)).all()
    return [_promise(one) for one in rows if row is None or one.id != row.id]


def _promise(row: Row[Any]) -> Promise:
    return promise(row.brand, body_of(Offer, row, row.version, row.promise))


async def _next(scene: _Scene, delivery: str, due: datetime | None) -> None:
    """When the robot goes on with it."""
    await scene.tx.execute(update(deliveries).where(deliveries.c.id == delivery).values(play=due))

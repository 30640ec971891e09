"""Plays all simulated homes and their couriers.

It does what a box does, without a broker: it takes a home's stored jobs, answers them, and makes signed and chained
events, which the hub stores as those of every home (gateway/hub/boxes/box_events.py). What is due is in the store, so
the next start continues what a killed hub began. It works on homes of the sandbox only.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, assert_never

from sqlalchemy import ColumnElement, Row, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import Cancel, Claims, DeliveryOrder, DeliveryResult, Offer, State, order_of
from gateway.domain.delivery.result import DoorResult
from gateway.domain.now import Now
from gateway.hub.boxes import box_events
from gateway.hub.boxes.box_events import EventHead, EventOutcome
from gateway.hub.database.store import StoreUnavailable, log_unavailable
from gateway.hub.database.tables import brand_keys, connections, deliveries, delivery_versions, home_events, homes, jobs
from gateway.hub.deliveries.availability import GivenTerms
from gateway.hub.deliveries.orders import body_of
from gateway.hub.http.operation import HubSigner
from gateway.hub.sandbox import home as simulated
from gateway.hub.sandbox.creation import delete_expired
from gateway.hub.sandbox.home import SandboxDelivery
from gateway.hub.worker import WorkerContext
from gateway.protocol import delivery_message
from gateway.protocol.box_event import sign_event, sign_statement, verify_event
from gateway.protocol.box_hub import BoxEvent, JobKind, JobReceipt, PermissionDecision, token_digest
from gateway.protocol.consent_request import parse_consent
from gateway.protocol.delivery_message import verify_delivery
from gateway.protocol.delivery_record import END_STATES, DeliveryRecord, Statement, chain_lines, head_hash
from gateway.protocol.delivery_state import FINAL_STATES
from gateway.protocol.hash_chain import link_hash
from gateway.protocol.jws import EnrolledKey, EnrolledKeys, RejectedMessage, public_key
from gateway.protocol.keys import BoxKey
from gateway.system.containment import RowQuarantine

_JOB_KINDS = (JobKind.DELIVERY, JobKind.HUB_DELIVERY, JobKind.CONNECT)
CHECK_INTERVAL_S = 0.25
SWEEP_INTERVAL = timedelta(minutes=1)  # for expired sandboxes
MAX_HOMES_PER_CHECK = 20
MAX_PIECES_PER_HOME = 10  # in one check, so that one sandbox does not delay the others


@dataclass(frozen=True, slots=True)
class _HomeTransaction:
    """One home, in one transaction."""

    tx: AsyncConnection
    home: Row[Any]
    event_head: EventHead
    now: datetime


DueKind = Literal["job", "delivery", "connection"]
"""What is due in a home: a job to be answered, a delivery to be played on, a yes to be taken back."""


class SandboxRobot:
    """Plays the homes of one process. `key` signs for every simulated home; `hub_key` is the hub's own key.

    Work that raises an unexpected error is set aside alone: any client can make a sandbox, so strangers cause it.
    """

    def __init__(self, context: WorkerContext, *, key: BoxKey, hub_key: HubSigner) -> None:
        self._store, self._now, self._wake_ups = context.store, context.now, context.wake_ups
        self._containment, self._set_aside = context.containment, RowQuarantine(monotonic=context.monotonic)
        self._key, self._hub = key, hub_key

    async def run(self) -> None:
        """Work until cancelled."""
        swept = self._now()
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            with log_unavailable("sandbox_stands_still"):
                while await self.run_due():
                    self._wake_ups.messages()
                if self._now() - swept >= SWEEP_INTERVAL:
                    swept = self._now()
                    async with self._store.writing() as tx:
                        await delete_expired(tx, swept)

    async def run_due(self) -> bool:
        """Do what is due in some homes, and return whether anything was."""
        now = self._now()
        jobs_due, plays_due, takes_due = self._due_conditions(now)
        rung = select(jobs.c.home).join(homes, homes.c.id == jobs.c.home).where(homes.c.sandbox, jobs_due)
        played = select(deliveries.c.home).where(plays_due)
        thought = select(connections.c.home).where(takes_due)
        async with self._store.reading() as tx:
            found = (await tx.execute(rung.union(played, thought).limit(MAX_HOMES_PER_CHECK))).scalars().all()
        for name in found:
            await self._work_home(name, now)
        return bool(found)

    def _due_conditions(self, now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
        """Return the conditions of due jobs, deliveries and connections, except those set aside."""
        aside, kinds = self._set_aside.rows(), list(_JOB_KINDS)
        return (
            and_(jobs.c.due.is_not(None), jobs.c.expires > now, jobs.c.kind.in_(kinds), jobs.c.id.not_in(aside)),
            and_(deliveries.c.sandbox, deliveries.c.play <= now, deliveries.c.id.not_in(aside)),
            and_(connections.c.sandbox, connections.c.play <= now, connections.c.id.not_in(aside)),
        )

    async def _work_home(self, name: str, now: datetime) -> None:
        """Do what is due in one home, oldest first, each piece in its own transaction."""
        jobs_due, plays_due, takes_due = self._due_conditions(now)
        answers = select(jobs.c.id).where(jobs.c.home == name, jobs_due).order_by(jobs.c.created, jobs.c.id)
        plays = select(deliveries.c.id).where(deliveries.c.home == name, plays_due).order_by(deliveries.c.play)
        takes = select(connections.c.id).where(connections.c.home == name, takes_due)
        everything: tuple[tuple[DueKind, Any], ...] = (("job", answers), ("delivery", plays), ("connection", takes))
        for what, asked in everything:
            async with self._store.reading() as tx:
                ids = (await tx.scalars(asked.limit(MAX_PIECES_PER_HOME))).all()
            for id_ in ids:
                with self._containment.piece("sandbox", id_, foreseen=(StoreUnavailable,)) as piece:
                    await self._work_piece(name, what, id_, now)
                if piece.fault is not None:
                    self._set_aside.add(id_)
                    await self._refuse(name, what, id_, now)

    async def _work_piece(self, name: str, what: DueKind, id_: str, now: datetime) -> None:
        async with self._store.writing() as tx:
            home = await box_events.lock_home(tx, name)
            if home is None or not home.sandbox:
                return
            home_tx = _HomeTransaction(tx, home, await box_events.event_head_of(tx, name), now)
            match what:
                case "job":
                    await self._answer_job(home_tx, id_)
                case "delivery":
                    await self._advance_delivery(home_tx, id_)
                case "connection":
                    await self._revoke_permission(home_tx, id_)
                case _:
                    assert_never(what)

    async def _refuse(self, name: str, what: DueKind, id_: str, now: datetime) -> None:
        """Refuse a job that cannot be answered, as a box refuses what it cannot read."""
        if what != "job":
            return
        with self._containment.piece("sandbox", id_, foreseen=(StoreUnavailable,)):
            async with self._store.writing() as tx:
                home = await box_events.lock_home(tx, name)
                if home is not None:
                    refusal = JobReceipt(job=id_, state="refused", why="the simulated box could not work it")
                    await box_events.on_receipt(tx, home, refusal, now)

    async def _answer_job(self, home_tx: _HomeTransaction, id_: str) -> None:
        """Answer one job of the home."""
        mine = (jobs.c.id == id_, jobs.c.home == home_tx.home.id, jobs.c.due.is_not(None))
        job = (await home_tx.tx.execute(select(jobs).where(*mine))).one_or_none()
        if job is None:
            return
        await box_events.on_receipt(home_tx.tx, home_tx.home, JobReceipt(job=job.id, state="received"), home_tx.now)
        if job.kind == JobKind.CONNECT:
            await self._answer_question(home_tx, job)
            return
        believed = await self._verify_message(home_tx, job)
        blank = {"box": home_tx.home.id, "at": home_tx.now, "token_sha256": token_digest(job.token)}
        if isinstance(believed, Claims):
            await self._answer_message(home_tx, believed, blank, by_hub=job.kind == JobKind.HUB_DELIVERY)
        else:
            told = {"accepted": False, "code": believed.code.value, "why": believed.why}
            await self._emit_event(home_tx, DeliveryResult.model_validate({**blank, **told}))

    async def _verify_message(self, home_tx: _HomeTransaction, job: Row[Any]) -> Claims | RejectedMessage:
        """Verify a message as a box does: it trusts nothing because the hub carried it."""
        at = Now(utc=home_tx.now, trusted=True, mono=0.0)
        if job.kind == JobKind.HUB_DELIVERY:
            keys = {self._hub.kid: public_key(self._hub.x)}
            found = delivery_message.verify_hub_delivery(job.token, keys, box=home_tx.home.id, now=at)
            return found if isinstance(found, RejectedMessage) else found.for_brand
        rows = await home_tx.tx.execute(
            select(brand_keys).join(connections, connections.c.brand == brand_keys.c.brand)
            .where(connections.c.home == home_tx.home.id, brand_keys.c.sandbox, brand_keys.c.revoked.is_(None))
        )  # fmt: skip
        enrolled = EnrolledKeys({row.kid: EnrolledKey(row.brand, public_key(row.x)) for row in rows})
        return verify_delivery(job.token, enrolled, box=home_tx.home.id, now=at)

    async def _answer_message(
        self, home_tx: _HomeTransaction, claims: Claims, blank: dict[str, Any], *, by_hub: bool
    ) -> None:
        said = claims.delivery
        row = await _find_delivery(home_tx, claims.iss, said.id)
        known = None if row is None else await _delivery_state(home_tx, row)
        given = await _terms_given(home_tx, claims.iss)
        if given is None:
            code: str | None = "brand_not_permitted"
        elif by_hub and not given.hub_signed:
            code = "hub_signed_not_permitted"
        else:
            others = await _other_promises(home_tx, row)
            code = simulated.refusal_of(claims, known, others, given.permission_terms, home_tx.now)
        told = {**blank, "brand": claims.iss, "delivery": said.id, "version": said.version, "answers": claims.jti,
                "accepted": code is None, "code": code}  # fmt: skip
        if code is None:
            told |= {"state": simulated.state_after(said, home_tx.now)}
        elif known is None or row is None:
            told |= {"state": State.REFUSED, "reason": code}
        else:
            told |= {"state": known.state, "reason": row.reason, "missing": row.missing,
                     "house": None if row.house is None else DoorResult(row.house)}  # fmt: skip
        await self._emit_event(home_tx, DeliveryResult.model_validate(told))
        if code is None and row is not None:
            parcels, end = ((), row.window_end) if isinstance(said, Cancel) else (said.parcels, said.window.end)
            await _schedule_delivery(
                home_tx, row.id, simulated.next_due(simulated.state_after(said, home_tx.now), parcels, end, home_tx.now)
            )

    async def _advance_delivery(self, home_tx: _HomeTransaction, id_: str) -> None:
        """Continue with one due delivery."""
        mine = (deliveries.c.id == id_, deliveries.c.home == home_tx.home.id, deliveries.c.play <= home_tx.now)
        row = (await home_tx.tx.execute(select(deliveries).where(*mine))).one_or_none()
        if row is None:
            return
        state, parcels = State(row.state), tuple(row.promise["parcels"])
        onward = simulated.next_result(state, parcels, row.window_end, home_tx.now)
        known = await _delivery_state(home_tx, row)
        told = {"box": home_tx.home.id, "at": home_tx.now, "brand": row.brand, "delivery": row.name,
                "version": row.version if known is None else known.version, **onward}  # fmt: skip
        result = DeliveryResult.model_validate(told)
        await self._emit_event(home_tx, result, await self._account_of(home_tx, row, result))
        then = result.state or state
        await _schedule_delivery(home_tx, row.id, simulated.next_due(then, parcels, row.window_end, home_tx.now))

    async def _account_of(
        self, home_tx: _HomeTransaction, row: Row[Any], result: DeliveryResult
    ) -> DeliveryRecord | None:
        """Return the home's account of an ended delivery; its events are its only log."""
        if result.state not in END_STATES or result.version is None or result.house is None:
            return None
        promise = row.promise
        said = simulated.visit_log(result, tuple(promise["parcels"]), promise["max_celsius"], home_tx.now)
        lines, left_out = chain_lines(said)
        head = head_hash(lines)
        statement = Statement(
            home=home_tx.home.id, brand=row.brand, delivery=row.name, version=result.version, state=result.state,
            reason=result.reason, missing=result.missing, house=result.house, at=home_tx.now, clock_trusted=True,
            sandbox=True, message_sha256=await self._last_message_digest(home_tx, row),
            lines=len(lines), left_out=left_out, head=head,
            entry=link_hash(bytes.fromhex(home_tx.event_head.head), home_tx.event_head.seq + 1,
            bytes.fromhex(head)).hex(),
        )  # fmt: skip
        return DeliveryRecord(lines=lines, token=sign_statement(statement, self._key.sign))

    async def _last_message_digest(self, home_tx: _HomeTransaction, row: Row[Any]) -> str | None:
        """Return the SHA-256 of the message that the home accepted last, according to its events."""
        mine = (home_events.c.home == home_tx.home.id, home_events.c.delivery == row.id)
        said = select(home_events.c.token).where(*mine).order_by(home_events.c.seq.desc())
        for token in (await home_tx.tx.scalars(said)).all():
            event = verify_event(token, self._key.public)
            if isinstance(event, BoxEvent) and event.result is not None and event.result.accepted:
                return event.result.token_sha256
        return None

    async def _answer_question(self, home_tx: _HomeTransaction, job: Row[Any]) -> None:
        """Answer a brand's request; a message with only its keys is accepted unconditionally."""
        asking = parse_consent(job.token)
        if asking is None or asking.connection is None or asking.asked is None:
            return
        mine = connections.c.id == asking.connection
        if simulated.SILENT_CODE in asking.asked.carriers:  # time runs faster here, so the request expires soon
            over = home_tx.now + simulated.DECISION_DELAY
            await home_tx.tx.execute(update(connections).where(mine).values(expires=over))
            return
        given = simulated.decide_terms(asking.asked)
        await self._emit_decision(home_tx, asking.brand, given, "refused")
        if given is not None and simulated.REVOKE_CODE in asking.asked.carriers:
            await home_tx.tx.execute(
                update(connections).where(mine).values(play=home_tx.now + simulated.DECISION_DELAY)
            )

    async def _revoke_permission(self, home_tx: _HomeTransaction, id_: str) -> None:
        """Revoke what was to be revoked, and report what becomes of each open delivery."""
        mine = (connections.c.id == id_, connections.c.home == home_tx.home.id, connections.c.play <= home_tx.now)
        row = (await home_tx.tx.execute(select(connections).where(*mine))).one_or_none()
        if row is None:
            return
        await home_tx.tx.execute(update(connections).where(connections.c.id == row.id).values(play=None))
        await self._emit_decision(home_tx, row.brand, None, "revoked")

    async def _emit_decision(
        self, home_tx: _HomeTransaction, brand: str, given: GivenTerms | None, no: Literal["refused", "revoked"]
    ) -> None:
        """Report the owner's decision on a brand: one for all its requests to this home."""
        known = select(func.max(connections.c.version)).where(
            connections.c.home == home_tx.home.id, connections.c.brand == brand, connections.c.sandbox
        )
        version = (await home_tx.tx.scalar(known) or 0) + 1
        said = {} if given is None else given.model_dump()
        decided = PermissionDecision.model_validate(
            {**said, "brand": brand, "version": version, "standing": no if given is None else "granted"}
        )
        await self._emit_event(home_tx, decided)
        if given is None:
            await self._refuse_open_deliveries(home_tx, brand)

    async def _refuse_open_deliveries(self, home_tx: _HomeTransaction, brand: str) -> None:
        """Refuse the brand's open deliveries without a courier at the door."""
        over = [str(state) for state in (*FINAL_STATES, State.VISITING)]
        mine = (deliveries.c.home == home_tx.home.id, deliveries.c.brand == brand, deliveries.c.answered.is_not(None))
        asked = select(deliveries).where(*mine, deliveries.c.state.not_in(over))
        for row in (await home_tx.tx.execute(asked)).all():
            known = await _delivery_state(home_tx, row)
            told = {"box": home_tx.home.id, "at": home_tx.now, "brand": brand, "delivery": row.name,
                    "version": row.version if known is None else known.version, "state": State.REFUSED,
                    "reason": "brand_not_permitted"}  # fmt: skip
            await self._emit_event(home_tx, DeliveryResult.model_validate(told))
            await _schedule_delivery(home_tx, row.id, None)

    async def _emit_event(
        self,
        home_tx: _HomeTransaction,
        said: DeliveryResult | PermissionDecision,
        account: DeliveryRecord | None = None,
    ) -> None:
        """Make the home's next event, and store it as that of every home."""
        happened = BoxEvent(
            home=home_tx.home.id,
            seq=home_tx.event_head.seq + 1,
            prev=home_tx.event_head.head,
            at=home_tx.now,
            result=said if isinstance(said, DeliveryResult) else None,
            decided=said if isinstance(said, PermissionDecision) else None,
            account=account,
        )
        outcome = await box_events.on_event(
            home_tx.tx, home_tx.home, home_tx.event_head, sign_event(happened, self._key.sign), home_tx.now
        )
        if outcome is not EventOutcome.KEPT:
            raise RuntimeError(f"an event of the sandbox's own is {outcome}")


async def _find_delivery(home_tx: _HomeTransaction, brand: str, name: str) -> Row[Any] | None:
    """Return the delivery that a message is about."""
    named = (deliveries.c.brand == brand, deliveries.c.name == name)
    return (
        await home_tx.tx.execute(select(deliveries).where(deliveries.c.home == home_tx.home.id, *named))
    ).one_or_none()


async def _delivery_state(home_tx: _HomeTransaction, row: Row[Any]) -> SandboxDelivery | None:
    """Return what the home knows of a delivery, or None if it accepted no version of it."""
    if row.answered is None:
        return None
    taken = (delivery_versions.c.delivery == row.id, delivery_versions.c.refused.is_(False))
    newest = select(func.max(delivery_versions.c.version)).where(*taken, delivery_versions.c.version <= row.answered)
    version = await home_tx.tx.scalar(newest)
    return None if version is None else SandboxDelivery(version=version, state=State(row.state))


async def _terms_given(home_tx: _HomeTransaction, brand: str) -> GivenTerms | None:
    """Return what the simulated owner permits a brand."""
    asked = select(connections.c.terms).where(
        connections.c.home == home_tx.home.id, connections.c.brand == brand, connections.c.state == "granted"
    )
    terms = await home_tx.tx.scalar(asked.limit(1))
    return None if terms is None else GivenTerms.model_validate(terms, strict=False)


async def _other_promises(home_tx: _HomeTransaction, row: Row[Any] | None) -> list[DeliveryOrder]:
    """Return the other open deliveries of the home."""
    open_ = deliveries.c.state.not_in([str(state) for state in FINAL_STATES])
    asked = select(deliveries).where(deliveries.c.home == home_tx.home.id, deliveries.c.answered.is_not(None), open_)
    rows = (await home_tx.tx.execute(asked)).all()
    return [_promise_of(one) for one in rows if row is None or one.id != row.id]


def _promise_of(row: Row[Any]) -> DeliveryOrder:
    return order_of(row.brand, body_of(Offer, row, row.version, row.promise))


async def _schedule_delivery(home_tx: _HomeTransaction, delivery: str, due: datetime | None) -> None:
    """Store when the robot continues with a delivery."""
    await home_tx.tx.execute(update(deliveries).where(deliveries.c.id == delivery).values(play=due))

"""Plays all simulated homes and their couriers.

It does what a box does, without a broker: it takes a home's stored jobs, answers them, and makes signed and chained
events, which the hub stores as those of every home (gateway/hub/boxes/box_events.py). What is due is in the store, so
the next start continues what a killed hub began. It works on homes of the sandbox only.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, func, or_, select, union, update

from gateway.domain.delivery.promise import (
    Arrival,
    Cancel,
    Claims,
    DeliveryOrder,
    DeliveryResult,
    Notice,
    Offer,
    State,
    TimeAnswer,
    TimeRequest,
    order_of,
)
from gateway.domain.delivery.result import CollectResult, DoorResult
from gateway.domain.now import Now
from gateway.hub.boxes.box_events import EventOutcome, HomeTransaction, newest_event, refuse_job
from gateway.hub.database.store import StoreUnavailable, log_unavailable
from gateway.hub.database.tables import (
    brand_keys,
    brand_messages,
    connections,
    deliveries,
    delivery_versions,
    home_events,
    homes,
    jobs,
)
from gateway.hub.deliveries.availability import GivenTerms
from gateway.hub.deliveries.orders import IS_OPEN, body_of
from gateway.hub.sandbox import home as simulated
from gateway.hub.sandbox.expiry import delete_expired
from gateway.hub.sandbox.home import SandboxDelivery
from gateway.hub.signing_key import HubKeyPair
from gateway.hub.worker import WorkerContext
from gateway.protocol import box_hub
from gateway.protocol.box_hub import BoxEvent, BrandAnswer, JobKind, JobReceipt, PermissionDecision
from gateway.protocol.box_statement import RENEWAL_AGE
from gateway.protocol.brand_messages import (
    FactsQuery,
    comment_text,
    facts_claims,
    is_brand_message,
    sign_facts,
    verify_brand_message,
)
from gateway.protocol.consent_request import parse_consent
from gateway.protocol.delivery_message import UnsupportedMessage, verify_delivery, verify_hub_delivery
from gateway.protocol.delivery_record import END_STATES, DeliveryRecord, Statement, chain_lines, head_hash
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import link_hash
from gateway.protocol.jws import EnrolledKey, RejectedMessage
from gateway.protocol.keys import BoxKey
from gateway.system.containment import RowQuarantine

_JOB_KINDS = (JobKind.DELIVERY, JobKind.HUB_DELIVERY, JobKind.CONNECT)
CHECK_INTERVAL_S = 0.25
SWEEP_INTERVAL = timedelta(minutes=1)  # for expired sandboxes
MAX_HOMES_PER_CHECK = 20
MAX_RENEWALS_PER_SWEEP = 100  # homes
MAX_PIECES_PER_HOME = 10  # in one check, so that one sandbox does not delay the others


# What is due in a home: a job to answer, a delivery to continue, a permission to revoke
DueKind = Literal["job", "delivery", "connection"]


class SandboxRobot:
    """Plays the homes of one process. `key` signs for every simulated home.

    Work that raises an unexpected error is set aside alone: any client can make a sandbox, so strangers cause it.
    """

    def __init__(self, context: WorkerContext, *, key: BoxKey) -> None:
        self._store, self._now, self._wake_ups = context.store, context.now, context.wake_ups
        self._containment, self._set_aside = context.containment, RowQuarantine(monotonic=context.monotonic)
        self._key, self._hub = key, context.signer

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
                    await self.renew_statements()

    async def run_due(self) -> bool:
        """Do what is due in some homes, and return whether anything was."""
        now = self._now()
        with_work = (due.with_only_columns(due.selected_columns.home) for due in self._select_due(now).values())
        async with self._store.reading() as tx:
            names = (await tx.scalars(union(*with_work).limit(MAX_HOMES_PER_CHECK))).all()
        for name in names:
            await self._work_home(name, now)
        return bool(names)

    async def renew_statements(self) -> None:
        """State anew what the homes understand, for those whose statements are a day old."""
        now = self._now()
        stale = or_(homes.c.heard.is_(None), homes.c.heard <= now - RENEWAL_AGE)
        old = select(homes.c.id).where(homes.c.sandbox, homes.c.revoked.is_(None), stale)
        async with self._store.reading() as tx:
            names = (await tx.scalars(old.limit(MAX_RENEWALS_PER_SWEEP))).all()
        for name in names:
            async with self._store.writing() as tx:
                box = await _SimulatedBox.begin(tx, name, now, key=self._key, hub_key=self._hub)
                if box is not None:
                    await box.renew_statements()

    def _select_due(self, now: datetime) -> dict[DueKind, Select[Any]]:
        aside = self._set_aside.rows()
        j, d, c = jobs.c, deliveries.c, connections.c
        is_open = (j.due.is_not(None), j.expires > now, j.kind.in_(_JOB_KINDS), j.id.not_in(aside))
        return {
            "job": select(j.id, j.home).join(homes, homes.c.id == j.home).where(homes.c.sandbox, *is_open),
            "delivery": select(d.id, d.home).where(d.sandbox, d.play <= now, d.id.not_in(aside)),
            "connection": select(c.id, c.home).where(c.sandbox, c.play <= now, c.id.not_in(aside)),
        }

    async def _work_home(self, name: str, now: datetime) -> None:
        order = {"job": (jobs.c.created, jobs.c.id), "delivery": (deliveries.c.play,), "connection": ()}
        for kind, due in self._select_due(now).items():
            here = due.where(due.selected_columns.home == name).order_by(*order[kind])
            async with self._store.reading() as tx:
                ids = (await tx.scalars(here.limit(MAX_PIECES_PER_HOME))).all()
            for id_ in ids:
                with self._containment.piece("sandbox", id_, foreseen=(StoreUnavailable,)) as piece:
                    await self._work_piece(name, kind, id_, now)
                if piece.fault is not None:
                    self._set_aside.add(id_)
                    if kind == "job":
                        with self._containment.piece("sandbox", id_, foreseen=(StoreUnavailable,)):
                            await refuse_job(self._store, name, id_, "the simulated box could not work it", now)

    async def _work_piece(self, name: str, kind: DueKind, id_: str, now: datetime) -> None:
        async with self._store.writing() as tx:
            box = await _SimulatedBox.begin(tx, name, now, key=self._key, hub_key=self._hub)
            if box is None or not box.home.sandbox:
                return
            table, is_due, work = {
                "job": (jobs, jobs.c.due.is_not(None), box.answer_job),
                "delivery": (deliveries, deliveries.c.play <= now, box.advance_delivery),
                "connection": (connections, connections.c.play <= now, box.revoke_permission),
            }[kind]
            row = (await tx.execute(select(table).filter_by(id=id_, home=name).where(is_due))).one_or_none()
            if row is None:
                return  # another process has done it
            # While this one waited for the home's row, another process may have stored an event (HomeTransaction.begin)
            box.seq, box.head = await newest_event(tx, name)
            await work(row)


@dataclass(slots=True)
class _SimulatedBox(HomeTransaction):
    """The box of one home, in one transaction. `key` signs its events, `hub_key` is the hub's own key."""

    key: BoxKey
    hub_key: HubKeyPair

    def _result(self, row: Row[Any], known: SandboxDelivery | None, **fields: object) -> DeliveryResult:
        version = row.version if known is None else known.version
        facts = {"box": self.home.id, "at": self.now, "brand": row.brand, "delivery": row.name, "version": version,
                 "moved_to": row.moved_to, "more_time": _answer_of(row)}  # fmt: skip
        return DeliveryResult.model_validate({**facts, **fields})

    async def answer_job(self, job: Row[Any]) -> None:
        await self.on_receipt(JobReceipt(job=job.id, state="received"))
        if job.kind == JobKind.CONNECT:
            await self._answer_question(job)
            return
        if is_brand_message(job.token):
            await self._answer_brand_message(job)
            return
        claims = await self._verify_message(job)
        blank = {"box": self.home.id, "at": self.now, "token_sha256": box_hub.token_digest(job.token)}
        if isinstance(claims, Claims):
            await self._answer_message(claims, blank, by_hub=job.kind == JobKind.HUB_DELIVERY)
        else:
            answer = {**blank, "accepted": False, "code": claims.code.value, "why": claims.why}
            if isinstance(claims, UnsupportedMessage):
                answer |= claims.result_fields
            await self._emit_event(DeliveryResult.model_validate(answer))

    async def _verify_message(self, job: Row[Any]) -> Claims | RejectedMessage:
        """Verify a message as a box does: it trusts nothing because the hub carried it."""
        at = Now(utc=self.now, trusted=True, mono=0.0)
        if job.kind == JobKind.HUB_DELIVERY:
            claims = verify_hub_delivery(job.token, self.hub_key.public, box=self.home.id, now=at)
            return claims if isinstance(claims, RejectedMessage) else claims.for_brand
        return verify_delivery(job.token, await self._enrolled_keys(), box=self.home.id, now=at)

    async def _enrolled_keys(self) -> dict[str, EnrolledKey]:
        rows = await self.tx.execute(
            select(brand_keys).join(connections, connections.c.brand == brand_keys.c.brand)
            .where(connections.c.home == self.home.id, brand_keys.c.sandbox, brand_keys.c.revoked.is_(None))
        )  # fmt: skip
        return {row.kid: EnrolledKey(row.brand, PublicKey.from_jwk(row.x)) for row in rows}

    async def _answer_brand_message(self, job: Row[Any]) -> None:
        """Answer a query for facts with those of this sandbox, and accept a comment, as a box does."""
        at = Now(utc=self.now, trusted=True, mono=0.0)
        message = verify_brand_message(job.token, await self._enrolled_keys(), box=self.home.id, now=at)
        digest = box_hub.token_digest(job.token)
        if isinstance(message, RejectedMessage):
            await self._emit_event(BrandAnswer(token_sha256=digest, accepted=False, code=message.code.value))
            return
        code = "brand_not_permitted" if await self._terms_given(message.iss) is None else None
        facts = None
        if code is None and isinstance(message, FactsQuery):
            mine = (deliveries.c.home == self.home.id, deliveries.c.brand == message.iss)
            rows = (await self.tx.execute(select(deliveries).where(*mine))).all()
            stated = facts_claims(
                self.home.id, message.iss, simulated.facts_of(rows, self.now),
                comment=await self._newest_comment(message.iss), answers=message.jti,
            )  # fmt: skip
            facts = sign_facts(stated, self.key).decode()
        answer = BrandAnswer(brand=message.iss, token_sha256=digest, accepted=code is None, code=code, facts=facts)
        await self._emit_event(answer)

    async def _newest_comment(self, brand: str) -> str | None:
        accepted = select(brand_messages.c.sha256).filter_by(home=self.home.id, kind="comment", state="accepted")
        ours = accepted.join(connections, connections.c.id == brand_messages.c.connection).where(
            connections.c.brand == brand
        )
        newest = await self.tx.scalar(ours.order_by(brand_messages.c.answered.desc()).limit(1))
        token = await self.tx.scalar(select(jobs.c.token).filter_by(home=self.home.id, sha256=newest).limit(1))
        return None if token is None else comment_text(token)

    async def _answer_message(self, claims: Claims, blank: dict[str, Any], *, by_hub: bool) -> None:
        message = claims.delivery
        row = await self.find_delivery(claims.iss, message.id)
        known = None if row is None else await self._delivery_state(row)
        given = await self._terms_given(claims.iss)
        if given is None:
            code: str | None = "brand_not_permitted"
        elif by_hub and not given.hub_signed:
            code = "hub_signed_not_permitted"
        else:
            others = await self._other_promises(row)
            code = simulated.refusal_of(claims, known, others, given.permission_terms, self.now)
        asks_time = isinstance(message, TimeRequest)
        is_notice = isinstance(message, Notice)
        version = None if is_notice and code is not None else message.version
        answer = {**blank, "brand": claims.iss, "delivery": message.id, "version": version,
                  "answers": claims.jti, "accepted": code is None, "code": code}  # fmt: skip
        if code is None and not isinstance(message, Notice):
            answer |= {"state": simulated.state_after(message, self.now)}
        elif known is None or row is None:
            answer |= {"state": State.REFUSED, "reason": code}
        else:
            lacking = None if row.missing_parcels is None else tuple(row.missing_parcels)
            answer |= {"state": known.state, "reason": row.reason, "missing": row.missing, "missing_parcels": lacking,
                       "custody": row.custody, "moved_to": row.moved_to, "cold_chain": row.cold_chain,
                       "more_time": TimeAnswer.ASKED if asks_time and code is None else _answer_of(row),
                       "collected": None if row.collected is None else CollectResult(row.collected),
                       "house": None if row.house is None else DoorResult(row.house)}  # fmt: skip
        await self._emit_event(DeliveryResult.model_validate(answer))
        if code is None and row is not None and not isinstance(message, Arrival):
            due = None
            if isinstance(message, TimeRequest):
                due = self.now + simulated.DECISION_DELAY
            elif not isinstance(message, Cancel):
                order, state = order_of(claims.iss, message), simulated.state_after(message, self.now)
                due = simulated.next_due(state, order.parcels | order.collect, message.window.end, self.now)
            await self._schedule_delivery(row.id, due)

    async def advance_delivery(self, row: Row[Any]) -> None:
        state, codes = State(row.state), simulated.codes_of(row.promise)
        given = await self._terms_given(row.brand)
        permitted = () if given is None or row.moved_to is not None else given.entrances
        elsewhere = simulated.place_of_move(row.promise, permitted)
        onward = simulated.next_result(
            state, codes, row.window_end, self.now, elsewhere=elsewhere, more_time=_answer_of(row)
        )
        result = self._result(row, await self._delivery_state(row), **onward)
        result = result.model_copy(update={"cold_chain": simulated.cold_chain_of(row.promise, result)})
        await self._emit_event(result, await self._account_of(row, result))
        then = result.state or state
        due = simulated.next_due(then, codes.all, row.window_end, self.now)
        if result.more_time is TimeAnswer.GIVEN and then is State.WINDOW_OPEN:
            due = self.now + simulated.ARRIVAL_DELAY
        await self._schedule_delivery(row.id, due)

    async def _account_of(self, row: Row[Any], result: DeliveryResult) -> DeliveryRecord | None:
        if result.state not in END_STATES or result.version is None or result.house is None:
            return None
        promise = row.promise
        log = simulated.visit_log(result, simulated.codes_of(promise), promise["max_celsius"], self.now)
        lines, left_out = chain_lines(log)
        head = head_hash(lines)
        statement = Statement(
            home=self.home.id, brand=row.brand, delivery=row.name, version=result.version, state=result.state,
            reason=result.reason, missing=result.missing, house=result.house, at=self.now, clock_trusted=True,
            collected=result.collected,
            sandbox=True, message_sha256=await self._last_message_digest(row),
            lines=len(lines), left_out=left_out, head=head,
            entry=link_hash(bytes.fromhex(self.head), self.seq + 1, bytes.fromhex(head)).hex(),
        )  # fmt: skip
        return DeliveryRecord(lines=lines, token=box_hub.sign_by_box(statement, self.key.sign).decode())

    async def _last_message_digest(self, row: Row[Any]) -> str | None:
        mine = select(home_events.c.token).filter_by(home=self.home.id, delivery=row.id)
        for token in (await self.tx.scalars(mine.order_by(home_events.c.seq.desc()))).all():
            event = box_hub.verify_by_box(BoxEvent, token, self.key.public)
            if isinstance(event, BoxEvent) and event.result is not None and event.result.accepted:
                return event.result.token_sha256
        return None

    async def _answer_question(self, job: Row[Any]) -> None:
        """Answer a brand's request; a message with only its keys is accepted unconditionally."""
        request = parse_consent(job.token)
        asked = None if request is None else simulated.asked_terms(request)
        if request is None or request.connection is None or asked is None:
            return
        mine = connections.c.id == request.connection
        if simulated.SILENT_CODE in asked.carriers:  # time runs faster here, so the request expires soon
            over = self.now + simulated.DECISION_DELAY
            await self.tx.execute(update(connections).where(mine).values(expires=over))
            return
        given = simulated.decide_terms(asked)
        await self._emit_decision(request.brand, given, "refused")
        if given is not None and simulated.REVOKE_CODE in asked.carriers:
            due = self.now + simulated.DECISION_DELAY
            await self.tx.execute(update(connections).where(mine).values(play=due))

    async def revoke_permission(self, row: Row[Any]) -> None:
        """Revoke what was to be revoked, and report what becomes of each open delivery."""
        await self.tx.execute(update(connections).where(connections.c.id == row.id).values(play=None))
        await self._emit_decision(row.brand, None, "revoked")

    async def _emit_decision(self, brand: str, given: GivenTerms | None, no: Literal["refused", "revoked"]) -> None:
        """Report the owner's decision on a brand: one for all its requests to this home."""
        known = select(func.max(connections.c.version)).filter_by(home=self.home.id, brand=brand, sandbox=True)
        version = (await self.tx.scalar(known) or 0) + 1
        terms = (
            {"standing": no}
            if given is None
            else {"standing": "granted", **given.model_dump(exclude={"entrance_places"})}
        )
        decision = PermissionDecision.model_validate({**terms, "brand": brand, "version": version})
        await self._emit_event(decision)
        if given is not None:
            await self.state_understanding(brand, given.entrances)
        if given is None:
            await self._refuse_open_deliveries(brand)

    async def renew_statements(self) -> None:
        """State what this home understands to each brand that it lets in."""
        granted = select(connections.c.brand, connections.c.terms).filter_by(home=self.home.id, state="granted")
        for brand, terms in (await self.tx.execute(granted)).all():
            await self.state_understanding(brand, terms["entrances"])
        await self.tx.execute(update(homes).where(homes.c.id == self.home.id).values(heard=self.now))

    async def state_understanding(self, brand: str, entrances: Sequence[str]) -> None:
        """State to a brand what this home understands, as a box does each day."""
        await self.on_statement(simulated.signed_statement(self.home.id, brand, entrances, self.now, self.key))

    async def _refuse_open_deliveries(self, brand: str) -> None:
        mine = (deliveries.c.home == self.home.id, deliveries.c.brand == brand, deliveries.c.answered.is_not(None))
        open_deliveries = select(deliveries).where(*mine, IS_OPEN, deliveries.c.state != State.VISITING)
        for row in (await self.tx.execute(open_deliveries)).all():
            known = await self._delivery_state(row)
            await self._emit_event(self._result(row, known, state=State.REFUSED, reason="brand_not_permitted"))
            await self._schedule_delivery(row.id, None)

    async def _emit_event(
        self, content: DeliveryResult | PermissionDecision | BrandAnswer, account: DeliveryRecord | None = None
    ) -> None:
        event = BoxEvent(
            home=self.home.id, seq=self.seq + 1, prev=self.head, at=self.now,
            result=content if isinstance(content, DeliveryResult) else None,
            decided=content if isinstance(content, PermissionDecision) else None,
            answer=content if isinstance(content, BrandAnswer) else None,
            account=account,
        )  # fmt: skip
        token = box_hub.sign_by_box(event, self.key.sign)
        outcome = await self.on_event(token)
        if outcome is not EventOutcome.KEPT:
            raise RuntimeError(f"an event of the sandbox's own is {outcome}")

    async def _delivery_state(self, row: Row[Any]) -> SandboxDelivery | None:
        if row.answered is None:
            return None
        accepted = select(func.max(delivery_versions.c.version)).filter_by(delivery=row.id, refused=False)
        version = await self.tx.scalar(accepted.where(delivery_versions.c.version <= row.answered))
        if version is None:
            return None
        promises = select(delivery_versions.c.promise).filter_by(delivery=row.id, version=version)
        has_needs = (await self.tx.scalar(promises) or row.promise).get("needs") is not None
        return SandboxDelivery(version=version, state=State(row.state), message_version=2 if has_needs else 1)

    async def _terms_given(self, brand: str) -> GivenTerms | None:
        granted = select(connections.c.terms).filter_by(home=self.home.id, brand=brand, state="granted")
        terms = await self.tx.scalar(granted.limit(1))
        return None if terms is None else GivenTerms.model_validate(terms, strict=False)

    async def _other_promises(self, row: Row[Any] | None) -> list[DeliveryOrder]:
        mine = (deliveries.c.home == self.home.id, deliveries.c.answered.is_not(None), IS_OPEN)
        rows = (await self.tx.execute(select(deliveries).where(*mine))).all()
        others = [other for other in rows if row is None or other.id != row.id]
        return [order_of(other.brand, body_of(Offer, other, other.version, other.promise)) for other in others]

    async def _schedule_delivery(self, delivery: str, due: datetime | None) -> None:
        await self.tx.execute(update(deliveries).where(deliveries.c.id == delivery).values(play=due))


def _answer_of(row: Row[Any]) -> TimeAnswer | None:
    return None if row.more_time is None else TimeAnswer(row.more_time)

"""Stores who has the parcels of a reception: each decision in one transaction with its log entry and its messages."""

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from gateway.domain.custody import (
    TAKEN,
    AnswerCourier,
    CustodyEvent,
    CustodyNotice,
    CustodyRefusal,
    CustodyStage,
    DeclineReason,
    ParcelCustody,
    custody,
    delivery_outcome,
)
from gateway.domain.delivery.candidate import DeliveryContext, candidate
from gateway.domain.delivery.promise import DeliveryOrder
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.duty import Duty, receivers_on_duty
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode, Notification, NotifyOwner, OwnerMessage, RaiseAlarm
from gateway.protocol.hash_chain import Json
from gateway.storage import outbox
from gateway.storage.audit_log import bodies_of_kind, code_key, encode, encode_code
from gateway.storage.database import Database
from gateway.storage.models import FilmRecord
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.rows import mark_for_check, row_of
from gateway.storage.writer import Writer

MAX_LISTED = 200  # parcels of one reception that a page shows: the newest


class Reception(Frozen):
    """What the house file says of a reception: the hours of each receiver, and how long goods are kept cold."""

    id: str
    hours: Mapping[str, str] = field(default_factory=dict)
    keep_cold: float | None = None


class CustodyFacts(Frozen):
    """What the store knows when an act is decided: who is on duty, and why the delivery may not come."""

    on_duty: frozenset[str]
    refusal: Refusal | None


EventMaker = Callable[[CustodyFacts], CustodyEvent]


class CustodyAct(Frozen):
    """One act on one parcel: `event` makes the event from the facts. `is_logged`: a refused scan is logged too.

    `since_mono`: when the parcel entered its stage, on the monotonic clock of this boot, with the stage's `since`.
    """

    delivery: str
    parcel: str
    event: EventMaker
    since_mono: tuple[datetime, float] | None = None
    by: str | None = None  # the account's id of a person of the household
    is_logged: bool = True
    may_notify: bool = True  # the owner, that nobody is on duty


class StoredCustody(Frozen):
    """A stored parcel with its state. `visit` is the id of its log entries and of its proof."""

    delivery: str
    parcel: str
    visit: str
    state: ParcelCustody


class CustodyResult(Frozen):
    """A decision that is on disk; `messages` are the owner's, each with its number in the store."""

    stored: StoredCustody
    before: CustodyStage
    answer: AnswerCourier | None
    refusal: CustodyRefusal | None
    notices: tuple[CustodyNotice, ...] = ()
    messages: tuple[tuple[OwnerMessage, int], ...] = ()

    @property
    def changed(self) -> bool:
        """Return whether the parcel entered another stage."""
        return self.stored.state.stage is not self.before


def decide_custody(
    db: Database, act: CustodyAct, reception: Reception, context: DeliveryContext, now: Now
) -> CustodyResult | None:
    """Decide on an act and store the decision; None: the delivery has no such parcel at this reception."""
    row = row_of(db, act.delivery)
    if row is None or row.order.entrance != reception.id or act.parcel not in row.order.parcels:
        return None
    stored = _stored(db, act.delivery, act.parcel) or StoredCustody(
        delivery=act.delivery,
        parcel=act.parcel,
        visit=_visit_of(db, act.delivery),
        state=ParcelCustody(keep_cold=reception.keep_cold if row.order.places_with_limits else None),
    )
    state = stored.state
    if act.since_mono is not None and act.since_mono[0] == state.since:
        state = replace(state, since_mono=act.since_mono[1])
    fresh = replace(row.usage, used=0, withdrawals=0)  # each parcel of a delivery is offered by itself
    known = candidate(row.order, row.permission, fresh, context=context, now=now)
    facts = CustodyFacts(
        on_duty=on_duty(db, reception, context, now), refusal=known.refusal or _time_refusal(row.order, now)
    )
    event = act.event(facts)
    decision = custody(state, event, now=now)
    if not act.may_notify:
        notices = tuple(notice for notice in decision.notices if notice is not CustodyNotice.NO_RECEIVER)
        decision = replace(decision, notices=notices)
    result = CustodyResult(
        stored=replace(stored, state=decision.state), before=state.stage, answer=decision.answer,
        refusal=decision.refusal, notices=decision.notices,
    )  # fmt: skip
    is_quiet = decision.state == state and not decision.notices
    if not is_quiet or act.is_logged:
        _store(db, result.stored, reception.id)  # also where nothing changed: later entries have the same id
        entry = _log_facts(db, event, result, now)
        db.log("custody", now.utc, entry, entrance=reception.id, visit=stored.visit, by=act.by)
        result = replace(result, messages=_queue_messages(db, result, reception.id, now))
    if result.changed:
        _settle(db, row.order, stored.visit, now, over=False)
    return result


def _time_refusal(order: DeliveryOrder, now: Now) -> Refusal | None:
    if not now.trusted:
        return Refusal.CLOCK_UNTRUSTED
    return None if order.start <= now.utc < order.end else Refusal.OUTSIDE_WINDOW


def _visit_of(db: Database, delivery: str) -> str:
    known = db.value(str, "SELECT visit FROM custody WHERE delivery = ? LIMIT 1", (delivery,))
    return known or f"custody-{secrets.token_hex(8)}"


def _store(db: Database, custody: StoredCustody, reception: str) -> None:
    state = custody.state
    db.insert(
        "custody", or_="REPLACE", delivery=custody.delivery, parcel=custody.parcel, reception=reception,
        visit=custody.visit, stage=state.stage, since=state.since, holder=state.holder, reason=state.reason,
        handed_to=state.to, keep_cold=state.keep_cold, warned=state.warned,
    )  # fmt: skip


def _log_facts(db: Database, event: CustodyEvent, result: CustodyResult, now: Now) -> dict[str, Json]:
    """Return what the log says of a decision; it names no person by name."""
    stored, state, answer = result.stored, result.stored.state, result.answer
    refusal = result.refusal or (None if answer is None else answer.refusal)
    return {
        "delivery": stored.delivery,
        "code": encode_code(stored.parcel, code_key(db)),
        "event": type(event).__name__,
        "stage_before": result.before.value,
        "stage": state.stage.value,
        "receiver": state.holder,
        "reason": None if state.reason is None else state.reason.value,
        "answer": None if answer is None else answer.answer.value,
        "refusal": None if refusal is None else refusal.value,
        "notices": [notice.value for notice in result.notices],
        "trusted": now.trusted,
    }


def _queue_messages(
    db: Database, result: CustodyResult, reception: str, now: Now
) -> tuple[tuple[OwnerMessage, int], ...]:
    stored = result.stored
    commands = [owner_message(notice, stored) for notice in result.notices]
    return tuple(
        (
            command,
            outbox.queue_message(db, reception, stored.visit, json.dumps(encode(command, "command")).encode(), now),
        )
        for command in commands
    )


_NOTICES: Mapping[CustodyNotice, Notification] = MappingProxyType({
    CustodyNotice.RECEIVED: Notification.PARCEL_RECEIVED,
    CustodyNotice.DECLINED: Notification.PARCEL_DECLINED,
    CustodyNotice.HANDED_OVER: Notification.PARCEL_HANDED_OVER,
    CustodyNotice.NO_RECEIVER: Notification.NO_RECEIVER,
})  # fmt: skip


def owner_message(notice: CustodyNotice, custody: StoredCustody) -> OwnerMessage:
    """Return the message to the owner. Its detail is the id of the receiver, or why the parcel was declined."""
    if notice is CustodyNotice.KEPT_TOO_LONG:
        return RaiseAlarm(code=AlarmCode.KEPT_TOO_LONG, detail=custody.state.holder or "")
    declined = custody.state.reason
    detail = (custody.state.holder or "") if declined is None else declined.value
    return NotifyOwner(notification=_NOTICES[notice], delivery=custody.delivery, visit=custody.visit, detail=detail)


def _settle(db: Database, order: DeliveryOrder, visit: str, now: Now, *, over: bool) -> None:
    """Store what became of the delivery, and have its retailer informed if that changes."""
    stages = {held.parcel: held.state.stage for held in custodies_of(db, order.key)}
    all_stages = [stages.get(parcel, CustodyStage.ANNOUNCED) for parcel in order.parcels]
    outcome, missing = delivery_outcome(all_stages, over=over) or (None, 0)
    taken = any(stage in TAKEN for stage in all_stages)
    not_taken = sorted(parcel for parcel in order.parcels if stages.get(parcel) not in TAKEN)
    has_come = outcome in {Outcome.DELIVERED, Outcome.PARTLY_DELIVERED}
    lacking = json.dumps(not_taken) if has_come else None
    db.execute(
        "INSERT INTO visit (id, delivery, entrance, began, intent, outcome, missing, missing_parcels)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET intent = excluded.intent, outcome = excluded.outcome,"
        " missing = excluded.missing, missing_parcels = excluded.missing_parcels",
        (visit, order.key, order.entrance, now.utc, "spent" if taken else None, outcome, missing, lacking),
    )
    mark_for_check(db, order.key)


def settle_over(db: Database, reception: str, now: Now) -> tuple[str, ...]:
    """Store the outcome of deliveries whose window has ended, of which a parcel was offered; return their keys."""
    if not now.trusted:
        return ()
    query = (
        "SELECT DISTINCT c.delivery FROM custody c JOIN delivery d ON d.key = c.delivery JOIN visit v ON v.id = c.visit"
        " WHERE c.reception = ? AND d.ends <= ? AND v.outcome IS NULL AND c.stage <> 'announced'"
    )
    settled = []
    for key in db.column(query, (reception, now.utc)):
        row = row_of(db, key)
        stages = {held.state.stage for held in custodies_of(db, key)}
        if row is not None and CustodyStage.OFFERED not in stages:  # else its offer lapses first
            _settle(db, row.order, _visit_of(db, key), now, over=True)
            settled.append(key)
    return tuple(settled)


_SELECT = (
    "SELECT delivery, parcel, visit, stage AS 'state.stage', since AS 'state.since', holder AS 'state.holder',"
    " reason AS 'state.reason', handed_to AS 'state.to', keep_cold AS 'state.keep_cold', warned AS 'state.warned'"
    " FROM custody WHERE "
)


def _records(db: Database, where: str, parameters: Sequence[object]) -> tuple[StoredCustody, ...]:
    return tuple(
        replace(
            stored,
            state=replace(
                stored.state,
                stage=CustodyStage(stored.state.stage),
                reason=None if stored.state.reason is None else DeclineReason(stored.state.reason),
            ),
        )
        for stored in db.records(StoredCustody, _SELECT + where, parameters)
    )


def _stored(db: Database, delivery: str, parcel: str) -> StoredCustody | None:
    return next(iter(_records(db, "delivery = ? AND parcel = ?", (delivery, parcel))), None)


def custodies_of(db: Database, delivery: str) -> tuple[StoredCustody, ...]:
    """Return the parcels of a delivery that were offered."""
    return _records(db, "delivery = ? ORDER BY parcel", (delivery,))


def custodies_at(db: Database, reception: str, stages: Iterable[CustodyStage]) -> tuple[StoredCustody, ...]:
    """Return the parcels of a reception in these stages, newest first: at most 200."""
    chosen = tuple(stages)
    places = ", ".join("?" * len(chosen))
    return _records(
        db, f"reception = ? AND stage IN ({places}) ORDER BY since DESC LIMIT ?", (reception, *chosen, MAX_LISTED)
    )


class CustodyProof(Frozen):
    """What the proof of a custody says beside its log."""

    visit: str
    delivery: str
    reception: str
    began: datetime
    outcome: str | None


def proof_facts(db: Database, visit: str) -> CustodyProof | None:
    """Return what the proof of a custody says; None: the store has no such custody."""
    query = (
        "SELECT c.visit, c.delivery, c.reception, v.began, v.outcome FROM custody c JOIN visit v ON v.id = c.visit"
        " WHERE c.visit = ? LIMIT 1"
    )
    return db.record(CustodyProof, query, (visit,))


def custody_films(db: Database, *, visit: str | None = None) -> tuple[FilmRecord, ...]:
    """Return the proofs of all receptions as films without a clip, oldest first: of one visit, or all.

    Each sealed part is a record; a custody whose first part is not sealed yet has one, too.
    """
    query = (
        "SELECT DISTINCT c.visit, 1 AS part, c.reception AS entrance, c.delivery, v.began FROM custody c"
        " JOIN visit v ON v.id = c.visit WHERE ?1 IS NULL OR c.visit = ?1 ORDER BY v.began, c.visit"
    )
    parts: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in bodies_of_kind(db, "custody_sealed"):
        parts[row["custody"]].append(row)
    return tuple(
        film if part is None else replace(
            film, part=part["part"], manifest_sha256=part["manifest_sha256"],
            sealed=datetime.fromisoformat(part["at"]),
        )
        for film in db.records(FilmRecord, query, (visit,))
        for part in parts.get(film.visit, (None,))
    )  # fmt: skip


def visits_at(db: Database, reception: str, stages: Iterable[CustodyStage]) -> tuple[str, ...]:
    """Return the ids of the reception's proofs with a parcel in one of these stages."""
    query = "SELECT DISTINCT visit FROM custody WHERE reception = ? AND stage IN (SELECT value FROM json_each(?))"
    return tuple(db.column(query, (reception, json.dumps(list(stages)))))


def next_end(db: Database, reception: str, now: Now) -> datetime | None:
    """Return when the next window ends of a delivery that was offered here and whose outcome is open."""
    return db.value(
        datetime,
        "SELECT min(d.ends) FROM custody c JOIN delivery d ON d.key = c.delivery JOIN visit v ON v.id = c.visit"
        " WHERE c.reception = ? AND v.outcome IS NULL AND d.ends > ?",
        (reception, now.utc),
    )


def duties(db: Database, reception: str) -> tuple[Duty, ...]:
    """Return who said that he is on duty, also if his hours are over."""
    return db.records(Duty, "SELECT receiver, since FROM duty WHERE reception = ?", (reception,))


def on_duty(db: Database, reception: Reception, context: DeliveryContext, now: Now) -> frozenset[str]:
    """Return who is on duty now."""
    return receivers_on_duty(duties(db, reception.id), reception.hours, zone=context.zone, now=now)


def set_duty(db: Database, reception: str, receiver: str, now: Now, *, on: bool) -> None:
    """Store that a receiver is on duty from now on, or no longer."""
    if on:
        db.insert("duty", or_="REPLACE", reception=reception, receiver=receiver, since=now.utc)
    else:
        db.execute("DELETE FROM duty WHERE reception = ? AND receiver = ?", (reception, receiver))
    db.log("duty", now.utc, {"receiver": receiver, "on": on}, entrance=reception)


class Custodies(StorePart):
    """The parcels of receptions: `Store.custodies`."""

    def __init__(self, writer: Writer, reader: Callable[[], Database], *, context: DeliveryContext) -> None:
        super().__init__(writer, reader)
        self._context = context
        self.zone = context.zone

    async def decide(self, act: CustodyAct, reception: Reception, now: Now) -> CustodyResult | None:
        """Decide on an act as `decide_custody`; what it returns is on disk."""
        return await self.write(lambda db: decide_custody(db, act, reception, self._context, now))

    def on_duty(self, reception: Reception, now: Now) -> frozenset[str]:
        """Return who is on duty now."""
        return on_duty(self.reader(), reception, self._context, now)

    settle_over = writes(settle_over)
    of_delivery = reads(custodies_of)
    at = reads(custodies_at)
    proof_facts = reads(proof_facts)
    visits_at = reads(visits_at)
    films = reads(custody_films)
    next_end = reads(next_end)
    duties = reads(duties)
    set_duty = writes(set_duty)

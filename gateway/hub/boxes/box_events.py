"""Stores the events of boxes, each in one transaction with all its effects.

The caller owns the transaction of each function. The lock of a home's row serialises its events.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import DeliveryResult
from gateway.hub.database.tables import browsers, deliveries, home_events, homes, jobs
from gateway.hub.deliveries import events
from gateway.hub.deliveries.connections import on_decision, on_question_refused
from gateway.hub.deliveries.orders import IS_OPEN, columns_after, event_data
from gateway.protocol.box_event import verify_event
from gateway.protocol.box_hub import GENESIS_DIGEST, Ack, BrowserStatus, Hello, JobKind, JobReceipt, token_digest
from gateway.protocol.delivery_state import is_superseded, public_reason, status_of
from gateway.protocol.jws import RejectionCode
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import PublicKey

MAX_BROWSERS_PER_HOME = 100  # otherwise a box could fill the hub's disk
MAX_HELLO_DELIVERIES = 200  # open deliveries in one `hello`; with more, missing ones are not lost ones


# Prepared, because each message uses some of them, and building a statement costs as much as executing it.
_SELECT_HOME = (
    select(homes)
    .where(homes.c.id == bindparam("home"), homes.c.revoked.is_(None))
    .with_for_update(key_share=True)
)  # fmt: skip
_SELECT_NEWEST_EVENT = (
    select(home_events.c.seq, home_events.c.token)
    .where(home_events.c.home == bindparam("home"))
    .order_by(home_events.c.seq.desc())
    .limit(1)
)
_INSERT_EVENT = insert(home_events)
_THIS_JOB = (jobs.c.id == bindparam("job"), jobs.c.home == bindparam("whose"))
_SELECT_JOB = select(jobs.c.due, jobs.c.delivery, jobs.c.kind).where(*_THIS_JOB)
_UPDATE_JOB = update(jobs).where(*_THIS_JOB)
_SELECT_DELIVERY_BY_NAME = select(deliveries).where(
    deliveries.c.home == bindparam("home"), deliveries.c.brand == bindparam("brand"),
    deliveries.c.name == bindparam("name"),
)  # fmt: skip
_SELECT_DELIVERY_BY_DIGEST = (
    select(deliveries)
    .join(jobs, jobs.c.delivery == deliveries.c.id)
    .where(jobs.c.home == bindparam("home"), jobs.c.sha256 == bindparam("sha256"))
    .limit(1)
)
_SELECT_DELIVERY = select(deliveries).where(deliveries.c.id == bindparam("delivery"))
_UPDATE_DELIVERY = update(deliveries).where(deliveries.c.id == bindparam("delivery"))


class EventOutcome(StrEnum):
    """The outcome of an event. The last four are refusals, which the hub counts, logs and never acknowledges."""

    KEPT = auto()
    AGAIN = auto()  # it is stored already
    GAP = auto()  # an earlier one is missing
    MALFORMED = auto()
    WRONG_SIGNATURE = auto()
    ANOTHER_HOME = auto()
    FORKED = auto()  # another event has its number, or it does not follow the one before

    @property
    def acknowledged(self) -> bool:
        """Whether the hub sends the box an acknowledgement of what is stored."""
        return self in {EventOutcome.KEPT, EventOutcome.AGAIN, EventOutcome.GAP}


@dataclass(slots=True)
class EventHead:
    """The newest stored event of a home."""

    seq: int
    head: str

    def ack(self, home: Row[Any]) -> bytes:
        """Return the acknowledgement that the hub sends to the home's box."""
        return Ack(seq=self.seq, head=self.head, support=home.support_code).model_dump_json().encode()


async def lock_home(tx: AsyncConnection, home: str) -> Row[Any] | None:
    """Return the row of a home that is not revoked, locked until the transaction ends, or None."""
    return (await tx.execute(_SELECT_HOME, {"home": home})).one_or_none()


async def event_head_of(tx: AsyncConnection, home: str) -> EventHead:
    """Return the newest stored event of a home."""
    row = (await tx.execute(_SELECT_NEWEST_EVENT, {"home": home})).one_or_none()
    return EventHead(0, GENESIS_DIGEST) if row is None else EventHead(row.seq, token_digest(row.token))


async def on_hello(tx: AsyncConnection, row: Row[Any], hello: Hello, now: datetime) -> str | None:
    """Handle a box's start: its jobs become due, also those that it lost; return its new key, if it has one.

    A new key counts only if it follows from the known key.
    """
    key = _newest_key(row.box_key, hello.keys)
    report = hello.model_dump(mode="json", include={"entrances", "timezone"})
    known = {"heard": now, "said": {**row.said, **report}, "box_key": key or row.box_key}
    await tx.execute(update(homes).where(homes.c.id == row.id).values(known))
    mine = (jobs.c.home == row.id, jobs.c.expires > now, jobs.c.due.is_not(None))
    due = {"due": now, "leased": None, "parked": False, "attempts": 0}
    if hello.again:  # a busy hub does not make more work for itself
        await tx.execute(update(jobs).where(*mine, jobs.c.parked).values(due))
        return key
    await tx.execute(update(jobs).where(*mine).values(due))
    if len(hello.open) < MAX_HELLO_DELIVERIES:
        await _requeue_lost_jobs(tx, row.id, hello, now)
    return key


def _newest_key(known: str, history: Iterable[str]) -> str | None:
    try:
        chain = KeyHistory.parse("\n".join(history).encode())
    except ValueError:
        return None
    keys = [key.text for key in chain.keys]
    return keys[-1] if known in keys[:-1] else None


async def _requeue_lost_jobs(tx: AsyncConnection, home: str, hello: Hello, now: datetime) -> None:
    """Make jobs due again that the box had received and no longer names, for example after it was restored."""
    versions = {(known.brand, known.delivery): known.version for known in hello.open}
    open_ = (
        select(deliveries.c.id, deliveries.c.brand, deliveries.c.name, deliveries.c.version)
        .where(deliveries.c.home == home, IS_OPEN)
        .where(deliveries.c.window_end > now)
        .order_by(deliveries.c.window_end)
        .limit(MAX_HELLO_DELIVERIES)  # repeated hellos must not occupy the only writer
    )
    lost = [row.id for row in await tx.execute(open_) if versions.get((row.brand, row.name), 0) < row.version]
    mine = (jobs.c.home == home, jobs.c.received.is_not(None), jobs.c.expires > now)
    due = {"due": now, "received": None, "leased": None, "parked": False}
    for delivery in lost:
        await tx.execute(update(jobs).where(*mine, jobs.c.delivery == delivery).values(due))


async def on_receipt(tx: AsyncConnection, home: Row[Any], receipt: JobReceipt, now: datetime) -> str | None:
    """Store that a box received or refused a job.

    Returns the receipt's state, or None if the job had ended before or is not one of this home.
    """
    refused = None if receipt.state == "received" else (receipt.why or "it said no more")
    mine = {"job": receipt.job, "whose": home.id}
    row = (await tx.execute(_SELECT_JOB, mine)).one_or_none()
    if row is None or row.due is None:
        return None
    when = now if refused is None else None
    await tx.execute(_UPDATE_JOB, {**mine, "received": when, "refused": refused, "due": None, "leased": None})
    if refused is not None and row.delivery is not None:
        refusal = DeliveryResult(box="hub", at=now, accepted=False, code="malformed")
        delivery = (await tx.execute(_SELECT_DELIVERY, {"delivery": row.delivery})).one_or_none()
        await _update_delivery(tx, delivery, refusal, seq=0, now=now)
    if refused is not None and row.kind == JobKind.CONNECT:
        token = (await tx.execute(select(jobs.c.token).where(jobs.c.id == receipt.job))).scalar_one()
        await on_question_refused(tx, home.id, token, now)
    return receipt.state


async def on_event(  # noqa: PLR0913 - one event, one transaction
    tx: AsyncConnection, row: Row[Any], head: EventHead, token: bytes, now: datetime, *, effects: bool = True
) -> EventOutcome:
    """Store one event and its effects, and advance `head`. Without `effects` the event is only stored.

    An event that was stored and deleted since (gateway/hub/boxes/home_limits.py) counts as a repeated one.
    """
    event = verify_event(token, PublicKey.from_text(row.box_key))
    if isinstance(event, RejectionCode):
        is_signed_wrong = event is RejectionCode.WRONG_SIGNATURE
        return EventOutcome.WRONG_SIGNATURE if is_signed_wrong else EventOutcome.MALFORMED
    if event.home != row.id:
        return EventOutcome.ANOTHER_HOME
    if event.seq <= head.seq:
        same_number = (home_events.c.home == row.id, home_events.c.seq == event.seq)
        same = await tx.scalar(select(home_events.c.token).where(*same_number))
        return EventOutcome.AGAIN if same is None or same == token else EventOutcome.FORKED
    if event.seq > head.seq + 1:
        return EventOutcome.GAP
    if event.prev != head.head:
        return EventOutcome.FORKED
    delivery = None if event.result is None or not effects else await _find_delivery(tx, row.id, event.result)
    stored = {"home": row.id, "seq": event.seq, "token": token, "key": row.box_key, "at": now,
              "delivery": None if delivery is None else delivery.id}  # fmt: skip
    await tx.execute(_INSERT_EVENT, stored)
    head.seq, head.head = event.seq, token_digest(token)
    if not effects:
        return EventOutcome.KEPT
    if event.result is not None:
        await _update_delivery(tx, delivery, event.result, seq=event.seq, now=now)
    if event.decided is not None:
        await on_decision(tx, row, event.decided, now)
    if event.browser is not None:
        await _update_browser(tx, row.id, event.browser, now)
    return EventOutcome.KEPT


async def _update_browser(tx: AsyncConnection, home: str, status: BrowserStatus, now: datetime) -> None:
    mine = (browsers.c.home == home, browsers.c.id == status.browser)
    sign = None if status.ended or status.sign is None else status.sign.model_dump()
    values = {"sign": sign, "farewell": status.farewell if status.ended else None, "told": now}
    changed = await tx.execute(update(browsers).where(*mine).values(**values))
    if not changed.rowcount:
        await _evict_browser(tx, home)
        await tx.execute(insert(browsers).values(home=home, id=status.browser, **values))
    if sign is None:
        waiting = (jobs.c.home == home, jobs.c.browser == status.browser, jobs.c.due.is_not(None))
        await tx.execute(update(jobs).where(*waiting).values(due=None, leased=None, refused="unknown_browser"))


async def _evict_browser(tx: AsyncConnection, home: str) -> None:
    """Make room for a browser: delete the oldest that ended, or else the oldest."""
    of_home = select(browsers.c.id, browsers.c.sign, browsers.c.told).where(browsers.c.home == home)
    rows = sorted(await tx.execute(of_home), key=lambda browser: (browser.sign is not None, browser.told))
    surplus = len(rows) + 1 - MAX_BROWSERS_PER_HOME
    if surplus > 0:
        ids = [browser.id for browser in rows[:surplus]]
        await tx.execute(delete(browsers).where(browsers.c.home == home, browsers.c.id.in_(ids)))


async def _find_delivery(tx: AsyncConnection, home: str, result: DeliveryResult) -> Row[Any] | None:
    if result.brand is not None and result.delivery is not None:
        named = {"home": home, "brand": result.brand, "name": result.delivery}
        return (await tx.execute(_SELECT_DELIVERY_BY_NAME, named)).one_or_none()
    if result.token_sha256 is None:
        return None
    return (await tx.execute(_SELECT_DELIVERY_BY_DIGEST, {"home": home, "sha256": result.token_sha256})).one_or_none()


async def _update_delivery(
    tx: AsyncConnection, row: Row[Any] | None, result: DeliveryResult, *, seq: int, now: datetime
) -> None:
    """Store the state of a delivery, and notify its retailer if it changed. `seq` 0: the hub itself decided."""
    if row is None:
        return
    before = (row.state, row.reason, row.missing, row.house)
    status = status_of(result, known=row.seq > 0)
    after = before if status is None else (status.state.value, status.reason, status.missing, status.house)
    names = ("state", "reason", "missing", "house")
    changed = dict(zip(names, after, strict=True))
    if after != before:
        changed["changed"] = now
    changed |= await columns_after(tx, row, result)
    waits = is_superseded(result, newest=row.version)
    changed["untold"] = waits and (row.untold or after != before)
    await tx.execute(_UPDATE_DELIVERY, {"delivery": row.id, **changed, "seq": max(seq, row.seq)})
    is_refusal = result.accepted is False
    if waits or (after == before and not is_refusal and not row.untold):
        return
    data = event_data(row, changed)
    if is_refusal:
        data["answer"] = {"version": result.version, "accepted": False, "code": public_reason(result.code)}
    await events.emit(tx, row, events.EventType.DELIVERY_CHANGED, data, now)

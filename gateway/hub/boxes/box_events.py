"""Stores the events of boxes, each in one transaction of the caller's with all its effects."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from typing import Any, Self

from sqlalchemy import Row, bindparam, case, delete, exists, insert, select, update

from gateway.domain.delivery.promise import DeliveryResult
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import browsers, deliveries, home_events, homes, jobs
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import brand_messages, events
from gateway.hub.deliveries.box_statements import STATEMENTS, statement_of
from gateway.hub.deliveries.connections import on_decision, on_layout, on_question_refused
from gateway.hub.deliveries.orders import (
    IS_OPEN,
    columns_after,
    event_data,
    find_delivery,
    newest_version,
    store_parcels,
)
from gateway.protocol import box_hub
from gateway.protocol.box_hub import Ack, BoxEvent, BrowserStatus, Hello, JobKind, JobReceipt
from gateway.protocol.box_statement import verify_statement
from gateway.protocol.delivery_state import STATUS_FIELDS, is_superseded, public_reason, status_of
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode
from gateway.protocol.key_succession import KeyHistory

MAX_BROWSERS_PER_HOME = 100  # otherwise a box could fill the hub's disk
MAX_STATEMENTS = 64  # brands in one home of which the hub keeps the box's statement
MAX_HELLO_DELIVERIES = 200  # open deliveries in one `hello`; with more, missing ones are not lost ones


# Prepared, because each message uses some of them, and building a statement costs as much as executing it.
_SELECT_HOME = (
    select(homes)
    .where(homes.c.id == bindparam("home"), homes.c.revoked.is_(None))
    .with_for_update(key_share=True)
)  # fmt: skip
_NEWEST_EVENT = (
    select(home_events.c.seq, home_events.c.token, home_events.c.sha256).order_by(home_events.c.seq.desc()).limit(1)
)
_SELECT_NEWEST_EVENT = _NEWEST_EVENT.where(home_events.c.home == bindparam("home"))
_NEWEST_OF_HOME = _NEWEST_EVENT.where(home_events.c.home == homes.c.id)
_SELECT_HOME_AND_NEWEST = _SELECT_HOME.add_columns(
    _NEWEST_OF_HOME.with_only_columns(home_events.c.seq).scalar_subquery().label("newest_seq"),
    _NEWEST_OF_HOME.with_only_columns(home_events.c.token).scalar_subquery().label("newest_token"),
    _NEWEST_OF_HOME.with_only_columns(home_events.c.sha256).scalar_subquery().label("newest_sha256"),
)
_EVENT_COLUMNS = ("home", "token", "sha256", "key", "delivery", "at")
_NEW_EVENT = {name: bindparam(f"new_{name}", type_=home_events.c[name].type) for name in (*_EVENT_COLUMNS, "seq")}
_SAME_NUMBER = exists().where(home_events.c.home == _NEW_EVENT["home"], home_events.c.seq == _NEW_EVENT["seq"])
# On PostgreSQL no index prevents a second event of one number (partitions.py), but the number may not be NULL
_INSERT_EVENT = insert(home_events).from_select(
    [*_EVENT_COLUMNS, "seq"],
    select(*(_NEW_EVENT[name] for name in _EVENT_COLUMNS), case((~_SAME_NUMBER, _NEW_EVENT["seq"]))),
)
_THIS_JOB = (jobs.c.id == bindparam("job"), jobs.c.home == bindparam("whose"))
_SELECT_JOB = select(jobs.c.due, jobs.c.delivery, jobs.c.kind, jobs.c.sha256).where(*_THIS_JOB)
_UPDATE_JOB = update(jobs).where(*_THIS_JOB)
_RECEIVE_JOB = (
    update(jobs)
    .where(*_THIS_JOB, jobs.c.due.is_not(None))
    .values(received=bindparam("when"), refused=None, due=None)
    .returning(jobs.c.id)
)
_SELECT_DELIVERY = select(
    deliveries, events.has_enabled(deliveries.c.retailer, deliveries.c.sandbox).label("has_endpoints")
)
_SELECT_DELIVERY_BY_NAME = _SELECT_DELIVERY.where(
    deliveries.c.home == bindparam("home"), deliveries.c.brand == bindparam("brand"),
    deliveries.c.name == bindparam("name"),
)  # fmt: skip
_SELECT_DELIVERY_BY_DIGEST = (
    _SELECT_DELIVERY.join(jobs, jobs.c.delivery == deliveries.c.id)
    .where(jobs.c.home == bindparam("home"), jobs.c.sha256 == bindparam("sha256"))
    .limit(1)
)
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


async def newest_event(tx: Transaction, home: str) -> tuple[int, str]:
    """Return the number of a home's newest stored event, and the digest of its token; 0: there is none."""
    row = (await tx.execute(_SELECT_NEWEST_EVENT, {"home": home})).one_or_none()
    return (0, box_hub.GENESIS_DIGEST) if row is None else (row.seq, _digest_of(row.token, row.sha256))


def _digest_of(token: bytes | None, erased: str | None) -> str:
    """Return the digest of a stored event's token; `erased`: of one that was erased. None of both: there is none."""
    if erased is not None:
        return erased
    return box_hub.GENESIS_DIGEST if token is None else box_hub.token_digest(token)


def acknowledgement(home: Row[Any], seq: int, head: str) -> bytes:
    """Return the acknowledgement of a home's events up to this one, which the hub sends to its box."""
    return Ack(seq=seq, head=head, support=home.support_code).model_dump_json().encode()


@dataclass(slots=True)
class HomeTransaction:
    """A transaction in which a home's row is locked, which serialises its events.

    `seq` and `head`: the number of its newest stored event, and the digest of that event's token.
    """

    tx: Transaction
    home: Row[Any]
    now: datetime
    seq: int
    head: str

    @classmethod
    async def begin(cls, tx: Transaction, home: str, now: datetime, **more: Any) -> Self | None:  # noqa: ANN401 - fields of a subclass
        """Lock a home that is not revoked, or return None.

        If another process stores an event of the home while this one waits for the lock, PostgreSQL still returns the
        event before as the newest. Storing that event again then raises IntegrityError.
        """
        row = (await tx.execute(_SELECT_HOME_AND_NEWEST, {"home": home})).one_or_none()
        if row is None:
            return None
        head = _digest_of(row.newest_token, row.newest_sha256)
        return cls(tx=tx, home=row, now=now, seq=row.newest_seq or 0, head=head, **more)

    async def on_hello(self, hello: Hello) -> str | None:
        """Handle a box's start: all its jobs become due; return its new key, if one follows from the known key."""
        key = _newest_key(self.home.box_key, hello.keys)
        report = hello.model_dump(mode="json", include={"entrances", "timezone"})
        known = {"heard": self.now, "said": {**self.home.said, **report}, "box_key": key or self.home.box_key}
        await self.tx.execute(update(homes).where(homes.c.id == self.home.id).values(known))
        self.home = (await self.tx.execute(_SELECT_HOME, {"home": self.home.id})).one()
        mine = (jobs.c.home == self.home.id, jobs.c.expires > self.now, jobs.c.due.is_not(None))
        due = {"due": self.now, "parked": False, "attempts": 0}
        if hello.again:  # a busy hub does not make more work for itself
            await self.tx.execute(update(jobs).where(*mine, jobs.c.parked).values(due))
            return key
        await self.tx.execute(update(jobs).where(*mine).values(due))
        await on_layout(self.tx, self.home, self.now)
        if len(hello.open) < MAX_HELLO_DELIVERIES:
            await self._requeue_lost_jobs(hello)
        return key

    async def _requeue_lost_jobs(self, hello: Hello) -> None:
        """Make jobs due again that the box had received and no longer names, for example after it was restored."""
        versions = {(known.brand, known.delivery): known.version for known in hello.open}
        open_ = (
            select(deliveries.c.id, deliveries.c.brand, deliveries.c.name, deliveries.c.version)
            .where(deliveries.c.home == self.home.id, IS_OPEN)
            .where(deliveries.c.window_end > self.now)
            .order_by(deliveries.c.window_end)
            .limit(MAX_HELLO_DELIVERIES)  # repeated hellos must not occupy the only writer
        )
        lost = [row.id for row in await self.tx.execute(open_) if versions.get((row.brand, row.name), 0) < row.version]
        mine = (jobs.c.home == self.home.id, jobs.c.received.is_not(None), jobs.c.expires > self.now)
        due = {"due": self.now, "received": None, "parked": False}
        for delivery in lost:
            await self.tx.execute(update(jobs).where(*mine, jobs.c.delivery == delivery).values(due))

    async def on_receipt(self, receipt: JobReceipt) -> str | None:
        """Store that a box received or refused a job; return the receipt's state, or None if no such job waited."""
        mine = {"job": receipt.job, "whose": self.home.id}
        if receipt.state == "received":
            received = await self.tx.execute(_RECEIVE_JOB, {**mine, "when": self.now})
            return None if received.one_or_none() is None else receipt.state
        row = (await self.tx.execute(_SELECT_JOB, mine)).one_or_none()
        if row is None or row.due is None:
            return None
        refused = receipt.why or "it said no more"
        await self.tx.execute(_UPDATE_JOB, {**mine, "refused": refused, "due": None})
        if row.delivery is not None:
            refusal = DeliveryResult(box="hub", at=self.now, accepted=False, code="malformed")
            await self._update_delivery(await find_delivery(self.tx, row.delivery), refusal, seq=0)
        if row.kind == JobKind.DELIVERY and row.delivery is None:
            await brand_messages.on_refusal(self.tx, self.home.id, row.sha256, "too_many", self.now)
        if row.kind == JobKind.CONNECT:
            token = (await self.tx.execute(select(jobs.c.token).where(jobs.c.id == receipt.job))).scalar_one()
            await on_question_refused(self.tx, self.home.id, token, self.now)
        return receipt.state

    async def on_event(self, token: bytes, *, effects: bool = True) -> EventOutcome:
        """Store one event and its effects, and advance `seq` and `head`. Without `effects` the event is only stored.

        An event that was stored and deleted since (gateway/hub/boxes/home_limits.py) counts as a repeated one.
        """
        event = box_hub.verify_by_box(BoxEvent, token, PublicKey.from_text(self.home.box_key))
        if isinstance(event, RejectionCode):
            is_signed_wrong = event is RejectionCode.WRONG_SIGNATURE
            return EventOutcome.WRONG_SIGNATURE if is_signed_wrong else EventOutcome.MALFORMED
        if event.home != self.home.id:
            return EventOutcome.ANOTHER_HOME
        if event.seq <= self.seq:
            stored = select(home_events.c.token, home_events.c.sha256).filter_by(home=self.home.id, seq=event.seq)
            same = (await self.tx.execute(stored)).one_or_none()
            is_same = same is None or _digest_of(same.token, same.sha256) == box_hub.token_digest(token)
            return EventOutcome.AGAIN if is_same else EventOutcome.FORKED
        if event.seq > self.seq + 1:
            return EventOutcome.GAP
        if event.prev != self.head:
            return EventOutcome.FORKED
        delivery = None if event.result is None or not effects else await self._delivery_of(event.result)
        self.seq, self.head = event.seq, box_hub.token_digest(token)
        kept = {"token": token, "sha256": None, "key": self.home.box_key}
        if event.result is not None and delivery is None:  # the delivery is not here: perhaps it was erased
            kept = {"token": b"", "sha256": self.head, "key": None}
        about = None if delivery is None else delivery.id
        new = {"home": self.home.id, "seq": event.seq, "at": self.now, "delivery": about, **kept}
        await self.tx.execute_later(_INSERT_EVENT, {f"new_{name}": value for name, value in new.items()})
        if not effects:
            return EventOutcome.KEPT
        if event.result is not None:
            if delivery is None:
                await self._refuse_brand_message(event.result)
            else:
                await self._update_delivery(delivery, event.result, seq=event.seq, has_endpoints=delivery.has_endpoints)
        if event.answer is not None:
            await brand_messages.on_answer(self.tx, self.home, event.answer, self.now)
        if event.decided is not None:
            await on_decision(self.tx, self.home, event.decided, self.now)
        if event.browser is not None:
            await self._update_browser(event.browser)
        return EventOutcome.KEPT

    async def on_statement(self, token: bytes) -> EventOutcome:
        """Keep a box's statement of what it understands, the newest for each brand; `KEPT`, or why it is refused."""
        key = PublicKey.from_text(self.home.box_key)
        statement = verify_statement(token, key, home=self.home.id, utc=self.now)
        if isinstance(statement, RejectionCode):
            is_signed_wrong = statement is RejectionCode.WRONG_SIGNATURE
            return EventOutcome.WRONG_SIGNATURE if is_signed_wrong else EventOutcome.MALFORMED
        brand, kept = statement.sub, self.home.said.get(STATEMENTS, {})
        known = statement_of(self.home, brand, self.now)
        if known is not None and (known.token == token.decode() or known.statement.iat > statement.iat):
            return EventOutcome.AGAIN
        current = {other: kept[other] for other in kept if statement_of(self.home, other, self.now) is not None}
        if brand not in current and len(current) >= MAX_STATEMENTS:
            return EventOutcome.MALFORMED
        said = {**self.home.said, STATEMENTS: {**current, brand: token.decode()}}
        await self.tx.execute(update(homes).where(homes.c.id == self.home.id).values(said=said))
        self.home = (await self.tx.execute(_SELECT_HOME, {"home": self.home.id})).one()
        return EventOutcome.KEPT

    async def _update_browser(self, status: BrowserStatus) -> None:
        sign = None if status.ended or status.sign is None else status.sign.model_dump()
        values = {"sign": sign, "farewell": status.farewell if status.ended else None, "told": self.now}
        this = update(browsers).filter_by(home=self.home.id, id=status.browser)
        if not (await self.tx.execute(this.values(**values))).rowcount:
            await self._evict_browser()
            await self.tx.execute(insert(browsers).values(home=self.home.id, id=status.browser, **values))
        if sign is None:
            orders = update(jobs).filter_by(home=self.home.id, browser=status.browser).where(jobs.c.due.is_not(None))
            await self.tx.execute(orders.values(due=None, refused="unknown_browser"))

    async def _evict_browser(self) -> None:
        """Make room for a browser: delete the oldest that ended, or else the oldest."""
        of_home = select(browsers.c.id, browsers.c.sign, browsers.c.told).where(browsers.c.home == self.home.id)
        rows = sorted(await self.tx.execute(of_home), key=lambda browser: (browser.sign is not None, browser.told))
        surplus = len(rows) + 1 - MAX_BROWSERS_PER_HOME
        if surplus > 0:
            ids = [browser.id for browser in rows[:surplus]]
            await self.tx.execute(delete(browsers).where(browsers.c.home == self.home.id, browsers.c.id.in_(ids)))

    async def find_delivery(self, brand: str, name: str) -> Row[Any] | None:
        """Return the delivery of this name, or None."""
        named = {"home": self.home.id, "brand": brand, "name": name}
        return (await self.tx.execute(_SELECT_DELIVERY_BY_NAME, named)).one_or_none()

    async def _delivery_of(self, result: DeliveryResult) -> Row[Any] | None:
        if result.brand is not None and result.delivery is not None:
            return await self.find_delivery(result.brand, result.delivery)
        if result.token_sha256 is None:
            return None
        refused = {"home": self.home.id, "sha256": result.token_sha256}
        return (await self.tx.execute(_SELECT_DELIVERY_BY_DIGEST, refused)).one_or_none()

    async def _refuse_brand_message(self, result: DeliveryResult) -> None:
        """Handle a rejection without a delivery: a box of an earlier release does not know messages about facts."""
        if result.accepted is False and result.token_sha256 is not None:
            code = result.code or "malformed"
            await brand_messages.on_refusal(self.tx, self.home.id, result.token_sha256, code, self.now)

    async def _update_delivery(
        self, row: Row[Any], result: DeliveryResult, *, seq: int, has_endpoints: bool = True
    ) -> None:
        """Store the state of a delivery, and notify its retailer if it changed or a newer version was answered.

        `seq` 0: the hub itself decided. `has_endpoints`: as in `events.emit`.
        """
        before = {name: getattr(row, name) for name in STATUS_FIELDS}
        facts = await columns_after(self.tx, row, result)
        newest = await newest_version(self.tx, row, result)
        waits = is_superseded(result, newest=newest)
        is_stale = waits and newest <= (row.answered or 0)  # the home has answered a newer version before
        status = None if is_stale else status_of(result, known=row.seq > 0)
        after = before
        if status is not None:
            after = {**{name: getattr(status, name) for name in before}, "state": status.state.value}
        changed = dict(after)
        if after != before:
            changed["changed"] = self.now
        changed |= facts
        changed["untold"] = waits and (row.untold or after != before)
        await self.tx.execute_later(_UPDATE_DELIVERY, {"delivery": row.id, **changed, "seq": max(seq, row.seq)})
        if "promise" in changed:  # a refused change: the order before it counts again
            await store_parcels(self.tx, row, changed["promise"], row.promise)
        is_refusal = result.accepted is False
        # An accepted change need not change the state: its retailer waits for the version to be answered.
        is_answer = changed.get("answered", row.answered) != row.answered
        if waits or not (after != before or is_answer or is_refusal or row.untold):
            return
        data = event_data(row, changed)
        if is_refusal:
            data["answer"] = {"version": result.version, "accepted": False, "code": public_reason(result.code)}
        await events.emit(self.tx, row, events.EventType.DELIVERY_CHANGED, data, self.now, has_endpoints=has_endpoints)


async def refuse_job(store: HubStore, home: str, job: str, reason: str, now: datetime) -> bool:
    """Refuse a job on behalf of its home; return False if there is no such home, or it was revoked."""
    async with store.writing() as tx:
        box = await HomeTransaction.begin(tx, home, now)
        if box is not None:
            await box.on_receipt(JobReceipt(job=job, state="refused", why=reason))
        return box is not None


def _newest_key(known: str, history: Iterable[str]) -> str | None:
    try:
        chain = KeyHistory.parse("\n".join(history).encode())
    except ValueError:
        return None
    keys = [key.text for key in chain.keys]
    return keys[-1] if known in keys[:-1] else None

"""The box's journal of events for a hub: each event is signed once and sent until the hub acknowledges it.

One transaction stores a change and the event about it, so no event is lost or written twice. The journal keeps each
event's content beside the signed token: after a restore of box or hub the two chains differ, and then the journal
numbers the unacknowledged events again, behind the hub's last one.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Literal, assert_never

from pydantic import TypeAdapter, ValidationError

from gateway.domain.delivery.candidate import DeliveryContext
from gateway.domain.delivery.promise import Cancel, Claims, DeliveryResult, Name
from gateway.domain.now import Now
from gateway.protocol.box_hub import (
    GENESIS_DIGEST,
    MAX_NAMES_PER_DECISION,
    Ack,
    BoxEvent,
    OpenDelivery,
    PermissionDecision,
    token_digest,
)
from gateway.protocol.delivery_message import HubClaims
from gateway.protocol.delivery_record import Statement
from gateway.protocol.hash_chain import Json
from gateway.protocol.jws import RejectedMessage
from gateway.storage import delivery_records
from gateway.storage.audit_log import append
from gateway.storage.models import MessageAnswer, StoreFailed
from gateway.storage.offers import MessageRefusal, OfferProcessor
from gateway.storage.part import StorePart
from gateway.storage.records import optional_instant, to_micros
from gateway.storage.rows import TERMS_ADAPTER, permission_of, row_of
from gateway.storage.writer import Writer
from gateway.system.containment import Containment

MAX_WAITING_EVENTS = 2_000  # unacknowledged; later changes are written, as their last state, once there is room
MAX_KEPT_ACKNOWLEDGED_EVENTS = 200  # a hub restored from a recent backup asks for them
MAX_ITEMS_PER_TRANSACTION = 50  # deliveries and brands in one transaction
MAX_REJECTED_MESSAGES_PER_HOUR = 60  # of unknown signers that are answered; more get no answer
RENUMBER_NOTE_INTERVAL = timedelta(hours=1)
MESSAGE_RETENTION = timedelta(days=32)  # a message is valid for 31 days at most
MAX_SEQ = 2**52  # no box reaches it
MAX_OPEN_DELIVERIES = 200  # that the hub is informed about
FAULT_RETRY_DELAY = timedelta(hours=1)  # after an unforeseen error of a delivery

EPOCH = datetime.fromtimestamp(0, UTC)

_UNREPORTED_BROWSERS = (
    "SELECT u.browser, b.sign, u.farewell FROM uplink_browser u LEFT JOIN browser b ON b.id = u.browser WHERE told = 0"
)
_UNREPORTED_DECISIONS = (
    "SELECT u.brand FROM uplink_brand u JOIN permission p ON p.brand = u.brand WHERE p.version != u.told"
)

_DUE_DELIVERIES = "SELECT key, told FROM uplink_delivery WHERE look_at <= ? ORDER BY look_at"

_ItemKind = Literal["delivery", "browser", "decision"]

_NAME_ADAPTER: TypeAdapter[str] = TypeAdapter(Name)

SignEvent = Callable[[BoxEvent], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSigner:
    """Signs the events of one home: its name at the hub, its public key, and the functions that sign."""

    home: str
    key: str
    sign_event: SignEvent
    sign_statement: Callable[[Statement], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingEvent:
    """An event that the hub has not acknowledged."""

    seq: int
    token: bytes


@dataclass(frozen=True, slots=True)
class _EventChain:
    """The position of the journal's chain of events."""

    base_seq: int
    base_head: str
    acknowledged: int


class HubJournal(StorePart):
    """The journal of events for a hub: `Store.hub_journal`. Call `set_signer` before a method that signs."""

    def __init__(
        self,
        writer: Writer,
        reader: Callable[[], sqlite3.Connection],
        *,
        offers: OfferProcessor,
        house: DeliveryContext,
        box: str,
    ) -> None:
        super().__init__(writer, reader)
        self._offers, self._house, self._box = offers, house, box
        self._signer: EventSigner | None = None

    async def set_signer(self, signer: EventSigner, now: Now) -> None:
        """Sign for this home from now on.

        The journal of another home is deleted. If the key was replaced, unacknowledged events are signed again.
        """
        self._signer = signer
        await self.writer.do(lambda db: _set_signer(db, signer, now))

    async def accept(self, token: bytes, verified: Claims | RejectedMessage, now: Now) -> MessageAnswer | None:
        """Answer one signed message from the hub, and write the answer as an event: both or neither.

        A repeated message gets the same answer and no event. None: too many messages of this brand or of unknown
        signers came lately.
        """
        signer = self._required_signer

        def work(connection: sqlite3.Connection) -> MessageAnswer | None:
            return self._accept_message(connection, signer, token, verified, now)

        if isinstance(verified, Claims) and isinstance(verified.delivery, Cancel):
            return (await self.writer.do_marked(work, now))[0]
        return await self.writer.do(work)

    async def mark_decision_due(self, brand: str) -> None:
        """Have the owner's decision on a brand written as an event again, because the brand asked through the hub."""
        ask = "INSERT INTO uplink_brand (brand, told) VALUES (?, 0) ON CONFLICT (brand) DO UPDATE SET told = 0"
        await self.writer.do(lambda db: _execute(db, ask, brand))

    async def write_due_events(self, now: Now) -> int:
        """Write events for deliveries and decisions that differ from what the hub knows; return their number."""
        signer = self._required_signer
        return await self.writer.do(lambda db: self._write_due_events(db, signer, now))

    async def write_due_events_singly(self, now: Now, contained: Containment) -> None:
        """Write due events one by one, after `write_due_events` raised an unforeseen error.

        An item that raises one is postponed for an hour (a delivery) or counts as written (a decision, a browser), so
        that the hub receives everything else.

        Raises:
            StoreFailed: the disk did not store it.
        """
        signer = self._required_signer
        for what, key in self._due_items(now):
            with contained.piece("hub events", f"{what} {key}", foreseen=(StoreFailed,)) as piece:
                await self.writer.do(partial(self._write_item, signer=signer, now=now, what=what, key=key))
            if piece.fault is not None:
                await self.writer.do(partial(_postpone, now=now, what=what, key=key))

    def _due_items(self, now: Now) -> list[tuple[_ItemKind, str]]:
        utc = to_micros(now.utc) if now.trusted else 0
        found = self.reader().execute(f"{_DUE_DELIVERIES} LIMIT ?", (utc, MAX_ITEMS_PER_TRANSACTION)).fetchall()
        due: list[tuple[_ItemKind, str]] = [("delivery", key) for key, _ in found]
        due += [
            ("browser", row[0])
            for row in self.reader().execute(_UNREPORTED_BROWSERS).fetchmany(MAX_ITEMS_PER_TRANSACTION)
        ]
        due += [
            ("decision", row[0])
            for row in self.reader().execute(_UNREPORTED_DECISIONS).fetchmany(MAX_ITEMS_PER_TRANSACTION)
        ]
        return due

    def _write_item(self, db: sqlite3.Connection, *, signer: EventSigner, now: Now, what: _ItemKind, key: str) -> None:
        match what:
            case "delivery":
                told = db.execute("SELECT told FROM uplink_delivery WHERE key = ?", (key,)).fetchone()
                self._write_delivery(db, signer, now, key, None if told is None else told[0])
            case "browser":
                for ident, sign, farewell in db.execute(_UNREPORTED_BROWSERS).fetchall():
                    if ident == key:
                        _write_browser(db, signer, now, ident, sign, farewell)
            case "decision":
                _write_decision(db, signer, now, key)
            case _:
                assert_never(what)

    async def acknowledge(self, ack: Ack, now: Now) -> bool:
        """Store how far the hub has the events.

        False: the hub has another chain, so the journal continues behind the hub's.
        """
        signer = self._required_signer
        return await self.writer.do(lambda db: _acknowledge(db, signer, ack, now))

    def unacknowledged(self, after: int, most: int) -> tuple[PendingEvent, ...]:
        """Return the unacknowledged events behind `after`, in order, at most `most`."""
        row = self.reader().execute("SELECT acknowledged FROM uplink").fetchone()
        query = "SELECT seq, token FROM uplink_event WHERE seq > ? ORDER BY seq LIMIT ?"
        found = self.reader().execute(query, (max(after, row[0]), most))
        return tuple(PendingEvent(seq=seq, token=token) for seq, token in found)

    def last_seq(self) -> int:
        """Return the number of the newest event."""
        row: tuple[int] = (
            self.reader()
            .execute("SELECT ifnull((SELECT max(seq) FROM uplink_event), (SELECT base_seq FROM uplink))")
            .fetchone()
        )
        return row[0]

    def acknowledged_seq(self) -> int:
        """Return the number of the last event that the hub has."""
        row: tuple[int] = self.reader().execute("SELECT acknowledged FROM uplink").fetchone()
        return row[0]

    def open_deliveries(self, now: Now) -> tuple[OpenDelivery, ...]:
        """Return the deliveries that came through the hub and may still come, at most 200."""
        found = self.reader().execute(
            "SELECT d.brand, d.id, d.version FROM uplink_delivery u JOIN delivery d ON d.key = u.key"
            " WHERE d.ends > ? AND d.cancelled = 0 ORDER BY d.ends LIMIT ?",
            (to_micros(now.utc), MAX_OPEN_DELIVERIES),
        )
        return tuple(OpenDelivery(brand=brand, delivery=id_, version=version) for brand, id_, version in found)

    def next_change(self) -> datetime | None:
        """Return the earliest instant at which an event may be due; None: time alone makes none due."""
        row = self.reader().execute("SELECT min(look_at) FROM uplink_delivery WHERE look_at IS NOT NULL").fetchone()
        return optional_instant(row[0])

    def has_due_events(self, now: Now) -> bool:
        """Return whether `write_due_events` may write an event."""
        change = self.next_change()
        due = change is not None and change <= (now.utc if now.trusted else EPOCH)
        return due or any(
            self.reader().execute(f"{query} LIMIT 1").fetchone()
            for query in (_UNREPORTED_DECISIONS, _UNREPORTED_BROWSERS)
        )

    def is_full(self) -> bool:
        """Return whether so many events wait that the box takes no more messages from the hub."""
        return self.last_seq() - self.acknowledged_seq() >= MAX_WAITING_EVENTS

    def is_same_chain(self, ack: Ack) -> bool:
        """Return whether the hub has this journal's chain."""
        return _head_at(self.reader(), _chain(self.reader()), ack.seq) == ack.head

    async def forget(self) -> None:
        """Delete the journal: the house has a new household."""
        await self.writer.do(lambda db: _forget(db, None))

    @property
    def _required_signer(self) -> EventSigner:
        if self._signer is None:
            raise RuntimeError("the journal has no signer yet: call `set_signer` first")
        return self._signer

    def _accept_message(
        self, db: sqlite3.Connection, signer: EventSigner, token: bytes, verified: Claims | RejectedMessage, now: Now
    ) -> MessageAnswer | None:
        name = sha256(token).digest()
        heard = db.execute("SELECT 1 FROM uplink_message WHERE token = ?", (name,)).fetchone() is not None
        if not heard and isinstance(verified, RejectedMessage) and not _is_below_rejection_limit(db, now):
            return None
        answer = self._offers.answer(db, token, verified, now)
        if heard:
            return answer
        if answer.result.code == MessageRefusal.TOO_MANY:
            return None
        believed = answer.result.brand is not None
        db.execute("DELETE FROM uplink_message WHERE at < ?", (to_micros(now.utc - MESSAGE_RETENTION),))
        db.execute(
            "INSERT INTO uplink_message (token, believed, at) VALUES (?, ?, ?)", (name, believed, to_micros(now.utc))
        )
        said = _without_house_details(answer.result)
        _append_event(
            db, signer, {"at": now.utc.isoformat(), "result": _to_json(said), **_delivery_record(db, said, now)}
        )
        if isinstance(verified, Claims):
            brand = verified.brand if isinstance(verified, HubClaims) else verified.iss
            key = f"{brand}.{verified.delivery.id}"
            db.execute("INSERT OR IGNORE INTO uplink_brand (brand, told) VALUES (?, 0)", (brand,))
            self._follow_delivery(db, key, said, now)
        return answer

    def _follow_delivery(self, db: sqlite3.Connection, key: str, said: DeliveryResult, now: Now) -> None:
        """Follow a delivery that came through the hub; `said` is what the hub knows of it."""
        row = row_of(db, key)
        if row is not None:
            db.execute(
                "INSERT INTO uplink_delivery (key, told, look_at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
                " SET told = excluded.told, look_at = excluded.look_at",
                (key, _comparable(said), row.next_check_micros(self._house, now)),
            )

    def _write_due_events(self, db: sqlite3.Connection, signer: EventSigner, now: Now) -> int:
        count: tuple[int] = db.execute("SELECT count(*) FROM uplink_event, uplink WHERE seq > acknowledged").fetchone()
        room = MAX_WAITING_EVENTS - count[0]
        written = 0
        utc = to_micros(now.utc) if now.trusted else 0
        for key, told in db.execute(
            f"{_DUE_DELIVERIES} LIMIT ?", (utc, min(MAX_ITEMS_PER_TRANSACTION, max(0, room)))
        ).fetchall():
            written += self._write_delivery(db, signer, now, key, told)
        written += _write_browsers(db, signer, now, min(MAX_ITEMS_PER_TRANSACTION, max(0, room - written)))
        return written + _write_decisions(db, signer, now, min(MAX_ITEMS_PER_TRANSACTION, max(0, room - written)))

    def _write_delivery(self, db: sqlite3.Connection, signer: EventSigner, now: Now, key: str, told: str | None) -> int:
        """Write the state of a delivery if it differs from what the hub knows; return the number of events written."""
        row = row_of(db, key)
        if row is None:
            return 0
        said = _without_house_details(row.result(self._house, self._box, now))
        written = _comparable(said) != told
        if written:
            _append_event(
                db, signer, {"at": now.utc.isoformat(), "result": _to_json(said), **_delivery_record(db, said, now)}
            )
        later = (_comparable(said), row.next_check_micros(self._house, now), key)
        db.execute("UPDATE uplink_delivery SET told = ?, look_at = ? WHERE key = ?", later)
        return int(written)


def _postpone(db: sqlite3.Connection, *, now: Now, what: _ItemKind, key: str) -> None:
    """Postpone an item that raised an unforeseen error."""
    match what:
        case "delivery":
            later = to_micros(now.utc + FAULT_RETRY_DELAY) if now.trusted else None
            db.execute("UPDATE uplink_delivery SET look_at = ? WHERE key = ?", (later, key))
        case "browser":
            db.execute("UPDATE uplink_browser SET told = 1 WHERE browser = ?", (key,))
        case "decision":
            version = "(SELECT version FROM permission WHERE permission.brand = uplink_brand.brand)"
            db.execute(f"UPDATE uplink_brand SET told = {version} WHERE brand = ?", (key,))  # noqa: S608 - our own text
        case _:
            assert_never(what)


def _execute(db: sqlite3.Connection, statement: str, parameter: str) -> None:
    db.execute(statement, (parameter,))


def _set_signer(db: sqlite3.Connection, signer: EventSigner, now: Now) -> None:
    home, key = db.execute("SELECT home, signer FROM uplink").fetchone()
    if home != signer.home:
        _forget(db, signer.home)
        append(db, "uplink", {"home": signer.home}, utc=now.utc)
    elif key != signer.key:
        chain = _chain(db)
        head = _head_at(db, chain, chain.acknowledged) or GENESIS_DIGEST
        # Acknowledged events keep the old key's signature: they are not sent again
        _renumber(db, signer, chain.acknowledged, head)
    db.execute("UPDATE uplink SET signer = ?", (signer.key,))


def _acknowledge(db: sqlite3.Connection, signer: EventSigner, ack: Ack, now: Now) -> bool:
    if ack.seq > MAX_SEQ:
        return True  # no box has so many events: ignore it
    chain = _chain(db)
    if _head_at(db, chain, ack.seq) == ack.head:
        db.execute("UPDATE uplink SET acknowledged = ?", (ack.seq,))
        _drop_events(db, ack.seq - MAX_KEPT_ACKNOWLEDGED_EVENTS)
        return True
    lately = "SELECT 1 FROM entry WHERE kind = 'uplink_renumbered' AND at > ?"
    # At most one row an interval, so that a hub cannot fill the disk
    if db.execute(lately, (to_micros(now.utc - RENUMBER_NOTE_INTERVAL),)).fetchone() is None:
        append(db, "uplink_renumbered", {"from": ack.seq, "had": chain.acknowledged}, utc=now.utc)
    _renumber(db, signer, ack.seq, ack.head)
    db.execute("UPDATE uplink_delivery SET told = NULL, look_at = 0")
    db.execute("UPDATE uplink_brand SET told = 0")
    db.execute("UPDATE uplink_browser SET told = 0")
    return False


def _renumber(db: sqlite3.Connection, signer: EventSigner, base: int, head: str) -> None:
    """Number and sign the unacknowledged events again, behind the event `base`; delete the acknowledged ones."""
    waiting = "SELECT body FROM uplink_event, uplink WHERE seq > acknowledged ORDER BY seq"
    bodies = db.execute(waiting).fetchall()
    db.execute("DELETE FROM uplink_event")
    db.execute("UPDATE uplink SET base_seq = ?, base_head = ?, acknowledged = ?", (base, head, base))
    for seq, (body,) in enumerate(bodies, start=base + 1):
        head = _write_event(db, signer, seq, head, body)


def _forget(db: sqlite3.Connection, home: str | None) -> None:
    for table in ("browser", "uplink_browser", "uplink_event", "uplink_message", "uplink_delivery", "uplink_brand"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
    db.execute("UPDATE uplink SET home = ?, base_seq = 0, base_head = ?, acknowledged = 0", (home, GENESIS_DIGEST))


def forget_before(db: sqlite3.Connection, before: datetime) -> None:
    """Delete acknowledged events from before an instant."""
    last = "SELECT max(seq) FROM uplink_event, uplink WHERE seq <= acknowledged AND at < ?"
    _drop_events(db, db.execute(last, (to_micros(before),)).fetchone()[0])


def _drop_events(db: sqlite3.Connection, upto: int | None) -> None:
    """Delete the events up to and with this one."""
    head = None if upto is None else _head_at(db, _chain(db), upto)
    if head is not None:
        db.execute("DELETE FROM uplink_event WHERE seq <= ?", (upto,))
        db.execute("UPDATE uplink SET base_seq = ?, base_head = ?", (upto, head))


def _write_decisions(db: sqlite3.Connection, signer: EventSigner, now: Now, most: int) -> int:
    """Write the owner's decisions that the hub does not know yet."""
    found = db.execute(f"{_UNREPORTED_DECISIONS} LIMIT ?", (most,)).fetchall()
    for (brand,) in found:
        _write_decision(db, signer, now, brand)
    return len(found)


def _write_decision(db: sqlite3.Connection, signer: EventSigner, now: Now, brand: str) -> None:
    permission = permission_of(db, brand)
    if permission is not None:
        terms = json.loads(TERMS_ADAPTER.dump_json(permission.terms))
        terms["carriers"] = [name for name in terms["carriers"] if _is_valid_name(name)]
        said = PermissionDecision.model_validate_json(
            json.dumps(
                {
                    "brand": brand,
                    "version": permission.version,
                    "standing": permission.standing.value,
                    **{
                        name: sorted(terms[name])[:MAX_NAMES_PER_DECISION]
                        for name in ("entrances", "places", "carriers", "days")
                    },
                    "hours": terms["hours"],
                    "openings": terms["openings"],
                    "expires": terms["expires"],
                    "hub_signed": terms["hub_signed"],
                }
            )
        )
        _append_event(db, signer, {"at": now.utc.isoformat(), "decided": _to_json(said)})
        db.execute("UPDATE uplink_brand SET told = ? WHERE brand = ?", (permission.version, brand))


def _is_valid_name(carrier: str) -> bool:
    """Return whether a message can name this carrier; a house file may name others (with a blank at an end)."""
    try:
        _NAME_ADAPTER.validate_python(carrier)
    except ValidationError:
        return False
    return True


def _write_browsers(db: sqlite3.Connection, signer: EventSigner, now: Now, most: int) -> int:
    """Write which browsers of the household are enrolled, and which have ended."""
    found = db.execute(f"{_UNREPORTED_BROWSERS} LIMIT ?", (most,)).fetchall()
    for ident, sign, farewell in found:
        _write_browser(db, signer, now, ident, sign, farewell)
    return len(found)


def _write_browser(  # noqa: PLR0913, PLR0917 - a browser's own row
    db: sqlite3.Connection, signer: EventSigner, now: Now, ident: str, sign: str | None, farewell: str | None
) -> None:
    more = {"farewell": farewell or None} if sign is None else {"sign": json.loads(sign)}
    said = {"browser": ident, "ended": sign is None, **more}
    _append_event(db, signer, {"at": now.utc.isoformat(), "browser": said})
    db.execute("UPDATE uplink_browser SET told = 1 WHERE browser = ?", (ident,))


def _append_event(db: sqlite3.Connection, signer: EventSigner, body: dict[str, Json]) -> None:
    """Write the next event."""
    chain = _chain(db)
    row = db.execute("SELECT seq, token FROM uplink_event ORDER BY seq DESC LIMIT 1").fetchone()
    seq, head = (chain.base_seq, chain.base_head) if row is None else (row[0], token_digest(row[1]))
    _write_event(db, signer, seq + 1, head, json.dumps(body))


def _write_event(db: sqlite3.Connection, signer: EventSigner, seq: int, prev: str, body: str) -> str:
    said = {**json.loads(body), "home": signer.home, "seq": seq, "prev": prev}
    if "account" in said:  # the content is stored, and signed again with the event after a change of key
        statement = {**said["account"]["statement"], "home": signer.home}
        vouched = signer.sign_statement(Statement.model_validate_json(json.dumps(statement)))
        said["account"] = {"lines": said["account"]["lines"], "token": vouched}
    happened = BoxEvent.model_validate_json(json.dumps(said))
    token = signer.sign_event(happened)
    insert = "INSERT INTO uplink_event (seq, body, token, at) VALUES (?, ?, ?, ?)"
    db.execute(insert, (seq, body, token, to_micros(happened.at)))
    return token_digest(token)


def _chain(db: sqlite3.Connection) -> _EventChain:
    return _EventChain(*db.execute("SELECT base_seq, base_head, acknowledged FROM uplink").fetchone())


def _head_at(db: sqlite3.Connection, chain: _EventChain, seq: int) -> str | None:
    """Return the digest of one event; None: the journal no longer has it."""
    if seq == chain.base_seq:
        return chain.base_head
    row = db.execute("SELECT token FROM uplink_event WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else token_digest(row[0])


def _is_below_rejection_limit(db: sqlite3.Connection, now: Now) -> bool:
    hour = to_micros(now.utc - timedelta(hours=1))
    count: tuple[int] = db.execute(
        "SELECT count(*) FROM uplink_message WHERE believed = 0 AND at > ?", (hour,)
    ).fetchone()
    return count[0] < MAX_REJECTED_MESSAGES_PER_HOUR


def _without_house_details(result: DeliveryResult) -> DeliveryResult:
    """Return the result without the entrance's state and the texts about a message, which stay in the house."""
    return result.model_copy(update={"lacking": None, "why": None})


def _delivery_record(db: sqlite3.Connection, said: DeliveryResult, now: Now) -> dict[str, Json]:
    """Return the delivery's record for its retailer, which goes with the event that the delivery has ended."""
    row = row_of(db, f"{said.brand}.{said.delivery}")
    found = None if row is None else delivery_records.append_record(db, row.order, said, now)
    return {} if found is None else {"account": found}


def _comparable(result: DeliveryResult) -> str:
    """Return what makes two results differ for the hub."""
    return result.model_dump_json(include={"version", "state", "reason", "missing", "house"})


def _to_json(said: DeliveryResult | PermissionDecision) -> Json:
    whole: Json = json.loads(said.model_dump_json(exclude_none=True))
    return whole

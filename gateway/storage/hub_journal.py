"""The box's journal of events for a hub: each event is signed once and sent until the hub acknowledges it.

One transaction stores a change and the event about it, so no event is lost or written twice. The journal keeps each
event's content beside the signed token: after a restore of box or hub the two chains differ, and then the journal
numbers the unacknowledged events again, behind the hub's last one.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from pydantic import TypeAdapter, ValidationError

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import Cancel, Claims, DeliveryResult, Name
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol.box_hub import (
    EVENT_FORMAT,
    GENESIS_DIGEST,
    MAX_NAMES_PER_DECISION,
    Ack,
    BoxEvent,
    BrandAnswer,
    OpenDelivery,
    PermissionDecision,
    sign_by_box,
    token_digest,
)
from gateway.protocol.brand_messages import CommentClaims
from gateway.protocol.delivery_message import HubClaims
from gateway.protocol.delivery_record import Statement
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.hash_chain import Json
from gateway.protocol.jws import RejectedMessage
from gateway.storage import delivery_records
from gateway.storage.brand_facts import store_comment
from gateway.storage.database import Database
from gateway.storage.models import MessageAnswer, StoreFailed
from gateway.storage.offers import MessageRefusal, OfferProcessor
from gateway.storage.part import StorePart
from gateway.storage.rows import TERMS_ADAPTER, DeliveryRow, permission_of, row_of
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

# Fields of a result that a hub of format 1 refuses
_SINCE_FORMAT_2 = ("missing_parcels", "custody", "moved_to", "collected", "cold_chain", "more_time")

_DUE_ITEMS: Mapping[str, str] = {
    "delivery": "SELECT key FROM uplink_delivery WHERE look_at <= :now ORDER BY look_at",
    "browser": "SELECT browser FROM uplink_browser WHERE told = 0",
    "decision": "SELECT u.brand FROM uplink_brand u JOIN permission p ON p.brand = u.brand WHERE p.version != u.told",
}

_POSTPONEMENTS: Mapping[str, str] = {  # after an unforeseen error
    "delivery": "UPDATE uplink_delivery SET look_at = :later WHERE key = :key",
    "browser": "UPDATE uplink_browser SET told = 1 WHERE browser = :key",
    "decision": "UPDATE uplink_brand SET told = (SELECT version FROM permission p WHERE p.brand = uplink_brand.brand)"
    " WHERE brand = :key",
}

_NAME_ADAPTER: TypeAdapter[str] = TypeAdapter(Name)


class EventSigner(Frozen):
    """Signs the events of one home: its name at the hub, and the box's key."""

    home: str
    key: SigningKey


class PendingEvent(Frozen):
    """An event that the hub has not acknowledged."""

    seq: int
    token: bytes


class HubJournal(StorePart):
    """The journal of events for a hub: `Store.hub_journal`. Call `set_signer` before a method that signs."""

    def __init__(self, writer: Writer, reader: Callable[[], Database], *, offers: OfferProcessor) -> None:
        super().__init__(writer, reader)
        self._offers, self._house = offers, offers.context
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
        mark = now if isinstance(verified, Claims) and isinstance(verified.delivery, Cancel) else None
        return await self.writer.do(lambda db: self._accept_message(db, signer, token, verified, now), mark=mark)

    async def answer_brand(self, answer: BrandAnswer, now: Now, *, comment: CommentClaims | None = None) -> bool:
        """Write the answer to a brand's message as an event, and store its comment in the same transaction.

        The comment is not stored if the answer refuses it; if it cannot be stored, the event says so. A repeated
        message gets no second event. False: too many messages of unknown signers came lately.
        """
        signer = self._required_signer
        return await self.writer.do(lambda db: _answer_brand(db, signer, answer, comment, now))

    async def write_due_events(self, now: Now) -> int:
        """Write events for deliveries and decisions that differ from what the hub knows; return their number."""
        signer = self._required_signer
        return await self.writer.do(lambda db: self._write_due_events(db, signer, now))

    async def write_due_events_singly(self, now: Now, contained: Containment) -> None:
        """Write due events one by one, after `write_due_events` raised an unforeseen error.

        An item that raises one is postponed for an hour (a delivery) or counts as written (a decision, a browser), so
        that the hub receives everything else.
        """
        signer = self._required_signer
        for kind in _DUE_ITEMS:
            for key in _due_items(self.reader(), kind, now, MAX_ITEMS_PER_TRANSACTION):
                with contained.piece("hub events", f"{kind} {key}", foreseen=(StoreFailed,)) as piece:
                    await self.writer.do(partial(self._write_item, signer=signer, now=now, kind=kind, key=key))
                if piece.fault is not None:
                    await self.writer.do(partial(_postpone, now=now, kind=kind, key=key))

    def _write_item(self, db: Database, *, signer: EventSigner, now: Now, kind: str, key: str) -> bool:
        """Write the event of one due item; False: the hub knows it already."""
        write = {"delivery": self._write_delivery, "browser": _write_browser, "decision": _write_decision}[kind]
        return write(db, signer, now, key)

    async def acknowledge(self, ack: Ack, now: Now) -> bool:
        """Store how far the hub has the events. False: it has another chain; the journal continues behind that."""
        signer = self._required_signer
        return await self.writer.do(lambda db: _acknowledge(db, signer, ack, now))

    async def set_event_format(self, newest: int) -> None:
        """Write events in the newest format that both box and hub know; `newest` is that of the hub (`HubSpeaks`)."""
        signer, wanted = self._required_signer, min(newest, EVENT_FORMAT)
        if wanted != _event_format(self.reader()):
            await self.writer.do(lambda db: _set_event_format(db, signer, wanted))

    def unacknowledged(self, after: int, most: int) -> tuple[PendingEvent, ...]:
        """Return the unacknowledged events behind `after`, in order, at most `most`."""
        query = "SELECT seq, token FROM uplink_event WHERE seq > ? ORDER BY seq LIMIT ?"
        return self.reader().records(PendingEvent, query, (max(after, self.acknowledged_seq()), most))

    def last_seq(self) -> int:
        """Return the number of the newest event."""
        return self.reader().number("SELECT ifnull((SELECT max(seq) FROM uplink_event), (SELECT base_seq FROM uplink))")

    def acknowledged_seq(self) -> int:
        """Return the number of the last event that the hub has."""
        return self.reader().number("SELECT acknowledged FROM uplink")

    def open_deliveries(self, now: Now) -> tuple[OpenDelivery, ...]:
        """Return the deliveries that came through the hub and may still come, at most 200."""
        query = (
            "SELECT d.brand, d.id AS delivery, d.version FROM uplink_delivery u JOIN delivery d ON d.key = u.key"
            " WHERE d.ends > ? AND d.cancelled = 0 ORDER BY d.ends LIMIT ?"
        )
        return self.reader().records(OpenDelivery, query, (now.utc, MAX_OPEN_DELIVERIES))

    def permitted_brands(self) -> Mapping[str, frozenset[str]]:
        """Return the entrances that each brand may use which came through the hub and is let in."""
        query = "SELECT brand, terms FROM permission JOIN uplink_brand USING (brand) WHERE standing = ?"
        rows = self.reader().execute(query, (PermissionStatus.GRANTED.value,))
        return {brand: TERMS_ADAPTER.validate_json(terms).entrances for brand, terms in rows}

    def has_due_events(self, now: Now) -> bool:
        """Return whether `write_due_events` may write an event."""
        return any(_due_items(self.reader(), kind, now, 1) for kind in _DUE_ITEMS)

    def is_full(self) -> bool:
        """Return whether so many events wait that the box takes no more messages from the hub."""
        return self.last_seq() - self.acknowledged_seq() >= MAX_WAITING_EVENTS

    def is_same_chain(self, ack: Ack) -> bool:
        """Return whether the hub has this journal's chain."""
        return _head_at(self.reader(), ack.seq) == ack.head

    async def forget(self) -> None:
        """Delete the journal: the house has a new household."""
        await self.writer.do(lambda db: _forget(db, None))

    @property
    def _required_signer(self) -> EventSigner:
        if self._signer is None:
            raise RuntimeError("the journal has no signer yet: call `set_signer` first")
        return self._signer

    def _accept_message(
        self, db: Database, signer: EventSigner, token: bytes, verified: Claims | RejectedMessage, now: Now
    ) -> MessageAnswer | None:
        name = sha256(token).digest()
        is_repeated = db.exists("SELECT 1 FROM uplink_message WHERE token = ?", (name,))
        if not is_repeated and isinstance(verified, RejectedMessage) and not _is_below_rejection_limit(db, now):
            return None
        answer = self._offers.answer(db, token, verified, now)
        if is_repeated:
            return answer
        if answer.result.code == MessageRefusal.TOO_MANY:
            return None
        believed = answer.result.brand is not None
        db.execute("DELETE FROM uplink_message WHERE at < ?", (now.utc - MESSAGE_RETENTION,))
        db.insert("uplink_message", token=name, believed=believed, at=now.utc)
        result = _for_hub(db, answer.result)
        _append_result(db, signer, result, now)
        if isinstance(verified, Claims):
            brand = verified.brand if isinstance(verified, HubClaims) else verified.iss
            db.insert("uplink_brand", or_="IGNORE", brand=brand, told=0)
            row = row_of(db, f"{brand}.{verified.delivery.id}")
            if row is not None:
                self._follow_delivery(db, row, result, now)
        return answer

    def _follow_delivery(self, db: Database, row: DeliveryRow, result: DeliveryResult, now: Now) -> None:
        """Follow a delivery that came through the hub; `result` is what the hub knows of it."""
        told, next_check = _comparable(result), row.next_check(self._house, now)
        db.insert("uplink_delivery", or_="REPLACE", key=row.order.key, told=told, look_at=next_check)

    def _write_due_events(self, db: Database, signer: EventSigner, now: Now) -> int:
        waiting = db.number("SELECT count(*) FROM uplink_event, uplink WHERE seq > acknowledged")
        room, written = MAX_WAITING_EVENTS - waiting, 0
        for kind in _DUE_ITEMS:
            for key in _due_items(db, kind, now, min(MAX_ITEMS_PER_TRANSACTION, max(0, room - written))):
                written += self._write_item(db, signer=signer, now=now, kind=kind, key=key)
        return written

    def _write_delivery(self, db: Database, signer: EventSigner, now: Now, key: str) -> bool:
        """Write the state of a delivery if it differs from what the hub knows."""
        row = row_of(db, key)
        if row is None:
            return False
        result = _for_hub(db, row.result(self._house, now))
        is_new = db.value(str, "SELECT told FROM uplink_delivery WHERE key = ?", (key,)) != _comparable(result)
        if is_new:
            _append_result(db, signer, result, now)
        self._follow_delivery(db, row, result, now)
        return is_new


def _due_items(db: Database, kind: str, now: Now, most: int) -> list[str]:
    """Return the keys of items of one kind whose event is due; without trusted time no window opens or ends."""
    due = {"now": now.utc if now.trusted else 0, "most": most}
    return db.column(f"{_DUE_ITEMS[kind]} LIMIT :most", due)


def _postpone(db: Database, *, now: Now, kind: str, key: str) -> None:
    later = now.utc + FAULT_RETRY_DELAY if now.trusted else None
    db.execute(_POSTPONEMENTS[kind], {"key": key, "later": later})


def _set_signer(db: Database, signer: EventSigner, now: Now) -> None:
    home, key = db.execute("SELECT home, signer FROM uplink").fetchone()
    if home != signer.home:
        _forget(db, signer.home)
        db.log("uplink", now.utc, {"home": signer.home})
    elif key != signer.key.public.text:
        acknowledged = db.number("SELECT acknowledged FROM uplink")
        # Acknowledged events keep the old key's signature: they are not sent again
        _renumber(db, signer, acknowledged, _head_at(db, acknowledged) or GENESIS_DIGEST)
    db.execute("UPDATE uplink SET signer = ?", (signer.key.public.text,))


def _acknowledge(db: Database, signer: EventSigner, ack: Ack, now: Now) -> bool:
    if ack.seq > MAX_SEQ:
        return True  # no box has so many events: ignore it
    if _head_at(db, ack.seq) == ack.head:
        db.execute("UPDATE uplink SET acknowledged = ?", (ack.seq,))
        _drop_events(db, ack.seq - MAX_KEPT_ACKNOWLEDGED_EVENTS)
        return True
    lately = "SELECT 1 FROM entry WHERE kind = 'uplink_renumbered' AND at > ?"
    # At most one row an interval, so that a hub cannot fill the disk
    if not db.exists(lately, (now.utc - RENUMBER_NOTE_INTERVAL,)):
        acknowledged = db.number("SELECT acknowledged FROM uplink")
        db.log("uplink_renumbered", now.utc, {"from": ack.seq, "had": acknowledged})
    _renumber(db, signer, ack.seq, ack.head)
    db.execute("UPDATE uplink_delivery SET told = NULL, look_at = 0")
    db.execute("UPDATE uplink_brand SET told = 0")
    db.execute("UPDATE uplink_browser SET told = 0")
    return False


def _renumber(db: Database, signer: EventSigner, base: int, head: str) -> None:
    """Number and sign the unacknowledged events again, behind the event `base`; delete the acknowledged ones."""
    bodies = db.column("SELECT body FROM uplink_event, uplink WHERE seq > acknowledged ORDER BY seq")
    db.execute("DELETE FROM uplink_event")
    db.execute("UPDATE uplink SET base_seq = ?, base_head = ?, acknowledged = ?", (base, head, base))
    for seq, body in enumerate(bodies, start=base + 1):
        head = _write_event(db, signer, seq, head, body)


def _forget(db: Database, home: str | None) -> None:
    db.execute("DELETE FROM share WHERE id IN (SELECT share FROM guest_browser)")
    for table in ("browser", "uplink_browser", "uplink_event", "uplink_message", "uplink_delivery", "uplink_brand"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
    db.execute("UPDATE uplink SET home = ?, base_seq = 0, base_head = ?, acknowledged = 0", (home, GENESIS_DIGEST))


def forget_before(db: Database, before: datetime) -> None:
    """Delete acknowledged events from before an instant."""
    last = "SELECT max(seq) FROM uplink_event, uplink WHERE seq <= acknowledged AND at < ?"
    _drop_events(db, db.value(int, last, (before,)))


def _drop_events(db: Database, upto: int | None) -> None:
    head = None if upto is None else _head_at(db, upto)
    if head is not None:
        db.execute("DELETE FROM uplink_event WHERE seq <= ?", (upto,))
        db.execute("UPDATE uplink SET base_seq = ?, base_head = ?", (upto, head))


def _write_decision(db: Database, signer: EventSigner, now: Now, brand: str) -> bool:
    permission = permission_of(db, brand)
    if permission is None:
        return False
    terms = TERMS_ADAPTER.dump_python(permission.terms, mode="json", exclude={"ask_each_time"})
    terms["carriers"] = filter(_is_valid_name, terms["carriers"])
    terms |= {
        name: sorted(terms[name])[:MAX_NAMES_PER_DECISION] for name in ("entrances", "places", "carriers", "days")
    }
    stated = {"brand": brand, "version": permission.version, "standing": permission.standing.value, **terms}
    decision = PermissionDecision.model_validate_json(json.dumps(stated))
    _append_event(db, signer, now, {"decided": decision.model_dump(mode="json", exclude_none=True)})
    db.execute("UPDATE uplink_brand SET told = ? WHERE brand = ?", (permission.version, brand))
    return True


def _is_valid_name(carrier: str) -> bool:
    """Return whether a message can name this carrier; a house file may name others (with a blank at an end)."""
    try:
        _NAME_ADAPTER.validate_python(carrier)
    except ValidationError:
        return False
    return True


def _write_browser(db: Database, signer: EventSigner, now: Now, ident: str) -> bool:
    query = (
        "SELECT coalesce(b.sign, g.sign), u.farewell FROM uplink_browser u LEFT JOIN browser b ON b.id = u.browser"
        " LEFT JOIN guest_browser g ON g.id = u.browser WHERE u.browser = ?"
    )
    sign, farewell = db.execute(query, (ident,)).fetchone()
    more = {"farewell": farewell or None} if sign is None else {"sign": json.loads(sign)}
    _append_event(db, signer, now, {"browser": {"browser": ident, "ended": sign is None, **more}})
    db.execute("UPDATE uplink_browser SET told = 1 WHERE browser = ?", (ident,))
    return True


def _append_result(db: Database, signer: EventSigner, result: DeliveryResult, now: Now) -> None:
    """Write a result as the next event; when the delivery has ended, its record for the retailer goes with it."""
    row = row_of(db, f"{result.brand}.{result.delivery}")
    record = None if row is None else delivery_records.append_record(db, row.order, result, now)
    more = {} if record is None else {"account": record}
    _append_event(db, signer, now, {"result": result.model_dump(mode="json", exclude_none=True), **more})


def _answer_brand(
    db: Database, signer: EventSigner, answer: BrandAnswer, comment: CommentClaims | None, now: Now
) -> bool:
    digest, is_verified = bytes.fromhex(answer.token_sha256), answer.brand is not None
    if db.exists("SELECT 1 FROM uplink_message WHERE token = ?", (digest,)):
        return True
    if not is_verified and not _is_below_rejection_limit(db, now):
        return False
    if answer.accepted and comment is not None:
        code = store_comment(db, comment, now)
        answer = answer.model_copy(update={"accepted": code is None, "code": code})
    db.execute("DELETE FROM uplink_message WHERE at < ?", (now.utc - MESSAGE_RETENTION,))
    db.insert("uplink_message", token=digest, believed=is_verified, at=now.utc)
    _append_event(db, signer, now, {"answer": answer.model_dump(mode="json", exclude_none=True)})
    return True


def _append_event(db: Database, signer: EventSigner, now: Now, body: dict[str, Json]) -> None:
    row = db.execute("SELECT seq, token FROM uplink_event ORDER BY seq DESC LIMIT 1").fetchone()
    if row is None:
        seq, head = db.execute("SELECT base_seq, base_head FROM uplink").fetchone()
    else:
        seq, head = row[0], token_digest(row[1])
    _write_event(db, signer, seq + 1, head, json.dumps({"at": now.utc.isoformat(), **body}))


def _write_event(db: Database, signer: EventSigner, seq: int, prev: str, body: str) -> str:
    content = {**json.loads(body), "home": signer.home, "seq": seq, "prev": prev}
    if "result" in content and _event_format(db) == 1:  # written in a later format, and the hub is now an older one
        content["result"] = {name: value for name, value in content["result"].items() if name not in _SINCE_FORMAT_2}
    if "account" in content:  # the content is stored, and signed again with the event after a change of key
        statement = {**content["account"]["statement"], "home": signer.home}
        vouched = sign_by_box(Statement.model_validate_json(json.dumps(statement)), signer.key.sign)
        content["account"] = {"lines": content["account"]["lines"], "token": vouched.decode()}
    if _event_format(db) == 1:
        content.pop("answer", None)  # the brand sent its message through a hub of a later format
    event = BoxEvent.model_validate_json(json.dumps(content))
    token = sign_by_box(event, signer.key.sign)
    db.insert("uplink_event", seq=seq, body=body, token=token, at=event.at)
    return token_digest(token)


def _head_at(db: Database, seq: int) -> str | None:
    """Return the digest of one event; None: the journal no longer has it."""
    token = db.value(bytes, "SELECT token FROM uplink_event WHERE seq = ?", (seq,))
    base = db.value(str, "SELECT base_head FROM uplink WHERE base_seq = ?", (seq,))
    return base if token is None else token_digest(token)


def _is_below_rejection_limit(db: Database, now: Now) -> bool:
    hour = now.utc - timedelta(hours=1)
    query = "SELECT count(*) FROM uplink_message WHERE believed = 0 AND at > ?"
    return db.number(query, (hour,)) < MAX_REJECTED_MESSAGES_PER_HOUR


def _for_hub(db: Database, result: DeliveryResult) -> DeliveryResult:
    """Return the result without the fields that its hub does not read, and without those that stay in the house.

    The entrance's state and the texts about a message stay there.
    """
    unread = _SINCE_FORMAT_2 if _event_format(db) == 1 else ()
    return result.model_copy(update=dict.fromkeys(("lacking", "why", *unread)))


def _event_format(db: Database) -> int:
    return db.number("SELECT event_format FROM uplink")


def _set_event_format(db: Database, signer: EventSigner, wanted: int) -> None:
    """Use another format from now on: remove fields that the hub does not read, and mark those that it lacks as due."""
    is_older = wanted < _event_format(db)
    db.execute("UPDATE uplink SET event_format = ?", (wanted,))
    if is_older:
        acknowledged = db.number("SELECT acknowledged FROM uplink")
        _renumber(db, signer, acknowledged, _head_at(db, acknowledged) or GENESIS_DIGEST)
    db.execute("UPDATE uplink_delivery SET look_at = 0")


def _comparable(result: DeliveryResult) -> str:
    later = {name for name in _SINCE_FORMAT_2 if getattr(result, name) is not None}
    return result.model_dump_json(include={"version", "state", "reason", "missing", "house"} | later)

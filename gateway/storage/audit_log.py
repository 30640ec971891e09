"""Appends every decision to the audit log, a hash chain that contains no code in clear."""

import hmac
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any, cast

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.events import Event, HolderLeft, Scanned, UnsentReason
from gateway.protocol.hash_chain import MAX_EXACT_INT, ChainEntry, HiddenBody, Json
from gateway.storage.database import Database, rfc3339
from gateway.storage.log_names import field_of, is_omitted_when_empty, kind_of
from gateway.storage.part import StorePart, reads

_PAGE_ROWS = 1000
_LOGGED_DELIVERY_FIELDS = ("version", "permission_version", "refusal", "openings_left", "withdrawals_left")


def encode_event(event: Event, key: bytes) -> Json:
    """Encode an event as JSON: its kind and its fields.

    A code appears only as its last 4 characters and a digest under `key`, the box's own key.
    """
    if isinstance(event, HolderLeft):
        return _encode_fields(replace(event, carries=frozenset()), "event") | {"carries": _codes(event.carries, key)}
    if not isinstance(event, Scanned):
        return encode(event, "event")
    scan = _encode_fields(event, "event")
    del scan["awaiting"], scan["keeper"], scan["robot"]
    if event.robot is not None:
        scan |= {"robot": event.robot.robot, "loads": _codes(event.robot.loads, key)}
    if not event.label:  # most labels have no rules, and their entries keep the form that they always had
        del scan["label"]
    if event.keeper is not None:
        scan |= {"keeper": event.keeper.keeper, "withdrawn": event.keeper.withdrawn}
    return scan | {
        "code": encode_code(event.code, key),
        "matches": [{"kind": m.kind.value, "delivery": m.delivery.id} for m in event.matches],
    }


def _codes(codes: Iterable[str], key: bytes) -> list[Json]:
    return [encode_code(code, key) for code in sorted(codes)]


def encode_code(code: str, key: bytes) -> dict[str, Json]:
    """Encode a code as its last 4 characters and its digest under `key`, the box's own key."""
    return {"hmac": code_digest(code, key), "last": _unicode(code[-4:])}


def code_digest(code: str, key: bytes) -> str:
    """Return the digest of a code that the log has in its place."""
    return hmac.new(key, code.encode(errors="backslashreplace"), sha256).hexdigest()


def _encode_fields(value: Any, kind_key: str) -> dict[str, Json]:  # noqa: ANN401 - any dataclass
    kind = type(value)
    encoded: dict[str, Json] = {kind_key: kind_of(kind)}
    for name, key, needs_value in _logged_fields(cast("Hashable", kind)):
        item = getattr(value, name)
        if item or not needs_value:
            encoded[key] = encode(item)
    return encoded


@cache
def _logged_fields(kind: Any) -> tuple[tuple[str, str, bool], ...]:  # noqa: ANN401 - a dataclass
    """Return each field of a dataclass with its key in the log, and whether the log omits an empty value."""
    return tuple(
        (field.name, field_of(kind, field.name), is_omitted_when_empty(kind, field.name)) for field in fields(kind)
    )


def encode(value: object, kind_key: str = "is") -> Json:
    """Encode a value as JSON, a dataclass with its kind under `kind_key`. TypeError: the log has no encoding for it."""
    if type(value) is str and value.isascii():
        return value
    match value:
        case Enum():
            return str(value.value)
        case None | bool():
            return value
        case int() | float():
            return value if abs(value) <= MAX_EXACT_INT else str(value)  # NaN too becomes text
        case str():
            return _unicode(value)
        case datetime():
            return rfc3339(value)
        case VisitDelivery():
            logged = {name: encode(getattr(value, name)) for name in _LOGGED_DELIVERY_FIELDS}
            return {"delivery": value.id, **logged}
        case Mapping():
            return {str(key): encode(item) for key, item in value.items()}
        case frozenset() | set():
            return [*sorted(map(str, value))]
        case list() | tuple():
            return [encode(item) for item in value]
        case UnsentReason():
            return "NotSent"
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _encode_fields(value, kind_key)
        case _:
            raise TypeError(f"the log has no word for {type(value).__name__}")


def _unicode(text: str) -> str:
    """Escape what is no Unicode character (a lone surrogate from a JSON document)."""
    return text.encode(errors="backslashreplace").decode()


def code_key(db: Database) -> bytes:
    """Return this box's own key, under which it hashes codes and names."""
    return bytes(db.execute("SELECT code_key FROM box").fetchone()[0])


def hash_at(db: Database, seq: int) -> bytes | None:
    """Return the chain's hash at an entry; None: the log has no such entry, so the store may be an older copy."""
    return db.value(bytes, "SELECT hash FROM entry WHERE seq = ?", (seq,))


def entries(db: Database, *, after: int = 0, upto: int | None = None) -> Iterator[ChainEntry]:
    """Read the entries after `after` up to and with `upto`, in their order.

    It reads a page at a time: an open cursor would keep SQLite from clearing the WAL.
    """
    while found := page(db, after=after, upto=upto):
        yield from found
        after = found[-1].seq


def page(db: Database, *, after: int, upto: int | None = None) -> tuple[ChainEntry, ...]:
    """Return the next entries behind `after`, a page of them; empty: there are no more."""
    query = "SELECT seq, body, digest, hash FROM entry WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
    rows = db.execute(query, (after, 2**62 if upto is None else upto, _PAGE_ROWS)).fetchall()
    return tuple(
        ChainEntry(seq=seq, body=body if body is not None else HiddenBody(digest), hash=hashed)
        for seq, body, digest, hashed in rows
    )


def seqs_of_visit(db: Database, visit: str) -> tuple[int, ...]:
    """Return the numbers of the log entries of a visit."""
    return tuple(db.column("SELECT seq FROM entry WHERE visit = ? ORDER BY seq", (visit,)))


def first_of_visit(db: Database, visit: str, *, after: int) -> int | None:
    """Return the number of a visit's first log entry behind `after`; None: there is none."""
    return db.value(int, "SELECT min(seq) FROM entry WHERE visit = ? AND seq > ?", (visit, after))


def entries_of_visit(db: Database, visit: str) -> tuple[ChainEntry, ...]:
    """Return the log entries of a visit, in their order; erased ones are left out."""
    query = "SELECT seq, body, hash FROM entry WHERE visit = ? AND body IS NOT NULL ORDER BY seq"
    return tuple(ChainEntry(seq=seq, body=body, hash=hashed) for seq, body, hashed in db.execute(query, (visit,)))


def bodies_of_visit(db: Database, visit: str) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of a visit as JSON objects, in their order; erased ones are left out."""
    query = "SELECT body FROM entry WHERE visit = ? AND body IS NOT NULL ORDER BY seq"
    return tuple(map(json.loads, db.column(query, (visit,))))


def bodies_of_kind(db: Database, kind: str) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of one kind as JSON objects, oldest first; erased ones are left out."""
    query = "SELECT body FROM entry WHERE kind = ? AND body IS NOT NULL ORDER BY seq"
    return tuple(map(json.loads, db.column(query, (kind,))))


def newest_bodies(db: Database, kinds: Sequence[str], *, at_most: int) -> tuple[Mapping[str, Any], ...]:
    """Return the newest entries of these kinds as JSON objects, newest first; erased ones are left out."""
    places = ", ".join("?" * len(kinds))
    query = f"SELECT body FROM entry WHERE kind IN ({places}) AND body IS NOT NULL ORDER BY seq DESC LIMIT ?"  # noqa: S608 - only question marks are put in
    return tuple(map(json.loads, db.column(query, (*kinds, at_most))))


def erase_bodies(db: Database, seqs: Iterable[int]) -> None:
    """Erase the bodies of these entries. The chain stays valid: each body leaves its digest."""
    for seq in seqs:
        body = db.value(bytes, "SELECT body FROM entry WHERE seq = ?", (seq,))
        if body is not None:
            digest = sha256(body).digest()
            db.execute("UPDATE entry SET body = NULL, digest = ? WHERE seq = ?", (digest, seq))


class AuditLog(StorePart):
    """The log: `Store.log`."""

    head = reads(Database.log_head)
    hash_at = reads(hash_at)
    entries = reads(entries)
    page = reads(page)
    first_of_visit = reads(first_of_visit)
    entries_of_visit = reads(entries_of_visit)
    seqs_of_visit = reads(seqs_of_visit)
    bodies_of_visit = reads(bodies_of_visit)
    bodies_of_kind = reads(bodies_of_kind)
    newest_bodies = reads(newest_bodies)

    async def append(
        self, kind: str, facts: Mapping[str, Json], now: Now, *, entrance: str | None = None, visit: str | None = None
    ) -> int:
        """Add an entry of another part of the gateway; return its number."""
        seq, _ = await self.writer.do(lambda db: db.log(kind, now.utc, facts, entrance=entrance, visit=visit))
        return seq

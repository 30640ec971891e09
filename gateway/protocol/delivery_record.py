"""The signed record of an ended delivery: the part of the box's log that its retailer may have. Pure.

`record_entries` makes the extract for the retailer: when each parcel was read at the door, when the bolt was
withdrawn, when the door opened, closed and was locked again, and the temperatures of a cold delivery. The extract
contains nothing else of the log (notifications, cameras, decisions of the household), not even as a digest: a log entry
has so few unknown values that a digest could be guessed.

The lines are a hash chain of their own (gateway/protocol/hash_chain.py), so verification names a line that was altered,
moved or left out. The box signs the `Statement`: the result, the number of lines and the hash of the last one.
Statement and lines are one entry of the box's own log; `entry` is that entry's hash, which covers everything before it.
A log that is shown later and was rewritten before that entry does not contain this hash. The record contains neither
the entry's number nor the hash before it, because two numbers would show how much happened in the house between them.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from operator import attrgetter
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gateway.domain.delivery.promise import Digest, Id, Instant, State, Version, WireModel
from gateway.domain.delivery.result import CollectResult, DoorResult
from gateway.domain.frozen import Frozen
from gateway.protocol import hash_chain

MAX_CELSIUS = 100.0  # °C: readings beyond it, and readings that are no number, are left out
MAX_LINES = 60  # lines, so that an event stays below MAX_EVENT_BYTES
# A parcel may be read a minute before its courier's code, and only then a visit begins
PRE_VISIT_WINDOW = timedelta(seconds=70)
END_STATES = frozenset({
    State.DELIVERED, State.PARTLY_DELIVERED, State.NOT_DELIVERED,
    State.COLLECTED, State.PARTLY_COLLECTED, State.NOT_COLLECTED,
})  # fmt: skip
"""The states of an ended delivery; only these have a record."""

_GENESIS = hash_chain.ChainHead(hash=sha256(b"perron account 1").digest())
_CONTACTS = frozenset({"door", "lid", "flap"})
_OPEN_DOOR_STATES = frozenset({"open", "ajar", "forced_open"})
_SHOWN_CODE = re.compile(r"[!-~]{1,4}")
# Phases in which the visit uses the door
_VISIT_PHASES = frozenset({"unlocking", "unlocked", "inside", "advancing", "relocking"})

LogBody = Mapping[str, Any]
_Token = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")]


class RecordEntryKind(StrEnum):
    """The kind of a record entry."""

    PARCEL = auto()  # a scanner read one of the parcels at the door; `code`: its last four characters
    COLLECTED = auto()  # a scanner read one of the parcels to collect, inside; `code` as of `parcel`
    UNLOCKED = auto()  # the lock reported the bolt withdrawn
    OPENED = auto()
    CLOSED = auto()
    # Of a cold delivery's place, to a tenth: at the start of the visit and at each change in it
    TEMPERATURE = auto()
    LOCKED_AGAIN = auto()  # door and bolt were proven closed, each by an answer to a new query
    HANDED_TO_OWNER = auto()
    NOT_OPENED = auto()


# The kind of a scanned code of this delivery -> its entry
_READ_CODES: Mapping[str, RecordEntryKind] = {"parcel": RecordEntryKind.PARCEL, "collect": RecordEntryKind.COLLECTED}


class RecordEntry(WireModel):
    """One entry of the extract, before it is ordered and hashed."""

    at: Instant
    what: RecordEntryKind
    code: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,4}$")] | None = None
    celsius: Annotated[float, Field(ge=-MAX_CELSIUS, le=MAX_CELSIUS)] | None = None


class RecordLine(RecordEntry):
    """One line of the extract. `n` counts from 1; `hash` covers this line and those before it."""

    n: Annotated[int, Field(ge=1, le=MAX_LINES)]
    hash: Digest


class Statement(WireModel):
    """The box's signed statement about a delivery.

    `lines`, `head`: the number of lines and the hash of the last one. `entry`: the hash of the log entry with the lines
    and with this statement, without `entry`. `message_sha256`: SHA-256 of the message that the home accepted as this
    version, byte for byte, so that nobody can present another one; None: the home accepted it before boxes recorded
    that. `collected`: of an order with `collect`. `left_out`: the number of lines in the middle without room (a door
    that opened and closed many times). `clock_trusted`: whether the box knew the time at each line. `sandbox`: the home
    is simulated.
    """

    kind: Literal["perron account 1"] = "perron account 1"
    home: Id
    brand: Id
    delivery: Id
    version: Version
    message_sha256: Digest | None = None
    state: State
    reason: Annotated[str, StringConstraints(max_length=64)] | None = None
    missing: Annotated[int, Field(ge=0)]
    house: DoorResult
    collected: CollectResult | None = None
    at: Instant
    clock_trusted: bool
    sandbox: bool = False
    lines: Annotated[int, Field(ge=0, le=MAX_LINES)]
    left_out: Annotated[int, Field(ge=0)] = 0
    head: Digest
    entry: Digest


class DeliveryRecord(WireModel):
    """The record as it is sent: the lines in clear, the statement as a JWS under the box's key (`box_hub.py`)."""

    lines: Annotated[tuple[RecordLine, ...], Field(max_length=MAX_LINES)]
    token: _Token


class RecordedVisit(Frozen):
    """The log of one visit. `rows`: its rows, oldest first (gateway/storage/decisions.py).

    `before`: the entrance's rows from shortly before, in which a scanner may have read the parcels. `celsius`: the
    temperature of a cold delivery's place at the start of the visit.
    """

    rows: Sequence[LogBody]
    before: Sequence[LogBody] = ()
    celsius: float | None = None


def record_entries(
    visits: Iterable[RecordedVisit], delivery: str, *, place: str | None = None
) -> tuple[RecordEntry, ...]:
    """Return the entries of the visits of one delivery, oldest first.

    `delivery`: its key in the house. `place`: the place of a cold delivery; None: the entries have no temperatures.
    """
    builder = _RecordBuilder(delivery, place)
    return tuple(entry for visit in visits for entry in builder.add_visit(visit))


class _RecordBuilder:
    """Remembers the last reports, so that a repeated report makes no second entry."""

    def __init__(self, delivery: str, place: str | None) -> None:
        self._delivery, self._place = delivery, place
        self._codes = set[str]()
        self._open: set[str] = set()  # contacts that report open
        self._cold: float | None = None
        self._house: str | None = None

    def add_visit(self, visit: RecordedVisit) -> Iterator[RecordEntry]:
        self._open, self._cold, self._house = set(), None, None
        rows = [row for row in visit.rows if row["kind"] == "step"]
        for row in visit.before:
            yield from self._scan_entries(row)
        if rows and self._place is not None:
            yield from self._celsius_entries(visit.celsius, datetime.fromisoformat(rows[0]["at"]))
        for row in rows:
            yield from self._step_entries(row)

    def _step_entries(self, row: LogBody) -> Iterator[RecordEntry]:
        at = datetime.fromisoformat(row["at"])
        yield from self._scan_entries(row)
        if self._house is None:
            if row["phase_before"] == "unlocking" and row["phase"] in {"unlocked", "inside"}:
                yield RecordEntry(at=at, what=RecordEntryKind.UNLOCKED)
            yield from self._door_entries(row, at)
            yield from self._temperature_entries(row["event"], at)
        for command in row["commands"]:
            if command["command"] == "HouseResult" and command["house"] != self._house:
                self._house = command["house"]
                yield RecordEntry(at=at, what=RecordEntryKind(command["house"]))

    def _scan_entries(self, row: LogBody) -> Iterator[RecordEntry]:
        event = row["event"]
        if event["event"] != "Scanned" or any(command.get("word") == "no" for command in row["commands"]):
            return
        kinds = {match["kind"] for match in event["matches"] if match["delivery"] == self._delivery}
        what = next((what for kind, what in _READ_CODES.items() if kind in kinds), None)
        if what is not None and event["code"]["hmac"] not in self._codes:
            self._codes.add(event["code"]["hmac"])
            yield RecordEntry(at=datetime.fromisoformat(row["at"]), what=what, code=shown_code(event["code"]["last"]))

    def _door_entries(self, row: LogBody, at: datetime) -> Iterator[RecordEntry]:
        contact = _reported_contact(row["event"])
        if contact is None or not {row["phase_before"], row["phase"]} & _VISIT_PHASES:
            return
        sensor, value = contact
        was_open = bool(self._open)
        if value in _OPEN_DOOR_STATES:
            self._open.add(sensor)
        elif value == "closed":
            self._open.discard(sensor)
        if self._open and not was_open:
            yield RecordEntry(at=at, what=RecordEntryKind.OPENED)
        elif was_open and not self._open:
            yield RecordEntry(at=at, what=RecordEntryKind.CLOSED)

    def _temperature_entries(self, event: LogBody, at: datetime) -> Iterator[RecordEntry]:
        if event["event"] == "FridgeHeard" and event["place"] == self._place:
            yield from self._celsius_entries(event["cold"]["temp_c"], at)

    def _celsius_entries(self, celsius: object, at: datetime) -> Iterator[RecordEntry]:
        rounded = round(celsius, 1) if isinstance(celsius, int | float) and abs(celsius) <= MAX_CELSIUS else None
        if rounded is not None and rounded != self._cold:
            self._cold = rounded
            yield RecordEntry(at=at, what=RecordEntryKind.TEMPERATURE, celsius=rounded)


def _reported_contact(event: LogBody) -> tuple[str, str] | None:
    """Return the sensor of a door, a lid or a flap and its value; None: the event reports none."""
    match event:
        case {"event": "DoorHeard", "report": {"door": str(value)}}:  # as it was logged until November 2026
            return "door", value
        case {"event": "SensorReported", "sensor": str(sensor), "value": str(value)} if (
            sensor.rpartition("/")[2] in _CONTACTS
        ):
            return sensor, value
        case _:
            return None


def shown_code(code: str) -> str | None:
    """Return the last four characters of a parcel's code; None: they cannot be printed."""
    return code[-4:] if _SHOWN_CODE.fullmatch(code[-4:]) else None


def chain_lines(entries: Sequence[RecordEntry]) -> tuple[tuple[RecordLine, ...], int]:
    """Return the entries in order with their hashes, and how many were left out of the middle for `MAX_LINES`."""
    ordered = sorted(entries, key=attrgetter("at"))
    left_out = max(0, len(ordered) - MAX_LINES)
    kept = ordered if not left_out else [*ordered[: MAX_LINES // 2], *ordered[-(MAX_LINES // 2) :]]
    head, lines = _GENESIS, list[RecordLine]()
    for n, entry in enumerate(kept, start=1):
        head = hash_chain.ChainHead(seq=n, hash=hash_chain.link_hash(head.hash, n, _hashed_body(entry)))
        lines.append(RecordLine(**entry.model_dump(), n=n, hash=head.hash.hex()))
    return tuple(lines), left_out


def head_hash(lines: Sequence[RecordLine]) -> str:
    """Return the hash of the last line, or of the chain's beginning if there is no line."""
    return lines[-1].hash if lines else _GENESIS.hash.hex()


def first_break(lines: Sequence[RecordLine], statement: Statement) -> hash_chain.ChainBreak | None:
    """Return the first line that differs from what the box signed; None: no line differs."""
    entries = [
        hash_chain.ChainEntry(seq=line.n, body=_hashed_body(line), hash=bytes.fromhex(line.hash)) for line in lines
    ]
    chain_break = hash_chain.find_break(entries, after=_GENESIS)
    if chain_break is None and len(lines) != statement.lines:
        return hash_chain.ChainBreak(seq=min(len(lines), statement.lines) + 1, fault=hash_chain.ChainFault.MISSING)
    if chain_break is None and head_hash(lines) != statement.head:
        return hash_chain.ChainBreak(seq=len(lines), fault=hash_chain.ChainFault.CHANGED)
    return chain_break


def _hashed_body(entry: RecordEntry) -> bytes:
    whole: dict[str, Any] = json.loads(entry.model_dump_json(exclude_none=True, exclude={"n", "hash"}))
    return hash_chain.canonical_json(whole)

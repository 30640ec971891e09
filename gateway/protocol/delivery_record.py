"""A box's account of a delivery that is over: the extract of its log that a retailer may have, signed. Pure.

The extract is written for the retailer (`lines_of`): when each of his parcels was read at the door, when the bolt was
drawn, the door opened and closed and bolted again, and of a cold delivery how cold it was kept. Of what else stands in
the log about a visit (who was told, the cameras, the household's words) nothing is in it, not even as a digest: a line
of a log has so little that is unknown in it that a digest could be guessed.

The lines are a hash chain of their own (gateway/protocol/hash_chain.py), so that a line that was altered, moved or
left out is named. What the box signs is the `Statement`: how it ended, the number of lines, and the hash of the last.
Statement and lines are one entry of the box's own log; `entry` is that entry's hash, which covers everything before
it. Whoever has it holds the log as it was then: a log that is shown later and was rewritten before that entry does not
contain it. The entry's *number* is not told, nor the hash before it: two numbers tell how much happened in a house in
between.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gateway.domain.delivery.promise import Digest, Id, Instant, State, Version, Wire
from gateway.domain.visit.state import DoorResult
from gateway.protocol.hash_chain import Broken, Entry, Fault, Head, canonical, check, link

HOTTEST = 100.0  # °C: what a thermometer says beyond it, or that is no number, is not told
MOST = 60  # lines: an event of a box has a largest size
BEFORE = timedelta(seconds=70)  # a parcel may be read a minute before its courier's code, and only then a visit begins
ENDS = frozenset({State.DELIVERED, State.PARTLY_DELIVERED, State.NOT_DELIVERED})
"""States of which there is something to tell."""

_BEGIN = Head(hash=sha256(b"perron account 1").digest())
_OPEN = frozenset({"open", "ajar", "forced_open"})
_LAST = re.compile(r"[!-~]{1,4}")
_ALLOWED = frozenset({"unlocking", "unlocked", "inside", "relocking"})  # phases in which the door is the visit's

Row = Mapping[str, Any]
_Token = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")]


class What(StrEnum):
    """What happened."""

    PARCEL = auto()
    """One of the parcels was read at the door; `code`: its last four characters."""

    UNLOCKED = auto()
    """The lock reported the bolt drawn."""

    OPENED = auto()
    CLOSED = auto()

    TEMPERATURE = auto()
    """What the place of a cold delivery measured, to a tenth: as the visit began, and whenever it changed in it."""

    LOCKED_AGAIN = auto()
    """Door and bolt were proven closed, each by an answer to a fresh question."""

    HANDED_TO_OWNER = auto()
    NOT_OPENED = auto()


class Said(Wire):
    """One thing that happened, before it has its place."""

    at: Instant
    what: What
    code: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,4}$")] | None = None
    celsius: Annotated[float, Field(ge=-HOTTEST, le=HOTTEST)] | None = None


class Line(Said):
    """One line of the extract: `n` counts from 1, `hash` covers it and the lines before."""

    n: Annotated[int, Field(ge=1, le=MOST)]
    hash: Digest


class Statement(Wire):
    """What the box signs of a delivery. `lines`, `head`: how many and the last one's hash. `entry`: see above.

    `message_sha256`: of the message that promised that version, as the home took it, byte for byte: whoever holds the
    key that signed it can show no other in its place. None: the home took it before it noted that.
    `left_out`: lines in the middle for which there was no room (a door that was opened and closed again and again).
    `clock_trusted`: whether the box knew the time at each of them. `sandbox`: the home does not exist.
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
    at: Instant
    clock_trusted: bool
    sandbox: bool = False
    lines: Annotated[int, Field(ge=0, le=MOST)]
    left_out: Annotated[int, Field(ge=0)] = 0
    head: Digest
    entry: Digest


class Account(Wire):
    """As it travels: the lines in clear, and the statement as a JWS under the box's key (protocol/box_event.py)."""

    lines: Annotated[tuple[Line, ...], Field(max_length=MOST)]
    token: _Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One visit as the log has it. `rows`: its own, oldest first (gateway/storage/decisions.py).

    `before`: the entrance's from shortly before, in which its parcels may have been read. `celsius`: what the place of
    a cold delivery measured as the visit began.
    """

    rows: Sequence[Row]
    before: Sequence[Row] = ()
    celsius: float | None = None


def lines_of(visits: Iterable[Seen], delivery: str, *, place: str | None = None) -> tuple[Said, ...]:
    """Tell the visits of one delivery, oldest first.

    `delivery`: its name in the house. `place`: where it is to be kept cold; None: nothing is told of temperatures.
    """
    teller = _Teller(delivery, place)
    return tuple(said for seen in visits for said in teller.visit(seen))


class _Teller:
    """Remembers what was last said, so that a report that is repeated is not told twice."""

    def __init__(self, delivery: str, place: str | None) -> None:
        self._delivery, self._place = delivery, place
        self._codes = set[str]()
        self._open = False
        self._cold: float | None = None
        self._house: str | None = None

    def visit(self, seen: Seen) -> Iterator[Said]:
        self._open, self._cold, self._house = False, None, None
        rows = [row for row in seen.rows if row["kind"] == "step"]
        for row in seen.before:
            yield from self._scanned(row)
        if rows and self._place is not None:
            yield from self._measured(seen.celsius, datetime.fromisoformat(rows[0]["at"]))
        for row in rows:
            yield from self._tell(row)

    def _tell(self, row: Row) -> Iterator[Said]:
        at = datetime.fromisoformat(row["at"])
        yield from self._scanned(row)
        if self._house is None:
            if row["phase_before"] == "unlocking" and row["phase"] in {"unlocked", "inside"}:
                yield Said(at=at, what=What.UNLOCKED)
            yield from self._door(row, at)
            yield from self._temperature(row["event"], at)
        for command in row["commands"]:
            if command["command"] == "HouseResult" and command["house"] != self._house:
                self._house = command["house"]
                yield Said(at=at, what=What(command["house"]))

    def _scanned(self, row: Row) -> Iterator[Said]:
        event = row["event"]
        if event["event"] != "Scanned" or any(one.get("word") == "no" for one in row["commands"]):
            return
        ours = any(match == {"kind": "parcel", "delivery": self._delivery} for match in event["matches"])
        if ours and event["code"]["hmac"] not in self._codes:
            self._codes.add(event["code"]["hmac"])
            at = datetime.fromisoformat(row["at"])
            yield Said(at=at, what=What.PARCEL, code=last_of(event["code"]["last"]))

    def _door(self, row: Row, at: datetime) -> Iterator[Said]:
        event = row["event"]
        if event["event"] != "DoorHeard" or not {row["phase_before"], row["phase"]} & _ALLOWED:
            return
        door = event["report"]["door"]
        if door in _OPEN and not self._open:
            self._open = True
            yield Said(at=at, what=What.OPENED)
        elif door == "closed" and self._open:
            self._open = False
            yield Said(at=at, what=What.CLOSED)

    def _temperature(self, event: Row, at: datetime) -> Iterator[Said]:
        if event["event"] == "FridgeHeard" and event["place"] == self._place:
            yield from self._measured(event["cold"]["temp_c"], at)

    def _measured(self, celsius: object, at: datetime) -> Iterator[Said]:
        found = round(celsius, 1) if isinstance(celsius, int | float) and abs(celsius) <= HOTTEST else None
        if found is not None and found != self._cold:
            self._cold = found
            yield Said(at=at, what=What.TEMPERATURE, celsius=found)


def last_of(code: str) -> str | None:
    """The end of a parcel's code, by which it is named; None: it is not one that can be shown."""
    return code[-4:] if _LAST.fullmatch(code[-4:]) else None


def chained(said: Sequence[Said]) -> tuple[tuple[Line, ...], int]:
    """Put them in their order, each under its hash; and how many in the middle were left out for want of room."""
    ordered = sorted(said, key=lambda one: one.at)
    left_out = max(0, len(ordered) - MOST)
    kept = ordered if not left_out else [*ordered[: MOST // 2], *ordered[-(MOST // 2) :]]
    head, lines = _BEGIN, list[Line]()
    for n, one in enumerate(kept, start=1):
        head = Head(seq=n, hash=link(head.hash, n, _body(one)))
        lines.append(Line(**one.model_dump(), n=n, hash=head.hash.hex()))
    return tuple(lines), left_out


def head_of(lines: Sequence[Line]) -> str:
    """The hash of the last line; without any, of what stands before the first."""
    return lines[-1].hash if lines else _BEGIN.hash.hex()


def broken(lines: Sequence[Line], statement: Statement) -> Broken | None:
    """Name the first line that is not as the box signed it; None: all are."""
    entries = [Entry(seq=one.n, body=_body(one), hash=bytes.fromhex(one.hash)) for one in lines]
    found = check(entries, after=_BEGIN)
    if found is None and len(lines) != statement.lines:
        return Broken(seq=min(len(lines), statement.lines) + 1, fault=Fault.MISSING)
    if found is None and head_of(lines) != statement.head:
        return Broken(seq=len(lines), fault=Fault.CHANGED)
    return found


def _body(said: Said) -> bytes:
    """What a line's hash covers beside its number."""
    whole: dict[str, Any] = json.loads(said.model_dump_json(exclude_none=True, exclude={"n", "hash"}))
    return canonical(whole)

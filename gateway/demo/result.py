"""What became of one scenario, as one JSON object, and what the door itself says of it.

Openings and their order are read from the simulated house's physical log and from nowhere else: the gateway's own word
proves nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, TypeAdapter

from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import DoorResult, Outcome, Phase, Refusal
from gateway.mqtt.publisher import rfc3339_ms

Instant = Annotated[datetime, PlainSerializer(rfc3339_ms, return_type=str, when_used="json")]
_INSTANT: TypeAdapter[datetime] = TypeAdapter(datetime)

Line = Mapping[str, object]
"""One line of the house's physical log (`devices.simulators.physical_log`)."""


class Move(StrEnum):
    """What bolt and leaf can do, and who did it where that matters."""

    UNLOCKED = "unlocked"
    LOCKED = "locked"
    UNLOCKED_BY_HAND = "unlocked by hand"
    LOCKED_BY_HAND = "locked by hand"
    UNLOCKED_BY_APP = "unlocked by app"
    LOCKED_BY_ITSELF = "locked by itself"
    BOLT_IN_THE_AIR = "bolt thrown with the door open"
    OPENED = "opened"
    CLOSED = "closed"
    FORCED = "forced open"


class Part(BaseModel):
    """A part of the object: nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PhaseAt(Part):
    """A phase and when it began; `ready` is the end of a visit."""

    phase: Phase | Literal["ready"]
    at: Instant


class RefusalAt(Part):
    """A no at the door."""

    code: Refusal
    at: Instant


class AlarmAt(Part):
    """An alarm; one that is raised again stands here again."""

    code: AlarmCode
    at: Instant


class Opening(Part):
    """The door opened, from the bolt's withdrawal until it was thrown again; None: it did not happen.

    `opened_at` is the first opening of the leaf, `closed_at` the last closing. A forced door has no `unlocked_at`.
    """

    unlocked_at: Instant | None
    opened_at: Instant
    closed_at: Instant | None
    locked_at: Instant | None


class Clip(Part):
    """One film file; `path` is relative to the proof's folder, `gaps` are (start, end) pairs within it."""

    camera: str
    path: str
    start: Instant
    end: Instant
    sha256: str
    gaps: tuple[tuple[Instant, Instant], ...] = ()


class Told(Part):
    """What somebody was told."""

    to: str
    text: str
    at: Instant


class Proof(Part):
    """The proof's folder (None: nobody came in, so nothing was filmed for good) and whether all of it verifies."""

    folder: str | None
    verified: bool


class Result(Part):
    """The whole object, as `perron demo --json` prints it."""

    scenario: str
    outcome: Outcome | None
    expected: Outcome | None
    house: DoorResult | None
    ok: bool
    phases: tuple[PhaseAt, ...]
    refusals: tuple[RefusalAt, ...]
    openings: tuple[Opening, ...]
    clips: tuple[Clip, ...]
    alarms: tuple[AlarmAt, ...]
    messages: tuple[Told, ...]
    proof: Proof
    house_log: str


def instant(line: Line) -> datetime:
    """When a line of the physical log was written."""
    return _INSTANT.validate_python(line["at"])


def moves(log: Iterable[Line]) -> tuple[Move, ...]:
    """Everything that bolt and leaf did, in order."""
    found = [_move(line) for line in log if line["what"] in {"bolt", "door"}]
    return tuple(found)


def _move(line: Line) -> Move:
    if line["what"] == "door":
        if line.get("forced"):
            return Move.FORCED
        return Move.OPENED if line["state"] == "open" else Move.CLOSED
    cause = line["cause"]
    if line["state"] == "withdrawn":
        return {"hand": Move.UNLOCKED_BY_HAND, "app": Move.UNLOCKED_BY_APP}.get(str(cause), Move.UNLOCKED)
    if line["in_air"]:
        return Move.BOLT_IN_THE_AIR
    return {"hand": Move.LOCKED_BY_HAND, "itself": Move.LOCKED_BY_ITSELF}.get(str(cause), Move.LOCKED)


def openings(log: Sequence[Line]) -> tuple[Opening, ...]:
    """Every opening, read from the physical log. A withdrawal under which nobody opened the door is none."""
    found: list[Opening] = []
    unlocked: datetime | None = None
    opened: datetime | None = None
    closed: datetime | None = None
    for line in log:
        match line["what"], line.get("state"):
            case "bolt", "withdrawn":
                unlocked = unlocked or (instant(line) if opened is None else None)
            case "door", "open":
                opened, closed = opened or instant(line), None
            case "door", "closed":
                closed = instant(line)
            case "bolt", "thrown":
                if opened is not None and not line["in_air"]:
                    found.append(_opening(unlocked, opened, closed, instant(line)))
                    opened = closed = None
                unlocked = None if opened is None else unlocked
            case _:
                pass
    if opened is not None:
        found.append(_opening(unlocked, opened, closed, None))
    return tuple(found)


def _opening(unlocked: datetime | None, opened: datetime, closed: datetime | None, locked: datetime | None) -> Opening:
    return Opening(unlocked_at=unlocked, opened_at=opened, closed_at=closed, locked_at=locked)

"""The result of a scenario as one JSON object, with the door's own evidence.

Openings and their order are read from the simulated house's physical log and from nowhere else: the gateway's own word
proves nothing here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, TypeAdapter

from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import Phase
from gateway.mqtt.publisher import rfc3339_ms

Instant = Annotated[datetime, PlainSerializer(rfc3339_ms, return_type=str, when_used="json")]
_INSTANT: TypeAdapter[datetime] = TypeAdapter(datetime)

LogLine = Mapping[str, object]
"""One line of the house's physical log (`devices.simulators.physical_log`)."""


class DoorMovement(StrEnum):
    """Movements of bolt and leaf, with their cause where it matters."""

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


class ResultModel(BaseModel):
    """A part of the result; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PhaseAt(ResultModel):
    """A phase and when it began; `ready` is the end of a visit."""

    phase: Phase | Literal["ready"]
    at: Instant


class RefusalAt(ResultModel):
    """A refusal at the door."""

    code: Refusal
    at: Instant


class AlarmAt(ResultModel):
    """An alarm; a repeated alarm is listed again."""

    code: AlarmCode
    at: Instant


class PhysicalOpening(ResultModel):
    """A door opened, from the bolt's withdrawal until it was thrown again; None: it did not happen.

    `thing`: which street door, compartment or key safe; None: the front door.
    """

    thing: str | None = None
    unlocked_at: Instant | None = None  # None: the door was forced
    opened_at: Instant  # for the first time
    closed_at: Instant | None = None  # for the last time
    locked_at: Instant | None = None


class DemoClip(ResultModel):
    """One film file; `path` is relative to the proof's folder, `gaps` are (start, end) pairs within it."""

    camera: str
    path: str
    start: Instant
    end: Instant
    sha256: str
    gaps: tuple[tuple[Instant, Instant], ...] = ()


class DemoNotification(ResultModel):
    """A message and its receiver."""

    to: str
    text: str
    at: Instant


class DemoProof(ResultModel):
    """The proof's folder (None: no visit was kept) and whether the whole proof verifies."""

    folder: str | None
    verified: bool


class ScenarioResult(ResultModel):
    """The result of a run, as `perron demo --json` prints it."""

    scenario: str
    outcome: Outcome | None
    expected: Outcome | None
    house: DoorResult | None
    ok: bool
    phases: tuple[PhaseAt, ...]
    refusals: tuple[RefusalAt, ...]
    openings: tuple[PhysicalOpening, ...]
    clips: tuple[DemoClip, ...]
    alarms: tuple[AlarmAt, ...]
    messages: tuple[DemoNotification, ...]
    proof: DemoProof
    house_log: str


def instant_of(line: LogLine) -> datetime:
    """Return when a line of the physical log was written."""
    return _INSTANT.validate_python(line["at"])


def door_movements(log: Iterable[LogLine]) -> tuple[str, ...]:
    """Return all that doors, bolts, latches, strikes and keys did, in order: a `DoorMovement`, or `street opened`."""
    return tuple(
        _movement_of(line) if line["what"] in {"bolt", "door"} else _thing_movement(line)
        for line in log
        if line["what"] in {"bolt", "door", "car", *_THING_WORDS}
    )


_THING_WORDS: Mapping[str, tuple[str, Mapping[object, str]]] = {  # the key of a line, and the word of each value
    "strike": ("released", {True: "released", False: "held"}),
    "way": ("state", {"open": "opened", "closed": "closed", "ajar": "left ajar"}),
    "latch": ("caught", {True: "caught", False: "unlatched"}),
    "key": ("present", {True: "key hung back", False: "key taken"}),
}

_CAR_WORDS: Mapping[bool, Mapping[bool, str]] = {  # whether the line is about driving, and its value
    False: {True: "locked", False: "unlocked"},
    True: {True: "drives off", False: "parks"},
}


def _thing_movement(line: LogLine) -> str:
    if line["what"] == "car":  # it has two such keys, and a line has one of them
        word = _CAR_WORDS["driving" in line][bool(line.get("driving", line.get("locked")))]
        return f"{line['thing']} {word}"
    key, words = _THING_WORDS[str(line["what"])]
    return f"{line['thing']} {words[line[key]]}"


def _movement_of(line: LogLine) -> DoorMovement:
    if line["what"] == "door":
        if line.get("forced"):
            return DoorMovement.FORCED
        return DoorMovement.OPENED if line["state"] == "open" else DoorMovement.CLOSED
    if line["state"] == "withdrawn":
        causes = {"hand": DoorMovement.UNLOCKED_BY_HAND, "app": DoorMovement.UNLOCKED_BY_APP}
        return causes.get(str(line["cause"]), DoorMovement.UNLOCKED)
    if line["in_air"]:
        return DoorMovement.BOLT_IN_THE_AIR
    causes = {"hand": DoorMovement.LOCKED_BY_HAND, "itself": DoorMovement.LOCKED_BY_ITSELF}
    return causes.get(str(line["cause"]), DoorMovement.LOCKED)


def physical_openings(log: Sequence[LogLine]) -> tuple[PhysicalOpening, ...]:
    """Return each opening in the physical log, in the order in which they began.

    A bolt that was withdrawn, or a strike that let go, without an opened door is not an opening.
    """
    things = dict.fromkeys(line.get("thing") for line in log if line["what"] in _BARRIERS)
    openings = [
        opening
        for thing in things
        for opening in _openings_of(
            None if thing is None else str(thing), [line for line in log if line.get("thing") == thing]
        )
    ]
    return tuple(sorted(openings, key=lambda opening: opening.unlocked_at or opening.opened_at))


_BARRIERS = frozenset({"bolt", "door", "strike", "way", "latch"})


def _openings_of(thing: str | None, log: Sequence[LogLine]) -> Iterator[PhysicalOpening]:
    has_latch = thing is None or any(line["what"] == "latch" for line in log)
    times: dict[str, datetime] = {}  # since the closure last held
    for line in log:
        match line["what"], line.get("state", line.get("caught", line.get("released"))):
            case ("bolt", "withdrawn") | ("latch", False) | ("strike", True) if "opened_at" not in times:
                times.setdefault("unlocked_at", instant_of(line))
            case (("door" | "way"), "open"):
                times.setdefault("opened_at", instant_of(line))
                times.pop("closed_at", None)
            case (("door" | "way"), "closed"):
                times["closed_at"] = instant_of(line)
                if not has_latch and "opened_at" in times:
                    yield PhysicalOpening(thing=thing, **times, locked_at=instant_of(line))
                    times.clear()
            case ("bolt", "thrown") | ("latch", True) | ("strike", False) if "opened_at" not in times:
                times.clear()
            case ("bolt", "thrown") | ("latch", True) if not line.get("in_air"):
                # A lid's latch catches in the moment in which it is pushed shut, before its contact notices that.
                times.setdefault("closed_at", instant_of(line))
                yield PhysicalOpening(thing=thing, **times, locked_at=instant_of(line))
                times.clear()
            case _:
                pass
    if "opened_at" in times:
        yield PhysicalOpening(thing=thing, **times)

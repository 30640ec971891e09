"""The result of a scenario as one JSON object, with the door's own evidence.

Openings and their order are read from the simulated house's physical log and from nowhere else: the gateway's own word
proves nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence
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
    """The door opened, from the bolt's withdrawal until it was thrown again; None: it did not happen."""

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


def door_movements(log: Iterable[LogLine]) -> tuple[DoorMovement, ...]:
    """Return all movements of bolt and leaf, in order."""
    return tuple(_movement_of(line) for line in log if line["what"] in {"bolt", "door"})


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
    """Return each opening in the physical log. A withdrawn bolt without an opened door is not an opening."""
    openings: list[PhysicalOpening] = []
    times: dict[str, datetime] = {}  # since the bolt was last thrown into its keep
    for line in log:
        match line["what"], line.get("state"):
            case "bolt", "withdrawn" if "opened_at" not in times:
                times.setdefault("unlocked_at", instant_of(line))
            case "door", "open":
                times.setdefault("opened_at", instant_of(line))
                times.pop("closed_at", None)
            case "door", "closed":
                times["closed_at"] = instant_of(line)
            case "bolt", "thrown" if "opened_at" not in times:
                times.clear()
            case "bolt", "thrown" if not line["in_air"]:
                openings.append(PhysicalOpening(**times, locked_at=instant_of(line)))
                times.clear()
            case _:
                pass
    return (*openings, PhysicalOpening(**times)) if "opened_at" in times else tuple(openings)

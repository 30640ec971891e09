"""Reads rows of the audit log and yields what happened, one happening after the other. Pure.

A row is one stored decision (`gateway/storage/decisions.py`) in the log's own names (`docs/reference/proof-format.md`).
The terminal, a visit's page and its report each put into words what their reader needs of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Literal

from pydantic import AliasChoices, AliasPath, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.domain.frozen import Frozen


class HappeningKind(StrEnum):
    """What can happen: the log's name of an event (with a plus, if the event says yes) or of a command.

    The comment says what `Happening.value` is; without one it is empty.
    """

    BOLT_REPORTED = "LockHeard"  # the state of a bolt; `subject`: its closure, empty for the main door
    DOOR_REPORTED = "DoorHeard"  # the state of a door, a lid or a flap; `subject` as above
    SENSOR_REPORTED = "SensorReported"  # the value of any other sensor; `subject`: the sensor
    FRIDGE_REPORTED = "FridgeHeard"  # the place; `temp_c` is set
    CODE_SCANNED = "Scanned"  # the id of the scan, which becomes the id of its visit
    LOCK_FAILED = "LockFailed"  # why
    DEVICE_OFFLINE = "DeviceLost"  # the device
    BROKER_CONNECTED = "BrokerUp"
    BROKER_LOST = "BrokerDown"
    RESTARTED = "Restarted"
    SAFE_MODE_STARTED = "Restarted+"
    DISK_FAILED = "DiskChanged"
    WINDOW_NEAR = "WindowChanged+"
    WINDOW_OVER = "WindowChanged"
    HOUSEHOLD_ANSWERED = "SomebodyAnswered"
    OWNER_ALLOWED = "OwnerDecided+"
    OWNER_REFUSED = "OwnerDecided"
    STOPPED = "Stopped"
    STOP_LIFTED = "StopLifted"
    OWNER_ACKNOWLEDGED = "OwnerAcknowledged"
    PAUSES_CHANGED = "PausesChanged"  # the number of pauses
    STAYS_CHANGED = "StaysChanged"  # the number of stays of guests
    LOCK_REQUESTED = "LockAsked"
    UNLOCK_NOT_SENT = "UnlockNotSent"  # why
    PROOF_SEALED = "Sealed"  # the visit
    SCAN_ANSWERED = "Answer"  # the `ScanAnswer`; `subject`: the scanner; `detail`: the `Refusal`
    BELL_RUNG = "Ring"
    OPENING_RESERVED = "Reserve"
    UNLOCK_SENT = "Unlock"
    LOCK_SENT = "Lock"  # the number of the try
    GARAGE_CLOSE_SENT = "Close"  # the number of the try
    ALARM_RAISED = "Alarm"  # the `AlarmCode`; `subject`: one of several closures; `detail`: the device or place
    PARCELS_REPORTED = "ParcelResult"  # the `Outcome`; `subject`: the delivery
    DOOR_RESULT_REPORTED = "HouseResult"  # the `DoorResult`
    NOTE_LOGGED = "Note"  # the note
    READINESS_CHECKED = "Readiness"  # `subject`: the delivery; `lacking`: what it waits for
    PHASE_ENTERED = "phase"  # the phase; `previous`: the one before


class LoggedCode(Frozen):
    """A scanned code in the log: its last characters, whether it is a courier's, and the id of the keeper, if any."""

    end: str
    is_courier: bool
    keeper: str = ""


class Happening(Frozen):
    """One thing that happened, at the box's time in UTC; `is_clock_trusted`: the box was certain of its clock then.

    `previous`: the value of the last happening of this kind at this entrance (None: there was none). `is_retained`: the
    report is the broker's stored copy. `code`: what was scanned, where a scan is answered.
    """

    kind: HappeningKind
    at: datetime
    is_clock_trusted: bool
    entrance: str | None
    value: str = ""
    previous: str | None = None
    subject: str = ""
    detail: str = ""
    lacking: tuple[str, ...] = ()
    is_retained: bool = False
    temp_c: float | None = None
    code: LoggedCode | None = None


class _LogPart(BaseModel):
    """A part of a row; the log writes more than is read here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Event(_LogPart):
    """An event. `value` and `flag` are its one fact that matters here, under the name that it has in each event."""

    event: str
    value: str | None = Field(
        None,
        validation_alias=AliasChoices(
            AliasPath("report", "bolt"),
            AliasPath("report", "door"),
            "value",
            "place",
            "failure",
            "device",
            "why",
            "id",
            "visit",
        ),
    )
    sensor: str = ""
    flag: bool = Field(default=False, validation_alias=AliasChoices("safe_mode", "ok", "expecting", "yes"))
    retained: bool = Field(default=True, validation_alias=AliasPath("heard", "retained"))
    temp_c: Annotated[float, Field(ge=-100, le=200)] | None = Field(None, validation_alias=AliasPath("cold", "temp_c"))
    periods: tuple[object, ...] | None = Field(None, validation_alias=AliasChoices("pauses", "stays"))
    code_end: str = Field("", validation_alias=AliasPath("code", "last"))
    matches: tuple[Mapping[str, object], ...] = ()
    keeper: str = ""

    def scanned_code(self) -> LoggedCode | None:
        """Return the code, if it is a scan."""
        is_courier = any(match.get("kind") == "courier" for match in self.matches)
        if self.event != "Scanned":
            return None
        return LoggedCode(end=self.code_end, is_courier=is_courier, keeper=self.keeper)


class _Command(_LogPart):
    """A command; `value`, `subject` and `detail` are `Happening`'s, under the names that they have in each command."""

    command: str
    value: str | int | None = Field(
        None, validation_alias=AliasChoices("word", "outcome", "house", "what", "code", "n")
    )
    subject: str | None = Field(None, validation_alias=AliasChoices("scanner", "delivery"))
    detail: str | None = Field(None, validation_alias=AliasChoices("refusal", "detail"))
    closure: str = ""
    lacking: tuple[str, ...] = ()


class _Step(_LogPart):
    kind: Literal["step"]
    at: AwareDatetime
    trusted: bool = False
    entrance: str | None = None
    event: _Event
    commands: tuple[_Command, ...] = ()
    phase: str = ""
    phase_before: str | None = None


_KINDS = {kind.value: kind for kind in HappeningKind}
_REPORTS = frozenset(
    {
        HappeningKind.BOLT_REPORTED,
        HappeningKind.DOOR_REPORTED,
        HappeningKind.SENSOR_REPORTED,
        HappeningKind.FRIDGE_REPORTED,
    }
)
# What the sensors of closures measure, by the last part of their names
_SENSOR_KINDS = {
    **dict.fromkeys(("lock", "latch"), HappeningKind.BOLT_REPORTED),
    **dict.fromkeys(("door", "lid", "flap"), HappeningKind.DOOR_REPORTED),
}


def narrative(rows: Iterable[object]) -> Iterator[Happening]:
    """Yield what the rows say, in their order. A row that is no decision, or is malformed, says nothing."""
    reader = NarrativeReader()
    for row in rows:
        yield from reader.happenings(row)


class NarrativeReader:
    """Reads one row after the other, and remembers what bolt and door of each entrance reported last."""

    def __init__(self) -> None:
        self._last_reports: dict[tuple[str | None, HappeningKind, str], str] = {}

    def happenings(self, row: object) -> Iterator[Happening]:
        """Yield what this row says: its event, its commands, then the change of phase."""
        try:
            step = _Step.model_validate(row)
        except ValidationError:
            return
        happened = partial(Happening, at=step.at, is_clock_trusted=step.trusted, entrance=step.entrance)
        event, kind = step.event, _KINDS.get(f"{step.event.event}+" if step.event.flag else step.event.event)
        value, subject = str(len(event.periods)) if event.periods is not None else event.value or "", ""
        if kind is HappeningKind.SENSOR_REPORTED:
            closure, _slash, role = event.sensor.rpartition("/")
            kind = _SENSOR_KINDS.get(role, kind)
            subject = event.sensor if kind is HappeningKind.SENSOR_REPORTED else closure
        if kind is not None and (value or kind not in _REPORTS):
            key = step.entrance, kind, subject
            yield happened(
                kind=kind, value=value, previous=self._last_reports.get(key), is_retained=event.retained,
                temp_c=event.temp_c, subject=subject,
            )  # fmt: skip
            self._last_reports[key] = value
        for command in step.commands:
            if command.command in _KINDS:
                kind, of_alarm = _KINDS[command.command], command.closure if command.command == "Alarm" else ""
                yield happened(
                    kind=kind, value=str(command.value or ""), code=event.scanned_code(),
                    subject=command.subject or of_alarm, detail=command.detail or "", lacking=command.lacking,
                )  # fmt: skip
        if step.phase != step.phase_before:
            yield happened(kind=HappeningKind.PHASE_ENTERED, value=step.phase, previous=step.phase_before)

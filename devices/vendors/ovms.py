"""Supports cars with an OVMS v3 module, which has its own mobile network and asks nobody's cloud.

`address` is the module's topic prefix, `ovms/<user>/<vehicle id>`:

    <address>/client/perron/command/state    to the module: a line for each group of metrics that it shall list
    <address>/client/perron/response/state   its answer: a line for each metric, name and value
    <address>/client/perron/command/order    to the module: `script run perron-open` or `script run perron-lock`
    <address>/client/perron/response/order   what the script wrote
    <address>/metric/s/v3/connected          yes; no is the module's last will
    <address>/metric/v/d/trunk, v/e/locked   yes or no, when they change
    <address>/metric/v/e/on                  yes: the ignition is on

The two command scripts lie in the module (`/store/scripts`), so the PIN of `unlock <pin>` stays in the car. An owner
whose car has an order for the boot alone writes it into `perron-open`. The module obeys a late copy of an order too.

Its broker connection keeps order: an answer that arrives after a piece of bad news was made after it. Only the answer's
own topic answers a query; a metric that comes by itself is news.

The module writes latitude and longitude with six digits, so the last one is part of the error of a fix. Its accuracy
follows from HDOP, its age from the module's own two clocks (`m.time.utc`, `v.p.gpstime`): a module that switches its
GPS off while the car is parked keeps an old fix, and says so by them. Firmware since the end of 2023 lists both as
dates, before it as seconds. Whether a date has its zone behind it was not confirmed with a real module.

A value is read whole or not at all: of `2026-11-30 10:00:00` the number 2026 is no time.

From OVMS's source and user guide (github.com/openvehicles/Open-Vehicle-Monitoring-System-3: `ovms_server_v3.cpp`,
`ovms_metrics.cpp`, `userguide/metrics.rst`; dates: its pull requests 776 and 954).
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    DoorReport,
    DoorState,
    ErrorReport,
    LockReport,
    LockState,
    OperationError,
    ParkedReport,
    PositionReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload
from devices.vendors import movement
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import plain_text, unreadable_as_report
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

MAX_ANSWER_BYTES = 16_384
OPEN_ORDER, LOCK_ORDER = b"script run perron-open", b"script run perron-lock"
QUERY = b"metrics list v.p.\nmetrics list v.d.trunk\nmetrics list v.e.\nmetrics list m.time.utc"
METRES_PER_HDOP = 5.0  # the error of a civil receiver at HDOP 1
SIGNIFICANT_DIGITS = 6  # of a number that the module writes
METRES_PER_DEGREE = 111_195.0
_YES_NO = {"yes": True, "no": False}
_NUMBER = re.compile(r"(-?\d{1,12}(?:\.\d{1,12})?)([A-Za-z/°]{0,8})")
_NO_UNIT, _DEGREES, _SECONDS = frozenset({""}), frozenset({"", "°"}), frozenset({"", "Sec", "sec", "s"})
_DURATIONS = _SECONDS | {"Min", "min", "Hour", "h"}
_SPEEDS = frozenset({"", "km/h", "Kph", "kph", "Mph", "mph", "m/s"})
_DATE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ?([A-Za-z0-9+:-]{0,8})")
# A date without a zone may be local. Clocks are set back at night, and then an hour comes twice.
_UNAMBIGUOUS_HOURS = range(4, 22)
_TRUNK, _LOCKED, _ON, _SPEED, _OFF_FOR = "v.d.trunk", "v.e.locked", "v.e.on", "v.p.speed", "v.e.parktime"
_LATITUDE, _LONGITUDE, _HAS_FIX, _HDOP = "v.p.latitude", "v.p.longitude", "v.p.gpslock", "v.p.gpshdop"
_FIX_TIME, _NOW = "v.p.gpstime", "m.time.utc"
_LIVE: Mapping[TopicSuffix, str] = {
    TopicSuffix.STATE: _TRUNK,
    TopicSuffix.BOLT: _LOCKED,
    TopicSuffix.MOTION: _ON,
}
_SIMULATED_NOW = 1_572_590_910  # the example of the user guide


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topics of the module."""
    metric, client = f"{device_ref.address}/metric", f"{device_ref.address}/client/perron"
    return {
        TopicSuffix.STATE: f"{metric}/v/d/trunk",
        TopicSuffix.BOLT: f"{metric}/v/e/locked",
        TopicSuffix.MOTION: f"{metric}/v/e/on",
        TopicSuffix.AVAILABILITY: f"{metric}/s/v3/connected",
        TopicSuffix.RESULT: f"{client}/response/state",
        TopicSuffix.EVENT: f"{client}/response/order",
        TopicSuffix.SET: f"{client}/command/order",
        TopicSuffix.GET: f"{client}/command/state",
    }


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF) -> Iterable[Report]:
    """Parse a message of the module; an unreadable one gives one `UnreadablePayload`."""
    text = plain_text(payload, MAX_ANSWER_BYTES)
    match suffix:
        case TopicSuffix.AVAILABILITY:
            if text not in _YES_NO:
                raise MalformedPayload("the module's connection is neither yes nor no")
            return (AvailabilityReport(online=_YES_NO[text]),)
        case TopicSuffix.RESULT:
            reports = tuple(_listed(_metrics(text)))
            if not reports:
                raise MalformedPayload("the answer lists none of the metrics that were asked for")
            return reports
        case TopicSuffix.EVENT:
            is_refused = text.casefold().startswith(("error", "unrecognised", "invalid", "not permitted"))
            return (ErrorReport(id=None, failure=OperationError.UNSPECIFIED),) if is_refused else ()
        case TopicSuffix.MOTION:  # an ignition that is off is good news: only the answer has the speed beside it
            return (ParkedReport(parked=False),) if _YES_NO.get(text) else ()
        case TopicSuffix.STATE | TopicSuffix.BOLT:
            return tuple(_listed({_LIVE[suffix]: text}))
        case _:
            raise MalformedPayload("the module tells metrics, answers and its connection")


def _metrics(text: str) -> Mapping[str, str]:
    """Return the value of each metric of an answer; one without a value is empty.

    Raises:
        MalformedPayload: a metric is listed twice, with two values.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if found.setdefault(name, value.strip()) != value.strip():
            raise MalformedPayload("the answer lists a metric twice, with two values")
    return found


def _listed(metrics: Mapping[str, str]) -> Iterator[Report]:
    """Yield a report for each thing of which the metrics say anything."""
    if _TRUNK in metrics:
        is_open = _YES_NO.get(metrics[_TRUNK])
        yield DoorReport(door=DoorState.UNKNOWN if is_open is None else DoorState.OPEN if is_open else DoorState.CLOSED)
    if _LOCKED in metrics:
        is_locked = _YES_NO.get(metrics[_LOCKED])
        yield LockReport(
            bolt=LockState.UNKNOWN if is_locked is None else LockState.LOCKED if is_locked else LockState.UNLOCKED
        )
    if _ON in metrics:
        yield ParkedReport(parked=_parked(metrics))
    if _LATITUDE in metrics and _LONGITUDE in metrics:
        yield _position(metrics)


def _parked(metrics: Mapping[str, str]) -> bool | None:
    """Return whether it is parked. A car whose speed the module does not know has been off for some time."""
    is_on, told = _YES_NO.get(metrics[_ON]), metrics.get(_SPEED, "")
    speed, off_for_s = _number(told, _SPEEDS), _number(metrics.get(_OFF_FOR, ""), _DURATIONS)
    if is_on or (speed is not None and speed != 0):
        return False
    stands = speed == 0 if told else off_for_s is not None and off_for_s > 0
    return True if is_on is False and stands else None


def _position(metrics: Mapping[str, str]) -> PositionReport:
    latitude, longitude = (_number(metrics[name], _DEGREES) for name in (_LATITUDE, _LONGITUDE))
    if latitude is None or longitude is None or not _is_on_earth(latitude, longitude):
        return PositionReport()
    if _YES_NO.get(metrics.get(_HAS_FIX, "")) is not True:
        return PositionReport()
    hdop = _number(metrics.get(_HDOP, ""), _NO_UNIT)
    written_m = max(_resolution_m(metrics[_LATITUDE]), _resolution_m(metrics[_LONGITUDE]))
    return PositionReport(
        latitude=latitude,
        longitude=longitude,
        accuracy_m=None if hdop is None or hdop <= 0 else METRES_PER_HDOP * max(1.0, hdop) + written_m,
        age_s=_age_s(metrics.get(_FIX_TIME, ""), metrics.get(_NOW, "")),
    )


def _is_on_earth(latitude: float, longitude: float) -> bool:
    """Return whether these are degrees; a module without a first fix lists 0 and 0."""
    return -90 <= latitude <= 90 and -180 <= longitude <= 180 and (latitude, longitude) != (0.0, 0.0)


def _number(text: str, units: frozenset[str]) -> float | None:
    """Return the number that a value is, in one of these units; None: it is anything else."""
    found = _NUMBER.fullmatch(text)
    return None if found is None or found[2] not in units else float(found[1])


def _age_s(fixed_at: str, now: str) -> float | None:
    """Return the seconds between two times of the module; None: unknown, or the fix is of the future."""
    times = [_number(text, _SECONDS) for text in (fixed_at, now)]
    if times == [None, None]:
        times = _seconds_of_dates(_DATE.fullmatch(fixed_at), _DATE.fullmatch(now))
    since, until = times
    return None if since is None or until is None or until < since else until - since


def _seconds_of_dates(*dates: re.Match[str] | None) -> list[float | None]:
    """Return the seconds of dates of one zone; None for each: one is no date, or may stand for two instants."""
    zones = {"" if date is None else date[2] for date in dates}
    try:
        times = [datetime.fromisoformat(date[1]).replace(tzinfo=UTC) for date in dates if date is not None]
    except ValueError:
        times = []
    is_local = zones == {""}
    is_clear = len(zones) == 1 and (not is_local or all(time.hour in _UNAMBIGUOUS_HOURS for time in times))
    return [time.timestamp() for time in times] if is_clear and len(times) == len(dates) else [None for _ in dates]


def _resolution_m(text: str) -> float:
    """Return by how many metres the last digit of a degree may be wrong; the module drops zeros at the end."""
    whole, _, decimals = text.lstrip("-").partition(".")
    digits = len(decimals.rstrip("°"))
    return METRES_PER_DEGREE * 10.0 ** -max(digits, SIGNIFICANT_DIGITS - len(whole)) / 2 * math.sqrt(2)


def encode_command(command: Command, _device_ref: DeviceRef) -> Publication:
    """Encode a command. The module accepts no id and no expiry: it obeys a late copy too (a basic lock).

    Raises:
        ValueError: the module does not support the command.
    """
    match command:
        case UnlockDoor():
            return Publication(suffix=TopicSuffix.SET, payload=OPEN_ORDER)
        case LockDoor():
            return Publication(suffix=TopicSuffix.SET, payload=LOCK_ORDER)
        case QueryState():
            return Publication(suffix=TopicSuffix.GET, payload=QUERY)
        case _:
            raise ValueError(f"a car cannot be asked to {type(command).__name__}")


def encode_report(report: Report, _device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what the module publishes: a position only as an answer, all else when it changes.

    Raises:
        ValueError: the module cannot express the report.
    """
    match report:
        case AvailabilityReport(online=online):
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"yes" if online else b"no"),)
        case ErrorReport(id=None, failure=OperationError.UNSPECIFIED):
            return (Publication(suffix=TopicSuffix.EVENT, payload=b"Error: command failed"),)
        case PositionReport() | ParkedReport(parked=True | None):
            return (encode_answer((report,)),)
        case _:
            lines = _lines(report)
            suffix = next(suffix for suffix, name in _LIVE.items() if name in lines)
            return (Publication(suffix=suffix, payload=lines[_LIVE[suffix]].encode()),)


def encode_answer(reports: Sequence[Report]) -> Publication:
    """Encode one answer with all of these reports.

    Raises:
        ValueError: the module cannot express one of them.
    """
    lines = {name: value for report in reports for name, value in _lines(report).items()}
    text = "".join(f"{name:<40} {value}".rstrip() + "\n" for name, value in sorted(lines.items()))
    return Publication(suffix=TopicSuffix.RESULT, payload=text.encode())


def _lines(report: Report) -> Mapping[str, str]:
    match report:
        case DoorReport(door=DoorState.OPEN | DoorState.CLOSED | DoorState.UNKNOWN as door):
            return {_TRUNK: {DoorState.OPEN: "yes", DoorState.CLOSED: "no"}.get(door, "")}
        case LockReport(bolt=bolt) if report == LockReport(bolt=bolt):
            words = {LockState.LOCKED: "yes", LockState.UNLOCKED: "no", LockState.UNKNOWN: ""}
            if bolt in words:
                return {_LOCKED: words[bolt]}
            raise ValueError("the module has no word for this position of the locks")
        case ParkedReport(parked=parked):
            return {_ON: ""} if parked is None else {_ON: "no" if parked else "yes", _SPEED: "0km/h"}
        case PositionReport(latitude=float(latitude), longitude=float(longitude)):
            return _position_lines(latitude, longitude, report)
        case PositionReport():
            return {_LATITUDE: "", _LONGITUDE: "", _HAS_FIX: "no"}
        case _:
            raise ValueError(f"the module cannot say {type(report).__name__} like this")


def _position_lines(latitude: float, longitude: float, report: PositionReport) -> Mapping[str, str]:
    written = {_LATITUDE: f"{latitude:.6g}", _LONGITUDE: f"{longitude:.6g}", _HAS_FIX: "yes"}
    lines = {**written, _NOW: f"{_SIMULATED_NOW}Sec"}
    if report.age_s is not None:
        lines[_FIX_TIME] = f"{_SIMULATED_NOW - round(report.age_s)}Sec"
    if report.accuracy_m is not None:
        written_m = max(_resolution_m(written[_LATITUDE]), _resolution_m(written[_LONGITUDE]))
        lines[_HDOP] = f"{max(1.0, (report.accuracy_m - written_m) / METRES_PER_HDOP):.6g}"
    return lines


def decode_command(
    suffix: TopicSuffix, payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a query or an order; an order contains no id and no time."""
    match suffix, payload:
        case TopicSuffix.GET, _ if payload == QUERY:
            return QueryState()
        case TopicSuffix.SET, _ if payload == OPEN_ORDER:
            return movement.bare_command(UnlockDoor)
        case TopicSuffix.SET, _ if payload == LOCK_ORDER:
            return movement.bare_command(LockDoor)
        case _:
            return UnreadablePayload(why="it is none of Perron's command lines")


DEFINITION = Definition(
    name="ovms",
    title="Car with an OVMS v3 module",
    help="On the module's page, under Config, Server V3, enter the account that is made when you add it.",
    fields={
        "address": FieldDescription(
            title="Topic of the car",
            help="ovms/ with the user and the vehicle ID of the module.",
            example="ovms/marie/zoe",
        ),
    },
    kinds=frozenset({"car"}),
    simulated=frozenset({"car"}),
    correlates=False,
    answer_suffix=TopicSuffix.RESULT,
    encode_answers=encode_answer,
    topics=topics,
    base_topic=lambda device_ref: device_ref.address,
    address="the topic of the car, `ovms/<user>/<vehicle id>`",
)

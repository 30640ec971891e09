"""Supports the ratgdo board in its MQTT firmware: the opener of a garage door (LiftMaster, Chamberlain, dry contact).

`address` is `<topic prefix>/<device name>`, as the board's own page shows them.

    state         <address>/status/door          open, closed, opening, closing; retained
    beam          <address>/status/obstruction   obstructed, clear; retained
    availability  <address>/status/availability  online; offline is its last will
    set           <address>/command/door         open, close: no id and no time, so it obeys a late copy

The board reports its light beam when that changes and cannot be asked. So it tells of an obstacle at once, but what it
last said proves nothing about now: the box never closes a door by it (`beam: false`).
Source: ratgdo's documentation of its MQTT firmware; the script for ratgdo in Scrypted's documentation.
"""

from collections.abc import Mapping

from devices.commands import Command, LockDoor, UnlockDoor
from devices.reports import AvailabilityReport, GarageDoorReport, GarageDoorState, Report, UnreadablePayload
from devices.vendors import movement
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

_OPEN, _CLOSE = b"open", b"close"
_BEAM = {b"clear": True, b"obstructed": False}


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the board's topics."""
    return {
        TopicSuffix.STATE: f"{device_ref.address}/status/door",
        TopicSuffix.BEAM: f"{device_ref.address}/status/obstruction",
        TopicSuffix.AVAILABILITY: f"{device_ref.address}/status/availability",
        TopicSuffix.SET: f"{device_ref.address}/command/door",
    }


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse the board's message; an unknown word of door or beam is unknown."""
    word = payload[:64].strip()
    match suffix:
        case TopicSuffix.STATE:
            text = word.decode(errors="replace")
            known = text in set(GarageDoorState)
            return (GarageDoorReport(cover=GarageDoorState(text) if known else GarageDoorState.UNKNOWN),)
        case TopicSuffix.BEAM if word in _BEAM:
            return (GarageDoorReport(clear=_BEAM[word]),)
        case TopicSuffix.AVAILABILITY if word in (b"online", b"offline"):
            return (AvailabilityReport(online=word == b"online"),)
        case _:
            return (UnreadablePayload(why="it tells of door, light beam and its connection only"),)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command: unlocking a garage door opens it, locking closes it.

    Raises:
        ValueError: the board only opens and closes; it answers no query.
    """
    match command:
        case UnlockDoor() | LockDoor():
            return Publication(suffix=TopicSuffix.SET, payload=_OPEN if isinstance(command, UnlockDoor) else _CLOSE)
        case _:
            raise ValueError(f"a ratgdo board cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what the board publishes.

    Raises:
        ValueError: the board cannot express the report.
    """
    match report:
        case AvailabilityReport(online=online):
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if online else b"offline"),)
        case GarageDoorReport(clear=None):
            return (Publication(suffix=TopicSuffix.STATE, payload=report.cover.value.encode()),)
        case GarageDoorReport(cover=GarageDoorState.UNKNOWN, clear=clear):
            return (Publication(suffix=TopicSuffix.BEAM, payload=b"clear" if clear else b"obstructed"),)
        case _:
            raise ValueError(f"a ratgdo board cannot say this {type(report).__name__}")


def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to the board: a bare word."""
    if suffix is TopicSuffix.SET and payload in (_OPEN, _CLOSE):
        return movement.bare_command(UnlockDoor if payload == _OPEN else LockDoor)
    return UnreadablePayload(why="a ratgdo board is told open or close, and nothing else")


def _problem(device_ref: DeviceRef) -> str | None:
    if "/" in device_ref.address.strip("/"):
        return None
    return "write the board's topic prefix and its name, as its page shows them: `garage/ratgdo`"


DEFINITION = Definition(
    name="ratgdo",
    title="ratgdo garage door board",
    help="With its MQTT firmware; enter the account on its own page.",
    fields={
        "address": FieldDescription(
            title="Topic prefix and name", help="As set on the board's page.", example="ratgdo/garage"
        ),
    },
    kinds=frozenset({"cover"}),
    simulated=frozenset({"cover"}),
    correlates=False,
    answers_queries=lambda _: False,
    topics=topics,
    address="its topic prefix and name",
    problem=_problem,
)

"""A made-up vendor in one file: a lock with bare words on topics of its own, and a battery."""

from collections.abc import Mapping

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import AvailabilityReport, LockReport, LockState, Report, UnreadablePayload
from devices.vendors import movement
from devices.vendors.definition import Definition
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

_BOLTS = {b"locked": LockState.LOCKED, b"unlocked": LockState.UNLOCKED}


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    suffixes = (TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.BATTERY, TopicSuffix.SET, TopicSuffix.GET)
    return {suffix: f"{device_ref.address}/{suffix}" for suffix in suffixes}


def decode_report(channel: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    if channel is TopicSuffix.STATE and payload in _BOLTS:
        return (LockReport(bolt=_BOLTS[payload]),)
    return (UnreadablePayload(why="a lock of Acme is locked or unlocked"),)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    match command:
        case UnlockDoor() | LockDoor():
            word = b"unlock" if isinstance(command, UnlockDoor) else b"lock"
            return Publication(suffix=TopicSuffix.SET, payload=word)
        case QueryState():
            return Publication(suffix=TopicSuffix.GET, payload=b"")
        case _:
            raise ValueError("a lock of Acme only moves its bolt and says where it is")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    if isinstance(report, AvailabilityReport):
        return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if report.online else b"offline"),)
    if isinstance(report, LockReport) and report.bolt in _BOLTS.values():
        return (Publication(suffix=TopicSuffix.STATE, payload=report.bolt.value.encode()),)
    raise ValueError("a lock of Acme says only where its bolt is")


def decode_command(
    channel: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    if channel is TopicSuffix.GET:
        return QueryState()
    return movement.bare_command(UnlockDoor if payload == b"unlock" else LockDoor)


DEFINITION = Definition(
    name="acme",
    kinds=frozenset({"lock"}),
    simulated=frozenset({"lock"}),
    correlates=False,
    pulls_latch=True,
    command_hold_s=77.0,
    topics=topics,
    battery=(TopicSuffix.BATTERY,),
    problem=lambda device_ref: None if "/" in device_ref.address else "an address of Acme has two levels",
)

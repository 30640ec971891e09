"""Supports a Tesla that TeslaMate follows, as a witness only.

TeslaMate listens to the car and asks it nothing while it sleeps; all its topics are retained. `address` is the topic of
the car, `teslamate/cars/1`:

    <address>/trunk_open    true, false
    <address>/locked        true, false
    <address>/shift_state   P, R, N, D; empty while the car is asleep
    <address>/location      {"latitude": 48.85, "longitude": 2.35}, without a radius and without a time

Values of a sleeping car are hours old. So only bad news counts: that it is open or unlocked, drives, or is somewhere
else. `true` of `trunk_open` is news whenever it comes live.

From TeslaMate's documentation of its MQTT topics.
"""

from collections.abc import Iterable, Mapping

from devices.reports import (
    DoorReport,
    DoorState,
    LockReport,
    LockState,
    ParkedReport,
    PositionReport,
    Report,
)
from devices.strict_json import MalformedPayload, mapping, number, parse
from devices.vendors import witness
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import plain_text, unreadable_as_report
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, TopicSuffix

ASSUMED_ACCURACY_M = 50.0  # TeslaMate tells no radius; so much is never too little to say that a car is elsewhere
_WORDS = {"true": True, "false": False}
_MOVING = frozenset({"R", "N", "D"})


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topics of the car."""
    return {
        TopicSuffix.STATE: f"{device_ref.address}/trunk_open",
        TopicSuffix.BOLT: f"{device_ref.address}/locked",
        TopicSuffix.MOTION: f"{device_ref.address}/shift_state",
        TopicSuffix.PLACE: f"{device_ref.address}/location",
    }


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF) -> Iterable[Report]:
    """Parse one value of the car; an unreadable one gives one `UnreadablePayload`."""
    match suffix:
        case TopicSuffix.STATE:
            is_open = _WORDS.get(plain_text(payload))
            door = DoorState.UNKNOWN if is_open is None else DoorState.OPEN if is_open else DoorState.CLOSED
            return (DoorReport(door=door),)
        case TopicSuffix.BOLT:
            is_locked = _WORDS.get(plain_text(payload))
            bolt = LockState.UNKNOWN if is_locked is None else LockState.LOCKED if is_locked else LockState.UNLOCKED
            return (LockReport(bolt=bolt),)
        case TopicSuffix.MOTION:
            gear = plain_text(payload)
            return (ParkedReport(parked=False if gear in _MOVING else True if gear == "P" else None),)
        case TopicSuffix.PLACE:
            body = mapping(parse(payload), "the location")
            return (
                PositionReport(
                    latitude=number(body.get("latitude"), "latitude"),
                    longitude=number(body.get("longitude"), "longitude"),
                    accuracy_m=ASSUMED_ACCURACY_M,
                ),
            )
        case _:
            raise MalformedPayload("the car's boot, locks, gear and location are read, and nothing else")


encode_command, encode_report, decode_command = witness.encode_command, witness.encode_report, witness.decode_command

DEFINITION = Definition(
    name="teslamate",
    title="Tesla that TeslaMate follows",
    help="TeslaMate asks a sleeping car nothing: such a car opens nothing by it, and its bad news counts.",
    fields={
        "address": FieldDescription(
            title="Topic of the car", help="teslamate/cars/ and the number of the car.", example="teslamate/cars/1"
        ),
    },
    kinds=frozenset({"car"}),
    correlates=False,
    answers_queries=lambda _: False,
    why_no_live_answer="TeslaMate asks a sleeping car nothing and keeps what it heard, so what it says may be hours"
    " old",
    topics=topics,
    base_topic=lambda device_ref: device_ref.address.partition("/")[0],
    address="the topic of the car, `teslamate/cars/1`",
)

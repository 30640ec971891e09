"""Supports cars of VW, Skoda, Seat, Cupra, Audi, Volvo and others behind CarConnectivity, as witnesses only.

CarConnectivity asks the maker's cloud every 300 to 600 seconds and publishes by its MQTT plugin, retained. `address` is
the topic of the car, `<prefix>/garage/<VIN>`:

    <address>/doors/trunk/open_state   open, closed, ajar, unsupported, invalid, unknown open state
    <address>/doors/lock_state         locked, unlocked, invalid, unknown lock state
    <address>/state                    offline, parked, ignition_on, driving, invalid, unknown vehicle state

Nothing asks the car, so good news is never proven; what is bad counts. Latitude and longitude are two topics, of which
neither alone is a position: they are left out.

The topics and values are those that carconnectivity 0.11.11 and its MQTT plugin 0.10.6 build.
"""

from collections.abc import Iterable, Mapping

from devices.reports import DoorReport, DoorState, LockReport, LockState, ParkedReport, Report
from devices.strict_json import MalformedPayload
from devices.vendors import witness
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import plain_text, unreadable_as_report
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, TopicSuffix

_DOORS = {"open": DoorState.OPEN, "ajar": DoorState.AJAR, "closed": DoorState.CLOSED}
_LOCKS = {"locked": LockState.LOCKED, "unlocked": LockState.UNLOCKED}
_STATES = {"parked": True, "ignition_on": False, "driving": False}


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topics of the car."""
    return {
        TopicSuffix.STATE: f"{device_ref.address}/doors/trunk/open_state",
        TopicSuffix.BOLT: f"{device_ref.address}/doors/lock_state",
        TopicSuffix.MOTION: f"{device_ref.address}/state",
    }


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF) -> Iterable[Report]:
    """Parse one attribute of the car; an unreadable one gives one `UnreadablePayload`."""
    word = plain_text(payload)
    match suffix:
        case TopicSuffix.STATE:
            return (DoorReport(door=_DOORS.get(word, DoorState.UNKNOWN)),)
        case TopicSuffix.BOLT:
            return (LockReport(bolt=_LOCKS.get(word, LockState.UNKNOWN)),)
        case TopicSuffix.MOTION:
            return (ParkedReport(parked=_STATES.get(word)),)
        case _:
            raise MalformedPayload("the car's boot, locks and state are read, and nothing else")


encode_command, encode_report, decode_command = witness.encode_command, witness.encode_report, witness.decode_command

DEFINITION = Definition(
    name="carconnectivity",
    title="Car behind CarConnectivity",
    help="CarConnectivity asks the maker's cloud every few minutes: such a car opens nothing, and its bad news counts.",
    fields={
        "address": FieldDescription(
            title="Topic of the car",
            help="The prefix of the MQTT plugin, garage, and the VIN.",
            example="carconnectivity/0/garage/WVWZZZ1KZ1P000001",
        ),
    },
    kinds=frozenset({"car"}),
    correlates=False,
    answers_queries=lambda _: False,
    why_no_live_answer="CarConnectivity asks the maker's cloud only every 300 to 600 seconds and keeps what it heard,"
    " so what it says may be ten minutes old",
    topics=topics,
    base_topic=lambda device_ref: device_ref.address.partition("/garage/")[0],
    address="the topic of the car, `carconnectivity/0/garage/<VIN>`",
)

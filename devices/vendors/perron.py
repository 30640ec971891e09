"""Supports devices that speak Perron's own words (`own_words.py`) on Perron's own topics.

So do `perron intercom` for the door release of an intercom, the simulated devices, and each maker who wants to: strikes
of street doors, doors, compartments of a parcel box, sensors for what lies in one, hooks of a key safe, keypads.
"""

from devices.commands import Command
from devices.reports import Report, UnreadablePayload
from devices.vendors import own_words
from devices.vendors.definition import Definition, DeviceKind, KeypadFacts
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

_KINDS: frozenset[DeviceKind] = frozenset({"strike", "door", "compartment", "content", "key", "keypad"})


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a device's message; an unreadable one gives one `UnreadablePayload`."""
    return own_words.decode_report(suffix, payload, device_ref)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command; ValueError: the device is only opened and queried."""
    return own_words.encode_command(command, device_ref)


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a report; ValueError: a device of this kind cannot say it."""
    return own_words.encode_report(report, device_ref)


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command; an unreadable one gives `UnreadablePayload`."""
    return own_words.decode_command(suffix, payload)


def _problem(device_ref: DeviceRef) -> str | None:
    return "leave the address out: it speaks on perron/<its id>/…" if device_ref.address else None


DEFINITION = Definition(
    name="perron",
    title="Device in Perron's own format",
    help="For boards of your own: strike, contact, compartment, key hook, keypad.",
    kinds=_KINDS,
    simulated=_KINDS,
    correlates=True,
    encode_answer=own_words.answer,
    battery=(TopicSuffix.STATE,),
    problem=_problem,
    keypad=KeypadFacts(reports_names=True, keeps_times=True),
)

"""Supports the compartments of a parcel box or locker behind one board, in Perron's own words (`own_words.py`).

`address` is one compartment's topic, `locker/hall/compartment/1`; its last two levels name the compartment, the levels
before them the board.

    state, result, set, get   <address>/state, <address>/result, <address>/set, <address>/get
    bridge                    locker/hall/availability: online, offline, of the whole board

Small makers and hobby boards have other names. `topics` names their topics (`{state: hall/slot/1/status}`), `keys` the
places of the fields `lock`, `door`, `occupied` in their JSON, or of `available`, the opposite of occupied. Many boards
report the contact of the lid alone. Such a compartment needs a second sensor, which reports whether something lies in
it. Sources: the topics `<node>/slot/<slot>/status`, `/command/open` of public locker projects.
"""

from collections.abc import Mapping

from devices.commands import Command
from devices.reports import AvailabilityReport, Report, UnreadablePayload
from devices.vendors import own_words
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix


def board(device_ref: DeviceRef) -> str:
    """Return the base topic of the board that has this compartment."""
    return "/".join(device_ref.address.split("/")[:-2])


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topics of the compartment, and that of its board."""
    own = (TopicSuffix.STATE, TopicSuffix.RESULT, TopicSuffix.SET, TopicSuffix.GET)
    return {
        **{suffix: f"{device_ref.address}/{suffix}" for suffix in own},
        TopicSuffix.BRIDGE: f"{board(device_ref)}/availability",
    }


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a message of a compartment or its board; an unreadable one gives one `UnreadablePayload`."""
    return own_words.decode_report(suffix, payload, device_ref)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command; ValueError: a compartment is only opened and queried."""
    return own_words.encode_command(command, device_ref)


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a report; ValueError: a compartment cannot say it."""
    if isinstance(report, AvailabilityReport):
        return (Publication(suffix=TopicSuffix.BRIDGE, payload=b"online" if report.online else b"offline"),)
    return own_words.encode_report(report, device_ref)


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command; an unreadable one gives `UnreadablePayload`."""
    return own_words.decode_command(suffix, payload)


def _problem(device_ref: DeviceRef) -> str | None:
    if board(device_ref):
        return None
    return "write the topic of the compartment, the board's topic first: `locker/hall/compartment/1`"


DEFINITION = Definition(
    name="locker",
    title="Compartment of a parcel box",
    help="The board of the box reports each compartment.",
    fields={
        "address": FieldDescription(
            title="Topic of the compartment",
            help="The topic of the board, then the number of the compartment.",
            example="locker/3",
        ),
    },
    kinds=frozenset({"compartment"}),
    simulated=frozenset({"compartment"}),
    correlates=True,
    encode_answer=own_words.answer,
    topics=topics,
    base_topic=board,
    battery=(TopicSuffix.STATE,),
    address="the topic of the compartment",
    problem=_problem,
)

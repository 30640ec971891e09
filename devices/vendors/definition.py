"""Defines what a vendor module states about its devices, so that no other module compares a vendor's name."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from devices.commands import Command
from devices.reports import Report, UnreadablePayload
from devices.vendors.words import NO_DEVICE_REF, NO_TOPICS, DeviceRef, Publication, TopicSuffix

DeviceKind = Literal[
    "lock",
    "cover",
    "door",
    "strike",
    "compartment",
    "content",
    "key",
    "keypad",
    "camera",
    "scanner",
    "signal",
    "speaker",
    "fridge",
    "presence",
    "alarm",
    "parcels",
    "car",
    "robot",
]
DEVICE_KINDS: tuple[str, ...] = get_args(DeviceKind)
ORDERED_KINDS = frozenset({"lock", "cover", "strike", "compartment", "car"})  # these obey an order to open
COMMANDED_KINDS = ORDERED_KINDS | {"speaker"}  # of those that Home Assistant may carry: these are sent commands
# These open something, or prove that it is closed, empty, or has its key.
DOOR_KINDS = ORDERED_KINDS | {"door", "content", "key"}

# The longest time for which bridge, radio or motor may hold a command before the device obeys it or drops it.
# Z-Wave JS: three attempts, each with a callback of 65 s (30 s since 12.2), make 195 s; Nuki Hub repeats a Bluetooth
# command for seconds; ESPHome and Perron's guard queue nothing, and the broker drops a message at its expiry of 5 s.
# A quarter of an hour is more than any of them, and the notice at the door names it.
COMMAND_HOLD_S = 900.0
# zigbee-herdsman queues a command that a lock with the Poll Control cluster did not acknowledge until its next check-in
# (`AnyDevice.pendingRequestTimeout`); the Zigbee Cluster Library's default interval is 14,400 quarter seconds. Before
# the first check-in it waits for a day: then the owner sets `command_hold`, or lets the lock check in before its use.
ZIGBEE_COMMAND_HOLD_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDescription:
    """One key of a device's section in words that a person knows; the pages translate title and help."""

    title: str
    help: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """What a device, or its bridge, has to be told to reach the house's broker.

    `topic` is its base topic. `authority`: the PEM file's text of the authority that signs the broker's certificate;
    empty: the broker speaks without TLS, on the box's own machine.
    """

    host: str
    port: int
    user: str
    password: str
    topic: str
    authority: str = ""


def plain_settings(access: BrokerAccess) -> str:
    """Return host, port, user, password and topic as text, for a device that has its own settings page or file."""
    return f"""\
Host:     {access.host}
Port:     {access.port}{" (TLS)" if access.authority else ""}
User:     {access.user}
Password: {access.password}
Topic:    {access.topic}"""


def by_address_at_a_door(device_ref: DeviceRef) -> Hashable | None:
    """Identify a device of the kinds in `DOOR_KINDS` by its address; other devices have no identity."""
    return device_ref.address.casefold() or None if device_ref.kind in DOOR_KINDS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypadFacts:
    """How the keypads of a vendor store the codes of people."""

    chooses_slot: bool = False
    """The keypad numbers its codes itself: `SetCode` has no slot, and the code is found by its name."""
    reports_names: bool = False
    """The keypad reports the name under which it stored a code. If not, nothing tells whose code lies in a slot."""
    keeps_times: bool = False
    """The keypad itself refuses a code before `starts` and after `ends`, and reports both. If not, the gateway sets the
    code at its start and clears it at its end."""
    times_off_s: float = 0.0
    """Seconds by which a keypad may take these times to be earlier or later, because it does not say in which time zone
    it reads them. The gateway widens them by so much, and ends the code itself at its end."""
    answers_needed: int = 1
    """The number of successive answers, each to a query of its own, that prove what a slot contains. A bridge may
    publish what it remembers instead of the lock's answer; there one answer proves nothing, and a code counts as gone
    only if an earlier answer had it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The facts of one vendor's devices. A hook receives the device reference, whose `kind` is the enrolled one."""

    name: str
    """The vendor in `home.yaml`; also the name of its module."""
    kinds: frozenset[DeviceKind]
    """The kinds of devices that `home.yaml` may enrol with this vendor."""
    simulated: frozenset[DeviceKind] = frozenset()
    """Those of them that the simulated house has."""
    is_external: bool = False
    """Another program or a real device plays these devices: `perron simulate` leaves them out."""

    correlates: bool
    """An answer on `result` contains the query's correlation data (MQTT 5, or as a `CorrelationReport`).

    If not, the first state that a device sends after a query counts as its answer.
    """
    encode_answer: Callable[[Report, str, DeviceRef], Publication] | None = None
    """Encodes an answer whose payload contains the query's echo; None if MQTT carries the correlation data."""
    encode_answers: Callable[[Sequence[Report]], Publication] | None = None
    """Encodes one answer with several reports, if the product's answer is one message; None: one for each report."""
    answer_suffix: TopicSuffix | None = None
    """Only messages on this suffix answer a query, if the product has a topic of its own for answers."""
    answers_queries: Callable[[DeviceRef], bool] = lambda _: True
    """Whether this device answers queries."""
    why_no_live_answer: str | None = None
    """Set if an answer may come from a cache: why a door sensor must not claim to answer."""
    silence_s: float | None = None
    """After so many seconds without a report a value is unknown, unless `home.yaml` says otherwise."""

    answers_beam: bool = False
    """An opener of a garage door answers a query with the state of its light beam, so the box may close the door."""
    refuses_late: bool = False
    """A command contains its id and expiry, so that a guarded lock can refuse a late or repeated one."""
    pulls_latch: bool = False
    """A lock can pull the latch on command."""
    opens_boot_alone: bool = False
    """A car has an order for its boot alone; if not, the order unlocks all its doors."""
    command_hold_s: float = COMMAND_HOLD_S
    """After so many seconds an unlock that no report answered can no longer act."""
    jam_hides_position: bool = False
    """A jammed lock does not report the position of its bolt."""

    keypad: KeypadFacts | None = None
    """How its keypads (kind `keypad`) store codes; None: it has none."""

    has_mqtt: bool = True
    """Devices of this vendor send and receive MQTT messages."""
    is_behind_guard: bool = False
    """Perron's guard speaks for these devices: it signs their reports, and commands to it are signed."""
    topics: Callable[[DeviceRef], Mapping[TopicSuffix, str]] = lambda _: NO_TOPICS
    """Returns the MQTT topics that the product defines; empty if the product uses Perron's topics."""
    account: str | None = None
    """The broker account of the program that publishes for all devices of this vendor; None: the base topic's name."""
    base_topic: Callable[[DeviceRef], str | None] | None = None
    """Returns the base topic of the program that carries this device; None: what all topics of the vendor share."""
    shared_topics: frozenset[TopicSuffix] = frozenset()
    """Topics that the maker's bridge shares among its devices: the payload names the device."""
    battery: tuple[TopicSuffix, ...] = ()
    """The topic suffixes on which a device may report its battery."""

    title: str = ""
    """What people call such devices; the pages translate it."""
    help: str = ""
    """What a person does at the device before it is added; the pages translate it."""
    fields: Mapping[str, FieldDescription] = field(default_factory=dict)
    """The keys of its section that this vendor's devices need in words of their own; `address` is one if it has one."""
    settings: Callable[[BrokerAccess], str] = plain_settings
    """Returns the settings of its account at the broker as its own configuration writes them."""
    address: str = ""
    """What the address is, in words, if a door sensor or camera of this vendor needs one."""
    sends_unit: bool = True
    """A payload states the unit of its temperature; if not, `home.yaml` does."""
    identity: Callable[[DeviceRef], Hashable | None] = by_address_at_a_door
    """Returns equal values for two references to one physical device; None: such devices cannot be compared."""
    carrier: Callable[[DeviceRef], Hashable | None] = lambda _: None
    """Returns equal values for two references that one physical device carries, so that one fault makes both wrong.
    None: the address alone says it."""
    part: Callable[[DeviceRef], Hashable] = lambda _: None
    """Returns which part of the physical device it is, where one has several: a relay with two channels."""
    problem: Callable[[DeviceRef], str | None] = lambda _: None
    """Returns what is wrong with a device in `home.yaml`, and what to write instead; None if nothing is."""
    bridge_problem: Callable[[DeviceRef, Collection[str]], str | None] = lambda _, __: None
    """The same of its address, when the base topics of the household's bridges are known."""


class Vendor(Protocol):
    """The interface of a vendor module (a module satisfies it by its members)."""

    @property
    def DEFINITION(self) -> Definition:  # noqa: N802 - a constant of the module
        """The facts of this vendor's devices."""
        ...

    def decode_report(
        self, suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
    ) -> tuple[Report, ...]:
        """Parse a device's message; an unreadable one gives one `UnreadablePayload`, never an exception."""
        ...

    def encode_command(self, command: Command, device_ref: DeviceRef) -> Publication:
        """Encode a command for this device.

        Raises:
            ValueError: this vendor's devices do not support the command.
        """
        ...

    def encode_report(self, report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
        """Encode a report of this device.

        Raises:
            ValueError: this vendor's devices cannot express the report.
        """
        ...

    def decode_command(
        self, suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
    ) -> Command | UnreadablePayload:
        """Parse a command to a device; an unreadable one gives `UnreadablePayload`, never an exception."""
        ...

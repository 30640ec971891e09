"""What every vendor module speaks in: channels, letters and the shape of a vendor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Protocol

from devices.commands import Command
from devices.reports import Report, UnreadablePayload


class TopicSuffix(StrEnum):
    """The last word of a device's topic."""

    STATE = auto()  # device to gateway, retained
    AVAILABILITY = auto()  # device to gateway, retained, also its last will
    EVENT = auto()  # device to gateway, never retained
    RESULT = auto()  # device to gateway: answers, with the question's correlation data
    SET = auto()  # gateway to device: dropped when retained or expired
    GET = auto()  # gateway to device: a query
    BRIDGE = auto()  # the bridge that carries the device says whether it is there itself; shared by all behind it
    LOG = auto()  # what that bridge logs; shared too
    OPERATION = auto()  # who or what moved the bolt, where a product tells that apart, retained
    BOLT = auto()  # where the bolt is, where a product tells that apart from its mode, retained
    LATCH = auto()  # where the latch is, the same
    BATTERY = auto()  # how full its battery is, where a product tells that apart, retained


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One payload for one channel."""

    suffix: TopicSuffix
    payload: bytes


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """What must be known of one device, beside the bytes, to read and write its payloads.

    `address` is the maker's own; of a product with MQTT of its own, its topic. `keys` maps a word of the vendor module
    to where it stands in the payload, where that is not the usual place. `kind` is what it is enrolled as (`lock`,
    `door` and so on), empty where nobody said. `unit`: of degrees that are told without one.
    """

    address: str = ""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    kind: str = ""
    unit: str = "C"


NO_DEVICE_REF = DeviceRef()
NO_TOPICS: Mapping[TopicSuffix, str] = MappingProxyType({})  # of a device whose topics are `perron/<id>/<channel>`


class Vendor(Protocol):
    """The shape of a vendor module (a module satisfies it by its functions)."""

    @property
    def CORRELATES(self) -> bool:  # noqa: N802 - a constant of the module
        """Whether an answer carries our question's correlation data back (MQTT 5, or as an `EchoReport`), on `result`.

        Where it does not, the first state that a device tells after a question is taken for its answer.
        """
        ...

    def topics(self, plate: DeviceRef) -> Mapping[TopicSuffix, str]:
        """Name the topics of a product with MQTT of its own; `NO_TOPICS` for one that speaks on ours."""
        ...

    def decode_report(
        self, channel: TopicSuffix, payload: bytes, plate: DeviceRef = NO_DEVICE_REF
    ) -> tuple[Report, ...]:
        """Read what a device sent; what cannot be read is one `UnreadablePayload`, never an exception."""
        ...

    def encode_command(self, command: Command, plate: DeviceRef) -> Publication:
        """Write a command for this device.

        Raises:
            ValueError: this vendor's devices cannot be asked that.
        """
        ...

    def encode_report(self, report: Report, plate: DeviceRef) -> tuple[Publication, ...]:
        """Write what this device would send.

        Raises:
            ValueError: this vendor's devices cannot say that.
        """
        ...

    def decode_command(
        self, channel: TopicSuffix, payload: bytes, plate: DeviceRef = NO_DEVICE_REF
    ) -> Command | UnreadablePayload:
        """Read what a device is asked; what cannot be read is `UnreadablePayload`, never an exception."""
        ...

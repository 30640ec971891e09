"""What every vendor module speaks in: channels, letters and the shape of a vendor."""

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Protocol

from devices.commands import Command
from devices.reports import Report, Unreadable


class Channel(StrEnum):
    """The last word of a device's topic."""

    STATE = auto()  # device to gateway, retained
    AVAILABILITY = auto()  # device to gateway, retained, also its last will
    EVENT = auto()  # device to gateway, never retained
    RESULT = auto()  # device to gateway: answers, with the question's correlation data
    SET = auto()  # gateway to device: dropped when retained or expired
    GET = auto()  # gateway to device: a query


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One payload for one channel."""

    channel: Channel
    payload: bytes


class Vendor(Protocol):
    """The shape of a vendor module (a module satisfies it by its functions)."""

    def decode_report(self, channel: Channel, payload: bytes) -> tuple[Report, ...]:
        """Read what a device sent; what cannot be read is one `Unreadable`, never an exception."""
        ...

    def encode_command(self, command: Command, address: str) -> Letter:
        """Write a command for the device with the vendor's own `address`.

        Raises:
            ValueError: this vendor's devices cannot be asked that.
        """
        ...

    def encode_report(self, report: Report, address: str) -> tuple[Letter, ...]:
        """Write what a device with this `address` would send.

        Raises:
            ValueError: this vendor's devices cannot say that.
        """
        ...

    def decode_command(self, channel: Channel, payload: bytes) -> Command | Unreadable:
        """Read what a device is asked; what cannot be read is `Unreadable`, never an exception."""
        ...

"""The codec of vendors whose devices are witnesses: such a device reports, gets no command, and has no simulator.

The module of such a vendor imports these three functions.
"""

from typing import NoReturn

from devices.commands import Command
from devices.reports import Report, UnreadablePayload
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, TopicSuffix


def encode_command(command: Command, _device_ref: DeviceRef) -> NoReturn:
    """Raise ValueError: a witness gets no command."""
    raise ValueError(f"a witness cannot be asked to {type(command).__name__}")


def encode_report(report: Report, _device_ref: DeviceRef) -> NoReturn:
    """Raise ValueError: no simulator publishes as a witness."""
    raise ValueError(f"no simulated device says {type(report).__name__} like this")


def decode_command(suffix: TopicSuffix, _payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF) -> UnreadablePayload:
    """Return that nothing is sent to a witness."""
    return UnreadablePayload(why=f"a witness takes no command on {suffix}")

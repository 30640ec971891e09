"""What a vendor has whose devices are witnesses: they report, nothing is sent to them, and nobody simulates them.

Such a vendor's module takes these three functions over as they are.
"""

from typing import NoReturn

from devices.commands import Command
from devices.reports import Report, UnreadablePayload
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, TopicSuffix


def encode_command(command: Command, _device_ref: DeviceRef) -> NoReturn:
    """Raise ValueError: nothing is sent to a witness."""
    raise ValueError(f"a witness cannot be asked to {type(command).__name__}")


def encode_report(report: Report, _device_ref: DeviceRef) -> NoReturn:
    """Raise ValueError: the simulated house has no such device."""
    raise ValueError(f"no simulated device says {type(report).__name__} like this")


def decode_command(suffix: TopicSuffix, _payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF) -> UnreadablePayload:
    """Return that nothing is sent to a witness."""
    return UnreadablePayload(why=f"a witness takes no command on {suffix}")

"""Any camera that serves H.264 over RTSP and has no MQTT at all: it says nothing here and is told nothing.

Whether it is well the video process says, which reads its stream. So there are no channels, and whatever should arrive
on one is not its word.
"""

from collections.abc import Mapping

from devices.commands import Command
from devices.reports import Report, Unreadable
from devices.vendors.words import BARE, NO_TOPICS, Channel, Letter, Nameplate

ECHOES = False


def topics(plate: Nameplate) -> Mapping[Channel, str]:  # noqa: ARG001 - the same for all
    """It has none, neither of its own nor of ours."""
    return NO_TOPICS


def decode_report(
    channel: Channel,  # noqa: ARG001 - the same on all
    payload: bytes,  # noqa: ARG001 - whatever it is
    plate: Nameplate = BARE,  # noqa: ARG001 - nothing of it is needed
) -> tuple[Report, ...]:
    """Whatever was sent, it was not this camera."""
    return (Unreadable(why="an RTSP camera says nothing over MQTT"),)


def encode_command(command: Command, plate: Nameplate) -> Letter:  # noqa: ARG001 - the same for all
    """There is nothing to write.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"an RTSP camera cannot be asked to {type(command).__name__}")


def encode_report(report: Report, plate: Nameplate) -> tuple[Letter, ...]:  # noqa: ARG001 - the same for all
    """There is nothing to write.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"an RTSP camera cannot say {type(report).__name__}")


def decode_command(
    channel: Channel,  # noqa: ARG001 - the same on all
    payload: bytes,  # noqa: ARG001 - whatever it is
    plate: Nameplate = BARE,  # noqa: ARG001 - nothing of it is needed
) -> Command | Unreadable:
    """It is asked nothing."""
    return Unreadable(why="an RTSP camera is asked nothing over MQTT")

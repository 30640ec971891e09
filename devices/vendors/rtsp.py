"""Any camera that serves H.264 over RTSP and has no MQTT at all: it says nothing here and is told nothing.

Whether it is well the video process says, which reads its stream. So there are no channels, and whatever should arrive
on one is not its word.
"""

from collections.abc import Mapping

from devices.commands import Command
from devices.reports import Report, UnreadablePayload
from devices.vendors.words import NO_DEVICE_REF, NO_TOPICS, DeviceRef, Publication, TopicSuffix

CORRELATES = False


def topics(plate: DeviceRef) -> Mapping[TopicSuffix, str]:  # noqa: ARG001 - the same for all
    """It has none, neither of its own nor of ours."""
    return NO_TOPICS


def decode_report(
    channel: TopicSuffix,  # noqa: ARG001 - the same on all
    payload: bytes,  # noqa: ARG001 - whatever it is
    plate: DeviceRef = NO_DEVICE_REF,  # noqa: ARG001 - nothing of it is needed
) -> tuple[Report, ...]:
    """Whatever was sent, it was not this camera."""
    return (UnreadablePayload(why="an RTSP camera says nothing over MQTT"),)


def encode_command(command: Command, plate: DeviceRef) -> Publication:  # noqa: ARG001 - the same for all
    """There is nothing to write.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"an RTSP camera cannot be asked to {type(command).__name__}")


def encode_report(report: Report, plate: DeviceRef) -> tuple[Publication, ...]:  # noqa: ARG001 - the same for all
    """There is nothing to write.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"an RTSP camera cannot say {type(report).__name__}")


def decode_command(
    channel: TopicSuffix,  # noqa: ARG001 - the same on all
    payload: bytes,  # noqa: ARG001 - whatever it is
    plate: DeviceRef = NO_DEVICE_REF,  # noqa: ARG001 - nothing of it is needed
) -> Command | UnreadablePayload:
    """It is asked nothing."""
    return UnreadablePayload(why="an RTSP camera is asked nothing over MQTT")

"""Supports any camera that serves H.264 over RTSP and has no MQTT: it sends and receives no messages.

The video process, which reads its stream, reports whether it works. So there are no topics, and a message on one does
not come from the camera.
"""

from devices.commands import Command
from devices.reports import Report, UnreadablePayload
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

DEFINITION = Definition(
    name="rtsp",
    title="Network camera (RTSP)",
    help="Give the camera a fixed address in your router, and switch H.264 on.",
    fields={
        "url": FieldDescription(
            title="Address of the video stream",
            help="The maker's manual has it. Without user and password: they have their own fields.",
            example="rtsp://192.168.1.30:554/stream1",
        ),
        "fingerprint": FieldDescription(
            title="Fingerprint of its certificate", help="Only with rtsps://. The camera shows it on its own page."
        ),
    },
    kinds=frozenset({"camera"}),
    is_external=True,
    correlates=False,
    has_mqtt=False,
)


def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Return one unreadable payload: no message on a topic comes from this camera."""
    return (UnreadablePayload(why="an RTSP camera says nothing over MQTT"),)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Always raise: the camera accepts no commands.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"an RTSP camera cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Always raise: the camera sends no reports.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"an RTSP camera cannot say {type(report).__name__}")


def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Return `UnreadablePayload`: the camera accepts no commands."""
    return UnreadablePayload(why="an RTSP camera is asked nothing over MQTT")

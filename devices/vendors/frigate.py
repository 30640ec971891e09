"""Supports a camera behind Frigate, whose go2rtc serves it again at rtsp://HOST:8554/CAMERA.

    PREFIX/available   online, stopped or offline, retained; offline is its last will

The address is Frigate's `mqtt.topic_prefix`, by default `frigate`. The gateway reads one message, which concerns all
cameras behind one Frigate; the video process reports whether this camera's pictures are live.

The gateway never sends anything: `PREFIX/CAMERA/recordings/set` and similar settings outlive a restart of Frigate, so
a box that dies during a visit would leave the household's own recordings changed. Perron records its own film.

Source: Frigate's documentation of its MQTT topics and of its restream (docs.frigate.video, integrations/mqtt and
configuration/restream).
"""

from collections.abc import Mapping

from devices.commands import Command
from devices.reports import AvailabilityReport, Report, UnreadablePayload
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

PREFIX = "frigate"
_WORDS = {b"online": True, b"stopped": False, b"offline": False}


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topic of Frigate's own availability."""
    return {TopicSuffix.BRIDGE: f"{device_ref.address or PREFIX}/available"}


def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse Frigate's availability; an unreadable one gives one `UnreadablePayload`."""
    if suffix is not TopicSuffix.BRIDGE:
        return (UnreadablePayload(why="of Frigate only its availability is heard"),)
    online = _WORDS.get(payload)
    if online is None:
        return (UnreadablePayload(why="Frigate is online, stopped or offline"),)
    return (AvailabilityReport(online=online),)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Always raise: Frigate gets no commands.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"a camera behind Frigate cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a report of Frigate.

    Raises:
        ValueError: Frigate cannot express the report.
    """
    if isinstance(report, AvailabilityReport):
        return (Publication(suffix=TopicSuffix.BRIDGE, payload=b"online" if report.online else b"offline"),)
    raise ValueError(f"Frigate cannot say {type(report).__name__}")


def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Return `UnreadablePayload`: Frigate accepts no commands."""
    return UnreadablePayload(why="nothing of Frigate is switched")


DEFINITION = Definition(
    name="frigate",
    title="Camera behind Frigate",
    help="Frigate serves the stream again; its account at the broker is that of its base topic.",
    fields={
        "address": FieldDescription(
            title="Camera in Frigate",
            help="Base topic and name of the camera, as Frigate has them.",
            example="frigate/doorbell",
        ),
        "url": FieldDescription(
            title="Address of the video stream at Frigate",
            help="The restream of go2rtc, without user and password.",
            example="rtsp://192.168.1.40:8554/doorbell",
        ),
    },
    kinds=frozenset({"camera"}),
    is_external=True,
    correlates=False,
    topics=topics,
)

"""The interface for publishing, the gateway's birth and will, and how bodies and instants are written."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, Unpack

from gateway.config.topics import BRIDGE_STATE
from gateway.mqtt.packets import BirthAndWill, NotSent, PublishOptions, Sent

GATEWAY_BIRTH_AND_WILL = BirthAndWill(topic=BRIDGE_STATE, online=b'{"state":"online"}', offline=b'{"state":"offline"}')


class Publisher(Protocol):
    """The part of `gateway.mqtt.client.MqttClient` that publishes."""

    def publish(self, topic: str, payload: bytes, **options: Unpack[PublishOptions]) -> Sent | NotSent:
        """Publish as `gateway.mqtt.client.MqttClient.publish` does."""
        ...


def rfc3339_ms(utc: datetime) -> str:
    """Format an instant as RFC 3339 in UTC, with milliseconds and `Z`."""
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_bytes(body: Mapping[str, object]) -> bytes:
    """Serialise a message body as compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

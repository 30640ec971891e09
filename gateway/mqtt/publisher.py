"""The interface for publishing, the gateway's birth and will, and how bodies and instants are written."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from gateway.config.topics import BRIDGE_STATE
from gateway.mqtt.client import NotSent, Sent
from gateway.mqtt.packets import BirthAndWill

GATEWAY_BIRTH_AND_WILL = BirthAndWill(topic=BRIDGE_STATE, online=b'{"state":"online"}', offline=b'{"state":"offline"}')


class Publisher(Protocol):
    """The part of `gateway.mqtt.client.MqttClient` that publishes."""

    def publish(  # noqa: PLR0913 - one argument a field of an MQTT 5 PUBLISH
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry: int | None = None,
        correlation: bytes | None = None,
        response_topic: str | None = None,
        user_properties: Mapping[str, str] | None = None,
        immediate: bool = False,
    ) -> Sent | NotSent:
        """Publish as `gateway.mqtt.client.MqttClient.publish` does."""
        ...


def rfc3339_ms(utc: datetime) -> str:
    """Format an instant as RFC 3339 in UTC, with milliseconds and `Z`."""
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_bytes(body: Mapping[str, object]) -> bytes:
    """Serialise a message body as compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

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
    """The part of `gateway.mqtt.client.MqttClient` that is spoken to."""

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
        now_or_never: bool = False,
    ) -> Sent | NotSent:
        """Write to the socket, or say that not one byte left."""
        ...


def rfc3339_ms(utc: datetime) -> str:
    """RFC 3339 UTC, milliseconds, Z."""
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_bytes(body: Mapping[str, object]) -> bytes:
    """JSON as it travels."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

"""The interface for publishing, the gateway's birth and will, and how bodies and instants are written."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, Unpack

from gateway.config.topics import BRIDGE_STATE
from gateway.domain.delivery.features import SPEAKS
from gateway.mqtt.packets import BirthAndWill, NotSent, PublishOptions, Sent

_write_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # `dumps` would make one each time


def is_gateway_online(retained: bytes | None) -> bool:
    """Return whether the gateway's retained state says that it is connected; None: there is none."""
    try:
        state = json.loads(retained or b"{}")
    except ValueError:
        return False
    return isinstance(state, dict) and state.get("state") == "online"


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
    return _write_compact(body).encode()


GATEWAY_BIRTH_AND_WILL = BirthAndWill(
    topic=BRIDGE_STATE,
    online=json_bytes({"state": "online", "speaks": SPEAKS.model_dump(mode="json")}),
    offline=json_bytes({"state": "offline"}),
)
"""What the gateway says of itself, and which orders it understands."""

"""Builds the body and headers of a message (Standard Webhooks 1.0).

Body and `webhook-id` are the same at each attempt; timestamp and signature are each attempt's own
(https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
"""

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from standardwebhooks import Webhook

_SECRET_BYTES = 32  # the specification asks for 24 to 64


def new_secret() -> str:
    """Return a new key with which a receiver verifies that the hub sent a message."""
    return f"whsec_{b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A message with all that is sent of it. `secrets`: the valid one, and during a rotation the one before."""

    message: str
    event: str
    type: str
    at: datetime
    seq: int
    previous: int
    data: Mapping[str, Any]
    secrets: tuple[str, ...]

    def body(self) -> bytes:
        """Return the body."""
        whole = {
            "type": self.type,
            "timestamp": self.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "seq": self.seq,
            "previous": self.previous,
            "event": self.event,
            "data": self.data,
        }
        return json.dumps(whole, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()

    def headers(self, body: bytes, now: datetime) -> dict[str, str]:
        """Return the headers of an attempt at this instant."""
        text = body.decode()
        return {
            "Content-Type": "application/json",
            "User-Agent": "Perron-Webhooks/1",
            "webhook-id": self.message,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(self.message, now, text) for secret in self.secrets),
        }

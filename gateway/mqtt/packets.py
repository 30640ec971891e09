"""Received messages and results of publishing, independent of the client library."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum, auto
from typing import TypedDict

from gateway.domain.frozen import Frozen


class InboundMessage(Frozen):
    """A received message. `boot`, `seq` and `uptime_ms` are the device's user properties; None if it sends none."""

    topic: str
    payload: bytes
    retain: bool
    session: int
    correlation: bytes | None = None
    response_topic: str | None = None
    boot: str | None = None
    seq: int | None = None
    uptime_ms: int | None = None

    @property
    def answered_query(self) -> int | None:
        """Number of the query in this session that the message answers (correlation `<session>:<number>`), or None."""
        session, _, number = (self.correlation or b"").partition(b":")
        if session != str(self.session).encode() or not number.isdigit() or len(number) > 18:
            return None
        return int(number)


class BirthAndWill(Frozen):
    """What a connection publishes about itself; `offline` is also its last will, and `online` may be None."""

    topic: str
    online: bytes | None
    offline: bytes
    retain: bool = True


class ConnectionOptions(Frozen):
    """Settings of a connection; the defaults are those for the house's broker.

    The client detects a broker that hangs within twice `keepalive_s`. `connect_timeout_s`: for CONNECT, SUBSCRIBE and
    DISCONNECT. `max_backoff_s`: between two attempts to connect. `session_expiry_s`: how long the broker stores
    messages for a disconnected client. `qos`: QoS of the subscriptions, of the first session, the second and so on.
    """

    keepalive_s: int = 5
    connect_timeout_s: float = 3.0
    max_backoff_s: float = 5.0
    session_expiry_s: int = 0
    qos: tuple[int, ...] = (1,)


class PublishOptions(TypedDict, total=False):
    """The fields of an MQTT 5 PUBLISH beside topic and payload: QoS 1 by default, `expiry` in whole seconds."""

    qos: int
    retain: bool
    expiry: int | None
    correlation: bytes | None
    response_topic: str | None
    user_properties: Mapping[str, str] | None
    immediate: bool


class Acknowledgement(Frozen):
    """The broker's answer to a publication, `seconds` after it left.

    `code` is MQTT 5's reason code: 0 accepted, 0x10 accepted without a subscriber, 0x80 and above refused. None: the
    connection ended first, and the message may still arrive. For QoS 0, 0 means that the system took the bytes.
    """

    code: int | None
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the broker accepted the message."""
        return self.code is not None and self.code < 0x80


class Sent(Frozen, kw_only=False):
    """The message may have reached the broker. The future ends at the latest with the connection, and never raises."""

    acknowledged: asyncio.Future[Acknowledgement]


class NotSent(StrEnum):
    """Why not one byte of the message reached the socket; none ever will."""

    NO_BROKER = auto()
    BLOCKED = auto()  # the socket is not writable
    NO_ROOM = auto()  # the broker's receive maximum is used up
    TOO_LARGE = auto()
    NO_CHALLENGE = auto()  # the lock's guard has issued no valid challenge, so it would refuse


def whole_number(text: str | None) -> int | None:
    """Return a whole number of at most 18 digits; None for any other text."""
    return int(text) if text and len(text) <= 18 and text.isascii() and text.isdigit() else None

"""Received messages and results of publishing, independent of the client library."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum, auto


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """One message as it arrived. `boot`, `seq`, `uptime_ms` are the device's own, None where it says none."""

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
    def answers(self) -> int | None:
        """The number of the question of this session that it answers (correlation `<session>:<number>`), or None."""
        session, _, number = (self.correlation or b"").partition(b":")
        if session != str(self.session).encode() or not number.isdigit() or len(number) > 18:
            return None
        return int(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthAndWill:
    """What a line says of itself: `offline` is its last will too, `online` None where it says no more."""

    topic: str
    online: bytes | None
    offline: bytes
    retain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """How a line holds on to its broker, in seconds: one in the house, unless it says other.

    `keepalive`: a broker that stands still is noticed within twice that. `patience`: for it to answer CONNECT,
    SUBSCRIBE, DISCONNECT. `longest`: between two tries to connect. `kept`: that the broker keeps for a line that is
    away what it would have heard. `qos`: with which its lines hear, in turn.
    """

    keepalive_s: int = 5
    connect_timeout_s: float = 3.0
    max_backoff_s: float = 5.0
    session_expiry_s: int = 0
    qos: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What the broker said to a publication, `seconds` after it left.

    `code` is MQTT 5's reason code: 0 taken, 0x10 taken but nobody listens, 0x80 and above refused. None: the
    connection ended first, and the message may still arrive. For QoS 0, 0 says that the system took the bytes.
    """

    code: int | None
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the broker has it."""
        return self.code is not None and self.code < 0x80


@dataclass(frozen=True, slots=True)
class Sent:
    """It may have reached the broker. The future always ends, at the latest with the connection; it never raises."""

    acknowledged: asyncio.Future[Acknowledgement]


class NotSentReason(StrEnum):
    """Why not one byte left."""

    NO_BROKER = auto()
    BLOCKED = auto()  # the socket takes nothing more
    NO_ROOM = auto()  # the broker's receive maximum is used up
    TOO_LARGE = auto()
    NO_CHALLENGE = auto()  # the lock's guard has given none that lives: it would refuse


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certain: not one byte of it reached the socket, and none ever will."""

    why: NotSentReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """How long the broker takes to acknowledge; `stalls`: 40 ms each, so TCP_NODELAY is missing somewhere."""

    median: float
    stalls: bool


def whole_number(text: str | None) -> int | None:
    """Read a whole number of at most 18 digits; anything else is no number."""
    return int(text) if text and len(text) <= 18 and text.isascii() and text.isdigit() else None

"""MQTT 5 packets as bytes: those that a client sends, and those that it may receive. Pure.

The numbers in parentheses are sections of OASIS MQTT Version 5.0. docs/decisions names why no library does this.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from gateway.domain.frozen import Frozen

MAX_PROPERTIES_BYTES = 1_024  # a message with more loses all its properties
CONTINUATION_BIT = 128  # set in each byte of a length that is not the last
QOS_BITS, AT_LEAST_ONCE, RETAIN_BIT = 0b110, 0b010, 0b001  # of a PUBLISH packet's first byte
MAX_PACKET_ID = 65_535
FIRST_FAILURE = 0x80  # reason codes from here on are failures (2.4)


class PacketType(IntEnum):
    """The upper four bits of a packet's first byte (2.1.2)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Property(IntEnum):
    """The identifiers of the properties that a client reads or writes (2.2.2.2)."""

    MESSAGE_EXPIRY = 0x02
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SESSION_EXPIRY = 0x11
    SERVER_KEEP_ALIVE = 0x13
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS = 0x23
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27


# Section 2.2.2.2: properties whose value is a number of so many bytes, a text or bytes with their length, or a varint
_NUMBERS = {0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1,
            0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}  # fmt: skip
_STRINGS = frozenset({0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
_SUBSCRIPTION_IDENTIFIER = 0x0B

# Section 2.4; the names are the ones that the specification gives.
_REASONS = {
    0x00: "Normal disconnection", 0x01: "Unacceptable protocol version", 0x04: "Disconnect with will message",
    0x80: "Unspecified error", 0x81: "Malformed packet", 0x82: "Protocol error",
    0x83: "Implementation specific error", 0x84: "Unsupported protocol version",
    0x85: "Client identifier not valid", 0x86: "Bad user name or password", 0x87: "Not authorized",
    0x88: "Server unavailable", 0x89: "Server busy", 0x8A: "Banned", 0x8B: "Server shutting down",
    0x8C: "Bad authentication method", 0x8D: "Keep alive timeout", 0x8E: "Session taken over",
    0x8F: "Topic filter invalid", 0x90: "Topic name invalid", 0x91: "Packet identifier in use",
    0x92: "Packet identifier not found", 0x93: "Receive maximum exceeded", 0x94: "Topic alias invalid",
    0x95: "Packet too large", 0x96: "Message rate too high", 0x97: "Quota exceeded", 0x98: "Administrative action",
    0x99: "Payload format invalid", 0x9A: "Retain not supported", 0x9B: "QoS not supported",
    0x9C: "Use another server", 0x9D: "Server moved", 0x9E: "Shared subscriptions not supported",
    0x9F: "Connection rate exceeded", 0xA0: "Maximum connect time", 0xA1: "Subscription identifiers not supported",
    0xA2: "Wildcard subscriptions not supported",
}  # fmt: skip

PINGREQ_PACKET = bytes((PacketType.PINGREQ << 4, 0))
DISCONNECT_PACKET = bytes((PacketType.DISCONNECT << 4, 0))


class MalformedPacketError(ValueError):
    """A received packet breaks the specification. The text quotes nothing of it, because a stranger wrote it."""


def reason_text(code: int) -> str:
    """Return a reason code as a log shows it, such as `[code:135] Not authorized`."""
    return f"[code:{code}] {_REASONS.get(code, 'Unknown reason')}"


# ---- what a client sends --------------------------------------------------------------------------------------------


class Will(Frozen):
    """The message that the broker publishes, at QoS 1, when it loses the client."""

    topic: str
    payload: bytes
    retain: bool


class TopicFilter(Frozen):
    """One topic of a SUBSCRIBE packet with its options (3.8.3.1)."""

    topic: str
    qos: int
    retain_as_published: bool
    retain_handling: int


def encode_connect(  # noqa: PLR0913 - each is a different field of the packet
    client_id: str, *, username: str | None, password: str | None, clean_start: bool, keepalive_s: int,
    session_expiry_s: int, receive_maximum: int, max_packet_bytes: int, will: Will | None,
) -> bytes:  # fmt: skip
    """Return a CONNECT packet (3.1).

    Raises:
        OverflowError: an identifier, name, password or will is longer than 65,535 bytes.
    """
    properties = b"".join(
        (
            bytes((Property.SESSION_EXPIRY,)), session_expiry_s.to_bytes(4),
            bytes((Property.RECEIVE_MAXIMUM,)), receive_maximum.to_bytes(2),
            bytes((Property.MAXIMUM_PACKET_SIZE,)), max_packet_bytes.to_bytes(4),
        )
    )  # fmt: skip
    flags = clean_start << 1
    fields = [_string(client_id)]
    if will is not None:
        flags |= 0x04 | 1 << 3 | will.retain << 5
        fields += [b"\0", _string(will.topic), _string(will.payload)]
    if username is not None:
        flags |= 0x80
        fields.append(_string(username))
    if password is not None:
        flags |= 0x40
        fields.append(_string(password))
    head = _string("MQTT") + bytes((5, flags)) + keepalive_s.to_bytes(2)
    return _packet(PacketType.CONNECT << 4, head, _length(len(properties)), properties, *fields)


def encode_subscribe(packet_id: int, filters: Sequence[TopicFilter]) -> bytes:
    """Return a SUBSCRIBE packet (3.8)."""
    options = (
        _string(f.topic) + bytes((f.qos | f.retain_as_published << 3 | f.retain_handling << 4,)) for f in filters
    )
    return _packet(PacketType.SUBSCRIBE << 4 | 2, packet_id.to_bytes(2), b"\0", *options)


def encode_publish_properties(
    *, expiry: int | None, correlation: bytes | None, response_topic: str | None,
    user_properties: Mapping[str, str] | None,
) -> bytes:  # fmt: skip
    """Return the properties of a PUBLISH packet (3.3.2.3) without their length."""
    found = b""
    if expiry is not None:
        found += bytes((Property.MESSAGE_EXPIRY,)) + expiry.to_bytes(4)
    if correlation is not None:
        found += bytes((Property.CORRELATION_DATA,)) + _string(correlation)
    if response_topic is not None:
        found += bytes((Property.RESPONSE_TOPIC,)) + _string(response_topic)
    for name, value in (user_properties or {}).items():
        found += bytes((Property.USER_PROPERTY,)) + _string(name) + _string(value)
    return found


def encode_publish(  # noqa: PLR0913 - each is a different field of the packet
    topic: bytes, payload: bytes, *, qos: int, retain: bool, packet_id: int, properties: bytes
) -> bytes:
    """Return a PUBLISH packet (3.3). `packet_id` has no meaning for QoS 0."""
    name = packet_id.to_bytes(2) if qos else b""
    return _packet(
        PacketType.PUBLISH << 4 | qos << 1 | retain,
        len(topic).to_bytes(2), topic, name, _length(len(properties)), properties, payload,
    )  # fmt: skip


def encode_puback(packet_id: int) -> bytes:
    """Return a PUBACK packet that says success (3.4)."""
    return bytes((PacketType.PUBACK << 4, 2)) + packet_id.to_bytes(2)


def _packet(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((first,)) + _length(len(body)) + body


def _length(value: int) -> bytes:
    """Return a variable byte integer (1.5.5)."""
    if value < CONTINUATION_BIT:
        return bytes((value,))
    found = bytearray()
    while value >= CONTINUATION_BIT:
        found.append(value & 127 | CONTINUATION_BIT)
        value >>= 7
    found.append(value)
    return bytes(found)


def _string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2) + data


# ---- what a client receives -----------------------------------------------------------------------------------------


def read_header(buffer: bytearray, start: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `start` begins, and its length; None: not all of the header is there.

    Raises:
        MalformedPacketError: the length has more than four bytes.
    """
    length = 0
    header = buffer[start + 1 : start + 5]
    for place, byte in enumerate(header):
        length |= (byte & 127) << 7 * place
        if byte < CONTINUATION_BIT:
            return start + 2 + place, length
    if len(header) == 4:
        raise MalformedPacketError("the broker sends a packet with an invalid length")
    return None


class ConnAck(NamedTuple):
    """The answer to CONNECT (3.2). None: the broker sets no such limit."""

    code: int
    receive_maximum: int
    max_packet_bytes: int | None
    keepalive_s: int | None


def decode_connack(body: bytes) -> ConnAck:
    """Decode a CONNACK packet. One without properties is an older broker's, which refuses MQTT 5."""
    if len(body) < 2:
        raise MalformedPacketError("the broker answers CONNECT with an invalid packet")
    found = _read_properties(body, 2)[0] if len(body) > 2 else {}
    receive_maximum = _whole(found, Property.RECEIVE_MAXIMUM)
    max_packet_bytes = _whole(found, Property.MAXIMUM_PACKET_SIZE)
    if 0 in (receive_maximum, max_packet_bytes):
        raise MalformedPacketError("the broker sets a limit of zero")
    return ConnAck(
        body[1],
        MAX_PACKET_ID if receive_maximum is None else receive_maximum,
        max_packet_bytes,
        _whole(found, Property.SERVER_KEEP_ALIVE),
    )


def decode_puback(body: bytes) -> tuple[int, int]:
    """Return packet identifier and reason code of a PUBACK packet; its properties are not read."""
    if len(body) < 2:
        raise MalformedPacketError("the broker acknowledges a message with an invalid packet")
    return int.from_bytes(body[:2]), body[2] if len(body) > 2 else 0


def decode_suback(body: bytes) -> tuple[int, bytes]:
    """Return packet identifier and reason codes, one byte each, of a SUBACK packet (3.9)."""
    end = _properties_end(body, 2)
    return int.from_bytes(body[:2]), body[end:]


def decode_disconnect(body: bytes) -> int:
    """Return the reason code of a DISCONNECT packet; its properties are not read."""
    return body[0] if body else 0


class RawMessage(NamedTuple):
    """A PUBLISH packet whose properties are not read yet: `rest` holds them and the payload.

    `packet_id`: 0 for QoS 0.
    """

    topic: bytes
    retain: bool
    packet_id: int
    rest: bytes


def split_publish(first: int, body: bytes) -> RawMessage:
    """Split a PUBLISH packet with QoS 0 or 1, whose first byte is `first`."""
    end = 2 + int.from_bytes(body[:2])
    packet_id = 0
    begin = end
    if first & QOS_BITS:
        begin += 2
        packet_id = int.from_bytes(body[end:begin])
        if not packet_id:
            raise MalformedPacketError("the broker sends a message without a packet identifier")
    if len(body) <= begin:  # at least the length of the properties follows
        raise MalformedPacketError("the broker sends a message that is cut off")
    return RawMessage(body[2:end], bool(first & RETAIN_BIT), packet_id, body[begin:])


class MessageContent(NamedTuple):
    """What `RawMessage.rest` holds."""

    payload: bytes
    correlation: bytes | None
    response_topic: str | None
    user_properties: Mapping[str, str]


_NO_USER_PROPERTIES: Mapping[str, str] = {}


def decode_content(rest: bytes) -> MessageContent:
    """Decode properties and payload; of a message with more than MAX_PROPERTIES_BYTES of properties, only the payload.

    A text that is not UTF-8 is ignored: a client may have written it, and not every broker checks it.
    """
    if not rest[0]:
        return MessageContent(rest[1:], None, None, _NO_USER_PROPERTIES)
    end = _properties_end(rest, 0)
    if end > MAX_PROPERTIES_BYTES + 2:
        return MessageContent(rest[end:], None, None, _NO_USER_PROPERTIES)
    found, user_properties = _read_properties(rest, 0)
    if Property.TOPIC_ALIAS in found:
        raise MalformedPacketError("the broker sends a message with a topic alias that was not asked for")
    correlation, response_topic = found.get(Property.CORRELATION_DATA), found.get(Property.RESPONSE_TOPIC)
    return MessageContent(
        rest[end:],
        correlation if isinstance(correlation, bytes) else None,
        _utf8(response_topic) if isinstance(response_topic, bytes) else None,
        {
            name: value
            for name, value in ((_utf8(n), _utf8(v)) for n, v in user_properties)
            if name is not None and value is not None
        }
        if user_properties
        else _NO_USER_PROPERTIES,
    )


def decode_topic(topic: bytes) -> str:
    """Return a topic name (4.7).

    Raises:
        MalformedPacketError: it is empty, is not UTF-8, or contains a wildcard or the character zero.
    """
    text = _utf8(topic)
    if not text or "\0" in text or "#" in text or "+" in text:
        raise MalformedPacketError("the broker sends a message with an invalid topic")
    return text


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


_Properties = dict[int, "int | bytes"]


def _whole(found: _Properties, name: Property) -> int | None:
    value = found.get(name)
    return value if isinstance(value, int) else None


def _properties_end(body: bytes, start: int) -> int:
    """Return where the properties end whose length stands at `start`."""
    length = 0
    for place, byte in enumerate(body[start : start + 4]):
        length |= (byte & 127) << 7 * place
        if byte < CONTINUATION_BIT:
            end = start + place + 1 + length
            if end <= len(body):
                return end
            break
    raise MalformedPacketError("the broker sends a packet whose properties are cut off")


def _read_properties(body: bytes, start: int) -> tuple[_Properties, list[tuple[bytes, bytes]]]:
    """Return the properties whose length stands at `start`, and beside them the user properties."""
    end = _properties_end(body, start)
    place = start + 1
    while body[place - 1] >= CONTINUATION_BIT:
        place += 1
    found: _Properties = {}
    pairs: list[tuple[bytes, bytes]] = []
    while place < end:
        name = body[place]
        place += 1
        if name == Property.USER_PROPERTY:
            key, place = _take_string(body, place, end)
            value, place = _take_string(body, place, end)
            pairs.append((key, value))
            continue
        if name in found and name != _SUBSCRIPTION_IDENTIFIER:
            raise MalformedPacketError("the broker sends a packet with a property twice")
        size = _NUMBERS.get(name)
        if size is not None:
            found[name] = int.from_bytes(body[place : place + size])
            place += size
        elif name in _STRINGS:
            found[name], place = _take_string(body, place, end)
        elif name == _SUBSCRIPTION_IDENTIFIER:
            while place < end and body[place] >= CONTINUATION_BIT:
                place += 1
            found[name] = 0
            place += 1
        else:
            raise MalformedPacketError("the broker sends a packet with an unknown property")
    if place != end:
        raise MalformedPacketError("the broker sends a packet whose properties are cut off")
    return found, pairs


def _take_string(body: bytes, place: int, end: int) -> tuple[bytes, int]:
    """Return the text or bytes whose length stands at `place`, and where they end."""
    last = place + 2 + int.from_bytes(body[place : place + 2])
    if last > end:
        raise MalformedPacketError("the broker sends a packet whose properties are cut off")
    return body[place + 2 : last], last

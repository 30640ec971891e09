"""MQTT 5 packets, beside paho-mqtt, which nobody here wrote; and bytes that no broker should send."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from gateway.mqtt import codec
from gateway.mqtt.codec import MalformedPacketError, PacketType
from gateway.mqtt.inbound_limits import PacketReader
from tests.hostilebroker import message, number, packet

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
PAIRS = st.dictionaries(PLAIN, PLAIN, max_size=4)
READERS: Mapping[PacketType, Callable[[bytes], object]] = {
    PacketType.CONNACK: codec.decode_connack,
    PacketType.PUBACK: codec.decode_puback,
    PacketType.SUBACK: codec.decode_suback,
    PacketType.DISCONNECT: codec.decode_disconnect,
}


def paho_properties(**values: object) -> Any:  # noqa: ANN401 - paho leaves it untyped
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    for name, value in values.items():
        if value is not None:
            setattr(properties, name, value)
    return properties


def read_all(reader: PacketReader) -> list[tuple[int, bytes]]:
    """Every whole packet."""
    return list(iter(reader.next_packet, None))


def read_message(first: int, body: bytes) -> tuple[str, codec.MessageContent]:
    raw = codec.split_publish(first, body)
    return codec.decode_topic(raw.topic), codec.decode_content(raw.rest)


@given(
    expiry=st.none() | st.integers(0, 2**32 - 1),
    correlation=st.none() | st.binary(max_size=60),
    response_topic=st.none() | PLAIN,
    pairs=PAIRS,
)
def test_paho_reads_the_properties_of_our_messages_as_we_mean_them(
    expiry: int | None, correlation: bytes | None, response_topic: str | None, pairs: dict[str, str]
) -> None:
    ours = codec.encode_publish_properties(
        expiry=expiry, correlation=correlation, response_topic=response_topic, user_properties=pairs
    )
    theirs = paho_properties()
    theirs.unpack(number(len(ours)) + ours)
    read = theirs.json()
    assert read.get("MessageExpiryInterval") == expiry
    assert getattr(theirs, "CorrelationData", None) == correlation
    assert read.get("ResponseTopic") == response_topic
    assert dict(read.get("UserProperty", [])) == pairs


@given(
    topic=PLAIN.filter(lambda text: text and not set(text) & set("#+")),
    payload=st.binary(max_size=300),
    correlation=st.none() | st.binary(max_size=60),
    pairs=PAIRS,
    qos=st.sampled_from((0, 1)),
)
def test_a_message_with_properties_that_paho_wrote_is_read_whole(
    topic: str, payload: bytes, correlation: bytes | None, pairs: dict[str, str], qos: int
) -> None:
    theirs = paho_properties(
        CorrelationData=correlation, UserProperty=list(pairs.items()) or None, SubscriptionIdentifier=300,
        ContentType="text", PayloadFormatIndicator=1, MessageExpiryInterval=7,
    ).pack()  # fmt: skip
    body = len(topic.encode()).to_bytes(2) + topic.encode() + b"\0\7" * qos + theirs + payload
    read_topic, content = read_message(0x30 | qos << 1, body)
    assert (read_topic, content.payload, content.correlation) == (topic, payload, correlation)
    assert content.user_properties == pairs


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 65_536])
def test_a_packet_of_any_length_begins_with_its_length(size: int) -> None:
    ours = codec.encode_publish(b"t", b"x" * size, qos=1, retain=True, packet_id=9, properties=b"")
    assert ours[:1] == b"\x33"
    length, _ = VariableByteIntegers.decode(ours[1:])  # type: ignore[no-untyped-call]  # paho leaves it untyped
    assert length == size + 6
    assert ours == packet(0x33, b"\0\1t\0\x09\0" + b"x" * size)


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=6), st.data())
def test_packets_are_found_however_the_network_cuts_them(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(message(b"a", payload) for payload in payloads)
    reader, found = PacketReader(1_000), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:size])
        stream = stream[size:]
        found += read_all(reader)
    assert [body for _, body in found] == [b"\0\1a\0" + payload for payload in payloads]


def read_anything(stream: bytes) -> None:
    """Read as `gateway.mqtt.connection.Connection` does."""
    reader = PacketReader(1_000)
    reader.feed(stream)
    for first, body in read_all(reader):
        kind = first >> 4
        if kind == PacketType.PUBLISH:
            read_message(first, body)
        elif kind in READERS:
            READERS[PacketType(kind)](body)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_packets_raise_no_other_error(stream: bytes) -> None:
    with contextlib.suppress(MalformedPacketError):
        read_anything(stream)


_GOOD = (
    message(
        b"perron/front-lock/result", b"locked", qos=1, properties=b"\x09\0\x05101:7\x26\0\x04boot\0\x02b1\x02\0\0\0\5"
    ),
    packet(0x20, b"\0\0\x0a\x21\0\x14\x27\0\0\x10\0\x13\0\5"),
    packet(0x40, b"\0\7\x10\0"),
    packet(0x90, b"\0\7\0\1\1"),
    packet(0xE0, b"\x8e\0"),
)


@given(
    st.sampled_from(_GOOD),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4),
    st.integers(0, 80),
)
def test_a_packet_with_wrong_bytes_or_without_its_end_raises_no_other_error(
    good: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    stream = bytearray(good)
    for place, byte in changes:
        stream[place % len(stream)] = byte
    with contextlib.suppress(MalformedPacketError):
        read_anything(bytes(stream))
    body = bytes(stream[2:])[:end]  # as if its length said so
    for reader in READERS.values():
        with contextlib.suppress(MalformedPacketError):
            reader(body)
    with contextlib.suppress(MalformedPacketError):
        read_message(0x32, body)


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x26\0\1\xff\0\1a", b"\x08\0\1\xff", b"\x26\0\1a\0\2\xc3\x28",
    ],
)  # fmt: skip
def test_a_text_that_a_client_wrote_without_utf_8_costs_no_message(wrong: bytes) -> None:
    packet = message(b"a", b"said", properties=wrong)
    _, content = read_message(packet[0], packet[2:])
    assert (content.payload, content.response_topic, dict(content.user_properties)) == (b"said", None, {})


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (b"\0\0\0", (0, 65_535, None, None)),
        (b"\0\x87\0", (0x87, 65_535, None, None)),
        (b"\0\1", (1, 65_535, None, None)),  # a broker of MQTT 3.1.1
        (b"\0\0\x0b\x21\0\x14\x27\0\0\x10\0\x13\0\5", (0, 20, 4_096, 5)),
    ],
)
def test_the_limits_of_the_broker_are_read(body: bytes, limits: tuple[int, int, int | None, int | None]) -> None:
    assert codec.decode_connack(body) == limits


def test_a_reason_has_its_number_and_the_name_that_the_specification_gives_it() -> None:
    assert codec.reason_text(0x87) == "[code:135] Not authorized"
    assert codec.reason_text(0x8E) == "[code:142] Session taken over"
    assert codec.reason_text(200) == "[code:200] Unknown reason"

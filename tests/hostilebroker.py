"""A broker that keeps to nothing that was agreed: it lets anybody in, and then does what its name says.

Run as a process of its own: `python -m tests.hostilebroker DEED [CERTIFICATE KEY]`; it prints its port.
"""

import contextlib
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator, Mapping

TOPIC, END = b"dn/home-1/ack", b"dn/home-1/end"
LARGE_PAYLOAD = b"x" * 60_000
CONNACK, SUBACK = 0x20, 0x90


def number(value: int) -> bytes:
    """A length as MQTT writes it."""
    value, low = divmod(value, 128)
    return bytes([low | 128]) + number(value) if value else bytes([low])


def packet(first: int, body: bytes) -> bytes:
    """A packet."""
    return bytes([first]) + number(len(body)) + body


def message(topic: bytes, payload: bytes = b"", *, qos: int = 0, name: int = 1, properties: bytes = b"") -> bytes:
    """A message, under any QoS."""
    head = struct.pack(">H", len(topic)) + topic + (struct.pack(">H", name) if qos else b"")
    return packet(0x30 | qos << 1, head + number(len(properties)) + properties + payload)


def user_properties(many: int) -> bytes:
    """So many pairs of nothing and nothing."""
    return b"\x26\0\0\0\0" * many


def _huge() -> Iterator[bytes]:
    yield bytes([0x30]) + number(268_435_455)
    for _ in range(120):
        yield b"\0" * 1_000_000


def _qos2_without_release() -> Iterator[bytes]:
    for name in range(1, 2_000):
        yield message(TOPIC, LARGE_PAYLOAD, qos=2, name=name)


def _new_topics() -> Iterator[bytes]:
    for one in range(2_000):
        yield message(b"dn/home-1/%d" % one + LARGE_PAYLOAD)


def _no_topic() -> Iterator[bytes]:
    yield message(b"dn/\xff")


def _large_properties() -> Iterator[bytes]:
    yield packet(0x40, struct.pack(">HB", 1, 0) + number(5_000) + user_properties(1_000))


def _properties() -> Iterator[bytes]:
    yield message(TOPIC, qos=1, name=7, properties=user_properties(25_000))


def _unreadable_packets() -> Iterator[bytes]:
    while True:
        yield message(TOPIC, qos=1) * 1_000


def _flood() -> Iterator[bytes]:
    yield message(TOPIC) * 20_000


ATTACKS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    "huge": _huge, "never-released": _qos2_without_release, "new-topics": _new_topics, "no-topic": _no_topic,
    "much-besides": _large_properties, "properties": _properties, "unread": _unreadable_packets, "flood": _flood,
}  # fmt: skip


def _serve(client: socket.socket, deed: str) -> None:
    client.recv(65_536)
    client.sendall(packet(CONNACK, b"\0\0\0"))
    asked = client.recv(65_536)
    client.sendall(packet(SUBACK, asked[2:4] + b"\0\1"))
    for said in ATTACKS[deed]():
        client.sendall(said)
    if deed == "properties" and client.recv(65_536)[:4] != packet(0x40, b"\0\7"):
        return  # it was not acknowledged
    client.sendall(message(END))
    while client.recv(65_536):
        pass


def main() -> None:
    """Serve one after the other, until ended."""
    deed, *files = sys.argv[1:]
    server = socket.create_server(("127.0.0.1", 0))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if files:
        tls.load_cert_chain(*files)
    print(server.getsockname()[1], flush=True)  # noqa: T201 - how whoever started it learns the port
    while True:
        client, _ = server.accept()
        with (
            contextlib.suppress(OSError),
            client,
            tls.wrap_socket(client, server_side=True) if files else client as one,
        ):
            _serve(one, deed)


if __name__ == "__main__":
    main()

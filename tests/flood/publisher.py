"""An MQTT 5 client that only publishes (QoS 0), as fast as it is told, with little CPU.

OASIS MQTT 5.0, sections 3.1 (CONNECT), 3.2 (CONNACK), 3.3 (PUBLISH).
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Self

TICK_S = 0.02  # between two writes


class Publisher:
    """One account's connection to a broker on 127.0.0.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._read_lock = asyncio.create_task(_read(reader))
        self.sent = 0

    @classmethod
    async def connect(cls, port: int, account: str, password: str) -> Self:
        """Sign in.

        Raises:
            ConnectionError: the broker refuses.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        flags, keepalive = b"\xc2", (600).to_bytes(2, "big")  # user name, password, clean start
        head = b"\x00\x04MQTT\x05" + flags + keepalive + b"\x00"
        writer.write(_packet(0x10, head + _text(account) + _text(account) + _text(password)))
        first = await reader.readexactly(4)
        if first[0] != 0x20 or first[3] != 0:
            raise ConnectionError(f"the broker refuses {account}: {first.hex()}")
        await reader.readexactly(first[1] - 2)
        return cls(reader, writer)

    async def flood(self, topics: Sequence[str], payloads: Sequence[str], per_second: float) -> None:
        """Publish on each topic so many messages a second, until cancelled; `{n}` in a payload is a running number."""
        began, done = time.monotonic(), 0
        numbers = itertools.count()
        while True:
            due = int((time.monotonic() - began) * per_second)
            some = bytearray()
            for _ in range(min(due - done, 500)):
                number = next(numbers)
                payload = payloads[number % len(payloads)].replace("{n}", str(number)).encode()
                for topic in topics:
                    some += _packet(0x30, _text(topic) + b"\x00" + payload)
                    self.sent += 1
            done = due
            self._writer.write(some)
            await self._writer.drain()
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Hang up."""
        self._read_lock.cancel()
        self._writer.close()
        await asyncio.wait([self._read_lock])


async def _read(reader: asyncio.StreamReader) -> None:
    """Take what the broker says, so that it never waits for us."""
    while await reader.read(65_536):
        pass


def _packet(first: int, rest: bytes) -> bytes:
    length, size = bytearray(), len(rest)
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (128 if size else 0))
        if not size:
            return bytes([first]) + bytes(length) + rest


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()

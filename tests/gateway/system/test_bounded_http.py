"""A hub that answers without an end is hung up on: its thread would outlive the gateway, and hold up the next one."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.client import HTTPException
from itertools import repeat
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from gateway.system.bounded_http import open_bounded
from tests.certified import make_certificate

LONGEST, LATE = 0.5, 10.0  # seconds for an answer; on a loaded machine
PIECE_INTERVAL_S = 0.01  # seconds between two pieces: never idle for long, and far from the end when time is over
OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, Callable[[], Iterator[bytes]]] = {
    "a byte now and then": lambda: iter([OK, b"Content-Length: 60000\r\n\r\n", *[b"x"] * 10_000]),
    "half a head": lambda: iter([OK, *[b"X"] * 10_000]),
    "it goes on, and on": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "pieces of nothing": lambda: iter([OK, CHUNKED, *[b"0" * 60_000 + b"1\r\nx\r\n"] * 9_000]),
}  # fmt: skip


@contextlib.asynccontextmanager
async def hub(
    said: Callable[[], Iterator[bytes]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[str]]]:
    """Whoever answers so; its address, and what it was asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            asked.append((await reader.readuntil(b"\r\n")).decode().split(" ")[1])
            for piece in said():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(PIECE_INTERVAL_S)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        scheme, port = "http" if tls is None else "https", server.sockets[0].getsockname()[1]
        yield f"{scheme}://localhost:{port}", asked
    finally:
        server.close()


def read(url: str) -> bytes:
    """What is answered until it ends."""
    with (
        contextlib.suppress(OSError, ValueError, HTTPException),
        open_bounded(Request(url), idle_timeout_s=LATE, max_duration_s=LONGEST) as answer,  # noqa: S310 - this machine's own
    ):
        return answer.read(65_536)
    return b""


@pytest.mark.parametrize("said", ENDLESS.values(), ids=ENDLESS.keys())
@pytest.mark.parametrize("secure", [False, True])
async def test_an_answer_without_an_end_is_given_up(
    said: Callable[[], Iterator[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, secure: bool
) -> None:
    _, chain, key = make_certificate(tmp_path, "hub")
    monkeypatch.setattr(ssl, "_create_default_https_context", ssl._create_unverified_context)  # noqa: SLF001 - PEP 476's
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    async with hub(said, tls if secure else None) as (url, asked):
        began = time.monotonic()
        await asyncio.to_thread(read, url)
        assert asked == ["/"]
        assert LONGEST * 0.9 < time.monotonic() - began < LATE


async def test_nobody_is_led_elsewhere_and_what_is_whole_is_read() -> None:
    async with hub(lambda: iter([OK + b"Content-Length: 4\r\n\r\nhere"])) as (url, asked):
        async with hub(lambda: iter([f"HTTP/1.1 302 Found\r\nLocation: {url}/stop\r\n\r\n".encode()])) as (leads, _):
            with pytest.raises(HTTPError, match="302"):
                await asyncio.to_thread(_open, leads)
        assert asked == []
        assert await asyncio.to_thread(read, url) == b"here"


def _open(url: str) -> None:
    with open_bounded(Request(url), idle_timeout_s=LATE):  # noqa: S310 - this machine's own
        pass

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.hub.webhooks.connection import WebhookConnections
from gateway.hub.webhooks.retry import WebhookAttempt, WebhookResult
from gateway.system.destinations import DestinationPolicy
from gateway.system.guarded_http import Lookup, _GuardedResolver
from tests.hubs import unknown_names

TRICKLE_S = 0.05  # seconds from one byte to the next; 6,000 of them take far longer than the connection may
TRYING = DestinationPolicy(private=True, plain=True)


@asynccontextmanager
async def listening(
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n", tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server of bytes; what it heard."""
    heard: list[bytes] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65_536))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


async def tried(
    url: str,
    allowed: DestinationPolicy = TRYING,
    lookup: Lookup = unknown_names,
    timeout: float = 5.0,  # noqa: ASYNC109 - what is tried
) -> WebhookAttempt:
    async with WebhookConnections(allowed, seconds=time.monotonic, lookup=lookup, timeout=timeout) as connections:
        return await connections.post(url, b"{}", {"webhook-id": "msg-1"})


def here(_host: str, _port: int) -> list[tuple[socket.AddressFamily, str]]:
    return [(socket.AF_INET, "127.0.0.1")]


async def test_a_name_that_changes_between_two_tries_is_asked_anew_and_refused() -> None:
    answers = [[(socket.AF_INET, "127.0.0.1")], [(socket.AF_INET, "169.254.169.254")]]
    async with (
        listening(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") as (port, heard),
        WebhookConnections(
            TRYING, seconds=time.monotonic, lookup=lambda _host, _port: answers.pop(0), timeout=5.0
        ) as connections,
    ):
        first = await connections.post(f"http://shop.example:{port}/", b"{}", {})
        second = await connections.post(f"http://shop.example:{port}/", b"{}", {})
    assert (first.result, second.result) == (WebhookResult.TAKEN, WebhookResult.NOT_ALLOWED)
    assert len(heard) == 1


async def test_the_guard_stands_at_the_socket_too_behind_whatever_found_the_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def blind(_self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:  # noqa: ARG001 - aiohttp's
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    monkeypatch.setattr(_GuardedResolver, "resolve", blind)  # a resolver that forgot the guard
    async with (
        listening() as (port, heard),
        WebhookConnections(DestinationPolicy(plain=True), seconds=time.monotonic, timeout=5.0) as connections,
    ):
        answer = await connections.post(f"http://shop.example:{port}/", b"{}", {})
    assert answer.result is WebhookResult.NOT_ALLOWED
    assert heard == []


async def test_a_number_in_the_address_is_refused_before_anything_is_connected() -> None:
    async with listening() as (port, heard):
        for url in (f"http://127.0.0.1:{port}/", f"http://[::ffff:127.0.0.1]:{port}/", f"http://2130706433:{port}/"):
            assert (await tried(url, DestinationPolicy(plain=True))).result is WebhookResult.NOT_ALLOWED
    assert heard == []


async def test_nothing_of_the_environment_is_sent_and_no_compressed_answer_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine shop.example login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with listening() as (port, heard):
        assert (await tried(f"http://shop.example:{port}/a%2Fb?c=d", lookup=here)).is_accepted
    head = heard[0].decode().lower()
    assert head.startswith("post /a%2fb?c=d http/1.1\r\n")
    assert "authorization" not in head
    assert "accept-encoding" not in head
    assert "cookie" not in head


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00" * 100, b"HTTP/1.1 200 " + b"a" * 100_000 + b"\r\n\r\n",
     b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(200_000)) + b"\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"HTTP/1.1 99999 OK\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_answer_of_http_is_no_yes(answer: bytes) -> None:
    async with listening(answer) as (port, _):
        found = await tried(f"http://127.0.0.1:{port}/")
    assert found.result in {WebhookResult.NO_HTTP, WebhookResult.UNREACHABLE}


async def test_an_answer_that_trickles_is_waited_for_no_longer_than_allowed() -> None:
    async def drops(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000:
            writer.write(bytes([byte]))
            await asyncio.sleep(TRICKLE_S)

    async with await asyncio.start_server(drops, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await tried(f"http://127.0.0.1:{port}/", timeout=0.5)
    assert found.result is WebhookResult.TIMEOUT
    assert 0.4 < found.seconds < 2


async def test_a_name_that_nobody_knows_and_a_server_of_names_that_hangs() -> None:
    over = threading.Event()

    def hangs(_host: str, _port: int) -> list[tuple[socket.AddressFamily, str]]:
        over.wait(2)
        return []

    assert (await tried("https://shop.example/")).result is WebhookResult.NOT_FOUND
    try:
        found = await tried("https://shop.example/", lookup=hangs, timeout=0.3)
    finally:
        over.set()
    assert found.result is WebhookResult.TIMEOUT


async def test_a_certificate_that_does_not_count_gets_nothing(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")]), datetime.now(UTC)
    own = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (tmp_path / "own.pem").write_bytes(
        own.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "own.pem")
    async with listening(tls=context) as (port, heard):
        found = await tried(f"https://shop.example:{port}/", lookup=here)
    assert found.result is WebhookResult.TLS
    assert heard == []

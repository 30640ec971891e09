"""The hub's certificate is replaced while it runs, as certbot does it, and a broken one takes nothing away."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from gateway.hub.config import HubFile, Listen
from tests.certified import make_certificate
from tests.hubs import hub_file, run_hub
from tests.waiting import wait_until


def certificate_of_rsa(*, years: int = 1) -> tuple[bytes, bytes]:
    """Chain and key of another kind than those of `make_certificate`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rsa")])
    now = datetime.now(UTC).replace(microsecond=0)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now.replace(year=now.year - 1))
        .not_valid_after(now.replace(year=now.year + years)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem), private


async def shown_at(port: int) -> str:
    """The name in the certificate that a new connection is shown."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    (name,) = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


async def test_a_renewed_certificate_is_shown_within_seconds_and_a_broken_one_never(tmp_path: Path) -> None:
    first, second, third = (make_certificate(_folder(tmp_path / name), name) for name in ("one", "two", "three"))
    pair = tmp_path / "hub.pem", tmp_path / "hub.key"
    for place, source in zip(pair, first[1:], strict=True):
        place.write_bytes(source.read_bytes())
    plain = hub_file(tmp_path)
    listen = Listen(port=plain.listen.port, certificate=pair[0], key=pair[1])
    file = plain.model_copy(update={"listen": listen, "url": plain.url.replace("http:", "https:")})
    with structlog.testing.capture_logs() as logged:

        async def until(fits: Callable[[], bool]) -> None:
            async with asyncio.timeout(20):
                while not fits():  # noqa: ASYNC110 - what is waited for is a line of the log
                    await asyncio.sleep(0.05)

        def refused() -> int:
            return sum(one["event"] == "certificate_refused" for one in logged)

        async with run_hub(file):
            port = listen.port
            assert await shown_at(port) == "one"
            kept_open = await asyncio.open_connection("127.0.0.1", port, ssl=_trusting())
            pair[0].write_bytes(second[1].read_bytes())  # certbot writes the chain, and the key a moment later
            await until(lambda: refused() >= 1)
            assert await shown_at(port) == "one", "the old pair stays until both are there"
            pair[1].write_bytes(second[2].read_bytes())
            await until(lambda: any(one["event"] == "certificate_read" for one in logged))
            assert await shown_at(port) == "two"
            kept_open[1].write(f"GET /healthz HTTP/1.1\r\nHost: {file.url[8:]}\r\n\r\n".encode())
            assert b"200" in await asyncio.wait_for(kept_open[0].readline(), 10), "who is connected stays"
            kept_open[1].close()
            pair[0].write_bytes(b"no certificate")
            await until(lambda: refused() >= 2)
            assert await shown_at(port) == "two"
            chain, key = certificate_of_rsa(years=0)
            _replace(pair, chain, key)  # it is over since today
            await until(lambda: refused() >= 3)
            assert await shown_at(port) == "two"
            _replace(pair, *certificate_of_rsa())
            await until(lambda: sum(one["event"] == "certificate_read" for one in logged) == 2)
            assert await shown_at(port) == "rsa", "a key of another kind leaves nothing of the old certificate"
            _replace(pair, third[1].read_bytes(), third[2].read_bytes())
            await until(lambda: sum(one["event"] == "certificate_read" for one in logged) == 3)
            assert await shown_at(port) == "three"


async def test_a_request_that_comes_at_once_in_several_records_is_read_as_it_was_sent(tmp_path: Path) -> None:
    file = _with_tls(tmp_path)
    async with run_hub(file) as hub, asyncio.timeout(20):
        who = await hub.retailer()
        reader, writer = await asyncio.open_connection("127.0.0.1", file.listen.port, ssl=_trusting())
        for label in ("first", "second and longer", "third"):
            body = json.dumps({"label": label}).encode()
            writer.write(
                f"POST /v1/api_keys HTTP/1.1\r\nHost: {file.url[8:]}\r\nAuthorization: Bearer {who.token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            )
            writer.write(body)  # most clients send head and body apart
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 201 ")
            length = next(int(line[16:]) for line in head.splitlines() if line.lower().startswith(b"content-length: "))
            assert json.loads(await reader.readexactly(length))["label"] == label
        writer.close()


async def test_a_client_that_leaves_while_it_has_sent_a_request_ahead_is_no_fault_of_the_hub(tmp_path: Path) -> None:
    file = _with_tls(tmp_path)
    with structlog.testing.capture_logs() as logged:
        async with run_hub(file) as hub, asyncio.timeout(20):
            who = await hub.retailer()
            head = f"Host: {file.url[8:]}\r\nAuthorization: Bearer {who.token}\r\n"
            _, writer = await asyncio.open_connection("127.0.0.1", file.listen.port, ssl=_trusting())
            async with hub.hub.store.writing():  # which the request waits for
                writer.write(
                    f"POST /v1/api_keys HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n"
                    f'{{"label":"x"}}GET /v1/api_keys HTTP/1.1\r\n{head}\r\n'.encode()
                )
                await wait_until(lambda: hub.hub.store.writers == 2)
                writer.close()
                await wait_until(lambda: not hub.hub.site.connection_limiter.connections)
            await wait_until(lambda: any(one["event"] == "request" for one in logged))
    assert [one for one in logged if one["log_level"] == "error"] == []


def _with_tls(folder: Path) -> HubFile:
    _, chain, key = make_certificate(folder, "localhost")
    plain = hub_file(folder)
    listen = Listen(port=plain.listen.port, certificate=chain, key=key)
    return plain.model_copy(update={"listen": listen, "url": plain.url.replace("http:", "https:")})


def _replace(pair: tuple[Path, Path], chain: bytes, key: bytes) -> None:
    """Put both files in place at one moment, as a new folder of a mounted secret does."""
    for place, data in zip(pair, (chain, key), strict=True):
        place.with_suffix(".new").write_bytes(data)
        place.with_suffix(".new").replace(place)


def _trusting() -> ssl.SSLContext:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return trusting


def _folder(place: Path) -> Path:
    place.mkdir()
    return place

"""The certificate of the pages, as a browser would look at it: by a real TLS connection and by openssl's own rules."""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.system.pki.authority import (
    CertificateFiles,
    CertificatePolicy,
    IssuedCertificate,
    issue_server_certificate,
)
from gateway.system.pki.pages import CERTIFICATE_LIFETIME_DAYS, pages_certificate

NAMES = ("perron.local", "127.0.0.1", "localhost")


def made(folder: Path, *, names: tuple[str, ...] = NAMES, now: datetime | None = None) -> IssuedCertificate:
    return pages_certificate(folder, box="box-1", names=names, now=now or datetime.now(UTC))


async def greeted(certificate: IssuedCertificate, name: str) -> bool:
    """Whether a client that trusts the authority, and nothing else, believes the server under this name."""

    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0, ssl=certificate.context())
    port = server.sockets[0].getsockname()[1]
    trusts = ssl.create_default_context(cadata=certificate.pem.decode())
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusts, server_hostname=name)
    except ssl.SSLCertVerificationError:
        return False
    else:
        said = await reader.read()
        writer.close()
        return said == b"hello"
    finally:
        server.close()


@pytest.mark.parametrize(("name", "believed"), [
    ("perron.local", True), ("127.0.0.1", True), ("localhost", True), ("bank.example", False), ("10.0.0.1", False),
])  # fmt: skip
async def test_a_browser_that_has_the_authority_believes_the_boxs_own_names_only(
    tmp_path: Path, name: str, *, believed: bool
) -> None:
    assert await greeted(made(tmp_path), name) is believed


async def test_the_authority_may_not_vouch_for_anybody_else(tmp_path: Path) -> None:
    """Even with the stolen key: a leaf for a foreign name under our authority is refused by the client."""
    ours = made(tmp_path / "ours")
    stolen = CertificateFiles(
        authority_key=tmp_path / "ours" / "authority.key",
        authority=tmp_path / "ours" / "authority.pem",
        key=tmp_path / "other.key",
        chain=tmp_path / "other.pem",
    )
    terms = CertificatePolicy(days=30, renew=timedelta(0), bound=False)
    other = issue_server_certificate(stolen, name="box-1", names=("bank.example",), policy=terms, now=datetime.now(UTC))
    assert other.pem == ours.pem
    forged = replace(ours, files=stolen)
    assert not await greeted(forged, "bank.example")


def test_it_is_made_once_and_stays(tmp_path: Path) -> None:
    first = made(tmp_path)
    before = first.files.chain.read_bytes()
    again = made(tmp_path)
    assert (again.fingerprint, again.files.chain.read_bytes()) == (first.fingerprint, before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_it_is_renewed_in_time_under_the_same_authority(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = made(tmp_path, now=now)
    before = first.files.chain.read_bytes()
    later = made(tmp_path, now=now + timedelta(days=CERTIFICATE_LIFETIME_DAYS - 59))
    assert later.fingerprint == first.fingerprint
    assert later.files.chain.read_bytes() != before


def test_a_new_name_needs_a_new_authority_for_the_old_one_may_not_vouch_for_it(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = made(tmp_path, names=(*NAMES, "perron.home.arpa"))
    assert second.fingerprint != first.fingerprint


def test_a_foreign_authority_and_a_key_with_a_password_are_refusals_too_and_no_bugs(tmp_path: Path) -> None:
    """What comes through as another exception would end the gateway with its door."""
    made(tmp_path)
    key_file, file = tmp_path / "authority.key", tmp_path / "authority.pem"
    key, pem = key_file.read_bytes(), file.read_bytes()
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    foreign = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=private.public_key(), serial_number=1,
        not_valid_before=datetime.now(UTC), not_valid_after=datetime.now(UTC) + timedelta(days=9),
    ).sign(private, hashes.SHA256())  # fmt: skip
    file.write_bytes(foreign.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(ValueError, match="did not make"):
        made(tmp_path)
    file.write_bytes(pem)
    loaded = serialization.load_pem_private_key(key, None)
    locked = serialization.BestAvailableEncryption(b"a password")
    key_file.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(ValueError, match="did not make"):
        made(tmp_path)


def test_a_file_that_is_no_certificate_is_said_to_be_so(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "authority.pem").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r".+"):
        made(tmp_path)

"""The certificates that cameras make for themselves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.video.rtsps import fingerprint_of


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path
    digest: str


def make_certificate(folder: Path, name: str, *, ip: bool, days: int = 30) -> CertificateFiles:
    """A certificate that a camera makes for itself: it knows its model, and seldom its address."""
    key = ec.generate_private_key(ec.SECP256R1())
    bearer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    until = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(bearer)
        .issuer_name(bearer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=365))
        .not_valid_after(until)
    )
    if ip:
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        made = made.add_extension(address, critical=False)
    signed = made.sign(key, hashes.SHA256())
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return CertificateFiles(*files, fingerprint_of(signed.public_bytes(serialization.Encoding.DER)))

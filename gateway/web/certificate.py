"""The box's own authority and the certificate of its pages: made in the house, for this box's names and no others.

A person installs the authority once (the certificate page shows how, and its fingerprint as a QR). It may only vouch
for the box's own names and addresses (name constraints, RFC 5280 4.2.1.10), so whoever stole its key could not pretend
to be a bank. Browsers accept certificates of at most 397 days.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.proof.files import write_whole

FOLDER, AUTHORITY = "pages", "authority.pem"  # under the storage folder
AUTHORITY_DAYS = 3650
LEAF_DAYS = 390
RENEW = timedelta(days=60)  # before the end
BACKDATED = timedelta(days=1)  # a phone whose clock is late still believes it


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where the files lie, and what a person compares when they install the authority."""

    chain: Path
    key: Path
    authority: bytes  # PEM
    fingerprint: str  # SHA-256 of the authority's DER, in hex
    until: datetime
    authority_until: datetime

    def context(self) -> ssl.SSLContext:
        """Return what a server needs to speak TLS 1.2 or newer with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain, self.key)
        return context


def certificate(folder: Path, *, box: str, names: Sequence[str], now: datetime, renew: bool = False) -> Certificate:
    """Return the box's certificate for these names and addresses; what is missing, old or of other names is made.

    `renew` makes another one though the old one is good, under the same authority.

    Raises:
        OSError: the folder cannot be read or written.
        ValueError: a file in it is not what it was.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _kept(folder, box, tuple(sorted(set(names))), now, renew=renew)
    except (
        TypeError,
        UnsupportedAlgorithm,
        x509.ExtensionNotFound,
    ) as odd:  # a key with a password, a foreign authority
        raise ValueError(f"{folder} holds a key or certificate that this box did not make: {odd}") from odd


def authority_of(folder: Path) -> tuple[str, datetime] | None:
    """The fingerprint of the box's own authority (SHA-256, hex) and until when it is good; None: none was made yet.

    Raises:
        OSError: it cannot be read.
        ValueError: what stands there is no certificate.
    """
    file = folder / AUTHORITY
    if not file.exists():
        return None
    found = x509.load_pem_x509_certificate(file.read_bytes())
    return found.fingerprint(hashes.SHA256()).hex(), found.not_valid_after_utc


def spaced(fingerprint: str) -> str:
    """A fingerprint as people compare it: upper case, in groups of four."""
    return " ".join(fingerprint[at : at + 4].upper() for at in range(0, len(fingerprint), 4))


def _kept(folder: Path, box: str, wanted: tuple[str, ...], now: datetime, *, renew: bool) -> Certificate:
    authority_key, authority = _authority(folder, box, wanted, now)
    chain, key = folder / "pages.pem", folder / "pages.key"
    if renew or not _still_good(chain, key, authority, wanted, now):
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf(authority, authority_key, leaf_key, wanted, now)
        write_whole(key, _private(leaf_key))
        write_whole(chain, _pem(leaf) + _pem(authority))
    return Certificate(
        chain,
        key,
        _pem(authority),
        authority.fingerprint(hashes.SHA256()).hex(),
        until=x509.load_pem_x509_certificates(chain.read_bytes())[0].not_valid_after_utc,
        authority_until=authority.not_valid_after_utc,
    )


def _authority(
    folder: Path, box: str, names: tuple[str, ...], now: datetime
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Read the authority, or make one: also where it may not vouch for a name that is new."""
    key_file, file = folder / "authority.key", folder / AUTHORITY
    if key_file.exists() and file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        authority = x509.load_pem_x509_certificate(file.read_bytes())
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} holds another kind of key")
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
        if set(constraints.permitted_subtrees or ()) == set(_subtrees(names)) and authority.not_valid_after_utc > now:
            return key, authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Perron {box}"[:64])])
    authority = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.NameConstraints(_subtrees(names), None), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_whole(key_file, _private(key))
    write_whole(file, _pem(authority))
    return key, authority


def _leaf(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    now: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    return (
        _builder(subject, authority.subject, key.public_key(), now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _still_good(chain: Path, key: Path, authority: x509.Certificate, names: tuple[str, ...], now: datetime) -> bool:
    if not (chain.exists() and key.exists()):
        return False
    leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    spoken = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    same = {str(name.value) for name in spoken} == set(names) and leaf.issuer == authority.subject
    by_it = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    ours = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return same and by_it == ours and leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - RENEW


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subtrees(names: tuple[str, ...]) -> list[x509.GeneralName]:
    """The names as subtrees of themselves: a constraint on an address is a network, here of one address."""
    trees: list[x509.GeneralName] = []
    for name in names:
        general = _general(name)
        trees.append(x509.IPAddress(ipaddress.ip_network(name)) if isinstance(general, x509.IPAddress) else general)
    return trees


def _pem(one: x509.Certificate) -> bytes:
    return one.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())

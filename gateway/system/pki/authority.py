"""Makes the house's own certificate authorities on the box, and issues certificates under them.

The pages and the broker have one each (`gateway.system.pki.pages`, `gateway.system.pki.broker`), so a stolen key of one
cannot impersonate the other. Keys are P-256, which the small chips of locks and sensors support too.

The functions raise OSError if a file or folder cannot be read or written, and ValueError if a file was altered, is
damaged or is not a certificate.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.domain.frozen import Frozen
from gateway.system.atomic_file import write_whole

AUTHORITY_LIFETIME_DAYS = 3650
SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
BACKDATING = timedelta(days=1)  # so that a client whose clock is late accepts it


class CertificateFiles(Frozen):
    """The paths of the files. A server reads `chain` and `key`; only the issuer reads `authority_key`."""

    authority_key: Path
    authority: Path
    key: Path
    chain: Path


class CertificatePolicy(Frozen):
    """The lifetime of a server's certificate, when it is renewed before its end, and the limits of its authority.

    `bound`: the authority may issue for these names only (name constraints, RFC 5280 4.2.1.10); another name then needs
    another authority, and a client that cannot read the constraint refuses the authority (Mbed TLS, its issue 8759).
    `calls`: the server also connects to its peers as a client, with the same certificate.
    """

    days: int
    renew: timedelta
    bound: bool
    calls: bool = False


class IssuedCertificate(Frozen):
    """A server's certificate and its authority; `is_new`: the certificate was issued now."""

    files: CertificateFiles
    leaf: x509.Certificate
    authority: x509.Certificate
    is_new: bool

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's DER, in hex."""
        return self.authority.fingerprint(hashes.SHA256()).hex()

    @property
    def pem(self) -> bytes:
        """The authority in PEM for clients."""
        return certificate_pem(self.authority)

    @property
    def until(self) -> datetime:
        """End of the server's certificate."""
        return self.leaf.not_valid_after_utc

    def context(self) -> ssl.SSLContext:
        """Return the server's TLS context (TLS 1.2 or newer) with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.files.chain, self.files.key)
        return context


def issue_server_certificate(  # noqa: PLR0913 - files, names, policy and time are independent
    files: CertificateFiles,
    *,
    name: str,
    names: tuple[str, ...],
    policy: CertificatePolicy,
    now: datetime,
    renew: bool = False,
) -> IssuedCertificate:
    """Return the server's certificate for these names and addresses; issue it if it is missing, old or for other names.

    `name` is the authority's name for people; `names` are sorted. `renew` issues a new certificate under the same
    authority although the old one is valid.
    """
    with _own_files(files):
        authority_key, authority = _read_or_make_authority(files, name, names if policy.bound else (), now)
        if not renew and _is_current(files, authority, names, policy, now):
            return IssuedCertificate(files=files, leaf=read_leaf(files.chain), authority=authority, is_new=False)
        key = ec.generate_private_key(ec.SECP256R1())
        good, usage = (now, timedelta(days=policy.days)), (SERVER_AUTH, CLIENT_AUTH) if policy.calls else (SERVER_AUTH,)
        leaf = _build_leaf(authority, authority_key, key.public_key(), names, good, usage=usage)
    write_whole(files.key, private_pem(key))
    write_whole(files.chain, certificate_pem(leaf) + certificate_pem(authority))
    return IssuedCertificate(files=files, leaf=leaf, authority=authority, is_new=True)


def unconstrained_authority(
    files: CertificateFiles, *, name: str, now: datetime
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Return an authority without name constraints and its key; make it if it is missing. `name` is for people."""
    with _own_files(files):
        return _read_or_make_authority(files, name, (), now)


def issue_client_certificate(  # noqa: PLR0913 - what a certificate says
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePublicKey,
    *,
    name: str,
    lifetime: tuple[datetime, timedelta],
    word: str | None = None,
) -> x509.Certificate:
    """Issue a client's certificate under a name. `lifetime`: its begin and its duration.

    The certificate also contains the e-mail address `<word>@<name>`; `word` is by default its serial in hex. So a
    server that sees only the names can identify the certificate.
    """
    return _build_leaf(authority, authority_key, key, (name,), lifetime, usage=(CLIENT_AUTH,), word=word or "")


def read_leaf(chain: Path) -> x509.Certificate:
    """Load the server's own certificate from its chain."""
    return x509.load_pem_x509_certificates(chain.read_bytes())[0]


def certificate_names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Return the names and addresses of a certificate, sorted."""
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(sorted(str(name.value) for name in names))


def _read_or_make_authority(
    files: CertificateFiles, name: str, bounds: tuple[str, ...], now: datetime
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Return an authority that may issue for `bounds` only; without any for all names."""
    if files.authority_key.exists() and files.authority.exists():
        key = load_ec_key(files.authority_key.read_bytes())
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        if _has_bounds(authority, bounds) and authority.not_valid_after_utc > now:
            return key, authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    lifetime = timedelta(days=AUTHORITY_LIFETIME_DAYS)
    builder = _builder(subject, subject, key.public_key(), now, lifetime, signs=True)
    if bounds:
        builder = builder.add_extension(x509.NameConstraints(_subtrees(bounds), None), critical=True)
    authority = builder.sign(key, hashes.SHA256())
    write_whole(files.authority_key, private_pem(key))
    write_whole(files.authority, certificate_pem(authority))
    return key, authority


def _has_bounds(authority: x509.Certificate, bounds: tuple[str, ...]) -> bool:
    if not bounds:
        return True
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    return set(constraints.permitted_subtrees or ()) == set(_subtrees(bounds))


@contextmanager
def _own_files(files: CertificateFiles) -> Iterator[None]:
    try:
        yield
    except (TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound) as odd:  # a key with a password, a foreign one
        folder = files.authority_key.parent
        raise ValueError(f"{folder} holds a key or certificate that this box did not make: {odd}") from odd


def _build_leaf(  # noqa: PLR0913 - what a certificate says
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePublicKey,
    names: tuple[str, ...],
    lifetime: tuple[datetime, timedelta],
    *,
    usage: tuple[x509.ObjectIdentifier, ...],
    word: str | None = None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    serial = x509.random_serial_number()
    known: list[x509.GeneralName] = [_general_name(name) for name in names]
    if word is not None:
        known.append(x509.RFC822Name(f"{word or f'{serial:x}'}@{names[0]}"))
    return (
        _builder(subject, authority.subject, key, *lifetime, signs=False, serial=serial)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(  # noqa: PLR0913 - what every certificate says
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta,
    *, signs: bool, serial: int | None = None,
) -> x509.CertificateBuilder:  # fmt: skip
    usage = x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now - BACKDATING)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.BasicConstraints(ca=signs, path_length=0 if signs else None), critical=True)
        .add_extension(usage, critical=True)
    )


def _is_current(
    files: CertificateFiles,
    authority: x509.Certificate,
    names: tuple[str, ...],
    policy: CertificatePolicy,
    now: datetime,
) -> bool:
    if not (files.chain.exists() and files.key.exists()):
        return False
    leaf = read_leaf(files.chain)
    if not _key_matches(files.key, leaf):  # two processes wrote them at the same time, or one is damaged
        return False
    issuer_key = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    authority_key = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return (
        set(certificate_names(leaf)) == set(names)
        and (leaf.issuer, issuer_key) == (authority.subject, authority_key)
        and leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - policy.renew
    )


def _key_matches(key: Path, leaf: x509.Certificate) -> bool:
    try:
        own = serialization.load_pem_private_key(key.read_bytes(), None)
    except ValueError:
        return False
    return own.public_key() == leaf.public_key()


def _general_name(
    name: str, parse: Callable[[str], IPv4Address | IPv6Address | IPv4Network | IPv6Network] = ip_address
) -> x509.GeneralName:
    try:
        return x509.IPAddress(parse(name))
    except ValueError:
        return x509.DNSName(name)


def _subtrees(names: tuple[str, ...]) -> list[x509.GeneralName]:
    """Return the names as subtrees for a constraint; an address becomes a network of one address."""
    return [_general_name(name, ip_network) for name in names]


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def load_ec_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Load a private key on a curve; another kind of key, or one with a password, raises TypeError."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("another kind of key")
    return key


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key in unencrypted PEM, for a file that only its owner can read."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())

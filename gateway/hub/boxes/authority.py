"""The hub's certificate authority: certifies its broker and the joined boxes, and lists revoked certificates.

A box trusts the authority by the fingerprint in its claim's code, so it takes no other certificate for the hub's. The
key lies in the hub's folder, readable by the hub's user only.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.domain.frozen import Frozen
from gateway.system.pki import authority as pki

BOX_CERTIFICATE_LIFETIME = timedelta(days=90)  # the box renews it after two thirds
BROKER_CERTIFICATE_TERMS = pki.CertificatePolicy(days=30, renew=timedelta(days=15), bound=False)
# For nodes, to which the operator copies the files
NODE_CERTIFICATE_TERMS = pki.CertificatePolicy(days=365, renew=timedelta(days=90), bound=False)
BROKER_TLS_PATH = Path("broker", "tls")  # the certificate of the hub's mosquitto
AUTHORITY_COMMON_NAME = "Perron hub"
CURRENT_NAME = "authority"


class AuthorityUnusable(ValueError):  # noqa: N818 - it says what happened
    """The files are not those that the hub made; the text names the file.

    Whatever reads or writes files of the authority, of the broker or of a cluster raises it, or OSError.
    """


class HubAuthority(Frozen, kw_only=False):
    """The authority with its key; `load` makes it. `name` is the name of its files in the folder."""

    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    name: str = CURRENT_NAME

    @classmethod
    def load(cls, folder: Path, *, now: datetime) -> "HubAuthority":
        """Load the authority from the hub's folder, or make it there."""
        shelf = _shelf_of(folder)
        for file in (shelf.authority_key, shelf.chain):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            key, certificate = pki.unconstrained_authority(shelf, name=AUTHORITY_COMMON_NAME, now=now)
        except ValueError as error:
            raise AuthorityUnusable(f"{shelf.authority_key.parent} holds no authority of a hub: {error}") from error
        if key.public_key() != certificate.public_key():
            raise AuthorityUnusable(f"{shelf.authority_key.parent}: key and certificate do not belong together")
        return cls(folder, certificate, key)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of its DER in hex, as in a claim's code."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def pem(self) -> str:
        """The certificate that a box keeps (PEM)."""
        return pki.certificate_pem(self.certificate).decode()

    def certify(
        self, home: str, key: ec.EllipticCurvePublicKey, *, now: datetime, life: timedelta = BOX_CERTIFICATE_LIFETIME,
        local_part: str | None = None,
    ) -> x509.Certificate:  # fmt: skip
        """Certify a box's key under its home's id, valid from a day ago, because a clock may be late.

        `local_part` stands before the @ instead of the serial, for a client that is not a box
        (gateway/hub/cluster/rabbitmq.py).
        """
        return pki.issue_client_certificate(
            self.certificate, self.key, key, name=home, lifetime=(now, life), word=local_part
        )

    def issue_pem(self, name: str, *, now: datetime, lifetime: timedelta, local_part: str | None = None) -> bytes:
        """Return a new key and its certificate as one PEM; the arguments are those of `certify`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certify(name, key.public_key(), now=now, life=lifetime, local_part=local_part)
        return pki.private_pem(key) + pki.certificate_pem(certificate)

    def certify_server(
        self,
        names: Iterable[str],
        *,
        now: datetime,
        at: Path = BROKER_TLS_PATH,
        terms: pki.CertificatePolicy = BROKER_CERTIFICATE_TERMS,
    ) -> pki.IssuedCertificate:
        """Return a server's certificate for these names, in `at` below the hub's folder; make it if missing or old."""
        shelf = _shelf_of(self.folder, at, self.name)
        shelf.chain.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return pki.issue_server_certificate(
                shelf, name=AUTHORITY_COMMON_NAME, names=tuple(sorted(set(names))), policy=terms, now=now
            )
        except ValueError as error:
            raise AuthorityUnusable(f"{shelf.chain.parent} holds no certificate of the hub's: {error}") from error

    def revocation_list(self, ended: Iterable[tuple[int, datetime]], *, now: datetime) -> bytes:
        """Return the revocation list (PEM) of these serials, each with the instant of its revocation.

        The list is valid as long as the authority: mosquitto refuses every client when a list has expired (its issue
        1826). The hub writes the list beside its broker, so no client relies on its expiry.
        """
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - pki.BACKDATING)
            .next_update(self.certificate.not_valid_after_utc)
        )
        for serial, since in sorted(ended):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def public_key_digest(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the SHA-256 of a key as SubjectPublicKeyInfo, by which the hub recognises the key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256(key.public_bytes(serialization.Encoding.DER, form)).digest()


def _shelf_of(folder: Path, at: Path = BROKER_TLS_PATH, name: str = CURRENT_NAME) -> pki.CertificateFiles:
    return pki.CertificateFiles(
        authority_key=folder / "authority" / f"{name}.key",
        authority=folder / "authority" / f"{name}.pem",
        key=folder / at / "broker.key",
        chain=folder / at / "broker.pem",
    )

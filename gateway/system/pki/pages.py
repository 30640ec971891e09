"""The certificate of the box's pages, issued by an authority that a person installs once.

The certificate page shows how, and its fingerprint as a QR. The authority may only vouch for the box's own names and
addresses, so whoever stole its key could not pretend to be a bank. Browsers accept certificates of at most 397 days.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.system.pki.authority import CertificateFiles, CertificatePolicy, issue_server_certificate

PAGES_FOLDER, AUTHORITY_FILE = "pages", "authority.pem"  # under the storage folder
CERTIFICATE_LIFETIME_DAYS = 390
RENEW_BEFORE = timedelta(days=60)  # before the end


@dataclass(frozen=True, slots=True)
class PagesCertificate:
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


def pages_certificate(
    folder: Path, *, box: str, names: Sequence[str], now: datetime, renew: bool = False
) -> PagesCertificate:
    """Return the box's certificate for these names and addresses; what is missing, old or of other names is made.

    `renew` makes another one though the old one is good, under the same authority.

    Raises:
        OSError: the folder cannot be read or written.
        ValueError: a file in it is not what it was.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shelf = CertificateFiles(
        authority_key=folder / "authority.key",
        authority=folder / AUTHORITY_FILE,
        key=folder / "pages.key",
        chain=folder / "pages.pem",
    )
    terms = CertificatePolicy(days=CERTIFICATE_LIFETIME_DAYS, renew=RENEW_BEFORE, bound=True)
    ours = issue_server_certificate(
        shelf, name=f"Perron {box}", names=tuple(sorted(set(names))), policy=terms, now=now, renew=renew
    )
    return PagesCertificate(
        shelf.chain,
        shelf.key,
        ours.pem,
        ours.fingerprint,
        until=ours.leaf.not_valid_after_utc,
        authority_until=ours.authority.not_valid_after_utc,
    )


def authority_fingerprint(folder: Path) -> tuple[str, datetime] | None:
    """The fingerprint of the box's own authority (SHA-256, hex) and until when it is good; None: none was made yet.

    Raises:
        OSError: it cannot be read.
        ValueError: what stands there is no certificate.
    """
    file = folder / AUTHORITY_FILE
    if not file.exists():
        return None
    found = x509.load_pem_x509_certificate(file.read_bytes())
    return found.fingerprint(hashes.SHA256()).hex(), found.not_valid_after_utc


def format_fingerprint(fingerprint: str) -> str:
    """A fingerprint as people compare it: upper case, in groups of four."""
    return " ".join(fingerprint[at : at + 4].upper() for at in range(0, len(fingerprint), 4))

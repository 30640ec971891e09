"""Issues the certificate of the box's pages under an authority that a person installs once in a browser.

The certificate page explains how, and shows the authority's fingerprint as a QR. The authority is limited to the box's
own names and addresses, so a thief of its key cannot impersonate a bank. Browsers accept at most 397 days.
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
    """The paths of the files, and the fingerprint that a person compares when installing the authority."""

    chain: Path
    key: Path
    authority: bytes  # PEM
    fingerprint: str  # SHA-256 of the authority's DER, in hex
    until: datetime
    authority_until: datetime

    def context(self) -> ssl.SSLContext:
        """Return the server's TLS context (TLS 1.2 or newer) with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain, self.key)
        return context


def pages_certificate(
    folder: Path, *, box: str, names: Sequence[str], now: datetime, renew: bool = False
) -> PagesCertificate:
    """Return the box's certificate for these names and addresses; issue it if it is missing, old or for other names.

    `renew` issues a new certificate under the same authority although the old one is valid.

    Raises:
        OSError: the folder cannot be read or written.
        ValueError: a file in it was altered or is damaged.
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
    """Return the fingerprint of the box's authority (SHA-256, hex) and its end; None: there is no authority yet.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a certificate.
    """
    file = folder / AUTHORITY_FILE
    if not file.exists():
        return None
    found = x509.load_pem_x509_certificate(file.read_bytes())
    return found.fingerprint(hashes.SHA256()).hex(), found.not_valid_after_utc


def format_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint as people compare it: upper case, in groups of four."""
    return " ".join(fingerprint[at : at + 4].upper() for at in range(0, len(fingerprint), 4))

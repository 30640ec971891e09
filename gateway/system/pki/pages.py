"""Issues the certificate of the box's pages under an authority that a person installs once in a browser.

The certificate page explains how, and shows the authority's fingerprint as a QR. The authority is limited to the box's
own names and addresses, so a thief of its key cannot impersonate a bank. Browsers accept at most 397 days.

The functions raise as those of `gateway.system.pki.authority` do.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.system.pki import authority

PAGES_FOLDER, AUTHORITY_FILE = "pages", "authority.pem"  # under the storage folder
CERTIFICATE_LIFETIME_DAYS = 390
RENEW_BEFORE = timedelta(days=60)  # before the end


def pages_certificate(
    folder: Path, *, box: str, names: Sequence[str], now: datetime, renew: bool = False
) -> authority.IssuedCertificate:
    """Return the certificate of the box's pages, as `issue_server_certificate`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = authority.CertificateFiles(
        authority_key=folder / "authority.key",
        authority=folder / AUTHORITY_FILE,
        key=folder / "pages.key",
        chain=folder / "pages.pem",
    )
    policy = authority.CertificatePolicy(days=CERTIFICATE_LIFETIME_DAYS, renew=RENEW_BEFORE, bound=True)
    return authority.issue_server_certificate(
        files, name=f"Perron {box}", names=tuple(sorted(set(names))), policy=policy, now=now, renew=renew
    )


def authority_fingerprint(folder: Path) -> tuple[str, datetime] | None:
    """Return the fingerprint of the box's authority (SHA-256, hex) and its end; None: there is no authority yet."""
    file = folder / AUTHORITY_FILE
    if not file.exists():
        return None
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex(), certificate.not_valid_after_utc


def format_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint as people compare it: upper case, in groups of four."""
    return " ".join(fingerprint[at : at + 4].upper() for at in range(0, len(fingerprint), 4))

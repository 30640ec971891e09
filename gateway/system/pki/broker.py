"""The broker's certificate, issued by the house's authority.

In the broker's folder: `authority/authority.key` is its maker's alone (the broker never reads it), `authority.pem` is
what clients are given, `tls/` holds what mosquitto reads. The certificate is good for 30 days and renewed from the 15th
on, under the same authority, so clients need nothing new; mosquitto reads it anew on SIGHUP and keeps its connections.

The authority is not bound to names: Mbed TLS, which is in most small devices, refuses one that is (its issue 8759).
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.system.pki.authority import (
    CertificateFiles,
    CertificatePolicy,
    certificate_names,
    issue_server_certificate,
    read_leaf,
)

BROKER_POLICY = CertificatePolicy(days=30, renew=timedelta(days=15), bound=False)
LOCAL_NAMES = ("127.0.0.1", "localhost")  # this machine's own clients


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerCertificate:
    """The broker's certificate as it lies in its folder; `anew`: it was made just now."""

    chain: Path
    key: Path
    authority: Path
    fingerprint: str  # SHA-256 of the authority's DER, in hex
    names: tuple[str, ...]
    until: datetime
    authority_until: datetime
    is_new: bool


def _files_in(folder: Path) -> CertificateFiles:
    return CertificateFiles(
        authority_key=folder / "authority" / "authority.key",
        authority=folder / "authority" / "authority.pem",
        key=folder / "tls" / "broker.key",
        chain=folder / "tls" / "broker.pem",
    )


def broker_certificate(folder: Path, *, box: str, names: Iterable[str], now: datetime) -> BrokerCertificate:
    """Return the broker's certificate for these names and addresses; what is missing, old or of other names is made.

    An address that stands for all of them (0.0.0.0) names nobody and is left out.

    Raises:
        OSError: the folder cannot be read or written.
        ValueError: a file in it is not what it was.
    """
    shelf = _files_in(folder)
    for file in (shelf.authority_key, shelf.chain):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = tuple(sorted({*LOCAL_NAMES, *(name for name in names if not _is_unspecified(name))}))
    ours = issue_server_certificate(shelf, name=f"Perron broker {box}", names=wanted, policy=BROKER_POLICY, now=now)
    handed_out = folder / "authority.pem"
    if not handed_out.exists() or handed_out.read_bytes() != ours.pem:
        handed_out.write_bytes(ours.pem)
    return BrokerCertificate(
        chain=shelf.chain,
        key=shelf.key,
        authority=handed_out,
        fingerprint=ours.fingerprint,
        names=wanted,
        until=ours.leaf.not_valid_after_utc,
        authority_until=ours.authority.not_valid_after_utc,
        is_new=ours.is_new,
    )


def broker_certificate_names(folder: Path) -> tuple[str, ...]:
    """Name the names and addresses of the certificate in `folder`; none where there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: what stands there is no certificate.
    """
    chain = _files_in(folder).chain
    return certificate_names(read_leaf(chain)) if chain.exists() else ()


def renew_broker_certificate(folder: Path, *, box: str, now: datetime) -> BrokerCertificate | None:
    """Renew the certificate in `folder` for the names that it has, if it is time; None: there is none.

    Raises:
        OSError: the folder cannot be read or written.
        ValueError: a file in it is not what it was.
    """
    names = broker_certificate_names(folder)
    return broker_certificate(folder, box=box, names=names, now=now) if names else None


def _is_unspecified(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False

"""Issues and renews the broker's certificate under the broker's own authority.

In the broker's folder `authority/authority.key` is the authority's key (the broker never reads it), `authority.pem` is
the file for clients, and `tls/` has the files that mosquitto reads. The certificate is valid for 30 days and is renewed
from the 15th day on under the same authority, so clients need no new file. On SIGHUP mosquitto reads it again and keeps
its connections.

The authority has no name constraints, because Mbed TLS, which most small devices use, refuses them (its issue 8759).

The functions raise as those of `gateway.system.pki.authority` do.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from gateway.system.addresses import is_any_address
from gateway.system.pki import authority

BROKER_POLICY = authority.CertificatePolicy(days=30, renew=timedelta(days=15), bound=False)
CLIENTS_AUTHORITY = "authority.pem"  # in the broker's folder
LOCAL_NAMES = ("127.0.0.1", "localhost")  # this machine's own clients


def _files_in(folder: Path) -> authority.CertificateFiles:
    return authority.CertificateFiles(
        authority_key=folder / "authority" / "authority.key",
        authority=folder / "authority" / "authority.pem",
        key=folder / "tls" / "broker.key",
        chain=folder / "tls" / "broker.pem",
    )


def broker_certificate(folder: Path, *, box: str, names: Iterable[str], now: datetime) -> authority.IssuedCertificate:
    """Return the broker's certificate, as `issue_server_certificate`; an address that means all is no name of it."""
    files = _files_in(folder)
    for file in (files.authority_key, files.chain):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    served = tuple(sorted({*LOCAL_NAMES, *(name for name in names if not is_any_address(name))}))
    issued = authority.issue_server_certificate(
        files, name=f"Perron broker {box}", names=served, policy=BROKER_POLICY, now=now
    )
    for_clients = folder / CLIENTS_AUTHORITY
    if not for_clients.exists() or for_clients.read_bytes() != issued.pem:
        for_clients.write_bytes(issued.pem)
    return issued


def broker_certificate_names(folder: Path) -> tuple[str, ...]:
    """Return the names and addresses of the certificate in `folder`; empty if there is no certificate."""
    chain = _files_in(folder).chain
    return authority.certificate_names(authority.read_leaf(chain)) if chain.exists() else ()


def renew_broker_certificate(folder: Path, *, box: str, now: datetime) -> authority.IssuedCertificate | None:
    """Renew the certificate in `folder` for its names if it is due; None: there is no certificate."""
    names = broker_certificate_names(folder)
    return broker_certificate(folder, box=box, names=names, now=now) if names else None

"""TLS between the broker and all who speak with it: under an authority of the house's own, never without.

In the broker's folder: `authority/authority.key` is its maker's alone (the broker never reads it), `authority.pem` is
what clients are given, `tls/` holds what mosquitto reads. The certificate is good for 30 days and renewed from the 15th
on, under the same authority, so clients need nothing new; mosquitto reads it anew on SIGHUP and keeps its connections.

The authority is not bound to names: Mbed TLS, which is in most small devices, refuses one that is (its issue 8759).
"""

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.authority import Shelf, Terms, leaf_of, names_of, vouched
from gateway.config import Broker, ConfigError, unreadable

TERMS = Terms(days=30, renew=timedelta(days=15), bound=False)
ALWAYS = ("127.0.0.1", "localhost")  # this machine's own clients


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
    anew: bool


def _shelf(folder: Path) -> Shelf:
    return Shelf(
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
    shelf = _shelf(folder)
    for file in (shelf.authority_key, shelf.chain):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = tuple(sorted({*ALWAYS, *(name for name in names if not _everywhere(name))}))
    ours = vouched(shelf, name=f"Perron broker {box}", names=wanted, terms=TERMS, now=now)
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
        anew=ours.anew,
    )


def renewed(folder: Path, *, box: str, now: datetime) -> BrokerCertificate | None:
    """Renew the certificate in `folder` for the names that it has, if it is time; None: there is none.

    Raises:
        OSError: the folder cannot be read or written.
        ValueError: a file in it is not what it was.
    """
    chain = _shelf(folder).chain
    return broker_certificate(folder, box=box, names=names_of(leaf_of(chain)), now=now) if chain.exists() else None


def _everywhere(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False


class _Socket(ssl.SSLSocket):
    """A socket that is closed when the handshake fails: paho 2.1 drops it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT002 - the standard library's signature
        try:
            super().do_handshake(block)
        except OSError:  # ssl.SSLError is one
            self.close()
            raise


def context(broker: Broker) -> ssl.SSLContext | None:
    """Return what a client needs to believe this broker and no other; None where the house speaks plainly.

    The broker's name has to be the one in `broker.host`. Read anew for each connection.

    Raises:
        ConfigError: the authority cannot be read.
    """
    if broker.tls is None:
        return None
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # asks for a certificate and compares the name, by default
    ours.minimum_version = ssl.TLSVersion.TLSv1_2
    ours.sslsocket_class = _Socket
    try:
        ours.load_verify_locations(cadata=broker.tls.ca.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError, ssl.SSLError) as error:
        why = unreadable(error) if not isinstance(error, ssl.SSLError) else "it is no certificate (PEM)"
        raise ConfigError(
            f"{broker.tls.ca}: the authority of the broker at {broker.host} cannot be read ({why}). Copy authority.pem"
            " out of the folder that `perron broker-config` wrote, or correct broker.tls.ca."
        ) from error
    return ours


def in_words(error: str) -> str:
    """Say in words why a TLS connection did not come about; another reason is left as it is."""
    told = error.lower()
    if "certificate_verify_failed" in told or "certificate verify failed" in told:
        if "expired" in told:
            return "its certificate has expired"
        if "not yet valid" in told:
            return "its certificate is not good yet: one of the two clocks is wrong"
        if "mismatch" in told or "not valid for" in told:
            return "its certificate is another name's"
        return "its certificate comes from another authority than broker.tls.ca"
    if any(sign in told for sign in ("wrong_version_number", "unexpected_message", "record_layer_failure")):
        return "it does not speak TLS"
    if "[ssl" in told:
        return "no TLS connection came about"
    return error

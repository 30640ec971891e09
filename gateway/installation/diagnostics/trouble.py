"""Why there is no talking to the broker, and what to do about it: told at the terminal and on the pages."""

import errno
import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.config.broker import Broker
from gateway.installation.diagnostics.finding import Fact, Said

# As `brokertls.in_words` says it.
_CERTIFICATE: Mapping[str, str] = MappingProxyType(
    {
        "its certificate has expired": "expired",
        "its certificate is not good yet: one of the two clocks is wrong": "not_yet",
        "its certificate is another name's": "name",
        "its certificate comes from another authority than broker.tls.ca": "authority",
        "it does not speak TLS": "no_tls",
        "no TLS connection came about": "tls",
    }
)
_OS: Mapping[int, str] = MappingProxyType({errno.ENOENT: "os.missing", errno.EACCES: "os.denied"})


def why(error: BaseException | None) -> Said:
    """Say why a file cannot be used, without the system's number."""
    known = _OS.get(error.errno or 0) if isinstance(error, OSError) else None
    if known is not None:
        return Said(known)
    return Said("os.other", {"text": (error.strerror if isinstance(error, OSError) else None) or str(error)})


def hangs(error: str, broker: Broker) -> bool:
    """Whether it is worth a look if somebody listens there all the same."""
    told = error.lower()
    tls = "certificate" in told or "tls" in told
    return broker.tls is None and not tls and ("timed out" in told or "disconnected" in told)


def trouble(error: str, broker: Broker, *, listens: bool) -> tuple[Said, Said]:
    """What the network or the broker said (`mqtt.visit`'s ConnectionError), and what to do.

    `listens`: where it `hangs`, whether the broker's port takes connections.
    """
    facts: dict[str, Fact] = {
        "folder": "FOLDER" if broker.password_file is None else broker.password_file.parent,
        "host": broker.host,
        "text": re.sub(r"\[Errno -?\d+\] ", "", error),
    }
    told = error.lower()
    if error in _CERTIFICATE or "certificate" in told or "tls" in told:
        key = _CERTIFICATE.get(error, "tls")
        said = key if error in _CERTIFICATE else "other"
    elif listens and hangs(error, broker):
        said = key = "no_plain"
    else:
        said = key = _network(told, broker)
    return Said(f"trouble.{said}", facts), Said(f"trouble.{key}.todo", facts)


def _network(told: str, broker: Broker) -> str:
    if "refused" in told:
        return "nobody"
    if "authori" in told or "user name or password" in told:
        return "account"
    if "name or service" in told or "address associated" in told or "name resolution" in told:
        return "host"
    if "timed out" in told or "unreachable" in told or "no route" in told:
        return "silent"
    if "reset" in told and broker.tls is not None:
        return "reset"
    return "other"

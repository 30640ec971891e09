"""Explains why the broker cannot be reached and what to do, for the terminal and the pages."""

import errno
import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.installation.diagnostics.finding import Sentence, SentenceFact
from gateway.system.mqtt_settings import BrokerSection

# The texts of `gateway.mqtt.tls.error_text`.
_CERTIFICATE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "its certificate has expired": "expired",
        "its certificate is not good yet: one of the two clocks is wrong": "not_yet",
        "its certificate is another name's": "name",
        "its certificate comes from another authority than broker.tls.ca": "authority",
        "it does not speak TLS": "no_tls",
        "no TLS connection came about": "tls",
    }
)
_OS_ERROR_KEYS: Mapping[int, str] = MappingProxyType({errno.ENOENT: "os.missing", errno.EACCES: "os.denied"})


def file_error(error: BaseException | None) -> Sentence:
    """Return why a file cannot be used, without the error number."""
    known = _OS_ERROR_KEYS.get(error.errno or 0) if isinstance(error, OSError) else None
    if known is not None:
        return Sentence(known)
    return Sentence("os.other", {"text": (error.strerror if isinstance(error, OSError) else None) or str(error)})


def needs_port_check(error: str, broker: BrokerSection) -> bool:
    """Return whether a check of the broker's port would explain this error."""
    told = error.lower()
    tls = "certificate" in told or "tls" in told
    return broker.tls is None and not tls and ("timed out" in told or "disconnected" in told)


def connection_error(error: str, broker: BrokerSection, *, is_listening: bool) -> tuple[Sentence, Sentence]:
    """Return the sentences for a ConnectionError of `gateway.mqtt.client.connect_once`: the reason, and what to do.

    `is_listening`: whether the broker's port accepts connections, if the error `needs_port_check`.
    """
    facts: dict[str, SentenceFact] = {
        "folder": "FOLDER" if broker.password_file is None else broker.password_file.parent,
        "host": broker.host,
        "text": re.sub(r"\[Errno -?\d+\] ", "", error),
    }
    told = error.lower()
    if error in _CERTIFICATE_KEYS or "certificate" in told or "tls" in told:
        key = _CERTIFICATE_KEYS.get(error, "tls")
        said = key if error in _CERTIFICATE_KEYS else "other"
    elif is_listening and needs_port_check(error, broker):
        said = key = "no_plain"
    else:
        said = key = _network_error(told, broker)
    return Sentence(f"trouble.{said}", facts), Sentence(f"trouble.{key}.todo", facts)


def _network_error(text: str, broker: BrokerSection) -> str:
    if "refused" in text:
        return "nobody"
    if "authori" in text or "user name or password" in text:
        return "account"
    if "name or service" in text or "address associated" in text or "name resolution" in text:
        return "host"
    if "timed out" in text or "unreachable" in text or "no route" in text:
        return "silent"
    if "reset" in text and broker.tls is not None:
        return "reset"
    return "other"

"""Explains why the broker cannot be reached and what to do, for the terminal and the pages."""

import contextlib
import errno
import re
import socket
from pathlib import Path

from gateway.mqtt.tls import ACCOUNT_REFUSED
from gateway.system.i18n import Text, _
from gateway.system.mqtt_settings import BrokerSection

PORT_TIMEOUT_S = 1.0
_OS_ERRORS = {errno.ENOENT: _("No such file or directory"), errno.EACCES: _("Permission denied")}
_ANOTHER_AUTHORITY_TODO = _(
    "Copy authority.pem anew out of the folder of the broker that you mean; ask who answers there if it is another."
)
# The texts of `gateway.mqtt.tls.error_text`, each with its remedy.
_TLS_ERRORS = {
    reason.message: (reason, todo)
    for reason, todo in (
        (
            _("its certificate has expired"),
            _("Renew it where the broker runs: `perron broker-config {folder} --renew`."),
        ),
        (
            _("its certificate is not good yet: one of the two clocks is wrong"),
            _("Set the clock of this machine and of the broker's."),
        ),
        (
            _("its certificate is another name's"),
            _("Write it for that name: `perron broker-config {folder} --name {host}`, or correct broker.host."),
        ),
        (_("its certificate comes from another authority than broker.tls.ca"), _ANOTHER_AUTHORITY_TODO),
        (
            _("it does not speak TLS"),
            _("Start the broker with the mosquitto.conf that `perron broker-config` wrote, or correct broker.port."),
        ),
        (_("no TLS connection came about"), _ANOTHER_AUTHORITY_TODO),
    )
}


def file_error(error: BaseException | None) -> Text:
    """Return why a file cannot be used, without the error number."""
    if isinstance(error, OSError):
        return _OS_ERRORS.get(error.errno or 0) or Text("{text}").with_facts(text=error.strerror or str(error))
    return Text("{text}").with_facts(text=str(error))


def accounts_folder(broker: BrokerSection) -> Path:
    """Return the folder with the passwords of all accounts, as a remedy names it; `accounts` if there is none yet."""
    return Path("accounts") if broker.password_file is None else broker.password_file.parent


def connection_error(error: str, broker: BrokerSection, *, checks_port: bool = False) -> tuple[Text, Text]:
    """Return the reason and the remedy for a ConnectionError of `gateway.mqtt.client.connect_once`.

    With `checks_port` it connects to a broker's port that did not answer, for a second at most.
    """
    text = error.lower()
    is_silent = broker.tls is None and any(word in text for word in ("timed out", "disconnected", "reset"))
    if error in _TLS_ERRORS:
        reason, todo = _TLS_ERRORS[error]
    elif "certificate" in text or "tls" in text:
        reason, todo = Text("{text}"), _ANOTHER_AUTHORITY_TODO
    elif checks_port and is_silent and _is_listening(broker):
        reason = _("somebody listens there, but does not answer in plain words (perhaps by TLS)")
        todo = _(
            "Look at the broker's own log. If it speaks TLS, say `tls: {{ca: FILE}}` under broker in the house file."
        )
    else:
        reason, todo = _network_error(text, broker)
    plain = re.sub(r"\[Errno -?\d+\] ", "", error)
    return reason.with_facts(text=plain), todo.with_facts(folder=accounts_folder(broker), host=broker.host)


def _is_listening(broker: BrokerSection) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((broker.host, broker.port), PORT_TIMEOUT_S):
        return True
    return False


def _network_error(text: str, broker: BrokerSection) -> tuple[Text, Text]:
    if "refused" in text:
        return _("nobody listens there"), _(
            "Start it: `mosquitto -c {folder}/mosquitto.conf` (`perron broker-config {folder}` writes that file). To "
            "try things, `perron simulate --broker` brings one."
        )
    if text == ACCOUNT_REFUSED.lower() or "authori" in text or "user name or password" in text:
        todo = _("Write its accounts with `perron broker-config {folder}`, then start it anew.")
        return _("it refuses this account"), todo
    if "name or service" in text or "address associated" in text or "name resolution" in text:
        return _("no machine of that name is known"), _("Correct broker.host in the house file.")
    if "timed out" in text or "unreachable" in text or "no route" in text:
        return _("it does not answer"), _("Look at the network, and at broker.host and broker.port in the house file.")
    if "reset" in text and broker.tls is not None:
        todo = _("Correct broker.port, or write the broker's files anew.")
        return _("it broke off: it does not speak TLS there"), todo
    return Text("{text}"), _("Look at the broker's own log.")

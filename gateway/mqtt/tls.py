"""The TLS settings of the broker's clients, under the authority that the house file names.

The functions raise ConfigError if password or authority cannot be read.
"""

import asyncio
import ssl
from datetime import UTC, datetime

from gateway.system.config_section import authority_context, load_key_pair
from gateway.system.mqtt_settings import BrokerSection


def tls_context(broker: BrokerSection) -> ssl.SSLContext | None:
    """Return the TLS context that accepts only this broker; None if the broker is used without TLS.

    The certificate has to name `broker.host`. The files are read again for each connection.
    """
    if broker.tls is None:
        return None
    context = authority_context(
        broker.tls.ca, what=f"the authority of the broker at {broker.host}",
        todo="Copy authority.pem out of the folder that `perron broker-config` wrote, or correct broker.tls.ca.",
    )  # fmt: skip
    context.options |= ssl.OP_NO_RENEGOTIATION  # so that reading never has to wait until the broker reads
    if broker.tls.certificate is not None and broker.tls.key is not None:
        load_key_pair(context, broker.tls.certificate, broker.tls.key, section="tls")
    return context


ACCOUNT_REFUSED = "it refuses account or password (broker.username, broker.password_file)"
"""The text of `error_text` for an account or a password that the broker does not accept."""


def check_files(broker: BrokerSection) -> None:
    """Check that password and authority can be read, before the gateway starts anything."""
    broker.password()
    tls_context(broker)


async def certificate_expiry(broker: BrokerSection) -> datetime | None:
    """Return the end of the certificate that the broker presents now; None if it is used without TLS.

    Raises:
        OSError: the broker cannot be reached, or its certificate is not accepted (ssl.SSLError).
    """
    context = tls_context(broker)
    if context is None:
        return None
    _, writer = await asyncio.open_connection(broker.host, broker.port, ssl=context)
    shown = writer.get_extra_info("peercert")["notAfter"]
    writer.transport.abort()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(shown), UTC)


def error_text(error: str) -> str:
    """Return a readable text for an error of TLS or of the account; else the library's own text."""
    text = error.lower()
    if "certificate_verify_failed" in text or "certificate verify failed" in text:
        if "expired" in text:
            return "its certificate has expired"
        if "not yet valid" in text:
            return "its certificate is not good yet: one of the two clocks is wrong"
        if "mismatch" in text or "not valid for" in text:
            return "its certificate is another name's"
        return "its certificate comes from another authority than broker.tls.ca"
    if any(sign in text for sign in ("wrong_version_number", "unexpected_message", "record_layer_failure")):
        return "it does not speak TLS"
    if "[ssl" in text:
        return "no TLS connection came about"
    if "not authorized" in text or "bad user name or password" in text:
        return ACCOUNT_REFUSED
    return error

"""The certificate with which the hub serves HTTPS, read anew when its files change, without a restart."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509

from gateway.system.config_section import ConfigError, load_key_pair
from gateway.system.regular_file import read_bytes

log = structlog.get_logger(__name__)

CHECK_INTERVAL_S = 1.0
_TODO = "correct the files; the old certificate stays"


class _CurrentContext(ssl.SSLContext):
    """A context that makes each connection with `current`.

    A context into which another pair is loaded would keep the old certificate too if the two keys differ in kind.
    """

    current: ssl.SSLContext

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:  # noqa: ANN401 - as in ssl
        """Begin a connection, as the event loop does for each one that it accepts."""
        return self.current.wrap_bio(*args, **more)


class ServerCertificate:
    """The pair of `listen.certificate` and `listen.key`. `context` serves new connections with the newest pair.

    Raises:
        ConfigError: the pair cannot be used.
    """

    def __init__(self, certificate: Path, key: Path, *, now: Callable[[], datetime]) -> None:
        self._files, self._now = (certificate, key), now
        self._seen = self._signature()
        self.context = _CurrentContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.current, self.expires = self._load()

    async def run(self) -> None:
        """Check for another pair until cancelled; log one that cannot be used, and keep the old one."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            await asyncio.to_thread(self.check)

    def check(self) -> None:
        """Read the pair again if a file changed since the last check."""
        signature = self._signature()
        if signature == self._seen:
            return
        self._seen = signature
        try:
            context, expires = self._load()
        except ConfigError as error:
            log.error("certificate_refused", why=str(error), todo=_TODO)
            return
        if expires <= self._now():
            log.error("certificate_refused", why=f"{self._files[0]}: it expired at {expires.isoformat()}", todo=_TODO)
            return
        self.context.current, self.expires = context, expires
        log.info("certificate_read", file=str(self._files[0]), expires=expires.isoformat())

    def _signature(self) -> tuple[tuple[int, ...] | None, ...]:
        """Return what differs when a file was written, replaced, or its link leads elsewhere."""
        return tuple(_file_signature(file) for file in self._files)

    def _load(self) -> tuple[ssl.SSLContext, datetime]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        load_key_pair(context, *self._files, section="listen")
        try:
            chain = x509.load_pem_x509_certificates(read_bytes(self._files[0]))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self._files[0]}: it cannot be read ({error}).") from error
        return context, chain[0].not_valid_after_utc


def _file_signature(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_dev, found.st_size)

"""Listens for HTTP, and hands each connection to uvicorn's protocol.

uvicorn's own `Server` ends the process when a port is taken, takes the signals for itself, and polls ten times a second
to learn that it should end. `HubProcess` does all three, so the hub uses only uvicorn's configuration and protocol.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from email.utils import formatdate

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from gateway.hub.http.connection_limits import HubConnection, HubConnectionLimiter

HANDSHAKE_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0  # for the requests in progress, and for a client to answer the end of TLS
_DATE_INTERVAL_S = 1.0


class HubServer:
    """Serves an ASGI app. `port` is the real one once it is open."""

    def __init__(self, app: ASGIApp, limiter: HubConnectionLimiter) -> None:
        # uvicorn takes the connection's address as the client's; the app itself reads a proxy's header.
        self._config = Config(
            app, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False,
            server_header=False,
        )  # fmt: skip
        self._limiter, self._state = limiter, ServerState()
        self._server: asyncio.Server | None = None
        self._dating: asyncio.TimerHandle | None = None
        self.port = 0

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Begin to serve; OSError says why it cannot."""
        self._config.load()
        self._write_date()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: HubConnection(self._limiter, self._config, self._state), host, port, ssl=tls, backlog=1024,
            ssl_handshake_timeout=None if tls is None else HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=None if tls is None else CLOSE_TIMEOUT_S,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]

    def _write_date(self) -> None:
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        self._dating = asyncio.get_running_loop().call_later(_DATE_INTERVAL_S, self._write_date)

    async def close(self, end_streams: Callable[[], None]) -> None:
        """Stop serving: requests in progress are answered, streams end."""
        if self._server is None or self._dating is None:
            return
        self._server.close()
        end_streams()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            _, late = await asyncio.wait(set(self._state.tasks), timeout=CLOSE_TIMEOUT_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._dating.cancel()
        for connection in list(self._limiter.connections):
            connection.transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._server.wait_closed()

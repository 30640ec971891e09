"""Makes one attempt: a POST, bounded in time and size, only to addresses that the hub may send to.

`gateway/system/guarded_http.py` checks each of them where the socket is made. Redirects are off.
"""

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

import aiohttp

from gateway.hub.webhooks import retry
from gateway.hub.webhooks.retry import WebhookAttempt, WebhookResult, answers_challenge
from gateway.system.destinations import DestinationPolicy, DestinationRefused, parse_destination
from gateway.system.guarded_http import AddressRefused, Lookup, guarded_session, system_lookup

MAX_READ_BYTES = 4096  # of a response, which are examined
MAX_CONNECTIONS = 256
KEEPALIVE_S = 3.0  # most servers close an idle connection later


@dataclass
class WebhookConnections:
    """All connections to receivers. `seconds` returns monotonic seconds; `timeout`: seconds for one whole attempt."""

    allowed: DestinationPolicy
    seconds: Callable[[], float]
    timeout: float
    lookup: Lookup = system_lookup

    async def __aenter__(self) -> Self:
        self._exits = AsyncExitStack()
        self._http = await self._exits.enter_async_context(
            guarded_session(
                self.allowed, timeout_s=self.timeout, lookup=self.lookup, max_connections=MAX_CONNECTIONS,
                keepalive_s=KEEPALIVE_S,
            )
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def post(
        self, url: str, body: bytes, headers: dict[str, str], *, challenge: str | None = None
    ) -> WebhookAttempt:
        """Make one attempt and return its result, whatever happens. `challenge`: what the response must contain."""
        began = self.seconds()
        try:
            target = parse_destination(url, self.allowed)
            async with self._http.post(target, data=body, headers=headers, allow_redirects=False) as answer:
                result = retry.result_of_status(answer.status)
                shown = await _read_beginning(answer, must=result is not WebhookResult.TAKEN or challenge is not None)
                if result is WebhookResult.TAKEN and challenge is not None and not answers_challenge(shown, challenge):
                    result = WebhookResult.NO_CHALLENGE
                return WebhookAttempt(
                    result=result, status=answer.status, seconds=self.seconds() - began,
                    excerpt=None if result is WebhookResult.TAKEN else retry.excerpt_of(shown),
                    retry_after=retry.parse_retry_after(answer.headers.get("Retry-After")),
                )  # fmt: skip
        except (DestinationRefused, aiohttp.ClientError, OSError, ValueError) as error:
            return WebhookAttempt(result=_result_of(error), seconds=self.seconds() - began)


async def _read_beginning(answer: aiohttp.ClientResponse, *, must: bool) -> bytes:
    """Read the part that matters; the connection is used again only if there is no more."""
    length = answer.content_length
    if not must and (length is None or length > MAX_READ_BYTES):
        answer.close()
        return b""
    content = bytearray()
    try:
        while len(content) < MAX_READ_BYTES and (chunk := await answer.content.read(MAX_READ_BYTES - len(content))):
            content += chunk
    except (aiohttp.ClientError, TimeoutError):
        answer.close()  # the status is enough
        return bytes(content)
    if not answer.content.at_eof():
        answer.close()
    return bytes(content)


_ERROR_RESULTS = (  # the first that fits counts
    (TimeoutError, WebhookResult.TIMEOUT),
    ((aiohttp.ClientConnectorDNSError, UnicodeError), WebhookResult.NOT_FOUND),
    ((aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError), WebhookResult.TLS),
    ((aiohttp.ClientConnectionError, OSError), WebhookResult.UNREACHABLE),
)


def _result_of(error: Exception) -> WebhookResult:
    causes = (getattr(error, "os_error", error), error.__cause__)
    if isinstance(error, DestinationRefused) or any(isinstance(cause, AddressRefused) for cause in causes):
        return WebhookResult.NOT_ALLOWED
    results = (result for errors, result in _ERROR_RESULTS if isinstance(error, errors))
    return next(results, WebhookResult.NO_HTTP)

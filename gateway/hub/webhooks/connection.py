"""Makes one attempt: a POST, bounded in time and size, only to addresses that `ssrf` permits.

The check is where the socket is made for an IP address (`socket_factory`), after each name, cache and spelling.
Redirects, cookies, proxies of the environment and compressed responses are off.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.hub.http.ssrf import DestinationPolicy, DestinationRefused, is_reachable, parse_destination
from gateway.hub.webhooks import retry
from gateway.hub.webhooks.retry import WebhookAttempt, WebhookResult, answers_challenge

MAX_READ_BYTES = 4096  # of a response, which are examined
RECEIVE_BUFFER_BYTES = 8192  # what the system buffers is parsed without a pause, so it is small
MAX_CONNECTIONS = 256
KEEPALIVE_S = 3.0  # most servers close an idle connection later
_MAX_LOOKUPS = 64  # each in a thread, so that a hanging name server delays no other

Lookup = Callable[[str, int], list[tuple[socket.AddressFamily, str]]]


class _AddressRefused(OSError):  # noqa: N818 - it says what happened
    """The policy does not permit this IP address; one text for all, so that it keeps its type among other errors."""

    def __init__(self) -> None:
        super().__init__("the hub does not send to this address")


def system_lookup(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Resolve a name as this machine does, or raise OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, str(address[0])) for family, _, _, _, address in answers]


class _GuardedResolver(AbstractResolver):
    def __init__(self, allowed: DestinationPolicy, lookup: Lookup) -> None:
        self._policy, self._lookup = allowed, lookup
        self._threads = ThreadPoolExecutor(_MAX_LOOKUPS, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._threads, self._lookup, host, port)
        fit = [(kind, number) for kind, number in addresses if is_reachable(number, self._policy)]
        if not fit:
            raise _AddressRefused if addresses else OSError("the name leads nowhere")
        return [
            ResolveResult(hostname=host, host=number, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, number in fit
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass
class WebhookConnections:
    """All connections to receivers. `seconds` returns monotonic seconds; `timeout`: seconds for one whole attempt."""

    allowed: DestinationPolicy
    seconds: Callable[[], float]
    timeout: float
    lookup: Lookup = system_lookup

    async def __aenter__(self) -> Self:
        self._resolver = _GuardedResolver(self.allowed, self.lookup)
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, socket_factory=self._socket, use_dns_cache=False, limit=MAX_CONNECTIONS,
            keepalive_timeout=KEEPALIVE_S,
        )  # fmt: skip
        self._http = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False,
            timeout=aiohttp.ClientTimeout(total=self.timeout), skip_auto_headers=("Accept-Encoding",),
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._resolver.close()

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

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = info
        if not is_reachable(str(address[0]), self.allowed):
            raise _AddressRefused
        sock = socket.socket(family, kind, proto)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return sock


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
    if isinstance(error, DestinationRefused) or any(isinstance(cause, _AddressRefused) for cause in causes):
        return WebhookResult.NOT_ALLOWED
    results = (result for errors, result in _ERROR_RESULTS if isinstance(error, errors))
    return next(results, WebhookResult.NO_HTTP)

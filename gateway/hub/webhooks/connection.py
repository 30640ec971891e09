"""One try: a POST to a stranger's server, bounded in time and size, to addresses that the guard lets through.

The guard stands where a socket is made for the number that is connected to (`socket_factory`), behind every name,
cache and spelling. Redirects, cookies, proxies of the environment and compressed answers do not exist here.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.hub.webhooks.retry import Answer, Result, answers, excerpt, judged, wish
from gateway.hub.webhooks.ssrf import Allowed, Destination, NotAllowed, destination, reachable

READ = 4096  # bytes of an answer that are looked at
AT_A_TIME = 8192  # bytes that the system takes in unread: what is read at once, and understood without a pause
CONNECTIONS = 256
KEPT = 3.0  # seconds for which an idle connection is used again: shorter than most servers keep theirs
_LOOKING_UP = 64  # names at once, each in a thread: a server of names that hangs holds up no other

Lookup = Callable[[str, int], list[tuple[socket.AddressFamily, str]]]


class _Refused(OSError):  # noqa: N818 - a word of the guard
    """The guard lets this number not through. One text for all, so that it keeps its type among other errors."""

    def __init__(self) -> None:
        super().__init__("the hub does not send to this address")


def by_machine(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Look a name up as this machine does.

    Raises:
        OSError: it leads nowhere.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, str(address[0])) for family, _, _, _, address in found]


class _Guarded(AbstractResolver):
    def __init__(self, allowed: Allowed, lookup: Lookup) -> None:
        self._allowed, self._lookup = allowed, lookup
        self._threads = ThreadPoolExecutor(_LOOKING_UP, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port)
        fit = [(kind, number) for kind, number in found if reachable(number, self._allowed)]
        if not fit:
            raise _Refused if found else OSError("the name leads nowhere")
        return [
            ResolveResult(hostname=host, host=number, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, number in fit
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Connections:
    """All connections to receivers. Use as an asynchronous context; `seconds` counts, from anywhere.

    `timeout`: seconds for one try, from the name to the answer.
    """

    def __init__(
        self,
        allowed: Allowed,
        *,
        seconds: Callable[[], float],
        lookup: Lookup = by_machine,
        timeout: float,
    ) -> None:
        self._allowed, self._seconds, self._timeout = allowed, seconds, timeout
        self._lookup = lookup

    async def __aenter__(self) -> Self:
        """Begin."""
        self._resolver = _Guarded(self._allowed, self._lookup)
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, socket_factory=self._socket, use_dns_cache=False, limit=CONNECTIONS,
            keepalive_timeout=KEPT,
        )  # fmt: skip
        self._http = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False,
            timeout=aiohttp.ClientTimeout(total=self._timeout), skip_auto_headers=("Accept-Encoding",),
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all of them."""
        await self._http.close()
        await self._resolver.close()

    async def post(self, url: str, body: bytes, headers: dict[str, str], *, challenge: str | None = None) -> Answer:
        """Try once. Never raises: whatever a stranger does is an answer. `challenge`: what has to come back."""
        began = self._seconds()

        def ended(result: Result) -> Answer:
            return Answer(result=result, seconds=self._seconds() - began)

        try:
            target = _url(destination(url, self._allowed))
            async with self._http.post(target, data=body, headers=headers, allow_redirects=False) as answer:
                result = judged(answer.status)
                shown = await _beginning(answer, must=result is not Result.TAKEN or challenge is not None)
                if result is Result.TAKEN and challenge is not None and not answers(shown, challenge):
                    result = Result.NO_CHALLENGE
                return Answer(
                    result=result, status=answer.status, seconds=self._seconds() - began,
                    excerpt=None if result is Result.TAKEN else excerpt(shown),
                    wish=wish(answer.headers.get("Retry-After")),
                )  # fmt: skip
        except NotAllowed:
            return ended(Result.NOT_ALLOWED)
        except TimeoutError:
            return ended(Result.TIMEOUT)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return ended(_blamed(error))

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = info
        if not reachable(str(address[0]), self._allowed):
            raise _Refused
        found = socket.socket(family, kind, proto)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, AT_A_TIME)
        return found


async def _beginning(answer: aiohttp.ClientResponse, *, must: bool) -> bytes:
    """Read what is looked at; the connection is used again only if that was all."""
    length = answer.content_length
    if not must and (length is None or length > READ):
        answer.close()
        return b""
    found = bytearray()
    try:
        while len(found) < READ and (chunk := await answer.content.read(READ - len(found))):
            found += chunk
    except (aiohttp.ClientError, TimeoutError):
        answer.close()  # its status stands
        return bytes(found)
    if not answer.content.at_eof():
        answer.close()
    return bytes(found)


def _url(to: Destination) -> URL:
    host = f"[{to.host}]" if ":" in to.host else to.host
    return URL(f"{to.scheme}://{host}:{to.port}{to.target}", encoded=True)


def _blamed(error: Exception) -> Result:
    cause = getattr(error, "os_error", error)
    if isinstance(cause, _Refused) or isinstance(error.__cause__, _Refused):
        return Result.NOT_ALLOWED
    if isinstance(error, aiohttp.ClientConnectorDNSError | UnicodeError):
        return Result.NOT_FOUND
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | ssl.CertificateError):
        return Result.TLS
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return Result.UNREACHABLE
    return Result.NO_HTTP

"""Sends HTTP requests to addresses from outside, only to those that a `DestinationPolicy` permits.

The check is where the socket is made for an IP address (`socket_factory`), after each name, cache and spelling.
Cookies, proxies of the environment and compressed responses are off; the caller turns redirects off at each request.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.system.destinations import DestinationPolicy, is_reachable

RECEIVE_BUFFER_BYTES = 8192  # what the system buffers is parsed without a pause, so it is small
_MAX_LOOKUPS = 64  # each in a thread, so that a hanging name server delays no other

Lookup = Callable[[str, int], list[tuple[socket.AddressFamily, str]]]


class AddressRefused(OSError):  # noqa: N818 - it says what happened
    """The policy does not permit this IP address; one text for all, so that it keeps its type among other errors."""

    def __init__(self) -> None:
        super().__init__("nothing is sent to this address")


def system_lookup(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Resolve a name as this machine does, or raise OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, str(address[0])) for family, _, _, _, address in answers]


@asynccontextmanager
async def guarded_session(  # noqa: PLR0913 - each is a limit of its own
    policy: DestinationPolicy,
    *,
    timeout_s: float,
    lookup: Lookup = system_lookup,
    max_connections: int = 8,
    keepalive_s: float = 3.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session for such requests. `timeout_s`: seconds for one whole request. `tls`: None trusts the system."""
    resolver = _GuardedResolver(policy, lookup)
    connector = aiohttp.TCPConnector(
        resolver=resolver, socket_factory=partial(_guarded_socket, policy), use_dns_cache=False, limit=max_connections,
        keepalive_timeout=keepalive_s, ssl=True if tls is None else tls,
    )  # fmt: skip
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False,
        timeout=aiohttp.ClientTimeout(total=timeout_s), skip_auto_headers=("Accept-Encoding",),
    )  # fmt: skip
    try:
        async with session:
            yield session
    finally:
        await resolver.close()


async def post_guarded(  # noqa: PLR0913 - each is a limit of its own
    target: URL,
    body: bytes,
    headers: Mapping[str, str],
    policy: DestinationPolicy,
    *,
    timeout_s: float,
    lookup: Lookup | None = None,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Send one POST without redirects; return the status of the answer, whose content is not read.

    Raises:
        TimeoutError: no answer within the limit. OSError: none at all.
    """
    try:
        async with (
            guarded_session(policy, timeout_s=timeout_s, lookup=lookup or system_lookup, tls=tls) as session,
            session.post(target, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status
    except (aiohttp.ClientError, ValueError) as error:
        raise OSError(str(error)) from error


class _GuardedResolver(AbstractResolver):
    def __init__(self, policy: DestinationPolicy, lookup: Lookup) -> None:
        self._policy, self._lookup = policy, lookup
        self._threads = ThreadPoolExecutor(_MAX_LOOKUPS, thread_name_prefix="outside-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._threads, self._lookup, host, port)
        fit = [(kind, number) for kind, number in addresses if is_reachable(number, self._policy)]
        if not fit:
            raise AddressRefused if addresses else OSError("the name leads nowhere")
        return [
            ResolveResult(hostname=host, host=number, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, number in fit
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _guarded_socket(policy: DestinationPolicy, info: AddrInfoType) -> socket.socket:
    family, kind, proto, _, address = info
    if not is_reachable(str(address[0]), policy):
        raise AddressRefused
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return sock

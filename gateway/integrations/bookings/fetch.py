"""Fetches what a source of bookings has, with limits on address, redirects, size and time."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp
from yarl import URL

from gateway.domain.guests.bookings import MAX_ADDRESS_CHARS, ReadingFailure
from gateway.system.atomic_file import open_regular
from gateway.system.destinations import DestinationPolicy, DestinationRefused, parse_destination
from gateway.system.guarded_http import AddressRefused, guarded_session
from gateway.system.regular_file import NotRegularFile

MAX_BYTES = 1 << 20  # of a calendar, or of one answer; that of one home has some kilobytes
MAX_REDIRECTS = 3
TIMEOUT_S = 30.0  # for one request
_REDIRECTS = (301, 302, 303, 307, 308)


class SourceUnread(Exception):  # noqa: N818 - it says what happened
    """The source could not be read, and why."""

    def __init__(self, why: ReadingFailure) -> None:
        super().__init__(why.value)
        self.why = why


def read_file(path: Path) -> bytes:
    """Return the bytes of a file that the house file names.

    Raises:
        SourceUnread: it is no regular file, cannot be read, or is too large.
    """
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, NotRegularFile) as error:
        raise SourceUnread(ReadingFailure.FILE) from error
    if len(data) > MAX_BYTES:
        raise SourceUnread(ReadingFailure.TOO_LARGE)
    return data


class Fetcher:
    """Requests under one policy. Use it as an asynchronous context manager; it raises `SourceUnread`."""

    def __init__(self, policy: DestinationPolicy, tls: Any = None) -> None:  # noqa: ANN401 - an SSL context, or None
        self._policy, self._tls = policy, tls
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        session = guarded_session(self._policy, timeout_s=TIMEOUT_S, tls=self._tls)
        self._session = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def get(self, address: str) -> bytes:
        """Fetch an address. A redirect leads to an address that is checked as the first one."""
        for _ in range(MAX_REDIRECTS + 1):
            target = self._target(address)
            status, headers, data = await self._request("GET", target)
            if status not in _REDIRECTS:
                return _content(status, data)
            location = headers.get("Location", "")
            try:
                address = str(target.join(URL(location))) if location else ""
            except ValueError as error:
                raise SourceUnread(ReadingFailure.ADDRESS) from error
        raise SourceUnread(ReadingFailure.STATUS)

    async def post(self, address: str, body: Mapping[str, object], secret: str) -> bytes:
        """Post JSON with a bearer's secret. No redirect is followed: it would hand the secret on."""
        headers = {"Authorization": f"Bearer {secret}"}
        status, _, data = await self._request("POST", self._target(address), json=body, headers=headers)
        return _content(status, data)

    def _target(self, address: str) -> URL:
        try:
            return parse_destination(address, self._policy, max_chars=MAX_ADDRESS_CHARS)
        except DestinationRefused as error:
            raise SourceUnread(ReadingFailure.ADDRESS) from error

    async def _request(
        self,
        method: str,
        target: URL,
        **more: Any,  # noqa: ANN401 - of the library
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with self._session.request(method, target, allow_redirects=False, **more) as answer:
                data = bytearray()
                async for piece in answer.content.iter_chunked(1 << 16):
                    data += piece
                    if len(data) > MAX_BYTES:
                        raise SourceUnread(ReadingFailure.TOO_LARGE)
                return answer.status, answer.headers, bytes(data)
        except AddressRefused as error:
            raise SourceUnread(ReadingFailure.ADDRESS) from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            refused = isinstance(error.__cause__, AddressRefused) or "nothing is sent to this address" in str(error)
            raise SourceUnread(ReadingFailure.ADDRESS if refused else ReadingFailure.UNREACHABLE) from error


def _content(status: int, data: bytes) -> bytes:
    if status in (401, 403):
        raise SourceUnread(ReadingFailure.CREDENTIALS)
    if status != 200:
        raise SourceUnread(ReadingFailure.STATUS)
    return data

"""Sends HTTP requests to an intercom: each once, with limits on time and size, without redirects.

aiohttp sends a GET again when a connection that it kept ends before the answer. An order must never leave twice, so a
lost connection is an error here.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ServerDisconnectedError,
)

from devices.reports import OperationError
from gateway.integrations.intercom.file import IntercomSection

MAX_ANSWER_BYTES = 64 * 1024


class IntercomFailed(Exception):  # noqa: N818 - the name says what happened
    """The intercom did not do it, or may not have; `failure` says why, the text is safe to log."""

    def __init__(self, failure: OperationError, why: str) -> None:
        super().__init__(why)
        self.failure = failure


class _AnswerLost(ClientError):  # noqa: N818 - the name says what happened
    """The connection ended before the answer: the intercom may have obeyed."""


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    except ClientConnectorError:
        raise  # nothing was sent
    except (ClientOSError, ServerDisconnectedError) as error:
        raise _AnswerLost(str(error)) from error


class IntercomLine:
    """The connection to one intercom. `open` makes it; leaving the block closes it."""

    def __init__(self, section: IntercomSection, session: aiohttp.ClientSession) -> None:
        self._section, self._session = section, session

    @classmethod
    @asynccontextmanager
    async def open(cls, section: IntercomSection) -> AsyncIterator["IntercomLine"]:
        """Open the line; ConfigError: credentials or authority cannot be read."""
        user, password = section.credentials()
        middlewares: tuple[aiohttp.ClientMiddlewareType, ...] = (_send_once,)
        headers = {}
        if section.login == "digest":
            middlewares = (_send_once, aiohttp.DigestAuthMiddleware(user, password))
        else:
            headers["Authorization"] = aiohttp.encode_basic_auth(user, password)
        connector = aiohttp.TCPConnector(limit=8, ssl=section.tls())
        async with aiohttp.ClientSession(
            section.url.rstrip("/"), connector=connector, headers=headers, middlewares=middlewares,
            cookie_jar=aiohttp.DummyCookieJar(), trust_env=False,
        ) as session:  # fmt: skip
            yield cls(section, session)

    async def ask(self, path: str, query: Mapping[str, str], *, within_s: float | None = None) -> tuple[int, object]:
        """Send a GET; return its status and its JSON, None for another body.

        Raises:
            IntercomFailed: it cannot be reached, did not answer within `within_s` (its usual time if None), or refuses
                the account.
        """
        timeout_s = self._section.timeout if within_s is None else within_s
        with _failures(path):
            async with (
                asyncio.timeout(timeout_s),
                self._session.get(path, params=query, allow_redirects=False) as response,
            ):
                raise_for_login(response.status)
                return response.status, await _read_json(response)

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream and yield its pieces as they come; it has failed after `silence_s` without one.

        Raises:
            IntercomFailed: as `ask`, or the stream ended.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._section.timeout, sock_read=silence_s)
        with _failures(path):
            async with self._session.get(path, params=query, allow_redirects=False, timeout=timeout) as response:
                raise_for_login(response.status)
                if response.status != 200:
                    raise IntercomFailed(_status_failure(response.status), f"{path} answers {response.status}")
                yield response.content.iter_any()
                raise IntercomFailed(OperationError.UNREACHABLE, f"{path}: the stream has ended")


class _failures:  # noqa: N801 - used as a function
    """Turn what can go wrong on the way into `IntercomFailed`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        match error:
            case ClientConnectorError():
                why, failure = "it cannot be reached", OperationError.UNREACHABLE
            case aiohttp.ServerFingerprintMismatch():
                why, failure = "its certificate is another one's", OperationError.UNREACHABLE
            case _AnswerLost():
                why, failure = "the connection ended before the answer: it may have obeyed", OperationError.TIMEOUT
            case TimeoutError():
                why, failure = "it did not answer in time: it may have obeyed", OperationError.TIMEOUT
            case ClientError():
                why, failure = f"no answer that can be read ({type(error).__name__})", OperationError.UNSPECIFIED
            case _:
                return
        raise IntercomFailed(failure, f"{self._path}: {why}") from error


def raise_for_login(status: int) -> None:
    """Raise IntercomFailed if the status says that the account is refused."""
    if status in (401, 403, 407, 423):
        raise IntercomFailed(_status_failure(status), f"the intercom refuses the account ({status})")


def _status_failure(status: int) -> OperationError:
    match status:
        case 401 | 407:
            return OperationError.INVALID_CREDENTIAL
        case 403 | 204:
            return OperationError.DISABLED_USER_DENIED
        case 423:
            return OperationError.RESTRICTED  # too many wrong passwords: it lets nobody in for a while
        case 429 | 503 | 509:
            return OperationError.BUSY
        case _:
            return OperationError.UNSPECIFIED


def raise_for_status(status: int, path: str) -> None:
    """Raise IntercomFailed unless the status is 200."""
    if status != 200:
        raise IntercomFailed(_status_failure(status), f"{path} answers {status}")


async def _read_json(response: ClientResponse) -> object:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise IntercomFailed(OperationError.UNSPECIFIED, "the answer is too long")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None

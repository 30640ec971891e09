"""A client of the hub for retailers: requests that can be repeated, and event streams."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from gateway.hub.sdk.stream import MAX_JSON_DEPTH, EventStreamReader, ServerSentEvent, escape_control_characters
from gateway.protocol.strict_json import loads
from gateway.system.addresses import is_loopback_host
from gateway.system.backoff import Backoff

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)  # for one response
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)  # a stream has a heartbeat every 15 s
MAX_TRIES = 4  # of one request that got no response, or one that asks to retry
REQUEST_BACKOFF = Backoff(0.25, 2.0)  # of a request
STREAM_BACKOFF = Backoff(0.5, 30.0)  # of an interrupted stream
MAX_RESPONSE_BYTES = 4_000_000


class HubUnreachable(Exception):  # noqa: N818 - it says what happened
    """The hub cannot be reached, or the server is not a hub; the text says which."""


class HubRefusal(Exception):  # noqa: N818 - it says what happened
    """The hub refused a request: its stable code, and a text that says what is wrong and where.

    `request_id` is the request's in the hub's log; the text has it if the hub itself failed. Empty: the hub named none.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.type = str(problem.get("type", ""))
        self.request_id = escape_control_characters(str(problem.get("request_id", "")))
        lines = [str(problem.get("detail") or problem.get("title") or f"HTTP {status}")]
        errors = problem.get("errors")
        mistakes = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        lines += [f"  {mistake.get('pointer', '')}: {mistake.get('detail', '')}" for mistake in mistakes]
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.request_id:
            lines.append(f"  The hub's operator finds it by its id: {self.request_id}")
        super().__init__("\n".join(map(escape_control_characters, lines)))


@dataclass(frozen=True, slots=True)
class HubAccess:
    """The hub's address and the API key; no text of this object shows the key."""

    url: str
    key: str = field(repr=False, default="")

    def __post_init__(self) -> None:
        """Raise ValueError for a malformed address, or one by which others could read the key on the way."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None or parts.query or parts.fragment:
            raise ValueError("a hub's address is https://name, as its operator tells it")
        if parts.scheme == "http" and not is_loopback_host(parts.hostname):
            raise ValueError("without https everybody on the way reads the API key")

    def url_of(self, path: str) -> str:
        """Return the address of a path."""
        return self.url.rstrip("/") + path


class RetailerClient:
    """A client of one hub, over one session of aiohttp. A refusal raises `HubRefusal`."""

    def __init__(self, http: aiohttp.ClientSession, access: HubAccess) -> None:
        self._http, self._access = http, access

    async def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a request and return its JSON, or raise `HubUnreachable`; a POST takes effect only once."""
        headers = self._headers()
        if method == "POST" and self._access.key:
            headers["Idempotency-Key"] = secrets.token_urlsafe(18)
        for left in reversed(range(MAX_TRIES)):
            try:
                return await self._request_once(method, path, body, headers)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if not left:
                    reason = "in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
                    raise HubUnreachable(f"{self._access.url} does not answer ({reason}).") from error
                await asyncio.sleep(REQUEST_BACKOFF.delay_s(MAX_TRIES - 1 - left))
        raise AssertionError("the last try has returned or raised")

    async def follow(self, after: str | None = None) -> AsyncIterator[ServerSentEvent]:
        """Yield a retailer's events after the one of this id as they happen; it reconnects by itself."""
        reader, pause = EventStreamReader(last=after), STREAM_BACKOFF.first_s
        while True:
            headers = {**self._headers(), "Accept": "text/event-stream"}
            if reader.last_event_id is not None:
                headers["Last-Event-ID"] = reader.last_event_id
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                address = self._access.url_of("/v1/events/stream")
                async with self._http.get(
                    address, headers=headers, timeout=STREAM_TIMEOUT, allow_redirects=False
                ) as answer:
                    await _check_status(answer)
                    async for part in answer.content.iter_any():
                        for message in reader.feed(part):
                            pause = STREAM_BACKOFF.first_s
                            yield message
            reader.discard_unfinished()
            await asyncio.sleep(pause)
            pause = STREAM_BACKOFF.next_s(pause)

    async def _request_once(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> dict[str, Any]:
        url = self._access.url_of(path)
        async with self._http.request(
            method, url, json=body, headers=headers, timeout=REQUEST_TIMEOUT, allow_redirects=False
        ) as answer:
            await _check_status(answer)
            if answer.status == HTTPStatus.NO_CONTENT:
                return {}
            response = await _read_json(answer)
            if not isinstance(response, dict):
                raise HubUnreachable(f"{self._access.url} answers something that is no hub's.")
            return response

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._access.key}"} if self._access.key else {}


@asynccontextmanager
async def open_client(access: HubAccess) -> AsyncIterator[RetailerClient]:
    """Yield a client with its own session."""
    async with aiohttp.ClientSession() as http:
        yield RetailerClient(http, access)


async def _check_status(answer: aiohttp.ClientResponse) -> None:
    """Raise for a refusal; a response that asks to retry later counts as no response."""
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if answer.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY}:
        wait = answer.headers.get("Retry-After", "1")
        seconds = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 1
        if seconds <= 10:
            await asyncio.sleep(seconds)
            raise aiohttp.ClientPayloadError(f"HTTP {answer.status}")
    problem = await _read_json(answer)
    raise HubRefusal(answer.status, problem if isinstance(problem, dict) else {})


async def _read_json(answer: aiohttp.ClientResponse) -> object:
    body = bytearray()
    while len(body) < MAX_RESPONSE_BYTES and (part := await answer.content.read(MAX_RESPONSE_BYTES - len(body))):
        body += part
    try:
        return loads(bytes(body), deepest=MAX_JSON_DEPTH)
    except ValueError:
        return None

"""The browser's live WebSocket: sends each shown fragment when it changes, and a heartbeat every second.

To the box: `{"want": ["fr/state/front", ...]}`, each in the language of its tab. From the box:
`{"parts": {name: html}}`, `{"beat": milliseconds UTC}`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.system.changes import ChangeNotifier
from gateway.system.i18n import Language, languages
from gateway.system.token_bucket import TokenBucket
from gateway.web.server.fragments import FRAGMENTS
from gateway.web.server.live_video import run_until_first

HEARTBEAT_INTERVAL_S = 1.0  # seconds
MIN_RENDER_INTERVAL_S = 0.05  # seconds between two renderings: a burst of changes is rendered once
MAX_FRAGMENTS = 100
MAX_MESSAGE_BYTES = 16_384  # bytes of one message from a browser
MAX_SESSION_FEEDS = 24  # a browser without SharedWorker has one for each tab
MAX_LINK_FEEDS = 8  # a courier's phone, and the phones of those with whom the courier shares the link
MESSAGES_PER_SECOND = 10.0  # a page sends its list of fragments when a tab opens or closes, and never by itself
MESSAGES_BURST = 60.0  # all tabs of a browser that comes back


class FragmentRequest(BaseModel):
    """The fragments that all tabs of a browser show."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    want: list[str] = Field(max_length=MAX_FRAGMENTS)


def _is_fragment_name(name: str) -> bool:
    language, _, rest = name.partition("/")
    return language in languages() and rest.partition("/")[0] in FRAGMENTS


class LiveFeed:
    """One WebSocket.

    `render` returns a fragment's HTML in a language, or raises KeyError; `utc_ms` is the clock; `take_turn` returns
    when one fragment may be rendered, since all feeds together render one in each turn of the loop. `is_allowed`
    returns whether the viewer may still look: a page that still got heartbeats would show its last state as if it were
    the present one.
    """

    def __init__(
        self,
        changes: ChangeNotifier,
        render: Callable[[str, Language], str],
        utc_ms: Callable[[], int],
        *,
        is_allowed: Callable[[], bool],
        take_turn: Callable[[], Awaitable[None]],
    ) -> None:
        self._changes, self._render, self._utc_ms, self._is_allowed = changes, render, utc_ms, is_allowed
        self._wait_turn = take_turn
        self._transport: asyncio.Transport | None = None
        self._requested_fragments: tuple[str, ...] = ()
        self._sent_fragments: dict[str, str] = {}
        self._request_changed = asyncio.Event()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve until the browser disconnects, sends too much or an invalid message, or may look no longer."""
        self._transport = request.transport
        socket = web.WebSocketResponse(heartbeat=20.0, max_msg_size=MAX_MESSAGE_BYTES, compress=False)
        await socket.prepare(request)
        try:
            ended = await run_until_first(self._send_changes(socket), self._receive(socket))
        finally:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION)
        for task in ended:
            with suppress(ConnectionError):
                task.result()
        return socket

    def disconnect(self) -> None:
        """Abort the connection without a closing handshake, which a flooding client would not answer."""
        if self._transport is not None:
            self._transport.abort()

    async def _receive(self, socket: web.WebSocketResponse) -> None:
        limit, loop = TokenBucket(MESSAGES_PER_SECOND, MESSAGES_BURST), asyncio.get_running_loop()
        async for message in socket:
            if not limit.take(loop.time()):
                self.disconnect()
                return
            if message.type is not WSMsgType.TEXT or not self._on_request(message.data):
                return
            await asyncio.sleep(0)  # reads one message a turn of the loop

    def _on_request(self, text: str) -> bool:
        try:
            names = FragmentRequest.model_validate_json(text).want
        except ValidationError:
            return False
        if not all(map(_is_fragment_name, names)):
            return False
        self._requested_fragments = tuple(dict.fromkeys(names))  # each once
        self._sent_fragments = {
            name: html for name, html in self._sent_fragments.items() if name in self._requested_fragments
        }
        self._request_changed.set()
        return True

    async def _send_changes(self, socket: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        beats, count = loop.time(), -1
        while not socket.closed and self._is_allowed():
            self._request_changed.clear()  # before rendering, so that a request that comes meanwhile is not forgotten
            message: dict[str, Any] = {}
            changed = {
                name: html async for name, html in self._rendered_fragments() if self._sent_fragments.get(name) != html
            }
            if changed:
                self._sent_fragments |= changed
                message["parts"] = changed
            if loop.time() >= beats:
                message["beat"], beats = self._utc_ms(), loop.time() + HEARTBEAT_INTERVAL_S
            if message and self._is_allowed():  # rendering took several turns
                await socket.send_str(json.dumps(message, ensure_ascii=False))
            await asyncio.sleep(MIN_RENDER_INTERVAL_S)
            wake_ups = self._changes.wait_after(count), self._request_changed.wait()
            await run_until_first(*wake_ups, timeout_s=max(0.0, beats - loop.time()))
            count = self._changes.count

    async def _rendered_fragments(self) -> AsyncIterator[tuple[str, str]]:
        for name in self._requested_fragments:
            await self._wait_turn()
            with suppress(KeyError):  # an unknown entrance, or no right to see it
                language, _, part = name.partition("/")
                yield name, self._render(part, language)


class FeedLimit:
    """Counts the WebSockets of all pages by `key`: a session or a courier's link."""

    def __init__(self) -> None:
        self._open_feeds: dict[str, list[Callable[[], None]]] = {}

    @contextmanager
    def track(self, key: str, disconnect: Callable[[], None], *, max_feeds: int) -> Iterator[None]:
        """Count a WebSocket within the block. Beyond `max_feeds` the oldest of this key is disconnected."""
        feeds = self._open_feeds.setdefault(key, [])
        feeds.append(disconnect)
        if len(feeds) > max_feeds:
            feeds.pop(0)()
        try:
            yield
        finally:
            if disconnect in feeds:
                feeds.remove(disconnect)
            if not feeds and self._open_feeds.get(key) is feeds:
                del self._open_feeds[key]

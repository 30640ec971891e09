"""Limits the WebSockets of a session or a courier's link, and their messages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.system.token_bucket import TokenBucket

MAX_SESSION_FEEDS = 24  # a browser without SharedWorker has one for each tab
MAX_LINK_FEEDS = 8  # a courier's phone, and those with whom he shares his link
MESSAGES_PER_SECOND = 10.0  # a page says what it shows when a tab opens or closes, and never by itself
MESSAGES_BURST = 60.0  # all tabs of a browser that comes back


class FeedLimit:
    """The WebSockets of all pages: `key` is a session or a link."""

    def __init__(self) -> None:
        self._open_feeds: dict[str, list[Callable[[], None]]] = {}

    @contextmanager
    def one_more(self, key: str, hang_up: Callable[[], None], *, most: int) -> Iterator[None]:
        """Count one within the block. Beyond `most`, the oldest of this key is hung up on: it may be long forgotten."""
        feeds = self._open_feeds.setdefault(key, [])
        feeds.append(hang_up)
        if len(feeds) > most:
            feeds.pop(0)()
        try:
            yield
        finally:
            if hang_up in feeds:
                feeds.remove(hang_up)
            if not feeds and self._open_feeds.get(key) is feeds:
                del self._open_feeds[key]


class MessageLimit:
    """What one WebSocket may say; the clock is an argument (monotonic seconds)."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(MESSAGES_PER_SECOND, MESSAGES_BURST)

    def take(self, mono: float) -> bool:
        """Whether one more message may come now."""
        return self._bucket.take(mono)

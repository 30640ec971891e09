"""Parses Server-Sent Events. Pure.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_MESSAGE_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One message. `id` is the newest id in the stream."""

    id: str | None
    event: str
    data: str


class EventStreamReader:
    """Parses one stream, part by part. `last_event_id` is the id with which to reconnect."""

    def __init__(self, *, last: str | None = None) -> None:
        self.last_event_id = last
        self._buffer = b""
        self._event, self._data = "", list[str]()
        self._id = last

    def feed(self, part: bytes) -> Iterator[ServerSentEvent]:
        """Yield the messages that this part completes; one that is larger than any of a hub raises ValueError."""
        *lines, self._buffer = (self._buffer + part).split(b"\n")
        if len(self._buffer) + sum(map(len, self._data)) > MAX_MESSAGE_CHARS:
            raise ValueError("a message of the stream is too large")
        messages = (self._line(line.removesuffix(b"\r").decode("utf-8", "replace")) for line in lines)
        yield from filter(None, messages)

    def discard_unfinished(self) -> None:
        """Discard an unfinished message: the stream was interrupted."""
        self._buffer, self._event, self._data, self._id = b"", "", [], self.last_event_id

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            data, kind = "\n".join(self._data) if self._data else None, self._event or "message"
            self.last_event_id = self._id
            self._event, self._data = "", []
            return None if data is None else ServerSentEvent(self._id, kind, data)
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case _:
                pass  # a comment, or a field of another version
        return None

"""Parses Server-Sent Events, and formats an event or a webhook's message as one line for a person. Pure.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.protocol.strict_json import loads

MAX_MESSAGE_CHARS = 1_000_000
MAX_JSON_DEPTH = 16  # of any JSON from a hub


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


def format_event(text: str) -> str:
    """Return an event as one line: time, type, object, state. Nothing in it can move a terminal's cursor."""
    try:
        event = loads(text.encode(errors="replace"), deepest=MAX_JSON_DEPTH)
    except ValueError:
        return json.dumps(text)
    if not isinstance(event, dict):
        return json.dumps(event)
    data = event.get("data")
    data = data if isinstance(data, dict) else {}
    words = [
        event.get("at") or event.get("timestamp"), event.get("type"), event.get("about") or data.get("id"),
        data.get("state"), data.get("reason"), _missing_words(data),
        f"cancel {data['cancel']}" if data.get("cancel") else None,
        data.get("house"), data.get("collected"), f"custody {data['custody']}" if data.get("custody") else None,
        f"moved to {data['moved_to']}" if data.get("moved_to") else None,
        f"more time {data['more_time']}" if data.get("more_time") else None, _cold_chain_words(data.get("cold_chain")),
        "sandbox" if event.get("sandbox") else None,
    ]  # fmt: skip
    return "  ".join(escape_control_characters(str(word)) for word in words if word)


def _missing_words(data: dict[str, object]) -> str | None:
    """Return how many parcels are missing, and which if the home said so: `missing 1 (AB1)`."""
    which = data.get("missing_parcels")
    named = f" ({', '.join(map(str, which))})" if isinstance(which, list) and which else ""
    return f"missing {data['missing']}{named}" if data.get("missing") else None


def _cold_chain_words(items: object) -> str | None:
    """Return how many items have which verdict: `cold chain 2 conformant, 1 unknown`."""
    named = [str(item.get("verdict")) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    counted = ", ".join(f"{named.count(verdict)} {verdict}" for verdict in dict.fromkeys(named))
    return f"cold chain {counted}" if counted else None


def escape_control_characters(word: str) -> str:
    """Return a text from outside with nothing in it that can move a terminal's cursor."""
    return "".join(char if char.isprintable() else "?" for char in word)

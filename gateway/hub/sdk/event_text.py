"""Formats an event or a webhook's message as one line for a person."""

import json

from gateway.protocol.strict_json import loads

MAX_JSON_DEPTH = 16  # of any JSON from a hub


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
        data.get("state"), data.get("reason"), f"missing {data['missing']}" if data.get("missing") else None,
        data.get("house"), "sandbox" if event.get("sandbox") else None,
    ]  # fmt: skip
    return "  ".join(escape_control_characters(str(word)) for word in words if word)


def escape_control_characters(word: str) -> str:
    """Return a text from outside with nothing in it that can move a terminal's cursor."""
    return "".join(char if char.isprintable() else "?" for char in word)

"""Formats an event or a webhook's message as one line for a person. Pure."""

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
        data.get("state"), data.get("reason"), _missing_words(data),
        f"cancel {data['cancel']}" if data.get("cancel") else None,
        data.get("house"), data.get("collected"), f"custody {data['custody']}" if data.get("custody") else None,
        f"moved to {data['moved_to']}" if data.get("moved_to") else None,
        f"more time {data['more_time']}" if data.get("more_time") else None, _cold_chain_words(data.get("cold_chain")),
        "sandbox" if event.get("sandbox") else None,
    ]  # fmt: skip
    return "  ".join(_printable(str(word)) for word in words if word)


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


def _printable(word: str) -> str:
    """Return a text from outside with nothing in it that can move a terminal's cursor."""
    return "".join(char if char.isprintable() else "?" for char in word)

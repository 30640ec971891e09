"""Parses JSON from outside strictly, so that no two parsers can read it differently."""

from devices.strict_json import parse

MAX_DEPTH = 6


def loads(text: bytes, *, deepest: int = MAX_DEPTH) -> object:
    """Parse JSON that every parser reads alike. The caller has limited its length.

    Raises:
        ValueError: a key twice, NaN, nested deeper than `max_depth`, a number too long, not UTF-8, not JSON.
    """
    return parse(text, max_bytes=len(text), max_depth=deepest)

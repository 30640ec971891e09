"""JSON from strangers: read so that no two readers can read it differently."""

import json
import re
from collections.abc import Iterable
from typing import NoReturn

DEEPEST = 6
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def loads(text: bytes, *, deepest: int = DEEPEST) -> object:
    """Read JSON that every reader reads alike.

    Raises:
        ValueError: a key twice, NaN, nested deeper than `deepest`, a number too long, not UTF-8, not JSON.
    """
    if _depth(text) > deepest:
        raise ValueError("nested too deep")
    try:
        return json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_short_int)
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError("not JSON") from error


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for byte in _STRING.sub(b"", text):
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError("a key stands twice")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _short_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("a number is too long")
    return int(digits)

"""Parses JSON from the wire strictly, and checks the few value types that vendors share.

It refuses more than 64 KiB, more than 32 levels, a duplicate key, NaN and infinities, numbers of absurd length, and
bytes that are not UTF-8. It refuses a wrong type too: a bool is no number, a number is no text.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

MAX_PAYLOAD_BYTES = 64 * 1024  # bytes
MAX_JSON_DEPTH = 32  # levels
MAX_INTEGER_CHARS = 19  # characters; a signed 64-bit number has at most 20
MAX_FLOAT_CHARS = 64  # characters

_write_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # `dumps` would make one each time
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)


class MalformedPayload(ValueError):  # noqa: N818 (the word says what is wrong with the payload)
    """The payload cannot be read; the message is one clear line that never quotes the payload."""


def parse(payload: bytes, *, max_bytes: int = MAX_PAYLOAD_BYTES, max_depth: int = MAX_JSON_DEPTH) -> object:
    """Return the JSON value in `payload`, with at most `max_bytes` bytes and `max_depth` levels.

    Raises:
        MalformedPayload: it is not JSON that this module accepts.
    """
    if len(payload) > max_bytes:
        raise MalformedPayload(f"larger than {max_bytes} bytes")
    _check_depth(payload, max_depth)
    try:
        return _DECODER.decode(payload.decode())
    except UnicodeDecodeError as error:
        raise MalformedPayload("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise MalformedPayload("not JSON") from error


def write(value: object) -> bytes:
    """Return `value` as compact JSON."""
    return _write_compact(value).encode()


def mapping(value: object, label: str) -> Mapping[str, object]:
    """Return `value` if it is an object; `label` names it in the error (as in all functions below)."""
    if not isinstance(value, dict):
        raise MalformedPayload(f"{label} is not an object")
    return value


def sequence(value: object, label: str) -> Sequence[object]:
    """Return `value` if it is an array."""
    if not isinstance(value, list):
        raise MalformedPayload(f"{label} is not an array")
    return value


def text(value: object, label: str, max_chars: int = 256) -> str:
    """Return `value` if it is a text of 1 to `max_chars` printable characters (so it stays inert in logs)."""
    if not isinstance(value, str) or not 0 < len(value) <= max_chars or not value.isprintable():
        raise MalformedPayload(f"{label} is not a text of 1 to {max_chars} printable characters")
    return value


def identifier(value: object, label: str) -> str:
    """Return `value` if it is an id of letters, digits, dot, underscore, colon and hyphen, 128 at most."""
    if not isinstance(value, str) or _IDENTIFIER.fullmatch(value) is None:
        raise MalformedPayload(f"{label} is not an id")
    return value


def boolean(value: object, label: str) -> bool:
    """Return `value` if it is true or false."""
    if not isinstance(value, bool):
        raise MalformedPayload(f"{label} is not a boolean")
    return value


def number(value: object, label: str) -> float:
    """Return `value` if it is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedPayload(f"{label} is not a number")
    return float(value)


def integer(value: object, label: str) -> int:
    """Return `value` if it is a whole number from zero up, written without point or exponent."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MalformedPayload(f"{label} is not a whole number")
    return value


def timestamp(value: object, label: str) -> datetime:
    """Return the instant in `value`, RFC 3339 in UTC with the letter Z."""
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        raise MalformedPayload(f"{label} is not an RFC 3339 time in UTC")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise MalformedPayload(f"{label} is not a valid date and time") from error


def format_timestamp(at: datetime) -> str:
    """Return `at` as RFC 3339 in UTC with milliseconds.

    Raises:
        ValueError: `at` has no time zone.
    """
    if at.utcoffset() is None:
        raise ValueError("a time needs its time zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check_depth(payload: bytes, deepest: int) -> None:
    """Refuse JSON that nests too deep before parsing: the parser's recursion must not discover it."""
    if payload.count(b"[") + payload.count(b"{") <= deepest:
        return
    depth = 0
    for bracket in _BRACKET.findall(_TEXT.sub(b"", payload)):
        depth += 1 if bracket in b"[{" else -1
        if depth > deepest:
            raise MalformedPayload(f"nested deeper than {deepest} levels")


def _without_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedPayload("a key stands twice")
    return result


def _no_constant(_: str) -> NoReturn:
    raise MalformedPayload("NaN and infinity are not valid JSON")


def _short_integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_CHARS:
        raise MalformedPayload("an integer of absurd length")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits) if len(digits) <= MAX_FLOAT_CHARS else math.inf
    if not math.isfinite(value):
        raise MalformedPayload("a number of absurd size or length")
    return value


_DECODER = json.JSONDecoder(  # `loads` would make one each time
    object_pairs_hook=_without_repeated_keys, parse_constant=_no_constant, parse_int=_short_integer,
    parse_float=_finite_float,
)  # fmt: skip

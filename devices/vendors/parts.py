"""Turns unreadable payloads into values, so that a decoder raises nothing and an unreadable part hides no other."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

from devices.reports import Report, UnreadablePayload
from devices.strict_json import MalformedPayload

_Parameters = ParamSpec("_Parameters")
_Value = TypeVar("_Value")


def plain_text(payload: bytes, max_bytes: int = 256) -> str:
    """Return the text of a payload that is one word.

    Raises:
        MalformedPayload: it is too long, or not UTF-8.
    """
    if len(payload) > max_bytes:
        raise MalformedPayload(f"it is longer than {max_bytes} bytes")
    try:
        return payload.decode().strip()
    except UnicodeDecodeError as error:
        raise MalformedPayload("it is not UTF-8") from error


def unreadable_as_value(decode: Callable[_Parameters, _Value]) -> Callable[_Parameters, _Value | UnreadablePayload]:
    """Let `decode` return an `UnreadablePayload` where it raises `MalformedPayload`."""

    @wraps(decode)
    def decoded(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Value | UnreadablePayload:
        try:
            return decode(*args, **kwargs)
        except MalformedPayload as error:
            return UnreadablePayload(why=str(error))

    return decoded


def unreadable_as_report(decode: Callable[_Parameters, Iterable[Report]]) -> Callable[_Parameters, tuple[Report, ...]]:
    """Let `decode` return a tuple, and one `UnreadablePayload` where it raises `MalformedPayload`."""

    @wraps(decode)
    def decoded(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> tuple[Report, ...]:
        try:
            return tuple(decode(*args, **kwargs))
        except MalformedPayload as error:
            return (UnreadablePayload(why=str(error)),)

    return decoded


def parse_each(*readers: Callable[[], Iterable[Report]]) -> tuple[Report, ...]:
    """Parse each part by itself; return all readable reports, then one `UnreadablePayload` if a part failed.

    A lock's "unlocked" must not be lost because its battery level, beside it, is an unknown word.
    """
    reports: list[Report] = []
    wrong: list[str] = []
    for read in readers:
        try:
            reports += read()
        except MalformedPayload as error:
            wrong.append(str(error))
    return (*reports, *(UnreadablePayload(why=why) for why in wrong[:1]))

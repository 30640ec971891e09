"""The hash chain under the log: each entry's hash covers its number, its body and the entry before it.

A hash covers the body's digest, not the body itself, so an extract for one visit can prove that nothing was removed
without showing the bodies of the other entries (`HiddenBody`).
"""

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum, auto
from hashlib import sha256
from types import NoneType
from typing import TypeAlias, cast

import rfc8785

from gateway.domain.frozen import Frozen
from gateway.protocol.strict_json import loads

Json: TypeAlias = "bool | int | float | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"

GENESIS = bytes(32)
"""The hash before the first entry, which has number 1."""

MAX_JSON_DEPTH = 64
MAX_EXACT_INT = 2**53 - 1  # beyond it RFC 8785 has no form for an integer
_WRITTEN_ALIKE = frozenset({str, bool, NoneType})  # the standard library writes these as RFC 8785 does
_LINK_TAG = b"perron log 1\0"  # a hash of this chain is never one of another protocol


class HiddenBody(Frozen, kw_only=False):
    """A body that is not shown: its SHA-256."""

    digest: bytes


class ChainHead(Frozen):
    """The last entry of a chain: its number and hash."""

    seq: int = 0
    hash: bytes = GENESIS


class ChainEntry(Frozen):
    """One stored entry: its number, its body and its hash."""

    seq: int
    body: bytes | HiddenBody
    hash: bytes


class ChainFault(StrEnum):
    """The fault of an entry."""

    CHANGED = auto()  # its bytes, or those of one before it, are not those that were hashed
    MISSING = auto()  # it is not there
    OUT_OF_ORDER = auto()  # it is there, at another place
    REPEATED = auto()  # it is there twice


class ChainBreak(Frozen):
    """The first bad entry of a chain."""

    seq: int
    fault: ChainFault


def canonical_json(value: Json) -> bytes:
    """Write a value as RFC 8785 canonical JSON, or raise ValueError (NaN, beyond 2**53 - 1, a lone surrogate ...)."""
    try:
        common = _common_form(value)
    except _UncommonValue:
        return rfc8785.dumps(value)
    return _write_sorted(common).encode()


class _UncommonValue(Exception):  # noqa: N818 - not an error: rfc8785 writes it
    """The standard library writes this value in another way than RFC 8785, or RFC 8785 refuses it."""


_write_sorted = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, check_circular=False
).encode


def _common_form(value: object) -> object:
    """Return an equal value of which the standard library writes the canonical form, in a quarter of rfc8785's time.

    Both sort ASCII keys alike, and Python writes a number between 1e-4 and 2**53 as ECMAScript does, but for ".0".

    Raises:
        _UncommonValue: only rfc8785 knows its form, or that it has none.
    """
    kind = type(value)
    if kind in _WRITTEN_ALIKE:
        return value
    if isinstance(value, dict) and kind is dict:
        if not _are_ascii(value):
            raise _UncommonValue
        return {key: item if type(item) in _WRITTEN_ALIKE else _common_form(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and kind in {list, tuple}:
        return [item if type(item) in _WRITTEN_ALIKE else _common_form(item) for item in value]
    if isinstance(value, int) and kind is int and abs(value) <= MAX_EXACT_INT:
        return value
    if isinstance(value, float) and kind is float:
        if value.is_integer() and abs(value) <= MAX_EXACT_INT:
            return int(value)
        if 1e-4 <= abs(value) < MAX_EXACT_INT:
            return value
    raise _UncommonValue


def _are_ascii(keys: Iterable[str]) -> bool:
    try:
        return "".join(keys).isascii()
    except TypeError:  # one is no text
        return False


def parse_json(data: bytes) -> Json:
    """Parse JSON strictly: the result contains everything in the text, or a ValueError says what is ambiguous in it."""
    return cast("Json", loads(data, deepest=MAX_JSON_DEPTH))


def link_hash(prev: bytes, seq: int, body: bytes | HiddenBody) -> bytes:
    """Return the hash of entry `seq` after the entry whose hash is `prev`.

    SHA-256 over a fixed tag, `prev` (32 bytes), `seq` (8 bytes, big-endian) and the body's SHA-256 (32 bytes).
    """
    digest = _digest(body)
    if len(prev) != len(GENESIS) or len(digest) != len(GENESIS):
        raise ValueError("a hash has 32 bytes")
    return sha256(_LINK_TAG + prev + seq.to_bytes(8, "big") + digest).digest()


def _digest(body: bytes | HiddenBody) -> bytes:
    return body.digest if isinstance(body, HiddenBody) else sha256(body).digest()


def find_break(entries: Iterable[ChainEntry], *, after: ChainHead | None = None) -> ChainBreak | None:
    """Return the first bad entry of those that follow `after` (by default: the whole chain), or None."""
    head = after or ChainHead()
    rest = iter(entries)
    for entry in rest:
        expected = head.seq + 1
        if entry.seq > expected:
            later = any(other.seq == expected for other in rest)
            return ChainBreak(seq=expected, fault=ChainFault.OUT_OF_ORDER if later else ChainFault.MISSING)
        if entry.seq < expected:
            return ChainBreak(seq=entry.seq, fault=ChainFault.REPEATED)
        if link_hash(head.hash, entry.seq, entry.body) != entry.hash:
            return ChainBreak(seq=entry.seq, fault=ChainFault.CHANGED)
        head = ChainHead(seq=entry.seq, hash=entry.hash)
    return None

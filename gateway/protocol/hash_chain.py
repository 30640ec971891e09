"""The hash chain under the log: each entry's hash covers its number, its body and the entry before it.

A hash covers the body's digest, not the body itself, so an extract for one visit can show that nothing was taken out
without telling what the entries between say (`Hidden`).
"""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from hashlib import sha256
from typing import TypeAlias

import rfc8785

Json: TypeAlias = "bool | int | float | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"

GENESIS = bytes(32)
"""What stands before the first entry, which has number 1."""

_LINK = b"perron log 1\0"  # a hash of this chain is never one of another protocol


@dataclass(frozen=True, slots=True)
class Hidden:
    """Stands for a body that is not told: its SHA-256."""

    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far a chain has come: the last entry's number and hash."""

    seq: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as it is kept: its number, its body and the hash that was stored with it."""

    seq: int
    body: bytes | Hidden
    hash: bytes


class Fault(StrEnum):
    """What is wrong with an entry."""

    CHANGED = auto()  # its bytes, or those of one before it, are not those that were hashed
    MISSING = auto()  # it is not there
    OUT_OF_ORDER = auto()  # it is there, at another place
    REPEATED = auto()  # it is there twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first bad entry of a chain."""

    seq: int
    fault: Fault


def canonical(value: Json) -> bytes:
    """Write a value as RFC 8785 canonical JSON: one value, one byte string.

    Raises:
        ValueError: NaN, infinity, an integer beyond 2**53 - 1, text that is not Unicode (a lone surrogate), or what
            JSON does not have.
    """
    return rfc8785.dumps(value)


def parse(data: bytes) -> Json:
    """Read JSON strictly: what comes back is all that was said, and said once.

    Raises:
        ValueError: not JSON, not UTF-8, a key twice in one object, NaN or infinity, or nested too deeply.
    """
    try:
        value: Json = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as failure:
        raise ValueError("nested too deeply") from failure
    return value


def link(prev: bytes, seq: int, body: bytes | Hidden) -> bytes:
    """The hash of entry `seq` after the entry whose hash is `prev`.

    SHA-256 over a fixed tag, `prev` (32 bytes), `seq` (8 bytes, big-endian) and the body's SHA-256 (32 bytes).
    """
    digest = body.digest if isinstance(body, Hidden) else sha256(body).digest()
    if len(prev) != len(GENESIS) or len(digest) != len(GENESIS):
        raise ValueError("a hash has 32 bytes")
    return sha256(_LINK + prev + seq.to_bytes(8, "big") + digest).digest()


def hide(entries: Iterable[Entry], *, but: Container[int]) -> tuple[Entry, ...]:
    """An extract: entries whose number is not in `but` keep their place and hash, not their body."""
    return tuple(entry if entry.seq in but else _hidden(entry) for entry in entries)


def _hidden(entry: Entry) -> Entry:
    digest = entry.body.digest if isinstance(entry.body, Hidden) else sha256(entry.body).digest()
    return Entry(seq=entry.seq, body=Hidden(digest), hash=entry.hash)


def check(entries: Iterable[Entry], *, after: Head | None = None) -> Broken | None:
    """Name the first bad entry of those that follow `after` (by default: the whole chain), or None."""
    head = after or Head()
    rest = iter(entries)
    for entry in rest:
        expected = head.seq + 1
        if entry.seq > expected:
            later = any(other.seq == expected for other in rest)
            return Broken(seq=expected, fault=Fault.OUT_OF_ORDER if later else Fault.MISSING)
        if entry.seq < expected:
            return Broken(seq=entry.seq, fault=Fault.REPEATED)
        if link(head.hash, entry.seq, entry.body) != entry.hash:
            return Broken(seq=entry.seq, fault=Fault.CHANGED)
        head = Head(seq=entry.seq, hash=entry.hash)
    return None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

"""The part of the log that a proof has, as lines of its extract: an entry of another visit is only its digest.

Many visits may run at once, and the log between the first and the last entry of one has the entries of all others. So
each entry is read, checked and written as a line once, and each extract that contains it takes this line.
"""

import json
from collections.abc import Iterable
from hashlib import sha256

from gateway.domain.frozen import Frozen
from gateway.protocol.hash_chain import ChainEntry, ChainHead, HiddenBody, canonical_json, link_hash

MAX_REMEMBERED_LINES = 8192  # of 175 bytes; a visit of a longer span reads its part of the log again


class LogSpan(Frozen):
    """The entries that follow `after`, up to and with `last`.

    `lines` has a line of canonical JSON for each, as `extract` describes them. `shown` are those whose body the lines
    contain, in their order.
    """

    after: ChainHead
    last: ChainHead
    lines: bytes
    shown: tuple[ChainEntry, ...]


class LogLines:
    """Entries of the log without a hole, each as the line of an extract that hides its body."""

    def __init__(self, after: ChainHead | None = None) -> None:
        self._after = self._head = after or ChainHead()
        self._lines: list[bytes] = []

    @property
    def head(self) -> ChainHead:
        """The newest entry, or `after` if there is none yet."""
        return self._head

    def has(self, after: int) -> bool:
        """Return whether a span may begin behind this entry."""
        return self._after.seq <= after <= self._head.seq

    def extend(self, entries: Iterable[ChainEntry]) -> None:
        """Add the entries that follow. ValueError: they are not the chain's next ones (a bug, or a damaged store)."""
        for entry in entries:
            body = entry.body if isinstance(entry.body, HiddenBody) else HiddenBody(sha256(entry.body).digest())
            if entry.seq != self._head.seq + 1 or link_hash(self._head.hash, entry.seq, body) != entry.hash:
                raise ValueError(f"the log is broken at entry {entry.seq}, which follows {self._head.seq}")
            self._lines.append(_hidden_line(entry, body))
            self._head = ChainHead(seq=entry.seq, hash=entry.hash)

    def span(self, after: int, shown: Iterable[ChainEntry]) -> LogSpan:
        """Return the entries behind `after`, of `shown` with their bodies. Entries of `shown` elsewhere are ignored.

        Raises:
            ValueError: a shown entry is not the one that was added, or its body is not canonical JSON (both are bugs).
        """
        lines = self._lines[after - self._after.seq :]
        bodies = tuple(one for one in shown if isinstance(one.body, bytes) and after < one.seq <= self._head.seq)
        for entry in bodies:
            place = entry.seq - after - 1
            lines[place] = _shown_line(entry, lines[place])
        return LogSpan(after=self._head_at(after), last=self._head, lines=b"".join(lines), shown=bodies)

    def forget(self) -> None:
        """Drop the oldest lines beyond the limit."""
        surplus = len(self._lines) - MAX_REMEMBERED_LINES
        if surplus > 0:
            self._after = self._head_at(self._after.seq + surplus)
            del self._lines[:surplus]

    def _head_at(self, seq: int) -> ChainHead:
        if seq == self._after.seq:
            return self._after
        line = json.loads(self._lines[seq - self._after.seq - 1])
        return ChainHead(seq=seq, hash=bytes.fromhex(line["hash"]))


def _hidden_line(entry: ChainEntry, body: HiddenBody) -> bytes:
    return b'{"hash":"%b","hidden":"%b","seq":%d}\n' % (
        entry.hash.hex().encode(), body.digest.hex().encode(), entry.seq,
    )  # fmt: skip


def _shown_line(entry: ChainEntry, hidden: bytes) -> bytes:
    body = entry.body if isinstance(entry.body, bytes) else b""
    if _hidden_line(entry, HiddenBody(sha256(body).digest())) != hidden:
        raise ValueError(f"entry {entry.seq} is another than in the chain")
    if canonical_json(json.loads(body)) != body:
        raise ValueError(f"entry {entry.seq} is not canonical JSON")
    return b'{"body":%b,"hash":"%b","seq":%d}\n' % (body, entry.hash.hex().encode(), entry.seq)

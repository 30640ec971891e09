"""The log's part of a proof: whoever's entry a line is, it is the line that a verifier has always read."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import log_span
from gateway.evidence.log_span import LogLines
from gateway.protocol.hash_chain import ChainEntry, ChainHead, HiddenBody, Json, canonical_json
from tests.gateway.evidence.visits import chain_entries, span_of

BODIES = st.lists(
    st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers(0, 9), max_size=3).map(canonical_json),
    min_size=1,
    max_size=12,
)
ENTRIES = chain_entries([canonical_json({"what": number}) for number in range(1, 31)])


def line_of(entry: ChainEntry, *, shown: bool) -> bytes:
    """Write the line as the format of the proof describes it."""
    assert isinstance(entry.body, bytes)
    body: dict[str, Json] = {"hidden": sha256(entry.body).hexdigest()}
    line = canonical_json({"seq": entry.seq, "hash": entry.hash.hex(), **({} if shown else body)})
    return (line.replace(b"{", b'{"body":' + entry.body + b",", 1) if shown else line) + b"\n"


def head_of(entry: ChainEntry) -> ChainHead:
    return ChainHead(seq=entry.seq, hash=entry.hash)


@given(BODIES, st.sets(st.integers(1, 12)))
def test_each_line_is_the_canonical_json_that_the_format_describes(bodies: list[bytes], shown: set[int]) -> None:
    entries = chain_entries(bodies)
    span = span_of(ChainHead(), entries, shown=shown)
    assert span.lines == b"".join(line_of(entry, shown=entry.seq in shown) for entry in entries)
    assert span.last == head_of(entries[-1])
    assert [entry.seq for entry in span.shown] == sorted(shown & {entry.seq for entry in entries})


@given(BODIES, st.sets(st.integers(1, 12)))
def test_an_erased_body_leaves_the_line_that_another_visits_body_leaves(bodies: list[bytes], erased: set[int]) -> None:
    entries = chain_entries(bodies)
    left = [
        replace(entry, body=HiddenBody(sha256(entry.body).digest()))
        if entry.seq in erased and isinstance(entry.body, bytes)
        else entry
        for entry in entries
    ]
    assert span_of(ChainHead(), left) == span_of(ChainHead(), entries, shown={one.seq for one in entries} - erased)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6)), max_size=10))
def test_visits_that_share_what_was_read_once_get_the_span_that_each_reads_alone(steps: list[tuple[int, int]]) -> None:
    """Each step: the log grows by some entries, and a visit that began some entries before is sealed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_span, "MAX_REMEMBERED_LINES", 4)
        lines, end = LogLines(), 0
        for more, before in steps:
            end = min(end + more, len(ENTRIES))
            after = ChainHead() if end <= before else head_of(ENTRIES[end - before - 1])
            if not lines.has(after.seq):
                lines = LogLines(after)
            lines.extend(ENTRIES[lines.head.seq : end])
            own = [entry for entry in ENTRIES if entry.seq % 2]  # also earlier and later ones
            alone = span_of(after, ENTRIES[after.seq : end], shown={entry.seq for entry in own})
            assert lines.span(after.seq, own) == alone
            lines.forget()


def test_a_visit_older_than_what_is_remembered_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_span, "MAX_REMEMBERED_LINES", 4)
    lines = LogLines()
    lines.extend(ENTRIES)
    lines.forget()
    assert not lines.has(25)
    assert lines.has(26)
    assert lines.span(26, ENTRIES) == span_of(head_of(ENTRIES[25]), ENTRIES[26:])


@pytest.mark.parametrize(
    "entries",
    [ENTRIES[1:], [*ENTRIES[:2], replace(ENTRIES[2], hash=bytes(32))], [*ENTRIES[:2], ENTRIES[1]]],
    ids=["a hole", "a wrong hash", "twice"],
)
def test_a_log_that_is_broken_has_no_lines(entries: list[ChainEntry]) -> None:
    with pytest.raises(ValueError, match="the log is broken at entry"):
        LogLines().extend(entries)


@pytest.mark.parametrize("body", [b'{"b": 1}', b'{"b":1,"a":2}', b"\xff"], ids=["a blank", "unsorted", "no JSON"])
def test_a_body_that_a_verifier_would_refuse_is_never_shown(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        span_of(ChainHead(), chain_entries([body]))


def test_a_body_that_is_another_than_in_the_chain_is_never_shown() -> None:
    lines = LogLines()
    lines.extend(ENTRIES)
    with pytest.raises(ValueError, match="another than in the chain"):
        lines.span(0, [replace(ENTRIES[3], body=b"{}")])

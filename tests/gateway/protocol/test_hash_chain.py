"""The log's chain: one value has one spelling, and no change of a chain goes unnoticed."""

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.hash_chain import (
    GENESIS,
    ChainBreak,
    ChainEntry,
    ChainFault,
    ChainHead,
    HiddenBody,
    Json,
    canonical_json,
    find_break,
    link_hash,
    parse_json,
)
from tests.gateway.evidence.visits import chain_entries

LETTERS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**52), 2.0**52, allow_nan=False)
    | LETTERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LETTERS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.lists(st.binary(max_size=20), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("value", "text"),
    [  # numbers from RFC 8785, appendix B; the sorting from its section 3.2.3
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (333333333.33333329, "333333333.3333333"),
        (1e-6, "0.000001"),
        (1.5e-5, "0.000015"),
        (1e-7, "1e-7"),
        (-1.25e-10, "-1.25e-10"),
        (5e-324, "5e-324"),
        (1e15, "1000000000000000"),
        (9.5e15, "9500000000000000"),
        (1e16, "10000000000000000"),
        (1.25e-4, "0.000125"),
        ('\u20ac$\u000f\nA\'B"\\', '"€$\\u000f\\nA\'B\\"\\\\"'),
        ("\u2028\x7f", '"\u2028\x7f"'),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7},
         '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}'),
        ({"b": [], "a": {}}, '{"a":{},"b":[]}'),
        ([[], [","], (1, None, True)], '[[],[","],[1,null,true]]'),
    ],
)  # fmt: skip
def test_a_value_is_written_as_rfc_8785_says(value: Json, text: str) -> None:
    assert canonical_json(value).decode() == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, -(2**53), "\ud800", {"\udfff": 1}])
def test_what_two_readers_may_take_for_two_values_is_refused(value: Json) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, b"bytes", {1, 2}, object()])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_json(value)  # type: ignore[arg-type]  # that is the point


@given(VALUES)
def test_each_value_has_the_form_that_the_reference_library_writes(value: Json) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.floats() | st.integers() | st.text())
def test_each_number_and_text_has_the_reference_form_or_none(value: float | str) -> None:
    try:
        expected = rfc8785.dumps([value, {"a": value}])
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            canonical_json([value, {"a": value}])
    else:
        assert canonical_json([value, {"a": value}]) == expected


@given(VALUES)
def test_what_is_written_is_read_back_and_written_the_same(value: Json) -> None:
    text = canonical_json(value)
    assert canonical_json(parse_json(text)) == text
    assert json.loads(text) == parse_json(text)


@pytest.mark.parametrize(
    "text",
    [b'{"a":1,"a":2}', b"NaN", b"-Infinity", b"\xff", b"", b"[", b"[" * 100_000, b"1" * 5000, b'{"a":1}x'],
    ids=["a key twice", "NaN", "infinity", "no UTF-8", "nothing", "cut", "deep", "5000 digits", "more"],
)
def test_json_that_is_not_plain_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_a_link_covers_its_number_its_body_and_the_link_before() -> None:
    made = link_hash(GENESIS, 1, b"body")
    assert len(made) == 32
    assert made == link_hash(GENESIS, 1, HiddenBody(bytes.fromhex(
        "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"  # sha256sum of "body"
    )))  # fmt: skip
    assert len({made, link_hash(GENESIS, 2, b"body"), link_hash(GENESIS, 1, b"Body"), link_hash(made, 1, b"body")}) == 4


@pytest.mark.parametrize("prev", [b"", b"short", bytes(33)])
def test_a_hash_has_32_bytes(prev: bytes) -> None:
    with pytest.raises(ValueError, match="32"):
        link_hash(prev, 1, b"")


@given(BODIES)
def test_an_untouched_chain_is_good_and_so_is_each_part_of_it(bodies: list[bytes]) -> None:
    entries = chain_entries(bodies)
    assert find_break(entries) is None
    for cut in range(len(entries)):
        after = ChainHead(seq=entries[cut].seq, hash=entries[cut].hash)
        assert find_break(entries[cut + 1 :], after=after) is None


@given(BODIES, st.data())
def test_a_changed_entry_is_named(bodies: list[bytes], data: st.DataObject) -> None:
    entries = chain_entries(bodies)
    at = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(st.binary(max_size=20).filter(lambda body: body != bodies[at]))
    entries[at] = ChainEntry(seq=at + 1, body=other, hash=entries[at].hash)
    assert find_break(entries) == ChainBreak(seq=at + 1, fault=ChainFault.CHANGED)


@given(BODIES, st.data())
def test_an_entry_that_was_taken_out_is_named(bodies: list[bytes], data: st.DataObject) -> None:
    entries = chain_entries([*bodies, b"last"])
    at = data.draw(st.integers(0, len(bodies) - 1))
    del entries[at]
    assert find_break(entries) == ChainBreak(seq=at + 1, fault=ChainFault.MISSING)


@given(BODIES, st.data())
def test_an_entry_that_stands_twice_is_named(bodies: list[bytes], data: st.DataObject) -> None:
    entries = chain_entries(bodies)
    at = data.draw(st.integers(0, len(entries) - 1))
    entries.insert(at, entries[at])
    assert find_break(entries) == ChainBreak(seq=at + 1, fault=ChainFault.REPEATED)


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=12), st.data())
def test_entries_in_another_order_are_noticed_at_the_first(bodies: list[bytes], data: st.DataObject) -> None:
    entries = chain_entries(bodies)
    first, second = sorted(data.draw(st.lists(st.integers(0, len(bodies) - 1), min_size=2, max_size=2, unique=True)))
    entries[first], entries[second] = entries[second], entries[first]
    assert find_break(entries) == ChainBreak(seq=first + 1, fault=ChainFault.OUT_OF_ORDER)

"""What the owner may ask, and what becomes of anything else that arrives there."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol import owner_requests

SIX = datetime(2026, 11, 28, 18, tzinfo=UTC)
HOSTILE = "\ud800\u202e\n\x1b[31m{0}%s"


def said(**keys: Any) -> owner_requests.AnyOwnerRequest | str:  # noqa: ANN401 - any JSON
    return owner_requests.parse_owner_request(json.dumps({"id": "w1", **keys}).encode())


@pytest.mark.parametrize(
    ("keys", "wish"),
    [
        ({"do": "stop"}, owner_requests.OwnerStopRequest(id="w1", do="stop")),
        ({"do": "lift"}, owner_requests.OwnerStopRequest(id="w1", do="lift")),
        (
            {"do": "acknowledge", "visit": "v1"},
            owner_requests.OwnerAcknowledgeRequest(id="w1", do="acknowledge", visit="v1"),
        ),
        ({"do": "acknowledge"}, owner_requests.OwnerAcknowledgeRequest(id="w1", do="acknowledge")),
        ({"do": "approve", "visit": "v1"}, owner_requests.OwnerDecideRequest(id="w1", do="approve", visit="v1")),
        ({"do": "refuse", "visit": "v1"}, owner_requests.OwnerDecideRequest(id="w1", do="refuse", visit="v1")),
        (
            {"do": "clear_lockout", "scanner": "s"},
            owner_requests.OwnerClearLockoutRequest(id="w1", do="clear_lockout", scanner="s"),
        ),
        ({"do": "home"}, owner_requests.OwnerPresenceRequest(id="w1", do="home")),
        ({"do": "nobody_home"}, owner_requests.OwnerPresenceRequest(id="w1", do="nobody_home")),
        ({"do": "away"}, owner_requests.OwnerPresenceRequest(id="w1", do="away")),
        (
            {"do": "pause", "end": "2026-11-28T18:00:00Z"},
            owner_requests.OwnerPauseRequest(id="w1", do="pause", end=SIX),
        ),
        (
            {"do": "pause", "start": "2026-11-28T18:00:00+01:00", "end": "2026-11-28T18:00:00Z", "everywhere": True},
            owner_requests.OwnerPauseRequest(
                id="w1", do="pause", start=SIX - timedelta(hours=1), end=SIX, everywhere=True
            ),
        ),
        ({"do": "end_pause", "pause": "p1"}, owner_requests.OwnerEndPauseRequest(id="w1", do="end_pause", pause="p1")),
        ({"do": "lock"}, owner_requests.OwnerLockRequest(id="w1", do="lock")),
        ({"do": "permit", "brand": "shop"}, owner_requests.OwnerPermitRequest(id="w1", do="permit", brand="shop")),
        (
            {"do": "refuse_brand", "brand": "shop"},
            owner_requests.OwnerPermitRequest(id="w1", do="refuse_brand", brand="shop"),
        ),
        ({"do": "revoke", "brand": "shop"}, owner_requests.OwnerPermitRequest(id="w1", do="revoke", brand="shop")),
        (
            {"do": "hold", "visit": "v1", "why": "litige"},
            owner_requests.OwnerHoldRequest(id="w1", do="hold", visit="v1", why="litige"),
        ),
        ({"do": "release", "visit": "v1"}, owner_requests.OwnerHoldRequest(id="w1", do="release", visit="v1")),
        ({"do": "erase", "visit": "v1"}, owner_requests.OwnerHoldRequest(id="w1", do="erase", visit="v1")),
    ],
)
def test_every_wish_can_be_read(keys: dict[str, Any], wish: owner_requests.AnyOwnerRequest) -> None:
    assert said(**keys) == wish


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100, "nested deeper than 32 levels"),
        (b" " * 70_000, "larger than 65536 bytes"),
        (b'{"id":"w1","id":"w2","do":"stop"}', "a key stands twice"),
        (b'{"id":"w1","do":NaN}', "NaN and infinity are not valid JSON"),
        (b'"stop"', "message: Input should be a valid dictionary or object to extract fields from"),
        (b'{"id":"w1"}', "do: say what is wished"),
        (b'{"do":"stop"}', "id: Field required"),
        (b'{"id":7,"do":"stop"}', "id: Input should be a valid string"),
        (b'{"id":"w1","do":"stop","visit":"v1"}', "a key that is not known"),
        (
            b'{"id":"w1","do":"erase","visit":"../../etc"}',
            "visit: String should match pattern '^[A-Za-z0-9-]{1,64}\\z'",
        ),
        (b'{"id":"w1","do":"pause"}', "end: Field required"),
        (b'{"id":"w1","do":"pause","end":0}', "end: Value error, a time is RFC 3339 text with an offset"),
        (
            b'{"id":"w1","do":"pause","end":"2026-11-28T18:00:00"}',
            "end: Value error, a time is RFC 3339 text with an offset",
        ),
        (b'{"id":"w1\\n","do":"stop"}', "id: String should match pattern '^[A-Za-z0-9-]{1,64}\\z'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(payload: bytes, why: str) -> None:
    assert owner_requests.parse_owner_request(payload) == why


def test_an_unknown_wish_is_told_which_there_are() -> None:
    why = said(do="open the door")
    assert isinstance(why, str)
    assert why.startswith("do: one of 'stop', 'lift'")


@pytest.mark.parametrize(
    "keys",
    [
        {"do": HOSTILE},
        {"do": "stop", HOSTILE: 1},
        {"do": "erase", "visit": HOSTILE},
        {"do": "permit", "brand": HOSTILE},
        {"do": "pause", "end": HOSTILE},
        {"do": "pause", "end": "9999-12-31T23:59:59-23:59"},
        {"do": "end_pause", "pause": HOSTILE},
        {"do": "hold", "visit": "v1", "why": HOSTILE},
        {"do": "hold", "visit": "v1", "why": "two\nlines"},
        {"do": "hold", "visit": "v1", "why": "\ud800"},
        {"do": "hold", "visit": "v1", "why": ""},
        {"do": "hold", "visit": "v1", "why": "x" * 201},
        {"do": ["stop"]},
        {"do": "stop", "id": HOSTILE},
    ],
)
def test_hostile_text_is_refused_and_never_quoted(keys: dict[str, Any]) -> None:
    _refused_in_one_line(said(**keys))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(["stop", "lift", "acknowledge", "approve", "clear_lockout", "home", "permit", "hold", "erase"])


@settings(deadline=None)  # no test asserts speed
@given(st.binary(max_size=300))
def test_no_bytes_raise(payload: bytes) -> None:
    _read(payload)


@settings(deadline=None)  # no test asserts speed
@given(
    st.fixed_dictionaries(
        {"id": json_values, "do": words | json_values},
        optional=dict.fromkeys(("visit", "why", "brand", "scanner", "x"), json_values),
    )
)
def test_no_json_raises(value: dict[str, object]) -> None:
    _read(json.dumps(value).encode(errors="replace"))


def _read(payload: bytes) -> None:
    read = owner_requests.parse_owner_request(payload)
    if isinstance(read, str):
        _refused_in_one_line(read)
    else:
        read.model_dump_json().encode()  # whatever was accepted can be stored and told


def _refused_in_one_line(why: owner_requests.AnyOwnerRequest | str) -> None:
    assert isinstance(why, str)
    assert why.isprintable()
    assert why.isascii()
    assert 0 < len(why) < 400

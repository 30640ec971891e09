import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from devices import strict_json
from devices.strict_json import MalformedPayload


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "NaN"),
        (b"1e999", "absurd"),
        (b"9" * 5_000, "absurd"),
        (b"-" + b"9" * 5_000, "absurd"),
        (b"1." + b"9" * 5_000, "absurd"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":{"b":1,"b":1}}', "twice"),
        (b"[" * 33 + b"]" * 33, "deeper"),
        (b"[" * 60_000, "deeper"),
        (b'{"a":' * 10_000, "deeper"),
        (b'"' + b"x" * 65_536 + b'"', "larger"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_hostile_json_is_refused_in_one_line(payload: bytes, why: str) -> None:
    with pytest.raises(MalformedPayload, match=why) as refused:
        strict_json.parse(payload)
    assert str(refused.value).isprintable()


def test_brackets_in_a_text_are_not_depth() -> None:
    assert strict_json.parse(json.dumps({"a": "[" * 500 + '"' + "{" * 500}).encode()) == {
        "a": "[" * 500 + '"' + "{" * 500
    }


def test_many_shallow_brackets_are_no_bomb() -> None:
    assert strict_json.parse(b"[" + b"[],{}," * 1_000 + b"0]") == [*([[], {}] * 1_000), 0]


@pytest.mark.parametrize("value", [True, "1", None, [], {}])
def test_a_number_is_nothing_else(value: object) -> None:
    with pytest.raises(MalformedPayload):
        strict_json.number(value, "temperature")
    with pytest.raises(MalformedPayload):
        strict_json.integer(value, "until_ms")


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_a_boolean_is_nothing_else(value: object) -> None:
    with pytest.raises(MalformedPayload):
        strict_json.boolean(value, "jammed")


@pytest.mark.parametrize("value", ["", "a" * 257, "line\nbreak", "\x1b[31m", "\ud800", "\u202egnp", 1, True, None])
def test_a_text_is_inert(value: object) -> None:
    with pytest.raises(MalformedPayload):
        strict_json.text(value, "name")


@pytest.mark.parametrize("value", ["", "-a", "a b", "a/b", "a\n", "ä", "a" * 129, 1, None])
def test_an_id_has_no_strange_characters(value: object) -> None:
    with pytest.raises(MalformedPayload):
        strict_json.identifier(value, "id")


@pytest.mark.parametrize(
    "value",
    ["2026-03-02T13:05:00", "2026-03-02T13:05:00+00:00", "2026-13-02T13:05:00Z", "\uff12026-03-02T13:05:00Z", 0, True],
)
def test_only_an_instant_in_utc_is_an_instant(value: object) -> None:
    with pytest.raises(MalformedPayload):
        strict_json.timestamp(value, "expires_at")


def test_an_instant_goes_out_in_utc_with_milliseconds() -> None:
    paris = datetime(2026, 3, 2, 14, 5, 0, 250_999, tzinfo=timezone(timedelta(hours=1)))
    assert strict_json.format_timestamp(paris) == "2026-03-02T13:05:00.250Z"
    assert strict_json.timestamp("2026-03-02T13:05:00.250Z", "at") == datetime(
        2026, 3, 2, 13, 5, 0, 250_000, tzinfo=UTC
    )


def test_a_time_without_zone_is_never_sent() -> None:
    with pytest.raises(ValueError, match="zone"):
        strict_json.format_timestamp(datetime(2026, 3, 2))  # noqa: DTZ001  that is the point

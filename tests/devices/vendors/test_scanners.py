"""Scanners of many makers: where their codes stand, and whose scan it is."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from devices.commands import ShowResult
from devices.reports import ScanReport, UnreadablePayload
from devices.vendors import proglove, scanner
from devices.vendors.keypath import object_of
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, TopicSuffix

GLOVE = DeviceRef("Perron/gateway/PGGW402650394/MDMR102104863")
SCAN = {
    "api_version": "1.0",
    "event_type": "scan",
    "event_id": "22d4a950-b373-42a3-8428-7a3887e78583",
    "time_created": 1699621609245,
    "scan_code": "8L20524752032",
    "device_serial": "MDMR102104863",
}


def read(keys: Mapping[str, str], body: object) -> object:
    (report,) = scanner.decode_report(TopicSuffix.EVENT, json.dumps(body).encode(), DeviceRef("", keys))
    return report


def glove(**changes: Any) -> tuple[object, ...]:  # noqa: ANN401 - any value of a payload
    return proglove.decode_report(TopicSuffix.EVENT, json.dumps(SCAN | changes).encode(), GLOVE)


def test_a_code_is_read_wherever_the_installer_says_it_stands() -> None:
    assert read({"code": "code"}, {"code": "8L20524752032"}) == ScanReport(code="8L20524752032")
    keys = {"code": "data.read.text", "event": "seq"}
    assert read(keys, {"seq": "r-7", "data": {"read": {"text": "A1"}}}) == ScanReport(code="A1", event="r-7")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": {"code": 4250}},  # a number has lost its leading zeros
        {"data": {"code": ""}},
        {"data": {"code": "a\nb"}},
        {"data": {"code": ["8L20524752032"]}},
        [],
        "8L20524752032",
    ],
    ids=str,
)
def test_where_no_code_stands_none_is_read(body: object) -> None:
    assert isinstance(read({"code": "data.code"}, body), UnreadablePayload)


def test_a_scanner_that_should_send_json_and_sends_bare_text_is_told_of() -> None:
    (report,) = scanner.decode_report(TopicSuffix.EVENT, b"8L20524752032", DeviceRef("", {"code": "data.code"}))
    assert isinstance(report, UnreadablePayload)


@pytest.mark.parametrize(
    ("symbology", "code", "expected"),
    [
        ("]C1", "00106141411234567897", "]C100106141411234567897"),
        ("]C1", "]C100106141411234567897", "]C100106141411234567897"),  # the scanner sends it with the code too
        ("CODE128", "00106141411234567897", "00106141411234567897"),
        (7, "00106141411234567897", "00106141411234567897"),
        (None, "00106141411234567897", "00106141411234567897"),
    ],
)
def test_a_symbology_told_as_an_aim_identifier_is_part_of_the_code(symbology: object, code: str, expected: str) -> None:
    assert read({"code": "c", "symbology": "s"}, {"c": code, "s": symbology}) == ScanReport(code=expected)


def test_two_paths_never_lead_into_one_another() -> None:
    with pytest.raises(ValueError, match="leads through"):
        object_of({"a": 1, "a.b": 2})
    with pytest.raises(ValueError, match="one place"):
        object_of({"a.b": 1, "a": 2})


def test_another_gloves_scan_is_nothing_at_this_door() -> None:
    assert glove() == (ScanReport(code="8L20524752032", event=SCAN["event_id"]),)  # type: ignore[arg-type] # a text
    assert glove(device_serial="MDMR000000064") == ()


def test_a_code_with_bytes_left_out_is_no_code() -> None:
    assert glove(scan_code="8L20", scan_bytes="OEwyMP8=")[0] == UnreadablePayload(why="scan_bytes holds no text")
    assert glove(scan_code="8L20", scan_bytes="!")[0] == UnreadablePayload(why="scan_bytes holds no text")
    assert glove(scan_code="8L20", scan_bytes="OEwyMDUyNDc1MjAzMg==") == glove()


def test_a_glove_is_told_three_words_each_with_an_id_and_a_time() -> None:
    at, event = datetime(2026, 3, 2, 13, 5, tzinfo=UTC), "02114da8-feae-46e3-8b00-a3f7ea8672df"
    actions = {"wait": "FEEDBACK_SPECIAL_YELLOW", "go": "FEEDBACK_POSITIVE", "no": "FEEDBACK_NEGATIVE"}
    for word, action in actions.items():
        letter = proglove.encode_command(ShowResult(word=word, event=event, issued_at=at), GLOVE)
        assert json.loads(letter.payload)["feedback_action_id"] == action
    with pytest.raises(ValueError, match="wait, go or no"):
        proglove.encode_command(ShowResult(word="too early", event=event, issued_at=at), GLOVE)
    for lacking in (ShowResult(word="go"), ShowResult(word="go", event="5", issued_at=at)):
        with pytest.raises(ValueError, match="without an event's id"):
            proglove.encode_command(lacking, GLOVE)


def test_a_glove_has_no_display_for_the_name_of_another_place() -> None:
    at, event = datetime(2026, 3, 2, 13, 5, tzinfo=UTC), "02114da8-feae-46e3-8b00-a3f7ea8672df"
    with pytest.raises(ValueError, match="no name of a place"):
        proglove.encode_command(ShowResult(word="elsewhere", place="Garage", event=event, issued_at=at), GLOVE)


def test_a_scanner_shows_the_name_of_another_place() -> None:
    shown = ShowResult(word="elsewhere", place="Garage")
    letter = scanner.encode_command(shown, NO_DEVICE_REF)
    assert json.loads(letter.payload) == {"word": "elsewhere", "place": "Garage"}
    assert scanner.decode_command(TopicSuffix.SET, letter.payload) == shown
    with pytest.raises(ValueError, match="elsewhere with a place"):
        scanner.encode_command(ShowResult(word="elsewhere"), NO_DEVICE_REF)
    for payload in (b'{"word": "elsewhere"}', b'{"word": "elsewhere", "place": ""}', b'{"word": "there"}'):
        assert isinstance(scanner.decode_command(TopicSuffix.SET, payload), UnreadablePayload)


def test_feedback_goes_to_the_gateways_own_topic() -> None:
    assert proglove.topics(GLOVE) == {
        TopicSuffix.EVENT: "Perron/gateway/PGGW402650394/scan",
        TopicSuffix.AVAILABILITY: "Perron/gateway/PGGW402650394/scanner_state",
        TopicSuffix.SET: "Perron/gateway/PGGW402650394/feedback!",
    }

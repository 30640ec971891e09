"""What a robot is sent, and what a simulated one sends, keeps to the published schemas of VDA 5050 3.0.0."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.commands import AnswerZoneRequest, Grant
from devices.reports import (
    AvailabilityReport,
    RobotIdentityReport,
    RobotMode,
    RobotReport,
    UnreadablePayload,
    ZoneRequest,
    ZoneStatus,
)
from devices.vendors import vda5050
from devices.vendors.words import DeviceRef, TopicSuffix
from tests.devices.vendors.vda5050_rules import CONNECTION, RESPONSES, STATE, Schema

ROBOT = DeviceRef(address="vda5050/v3/KIT/0001", kind="robot")
AT = datetime(2026, 3, 2, 13, 5, 0, 123456, tzinfo=UTC)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
PAYLOADS = json.loads((Path(__file__).parents[1] / "payloads/vda5050.json").read_bytes())
KEPT: dict[str, dict[str, Any]] = {
    case["name"]: case["payload"] for case in PAYLOADS["reports"] if case["channel"] == "state"
}
WELL_FORMED = (
    "drives by itself, says nothing of zones",
    "asks for the door with a parcel",
    "is in the zone, and asks to plan anew",
    "lost its permission",
    "an emergency stop",
    "its protective field is violated while somebody drives it",
)
GOOD_STATE = KEPT[WELL_FORMED[0]]


def keeps_to(rules: Schema, payload: bytes) -> None:
    jsonschema.Draft202012Validator(rules).validate(json.loads(payload))


@pytest.mark.parametrize("grant", Grant)
@pytest.mark.parametrize("lease", [None, AT])
def test_each_answer_keeps_to_the_published_rules(grant: Grant, lease: datetime | None) -> None:
    answer = AnswerZoneRequest(header=3, issued_at=AT, request="r1", grant=grant, lease_expiry=lease)
    publication = vda5050.encode_command(answer, ROBOT)
    assert vda5050.topics(ROBOT)[publication.suffix] == "vda5050/v3/KIT/0001/responses"
    keeps_to(RESPONSES, publication.payload)
    assert json.loads(publication.payload)["version"] == "3.0.0"


@pytest.mark.parametrize("online", [True, False])
def test_a_simulated_robot_s_connection_keeps_to_the_published_rules(online: bool) -> None:
    (publication,) = vda5050.encode_report(AvailabilityReport(online=online), ROBOT)
    keeps_to(CONNECTION, publication.payload)


@given(
    report=st.builds(
        RobotReport,
        mode=st.sampled_from([mode for mode in RobotMode if mode is not RobotMode.UNKNOWN]),
        emergency_stop=st.booleans(),
        field_violation=st.booleans(),
        requests=st.lists(
            st.builds(
                ZoneRequest, id=NAMES, zone=NAMES, status=st.sampled_from(ZoneStatus), zone_set=st.none() | NAMES
            ),
            max_size=3,
        ).map(tuple),
        loads=st.none() | st.lists(NAMES, max_size=3).map(tuple),
        release_lost=st.booleans(),
    )
)
def test_a_simulated_robot_s_state_keeps_to_the_published_rules_and_is_read_as_it_was(report: RobotReport) -> None:
    (publication,) = vda5050.encode_report(report, ROBOT)
    keeps_to(STATE, publication.payload)
    assert vda5050.decode_report(publication.suffix, publication.payload, ROBOT) == (report,)


ZONE_REQUESTS = st.fixed_dictionaries({
    "requestId": st.text(), "requestType": st.sampled_from(["ACCESS", "REPLANNING"]), "zoneId": st.text(),
    "zoneSetId": st.text(), "requestStatus": st.sampled_from(["REQUESTED", "GRANTED", "REVOKED", "EXPIRED"]),
})  # fmt: skip


@given(
    mode=st.sampled_from(STATE["properties"]["operatingMode"]["enum"]),
    stop=st.sampled_from(["MANUAL", "REMOTE", "NONE"]),
    requests=st.lists(ZONE_REQUESTS, max_size=3),
    loads=st.lists(st.fixed_dictionaries({}, optional={"loadId": st.text(), "loadType": st.text()}), max_size=3),
)
def test_whatever_keeps_to_the_published_rules_is_read_or_refused_as_a_whole(
    mode: str, stop: str, requests: list[dict[str, str]], loads: list[dict[str, str]]
) -> None:
    """Refused is a state with a name that no house has: an empty or an overlong one."""
    body = GOOD_STATE | {
        "operatingMode": mode, "safetyState": {"activeEmergencyStop": stop, "fieldViolation": False},
        "zoneRequests": requests, "loads": loads,
    }  # fmt: skip
    payload = json.dumps(body).encode()
    keeps_to(STATE, payload)
    (report,) = vda5050.decode_report(TopicSuffix.STATE, payload, ROBOT)
    if isinstance(report, RobotReport):
        assert report.mode.name == mode
        assert report.emergency_stop is (stop != "NONE")
        asked = [one for one in requests if one["requestType"] == "ACCESS"]
        assert [(one.id, one.zone) for one in report.requests or ()] == [
            (one["requestId"], one["zoneId"]) for one in asked
        ]
    else:
        assert isinstance(report, UnreadablePayload)
        assert requests or loads


@pytest.mark.parametrize("word", [[], {}, None, 1, "none"])
def test_a_stop_that_is_no_word_of_the_standard_is_unknown(word: object) -> None:
    body = GOOD_STATE | {"operatingMode": word, "safetyState": {"activeEmergencyStop": word, "fieldViolation": word}}
    (report,) = vda5050.decode_report(TopicSuffix.STATE, json.dumps(body).encode(), ROBOT)
    assert isinstance(report, RobotReport)
    assert (report.mode, report.emergency_stop, report.field_violation) == (RobotMode.UNKNOWN, None, None)


def test_a_state_without_zone_requests_says_nothing_of_them_and_an_empty_array_says_that_there_are_none() -> None:
    silent = {name: value for name, value in GOOD_STATE.items() if name != "zoneRequests"}
    for body, requests in ((silent, None), (silent | {"zoneRequests": []}, ())):
        payload = json.dumps(body).encode()
        keeps_to(STATE, payload)
        (report,) = vda5050.decode_report(TopicSuffix.STATE, payload, ROBOT)
        assert isinstance(report, RobotReport)
        assert report.requests == requests
        (again,) = vda5050.encode_report(report, ROBOT)
        assert vda5050.decode_report(TopicSuffix.STATE, again.payload, ROBOT) == (report,)


@pytest.mark.parametrize("name", WELL_FORMED)
def test_the_kept_messages_that_are_well_formed_keep_to_the_published_rules(name: str) -> None:
    keeps_to(STATE, json.dumps(KEPT[name]).encode())


def test_a_robot_says_that_it_stopped_because_its_permission_ended_and_its_state_keeps_to_the_schema() -> None:
    lost = RobotReport(
        mode=RobotMode.AUTOMATIC, emergency_stop=False, field_violation=False, requests=(), loads=(), release_lost=True
    )
    (publication,) = vda5050.encode_report(lost, ROBOT)
    (error,) = json.loads(publication.payload)["errors"]
    assert error.keys() >= {"errorType", "errorLevel"}
    assert error["errorLevel"] in {"WARNING", "URGENT", "CRITICAL", "FATAL"}
    assert vda5050.decode_report(publication.suffix, publication.payload, ROBOT) == (lost,)


@pytest.mark.parametrize("errors", [None, "none", [None, 3, {"errorType": 7}], [{"errorLevel": "FATAL"}]])
def test_other_errors_and_nonsense_in_their_place_say_nothing(errors: object) -> None:
    (publication,) = vda5050.encode_report(
        RobotReport(mode=RobotMode.AUTOMATIC, emergency_stop=False, field_violation=False, requests=(), loads=()), ROBOT
    )
    body = json.loads(publication.payload) | {"errors": errors}
    (report,) = vda5050.decode_report(publication.suffix, json.dumps(body).encode(), ROBOT)
    assert isinstance(report, RobotReport)
    assert not report.release_lost


def test_an_identity_may_come_as_json_with_a_header_from_a_client_that_sends_nothing_else() -> None:
    header = {"headerId": 1, "timestamp": "2026-03-02T13:05:00.123Z", "version": "3.0.0", "manufacturer": "KIT"}
    good = {**header, "serialNumber": "0001", "token": "a.b.c"}
    decoded = [
        vda5050.decode_report(TopicSuffix.EVENT, json.dumps(body).encode(), ROBOT)
        for body in (good, {**good, "serialNumber": "0002"}, {**good, "token": 3}, {**good, "token": "x" * 20_000})
    ]
    assert decoded[0] == (RobotIdentityReport(token=b"a.b.c"),)
    assert all(isinstance(report, UnreadablePayload) for (report,) in decoded[1:])


def test_a_robot_of_version_2_cannot_be_enrolled_and_is_told_why() -> None:
    why = vda5050.problem(DeviceRef(address="uagv/v2/KIT/0001", kind="robot"))
    assert why is not None
    assert "only VDA 5050 version 3 has zones" in why
    assert TopicSuffix.SET in vda5050.topics(ROBOT)

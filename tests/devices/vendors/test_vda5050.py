"""What a robot is sent keeps to the published schema of VDA 5050 3.0.0, `responses`."""

import json
from datetime import UTC, datetime

import pytest

from devices.commands import AnswerZoneRequest, Grant
from devices.reports import RobotIdentityReport, RobotMode, RobotReport, UnreadablePayload
from devices.vendors import vda5050
from devices.vendors.words import DeviceRef, TopicSuffix

ROBOT = DeviceRef(address="vda5050/v3/KIT/0001", kind="robot")
AT = datetime(2026, 3, 2, 13, 5, 0, 123456, tzinfo=UTC)
HEADER = {"headerId": int, "timestamp": str, "version": str, "manufacturer": str, "serialNumber": str}


@pytest.mark.parametrize("grant", Grant)
@pytest.mark.parametrize("lease", [None, AT])
def test_each_answer_has_what_the_schema_requires(grant: Grant, lease: datetime | None) -> None:
    answer = AnswerZoneRequest(header=3, issued_at=AT, request="r1", grant=grant, lease_expiry=lease)
    publication = vda5050.encode_command(answer, ROBOT)
    assert vda5050.topics(ROBOT)[publication.suffix] == "vda5050/v3/KIT/0001/responses"
    body = json.loads(publication.payload)
    assert {name: type(body[name]) for name in HEADER} == HEADER
    assert body["version"] == "3.0.0"
    assert 0 <= body["headerId"] < 2**32
    (response,) = body["responses"]
    assert response.keys() - {"leaseExpiry"} == {"requestId", "grantType"}
    assert response["grantType"] in {"GRANTED", "QUEUED", "REVOKED", "REJECTED"}
    for instant in (body["timestamp"], *([] if lease is None else [response["leaseExpiry"]])):
        assert instant == "2026-03-02T13:05:00.123Z", "milliseconds, in UTC"


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

"""Z-Wave JS UI: an answer that carries our number back, among answers that are somebody else's."""

import json

import pytest

from devices.commands import QueryState, UnlockDoor
from devices.reports import CorrelationReport, LockReport, LockState, NoAnswerReport
from devices.vendors import zwave
from devices.vendors.movement import bare_command
from devices.vendors.words import DeviceRef, TopicSuffix

DEVICE_REF = DeviceRef("zwave/5", kind="lock")
NAMED = DeviceRef("zwave/hall/front_lock", {"node": "5", "gateway": "office"}, "lock")


def answered(question: bytes, *, device_ref: DeviceRef = DEVICE_REF, **answer: object) -> tuple[object, ...]:
    """What Z-Wave JS UI says of a call: it carries back all arguments, as `callApi` in its source does."""
    body = {"success": True, "message": "Success zwave api call", **answer, "args": json.loads(question)["args"]}
    return zwave.decode_report(TopicSuffix.RESULT, json.dumps(body).encode(), device_ref)


def test_an_answer_carries_the_question_s_number_back() -> None:
    question = zwave.encode_command(QueryState(echo="12:7"), DEVICE_REF).payload
    assert answered(question, result=255) == (CorrelationReport(echo="12:7"), LockReport(bolt=LockState.LOCKED))
    assert answered(question, result=0) == (CorrelationReport(echo="12:7"), LockReport(bolt=LockState.UNLOCKED))
    assert answered(question, success=False, message="Timeout") == (NoAnswerReport(),)


def test_a_question_of_ours_to_another_lock_tells_this_one_nothing() -> None:
    question = zwave.encode_command(QueryState(echo="12:7"), DEVICE_REF).payload
    assert answered(question, device_ref=DeviceRef("zwave/6"), result=255) == ()


def test_an_order_carries_its_id_and_is_not_one_that_moves_another_s_bolt() -> None:
    order = zwave.encode_command(bare_command(UnlockDoor), NAMED)
    assert json.loads(order.payload)["args"][:2] == [
        {"nodeId": 5, "commandClass": 98, "endpoint": 0, "property": "targetMode"},
        0,
    ]
    assert zwave.decode_command(order.suffix, order.payload, NAMED) == bare_command(UnlockDoor)
    assert zwave.decode_command(order.suffix, order.payload, DeviceRef("zwave/6")) != bare_command(UnlockDoor)


def test_topics_follow_the_node_and_the_gateway_s_name() -> None:
    topics = zwave.topics(NAMED)
    assert topics[TopicSuffix.STATE] == "zwave/hall/front_lock/98/0/currentMode"
    assert topics[TopicSuffix.SET] == "zwave/_CLIENTS/ZWAVE_GATEWAY-office/api/writeValue/set"
    assert topics[TopicSuffix.RESULT] == "zwave/_CLIENTS/ZWAVE_GATEWAY-office/api/pollValue"
    assert zwave.topics(DEVICE_REF)[TopicSuffix.BRIDGE] == "zwave/_CLIENTS/ZWAVE_GATEWAY-zwave-js-ui/status"
    assert not [topic for topic in topics.values() if "/99/" in topic], "user codes are never heard"


@pytest.mark.parametrize(
    ("device_ref", "number"),
    [
        (DeviceRef("zwave/5"), 5),
        (DeviceRef("zwave/hall/nodeID_12"), 12),
        (NAMED, 5),
        (DeviceRef("zwave/front_lock"), None),
        (DeviceRef("zwave/5", {"node": "front"}), None),
        (DeviceRef(), None),
    ],
)
def test_a_node_has_a_number(device_ref: DeviceRef, number: int | None) -> None:
    assert zwave.node_number(device_ref) == number


def test_without_a_number_nothing_is_asked() -> None:
    with pytest.raises(ValueError, match="cannot be asked without its node's number"):
        zwave.encode_command(QueryState(), DeviceRef("zwave/front_lock"))

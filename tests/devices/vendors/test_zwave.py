"""Z-Wave JS UI: an answer that carries our number back, among answers that are somebody else's."""

import json

import pytest

from devices.commands import Query, Unlock
from devices.reports import Bolt, EchoReport, LockReport, UnansweredReport
from devices.vendors import zwave
from devices.vendors.movement import bare
from devices.vendors.words import Channel, Nameplate

PLATE = Nameplate("zwave/5", kind="lock")
NAMED = Nameplate("zwave/hall/front_lock", {"node": "5", "gateway": "office"}, "lock")


def answered(question: bytes, *, plate: Nameplate = PLATE, **answer: object) -> tuple[object, ...]:
    """What Z-Wave JS UI says of a call: it carries back all arguments, as `callApi` in its source does."""
    body = {"success": True, "message": "Success zwave api call", **answer, "args": json.loads(question)["args"]}
    return zwave.decode_report(Channel.RESULT, json.dumps(body).encode(), plate)


def test_an_answer_carries_the_question_s_number_back() -> None:
    question = zwave.encode_command(Query(echo="12:7"), PLATE).payload
    assert answered(question, result=255) == (EchoReport(echo="12:7"), LockReport(bolt=Bolt.LOCKED))
    assert answered(question, result=0) == (EchoReport(echo="12:7"), LockReport(bolt=Bolt.UNLOCKED))
    assert answered(question, success=False, message="Timeout") == (UnansweredReport(),)


def test_a_question_of_ours_to_another_lock_tells_this_one_nothing() -> None:
    question = zwave.encode_command(Query(echo="12:7"), PLATE).payload
    assert answered(question, plate=Nameplate("zwave/6"), result=255) == ()


def test_an_order_carries_its_id_and_is_not_one_that_moves_another_s_bolt() -> None:
    order = zwave.encode_command(bare(Unlock), NAMED)
    assert json.loads(order.payload)["args"][:2] == [
        {"nodeId": 5, "commandClass": 98, "endpoint": 0, "property": "targetMode"},
        0,
    ]
    assert zwave.decode_command(order.channel, order.payload, NAMED) == bare(Unlock)
    assert zwave.decode_command(order.channel, order.payload, Nameplate("zwave/6")) != bare(Unlock)


def test_topics_follow_the_node_and_the_gateway_s_name() -> None:
    topics = zwave.topics(NAMED)
    assert topics[Channel.STATE] == "zwave/hall/front_lock/98/0/currentMode"
    assert topics[Channel.SET] == "zwave/_CLIENTS/ZWAVE_GATEWAY-office/api/writeValue/set"
    assert topics[Channel.RESULT] == "zwave/_CLIENTS/ZWAVE_GATEWAY-office/api/pollValue"
    assert zwave.topics(PLATE)[Channel.BRIDGE] == "zwave/_CLIENTS/ZWAVE_GATEWAY-zwave-js-ui/status"
    assert not [topic for topic in topics.values() if "/99/" in topic], "user codes are never heard"


@pytest.mark.parametrize(
    ("plate", "number"),
    [
        (Nameplate("zwave/5"), 5),
        (Nameplate("zwave/hall/nodeID_12"), 12),
        (NAMED, 5),
        (Nameplate("zwave/front_lock"), None),
        (Nameplate("zwave/5", {"node": "front"}), None),
        (Nameplate(), None),
    ],
)
def test_a_node_has_a_number(plate: Nameplate, number: int | None) -> None:
    assert zwave.node(plate) == number


def test_without_a_number_nothing_is_asked() -> None:
    with pytest.raises(ValueError, match="cannot be asked without its node's number"):
        zwave.encode_command(Query(), Nameplate("zwave/front_lock"))

"""What a Matter server says about its nodes: what is taken from its memory, and what it may never break."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.reports import OperationError
from devices.strict_json import parse, write
from devices.vendors.matter import EndpointId
from gateway.integrations.matter import nodes as n

RECORDED: dict[str, Any] = {
    "node_id": 1, "date_commissioned": "2026-11-30T02:46:07.381040", "last_interview": "2026-11-30T02:46:07.381044",
    "interview_version": 6, "available": True, "is_bridge": False,
    "attributes": {
        "0/31/0": [{"1": 5, "2": 2, "3": [112233], "4": None, "254": 1}], "0/40/1": "Test", "0/40/3": "Virtual lock",
        "0/40/5": "Front \u202edoor", "0/62/5": 1, "1/257/0": 1, "1/257/3": 1, "1/257/65532": 4529, "2/69/0": True,
        "3/1026/0": 412, "1/47/12": 171,
    },
}  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_a_recorded_node_has_its_endpoints_features_names_and_fabric() -> None:
    node = n.read_node(RECORDED)
    assert node is not None
    assert [at.name for at in node.endpoints] == ["1-1", "1-2", "1-3"]
    assert [line.kinds for line in node.lines] == [("lock", "keypad"), ("door",), ("fridge",)]
    assert (node.lock_features, node.fabric, node.maker, node.product) == ({1: 4529}, 1, "Test", "Virtual lock")
    assert node.label.isprintable(), "a name from outside turns no line round"


BRIDGED = {
    "0/29/0": [{"0": 22, "1": 3}], "0/29/3": [1, 2, 3, 4, 5], "1/29/0": [{"0": 14, "1": 2}], "1/29/3": [2, 3, 4, 5],
    "2/29/0": [{"0": 19, "1": 3}, {"0": 10, "1": 3}], "2/257/0": 1, "2/29/3": [],
    "3/29/0": [{"0": 19, "1": 3}], "3/29/3": [4, 5], "4/69/0": True, "4/29/0": [{"0": 21, "1": 1}], "5/1026/0": 400,
}  # fmt: skip


def test_behind_a_bridge_each_device_has_a_number_of_its_own() -> None:
    node = n.read_node({**RECORDED, "attributes": BRIDGED})
    assert node is not None
    assert [at.name for at in node.endpoints] == ["1-2-2", "1-4-3", "1-5-3"]
    assert [line.at.name for line in node.lines] == ["1-2-2", "1-4-3", "1-5-3"]


@pytest.mark.parametrize(
    "said", [{"2/29/0": 19}, {"2/29/0": [19]}, {"2/29/0": [{"0": True}]}, {"2/29/0": [{"0": "19"}]}, {"2/29/0": None}]
)
def test_what_does_not_say_that_it_is_behind_a_bridge_is_the_node_s_own(said: dict[str, object]) -> None:
    node = n.read_node({**RECORDED, "attributes": {"2/257/0": 1, "4/69/0": True, "3/29/3": [4], **said}})
    assert node is not None
    assert [at.name for at in node.endpoints] == ["1-2", "1-4"]


def test_all_of_an_endpoint_is_read_and_nothing_else() -> None:
    at = EndpointId(1, 3)
    assert n.read_paths(at, {1026, 87, 40}) == ("3/1026/0", "3/87/2")
    assert n.read_paths(at, {260}) == ("3/260/1", "3/260/3", "3/260/4")
    assert n.read_paths(at, {40}) == ()


def test_what_the_device_refused_to_say_is_no_value() -> None:
    refused = {"TLVValue": None, "Reason": "InteractionModelError: UnsupportedAttribute (0x86)"}
    answer = {"3/1026/0": 412, "3/87/2": refused, "1/257/0": 1, "3/40/1": "x", "odd": 7}
    assert n.read_values(answer, EndpointId(1, 3)) == {"1026/0": 412}
    assert n.read_update([1, "1/257/0", refused]) is None
    assert n.read_update([1, "1/257/0", None]) == n.Update(at=EndpointId(1, 1), cluster=257, attribute=0, value=None)


@pytest.mark.parametrize(
    ("code", "details", "failure"),
    [
        (0, "src/app/CommandSender.cpp:343: CHIP Error 0x00000032: Timeout", OperationError.TIMEOUT),
        (0, "InteractionModelError: NeedsTimedInteraction (0xc6)", OperationError.UNSPECIFIED),
        (0, "InteractionModelError: Busy (0x9c)", OperationError.BUSY),
        (0, "InteractionModelError: UnsupportedAccess (0x7e)", OperationError.RESTRICTED),
        (3, "Node 7 is not (yet) available.", OperationError.UNREACHABLE),
        (4, "", OperationError.UNREACHABLE),
        (5, None, OperationError.UNREACHABLE),
        (9, "Invalid command: nonsense", OperationError.UNSPECIFIED),
        ("x", {"a": 1}, OperationError.UNSPECIFIED),
    ],
)
def test_an_error_of_the_server_has_its_reason(code: object, details: object, failure: OperationError) -> None:
    assert n.failure_of(code, details) is failure


@pytest.mark.parametrize(
    ("data", "fabric", "own"),
    [
        ({"sourceNode": 112_233, "fabricIndex": 1}, 1, True),
        ({"sourceNode": 112_233, "fabricIndex": 2}, 1, False),
        ({"sourceNode": 4_660, "fabricIndex": 1}, 1, False),
        ({"sourceNode": None, "fabricIndex": None}, 1, False),
        ({"sourceNode": 112_233, "fabricIndex": 2}, None, True),
        (None, 1, False),
    ],
)
def test_an_operation_is_the_servers_only_if_node_and_fabric_are(
    data: object, fabric: int | None, *, own: bool
) -> None:
    """Another controller of another fabric may have the same node number."""
    assert n.is_own(data, n.Node(node=1, available=True, fabric=fabric), 112_233) is own


@pytest.mark.parametrize("number", [0, -1, True, 900_000, 900_001, 2**64, "5", None, 5.0])
def test_what_is_no_node_or_only_played_is_left_out(number: object) -> None:
    assert n.read_node({**RECORDED, "node_id": number}) is None


def test_a_server_that_names_too_many_fills_no_memory() -> None:
    many = [{"node_id": number, "available": True, "attributes": {}} for number in range(1, 2_000)]
    assert len(n.read_nodes(many)) == n.MAX_NODES
    wide = {**RECORDED, "attributes": {f"{endpoint}/257/0": 1 for endpoint in range(1_000)}}
    node = n.read_node(wide)
    assert node is not None
    assert len(node.clusters) == n.MAX_ENDPOINTS


@given(value=json_values)
def test_what_is_passed_on_is_json_that_the_house_reads(value: object) -> None:
    body = {"257/0": n.plain(value)}
    assert parse(write(body)) == body


@settings(deadline=None)  # no test asserts speed
@given(value=json_values, at=st.sampled_from([EndpointId(1, 1), EndpointId(7, 3)]))
def test_nothing_that_a_server_says_raises(value: object, at: EndpointId) -> None:
    n.read_nodes(value)
    n.read_nodes([value])
    n.read_node(value)
    n.read_node({"node_id": 1, "attributes": value})
    n.read_node({"node_id": 1, "attributes": {"1/257/65532": value, "0/40/5": value, "0/62/5": value}})
    n.read_update(value)
    n.read_update([1, "1/257/0", value])
    n.read_values(value, at)
    n.failure_of(value, value)
    n.is_own(value, n.Node(node=1, available=True), 1)


def test_the_node_of_a_controller_with_twenty_digits_is_passed_on_whole() -> None:
    assert n.plain({"sourceNode": 13835058055282163712}) == {"sourceNode": "13835058055282163712"}
    assert n.plain(2**64) is None

"""The parts of the Matter vendor that are no payloads: addresses, invokes, kinds, lists."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.commands import LockDoor, UnlockDoor
from devices.reports import GarageDoorReport, GarageDoorState, LockReport, LockState, Report, UnreadablePayload
from devices.vendors import matter
from devices.vendors.definition import COMMAND_HOLD_S
from devices.vendors.words import DeviceRef, TopicSuffix

AT = datetime(2026, 3, 2, 13, 5, tzinfo=UTC)
UNLOCK, LATCH, LOCK = (
    UnlockDoor(id="u1", intent="v1", issued_at=AT, expires_at=AT),
    UnlockDoor(id="u1", intent="v1", issued_at=AT, expires_at=AT, latch=True),
    LockDoor(id="l1", intent="v1", issued_at=AT, expires_at=AT),
)
UNBOLTING = 1 << 12


def test_an_endpoint_has_topics_of_its_own_and_shares_that_of_the_process() -> None:
    topics = matter.topics(DeviceRef("matter/5-1", kind="lock"))
    assert topics[TopicSuffix.SET] == "matter/5-1/set"
    assert topics[TopicSuffix.BRIDGE] == "matter/bridge/state"


@pytest.mark.parametrize(
    "address",
    [
        "", "matter", "5-1", "matter/5", "matter/05-1", "matter/0-1", "matter/5-1-1-1", "matter/5-1-", "matter/5-1-01",
        "matter/x-1", "matter/5-65535", f"matter/{2**64}-1", "matter/\N{ARABIC-INDIC DIGIT FIVE}-1",
    ],
)  # fmt: skip
def test_what_names_no_node_and_endpoint_is_refused_with_an_example(address: str) -> None:
    problem = matter.DEFINITION.problem(DeviceRef(address, kind="lock"))
    assert problem is not None
    assert "matter/5-1" in problem


@pytest.mark.parametrize(
    ("command", "clusters", "features", "name", "fields"),
    [
        (UNLOCK, {257}, 0, "UnlockDoor", {}),
        (LATCH, {257}, 0, "UnlockDoor", {}),
        (LOCK, {257}, 0, "LockDoor", {}),
        (UNLOCK, {257}, UNBOLTING, "UnboltDoor", {}),
        (LATCH, {257}, UNBOLTING | 1, "UnlockDoor", {}),
        (LOCK, {257}, UNBOLTING, "LockDoor", {}),
        (UNLOCK, {260}, 0, "MoveTo", {"position": 1}),
        (LOCK, {260}, 0, "MoveTo", {"position": 0}),
    ],
)
def test_a_command_is_the_invoke_that_the_endpoint_understands(
    command: UnlockDoor | LockDoor, clusters: set[int], features: int, name: str, fields: dict[str, object]
) -> None:
    found = matter.invocation(command, clusters, lock_features=features)
    assert found is not None
    assert (found.name, found.fields, found.cluster) == (name, fields, next(iter(clusters)))


def test_what_cannot_move_is_given_no_invoke() -> None:
    assert matter.invocation(UNLOCK, {69, 1026}, lock_features=0) is None


def test_its_locks_are_basic_and_its_closures_are_never_closed() -> None:
    """Nobody but the lock itself could refuse a late invoke, and it does not; no closure says that its way is free."""
    assert not matter.DEFINITION.refuses_late
    assert not matter.DEFINITION.answers_beam
    assert matter.DEFINITION.command_hold_s == COMMAND_HOLD_S


def heard(kind: str, body: object) -> tuple[Report, ...]:
    return matter.decode_report(TopicSuffix.STATE, json.dumps(body).encode(), DeviceRef("matter/5-1", kind=kind))


@given(
    value=st.none()
    | st.booleans()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**9), 10**9)
)
def test_only_matters_own_number_is_a_locked_bolt(value: object) -> None:
    (report,) = heard("lock", {"257/0": value})
    assert isinstance(report, LockReport)
    is_one = isinstance(value, int) and not isinstance(value, bool) and value == 1
    assert (report.bolt is LockState.LOCKED) == is_one


@given(
    state=st.integers(-1, 9),
    now=st.none() | st.dictionaries(st.sampled_from("0123"), st.none() | st.booleans() | st.integers(-1, 6)),
    target=st.none() | st.dictionaries(st.just("0"), st.integers(-1, 6)),
)
def test_a_closure_is_closed_only_at_rest_fully_closed_and_secure(state: int, now: object, target: object) -> None:
    (report,) = heard("cover", {"260/1": state, "260/3": now, "260/4": target})
    assert isinstance(report, GarageDoorReport)
    rests = state in (0, 2) and isinstance(now, dict)
    shut = rests and isinstance(now, dict) and now.get("0") == 0 and now.get("0") is not False and now.get("3") is True
    assert (report.cover is GarageDoorState.CLOSED) == shut


def test_the_list_for_who_adds_a_device_is_read_as_it_was_written() -> None:
    lines = (
        matter.EndpointLine(at=matter.EndpointId(5, 1), kinds=("lock",), maker="Aqara", product="U200", label="Front"),
        matter.EndpointLine(at=matter.EndpointId(6, 2), kinds=("cover", "door"), available=False),
    )
    assert matter.read_endpoints(matter.write_endpoints(lines)) == lines


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b'{"endpoints":7}', b'{"endpoints":[7,{"node":"x"},{"node":5,"endpoint":1}]}',
     b'{"endpoints":[{"node":5,"endpoint":1,"kinds":["camera"]},{"node":5,"endpoint":1,"kinds":{"lock":1}}]}'],
)  # fmt: skip
def test_a_list_that_cannot_be_read_offers_nothing(payload: bytes) -> None:
    found = matter.read_endpoints(payload)
    assert isinstance(found, UnreadablePayload) or found == ()


def test_a_name_that_hides_a_line_is_left_out() -> None:
    body = {"endpoints": [{"node": 5, "endpoint": 1, "kinds": ["lock"], "label": "a\u202eb", "maker": "\x1b[2J"}]}
    found = matter.read_endpoints(json.dumps(body).encode())
    assert not isinstance(found, UnreadablePayload)
    (line,) = found
    assert (line.label, line.maker) == ("", "")


@pytest.mark.parametrize(
    ("one", "other", "is_one_device"),
    [
        ("matter/5-1", "matter/5-2", True),
        ("matter/5-1", "matter/6-2", False),
        ("matter/5-1", "upstairs/5-2", False),
        ("matter/5-3-3", "matter/5-4-4", False),
        ("matter/5-4-3", "matter/5-5-3", True),
        ("matter/5-1", "matter/5-4-4", False),
    ],
    ids=["one node", "two nodes", "two servers", "behind a bridge", "one device behind a bridge", "the bridge itself"],
)
def test_a_node_is_one_device_and_a_bridge_has_several_behind_it(one: str, other: str, *, is_one_device: bool) -> None:
    lock, contact = (matter.DEFINITION.carrier(DeviceRef(address)) for address in (one, other))
    assert None not in (lock, contact)
    assert (lock == contact) is is_one_device


def test_the_list_says_which_device_behind_a_bridge_an_endpoint_is() -> None:
    lines = (
        matter.EndpointLine(at=matter.EndpointId(5, 4, 3), kinds=("lock",)),
        matter.EndpointLine(at=matter.EndpointId(6, 1), kinds=("door",)),
    )
    read = matter.read_endpoints(matter.write_endpoints(lines))
    assert not isinstance(read, UnreadablePayload)
    assert [line.at.name for line in read] == ["5-4-3", "6-1"]

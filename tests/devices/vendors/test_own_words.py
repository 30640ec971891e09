"""Perron's own JSON: what one field says hides no other, and nothing unknown ever becomes good."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.commands import Command, Light, LockDoor, QueryState, SetSignal, Sound, UnlockDoor
from devices.reports import (
    ContentReport,
    DoorReport,
    DoorState,
    KeyReport,
    LockReport,
    LockState,
    Report,
    UnreadablePayload,
)
from devices.vendors import locker, nukihub, perron
from devices.vendors.words import DeviceRef, TopicSuffix

NOW = datetime(2026, 3, 2, 13, 5, tzinfo=UTC)
COMPARTMENT, CONTENT, HOOK, STRIKE = (DeviceRef(kind=kind) for kind in ("compartment", "content", "key", "strike"))
GOOD = (
    LockReport(bolt=LockState.LOCKED),
    DoorReport(door=DoorState.CLOSED),
    ContentReport(occupied=False),
    KeyReport(present=True),
)
SAID: dict[str, object] = {"lock": "locked", "door": "closed", "occupied": False, "key": "present"}

json_values = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=8)


def heard(body: object, device_ref: DeviceRef, channel: TopicSuffix = TopicSuffix.STATE) -> tuple[Report, ...]:
    return perron.decode_report(channel, json.dumps(body).encode(), device_ref)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(SAID, json_values)))
def test_only_the_very_words_are_good_news_and_each_field_is_heard_by_itself(body: dict[str, object]) -> None:
    for device_ref in (COMPARTMENT, CONTENT, HOOK):
        for report in heard(body, device_ref):
            if report in GOOD:
                name = list(SAID)[GOOD.index(report)]
                assert body[name] == SAID[name]
                assert type(body[name]) is type(SAID[name])
        names = {type(report) for report in heard(body, device_ref)}
        if device_ref is COMPARTMENT:
            assert (LockReport in names, DoorReport in names, ContentReport in names) == tuple(
                name in body for name in ("lock", "door", "occupied")
            )


@given(st.booleans() | st.none(), st.booleans() | st.none())
def test_what_a_device_says_is_what_is_heard(occupied: bool | None, present: bool | None) -> None:
    for report, device_ref in ((ContentReport(occupied=occupied), CONTENT), (KeyReport(present=present), HOOK)):
        (letter,) = perron.encode_report(report, device_ref)
        assert perron.decode_report(letter.suffix, letter.payload, device_ref) == (report,)


def test_a_strike_never_says_that_a_door_is_closed_or_a_key_is_there() -> None:
    assert heard(SAID, STRIKE) == ()
    for report in GOOD:
        with pytest.raises(ValueError, match="has no word for"):
            perron.encode_report(report, STRIKE)


TIMES: dict[str, object] = {"issued_at": "2026-03-02T13:05:00Z", "expires_at": "2026-03-02T13:05:05Z"}


@pytest.mark.parametrize(
    "body",
    [
        {"do": "open"},
        {"do": "close", "id": "v", "intent": "v", **TIMES},
        {"do": "open", "id": "v", "intent": "v", "issued_at": "2026-03-02T13:05:00Z"},
        {"do": "open", "id": "v", "intent": "v", **TIMES, "expires_at": "soon"},
        {"id": "v", "intent": "v", **TIMES},
        [],
    ],
    ids=str,
)
def test_an_order_without_id_or_expiry_opens_nothing(body: object) -> None:
    said = perron.decode_command(TopicSuffix.SET, json.dumps(body).encode(), STRIKE)
    assert isinstance(said, UnreadablePayload)


COMMANDS: tuple[Command, ...] = (
    UnlockDoor(id="v", intent="v", issued_at=NOW, expires_at=NOW + timedelta(seconds=5), latch=True),
    LockDoor(id="v", intent="v", issued_at=NOW, expires_at=NOW),
    QueryState(echo="1:7"),
    SetSignal(id="s", light=Light.GREEN, sound=Sound.GO),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_ring_to_open_is_never_armed_for_then_whoever_rings_next_would_be_let_in(command: Command) -> None:
    opener = DeviceRef("nuki", kind="strike")
    if isinstance(command, UnlockDoor):
        letter = nukihub.encode_command(command, opener)
        assert (letter.suffix, letter.payload) == (TopicSuffix.SET, b"electricStrikeActuation")
    else:
        with pytest.raises(ValueError, match="cannot be asked"):
            nukihub.encode_command(command, opener)


def test_the_compartments_of_one_board_share_its_account_and_its_end() -> None:
    first, second = (DeviceRef(f"locker/hall/compartment/{n}", kind="compartment") for n in (1, 2))
    assert locker.DEFINITION.base_topic is not None
    assert locker.DEFINITION.base_topic(first) == locker.DEFINITION.base_topic(second) == "locker/hall"
    ends = {locker.topics(one)[TopicSuffix.BRIDGE] for one in (first, second)}
    assert ends == {"locker/hall/availability"}
    assert locker.topics(first)[TopicSuffix.SET] != locker.topics(second)[TopicSuffix.SET]

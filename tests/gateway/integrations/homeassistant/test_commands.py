"""What Home Assistant may ask: what takes access away, where the owner allows it; never what gives any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.home import HomeAssistantSection
from gateway.integrations.homeassistant.commands import (
    MAX_REQUESTS,
    NEVER_REASON,
    NOT_ALLOWED_REASON,
    REQUEST_WINDOW_S,
    CommandRefusal,
    HomeAssistantCommand,
    parse_command,
    to_owner_request,
)
from gateway.protocol import owner_requests
from gateway.system.token_bucket import FixedWindow

ALL = HomeAssistantSection(may=("lock_now", "stop", "somebody_home"))
WORDS = {word.value.encode() for word in HomeAssistantCommand}


def test_unlocking_is_refused_whatever_the_house_file_allows() -> None:
    for word in (b"UNLOCK", b"OPEN"):
        what = parse_command(word)
        assert isinstance(what, HomeAssistantCommand)
        assert to_owner_request(what, ALL, "ha-1") == CommandRefusal(word.decode(), NEVER_REASON)


def test_what_may_be_asked_only_takes_access_away() -> None:
    wishes = [to_owner_request(word, ALL, "ha-1") for word in HomeAssistantCommand]
    assert [wish for wish in wishes if not isinstance(wish, CommandRefusal)] == [
        owner_requests.OwnerLockRequest(id="ha-1", do="lock"),
        owner_requests.OwnerStopRequest(id="ha-1", do="stop"),
        owner_requests.OwnerPresenceRequest(id="ha-1", do="home"),
    ]


def test_without_a_word_of_the_owners_only_lock_now_may_be_asked() -> None:
    allowed = [
        word
        for word in HomeAssistantCommand
        if not isinstance(to_owner_request(word, HomeAssistantSection(), "ha-1"), CommandRefusal)
    ]
    assert allowed == [HomeAssistantCommand.LOCK]
    nothing = HomeAssistantSection(may=())
    assert to_owner_request(HomeAssistantCommand.LOCK, nothing, "ha-1") == CommandRefusal("LOCK", NOT_ALLOWED_REASON)


@pytest.mark.parametrize(
    "payload", [b"", b"lock", b"LOCK ", b"LOCK\n", b'{"do":"lock"}', b"UNLOCK\x00", b"LIFT", "LOCK\u200b".encode()]
)
def test_a_word_is_known_as_it_is_written_or_not_at_all(payload: bytes) -> None:
    assert isinstance(parse_command(payload), CommandRefusal)


@given(st.binary(max_size=200))
def test_whatever_is_sent_is_a_word_or_a_refusal_that_quotes_nothing(payload: bytes) -> None:
    heard = parse_command(payload)
    assert isinstance(heard, HomeAssistantCommand) is (payload in WORDS)
    if isinstance(heard, CommandRefusal):
        assert heard.command == "?"


def test_of_a_flood_only_the_beginning_is_heard_and_calm_ends_it() -> None:
    ration = FixedWindow(MAX_REQUESTS, REQUEST_WINDOW_S)
    assert [ration.take(100.0 + n / 100) for n in range(50)] == [True] * MAX_REQUESTS + [False] * (50 - MAX_REQUESTS)
    assert ration.count == 50
    assert ration.take(100.0 + REQUEST_WINDOW_S)

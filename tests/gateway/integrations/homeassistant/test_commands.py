"""What Home Assistant may ask: what takes access away, where the owner allows it; never what gives any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.home import HomeAssistantSection
from gateway.integrations.homeassistant.commands import MOST, NEVER, NOT_ALLOWED, SPAN, Asked, No, Ration, asked, ruled
from gateway.protocol import owner_requests

ALL = HomeAssistantSection(may=("lock_now", "stop", "somebody_home"))
WORDS = {word.value.encode() for word in Asked}


def test_unlocking_is_refused_whatever_the_house_file_allows() -> None:
    for word in (b"UNLOCK", b"OPEN"):
        what = asked(word)
        assert isinstance(what, Asked)
        assert ruled(what, ALL, "ha-1") == No(word.decode(), NEVER)


def test_what_may_be_asked_only_takes_access_away() -> None:
    wishes = [ruled(word, ALL, "ha-1") for word in Asked]
    assert [wish for wish in wishes if not isinstance(wish, No)] == [
        owner_requests.Lock(id="ha-1", do="lock"),
        owner_requests.Stop(id="ha-1", do="stop"),
        owner_requests.SayHome(id="ha-1", do="home"),
    ]


def test_without_a_word_of_the_owners_only_lock_now_may_be_asked() -> None:
    allowed = [word for word in Asked if not isinstance(ruled(word, HomeAssistantSection(), "ha-1"), No)]
    assert allowed == [Asked.LOCK]
    nothing = HomeAssistantSection(may=())
    assert ruled(Asked.LOCK, nothing, "ha-1") == No("LOCK", NOT_ALLOWED)


@pytest.mark.parametrize(
    "payload", [b"", b"lock", b"LOCK ", b"LOCK\n", b'{"do":"lock"}', b"UNLOCK\x00", b"LIFT", "LOCK\u200b".encode()]
)
def test_a_word_is_known_as_it_is_written_or_not_at_all(payload: bytes) -> None:
    assert isinstance(asked(payload), No)


@given(st.binary(max_size=200))
def test_whatever_is_sent_is_a_word_or_a_refusal_that_quotes_nothing(payload: bytes) -> None:
    heard = asked(payload)
    assert isinstance(heard, Asked) is (payload in WORDS)
    if isinstance(heard, No):
        assert heard.asked == "?"


def test_of_a_flood_only_the_beginning_is_heard_and_calm_ends_it() -> None:
    ration = Ration()
    assert [ration.takes(100.0 + n / 100) for n in range(50)] == [True] * MOST + [False] * (50 - MOST)
    assert ration.dropped == 50 - MOST
    assert ration.takes(100.0 + SPAN)

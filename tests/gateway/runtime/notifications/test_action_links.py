"""One-time links: they do the one thing that was signed, once, and for a while."""

from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import owner_requests
from gateway.protocol.ed25519 import KeyUnusable
from gateway.protocol.keys import link_key
from gateway.runtime.notifications.action_links import (
    NONCE_BYTES,
    ActionLink,
    LinkError,
    LinkPurpose,
    derive_nonce,
    sign_link,
    verify_link,
)
from tests.gateway.domain.delivery.house import open_store
from tests.gateway.domain.delivery.shop import NOW, noon_plus

KEY, OTHER = b"k" * 32, b"o" * 32
NONCE = bytes(range(NONCE_BYTES))
SUBJECTS = {
    LinkPurpose.STOP: "front",
    LinkPurpose.APPROVE: "front.0f3a-visit",
    LinkPurpose.VETO: "front.0f3a-visit",
    LinkPurpose.PERMIT: "front.shop.3",
    LinkPurpose.REFUSE_BRAND: "front.shop.3",
    LinkPurpose.GIVE_TIME: "front.shop.d1",
    LinkPurpose.REFUSE_TIME: "front.shop.d1",
}
SOON = NOW.utc + timedelta(minutes=15)


def token(purpose: LinkPurpose = LinkPurpose.STOP, key: bytes = KEY) -> str:
    return sign_link(purpose, SUBJECTS[purpose], SOON, NONCE, key)


@pytest.mark.parametrize("purpose", LinkPurpose)
def test_what_was_signed_is_read(purpose: LinkPurpose) -> None:
    link = verify_link(token(purpose), KEY, NOW)
    assert isinstance(link, ActionLink)
    assert (link.purpose, link.entrance, link.expires, link.nonce) == (purpose, "front", SOON, NONCE)
    assert link.request.id == f"link-{NONCE.hex()}"


@pytest.mark.parametrize("purpose", LinkPurpose)
def test_another_boxs_link_does_nothing(purpose: LinkPurpose) -> None:
    assert verify_link(token(purpose, OTHER), KEY, NOW) is LinkError.FORGED


@given(st.integers(0, 200), st.sampled_from("Aa0_-.=\n é"))
def test_a_link_with_one_character_changed_does_nothing(at: int, other: str) -> None:
    good = token(LinkPurpose.PERMIT)
    at %= len(good)
    changed = good[:at] + other + good[at + 1 :]
    assert changed == good or verify_link(changed, KEY, NOW) is LinkError.FORGED


@given(st.text(max_size=50) | st.text("ABab01-_.", max_size=900))
def test_no_text_from_outside_breaks_the_reader(text: str) -> None:
    assert verify_link(text, KEY, NOW) is LinkError.FORGED


def test_a_link_has_one_spelling() -> None:
    said, mac = token().split(".")
    assert verify_link(f"{said}=.{mac}", KEY, NOW) is LinkError.FORGED
    assert verify_link(f"{said}.{mac}.", KEY, NOW) is LinkError.FORGED
    assert verify_link(f"{said}.{urlsafe_b64encode(b'x' * 32).decode()}", KEY, NOW) is LinkError.FORGED


def test_a_link_expires_to_the_second() -> None:
    assert isinstance(verify_link(token(), KEY, noon_plus(minutes=14, seconds=59)), ActionLink)
    assert verify_link(token(), KEY, noon_plus(minutes=15)) is LinkError.EXPIRED


def test_with_an_untrusted_clock_only_a_stop_counts() -> None:
    unsure = replace(NOW, trusted=False)
    read_so = {purpose: verify_link(token(purpose), KEY, unsure) for purpose in LinkPurpose}
    assert isinstance(read_so.pop(LinkPurpose.STOP), ActionLink)
    assert set(read_so.values()) == {LinkError.CLOCK_UNTRUSTED}


def test_links_live_as_long_as_what_they_answer() -> None:
    assert {
        LinkPurpose.APPROVE: timedelta(minutes=15),
        LinkPurpose.VETO: timedelta(minutes=15),
        LinkPurpose.STOP: timedelta(hours=24),
        LinkPurpose.PERMIT: timedelta(days=7),
        LinkPurpose.REFUSE_BRAND: timedelta(days=7),
        LinkPurpose.GIVE_TIME: timedelta(minutes=30),
        LinkPurpose.REFUSE_TIME: timedelta(minutes=30),
    } == {purpose: purpose.lifetime for purpose in LinkPurpose}


def test_a_link_asks_in_the_owners_words_for_this_and_nothing_else() -> None:
    def asked(purpose: LinkPurpose) -> tuple[str, dict[str, object], int | None]:
        link = verify_link(token(purpose), KEY, NOW)
        assert isinstance(link, ActionLink)
        # As it would come over MQTT
        assert owner_requests.parse_owner_request(link.request.model_dump_json().encode()) == link.request
        return link.entrance, link.request.model_dump(exclude={"id"}), link.permission_version

    assert asked(LinkPurpose.STOP) == ("front", {"do": "stop"}, None)
    assert asked(LinkPurpose.APPROVE) == ("front", {"do": "approve", "visit": "0f3a-visit"}, None)
    assert asked(LinkPurpose.VETO) == ("front", {"do": "refuse", "visit": "0f3a-visit"}, None)
    assert asked(LinkPurpose.PERMIT) == ("front", {"do": "permit", "brand": "shop"}, 3)
    assert asked(LinkPurpose.GIVE_TIME) == ("front", {"do": "give_time", "delivery": "shop.d1"}, None)
    assert asked(LinkPurpose.REFUSE_TIME) == ("front", {"do": "refuse_time", "delivery": "shop.d1"}, None)
    assert asked(LinkPurpose.REFUSE_BRAND) == ("front", {"do": "refuse_brand", "brand": "shop"}, 3)


@pytest.mark.parametrize(
    ("purpose", "subject"),
    [
        (LinkPurpose.STOP, ""),
        (LinkPurpose.STOP, "front.visit"),
        (LinkPurpose.STOP, "front\n"),
        (LinkPurpose.APPROVE, "front"),
        (LinkPurpose.APPROVE, "front."),
        (LinkPurpose.PERMIT, "front.shop"),
        (LinkPurpose.PERMIT, "front.shop.x"),
        (LinkPurpose.PERMIT, "front.shop.3.4"),
    ],
)
def test_what_no_link_can_be_about_is_a_bug(purpose: LinkPurpose, subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        sign_link(purpose, subject, SOON, NONCE, KEY)


def test_all_copies_of_a_message_carry_one_nonce_and_each_action_its_own() -> None:
    same = {derive_nonce("1", LinkPurpose.STOP, "front", KEY) for _ in range(3)}
    others = {
        derive_nonce("2", LinkPurpose.STOP, "front", KEY),
        derive_nonce("1", LinkPurpose.VETO, "front", KEY),
        derive_nonce("1", LinkPurpose.STOP, "garage", KEY),
        derive_nonce("1", LinkPurpose.STOP, "front", OTHER),
    }
    assert (len(same), len(others), same & others) == (1, 4, set())
    assert {len(one) for one in same | others} == {NONCE_BYTES}


def test_a_token_may_stand_in_a_url() -> None:
    permit = token(LinkPurpose.PERMIT)
    assert permit.isascii()
    assert not set(permit) & set(" ?#&%,;/\"'")


# ---- the key


def test_the_key_is_made_once_and_is_the_boxs_alone(tmp_path: Path) -> None:
    key = link_key(tmp_path / "key")
    assert (len(key), link_key(tmp_path / "key")) == (32, key)
    assert (tmp_path / "key" / "links.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_may_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    link_key(tmp_path)
    (tmp_path / "links.key").chmod(0o644)
    with pytest.raises(KeyUnusable, match="others"):
        link_key(tmp_path)
    (tmp_path / "links.key").chmod(0o600)
    (tmp_path / "links.key").write_bytes(b"short")
    with pytest.raises(KeyUnusable, match="no link key"):
        link_key(tmp_path)


# ---- once


async def test_a_link_is_used_once_also_over_a_restart(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert await store.accounts.use_link(NONCE, SOON, NOW) is True
        assert await store.accounts.use_link(NONCE, SOON, NOW) is False
        assert await store.accounts.use_link(b"another", SOON, NOW) is True
    async with open_store(tmp_path) as store:
        assert await store.accounts.use_link(NONCE, SOON, noon_plus(minutes=14)) is False


async def test_a_used_link_is_forgotten_when_it_has_expired_and_never_counts_again(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.accounts.use_link(NONCE, SOON, NOW)
        wrong = replace(noon_plus(days=400), trusted=False)  # a clock that runs ahead for a while
        assert await store.accounts.use_link(b"another", wrong.utc + timedelta(hours=1), wrong) is True
        assert await store.accounts.use_link(NONCE, SOON, noon_plus(minutes=1)) is False
        assert await store.accounts.use_link(NONCE, SOON, noon_plus(minutes=16)) is False  # expired, and forgotten now
        assert await store.accounts.use_link(NONCE, SOON + timedelta(hours=1), noon_plus(minutes=16)) is True

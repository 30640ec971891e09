"""What a browser signs: believed as it was signed, by whom, for whom and in its time; never one thing for another."""

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from gateway.protocol.browser_envelope import Jwk, coded, private_key
from gateway.protocol.browser_messages import LONG, SOON, Deny, Order, Stop, Token
from gateway.protocol.browser_token import (
    LARGEST_TOKEN,
    ORDER_TYPE,
    SKEW,
    TOKEN_TYPE,
    Untrue,
    believed,
    in_time,
    named,
    order,
    sign,
    signer,
)

BROWSER, OTHER, HOME = "brw-" + "ab" * 16, "brw-" + "cd" * 16, "home-1"
HUB, NOW = "https://hub.example", 1_800_000_000

own, stranger = private_key(bytes(31) + b"\x07"), private_key(bytes(31) + b"\x09")
KEY, STRANGER = Jwk.of(own.public_key()), Jwk.of(stranger.public_key())

TOKEN = Token(iss=BROWSER, sub=HOME, aud=HUB, iat=NOW, exp=NOW + 300)
STOP = Order(
    iss=BROWSER, aud=HOME, jti="00000000-0000-4000-8000-000000000001", number=7, iat=NOW, exp=NOW + SOON,
    order=Stop(do="stop"),
)  # fmt: skip


def forged(kind: str, claims: dict[str, Any], *, head: dict[str, Any] | None = None) -> bytes:
    header = {"alg": "ES256", "typ": kind, "kid": BROWSER} if head is None else head
    whole = b".".join(coded(json.dumps(one, separators=(",", ":")).encode()) for one in (header, claims))
    return whole + b"." + coded(signer(own)(whole))


def token_of(**changed: object) -> bytes:
    return forged(TOKEN_TYPE, TOKEN.model_dump() | changed)


def order_of(**changed: object) -> bytes:
    return forged(ORDER_TYPE, STOP.model_dump(exclude_none=True) | changed)


def test_a_token_is_believed_and_so_is_an_order() -> None:
    assert believed(sign(TOKEN, signer(own)), KEY, audience=HUB, seconds=NOW) == TOKEN
    assert order(sign(STOP, signer(own)), KEY, browser=BROWSER, home=HOME) == STOP


def test_others_sign_and_read_the_same() -> None:
    key = ECKey.import_key(own)
    head = {"alg": "ES256", "typ": ORDER_TYPE, "kid": BROWSER}
    theirs = jws.serialize_compact(head, STOP.model_dump_json(exclude_none=True), key, algorithms=["ES256"])
    assert order(theirs.encode(), KEY, browser=BROWSER, home=HOME) == STOP
    assert jws.deserialize_compact(sign(STOP, signer(own)), key, algorithms=["ES256"]).payload


def test_whatever_byte_is_altered_nothing_is_believed() -> None:
    for whole, read in (
        (sign(TOKEN, signer(own)), lambda token: believed(token, KEY, audience=HUB, seconds=NOW)),
        (sign(STOP, signer(own)), lambda token: order(token, KEY, browser=BROWSER, home=HOME)),
    ):
        for at in range(len(whole)):
            for other in {ord("A"), ord("."), ord("_"), whole[at] ^ 1} - {whole[at]}:
                found = read(whole[:at] + bytes([other]) + whole[at + 1 :])
                assert isinstance(found, Untrue), at


def test_another_s_key_another_browser_and_another_home_are_not_believed() -> None:
    whole = sign(STOP, signer(own))
    assert order(whole, STRANGER, browser=BROWSER, home=HOME) is Untrue.WRONG_SIGNATURE
    assert order(whole, KEY, browser=OTHER, home=HOME) is Untrue.MALFORMED
    assert order(whole, KEY, browser=BROWSER, home="home-2") is Untrue.WRONG_AUDIENCE
    assert order(order_of(iss=OTHER), KEY, browser=BROWSER, home=HOME) is Untrue.WRONG_CLAIMS
    assert believed(token_of(), STRANGER, audience=HUB, seconds=NOW) is Untrue.WRONG_SIGNATURE
    assert believed(token_of(), KEY, audience="https://other.example", seconds=NOW) is Untrue.WRONG_AUDIENCE


def test_a_token_is_no_order_and_an_order_no_token() -> None:
    assert order(sign(TOKEN, signer(own)), KEY, browser=BROWSER, home=HOME) is Untrue.MALFORMED
    assert order(forged(ORDER_TYPE, TOKEN.model_dump()), KEY, browser=BROWSER, home=HOME) is Untrue.WRONG_CLAIMS
    assert believed(sign(STOP, signer(own)), KEY, audience=HUB, seconds=NOW) is Untrue.MALFORMED


@pytest.mark.parametrize("head", [
    {"alg": "none", "typ": ORDER_TYPE, "kid": BROWSER},
    {"alg": "HS256", "typ": ORDER_TYPE, "kid": BROWSER},
    {"typ": ORDER_TYPE, "alg": "ES256", "kid": BROWSER},
    {"alg": "ES256", "typ": ORDER_TYPE, "kid": BROWSER, "jwk": KEY.model_dump()},
    {"alg": "ES256", "typ": ORDER_TYPE, "kid": BROWSER, "crit": ["exp"]},
])  # fmt: skip
def test_no_other_header_is_believed(head: dict[str, Any]) -> None:
    whole = forged(ORDER_TYPE, STOP.model_dump(exclude_none=True), head=head)
    assert order(whole, KEY, browser=BROWSER, home=HOME) is Untrue.MALFORMED


@pytest.mark.parametrize("changed", [
    {"number": 0}, {"number": 1.5}, {"number": "7"}, {"number": 2**53}, {"jti": "x"}, {"exp": NOW}, {"exp": NOW - 1},
    {"exp": NOW + SOON + 1}, {"order": {"do": "resume"}}, {"order": {"do": "lift"}}, {"order": {"do": "stop", "x": 1}},
    {"order": {"do": "permit", "brand": "shop"}}, {"order": {"do": "unlock", "entrance": "front"}}, {"more": True},
    {"iat": None},
])  # fmt: skip
def test_claims_that_are_none_are_refused(changed: dict[str, Any]) -> None:
    assert order(order_of(**changed), KEY, browser=BROWSER, home=HOME) is Untrue.WRONG_CLAIMS


def test_a_key_that_stands_twice_is_refused() -> None:
    text = STOP.model_dump_json(exclude_none=True)[:-1] + ',"number":8}'
    whole = b".".join((coded(b'{"alg":"ES256","typ":"%s","kid":"%s"}' % (ORDER_TYPE.encode(), BROWSER.encode())),
                       coded(text.encode())))  # fmt: skip
    assert order(whole + b"." + coded(signer(own)(whole)), KEY, browser=BROWSER, home=HOME) is Untrue.WRONG_CLAIMS


def test_a_stop_lives_a_quarter_of_an_hour_and_a_revocation_a_day() -> None:
    assert in_time(STOP, NOW) is None
    assert in_time(STOP, NOW + SOON - 1) is None
    assert in_time(STOP, NOW + SOON) is Untrue.NO_LONGER_VALID
    assert in_time(STOP, NOW - SKEW) is None
    assert in_time(STOP, NOW - SKEW - 1) is Untrue.NOT_YET_VALID
    revoke = {"do": "revoke", "brand": "shop"}
    said = order(order_of(order=revoke, exp=NOW + LONG), KEY, browser=BROWSER, home=HOME)
    assert isinstance(said, Order)
    assert said.order == Deny(do="revoke", brand="shop")
    assert in_time(said, NOW + LONG - 1) is None


def test_a_token_lives_five_minutes_and_a_minute_of_a_wrong_clock() -> None:
    whole = token_of()
    for seconds, found in (
        (NOW - SKEW, TOKEN), (NOW - SKEW - 1, Untrue.NOT_YET_VALID),
        (NOW + 300 + SKEW - 1, TOKEN), (NOW + 300 + SKEW, Untrue.NO_LONGER_VALID),
    ):  # fmt: skip
        assert believed(whole, KEY, audience=HUB, seconds=seconds) == found
    assert believed(token_of(exp=NOW + 301), KEY, audience=HUB, seconds=NOW) is Untrue.WRONG_CLAIMS


def test_whom_a_token_names_is_read_before_anything_is_believed() -> None:
    assert named(token_of()) == TOKEN
    assert named(b"x" * 10) is None
    assert named(token_of(aud="x" * LARGEST_TOKEN)) is None
    assert named(token_of(sub="../home")) is None

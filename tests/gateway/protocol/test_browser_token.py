"""What a browser signs: believed as it was signed, by whom, for whom and in its time; never one thing for another."""

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from gateway.protocol.browser_envelope import Jwk, load_private_key
from gateway.protocol.browser_messages import (
    DEFERRED_ORDER_LIFETIME_S,
    IMMEDIATE_ORDER_LIFETIME_S,
    BrowserTokenClaims,
    DenyOrder,
    Order,
    StopOrder,
)
from gateway.protocol.browser_token import (
    MAX_CLOCK_SKEW_S,
    MAX_TOKEN_BYTES,
    TokenRejection,
    read_unverified,
    sign,
    validity_error,
    verify_order,
    verify_token,
)
from gateway.system.base64url import encode_base64url
from tests.remotebrowser import webcrypto_signer

BROWSER, OTHER, HOME = "brw-" + "ab" * 16, "brw-" + "cd" * 16, "home-1"
HUB, NOW = "https://hub.example", 1_800_000_000

own, stranger = load_private_key(bytes(31) + b"\x07"), load_private_key(bytes(31) + b"\x09")
KEY, STRANGER = Jwk.of(own.public_key()), Jwk.of(stranger.public_key())

TOKEN = BrowserTokenClaims(iss=BROWSER, sub=HOME, aud=HUB, iat=NOW, exp=NOW + 300)
STOP = Order(
    iss=BROWSER,
    aud=HOME,
    jti="00000000-0000-4000-8000-000000000001",
    number=7,
    iat=NOW,
    exp=NOW + IMMEDIATE_ORDER_LIFETIME_S,
    order=StopOrder(do="stop"),
)


def encoded(data: bytes) -> bytes:
    return encode_base64url(data).encode()


def forged(kind: str, claims: dict[str, Any], *, head: dict[str, Any] | None = None) -> bytes:
    header = {"alg": "ES256", "typ": kind, "kid": BROWSER} if head is None else head
    whole = b".".join(encoded(json.dumps(one, separators=(",", ":")).encode()) for one in (header, claims))
    return whole + b"." + encoded(webcrypto_signer(own)(whole))


def token_of(**changed: object) -> bytes:
    return forged("perron-browser+jwt", TOKEN.model_dump() | changed)


def order_of(**changed: object) -> bytes:
    return forged("perron-order+jwt", STOP.model_dump(exclude_none=True) | changed)


def test_a_token_is_believed_and_so_is_an_order() -> None:
    assert verify_token(sign(TOKEN, webcrypto_signer(own)), KEY, audience=HUB, seconds=NOW) == TOKEN
    assert verify_order(sign(STOP, webcrypto_signer(own)), KEY, browser=BROWSER, home=HOME) == STOP


def test_others_sign_and_read_the_same() -> None:
    key = ECKey.import_key(own)
    head = {"alg": "ES256", "typ": "perron-order+jwt", "kid": BROWSER}
    theirs = jws.serialize_compact(head, STOP.model_dump_json(exclude_none=True), key, algorithms=["ES256"])
    assert verify_order(theirs.encode(), KEY, browser=BROWSER, home=HOME) == STOP
    assert jws.deserialize_compact(sign(STOP, webcrypto_signer(own)), key, algorithms=["ES256"]).payload


def test_whatever_byte_is_altered_nothing_is_believed() -> None:
    for whole, read in (
        (sign(TOKEN, webcrypto_signer(own)), lambda token: verify_token(token, KEY, audience=HUB, seconds=NOW)),
        (sign(STOP, webcrypto_signer(own)), lambda token: verify_order(token, KEY, browser=BROWSER, home=HOME)),
    ):
        for at in range(len(whole)):
            for other in {ord("A"), ord("."), ord("_"), whole[at] ^ 1} - {whole[at]}:
                found = read(whole[:at] + bytes([other]) + whole[at + 1 :])
                assert isinstance(found, TokenRejection), at


def test_another_s_key_another_browser_and_another_home_are_not_believed() -> None:
    whole = sign(STOP, webcrypto_signer(own))
    assert verify_order(whole, STRANGER, browser=BROWSER, home=HOME) is TokenRejection.WRONG_SIGNATURE
    assert verify_order(whole, KEY, browser=OTHER, home=HOME) is TokenRejection.MALFORMED
    assert verify_order(whole, KEY, browser=BROWSER, home="home-2") is TokenRejection.WRONG_AUDIENCE
    assert verify_order(order_of(iss=OTHER), KEY, browser=BROWSER, home=HOME) is TokenRejection.WRONG_CLAIMS
    assert verify_token(token_of(), STRANGER, audience=HUB, seconds=NOW) is TokenRejection.WRONG_SIGNATURE
    assert verify_token(token_of(), KEY, audience="https://other.example", seconds=NOW) is TokenRejection.WRONG_AUDIENCE


def test_a_token_is_no_order_and_an_order_no_token() -> None:
    assert verify_order(sign(TOKEN, webcrypto_signer(own)), KEY, browser=BROWSER, home=HOME) is TokenRejection.MALFORMED
    assert (
        verify_order(forged("perron-order+jwt", TOKEN.model_dump()), KEY, browser=BROWSER, home=HOME)
        is TokenRejection.WRONG_CLAIMS
    )
    assert verify_token(sign(STOP, webcrypto_signer(own)), KEY, audience=HUB, seconds=NOW) is TokenRejection.MALFORMED


@pytest.mark.parametrize("head", [
    {"alg": "none", "typ": "perron-order+jwt", "kid": BROWSER},
    {"alg": "HS256", "typ": "perron-order+jwt", "kid": BROWSER},
    {"typ": "perron-order+jwt", "alg": "ES256", "kid": BROWSER},
    {"alg": "ES256", "typ": "perron-order+jwt", "kid": BROWSER, "jwk": KEY.model_dump()},
    {"alg": "ES256", "typ": "perron-order+jwt", "kid": BROWSER, "crit": ["exp"]},
])  # fmt: skip
def test_no_other_header_is_believed(head: dict[str, Any]) -> None:
    whole = forged("perron-order+jwt", STOP.model_dump(exclude_none=True), head=head)
    assert verify_order(whole, KEY, browser=BROWSER, home=HOME) is TokenRejection.MALFORMED


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 0},
        {"number": 1.5},
        {"number": "7"},
        {"number": 2**53},
        {"jti": "x"},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": NOW + IMMEDIATE_ORDER_LIFETIME_S + 1},
        {"order": {"do": "resume"}},
        {"order": {"do": "lift"}},
        {"order": {"do": "stop", "x": 1}},
        {"order": {"do": "permit", "brand": "shop"}},
        {"order": {"do": "unlock", "entrance": "front"}},
        {"more": True},
        {"iat": None},
    ],
)
def test_claims_that_are_none_are_refused(changed: dict[str, Any]) -> None:
    assert verify_order(order_of(**changed), KEY, browser=BROWSER, home=HOME) is TokenRejection.WRONG_CLAIMS


def test_a_key_that_stands_twice_is_refused() -> None:
    text = STOP.model_dump_json(exclude_none=True)[:-1] + ',"number":8}'
    whole = b".".join(
        (
            encoded(b'{"alg":"ES256","typ":"%s","kid":"%s"}' % (b"perron-order+jwt", BROWSER.encode())),
            encoded(text.encode()),
        )
    )
    assert (
        verify_order(whole + b"." + encoded(webcrypto_signer(own)(whole)), KEY, browser=BROWSER, home=HOME)
        is TokenRejection.WRONG_CLAIMS
    )


def test_a_stop_lives_a_quarter_of_an_hour_and_a_revocation_a_day() -> None:
    assert validity_error(STOP, NOW) is None
    assert validity_error(STOP, NOW + IMMEDIATE_ORDER_LIFETIME_S - 1) is None
    assert validity_error(STOP, NOW + IMMEDIATE_ORDER_LIFETIME_S) is TokenRejection.NO_LONGER_VALID
    assert validity_error(STOP, NOW - MAX_CLOCK_SKEW_S) is None
    assert validity_error(STOP, NOW - MAX_CLOCK_SKEW_S - 1) is TokenRejection.NOT_YET_VALID
    revoke = {"do": "revoke", "brand": "shop"}
    said = verify_order(order_of(order=revoke, exp=NOW + DEFERRED_ORDER_LIFETIME_S), KEY, browser=BROWSER, home=HOME)
    assert isinstance(said, Order)
    assert said.order == DenyOrder(do="revoke", brand="shop")
    assert validity_error(said, NOW + DEFERRED_ORDER_LIFETIME_S - 1) is None


def test_a_token_lives_five_minutes_and_a_minute_of_a_wrong_clock() -> None:
    whole = token_of()
    for seconds, found in (
        (NOW - MAX_CLOCK_SKEW_S, TOKEN), (NOW - MAX_CLOCK_SKEW_S - 1, TokenRejection.NOT_YET_VALID),
        (NOW + 300 + MAX_CLOCK_SKEW_S - 1, TOKEN), (NOW + 300 + MAX_CLOCK_SKEW_S, TokenRejection.NO_LONGER_VALID),
    ):  # fmt: skip
        assert verify_token(whole, KEY, audience=HUB, seconds=seconds) == found
    assert verify_token(token_of(exp=NOW + 301), KEY, audience=HUB, seconds=NOW) is TokenRejection.WRONG_CLAIMS


def test_whom_a_token_names_is_read_before_anything_is_believed() -> None:
    assert read_unverified(token_of()) == TOKEN
    assert read_unverified(b"x" * 10) is None
    assert read_unverified(token_of(aud="x" * MAX_TOKEN_BYTES)) is None
    assert read_unverified(token_of(sub="../home")) is None

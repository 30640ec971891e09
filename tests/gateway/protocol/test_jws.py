"""Forgeries: each is refused for its own reason, before anything of it is believed."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from hmac import digest
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from gateway.domain.delivery.promise import Claims
from gateway.domain.now import Now
from gateway.protocol.delivery_message import MAX_MESSAGE_BYTES, sign_delivery, verify_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode
from tests.gateway.domain.delivery.shop import (
    BOX,
    NOW,
    SECRETS,
    enrolled_keys,
    make_claims,
    make_offer,
    noon_plus,
    sign_claims,
)

KEYS = enrolled_keys()
HEADER: dict[str, Any] = {"alg": "Ed25519", "kid": "shop-1", "typ": "perron-delivery+jwt"}


def b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def forged(header: object, payload: bytes, key: SigningKey = SECRETS["shop"]) -> bytes:
    """Any header and payload, truly signed with Ed25519 (not by the library, which refuses some)."""
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = b64(written) + b"." + b64(payload)
    return body + b"." + b64(key.sign(body))


def payload(**changes: Any) -> bytes:  # noqa: ANN401 - any claim
    known = json.loads(make_claims(make_offer()).model_dump_json(exclude_none=True))
    return json.dumps({k: v for k, v in (known | changes).items() if v is not ...}).encode()


def fault(token: bytes, *, box: str = BOX, now: Now = NOW) -> RejectionCode | None:
    found = verify_delivery(token, KEYS, box=box, now=now)
    return found.code if isinstance(found, RejectedMessage) else None


def test_a_brands_own_word_is_believed() -> None:
    message = make_claims(make_offer())
    assert verify_delivery(sign_claims(message), KEYS, box=BOX, now=NOW) == message
    assert fault(forged(HEADER, payload())) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER | {"alg": "none"}, RejectionCode.WRONG_ALGORITHM),
        (HEADER | {"alg": "HS256"}, RejectionCode.WRONG_ALGORITHM),
        (HEADER | {"alg": "EdDSA"}, RejectionCode.WRONG_ALGORITHM),
        (HEADER | {"alg": "ed25519"}, RejectionCode.WRONG_ALGORITHM),
        (HEADER | {"alg": ["Ed25519"]}, RejectionCode.WRONG_ALGORITHM),
        (HEADER | {"alg": None}, RejectionCode.WRONG_ALGORITHM),
        (HEADER | {"typ": "JWT"}, RejectionCode.WRONG_TYPE),
        ({k: v for k, v in HEADER.items() if k != "typ"}, RejectionCode.WRONG_TYPE),
        (HEADER | {"kid": "nobody"}, RejectionCode.UNKNOWN_KEY),
        (HEADER | {"kid": ["shop-1"]}, RejectionCode.UNKNOWN_KEY),
        (HEADER | {"kid": "farm-1"}, RejectionCode.WRONG_SIGNATURE),
        (HEADER | {"jwk": SECRETS["shop"].jwk.as_dict(private=False)}, RejectionCode.WRONG_HEADER),
        (HEADER | {"jku": "https://example.org/keys"}, RejectionCode.WRONG_HEADER),
        (HEADER | {"x5u": "https://example.org/cert"}, RejectionCode.WRONG_HEADER),
        (HEADER | {"x5c": ["MIIB"]}, RejectionCode.WRONG_HEADER),
        (HEADER | {"crit": ["exp"]}, RejectionCode.WRONG_HEADER),
        (HEADER | {"b64": False}, RejectionCode.WRONG_HEADER),
        (HEADER | {"zip": "DEF"}, RejectionCode.WRONG_HEADER),
        ([], RejectionCode.WRONG_HEADER),
        (b'{"alg":"Ed25519","alg":"none","kid":"shop-1","typ":"perron-delivery+jwt"}', RejectionCode.MALFORMED),
        (b"[" * 10_000, RejectionCode.MALFORMED),
        (b'{"alg":NaN}', RejectionCode.MALFORMED),
        (b"\xff\xfe", RejectionCode.MALFORMED),
        (b'{"alg": 1' + b"0" * 5000 + b"}", RejectionCode.MALFORMED),
    ],
)
def test_a_header_that_asks_for_anything_else_is_refused(header: object, expected: RejectionCode) -> None:
    assert fault(forged(header, payload())) is expected


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    """HS256 over the public key, the oldest trick."""
    body = b64(json.dumps(HEADER | {"alg": "HS256"}).encode()) + b"." + b64(payload())
    for secret in (SECRETS["shop"].public.text.encode(), urlsafe_b64decode(SECRETS["shop"].public.text + "=")):
        assert fault(body + b"." + b64(digest(secret, body, "sha256"))) is RejectionCode.WRONG_ALGORITHM
        same = b64(json.dumps(HEADER).encode()) + b"." + b64(payload())
        assert fault(same + b"." + b64(digest(secret, same, "sha256"))) is RejectionCode.WRONG_SIGNATURE


def test_no_signature_is_no_signature() -> None:
    head, body, _ = sign_claims(make_claims(make_offer())).split(b".")
    assert fault(b".".join((head, body, b""))) is RejectionCode.MALFORMED
    none = b64(json.dumps({"alg": "none", "typ": "perron-delivery+jwt", "kid": "shop-1"}).encode())
    assert fault(b".".join((none, body, b""))) is RejectionCode.MALFORMED
    assert fault(b".".join((none, body, b64(b"0" * 64)))) is RejectionCode.WRONG_ALGORITHM


def test_a_strangers_signature_does_not_hold() -> None:
    assert fault(forged(HEADER, payload(), SECRETS["stranger"])) is RejectionCode.WRONG_SIGNATURE


def test_one_brand_cannot_speak_for_another() -> None:
    assert fault(forged(HEADER, payload(iss="farm"))) is RejectionCode.WRONG_ISSUER
    assert fault(forged(HEADER | {"kid": "farm-1"}, payload(iss="shop"), SECRETS["farm"])) is RejectionCode.WRONG_ISSUER


SECONDS = int(NOW.utc.timestamp())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": "box-2"}, RejectionCode.WRONG_AUDIENCE),
        ({"aud": [BOX]}, RejectionCode.WRONG_CLAIMS),
        ({"exp": SECONDS}, RejectionCode.NO_LONGER_VALID),
        ({"exp": SECONDS - 1, "iat": SECONDS - 10}, RejectionCode.NO_LONGER_VALID),
        ({"nbf": SECONDS + 61}, RejectionCode.NOT_YET_VALID),
        ({"iat": SECONDS + 61}, RejectionCode.NOT_YET_VALID),
        ({"nbf": SECONDS + 60, "iat": SECONDS + 60}, None),
        ({"exp": SECONDS + 32 * 86400}, RejectionCode.WRONG_CLAIMS),
        ({"exp": SECONDS + 30, "iat": SECONDS + 40}, RejectionCode.WRONG_CLAIMS),
        ({"exp": float(SECONDS + 60)}, RejectionCode.WRONG_CLAIMS),
        ({"exp": str(SECONDS + 60)}, RejectionCode.WRONG_CLAIMS),
        ({"exp": True}, RejectionCode.WRONG_CLAIMS),
        ({"exp": 10**15}, RejectionCode.WRONG_CLAIMS),
        ({"exp": 10**30}, RejectionCode.WRONG_CLAIMS),
        ({"exp": ...}, RejectionCode.WRONG_CLAIMS),
        ({"nbf": ...}, RejectionCode.WRONG_CLAIMS),
        ({"iat": ...}, RejectionCode.WRONG_CLAIMS),
        ({"jti": ...}, RejectionCode.WRONG_CLAIMS),
        ({"jti": "short"}, RejectionCode.WRONG_CLAIMS),
        ({"jti": "a" * 16 + "\n"}, RejectionCode.WRONG_CLAIMS),
        ({"iss": ...}, RejectionCode.WRONG_CLAIMS),
        ({"delivery": ...}, RejectionCode.WRONG_CLAIMS),
        ({"delivery": []}, RejectionCode.WRONG_CLAIMS),
        ({"sub": "courier"}, RejectionCode.WRONG_CLAIMS),
    ],
)
def test_every_claim_counts(changes: dict[str, Any], expected: RejectionCode | None) -> None:
    assert fault(forged(HEADER, payload(**changes))) is expected


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"null",
        b"{",
        b'{"iss":"shop","iss":"farm"}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"a":"' + b"]" * 5000 + b'","b":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b"\xff",
        b"\xef\xbb\xbf{}",
    ],
)
def test_signed_json_bombs_are_refused_in_words(bad: bytes) -> None:
    found = verify_delivery(forged(HEADER, bad), KEYS, box=BOX, now=NOW)
    assert isinstance(found, RejectedMessage)
    assert found.code in {RejectionCode.WRONG_CLAIMS, RejectionCode.TOO_LARGE, RejectionCode.MALFORMED}
    assert found.why.isprintable()
    assert len(found.why) < 300


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"..",
        b"a.b",
        b"a.b.c.d",
        b" " + sign_claims(make_claims(make_offer())),
        sign_claims(make_claims(make_offer())) + b"\n",
        sign_claims(make_claims(make_offer())) + b"=",
        sign_claims(make_claims(make_offer())).replace(b".", b" .", 1),
        b"\x00" * 100,
        "é.é.é".encode(),
        b"a.a.a",
    ],
)
def test_garbage_is_malformed(token: bytes) -> None:
    assert fault(token) is RejectionCode.MALFORMED


def test_too_much_is_refused_unread() -> None:
    assert fault(b"a" * (MAX_MESSAGE_BYTES + 1)) is RejectionCode.TOO_LARGE


def test_fifty_parcels_of_128_characters_fit() -> None:
    parcels = tuple(f"{n:02}" + "x" * 126 for n in range(50))
    assert fault(sign_claims(make_claims(make_offer(parcels=parcels)))) is None


def test_without_trusted_time_no_message_can_be_judged() -> None:
    untrusted = Now(utc=NOW.utc, trusted=False, mono=0.0)
    assert fault(sign_claims(make_claims(make_offer())), now=untrusted) is RejectionCode.CLOCK_UNTRUSTED


def test_a_message_is_believed_until_its_last_second() -> None:
    token = sign_claims(make_claims(make_offer()))
    assert fault(token, now=noon_plus(seconds=3599)) is None
    assert fault(token, now=noon_plus(seconds=3600)) is RejectionCode.NO_LONGER_VALID


def test_a_rejection_repeats_nothing_of_the_message() -> None:
    hostile = "\x1b[2Jboo"
    for changes in ({hostile: 1}, {"delivery": {"do": hostile}}, {"delivery": {"do": "cancel", "id": hostile}}):
        found = verify_delivery(forged(HEADER, payload(**changes)), KEYS, box=BOX, now=NOW)
        assert isinstance(found, RejectedMessage)
        assert "boo" not in found.why


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_flipped_bit_survives(place: int, bit: int) -> None:
    token = bytearray(TOKEN)
    token[place % len(token)] ^= 1 << bit
    assert isinstance(verify_delivery(bytes(token), KEYS, box=BOX, now=NOW), RejectedMessage)


TOKEN = sign_claims(make_claims(make_offer()))


@given(st.binary(max_size=300))
def test_no_bytes_break_it(token: bytes) -> None:
    assert isinstance(verify_delivery(token, KEYS, box=BOX, now=NOW), RejectedMessage)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_signed_json_breaks_it(value: object) -> None:
    token = forged(HEADER, json.dumps(value).encode())
    assert isinstance(verify_delivery(token, KEYS, box=BOX, now=NOW), RejectedMessage)
    known = json.loads(payload())
    token = forged(HEADER, json.dumps(known | {"delivery": value}).encode())
    assert isinstance(verify_delivery(token, KEYS, box=BOX, now=NOW), RejectedMessage)


def test_what_we_sign_any_reader_of_the_standard_verifies() -> None:
    """The signature is RFC 8032's over RFC 7515's signing input, by the cryptography library alone."""
    head, body, signature = TOKEN.split(b".")
    public = Ed25519PublicKey.from_public_bytes(SECRETS["shop"].public.raw)
    public.verify(urlsafe_b64decode(signature + b"=="), head + b"." + body)
    assert json.loads(urlsafe_b64decode(head + b"==")) == HEADER


def test_an_old_key_and_its_successor_hold_side_by_side() -> None:
    new = SigningKey.from_seed(sha256(b"new").digest())
    of_one = {"a": SECRETS["shop"], "b": new}
    both = {kid: EnrolledKey("shop", key.public) for kid, key in of_one.items()}
    for kid, key in of_one.items():
        assert isinstance(
            verify_delivery(sign_delivery(make_claims(make_offer()), key, kid=kid), both, box=BOX, now=NOW), Claims
        )


def test_our_own_writer_uses_the_standards_library() -> None:
    opened = jws.deserialize_compact(TOKEN, SECRETS["shop"].jwk, algorithms=["Ed25519"])
    assert Claims.model_validate_json(opened.payload).iss == "shop"

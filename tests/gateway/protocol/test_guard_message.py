"""What is not signed as it must be is not believed."""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.guard_message import FromGuard, ToGuard, sign_guard_message, verify_guard_message

KEY, OTHER = SigningKey.from_seed(bytes(32)), SigningKey.from_seed(bytes([1]) * 32)
SAID = ToGuard(at="set", lock="front-lock", question="q" * 22, nonce="n" * 22, counter=7, body='{"do":"unlock"}')
TOKEN = sign_guard_message(SAID, KEY)
TYPE = "perron-to-guard+jws"


def signed(payload: bytes, **header: object) -> bytes:
    registry = jws.JWSRegistry(algorithms=["Ed25519", "none"], strict_check_header=False)
    return jws.serialize_compact(
        {"alg": "Ed25519", "typ": TYPE, **header}, payload, KEY.jwk, registry=registry
    ).encode()


def test_what_was_sealed_is_opened() -> None:
    assert verify_guard_message(TOKEN, ToGuard, KEY.public) == SAID
    answer = FromGuard(
        lock="front-lock", part="lock", channel="result", boot="1-00000000000000ff", seq=1, uptime_ms=5, counter=7,
        question="q" * 22,
    )  # fmt: skip
    assert verify_guard_message(sign_guard_message(answer, KEY), FromGuard, KEY.public) == answer


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"..",
        TOKEN + b"=",
        TOKEN + b".x",
        TOKEN[:-1],
        b"x" * 9000,
        sign_guard_message(SAID, OTHER),
        signed(rfc8785.dumps(SAID.model_dump(exclude_none=True)), kid="mine"),
        signed(rfc8785.dumps(SAID.model_dump(exclude_none=True)), typ="perron-delivery+jwt"),
        signed(json.dumps(SAID.model_dump(exclude_none=True)).encode()),
        signed(rfc8785.dumps({**SAID.model_dump(exclude_none=True), "more": 1})),
        signed(rfc8785.dumps({**SAID.model_dump(exclude_none=True), "counter": True})),
        signed(rfc8785.dumps({**SAID.model_dump(exclude_none=True), "lock": "Front Lock"})),
        signed(b"\xff"),
        signed(b"[]"),
    ],
    ids=lambda _: "",
)
def test_what_is_not_sealed_so_is_not_believed(token: bytes) -> None:
    assert isinstance(verify_guard_message(token, ToGuard, KEY.public), str)


def test_a_word_to_the_guard_is_none_from_it() -> None:
    assert isinstance(verify_guard_message(TOKEN, FromGuard, KEY.public), str)


def test_without_a_signature_nothing_is_believed() -> None:
    header = urlsafe_b64encode(b'{"alg":"none","typ":"perron-to-guard+jws"}').rstrip(b"=")
    assert isinstance(verify_guard_message(header + b"." + TOKEN.split(b".")[1] + b".", ToGuard, KEY.public), str)


def test_every_flipped_bit_is_seen() -> None:
    head, payload, signature = TOKEN.split(b".")
    for part in (payload, signature):
        raw = urlsafe_b64decode(part + b"==")
        for bit in range(0, 8 * len(raw), 7):
            bent = bytearray(raw)
            bent[bit // 8] ^= 1 << bit % 8
            again = urlsafe_b64encode(bytes(bent)).rstrip(b"=")
            token = b".".join([head, again, signature] if part is payload else [head, payload, again])
            assert isinstance(verify_guard_message(token, ToGuard, KEY.public), str)


@given(st.binary(max_size=300))
def test_no_bytes_raise(token: bytes) -> None:
    assert isinstance(verify_guard_message(token, FromGuard, KEY.public), str)
    assert isinstance(verify_guard_message(TOKEN.split(b".")[0] + b"." + token, ToGuard, KEY.public), str)


def test_keys_that_were_just_made_do_as_well() -> None:
    key = SigningKey.from_seed(secrets.token_bytes(32))
    assert verify_guard_message(sign_guard_message(SAID, key), ToGuard, key.public) == SAID

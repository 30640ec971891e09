import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.brand_statement import proof_error, sign_proof
from gateway.protocol.keys import BoxKey

KEY, OTHER = BoxKey.generate(), BoxKey.generate()
SAID = {"brand": "lune", "kid": "lune-1", "hub": "https://hub.example"}


def coded(part: object) -> bytes:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


def token(header: object, said: object, key: BoxKey = KEY) -> str:
    signed = coded(header) + b"." + coded(said)
    return (signed + b"." + urlsafe_b64encode(key.sign(signed)).rstrip(b"=")).decode()


def test_whoever_has_the_private_half_proves_it() -> None:
    assert proof_error(sign_proof(KEY.sign, **SAID), KEY.public, **SAID) is None


@pytest.mark.parametrize("word", SAID)
def test_a_proof_for_another_brand_key_or_hub_proves_nothing(word: str) -> None:
    assert proof_error(sign_proof(KEY.sign, **SAID), KEY.public, **{**SAID, word: "other"}) is not None


def test_nobody_enrols_a_key_that_is_not_his() -> None:
    assert proof_error(sign_proof(OTHER.sign, **SAID), KEY.public, **SAID) == "the proof is not signed by this key"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"alg": "none", "kid": "lune-1", "typ": "perron-brand-key+jwt"}, SAID),
        ({"alg": "Ed25519", "kid": "lune-1", "typ": "perron-delivery+jwt"}, SAID),
        ({"alg": "Ed25519", "kid": "lune-1", "typ": "perron-brand-key+jwt", "jwk": {}}, SAID),
        ({"alg": "Ed25519", "kid": "lune-1", "typ": "perron-brand-key+jwt"}, {**SAID, "more": 1}),
        ({"alg": "Ed25519", "kid": "lune-1", "typ": "perron-brand-key+jwt"}, [SAID]),
    ],
)
def test_a_proof_holds_what_it_should_and_nothing_else(header: object, said: object) -> None:
    assert proof_error(token(header, said), KEY.public, **SAID) is not None


@given(st.text(max_size=200))
def test_whatever_is_sent_is_looked_at_without_a_fault(text: str) -> None:
    assert proof_error(text, KEY.public, **SAID) is not None

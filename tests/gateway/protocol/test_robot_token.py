"""What robots and supervisors sign: each claim is compared, and nothing else counts."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode
from gateway.protocol.robot_token import (
    DecisionClaims,
    RobotClaims,
    sign_decision,
    sign_identity,
    verify_decision,
    verify_identity,
)

NOW = 1_800_000_000
NONCE = "0123456789abcdef" * 2
KEY, OTHER = SigningKey.generate(), SigningKey.generate()
KEYS = {"k1": EnrolledKey("trundle", KEY.public), "k2": EnrolledKey("rollfast", OTHER.public)}
IDENTITY: dict[str, Any] = {
    "iss": "trundle", "sub": "KIT/0001", "aud": "lyon-1", "jti": "j" * 16, "nonce": NONCE, "iat": NOW, "exp": NOW + 60,
    "brand": "lune", "delivery": "d-1", "loads": ("8L20524752032",),
}  # fmt: skip
PRIVATE = ec.generate_private_key(ec.SECP256R1())
JWK = Jwk.of(PRIVATE.public_key())
DECISION: dict[str, Any] = {
    "iss": "trundle", "sub": "ines", "aud": "lyon-1", "jti": "j" * 16, "iat": NOW, "exp": NOW + 30,
    "visit": "0123456789abcdef", "closure": "door", "picture_sha256": "a" * 64, "yes": True,
}  # fmt: skip


def es256(data: bytes, key: ec.EllipticCurvePrivateKey = PRIVATE) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def identity(kid: str = "k1", key: SigningKey = KEY, **changes: Any) -> RobotClaims | RejectedMessage:  # noqa: ANN401 - claims
    token = sign_identity(RobotClaims(**{**IDENTITY, **changes}), key.sign, kid=kid)
    return verify_identity(token, KEYS, robot="KIT/0001", box="lyon-1", nonce=NONCE, seconds=NOW + 1)


def decision(
    signer: ec.EllipticCurvePrivateKey = PRIVATE,
    *,
    kid: str = "s1",
    at: int = NOW + 1,
    **changes: Any,  # noqa: ANN401 - claims
) -> DecisionClaims | RejectedMessage:
    token = sign_decision(DecisionClaims(**{**DECISION, **changes}), lambda data: es256(data, signer), kid=kid)
    return verify_decision(token, JWK, session="s1", operator="trundle", supervisor="ines", box="lyon-1", seconds=at)


def test_a_robot_that_answers_the_challenge_is_believed() -> None:
    assert identity() == RobotClaims(**IDENTITY)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kid": "k9"}, RejectionCode.UNKNOWN_KEY),
        ({"key": OTHER}, RejectionCode.WRONG_SIGNATURE),
        ({"kid": "k2", "key": OTHER}, RejectionCode.WRONG_ISSUER),
        ({"aud": "lyon-2"}, RejectionCode.WRONG_AUDIENCE),
        ({"sub": "KIT/0002"}, RejectionCode.WRONG_CLAIMS),
        ({"nonce": "f" * 32}, RejectionCode.WRONG_CLAIMS),
        ({"exp": NOW + 61}, RejectionCode.WRONG_CLAIMS),
        ({"exp": NOW}, RejectionCode.WRONG_CLAIMS),
        ({"exp": NOW + 1}, RejectionCode.NO_LONGER_VALID),
        ({"iat": NOW + 4, "exp": NOW + 40}, RejectionCode.NOT_YET_VALID),
    ],
)  # fmt: skip
def test_a_robot_that_says_anything_else_is_not(changes: dict[str, Any], code: RejectionCode) -> None:
    found = identity(**changes)
    assert isinstance(found, RejectedMessage)
    assert found.code is code


def test_a_supervisor_s_decision_is_believed() -> None:
    assert decision() == DecisionClaims(**DECISION)
    assert decision(yes=False, picture_sha256=None) == DecisionClaims(
        **{**DECISION, "yes": False, "picture_sha256": None}
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signer": ec.generate_private_key(ec.SECP256R1())}, RejectionCode.WRONG_SIGNATURE),
        ({"kid": "s2"}, RejectionCode.WRONG_HEADER),
        ({"iss": "rollfast"}, RejectionCode.WRONG_ISSUER),
        ({"sub": "anna"}, RejectionCode.WRONG_ISSUER),
        ({"aud": "lyon-2"}, RejectionCode.WRONG_AUDIENCE),
        ({"picture_sha256": None}, RejectionCode.WRONG_CLAIMS),
        ({"exp": NOW + 31}, RejectionCode.WRONG_CLAIMS),
        ({"at": NOW + 30}, RejectionCode.NO_LONGER_VALID),
        ({"iat": NOW + 4, "exp": NOW + 20}, RejectionCode.NOT_YET_VALID),
    ],
)  # fmt: skip
def test_any_other_decision_is_not(changes: dict[str, Any], code: RejectionCode) -> None:
    found = decision(**changes)
    assert isinstance(found, RejectedMessage)
    assert found.code is code


def test_an_identity_is_no_decision_and_a_decision_no_identity() -> None:
    token = sign_identity(RobotClaims(**IDENTITY), KEY.sign, kid="k1")
    found = verify_decision(token, JWK, session="k1", operator="trundle", supervisor="ines", box="lyon-1", seconds=NOW)
    assert isinstance(found, RejectedMessage)
    token = sign_decision(DecisionClaims(**DECISION), es256, kid="k1")
    refused = verify_identity(token, KEYS, robot="KIT/0001", box="lyon-1", nonce=NONCE, seconds=NOW)
    assert isinstance(refused, RejectedMessage)
    assert refused.code is RejectionCode.WRONG_TYPE


@pytest.mark.parametrize("token", [b"", b"a.b.c", b"x" * 20_000, b"..", b"\xff.\xff.\xff"])
def test_garbage_is_rejected_and_never_an_error(token: bytes) -> None:
    first = verify_identity(token, KEYS, robot="KIT/0001", box="lyon-1", nonce=NONCE, seconds=NOW)
    second = verify_decision(token, JWK, session="s1", operator="trundle", supervisor="ines", box="b", seconds=NOW)
    assert isinstance(first, RejectedMessage)
    assert isinstance(second, RejectedMessage)

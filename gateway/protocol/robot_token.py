"""What a robot and its supervisor sign: who the robot is, and each yes or no to an opening. Pure.

A robot answers the box's challenge with `perron-robot+jwt` (Ed25519, a key of its operator). A supervisor's browser
signs each decision as `perron-yes+jwt` (ES256, a key that only this browser has). Neither can be used twice: a robot's
token contains the nonce of one challenge, a decision names one opening of one visit.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

from joserfc.jwk import ECKey
from pydantic import Field, StringConstraints

from gateway.domain.delivery.promise import Digest, Id, Name, Seconds, WireModel
from gateway.protocol import jws
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode

MAX_TOKEN_BYTES: Final = 16 * 1024  # of a robot's token, which names every load
MAX_DECISION_BYTES: Final = 2_000
MAX_IDENTITY_LIFETIME_S: Final = 60
MAX_DECISION_LIFETIME_S: Final = 30
MAX_CLOCK_SKEW_S: Final = 2  # seconds that the clock of robot or browser may run ahead of the box's
PICTURE_LIFETIME_S: Final = 3  # between a picture's being served and the decision on it
MAX_LOADS: Final = 50

TokenId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
LoadId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class RobotClaims(WireModel):
    """A robot proves who it is: `sub` is `<manufacturer>/<serial number>`, `delivery` what it brings for `brand`."""

    iss: Id
    sub: Name
    aud: Id
    jti: TokenId
    nonce: Nonce
    iat: Seconds
    exp: Seconds
    brand: Id
    delivery: Id
    loads: Annotated[tuple[LoadId, ...], Field(min_length=1, max_length=MAX_LOADS)]


class DecisionClaims(WireModel):
    """A supervisor's yes or no to the opening of a closure in a visit, on a picture that the box served.

    `iss` is the operator, `sub` the supervisor. A no needs no picture.
    """

    iss: Id
    sub: Id
    aud: Id
    jti: TokenId
    iat: Seconds
    exp: Seconds
    visit: TokenId
    closure: Id
    picture_sha256: Digest | None = None
    yes: bool

    @property
    def issued(self) -> datetime:
        """When it was signed, by the browser's clock."""
        return datetime.fromtimestamp(self.iat, UTC)

    @property
    def expires(self) -> datetime:
        """Until when it may be used."""
        return datetime.fromtimestamp(self.exp, UTC)


def sign_identity(claims: RobotClaims, signer: jws.Sign, *, kid: str) -> bytes:
    """Sign a robot's identity."""
    return jws.sign_claims(jws.ROBOT_IDENTITY, claims, signer, kid=kid)


def verify_identity(  # noqa: PLR0913 - a token, its keys, and what each of its claims must be
    token: bytes, keys: Mapping[str, EnrolledKey], *, robot: str, box: str, nonce: str, seconds: float
) -> RobotClaims | RejectedMessage:
    """Return what a robot signed, if it answers this challenge of this box. `robot`: the `sub` that it must have."""
    found = jws.verify_enrolled(token, keys, jws.ROBOT_IDENTITY, RobotClaims, max_bytes=MAX_TOKEN_BYTES)
    if isinstance(found, RejectedMessage):
        return found
    key, claims = found
    if claims.iss != key.brand:
        return RejectedMessage(RejectionCode.WRONG_ISSUER, "the key is another operator's")
    if claims.aud != box:
        return RejectedMessage(RejectionCode.WRONG_AUDIENCE, "the token is for another box")
    if claims.sub != robot or claims.nonce != nonce:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, "the token answers another challenge")
    return _time_rejection(claims.iat, claims.exp, seconds, MAX_IDENTITY_LIFETIME_S) or claims


def sign_decision(claims: DecisionClaims, signer: jws.Sign, *, kid: str) -> bytes:
    """Sign a decision; the browser does this by WebCrypto."""
    return jws.sign_claims(jws.SUPERVISOR_DECISION, claims, signer, kid=kid)


def verify_decision(  # noqa: PLR0913 - a token, its key, and what each of its claims must be
    token: bytes, key: Jwk, *, session: str, operator: str, supervisor: str, box: str, seconds: float
) -> DecisionClaims | RejectedMessage:
    """Return the decision that this session's key signed for this box. The caller knows which pictures it served."""
    payload = jws.verify_exact(
        token, jws.SUPERVISOR_DECISION, ECKey.import_key(key.key), max_bytes=MAX_DECISION_BYTES, kid=session
    )
    if isinstance(payload, RejectionCode):
        return RejectedMessage(payload, "the signature is not this browser's")
    claims = jws.read_claims(DecisionClaims, payload)
    if isinstance(claims, RejectedMessage):
        return claims
    if (claims.iss, claims.sub) != (operator, supervisor):
        return RejectedMessage(RejectionCode.WRONG_ISSUER, "another supervisor is named")
    if claims.aud != box:
        return RejectedMessage(RejectionCode.WRONG_AUDIENCE, "the token is for another box")
    if claims.yes and claims.picture_sha256 is None:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, "a yes names its picture")
    return _time_rejection(claims.iat, claims.exp, seconds, MAX_DECISION_LIFETIME_S) or claims


def read_decision(token: bytes, key: Jwk) -> DecisionClaims | RejectedMessage:
    """Return the decision that this key signed, for whichever browser, box and time: for a proof, long afterwards."""
    payload = jws.verify_exact(
        token, jws.SUPERVISOR_DECISION, ECKey.import_key(key.key), max_bytes=MAX_DECISION_BYTES, kid=jws.kid_of(token)
    )
    if isinstance(payload, RejectionCode):
        return RejectedMessage(payload, "the key did not sign it")
    return jws.read_claims(DecisionClaims, payload)


def _time_rejection(iat: int, exp: int, seconds: float, lifetime_s: int) -> RejectedMessage | None:
    if iat > seconds + MAX_CLOCK_SKEW_S:
        return RejectedMessage(RejectionCode.NOT_YET_VALID, "its clock runs ahead of the box's")
    if not 0 < exp - iat <= lifetime_s:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, f"a token lives at most {lifetime_s} s")
    return RejectedMessage(RejectionCode.NO_LONGER_VALID, "the token is too old") if exp <= seconds else None

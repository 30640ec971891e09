"""Signs and verifies messages about a delivery: a brand's own, and the hub's for a brand that does not sign.

`iat`, `nbf`, `exp` and `jti` are required; the caller stores `jti` before it acts on the message.

A message of the hub has another type, the issuer `hub`, and names the brand beside it, so no reader of a brand's
messages accepts it under any key. A box accepts it only if the household permits that brand to come unsigned.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

from gateway.domain.delivery.promise import Claims, Id
from gateway.domain.now import Now
from gateway.protocol import jws
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode

MAX_MESSAGE_BYTES = 32 * 1024  # bytes of a token; 50 parcels of 128 characters need about a third of it
MAX_LIFETIME_S = 31 * 24 * 3600  # seconds from iat to exp: how long a jti must be remembered
MESSAGE_LIFETIME_S = 3600  # seconds that a message of the box's own tools counts
MAX_CLOCK_SKEW_S = 60  # seconds that a retailer's clock may run ahead of ours
ISSUER = "hub"
C = TypeVar("C", bound=Claims)


class HubClaims(Claims):
    """What the hub passes on for a brand that placed its order with an API key."""

    iss: Literal["hub"] = "hub"
    brand: Id

    @property
    def for_brand(self) -> Claims:
        """The same claims with the brand as issuer, for a household that accepts them so."""
        fields = {name: getattr(self, name) for name in Claims.model_fields}
        return Claims.model_construct(**{**fields, "iss": self.brand})  # was validated when it was received


def hub_key_id(fingerprint: str) -> str:
    """Return the `kid` of a hub's key."""
    return f"hub-{fingerprint}"


_KINDS: Final[Mapping[type[Claims], jws.TokenKind]] = {Claims: jws.DELIVERY, HubClaims: jws.HUB_DELIVERY}


def new_claims(brand: str, box: str, utc: datetime) -> dict[str, Any]:
    """Return the fields of `Claims` for a new message of a brand, without its delivery."""
    seconds = int(utc.timestamp())
    times = {"iat": seconds, "nbf": seconds, "exp": seconds + MESSAGE_LIFETIME_S}
    return {"iss": brand, "aud": box, **times, "jti": secrets.token_urlsafe(18)}


def sign_delivery(claims: Claims, key: SigningKey, *, kid: str) -> bytes:
    """Sign a message as a brand, or `HubClaims` as the hub."""
    return jws.sign_claims(_KINDS[type(claims)], claims, key.sign, kid=kid)


def verify_delivery(
    token: bytes, keys: Mapping[str, EnrolledKey], *, box: str, now: Now, also: str | None = None
) -> Claims | RejectedMessage:
    """Return the claims of an enrolled brand for this box, or why they are rejected; `iss` is the key's own brand.

    `also`: another audience that means this box: the id of its home at the hub.
    """
    return _verify(token, keys, Claims, audiences={box, also}, now=now)


def verify_hub_delivery(token: bytes, hub: PublicKey, *, box: str, now: Now) -> HubClaims | RejectedMessage:
    """Return the claims of this box's hub, or why they are rejected. `hub`: the hub's key."""
    enrolled = {hub_key_id(hub.fingerprint): EnrolledKey(ISSUER, hub)}
    return _verify(token, enrolled, HubClaims, audiences={box}, now=now)


def _verify(
    token: bytes, keys: Mapping[str, EnrolledKey], model: type[C], *, audiences: set[str | None], now: Now
) -> C | RejectedMessage:
    verified = jws.verify_enrolled(token, keys, _KINDS[model], model, max_bytes=MAX_MESSAGE_BYTES)
    if isinstance(verified, RejectedMessage):
        return verified
    key, claims = verified
    if claims.iss != key.brand:
        return RejectedMessage(RejectionCode.WRONG_ISSUER, "the key is another brand's")
    if claims.aud not in audiences:
        return RejectedMessage(RejectionCode.WRONG_AUDIENCE, "it is meant for another box")
    if not now.trusted:
        return RejectedMessage(RejectionCode.CLOCK_UNTRUSTED, "the box does not know the time; send it again later")
    seconds = now.utc.timestamp()
    if max(claims.iat, claims.nbf) > seconds + MAX_CLOCK_SKEW_S:
        return RejectedMessage(RejectionCode.NOT_YET_VALID, "it is not valid yet")
    if claims.exp <= seconds:
        return RejectedMessage(RejectionCode.NO_LONGER_VALID, "it is no longer valid")
    if not 0 < claims.exp - claims.iat <= MAX_LIFETIME_S:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, "a message lives at most 31 days")
    return claims

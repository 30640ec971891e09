"""A delivery that the hub signs, marked as such, because its brand did not sign it. Pure.

Its type is not a brand's, its issuer is the hub, and its payload names the brand beside: no reader of a brand's
messages can take it for one, under whatever key. A box takes it only where the household lets that brand come unsigned.
"""

from typing import Literal

from joserfc.jwk import OKPKey

from gateway.domain.delivery.promise import Claims, Id
from gateway.domain.now import Now
from gateway.protocol.jws import EnrolledKey, RejectedMessage, verify_claims
from gateway.protocol.jws import sign as _sign

HUB_DELIVERY_TYPE = "perron-hub-delivery+jwt"
ISSUER = "hub"


def key_id(fingerprint: str) -> str:
    """The `kid` of a hub's key."""
    return f"hub-{fingerprint}"


class HubClaims(Claims):
    """What the hub passes on for a brand that asked by its API key."""

    iss: Literal["hub"] = "hub"
    brand: Id

    @property
    def for_brand(self) -> Claims:
        """The same as the brand's own words, for whoever allows that."""
        fields = {name: getattr(self, name) for name in Claims.model_fields}
        return Claims.model_construct(**{**fields, "iss": self.brand})  # was validated when it was received


def sign_for_brand(claims: HubClaims, private: OKPKey, *, kid: str) -> bytes:
    """Sign as the hub."""
    return _sign(claims, private, kid=kid, typ=HUB_DELIVERY_TYPE)


def verify_hub_signed(token: bytes, keys: dict[str, OKPKey], *, box: str, now: Now) -> HubClaims | RejectedMessage:
    """Return what this box's hub passes on, or why it is not believed. `keys`: the hub's, by their `kid`."""
    enrolled = {kid: EnrolledKey(ISSUER, public) for kid, public in keys.items()}
    return verify_claims(token, enrolled, HubClaims, HUB_DELIVERY_TYPE, box=box, now=now)

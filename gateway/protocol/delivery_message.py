"""Signs and verifies messages about a delivery: a brand's own, and the hub's for a brand that does not sign.

`iat`, `nbf`, `exp` and `jti` are required; the caller stores `jti` before it acts on the message.

A message has one of two versions, and `typ` says which before anything of the payload is read. So a box of an older
release rejects a message of version 2 as a whole (`wrong_type`), and no token of one version is accepted as the other.

A message of the hub has another type, the issuer `hub`, and names the brand beside it, so no reader of a brand's
messages accepts it under any key. A box accepts it only if the household permits that brand to come unsigned.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import ConfigDict

from gateway.domain.delivery.features import unsupported_words
from gateway.domain.delivery.promise import Claims, Id, SignedMessage, Version, WireModel
from gateway.domain.delivery.promise_v2 import ClaimsV2, MessageV2
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol import jws
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode
from gateway.protocol.strict_json import loads

MAX_MESSAGE_BYTES = 32 * 1024  # bytes of a token; 50 parcels of 128 characters need about a third of it
MAX_LIFETIME_S = 31 * 24 * 3600  # seconds from iat to exp: how long a jti must be remembered
MESSAGE_LIFETIME_S = 3600  # seconds that a message of the box's own tools counts
MAX_CLOCK_SKEW_S = 60  # seconds that a retailer's clock may run ahead of ours
ISSUER = "hub"


class HubClaims(Claims):
    """What the hub passes on for a brand that placed its order with an API key."""

    iss: Literal["hub"] = "hub"
    brand: Id

    @property
    def for_brand(self) -> Claims:
        """The same claims with the brand as issuer, for a household that accepts them so."""
        fields = {name: getattr(self, name) for name in Claims.model_fields}
        model = ClaimsV2 if isinstance(self, HubClaimsV2) else Claims
        return model.model_construct(**{**fields, "iss": self.brand})  # was validated when it was received


class HubClaimsV2(HubClaims):
    """What the hub passes on, of version 2."""

    delivery: MessageV2


class UnsupportedMessage(RejectedMessage, kw_only=False):
    """A message of version 2, signed as it should be, that needs what this box does not understand: the `words`."""

    brand: str
    delivery: str
    version: int
    jti: str
    words: tuple[str, ...]

    @property
    def result_fields(self) -> dict[str, Any]:
        """Return the fields of `DeliveryResult` that say what was rejected."""
        return {"brand": self.brand, "delivery": self.delivery, "version": self.version, "answers": self.jti,
                "unsupported": self.words}  # fmt: skip


class _DeliveryHead(WireModel):
    model_config = ConfigDict(extra="ignore")

    id: Id
    version: Version


class _Head(SignedMessage):
    """The part of a message that a box reads although it does not understand all of it."""

    model_config = ConfigDict(extra="ignore")

    delivery: _DeliveryHead

    @property
    def announced_by(self) -> str:
        return self.iss


class _HubHead(_Head):
    brand: Id

    @property
    def announced_by(self) -> str:
        return self.brand


class _MessageFormat(Frozen):
    """One version of a message: its type and its claims.

    `head`: what a box reads of one that needs an unsupported feature; None: a message of this version lists no needs.
    """

    kind: jws.TokenKind
    model: type[Claims]
    head: type[_Head] | None = None


def hub_key_id(fingerprint: str) -> str:
    """Return the `kid` of a hub's key."""
    return f"hub-{fingerprint}"


_BRAND_FORMATS: Final = (
    _MessageFormat(kind=jws.DELIVERY, model=Claims),
    _MessageFormat(kind=jws.DELIVERY_2, model=ClaimsV2, head=_Head),
)
_HUB_FORMATS: Final = (
    _MessageFormat(kind=jws.HUB_DELIVERY, model=HubClaims),
    _MessageFormat(kind=jws.HUB_DELIVERY_2, model=HubClaimsV2, head=_HubHead),
)
_KINDS: Final[Mapping[type[Claims], jws.TokenKind]] = {
    message.model: message.kind for message in (*_BRAND_FORMATS, *_HUB_FORMATS)
}


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
    return _verify(token, keys, _BRAND_FORMATS, audiences={box, also}, now=now)


def verify_hub_delivery(token: bytes, hub: PublicKey, *, box: str, now: Now) -> HubClaims | RejectedMessage:
    """Return the claims of this box's hub, or why they are rejected. `hub`: the hub's key."""
    enrolled = {hub_key_id(hub.fingerprint): EnrolledKey(ISSUER, hub)}
    claims = _verify(token, enrolled, _HUB_FORMATS, audiences={box}, now=now)
    assert isinstance(claims, HubClaims | RejectedMessage)  # noqa: S101 - both versions have such claims
    return claims


def _verify(
    token: bytes,
    keys: Mapping[str, EnrolledKey],
    formats: tuple[_MessageFormat, ...],
    *,
    audiences: set[str | None],
    now: Now,
) -> Claims | RejectedMessage:
    """Verify by the format that the token's `typ` names; another `typ` is rejected as that of the first one."""
    named = jws.typ_of(token)
    message = next((known for known in formats if known.kind.typ == named), formats[0])
    signed = jws.verify_signed(token, keys, message.kind, max_bytes=MAX_MESSAGE_BYTES)
    if isinstance(signed, RejectedMessage):
        return signed
    key, payload = signed
    words = () if message.head is None else _unsupported(payload)
    if message.head is not None and words:
        head = jws.read_claims(message.head, payload)
        if isinstance(head, RejectedMessage):
            return head
        return rejection_of(head, key, audiences, now) or _unsupported_message(head, words)
    claims = jws.read_claims(message.model, payload)
    if isinstance(claims, RejectedMessage):
        return claims
    return rejection_of(claims, key, audiences, now) or claims


def _unsupported(payload: bytes) -> tuple[str, ...]:
    """Return the words of an order because of which this box must refuse it; a malformed one has none."""
    try:
        content = loads(payload)
    except ValueError:
        return ()  # it is rejected when it is read
    delivery = content.get("delivery") if isinstance(content, dict) else None
    return unsupported_words(delivery) if isinstance(delivery, dict) else ()


def _unsupported_message(head: _Head, words: tuple[str, ...]) -> UnsupportedMessage:
    why, named = f"this box does not understand: {', '.join(words)}", head.delivery
    return UnsupportedMessage(
        RejectionCode.UNSUPPORTED, why, head.announced_by, named.id, named.version, head.jti, words
    )


def rejection_of(
    claims: SignedMessage, key: EnrolledKey, audiences: Collection[str | None], now: Now
) -> RejectedMessage | None:
    """Return why a signed message does not count for this box now, whatever it is about; None: it counts."""
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
    return None

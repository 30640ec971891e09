"""Signs and verifies every signed token: compact JWS (RFC 7515) with joserfc, and one protected header for each kind.

A header has the members of its kind and no others. A key that a token brings along (`jwk`, `jku`, `x5u`, `x5c`) or a
demand (`crit`) ends the verification before the signature is checked. The key fixes the algorithm. The payload is not
read before its signature is verified. Each part has one spelling: base64url without padding.

A kind of token with a `kid` is signed by one of several enrolled keys (`verify_enrolled`). Every other kind has one key
and one header, which is compared byte for byte (`verify_exact`). What a payload must say is checked by the modules
beside this one. Pure.
"""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum, auto
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from pydantic import BaseModel, ValidationError

from gateway.domain.frozen import Frozen
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.strict_json import loads
from gateway.system.base64url import decode_base64url, encode_base64url

ES256_SIGNATURE_BYTES = 64  # bytes of r and s (RFC 7518, 3.4)
M = TypeVar("M", bound=BaseModel)
_REGISTRIES = {alg: jws.JWSRegistry(algorithms=[alg]) for alg in ("Ed25519", "ES256")}

Algorithm = Literal["Ed25519", "ES256"]

Sign = Callable[[bytes], bytes]
"""Signs bytes with one private key. An ES256 signature is r and s, 32 bytes each."""


class TokenKind(Frozen, kw_only=False):
    """A kind of token. Its protected header has the members `names`, written in this order, and no others."""

    typ: str
    names: tuple[str, ...] = ("alg", "typ")
    alg: Algorithm = "Ed25519"  # RFC 9864: names the curve, which the older name EdDSA leaves open

    def members(self, kid: str | None = None) -> Mapping[str, str | None]:
        """Return a header's members; `kid` is None where `names` lacks it."""
        members = {"alg": self.alg, "kid": kid, "typ": self.typ}
        return {name: members[name] for name in self.names}

    def header(self, kid: str | None = None) -> bytes:
        """Encode a header as the first part of a token."""
        return _header(self, kid)


@lru_cache(maxsize=64)  # a hub signs each delivery with the same key
def _header(kind: TokenKind, kid: str | None) -> bytes:
    return _encode(json.dumps(kind.members(kid), separators=(",", ":")).encode())


_BY_ENROLLED_KEY = ("alg", "kid", "typ")  # one of several keys signs it
_BY_BROWSER = ("alg", "typ", "kid")  # a browser signs it by WebCrypto; `kid` is the browser's id

DELIVERY = TokenKind("perron-delivery+jwt", _BY_ENROLLED_KEY)  # a brand offers, updates or cancels a delivery
DELIVERY_2 = TokenKind("perron-delivery-2+jwt", _BY_ENROLLED_KEY)  # the same, by a message of version 2
HUB_DELIVERY = TokenKind("perron-hub-delivery+jwt", _BY_ENROLLED_KEY)  # the hub does, for a brand that does not sign
HUB_DELIVERY_2 = TokenKind("perron-hub-delivery-2+jwt", _BY_ENROLLED_KEY)
CONSENT_STATEMENT = TokenKind("perron-ask+jwt", _BY_ENROLLED_KEY)  # a brand asks a home for its consent
NEXT_KEY = TokenKind("perron-next-key+jwt", _BY_ENROLLED_KEY)  # a brand vouches for a further key of its own
END = TokenKind("perron-end+jwt", _BY_ENROLLED_KEY)  # a brand ends its connection to a home
KEY_POSSESSION = TokenKind("perron-brand-key+jwt", _BY_ENROLLED_KEY)  # a brand has the private half of the key `kid`
BRAND_COMMENT = TokenKind("perron-brand-comment+jwt", _BY_ENROLLED_KEY)  # a brand comments on its facts in a home
FACTS_QUERY = TokenKind("perron-facts-query+jwt", _BY_ENROLLED_KEY)  # a brand's query to a home for its own facts
BRAND_FACTS = TokenKind("perron-brand-facts+jwt")  # a box states what a brand did in its home
CONSENT_REQUEST = TokenKind("perron-connect+jwt")  # the hub relays a brand's request for consent
BOX_STATEMENT = TokenKind("perron-box+jwt")  # a box states what it understands
BOX_EVENT = TokenKind("perron-event+jwt")  # a box reports an event to the hub
DELIVERY_RECORD = TokenKind("perron-account+jwt")  # a box states its account of a delivery
TO_GUARD = TokenKind("perron-to-guard+jws")  # the gateway sends a command to the lock guard
FROM_GUARD = TokenKind("perron-from-guard+jws")  # the lock guard reports to the gateway
BROWSER_TOKEN = TokenKind("perron-browser+jwt", _BY_BROWSER, "ES256")  # a browser signs in to a hub
ROBOT_IDENTITY = TokenKind("perron-robot+jwt", _BY_ENROLLED_KEY)  # a robot answers the box's challenge
SUPERVISOR_DECISION = TokenKind("perron-yes+jwt", _BY_BROWSER, "ES256")  # a supervisor decides on one opening
ORDER = TokenKind("perron-order+jwt", _BY_BROWSER, "ES256")  # a browser sends an order to the box


class RejectionCode(StrEnum):
    """Why a token is rejected."""

    TOO_LARGE = auto()
    MALFORMED = auto()
    WRONG_HEADER = auto()
    WRONG_ALGORITHM = auto()
    WRONG_TYPE = auto()
    UNKNOWN_KEY = auto()
    WRONG_SIGNATURE = auto()
    WRONG_CLAIMS = auto()
    WRONG_ISSUER = auto()
    WRONG_AUDIENCE = auto()
    NOT_YET_VALID = auto()
    NO_LONGER_VALID = auto()
    CLOCK_UNTRUSTED = auto()
    KEY_DISTRUSTED = auto()  # not found here: the store knows
    UNSUPPORTED = auto()  # it needs a feature that this box does not understand


TRANSIENT_REJECTIONS = frozenset({RejectionCode.CLOCK_UNTRUSTED, RejectionCode.NOT_YET_VALID})
"""Rejections that end by themselves: the same bytes may be accepted later."""


class RejectedMessage(Frozen, kw_only=False):
    """A token is rejected; `why` is for people and contains nothing of the token's own text."""

    code: RejectionCode
    why: str


class EnrolledKey(Frozen, kw_only=False):
    """One enrolled public key and the brand that it belongs to."""

    brand: str
    public: PublicKey


class CompactJws(NamedTuple):
    """The three parts of a token, decoded."""

    header: bytes
    payload: bytes
    signature: bytes


def sign(kind: TokenKind, payload: bytes, signer: Sign, *, kid: str | None = None) -> bytes:
    """Return the token of this kind and payload, signed by `signer`."""
    signing_input = kind.header(kid) + b"." + _encode(payload)
    return signing_input + b"." + _encode(signer(signing_input))


def sign_claims(kind: TokenKind, claims: BaseModel, signer: Sign, *, kid: str | None = None) -> bytes:
    """Return the token of these claims; what is None is left out."""
    return sign(kind, claims.model_dump_json(exclude_none=True).encode(), signer, kid=kid)


def split(token: bytes) -> CompactJws | None:
    """Decode the parts of a token without verifying anything; None: it is no compact JWS."""
    try:
        parts = CompactJws(*map(decode_base64url, token.split(b".")))
    except (TypeError, ValueError):  # another number of parts, or another spelling of one
        return None
    return parts if all(parts) else None


def kid_of(token: bytes) -> str | None:
    """Return the `kid` that a token names, before anything is verified; None: it names none.

    It only chooses where to look for the key, so the header's spelling does not matter.
    """
    return _named(token, "kid")


def typ_of(token: bytes) -> str | None:
    """Return the `typ` that a token names, before anything is verified; it only chooses how the token is verified."""
    return _named(token, "typ")


def _named(token: bytes, member: str) -> str | None:
    try:
        header = loads(decode_base64url(token.partition(b".")[0], canonical=False))
    except ValueError:
        return None
    value = header.get(member) if isinstance(header, dict) else None
    return value if isinstance(value, str) else None


def verify_exact(
    token: bytes, kind: TokenKind, key: OKPKey | ECKey, *, max_bytes: int, kid: str | None = None
) -> bytes | RejectionCode:
    """Verify a token of at most `max_bytes` that has exactly the header of this kind, and return its payload."""
    if len(token) > max_bytes:
        return RejectionCode.TOO_LARGE
    parts = split(token)
    if parts is None or (kind.alg == "ES256" and len(parts.signature) != ES256_SIGNATURE_BYTES):
        return RejectionCode.MALFORMED
    if token.partition(b".")[0] != kind.header(kid):
        return RejectionCode.WRONG_HEADER
    return parts.payload if signature_holds(token, kind.alg, key) else RejectionCode.WRONG_SIGNATURE


def verify_enrolled(
    token: bytes, keys: Mapping[str, EnrolledKey], kind: TokenKind, model: type[M], *, max_bytes: int
) -> tuple[EnrolledKey, M] | RejectedMessage:
    """Verify a token of this kind by the enrolled key that its `kid` names; return the key and the claims."""
    signed = verify_signed(token, keys, kind, max_bytes=max_bytes)
    if isinstance(signed, RejectedMessage):
        return signed
    key, payload = signed
    claims = read_claims(model, payload)
    return claims if isinstance(claims, RejectedMessage) else (key, claims)


def verify_signed(
    token: bytes, keys: Mapping[str, EnrolledKey], kind: TokenKind, *, max_bytes: int
) -> tuple[EnrolledKey, bytes] | RejectedMessage:
    """Verify a token of this kind by the enrolled key that its `kid` names; return the key and the payload, unread."""
    if len(token) > max_bytes:
        return RejectedMessage(RejectionCode.TOO_LARGE, f"a message has at most {max_bytes // 1024} KiB")
    parts = split(token)
    if parts is None:
        return RejectedMessage(RejectionCode.MALFORMED, "not a JWS in compact form")
    try:
        header = loads(parts.header)
    except ValueError:
        return RejectedMessage(RejectionCode.MALFORMED, "the header is not JSON as it should be")
    if not isinstance(header, dict) or header.keys() - {*kind.names}:
        return RejectedMessage(RejectionCode.WRONG_HEADER, "a header holds alg, kid and typ, nothing else")
    if header.get("typ") != kind.typ:
        return RejectedMessage(RejectionCode.WRONG_TYPE, f"typ is {kind.typ}")
    if header.get("alg") != kind.alg:
        return RejectedMessage(RejectionCode.WRONG_ALGORITHM, f"alg is {kind.alg}")
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        return RejectedMessage(RejectionCode.UNKNOWN_KEY, "no enrolled key has this kid")
    if not signature_holds(token, kind.alg, key.public.jwk):
        return RejectedMessage(RejectionCode.WRONG_SIGNATURE, "the signature does not hold")
    return key, parts.payload


def read_claims(model: type[M], payload: bytes) -> M | RejectedMessage:
    """Read a verified payload as `model`, or return what is wrong with it."""
    try:
        return parse_claims(model, payload)
    except ValidationError as error:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, _describe(error))
    except ValueError as error:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, str(error))


def signature_holds(token: bytes, alg: Algorithm, key: OKPKey | ECKey) -> bool:
    """Whether the key signed the token by this algorithm. The caller has compared the token's header."""
    try:
        jws.deserialize_compact(token, key, registry=_REGISTRIES[alg])
    except (JoseError, ValueError):
        return False
    return True


def parse_claims(model: type[M], payload: bytes) -> M:
    """Read a payload as `model`, or raise ValueError: no strict JSON, or no such claims (`ValidationError`)."""
    loads(payload)
    return model.model_validate_json(payload)


def _describe(error: ValidationError) -> str:
    """Say where and what is wrong, without the message's own text."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "extra_forbidden":
        return "a key that is not known"
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg'] if first['type'] == 'value_error' else first['type']}"


def _encode(part: bytes) -> bytes:
    return encode_base64url(part).encode()

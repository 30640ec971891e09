"""Signed messages: Ed25519 JWS in compact form, verified under the rules of SECURITY.md.

One algorithm, pinned by the enrolled key. A header may hold `alg`, `kid` and `typ` and nothing else: a key that a
message brings along (`jwk`, `jku`, `x5u`, `x5c`) or a demand (`crit`) ends the reading before any signature is looked
at. `iat`, `nbf`, `exp` and `jti` are required; whoever calls stores `jti` before it believes the message.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from gateway.domain.delivery.promise import Claims
from gateway.domain.now import Now
from gateway.protocol.strict_json import loads

ALGORITHM = "Ed25519"  # RFC 9864: says the curve, which the older name EdDSA leaves open
DELIVERY_TYPE = "perron-delivery+jwt"
MAX_MESSAGE_BYTES = 32 * 1024  # bytes of a token; 50 parcels of 128 characters need about a third of it
MAX_LIFETIME_S = 31 * 24 * 3600  # seconds from iat to exp: how long a jti must be remembered
MAX_CLOCK_SKEW_S = 60  # seconds that a retailer's clock may run ahead of ours
C = TypeVar("C", bound=Claims)
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])


class RejectionCode(StrEnum):
    """Why a message is not believed."""

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


TRANSIENT_REJECTIONS = frozenset({RejectionCode.CLOCK_UNTRUSTED, RejectionCode.NOT_YET_VALID})
"""Faults that end by themselves: the same bytes may be believed later."""


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """The message is not believed; `why` is for people and holds nothing of the message's own text."""

    code: RejectionCode
    why: str


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """One enrolled key: whose it is and the public key."""

    brand: str
    public: OKPKey


class EnrolledKeys(dict[str, EnrolledKey]):
    """The enrolled keys by `kid`."""

    @classmethod
    def of(cls, enrolled: Iterable[tuple[str, str, str]]) -> Self:
        """Take keys as (brand, `kid`, `x`).

        Raises:
            ValueError: one `kid` twice, or an `x` that is not a public key.
        """
        keys = cls()
        for brand, kid, x in enrolled:
            if kid in keys:
                raise ValueError(f"two keys are called {kid}")
            try:
                public = public_key(x)
            except (JoseError, ValueError) as error:
                raise ValueError(f"{kid} is not an Ed25519 public key") from error
            keys[kid] = EnrolledKey(brand, public)
        return keys


def verify(
    token: bytes, keys: Mapping[str, EnrolledKey], *, box: str, now: Now, also: str | None = None
) -> Claims | RejectedMessage:
    """Return what an enrolled brand says to this box, or why it is not believed; `iss` is the key's own brand.

    `also`: another name under which the message may be meant for this box: its home's at the hub.
    """
    return verify_claims(token, keys, Claims, DELIVERY_TYPE, box=box, also=also, now=now)


def verify_claims(  # noqa: PLR0913 - what a message is held against
    token: bytes,
    keys: Mapping[str, EnrolledKey],
    model: type[C],
    typ: str,
    *,
    box: str,
    now: Now,
    also: str | None = None,
) -> C | RejectedMessage:
    """Return what a message of this type says to this box, or why it is not believed. `also`: as for `verify`."""
    read = verify_signature(token, keys, typ)
    if isinstance(read, RejectedMessage):
        return read
    key, payload = read
    try:
        loads(payload)
        claims = model.model_validate_json(payload)
    except ValidationError as error:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, _describe(error))
    except ValueError as error:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, str(error))
    if claims.iss != key.brand:
        return RejectedMessage(RejectionCode.WRONG_ISSUER, "the key is another brand's")
    if claims.aud not in {box, also}:
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


def kid_of(token: bytes) -> str | None:
    """Name the key under which a message says that it was signed; None: no such message."""
    try:
        header = loads(urlsafe_b64decode(token.partition(b".")[0] + b"=="))
    except ValueError:
        return None
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) else None


def sign(claims: Claims, private: OKPKey, *, kid: str, typ: str = DELIVERY_TYPE) -> bytes:
    """Sign a message as a retailer does."""
    payload = claims.model_dump_json(exclude_none=True)
    header = {"alg": ALGORITHM, "kid": kid, "typ": typ}
    return jws.serialize_compact(header, payload, private, registry=_REGISTRY).encode()


def private_key(seed: bytes) -> OKPKey:
    """Make a signing key of its 32 bytes, kept secret. ValueError: not 32 bytes."""
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))


def public_key(x: str) -> OKPKey:
    """Read a public key as it stands in `home.yaml`. JoseError, ValueError: it is none."""
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    public.raw_value  # noqa: B018 - reads the key now, not at the first message
    return public


def public_x(key: OKPKey) -> str:
    """The public part as it stands in `home.yaml`: the JWK's `x`."""
    return str(key.as_dict(private=False)["x"])


def verify_signature(
    token: bytes, keys: Mapping[str, EnrolledKey], typ: str
) -> tuple[EnrolledKey, bytes] | RejectedMessage:
    """Check header and signature; the payload is not looked at before, and is the caller's to read."""
    if len(token) > MAX_MESSAGE_BYTES:
        return RejectedMessage(RejectionCode.TOO_LARGE, "a message has at most 32 KiB")
    parts = token.split(b".")
    if len(parts) != 3 or not all(_is_canonical_base64url(part) for part in parts):
        return RejectedMessage(RejectionCode.MALFORMED, "not a JWS in compact form")
    try:
        header = loads(urlsafe_b64decode(parts[0] + b"=="))
    except ValueError:
        return RejectedMessage(RejectionCode.MALFORMED, "the header is not JSON as it should be")
    if not isinstance(header, dict) or header.keys() - {"alg", "kid", "typ"}:
        return RejectedMessage(RejectionCode.WRONG_HEADER, "a header holds alg, kid and typ, nothing else")
    if header.get("typ") != typ:
        return RejectedMessage(RejectionCode.WRONG_TYPE, f"typ is {typ}")
    if header.get("alg") != ALGORITHM:
        return RejectedMessage(RejectionCode.WRONG_ALGORITHM, f"alg is {ALGORITHM}")
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        return RejectedMessage(RejectionCode.UNKNOWN_KEY, "no enrolled key has this kid")
    try:
        read = jws.deserialize_compact(token, key.public, registry=_REGISTRY)
    except (JoseError, ValueError):
        return RejectedMessage(RejectionCode.WRONG_SIGNATURE, "the signature does not hold")
    return key, read.payload


def _is_canonical_base64url(part: bytes) -> bool:
    """Whether it is base64url without padding, written the one way (no bits left over)."""
    if not part or len(part) % 4 == 1:
        return False
    try:
        return urlsafe_b64encode(urlsafe_b64decode(part + b"==")).rstrip(b"=") == part
    except Error:
        return False


def _describe(error: ValidationError) -> str:
    """Say where and what is wrong, without the message's own text."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "extra_forbidden":
        return "a key that is not known"
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg'] if first['type'] == 'value_error' else first['type']}"

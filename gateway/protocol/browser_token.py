"""The tokens that a household's browser signs: compact JWS with ES256 (RFC 7515, 7518). Pure.

Two kinds: the token by which a hub knows the browser, and an order to the box. Which of them it is stands in the
header, and the header is one constant a kind and a browser: a token is never taken for an order.
"""

from collections.abc import Callable
from enum import StrEnum, auto
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from pydantic import ValidationError

from gateway.domain.delivery.promise import WireModel
from gateway.protocol.browser_envelope import SCALAR_BYTES, Jwk, decode_base64url, encode_base64url
from gateway.protocol.browser_messages import BrowserTokenClaims, Order
from gateway.protocol.strict_json import loads

TOKEN_TYPE: Final = "perron-browser+jwt"  # noqa: S105 - a media type
ORDER_TYPE: Final = "perron-order+jwt"
MAX_TOKEN_BYTES: Final = 2_000  # bytes
MAX_TOKEN_LIFETIME_S: Final = 300  # seconds at most
MAX_CLOCK_SKEW_S: Final = 60  # seconds by which a browser's clock may be wrong

W = TypeVar("W", bound=WireModel)

Sign = Callable[[bytes], bytes]
"""Signs: r and s, 32 bytes each, one after the other."""


class TokenRejection(StrEnum):
    """Why it is not believed. The words are what whoever asked is told."""

    UNKNOWN_BROWSER = auto()
    MALFORMED = auto()
    WRONG_SIGNATURE = auto()
    WRONG_CLAIMS = auto()
    WRONG_AUDIENCE = auto()
    NOT_YET_VALID = auto()
    NO_LONGER_VALID = auto()


def webcrypto_signer(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Sign as WebCrypto does."""

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(SCALAR_BYTES) + s.to_bytes(SCALAR_BYTES)

    return sign


def sign(said: BrowserTokenClaims | Order, by: Sign) -> bytes:
    """Sign a token or an order."""
    kind = TOKEN_TYPE if isinstance(said, BrowserTokenClaims) else ORDER_TYPE
    signed = _header(kind, said.iss) + b"." + encode_base64url(said.model_dump_json(exclude_none=True).encode())
    return signed + b"." + encode_base64url(by(signed))


def read_unverified(token: bytes) -> BrowserTokenClaims | None:
    """Whom a token says that it is from. Nothing of it is proven: it says under which key to look (`verify_token`)."""
    parts = token.split(b".")
    payload = decode_base64url(parts[1]) if len(parts) == 3 and len(token) <= MAX_TOKEN_BYTES else None
    return None if payload is None else _read(BrowserTokenClaims, payload)


def verify_token(token: bytes, key: Jwk, *, audience: str, seconds: float) -> BrowserTokenClaims | TokenRejection:
    """Read a token that this key signed for this hub, and that counts at this time."""
    said = read_unverified(token)
    if said is None:
        return TokenRejection.MALFORMED
    found = _verify_signature(token, TOKEN_TYPE, said.iss, key)
    if isinstance(found, TokenRejection):
        return found
    if said.aud != audience:
        return TokenRejection.WRONG_AUDIENCE
    if not 0 < said.exp - said.iat <= MAX_TOKEN_LIFETIME_S:
        return TokenRejection.WRONG_CLAIMS
    return _validity_error(said.iat, said.exp, seconds, late=MAX_CLOCK_SKEW_S) or said


def verify_order(token: bytes, key: Jwk, *, browser: str, home: str) -> Order | TokenRejection:
    """Read an order that this browser signed for this home; whether its time has come is `validity_error`'s."""
    payload = _verify_signature(token, ORDER_TYPE, browser, key)
    if isinstance(payload, TokenRejection):
        return payload
    said = _read(Order, payload)
    if said is None or said.iss != browser or not 0 < said.exp - said.iat <= said.order.life:
        return TokenRejection.WRONG_CLAIMS
    return said if said.aud == home else TokenRejection.WRONG_AUDIENCE


def validity_error(said: Order, seconds: float) -> TokenRejection | None:
    """Why an order does not count at this time; None: it does."""
    return _validity_error(said.iat, said.exp, seconds, late=0)


def _validity_error(iat: int, exp: int, seconds: float, *, late: int) -> TokenRejection | None:
    if iat > seconds + MAX_CLOCK_SKEW_S:
        return TokenRejection.NOT_YET_VALID
    return TokenRejection.NO_LONGER_VALID if exp + late <= seconds else None


def _verify_signature(token: bytes, kind: str, browser: str, key: Jwk) -> bytes | TokenRejection:
    signed, _, signature = token.rpartition(b".")
    head, _, payload = signed.partition(b".")
    found, raw = decode_base64url(payload), decode_base64url(signature)
    if head != _header(kind, browser) or found is None or raw is None or len(raw) != 2 * SCALAR_BYTES:
        return TokenRejection.MALFORMED
    try:
        pair = encode_dss_signature(int.from_bytes(raw[:SCALAR_BYTES]), int.from_bytes(raw[SCALAR_BYTES:]))
        key.key.verify(pair, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return TokenRejection.WRONG_SIGNATURE
    return found


def _header(kind: str, browser: str) -> bytes:
    return encode_base64url(b'{"alg":"ES256","typ":"%s","kid":"%s"}' % (kind.encode(), browser.encode()))


def _read(model: type[W], payload: bytes) -> W | None:
    try:
        loads(payload)
        return model.model_validate_json(payload)
    except (ValueError, ValidationError):
        return None

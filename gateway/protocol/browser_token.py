"""What a browser of the household signs: compact JWS with ES256 (RFC 7515, 7518), as WebCrypto signs. Pure.

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

from gateway.domain.delivery.promise import Wire
from gateway.protocol.browser_envelope import SCALAR, Jwk, coded, plain
from gateway.protocol.browser_messages import Order, Token
from gateway.protocol.strict_json import loads

TOKEN_TYPE: Final = "perron-browser+jwt"  # noqa: S105 - a media type
ORDER_TYPE: Final = "perron-order+jwt"
LARGEST_TOKEN: Final = 2_000  # bytes
TOKEN_LIFE: Final = 300  # seconds at most
SKEW: Final = 60  # seconds by which a browser's clock may be wrong

W = TypeVar("W", bound=Wire)

Sign = Callable[[bytes], bytes]
"""Signs: r and s, 32 bytes each, one after the other."""


class Untrue(StrEnum):
    """Why it is not believed. The words are what whoever asked is told."""

    UNKNOWN_BROWSER = auto()
    MALFORMED = auto()
    WRONG_SIGNATURE = auto()
    WRONG_CLAIMS = auto()
    WRONG_AUDIENCE = auto()
    NOT_YET_VALID = auto()
    NO_LONGER_VALID = auto()


def signer(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Sign as WebCrypto does."""

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(SCALAR) + s.to_bytes(SCALAR)

    return sign


def sign(said: Token | Order, by: Sign) -> bytes:
    """Sign a token or an order."""
    kind = TOKEN_TYPE if isinstance(said, Token) else ORDER_TYPE
    signed = _header(kind, said.iss) + b"." + coded(said.model_dump_json(exclude_none=True).encode())
    return signed + b"." + coded(by(signed))


def named(token: bytes) -> Token | None:
    """Whom a token says that it is from. Nothing of it is proven: it says under which key to look (`believed`)."""
    parts = token.split(b".")
    payload = plain(parts[1]) if len(parts) == 3 and len(token) <= LARGEST_TOKEN else None
    return None if payload is None else _read(Token, payload)


def believed(token: bytes, key: Jwk, *, audience: str, seconds: float) -> Token | Untrue:
    """Read a token that this key signed for this hub, and that counts at this time."""
    said = named(token)
    if said is None:
        return Untrue.MALFORMED
    found = _opened(token, TOKEN_TYPE, said.iss, key)
    if isinstance(found, Untrue):
        return found
    if said.aud != audience:
        return Untrue.WRONG_AUDIENCE
    if not 0 < said.exp - said.iat <= TOKEN_LIFE:
        return Untrue.WRONG_CLAIMS
    return _in_time(said.iat, said.exp, seconds, late=SKEW) or said


def order(token: bytes, key: Jwk, *, browser: str, home: str) -> Order | Untrue:
    """Read an order that this browser signed for this home; whether its time has come is `in_time`'s."""
    payload = _opened(token, ORDER_TYPE, browser, key)
    if isinstance(payload, Untrue):
        return payload
    said = _read(Order, payload)
    if said is None or said.iss != browser or not 0 < said.exp - said.iat <= said.order.life:
        return Untrue.WRONG_CLAIMS
    return said if said.aud == home else Untrue.WRONG_AUDIENCE


def in_time(said: Order, seconds: float) -> Untrue | None:
    """Why an order does not count at this time; None: it does."""
    return _in_time(said.iat, said.exp, seconds, late=0)


def _in_time(iat: int, exp: int, seconds: float, *, late: int) -> Untrue | None:
    if iat > seconds + SKEW:
        return Untrue.NOT_YET_VALID
    return Untrue.NO_LONGER_VALID if exp + late <= seconds else None


def _opened(token: bytes, kind: str, browser: str, key: Jwk) -> bytes | Untrue:
    signed, _, signature = token.rpartition(b".")
    head, _, payload = signed.partition(b".")
    found, raw = plain(payload), plain(signature)
    if head != _header(kind, browser) or found is None or raw is None or len(raw) != 2 * SCALAR:
        return Untrue.MALFORMED
    try:
        pair = encode_dss_signature(int.from_bytes(raw[:SCALAR]), int.from_bytes(raw[SCALAR:]))
        key.key.verify(pair, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return Untrue.WRONG_SIGNATURE
    return found


def _header(kind: str, browser: str) -> bytes:
    return coded(b'{"alg":"ES256","typ":"%s","kid":"%s"}' % (kind.encode(), browser.encode()))


def _read(model: type[W], payload: bytes) -> W | None:
    try:
        loads(payload)
        return model.model_validate_json(payload)
    except (ValueError, ValidationError):
        return None

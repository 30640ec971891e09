"""Verifies what a household's browser signs: the token for a hub, and orders to the box. Pure.

Each kind of token has its own header, so nobody can use a token as an order.
"""

from enum import StrEnum, auto
from typing import Final

from joserfc.jwk import ECKey

from gateway.protocol import jws
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.browser_messages import BrowserTokenClaims, Order
from gateway.system.base64url import decode_base64url

MAX_TOKEN_BYTES: Final = 2_000  # bytes
MAX_TOKEN_LIFETIME_S: Final = 300  # seconds at most
MAX_CLOCK_SKEW_S: Final = 60  # seconds by which a browser's clock may be wrong


class TokenRejection(StrEnum):
    """Why a token is rejected. The values are sent in the answer."""

    UNKNOWN_BROWSER = auto()
    MALFORMED = auto()
    WRONG_SIGNATURE = auto()
    WRONG_CLAIMS = auto()
    WRONG_AUDIENCE = auto()
    NOT_YET_VALID = auto()
    NO_LONGER_VALID = auto()


def sign(claims: BrowserTokenClaims | Order, signer: jws.Sign) -> bytes:
    """Sign a token or an order."""
    kind = jws.BROWSER_TOKEN if isinstance(claims, BrowserTokenClaims) else jws.ORDER
    return jws.sign_claims(kind, claims, signer, kid=claims.iss)


def read_unverified(token: bytes) -> BrowserTokenClaims | None:
    """Return a token's claims before verification, to find the key for `verify_token`; None: it is malformed."""
    parts = token.split(b".")
    if len(parts) != 3 or len(token) > MAX_TOKEN_BYTES:
        return None
    try:
        return jws.parse_claims(BrowserTokenClaims, decode_base64url(parts[1]))
    except ValueError:
        return None


def verify_token(token: bytes, key: Jwk, *, audience: str, seconds: float) -> BrowserTokenClaims | TokenRejection:
    """Return the claims of a token that this key signed for this hub and that is valid at this time."""
    claims = read_unverified(token)
    if claims is None:
        return TokenRejection.MALFORMED
    payload = _verify(token, jws.BROWSER_TOKEN, claims.iss, key)
    if isinstance(payload, TokenRejection):
        return payload
    if claims.aud != audience:
        return TokenRejection.WRONG_AUDIENCE
    if not 0 < claims.exp - claims.iat <= MAX_TOKEN_LIFETIME_S:
        return TokenRejection.WRONG_CLAIMS
    return validity_error(claims, seconds, late_s=MAX_CLOCK_SKEW_S) or claims


def verify_order(token: bytes, key: Jwk, *, browser: str, home: str) -> Order | TokenRejection:
    """Return an order that this browser signed for this home. `validity_error` checks its time."""
    payload = _verify(token, jws.ORDER, browser, key)
    if isinstance(payload, TokenRejection):
        return payload
    try:
        order = jws.parse_claims(Order, payload)
    except ValueError:
        return TokenRejection.WRONG_CLAIMS
    if order.iss != browser or not 0 < order.exp - order.iat <= order.max_lifetime_s:
        return TokenRejection.WRONG_CLAIMS
    return order if order.aud == home else TokenRejection.WRONG_AUDIENCE


def validity_error(claims: BrowserTokenClaims | Order, seconds: float, *, late_s: int = 0) -> TokenRejection | None:
    """Return why a token or an order is not valid at this time; None: it is, or has ended less than `late_s` ago."""
    if claims.iat > seconds + MAX_CLOCK_SKEW_S:
        return TokenRejection.NOT_YET_VALID
    return TokenRejection.NO_LONGER_VALID if claims.exp + late_s <= seconds else None


def _verify(token: bytes, kind: jws.TokenKind, browser: str, key: Jwk) -> bytes | TokenRejection:
    payload = jws.verify_exact(token, kind, ECKey.import_key(key.key), max_bytes=len(token), kid=browser)
    if payload is jws.RejectionCode.WRONG_SIGNATURE:
        return TokenRejection.WRONG_SIGNATURE
    return TokenRejection.MALFORMED if isinstance(payload, jws.RejectionCode) else payload

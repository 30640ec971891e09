"""Proof that the one who enrols a brand's key has its private half: a compact JWS under that key. Pure.

It names the brand, the key and the hub, so a proof that was made for one enrols nothing elsewhere, and nobody enrols
another's key as his own. The header holds `alg`, `kid` and `typ`, the payload `brand`, `kid` and `hub`, nothing else.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable

from gateway.protocol.jws import ALGORITHM
from gateway.protocol.keys import PublicKey
from gateway.protocol.strict_json import loads

POSSESSION_TYPE = "perron-brand-key+jwt"


def sign_proof(sign: Callable[[bytes], bytes], *, brand: str, kid: str, hub: str) -> str:
    """Write the proof; `sign` is the new key's private half, `hub` the hub's own address."""
    header = {"alg": ALGORITHM, "kid": kid, "typ": POSSESSION_TYPE}
    said = {"brand": brand, "kid": kid, "hub": hub}
    signed = b".".join(_encode_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, said))
    return (signed + b"." + _encode_base64url(sign(signed))).decode()


def proof_error(proof: str, key: PublicKey, *, brand: str, kid: str, hub: str) -> str | None:
    """Tell why it does not prove that; None: it does."""
    signed, _, signature = proof.encode().rpartition(b".")
    header, _, said = signed.partition(b".")
    parts = [_decode_base64url(part) for part in (header, said, signature)]
    if any(part is None for part in parts):
        return "the proof is not a JWS in compact form"
    if _read(parts[0]) != {"alg": ALGORITHM, "kid": kid, "typ": POSSESSION_TYPE}:
        return f"the proof's header is alg {ALGORITHM}, this kid and typ {POSSESSION_TYPE}, nothing else"
    if not key.verifies(parts[2] or b"", signed):
        return "the proof is not signed by this key"
    if _read(parts[1]) != {"brand": brand, "kid": kid, "hub": hub}:
        return f"the proof names brand, kid and hub ({hub}), nothing else"
    return None


def _read(part: bytes | None) -> object:
    try:
        return loads(part or b"")
    except ValueError:
        return None


def _encode_base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decode_base64url(part: bytes) -> bytes | None:
    """Read base64url without padding; None: it is none, or not written the one way."""
    try:
        plain = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except Error:
        return None
    return plain if part and _encode_base64url(plain) == part else None

"""Proves that the one who enrols a brand's key has its private half, by a token under that key. Pure.

The token names the brand, the key and the hub, so that a proof made for one of them enrols nothing elsewhere, and
nobody can enrol another's key.
"""

import json

from gateway.protocol import jws
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.strict_json import loads


def sign_proof(sign: jws.Sign, *, brand: str, kid: str, hub: str) -> str:
    """Sign the proof with the new key's private half; `hub` is the hub's own address."""
    claims = {"brand": brand, "kid": kid, "hub": hub}
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return jws.sign(jws.KEY_POSSESSION, payload, sign, kid=kid).decode()


def proof_error(proof: str, key: PublicKey, *, brand: str, kid: str, hub: str) -> str | None:
    """Say why a proof does not prove that; None: it does."""
    token, kind = proof.encode(), jws.KEY_POSSESSION
    parts = jws.split(token)
    if parts is None:
        return "the proof is not a JWS in compact form"
    if _read(parts.header) != kind.members(kid):
        return f"the proof's header is alg {kind.alg}, this kid and typ {kind.typ}, nothing else"
    if not jws.signature_holds(token, kind.alg, key.jwk):
        return "the proof is not signed by this key"
    if _read(parts.payload) != {"brand": brand, "kid": kid, "hub": hub}:
        return f"the proof names brand, kid and hub ({hub}), nothing else"
    return None


def _read(part: bytes) -> object:
    try:
        return loads(part)
    except ValueError:
        return None

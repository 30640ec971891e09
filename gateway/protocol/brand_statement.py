"""A brand's signed statements about its connection to a home; the hub relays them unchanged. Pure.

Each is a compact JWS under one of the brand's keys. It does not name a home: the person who opens the consent page
chooses the home, and the brand does not learn it before consent. It names the hub that relays it, so that no other hub
can use it. The proof that a brand has a key's private half, which enrols the key, names brand, key and hub as well: it
enrols nothing elsewhere, and nobody can enrol another's key.
"""

import json
from collections.abc import Mapping
from typing import Annotated, ClassVar, TypeVar

from pydantic import StringConstraints

from gateway.domain.delivery.promise import Id, Seconds, WireModel
from gateway.protocol import jws
from gateway.protocol.consent_request import AskedTerms, Kid, Label, PublicX
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage
from gateway.protocol.strict_json import loads

MAX_STATEMENT_BYTES = 32 * 1024  # bytes of a token
MAX_CLOCK_SKEW_S = 60  # seconds that a brand's clock may run ahead
MAX_REQUEST_LIFETIME_S = 31 * 24 * 3600  # seconds that a request may be valid


class BrandStatement(WireModel):
    """The claims of every statement: `iss` is the brand, `hub` the address of the hub that relays it."""

    kind: ClassVar[jws.TokenKind]
    iss: Id
    hub: Annotated[str, StringConstraints(max_length=200)]
    iat: Seconds


class ConsentStatement(BrandStatement):
    """The brand asks for consent, under this name and for these terms. The same bytes are always the same request."""

    kind = jws.CONSENT_STATEMENT
    name: Label
    asked: AskedTerms
    exp: Seconds
    jti: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class NextKeyStatement(BrandStatement):
    """The brand has a further key; an earlier key signs the statement."""

    kind = jws.NEXT_KEY
    kid: Kid
    x: PublicX


class EndStatement(BrandStatement):
    """The brand ends this connection."""

    kind = jws.END
    connection: Id


W = TypeVar("W", bound=BrandStatement)


def sign_brand_statement(statement: BrandStatement, sign: jws.Sign, *, kid: str) -> str:
    """Sign a statement with the private half of the brand's key `kid`."""
    return jws.sign_claims(statement.kind, statement, sign, kid=kid).decode()


def verify_brand_statement(
    token: str, model: type[W], keys: Mapping[str, EnrolledKey], *, hub: str
) -> tuple[W, EnrolledKey] | None:
    """Return a statement and the key that signed it; None: it is not such a statement of the key's brand."""
    verified = jws.verify_enrolled(token.encode(), keys, model.kind, model, max_bytes=MAX_STATEMENT_BYTES)
    if isinstance(verified, RejectedMessage):
        return None
    key, statement = verified
    return (statement, key) if statement.iss == key.brand and statement.hub == hub else None


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

"""A brand's signed statements about its connection to a home; the hub relays them unchanged. Pure.

Each is a compact JWS under one of the brand's keys, with `alg`, `kid` and `typ` in its header and nothing else. None
names a home: whose home it is says whoever opens the consent page, and the brand does not learn it before a yes. Each
names the hub through which it goes, so that no other hub can use it.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

from pydantic import StringConstraints, ValidationError

from gateway.domain.delivery.promise import Id, Seconds, WireModel
from gateway.protocol.consent_request import AskedTerms, Kid, Label, PublicX
from gateway.protocol.jws import ALGORITHM, EnrolledKey, RejectedMessage, verify_signature
from gateway.protocol.strict_json import loads

MAX_CLOCK_SKEW_S = 60  # seconds that a brand's clock may run ahead
MAX_REQUEST_LIFETIME_S = 31 * 24 * 3600  # seconds that a question may live


class BrandStatement(WireModel):
    """What every word of a brand holds: `iss` is the brand, `hub` the address of the hub through which it goes."""

    iss: Id
    hub: Annotated[str, StringConstraints(max_length=200)]
    iat: Seconds


class ConsentStatement(BrandStatement):
    """The brand asks to be let in, under this name, for these terms. The same bytes are one question, ever."""

    name: Label
    asked: AskedTerms
    exp: Seconds
    jti: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class NextKeyStatement(BrandStatement):
    """The brand has this key too: said under one that it had before."""

    kid: Kid
    x: PublicX


class EndStatement(BrandStatement):
    """The brand wants no more of this connection."""

    connection: Id


STATEMENT_TYPES: Mapping[type[BrandStatement], str] = {
    ConsentStatement: "perron-ask+jwt",
    NextKeyStatement: "perron-next-key+jwt",
    EndStatement: "perron-end+jwt",
}
W = TypeVar("W", bound=BrandStatement)


def sign_brand_statement(word: BrandStatement, sign: Callable[[bytes], bytes], *, kid: str) -> str:
    """Write it; `sign` is the private half of the brand's key `kid`."""
    header = {"alg": ALGORITHM, "kid": kid, "typ": STATEMENT_TYPES[type(word)]}
    signed = _encode_base64url(json.dumps(header, separators=(",", ":")).encode())
    signed += b"." + _encode_base64url(word.model_dump_json(exclude_none=True).encode())
    return (signed + b"." + _encode_base64url(sign(signed))).decode()


def verify_brand_statement(
    token: str, model: type[W], keys: Mapping[str, EnrolledKey], *, hub: str
) -> tuple[W, EnrolledKey] | None:
    """Read one, with the key that signed it; None: it is none, not by a key of its own brand, or for another hub."""
    read = verify_signature(token.encode(), keys, STATEMENT_TYPES[model])
    if isinstance(read, RejectedMessage):
        return None
    key, payload = read
    try:
        loads(payload)
        word = model.model_validate_json(payload)
    except (ValueError, ValidationError):
        return None
    return (word, key) if word.iss == key.brand and word.hub == hub else None


def _encode_base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")

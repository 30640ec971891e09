"""A box's signed statement of what it understands, for one brand that it lets in. Pure.

A hub passes it on and cannot make one, so it cannot promise for the box. The claims are those of `BoxStatement`; the
token has the type `perron-box+jwt` and is signed with the key that signs the box's events.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from gateway.domain.delivery.address import MAX_ADDRESS_CHARS, AddressKind
from gateway.domain.delivery.features import MAX_NEEDS, Speaks, Word
from gateway.domain.delivery.promise import Id, Seconds, WireModel, printable
from gateway.protocol import jws
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode

MAX_STATEMENT_BYTES = 12_000  # of a token: 32 entrances with all words
STATEMENT_LIFETIME: Final = timedelta(days=7)
RENEWAL_AGE: Final = timedelta(days=1)  # after which a box makes a new one
MAX_CLOCK_SKEW_S = 60  # seconds that the box's clock may run ahead of the reader's


class StatedAddress(WireModel):
    """The home's postcode, or a word of its owner, which he tells the brands that he lets in."""

    model_config = ConfigDict(extra="ignore")

    kind: AddressKind
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ADDRESS_CHARS), AfterValidator(printable)]


class BoxStatement(WireModel):
    """What a box understands. A reader ignores keys that it does not know.

    `iss` is the id of the home, `sub` the brand. `entrances`: the features that each entrance understands; only those
    entrances are named that the brand may use. `address`: what the owner tells of the home's address; None: nothing.
    """

    model_config = ConfigDict(extra="ignore")

    iss: Id
    sub: Id
    iat: Seconds
    exp: Seconds
    speaks: Speaks
    entrances: Annotated[dict[Id, Annotated[tuple[Word, ...], Field(max_length=MAX_NEEDS)]], Field(max_length=32)]
    address: StatedAddress | None = None


def sign_statement(statement: BoxStatement, sign: jws.Sign) -> bytes:
    """Sign with the box's key: the same statement gives the same bytes."""
    return jws.sign_claims(jws.BOX_STATEMENT, statement, sign)


def is_statement(token: bytes) -> bool:
    """Return whether a token says that it is a statement; nothing of it is verified."""
    return jws.typ_of(token) == jws.BOX_STATEMENT.typ


def verify_statement(token: bytes, key: PublicKey, *, home: str, utc: datetime) -> BoxStatement | RejectionCode:
    """Return the statement of this home that this key signed and that counts at `utc`, or why it is rejected."""
    payload = jws.verify_exact(token, jws.BOX_STATEMENT, key.jwk, max_bytes=MAX_STATEMENT_BYTES)
    if isinstance(payload, RejectionCode):
        return payload
    try:
        statement = jws.parse_claims(BoxStatement, payload)
    except ValueError:
        return RejectionCode.WRONG_CLAIMS
    seconds = utc.timestamp()
    if statement.iss != home:
        return RejectionCode.WRONG_ISSUER
    if statement.iat > seconds + MAX_CLOCK_SKEW_S:
        return RejectionCode.NOT_YET_VALID
    if not 0 < statement.exp - statement.iat <= STATEMENT_LIFETIME.total_seconds():
        return RejectionCode.WRONG_CLAIMS
    return RejectionCode.NO_LONGER_VALID if statement.exp <= seconds else statement

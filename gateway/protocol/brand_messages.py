"""A box's signed statement of what a brand did in its home, and the brand's signed messages about it. Pure.

`sign_facts` makes the statement, which the owner may give to others, and which answers a brand's query. A brand queries
its own facts and comments on them by signed messages (`verify_brand_message`); the household sees the comment beside
the facts.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from gateway.domain.delivery.promise import Id, Seconds, SignedMessage, WireModel, printable
from gateway.domain.now import Now
from gateway.protocol import jws
from gateway.protocol.delivery_message import rejection_of
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode

MAX_COMMENT_CHARS = 500
MAX_MESSAGE_BYTES = 8 * 1024
MAX_FACTS_BYTES = 16 * 1024


class BrandFacts(BaseModel):
    """What one brand did here from `since` to `until`; durations are in seconds, None where nothing was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: AwareDatetime | None = None  # of the oldest row that was read; None: there was none
    until: AwareDatetime
    announced: int = Field(ge=0)  # deliveries whose window has begun, without cancelled ones
    visits: int = Field(ge=0)  # in which the door was opened
    outcomes: Mapping[str, int]  # by `Outcome`
    on_time: int = Field(ge=0)  # deliveries with a visit that began in the window and brought something
    missed: int = Field(ge=0)  # deliveries whose window ended without a visit
    inside_median_s: float | None = None
    inside_longest_s: float | None = None
    doors_left_open: int = Field(ge=0)  # visits with that alarm
    handed_to_owner: int = Field(ge=0)  # visits after which the box could not prove the door locked
    refusals: Mapping[str, int]  # of scans, by `Refusal`
    complaints: Mapping[str, int]  # of the owner, by `Complaint`


class FactsClaims(WireModel):
    """The box's statement about one brand: `iss` is the box, or its home at a hub; `sub` is the brand.

    `answers`: the `jti` of the brand's query, so that nobody can present an earlier statement as the answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    iss: Id
    sub: Id
    iat: Seconds
    facts: BrandFacts
    comment: str | None = None  # the brand's own, as it signed it
    answers: str | None = None


def facts_claims(
    box: str, brand: str, facts: BrandFacts, *, comment: str | None, answers: str | None = None
) -> FactsClaims:
    """Return the statement of a box about a brand, issued when the facts end; `comment` is the brand's newest one."""
    at = int(facts.until.timestamp())
    return FactsClaims(iss=box, sub=brand, iat=at, facts=facts, comment=comment, answers=answers)


def sign_facts(claims: FactsClaims, key: SigningKey) -> bytes:
    """Return the statement, signed by the box."""
    return jws.sign_claims(jws.BRAND_FACTS, claims, key.sign)


def verify_facts(token: bytes, box: PublicKey) -> FactsClaims | RejectionCode:
    """Return the statement of this box about a brand, or why the token is no such statement."""
    payload = jws.verify_exact(token, jws.BRAND_FACTS, box.jwk, max_bytes=MAX_FACTS_BYTES)
    if isinstance(payload, RejectionCode):
        return payload
    try:
        return jws.parse_claims(FactsClaims, payload)
    except ValueError:
        return RejectionCode.WRONG_CLAIMS


class FactsQuery(SignedMessage):
    """A brand's query for its own facts."""


class CommentClaims(SignedMessage):
    """A brand's comment on its facts in one home; a later comment replaces it."""

    comment: Annotated[str, StringConstraints(min_length=1, max_length=MAX_COMMENT_CHARS), AfterValidator(printable)]


B = TypeVar("B", bound=SignedMessage)


def sign_comment(claims: CommentClaims, key: SigningKey, *, kid: str) -> bytes:
    """Sign a comment as a brand."""
    return jws.sign_claims(jws.BRAND_COMMENT, claims, key.sign, kid=kid)


def sign_facts_query(claims: FactsQuery, key: SigningKey, *, kid: str) -> bytes:
    """Sign a query for its own facts as a brand."""
    return jws.sign_claims(jws.FACTS_QUERY, claims, key.sign, kid=kid)


def comment_text(token: bytes) -> str | None:
    """Return the text of a comment that was verified when it came; None: the token is no comment."""
    parts = jws.split(token)
    try:
        return None if parts is None else jws.parse_claims(CommentClaims, parts.payload).comment
    except ValueError:
        return None


def is_brand_message(token: bytes) -> bool:
    """Return whether a token claims to be a query or a comment; nothing is verified."""
    return jws.typ_of(token) in {jws.FACTS_QUERY.typ, jws.BRAND_COMMENT.typ}


def verify_brand_message(
    token: bytes, keys: Mapping[str, EnrolledKey], *, box: str, also: str | None = None, now: Now
) -> FactsQuery | CommentClaims | RejectedMessage:
    """Return the message of an enrolled brand to this box, or why it is rejected.

    `also`: the name of its home at the hub through which the message came.
    """
    if jws.typ_of(token) != jws.FACTS_QUERY.typ:
        return verify_comment(token, keys, box=box, also=also, now=now)
    query = jws.verify_enrolled(token, keys, jws.FACTS_QUERY, FactsQuery, max_bytes=MAX_MESSAGE_BYTES)
    return _verify_claims(query, {box, also}, now)


def verify_comment(
    token: bytes, keys: Mapping[str, EnrolledKey], *, box: str, also: str | None = None, now: Now
) -> CommentClaims | RejectedMessage:
    """Return the comment of an enrolled brand to this box, or why it is rejected; `also` as for any brand message."""
    comment = jws.verify_enrolled(token, keys, jws.BRAND_COMMENT, CommentClaims, max_bytes=MAX_MESSAGE_BYTES)
    return _verify_claims(comment, {box, also}, now)


def _verify_claims(
    verified: tuple[EnrolledKey, B] | RejectedMessage, audiences: Collection[str | None], now: Now
) -> B | RejectedMessage:
    if isinstance(verified, RejectedMessage):
        return verified
    key, claims = verified
    return rejection_of(claims, key, audiences, now) or claims

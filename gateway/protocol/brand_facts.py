"""What a brand did in this home, as facts: counts and times from the signed log, never about a person. Pure.

`brand_facts` reads rows of the log (`gateway/storage/decisions.py`) and the windows that the brand signed. `sign_facts`
makes the statement of the box that the owner may hand on. A brand may ask for its own facts and comment on them by
signed messages (`verify_brand_message`); the comment is shown beside them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from statistics import median
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.domain.delivery.promise import Id, Seconds, WireModel, printable
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import Phase
from gateway.protocol import jws
from gateway.protocol.delivery_message import MAX_CLOCK_SKEW_S, MAX_LIFETIME_S
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode

MAX_COMMENT_CHARS = 500
MAX_MESSAGE_BYTES = 8 * 1024
MAX_FACTS_BYTES = 16 * 1024


class Complaint(StrEnum):
    """What the owner may say of a visit. It is chosen, not written, so that it says nothing about a person."""

    DAMAGED = auto()
    MISSING = auto()
    WRONG_PLACE = auto()
    LATE = auto()
    LEFT_OPEN = auto()
    OTHER = auto()


class PromisedWindow(Frozen, kw_only=False):
    """The window of one delivery order that the brand signed."""

    start: datetime
    end: datetime
    cancelled: bool = False


class BrandFacts(BaseModel):
    """What one brand did here from `since` to `until`; durations are in seconds, None where nothing was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: AwareDatetime | None = None  # of the oldest row that was read; None: there was none
    until: AwareDatetime
    announced: int = Field(ge=0)  # deliveries whose window has begun, without cancelled ones
    visits: int = Field(ge=0)  # in which the door was opened
    outcomes: Mapping[str, int]  # by `Outcome`
    on_time: int = Field(ge=0)  # deliveries of which a visit began in the window and brought something
    missed: int = Field(ge=0)  # deliveries whose window is over without a visit
    inside_median_s: float | None = None
    inside_longest_s: float | None = None
    doors_left_open: int = Field(ge=0)  # visits with that alarm
    handed_to_owner: int = Field(ge=0)  # visits after which the box could not prove the door locked
    refusals: Mapping[str, int]  # of scans, by `Refusal`
    complaints: Mapping[str, int]  # of the owner, by `Complaint`


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Match(_Part):
    delivery: str


class _Event(_Part):
    event: str = ""
    matches: tuple[_Match, ...] = ()


class _Command(_Part):
    command: str = ""
    delivery: str | None = None
    code: str | None = None
    outcome: str | None = None
    house: str | None = None
    refusal: str | None = None


class _Row(_Part):
    kind: Literal["step", "complaint"]
    at: AwareDatetime
    visit: str | None = None
    phase: str | None = None
    event: _Event = _Event()
    commands: tuple[_Command, ...] = ()
    delivery: str | None = None  # of a complaint
    complaint: Complaint | None = None


class _Visit:
    """What is known of one visit while its rows are read."""

    def __init__(self) -> None:
        self.delivery: str | None = None
        self.began: datetime | None = None
        self.entered: datetime | None = None  # since then somebody is inside
        self.inside = timedelta(0)
        self.was_opened = False
        self.outcome: str | None = None
        self.left_open = False
        self.handed_over = False

    def read(self, row: _Row) -> None:
        self.began = self.began or row.at
        if row.phase == Phase.INSIDE:
            self.was_opened, self.entered = True, self.entered or row.at
        elif self.entered is not None and row.phase is not None:
            self.inside, self.entered = self.inside + max(row.at - self.entered, timedelta(0)), None
        for command in row.commands:
            self.delivery = self.delivery or command.delivery
            self.outcome = command.outcome or self.outcome
            self.left_open = self.left_open or command.code == AlarmCode.DOOR_LEFT_OPEN
            self.handed_over = self.handed_over or command.house == DoorResult.HANDED_TO_OWNER


def brand_facts(
    brand: str, rows: Iterable[object], windows: Mapping[str, PromisedWindow], *, until: datetime
) -> BrandFacts:
    """Compute the facts of one brand. `rows`: of the log, in their order; `windows` by delivery, `brand.id`.

    A row that is malformed or of another brand counts for nothing; a scan that several brands' codes fit counts for
    none of them.
    """
    prefix, since = f"{brand}.", None
    visits: dict[str, _Visit] = {}
    refusals, complaints = Counter[str](), Counter[str]()
    for raw in rows:
        try:
            row = _Row.model_validate(raw)
        except ValidationError:
            continue
        since = since or row.at
        if row.kind == "complaint":
            if row.complaint is not None and (row.delivery or "").startswith(prefix):
                complaints[row.complaint.value] += 1
            continue
        if row.visit is not None:
            visits.setdefault(row.visit, _Visit()).read(row)
        if row.event.matches and all(match.delivery.startswith(prefix) for match in row.event.matches):
            refusals.update(command.refusal for command in row.commands if command.refusal is not None)
    ours = [visit for visit in visits.values() if (visit.delivery or "").startswith(prefix)]
    own_windows = {key: window for key, window in windows.items() if key.startswith(prefix) and not window.cancelled}
    return _summary(ours, own_windows, since=since, until=until, refusals=refusals, complaints=complaints)


def _summary(  # noqa: PLR0913 - each part of the facts
    visits: list[_Visit],
    windows: Mapping[str, PromisedWindow],
    *,
    since: datetime | None,
    until: datetime,
    refusals: Counter[str],
    complaints: Counter[str],
) -> BrandFacts:
    opened = [visit for visit in visits if visit.was_opened]
    inside = [visit.inside.total_seconds() for visit in opened if visit.entered is None]
    brought = {Outcome.DELIVERED.value, Outcome.PARTLY_DELIVERED.value}
    on_time = {
        visit.delivery
        for visit in visits
        if visit.outcome in brought
        and visit.began is not None
        and (window := windows.get(visit.delivery or "")) is not None
        and window.start <= visit.began < window.end
    }
    visited = {visit.delivery for visit in visits}
    return BrandFacts(
        since=since,
        until=until,
        announced=sum(window.start <= until for window in windows.values()),
        visits=len(opened),
        outcomes=dict(sorted(Counter(visit.outcome for visit in visits if visit.outcome is not None).items())),
        on_time=len(on_time),
        missed=sum(window.end <= until and key not in visited for key, window in windows.items()),
        inside_median_s=median(inside) if inside else None,
        inside_longest_s=max(inside, default=None),
        doors_left_open=sum(visit.left_open for visit in opened),
        handed_to_owner=sum(visit.handed_over for visit in visits),
        refusals=dict(sorted(refusals.items())),
        complaints=dict(sorted(complaints.items())),
    )


class FactsClaims(WireModel):
    """The box's statement about one brand: `iss` is the box, or its home at a hub; `sub` is the brand.

    `answers`: the `jti` of the brand's query that it answers, so that nobody can pass off an earlier answer as it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    iss: Id
    sub: Id
    iat: Seconds
    facts: BrandFacts
    comment: str | None = None  # the brand's own, as it signed it
    answers: str | None = None


def facts_claims(  # noqa: PLR0913 - the claims
    box: str, brand: str, facts: BrandFacts, utc: datetime, *, comment: str | None, answers: str | None = None
) -> FactsClaims:
    """Return the statement of a box about a brand; `comment` is the brand's newest one."""
    return FactsClaims(iss=box, sub=brand, iat=int(utc.timestamp()), facts=facts, comment=comment, answers=answers)


def sign_facts(claims: FactsClaims, key: SigningKey) -> bytes:
    """Return the statement, signed by the box."""
    return jws.sign_claims(jws.BRAND_FACTS, claims, key.sign)


def verify_facts(token: bytes, box: PublicKey) -> FactsClaims | RejectionCode:
    """Return what this box stated about a brand, or why the token is none of its statements."""
    payload = jws.verify_exact(token, jws.BRAND_FACTS, box.jwk, max_bytes=MAX_FACTS_BYTES)
    if isinstance(payload, RejectionCode):
        return payload
    try:
        return jws.parse_claims(FactsClaims, payload)
    except ValueError:
        return RejectionCode.WRONG_CLAIMS


class BrandMessage(WireModel):
    """The claims of every message of a brand about its facts in one home. `aud`: the box, or its home at the hub."""

    iss: Id
    aud: Id
    iat: Seconds
    nbf: Seconds
    exp: Seconds
    jti: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class FactsQuery(BrandMessage):
    """A brand asks for its own facts."""


class CommentClaims(BrandMessage):
    """A brand's comment on its facts in one home; a later one takes its place."""

    comment: Annotated[str, StringConstraints(min_length=1, max_length=MAX_COMMENT_CHARS), AfterValidator(printable)]


_MODELS: Mapping[str, tuple[jws.TokenKind, type[FactsQuery | CommentClaims]]] = {
    jws.FACTS_QUERY.typ: (jws.FACTS_QUERY, FactsQuery),
    jws.BRAND_COMMENT.typ: (jws.BRAND_COMMENT, CommentClaims),
}


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
    """Return whether a token says that it is a query or a comment; nothing of it is verified."""
    return jws.typ_of(token) in _MODELS


def verify_brand_message(
    token: bytes, keys: Mapping[str, EnrolledKey], *, box: str, also: str | None = None, now: Now
) -> FactsQuery | CommentClaims | RejectedMessage:
    """Return the message of an enrolled brand to this box, or why it is rejected.

    `also`: the name of its home at the hub through which the message came.
    """
    kind, model = _MODELS.get(jws.typ_of(token) or "", (jws.BRAND_COMMENT, CommentClaims))
    verified = jws.verify_enrolled(token, keys, kind, model, max_bytes=MAX_MESSAGE_BYTES)
    if isinstance(verified, RejectedMessage):
        return verified
    key, claims = verified
    seconds = now.utc.timestamp()
    if claims.iss != key.brand:
        return RejectedMessage(RejectionCode.WRONG_ISSUER, "the key is another brand's")
    if claims.aud not in {box, also}:
        return RejectedMessage(RejectionCode.WRONG_AUDIENCE, "it is meant for another box")
    if not now.trusted:
        return RejectedMessage(RejectionCode.CLOCK_UNTRUSTED, "the box does not know the time; send it again later")
    if max(claims.iat, claims.nbf) > seconds + MAX_CLOCK_SKEW_S:
        return RejectedMessage(RejectionCode.NOT_YET_VALID, "it is not valid yet")
    if claims.exp <= seconds:
        return RejectedMessage(RejectionCode.NO_LONGER_VALID, "it is no longer valid")
    if not 0 < claims.exp - claims.iat <= MAX_LIFETIME_S:
        return RejectedMessage(RejectionCode.WRONG_CLAIMS, "a message lives at most 31 days")
    return claims

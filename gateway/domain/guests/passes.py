"""Decides on guests' passes: who may come in, where and when, and what their visit is. Pure.

A pass is a separate kind of errand: nobody rings, the guest brings nothing, and no camera films. Times are UTC; days
and hours are on the wall clock of the house.
"""

import hmac
from base64 import b32encode
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from zoneinfo import ZoneInfo

from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, courier_token_digest, new_courier_token
from gateway.domain.delivery.candidate import Errand, VisitDelivery
from gateway.domain.delivery.permission import DAYS, PermissionTerms, allowed_spans
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.state import StayPeriod

GUEST_BRAND = (
    "guest"  # stands for passes in the keys of visits; no brand of the house file or of a hub may have this id
)
GUEST_ERRAND = Errand(is_filmed=False, rings=False, has_parcels=False, for_household=True)
MAX_STAY = timedelta(days=366)  # of a pass or a stay; a longer one is a typing error
MAX_LEAD = timedelta(days=2 * 366)  # until it begins
MAX_OPENINGS = 1000
MAX_NAME_CHARS = 60
MAX_OPEN_PASSES = 100  # passes and proposals of a house that are not over
UNLIMITED_LEFT = 1_000_000  # openings left of a pass without a limit
ALL_DAY = "00:00-24:00"
_MOMENT = timedelta(seconds=1)


class PassState(StrEnum):
    """The state of a pass."""

    PROPOSED = auto()  # by a calendar or an import: it opens nothing before the owner grants it
    GRANTED = auto()
    ENDED = auto()  # by its guest or its host, before its time was over
    REVOKED = auto()


class PassProblem(StrEnum):
    """Why a pass or a stay cannot be stored, or changed."""

    NO_NAME = auto()
    NO_ENTRANCE = auto()
    BACKWARDS = auto()
    PAST = auto()
    TOO_LONG = auto()
    TOO_FAR = auto()
    HOURS = auto()
    OPENINGS = auto()
    TOO_MANY = auto()
    CLOCK_UNTRUSTED = auto()
    CHANGED = auto()  # a booking that has other dates than those that the host saw
    UNKNOWN = auto()  # nothing has this id, or it is over


class Pass(Frozen):
    """The right of one guest to come in. `version` rises with every change, and the code changes with it.

    `openings`: how often; None: as often as the guest likes. `proposed_by`: the calendar or import that proposed it,
    with its id there; None: the owner made it.
    """

    id: str
    version: int
    guest: str
    entrances: frozenset[str]
    starts: datetime
    ends: datetime
    days: frozenset[str] = frozenset(DAYS)
    hours: str = ALL_DAY
    openings: int | None = None
    state: PassState = PassState.GRANTED
    proposed_by: str | None = None

    @property
    def key(self) -> str:
        """The key of its visits in store, log and proof; it has no name of a person."""
        return f"{GUEST_BRAND}.{self.id}"

    @property
    def is_limited(self) -> bool:
        """Whether it opens only on some days, at some hours, or so many times: a keypad keeps to none of these."""
        return self.days != set(DAYS) or self.hours != ALL_DAY or self.openings is not None

    def is_over(self, now: Now) -> bool:
        """Return whether it can never open again; without trusted time no time has passed."""
        return self.state in (PassState.ENDED, PassState.REVOKED) or (now.trusted and now.utc >= self.ends)


class PassUsage(Frozen):
    """What past visits under a pass used."""

    used: int = 0
    withdrawals: int = 0


class Stay(Frozen):
    """Guests stay in the home: nothing is filmed at its entrances. `entrances` empty: at every entrance."""

    id: str
    guest: str
    starts: datetime
    ends: datetime
    entrances: frozenset[str] = frozenset()
    admits_deliveries: bool = False
    proposed_by: str | None = None
    is_proposed: bool = False  # it holds only once the owner accepts it

    def holds_at(self, entrance: str) -> bool:
        """Return whether it applies to this entrance, now or later."""
        return not self.is_proposed and (not self.entrances or entrance in self.entrances)

    @property
    def period(self) -> StayPeriod:
        """The stay as the state machine takes it."""
        return StayPeriod(id=self.id, start=self.starts, end=self.ends, admits_deliveries=self.admits_deliveries)


def is_pass_key(key: str) -> bool:
    """Return whether the key of a visit is that of a pass, and of no delivery."""
    return key.partition(".")[0] == GUEST_BRAND


def pass_problem(new: Pass, *, known: int, now: Now) -> PassProblem | None:
    """Return why a pass cannot be stored beside `known` others that are not over; None: it can."""
    if not 0 < len(new.guest.strip()) <= MAX_NAME_CHARS or not new.guest.isprintable():
        return PassProblem.NO_NAME
    if not new.entrances:
        return PassProblem.NO_ENTRANCE
    if new.openings is not None and not 1 <= new.openings <= MAX_OPENINGS:
        return PassProblem.OPENINGS
    try:
        PermissionTerms(days=new.days, hours=new.hours)
    except ValueError:
        return PassProblem.HOURS
    if not new.days:
        return PassProblem.HOURS
    return period_problem(new.starts, new.ends, known=known, now=now)


def period_problem(starts: datetime, ends: datetime, *, known: int, now: Now) -> PassProblem | None:
    """Return why nothing can be planned from `starts` to `ends`; None: it can."""
    if not now.trusted:
        return PassProblem.CLOCK_UNTRUSTED
    if ends <= starts:
        return PassProblem.BACKWARDS
    if ends <= now.utc:
        return PassProblem.PAST
    if ends - starts > MAX_STAY:
        return PassProblem.TOO_LONG
    if starts - now.utc > MAX_LEAD:
        return PassProblem.TOO_FAR
    return PassProblem.TOO_MANY if known >= MAX_OPEN_PASSES else None


def pass_refusal(held: Pass, entrance: str, *, zone: ZoneInfo, now: Now) -> Refusal | None:
    """Return why a pass does not open this entrance now, or None.

    How often it was used, and the state of door and box, are checked elsewhere.
    """
    match held.state:
        case PassState.REVOKED:
            return Refusal.REVOKED
        case PassState.ENDED:
            return Refusal.EXPIRED
        case PassState.PROPOSED:
            return Refusal.AWAITING_PERMISSION
        case PassState.GRANTED:
            pass
    if now.trusted and now.utc >= held.ends:
        return Refusal.EXPIRED
    if entrance not in held.entrances:
        return Refusal.WRONG_ENTRANCE
    terms = PermissionTerms(days=held.days, hours=held.hours)
    is_within = allowed_spans(now.utc, now.utc + _MOMENT, terms, zone=zone) == [(now.utc, now.utc + _MOMENT)]
    return None if is_within and now.utc >= held.starts else Refusal.OUTSIDE_WINDOW


def pass_candidate(  # noqa: PLR0913 - what a visit depends on, each by its name
    held: Pass, usage: PassUsage, entrance: str, place: str, *, zone: ZoneInfo, now: Now
) -> VisitDelivery:
    """Return the pass as `decide` takes it at this entrance: an errand that is never filmed."""
    limit, spare = held.openings, UNLIMITED_LEFT
    return VisitDelivery(
        id=held.key,
        version=held.version,
        permission_version=0,
        brand=GUEST_BRAND,
        carrier=held.guest,
        entrance=entrance,
        place=place,
        refusal=pass_refusal(held, entrance, zone=zone, now=now),
        start=held.starts,
        end=held.ends,
        openings_left=spare if limit is None else max(0, limit - usage.used),
        withdrawals_left=spare if limit is None else max(0, 2 * limit - usage.withdrawals),
        errand=GUEST_ERRAND,
    )


def pass_code(held: Pass, key: bytes) -> str:
    """Return the code that the scanner reads from the guest's QR.

    It is 128 bits of a MAC of the pass's id and version under the box's own key, in the form of a courier's token. So
    the box signs it, stores no secret, and another version has another code.
    """
    return new_courier_token(_mac(b"guest pass", held, key)[:COURIER_TOKEN_BYTES])


def pass_code_digest(held: Pass, key: bytes) -> str:
    """Return the digest under which the store finds the pass of a scanned code."""
    return courier_token_digest(_mac(b"guest pass", held, key)[:COURIER_TOKEN_BYTES])


def page_token(held: Pass, key: bytes) -> str:
    """Return the last part of the address of the guest's page: the pass's id and 160 bits of a MAC."""
    mac = b32encode(_mac(b"guest page", held, key)[:20]).decode().lower()
    return f"{held.id}.{mac}"


def is_page_token(token: str, held: Pass, key: bytes) -> bool:
    """Return whether an address is that of this version of the pass, in constant time."""
    return hmac.compare_digest(token.encode(), page_token(held, key).encode())


def _mac(what: bytes, held: Pass, key: bytes) -> bytes:
    return hmac.new(key, b"\0".join((what, held.id.encode(), str(held.version).encode())), sha256).digest()

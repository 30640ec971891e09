"""The simulated home: its entrances and terms, what it answers to a question and a message, how it goes on. Pure.

A message is answered by the rules of a real box, in the same order (gateway/storage/offers.py). What cannot be brought
about from outside is asked for by *magic* parcel numbers: `SANDBOX-` and a word, and after it a hyphen and digits as
one likes, so that two open deliveries need not have the same number.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.delivery.permission import DAYS, Permission, Standing, Terms, allows
from gateway.domain.delivery.promise import Body, Cancel, Claims, Offer, Promise, Result, State, Update, Wire, promise
from gateway.domain.visit.state import DoorResult, Refusal
from gateway.protocol.box_hub import EntranceSaid
from gateway.protocol.consent_request import AskedTerms
from gateway.protocol.delivery_record import Said, What, last_of
from gateway.protocol.delivery_state import OVER, REASONS

ZONE = ZoneInfo("Europe/Paris")
ENTRANCES = (
    EntranceSaid(id="garage", name="Garage", places=("shelf",), courier_proof=False),
    EntranceSaid(id="front", name="Front door", places=("hall", "fridge"), courier_proof=True),
)
COLD = frozenset({"fridge"})
CARRIERS = ("Chronopost", "Colissimo", "DHL", "DPD", "UPS")
TERMS = {
    "entrances": [one.id for one in ENTRANCES], "places": ["shelf", "hall", "fridge"], "carriers": [*CARRIERS],
    "days": [*DAYS], "hours": "00:00-24:00", "openings": 1, "hub_signed": True,
}  # fmt: skip
"""What the simulated owner has given, as `connections.terms` keeps it."""

OPENS = timedelta(seconds=1)  # from scheduled to the window's opening, however far away it is
COMES = timedelta(seconds=1)  # until the courier is there
FRIDGE = 4.0  # °C
LEAVES = timedelta(seconds=2)  # until he has gone and the door is proven locked

GIVES = timedelta(seconds=2)  # until a question that nobody answers is over, and until a word is taken back
SILENT, REFUSE, REVOKE = "SANDBOX-SILENT", "SANDBOX-REFUSE", "SANDBOX-REVOKE"
"""Among the carriers that a brand asks for: how the simulated owner answers. Without any he says yes."""

_MAGIC = re.compile(r"SANDBOX-([A-Z-]*[A-Z])(?:-[0-9]+)?")
_REFUSE = "REFUSE-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the home knows of a delivery. `version` is the one that it took last."""

    version: int
    state: State


class Given(Wire):
    """What the simulated owner lets a brand do."""

    entrances: tuple[str, ...]
    places: tuple[str, ...]
    carriers: tuple[str, ...]
    days: tuple[str, ...] = DAYS
    hours: str = "00:00-24:00"
    openings: int = 1
    expires: datetime | None = None
    hub_signed: bool = False

    @property
    def meant(self) -> Terms:
        """The same as a house reckons with them."""
        return Terms(
            entrances=frozenset(self.entrances), places=frozenset(self.places), carriers=frozenset(self.carriers),
            days=frozenset(self.days), hours=self.hours, openings=self.openings, expires=self.expires,
        )  # fmt: skip


def answer(asked: AskedTerms) -> Given | None:
    """What the simulated owner gives of what is asked; None: nothing. Whoever asks for no entrance asks for any."""
    carriers = [carrier for carrier in asked.carriers if carrier not in {SILENT, REFUSE, REVOKE}]
    entrances = [one for one in ENTRANCES if asked.entrances is None or one.id in asked.entrances]
    there = [place for one in entrances for place in one.places]
    places = [place for place in there if asked.places is None or place in asked.places]
    if REFUSE in asked.carriers or not entrances or not places:
        return None
    return Given(
        entrances=tuple(one.id for one in entrances), places=tuple(places), carriers=tuple(carriers) or CARRIERS,
        days=asked.days, hours=asked.hours, openings=asked.openings, expires=asked.expires,
        hub_signed=asked.hub_signed,
    )  # fmt: skip


def magic(parcels: Iterable[str]) -> tuple[str, ...]:
    """The magic words among parcel numbers, without their digits."""
    found = (_MAGIC.fullmatch(parcel) for parcel in parcels)
    return tuple(match[1] for match in found if match is not None)


def refusal(claims: Claims, known: Known | None, others: Iterable[Promise], terms: Terms, now: datetime) -> str | None:
    """Why a believed message does not count; None: it does. `others`: what else is open in this home."""
    said = claims.delivery
    if isinstance(said, Cancel):
        return _of_cancel(said, known)
    code = _of_version(said, known)
    if code is None and known is not None and (known.state is State.VISITING or known.state in OVER):
        code = "too_late"
    return code or _asked_for(said) or _objection(promise(claims.iss, said), others, terms, now)


def _of_cancel(said: Cancel, known: Known | None) -> str | None:
    if known is None:
        return None
    if known.state is State.CANCELLED:
        return "cancelled"
    if said.version <= known.version:
        return "version_too_low"
    return "too_late" if known.state is State.VISITING or known.state in OVER else None


def _of_version(said: Offer | Update, known: Known | None) -> str | None:
    if known is None:
        return None if isinstance(said, Offer) else "unknown_delivery"
    if known.state is State.CANCELLED:
        return "cancelled"
    if isinstance(said, Offer):
        return "already_offered"
    return "version_too_low" if said.version <= known.version else None


def _asked_for(said: Body) -> str | None:
    """The refusal that a magic parcel asks for."""
    for word in magic(said.parcels):
        code = word.removeprefix(_REFUSE).replace("-", "_").lower()
        if word.startswith(_REFUSE) and code in REASONS:
            return code
    return None


def _objection(new: Promise, others: Iterable[Promise], terms: Terms, now: datetime) -> str | None:
    entrance = next((one for one in ENTRANCES if one.id == new.entrance), None)
    if entrance is None:
        return "unknown_entrance"
    if new.place not in entrance.places:
        return "unknown_place"
    if new.cold_max_c is not None and new.place not in COLD:
        return "place_not_cold"
    if entrance.courier_proof and new.courier is None:
        return "courier_code_missing"
    if new.end <= now:
        return "expired"
    granted = Permission(brand=new.brand, version=1, standing=Standing.GRANTED, terms=terms)
    refused = allows(granted, new, zone=ZONE, utc=now)
    if refused is not None and refused is not Refusal.AWAITING_PERMISSION:
        return refused.value
    return "code_collision" if any(_collide(new, other) for other in others) else None


def _collide(new: Promise, other: Promise) -> bool:
    """Whether one scan could mean both."""
    at_once = new.entrance == other.entrance and other.start < new.end and other.end > new.start
    return at_once and bool(new.parcels & other.parcels)


def standing(said: Offer | Update | Cancel, now: datetime) -> State:
    """How a delivery stands once a message counts."""
    if isinstance(said, Cancel):
        return State.CANCELLED
    if not said.parcels:
        return State.AWAITING_LABEL
    return State.WINDOW_OPEN if said.window.start <= now else State.SCHEDULED


def due(state: State, parcels: Iterable[str], end: datetime, now: datetime) -> datetime | None:
    """When the robot goes on with a delivery that stands so since now; None: never."""
    words = magic(parcels)
    match state:
        case State.AWAITING_LABEL | State.AWAITING_PERMISSION:
            return end
        case State.SCHEDULED:
            return end if "WAITS" in words else now + OPENS
        case State.WINDOW_OPEN:
            return end if "WAITS" in words else now + COMES
        case State.VISITING:
            return now + LEAVES
        case _:
            return None


def onward(state: State, parcels: tuple[str, ...], end: datetime, now: datetime) -> dict[str, object]:
    """What comes next, as a result has it."""
    words = magic(parcels)
    if state is State.VISITING:
        return _left(parcels, words)
    if now >= end or (state is State.WINDOW_OPEN and "NOBODY-COMES" in words):
        return {"state": State.EXPIRED}
    return {"state": State.WINDOW_OPEN if state is State.SCHEDULED else State.VISITING}


def lines(ended: Result, parcels: tuple[str, ...], cold: float | None, now: datetime) -> tuple[Said, ...]:
    """What the simulated home's log has of a visit that ended so just now. `cold`: how cold it was to be kept."""
    came = now - LEAVES
    read = [parcel for parcel in parcels if "MISSING" not in magic([parcel])]
    if "NOT-DELIVERED" in magic(parcels):
        read = []
    said = [Said(at=came, what=What.PARCEL, code=last_of(parcel)) for parcel in read or parcels[:1]]
    if ended.house is not DoorResult.NOT_OPENED:
        said += [Said(at=came + LEAVES / 4, what=What.UNLOCKED), Said(at=came + LEAVES / 2, what=What.OPENED)]
        if cold is not None:
            said.insert(0, Said(at=came, what=What.TEMPERATURE, celsius=round(min(FRIDGE, cold), 1)))
        if "UNKNOWN" not in magic(parcels):
            said.append(Said(at=came + LEAVES * 3 / 4, what=What.CLOSED))
    house = DoorResult.NOT_OPENED if ended.house is None else ended.house
    return (*said, Said(at=now, what=What(house.value)))


def _left(parcels: tuple[str, ...], words: tuple[str, ...]) -> dict[str, object]:
    """How a visit ends."""
    house = DoorResult.HANDED_TO_OWNER if "HANDED-TO-OWNER" in words else DoorResult.LOCKED_AGAIN
    if "ATTENDED" in words:
        return {"state": State.NOT_DELIVERED, "reason": "attended", "house": DoorResult.NOT_OPENED}
    if "UNKNOWN" in words:
        return {"state": State.NOT_DELIVERED, "reason": "unknown", "house": DoorResult.HANDED_TO_OWNER}
    missing = len(parcels) if "NOT-DELIVERED" in words else words.count("MISSING")
    if missing == len(parcels):
        return {"state": State.NOT_DELIVERED, "reason": "not_delivered", "missing": missing, "house": house}
    state = State.PARTLY_DELIVERED if missing else State.DELIVERED
    return {"state": state, "missing": missing, "house": house}

"""A simulated home: its entrances, its terms, and its answers to requests and messages. Pure.

It answers a message by the rules of a real box, in the same order (gateway/storage/offers.py). *Magic* parcel numbers
request what a retailer cannot cause otherwise: `SANDBOX-` and a word, and optionally a hyphen and digits, so that two
open deliveries need not have the same number.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway.domain.delivery import promise
from gateway.domain.delivery.address import AddressKind, HomeAddress, is_other_address
from gateway.domain.delivery.features import SPEAKS, entrance_features
from gateway.domain.delivery.permission import DAYS, Permission, PermissionStatus, PermissionTerms, permission_refusal
from gateway.domain.delivery.promise import (
    Arrival,
    Cancel,
    DeliveryOrder,
    Offer,
    State,
    TimeAnswer,
    TimeRequest,
    Update,
)
from gateway.domain.delivery.promise_v2 import DeliveryBodyV2
from gateway.domain.delivery.result import CollectResult, DoorResult, Outcome, Refusal
from gateway.domain.frozen import Frozen
from gateway.hub.deliveries.availability import GivenTerms
from gateway.protocol import jws
from gateway.protocol.box_hub import EntranceDescription
from gateway.protocol.box_statement import STATEMENT_LIFETIME, BoxStatement, StatedAddress, sign_statement
from gateway.protocol.brand_messages import BrandFacts
from gateway.protocol.brand_statement import ConsentStatement
from gateway.protocol.consent_request import AskedTerms, ConsentMessage
from gateway.protocol.delivery_record import END_STATES, RecordEntry, RecordEntryKind, shown_code
from gateway.protocol.delivery_state import PUBLIC_REASONS
from gateway.protocol.jws import RejectionCode
from gateway.protocol.keys import BoxKey

SANDBOX_ZONE = ZoneInfo("Europe/Paris")
SANDBOX_ENTRANCES = (
    EntranceDescription(id="garage", name="Garage", places=("shelf",), courier_proof=False),
    EntranceDescription(id="front", name="Front door", places=("hall", "fridge"), courier_proof=True),
)
SANDBOX_ADDRESS = HomeAddress(kind=AddressKind.POSTCODE, text="75001")
"""What the simulated owner tells of the home's address."""
COLD_PLACES = frozenset({"fridge"})
ROBOT_ENTRANCES = frozenset({"front"})  # where robots come in under supervision
CARRIERS = ("Chronopost", "Colissimo", "DHL", "DPD", "UPS")
SANDBOX_TERMS = {
    "entrances": [entrance.id for entrance in SANDBOX_ENTRANCES], "places": ["shelf", "hall", "fridge"],
    "carriers": [*CARRIERS], "days": [*DAYS], "hours": "00:00-24:00", "openings": 1, "hub_signed": True,
}  # fmt: skip
"""What the simulated owner was asked for."""

GIVEN_TERMS = {**SANDBOX_TERMS, "entrance_places": {one.id: [*one.places] for one in SANDBOX_ENTRANCES}}
"""What the simulated owner has given, as `connections.terms` keeps it."""

OPENING_DELAY = timedelta(seconds=1)  # from scheduled to the window's opening, whenever the window is
ARRIVAL_DELAY = timedelta(seconds=1)  # until the courier is there
FRIDGE_CELSIUS = 4.0  # °C
RECEIVED_WORD, MOVED_WORD = "RECEIVED", "MOVED"
LEFT_WORD = "LEFT"  # of a parcel to collect: the courier leaves it
NO_TIME_WORD = "NO-TIME"  # the household gives a late courier no more time
WARM_WORD, UNSCANNED_WORD = "WARM", "UNSCANNED"  # of items: the fridge was too warm; nobody scanned them there
MOVE_FROM, MOVE_TO = "front", "garage"
DECLINED_WORDS: Mapping[str, str] = {
    "DECLINED": "declined", "DECLINED-DAMAGED": "declined_damaged", "DECLINED-UNKNOWN": "declined_unknown",
    "DECLINED-NO-ROOM": "declined_no_room",
}  # fmt: skip
"""The magic words for a receiver who declines a parcel, each with the reason for the retailer."""

VISIT_DURATION = timedelta(seconds=2)  # until the courier has gone and the door is proven locked

DECISION_DELAY = timedelta(seconds=2)  # until an unanswered request expires, or a permission is revoked
SILENT_CODE, REFUSE_CODE, REVOKE_CODE = "SANDBOX-SILENT", "SANDBOX-REFUSE", "SANDBOX-REVOKE"
"""A brand that asks for one of these carriers chooses the simulated owner's answer; without one he permits."""

_MAGIC_PATTERN = re.compile(r"SANDBOX-([A-Z-]*[A-Z])(?:-[0-9]+)?")
_REFUSE_PREFIX = "REFUSE-"


class SandboxDelivery(Frozen):
    """What the home knows of a delivery. `version` is the newest that it accepted."""

    version: int
    state: State
    message_version: int = 1


class ParcelCodes(Frozen):
    """The parcels of an order: those that the courier brings, and those that he collects."""

    parcels: tuple[str, ...] = ()
    collect: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Return both."""
        return (*self.parcels, *self.collect)


def codes_of(promise_: Mapping[str, Any]) -> ParcelCodes:
    """Return the parcels of a stored order."""
    return ParcelCodes(parcels=tuple(promise_["parcels"]), collect=tuple(promise_.get("collect") or ()))


def asked_terms(request: ConsentMessage) -> AskedTerms | None:
    """Return the terms that a request asks for: those that its brand signed, which the hub has verified, come first."""
    parts = None if request.signed is None else jws.split(request.signed.encode())
    return request.asked if parts is None else jws.parse_claims(ConsentStatement, parts.payload).asked


def decide_terms(asked: AskedTerms) -> GivenTerms | None:
    """Return what the simulated owner grants of a request, or None; a request without entrances asks for any."""
    carriers = [carrier for carrier in asked.carriers if carrier not in {SILENT_CODE, REFUSE_CODE, REVOKE_CODE}]
    entrances = [
        entrance for entrance in SANDBOX_ENTRANCES if asked.entrances is None or entrance.id in asked.entrances
    ]
    all_places = [place for entrance in entrances for place in entrance.places]
    places = [place for place in all_places if asked.places is None or place in asked.places]
    if REFUSE_CODE in asked.carriers or not entrances or not places:
        return None
    return GivenTerms(
        entrances=tuple(entrance.id for entrance in entrances), places=tuple(places),
        carriers=tuple(carriers) or CARRIERS, days=asked.days, hours=asked.hours, openings=asked.openings,
        expires=asked.expires, hub_signed=asked.hub_signed,
    )  # fmt: skip


def signed_statement(home: str, brand: str, entrances: Iterable[str], now: datetime, key: BoxKey) -> bytes:
    """Return the home's statement to a brand of what it understands: what every box of this release does."""
    begin = int(now.timestamp())
    statement = BoxStatement(
        iss=home, sub=brand, iat=begin, exp=begin + int(STATEMENT_LIFETIME.total_seconds()), speaks=SPEAKS,
        entrances={entrance: entrance_features(robots=entrance in ROBOT_ENTRANCES) for entrance in entrances},
        address=StatedAddress(kind=SANDBOX_ADDRESS.kind, text=SANDBOX_ADDRESS.text),
    )  # fmt: skip
    return sign_statement(statement, key.sign)


def magic_words(parcels: Iterable[str]) -> tuple[str, ...]:
    """Return the magic words among parcel numbers, without their digits."""
    matches = map(_MAGIC_PATTERN.fullmatch, parcels)
    return tuple(match[1] for match in matches if match is not None)


def refusal_of(
    claims: promise.Claims,
    known: SandboxDelivery | None,
    others: Iterable[DeliveryOrder],
    terms: PermissionTerms,
    now: datetime,
) -> str | None:
    """Return why a verified message does not count, or None. `others`: the other open deliveries of this home."""
    body = claims.delivery
    if isinstance(body, TimeRequest):
        return _time_refusal(body, known)
    if isinstance(body, Arrival):
        return _arrival_refusal(body, known)
    code = _version_refusal(body, known)
    if isinstance(body, Cancel):
        return code
    return code or _requested_refusal(body) or _terms_refusal(promise.order_of(claims.iss, body), others, terms, now)


def _arrival_refusal(body: Arrival, known: SandboxDelivery | None) -> str | None:
    if known is None:
        return "unknown_delivery"
    if body.version != known.version:
        return "version_too_low"
    expected = {State.AWAITING_LABEL, State.SCHEDULED, State.WINDOW_OPEN}
    return None if known.state in expected else "too_late"


def _time_refusal(body: TimeRequest, known: SandboxDelivery | None) -> str | None:
    if known is None:
        return "unknown_delivery"
    if body.version != known.version:
        return "version_too_low"
    return None if known.state in {State.WINDOW_OPEN, State.EXPIRED} else "too_late"


def _version_refusal(body: Offer | Update | Cancel, known: SandboxDelivery | None) -> str | None:
    if known is None:
        return "unknown_delivery" if isinstance(body, Update) else None
    if known.state is State.CANCELLED:
        return "cancelled"
    if isinstance(body, Offer | Update) and known.message_version > (2 if isinstance(body, DeliveryBodyV2) else 1):
        return "downgrade"
    if isinstance(body, Offer):
        return "already_offered"
    if body.version <= known.version:
        return "version_too_low"
    return "too_late" if known.state is State.VISITING or known.state in promise.FINAL_STATES else None


def _requested_refusal(body: promise.DeliveryBody) -> str | None:
    for word in magic_words(body.parcels):
        code = word.removeprefix(_REFUSE_PREFIX).replace("-", "_").lower()
        if word.startswith(_REFUSE_PREFIX) and code in PUBLIC_REASONS:
            return code
    return None


def _terms_refusal(
    new: DeliveryOrder, others: Iterable[DeliveryOrder], terms: PermissionTerms, now: datetime
) -> str | None:
    known = {entrance.id: entrance for entrance in SANDBOX_ENTRANCES}
    entrance = known.get(new.entrance)
    if entrance is None or not (new.entrances or frozenset()) <= known.keys():
        return "unknown_entrance"
    if new.place not in entrance.places:
        return "unknown_place"
    if is_other_address(SANDBOX_ADDRESS, new.expected_address):
        return Refusal.OTHER_ADDRESS.value
    if not new.places_with_limits <= COLD_PLACES:
        return "place_not_cold"
    if new.for_robot and (new.collect or entrance.id not in ROBOT_ENTRANCES):
        return RejectionCode.UNSUPPORTED.value
    needs_courier = new.only_collects or (entrance.courier_proof and not new.for_robot)
    if needs_courier and new.courier is None:
        return "courier_code_missing"
    if new.end <= now:
        return "expired"
    granted = Permission(brand=new.brand, version=1, standing=PermissionStatus.GRANTED, terms=terms)
    refused = permission_refusal(granted, new, zone=SANDBOX_ZONE, utc=now)
    if refused is not None and refused is not Refusal.AWAITING_PERMISSION:
        return refused.value
    return "code_collision" if any(_codes_collide(new, other) for other in others) else None


def _codes_collide(new: DeliveryOrder, other: DeliveryOrder) -> bool:
    """Return whether one scan could mean both deliveries."""
    at_once = new.entrance == other.entrance and other.start < new.end and other.end > new.start
    return at_once and not (new.parcels | new.collect).isdisjoint(other.parcels | other.collect)


def state_after(body: Offer | Update | Cancel, now: datetime) -> State:
    """Return the state of a delivery once a message counts."""
    if isinstance(body, Cancel):
        return State.CANCELLED
    if not promise.order_of("", body).only_collects and not body.parcels:
        return State.AWAITING_LABEL
    return State.WINDOW_OPEN if body.window.start <= now else State.SCHEDULED


def next_due(state: State, parcels: Iterable[str], end: datetime, now: datetime) -> datetime | None:
    """Return when the robot continues with a delivery that has been in this state since now, or None."""
    words = magic_words(parcels)
    match state:
        case State.AWAITING_LABEL | State.AWAITING_PERMISSION:
            return end
        case State.SCHEDULED:
            return end if "WAITS" in words else now + OPENING_DELAY
        case State.WINDOW_OPEN:
            return end if "WAITS" in words else now + ARRIVAL_DELAY
        case State.VISITING:
            return now + VISIT_DURATION
        case _:
            return None


def next_result(  # noqa: PLR0913 - what the home knows of the delivery
    state: State,
    codes: ParcelCodes,
    end: datetime,
    now: datetime,
    *,
    elsewhere: str | None = None,
    more_time: TimeAnswer | None = None,
) -> dict[str, object]:
    """Return the next result of a delivery. `elsewhere`: the entrance to which the home moves it at the first scan.

    `more_time`: what became of a late courier's question: the simulated household says yes, unless `NO_TIME_WORD` is
    among the parcels, and then the courier comes.
    """
    words = magic_words(codes.all)
    if more_time is TimeAnswer.ASKED:
        if NO_TIME_WORD in words:
            return {"state": State.EXPIRED, "more_time": TimeAnswer.REFUSED}
        return {"state": State.WINDOW_OPEN, "more_time": TimeAnswer.GIVEN}
    if more_time is TimeAnswer.GIVEN and state is State.WINDOW_OPEN:
        return {"state": State.VISITING}
    if state is State.VISITING:
        return _with_collection(_visit_result(codes.parcels, words), codes)
    if now >= end or (state is State.WINDOW_OPEN and "NOBODY-COMES" in words):
        return {"state": State.EXPIRED}
    if state is State.WINDOW_OPEN and elsewhere is not None:
        return {"state": state, "moved_to": elsewhere}
    return {"state": State.WINDOW_OPEN if state is State.SCHEDULED else State.VISITING}


def place_of_move(promise_: Mapping[str, Any], permitted: Collection[str]) -> str | None:
    """Return the entrance to which the home moves an order whose own entrance cannot take it; None: it is not moved.

    Only the front door has another place, the garage. `permitted`: the entrances that the owner gave to the brand.
    """
    accepted = promise_.get("entrances") or (MOVE_TO,)
    is_moved = MOVED_WORD in magic_words(promise_["parcels"]) and promise_["entrance"] == MOVE_FROM
    return MOVE_TO if is_moved and MOVE_TO in accepted and MOVE_TO in permitted else None


def facts_of(rows: Sequence[Any], now: datetime) -> BrandFacts:
    """Return what a brand did in a simulated home, from its rows of `deliveries`; each visit takes the same time."""
    done = [row for row in rows if row.state in END_STATES]
    outcomes = Counter(str(row.reason if row.reason in set(Outcome) else row.state) for row in done)
    opened = [row for row in done if row.house not in {None, DoorResult.NOT_OPENED}]
    inside = VISIT_DURATION.total_seconds() / 2 if opened else None
    begun = {State.WINDOW_OPEN, State.VISITING, State.EXPIRED, *END_STATES}
    return BrandFacts(
        since=min((row.created for row in rows), default=None), until=now,
        announced=sum(row.state in begun for row in rows), visits=len(opened), outcomes=dict(sorted(outcomes.items())),
        on_time=sum(row.state != State.NOT_DELIVERED for row in done),
        missed=sum(row.state == State.EXPIRED for row in rows), inside_median_s=inside, inside_longest_s=inside,
        doors_left_open=0, handed_to_owner=sum(row.house == DoorResult.HANDED_TO_OWNER for row in done),
        refusals={}, complaints={},
    )  # fmt: skip


def visit_log(
    ended: promise.DeliveryResult, codes: ParcelCodes, cold: float | None, now: datetime
) -> tuple[RecordEntry, ...]:
    """Return the simulated home's log of a visit that just ended so. `cold` is the permitted temperature in °C."""
    came, parcels = now - VISIT_DURATION, codes.parcels
    words = magic_words(codes.all)
    read = [parcel for parcel in parcels if "MISSING" not in magic_words([parcel])]
    if "NOT-DELIVERED" in words:
        read = []
    entries = [
        RecordEntry(at=came, what=RecordEntryKind.PARCEL, code=shown_code(parcel)) for parcel in read or parcels[:1]
    ]
    if ended.house is not DoorResult.NOT_OPENED:
        if cold is not None:
            celsius = round(min(FRIDGE_CELSIUS, cold), 1)
            entries.insert(0, RecordEntry(at=came, what=RecordEntryKind.TEMPERATURE, celsius=celsius))
        entries.append(RecordEntry(at=came + VISIT_DURATION / 4, what=RecordEntryKind.UNLOCKED))
        entries.append(RecordEntry(at=came + VISIT_DURATION / 2, what=RecordEntryKind.OPENED))
        entries += [
            RecordEntry(at=came + VISIT_DURATION * 5 / 8, what=RecordEntryKind.COLLECTED, code=shown_code(code))
            for code in codes.collect
            if ended.collected is not None and not _is_left(code)
        ]
        if "UNKNOWN" not in words:
            entries.append(RecordEntry(at=came + VISIT_DURATION * 3 / 4, what=RecordEntryKind.CLOSED))
    house = DoorResult.NOT_OPENED if ended.house is None else ended.house
    return (*entries, RecordEntry(at=now, what=RecordEntryKind(house.value)))


def _is_left(code: str) -> bool:
    return LEFT_WORD in magic_words([code])


def _with_collection(result: dict[str, object], codes: ParcelCodes) -> dict[str, object]:
    """Return the result of a visit with what was collected in it; an order that only collects has no other result."""
    if not codes.collect:
        return result
    unknown = "custody" in result or result.get("reason") in {"attended", "unknown"}
    left = sum(map(_is_left, codes.collect))
    collected = CollectResult.COLLECTED if not left else CollectResult.PARTLY_COLLECTED
    collected = CollectResult.NOT_COLLECTED if left == len(codes.collect) else collected
    if codes.parcels:
        return result if unknown else {**result, "collected": collected}
    if unknown:
        return {**result, "state": State.NOT_COLLECTED}
    reason = {"reason": "not_collected"} if collected is CollectResult.NOT_COLLECTED else {}
    return {"state": State(collected.value), "house": result["house"], "collected": collected, **reason}


def cold_chain_of(order: Mapping[str, Any], ended: promise.DeliveryResult) -> tuple[promise.ItemResult, ...] | None:
    """Return how the cold chain of each item held in a visit that ended so; None: no items, or nothing came in."""
    items, words = order.get("items"), magic_words(order["parcels"])
    if not items or ended.house in {None, DoorResult.NOT_OPENED}:
        return None
    if WARM_WORD in words:
        facts: dict[str, Any] = {"verdict": "non_conformant", "reasons": ("too_warm",), "seconds": 40.0,
                                 "lowest_c": FRIDGE_CELSIUS, "highest_c": 60.0}  # fmt: skip
    elif UNSCANNED_WORD in words or ended.state is not State.DELIVERED:
        facts = {"verdict": "unknown", "reasons": ("not_stowed", "no_air_after")}
    else:
        facts = {"verdict": "conformant", "seconds": 40.0}
    return tuple(promise.ItemResult(code=item["code"], **facts) for item in items)


def _visit_result(parcels: tuple[str, ...], words: tuple[str, ...]) -> dict[str, object]:
    house = DoorResult.HANDED_TO_OWNER if "HANDED-TO-OWNER" in words else DoorResult.LOCKED_AGAIN
    declined = [DECLINED_WORDS[word] for word in words if word in DECLINED_WORDS]
    if declined and len(declined) == len(parcels):
        return {"state": State.NOT_DELIVERED, "reason": declined[-1]}
    if declined or RECEIVED_WORD in words:  # the receiver takes the others; no door is moved
        state = State.PARTLY_DELIVERED if declined else State.DELIVERED
        lacking = tuple(parcel for parcel in parcels if not DECLINED_WORDS.keys().isdisjoint(magic_words([parcel])))
        return {"state": state, "missing": len(declined), "missing_parcels": lacking, "custody": "receiver"}
    if "ATTENDED" in words:
        return {"state": State.NOT_DELIVERED, "reason": "attended", "house": DoorResult.NOT_OPENED}
    if "UNKNOWN" in words:
        return {"state": State.NOT_DELIVERED, "reason": "unknown", "house": DoorResult.HANDED_TO_OWNER}
    missing = len(parcels) if "NOT-DELIVERED" in words else words.count("MISSING")
    if missing == len(parcels):
        return {"state": State.NOT_DELIVERED, "reason": "not_delivered", "missing": missing, "house": house}
    state = State.PARTLY_DELIVERED if missing else State.DELIVERED
    lacking = tuple(parcel for parcel in parcels if "MISSING" in magic_words([parcel]))
    return {"state": state, "missing": missing, "missing_parcels": lacking, "house": house}

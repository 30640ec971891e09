"""Computes what a courier sees of a delivery: which house, door and parcel, the next step, and go or no. Nothing else.

The link names the delivery by the SHA-256 of the one-time courier token, which nobody can guess; the token itself is in
the link's fragment, which no browser sends to a server. The page shows no more than the red light at the door.
"""

import re
from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Any

from gateway.domain.delivery import carriers
from gateway.domain.delivery.barcodes import BarcodeKind, courier_token_value
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.promise import State, TimeAnswer
from gateway.domain.now import Now
from gateway.domain.visit.state import CodeKind, Entrance, Holder, Phase, Timer
from gateway.protocol.keys import shown_ending
from gateway.web.server.context import GatewayServices, Viewer
from gateway.web.server.countdown import answer_countdown, running_countdown
from gateway.web.texts.catalogue import TEXTS

# The kinds of codes that a phone may report from a label.
_CARRIER_NAMES = dict.fromkeys(label.carrier for label in carriers.CARRIER_BARCODES)
LABEL_KINDS = (*(kind.value for kind in BarcodeKind if kind is not BarcodeKind.COURIER), *_CARRIER_NAMES, "link")

_DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")


class CourierStep(StrEnum):
    """What the courier does next. Each step has a colour, a picture, a sentence and, where it is new, a sound."""

    EARLY = auto()  # the window has not begun yet
    SHOW = auto()  # scan the parcel, then hold this page's code before the scanner
    OTHER = auto()  # one of the two was read; scan the other one
    KEEPER = auto()  # give it to the keeper: the keeper's code opens, not this page's
    WAIT = auto()
    QUEUE = auto()  # another courier is inside; scan again afterwards
    GO = auto()
    INSIDE = auto()  # put it down, come out, close the door
    NEXT = auto()  # close this door behind you, go on to the next one and scan there
    AWAY = auto()  # step back: it locks
    DONE = auto()
    LATE = auto()  # the window is over; the courier may ask for half an hour more
    ASKED = auto()  # he did, and the household has not answered
    REFUSED = auto()  # the household gives him no more time, or did not answer
    NO = auto()  # the red light is on
    HELP = auto()  # the owner must look after the door
    OVER = auto()  # the link opens nothing, or nothing any more


PHASE_STEPS: Mapping[Phase, tuple[CourierStep, Timer | None]] = {
    Phase.RINGING: (CourierStep.WAIT, None),
    Phase.APPROVING: (CourierStep.WAIT, None),
    Phase.UNLOCKING: (CourierStep.WAIT, None),
    Phase.UNLOCKED: (CourierStep.GO, Timer.NEVER),
    Phase.INSIDE: (CourierStep.INSIDE, Timer.OPEN_LONG),
    Phase.ADVANCING: (CourierStep.NEXT, Timer.ADVANCE),
    Phase.RELOCKING: (CourierStep.AWAY, None),
    Phase.LOCKED_AGAIN: (CourierStep.DONE, None),
    Phase.HANDED_TO_OWNER: (CourierStep.HELP, None),
}
"""The step in each phase of the courier's own visit, and the timer that ends it; a wait has `answer_countdown`."""


INSIDE_STEPS = frozenset({CourierStep.GO, CourierStep.INSIDE, CourierStep.NEXT})
COLLECT_STEPS = INSIDE_STEPS | {CourierStep.EARLY, CourierStep.SHOW, CourierStep.OTHER, CourierStep.WAIT}
"""The steps in which the courier reads what he takes with him; where it lies, he reads once the door is open to him."""


def find_delivery(services: GatewayServices, digest: str, now: Now) -> VisitDelivery | None:
    """Return the delivery whose courier token has this SHA-256 (hex), or None."""
    if not _DIGEST_PATTERN.fullmatch(digest):
        return None
    matches = services.store.deliveries.matches(courier_token_value(digest), now=now)
    return matches[0].delivery if matches else None


def open_delivery(services: GatewayServices, digest: str) -> VisitDelivery | None:
    """Return the delivery to an entrance to which a courier's link leads; None: the link opens nothing (any more)."""
    delivery = find_delivery(services, digest, services.clock.now())
    if delivery is None or delivery.entrance not in services.home.entrances:
        return None
    state, now = services.entrance_state(delivery.entrance)
    return None if _courier_step(services, state, delivery, now)[0] is CourierStep.OVER else delivery


def _courier_step(
    services: GatewayServices, state: Entrance, delivery: VisitDelivery, now: Now
) -> tuple[CourierStep, Timer | None]:
    running = state.visit or state.grace_visit
    if running is not None and running.delivery.id == delivery.id:
        return PHASE_STEPS[running.phase]
    is_for_keeper = state.rules.holder is Holder.KEEPER
    if state.pending_scan is not None and state.pending_scan.delivery == delivery.id and not is_for_keeper:
        return CourierStep.OTHER, Timer.HALF
    result = services.store.deliveries.result(delivery.id, now)
    match None if result is None else result.state:
        case State.SCHEDULED if now.utc < delivery.start:
            return CourierStep.EARLY, None
        case State.WINDOW_OPEN:
            # Everybody sees the red light, so outside its window a link must not tell whether it is this courier's.
            refused = Timer.SIGNAL in state.timers and state.visit is None
            shown = CourierStep.KEEPER if is_for_keeper else CourierStep.SHOW
            if state.visit is not None and state.visit.phase is not Phase.HANDED_TO_OWNER:
                return CourierStep.QUEUE, None
            return CourierStep.NO if refused else shown, None
        case State.EXPIRED:
            return late_step(services, delivery.id, now), None
        case (
            State.DELIVERED
            | State.PARTLY_DELIVERED
            | State.COLLECTED
            | State.PARTLY_COLLECTED
            | State.NOT_COLLECTED
            | State.VISITING
        ):
            return CourierStep.DONE, None
        case _:
            return CourierStep.OVER, None


def late_step(services: GatewayServices, delivery: str, now: Now) -> CourierStep:
    """Return the step once the window is over. A refused question ends the link as late as an unanswered one."""
    more_time = services.store.more_time
    match more_time.answer(delivery, now):
        case TimeAnswer.ASKED:
            return CourierStep.ASKED
        case TimeAnswer.REFUSED if more_time.was_just_asked(delivery, now):
            return CourierStep.REFUSED
        case None | TimeAnswer.UNANSWERED if more_time.may_ask(delivery, now):
            return CourierStep.LATE
        case _:
            return CourierStep.OVER


def may_ask_for_time(services: GatewayServices, delivery: str) -> bool:
    """Return whether the courier's page offers to ask the household for more time."""
    now = services.clock.now()
    result = services.store.deliveries.result(delivery, now)
    is_over = result is not None and result.state is State.EXPIRED
    return is_over and late_step(services, delivery, now) is CourierStep.LATE


def moved_to(services: GatewayServices, delivery: VisitDelivery) -> str | None:
    """Return the name of the entrance to which the house moved a delivery; None: it was not moved."""
    order = services.store.deliveries.order(delivery.id)
    return None if order is None or order.moved_from is None else services.entrance_name(order.entrance)


def way_texts(state: Entrance, delivery: VisitDelivery, step: CourierStep) -> Mapping[str, str]:
    """Return the keys of the texts for this step at the closure that opens now: some kinds have texts of their own."""
    running = state.visit or state.grace_visit
    closure, kind, is_innermost = "", "", True
    if running is not None and running.delivery.id == delivery.id:
        closure = running.route[running.entry.stage]
        kind = next(one.kind for one in state.rules.closures if one.id == closure)
        is_innermost = closure == running.route[-1]
    task = ("only_collects" if delivery.only_collects else "collects") if delivery.collect and is_innermost else ""
    ways = [*(f"turn.{way}.{step.value}" for way in (task, kind) if way), f"turn.{step.value}"]
    return {
        "closure": closure,
        "word": next(way for way in ways if way in TEXTS),
        "how": next(f"{way}.how" for way in ways if f"{way}.how" in TEXTS),
    }


def where_returns_lie(services: GatewayServices, delivery: str) -> str:
    """Return where the household says that the parcels lie which the courier takes with him; empty: it says nothing."""
    said = services.store.returns.prepared(delivery)
    return "" if said is None else said.lies


def signed_receipt(services: GatewayServices, delivery: str) -> bytes | None:
    """Return the signed receipt of a delivery's visit; None before its proof is sealed."""
    for film in services.store.recordings.films():
        if film.delivery == delivery and film.sealed is not None:
            file = services.films_folder / "visits" / film.visit / "receipt.json"
            if file.is_file():
                return file.read_bytes()
    return None


def courier_facts(services: GatewayServices, digest: str, viewer: Viewer) -> Mapping[str, Any]:
    """Return what the courier's fragment shows. KeyError: no delivery at an entrance of home.yaml has such a token."""
    delivery = find_delivery(services, digest, services.clock.now())
    if delivery is None:
        raise KeyError(digest)
    state, now = services.entrance_state(delivery.entrance)
    step, timer = _courier_step(services, state, delivery, now)
    missing = None  # the code for which the door still waits: the page shows that one
    if step is CourierStep.OTHER and state.pending_scan is not None:
        missing = CodeKind.COURIER if state.pending_scan.kind is CodeKind.PARCEL else CodeKind.PARCEL
    return {
        "step": step.value,
        **way_texts(state, delivery, step),
        "missing": missing,
        "deadline": answer_countdown(state, now) if step is CourierStep.WAIT else running_countdown(state, now, timer),
        "delivery": delivery,
        "house": services.home.name,
        "entrance": services.entrance_name(delivery.entrance),
        "brand": services.brand_name(delivery.brand, viewer.language),
        "endings": tuple(map(shown_ending, sorted(delivery.parcels))),
        "place": services.place_name(delivery),
        "collect": tuple(map(shown_ending, sorted(delivery.collect))) if step in COLLECT_STEPS else (),
        "lies": where_returns_lie(services, delivery.id) if step in INSIDE_STEPS else "",
        "digest": digest,
        "moved_to": moved_to(services, delivery),
        "time_answer": services.store.more_time.answer(delivery.id, now),
        "has_receipt": step is CourierStep.DONE and signed_receipt(services, delivery.id) is not None,
    }

"""Computes what the pages show about keepers: to a keeper, and to the household.

A keeper sees his jobs of today and the key that he has; nothing else of the home, and nothing of another keeper. The
holder of a key, and since when, comes from the log of the running visit; only the sensor of the hook causes these
entries.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.state import Entrance, Holder, Phase, Visit
from gateway.domain.visit.views import view
from gateway.protocol.key_custody import KeyWord, key_custody
from gateway.protocol.keys import shown_ending
from gateway.web.server.context import GatewayServices, Viewer

KEY_OUT = "key_out"  # a word of `Closure.not_ready`: the sensor of the hook reports that it is empty


class KeyPlace(StrEnum):
    """Where the key of an entrance is."""

    HOOK = auto()  # proven
    OUT = auto()
    LATE = auto()
    LOST = auto()  # it is out, and the owner has to look after it
    UNKNOWN = auto()


class KeyHolding(Frozen):
    """Where a key is, who has it (a keeper's id, empty if unknown), since when, and when it must be back."""

    place: KeyPlace
    holder: str = ""
    since: datetime | None = None
    due: datetime | None = None


class KeeperStep(StrEnum):
    """What a keeper does next."""

    NONE = auto()  # nothing comes today
    EARLY = auto()
    SHOW = auto()  # scan the parcel, then show the code
    OTHER = auto()  # one of the two was read
    WAIT = auto()
    TAKE = auto()  # the safe is open
    OUT = auto()  # the key is out: bring it back
    LATE = auto()
    SHUT = auto()  # the key is back: shut the flap, so that it can be proven
    DONE = auto()
    HELP = auto()  # the owner has to look after it


PICTURES: Mapping[KeeperStep, str] = {
    KeeperStep.NONE: "over",
    KeeperStep.EARLY: "early",
    KeeperStep.SHOW: "show",
    KeeperStep.OTHER: "other",
    KeeperStep.WAIT: "wait",
    KeeperStep.TAKE: "go",
    KeeperStep.OUT: "inside",
    KeeperStep.LATE: "help",
    KeeperStep.SHUT: "away",
    KeeperStep.DONE: "done",
    KeeperStep.HELP: "help",
}
"""The class of the drawing of each step, which gives its colour."""


class KeeperJob(Frozen):
    """A parcel that a keeper can bring in today."""

    endings: tuple[str, ...]  # of the parcels' numbers
    carrier: str
    brand: str
    entrance: str
    place: str
    start: datetime
    end: datetime


def kept_entrances(services: GatewayServices, keeper: str | None = None) -> tuple[str, ...]:
    """Return the entrances where a keeper acts, or where this one does."""
    return tuple(
        name
        for name, section in services.home.entrances.items()
        if section.holder is Holder.KEEPER and keeper in {None, *section.keepers}
    )


def key_holding(services: GatewayServices, state: Entrance) -> KeyHolding:
    """Return where the key of an entrance is. LookupError: it has none."""
    safe = next((closure for closure in state.rules.closures if closure.key_back_within_s is not None), None)
    if safe is None or safe.key_back_within_s is None:
        raise LookupError(state.id)
    running, within = state.visit, timedelta(seconds=safe.key_back_within_s)
    if running is not None:
        found = _holding_of_visit(services, running, within)
        if found is not None:
            return found
    seen = view(state, safe)
    if safe.secured(seen):
        return KeyHolding(place=KeyPlace.HOOK)
    return KeyHolding(place=KeyPlace.OUT if KEY_OUT in safe.not_ready(seen) else KeyPlace.UNKNOWN)


def _holding_of_visit(services: GatewayServices, visit: Visit, within: timedelta) -> KeyHolding | None:
    """Return who has the key, by the log of the running visit; None: nobody took it, or it is back."""
    holding: KeyHolding | None = None
    for step in key_custody(services.store.log.bodies_of_visit(visit.id), holder=visit.holder, back_within=within):
        match step.word:
            case KeyWord.TAKEN:
                holder = step.holder or ""
                holding = KeyHolding(place=KeyPlace.OUT, holder=holder, since=step.at, due=step.at + within)
            case KeyWord.RETURNED:
                holding = None
            case KeyWord.LATE | KeyWord.LOST if holding is not None:
                place = KeyPlace.LATE if step.word is KeyWord.LATE else KeyPlace.LOST
                holding = KeyHolding(place=place, holder=holding.holder, since=holding.since, due=holding.due)
            case _:
                pass
    if holding is not None and visit.phase is Phase.HANDED_TO_OWNER:
        return KeyHolding(place=KeyPlace.LOST, holder=holding.holder, since=holding.since, due=holding.due)
    return holding


def has_key(services: GatewayServices, keeper: str) -> bool:
    """Return whether a keeper has a key of the home now."""
    return any(
        state.visit is not None
        and state.visit.holder == keeper
        and key_holding(services, state).place in {KeyPlace.OUT, KeyPlace.LATE, KeyPlace.LOST}
        for state, _ in services.states()
    )


def jobs_of_today(services: GatewayServices, keeper: str, now: Now) -> tuple[KeeperJob, ...]:
    """Return what a keeper can bring in today, the next window first."""
    return tuple(
        KeeperJob(
            endings=tuple(sorted(map(shown_ending, delivery.parcels))),
            carrier=delivery.carrier,
            brand=services.brand_name(delivery.brand),
            entrance=services.entrance_name(delivery.entrance),
            place=services.place_name(delivery),
            start=delivery.start,
            end=delivery.end,
        )
        for delivery in sorted(_deliveries_of_today(services, keeper, now), key=lambda one: (one.start, one.id))
    )


def _deliveries_of_today(services: GatewayServices, keeper: str, now: Now) -> Iterator[VisitDelivery]:
    today = now.utc.astimezone(services.zone).date()
    for entrance in kept_entrances(services, keeper):
        for coming in services.store.deliveries.upcoming(entrance, now):
            delivery = coming.delivery
            is_open = delivery.refusal is None and delivery.openings_left > 0 and delivery.end > now.utc
            if is_open and delivery.start.astimezone(services.zone).date() <= today:
                yield delivery


def keeper_facts(services: GatewayServices, keeper: str, _viewer: Viewer) -> Mapping[str, Any]:
    """Return what a keeper sees. KeyError: the house file has no such keeper."""
    person, now = services.home.keepers[keeper], services.clock.now()
    jobs = jobs_of_today(services, keeper, now)
    step, state, holding = _next_step(services, keeper, jobs, now)
    return {
        "name": person.name,
        "step": step.value,
        "picture": PICTURES[step],
        "jobs": jobs,
        "job": jobs[0] if jobs else None,
        "place": "" if state is None or state.visit is None else services.place_name(state.visit.delivery),
        "entrance": "" if state is None else services.entrance_name(state.id),
        "holding": holding,
        "contact": None if services.home.pages is None else services.home.pages.contact,
    }


def _next_step(
    services: GatewayServices, keeper: str, jobs: tuple[KeeperJob, ...], now: Now
) -> tuple[KeeperStep, Entrance | None, KeyHolding | None]:
    """Return the step, the entrance where he is, and the key that he has."""
    states = [state for state, _ in services.states() if state.id in kept_entrances(services, keeper)]
    for state in states:
        running = state.visit or state.grace_visit
        if running is not None and running.holder == keeper:
            holding = key_holding(services, state)
            step = _step_of_visit(running, holding)
            if state.visit is not None or not jobs:
                return step, state, holding if holding.since is not None else None
    for state in states:
        pending = state.pending_scan
        if pending is not None and (pending.keeper is None or pending.keeper.keeper == keeper):
            return KeeperStep.OTHER, state, None
    if not jobs:
        return KeeperStep.NONE, None, None
    return (KeeperStep.SHOW if jobs[0].start <= now.utc else KeeperStep.EARLY), None, None


def _step_of_visit(visit: Visit, holding: KeyHolding) -> KeeperStep:
    match holding.place:
        case KeyPlace.OUT:
            return KeeperStep.OUT
        case KeyPlace.LATE | KeyPlace.LOST:
            return KeeperStep.LATE
        case _:
            pass
    match visit.phase:
        case Phase.RINGING | Phase.APPROVING | Phase.ADVANCING:
            return KeeperStep.WAIT
        case Phase.UNLOCKING | Phase.UNLOCKED:
            return KeeperStep.TAKE if visit.phase is Phase.UNLOCKED else KeeperStep.WAIT
        case Phase.INSIDE:
            return KeeperStep.SHUT if visit.entry.marks else KeeperStep.TAKE
        case Phase.RELOCKING:
            return KeeperStep.SHUT
        case Phase.LOCKED_AGAIN:
            return KeeperStep.DONE
        case Phase.HANDED_TO_OWNER:
            return KeeperStep.HELP


def keys_facts(services: GatewayServices, entrance: str, _viewer: Viewer) -> Mapping[str, Any]:
    """Return what the household sees of the key of an entrance. KeyError: no keeper acts there."""
    if entrance not in kept_entrances(services):
        raise KeyError(entrance)
    state, _now = services.entrance_state(entrance)
    holding = key_holding(services, state)
    known = services.home.keepers.get(holding.holder)
    return {"holding": holding, "holder": holding.holder if known is None else known.name}

"""The parts of a page that follow the house: what each shows, out of the state as it stands. Templates have the looks.

A part is named `kind/entrance`. It is rendered here and nowhere else, for the first load and for each change alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any

import segno

from gateway.config.home import EntranceSection
from gateway.domain.visit import batteries
from gateway.domain.visit.rules import closed, door_open, locked
from gateway.domain.visit.state import Entrance, LockRequestResult, Now, Phase, Timer, VisitDelivery
from gateway.installation import words as installing
from gateway.installation.survey_jobs import LONGEST
from gateway.installation.walk import Trial, forbids
from gateway.runtime.notifications.apprise import LIMIT
from gateway.runtime.notifications.texts import lacked, running_out
from gateway.system.i18n import Language
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right, may
from gateway.web.server import courier_view
from gateway.web.server.context import Box
from gateway.web.server.visit_story import Line, story

TIMELINE = 40  # lines at most, the newest


class Door(StrEnum):
    """What may be said of a door at one glance. Locked is said only of what is proven (invariant 8)."""

    LOCKED = auto()
    UNLOCKED = auto()
    OPEN = auto()
    UNKNOWN = auto()
    HANDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who looks (None: nobody who is signed in), and in which language."""

    language: Language
    who: Who | None = None

    def may(self, right: str) -> bool:
        """Whether they may do this, as far as their role goes: what they may not is not shown to them."""
        return self.who is not None and may(self.who.role, Right(right))


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One camera as it is shown."""

    name: str
    live: bool
    films: bool
    wanted: bool


def door(state: Entrance) -> tuple[Door, float]:
    """Say what the door is, and since when (monotonic seconds) that was observed without a break."""
    handed = state.visit is not None and state.visit.phase is Phase.HANDED_TO_OWNER
    since = max(state.bolt.stable_since, state.door.stable_since)
    if handed:
        return Door.HANDED, since
    if state.broker_session is None:
        return Door.UNKNOWN, since
    if door_open(state):
        return Door.OPEN, state.door.stable_since
    if locked(state) and closed(state):
        return Door.LOCKED, since
    if closed(state) and not locked(state) and state.bolt.value.value in ("unlocked", "unlatched", "not_fully_locked"):
        return Door.UNLOCKED, since
    return Door.UNKNOWN, since


def instant(now: Now, mono: float) -> datetime:
    """Turn a monotonic instant into UTC, as the clock stands now. What lies before this boot is as old as the boot."""
    return now.utc + timedelta(seconds=max(mono, 0.0) - now.mono)


def _state(box: Box, entrance: str, seat: Seat) -> Mapping[str, Any]:
    state, now = box.entrance(entrance)
    section = box.home.entrances[entrance]
    what, since = door(state)
    cameras = tuple(
        Camera(name=name, live=seen is not None and seen.live, films=seen is not None and seen.recording,
               wanted=state.window_near or state.visit is not None or state.incident is not None)
        for name in (section.cameras.outside, *section.cameras.inside)
        for seen in (state.cameras.get(name),)
    )  # fmt: skip
    return {
        "entrance": entrance,
        "section": section,
        "state": state,
        "door": what.value,
        "since": instant(now, since),
        "cameras": cameras,
        "batteries": tuple(running_out(one, seat.language) for one in batteries.replacements_due(state, now)),
        "trusted": now.trusted,
        "language": seat.language,
        "survey": box.surveys.view(entrance),
    }


def _visit(box: Box, entrance: str, _seat: Seat) -> Mapping[str, Any]:
    state, now = box.entrance(entrance)
    visit = state.visit
    deadline = (
        None if visit is None else state.timers.get(Timer.RING if visit.phase is Phase.RINGING else Timer.APPROVAL)
    )
    return {
        "entrance": entrance,
        "visit": visit,
        "brand": None if visit is None else _brand(box, visit.delivery),
        "place": None if visit is None else _place(box.home.entrances[entrance], visit.delivery),
        "phase": "ready" if visit is None else visit.phase.value,
        "may_veto": visit is not None and visit.phase in (Phase.RINGING, Phase.APPROVING),
        "asks": visit is not None and visit.phase is Phase.APPROVING,
        "deadline": None if deadline is None else instant(now, deadline),
    }


def _pause(box: Box, entrance: str, _seat: Seat) -> Mapping[str, Any]:
    _, now = box.entrance(entrance)
    planned = [one for one in box.store.planned(now) if one.holds_at(entrance)]
    return {"pauses": [{"planned": one, "holds": one.start <= now.utc, "who": _name(box, one.by)} for one in planned]}


def _name(box: Box, person: str | None) -> str | None:
    """Who a person is called; None for what was not asked by an account."""
    known = None if person is None else box.store.register.person(person)
    return person if known is None else known.name


def _lock(box: Box, entrance: str, _seat: Seat) -> Mapping[str, Any]:
    """The lock-up that was asked for. Its result is shown as long as the door does not say otherwise."""
    state, _ = box.entrance(entrance)
    proven = door(state)[0] is Door.LOCKED
    result = None if state.lock_request is None else state.lock_request.result
    running = state.lock_request is not None and result is None
    holds = result is not None and (result is LockRequestResult.PROVEN) is proven
    return {
        "entrance": entrance,
        "offered": state.visit is None and not proven and not running,
        "running": running,
        "result": result.value if result is not None and holds else None,
    }


def _next(box: Box, entrance: str, seat: Seat) -> Mapping[str, Any]:
    state, now = box.entrance(entrance)
    coming = [one.delivery for one in box.store.upcoming(entrance, now) if one.delivery.openings_left > 0]
    coming.sort(key=lambda delivery: delivery.start)
    first = coming[0] if coming else None
    lacking = next((p.lacking for p in state.preflights if first is not None and p.delivery.id == first.id), None)
    return {
        "delivery": first,
        "brand": None if first is None else _brand(box, first),
        "place": None if first is None else _place(box.home.entrances[entrance], first),
        "start": None if first is None else first.start.astimezone(box.zone),
        "end": None if first is None else first.end.astimezone(box.zone),
        "lacking": None if lacking is None else tuple(lacked(word, seat.language) for word in lacking),
    }


def _timeline(box: Box, entrance: str, seat: Seat) -> Mapping[str, Any]:
    state, _ = box.entrance(entrance)
    running = state.visit or state.grace_visit
    visit = running.id if running is not None else state.incident or box.store.last_visit(entrance)
    lines: tuple[Line, ...] = ()
    if visit is not None:
        lines = story(box.store.rows_of(visit), language=seat.language, zone=box.zone)[-TIMELINE:]
    return {"visit": visit, "lines": lines, "zone": box.zone}


def _brand(box: Box, delivery: VisitDelivery) -> str:
    brand = box.store.brands.known().get(delivery.brand)
    return delivery.brand if brand is None else brand.name


def _place(section: EntranceSection, delivery: VisitDelivery) -> str:
    place = section.places.get(delivery.place)
    return delivery.place if place is None else place.name


def _courier(box: Box, digest: str, _seat: Seat) -> Mapping[str, Any]:
    return courier_view.shown(box, digest)


def _walk(box: Box, entrance: str, seat: Seat) -> Mapping[str, Any]:
    """How far the walk test has come; of the open trial what is to be done, waited for, asked."""
    state, _ = box.entrance(entrance)
    walk, standing = box.walks.walk(entrance), box.walks.standing(entrance)
    current = None if walk is None else walk.current
    step = None if walk is None or current is None else walk.steps[current]
    delivers = step is not None and step.trial is Trial.DELIVERY
    return {
        "entrance": entrance,
        "standing": standing,
        "told": installing.said(f"walk.{standing}", seat.language, {"entrance": entrance}).replace("`", ""),
        "bad": forbids(standing),
        "steps": () if walk is None else tuple(enumerate(walk.steps)),
        "number": current,
        "step": step,
        "words": installing,
        "codes": tuple((code, qr(code)) for code in box.walks.codes(entrance)) if delivers else (),
        "pictured": step is not None and step.trial is Trial.PICTURE and step.camera in _live(state),
        "reported": walk is not None and walk.reported,
        "language": seat.language,
    }


def _survey(box: Box, entrance: str, _seat: Seat) -> Mapping[str, Any]:
    return {
        "entrance": entrance,
        "section": box.home.entrances[entrance],
        "view": box.surveys.view(entrance),
        "longest": LONGEST,
    }


def _live(state: Entrance) -> frozenset[str]:
    return frozenset(name for name, camera in state.cameras.items() if camera.live)


def qr(code: str) -> str:
    """A code as the door's scanner reads it from a phone: an SVG."""
    return segno.make(code, error="m", micro=False).svg_inline(scale=5, dark="#000")


def _phones(box: Box, _: str, _seat: Seat) -> Mapping[str, Any]:
    return {"phones": box.phonebook.listed(), "limit": f"{LIMIT:.0f}"}


PARTS: Mapping[str, Callable[[Box, str, Seat], Mapping[str, Any]]] = {
    "state": _state,
    "visit": _visit,
    "lock": _lock,
    "pause": _pause,
    "next": _next,
    "timeline": _timeline,
    "courier": _courier,
    "phones": _phones,
    "walk": _walk,
    "survey": _survey,
}

"""Computes what the fragments of a page show, from the present state of the box.

A fragment is named `kind/entrance`. The first load and each update render it by the same function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any

import segno

from gateway.config.home import EntranceSection
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.now import Now
from gateway.domain.visit import batteries
from gateway.domain.visit.conditions import is_closed, is_door_open, is_locked
from gateway.domain.visit.state import Entrance, LockRequestResult, Phase, Timer
from gateway.installation import texts as installing
from gateway.installation.capability import walk_test_text
from gateway.installation.walk import WalkTrial, forbids_visits
from gateway.runtime.notifications.apprise import SEND_TIMEOUT_S
from gateway.runtime.notifications.texts import battery_text, readiness_text
from gateway.system.i18n import Language
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight, has_right
from gateway.web.server import courier_view
from gateway.web.server.context import GatewayServices, person_name
from gateway.web.server.visit_story import StoryLine, story_lines

MAX_TIMELINE_LINES = 40  # lines at most, the newest


class DoorSummary(StrEnum):
    """The state of a door at a glance. Locked is shown only where it is proven (invariant 8)."""

    LOCKED = auto()
    UNLOCKED = auto()
    OPEN = auto()
    UNKNOWN = auto()
    HANDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at a page (`user` None: not signed in), and in which language."""

    language: Language
    user: CurrentUser | None = None

    def may(self, right: str) -> bool:
        """Return whether the viewer's role has a right; a page hides what the viewer may not do."""
        return self.user is not None and has_right(self.user.role, UserRight(right))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """The state of one camera as a page shows it."""

    name: str
    is_live: bool
    is_recording: bool
    is_needed: bool


def door_summary(state: Entrance) -> tuple[DoorSummary, float]:
    """Return the state of a door, and since when (monotonic seconds) it was observed without interruption."""
    handed = state.visit is not None and state.visit.phase is Phase.HANDED_TO_OWNER
    since = max(state.bolt.stable_since, state.door.stable_since)
    if handed:
        return DoorSummary.HANDED, since
    if state.broker_session is None:
        return DoorSummary.UNKNOWN, since
    if is_door_open(state):
        return DoorSummary.OPEN, state.door.stable_since
    if is_locked(state) and is_closed(state):
        return DoorSummary.LOCKED, since
    if (
        is_closed(state)
        and not is_locked(state)
        and state.bolt.value.value in ("unlocked", "unlatched", "not_fully_locked")
    ):
        return DoorSummary.UNLOCKED, since
    return DoorSummary.UNKNOWN, since


def to_utc(now: Now, mono: float) -> datetime:
    """Convert a monotonic instant to UTC by the present clock; an instant before this boot becomes that of the boot."""
    return now.utc + timedelta(seconds=max(mono, 0.0) - now.mono)


def _state_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    state, now = services.entrance_state(entrance)
    section = services.home.entrances[entrance]
    what, since = door_summary(state)
    is_needed = state.window_near or state.visit is not None or state.incident is not None
    cameras = tuple(
        CameraStatus(
            name=name,
            is_live=seen is not None and seen.live,
            is_recording=seen is not None and seen.recording,
            is_needed=is_needed,
        )
        for name in (section.cameras.outside, *section.cameras.inside)
        for seen in (state.cameras.get(name),)
    )
    return {
        "entrance": entrance,
        "section": section,
        "state": state,
        "door": what.value,
        "since": to_utc(now, since),
        "cameras": cameras,
        "batteries": tuple(battery_text(one, viewer.language) for one in batteries.replacements_due(state, now)),
        "trusted": now.trusted,
        "language": viewer.language,
    }


def _visit_facts(services: GatewayServices, entrance: str, _viewer: Viewer) -> Mapping[str, Any]:
    state, now = services.entrance_state(entrance)
    visit = state.visit
    deadline = (
        None if visit is None else state.timers.get(Timer.RING if visit.phase is Phase.RINGING else Timer.APPROVAL)
    )
    return {
        "entrance": entrance,
        "visit": visit,
        "brand": None if visit is None else services.brand_name(visit.delivery.brand),
        "place": None if visit is None else _place_name(services.home.entrances[entrance], visit.delivery),
        "phase": "ready" if visit is None else visit.phase.value,
        "may_veto": visit is not None and visit.phase in (Phase.RINGING, Phase.APPROVING),
        "asks": visit is not None and visit.phase is Phase.APPROVING,
        "deadline": None if deadline is None else to_utc(now, deadline),
    }


def _pause_facts(services: GatewayServices, entrance: str, _viewer: Viewer) -> Mapping[str, Any]:
    _, now = services.entrance_state(entrance)
    planned = [one for one in services.store.pauses.planned(now) if one.holds_at(entrance)]
    names = [person_name(services.store.accounts, one.by) or one.by for one in planned]
    return {
        "pauses": [
            {"planned": one, "holds": one.start <= now.utc, "who": name}
            for one, name in zip(planned, names, strict=True)
        ]
    }


def _lock_facts(services: GatewayServices, entrance: str, _viewer: Viewer) -> Mapping[str, Any]:
    """Return the state of a lock request. Its result is shown as long as the door does not contradict it."""
    state, _ = services.entrance_state(entrance)
    proven = door_summary(state)[0] is DoorSummary.LOCKED
    result = None if state.lock_request is None else state.lock_request.result
    running = state.lock_request is not None and result is None
    holds = result is not None and (result is LockRequestResult.PROVEN) is proven
    return {
        "entrance": entrance,
        "offered": state.visit is None and not proven and not running,
        "running": running,
        "result": result.value if result is not None and holds else None,
    }


def _next_delivery_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    state, now = services.entrance_state(entrance)
    coming = [
        one.delivery for one in services.store.deliveries.upcoming(entrance, now) if one.delivery.openings_left > 0
    ]
    coming.sort(key=lambda delivery: delivery.start)
    first = coming[0] if coming else None
    lacking = next((p.lacking for p in state.preflights if first is not None and p.delivery.id == first.id), None)
    return {
        "delivery": first,
        "brand": None if first is None else services.brand_name(first.brand),
        "place": None if first is None else _place_name(services.home.entrances[entrance], first),
        "start": None if first is None else first.start.astimezone(services.zone),
        "end": None if first is None else first.end.astimezone(services.zone),
        "lacking": None if lacking is None else tuple(readiness_text(word, viewer.language) for word in lacking),
    }


def _timeline_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    state, _ = services.entrance_state(entrance)
    running = state.visit or state.grace_visit
    visit = running.id if running is not None else state.incident or services.store.recordings.last_visit(entrance)
    lines: tuple[StoryLine, ...] = ()
    if visit is not None:
        lines = story_lines(services.store.log.bodies_of_visit(visit), language=viewer.language, zone=services.zone)[
            -MAX_TIMELINE_LINES:
        ]
    return {"visit": visit, "lines": lines, "zone": services.zone}


def _place_name(section: EntranceSection, delivery: VisitDelivery) -> str:
    place = section.places.get(delivery.place)
    return delivery.place if place is None else place.name


def _courier_facts(services: GatewayServices, digest: str, _viewer: Viewer) -> Mapping[str, Any]:
    return courier_view.courier_facts(services, digest)


def _walk_test_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    """Return the progress of the walk test, and what the open trial asks or waits for."""
    state, _ = services.entrance_state(entrance)
    walk, standing = services.walk_tests.walk(entrance), services.walk_tests.status(entrance)
    current = None if walk is None else walk.current
    step = None if walk is None or current is None else walk.steps[current]
    delivers = step is not None and step.trial is WalkTrial.DELIVERY
    return {
        "entrance": entrance,
        "standing": standing,
        "told": walk_test_text(standing, entrance).to(viewer.language).replace("`", ""),
        "bad": forbids_visits(standing),
        "steps": () if walk is None else tuple(enumerate(walk.steps)),
        "number": current,
        "step": step,
        "words": installing,
        "codes": tuple((code, qr_svg(code)) for code in services.walk_tests.codes(entrance)) if delivers else (),
        "pictured": step is not None and step.trial is WalkTrial.PICTURE and step.camera in _live_cameras(state),
        "reported": walk is not None and walk.reported,
        "language": viewer.language,
    }


def _live_cameras(state: Entrance) -> frozenset[str]:
    return frozenset(name for name, camera in state.cameras.items() if camera.live)


def qr_svg(text: str, *, scale: int = 5) -> str:
    """Return a text as a QR code: an SVG element, black for scanners, `scale` units a module."""
    return segno.make(text, error="m", micro=False).svg_inline(scale=scale, dark="#000")


def _phones_facts(services: GatewayServices, _: str, _viewer: Viewer) -> Mapping[str, Any]:
    return {"phones": services.contacts.list_phones(), "limit": f"{SEND_TIMEOUT_S:.0f}"}


FRAGMENTS: Mapping[str, Callable[[GatewayServices, str, Viewer], Mapping[str, Any]]] = {
    "state": _state_facts,
    "visit": _visit_facts,
    "lock": _lock_facts,
    "pause": _pause_facts,
    "next": _next_delivery_facts,
    "timeline": _timeline_facts,
    "courier": _courier_facts,
    "phones": _phones_facts,
    "walk": _walk_test_facts,
}

"""Computes what the fragments of a page show, from the present state of the box.

A fragment is named `kind/entrance`. The first load and each update render it by the same function.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum, auto
from typing import Any

import segno

from gateway.config.closure_names import closure_name, has_named_closures
from gateway.config.closures import entrance_closures
from gateway.config.device_names import device_names
from gateway.domain.visit import batteries, summary
from gateway.domain.visit.predicates import is_open, refusing_stays, stay_end, unsecured_closures
from gateway.domain.visit.state import Entrance, Holder, LockRequestResult, Phase, Visit
from gateway.domain.visit.views import contested_view
from gateway.installation import texts as installing
from gateway.installation.capability import WalkTestStatus, walk_test_capability
from gateway.installation.trials import WalkTrial
from gateway.installation.walk import forbids_visits, walk_steps
from gateway.runtime.notifications.categories import CATEGORY_TEXTS
from gateway.runtime.notifications.phone import SEND_TIMEOUT_S
from gateway.runtime.notifications.texts import READINESS_TEXTS, battery_text
from gateway.system.i18n import Language
from gateway.web.auth.roles import UserRight
from gateway.web.auth.user_agent import browser_name
from gateway.web.server import courier_view, expected_view, keeper_view, reception_view
from gateway.web.server.closure_drawings import CLOSURE_DRAWINGS
from gateway.web.server.context import GatewayServices, Viewer, person_name, to_utc
from gateway.web.server.story_names import story_names
from gateway.web.server.turned_away_view import newest_turned_away
from gateway.web.server.visit_card import has_card, visit_card_facts
from gateway.web.server.visit_story import story_lines

MAX_TIMELINE_LINES = 40  # lines at most, the newest


class DoorSummary(StrEnum):
    """The state of a door at a glance. Locked is shown only where it is proven (invariant 8)."""

    LOCKED = auto()
    UNLOCKED = auto()
    OPEN = auto()
    UNKNOWN = auto()
    HANDED = auto()


def door_summary(state: Entrance) -> tuple[DoorSummary, float | None]:
    """Return the state of a door, and since when (monotonic seconds) it was observed without interruption.

    None: it was never heard.
    """
    since = summary.stable_since(state)
    if state.visit is not None and state.visit.phase is Phase.HANDED_TO_OWNER:
        return DoorSummary.HANDED, since
    if state.broker_session is None:
        return DoorSummary.UNKNOWN, since
    if is_open(state):
        return DoorSummary.OPEN, since
    if summary.is_locked(state):
        return DoorSummary.LOCKED, since
    if summary.is_closed(state) and unsecured_closures(state):
        return DoorSummary.UNLOCKED, since
    return DoorSummary.UNKNOWN, since


def state_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    """Return the state of a door and its devices."""
    state, now = services.entrance_state(entrance)
    section = services.home.entrances[entrance]
    door, since = door_summary(state)
    devices, due = device_names(services.home, viewer.language), batteries.replacements_due(state, now)
    return {
        "entrance": entrance,
        "state": state,
        "door": door.value,
        # A visit or an alarm has a card of its own, with the stop
        "has_card": has_card(state),
        # During a visit they are drawn with the courier's position
        "closures": closure_facts(state, viewer.language) if state.visit is None else (),
        "has_closures": has_named_closures(state.rules.closures),
        "guests_until": stay_end(state, now),
        "guests_refuse": any(stay.start <= now.utc < stay.end for stay in refusing_stays(state)),
        "since": None if since is None else to_utc(now, since),
        "cameras": {name: state.cameras.get(name) for name in section.film_cameras},
        "labels": devices,
        "needs_cameras": state.window_near or state.visit is not None or state.incident is not None,
        "batteries": tuple(battery_text(role, viewer.language, devices) for role in due),
        "trusted": now.trusted,
    }


SHOWN_FACTS = frozenset({"occupied", keeper_view.KEY_OUT, "way"})
"""The words of `Closure.not_ready` that the state of the closure, open or secured, does not already express."""


def closure_facts(state: Entrance, language: Language) -> tuple[Mapping[str, object], ...]:
    """Return name, kind and state of each closure, and the courier's position; an only door has its own drawing."""
    closures, holder = state.rules.closures, ".keeper" if state.rules.holder is Holder.KEEPER else ""
    if not has_named_closures(closures):
        return ()
    facts = []
    for one in closures:
        position = None if state.visit is None else courier_position(state.visit, one.id)
        shown = summary.ClosureState.UNKNOWN if state.broker_session is None else summary.closure_state(state, one)
        facts.append(
            {
                "id": one.id,
                "name": closure_name(closures, one.id, language),
                "kind": one.kind,
                "drawing": CLOSURE_DRAWINGS[one.kind].path(shown),
                "state": shown.value,
                "is_private": one.is_private,
                "position": position,
                "way": None if position is None else f"way.{position}{holder}",
                "facts": [
                    READINESS_TEXTS[word].to(language)
                    for word in one.not_ready(contested_view(state, one))
                    if word in SHOWN_FACTS
                ],
                "cameras": state.rules.watched_by.get(one.id, ()),
            }
        )
    return tuple(facts)


NAMING_PHASES = frozenset({Phase.UNLOCKING, Phase.UNLOCKED, Phase.INSIDE, Phase.ADVANCING})
"""The phases whose text names a closure, if the entrance has other closures than one door."""


def closure_of_phase(phase: Phase, closures: Iterable[Mapping[str, object]]) -> str | None:
    """Return the name of the closure at which the courier is, or to which he goes; None: the phase names none."""
    names = (str(one["name"]) for one in closures if one["position"] in (CourierPosition.HERE, CourierPosition.NEXT))
    return next(names, None) if phase in NAMING_PHASES else None


class CourierPosition(StrEnum):
    """Where the courier is, seen from a closure on his way."""

    PASSED = auto()
    HERE = auto()
    NEXT = auto()  # he is on his way to it
    AHEAD = auto()
    SECURING = auto()  # he is out, and it is being secured


def courier_position(visit: Visit, closure: str) -> CourierPosition | None:
    """Return where the courier is, seen from a closure; None: it is not on his way, or he has left."""
    if closure not in visit.route:
        return None
    place, stage = visit.route.index(closure), visit.entry.stage
    match visit.phase:
        case Phase.RELOCKING:
            return CourierPosition.SECURING if visit.securing.closure == closure else None
        case Phase.LOCKED_AGAIN | Phase.HANDED_TO_OWNER:
            return None
        case Phase.ADVANCING if place == stage + 1:
            return CourierPosition.NEXT
        case Phase.ADVANCING:
            return CourierPosition.PASSED if place <= stage else CourierPosition.AHEAD
        case _:
            if place == stage:
                return CourierPosition.HERE
            return CourierPosition.PASSED if place < stage else CourierPosition.AHEAD


def visit_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    """Return the running visit, what its viewer may decide, and what is wrong at the entrance."""
    state, _ = services.entrance_state(entrance)
    card = visit_card_facts(services, entrance, viewer)
    if card["visit"] is None:
        return card
    closures = closure_facts(state, viewer.language)
    return {**card, "closures": closures, "here": closure_of_phase(card["visit"].phase, closures)}


def pause_facts(services: GatewayServices, entrance: str, _viewer: Viewer) -> Mapping[str, Any]:
    """Return the planned pauses."""
    _, now = services.entrance_state(entrance)
    return {
        "pauses": [
            {
                "planned": pause,
                "holds": pause.start <= now.utc,
                "who": person_name(services.store.accounts, pause.by) or pause.by,
            }
            for pause in services.store.pauses.planned(now)
            if pause.holds_at(entrance)
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


def _timeline_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    state, _ = services.entrance_state(entrance)
    running = state.visit or state.grace_visit
    visit = running.id if running is not None else state.incident or services.store.recordings.last_visit(entrance)
    rows = [] if visit is None else services.store.log.bodies_of_visit(visit)
    names = story_names(services, entrance, viewer.language)
    lines = story_lines(rows, language=viewer.language, zone=services.zone, names=names)
    after = lines[0].at if lines else None
    lines = (*lines, *newest_turned_away(services, entrance, viewer.language, after=after))
    return {"lines": lines[-MAX_TIMELINE_LINES:]}


def _walk_test_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    state, _ = services.entrance_state(entrance)
    section, closures = services.home.entrances[entrance], entrance_closures(services.home, entrance)
    walk, status = services.walk_tests.walk(entrance), services.walk_tests.status(entrance)
    current = None if walk is None else walk.current
    step = None if walk is None or current is None else walk.steps[current]
    delivers = step is not None and step.trial is WalkTrial.DELIVERY
    camera = state.cameras.get(step.camera) if step is not None and step.camera is not None else None
    return {
        "entrance": entrance,
        "status": walk_test_capability(status, entrance).text.to(viewer.language),
        "forbids_visits": forbids_visits(status),
        "passed": status is WalkTestStatus.PASSED,
        "steps": () if walk is None else tuple(enumerate(walk.steps)),
        "planned": len(walk_steps(section, closures)) if walk is None else 0,
        "number": current,
        "step": step,
        "words": installing,
        "closures": state.rules.closures,
        "codes": tuple(services.walk_tests.codes(entrance)) if delivers else (),
        "is_live": camera is not None and camera.live,
        "reported": walk is not None and walk.reported,
    }


def qr_svg(text: str, *, scale: int = 5) -> str:
    """Return a text as a QR code: an SVG element, black for scanners, `scale` units a module."""
    return segno.make(text, error="m", micro=False).svg_inline(scale=scale, dark="#000")


def qr_png_address(text: str) -> str:
    """Return a text as a QR code in a `data:` address of a PNG, for a picture that somebody saves and sends."""
    return segno.make(text, error="m", micro=False).png_data_uri(scale=12, border=4)


def _phones_facts(services: GatewayServices, _: str, viewer: Viewer) -> Mapping[str, Any]:
    """Return the phones that a person may see: one's own browsers first, and for owners all others."""
    user, is_owner = viewer.user, viewer.may(UserRight.SETTINGS)
    assert user is not None  # noqa: S101 - the right to see them is an account's
    phones = [
        {
            **vars(phone),
            "is_here": phone.device == user.device,
            "browser_name": None if phone.person is None else browser_name(phone.browser, viewer.language),
            "may_choose": phone.person in (user.person, None),
            "app_link": None if phone.subscribe_at is None else app_link(phone.subscribe_at),
        }
        for phone in services.contacts.list_phones()
        if phone.person == user.person or is_owner
    ]
    phones.sort(key=lambda phone: (not phone["is_here"], phone["person"] != user.person))
    return {"phones": phones, "limit": f"{SEND_TIMEOUT_S:.0f}", "categories": CATEGORY_TEXTS}


def app_link(subscribe_at: str) -> str:
    """Return the link by which the app ntfy subscribes to a topic (its documentation, "ntfy:// links")."""
    scheme, _, rest = subscribe_at.partition("://")
    return f"ntfy://{rest}{'?secure=false' if scheme == 'http' else ''}"


FRAGMENTS: Mapping[str, tuple[UserRight | None, Callable[[GatewayServices, str, Viewer], Mapping[str, Any]]]] = {
    "state": (UserRight.SEE_STATE, state_facts),
    "visit": (UserRight.SEE_STATE, visit_facts),
    "lock": (UserRight.LOCK, _lock_facts),
    "pause": (UserRight.SAY_HOME, pause_facts),
    "expected": (UserRight.SEE_HISTORY, expected_view.expected_facts),
    "timeline": (UserRight.SEE_HISTORY, _timeline_facts),
    "courier": (None, courier_view.courier_facts),
    "phones": (UserRight.NOTIFICATIONS, _phones_facts),
    "walk": (UserRight.WALK_TEST, _walk_test_facts),
    "reception": (UserRight.CONFIRM_PARCEL, reception_view.reception_facts),
    "desk": (None, reception_view.desk_facts),
    "handing": (None, reception_view.handing_facts),
    "keys": (UserRight.SEE_HISTORY, keeper_view.keys_facts),
    "keeper": (None, keeper_view.keeper_facts),
}
"""The right that each kind of fragment needs (those of `LINK_FRAGMENTS` only the link), and what it shows."""

LINK_FRAGMENTS = frozenset({"courier", "desk", "handing", "keeper"})
"""The kinds that somebody without an account sees: each feed shows one of them, and a session's feed none."""

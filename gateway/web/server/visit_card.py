"""Computes the first card of an entrance: the running visit and its buttons, or what is wrong and what to do."""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Any

from gateway.config.closure_names import has_named_closures
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import DoorResult
from gateway.domain.frozen import Frozen
from gateway.domain.visit.predicates import are_private_secured, courier_cameras, is_open
from gateway.domain.visit.state import BEFORE_INTENT, Entrance, Phase, Visit
from gateway.protocol.keys import shown_ending
from gateway.system.i18n import Language, Text, _
from gateway.web.auth.roles import UserRight
from gateway.web.server.context import GatewayServices, Viewer
from gateway.web.server.countdown import answer_countdown
from gateway.web.server.expected_view import lost_parcel
from gateway.web.server.sensor_findings import SensorFindings, sensor_findings
from gateway.web.server.story_names import story_names
from gateway.web.server.visit_story import alarm_cause

MAX_ENDINGS_SHOWN = 4  # parcels of one delivery whose number's end is shown


class AlarmKind(StrEnum):
    """Why somebody has to look at the door."""

    HANDED = auto()  # a visit ended without proof that all is locked
    SAFE_MODE = auto()
    INCIDENT = auto()  # it was opened or unlocked without an order


class Alarm(Frozen):
    """What is wrong at an entrance: what is known, what is not, and what to do, in order."""

    kind: AlarmKind
    title: Text
    why: Text
    findings: SensorFindings
    steps: tuple[Text, ...]
    visit: str | None  # the visit that the owner acknowledges; None: none, as for safe mode
    parcel: Text | None  # what becomes of the visit's parcel, if it did not come in
    is_acknowledged_here: bool  # an incident ends by itself


_TITLES: Mapping[AlarmKind, Text] = {
    AlarmKind.HANDED: _("Please check the door"),
    AlarmKind.SAFE_MODE: _("Perron is in safe mode"),
    AlarmKind.INCIDENT: _("Something happened at the door"),
}
_WHY: Mapping[AlarmKind, Text] = {
    AlarmKind.HANDED: _("Perron could not prove that the door is locked."),
    AlarmKind.SAFE_MODE: _("Perron has stopped several times in a row. It locks, films and warns, but opens nothing."),
    AlarmKind.INCIDENT: _("It was opened or unlocked without an order from Perron. Perron films until all is locked."),
}
_WHY_EACH = _("Perron could not prove that all is locked.")
_WHY_CAUSED = _("Perron could not prove that the door is locked: {cause}.")
_WHY_EACH_CAUSED = _("Perron could not prove that all is locked: {cause}.")


def alarm_kind(state: Entrance) -> AlarmKind | None:
    """Return why somebody has to look at the door now; None: nobody has to."""
    if state.visit is not None and state.visit.phase is Phase.HANDED_TO_OWNER:
        return AlarmKind.HANDED
    if state.safe_mode:
        return AlarmKind.SAFE_MODE
    return None if state.incident is None else AlarmKind.INCIDENT


def present_alarm(services: GatewayServices, state: Entrance, language: Language) -> Alarm | None:
    """Return what is wrong at this entrance now; None: nothing that a person has to look at."""
    kind = alarm_kind(state)
    if kind is None:
        return None
    why, parcel, visit = _WHY[kind], None, state.visit if kind is AlarmKind.HANDED else None
    if visit is not None:
        cause, parcel = _cause(services, state, visit, language), lost_parcel(services, visit.delivery.id, language)
        has_several = has_named_closures(state.rules.closures)
        why = _WHY_EACH if has_several else why
        if cause is not None:
            why = (_WHY_EACH_CAUSED if has_several else _WHY_CAUSED).with_facts(cause=cause)
    return Alarm(
        kind=kind,
        title=_TITLES[kind],
        why=why,
        findings=sensor_findings(state, language),
        steps=_steps(state),
        visit=None if visit is None else visit.id,
        parcel=parcel,
        is_acknowledged_here=kind is not AlarmKind.INCIDENT,
    )


def _steps(state: Entrance) -> tuple[Text, ...]:
    if is_open(state):
        by_hand = _("Close it and lock it by hand.")
    elif are_private_secured(state):
        by_hand = _("Try it: by now bolt and door say that it is locked.")
    else:
        by_hand = _("Lock it by hand, with the key or at the lock.")
    return (
        _("Look at the picture. If you are near, look at the door itself."),
        _("Not near? Call somebody who can go there."),
        by_hand,
    )


def is_over(visit: Visit) -> bool:
    """Return whether a visit that was handed to the owner is locked again: only its film is still being sealed."""
    return visit.phase is Phase.LOCKED_AGAIN and visit.door_result is DoorResult.HANDED_TO_OWNER


def has_card(state: Entrance) -> bool:
    """Return whether a visit runs or somebody has to look at the door: the card is then the first of the entrance."""
    return alarm_kind(state) is not None or (state.visit is not None and not is_over(state.visit))


def playing_cameras(services: GatewayServices, state: Entrance) -> tuple[str, ...]:
    """Return the cameras whose pictures play by themselves now, those that see the person first.

    That is while a visit runs or somebody has to look at the door; an inside camera only if it may be watched now.
    """
    if not has_card(state):
        return ()
    cameras = dict.fromkeys((*courier_cameras(state), *services.home.entrances[state.id].film_cameras))
    return tuple(camera for camera in cameras if services.may_be_watched(camera))


def parcel_endings(delivery: VisitDelivery) -> tuple[str, ...]:
    """Return the last characters of the parcels' numbers, as they are printed on the labels."""
    return tuple(sorted(filter(None, map(shown_ending, delivery.parcels))))[:MAX_ENDINGS_SHOWN]


def visit_card_facts(services: GatewayServices, entrance: str, viewer: Viewer) -> Mapping[str, Any]:
    """Return the running visit, what its viewer may decide, and what is wrong at the entrance."""
    state, now = services.entrance_state(entrance)
    visit = state.visit
    facts: dict[str, Any] = {
        "entrance": entrance,
        "alarm": present_alarm(services, state, viewer.language),
        "stopped": state.stopped,
        "playing": playing_cameras(services, state) if viewer.may(UserRight.WATCH_LIVE) else (),
        "visit": None if visit is None or is_over(visit) else visit,
    }
    if facts["visit"] is None or visit is None:
        return facts
    is_before_intent = visit.phase in BEFORE_INTENT
    return facts | {
        "brand": services.brand_name(visit.delivery.brand, viewer.language),
        "place": services.place_name(visit.delivery),
        "endings": parcel_endings(visit.delivery),
        "phase": visit.phase.value,
        "may_veto": is_before_intent,
        "asks": is_before_intent and visit.delivery.needs_yes and visit.consent.approved is None,
        "approved": is_before_intent and visit.consent.approved is True,
        "deadline": answer_countdown(state, now),
    }


def _cause(services: GatewayServices, state: Entrance, visit: Visit, language: Language) -> str | None:
    """Return why a visit was handed to the owner; None: the log says no more than that it was."""
    alarms, names = services.store.visits.first_alarms(visit.id), story_names(services, state.id, language)
    cause = alarm_cause(alarms, language=language, zone=services.zone, names=names)
    return None if cause is None or cause.is_only_unproven else cause.text

"""Writes and reads the state of an entrance as JSON in the store, also the state of earlier releases.

`shape` is the number of the JSON's form. Shape 1 (until November 2026; it has no number) had one lock and one door. Its
names are brought up to date, then `former_state` translates it; `former_state` translates shape 2 too. The rules are
not stored, because the house file has them; nor the reports of conditions, which are unknown after a boot.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.state import Entrance, Preflight
from gateway.storage.former_state import translate, translate_conditions

_STATE = TypeAdapter(Entrance)
SHAPE = 3
_PREFLIGHTS = TypeAdapter(tuple[Preflight, ...])
NOT_STORED = frozenset({"rules", "surroundings"})
_EXCLUDED = {*NOT_STORED, "preflights"}

# Each class's fields: names until November 2026, and present names.
_ENTRANCE: Mapping[str, str] = {
    "session": "broker_session",
    "question": "last_query_id",
    "way": "obstruction",
    "disk": "disk_ok",
    "charges": "battery_trends",
    "battery_told": "batteries_to_change",
    "battery_said": "battery_notified_at",
    "attempts": "scan_lockouts",
    "half": "pending_scan",
    "barred": "walk_test_failed",
    "safe_tries": "safe_mode_lock_tries",
    "safe_asked": "safe_mode_query_id",
    "expecting": "window_near",
    "watch": "grace_visit",
    "lockup": "lock_request",
    "due": "timers",
}
_VISIT: Mapping[str, str] = {
    "rang": "bell_confirmed",
    "committed": "unlock_intent",
    "armed_until": "command_valid_until",
    "unanswered": "unlock_unanswered",
    "hold_over": "hold_expired",
    "unbroken": "observed_throughout",
    "settled": "reservation_settled",
    "asked": "queried",
    "tries": "lock_tries",
    "tries_given_back": "lock_tries_refunded",
    "jam_told": "jam_notified",
    "refused": "lock_refused",
    "refusal_told": "refusal_notified",
    "handle_told": "handle_notified",
    "warm_told": "warm_notified",
    "out": "courier_left",
    "closings": "close_commands",
    "stop_told": "stop_notified",
    "long_told": "open_notifications",
    "house": "door_result",
    "unsealed": "unsealed_parts",
}
_LOCKOUT: Mapping[str, str] = {
    "wrong": "unknown_codes",
    "group": "label_codes",
    "group_at": "label_read_at",
    "until": "locked_out_until",
    "seen": "recent_codes",
    "tried": "tried_codes",
    "excused": "excused_deliveries",
}
_PREFLIGHT: Mapping[str, str] = {"due": "report_due", "weak": "batteries_to_change"}
_VISIT_OF_SHAPE_3: Mapping[str, str] = {"robot_left": "holder_left"}  # until 30 November 2026
_PARTS: Mapping[str, Mapping[str, str]] = dict.fromkeys(("visit", "grace_visit"), _VISIT)


class UnknownShape(ValueError):  # noqa: N818 - it is the state that is of another release
    """A later release wrote the state: this one must not guess what it means."""


def dump(state: Entrance) -> str:
    """Write the state as JSON text, without its rules, its preflights and the reports of its conditions."""
    fields = _STATE.dump_json(state, exclude=_EXCLUDED, warnings=False).decode()
    return f'{{"shape":{SHAPE},{fields[1:]}'


def dump_preflights(state: Entrance) -> str:
    """Write the preflights of a state as JSON text."""
    return _PREFLIGHTS.dump_json(state.preflights, warnings=False).decode()


def load(text: str, preflights: str | None = None) -> Entrance:
    """Read a state that this release or an earlier one wrote; its rules are the defaults, its conditions unknown.

    `preflights`: what `dump_preflights` wrote; None: the state itself has them, of an earlier release, or there are
    none.

    Raises:
        UnknownShape: a later release wrote it.
        ValueError: the text is no state of an entrance.
    """
    stored = json.loads(text)
    if not isinstance(stored, dict):
        raise ValueError("a stored state is one JSON object")  # noqa: TRY004 - wrong content, not a wrong call
    shape = stored.pop("shape", 1)
    if shape == 1:
        stored = translate(_entrance(stored), MAIN_CLOSURE)
    elif shape == 2:
        stored = translate_conditions(stored)
    elif shape != SHAPE:
        raise UnknownShape(f"the state of an entrance has the shape {shape!r}, and this release knows {SHAPE}")
    for part in ("visit", "grace_visit"):
        if isinstance(stored.get(part), dict):
            stored[part] = _renamed(stored[part], _VISIT_OF_SHAPE_3)
    if preflights is not None:
        stored["preflights"] = json.loads(preflights)
    return _STATE.validate_json(json.dumps(stored))


def visits_in_progress(state: Entrance) -> set[str]:
    """Return the visits and the incident that are not over, or that may continue as a next part."""
    visits = {visit.id for visit in (state.visit, state.grace_visit) if visit is not None}
    return visits if state.incident is None else visits | {state.incident}


def _entrance(stored: dict[str, Any]) -> dict[str, Any]:
    state = {name: value for name, value in _renamed(stored, _ENTRANCE).items() if value is not None}
    for part, names in _PARTS.items():
        if part in state:
            state[part] = _renamed(state[part], names)
    lockouts = state.get("scan_lockouts", {})
    state["scan_lockouts"] = {scanner: _renamed(lockout, _LOCKOUT) for scanner, lockout in lockouts.items()}
    state["preflights"] = [_renamed(preflight, _PREFLIGHT) for preflight in state.get("preflights", ())]
    return state


def _renamed(stored: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in stored.items()}

"""Translates the state of an entrance that an earlier release stored into the present form. Pure.

Shape 1 had one lock and one door. Shape 2 had separate fields for fridges, presence and alarm panel.

Only facts that remain valid after a restart are translated. Observations are unknown after a boot anyway, and so are a
pending scan, a lock request and every deadline; a procedure begins anew. So the facts of lock and door and the progress
of the relocking need no translation. The translation adds nothing that could open a door: `ordered_at` has a closure
only if its intent was stored.
"""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_KEPT_OF_VISIT = ("id", "delivery", "phase", "scanner", "parcels", "outcome", "door_result", "acknowledged")
_NOTIFIED = {
    "jam_notified": "jam",
    "refusal_notified": "refusal",
    "handle_notified": "prompt",
    "stop_notified": "stop",
}
_BREACHES = {"warm_notified": "fridge_too_warm", "tried_to_lock": "fridge_left_open"}
_BREACHES_OF_SHAPE_2 = {"warm": "fridge_too_warm", "fridge": "fridge_left_open"}
_SURROUNDINGS = frozenset({"fridges", "cold", "presence", "alarm_panel", "panel"})  # unknown after a boot
_GONE = (
    frozenset({"rules", "bolt", "door", "obstruction", "by_hand", "pending_scan", "lock_request", "timers"})
    | _SURROUNDINGS
)
_SAFE_MODE = frozenset({"safe_mode", "safe_mode_lock_tries", "safe_mode_query_id"})


def translate(old: Mapping[str, Any], closure: str) -> Json:
    """Translate a state under the names of the last release that wrote shape 1; `closure` is its one closure."""
    kept = {name: value for name, value in old.items() if name not in _GONE | _SAFE_MODE}
    return {
        **kept,
        "facts": {},
        "opened_by_hand": [closure] if old.get("by_hand") else [],
        "safe": {} if old.get("safe_mode") else None,
        "visit": _visit(old.get("visit"), closure),
        "grace_visit": _visit(old.get("grace_visit"), closure),
    }


def _visit(old: Mapping[str, Any] | None, closure: str) -> Json | None:
    if old is None:
        return None
    names = ("bell_confirmed", "approved", "attended")
    return {
        **{name: old[name] for name in _KEPT_OF_VISIT if name in old},
        "route": [closure],
        "consent": {name: old[name] for name in names if name in old},
        "entry": {
            "ordered_at": {closure: 0.0} if old.get("unlock_intent") else {},
            "opened": [closure] if old.get("opened") else [],
            "command_valid_until": old.get("command_valid_until", 0.0),
            "unanswered": [closure] if old.get("unlock_unanswered") else [],
            "hold_expired": old.get("hold_expired", False),
            "observed_throughout": False,
            "reservation_settled": old.get("reservation_settled", False),
            "not_sent": old.get("not_sent"),
        },
        "recording": {
            "part": old.get("part", 1),
            "is_running": old.get("filming", True),
            "gaps": old.get("gaps", []),
            "is_closed": old.get("film_closed", False),
            "is_sealing": old.get("sealing", False),
            "unsealed_parts": old.get("unsealed_parts", []),
        },
        "notified": [now for name, now in _NOTIFIED.items() if old.get(name)],
        "breaches": [now for name, now in _BREACHES.items() if old.get(name)],
        "reminders": old.get("open_notifications", 0),
    }


def translate_conditions(old: Mapping[str, Any]) -> Json:
    """Translate a state of shape 2."""
    kept = {name: value for name, value in old.items() if name not in _SURROUNDINGS}
    return {**kept, **{name: _visit_of_shape_2(old.get(name)) for name in ("visit", "grace_visit")}}


def _visit_of_shape_2(old: Mapping[str, Any] | None) -> Json | None:
    if old is None:
        return None
    notified = [word for word in old.get("notified", ()) if word not in _BREACHES_OF_SHAPE_2]
    breaches = [now for word, now in _BREACHES_OF_SHAPE_2.items() if word in old.get("notified", ())]
    return {**old, "notified": notified, "breaches": breaches}

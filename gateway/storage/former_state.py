"""Translates the state of an entrance that knew one lock and one door (shape 1) into the present form. Pure.

Only what outlives a restart is translated. What was observed is unknown after a boot anyway, and so are a pending scan,
a lock request and every deadline; a procedure begins anew. So the facts of lock and door, and how far the relocking
was, need no translation, and nothing that could open a door is invented: `ordered_at` names a closure only where an
intent was stored.
"""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_KEPT_OF_VISIT = ("id", "delivery", "phase", "scanner", "parcels", "outcome", "door_result", "acknowledged")
_NOTIFIED = {
    "jam_notified": "jam",
    "refusal_notified": "refusal",
    "handle_notified": "prompt",
    "warm_notified": "warm",
    "stop_notified": "stop",
    "tried_to_lock": "fridge",
}
_GONE = frozenset({"rules", "bolt", "door", "obstruction", "by_hand", "pending_scan", "lock_request", "timers"})
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
        "reminders": old.get("open_notifications", 0),
    }

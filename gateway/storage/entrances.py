"""Stores each entrance: its state after the last decision, the owner's stop, the household's presence.

Who asks for stop or presence of an entrance that the house does not have gets a `LookupError`.
"""

from datetime import datetime
from typing import NamedTuple, TypeVar

from gateway.domain.now import Now
from gateway.domain.visit.state import Entrance
from gateway.storage import entrance_state
from gateway.storage.database import Database
from gateway.storage.models import HouseholdPresence, StopState
from gateway.storage.part import StorePart, reads, writes

T = TypeVar("T")


def set_stop(  # noqa: PLR0913 - what is stopped, and who stops it
    db: Database, entrance: str, now: Now, *, on: bool, above: int = 0, by: str | None = None
) -> int:
    """Stop an entrance or lift the stop; return the new epoch.

    `above`: the epoch of a stop that holds in memory only, because the disk did not store it. The new one is higher.
    """
    update = "UPDATE entrance SET stopped = ?, stop_epoch = max(stop_epoch, ?) + 1 WHERE id = ? RETURNING stop_epoch"
    epoch = _existing(db.value(int, update, (on, above, entrance)), entrance)
    db.log("stop" if on else "lift", now.utc, {"epoch": epoch}, by=by, entrance=entrance)
    return epoch


def stop_of(db: Database, entrance: str) -> StopState:
    """Return the owner's stop of an entrance."""
    query = "SELECT stopped, stop_epoch AS epoch FROM entrance WHERE id = ?"
    return _existing(db.record(StopState, query, (entrance,)), entrance)


class EntranceStanding(NamedTuple):
    """What is stored of an entrance before a decision; `has_pauses`, `has_stays`: whether the house has any."""

    phase: str | None
    visit: str | None
    delivery: str | None
    stopped: bool
    epoch: int
    has_pauses: bool
    has_stays: bool


def standing_of(db: Database, entrance: str) -> EntranceStanding:
    """Return what is stored of an entrance.

    Raises:
        LookupError: the house has no such entrance.
    """
    query = (
        "SELECT phase, visit, delivery, stopped, stop_epoch, EXISTS (SELECT 1 FROM pause), EXISTS (SELECT 1 FROM stay)"
        " FROM entrance WHERE id = ?"
    )
    phase, visit, delivery, stopped, epoch, has_pauses, has_stays = _existing(
        db.execute(query, (entrance,)).fetchone(), entrance
    )
    return EntranceStanding(phase, visit, delivery, bool(stopped), epoch, bool(has_pauses), bool(has_stays))


def set_presence(db: Database, entrance: str, home: HouseholdPresence, now: Now, *, by: str | None = None) -> None:
    """Store whether somebody is home, and whether the household is away."""
    update = "UPDATE entrance SET somebody_home = ?, away = ? WHERE id = ?"
    _existing(db.execute(update, (home.somebody_home, home.away, entrance)).rowcount or None, entrance)
    db.log("home", now.utc, {"somebody_home": home.somebody_home, "away": home.away}, by=by, entrance=entrance)


def presence_of(db: Database, entrance: str) -> HouseholdPresence:
    """Return what the household reported last."""
    query = "SELECT somebody_home, away FROM entrance WHERE id = ?"
    return _existing(db.record(HouseholdPresence, query, (entrance,)), entrance)


def _existing(value: T | None, entrance: str) -> T:
    if value is None:
        raise LookupError(f"no entrance {entrance}")
    return value


def state_of(db: Database, entrance: str) -> Entrance | None:
    """Return the state after the last stored decision; None before the first."""
    row = db.execute(
        "SELECT s.state, p.preflights FROM entrance_state s LEFT JOIN entrance_preflights p ON p.entrance = s.entrance"
        " WHERE s.entrance = ?",
        (entrance,),
    ).fetchone()
    return None if row is None else entrance_state.load(*row)


def store_state(db: Database, entrance: str, state: Entrance) -> None:
    """Store the state after a decision; its preflights only if this connection has not stored them already."""
    db.execute(
        "INSERT INTO entrance_state (entrance, state) VALUES (?, ?)"
        " ON CONFLICT (entrance) DO UPDATE SET state = excluded.state",
        (entrance, entrance_state.dump(state)),
    )
    if db.stored_preflights.get(entrance) != state.preflights:
        db.execute(
            "INSERT INTO entrance_preflights (entrance, preflights) VALUES (?, ?)"
            " ON CONFLICT (entrance) DO UPDATE SET preflights = excluded.preflights",
            (entrance, entrance_state.dump_preflights(state)),
        )
        db.stored_preflights[entrance] = state.preflights


def locked_at(db: Database, entrance: str) -> datetime | None:
    """Return when this entrance was last proven locked again after a visit."""
    return db.value(datetime, "SELECT locked_at FROM entrance WHERE id = ?", (entrance,))


class Entrances(StorePart):
    """The entrances: `Store.entrances`."""

    state = reads(state_of)
    locked_at = reads(locked_at)
    stop_state = reads(stop_of)
    presence = reads(presence_of)
    set_presence = writes(set_presence)
    set_stop = writes(set_stop, mark=True)

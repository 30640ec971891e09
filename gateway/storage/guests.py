"""Stores guests' passes, their codes at keypads, and the stays in which nothing is filmed.

The log has an entry for each change, with ids and times and without a name, a code or a PIN.
"""

import hmac
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256

from gateway.domain.delivery.candidate import DeliveryContext, VisitDelivery
from gateway.domain.frozen import Frozen, replace
from gateway.domain.guests.passes import (
    Pass,
    PassProblem,
    PassState,
    PassUsage,
    Stay,
    pass_candidate,
    pass_code_digest,
    pass_problem,
    period_problem,
)
from gateway.domain.guests.provisioning import CodeState, PassCode, revoke
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm
from gateway.domain.visit.events import CodeMatch
from gateway.domain.visit.state import CodeKind, StayPeriod
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import code_key, encode
from gateway.storage.database import Database, record_of, rfc3339
from gateway.storage.outbox import queue_message
from gateway.storage.part import StorePart, reads, writes

_DIGEST_PREFIX = "courier:"  # of a normalised code that is a token


def add_pass(db: Database, new: Pass, code: str, now: Now, *, by: str | None) -> PassProblem | None:
    """Store a new pass under the digest of its code; return why it cannot be. A known proposal stays as it is."""
    which = _beside(new.proposed_by, is_proposed=new.state is PassState.PROPOSED)
    rows = "guest_pass WHERE state IN ('proposed', 'granted') AND (state = 'proposed') = ?"
    known = _count_open(db, rows, which, now)
    problem = pass_problem(new, known=known, now=now)
    if problem is not None:
        return problem
    columns = _pass_columns(new) | {"code": code, "by": by}
    if db.insert("guest_pass", or_="IGNORE", **columns):
        db.log("pass_added", now.utc, _logged_pass(new), by=by)
    return None


def change_pass(  # noqa: PLR0913 - what changes, and who changes it
    db: Database, ident: str, state: PassState, code: str, now: Now, *, by: str | None
) -> Pass | PassProblem:
    """Grant, end or revoke a pass under its next version, whose code has this digest; return it.

    The codes at keypads of a pass that no longer holds have to go at once.
    """
    held = find_pass(db, ident)
    if held is None or held.is_over(now):
        return PassProblem.UNKNOWN
    new = replace(held, state=state, version=held.version + 1)
    db.execute("UPDATE guest_pass SET state = ?, version = ?, code = ? WHERE id = ?", (state, new.version, code, ident))
    if state in (PassState.ENDED, PassState.REVOKED):
        for one in codes_of(db, ident):
            save_code(db, revoke(one, now), now)
    db.log("pass_changed", now.utc, _logged_pass(new), by=by)
    return new


def move_pass(  # noqa: PLR0913 - what changes, and who changes it
    db: Database, held: Pass, starts: datetime, ends: datetime, now: Now, *, by: str | None
) -> Pass:
    """Give a pass other times under its next version; its codes at keypads have to go at once. Return it."""
    new = replace(held, starts=starts, ends=ends, version=held.version + 1)
    db.execute(
        "UPDATE guest_pass SET starts = ?, ends = ?, version = ?, code = ? WHERE id = ?",
        (starts, ends, new.version, pass_code_digest(new, guest_key(db)), held.id),
    )
    for one in codes_of(db, held.id):
        save_code(db, revoke(one, now), now)
    db.log("pass_changed", now.utc, _logged_pass(new), by=by)
    return new


def find_pass(db: Database, ident: str) -> Pass | None:
    """Return a pass by its id."""
    return next(iter(_passes(db, "WHERE id = ?", (ident,))), None)


def passes(db: Database) -> tuple[Pass, ...]:
    """Return every stored pass, the newest beginning first."""
    return _passes(db, "ORDER BY starts DESC, id")


def open_passes(db: Database, now: Now) -> tuple[Pass, ...]:
    """Return the passes and proposals that are not over."""
    return tuple(held for held in _passes(db, "ORDER BY starts, id") if not held.is_over(now))


def _beside(proposed_by: str | None, *, is_proposed: bool) -> tuple[bool, str]:
    """Return what counts beside a new pass or stay, so that no source takes the room of the host or of another source.

    Beside a proposal those of its own source count (the begin of their keys), beside anything else what is accepted.
    """
    source = (proposed_by or "").partition(":")[0]
    return is_proposed, f"{source}:" if is_proposed else ""


def _count_open(db: Database, rows: str, beside: tuple[bool, str], now: Now) -> int:
    """Return how many `rows` (a table and a condition) are not over; without trusted time none is."""
    is_proposed, source = beside
    since = now.utc if now.trusted else datetime.min.replace(tzinfo=UTC)
    query = f"SELECT count(*) FROM {rows} AND ends > ? AND substr(coalesce(proposed_by, ''), 1, ?) = ?"  # noqa: S608 - our own text
    return db.value(int, query, (is_proposed, since, len(source), source)) or 0


def _passes(db: Database, rest: str, parameters: Sequence[object] = ()) -> tuple[Pass, ...]:
    names = ", ".join(field.name for field in fields(Pass))
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(f"SELECT {names} FROM guest_pass {rest}", parameters)  # noqa: S608 - our own names
    return tuple(
        record_of(
            Pass, row, entrances=frozenset(json.loads(row["entrances"])), days=frozenset(json.loads(row["days"])),
            state=PassState(row["state"]),
        )
        for row in rows
    )  # fmt: skip


def _pass_columns(held: Pass) -> dict[str, object]:
    lists = {"entrances": json.dumps(sorted(held.entrances)), "days": json.dumps(sorted(held.days))}
    return {**vars(held), **lists}


def _logged_pass(held: Pass) -> Mapping[str, Json]:
    return {
        "pass": held.id, "version": held.version, "state": held.state.value, "entrances": tuple(sorted(held.entrances)),
        "start": rfc3339(held.starts), "end": rfc3339(held.ends),
    }  # fmt: skip


def visit_facts(  # noqa: PLR0913 - what decides about a visit under a pass
    db: Database, key: str, house: DeliveryContext, now: Now, *, entrance: str | None = None, visit: str | None = None
) -> VisitDelivery | None:
    """Return a pass as `decide` takes it at an entrance (None: the first of its own); None: there is no such pass.

    The opening of the running visit `visit` does not count as used.
    """
    held = find_pass(db, key.partition(".")[2])
    if held is None:
        return None
    at = entrance or min(held.entrances)
    query = (
        "SELECT count(*) FILTER (WHERE intent IN ('reserved', 'spent')),"
        " count(*) FILTER (WHERE intent IN ('reserved', 'spent', 'given_back')) FROM visit"
        " WHERE delivery = ? AND id IS NOT ?"
    )
    used, withdrawals = db.execute(query, (key, visit)).fetchone()
    usage = PassUsage(used=used, withdrawals=withdrawals)
    return pass_candidate(held, usage, at, house.guest_places.get(at, ""), zone=house.zone, now=now)


def matches(db: Database, code: str, entrance: str, house: DeliveryContext, now: Now) -> tuple[CodeMatch, ...]:
    """Return the pass whose code was scanned at this entrance, if the entrance admits guests."""
    if not code.startswith(_DIGEST_PREFIX) or entrance not in house.guest_places:
        return ()
    found = _passes(db, "WHERE code = ?", (code.removeprefix(_DIGEST_PREFIX),))
    facts = (visit_facts(db, held.key, house, now, entrance=entrance) for held in found)
    return tuple(CodeMatch(kind=CodeKind.PARCEL, delivery=one) for one in facts if one is not None)


# ---- stays ----------------------------------------------------------------------------------------------------------


def add_stay(db: Database, new: Stay, now: Now, *, by: str | None) -> PassProblem | None:
    """Store a stay; return why it cannot be stored. A known proposal stays as it is."""
    which = _beside(new.proposed_by, is_proposed=new.is_proposed)
    known = _count_open(db, "stay WHERE is_proposed = ?", which, now)
    problem = period_problem(new.starts, new.ends, known=known, now=now)
    if problem is not None:
        return problem
    row = vars(new) | {"entrances": json.dumps(sorted(new.entrances)), "by": by}
    if db.insert("stay", or_="IGNORE", **row):
        db.log("stay_proposed" if new.is_proposed else "stay", now.utc, _logged_stay(new), by=by)
    return None


def accept_stay(db: Database, ident: str, now: Now, *, by: str | None) -> Stay | PassProblem:
    """Let a proposed stay hold."""
    found = next((stay for stay in open_stays(db, now) if stay.id == ident and stay.is_proposed), None)
    if found is None:
        return PassProblem.UNKNOWN
    db.execute("UPDATE stay SET is_proposed = 0 WHERE id = ?", (ident,))
    db.log("stay", now.utc, _logged_stay(found), by=by)
    return replace(found, is_proposed=False)


def end_stay(db: Database, ident: str, now: Now, *, by: str | None) -> Stay | PassProblem:
    """End a stay now, or withdraw one that has not begun, or a proposal; return it as it was."""
    found = next((stay for stay in open_stays(db, now) if stay.id == ident), None)
    if found is None:
        return PassProblem.UNKNOWN
    if found.starts < now.utc and not found.is_proposed:
        db.execute("UPDATE stay SET ends = ? WHERE id = ?", (now.utc, ident))
    else:
        db.execute("DELETE FROM stay WHERE id = ?", (ident,))
    db.log("stay_ended", now.utc, {"stay": ident}, by=by)
    return found


def move_stay(  # noqa: PLR0913 - what changes, and who changes it
    db: Database, stay: Stay, starts: datetime, ends: datetime, now: Now, *, by: str | None
) -> None:
    """Give a stay other times."""
    db.execute("UPDATE stay SET starts = ?, ends = ? WHERE id = ?", (starts, ends, stay.id))
    moved = replace(stay, starts=starts, ends=ends)
    db.log("stay_proposed" if stay.is_proposed else "stay", now.utc, _logged_stay(moved), by=by)


def open_stays(db: Database, now: Now) -> tuple[Stay, ...]:
    """Return the stays and proposals that are not over, the soonest first."""
    return tuple(stay for stay in stays(db) if not now.trusted or now.utc < stay.ends)


def stays(db: Database) -> tuple[Stay, ...]:
    """Return every stored stay, the soonest first."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute("SELECT * FROM stay ORDER BY starts, id")
    return tuple(record_of(Stay, row, entrances=frozenset(json.loads(row["entrances"]))) for row in rows)


def stays_of(db: Database, entrance: str) -> tuple[StayPeriod, ...]:
    """Return the stays of one entrance as `decide` takes them; some may be over."""
    return tuple(stay.period for stay in stays(db) if stay.holds_at(entrance))


def _logged_stay(stay: Stay) -> Mapping[str, Json]:
    return {
        "stay": stay.id, "start": rfc3339(stay.starts), "end": rfc3339(stay.ends),
        "entrances": tuple(sorted(stay.entrances)), "admits_deliveries": stay.admits_deliveries,
    }  # fmt: skip


# ---- codes at keypads -----------------------------------------------------------------------------------------------


def add_code(db: Database, new: PassCode, now: Now) -> None:
    """Store the code of a pass at a keypad."""
    db.insert("pass_code", **vars(new))
    db.log("pass_code", now.utc, _logged_code(new))


def save_code(db: Database, code: PassCode, now: Now, *, before: PassCode | None = None) -> bool:
    """Store how far a code is; its PIN is forgotten once it is proven gone.

    With `before`, only if it still is as it was then, so that a revocation meanwhile is not undone. Return whether it
    was stored.
    """
    pin = "" if code.state is CodeState.WITHDRAWN else code.pin
    stored = next(iter(_codes(db, "WHERE id = ?", (code.id,))), None)
    if stored is None or (before is not None and (stored.state, stored.ends) != (before.state, before.ends)):
        return False
    db.execute(
        "UPDATE pass_code SET state = ?, number = ?, ends = ?, is_alarmed = ?, pin = ? WHERE id = ?",
        (code.state, code.number, code.ends, code.is_alarmed, pin, code.id),
    )
    if stored.state is not code.state:
        db.log("pass_code", now.utc, _logged_code(code))
    return True


def guest_key(db: Database) -> bytes:
    """Return this box's key for the codes and pages of guests: a key of its own, from the one that hashes codes."""
    return hmac.new(code_key(db), b"guests", sha256).digest()


class SavedCode(Frozen):
    """Whether a code was stored, and the number of the message about its alarm, if there is one."""

    is_stored: bool
    message: int | None = None


def save_code_at(
    db: Database, code: PassCode, now: Now, *, before: PassCode, alarm_at: Sequence[str] = ()
) -> SavedCode:
    """Store how far a code is (`save_code`), with the message of its alarm at an entrance."""
    if not save_code(db, code, now, before=before):
        return SavedCode(is_stored=False)
    message = None
    for entrance in alarm_at:
        command = encode(RaiseAlarm(code=AlarmCode.CODE_STILL_VALID, detail=code.keypad), "command")
        message = queue_message(db, entrance, None, json.dumps(command).encode(), now)
    return SavedCode(is_stored=True, message=message)


def codes_of(db: Database, held: str) -> tuple[PassCode, ...]:
    """Return the codes of one pass."""
    return _codes(db, "WHERE held = ? ORDER BY keypad", (held,))


def live_codes(db: Database) -> tuple[PassCode, ...]:
    """Return the codes that are not proven gone."""
    return _codes(db, "WHERE state != 'withdrawn' ORDER BY id")


def keypads_with_codes(db: Database) -> tuple[str, ...]:
    """Return the keypads that may still take a guest's code, as far as the box knows."""
    return tuple(sorted({code.keypad for code in live_codes(db) if code.may_open}))


def withdraw_codes(db: Database, now: Now) -> None:
    """Have every guest's code go at once; the passes stay as they are."""
    for code in live_codes(db):
        save_code(db, revoke(code, now), now)


def withdraw_all(db: Database, now: Now) -> None:
    """Withdraw every pass: the store may be an older copy, which does not know what was withdrawn or used since.

    Stays hold on: nothing is filmed in one that ended since, until the host ends it again.
    """
    for ident in db.column("SELECT id FROM guest_pass WHERE state = 'granted'"):
        held = find_pass(db, ident)
        if held is None or held.is_over(now):
            continue
        digest = pass_code_digest(replace(held, version=held.version + 1), guest_key(db))
        change_pass(db, ident, PassState.REVOKED, digest, now, by=None)


def _codes(db: Database, rest: str, parameters: Sequence[object] = ()) -> tuple[PassCode, ...]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(f"SELECT * FROM pass_code {rest}", parameters)  # noqa: S608 - our own text
    return tuple(record_of(PassCode, row, state=CodeState(row["state"])) for row in rows)


def _logged_code(code: PassCode) -> Mapping[str, Json]:
    return {"code": code.id, "pass": code.held, "keypad": code.keypad, "state": code.state.value}


def forget_household(db: Database, now: Now) -> None:
    """End every pass, stay, booking and calendar of a household that leaves. Its guests' codes have to go at once.

    A pass whose code a keypad may still have is kept without the guest's name until that is proven gone.
    """
    withdraw_codes(db, now)
    db.execute("DELETE FROM guest_pass WHERE id NOT IN (SELECT held FROM pass_code WHERE state != 'withdrawn')")
    db.execute("UPDATE guest_pass SET state = 'revoked', guest = '-', by = NULL")
    db.execute("DELETE FROM stay")
    db.execute("DELETE FROM booking")
    db.execute("DELETE FROM calendar")


def forget_guests(db: Database, before: datetime) -> None:
    """Delete passes and stays that ended before an instant, with their visits; never a code that may still open."""
    old = db.column(
        "SELECT id FROM guest_pass WHERE ends < ? AND id NOT IN (SELECT held FROM pass_code WHERE state != 'withdrawn')"
        " AND NOT EXISTS (SELECT 1 FROM entrance WHERE delivery = 'guest.' || guest_pass.id)",
        (before,),
    )
    for ident in old:
        db.execute("DELETE FROM visit WHERE delivery = ?", (f"guest.{ident}",))
        db.execute("DELETE FROM guest_pass WHERE id = ?", (ident,))
    db.execute("DELETE FROM stay WHERE ends < ?", (before,))
    db.execute("DELETE FROM booking WHERE ends < ?", (before,))


class GuestStore(StorePart):
    """Passes, stays and codes: `Store.guests`."""

    key = reads(guest_key)
    add_pass = writes(add_pass, mark=True)
    change_pass = writes(change_pass, mark=True)
    find_pass = reads(find_pass)
    passes = reads(passes)
    open_passes = reads(open_passes)
    add_stay = writes(add_stay)
    accept_stay = writes(accept_stay)
    end_stay = writes(end_stay)
    stays = reads(stays)
    open_stays = reads(open_stays)
    stays_of = reads(stays_of)
    add_code = writes(add_code)
    save_code = writes(save_code)
    save_code_at = writes(save_code_at)
    codes_of = reads(codes_of)
    live_codes = reads(live_codes)
    keypads_with_codes = reads(keypads_with_codes)
    withdraw_codes = writes(withdraw_codes)

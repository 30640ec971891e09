"""Reads what the log has of each brand, and stores the owner's complaints and the brands' comments in it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum, auto

from gateway.domain.delivery.own_parcel import is_own
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol.brand_facts import Complaint, PromisedWindow, brand_facts
from gateway.protocol.brand_messages import BrandFacts, CommentClaims
from gateway.storage.audit_log import bodies_of_kind, bodies_of_visit
from gateway.storage.database import Database, from_micros
from gateway.storage.part import StorePart, reads, writes

MAX_ROWS_READ = 20_000  # the newest ones; a visit has about a hundred
MAX_COMMENTS_PER_DAY = 10  # of one brand
_DAY = timedelta(days=1)

# Rows of visits, complaints, and scans that were refused because of one delivery.
_SELECT_ROWS = """
SELECT body FROM (SELECT seq, body FROM entry WHERE body IS NOT NULL AND (kind = 'complaint' OR (kind = 'step'
  AND (visit IS NOT NULL OR instr(CAST(body AS TEXT), '"matches":[{') > 0))) ORDER BY seq DESC LIMIT ?) ORDER BY seq
"""


class ComplaintRefusal(StrEnum):
    """Why a complaint is not stored."""

    UNKNOWN_VISIT = auto()
    NO_BRAND = auto()  # an incident, or an own parcel
    ALREADY_MADE = auto()


class FactsSource(Frozen):
    """What the facts of all brands are computed from."""

    rows: tuple[Mapping[str, object], ...]
    windows: Mapping[str, PromisedWindow]

    def of(self, brand: str, now: Now) -> BrandFacts:
        """Return the facts of one brand."""
        return brand_facts(brand, self.rows, self.windows, until=now.utc)


def facts_source(db: Database) -> FactsSource:
    """Read the newest rows and all windows. It takes some 0.2 s for a busy month: call it in a thread of its own."""
    rows = tuple(json.loads(body) for body in db.column(_SELECT_ROWS, (MAX_ROWS_READ,)))
    windows = {
        key: PromisedWindow(from_micros(starts), from_micros(ends), bool(cancelled))
        for key, starts, ends, cancelled in db.execute("SELECT key, starts, ends, cancelled FROM delivery")
    }
    return FactsSource(rows=rows, windows=windows)


def complain(db: Database, visit: str, complaint: Complaint, now: Now, *, by: str | None) -> ComplaintRefusal | None:
    """Add the owner's complaint to a visit, each kind once; return None, or why it is not stored."""
    found = db.execute(
        "SELECT delivery, entrance FROM visit WHERE id = ? AND EXISTS (SELECT 1 FROM entry WHERE entry.visit = ?)",
        (visit, visit),
    ).fetchone()
    if found is None:
        return ComplaintRefusal.UNKNOWN_VISIT
    delivery, entrance = found
    if delivery is None or is_own(delivery):
        return ComplaintRefusal.NO_BRAND
    if complaint in complaints_of(db, visit):
        return ComplaintRefusal.ALREADY_MADE
    facts = {"delivery": delivery, "complaint": complaint.value}
    db.log("complaint", now.utc, facts, by=by, entrance=entrance, visit=visit)
    return None


def complaints_of(db: Database, visit: str) -> tuple[Complaint, ...]:
    """Return the owner's complaints about a visit, oldest first."""
    rows = bodies_of_visit(db, visit)
    return tuple(Complaint(row["complaint"]) for row in rows if row["kind"] == "complaint")


def store_comment(db: Database, claims: CommentClaims, now: Now) -> str | None:
    """Store a brand's verified comment; return None, or the code of why it is not stored."""
    known = [row for row in bodies_of_kind(db, "brand_comment") if row["brand"] == claims.iss]
    if any(row["jti"] == claims.jti for row in known):
        return "jti_reused"
    since = (now.utc - _DAY).isoformat()
    if sum(str(row["at"]) > since for row in known) >= MAX_COMMENTS_PER_DAY:
        return "too_many"
    db.log("brand_comment", now.utc, {"brand": claims.iss, "jti": claims.jti, "comment": claims.comment})
    return None


def comment_of(db: Database, brand: str) -> str | None:
    """Return the brand's newest comment; None: it made none that the log still has."""
    for row in reversed(bodies_of_kind(db, "brand_comment")):
        if row["brand"] == brand:
            return str(row["comment"])
    return None


class BrandFactsStore(StorePart):
    """Complaints and comments: `Store.brand_facts`. The facts themselves are read in a thread (`readonly`)."""

    complain = writes(complain)
    complaints_of = reads(complaints_of)
    store_comment = writes(store_comment)
    comment_of = reads(comment_of)

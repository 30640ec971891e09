"""Notes scans that an entrance turned away without a visit, for the household: nothing was filmed.

The log has them too. A stranger can scan nonsense for days, so scans that follow each other are one row here, and the
number of rows is limited: of known deliveries and of no known one separately, so that nonsense hides no delivery.
"""

from datetime import datetime, timedelta

from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AnswerScan, ScanAnswer
from gateway.domain.visit.state import WALK_TEST
from gateway.storage.database import Database, from_micros
from gateway.storage.models import StoredDecision
from gateway.storage.part import StorePart, reads
from gateway.storage.visit_list import VisitFilter

MAX_ROWS = 2000  # of known deliveries, and as many of none: some weeks of a stranger; then the oldest go
MERGED_WITHIN = timedelta(minutes=15)  # between two scans of one row
UNKNOWN_MERGED_WITHIN = timedelta(hours=1)  # the same where no delivery is known: a stranger tries more
LONGEST = timedelta(hours=12)  # from the first scan of a row to its last


class TurnedAway(Frozen):
    """Scans of one delivery (None: of no known one) that an entrance turned away for one reason.

    `carrier`: None without a delivery, or once the box has forgotten it. `scans`: those noted; a flood has more.
    """

    id: int
    entrance: str
    refusal: Refusal
    delivery: str | None
    carrier: str | None
    first: datetime
    last: datetime
    scans: int

    @property
    def brand(self) -> str | None:
        """The brand's id; None: no delivery is known."""
        return None if self.delivery is None else self.delivery.partition(".")[0]


def note_refusal(db: Database, answer: AnswerScan, step: StoredDecision) -> None:
    """Note a refused scan; not during a visit, whose story tells it, and not for a walk test."""
    delivery = answer.delivery
    if answer.answer is not ScanAnswer.NO or answer.refusal is None or step.state.visit is not None:
        return
    if delivery is not None and delivery.partition(".")[0] == WALK_TEST:
        return
    now, gap = step.now.utc, UNKNOWN_MERGED_WITHIN if delivery is None else MERGED_WITHIN
    if db.execute(
        "UPDATE turned_away SET last = max(last, ?), scans = scans + 1 WHERE id = (SELECT max(id) FROM turned_away"
        " WHERE entrance = ? AND refusal = ? AND delivery IS ?) AND last BETWEEN ? AND ? AND first > ?",
        (now, step.entrance, answer.refusal, delivery, now - gap, now + gap, now - LONGEST),
    ).rowcount:
        return
    db.insert("turned_away", entrance=step.entrance, refusal=answer.refusal, delivery=delivery, first=now, last=now)
    alike = f"(delivery IS {'' if delivery is None else 'NOT '}NULL)"
    oldest_kept = f"SELECT id FROM turned_away WHERE {alike} ORDER BY id DESC LIMIT 1 OFFSET ?"  # noqa: S608 - a constant
    db.execute(f"DELETE FROM turned_away WHERE {alike} AND id <= ({oldest_kept})", (MAX_ROWS,))  # noqa: S608 - constants


def turned_away(
    db: Database, wanted: VisitFilter, *, since: datetime | None, before: datetime | None, at_most: int
) -> tuple[TurnedAway, ...]:
    """Return what was turned away last from `since` on and before `before` (None: no limit), the newest first.

    `at_most`: so many rows of known deliveries, and as many of none.
    """
    if wanted.held_only:
        return ()
    rows = (
        "SELECT t.*, d.carrier FROM turned_away t LEFT JOIN delivery d ON d.key = t.delivery"
        " WHERE (?1 IS NULL OR t.last >= ?1) AND (?2 IS NULL OR t.last < ?2) AND (?3 = '' OR t.entrance = ?3)"
        " AND (?4 = '' OR substr(t.delivery, 1, length(?4) + 1) = ?4 || '.')"
        " AND (?5 IS NULL OR t.last >= ?5) AND (?6 IS NULL OR t.last < ?6)"
    )
    newest = "ORDER BY last DESC, id DESC"
    query = (
        f"SELECT * FROM ({rows} AND t.delivery IS NOT NULL {newest} LIMIT ?7)"  # noqa: S608 - constants
        f" UNION ALL SELECT * FROM ({rows} AND t.delivery IS NULL {newest} LIMIT ?7) {newest}"
    )
    parameters = (since, before, wanted.entrance, wanted.brand, wanted.first, wanted.end, at_most)
    return db.records(TurnedAway, query, parameters)


def turned_away_times(db: Database, first: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return when each row that ended between these instants did: twice `MAX_ROWS` at most."""
    instants: list[int] = db.column("SELECT last FROM turned_away WHERE last >= ? AND last < ?", (first, end))
    return tuple(map(from_micros, instants))


class TurnedAwayStore(StorePart):
    """What was turned away at the entrances: `Store.turned_away`."""

    page = reads(turned_away)
    times = reads(turned_away_times)

"""Deletes rows at the end of their retention time."""

from datetime import datetime

from gateway.storage.audit_log import erase_bodies
from gateway.storage.consent_requests import forget_unanswered
from gateway.storage.database import Database
from gateway.storage.hub_journal import forget_before
from gateway.storage.outbox import expire_links
from gateway.storage.pauses import expire_pauses
from gateway.storage.people import delete_removed_people


def forget(db: Database, *, utc: datetime, before: datetime) -> None:
    """Delete answers, links and pauses that are over at `utc`, a trusted time, and everything from before `before`.

    That is deliveries, visits, messages (also those that a phone still waits for), removed people, views, readiness
    counts, the hub's acknowledged events, and log bodies. Films end separately (`recordings.mark_erased`); everything
    of a visit whose film is held or not yet erased stays. The chain stays valid: a log body leaves its digest.
    """
    expire_links(db, utc)
    expire_pauses(db, utc)
    db.execute("DELETE FROM answer WHERE expires < ?", (utc,))
    db.execute("DELETE FROM tombstone WHERE at < ?", (before,))
    db.execute("DELETE FROM message WHERE at < ?", (before,))
    db.execute(
        "DELETE FROM visit WHERE began < ? AND delivery IN (SELECT key FROM delivery WHERE ends < ?)"
        " AND id NOT IN (SELECT visit FROM film WHERE erased IS NULL OR held IS NOT NULL)",
        (before, before),
    )
    db.execute(
        "DELETE FROM delivery WHERE ends < ? AND NOT EXISTS (SELECT 1 FROM visit WHERE delivery = delivery.key)"
        " AND NOT EXISTS (SELECT 1 FROM entrance WHERE delivery = delivery.key)",
        (before,),
    )
    old = db.column(
        "SELECT seq FROM entry WHERE at < ? AND body IS NOT NULL AND (visit IS NULL OR visit NOT IN"
        " (SELECT visit FROM film WHERE erased IS NULL OR held IS NOT NULL))",
        (before,),
    )
    erase_bodies(db, old)
    db.execute("DELETE FROM look WHERE ended < ?", (before,))
    db.execute("DELETE FROM readiness_hour WHERE hour < ?", (before,))
    delete_removed_people(db, before=before)
    forget_before(db, before)
    forget_unanswered(db, before)

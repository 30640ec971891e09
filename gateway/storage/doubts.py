"""The store's record of itself: its signing key, whether a mark must exist beside it, and whether it is in doubt.

A store in doubt may be an older copy, and its open deliveries may have been used since. Each entrance is therefore in
safe mode until its owner acknowledges, retailers must announce each delivery again, and the host must grant each pass
again, as after a restore (`snapshot`).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.protocol.hash_chain import Json
from gateway.storage import guests
from gateway.storage.audit_log import bodies_of_kind, hash_at
from gateway.storage.database import Database
from gateway.storage.outbox import notify_owner
from gateway.storage.part import StorePart, reads
from gateway.storage.schema import connect_read_only

HashAt = Callable[[int], bytes | None]  # the chain's hash at the entry of this number, as `audit_log.hash_at`

MIN_SCHEMA_VERSION = 10  # the first schema version that knows the mark


class StoreCondition(Frozen):
    """`signer`: the stored public key; `mark_due`: a mark was written once; `in_doubt`: the entrances in doubt.

    `foreign_visits`: visits whose proofs belong to another log; an earlier doubt named them, so they cause no new one.
    """

    signer: str | None
    mark_due: bool
    doubt: str | None
    in_doubt: frozenset[str]
    foreign_visits: frozenset[str] = frozenset()


@contextmanager
def open_read_only(path: Path) -> Iterator[tuple[StoreCondition, HashAt] | None]:
    """Read a store's condition and log, also while a gateway runs; None: an older program's. OSError: unreadable."""
    try:
        with connect_read_only(path) as db:
            older = db.number("PRAGMA user_version") < MIN_SCHEMA_VERSION
            yield None if older else (read_condition(db), partial(hash_at, db))
    except sqlite3.Error as error:
        raise OSError(f"{path.name}: {error}") from error


def read_condition(db: Database) -> StoreCondition:
    """Read what a store contains about itself."""
    in_doubt = frozenset(db.column("SELECT id FROM entrance WHERE in_doubt = 1"))
    named = frozenset(str(visit) for body in bodies_of_kind(db, "in_doubt") for visit in body.get("strange", ()))
    query = "SELECT signer, mark_due, doubt FROM box"
    (condition,) = db.records(StoreCondition, query, in_doubt=in_doubt, foreign_visits=named)
    return condition


def _store_doubt(  # noqa: PLR0913 - one argument a fact
    db: Database, now: Now, *, why: str, signer: str, tell_at: str | None, foreign_visits: tuple[str, ...]
) -> int | None:
    since = now.utc if now.trusted else 0
    db.execute("UPDATE box SET doubt = ?, signer = ?, restored = ?", (why, signer, since))
    db.execute("UPDATE entrance SET in_doubt = 1")
    db.execute("UPDATE delivery SET doubtful = 1")
    db.execute("UPDATE delivery SET look_at = 0 WHERE ends > ?", (now.utc,))
    db.execute("DELETE FROM answer")  # else a repeated message would get its old answer
    guests.withdraw_all(db, now)
    facts: dict[str, Json] = {"why": why, "signer": signer}
    if foreign_visits:
        facts["strange"] = foreign_visits
    db.log("in_doubt", now.utc, facts)
    return None if tell_at is None else notify_owner(db, tell_at, Notification.STORE_IN_DOUBT, now, detail=why)


class RollbackRecord(StorePart):
    """Whether this is the store that the box used last: `Store.rollback`."""

    condition = reads(read_condition)
    _pending: Callable[[Database, Now], int | None] | None = None  # stores a doubt whose write failed

    @property
    def is_unstored(self) -> bool:
        """Return whether a doubt is not stored yet. Until then the mark that revealed it must not change."""
        return self._pending is not None

    async def set_signer(self, signer: str) -> None:
        """Store the public key with which the box signs from now on."""
        if self.condition().signer != signer:
            await self.writer.do(lambda db: db.execute("UPDATE box SET signer = ?", (signer,)).rowcount)

    async def begin_doubt(
        self, why: str, now: Now, *, signer: str, tell_at: str | None, foreign_visits: tuple[str, ...] = ()
    ) -> int | None:
        """Store that the store is in doubt; return the number of the message to the owner at the entrance `tell_at`.

        If the write fails, `is_unstored` is true until `store_pending` succeeds.
        """
        self._pending = partial(_store_doubt, why=why, signer=signer, tell_at=tell_at, foreign_visits=foreign_visits)
        return await self.store_pending(now)

    async def store_pending(self, now: Now) -> int | None:
        """Store a doubt whose write failed before, if there is one."""
        pending = self._pending
        if pending is None:
            return None
        message = await self.writer.do(lambda db: pending(db, now))
        self._pending = None
        return message

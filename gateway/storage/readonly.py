"""Reads a store for the command line, also while the box runs. It writes nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.storage import people
from gateway.storage.database import Database
from gateway.storage.models import AccountHolder, StoreFailed
from gateway.storage.privacy import chosen_retention_days
from gateway.storage.readiness import ReadinessHour, readiness_hours
from gateway.storage.schema import connect_read_only


def owners(file: Path) -> tuple[AccountHolder, ...]:
    """Return the owners of the box; empty without a store.

    Raises:
        StoreFailed: the store cannot be read.
    """
    with _open(file) as db:
        return () if db is None else tuple(one for one in people.all_people(db) if one.role == "owner")


def held_visit_count(file: Path) -> int:
    """Return the number of visits whose films are held as evidence.

    Raises:
        StoreFailed: the store cannot be read.
    """
    query = "SELECT count(DISTINCT visit) FROM film WHERE held IS NOT NULL AND erased IS NULL"
    with _open(file) as db:
        return 0 if db is None else db.number(query)


def retention_days(file: Path) -> int | None:
    """Return for how many days an owner chose to keep films; None: as the house file says.

    Raises:
        StoreFailed: the store cannot be read.
    """
    with _open(file) as db:
        return None if db is None else chosen_retention_days(db)


def counted_readiness(file: Path, entrance: str) -> tuple[ReadinessHour, ...]:
    """Return how often the entrance's devices were ready near a window, the newest hour first; empty without a store.

    Raises:
        StoreFailed: it cannot be read, or an older Perron wrote it.
    """
    with _open(file) as db:
        return () if db is None else readiness_hours(db, entrance)


@contextmanager
def _open(file: Path) -> Iterator[Database | None]:
    if not file.exists():
        yield None
        return
    try:
        with connect_read_only(file) as db:
            yield db
    except sqlite3.Error as failure:
        raise StoreFailed(str(failure)) from failure

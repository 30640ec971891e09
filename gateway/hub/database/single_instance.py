"""Allows only one hub on a SQLite file: SQLite lacks the locks that shared leases need.

Two would also throw each other off the broker again and again, for both have the same account. PostgreSQL is for many.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from gateway.hub.database.store import StoreUnusable


@contextlib.contextmanager
def lock_database(url: str) -> Iterator[None]:
    """Have a hub's SQLite file for this hub alone; the lock is the system's own, so it ends with the process.

    Raises:
        StoreUnusable: another hub has it.
    """
    known = make_url(url)
    if known.get_backend_name() != "sqlite" or known.database in {None, "", ":memory:"}:
        yield
        return
    with Path(f"{known.database}.lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreUnusable(
                f"Another hub uses {known.database}: end that one, or name a PostgreSQL, which is for several."
            ) from error
        yield

"""Allows only one hub on a SQLite file: SQLite lacks the locks that shared leases need.

Two hubs would also displace each other at the broker again and again, because both use the same account.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from gateway.hub.database.store import StoreUnusable


@contextlib.contextmanager
def lock_database(url: str) -> Iterator[None]:
    """Lock a hub's SQLite file for this process; the lock is the system's, so it ends with the process.

    Raises:
        StoreUnusable: another hub uses it.
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

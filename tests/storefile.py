"""A new box's database, without doing all migrations again for each of hundreds of tests."""

import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from gateway.storage.schema import connect, migrate, migration_scripts


def make_database(path: Path) -> Path:
    """Lay a database of the newest version there, of which nothing is said yet, unless one lies there."""
    if not path.exists():
        path.write_bytes(_newest_bytes())
    return path


@cache
def _newest_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "perron.sqlite3"
        with closing(connect(path, writes=True)) as connection:
            migrate(connection, migration_scripts())
        return path.read_bytes()

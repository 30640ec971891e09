"""Copies a hub's database into one file while hubs use it, and puts it back: SQLite, or PostgreSQL's own programs.

The functions raise DatabaseToolFailed if the database or a tool refuses.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, NullPool, Select, create_engine, exc
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

DatabaseKind = Literal["sqlite", "postgresql"]
SQLITE_FILE, DUMP_FILE = "database.sqlite3", "database.pgdump"  # in a backup

# The hub's database is the hub's alone; a newer hub may have made tables that this one does not know
_DROP_ALL = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', name);
    END LOOP;
END $$;
"""


class DatabaseToolFailed(Exception):  # noqa: N818 - it says what happened
    """The database, or PostgreSQL's program for it, refused; the text says why."""


def kind_of(database: str) -> DatabaseKind:
    """Return the kind of the database that an URL of SQLAlchemy names."""
    return "sqlite" if make_url(database).get_backend_name() == "sqlite" else "postgresql"


def sqlite_file(database: str) -> Path:
    """Return the file of an SQLite database."""
    return Path(str(make_url(database).database)).resolve()


def copy_database(database: str, folder: Path) -> Path:
    """Write a copy of the database as it is at one instant into a new file in `folder`, and return the file."""
    if kind_of(database) == "sqlite":
        target, source = folder / SQLITE_FILE, sqlite_file(database)
        if not source.is_file():
            raise DatabaseToolFailed(f"{source} is not there: no hub has its data here")
        try:
            with _sqlite(source) as connection:
                connection.exec_driver_sql("VACUUM INTO ?", (str(target),))
        except exc.DBAPIError as error:
            raise DatabaseToolFailed(f"{source}: {error.orig}") from error
        return target
    target = folder / DUMP_FILE
    _run("pg_dump", ["--format=custom", "--no-owner", "--no-acl", f"--file={target}"], database)
    return target


def read_sqlite(file: Path, query: Select[Any]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a query of an SQLite file, of whatever version its tables are."""
    if not file.is_file():
        raise DatabaseToolFailed(f"{file} is not there")
    try:
        with _sqlite(file) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
    except exc.DBAPIError as error:
        raise DatabaseToolFailed(f"{file}: {error.orig}") from error


async def read_postgresql(database: str, query: Select[Any]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a query of a PostgreSQL database, of whatever version its tables are."""
    engine = create_async_engine(make_url(database).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]
    except exc.DBAPIError as error:
        raise DatabaseToolFailed(str(error.orig)) from error
    finally:
        await engine.dispose()


@contextlib.contextmanager
def _sqlite(file: Path) -> Iterator[Connection]:
    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    finally:
        engine.dispose()


def load_dump(dump: Path, database: str) -> None:
    """Put a dump in the place of everything in a PostgreSQL database, in one transaction: all of it or nothing."""
    script = dump.with_suffix(".sql")
    _run("pg_restore", ["--no-owner", "--no-acl", f"--file={script}", str(dump)], None)
    drop = dump.with_suffix(".drop.sql")
    drop.write_text(_DROP_ALL, encoding="utf-8")
    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", str(drop), "-f", str(script)]
    try:
        _run("psql", options, database)
    finally:
        script.unlink()
        drop.unlink()


def other_connections(database: str) -> int:
    """Return how many other connections a PostgreSQL database has: those of hubs."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return int(_run("psql", ["-XAtq", "-c", f"{query} AND backend_type = 'client backend'"], database))


def has_tables(database: str) -> bool:
    """Return whether a PostgreSQL database holds tables."""
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
    return int(_run("psql", ["-XAtq", "-c", query], database)) > 0


def _run(program: str, options: Sequence[str], database: str | None) -> str:
    environment = {**os.environ, "LC_ALL": "C", **({} if database is None else _libpq(make_url(database)))}
    try:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's programs, by names of ours
            [program, *options], env=environment, check=False, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        todo = "install PostgreSQL's client programs (Debian: postgresql-client), of the server's version or newer"
        raise DatabaseToolFailed(f"{program} is not there: {todo}") from error
    if done.returncode != 0:
        raise DatabaseToolFailed(f"{program}: {(done.stderr.strip().splitlines() or ['it failed'])[-1]}")
    return done.stdout.strip()


def _libpq(url: URL) -> Mapping[str, str]:
    """Return a database's URL as the variables of PostgreSQL's own programs; so no list of processes shows it."""
    query = {name: value if isinstance(value, str) else value[0] for name, value in url.query.items()}
    found = {
        "PGHOST": url.host or query.get("host"), "PGPORT": None if url.port is None else str(url.port),
        "PGUSER": url.username, "PGPASSWORD": url.password, "PGDATABASE": url.database,
        "PGSSLMODE": query.get("ssl") or query.get("sslmode"),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}

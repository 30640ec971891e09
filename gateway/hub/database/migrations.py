"""Makes a hub's tables, brings those of an older hub up to date by Alembic, or refuses them and says why.

The table `alembic_version` has the newest revision that the database has (`alembic/versions`). Hubs before 30 November
2026 numbered their states in `about`: such a database is stamped with the revision of that number. `about` has the
newest revision's number still, because those hubs read nothing else, and refuse a number that they do not know.
"""

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, exc, func, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from gateway.hub.database.tables import about, endpoints, metadata
from gateway.hub.database.transaction import Transaction

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SCHEMA_LOCK_ID = 0x70657272  # of the lock while tables are made; a number that no other program uses
_CONNECT_TIMEOUT_S = 5  # to PostgreSQL
_BUSY_TIMEOUT_S = 10  # SQLite waits so long for another process
_LOCK_TIMEOUT = "200ms"  # shorter than PostgreSQL's deadlock_timeout, so that no other process's transaction is ended
_GIVE_WAY_S, _MAX_WAIT_S = 0.3, 60.0  # the pause before the next attempt, and how long there are more
_OTHERS_ARE_FIRST = {"55P03": "lock_not_available", "40P01": "deadlock_detected"}  # PostgreSQL's codes


class SchemaUnusable(Exception):  # noqa: N818 - it says what is the matter
    """This hub does not support the database's version; the text says why and what to do."""


async def migrate(url: str) -> None:
    """Create or migrate the tables of the database that a URL of SQLAlchemy names, in one transaction.

    Of several hubs that start at once on PostgreSQL one does it, and the others wait for that. A process that already
    runs goes on: its transactions come first. Raises `SchemaUnusable` for a database that this hub cannot use, which is
    then left as it is, and otherwise what the driver raises.
    """
    if make_url(url).get_backend_name() == "sqlite":
        await asyncio.to_thread(_in_sqlite, url, migrate_tables)
    else:
        await _migrate_postgresql(url)


async def _migrate_postgresql(url: str) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + _MAX_WAIT_S
    while True:
        try:
            await _in_postgresql(url, migrate_tables)
        except exc.DBAPIError as error:
            why = _OTHERS_ARE_FIRST.get(getattr(error.orig, "sqlstate", ""))
            if why is None:
                raise
            if loop.time() >= until:
                raise SchemaUnusable(
                    f"other programs have kept its tables in use for {_MAX_WAIT_S:.0f} s, such as a copy in progress or"
                    " a session of psql. This hub could not bring it up to date, and has changed nothing in it. Start"
                    " it again when they have ended"
                ) from error
            log.info("migration_waits", why=why)
        else:
            return
        await asyncio.sleep(_GIVE_WAY_S)


async def database_faults(url: str) -> list[str]:
    """Return what this hub needs and the database lacks, as `table` or `table.column`."""
    if make_url(url).get_backend_name() == "sqlite":
        return await asyncio.to_thread(_in_sqlite, url, missing_columns, begin="BEGIN")
    return await _in_postgresql(url, missing_columns)


def migrate_tables(connection: Connection) -> None:
    """Do what `migrate` does, within the caller's transaction, which `SchemaUnusable` has to roll back."""
    config, newest = _config(), newest_revision()
    config.attributes["connection"] = connection
    before = _revision(connection)
    if before is None:
        metadata.create_all(connection)
        command.stamp(config, newest)
        connection.execute(insert(about).values(key="version", value=str(int(newest))))
    elif _revision_of_alembic(connection) != (newest,):
        if connection.dialect.name == "postgresql":
            _lock_tables(connection)
        try:
            command.stamp(config, before)
            command.upgrade(config, newest)
        except (exc.ProgrammingError, exc.OperationalError) as error:
            if error.connection_invalidated:
                raise
            raise SchemaUnusable(
                f"its tables are not those of version {int(before)} ({_reason(error)}): it was changed by hand."
                " This hub has changed nothing in it. Restore a whole copy of it"
            ) from error
        connection.execute(update(about).where(about.c.key == "version").values(value=str(int(newest))))
        if connection.dialect.name == "sqlite":
            _check_references(connection)
        log.info("database_migrated", before=before, now=newest)
    missing = missing_columns(connection)
    if missing:
        raise SchemaUnusable(
            f"it lacks {', '.join(missing)}: a hub from before 25 November 2026 18:58 wrote it, or it was changed by"
            " hand. This hub cannot bring it up to date, and has changed nothing in it. Restore a whole copy of it, or"
            " name another database under `store`; retailers and homes then join anew"
        )


def _lock_tables(connection: Connection) -> None:
    """Lock all tables before the first change, or raise soon.

    Else a change would wait for a transaction of another process that waits for a table changed before.
    """
    existing = inspect(connection).get_table_names()
    names = ", ".join(table.name for table in metadata.sorted_tables if table.name in existing)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")


def missing_columns(connection: Connection) -> list[str]:
    """Return what this hub needs and the database lacks, as `table` or `table.column`."""
    inspected = inspect(connection)
    tables = inspected.get_multi_columns().items()
    existing = {table: {column["name"] for column in columns} for (_, table), columns in tables}
    missing = [table.name for table in metadata.sorted_tables if table.name not in existing]
    return missing + [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if table.name in existing and column.name not in existing[table.name]
    ]


@cache
def newest_revision() -> str:
    """Return the revision that `tables.py` describes."""
    return _revisions()[0]


@cache
def _revisions() -> tuple[str, ...]:
    """Return all revisions, the newest first. Two of one number, or two after the same one, raise."""
    return tuple(one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic").replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    """Return the database's revision, or None if it has none, so that no hub has completed it."""
    found = _revision_of_alembic(connection)
    if not found and inspect(connection).has_table(about.name):
        version = connection.scalar(select(about.c.value).where(about.c.key == "version"))
        if version is None:
            return None
        found = (f"{int(version):04}" if version.isascii() and version.isdecimal() else version,)
    if not found:
        return None
    if len(found) == 1 and found[0] in _revisions():
        return found[0]
    written = ", ".join(found)
    if len(found) == 1 and written.isdecimal() and int(written) > int(newest_revision()):
        raise SchemaUnusable(
            f"it was written by a newer hub (version {int(written)} of its tables; this one knows"
            f" {int(newest_revision())}). Install that hub again, or restore the copy that was made before it was"
            " installed"
        )
    raise SchemaUnusable(f"its version is written as {written!r}, which no hub writes. Restore a whole copy of it")


def _revision_of_alembic(connection: Connection) -> tuple[str, ...]:
    """Return what Alembic's table has: one revision, unless it is missing or was changed by hand."""
    return MigrationContext.configure(connection).get_current_heads()


def _reason(error: exc.DBAPIError) -> str:
    return str(error.orig).splitlines()[0].rpartition(">: ")[2]


def _check_references(connection: Connection) -> None:
    """Refuse a SQLite file in which a row names one that is not there: Alembic replaces tables by their copies."""
    broken = {row[0] for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}
    if broken:
        raise SchemaUnusable(
            f"its table {', '.join(sorted(broken))} names rows that are not there: it was damaged or changed by hand."
            " Restore a whole copy of it"
        )


def _in_sqlite(url: str, work: Callable[[Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
    engine = create_engine(
        make_url(url).set(drivername="sqlite"), poolclass=NullPool, connect_args={"timeout": _BUSY_TIMEOUT_S}
    )

    @event.listens_for(engine, "connect")
    def opened(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        connection.isolation_level = None  # SQLAlchemy executes BEGIN, below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    with engine.begin() as connection:
        return work(connection)


async def _in_postgresql(url: str, work: Callable[[Connection], T]) -> T:
    # `postgresql://` alone means a driver that the hub does not have
    of_driver = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(of_driver, poolclass=NullPool, connect_args={"timeout": _CONNECT_TIMEOUT_S})
    try:
        async with engine.begin() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK_ID)))
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


async def seal_plain_secrets(tx: Transaction, seal: Callable[[str, str], str]) -> None:
    """Encrypt (`HubKeyPair.seal`) the webhook secrets that a hub before 25 November 2026 21:00 stored in plain text."""
    plain = endpoints.c.secret.startswith("whsec_", autoescape=True)  # encrypted ones are base64, without an underscore
    for row in (
        await tx.execute(select(endpoints.c.id, endpoints.c.secret, endpoints.c.old_secret).where(plain))
    ).all():
        old = None if row.old_secret is None else seal(row.old_secret, row.id)
        sealed = {"secret": seal(row.secret, row.id), "old_secret": old}
        await tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(**sealed))

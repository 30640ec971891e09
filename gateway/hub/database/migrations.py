"""Migrates the database of an older hub, or refuses it and says why. The numbered steps serve both databases.

Version 1 is each state between 25 November 2026 18:58 (34ebc00), when the hub could first do all of its work, and
e924f89: a column that was added in between is added where it is missing. From version 2 on each step stands for one
state. A step is SQL that SQLite and PostgreSQL both read. It must not use `tables.py`, which changes later. New tables
and indexes need no step: they are made where they are missing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.carrier_names import carrier_id
from gateway.hub.database.tables import SCHEMA_VERSION, about, endpoints, metadata

log = structlog.get_logger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SchemaUnusable(Exception):  # noqa: N818 - it says what is the matter
    """This hub does not support the database's version; the text says why and what to do."""


@dataclass(frozen=True)
class MigrationStep:
    """The change from the version before to `version`. Statements run in the order of the fields.

    `columns`: the SQL of each column by table and name, added if the table exists and lacks it. `postgresql`:
    statements that SQLite does not need, such as for a longer text. `fill`: computes what SQL cannot, once all tables
    exist.
    """

    version: int
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    postgresql: Sequence[str] = ()
    then: Sequence[str] = ()
    fill: Callable[[Connection], None] | None = None


# otherwise a retailer's next event would have the number of an existing one
_SET_EVENT_COUNTS = """
UPDATE retailers SET told = COALESCE((SELECT max(seq) FROM events WHERE events.retailer = retailers.id), 0)
WHERE told = 0
"""

_FILL_BATCH_ROWS = 1000
_SELECT_PROMISES = """
SELECT id, retailer, promise FROM deliveries WHERE id > :after ORDER BY id LIMIT :rows
"""
_SET_LOOKUP = "UPDATE deliveries SET carrier_id = :carrier, window_start = :start WHERE id = :id"
_INSERT_PARCEL = "INSERT INTO delivery_parcels (delivery, parcel, retailer) VALUES (:id, :parcel, :retailer)"


def fill_lookup(connection: Connection) -> None:
    """Fill what deliveries are looked up by, from the order of each delivery."""
    after = ""
    while rows := connection.execute(text(_SELECT_PROMISES), {"after": after, "rows": _FILL_BATCH_ROWS}).all():
        found, parcels = [], []
        for id_, retailer, written in rows:
            promise = json.loads(written) if isinstance(written, str) else written
            carrier, start = promise.get("carrier"), promise.get("window", {}).get("start")
            found.append({
                "id": id_, "carrier": None if carrier is None else carrier_id(carrier),
                "start": None if start is None else (datetime.fromisoformat(start) - _EPOCH) // _MICROSECOND,
            })  # fmt: skip
            codes = {*promise.get("parcels", ()), *(promise.get("collect") or ())}
            parcels += [{"id": id_, "parcel": code, "retailer": retailer} for code in sorted(codes)]
        _execute_many(connection, _SET_LOOKUP, found)
        _execute_many(connection, _INSERT_PARCEL, parcels)
        after = rows[-1][0]


def _execute_many(connection: Connection, statement: str, parameters: Sequence[Mapping[str, object]]) -> None:
    if not parameters:
        return
    connection.execute(text(statement), parameters)


MIGRATION_STEPS: tuple[MigrationStep, ...] = (
    MigrationStep(
        version=2,
        columns={
            "retailers": {"told": "BIGINT NOT NULL DEFAULT 0"},
            "homes": {"retailer": "VARCHAR(64) REFERENCES retailers (id)", "there": "BOOLEAN NOT NULL DEFAULT FALSE"},
            "brand_keys": {"vouched": "VARCHAR(1000)"},
            "browsers": {"farewell": "TEXT"},
            "connections": {
                "signed": "VARCHAR",
                "end_signed": "VARCHAR(1000)",
                "end_told": "BOOLEAN NOT NULL DEFAULT FALSE",
                "play": "BIGINT",
            },
            "jobs": {"browser": "VARCHAR(64)"},
        },
        postgresql=(
            "ALTER TABLE endpoints ALTER COLUMN secret TYPE VARCHAR(160)",
            "ALTER TABLE endpoints ALTER COLUMN old_secret TYPE VARCHAR(160)",
        ),
        then=(_SET_EVENT_COUNTS,),
    ),
    MigrationStep(version=3, columns={"deliveries": {"untold": "BOOLEAN NOT NULL DEFAULT FALSE"}}),
    MigrationStep(
        version=4,
        columns={"endpoints": {"challenge": "VARCHAR(64)", "replayed": "BIGINT"}},
        # No sandbox endpoint has had a challenge (UNSENT_CHALLENGE)
        then=("UPDATE endpoints SET challenge = 'unsent' WHERE sandbox",),
    ),
    MigrationStep(version=5, columns={"deliveries": {"custody": "VARCHAR(24)", "moved_to": "VARCHAR(64)"}}),
    MigrationStep(version=6, columns={"deliveries": {"collected": "VARCHAR(24)"}}),
    MigrationStep(version=7, columns={"deliveries": {"cold_chain": "JSON"}}),
    MigrationStep(version=8, columns={"deliveries": {"more_time": "VARCHAR(24)"}}),
    MigrationStep(
        version=9,
        columns={
            "deliveries": {
                "retailer_name": "VARCHAR(64)",
                "metadata": "JSON",
                "missing_parcels": "JSON",
                "cancel": "VARCHAR(16)",
                "carrier_id": "VARCHAR(80)",
                "window_start": "BIGINT",
            },
            "events": {"request": "VARCHAR(64)"},
        },
        fill=fill_lookup,
    ),
    MigrationStep(
        version=10,
        columns={
            "api_keys": {"carrier": "VARCHAR(80)"},
            "deliveries": {
                "on_the_way": "BIGINT",
                "eta": "BIGINT",
                "eta_sent": "BIGINT",
                "arrivals": "INTEGER NOT NULL DEFAULT 0",
            },
        },
    ),
    MigrationStep(
        version=11,
        columns={
            "retailers": {
                "writes": "INTEGER",
                "reads": "INTEGER",
                "writes_a_day": "INTEGER",
                "suspended": "BIGINT",
                "ended": "BIGINT",
            },
            "brands": {"ended": "BIGINT"},
        },
    ),
)


def migrate(connection: Connection) -> None:
    """Create or migrate the tables within the caller's transaction, which `SchemaUnusable` has to roll back."""
    inspected = inspect(connection)
    version = _version(connection) if inspected.has_table(about.name) else None
    if version is not None:
        for step in MIGRATION_STEPS:
            if step.version > version:
                _apply(connection, step)
    metadata.create_all(connection)
    for step in MIGRATION_STEPS:
        if version is not None and step.version > version and step.fill is not None:
            step.fill(connection)
    missing = missing_columns(connection)
    if missing:
        raise SchemaUnusable(
            f"it lacks {', '.join(missing)}: a hub from before 25 November 2026 18:58 wrote it, or it was changed by"
            " hand. This hub cannot bring it up to date, and has changed nothing in it. Restore a whole copy of it, or"
            " name another database under `store`; retailers and homes then join anew"
        )
    _make_indexes(connection)
    if version is None:
        connection.execute(insert(about).values(key="version", value=str(SCHEMA_VERSION)))
    elif version < SCHEMA_VERSION:
        connection.execute(update(about).where(about.c.key == "version").values(value=str(SCHEMA_VERSION)))
        log.info("database_migrated", before=version, now=SCHEMA_VERSION)


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


async def seal_plain_secrets(tx: AsyncConnection, seal: Callable[[str, str], str]) -> None:
    """Encrypt (`HubKeyPair.seal`) the webhook secrets that a hub before 25 November 2026 21:00 stored in plain text."""
    plain = endpoints.c.secret.startswith("whsec_", autoescape=True)  # encrypted ones are base64, without an underscore
    for row in (
        await tx.execute(select(endpoints.c.id, endpoints.c.secret, endpoints.c.old_secret).where(plain))
    ).all():
        old = None if row.old_secret is None else seal(row.old_secret, row.id)
        sealed = {"secret": seal(row.secret, row.id), "old_secret": old}
        await tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(**sealed))


def _version(connection: Connection) -> int | None:
    """Return the database's version, or None if it has none, so that no hub has completed it."""
    version = connection.scalar(select(about.c.value).where(about.c.key == "version"))
    if version is None:
        return None
    if not version.isdecimal():
        raise SchemaUnusable(f"its version is written as {version!r}, which no hub writes. Restore a whole copy of it")
    if int(version) > SCHEMA_VERSION:
        raise SchemaUnusable(
            f"it was written by a newer hub (version {version} of its tables; this one knows "
            f"{SCHEMA_VERSION}). Install that"
            " hub again, or restore the copy that was made before it was installed"
        )
    return int(version)


def _apply(connection: Connection, step: MigrationStep) -> None:
    inspected = inspect(connection)
    for table, columns in step.columns.items():
        if not inspected.has_table(table):
            continue  # create_all makes it
        existing = {column["name"] for column in inspected.get_columns(table)}
        for name, kind in columns.items():
            if name not in existing:
                connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    if connection.dialect.name == "postgresql":
        for statement in step.postgresql:
            connection.exec_driver_sql(statement)
    for statement in step.then:
        connection.exec_driver_sql(statement)


def _make_indexes(connection: Connection) -> None:
    """Make the indexes that the database of an older hub lacks: `create_all` makes none for an existing table."""
    indexes = inspect(connection).get_multi_indexes()
    existing = {index["name"] for of_table in indexes.values() for index in of_table}
    for table in metadata.sorted_tables:
        for index in table.indexes:
            if index.name not in existing:
                index.create(connection)

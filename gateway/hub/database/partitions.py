"""Divides the tables of events by month on PostgreSQL, so that old months are dropped, not deleted row by row.

A unique key of a divided table has to contain the instant. What was unique stays so by other means: a home's events and
a retailer's are numbered under the lock of their row, and an event's id has 85 random bits. Storing a home's event
fails if its number is taken (`box_events`).

Rows of instants for which there is no month, such as of a clock that runs ahead, go to the partition `..._other`. They
move when their month is made. `..._before` has the rows from before the table was divided. SQLite has no partitions.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.frozen import Frozen

MONTHS_AHEAD = 3  # that exist beside the current one
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
PARTITION_SETTINGS = (
    "autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.02,"
    " autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05"
)


class DividedTable(Frozen):
    """A table that is divided by its column `at`. `indexes`: name and columns of those that PostgreSQL has."""

    name: str
    key: str
    indexes: tuple[tuple[str, str], ...]


EVENTS = DividedTable(
    name="events", key="number, at",
    indexes=(
        ("events_by_id", "id"), ("events_by_seq", "retailer, seq"), ("events_of_object", "object, number"),
    ),
)  # fmt: skip
HOME_EVENTS = DividedTable(
    name="home_events", key="home, seq, at",
    indexes=(("home_events_at", "at"), ("ix_home_events_delivery", "delivery")),
)  # fmt: skip

DIVIDED_TABLES = {table.name: table for table in (EVENTS, HOME_EVENTS)}


def month_of(at: datetime) -> datetime:
    """Return the first instant of a month in UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """Return the month after one."""
    return month_of(month + timedelta(days=32))


def divide(connection: Connection, table: DividedTable, now: datetime) -> None:
    """Divide a table of a PostgreSQL database. The rows that it has become one partition, and are not copied."""
    old, run = f"{table.name}_before", connection.exec_driver_sql
    for child, constraint in run(_REFERENCES.format(table=table.name)).all():
        run(f"ALTER TABLE {child} DROP CONSTRAINT {constraint}")
    foreign = run(_FOREIGN_KEYS.format(table=table.name)).scalars().all()
    serial = run(_SEQUENCES.format(table=table.name)).scalars().all()
    run(f"ALTER TABLE {table.name} RENAME TO {old}")
    for constraint in run(_KEYS.format(table=old)).scalars().all():
        run(f"ALTER TABLE {old} DROP CONSTRAINT {constraint}")
    for index in run(_INDEXES.format(table=old)).scalars().all():
        run(f"ALTER INDEX {index} RENAME TO {index}_before")
    run(f"CREATE TABLE {table.name} (LIKE {old} INCLUDING DEFAULTS) PARTITION BY RANGE (at)")
    run(f"ALTER TABLE {table.name} ADD PRIMARY KEY ({table.key})")
    for definition in foreign:
        run(f"ALTER TABLE {table.name} ADD {definition}")
    for name, columns in table.indexes:
        run(f"CREATE INDEX {name} ON {table.name} ({columns})")
    for sequence in serial:
        run(f"ALTER SEQUENCE {sequence} OWNED BY {table.name}.number")
    newest = run(f"SELECT max(at) FROM {old}").scalar()  # noqa: S608 - a table's name
    first = month_of(now)
    if newest is None:
        run(f"DROP TABLE {old}")
    else:
        first = next_month(max(first, month_of(_EPOCH + newest * _MICROSECOND)))
        run(f"ALTER TABLE {table.name} ATTACH PARTITION {old} FOR VALUES FROM (MINVALUE) TO ({micros(first)})")
    run(f"CREATE TABLE {table.name}_other PARTITION OF {table.name} DEFAULT WITH ({PARTITION_SETTINGS})")
    for month in months_from(first, now):
        span = f"FROM ({micros(month)}) TO ({micros(next_month(month))}) WITH ({PARTITION_SETTINGS})"
        run(f"CREATE TABLE {name_of(table, month)} PARTITION OF {table.name} FOR VALUES {span}")


_REFERENCES = """
SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f' AND confrelid = '{table}'::regclass
"""
_FOREIGN_KEYS = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = '{table}'::regclass
"""
_SEQUENCES = """
SELECT pg_get_serial_sequence('{table}', column_name) FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = '{table}' AND column_default LIKE 'nextval%'
"""
_INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = '{table}'"
_KEYS = "SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid = '{table}'::regclass"


def micros(at: datetime) -> int:
    """Return an instant as the tables have it."""
    return (at - _EPOCH) // _MICROSECOND


def name_of(table: DividedTable, month: datetime) -> str:
    """Return the name of a month's partition."""
    return f"{table.name}_{month:%Y_%m}"


def months_from(first: datetime, now: datetime) -> Sequence[datetime]:
    """Return the months from the first one to the last that exists ahead."""
    last, found = month_of(now), []
    for _ in range(MONTHS_AHEAD):
        last = next_month(last)
    while first <= last:
        found.append(first)
        first = next_month(first)
    return found

"""Divides the tables of events into months on PostgreSQL, without copying a row; SQLite stays as it is."""

from alembic import op

from gateway.hub.database.partitions import EVENTS, HOME_EVENTS, divide
from gateway.system.clock import machine_time

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Divide both tables."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table in (EVENTS, HOME_EVENTS):
            divide(connection, table, machine_time())

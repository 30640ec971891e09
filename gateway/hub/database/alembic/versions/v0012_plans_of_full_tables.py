"""Lets PostgreSQL plan by indexes: one for the jobs in turn only, and statistics of growing tables in time."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_GROWING_TABLES = (
    "attempts", "deliveries", "delivery_parcels", "delivery_versions", "events", "home_events", "idempotency", "jobs",
    "messages",
)  # fmt: skip
_WITHOUT_DELIVERY = sa.text("delivery IS NULL")
_UNRECEIVED = sa.text("received IS NULL AND due IS NOT NULL")


def upgrade() -> None:
    """Make the index anew, two for what is deleted, and set when PostgreSQL analyses the growing tables."""
    op.drop_index("jobs_in_turn", "jobs")
    op.create_index("jobs_in_turn", "jobs", ["due", "created"], sqlite_where=_UNRECEIVED, postgresql_where=_UNRECEIVED)
    op.create_index(
        "jobs_over", "jobs", ["expires"], sqlite_where=_WITHOUT_DELIVERY, postgresql_where=_WITHOUT_DELIVERY
    )
    op.create_index("ix_messages_event", "messages", ["event"])
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _GROWING_TABLES:
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.02,"
            " autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05)"
        )

"""Adds what came between 25 November 2026 18:58 and e924f89: a database of version 1 has a part of it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _columns() -> dict[str, tuple[sa.Column[Any], ...]]:
    return {
        "retailers": (sa.Column("told", sa.BigInteger, nullable=False, server_default=sa.text("0")),),
        "homes": (
            sa.Column("retailer", sa.String(64), sa.ForeignKey("retailers.id")),
            sa.Column("there", sa.Boolean, nullable=False, server_default=sa.text("FALSE")),
        ),
        "brand_keys": (sa.Column("vouched", sa.String(1000)),),
        "browsers": (sa.Column("farewell", sa.Text),),
        "connections": (
            sa.Column("signed", sa.String),
            sa.Column("end_signed", sa.String(1000)),
            sa.Column("end_told", sa.Boolean, nullable=False, server_default=sa.text("FALSE")),
            sa.Column("play", sa.BigInteger),
        ),
        "jobs": (sa.Column("browser", sa.String(64)),),
    }


_INDEXES = {
    "idempotency_created": ("idempotency", "created"),
    "homes_there": ("homes", "there"),
    "homes_revoked": ("homes", "revoked"),
    "certificates_issued": ("certificates", "issued"),
    "connections_played": ("connections", "play"),
    "jobs_in_turn": ("jobs", "due", "created"),
    "jobs_of_browser": ("jobs", "home", "browser"),
}

# otherwise a retailer's next event would have the number of an existing one
_SET_EVENT_COUNTS = """
UPDATE retailers SET told = COALESCE((SELECT max(seq) FROM events WHERE events.retailer = retailers.id), 0)
WHERE told = 0
"""


def upgrade() -> None:
    """Make the tables, columns and indexes that are missing, and number each retailer's next event."""
    op.create_table(
        "browsers",
        sa.Column("home", sa.String(64), sa.ForeignKey("homes.id"), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("sign", sa.JSON),
        sa.Column("farewell", sa.Text),
        sa.Column("told", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "shares",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    inspected = sa.inspect(op.get_bind())
    for table, columns in _columns().items():
        existing = {column["name"] for column in inspected.get_columns(table)}
        for column in columns:
            if column.name not in existing:
                op.add_column(table, column, inline_references=True)
    for name, (table, *indexed) in _INDEXES.items():
        op.create_index(name, table, indexed, if_not_exists=True)
    op.drop_index("jobs_due", "jobs", if_exists=True)  # jobs_in_turn serves its queries
    (secret,) = (column for column in inspected.get_columns("endpoints") if column["name"] == "secret")
    if getattr(secret["type"], "length", None) != 160:
        # Alembic copies the table on SQLite, and no check with it
        with op.batch_alter_table("endpoints", table_args=(sa.CheckConstraint("id LIKE 'ep-%'"),)) as endpoints:
            endpoints.alter_column("secret", type_=sa.String(160), existing_nullable=False)
            endpoints.alter_column("old_secret", type_=sa.String(160), existing_nullable=True)
    op.execute(_SET_EVENT_COUNTS)

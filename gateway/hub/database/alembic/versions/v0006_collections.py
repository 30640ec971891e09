"""Keeps what became of an order to collect parcels."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("deliveries", sa.Column("collected", sa.String(24)))

"""Remembers that a delivery's state is an older version's, of which the retailer has not been notified."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; no delivery has such a state."""
    op.add_column("deliveries", sa.Column("untold", sa.Boolean, nullable=False, server_default=sa.text("FALSE")))

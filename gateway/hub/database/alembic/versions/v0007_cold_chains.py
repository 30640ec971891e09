"""Keeps how the cold chain of each item held."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column."""
    op.add_column("deliveries", sa.Column("cold_chain", sa.JSON))

"""Keeps who took a parcel for the household, and where the home moved the delivery."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("deliveries", sa.Column("custody", sa.String(24)))
    op.add_column("deliveries", sa.Column("moved_to", sa.String(64)))

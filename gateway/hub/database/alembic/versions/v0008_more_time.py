"""Keeps a late courier's question for more time; makes the table of a brand's messages."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column, and the table and index that a hub of versions 2 to 7 may lack."""
    op.add_column("deliveries", sa.Column("more_time", sa.String(24)))
    op.create_table(
        "brand_messages",
        sa.Column("connection", sa.String(64), sa.ForeignKey("connections.id"), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("home", sa.String(64), sa.ForeignKey("homes.id"), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("code", sa.String(64)),
        sa.Column("facts", sa.String),
        sa.Column("key", sa.String(43)),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("answered", sa.BigInteger),
        if_not_exists=True,
    )
    op.create_index("brand_messages_by_token", "brand_messages", ["home", "sha256"], if_not_exists=True)
    op.create_index("home_events_at", "home_events", ["at"], if_not_exists=True)

"""Lets an endpoint of a sandbox answer a challenge before it gets events."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; no endpoint of a sandbox has had a challenge, so each is due."""
    op.add_column("endpoints", sa.Column("challenge", sa.String(64)))
    op.add_column("endpoints", sa.Column("replayed", sa.BigInteger))
    op.execute("UPDATE endpoints SET challenge = 'unsent' WHERE sandbox")

"""Keeps what was asked to be erased, and what an erasure must find."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns, and the table of erasures with its indexes."""
    op.add_column("idempotency", sa.Column("about", sa.String(64)))
    op.create_index("idempotency_about", "idempotency", ["about"])
    op.add_column("connections", sa.Column("erased", sa.BigInteger))
    op.add_column("connections", sa.Column("events_left", sa.Boolean))
    op.add_column("home_events", sa.Column("sha256", sa.String(64)))
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(64), sa.CheckConstraint("id LIKE 'era-%'"), primary_key=True),
        sa.Column("retailer", sa.String(64), sa.ForeignKey("retailers.id"), nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("connections", sa.JSON, nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("deliveries", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger),
        sa.Column("done", sa.BigInteger),
    )
    op.create_index("erasures_due", "erasures", ["due"])
    op.create_index("erasures_of_retailer", "erasures", ["retailer", "created", "id"])

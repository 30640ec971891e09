"""Keeps an operator's limits for a retailer, what he suspended and ended, and everything that was revoked."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns, and the table of revocations with its indexes."""
    for name in ("writes", "reads", "writes_a_day"):
        op.add_column("retailers", sa.Column(name, sa.Integer))
    for name in ("suspended", "ended"):
        op.add_column("retailers", sa.Column(name, sa.BigInteger))
    op.create_index("retailers_suspended", "retailers", ["suspended"])
    op.add_column("brands", sa.Column("ended", sa.BigInteger))
    op.create_table(
        "revocations",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("detail", sa.JSON),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
    )
    op.create_index("revocations_of_kind", "revocations", ["kind", "expires"])

"""Keeps what a carrier says of a delivery's arrival, the carrier of an API key, and the pages for couriers."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("api_keys", sa.Column("carrier", sa.String(80)))
    for name in ("on_the_way", "eta", "eta_sent"):
        op.add_column("deliveries", sa.Column(name, sa.BigInteger))
    op.add_column("deliveries", sa.Column("arrivals", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.create_table(
        "courier_pages",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("delivery", sa.String(64), sa.ForeignKey("deliveries.id"), nullable=False),
        sa.Column("courier_sha256", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_courier_pages_delivery", "courier_pages", ["delivery"])

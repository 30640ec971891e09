"""Keeps the retailer's own name and metadata of a delivery, the missing parcels, its cancel and an event's request.

Deliveries are looked up by parcel, carrier and window: these are filled from the order of each delivery.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from gateway.domain.delivery.carrier_names import carrier_id

revision = "0009"
down_revision = "0008"

_BATCH_ROWS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_SELECT_PROMISES = "SELECT id, retailer, promise FROM deliveries WHERE id > :after ORDER BY id LIMIT :rows"
_SET_LOOKUP = "UPDATE deliveries SET carrier_id = :carrier, window_start = :start WHERE id = :id"
_INSERT_PARCEL = "INSERT INTO delivery_parcels (delivery, parcel, retailer) VALUES (:id, :parcel, :retailer)"


def upgrade() -> None:
    """Add the columns, the table and the indexes, and fill what deliveries are looked up by."""
    for column in (
        sa.Column("retailer_name", sa.String(64)),
        sa.Column("metadata", sa.JSON),
        sa.Column("missing_parcels", sa.JSON),
        sa.Column("cancel", sa.String(16)),
        sa.Column("carrier_id", sa.String(80)),
        sa.Column("window_start", sa.BigInteger),
    ):
        op.add_column("deliveries", column)
    op.add_column("events", sa.Column("request", sa.String(64)))
    op.create_table(
        "delivery_parcels",
        sa.Column("delivery", sa.String(64), sa.ForeignKey("deliveries.id"), primary_key=True),
        sa.Column("parcel", sa.String(128), primary_key=True),
        sa.Column("retailer", sa.String(64), sa.ForeignKey("retailers.id"), nullable=False),
    )
    _fill_lookup(op.get_bind())
    op.create_index("deliveries_by_parcel", "delivery_parcels", ["retailer", "parcel"])
    op.create_index("deliveries_by_name", "deliveries", ["retailer", "name"])
    op.create_index("deliveries_by_brand", "deliveries", ["retailer", "brand", "created", "id"])
    op.create_index("deliveries_by_state", "deliveries", ["retailer", "state", "created", "id"])
    op.create_index("deliveries_by_carrier", "deliveries", ["retailer", "carrier_id", "created", "id"])
    op.create_index("deliveries_by_window", "deliveries", ["retailer", "window_end"])


def _fill_lookup(connection: sa.Connection) -> None:
    after = ""
    while rows := connection.execute(sa.text(_SELECT_PROMISES), {"after": after, "rows": _BATCH_ROWS}).all():
        found, parcels = [], []
        for id_, retailer, written in rows:
            promise = json.loads(written) if isinstance(written, str) else written
            carrier, start = promise.get("carrier"), promise.get("window", {}).get("start")
            found.append({
                "id": id_, "carrier": None if carrier is None else carrier_id(carrier),
                "start": None if start is None else (datetime.fromisoformat(start) - _EPOCH) // _MICROSECOND,
            })  # fmt: skip
            codes = {*promise.get("parcels", ()), *(promise.get("collect") or ())}
            parcels += [{"id": id_, "parcel": code, "retailer": retailer} for code in sorted(codes)]
        _execute_many(connection, _SET_LOOKUP, found)
        _execute_many(connection, _INSERT_PARCEL, parcels)
        after = rows[-1][0]


def _execute_many(connection: sa.Connection, statement: str, parameters: Sequence[Mapping[str, object]]) -> None:
    if parameters:
        connection.execute(sa.text(statement), parameters)

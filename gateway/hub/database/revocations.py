"""Records each revocation in the transaction that revokes, for the journal beside the database.

A backup does not know what was revoked after it was made. Each hub copies these rows into a file that no backup
contains (gateway/hub/operation/journal.py), and a restore applies that file.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum, auto
from typing import Any

from sqlalchemy import ColumnElement, insert, update

from gateway.hub.database.store import new_id
from gateway.hub.database.tables import certificates, revocations
from gateway.hub.database.transaction import Transaction


class RevocationKind(StrEnum):
    """What was revoked. Of a retailer the newest entry counts: who was resumed is not suspended."""

    RETAILER_SUSPENDED = auto()
    RETAILER_RESUMED = auto()
    RETAILER_ENDED = auto()
    API_KEY = auto()
    BRAND_KEY = auto()
    BRAND_ENDED = auto()
    BRAND_FREED = auto()
    HOME = auto()
    CERTIFICATE = auto()
    ENDPOINT = auto()
    ERASURE = auto()  # of a customer's data: no restore brings it back


async def record_revocation(  # noqa: PLR0913 - the columns of a row
    tx: Transaction,
    kind: RevocationKind,
    object_: str,
    now: datetime,
    *,
    detail: Mapping[str, Any] | None = None,
    expires: datetime | None = None,
) -> None:
    """Record that something was revoked. `detail`: what a database needs that does not know the object.

    From `expires` on the object counts nowhere, revoked or not.
    """
    row = {"id": new_id("rev"), "kind": kind, "object": object_, "detail": detail, "at": now, "expires": expires}
    await tx.execute(insert(revocations).values(row))


async def end_certificates(tx: Transaction, home: str, now: datetime, *which: ColumnElement[bool]) -> None:
    """End the valid certificates of a home, or `which` of them."""
    mine = update(certificates).where(certificates.c.home == home, certificates.c.ended.is_(None), *which)
    ended = await tx.execute(mine.values(ended=now).returning(certificates.c.serial, certificates.c.expires))
    for row in ended.all():
        await record_revocation(
            tx, RevocationKind.CERTIFICATE, row.serial, now, detail={"home": home}, expires=row.expires
        )

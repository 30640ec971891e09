"""The hub's jobs for boxes, stored until the box confirms them."""

from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import insert

from gateway.hub.database.store import new_row_id
from gateway.hub.database.tables import jobs
from gateway.hub.database.transaction import Transaction
from gateway.protocol.box_hub import JobKind

_INSERT_JOB = insert(jobs)

JOB_LIFETIME = timedelta(days=31)  # as long as a signed message may live (gateway/protocol/delivery_message.py)


async def enqueue(  # noqa: PLR0913 - a job's own columns
    tx: Transaction, home: str, kind: JobKind, token: bytes, *, now: datetime, delivery: str | None = None,
    browser: str | None = None, lifetime: timedelta = JOB_LIFETIME,
) -> str:  # fmt: skip
    """Store a job for a home, due at once, and return its id. Call `WakeUps.jobs` after the commit."""
    id_ = new_row_id("job", now)
    await tx.execute_later(
        _INSERT_JOB,
        {
            "id": id_, "home": home, "kind": kind, "token": token, "sha256": sha256(token).hexdigest(),
            "delivery": delivery, "browser": browser, "attempts": 0, "parked": False, "created": now, "due": now,
            "expires": now + lifetime,
        },
    )  # fmt: skip
    return id_

"""Stores a brand's messages about its own facts in a home, and the home's answers; the hub verifies and forwards them.

The caller owns the transaction of each function. The home decides: the hub cannot sign a message as the brand, nor an
answer as the box.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row, delete, func, insert, select, update

from gateway.hub.database.tables import brand_messages, connections
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import events, jobs
from gateway.hub.http.operation import HubTransaction
from gateway.protocol.box_hub import BrandAnswer, JobKind
from gateway.protocol.brand_messages import FactsClaims, verify_facts
from gateway.protocol.delivery_state import PUBLIC_REASONS
from gateway.protocol.ed25519 import PublicKey

MessageKind = Literal["facts", "comment"]
WINDOW, MAX_PER_WINDOW = timedelta(days=1), 10  # messages of one retailer to one home
RETENTION = timedelta(days=31)  # of a message; the newest facts are kept longer
ANSWER_CODES = PUBLIC_REASONS | {"facts_not_shared", "too_many"}
"""The codes of a home's refusal that a retailer gets; any other is `malformed`."""


class _Settled(NamedTuple):
    """A home's answer as it is stored: why it refuses (None: it accepts), or its facts and the key that signed them."""

    code: str | None
    facts: str | None = None
    key: str | None = None


async def find(tx: Transaction, connection: str, token: bytes) -> Row[Any] | None:
    """Return the stored message with these bytes, or None."""
    same = select(brand_messages).filter_by(connection=connection, sha256=sha256(token).hexdigest())
    return (await tx.execute(same)).one_or_none()


async def is_exhausted(hub: HubTransaction, connection: Row[Any]) -> bool:
    """Return whether the connection's retailer has sent the home the highest number of messages for one day."""
    own = select(connections.c.id).filter_by(retailer=connection.retailer, home=connection.home)
    lately = (brand_messages.c.connection.in_(own), brand_messages.c.created > hub.now - WINDOW)
    count = await hub.tx.scalar(select(func.count()).select_from(brand_messages).where(*lately))
    return (count or 0) >= MAX_PER_WINDOW


async def send(hub: HubTransaction, connection: Row[Any], kind: MessageKind, token: bytes) -> Row[Any]:
    """Store a message that was verified, and send it to the connection's home. Old messages are deleted."""
    mine = delete(brand_messages).where(brand_messages.c.connection == connection.id)
    await hub.tx.execute(mine.where(brand_messages.c.created < hub.now - RETENTION, brand_messages.c.facts.is_(None)))
    values = {"connection": connection.id, "sha256": sha256(token).hexdigest(), "home": connection.home, "kind": kind,
              "state": "waiting", "created": hub.now}  # fmt: skip
    row = (await hub.tx.execute(insert(brand_messages).values(values).returning(*brand_messages.c))).one()
    await jobs.enqueue(hub.tx, connection.home, JobKind.DELIVERY, token, now=hub.now)
    return row


async def newest_facts(tx: Transaction, connection: str) -> Row[Any] | None:
    """Return the newest message of a connection that its home answered with facts, or None."""
    answered = select(brand_messages).where(
        brand_messages.c.connection == connection, brand_messages.c.facts.is_not(None)
    )
    return (await tx.execute(answered.order_by(brand_messages.c.answered.desc()).limit(1))).one_or_none()


async def on_answer(tx: Transaction, home: Row[Any], answer: BrandAnswer, now: datetime) -> None:
    """Store a home's answer and notify the retailer; facts that are not about this home and brand are refused."""
    code = None if answer.accepted else answer.code or "malformed"
    for row in await _waiting(tx, home.id, answer.token_sha256):
        settled = _Settled(code)
        if row.kind == "facts" and code is None:
            is_own = await _is_of(tx, home, row, answer.facts)
            settled = _Settled(None, answer.facts, home.box_key) if is_own else _Settled("malformed")
        await _settle(tx, row, settled, now)


async def on_refusal(tx: Transaction, home: str, token_sha256: str, code: str, now: datetime) -> None:
    """Store that a home rejected a message without answering it, as a box of an earlier release does."""
    for row in await _waiting(tx, home, token_sha256):
        await _settle(tx, row, _Settled(code), now)


async def _waiting(tx: Transaction, home: str, token_sha256: str) -> list[Row[Any]]:
    waiting = select(brand_messages).filter_by(home=home, sha256=token_sha256, state="waiting")
    return list(await tx.execute(waiting.with_for_update()))


async def _is_of(tx: Transaction, home: Row[Any], row: Row[Any], facts: str | None) -> bool:
    brand = await tx.scalar(select(connections.c.brand).where(connections.c.id == row.connection))
    claims = None if facts is None else verify_facts(facts.encode(), PublicKey.from_text(home.box_key))
    return isinstance(claims, FactsClaims) and (claims.iss, claims.sub) == (home.id, brand)


async def _settle(tx: Transaction, row: Row[Any], settled: _Settled, now: datetime) -> None:
    code, mine = settled.code, brand_messages.c.connection == row.connection
    shown = code if code is None or code in ANSWER_CODES else "malformed"
    state = "accepted" if code is None else "refused"
    if settled.facts is not None:  # of all answers only the newest is kept
        await tx.execute(update(brand_messages).where(mine).values(facts=None, key=None))
    values = {"state": state, "code": shown, "facts": settled.facts, "key": settled.key, "answered": now}
    await tx.execute(update(brand_messages).where(mine, brand_messages.c.sha256 == row.sha256).values(**values))
    connection = (await tx.execute(select(connections).where(connections.c.id == row.connection))).one()
    data = {"id": connection.id, "brand": connection.brand, "message": row.kind, "token_sha256": row.sha256,
            "accepted": code is None, "code": shown}  # fmt: skip
    await events.emit(tx, connection, events.EventType.CONNECTION_ANSWERED, data, now)

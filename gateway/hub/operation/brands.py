"""Lists brands, ends one, and frees the id of one that no home was asked for. Sandboxes have brands of their own."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, delete, func, select, update

from gateway.hub.database.revocations import RevocationKind, record_revocation
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import brand_keys, brands, connections
from gateway.hub.database.transaction import Transaction
from gateway.hub.operation.retailers import NotFound, NotPossible, end_connections


class ListedBrand(BaseModel):
    """A brand as an operator sees it. `state`: active or ended; `asked`, `granted`: requests to homes."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    retailer: str
    state: str
    keys: int
    asked: int
    granted: int
    created: datetime
    ended: datetime | None


async def list_brands(store: HubStore, retailer: str | None = None) -> list[ListedBrand]:
    """Return the brands, or those of one retailer, oldest first."""
    of_brand = (connections.c.brand == brands.c.id, connections.c.sandbox == brands.c.sandbox)
    asked = select(func.count(connections.c.id)).where(*of_brand).correlate(brands)
    key = select(func.count(brand_keys.c.kid)).where(
        brand_keys.c.brand == brands.c.id, brand_keys.c.sandbox == brands.c.sandbox, brand_keys.c.revoked.is_(None)
    )
    query = select(
        brands,
        asked.scalar_subquery().label("asked"),
        asked.where(connections.c.state == "granted").scalar_subquery().label("granted"),
        key.correlate(brands).scalar_subquery().label("keys"),
    ).where(brands.c.sandbox.is_(False))
    if retailer is not None:
        query = query.where(brands.c.retailer == retailer)
    async with store.reading() as tx:
        rows = (await tx.execute(query.order_by(brands.c.created, brands.c.id))).all()
    return [_listed(row) for row in rows]


def _listed(row: Row[Any]) -> ListedBrand:
    facts = row._asdict() | {"state": "active" if row.ended is None else "ended"}
    return ListedBrand.model_validate({name: facts[name] for name in ListedBrand.model_fields})


async def free_brand(store: HubStore, brand: str, now: datetime) -> None:
    """Delete a brand that no home was asked for, with its keys: another retailer may take its id then."""
    async with store.writing() as tx:
        row = await _find(tx, brand)
        if await tx.scalar(select(connections.c.id).filter_by(brand=brand, sandbox=False).limit(1)) is not None:
            raise NotPossible(f"Homes were asked in the name of {brand}: its id stays taken.")
        await delete_in(tx, brand)
        await record_revocation(tx, RevocationKind.BRAND_FREED, brand, now, detail={"retailer": row.retailer})


async def delete_in(tx: Transaction, brand: str) -> None:
    """Delete a brand and its keys in the caller's transaction."""
    await tx.execute(delete(brand_keys).filter_by(brand=brand, sandbox=False))
    await tx.execute(delete(brands).filter_by(id=brand, sandbox=False))


async def end_brand(store: HubStore, brand: str, now: datetime) -> int:
    """End a brand for good, and return how many homes the hub informs; ending it again changes nothing."""
    async with store.writing() as tx:
        if (await _find(tx, brand)).ended is not None:
            return 0
        await record_revocation(tx, RevocationKind.BRAND_ENDED, brand, now)
        return await end_in(tx, brand, now)


async def end_in(tx: Transaction, brand: str, now: datetime) -> int:
    """End a brand in the caller's transaction: its connections end, and nothing more is done in its name."""
    await tx.execute(update(brands).filter_by(id=brand, sandbox=False).values(ended=now))
    return await end_connections(tx, now, connections.c.brand == brand, connections.c.sandbox.is_(False))


async def _find(tx: Transaction, brand: str) -> Row[Any]:
    query = select(brands).filter_by(id=brand, sandbox=False).with_for_update(key_share=True)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"The hub knows no brand {brand!r}.")
    return row

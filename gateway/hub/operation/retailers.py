"""Lists, suspends, resumes, limits and ends retailers, and revokes their API keys.

Each function is one transaction of the store that the running hub uses too, so a change counts within a second.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Row, func, insert, select, update

from gateway.hub.database.revocations import RevocationKind, record_revocation
from gateway.hub.database.store import HubStore, new_id, new_secret
from gateway.hub.database.tables import api_keys, brands, connections, deliveries, endpoints, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries.orders import IS_OPEN
from gateway.hub.http.authentication import secret_digest
from gateway.hub.http.operation import RetailerLimits
from gateway.hub.webhooks.queue import resume_waiting, switch_off


class NotFound(LookupError):  # noqa: N818 - it names what is the matter
    """The hub knows no such retailer, key or brand; the text says which."""


class NotPossible(ValueError):  # noqa: N818 - it names what is the matter
    """What the operator asks contradicts what is stored; the text says how."""


class ListedRetailer(BaseModel):
    """A retailer as an operator sees it. `state`: active, suspended or ended. A limit that is None is hub.yaml's."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    state: str
    keys: int
    brands: int
    connections: int  # granted
    open_deliveries: int
    writes: int | None
    reads: int | None
    writes_a_day: int | None
    sandbox: bool
    created: datetime
    suspended: datetime | None
    ended: datetime | None


class ListedKey(BaseModel):
    """An API key without its secret. `state`: active, revoked or expired."""

    model_config = ConfigDict(frozen=True)

    id: str
    retailer: str
    label: str
    right: str
    state: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


async def list_retailers(
    store: HubStore, *, with_sandboxes: bool = False, id_: str | None = None
) -> list[ListedRetailer]:
    """Return the retailers, oldest first; `id_`: this one, or `NotFound`."""
    wanted: list[ColumnElement[bool]] = [] if with_sandboxes or id_ is not None else [retailers.c.ends.is_(None)]
    if id_ is not None:
        wanted.append(retailers.c.id == id_)
    counts = {
        "keys": _count(api_keys.c.id, api_keys.c.retailer, api_keys.c.revoked.is_(None)),
        "brands": _count(brands.c.id, brands.c.retailer),
        "connections": _count(connections.c.id, connections.c.retailer, connections.c.state == "granted"),
        "open_deliveries": _count(deliveries.c.id, deliveries.c.retailer, IS_OPEN),
    }
    columns = (count.label(name) for name, count in counts.items())
    query = select(retailers, *columns).where(*wanted).order_by(retailers.c.created, retailers.c.id)
    async with store.reading() as tx:
        found = [_listed(row) for row in (await tx.execute(query)).all()]
    if id_ is not None and not found:
        raise NotFound(f"The hub knows no retailer {id_!r}.")
    return found


def _count(column: ColumnElement[Any], owner: ColumnElement[Any], *which: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a scalar subquery
    return select(func.count(column)).where(owner == retailers.c.id, *which).correlate(retailers).scalar_subquery()


def _listed(row: Row[Any]) -> ListedRetailer:
    state = "active" if row.suspended is None else "suspended"
    facts = row._asdict() | {"state": state if row.ended is None else "ended", "sandbox": row.ends is not None}
    return ListedRetailer.model_validate({name: facts[name] for name in ListedRetailer.model_fields})


async def list_keys(store: HubStore, retailer: str, now: datetime) -> list[ListedKey]:
    """Return all keys that the retailer ever had, oldest first."""
    async with store.reading() as tx:
        await _find(tx, retailer)
        query = select(api_keys).where(api_keys.c.retailer == retailer).order_by(api_keys.c.created, api_keys.c.id)
        rows = (await tx.execute(query)).all()
    return [_listed_key(row, now) for row in rows]


def _listed_key(row: Row[Any], now: datetime) -> ListedKey:
    over = row.expires is not None and row.expires <= now
    state = "revoked" if row.revoked is not None else "expired" if over else "active"
    facts = row._asdict() | {"state": state}
    return ListedKey.model_validate({name: facts[name] for name in ListedKey.model_fields})


async def create_key(store: HubStore, retailer: str, *, label: str, right: str, now: datetime) -> tuple[str, str]:
    """Make an API key of a retailer; return its id and its token, which is stored nowhere."""
    key, secret = new_id("key"), new_secret()
    async with store.writing() as tx:
        row = await _find(tx, retailer)
        if row.ended is not None:
            raise NotPossible(f"{retailer} is ended: let it in as a new retailer.")
        values = {"id": key, "retailer": retailer, "sha256": secret_digest(secret), "label": label, "right": right}
        await tx.execute(insert(api_keys).values(**values, sandbox=row.ends is not None, created=now))
    return key, f"{key}_{secret}"


async def revoke_key(store: HubStore, key: str, now: datetime) -> None:
    """Revoke an API key; revoking it again changes nothing."""
    async with store.writing() as tx:
        row = (await tx.execute(select(api_keys).where(api_keys.c.id == key))).one_or_none()
        if row is None:
            raise NotFound(f"The hub knows no API key {key!r}.")
        if row.revoked is None:
            await tx.execute(update(api_keys).where(api_keys.c.id == key).values(revoked=now))
            await record_revocation(tx, RevocationKind.API_KEY, key, now)


async def suspend(store: HubStore, retailer: str, now: datetime) -> None:
    """Suspend a retailer: its keys are refused, its webhooks wait. Suspending it again changes nothing."""
    async with store.writing() as tx:
        row = await _find(tx, retailer)
        if row.suspended is None:
            await tx.execute(update(retailers).where(retailers.c.id == retailer).values(suspended=now))
            await record_revocation(tx, RevocationKind.RETAILER_SUSPENDED, retailer, now)


async def resume(store: HubStore, retailer: str, now: datetime) -> None:
    """End a suspension; the webhooks that waited are due now."""
    async with store.writing() as tx:
        row = await _find(tx, retailer)
        if row.ended is not None:
            raise NotPossible(f"{retailer} is ended, which is for good: let it in as a new retailer.")
        if row.suspended is not None:
            await tx.execute(update(retailers).where(retailers.c.id == retailer).values(suspended=None))
            await resume_waiting(tx, retailer, now)
            await record_revocation(tx, RevocationKind.RETAILER_RESUMED, retailer, now)


async def set_limits(store: HubStore, retailer: str, limits: Mapping[str, int | None]) -> RetailerLimits:
    """Set the limits named by `limits`, None: hub.yaml's; return all that hold for the retailer now."""
    async with store.writing() as tx:
        await _find(tx, retailer)
        this = update(retailers).where(retailers.c.id == retailer)
        if limits:
            await tx.execute(this.values(**limits))
        row = await _find(tx, retailer)
    return RetailerLimits(writes=row.writes, reads=row.reads, writes_a_day=row.writes_a_day)


async def end(store: HubStore, retailer: str, now: datetime) -> int:
    """End a retailer for good, and return how many homes the hub informs; ending it again changes nothing."""
    async with store.writing() as tx:
        row = await _find(tx, retailer)
        if row.ended is not None:
            return 0
        await record_revocation(tx, RevocationKind.RETAILER_ENDED, retailer, now)
        return await end_in(tx, retailer, now)


async def end_in(tx: Transaction, retailer: str, now: datetime) -> int:
    """End a retailer in the caller's transaction: its keys, connections and webhooks. Its data stays."""
    this = update(retailers).where(retailers.c.id == retailer)
    await tx.execute(this.values(ended=now))
    await tx.execute(this.where(retailers.c.suspended.is_(None)).values(suspended=now))
    keys = update(api_keys).where(api_keys.c.retailer == retailer, api_keys.c.revoked.is_(None))
    await tx.execute(keys.values(revoked=now))
    for endpoint in (await tx.scalars(select(endpoints.c.id).where(endpoints.c.retailer == retailer))).all():
        await switch_off(tx, endpoint)
    return await end_connections(tx, now, connections.c.retailer == retailer)


async def end_connections(tx: Transaction, now: datetime, *which: ColumnElement[bool]) -> int:
    """End connections, and return how many homes are to be informed; a background job of the hub informs them."""
    open_ = update(connections).where(connections.c.state.in_(("pending", "granted")), *which)
    ended = await tx.execute(open_.values(state="ended", decided=now).returning(connections.c.home))
    return len({row.home for row in ended.all()} - {None})


async def _find(tx: Transaction, retailer: str) -> Row[Any]:
    query = select(retailers).where(retailers.c.id == retailer).with_for_update(key_share=True)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"The hub knows no retailer {retailer!r}.")
    return row

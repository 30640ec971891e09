"""Lists homes and shows one. The hub knows a home by its id and support code, and no person in it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, Select, func, select

from gateway.hub.admin import HomeNotFound
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import certificates, connections, homes, jobs
from gateway.protocol.support_code import format_support_code, parse_support_code


class ListedHome(BaseModel):
    """A home as an operator sees it. `state`: connected, away or revoked; `heard`: when it last said something."""

    model_config = ConfigDict(frozen=True)

    id: str
    support_code: str
    state: str
    joined: datetime
    heard: datetime | None
    revoked: datetime | None


class ShownHome(ListedHome):
    """The same with what it holds: until when its certificate is valid, brands it let in, messages that wait for it."""

    certificate_expires: datetime | None
    brands: int
    waiting_jobs: int


async def list_homes(store: HubStore) -> list[ListedHome]:
    """Return the homes that joined, oldest first, without those of sandboxes."""
    async with store.reading() as tx:
        rows = (await tx.execute(select(homes).where(homes.c.sandbox.is_(False)).order_by(homes.c.joined))).all()
    return [ListedHome.model_validate(_facts(row, ListedHome)) for row in rows]


async def show_home(store: HubStore, name: str) -> ShownHome:
    """Return the home of this id or support code, or raise `HomeNotFound`."""
    mine: tuple[tuple[str, Select[Any]], ...] = (
        ("certificate_expires", select(func.max(certificates.c.expires)).where(
            certificates.c.home == homes.c.id, certificates.c.ended.is_(None)
        )),
        ("brands", select(func.count(connections.c.id)).where(
            connections.c.home == homes.c.id, connections.c.state == "granted"
        )),
        ("waiting_jobs", select(func.count(jobs.c.id)).where(jobs.c.home == homes.c.id, jobs.c.due.is_not(None))),
    )  # fmt: skip
    columns = (query.correlate(homes).scalar_subquery().label(label) for label, query in mine)
    async with store.reading() as tx:
        wanted = select(homes, *columns).where(
            (homes.c.id == name) | (homes.c.support_code == parse_support_code(name))
        )
        row = (await tx.execute(wanted)).one_or_none()
    if row is None:
        raise HomeNotFound(name)
    return ShownHome.model_validate(_facts(row, ShownHome))


def _facts(row: Row[Any], model: type[ListedHome]) -> dict[str, Any]:
    state = "revoked" if row.revoked is not None else "connected" if row.there else "away"
    facts = row._asdict() | {"state": state, "support_code": format_support_code(row.support_code)}
    return {name: facts[name] for name in model.model_fields}

"""A real store for tests, and the steps that an entrance would commit to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.config.home import Home
from gateway.domain.delivery.promise import Body, Cancel
from gateway.domain.visit.commands import Command, ReleaseOpening, ReserveOpening
from gateway.domain.visit.events import Event, TimerExpired
from gateway.domain.visit.state import Entrance, Now, Phase, Visit, VisitDelivery
from gateway.storage import Answer, Committed, Overtaken, Step, Store
from tests import storefile
from tests.gateway.domain.delivery.shop import NOW, after, claims, home, signed

OPEN = after(hours=2)
"""In the middle of the usual window."""


@asynccontextmanager
async def opened(folder: Path, house: Home | None = None) -> AsyncIterator[Store]:
    """The store of this house, closed at the end."""
    store = await Store.open(storefile.made(folder / "perron.sqlite"), home=house or home(), now=NOW)
    try:
        yield store
    finally:
        await store.close()


async def told(store: Store, said: Body | Cancel, *, brand: str = "shop", now: Now = NOW) -> Answer:
    """A retailer says something, signed."""
    message = claims(said, brand=brand, now=now)
    return await store.accept(signed(message), message, now)


def delivery(store: Store, name: str = "shop.d1", now: Now = OPEN) -> VisitDelivery:
    """How `decide` sees it."""
    found = store.facts(name, now)
    assert found is not None
    return found


def state(under: VisitDelivery | None = None, *, visit: str = "v1", phase: Phase = Phase.UNLOCKING) -> Entrance:
    """The front door, ready or with a visit."""
    if under is None:
        return Entrance(id="front")
    running = Visit(id=visit, delivery=under, phase=phase, scanner="scanner")
    return Entrance(id=under.entrance, visit=running)


def step(new: Entrance, *commands: Command, event: Event | None = None, now: Now = OPEN) -> Step:
    """One decision."""
    return Step(entrance=new.id, event=event or TimerExpired(), state=new, commands=commands, now=now)


def reserve(under: VisitDelivery, *, visit: str = "v1", epoch: int = 0, now: Now = OPEN) -> Step:
    """The intent."""
    intent = ReserveOpening(
        visit=visit,
        delivery=under.id,
        version=under.version,
        permission_version=under.permission_version,
        stop_epoch=epoch,
    )
    return step(state(under, visit=visit), intent, now=now)


async def reserved(store: Store, name: str = "shop.d1", *, visit: str = "v1") -> Committed | Overtaken:
    """Reserve on the facts as they are."""
    return await store.commit(reserve(delivery(store, name), visit=visit))


def release(under: VisitDelivery, *, visit: str = "v1", withdrawal: bool) -> Step:
    """The reservation comes back."""
    return step(state(), ReleaseOpening(visit=visit, delivery=under.id, withdrawal=withdrawal))

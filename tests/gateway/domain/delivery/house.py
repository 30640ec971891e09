"""A real store for tests, and the steps that an entrance would commit to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.config.home import Home
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.promise import Cancel, DeliveryBody, Notice
from gateway.domain.now import Now
from gateway.domain.visit.commands import Command, ReleaseOpening, ReserveOpening
from gateway.domain.visit.events import DiskChanged, Event, FactsChanged, KeeperWithdrawn, TimerExpired
from gateway.domain.visit.state import Entrance, Phase, Visit
from gateway.storage.consent_requests import StoredConsentRequest, all_requests
from gateway.storage.models import CommitResult, MessageAnswer, StoredDecision
from gateway.storage.store import Store
from tests import storefile
from tests.gateway.domain.delivery.shop import NOW, make_claims, make_home, noon_plus, sign_claims

IN_WINDOW = noon_plus(hours=2)
"""In the middle of the usual window."""


@asynccontextmanager
async def open_store(folder: Path, house: Home | None = None) -> AsyncIterator[Store]:
    """The store of this house, closed at the end."""
    store = await Store.open(storefile.make_database(folder / "perron.sqlite"), home=house or make_home(), now=NOW)
    try:
        yield store
    finally:
        await store.close()


async def receive(
    store: Store, said: DeliveryBody | Cancel | Notice, *, brand: str = "shop", now: Now = NOW
) -> MessageAnswer:
    """A retailer says something, signed."""
    message = make_claims(said, brand=brand, now=now)
    return await store.deliveries.accept(sign_claims(message), message, now)


def visit_delivery(store: Store, name: str = "shop.d1", now: Now = IN_WINDOW) -> VisitDelivery:
    """How `decide` sees it."""
    found = store.deliveries.facts(name, now)
    assert found is not None
    return found


def entrance_state(
    under: VisitDelivery | None = None, *, visit: str = "v1", phase: Phase = Phase.UNLOCKING,
    parcels: frozenset[str] = frozenset(),
) -> Entrance:  # fmt: skip
    """The front door, ready or with a visit."""
    if under is None:
        return Entrance(id="front")
    running = Visit(id=visit, delivery=under, phase=phase, scanner="scanner", parcels=parcels)
    return Entrance(id=under.entrance, visit=running)


def make_step(new: Entrance, *commands: Command, event: Event | None = None, now: Now = IN_WINDOW) -> StoredDecision:
    """One decision."""
    return StoredDecision(entrance=new.id, event=event or TimerExpired(), state=new, commands=commands, now=now)


def reserve_step(
    under: VisitDelivery, *, visit: str = "v1", epoch: int = 0, permit: str = "", now: Now = IN_WINDOW
) -> StoredDecision:
    """The intent; `permit`: the digest of the yes to it."""
    intent = ReserveOpening(
        visit=visit,
        closure="door",
        stage=0,
        delivery=under.id,
        version=under.version,
        permission_version=under.permission_version,
        stop_epoch=epoch,
        permit=permit,
    )
    return make_step(entrance_state(under, visit=visit), intent, now=now)


async def commit_reservation(
    store: Store, name: str = "shop.d1", *, visit: str = "v1", permit: str = ""
) -> CommitResult | FactsChanged | DiskChanged:
    """Reserve on the facts as they are."""
    outcome = await store.commit(reserve_step(visit_delivery(store, name), visit=visit, permit=permit))
    assert not isinstance(outcome, KeeperWithdrawn)
    return outcome


def release_step(under: VisitDelivery, *, visit: str = "v1", withdrawal: bool) -> StoredDecision:
    """The reservation comes back."""
    return make_step(entrance_state(), ReleaseOpening(visit=visit, delivery=under.id, withdrawal=withdrawal))


def open_requests(store: Store, now: Now) -> tuple[StoredConsentRequest, ...]:
    """The requests of brands that wait for the owner, oldest first."""
    return tuple(one for one in all_requests(store.brands.reader()) if store.brands.is_open(one, now))

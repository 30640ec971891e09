"""Parcels that the owner announced himself, in the lives: the reports of their tracking, and what may follow (I33)."""

from __future__ import annotations

import io
import random
import struct
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from devices.reports import ParcelStatus
from gateway.domain.delivery.candidate import DeliveryContext, VisitDelivery, candidate
from gateway.domain.delivery.own_parcel import OWN_BRAND, YES_WITHIN_S, TrackedStatus
from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import DeliveryOrder, OrderUsage
from gateway.domain.visit import events as e
from tests.house.entrances import PLACE, courier
from tests.house.promise import EPOCH
from tests.house.story import announce_delivery

if TYPE_CHECKING:
    from gateway.domain.delivery.result import Refusal
    from tests.house.promise import SimulatedDelivery
    from tests.house.ways import EntranceHouse

BELIEVED_S = 300.0  # for so long a live report counts
DAY_S = 86_400
STATUSES = (*ParcelStatus, *[ParcelStatus.OUT_FOR_DELIVERY] * 12)


def zone_with_midnight(at: float) -> ZoneInfo:
    """Return a time zone in which a day begins at this second of the life (RFC 8536: one offset, no changes)."""
    since_day_began = EPOCH.hour * 3600 + round(at)
    offset = -((since_day_began + DAY_S // 2) % DAY_S - DAY_S // 2)
    head = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    return ZoneInfo.from_file(io.BytesIO(head + struct.pack(">lbb", offset, 0, 0) + b"XXX\0"))


class OwnParcels:
    """The tracking of one household, in whose time zone a day begins at `midnight`.

    `newest`: the time and the content of each parcel's newest live report.
    """

    def __init__(self, house: EntranceHouse, rng: random.Random, *, midnight: float = 900.0) -> None:
        self.house, self.rng = house, rng
        self.midnight, self.zone = midnight, zone_with_midnight(midnight)
        self.is_living_space = house.rules.is_filmed  # the loader refuses one without a film
        self.tracked: dict[str, TrackedStatus] = {}
        self.newest: dict[str, tuple[float, ParcelStatus]] = {}
        self.without_tap: set[str] = set()  # promises that the owner lets in without his tap, where he may

    def adopt(self, promise: SimulatedDelivery) -> None:
        """Make a promise the owner's own: to the living space it needs his tap, elsewhere it may do without."""
        promise.brand, promise.needs_courier, promise.allowance = OWN_BRAND, False, 1
        if self.rng.random() < 0.5:
            self.without_tap.add(promise.id)
        promise.also_refused = partial(self._refusal, promise)
        promise.needs_yes = self._candidate(promise).needs_yes
        if self.rng.random() < 0.8:
            self.report(promise, ParcelStatus.OUT_FOR_DELIVERY)

    def report(self, promise: SimulatedDelivery, status: ParcelStatus | None = None) -> None:
        """The tracking reports; one report of five is an old one, which changes nothing."""
        status = self.rng.choice(STATUSES) if status is None else status
        if self.rng.random() < 0.2:
            self.house.oracle.seen["stored tracking"] += 1
            return
        self.reports_live(promise, status)

    def reports_live(self, promise: SimulatedDelivery, status: ParcelStatus) -> None:
        """The tracking says so now."""
        now = self.house.now().utc
        for code in promise.parcels:
            self.tracked[code] = TrackedStatus(status=status, at=now, until=now + timedelta(seconds=BELIEVED_S))
        self.newest[promise.id] = self.house.t, status
        facts = e.FactsChanged(delivery=promise.facts(), stopped=self.house.stopped, epoch=self.house.epoch)
        self.house.feed(facts)

    def _refusal(self, promise: SimulatedDelivery) -> Refusal | None:
        return self._candidate(promise).refusal

    def _candidate(self, promise: SimulatedDelivery) -> VisitDelivery:
        """What the box's own store says of it: the order that the box made, and the house file's terms."""
        order = DeliveryOrder(
            brand=OWN_BRAND, id=promise.id, version=promise.version, entrance=promise.entrance, carrier="carrier",
            place=promise.place, start=self.house.wall(promise.start), end=self.house.wall(promise.end),
            parcels=promise.parcels,
        )  # fmt: skip
        terms = PermissionTerms(
            entrances=frozenset({promise.entrance}), places=frozenset({promise.place}), carriers=frozenset({"carrier"})
        )
        may_skip_tap = not self.is_living_space and promise.id in self.without_tap
        context = DeliveryContext(
            box="box-1", zone=self.zone, courier_proof=frozenset({promise.entrance}),
            own_permission=Permission(brand=OWN_BRAND, version=1, standing=PermissionStatus.GRANTED, terms=terms),
            without_tap=frozenset({promise.entrance}) if may_skip_tap else frozenset(), tracked=self.tracked,
        )  # fmt: skip
        usage = OrderUsage(used=promise.used, withdrawals=promise.withdrawals)
        return candidate(order, None, usage, context=context, now=self.house.now())

    def needs_tap(self, promise: SimulatedDelivery) -> bool:
        """Whether the owner has to say yes, by what he set up."""
        return self.is_living_space or promise.id not in self.without_tap

    def lacks(self, promise: SimulatedDelivery) -> str | None:
        """Why its tracking does not let it in at this moment, by what the tracking said and when."""
        at, status = self.newest.get(promise.id, (-1e9, None))
        if status is not ParcelStatus.OUT_FOR_DELIVERY:
            return f"the parcel is {status}"
        if self.house.t - at >= BELIEVED_S:
            return "the report is too old"
        return "the report is of yesterday" if at < self.midnight <= self.house.t else None

    def check(self, promise: SimulatedDelivery, visit: str, begun_at: float) -> None:
        """I33, by the tracking: an opening needs a live "out for delivery" of today, the tap comes in time.

        Raises:
            AssertionError: it does not hold.
        """
        if promise.brand != OWN_BRAND:
            return
        lacking = self.lacks(promise)
        assert lacking is None, f"I33 intent, and {lacking}"
        if self.needs_tap(promise):
            assert visit in self.house.oracle.yes, "I33 intent without the owner's tap"
            assert self.house.t - begun_at <= YES_WITHIN_S, "I33 the tap came too late"
        self.house.oracle.seen["intent own parcel"] += 1


def own_parcel_comes(house: EntranceHouse, rng: random.Random) -> None:
    """All is well, and a parcel of the owner's own comes: it opens exactly by a young report and the tap (I33).

    Raises:
        AssertionError: it does not hold, by what the closures did.
    """
    house.run(60)  # who tidied up may have begun a further part of the last visit
    midnight = house.t + rng.choice((20.0, 150.0, DAY_S / 3))
    house.own_parcels = parcels = OwnParcels(house, rng, midnight=midnight)
    promise = announce_delivery(house, f"own-{house.scans}", place=min(house.rules.routes, default=PLACE))
    parcels.adopt(promise)
    if rng.random() < 0.8:
        parcels.reports_live(promise, rng.choice((*[ParcelStatus.OUT_FOR_DELIVERY] * 6, *ParcelStatus)))
    house.run(rng.choice((0.0, 5.0, 5.0, 250.0, 310.0)))
    next(courier(house, promise))
    begun, ring = house.t, house.rules.timing.ring
    tap_at = rng.choice((None, ring + 1.0, ring + 1.0, ring + 20.0, 70.0))
    house.run(ring + 0.8 if tap_at is None else tap_at)
    if tap_at is not None and house.mem.visit is not None:
        house.feed(e.OwnerDecided(visit=house.mem.visit.id, yes=True))
    has_tap = not parcels.needs_tap(promise) or (tap_at is not None and tap_at < YES_WITHIN_S - 5.0)
    lacking = parcels.lacks(promise)
    house.run(8)
    visits = {visit for visit, delivery in house.intents.items() if delivery == promise.id}
    opened = {visit for thing in house.things.values() for _, visit in thing.obeyed} & visits
    if lacking is None and has_tap and house.t < midnight:
        late_s = house.t - begun
        assert opened, f"I33 the owner's own parcel is kept out {late_s:.0f} s after its scan: {house.refusals[-3:]}"
        house.oracle.seen["own parcel in"] += 1
    elif not opened:
        house.oracle.seen[f"own parcel out: {lacking or 'no tap'}"] += 1

"""Parcels that the owner announced himself, in the lives: the reports of their tracking, and what may follow."""

from __future__ import annotations

import random
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from devices.reports import ParcelStatus
from gateway.domain.delivery.own_parcel import OWN_BRAND, YES_WITHIN_S, TrackedStatus, own_parcel_refusal
from gateway.domain.visit import events as e

if TYPE_CHECKING:
    from gateway.domain.delivery.result import Refusal
    from tests.house.house import SimulatedHome
    from tests.house.promise import SimulatedDelivery

BELIEVED_S = 300.0  # for so long a live report counts
ZONE = ZoneInfo("Etc/UTC")
STATUSES = (*ParcelStatus, *[ParcelStatus.OUT_FOR_DELIVERY] * 12)


class OwnParcels:
    """The tracking of one household. `newest`: the time and the content of each parcel's newest live report."""

    def __init__(self, house: SimulatedHome, rng: random.Random) -> None:
        self.house, self.rng = house, rng
        self.tracked: dict[str, TrackedStatus] = {}
        self.newest: dict[str, tuple[float, ParcelStatus]] = {}

    def adopt(self, promise: SimulatedDelivery) -> None:
        """Make a promise the owner's own: to the living space it needs his tap, elsewhere it may do without."""
        promise.brand, promise.needs_courier, promise.allowance = OWN_BRAND, False, 1
        promise.needs_yes = self.rng.random() < 0.5
        promise.also_refused = partial(self._refusal, promise)
        if self.rng.random() < 0.8:
            self.report(promise, ParcelStatus.OUT_FOR_DELIVERY)

    def report(self, promise: SimulatedDelivery, status: ParcelStatus | None = None) -> None:
        """The tracking reports; one report of five is an old one, which changes nothing."""
        status = self.rng.choice(STATUSES) if status is None else status
        if self.rng.random() < 0.2:
            self.house.oracle.seen["stored tracking"] += 1
            return
        now = self.house.now().utc
        for code in promise.parcels:
            self.tracked[code] = TrackedStatus(status=status, at=now, until=now + timedelta(seconds=BELIEVED_S))
        self.newest[promise.id] = self.house.t, status
        facts = e.FactsChanged(delivery=promise.facts(), stopped=self.house.stopped, epoch=self.house.epoch)
        self.house.feed(facts)

    def _refusal(self, promise: SimulatedDelivery) -> Refusal | None:
        return own_parcel_refusal(promise.parcels, None, self.tracked, zone=ZONE, now=self.house.now())

    def check(self, promise: SimulatedDelivery, begun_at: float) -> None:
        """I33, by the tracking: an opening needs a live "out for delivery" of today, the tap comes in time.

        Raises:
            AssertionError: it does not hold.
        """
        if promise.brand != OWN_BRAND:
            return
        at, status = self.newest.get(promise.id, (-1e9, None))
        assert status is ParcelStatus.OUT_FOR_DELIVERY, f"I33 intent for a parcel that is {status}"
        assert self.house.t - at < BELIEVED_S, "I33 intent by a report that is too old"
        assert self.house.now().utc.astimezone(UTC).date() == self.house.wall(at).date(), "I33 a report of yesterday"
        if promise.needs_yes:
            assert self.house.t - begun_at <= YES_WITHIN_S, "I33 the tap came too late"
        self.house.oracle.seen["intent own parcel"] += 1

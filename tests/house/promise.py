"""A delivery as the house's store keeps it, and what of it the core is told."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.visit.state import Delivery, Refusal

EPOCH = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)


@dataclass
class Promise:
    """One delivery; `start` and `end` in seconds since `EPOCH`."""

    id: str
    start: float
    end: float
    allowance: int = 1
    used: int = 0
    withdrawals: int = 0
    version: int = 1
    permission_version: int = 1
    refusal: Refusal | None = None
    entrance: str = "front"
    place: str = "hall"
    needs_courier: bool = False
    needs_yes: bool = False
    cold: bool = False

    @property
    def parcels(self) -> frozenset[str]:
        """The parcel codes: two for every third delivery."""
        return frozenset({f"{self.id}-1", f"{self.id}-2"} if self.id.endswith("3") else {f"{self.id}-1"})

    @property
    def courier(self) -> str:
        """The courier's one-time code."""
        return f"{self.id}-qr"

    def facts(self) -> Delivery:
        """What the store says now."""
        return Delivery(
            id=self.id,
            version=self.version,
            permission_version=self.permission_version,
            brand="brand",
            carrier="carrier",
            entrance=self.entrance,
            place=self.place,
            refusal=self.refusal,
            start=EPOCH + timedelta(seconds=self.start),
            end=EPOCH + timedelta(seconds=self.end),
            openings_left=self.allowance - self.used,
            withdrawals_left=2 * self.allowance - self.withdrawals,
            needs_courier=self.needs_courier,
            needs_yes=self.needs_yes,
            cold_max_c=7.0 if self.cold else None,
            parcels=self.parcels,
        )

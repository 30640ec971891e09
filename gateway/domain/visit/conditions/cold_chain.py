"""The condition that a delivery which has to stay cold goes to a place that is proven cold, by the fridge there."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import ClassVar

from devices import reports as r
from devices.reports import DoorState
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures.contract import OPEN_DOOR_STATES
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.conditions.contract import Condition, ConditionReport, ConditionView


class FridgeState(Frozen):
    """The reported state of a fridge: its measured temperature (None: unknown) and its door."""

    temp_c: float | None = None
    door: DoorState = DoorState.UNKNOWN


class FridgeReported(ConditionReport):
    """A fridge reported its state."""

    place: str
    fridge: FridgeState

    @property
    def source(self) -> str:
        """The source is the fridge of a place."""
        return f"fridge/{self.place}"

    @property
    def proof_place(self) -> str | None:
        """Every reading belongs to the cold chain of deliveries to its place."""
        return self.place


class Fridge(Frozen):
    """Which readings of a device count for a place."""

    device: str
    compartment: str = ""  # its compartment; a reading without one counts too
    silence_s: float | None = None  # unknown after this time without a reading; None: never


class ColdChain(Condition):
    """A delivery that has to stay cold goes only to a place whose fridge is proven cold enough.

    An entrance always has this condition: a place without a fridge is never proven cold.
    """

    name: ClassVar[str] = "fridge"
    refusal: ClassVar[Refusal] = Refusal.FRIDGE_TOO_WARM

    fridges: Mapping[str, Fridge] = field(default_factory=dict)  # by place

    @property
    def devices(self) -> frozenset[str]:
        """The fridges."""
        return frozenset(fridge.device for fridge in self.fridges.values())

    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield a live reading for each place of the fridge; an old one proves nothing about the temperature now."""
        if old or not isinstance(report, r.FridgeReport):
            return
        for place, fridge in self.fridges.items():
            if fridge.device == device and report.compartment in ("", fridge.compartment):
                yield FridgeReported(place=place, fridge=FridgeState(temp_c=report.temp_c, door=report.door))

    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield an unknown state for each place of the fridge."""
        for place, fridge in self.fridges.items():
            if fridge.device == device:
                yield FridgeReported(place=place, fridge=FridgeState())

    def silence_s(self, device: str) -> float | None:
        """Return how long the fridge may be silent."""
        return next((fridge.silence_s for fridge in self.fridges.values() if fridge.device == device), None)

    def is_met(self, view: ConditionView) -> bool:
        """Return whether the place is proven cold enough; for a delivery that need not stay cold, always True."""
        if view.max_celsius is None:
            return True
        celsius = _fridge(view).temp_c
        return celsius is not None and celsius <= view.max_celsius

    def breach(self, view: ConditionView) -> AlarmCode | None:
        """Return the alarm if the fridge is known to be too warm; unknown is neither too warm nor cold enough."""
        is_warm = _fridge(view).temp_c is not None and not self.is_met(view)
        return AlarmCode.FRIDGE_TOO_WARM if is_warm else None

    def left_wrong(self, view: ConditionView) -> AlarmCode | None:
        """Return the alarm if the fridge stands open."""
        return AlarmCode.FRIDGE_LEFT_OPEN if _fridge(view).door in OPEN_DOOR_STATES else None


def _fridge(view: ConditionView) -> FridgeState:
    report = view.reports.get(f"fridge/{view.place}")
    return report.fridge if isinstance(report, FridgeReported) else FridgeState()

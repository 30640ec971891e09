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


class RoomReported(ConditionReport):
    """A sensor reported whether a place is full; None: unknown."""

    place: str
    full: bool | None

    @property
    def source(self) -> str:
        """The source is the sensor of a place."""
        return f"room/{self.place}"


class Fridge(Frozen):
    """Which readings of a device count for a place."""

    device: str
    compartment: str = ""  # its compartment; a reading without one counts too
    silence_s: float | None = None  # unknown after this time without a reading; None: never


class ColdChain(Condition):
    """A delivery goes only to places whose air is proven within its limits, and that are not full.

    An entrance always has this condition: a place without a fridge is never proven cold.
    """

    name: ClassVar[str] = "fridge"
    refusal: ClassVar[Refusal] = Refusal.FRIDGE_TOO_WARM

    fridges: Mapping[str, Fridge] = field(default_factory=dict)  # by place
    room_sensors: Mapping[str, str] = field(default_factory=dict)  # place -> the device that reports that it is full

    @property
    def devices(self) -> frozenset[str]:
        """The fridges, and the sensors of their room."""
        return frozenset({*(fridge.device for fridge in self.fridges.values()), *self.room_sensors.values()})

    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield a live reading for each place of the device; of old ones only that a place is full."""
        if isinstance(report, r.FridgeReport) and not old:
            for place, fridge in self.fridges.items():
                if fridge.device == device and report.compartment in ("", fridge.compartment):
                    yield FridgeReported(place=place, fridge=FridgeState(temp_c=report.temp_c, door=report.door))
        elif isinstance(report, r.ContentReport) and not (old and report.occupied is False):
            yield from self._room(device, full=report.occupied)

    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield an unknown state for each place of the device."""
        for place, fridge in self.fridges.items():
            if fridge.device == device:
                yield FridgeReported(place=place, fridge=FridgeState())
        yield from self._room(device, full=None)

    def _room(self, device: str, *, full: bool | None) -> Iterator[RoomReported]:
        return (RoomReported(place=place, full=full) for place, known in self.room_sensors.items() if known == device)

    def devices_at(self, place: str) -> frozenset[str]:
        """Return the fridge of the place."""
        fridge = self.fridges.get(place)
        return frozenset() if fridge is None else frozenset({fridge.device})

    def logged_place(self, place: str, reports: Mapping[str, ConditionReport]) -> dict[str, float | str | None]:
        """Return the device that measures the air of the place, and its newest reading."""
        fridge = self.fridges.get(place)
        if fridge is None:
            return {}
        known = _fridge(ConditionView(reports=reports), place)
        return {
            "device": fridge.device,
            "silence_s": fridge.silence_s,
            "temp_c": known.temp_c,
            "door": known.door.value,
        }

    def silence_s(self, device: str) -> float | None:
        """Return how long the fridge may be silent."""
        return next((fridge.silence_s for fridge in self.fridges.values() if fridge.device == device), None)

    def is_met(self, view: ConditionView) -> bool:
        """Return whether the air of each place is proven within the limits there, and each place has room."""
        return self._unmet(view) is None

    def word_for(self, view: ConditionView) -> str:
        """Return `fridge` if a place is too warm, or its temperature unknown; else what is wrong."""
        unmet = self._unmet(view)
        return self.name if unmet in (None, self.refusal) else str(unmet)

    def refusal_for(self, view: ConditionView) -> Refusal:
        """Return whether a place is too warm, too cold or full."""
        return self._unmet(view) or self.refusal

    def _unmet(self, view: ConditionView) -> Refusal | None:
        found = []
        for place, limits in view.limits.items():
            celsius = _fridge(view, place).temp_c
            if celsius is None or limits.is_too_warm(celsius):
                found.append(Refusal.FRIDGE_TOO_WARM)
            elif limits.is_too_cold(celsius):
                found.append(Refusal.FRIDGE_TOO_COLD)
        watched = {*self.room_sensors, *view.full_places}
        found.extend(Refusal.FRIDGE_FULL for place in watched if not self._has_room(view, place))
        return next(iter(found), None)

    def _has_room(self, view: ConditionView, place: str) -> bool:
        if place in view.full_places:
            return False
        if place not in view.places or place not in self.room_sensors:
            return True
        report = view.reports.get(f"room/{place}")
        return isinstance(report, RoomReported) and report.full is False

    def breach(self, view: ConditionView) -> AlarmCode | None:
        """Return the alarm if a place is known to be too warm or too cold; unknown is neither, and within no limit."""
        for place, limits in view.limits.items():
            celsius = _fridge(view, place).temp_c
            if celsius is not None and limits.is_too_warm(celsius):
                return AlarmCode.FRIDGE_TOO_WARM
            if celsius is not None and limits.is_too_cold(celsius):
                return AlarmCode.FRIDGE_TOO_COLD
        return None

    def left_wrong(self, view: ConditionView) -> AlarmCode | None:
        """Return the alarm if a fridge of the delivery stands open."""
        is_open = any(_fridge(view, place).door in OPEN_DOOR_STATES for place in view.places)
        return AlarmCode.FRIDGE_LEFT_OPEN if is_open else None


def _fridge(view: ConditionView, place: str) -> FridgeState:
    report = view.reports.get(f"fridge/{place}")
    return report.fridge if isinstance(report, FridgeReported) else FridgeState()

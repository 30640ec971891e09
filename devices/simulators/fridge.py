"""Simulates a fridge that reports temperature, set point and door of each compartment."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from devices.commands import Command
from devices.reports import DoorState, FridgeReport
from devices.simulators.control import Impossible
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.house import FridgePlan
from devices.vendors import smartthings
from devices.vendors.words import Publication, TopicSuffix

DOOR_COMPARTMENT = "cooler"  # the compartment whose door people open


class SimulatedFridge(SimulatedDevice):
    """Reports every change; `door_moved` is called when somebody opens or closes it.

    Faults: fahrenheit (its units), null_main (as some manufacturers' do), silent (neither reports nor answers).
    """

    NOUN = "fridge"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {"fahrenheit": True, "null_main": True, "silent": True}

    def __init__(self, name: str, plan: FridgePlan, site: DeviceSite) -> None:
        self._temperatures: dict[str, float | None] = {**plan.temperatures}
        self._setpoints: dict[str, float] = dict(plan.setpoints)
        self._open = False
        self.door_moved: list[Callable[[], None]] = []
        super().__init__(name, plan, plan.vendor, site)

    @property
    def open(self) -> bool:
        """Return whether its door is open."""
        return self._open

    def on_up(self) -> None:
        """Report the state."""
        self._publish_state()

    def answer(self, correlation: bytes | None) -> None:
        """Answer with the state."""
        self._publish_state(TopicSuffix.RESULT, correlation)

    def execute(self, command: Command) -> None:
        """Do nothing: this fridge accepts no commands."""

    def misbehave(self, fault: str) -> None:
        """Report the state in the new form."""
        if fault in self.FAULTS:
            self._publish_state()

    def move_door(self, *, opened: bool) -> None:
        """Open or close it."""
        if opened == self._open:
            raise Impossible(f"the fridge is {'open' if opened else 'closed'} already")
        self._open = opened
        self.log.write("fridge", device=self.name, door="open" if opened else "closed")
        for subscriber in self.door_moved:
            subscriber()
        self._publish_state()

    def set_temperature(self, compartment: str, celsius: float | None) -> None:
        """Set the measured temperature; None: it measures nothing."""
        if compartment not in self._temperatures:
            raise Impossible(f"{self.name} has no {compartment}; it has {', '.join(self._temperatures)}")
        self._temperatures[compartment] = celsius
        self.log.write("fridge", device=self.name, compartment=compartment, temp_c=celsius)
        self._publish_state()

    def _publish_state(self, suffix: TopicSuffix = TopicSuffix.STATE, correlation: bytes | None = None) -> None:
        if "silent" in self.faults:
            return
        reports = tuple(
            FridgeReport(
                compartment=name,
                temp_c=celsius,
                setpoint_c=self._setpoints.get(name),
                door=DoorState.OPEN if self._open and name == DOOR_COMPARTMENT else DoorState.CLOSED,
            )
            for name, celsius in self._temperatures.items()
        )
        unit: smartthings.Unit = "F" if "fahrenheit" in self.faults else "C"
        payload = smartthings.status(reports, unit=unit, null_main="null_main" in self.faults)
        self.link.publish(Publication(suffix=suffix, payload=payload), correlation=correlation)

    def physical(self) -> Mapping[str, object]:
        """Return door and temperatures."""
        return {"door": "open" if self._open else "closed", "temperatures": dict(self._temperatures)}

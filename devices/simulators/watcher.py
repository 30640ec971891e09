"""Simulates the cloud side of a camera: its availability, stream address, motion, and doorbell."""

from collections.abc import Mapping
from typing import ClassVar, get_args

from devices.commands import Command
from devices.reports import AvailabilityReport, DoorbellPressed, MotionReport, StreamReport
from devices.simulators.camera import Mode, SimulatedCamera
from devices.simulators.control import Impossible
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.house import CameraPlan
from devices.vendors.words import TopicSuffix

_MODES: Mapping[str, Mode] = {mode: mode for mode in get_args(Mode) if mode not in ("live", "reset")}


class CloudCamera(SimulatedDevice):
    """Owns the pictures of `camera`. It reports the people on its side of the door.

    Faults: frozen, black, stall, stuck_timestamps, garbled (of the pictures; the last one switched on counts). Actions:
    reset (all its streams are cut once). Without its link there are no pictures either.
    """

    NOUN = "camera"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = dict.fromkeys(_MODES, True)
    ACTIONS = frozenset({"reset"})

    def __init__(self, name: str, plan: CameraPlan, site: DeviceSite, camera: SimulatedCamera, uri: str) -> None:
        self._plan, self._doorway = plan, site.doorway
        self._camera, self._uri = camera, uri
        self._seen = False
        super().__init__(name, plan, plan.vendor, site)
        site.doorway.people_moved.append(self._look)

    @property
    def has_bell(self) -> bool:
        """Return whether it is a doorbell."""
        return self._plan.bell

    @property
    def pictures(self) -> SimulatedCamera:
        """Return its camera, to hold a label before it."""
        return self._camera

    def press(self, who: str) -> None:
        """Press the bell."""
        if not self._plan.bell:
            raise Impossible(f"{self.name} has no bell")
        self.log.write("bell", device=self.name, who=who)
        self.publish(DoorbellPressed())

    def on_up(self) -> None:
        """Report the address of the stream."""
        self.publish(StreamReport(uri=self._uri))
        self._look()

    def answer(self, correlation: bytes | None) -> None:
        """Answer that it is online, and the address of its stream."""
        self.publish(AvailabilityReport(online=True), correlation=correlation, suffix=TopicSuffix.RESULT)
        self.publish(StreamReport(uri=self._uri), correlation=correlation, suffix=TopicSuffix.RESULT)

    def execute(self, command: Command) -> None:
        """Do nothing: it accepts no commands."""

    def misbehave(self, fault: str) -> None:
        """Apply or end a fault of the pictures."""
        if fault == "reset":
            self._camera.set_mode("reset")
            fault = ""  # and then as before
        wrong = [name for name in self.faults if name in _MODES]
        self._camera.set_mode(_MODES[fault if fault in wrong else wrong[-1]] if wrong else "live")

    def _look(self) -> None:
        person = self._doorway.anybody(self._plan.sees)
        if person != self._seen:
            self.publish(MotionReport(detected=person))
        self._seen = person

    def physical(self) -> Mapping[str, object]:
        """Return what it sees and the address of its stream."""
        return {"person": self._seen, "stream": self._uri}

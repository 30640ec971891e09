"""Simulates the devices at a thing: what releases a strike or a flap, a board, sensors inside, a car's modem."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

from devices.commands import Command, LockDoor, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    CommandProgress,
    ContentReport,
    DoorReport,
    DoorState,
    ErrorReport,
    KeyReport,
    LockReport,
    LockState,
    OperationError,
    ParkedReport,
    PositionReport,
    ProgressReport,
    Report,
)
from devices.simulators.car import Car
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.house import BoardPlan, ModemPlan, SensorPlan, StrikePlan
from devices.simulators.thing import Compartment


class _OrderedDevice(SimulatedDevice):
    """Obeys an order to open. Of a product whose orders have an id and an expiry it refuses late and repeated ones.

    Faults: dead (it takes the order and moves nothing), deaf (it receives none), silent (it neither reports nor
    answers), unreachable (it says that what it drives is out of reach), late (it waits so many seconds).
    """

    FAULTS: ClassVar[Mapping[str, FaultValue]] = {
        "dead": True,
        "deaf": True,
        "silent": True,
        "unreachable": True,
        "late": 8.0,
    }

    def __init__(self, name: str, plan: StrikePlan | BoardPlan | ModemPlan, site: DeviceSite) -> None:
        self._latency_s = plan.latency_s
        self._seen: set[str] = set()
        super().__init__(name, plan, plan.vendor, site)

    def execute(self, command: Command) -> None:
        """Open, unless it refuses."""
        if not isinstance(command, UnlockDoor) or "deaf" in self.faults:
            return
        why = self._why_refused(command)
        if why is not None or "unreachable" in self.faults:
            self.log.write(
                "refused", device=self.name, command=command.id, why=(why or OperationError.UNREACHABLE).value
            )
            self.say(ErrorReport(id=command.id, failure=why or OperationError.UNREACHABLE), command)
            return
        self._seen.add(command.id)
        self.do(self._open(command))

    def _why_refused(self, command: UnlockDoor) -> OperationError | None:
        if not command.id:
            return None  # its maker's words carry no id: it obeys whatever arrives
        if command.id in self._seen:
            return OperationError.REPEATED
        if command.boot is not None and command.until_ms is not None:
            late = command.boot != self.link.boot or self.link.uptime_ms > command.until_ms
        else:
            late = datetime.now(UTC) > command.expires_at
        return OperationError.EXPIRED if late else None

    async def _open(self, command: UnlockDoor) -> None:
        self.say(ProgressReport(id=command.id, progress=CommandProgress.ACCEPTED), command)
        await asyncio.sleep(self._latency_s + self.seconds("late"))
        if "dead" not in self.faults:
            self.drive(command.id or self.name)

    @abstractmethod
    def drive(self, cause: str) -> None:
        """Move what it drives."""

    def say(self, report: Report, command: UnlockDoor | None = None) -> None:
        """Publish a report if the product has a word for it, and if it is not silent."""
        if "silent" not in self.faults:
            with suppress(ValueError):
                self.publish(report, correlation=None if command is None else command.id.encode())

    def misbehave(self, fault: str) -> None:
        """Nothing happens at once."""


class StrikeRelay(_OrderedDevice):
    """The relay of a strike or a flap. It has no state: a query is answered by whether it is there.

    A further fault: sticks (its contact stays closed, so what it drives never holds again).
    """

    NOUN = "strike"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {**_OrderedDevice.FAULTS, "sticks": True}
    STUCK_S = 3600.0  # seconds for which a relay that sticks gives current: until it is repaired

    def __init__(self, name: str, plan: StrikePlan, site: DeviceSite) -> None:
        self._thing, self._release_s = site.things[plan.of], plan.release_s
        super().__init__(name, plan, site)

    def drive(self, cause: str) -> None:
        """Let go once."""
        self._thing.release(self.STUCK_S if "sticks" in self.faults else self._release_s, cause)

    def answer(self, correlation: bytes | None) -> None:
        """Answer that it is there, if the product has an answer."""
        if "silent" not in self.faults and self._vendor.DEFINITION.answers_queries(self._device_ref):
            self.publish_answer((AvailabilityReport(online=True),), correlation)

    def misbehave(self, fault: str) -> None:
        """Hold again once the relay is repaired."""
        if fault == "sticks" and fault not in self.faults:
            self._thing.release(0.0, "itself")


class Board(_OrderedDevice):
    """The board of one compartment: its latch, its lid, and a sensor inside if it has one.

    Further faults: blind (the sensor inside does not know), lies_empty (it reports that nothing lies there),
    lies_caught (it reports that the latch has caught as soon as the lid is closed), opens_two (the order opens the
    compartment beside it too).
    """

    NOUN = "compartment"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {
        **_OrderedDevice.FAULTS,
        "blind": True,
        "lies_empty": True,
        "lies_caught": True,
        "opens_two": True,
    }

    def __init__(self, name: str, plan: BoardPlan, site: DeviceSite) -> None:
        self._plan, self._thing = plan, site.thing(plan.of, Compartment)
        self._beside = None if plan.beside is None else site.thing(plan.beside, Compartment)
        super().__init__(name, plan, site)
        self._thing.leaf_moved.append(self._moved)
        self._thing.inside_moved.append(self._moved)

    def drive(self, cause: str) -> None:
        """Spring open."""
        self._thing.release(0.0, cause)
        if "opens_two" in self.faults and self._beside is not None:
            self._beside.release(0.0, cause)

    def on_up(self) -> None:
        """Report the state."""
        self._moved()

    def answer(self, correlation: bytes | None) -> None:
        """Answer with all it has."""
        if self._plan.answers and "silent" not in self.faults:
            self.publish_answer(self._reports(), correlation)

    def misbehave(self, fault: str) -> None:
        """Report at once what a sensor inside says otherwise now."""
        if fault in ("blind", "lies_empty"):
            self._moved()

    def _moved(self) -> None:
        for report in self._reports():
            self.say(report)

    def _reports(self) -> tuple[Report, ...]:
        is_caught = self._thing.caught or ("lies_caught" in self.faults and not self._thing.open)
        latch = LockReport(bolt=LockState.LOCKED if is_caught else LockState.UNLOCKED)
        lid = DoorReport(door=DoorState.OPEN if self._thing.open else DoorState.CLOSED)
        if not self._plan.sees:
            return latch, lid
        return latch, lid, ContentReport(occupied=_sensed(self._thing.occupied, self.faults, "lies_empty"))

    def physical(self) -> Mapping[str, object]:
        """Return the compartment's state."""
        return self._thing.physical()


def _sensed(there: bool, faults: Mapping[str, FaultValue], lie: str) -> bool | None:
    return None if "blind" in faults else False if lie in faults else there


class InsideSensor(SimulatedDevice):
    """A sensor inside a compartment, or below the hook of a key safe.

    Faults: blind (it cannot tell), silent (neither reports nor answers), stuck (it goes on saying what it said at the
    begin of the fault), lies (it says empty, or that the key is there).
    """

    NOUN = "sensor"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = dict.fromkeys(("blind", "silent", "stuck", "lies"), True)

    def __init__(self, name: str, plan: SensorPlan, site: DeviceSite) -> None:
        self._plan = plan
        self._thing = site.things[plan.of]
        self._stuck = False
        super().__init__(name, plan, plan.vendor, site)
        self._thing.inside_moved.append(self._publish_state)

    def begin(self) -> None:
        """Start the heartbeat, if it has one."""
        if self._plan.heartbeat_s is not None:
            self.do(self._publish_regularly(self._plan.heartbeat_s))

    def on_up(self) -> None:
        """Report the state."""
        self._publish_state()

    def execute(self, command: Command) -> None:
        """Do nothing: it moves nothing."""

    def answer(self, correlation: bytes | None) -> None:
        """Answer with the state, if it answers queries."""
        answers = self._plan.answers and self._vendor.DEFINITION.answers_queries(self._device_ref)
        if answers and "silent" not in self.faults:
            self.publish_answer((self._report(),), correlation)

    def misbehave(self, fault: str) -> None:
        """Remember what it says at the begin of a fault, and report what it says otherwise now."""
        if fault == "stuck":
            self._stuck = self._is_there()
        self._publish_state()

    def _is_there(self) -> bool:
        return self._thing.seems_inside

    def _report(self) -> Report:
        there = self._stuck if "stuck" in self.faults else self._is_there()
        if self._plan.kind == "content":
            return ContentReport(occupied=_sensed(there, self.faults, "lies"))
        return KeyReport(present=None if "blind" in self.faults else there or "lies" in self.faults)

    def _publish_state(self) -> None:
        if "silent" not in self.faults:
            with suppress(ValueError):  # a Zigbee sensor has no word for what it cannot tell
                self.publish(self._report())

    async def _publish_regularly(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            self._publish_state()

    def physical(self) -> Mapping[str, object]:
        """Return what is really there."""
        return {"there": self._is_there()}


class CarModem(_OrderedDevice):
    """The modem of a car, with its GPS: it says what changes, and lists everything when it is asked.

    Further faults: asleep (it neither hears nor says anything, and its broker has not noticed yet), stale_fix (its fix
    is as many seconds old), slow_news (it says by itself nothing of what changes).
    """

    NOUN = "car"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {
        **_OrderedDevice.FAULTS,
        "asleep": True,
        "stale_fix": 900.0,
        "slow_news": True,
    }

    def __init__(self, name: str, plan: ModemPlan, site: DeviceSite) -> None:
        self._plan, self._thing = plan, site.thing(plan.of, Car)
        self._fix = self._thing.latitude, self._thing.longitude
        super().__init__(name, plan, site)
        self._thing.leaf_moved.append(self._moved)
        self._thing.inside_moved.append(self._moved)

    def execute(self, command: Command) -> None:
        """Open or lock, unless it sleeps."""
        if "asleep" in self.faults:
            return
        if isinstance(command, LockDoor) and self.faults.keys().isdisjoint({"deaf", "dead"}):
            self.do(self._lock())
        else:
            super().execute(command)

    async def _lock(self) -> None:
        await asyncio.sleep(self._plan.latency_s)
        self._thing.lock(locked=True, cause=self.name)

    def drive(self, cause: str) -> None:
        """Open the boot alone, or unlock the car."""
        if self._plan.boot_order:
            self._thing.release(0.0, cause)
        else:
            self._thing.lock(locked=False, cause=cause)

    def on_up(self) -> None:
        """Report the state."""
        self._moved()

    def answer(self, correlation: bytes | None) -> None:
        """Answer with all it has."""
        if self.faults.keys().isdisjoint({"silent", "asleep"}):
            self.publish_answer((*self._changes(), self._position()), correlation)

    def misbehave(self, fault: str) -> None:
        """Nothing happens at once."""

    def _moved(self) -> None:
        if self.faults.keys().isdisjoint({"asleep", "slow_news"}):
            for report in self._changes():
                if report != ParkedReport(parked=True):  # that stands only in an answer
                    self.say(report)

    def _changes(self) -> tuple[Report, ...]:
        thing = self._thing
        return (
            DoorReport(door=DoorState.OPEN if thing.open else DoorState.CLOSED),
            LockReport(bolt=LockState.LOCKED if thing.is_locked else LockState.UNLOCKED),
            ParkedReport(parked=not thing.is_driving),
        )

    def _position(self) -> PositionReport:
        """Return the last fix: without a view of the sky it stays where it was, and grows old."""
        if self._thing.has_sky:
            self._fix = self._thing.latitude, self._thing.longitude
        age_s = self.seconds("stale_fix") if self._thing.has_sky else max(900.0, self.seconds("stale_fix"))
        latitude, longitude = self._fix
        return PositionReport(latitude=latitude, longitude=longitude, accuracy_m=self._plan.accuracy_m, age_s=age_s)

    def physical(self) -> Mapping[str, object]:
        """Return the car's state."""
        return self._thing.physical()

"""Simulates a motor lock with faults: it can jam, lag and report false states."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from devices.commands import Command, LockDoor, UnlockDoor
from devices.reports import (
    BatteryLevel,
    BatteryReport,
    BoltMotion,
    CommandProgress,
    ErrorReport,
    LockReport,
    LockState,
    OperationError,
    OperationSource,
    ProgressReport,
)
from devices.simulators.control import Impossible
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.doorway import APP, FROM_AFAR, HAND, ITSELF, KEYPAD
from devices.simulators.house import LockPlan
from devices.vendors.words import TopicSuffix

MAX_REMEMBERED_COMMANDS = 1_000  # ids of commands that a guarded lock recognises again, over reboots too

_SOURCES = {
    HAND: OperationSource.MANUAL,
    APP: OperationSource.PROPRIETARY_REMOTE,
    ITSELF: OperationSource.AUTO,
    FROM_AFAR: OperationSource.REMOTE,
    KEYPAD: OperationSource.KEYPAD,
}


class MotorLock(SimulatedDevice):
    """Moves the doorway's bolt on command, if its guard permits it, and reports every movement, also by hand.

    Faults (seconds where a number):
        jam                 its motor does not move the bolt, and it reports that
        jam_says_locked     the same, but from the first command on it reports and answers locked
        silent              acts, but never reports or answers
        deaf                receives no command
        late                waits so long before it acts
        slow_report         its reports (not its answers) come so much later
        stale_after_action  repeats the old state for so long after each movement
        optimistic          reports the commanded state at once
        replays             does its last command once more after a reboot
        clock_off           its wall clock is so far ahead (negative: behind), in addition to the house file's value
        battery             its level: good, medium, low or critical
    Actions: throw (the bolt, wherever the leaf is), unlock_by_itself (seemingly from afar, with no cause).
    """

    NOUN = "lock"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {
        "jam": True,
        "jam_says_locked": True,
        "silent": True,
        "deaf": True,
        "late": 8.0,
        "slow_report": 3.0,
        "stale_after_action": 3.0,
        "optimistic": True,
        "replays": True,
        "clock_off": 600.0,
        "battery": "critical",
    }
    ACTIONS = frozenset({"throw", "unlock_by_itself"})

    def __init__(self, name: str, plan: LockPlan, site: DeviceSite) -> None:
        self._plan, self._doorway = plan, site.doorway
        self._source = OperationSource.UNSPECIFIED
        self._jammed = False
        self._reports_locked = False
        self._commanded_state: LockState | None = None
        self._stale: tuple[LockState, float] | None = None  # the old state, and until when it is repeated
        self._seen_command_ids: deque[str] = deque(maxlen=MAX_REMEMBERED_COMMANDS)
        self._last_command: UnlockDoor | LockDoor | None = None
        self._relocking: asyncio.TimerHandle | None = None
        super().__init__(name, plan, plan.vendor, site)
        site.doorway.bolt_moved.append(self._moved)

    def on_up(self) -> None:
        """Report battery and state."""
        if "silent" not in self.faults:
            self._publish_battery(None, TopicSuffix.STATE)  # before the bolt, which is what stays retained
        self._publish_state()

    def answer(self, correlation: bytes | None) -> None:
        """Answer with state and battery."""
        if "silent" not in self.faults:
            self.publish(self._report(), correlation=correlation, suffix=TopicSuffix.RESULT)
            self._publish_battery(correlation, TopicSuffix.RESULT)

    def unlock_by_app(self) -> None:
        """Withdraw the bolt by a command of the manufacturer's own app."""
        if "jam" in self.faults or "jam_says_locked" in self.faults:
            raise Impossible("the lock is jammed")
        self._doorway.move_bolt(thrown=False, cause=APP)

    def execute(self, command: Command) -> None:
        """Move the bolt, unless the guard refuses."""
        if not isinstance(command, UnlockDoor | LockDoor) or "deaf" in self.faults:
            return
        if self._plan.guarded and command.id in self._seen_command_ids:
            self._refuse(command, "repeated", OperationError.REPEATED)
            return
        if self._refuses_as_late(command):
            return
        self._seen_command_ids.append(command.id)
        self._last_command = command
        if "silent" not in self.faults:
            self.publish(ProgressReport(id=command.id, progress=CommandProgress.ACCEPTED))
        if "optimistic" in self.faults:
            self._commanded_state = LockState.UNLOCKED if isinstance(command, UnlockDoor) else LockState.LOCKED
            self._publish_state()
        self.do(self._act(command))

    async def _act(self, command: UnlockDoor | LockDoor) -> None:
        await asyncio.sleep(self._plan.latency_s + self.seconds("late"))
        self._commanded_state = None
        if self._refuses_as_late(command):  # checked again now that the motor would start
            return
        if "jam" in self.faults or "jam_says_locked" in self.faults:
            self._reports_locked = "jam_says_locked" in self.faults
            self._jammed = not self._reports_locked
            self.log.write("refused", device=self.name, command=command.id, why="jammed")
            if not self._reports_locked:
                self._fail(command, OperationError.UNSPECIFIED)
            self._publish_state()
            return
        thrown = isinstance(command, LockDoor)
        if self._doorway.thrown == thrown:
            self._publish_state()
        self._doorway.move_bolt(thrown=thrown, cause=command.id, intent=command.intent)
        if "silent" not in self.faults:
            self.publish(ProgressReport(id=command.id, progress=CommandProgress.CONFIRMED))

    def _refuses_as_late(self, command: UnlockDoor | LockDoor) -> bool:
        """Return whether the guard refuses: by its own uptime if the command has one, else by its wall clock."""
        if not self._plan.guarded:
            return False
        wall = datetime.now(UTC) + timedelta(seconds=self._plan.clock_offset_s + self.seconds("clock_off"))
        if command.boot is not None and command.boot != self.link.boot:
            self._refuse(command, "foreign_boot", OperationError.EXPIRED)
        elif self.link.uptime_ms > command.until_ms if command.until_ms is not None else wall > command.expires_at:
            self._refuse(command, "expired", OperationError.EXPIRED)
        else:
            return False
        return True

    def _refuse(self, command: UnlockDoor | LockDoor, why: str, failure: OperationError) -> None:
        self.log.write("refused", device=self.name, command=command.id, why=why)
        self._fail(command, failure)

    def _fail(self, command: UnlockDoor | LockDoor, failure: OperationError) -> None:
        if "silent" not in self.faults:
            self.publish(ErrorReport(id=command.id, failure=failure))

    def _moved(self, cause: str) -> None:
        """Handle a movement of the bolt, whatever its cause."""
        self._source = _SOURCES.get(cause, OperationSource.REMOTE)
        self._jammed = self._reports_locked = False
        self._commanded_state = None
        if stale := self.seconds("stale_after_action"):
            self._stale = (LockState.UNLOCKED if self._doorway.thrown else LockState.LOCKED, time.monotonic() + stale)
            self.do(self._publish_after(stale))
        if self._relocking is not None:
            self._relocking.cancel()
            self._relocking = None
        if self._plan.relock_s is not None and not self._doorway.thrown:
            loop = asyncio.get_running_loop()
            self._relocking = loop.call_later(self._plan.relock_s, self._throw)
        self._publish_state()

    def _throw(self) -> None:
        self._doorway.move_bolt(thrown=True, cause=ITSELF)

    def _publish_state(self) -> None:
        """Report the state now, or as late as its fault requires."""
        if slow := self.seconds("slow_report"):
            self.do(self._publish_after(slow))
        else:
            self._publish_now()

    async def _publish_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._publish_now()

    def _publish_now(self) -> None:
        if "silent" not in self.faults:
            self.publish(self._report())

    def _publish_battery(self, correlation: bytes | None, suffix: TopicSuffix) -> None:
        if self._vendor.DEFINITION.battery:
            level = BatteryLevel(str(self.faults.get("battery", "good")))
            self.publish(BatteryReport(level=level), correlation=correlation, suffix=suffix)

    def _report(self) -> LockReport:
        bolt = LockState.LOCKED if self._doorway.thrown else LockState.UNLOCKED
        if self._reports_locked:
            bolt = LockState.LOCKED
        elif self._commanded_state is not None:
            bolt = self._commanded_state
        elif self._stale is not None and time.monotonic() < self._stale[1]:
            bolt = self._stale[0]
        elif self._jammed and self._vendor.DEFINITION.jam_hides_position:
            bolt = LockState.UNKNOWN
        return LockReport(bolt=bolt, motion=BoltMotion.IDLE, jammed=self._jammed, source=self._source)

    def misbehave(self, fault: str) -> None:
        """Do the actions; a jam that ends does so at once."""
        if fault == "throw":
            self._throw()
        elif fault == "unlock_by_itself":
            self._doorway.move_bolt(thrown=False, cause=FROM_AFAR)
        elif fault in ("jam", "jam_says_locked") and fault not in self.faults:
            self._jammed = self._reports_locked = False
            self._publish_state()
        elif fault == "battery":
            self.on_up()

    async def reboot(self) -> None:
        """Reboot; a lock with the fault `replays` then repeats its last command, as if it had just come."""
        if self._relocking is not None:
            self._relocking.cancel()
        await super().reboot()
        if self._last_command is not None and "replays" in self.faults:
            self.execute(self._last_command)

    def physical(self) -> Mapping[str, object]:
        """Return the bolt's state."""
        return {"bolt": "thrown" if self._doorway.thrown else "withdrawn", "in_air": self._doorway.in_air}

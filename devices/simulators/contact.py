"""Simulates a contact that reports whether the door is closed, independent of the lock."""

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from devices.commands import Command
from devices.reports import DoorReport, DoorState
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.doorway import Doorway
from devices.simulators.house import DoorPlan
from devices.simulators.thing import Thing
from devices.vendors.words import TopicSuffix


class Contact(SimulatedDevice):
    """Reports every movement of the door.

    Faults: stuck (always reports the state at the begin of the fault), silent (neither reports nor answers), loses_open
    (an opening is not reported, only answered), lies_closed (always reports closed).
    """

    NOUN = "contact"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {
        "stuck": True,
        "silent": True,
        "loses_open": True,
        "lies_closed": True,
    }

    def __init__(self, name: str, plan: DoorPlan, site: DeviceSite) -> None:
        self._plan = plan
        self._leaf: Doorway | Thing = site.doorway if plan.of is None else site.things[plan.of]
        self._stuck_open = False
        super().__init__(name, plan, plan.vendor, site)
        self._leaf.leaf_moved.append(self._moved)

    def begin(self) -> None:
        """Start the heartbeat, if it has one."""
        if self._plan.heartbeat_s is not None:
            self.do(self._publish_regularly(self._plan.heartbeat_s))

    def on_up(self) -> None:
        """Report the state."""
        self._publish_state()

    def answer(self, correlation: bytes | None) -> None:
        """Answer with the state, if the contact answers queries."""
        if not self._plan.answers or "silent" in self.faults:
            return
        encode = self._vendor.DEFINITION.encode_answer
        if encode is not None and correlation is not None:
            echo = correlation.decode(errors="replace")
            self.link.publish(encode(self._report(), echo, self._device_ref), correlation=correlation)
        else:
            self.publish(self._report(), correlation=correlation, suffix=TopicSuffix.RESULT)

    def execute(self, command: Command) -> None:
        """Do nothing: a contact has nothing to move."""

    def misbehave(self, fault: str) -> None:
        """Remember the state at the beginning of the fault; report the changed value of the contact at once."""
        if fault == "stuck":
            self._stuck_open = self._leaf.open
        if fault == "lies_closed" and self._leaf.open:
            self._publish_state()

    def _moved(self) -> None:
        if not (self._leaf.open and "loses_open" in self.faults):
            self._publish_state()

    def _publish_state(self) -> None:
        if "silent" not in self.faults:
            self.publish(self._report())

    def _report(self) -> DoorReport:
        opened = self._stuck_open if "stuck" in self.faults else self._leaf.open
        if "lies_closed" in self.faults:
            opened = False
        return DoorReport(door=DoorState.OPEN if opened else DoorState.CLOSED)

    async def _publish_regularly(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            self._publish_state()

    def physical(self) -> Mapping[str, object]:
        """Return the position of the door."""
        return {"door": "open" if self._leaf.open else "closed"}

"""What all simulated devices have in common: a link, a vendor's words, faults that can be switched."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from devices.commands import Command
from devices.reports import AvailabilityReport, Report, UnreadablePayload
from devices.simulators.control import Impossible
from devices.simulators.doorway import Doorway
from devices.simulators.house import DeviceAccount, SimulatedBroker
from devices.simulators.link import DeviceLink, DeviceMessage
from devices.simulators.physical_log import PhysicalLog
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix

FaultValue = bool | float | str
BOOT_TIME_S = 0.5  # seconds that a reboot takes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSite:
    """Where a device is put up: the broker it speaks to, the log of its house, the door it is beside, the dice."""

    broker: SimulatedBroker
    log: PhysicalLog
    doorway: Doorway
    seed: int | None


class SimulatedDevice(ABC):
    """One device. `FAULTS` names what can be wrong with it, each with the value that `true` means.

    `ACTIONS` are the mishaps that happen once, when asked for.
    """

    FAULTS: ClassVar[Mapping[str, FaultValue]] = {}
    ACTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, plan: DeviceAccount, vendor: str, site: DeviceSite) -> None:
        self.name, self.log = name, site.log
        self.faults: dict[str, FaultValue] = {}
        self._vendor, self._plate = VENDORS[vendor], plan.plate
        self._group: asyncio.TaskGroup | None = None
        self._doing: set[asyncio.Task[None]] = set()
        self.link = DeviceLink(
            name,
            plan.broker or site.broker,
            plan.secret(name, plan.broker or site.broker),
            online=self._vendor.encode_report(AvailabilityReport(online=True), plan.plate)[0],
            will=self._vendor.encode_report(AvailabilityReport(online=False), plan.plate)[0],
            on_up=self.on_up,
            on_heard=self._heard,
            lag_s=plan.lag_s,
            rng=random.Random(None if site.seed is None else f"{site.seed} {name}"),
        )
        self.log.write("boot", device=name, boot=self.link.boot)

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.begin()
            await self.link.run()

    def begin(self) -> None:
        """Start what it does by itself, at each boot."""
        return

    def on_up(self) -> None:
        """Say what it says when its link comes up."""
        return

    @abstractmethod
    def execute(self, command: Command) -> None:
        """Do what was asked on `set`."""

    @abstractmethod
    def answer(self, correlation: bytes | None) -> None:
        """Answer a query on `result`."""

    @abstractmethod
    def misbehave(self, fault: str) -> None:
        """Notice that a fault was switched, or do one of `ACTIONS`."""

    def physical(self) -> Mapping[str, object]:
        """What is physically true of it, for the control's `state`."""
        return {}

    def publish(self, report: Report, *, correlation: bytes | None = None, channel: TopicSuffix | None = None) -> None:
        """Publish a report in the vendor's words, on the vendor's channel or on `channel`."""
        for letter in self._vendor.encode_report(report, self._plate):
            out = letter if channel is None else replace(letter, suffix=channel)
            self.link.publish(out, correlation=correlation)

    def do(self, work: Coroutine[None, None, None]) -> None:
        """Do something that takes time; a reboot forgets it."""
        if self._group is None:
            raise RuntimeError("a device must run before it can do anything")
        task = self._group.create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    def set_fault(self, fault: str, on: FaultValue) -> None:
        """Switch a fault on or off, or do one of the actions."""
        known = {"duplicates": True, **self.FAULTS}
        if fault not in known and fault not in self.ACTIONS:
            raise Impossible(f"{self.name} has no such fault; it has {', '.join(sorted({*known, *self.ACTIONS}))}")
        if fault in known:
            self._switch(fault, on, known[fault])
        self.log.write("fault", device=self.name, fault=fault, on=on)
        self.link.duplicates = "duplicates" in self.faults
        self.misbehave(fault)

    def _switch(self, fault: str, on: FaultValue, usual: FaultValue) -> None:
        if on is False:
            self.faults.pop(fault, None)
        elif on is True:
            self.faults[fault] = usual
        elif isinstance(usual, str) == isinstance(on, str) and not isinstance(usual, bool):
            self.faults[fault] = on
        else:
            raise Impossible(f"{fault} is on, off, or a value like {usual!r}")

    def seconds(self, fault: str) -> float:
        """How many seconds a fault of time is set to; 0 when it is off."""
        value = self.faults.get(fault, 0.0)
        return float(value) if not isinstance(value, str) else 0.0

    async def reboot(self) -> None:
        """Go down and come back with a new boot id, whatever was being done forgotten."""
        up = self.link.wanted
        self.link.set_up(up=False)
        for task in tuple(self._doing):
            task.cancel()
        await asyncio.sleep(BOOT_TIME_S)
        self.link.begin_boot()
        self.log.write("boot", device=self.name, boot=self.link.boot)
        self.link.set_up(up=up)
        self.begin()

    def _heard(self, message: DeviceMessage) -> None:
        if message.channel is TopicSuffix.GET:
            if not isinstance(
                self._vendor.decode_command(TopicSuffix.GET, message.payload, self._plate), UnreadablePayload
            ):
                self.answer(message.correlation)
            return
        command = self._vendor.decode_command(TopicSuffix.SET, message.payload, self._plate)
        if isinstance(command, UnreadablePayload):
            self.log.write("refused", device=self.name, command=None, why="unreadable")
        elif message.retained:  # it was not said now
            self.log.write("refused", device=self.name, command=getattr(command, "id", None), why="retained")
        else:
            self.execute(command)

"""The base of all simulated devices: a link, a vendor module, and faults that can be switched."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, TypeVar

from devices.commands import Command
from devices.reports import AvailabilityReport, Report, UnreadablePayload
from devices.simulators.control import Impossible
from devices.simulators.doorway import Doorway
from devices.simulators.house import DeviceAccount, SimulatedBroker
from devices.simulators.link import DeviceLink, DeviceMessage
from devices.simulators.physical_log import PhysicalLog
from devices.simulators.thing import Thing
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix

_Thing = TypeVar("_Thing", bound=Thing)
FaultValue = bool | float | str
BOOT_TIME_S = 0.5  # seconds that a reboot takes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSite:
    """A device's surroundings: its broker, the log of its house, its door, and its random generator."""

    broker: SimulatedBroker
    log: PhysicalLog
    doorway: Doorway
    seed: int | None
    things: Mapping[str, Thing] = field(default_factory=dict)
    carriers: dict[str, DeviceLink] = field(default_factory=dict)  # account -> the link that has its connection

    def thing(self, name: str, kind: type[_Thing]) -> _Thing:
        """Return the thing with this name; the house file says that it is there, and of which kind."""
        found = self.things[name]
        if not isinstance(found, kind):
            raise TypeError(f"{name} is no {kind.__name__}")
        return found


class SimulatedDevice(ABC):
    """One device. `FAULTS` names its possible faults, each with the value that `true` means.

    `ACTIONS` are faults that happen once, on request.
    """

    NOUN: ClassVar[str] = "device"  # what an error calls it
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {}
    ACTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, plan: DeviceAccount, vendor: str, site: DeviceSite) -> None:
        self.name, self.log = name, site.log
        self.faults: dict[str, FaultValue] = {}
        self._vendor, self._device_ref = VENDORS[vendor], plan.device_ref
        self._group: asyncio.TaskGroup | None = None
        self._doing: set[asyncio.Task[None]] = set()
        self.link = DeviceLink(
            name,
            plan.broker or site.broker,
            partial(plan.secret, name, plan.broker or site.broker),
            account=plan.account or name,
            topics=plan.topics(name),
            online=self._vendor.encode_report(AvailabilityReport(online=True), plan.device_ref)[0],
            will=self._vendor.encode_report(AvailabilityReport(online=False), plan.device_ref)[0],
            on_up=self.on_up,
            on_heard=self._heard,
            lag_s=plan.lag_s,
            rng=random.Random(None if site.seed is None else f"{site.seed} {name}"),
        )
        if plan.account is not None:
            carrier = site.carriers.setdefault(plan.account, self.link)
            if carrier is not self.link:
                self.link.ride_on(carrier)
        self.log.write("boot", device=name, boot=self.link.boot)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.begin()
            await self.link.run()

    def begin(self) -> None:
        """Start its own activities, at each boot."""
        return

    def on_up(self) -> None:
        """Send its first messages when its link comes up."""
        return

    @abstractmethod
    def execute(self, command: Command) -> None:
        """Execute a command from `set`."""

    @abstractmethod
    def answer(self, correlation: bytes | None) -> None:
        """Answer a query on `result`."""

    @abstractmethod
    def misbehave(self, fault: str) -> None:
        """React to a switched fault, or do one of `ACTIONS`."""

    def physical(self) -> Mapping[str, object]:
        """Return its physical state, for the control's `state`."""
        return {}

    def publish(self, report: Report, *, correlation: bytes | None = None, suffix: TopicSuffix | None = None) -> None:
        """Publish a report in the vendor's format, on `suffix` or else that of the vendor module."""
        for letter in self._vendor.encode_report(report, self._device_ref):
            message = letter if suffix is None else replace(letter, suffix=suffix)
            self.link.publish(message, correlation=correlation)

    def publish_answer(self, reports: Sequence[Report], correlation: bytes | None) -> None:
        """Answer a query with these reports, as the vendor links an answer to its query."""
        definition = self._vendor.DEFINITION
        if definition.encode_answers is not None:
            self.link.publish(definition.encode_answers(reports), correlation=correlation)
            return
        for report in reports:
            with suppress(ValueError):  # the vendor has no word for it
                if definition.encode_answer is not None and correlation is not None:
                    echo = correlation.decode(errors="replace")
                    letter = definition.encode_answer(report, echo, self._device_ref)
                    self.link.publish(letter, correlation=correlation)
                elif definition.correlates:
                    self.publish(report, correlation=correlation, suffix=TopicSuffix.RESULT)
                else:
                    self.publish(report)

    def do(self, work: Coroutine[None, None, None]) -> None:
        """Run something that takes time; a reboot cancels it."""
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
        """Return the seconds to which a fault is set; 0 when it is off."""
        value = self.faults.get(fault, 0.0)
        return float(value) if not isinstance(value, str) else 0.0

    async def reboot(self) -> None:
        """Restart with a new boot id; running activities are cancelled."""
        up = self.link.is_wanted_up
        self.link.set_up(up=False)
        for task in tuple(self._doing):
            task.cancel()
        await asyncio.sleep(BOOT_TIME_S)
        self.link.begin_boot()
        self.log.write("boot", device=self.name, boot=self.link.boot)
        self.link.set_up(up=up)
        self.begin()

    def _heard(self, message: DeviceMessage) -> None:
        if message.suffix is TopicSuffix.GET:
            if not isinstance(
                self._vendor.decode_command(TopicSuffix.GET, message.payload, self._device_ref), UnreadablePayload
            ):
                self.answer(message.correlation)
            return
        command = self._vendor.decode_command(TopicSuffix.SET, message.payload, self._device_ref)
        if isinstance(command, UnreadablePayload):
            self.log.write("refused", device=self.name, command=None, why="unreadable")
        elif message.retained:  # it is an old message
            self.log.write("refused", device=self.name, command=getattr(command, "id", None), why="retained")
        else:
            self.execute(command)

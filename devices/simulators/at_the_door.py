"""Simulates the devices a courier meets beside the door: the scanner with its display, the signal and the speaker."""

import asyncio
from collections.abc import Callable, Mapping
from typing import ClassVar

from devices.commands import Command, SaySentence, SetSignal, ShowResult
from devices.reports import AnswerButtonReport, ScanReport, SignalReport
from devices.simulators.control import Impossible
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.house import ScannerPlan, SignalPlan, SpeakerPlan


class SimulatedScanner(SimulatedDevice):
    """Sends what it reads, and shows what it receives.

    Faults: retains (all its scans are retained, so the broker replays the last one to each new subscriber). Actions:
    replay (the last scan once more).
    """

    NOUN = "scanner"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {"retains": True}
    ACTIONS = frozenset({"replay"})

    def __init__(self, name: str, plan: ScannerPlan, site: DeviceSite) -> None:
        super().__init__(name, plan, plan.vendor, site)
        self._last: ScanReport | None = None
        self._shown = ""

    def scan(self, code: str, event: str | None, *, retain: bool = False) -> None:
        """Read `code`."""
        report = ScanReport(code=code, event=event)
        try:
            letters = self._vendor.encode_report(report, self._device_ref)
        except ValueError as error:
            raise Impossible(str(error)) from error
        self._last = report
        is_retained = retain or "retains" in self.faults
        self.log.write("scan", device=self.name, code=code, event=event, retain=is_retained)
        for letter in letters:
            self.link.publish(letter, retain=is_retained)

    def execute(self, command: Command) -> None:
        """Show the result."""
        if isinstance(command, ShowResult):
            self._shown = command.word if command.place is None else f"{command.word}: {command.place}"
            self.log.write("shown", device=self.name, word=self._shown)

    def answer(self, correlation: bytes | None) -> None:
        """Do nothing: a scanner accepts no queries."""

    def misbehave(self, fault: str) -> None:
        """Repeat the last scan."""
        if fault == "replay" and self._last is not None:
            self.scan(self._last.code, self._last.event)

    def physical(self) -> Mapping[str, object]:
        """Return what its display shows."""
        return {"shown": self._shown}


class SimulatedSignal(SimulatedDevice):
    """Light and buzzer; `changed` is called when they change.

    Faults: dead (neither shows nor sounds nor confirms), silent (works, confirms nothing).
    """

    NOUN = "signal"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {"dead": True, "silent": True}

    def __init__(self, name: str, plan: SignalPlan, site: DeviceSite) -> None:
        super().__init__(name, plan, plan.vendor, site)
        self._latency_s = plan.latency_s
        self._light, self._sound = "off", "none"
        self.changed: list[Callable[[], None]] = []

    @property
    def light(self) -> str:
        """Return the colour that it shows, or off."""
        return self._light

    def press_answer(self, who: str) -> None:
        """Press the button inside."""
        self.log.write("answer", device=self.name, who=who)
        self.publish(AnswerButtonReport())

    def execute(self, command: Command) -> None:
        """Show the light and sound the buzzer."""
        if isinstance(command, SetSignal) and "dead" not in self.faults:
            self.do(self._show(command))

    def misbehave(self, fault: str) -> None:
        """Apply a fault: a dead signal shows nothing."""
        if fault == "dead":
            self._set("off", "none")

    async def _show(self, command: SetSignal) -> None:
        await asyncio.sleep(self._latency_s)
        self._set(command.light.value, command.sound.value)
        self.log.write("signal", device=self.name, id=command.id, light=self._light, sound=self._sound)
        if "silent" not in self.faults:
            self.publish(SignalReport(id=command.id))

    def _set(self, light: str, sound: str) -> None:
        self._light, self._sound = light, sound
        for subscriber in self.changed:
            subscriber()

    def answer(self, correlation: bytes | None) -> None:
        """Do nothing: a signal accepts no queries."""

    def physical(self) -> Mapping[str, object]:
        """Return what it shows."""
        return {"light": self._light, "sound": self._sound}


class SimulatedSpeaker(SimulatedDevice):
    """A loudspeaker: it logs each sentence that it is ordered to say.

    Faults: dead (says nothing).
    """

    NOUN = "speaker"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = {"dead": True}

    def __init__(self, name: str, plan: SpeakerPlan, site: DeviceSite) -> None:
        super().__init__(name, plan, plan.vendor, site)
        self._said = ""

    def execute(self, command: Command) -> None:
        """Say the sentence."""
        if isinstance(command, SaySentence) and "dead" not in self.faults:
            self._said = f"{command.sound.value}-{command.language}"
            self.log.write("sentence", device=self.name, sound=command.sound.value, language=command.language)

    def misbehave(self, fault: str) -> None:
        """Do nothing: a dead speaker is silent from now on."""

    def answer(self, correlation: bytes | None) -> None:
        """Do nothing: a speaker accepts no queries."""

    def physical(self) -> Mapping[str, object]:
        """Return what it said last."""
        return {"said": self._said}

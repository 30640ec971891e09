"""Examinations asked for by several people, as often as they like: one at a time, and a pause between two."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from devices.reports import AlarmPanelReport, PresenceReport
from gateway.installation.diagnostics.finding import Fact, Finding, Said
from gateway.system.clock import Clock

PAUSE: Final = 5.0  # seconds between two: broker, devices and cameras are not asked without end


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, when, and how long it took."""

    findings: tuple[Finding, ...]
    at: datetime
    seconds: float


class Rounds:
    """One kind of examination; `last` is what the newest one has found, None before the first."""

    def __init__(self, look: Callable[[], Awaitable[tuple[Finding, ...]]], clock: Clock) -> None:
        self._look, self._clock = look, clock
        self.last: Examined | None = None
        self._ended: float | None = None
        self._running: asyncio.Task[None] | None = None

    async def again(self) -> bool:
        """Examine anew, or wait for the examination that is under way; False: one has ended only just now."""
        if self._running is None or self._running.done():
            if self._ended is not None and self._clock.now().mono - self._ended < PAUSE:
                return False
            self._running = asyncio.create_task(self._round(), name="examination")
        await asyncio.shield(self._running)  # whoever goes away takes it from nobody else
        return True

    async def _round(self) -> None:
        began = self._clock.now()
        findings = await self._look()
        ended = self._clock.now()
        self.last = Examined(findings, ended.utc, ended.mono - began.mono)
        self._ended = ended.mono


def discreet(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out what says whether somebody is home: a right to diagnostics shows no people."""
    for finding in findings:
        facts = {name: _unpeopled(fact) for name, fact in finding.said.facts.items()}
        yield replace(finding, said=Said(finding.said.key, facts))


def _unpeopled(fact: Fact) -> Fact:
    match fact:
        case tuple():
            return tuple(_unpeopled(one) for one in fact)
        case PresenceReport() | AlarmPanelReport():
            return Said("report.unshown")
        case _:
            return fact

"""Runs examinations one at a time, with a pause between two, however many people request them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.installation.diagnostics.finding import Finding
from gateway.system.clock import Clock

MIN_PAUSE_S: Final = 5.0  # between two examinations, to spare broker, devices and cameras


@dataclass(frozen=True, slots=True)
class ExaminationResult:
    """The findings of one examination, its end, and its duration."""

    findings: tuple[Finding, ...]
    at: datetime
    seconds: float


class ExaminationRunner:
    """Runs one kind of examination; `last` is the newest result, None before the first."""

    def __init__(self, examine: Callable[[], Awaitable[tuple[Finding, ...]]], clock: Clock) -> None:
        self._examine, self._clock = examine, clock
        self.last: ExaminationResult | None = None
        self._ended_mono: float | None = None
        self._running: asyncio.Task[None] | None = None

    async def examine(self) -> bool:
        """Run an examination, or wait for the running one; False: the last one ended less than MIN_PAUSE_S ago."""
        if self._running is None or self._running.done():
            if self._ended_mono is not None and self._clock.now().mono - self._ended_mono < MIN_PAUSE_S:
                return False
            self._running = asyncio.create_task(self._run(), name="examination")
        await asyncio.shield(self._running)  # a cancelled request does not cancel it for the others
        return True

    async def _run(self) -> None:
        began = self._clock.now()
        findings = await self._examine()
        ended = self._clock.now()
        self.last = ExaminationResult(findings, ended.utc, ended.mono - began.mono)
        self._ended_mono = ended.mono

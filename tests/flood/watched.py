"""`python -m tests.flood.watched --home FILE --control SOCKET`: the demo's gateway, with a monitor of its event loop.

Beside the control socket it writes `turns.json` twice a second: the longest turn of the loop since the last reset (a
file `turns.reset` that appears), in seconds of CPU time of the loop's own thread. CPU time, for a machine that has much
else to do stops any process for longer than a turn may last; what a turn computes does not depend on that. `stalls`
counts turns over 100 ms. `rss_kib` is the process' resident memory. What a long turn was at stands in `turns.log`.
"""

import asyncio
import json
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from gateway.demo import rigged

REPORT_INTERVAL_S = 0.5
CHECK_INTERVAL_S = 0.01
STALL_S = 0.1
SAMPLE_AFTER_S = 0.05  # of a turn, after which the loop's thread is looked at


class LoopMonitor:
    """Measures each turn of the loop that it is put on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.turns = self.stalls = 0
        self.longest = self.wall = 0.0
        self._began: float | None = None  # when the turn that runs began to work, by the clock
        self._thread = threading.get_ident()
        self._stack = ""

    def watch(self, loop: asyncio.BaseEventLoop) -> None:
        """Measure all turns of this loop, but for the time for which it waits for something to do."""
        whole_turn = loop._run_once  # type: ignore[attr-defined]  # noqa: SLF001 - no hook tells of a turn
        select = loop._selector.select  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        waited = 0.0

        def timed_select(timeout: float | None) -> Any:  # noqa: ANN401 - the selector's own
            nonlocal waited
            began = time.monotonic()
            try:
                return select(timeout)
            finally:
                self._began = time.monotonic()
                waited = self._began - began

        def turn() -> None:
            cpu, wall = time.thread_time(), time.monotonic()
            whole_turn()
            self._began = None
            self._note(time.thread_time() - cpu, time.monotonic() - wall - waited)

        loop._selector.select = timed_select  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        loop._run_once = turn  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        threading.Thread(target=self._report, daemon=True).start()
        threading.Thread(target=self._sample_stack, daemon=True).start()

    def _note(self, cpu: float, wall: float) -> None:
        self.turns += 1
        self.stalls += cpu > STALL_S
        if cpu > SAMPLE_AFTER_S and self._stack:
            with (self._folder / "turns.log").open("a", encoding="utf-8") as log:
                log.write(f"{cpu:.3f} s of CPU\n{self._stack}\n")
        self._stack = ""
        self.longest, self.wall = max(self.longest, cpu), max(self.wall, wall)

    def _sample_stack(self) -> None:
        """Remember what the loop's thread is at when a turn lasts."""
        while True:
            time.sleep(CHECK_INTERVAL_S)
            began = self._began
            if began is not None and time.monotonic() - began > SAMPLE_AFTER_S:
                frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - no other way to see a thread
                self._stack += "".join(traceback.format_stack(frame)[-6:]) + "--\n"

    def _report(self) -> None:
        while True:
            time.sleep(REPORT_INTERVAL_S)
            reset = self._folder / "turns.reset"
            if reset.exists():
                self.turns = self.stalls = 0
                self.longest = self.wall = 0.0
                reset.unlink()
            said = {
                "turns": self.turns, "stalls": self.stalls, "longest_cpu_s": self.longest, "longest_wall_s": self.wall,
                "rss_kib": _resident(), "at": time.monotonic(),
            }  # fmt: skip
            new = self._folder / "turns.new"
            new.write_text(json.dumps(said), encoding="ascii")
            new.rename(self._folder / "turns.json")


def _resident() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


class MonitoredApp(rigged.RiggedApp):
    """The demo's gateway, whose loop is measured."""

    async def run(self) -> bool:
        """Run as any gateway."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, asyncio.BaseEventLoop)
        monitor = LoopMonitor(self.home.storage.folder)
        loop.call_soon(monitor.watch, loop)
        return await super().run()


if __name__ == "__main__":
    rigged.main(MonitoredApp)

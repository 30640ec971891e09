"""Containment: an unexpected exception ends the work on one input from outside, and nothing else.

If the work on an input from outside (a job, a message, a row, a request, a file) raises an unexpected exception, the
worker sets the input aside, counts and reports it once, and continues with the next one. Only an exception in an
entrance's own decision may end the process. This module is the only place that catches exceptions of every kind. Each
worker handles expected failures itself.

A worker uses `piece` for one piece of work, `keep` for its whole loop, and `RowQuarantine` for rows that its next look
at the store would find again.
"""

import asyncio
import traceback
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from gateway.domain.frozen import Frozen
from gateway.system.backoff import Backoff

RESTART_BACKOFF: Final = Backoff(1.0, 60.0)  # a loop that raises at each start costs one start a minute
STABLE_RUN_S: Final = 60.0  # a loop that ran so long before it raised counts as sound: its delay begins again
MAX_FAULTS: Final = 256  # kinds of faults that are remembered; a kind that was forgotten is reported once more
MAX_ITEM_CHARS: Final = 120  # of an item's name, which a stranger may have chosen, and of other texts of a fault
MAX_PLACE_CHARS: Final = 400

ROW_BACKOFF: Final = Backoff(60.0, 24 * 3600.0)  # a release that fixes the fault finds the row within a day
# Rows of one worker: their ids go into its next statement, and SQLite takes 32,766 values
MAX_QUARANTINED_ROWS: Final = 1_000

_ROOT = Path(__file__).parents[1]


class ContainedFault(Frozen, kw_only=False):
    """One piece of work that raised an unexpected exception.

    `worker`: the loop's name. `item`: the piece's id, printable, at most 120 characters. `error`: the exception's type.
    `text`: its first line, printable. `place`: `module:line` of this package's innermost frame.
    """

    worker: str
    item: str
    error: str
    text: str
    place: str

    @property
    def kind(self) -> tuple[str, str, str]:
        """Faults of one kind have one cause, so they are reported once."""
        return self.worker, self.error, self.place


class ContainedWork:
    """One piece of work, as a context manager. Afterwards `fault` is what it raised, or None if it succeeded."""

    def __init__(
        self, containment: "Containment", worker: str, item: str, foreseen: tuple[type[Exception], ...]
    ) -> None:
        self._containment, self._worker, self._item, self._expected = containment, worker, item, foreseen
        self.fault: ContainedFault | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool:
        """Suppress every unexpected `Exception`. `CancelledError`, `KeyboardInterrupt` and `SystemExit` pass."""
        if not isinstance(error, Exception) or isinstance(error, self._expected):
            return False
        self.fault = self._containment.caught(self._worker, self._item, error)
        return True


class Containment:
    """Counts and reports faults; one for a process.

    `report(fault)` is called for the first fault of each kind, in the event loop, and must not raise. `count(worker)`
    is called for each fault.
    """

    def __init__(
        self,
        *,
        report: Callable[[ContainedFault], None] = lambda _fault: None,
        count: Callable[[str], None] = lambda _worker: None,
    ) -> None:
        self._on_first_fault, self._on_fault = report, count
        self._fault_counts: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def piece(self, worker: str, item: str = "", *, foreseen: tuple[type[Exception], ...] = ()) -> ContainedWork:
        """Contain one piece of a worker's work.

        `foreseen` exceptions pass through: a resource failed (such as an unreachable database), not this input.
        """
        return ContainedWork(self, worker, item, foreseen)

    def caught(self, worker: str, item: str, error: Exception) -> ContainedFault:
        """Count a fault, and log and report it if it is the first of its kind."""
        fault = ContainedFault(
            worker=worker[:MAX_ITEM_CHARS], item=_printable(item)[:MAX_ITEM_CHARS],
            error=type(error).__name__[:MAX_ITEM_CHARS],
            text=_printable(str(error).partition("\n")[0])[:MAX_ITEM_CHARS], place=_place(error)[:MAX_PLACE_CHARS],
        )  # fmt: skip
        before = self._fault_counts.pop(fault.kind, 0)
        self._fault_counts[fault.kind] = before + 1
        if len(self._fault_counts) > MAX_FAULTS:
            self._fault_counts.popitem(last=False)
        self._on_fault(worker)
        if before == 0:
            import structlog  # noqa: PLC0415 - it imports rich, a quarter of the start of a video process, which logs without it

            structlog.get_logger(__name__).error(
                "set_aside", worker=worker, item=fault.item, error=fault.error, why=fault.text, at=fault.place,
                trace="".join(traceback.format_exception(error, limit=-12))[-4_000:],
                todo="please report this: its worker goes on without it",
            )  # fmt: skip
            self._on_first_fault(fault)
        return fault

    async def keep(
        self,
        worker: str,
        run: Callable[[], Coroutine[Any, Any, None]],
        *,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        """Run a worker's loop, and restart it when it raises: after 1 s, then after twice the delay, at most 60 s.

        Returns when the loop returns. `run` must be callable again after it raised.
        """
        delay, clock = RESTART_BACKOFF.first_s, asyncio.get_running_loop().time
        while True:
            began = clock()
            with self.piece(worker, "the loop itself") as piece:
                await run()
            if piece.fault is None:
                return
            if clock() - began >= STABLE_RUN_S:
                delay = RESTART_BACKOFF.first_s
            await sleep(delay)
            delay = RESTART_BACKOFF.next_s(delay)


class RowQuarantine:
    """The rows that one worker skips for now, because its next query would return them again.

    They are kept in memory only. The worker tries each row again after 1 min, then after twice the delay, at most after
    a day, so that a temporary fault, or one that a new release fixes, loses nothing. `monotonic` gives seconds.
    """

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # When each row is tried again (monotonic), and the delay after which that is
        self._rows: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def add(self, row: str) -> None:
        """Leave a row alone. Beyond 1,000 of them the one that was set aside first is tried again."""
        known = self._rows.pop(row, None)
        delay_s = ROW_BACKOFF.first_s if known is None else ROW_BACKOFF.next_s(known[1])
        self._rows[row] = self._monotonic() + delay_s, delay_s
        if len(self._rows) > MAX_QUARANTINED_ROWS:
            self._rows.popitem(last=False)

    def done(self, row: str) -> None:
        """Forget a row that was worked after all."""
        self._rows.pop(row, None)

    def rows(self) -> tuple[str, ...]:
        """List the rows that are not to be tried now."""
        now = self._monotonic()
        return tuple(row for row, (until, _) in self._rows.items() if now < until)

    def __contains__(self, row: str) -> bool:
        return self._monotonic() < self._rows.get(row, (0.0, 0.0))[0]


def _place(error: BaseException) -> str:
    """Name the innermost frame of this package, else the innermost of all, else of the first exception in a group."""
    if isinstance(error, BaseExceptionGroup):
        return _place(error.exceptions[0])
    place = "unknown:0"
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_ROOT) or not place.startswith("gateway/"):
            inside = file.is_relative_to(_ROOT)
            place = f"gateway/{file.relative_to(_ROOT)}:{line}" if inside else f"{file.name}:{line}"
    return place


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)

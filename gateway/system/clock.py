"""The only reader of time in the gateway.

When the time is trusted ("floor": the highest trusted time that was persisted; it never falls):

- Never below the floor.
- Source `ntp`: while the kernel says that a time service keeps its clock, and after that for as long as the hardware's
  drift needs to lose `MAX_HOLDOVER_ERROR_S` seconds (at 100 ppm: 7 days without the internet). A step of the wall
  clock against the
  monotonic one ends trust until the kernel says at a later reading that it is synchronised. (Linux clears its flag by
  itself whenever somebody sets the clock.)
- Source `host`: the word of the machine is taken. A step ends trust until the clock ran on for `SETTLE_TIME_S` seconds.

So a step back is not trusted before the clock has passed the floor again (a window that closed stays closed), and a
step forward never in the moment in which it is seen. A wrong step forward that the source stands by is believed and
raises the floor: nothing in the box can tell it from a right one. After a reboot or a restart nothing proves that the
clock went on undisturbed meanwhile, so only the source's word counts. Times are UTC: zones and summer time are never
asked.
"""

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from gateway.domain.now import Now

EARLIEST_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""No trusted time is older than this program: the floor of a box that never had one."""

STEP_TOLERANCE_S = 1.5  # seconds: more than a leap second, less than any step that matters to a window
MAX_HOLDOVER_ERROR_S = 60.0  # seconds that the clock may be off for want of synchronisation
SETTLE_TIME_S = 60.0  # seconds
FLOOR_INTERVAL = timedelta(minutes=1)  # the floor is persisted at least so often

_MAX_READ_GAP_S = 0.05  # seconds between two readings of one clock that only a pause of this process explains


def machine_time() -> datetime:
    """What the machine says the time is: for certificates, never for a window."""
    return datetime.fromtimestamp(time.time(), UTC)


class ClockSource(Protocol):
    """Who keeps the time (`ntp` or `host`), and by how much the hardware clock may drift."""

    @property
    def source(self) -> Literal["ntp", "host"]:
        """Whose word makes the time trusted."""
        ...

    @property
    def drift_ppm(self) -> float:
        """Parts per million by which it may drift without that."""
        ...


class Clock:
    """Reads the time and says whether to trust it.

    `floor` is the persisted one, None at first start. `keep_floor` persists a higher one (it must not block); it is
    called by `now` once a minute of trusted time and by `mark`. Somebody must call `now` at least each minute.
    `wall` are seconds since 1970, `mono` seconds of CLOCK_MONOTONIC.
    """

    def __init__(  # noqa: PLR0913 - each raw reading can be replaced, by the demo and by tests
        self,
        source: ClockSource,
        *,
        floor: datetime | None,
        keep_floor: Callable[[datetime], None],
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
        synchronised: Callable[[], bool] | None = None,
    ) -> None:
        self._source = source.source
        self._drift = source.drift_ppm / 1e6
        self._floor = max(floor, EARLIEST_TIME) if floor is not None else EARLIEST_TIME
        self._store_floor = keep_floor
        self._wall, self._mono = wall, mono
        self._synchronised = synchronised or kernel_synchronised
        self._baseline: tuple[float, float] | None = None  # (wall, mono) from which the clock is expected to go on
        self._stepped_at: float | None = None
        self._synchronised_at: float | None = None

    @property
    def floor(self) -> datetime:
        """The highest trusted time that was persisted."""
        return self._floor

    def now(self) -> Now:
        """Read both clocks as one."""
        wall, mono = self._read_clocks()
        synchronised = self._source == "ntp" and self._synchronised()  # asked last: a step before clears it
        if self._has_stepped(wall, mono):
            self._baseline, self._stepped_at, self._synchronised_at = (wall, mono), mono, None
        elif synchronised:
            self._baseline, self._synchronised_at = (wall, mono), mono
        utc = datetime.fromtimestamp(wall, UTC)
        now = Now(utc=utc, trusted=utc >= self._floor and self._is_source_trusted(mono), mono=mono)
        if now.trusted and utc - self._floor >= FLOOR_INTERVAL:
            self.mark(now)
        return now

    def mark(self, now: Now) -> None:
        """Raise the floor to a trusted reading, as at an intent; it never goes back."""
        if now.trusted and now.utc > self._floor:
            self._floor = now.utc
            self._store_floor(now.utc)

    def _read_clocks(self) -> tuple[float, float]:
        """Read both clocks without a pause of this process in between, which would look like a step."""
        for _ in range(10):
            before, wall, mono = self._mono(), self._wall(), self._mono()
            if mono - before < _MAX_READ_GAP_S:
                return wall, mono
        return self._wall(), self._mono()

    def _has_stepped(self, wall: float, mono: float) -> bool:
        if self._baseline is None:
            self._baseline = (wall, mono)
        ran = mono - self._baseline[1]
        return abs(wall - self._baseline[0] - ran) > STEP_TOLERANCE_S + self._drift * ran

    def _is_source_trusted(self, mono: float) -> bool:
        match self._source:
            case "ntp":
                at = self._synchronised_at
                return at is not None and (mono - at) * self._drift <= MAX_HOLDOVER_ERROR_S
            case "host":
                return self._stepped_at is None or mono - self._stepped_at >= SETTLE_TIME_S


def read_clock(source: ClockSource) -> Now:
    """Read the time once, with no persisted floor: for a command that runs beside the gateway."""
    return Clock(source, floor=None, keep_floor=lambda _: None).now()


class _Timex(ctypes.Structure):
    """The beginning of Linux's `struct timex` (adjtimex(2)), and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


_STA_UNSYNC_FLAG = 0x0040
_TIME_ERROR_STATE = 5


def kernel_synchronised() -> bool:
    """Whether the kernel says that a time service keeps its clock; False too where it cannot be asked."""
    if _adjtimex is None:
        return False
    timex = _Timex(modes=0)  # only read
    state = _adjtimex(ctypes.byref(timex))
    return state not in (-1, _TIME_ERROR_STATE) and not timex.status & _STA_UNSYNC_FLAG


_adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)

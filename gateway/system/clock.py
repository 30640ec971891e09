"""Reads the time and decides whether to trust it; no other module of the gateway reads a clock.

The floor is the highest trusted time that was stored; it never falls. The time is trusted:

- never below the floor;
- with the source `ntp`, while the kernel reports that a time service synchronises its clock, and afterwards for as long
  as the hardware's drift needs to reach `MAX_HOLDOVER_ERROR_S` (at 100 ppm: 7 days without the internet). A step of the
  wall clock against the monotonic clock ends the trust until the kernel reports synchronisation at a later reading.
  (Linux clears this flag by itself whenever the clock is set.)
- with the source `host`, always, except for `SETTLE_TIME_S` after a step.

So a step back is not trusted before the clock has passed the floor again (a window that closed stays closed), and a
step forward is never trusted at the reading that sees it. A wrong step forward that the source confirms is trusted and
raises the floor, because nothing in the box can tell it from a right one. After a restart nothing proves that the clock
ran undisturbed meanwhile, so only the source counts. Times are UTC; time zones and summer time play no part.
"""

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.domain.now import Now

if TYPE_CHECKING:
    from gateway.system.clock_settings import ClockSection

EARLIEST_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""No trusted time is older than this program: the floor of a box that never had one."""

STEP_TOLERANCE_S = 1.5  # seconds: more than a leap second, less than any step that matters to a window
MAX_HOLDOVER_ERROR_S = 60.0  # seconds that the clock may be wrong without synchronisation
SETTLE_TIME_S = 60.0  # seconds
FLOOR_INTERVAL = timedelta(minutes=1)  # the floor is stored at least this often

_MAX_READ_GAP_S = 0.05  # seconds between two readings of one clock that only a pause of this process explains


def machine_time() -> datetime:
    """Return the machine's time, trusted or not: for certificates, never for a delivery window."""
    return datetime.fromtimestamp(time.time(), UTC)


def boot_time_s() -> float:
    """Return the seconds since the boot, also those of the machine's sleep: what was sent before its sleep is late."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Reads the time and says whether to trust it.

    `floor` is the stored floor, None at the first start. `keep_floor` stores a higher one and must not block; `now`
    calls it once a minute of trusted time, and `mark` calls it. The caller must call `now` at least once a minute.
    `wall` returns seconds since 1970, `mono` seconds of CLOCK_MONOTONIC.
    """

    def __init__(  # noqa: PLR0913 - each raw reading can be replaced, by the demo and by tests
        self,
        source: "ClockSection",
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
        """The highest trusted time that was stored."""
        return self._floor

    def mono(self) -> float:
        """Read the monotonic clock alone, in seconds as `Now.mono` has them: a duration needs no trusted time."""
        return self._mono()

    def now(self) -> Now:
        """Read both clocks and decide whether the time is trusted."""
        wall, mono = self._read_clocks()
        # Read last, because a step before it clears the flag
        synchronised = self._source == "ntp" and self._synchronised()
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
        """Raise the floor to a trusted reading, and store it; it never falls."""
        if self.raise_floor(now):
            self._store_floor(now.utc)

    def raise_floor(self, now: Now) -> bool:
        """Raise the floor to a trusted reading that is stored otherwise; return whether it was lower."""
        if not now.trusted or now.utc <= self._floor:
            return False
        self._floor = now.utc
        return True

    def _read_clocks(self) -> tuple[float, float]:
        """Read both clocks at one instant: a pause of this process between them would look like a step."""
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


def read_clock(source: "ClockSection") -> Now:
    """Read the time once, without a stored floor: for a command that runs beside the gateway."""
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
    """Whether the kernel reports that a time service synchronises its clock; False if it cannot report it."""
    if _adjtimex is None:
        return False
    timex = _Timex(modes=0)  # only read
    state = _adjtimex(ctypes.byref(timex))
    return state not in (-1, _TIME_ERROR_STATE) and not timex.status & _STA_UNSYNC_FLAG


_adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)

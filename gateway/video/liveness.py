"""Decides from packets and decoded pictures whether a camera is live, and until when.

Pure: times are monotonic seconds given by the caller. Two claims are kept apart:

- *live*: packets arrive, timestamps rise, pictures can be decoded and are not black.
- *moving*: something in the picture changed, be it only the burnt-in clock. An empty hall does not move and is live.

Black is a picture without any structure: luma that varies less than a sensor's own noise, outside the burnt-in clock
(which a camera writes over a dead sensor too). A dark hall still shows noise or a lamp's shimmer, so it is live; a
picture in which nothing at all can be told apart proves nothing, so it is a fault.

Frozen is claimed only where a burnt-in clock stands still. Elsewhere a frozen picture cannot be told from an empty
hall; it shows as not moving.
"""

import math

import numpy as np
from numpy.typing import NDArray

from gateway.video.ipc import StreamFault

Luma = NDArray[np.uint8]

STALL_TIMEOUT_S = 0.5  # seconds, or STALL_FRAME_COUNT where pictures come seldom
STALL_FRAME_COUNT = 5
MAX_STUCK_PICTURES = 3  # pictures in a row whose time did not rise
MIN_LUMA_STDDEV = 1.5  # standard deviation of luma: a covered lens has less, noise in the dark more
MIN_MOVEMENT_LUMA = 8.0  # mean difference within a block: a person gives 25, a clock 24, the sensor's noise at most 6
MOVEMENT_TIMEOUT_S = 1.5  # seconds without movement
BLOCK_SIZE_PX = 16  # pixels
MAX_ANALYSED_COLUMNS = 640  # columns that are looked at; wider pictures are thinned out
UNDECODABLE_TIMEOUT_S = 0.5  # seconds of vain tries

Region = tuple[float, float, float, float]


class Liveness:
    """The evidence of one connection to one camera, which began at `now`.

    `full`: every picture is decoded, not only the key pictures.
    """

    def __init__(self, *, clock_region: Region | None, full: bool, now: float) -> None:
        self._clock_region, self.full = clock_region, full
        self._first_packet = self._last_packet = self._rose_at = self._not_black_at = now
        self._packets = self._not_rising = self._failed_decodes = 0
        self._highest = -math.inf
        self._failed_since = now
        self._decoded = self._black = False
        self._moved_at = self._clock_at = -math.inf
        self._previous: Luma | None = None

    @property
    def last_packet(self) -> float:
        """When the newest packet arrived, or when the connection began."""
        return self._last_packet

    def packet(self, now: float, time: float) -> None:
        """A packet with the stream's own time in seconds arrived."""
        self._packets += 1
        if self._packets == 1:
            self._first_packet = now
        self._last_packet = now
        if time > self._highest:
            self._highest, self._rose_at, self._not_rising = time, now, 0
        else:
            self._not_rising += 1

    def undecoded(self, now: float) -> None:
        """A packet went to the decoder and no sound picture came out."""
        self._failed_since = now if self._failed_decodes == 0 else self._failed_since
        self._failed_decodes += 1

    def picture(self, now: float, luma: Luma | None = None) -> None:
        """A sound picture was decoded; with `luma` (rows by columns) it is looked at."""
        self._failed_decodes, self._decoded = 0, True
        if luma is None:
            return
        step = max(1, luma.shape[1] // MAX_ANALYSED_COLUMNS)
        small = np.ascontiguousarray(luma[::step, ::step])
        self._black = float(self._outside_clock(small).std()) < MIN_LUMA_STDDEV
        if not self._black:
            self._not_black_at = now
        previous, self._previous = self._previous, small
        if previous is None or previous.shape != small.shape:
            self._clock_at = now
            return
        changed = block_difference(small, previous)
        if float(changed.max()) > MIN_MOVEMENT_LUMA:
            self._moved_at = now
        if self._clock_region is not None and float(self._inside_clock(changed).max()) > MIN_MOVEMENT_LUMA:
            self._clock_at = now

    def faults(self, now: float) -> dict[StreamFault, float]:
        """What is wrong now, and since when."""
        found: dict[StreamFault, float] = {}
        if now - self._last_packet > max(STALL_TIMEOUT_S, STALL_FRAME_COUNT * self._frame_interval_s()):
            found[StreamFault.STALL] = self._last_packet
        if self._not_rising >= MAX_STUCK_PICTURES:
            found[StreamFault.STUCK_TIMESTAMPS] = self._rose_at
        if self._failed_decodes >= (3 if self.full else 2) and now - self._failed_since >= UNDECODABLE_TIMEOUT_S:
            found[StreamFault.UNDECODABLE] = self._failed_since
        if self._black:
            found[StreamFault.BLACK] = self._not_black_at
        if self._clock_region is not None and self.full and not found and 0 < self._clock_at < now - MOVEMENT_TIMEOUT_S:
            found[StreamFault.FROZEN] = self._clock_at
        return found

    def live(self, now: float) -> bool:
        """Packets, rising timestamps, decodable pictures that show something."""
        return self._decoded and not self.faults(now).keys() - {StreamFault.FROZEN}

    def moving(self, now: float) -> bool:
        """Something in the picture changed within the last moments."""
        return self.live(now) and now - self._moved_at <= MOVEMENT_TIMEOUT_S

    @property
    def stuck_since(self) -> float | None:
        """Since when timestamps stand still; None while they rise."""
        return self._rose_at if self._not_rising >= MAX_STUCK_PICTURES else None

    def _frame_interval_s(self) -> float:
        """The usual seconds between two pictures."""
        return (self._last_packet - self._first_packet) / (self._packets - 1) if self._packets > 1 else 0.0

    def _clock_rows(self, height: int) -> tuple[int, int]:
        """The rows of the clock's region in an array of `height` rows; none where there is no clock."""
        if self._clock_region is None:
            return 0, 0
        _, top, _, tall = self._clock_region
        return int(top * height), min(height, int(np.ceil((top + tall) * height)))

    def _outside_clock(self, luma: Luma) -> Luma:
        """The picture without the rows in which the clock stands."""
        first, last = self._clock_rows(luma.shape[0])
        return np.concatenate((luma[:first:2, ::2], luma[last::2, ::2]))

    def _inside_clock(self, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._clock_region is None:
            return blocks
        left, _, wide, _ = self._clock_region
        first, last = self._clock_rows(blocks.shape[0])
        columns = blocks.shape[1]
        return blocks[first : max(last, first + 1), int(left * columns) : max(1, int(np.ceil((left + wide) * columns)))]


def block_difference(one: Luma, other: Luma) -> NDArray[np.float32]:
    """The mean difference of two pictures of one shape in each block of 16 by 16 pixels; a smaller rest is left out."""
    rows, columns = one.shape[0] // BLOCK_SIZE_PX, one.shape[1] // BLOCK_SIZE_PX
    apart = np.maximum(one, other) - np.minimum(one, other)
    whole = apart[: rows * BLOCK_SIZE_PX, : columns * BLOCK_SIZE_PX]
    lines = whole.reshape(rows, BLOCK_SIZE_PX, columns * BLOCK_SIZE_PX).sum(axis=1, dtype=np.uint32)
    means: NDArray[np.float32] = (
        lines.reshape(rows, columns, BLOCK_SIZE_PX).sum(axis=2) / (BLOCK_SIZE_PX * BLOCK_SIZE_PX)
    ).astype(np.float32)
    return means

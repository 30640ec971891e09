"""Decides from packets and decoded pictures whether a camera is live, and until when.

Pure: the caller passes all times, in monotonic seconds. There are two separate claims:

- *live*: packets arrive, timestamps rise, pictures can be decoded and are not black.
- *moving*: something in the picture changed, if only the burnt-in clock. An empty hall is live and does not move.

A *black* picture has no structure: its luma varies less than a sensor's noise, outside the burnt-in clock (which a
camera also writes over a dead sensor). A dark hall still shows noise or a lamp, so it is live. A picture without
structure proves nothing, so it is a fault.

A picture is *frozen* only if a burnt-in clock stands still. Without a clock, a frozen picture looks like an empty hall,
so it counts as not moving.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.video.ipc import StreamFault

Luma = NDArray[np.uint8]

STALL_TIMEOUT_S = 0.5  # seconds, or STALL_FRAME_COUNT intervals of a slow stream
STALL_FRAME_COUNT = 5
MAX_STUCK_PICTURES = 3  # pictures in a row whose timestamp did not rise
MIN_LUMA_STDDEV = 1.5  # standard deviation of luma: a covered lens has less, noise in the dark more
MIN_MOVEMENT_LUMA = 8.0  # mean difference within a block: a person gives 25, a clock 24, the sensor's noise at most 6
MOVEMENT_TIMEOUT_S = 1.5  # seconds without movement
BLOCK_SIZE_PX = 16
MAX_ANALYSED_COLUMNS = 640  # wider pictures are subsampled
UNDECODABLE_TIMEOUT_S = 0.5  # seconds in which no picture could be decoded

Region = tuple[float, float, float, float]

NO_FAULTS: Final[Mapping[StreamFault, float]] = MappingProxyType({})


class Liveness:
    """What one connection to a camera, which began at `now`, has shown so far.

    `decodes_every_picture`: the caller decodes all pictures, not only the key pictures.
    """

    def __init__(self, *, clock_region: Region | None, decodes_every_picture: bool, now: float) -> None:
        self._clock_region, self._decodes_every_picture = clock_region, decodes_every_picture
        self._first_packet = self._rose_at = self._not_black_at = now
        self.last_packet_at = now  # monotonic seconds
        self._packets = self._not_rising = self._failed_decodes = 0
        self._highest = -math.inf
        self._failed_since = now
        self._decoded = self._black = False
        self._moves_until = self._clock_at = -math.inf
        self._previous: Luma | None = None
        self.faultless_until = now
        """Until when (inclusive) no fault is present unless a packet or a picture comes; -inf if one is present."""
        self._stalls_after = self._is_undecodable_after = self._freezes_after = math.inf
        self._pictures_faultless_until = math.inf  # as `faultless_until`, by pictures alone
        self._update_ends()

    def add_packet(self, now: float, stream_time_s: float) -> None:
        """Record that a packet arrived, with its timestamp in the stream."""
        self._packets += 1
        if self._packets == 1:
            self._first_packet = now
        self.last_packet_at = now
        if stream_time_s > self._highest:
            self._highest, self._rose_at, self._not_rising = stream_time_s, now, 0
        else:
            self._not_rising += 1
        self._update_stall()

    def add_decode_failure(self, now: float) -> None:
        """Record that the decoder returned no valid picture for a packet."""
        self._failed_since = now if self._failed_decodes == 0 else self._failed_since
        self._failed_decodes += 1
        self._update_ends()

    def add_picture(self, now: float, luma: Luma | None = None) -> None:
        """Record that a valid picture was decoded; analyse it if `luma` (rows by columns) is given."""
        self._decoded = True
        if luma is not None:
            self._analyse(now, luma)
        elif not self._failed_decodes:
            return
        self._failed_decodes = 0
        self._update_ends()

    def _analyse(self, now: float, luma: Luma) -> None:
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
            self._moves_until = now + MOVEMENT_TIMEOUT_S
        if self._clock_region is not None and float(self._inside_clock(changed).max()) > MIN_MOVEMENT_LUMA:
            self._clock_at = now

    @property
    def decodes_every_picture(self) -> bool:
        """Whether the caller decodes all pictures, not only the key pictures."""
        return self._decodes_every_picture

    @decodes_every_picture.setter
    def decodes_every_picture(self, every: bool) -> None:
        self._decodes_every_picture = every
        self._update_ends()

    def faults(self, now: float) -> Mapping[StreamFault, float]:
        """Return the present faults, each with the time since when it lasts."""
        if now <= self.faultless_until:  # almost always
            return NO_FAULTS
        faults: dict[StreamFault, float] = {}
        if now > self._stalls_after:
            faults[StreamFault.STALL] = self.last_packet_at
        if self._not_rising >= MAX_STUCK_PICTURES:
            faults[StreamFault.STUCK_TIMESTAMPS] = self._rose_at
        if now > self._is_undecodable_after:
            faults[StreamFault.UNDECODABLE] = self._failed_since
        if self._black:
            faults[StreamFault.BLACK] = self._not_black_at
        if not faults and now > self._freezes_after:
            faults[StreamFault.FROZEN] = self._clock_at
        return faults

    def claims(self, now: float) -> tuple[Mapping[StreamFault, float], bool, bool]:
        """Return `faults`, `is_live` and `is_moving` of one instant."""
        faults, live = self.faults(now), self._decoded
        if faults and faults.keys() != {StreamFault.FROZEN}:
            live = False
        return faults, live, live and now <= self._moves_until

    def is_live(self, now: float) -> bool:
        """Whether packets arrive, timestamps rise, and pictures can be decoded and are not black."""
        return self.claims(now)[1]

    def is_moving(self, now: float) -> bool:
        """Whether the camera is live and its picture changed within `MOVEMENT_TIMEOUT_S`."""
        return self.claims(now)[2]

    def holds_until(self, now: float) -> float:
        """Return until when (inclusive) what holds at `now` holds, unless a packet or a picture comes.

        After that instant faults, `is_live` or `is_moving` may differ.
        """
        ends = (self._stalls_after, self._is_undecodable_after, self._freezes_after, self._moves_until)
        return min((end for end in ends if end >= now), default=math.inf)

    def _update_ends(self) -> None:
        """Compute, after each change, until when the results of the pictures hold; they are read far more often."""
        until = self._is_undecodable_after = self._freezes_after = math.inf
        if self._failed_decodes and self._failed_decodes >= (3 if self._decodes_every_picture else 2):
            until = self._is_undecodable_after = self._failed_since + UNDECODABLE_TIMEOUT_S
        if self._clock_region is not None and self._decodes_every_picture and self._clock_at > 0:
            self._freezes_after = self._clock_at + MOVEMENT_TIMEOUT_S
            until = min(until, self._freezes_after)
        self._pictures_faultless_until = -math.inf if self._black else until
        self._update_stall()

    def _update_stall(self) -> None:
        """Compute, after each packet, until when the results of packets and pictures hold."""
        until = self.last_packet_at + STALL_TIMEOUT_S
        if self._packets > 1:
            interval = (self.last_packet_at - self._first_packet) / (self._packets - 1)
            until = max(until, self.last_packet_at + STALL_FRAME_COUNT * interval)
        self._stalls_after = until
        is_stuck = self._not_rising >= MAX_STUCK_PICTURES
        self.faultless_until = -math.inf if is_stuck else min(until, self._pictures_faultless_until)

    def _clock_rows(self, height: int) -> tuple[int, int]:
        """Return first and last row (exclusive) of the clock's region in `height` rows; (0, 0) without a clock."""
        if self._clock_region is None:
            return 0, 0
        _, top, _, tall = self._clock_region
        return int(top * height), min(height, int(np.ceil((top + tall) * height)))

    def _outside_clock(self, luma: Luma) -> Luma:
        first, last = self._clock_rows(luma.shape[0])
        return np.concatenate((luma[:first:2, ::2], luma[last::2, ::2]))

    def _inside_clock(self, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._clock_region is None:
            return blocks
        left, _, wide, _ = self._clock_region
        first, last = self._clock_rows(blocks.shape[0])
        columns = blocks.shape[1]
        return blocks[first : max(last, first + 1), int(left * columns) : max(1, int(np.ceil((left + wide) * columns)))]


def block_difference(first: Luma, second: Luma) -> NDArray[np.float32]:
    """The mean difference of two pictures of one shape in each block of 16 by 16 pixels; a smaller rest is left out."""
    rows, columns = first.shape[0] // BLOCK_SIZE_PX, first.shape[1] // BLOCK_SIZE_PX
    apart = np.maximum(first, second) - np.minimum(first, second)
    whole = apart[: rows * BLOCK_SIZE_PX, : columns * BLOCK_SIZE_PX]
    lines = whole.reshape(rows, BLOCK_SIZE_PX, columns * BLOCK_SIZE_PX).sum(axis=1, dtype=np.uint32)
    means: NDArray[np.float32] = (
        lines.reshape(rows, columns, BLOCK_SIZE_PX).sum(axis=2) / (BLOCK_SIZE_PX * BLOCK_SIZE_PX)
    ).astype(np.float32)
    return means

"""Keeps the pre-roll of one camera in memory: the last seconds of its packets, in whole groups of pictures."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple


class EncodedPicture(NamedTuple):
    """One encoded picture: its bytes, times in the stream's time base, and when it arrived (monotonic seconds)."""

    data: bytes
    pts: int
    dts: int
    is_key: bool
    arrived_at: float


class PreRollBuffer:
    """Keeps at least the last `pre_roll_s` seconds, from a key picture on, and never more than `max_bytes`.

    `pre_roll_s` may be changed and takes effect at the next picture. With 0 only the newest group is kept.
    """

    def __init__(self, pre_roll_s: float, max_bytes: int = 64 << 20) -> None:
        self.pre_roll_s, self._max_bytes = pre_roll_s, max_bytes
        self._samples: deque[EncodedPicture] = deque()
        self._keys: deque[float] = deque()  # arrival of each stored key picture
        self._bytes = 0

    def __iter__(self) -> Iterator[EncodedPicture]:
        return iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, sample: EncodedPicture) -> None:
        """Append the newest picture; drop the oldest group while the next one still begins before the pre-roll."""
        if not self._samples and not sample.is_key:
            return
        self._samples.append(sample)
        self._bytes += len(sample.data)
        keys = self._keys
        if sample.is_key:
            keys.append(sample.arrived_at)
        while len(keys) > 1 and (keys[1] <= sample.arrived_at - self.pre_roll_s or self._bytes > self._max_bytes):
            self._drop_group()
        if self._bytes > self._max_bytes:
            self.clear()

    def newest_group(self) -> list[EncodedPicture]:
        """Return the newest key picture and all pictures since; an empty list if the buffer is empty."""
        group: list[EncodedPicture] = []
        for sample in reversed(self._samples):
            group.append(sample)
            if sample.is_key:
                break
        return group[::-1]

    def clear(self) -> None:
        """Drop all pictures."""
        self._samples.clear()
        self._keys.clear()
        self._bytes = 0

    def _drop_group(self) -> None:
        self._keys.popleft()
        while True:
            self._bytes -= len(self._samples.popleft().data)
            if self._samples[0].is_key:
                return

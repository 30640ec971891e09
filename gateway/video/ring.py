"""The pre-roll: the last seconds of one camera's packets in memory, in whole groups of pictures."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One encoded picture: its bytes, times in the stream's time base, and when it arrived (monotonic seconds)."""

    data: bytes
    pts: int
    dts: int
    key: bool
    at: float


class PreRollBuffer:
    """Keeps at least the last `pre_roll` seconds, from a key picture on, and never more than `limit` bytes.

    `pre_roll` may change: it is heeded from the next picture on. With 0 only the newest group is kept.
    """

    def __init__(self, pre_roll: float, limit: int = 64 << 20) -> None:
        self.pre_roll, self._max_bytes = pre_roll, limit
        self._samples: deque[EncodedPicture] = deque()
        self._keys: deque[float] = deque()  # arrival of each key picture held
        self._bytes = 0

    def __iter__(self) -> Iterator[EncodedPicture]:
        return iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, sample: EncodedPicture) -> None:
        """Take the newest picture; drop the oldest group while the next one is still older than the pre-roll."""
        if not self._samples and not sample.key:
            return
        self._samples.append(sample)
        self._bytes += len(sample.data)
        if sample.key:
            self._keys.append(sample.at)
        while len(self._keys) > 1 and (self._keys[1] <= sample.at - self.pre_roll or self._bytes > self._max_bytes):
            self._drop_group()
        if self._bytes > self._max_bytes:
            self.clear()

    def newest_group(self) -> list[EncodedPicture]:
        """The newest key picture and all since; none where the ring is empty."""
        group: list[EncodedPicture] = []
        for sample in reversed(self._samples):
            group.append(sample)
            if sample.key:
                break
        return group[::-1]

    def clear(self) -> None:
        """Forget everything."""
        self._samples.clear()
        self._keys.clear()
        self._bytes = 0

    def _drop_group(self) -> None:
        self._keys.popleft()
        while True:
            self._bytes -= len(self._samples.popleft().data)
            if self._samples[0].key:
                return

"""The job's two ends: who scans and receives the unlock, and what both sides know of the codes.

`bench/PEER/scan/N` carries `{"code": "P000007"}`; `bench/PEER/camera/N` and then `bench/PEER/unlock/N` answer it.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator

from tests.bench.wire import LeanClient, connected

CODES = tuple(f"P{number:06}" for number in range(1_000))
WINDOW_S = 7_200.0  # seconds before and after the start in which all codes are expected
TIMEOUT_S = 60.0  # seconds for all answers
FIRST_TIMEOUT_S = 1.0  # seconds until a first scan is repeated: nobody may have subscribed yet


class Scanners:
    """All scanners and locks of all peers."""

    def __init__(self) -> None:
        self.client = LeanClient(self._on_message)
        self._sent: dict[str, float] = {}
        self._took: list[float] = []
        self._all = asyncio.Event()
        self._number = 0

    def _on_message(self, topic: str, _payload: bytes, _correlation: bytes | None, at: float) -> None:
        if (sent := self._sent.pop(topic, None)) is not None:
            self._took.append(at - sent)
            if not self._sent:
                self._all.set()

    async def scan(self, peer: str, many: int = 1, *, within: float = TIMEOUT_S) -> list[float]:
        """So many scans at once, each at an entrance of its own: seconds until each unlock.

        Raises:
            TimeoutError: not all unlocks have come.
        """
        self._sent, self._took = {}, []
        self._all.clear()
        for n in range(many):
            self._number = (self._number + 1) % len(CODES)
            self._sent[f"bench/{peer}/unlock/{n}"] = time.monotonic()
            self.client.publish(f"bench/{peer}/scan/{n}", json.dumps({"code": CODES[self._number]}).encode())
        try:
            async with asyncio.timeout(within):
                await self._all.wait()
        except TimeoutError:
            raise TimeoutError(f"{peer}: {len(self._sent)} of {many} unlocks have not come") from None
        return self._took

    async def until_ready(self, peer: str, within: float = TIMEOUT_S) -> None:
        """Return when a peer answers; TimeoutError: it never does."""
        async with asyncio.timeout(within):
            while True:
                with contextlib.suppress(TimeoutError):
                    await self.scan(peer, within=FIRST_TIMEOUT_S)
                    return


@contextlib.asynccontextmanager
async def connected_scanners(port: int, password: str) -> AsyncIterator[Scanners]:
    """Connect them."""
    scanners = Scanners()
    async with connected(scanners.client, port, "scanners", password):
        await scanners.client.subscribe("bench/+/unlock/+")
        yield scanners

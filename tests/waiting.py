"""Waits for what is expected, instead of sleeping for as long as it usually takes."""

import asyncio
import inspect
from collections.abc import Callable

POLL_INTERVAL_S = 0.01


async def wait_until(holds: Callable[[], object], within: float = 30.0, every: float = POLL_INTERVAL_S) -> None:
    """Wait for what another task or process is to do; the limit is only for a test that fails.

    `holds` is a function or one that returns a coroutine; it is called until its result is true.

    Raises:
        TimeoutError: it did not hold within so many seconds.
    """

    async def held() -> object:
        found = holds()
        return await found if inspect.iscoroutine(found) else found

    async with asyncio.timeout(within):
        while not await held():  # noqa: ASYNC110 - who makes it so knows nothing of this test
            await asyncio.sleep(every)


async def assert_stays(holds: Callable[[], bool], seconds: float, what: str = "it changed") -> None:
    """Watch for so many seconds that something holds, which nothing is expected to change.

    Raises:
        AssertionError: it did not hold at some instant; the message is `what`.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        assert holds(), what
        await asyncio.sleep(POLL_INTERVAL_S)
    assert holds(), what

"""Ends a running box by a signal or from within."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable


@contextlib.asynccontextmanager
async def until_stopped(*, signals: bool) -> AsyncIterator[Callable[[], bool]]:
    """Run the block until SIGTERM or SIGINT, or what it is given is called: the first ends it without an error.

    What it is given returns whether it was the first. Without `signals` it is the only way.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT) if signals else ()
    told = False

    def stop() -> bool:
        nonlocal told
        if told or task is None:
            return False
        told = True
        task.cancel()
        return True

    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield stop
    except asyncio.CancelledError:
        if not told or task is None:
            raise
        task.uncancel()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)

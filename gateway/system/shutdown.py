"""Ends a running process by a signal or from within."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable


@contextlib.asynccontextmanager
async def until_stopped(*, signals: bool) -> AsyncIterator[Callable[[], bool]]:
    """Run the block until SIGTERM, SIGINT or a call of the yielded function; the first one ends it without an error.

    The yielded function returns whether it was the first. Without `signals` only the function ends the block.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT) if signals else ()
    is_stopping = False

    def stop() -> bool:
        nonlocal is_stopping
        if is_stopping or task is None:
            return False
        is_stopping = True
        task.cancel()
        return True

    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield stop
    except asyncio.CancelledError:
        if not is_stopping or task is None:
            raise
        task.uncancel()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)

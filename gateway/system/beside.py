"""Runs coroutines beside a block."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def run_beside(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these coroutines until the block is left; an exception of one of them is raised then."""
    tasks = [asyncio.ensure_future(work) for work in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        done, _ = await asyncio.wait(tasks)
        for task in done:
            if not task.cancelled():
                task.result()

"""A theatre for tests, with its page on 127.0.0.1."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from gateway.demo.page.runner import DemoRunner
from gateway.demo.page.script import make_show
from gateway.demo.page.site import DemoSite
from gateway.demo.run import DemoObserver


@dataclass(frozen=True)
class RunningPage:
    """The page is served and whatever is pressed is played."""

    theatre: DemoRunner
    address: str


@asynccontextmanager
async def serve_page(folder: Path, *, lan: bool = False, plays: bool = True) -> AsyncIterator[RunningPage]:
    """Serve it until left; nothing is left running then. `plays` False: it shows only what the test shows."""
    numbers = count(1)

    def folder_for(_title: str) -> Path:
        made = folder / str(next(numbers))
        made.mkdir()
        return made

    theatre = DemoRunner(
        folder_for,
        lambda: datetime.now(UTC),
        fast=True,
        language="en",
        make_show=make_show,
        make_observer=lambda _scenario: DemoObserver(),
    )
    async with DemoSite(theatre, lan=lan) as site:
        running = asyncio.create_task(theatre.run() if plays else asyncio.sleep(0))
        try:
            yield RunningPage(theatre, site.address)
        finally:
            running.cancel()
            await asyncio.wait([running])

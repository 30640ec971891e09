"""A theatre for tests, with its page on 127.0.0.1."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from gateway.demo.page.site import Site
from gateway.demo.page.theatre import Theatre
from gateway.demo.run import Audience


@dataclass(frozen=True)
class Open:
    """The page is served and whatever is pressed is played."""

    theatre: Theatre
    address: str


@asynccontextmanager
async def opened(folder: Path, *, lan: bool = False) -> AsyncIterator[Open]:
    """Serve it until left; nothing is left running then."""
    numbers = count(1)

    def folder_for(_title: str) -> Path:
        made = folder / str(next(numbers))
        made.mkdir()
        return made

    theatre = Theatre(
        folder_for,
        lambda: datetime.now(UTC),
        fast=True,
        language="en",
        seats=lambda _scenario: nullcontext(Audience()),
    )
    async with Site(theatre, lan=lan) as site:
        running = asyncio.create_task(theatre.run())
        try:
            yield Open(theatre, site.address)
        finally:
            running.cancel()
            await asyncio.wait([running])

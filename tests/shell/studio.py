"""A box's pages with real cameras behind them."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.processes import end_stranger
from gateway.video.client import VideoLink
from gateway.video.ipc import Configure
from tests.filmset.cameras import CameraSet
from tests.shell.box import awake, box, running
from tests.shell.house import home
from tests.shell.parts import until
from tests.shell.site import Served, served


@dataclass
class Studio:
    """A box's pages, whose cameras are real."""

    site: Served
    link: VideoLink


@asynccontextmanager
async def studio(folder: Path, cameras: CameraSet) -> AsyncIterator[Studio]:
    async with box(folder, home(folder)) as made, awake(made):
        names = {"cam": "front", "hall": "hall"}
        sources = tuple(cameras.source(of).model_copy(update={"name": name}) for name, of in names.items())
        socket = folder / "video.sock"
        link = VideoLink(
            command=(sys.executable, "-m", "gateway.video", "--socket", str(socket)),
            socket=socket,
            configure=Configure(cameras=sources, pre_roll=1.0, folder=str(folder / "films")),
        )
        try:
            async with running(link.run()), served(made, link=link) as site:
                await until(lambda: link.connected)
                yield Studio(site, link)
        finally:
            await end_stranger(
                socket.with_suffix(".pid")
            )  # it would watch on for a minute, the next test's cameras too

"""A box's pages with real cameras behind them."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.config.home import Home
from gateway.demo.processes import stop_detached
from gateway.video.client import VideoClient
from gateway.video.ipc import ConfigureCameras
from tests.filmset.cameras import CameraSet
from tests.shell.box import box, run_box, run_tasks
from tests.shell.house import make_home
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until


@dataclass
class CameraSite:
    """A box's pages, whose cameras are real."""

    site: ServedSite
    link: VideoClient


@asynccontextmanager
async def serve_with_cameras(
    folder: Path, cameras: CameraSet, *, house: Home | None = None, time: ManualTime | None = None
) -> AsyncIterator[CameraSite]:
    async with box(folder, house or make_home(folder), time=time) as made, run_box(made):
        names = {"cam": "front", "hall": "hall"}
        sources = tuple(cameras.source(of).model_copy(update={"name": name}) for name, of in names.items())
        socket = folder / "video.sock"
        link = VideoClient(
            command=(sys.executable, "-m", "gateway.video", "--socket", str(socket)),
            socket=socket,
            configure=ConfigureCameras(cameras=sources, pre_roll=1.0, folder=str(folder / "films")),
        )
        try:
            async with run_tasks(link.run()), serve_site(made, link=link) as site:
                await wait_until(lambda: link.is_connected)
                yield CameraSite(site, link)
        finally:
            # It would watch on for a minute, the next test's cameras too
            await stop_detached(socket.with_suffix(".pid"))

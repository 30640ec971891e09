"""Simulated cameras behind a real RTSP server, in a process of their own, so that they do not disturb who measures.

`python -m tests.bench.cameras` serves all of `tests.filmset`, prints its port, and reads lines: a camera and a mode
(`front frozen`; also `off` and `on`). It answers each with the instant (CLOCK_MONOTONIC) at which it was so.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from typing import get_args

from devices.simulators.camera import Mode
from devices.simulators.sight import CLOCK_REGION
from gateway.video.ipc import CameraSource
from tests.filmset.cameras import camera_set


class CameraServer:
    """The cameras of the other process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, names: tuple[str, ...]) -> None:
        self._process, self._port, self.names = process, port, names

    def url(self, name: str) -> str:
        """Where a camera's stream is."""
        return f"rtsp://127.0.0.1:{self._port}/{name}"

    def source(self, name: str, *, sees_courier: bool = True) -> CameraSource:
        """How the video process is told of a camera."""
        region = CLOCK_REGION if name == "front" else None
        return CameraSource(name=name, url=self.url(name), clock_region=region, sees_courier=sees_courier)

    async def behave(self, name: str, mode: str) -> float:
        """Switch a camera's mode; returns since when it is so."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name} {mode}\n".encode())
        return float(await self._process.stdout.readline())


@contextlib.asynccontextmanager
async def cameras(*names: str) -> AsyncIterator[CameraServer]:
    """Put them on the air."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.cameras", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield CameraServer(process, int(await process.stdout.readline()), names)
    finally:
        process.stdin.close()
        await process.wait()


def main() -> None:
    """Serve until the input ends."""
    with camera_set() as cameras:
        sys.stdout.write(f"{cameras.port}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            name, word = line.split()
            camera = cameras.cameras[name]
            for mode in get_args(Mode):
                if word == mode:
                    camera.set_mode(mode)
            at = time.monotonic()  # stopping waits for a thread, the connections are cut after it
            if word == "off":
                camera.stop()
            elif word == "on":
                camera.start()
                at = time.monotonic()
            sys.stdout.write(f"{at}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

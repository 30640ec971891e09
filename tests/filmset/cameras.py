"""Simulated cameras behind a real RTSP server, in a loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from devices.simulators.backdrop import View
from devices.simulators.camera import SimulatedCamera
from devices.simulators.rtsp import RtspServer
from devices.simulators.sight import CLOCK_REGION
from gateway.video.ipc import CameraSource

INSIDE = View(inside=True)


class CameraSet:
    """`front` sees the street and has a burnt-in clock; `hall` (day) and `night` are still and have none."""

    def __init__(self) -> None:
        self.front = SimulatedCamera("front", burnt_in_clock=True, scene="moving", seed=1)
        self.hall = SimulatedCamera("hall", burnt_in_clock=False, scene="static_hall", seed=2, view=INSIDE)
        self.night = SimulatedCamera("night", burnt_in_clock=False, scene="noisy_night", seed=3, view=INSIDE)
        self.cameras = {camera.name: camera for camera in (self.front, self.hall, self.night)}
        self.port = 0

    def source(self, name: str) -> CameraSource:
        """How the video process is told of a camera."""
        region = CLOCK_REGION if name == "front" else None
        return CameraSource(name=name, url=f"rtsp://127.0.0.1:{self.port}/{name}", clock_region=region)

    def calm(self) -> None:
        """All cameras as they were at first."""
        for camera in self.cameras.values():
            camera.start()
            camera.set_mode("live")
            camera.person(present=False)
            camera.hide_label()


@contextmanager
def camera_set() -> Iterator[CameraSet]:
    """The cameras, on the air."""
    cameras = CameraSet()
    for camera in cameras.cameras.values():
        camera.start()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="rtsp")
    thread.start()
    server = RtspServer(cameras.cameras)
    cameras.port = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result()
    try:
        yield cameras
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        for camera in cameras.cameras.values():
            camera.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

"""Cameras that nobody here wrote: GStreamer's RTSP server, in a process of its own."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.video.ipc import CameraSource

SERVER = Path(__file__).with_name("server.py")
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's, whose packages bring GStreamer


@dataclass(frozen=True, kw_only=True)
class CameraModel:
    """What kind of camera it is. `certificate` and `key` are PEM files: then it speaks RTSPS."""

    port: int
    codec: Literal["h264", "h265"] = "h264"
    size: tuple[int, int] = (640, 360)
    sound: Literal["", "pcma", "aac"] = ""
    reordered: bool = False  # with pictures that are sent before those shown earlier (B-frames)
    user: str = ""
    password: str = ""
    certificate: str = ""
    key: str = ""


class ForeignCamera:
    """One camera. It serves at `url` whenever it is on."""

    def __init__(self, make: CameraModel) -> None:
        self.make = make
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"rtsp{'s' if self.make.certificate else ''}://127.0.0.1:{self.make.port}/cam"

    def source(self, **more: object) -> CameraSource:
        """How the video process is told of it; its name is `front` where no other is given."""
        return CameraSource.model_validate({"name": "front", "url": self.url, **more})

    def on(self) -> None:
        """Switch it on, and wait until it serves. What it is told stands in no command line."""
        self._process = subprocess.Popen(
            (SYSTEM_PYTHON, str(SERVER)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._say(asdict(self.make))
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "serves\n"

    def off(self) -> None:
        """Cut its power."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None

    def becomes(self, **other: object) -> None:
        """Another make stands in its place from the next time that it is on."""
        self.make = replace(self.make, **other)  # type: ignore[arg-type]  # replace() checks the names

    def resize(self, width: int, height: int) -> None:
        """Send pictures of another size, in the middle of the stream."""
        self._say({"size": [width, height]})

    def _say(self, words: dict[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()


@contextmanager
def foreign_camera(**make: object) -> Iterator[ForeignCamera]:
    """A camera that is on, on a port of its own, until this is left."""
    camera = ForeignCamera(CameraModel(port=free_port(), **make))  # type: ignore[arg-type]  # Make names them
    try:
        camera.on()
        yield camera
    finally:
        camera.off()

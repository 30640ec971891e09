"""A simulated camera: draws a scene, encodes it as H.264 and passes the access units to its listeners.

It encodes only while it has a listener, so a house full of cameras costs nothing at rest. Its faults are those of real
cameras: a frozen or black picture, packets that stop, timestamps that stand still, connections that are cut.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from typing import Literal

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from devices.simulators.backdrop import View
from devices.simulators.planes import Luma
from devices.simulators.scene import Scene, label_picture
from devices.simulators.sight import Figure, SceneKind, Sight, Spot, Symbology

Mode = Literal["live", "frozen", "black", "stall", "stuck_timestamps", "garbled", "reset"]
RTP_CLOCK_HZ = 90_000  # RTP's clock for video (RFC 6184)
SPS, PPS = 7, 8  # H.264 NAL unit types
LISTENER_POLL_S = 0.02  # seconds between looks for a listener


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture: its NAL units without start codes, its RTP time, whether a decoder may start here."""

    nals: tuple[bytes, ...]
    rtp_time: int
    key: bool
    at: datetime


Listener = Callable[[AccessUnit | None], None]
"""Called in the camera's thread with each access unit; None: the connection is cut, send nothing any more."""


class SimulatedCamera:
    """One camera. `start` and `stop` may alternate any number of times; a stopped camera is off the network.

    Modes: `live`; `frozen` repeats the last picture; `black` is a covered lens; `stall` sends nothing; with
    `stuck_timestamps` all pictures have one instant; `garbled` sends noise for pictures; `reset` cuts all connections
    once and is live again at once.
    """

    def __init__(  # noqa: PLR0913  what a camera is made of
        self,
        name: str,
        *,
        width: int = 640,
        height: int = 360,
        fps: int = 15,
        burnt_in_clock: bool,
        scene: SceneKind,
        seed: int,
        view: View = View(),  # noqa: B008 - immutable
        zone: tzinfo = UTC,
    ) -> None:
        """`zone`: of the house, for the clock's text and for day and night."""
        self.name, self.width, self.height, self.fps = name, width, height, fps
        self.sps = self.pps = b""
        self._view = view
        self._scene = Scene(
            name=name, width=width, height=height, kind=scene, burnt_in_clock=burnt_in_clock, seed=seed, view=view,
            zone=zone,
        )  # fmt: skip
        self._mode: Mode = "live"
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._ending = threading.Event()
        self._key_wanted = True
        self._thread: threading.Thread | None = None
        self._still: Luma | None = None
        self._stuck_at = 0

    @property
    def running(self) -> bool:
        """Return whether it is switched on."""
        return self._thread is not None

    @property
    def heard(self) -> bool:
        """Return whether it has a listener."""
        return bool(self._listeners)

    def start(self) -> None:
        """Switch on; return once the stream's parameter sets are known. Do nothing if it is on."""
        if self._thread is not None:
            return
        self._ending.clear()
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name=f"camera {self.name}", daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Switch off and cut all connections."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._ending.set()
        thread.join()
        self._cut()

    def set_mode(self, mode: Mode) -> None:
        """Use this mode from the next picture on."""
        self._mode = "live" if mode == "reset" else mode
        if mode == "reset":
            self._cut()

    def rehearse(self) -> None:
        """Draw a delivery before there is one, as a house does that is about to be looked at. Takes a moment."""
        self._scene.rehearse(datetime.now(UTC))

    def show(self, sight: Sight) -> None:
        """Show this from the next picture on."""
        self._scene.sight = sight

    def person(self, present: bool) -> None:
        """Show the house by day, with a courier in front of the lens if `present`, else without a person."""
        spot = Spot.ROOM if self._view.inside else Spot.LENS
        self.show(Sight(figures=(Figure("courier", (spot,), carries=True),) if present else ()))

    def show_label(self, code: str, symbology: Symbology = "code128", *, tilt: float = 0.0) -> None:
        """Hold a parcel's label into the picture, turned by `tilt` degrees."""
        width = self.width * 3 // 4 if symbology == "code128" else self.width // 5
        self._scene.label = label_picture(code, symbology, width=width, tilt=tilt)

    def hide_label(self) -> None:
        """Take the label away."""
        self._scene.label = None

    def listen(self, listener: Listener) -> None:
        """Pass access units to `listener`; the first one comes soon and is a key picture."""
        with self._lock:
            self._listeners.add(listener)
            self._key_wanted = True

    def leave(self, listener: Listener) -> None:
        """Stop passing access units to `listener`."""
        with self._lock:
            self._listeners.discard(listener)

    def _cut(self) -> None:
        with self._lock:
            cut, self._listeners = self._listeners, set()
        for listener in cut:
            listener(None)

    def _run(self) -> None:
        encoder = h264_encoder(self.width, self.height, self.fps)
        began, number = time.monotonic(), 0
        while not self._ending.is_set():
            if self._ready.is_set() and not self._listeners:
                self._ending.wait(LISTENER_POLL_S)
                began, number = time.monotonic(), 0
                continue
            self._picture(encoder)
            number += 1
            self._ending.wait(max(0.0, began + number / self.fps - time.monotonic()))

    def _picture(self, encoder: VideoCodecContext) -> None:
        """Draw, encode and pass on one picture. RTP time follows the machine's clock over every restart."""
        at, rtp_time = datetime.now(UTC), int(time.monotonic() * RTP_CLOCK_HZ)
        mode = self._mode
        self._still = self._draw(mode, at)
        frame = av.VideoFrame.from_ndarray(self._still, format="yuv420p")
        frame.pts, frame.time_base = rtp_time, Fraction(1, RTP_CLOCK_HZ)
        with self._lock:
            if self._key_wanted:
                frame.pict_type = PictureType.I
            self._key_wanted = False
        if mode != "stuck_timestamps":
            self._stuck_at = rtp_time
        for packet in encoder.encode(frame):
            nals = split_nals(bytes(packet))
            self._keep_parameter_sets(nals)
            self._ready.set()
            if mode == "garbled":
                nals = tuple(_garbled(nal) for nal in nals)
            if mode != "stall":
                self._distribute(AccessUnit(nals, self._stuck_at & 0xFFFFFFFF, packet.is_keyframe, at))

    def _draw(self, mode: Mode, at: datetime) -> Luma:
        if mode == "black":
            return self._scene.black()
        if mode == "frozen" and self._still is not None:
            return self._still
        return self._scene.draw(at)

    def _keep_parameter_sets(self, nals: tuple[bytes, ...]) -> None:
        for nal in nals:
            if nal[0] & 31 == SPS:
                self.sps = nal
            elif nal[0] & 31 == PPS:
                self.pps = nal

    def _distribute(self, unit: AccessUnit) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(unit)


def h264_encoder(width: int, height: int, fps: int) -> VideoCodecContext:
    """Return an encoder as those of small cameras: no delay, one picture a packet, a key picture every second."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, RTP_CLOCK_HZ), Fraction(fps)
    encoder.thread_count = 1
    encoder.gop_size = fps
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        "crf": "28",
        "x264-params": f"keyint={fps}:min-keyint={fps}:scenecut=0:repeat-headers=1:threads=1",
    }
    return encoder


def split_nals(stream: bytes) -> tuple[bytes, ...]:
    """Return the NAL units of an H.264 byte stream (Annex B), without their start codes."""
    nals, begin = [], stream.find(b"\0\0\1")
    while begin >= 0:
        end = stream.find(b"\0\0\1", begin + 3)
        nals.append(stream[begin + 3 :] if end < 0 else stream[begin + 3 : end].rstrip(b"\0"))
        begin = end
    return tuple(nals)


def _garbled(nal: bytes) -> bytes:
    """Return a unit of the same kind and length that no decoder can use; parameter sets stay whole."""
    return nal if nal[0] & 31 in {SPS, PPS} else nal[:1] + b"\xff" * (len(nal) - 1)

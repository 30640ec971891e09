"""A clock that a test turns, and honest recorders in the place of broker and cameras."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.mqtt.packets import Acknowledgement, NotSent, Sent
from gateway.system.clock import Clock
from gateway.system.clock_settings import ClockSection
from gateway.video.ipc import CameraProof, ClipKey
from tests.gateway.domain.delivery.shop import NOON


@dataclass
class ManualTime:
    """Both clocks of a box, moved by hand; `skew` is a step of the wall clock."""

    mono: float = 100.0
    skew: float = 0.0
    floors: list[datetime] = field(default_factory=list)

    def wall(self) -> float:
        return NOON.timestamp() + self.mono - 100.0 + self.skew

    def clock(self) -> Clock:
        return Clock(
            ClockSection(source="host"),
            floor=None,
            keep_floor=self.floors.append,
            wall=self.wall,
            mono=lambda: self.mono,
        )


@dataclass(frozen=True)
class PublishedMessage:
    """One message that left."""

    topic: str
    payload: bytes
    fields: Mapping[str, Any]


@dataclass
class FakePublisher:
    """Takes what is published; what it says no to never leaves. Acknowledges at once, unless it is slow."""

    sent: list[PublishedMessage] = field(default_factory=list)
    refuses: Callable[[str, bytes], NotSent | None] = lambda _topic, _payload: None
    slow: bool = False
    waiting: list[asyncio.Future[Acknowledgement]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, **fields: Any) -> Sent | NotSent:  # noqa: ANN401 - of a PUBLISH
        why = self.refuses(topic, payload)
        if why is not None:
            return why
        self.sent.append(PublishedMessage(topic, payload, fields))
        acknowledged: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        if self.slow:
            self.waiting.append(acknowledged)
        else:
            acknowledged.set_result(Acknowledgement(code=0, seconds=0.001))
        return Sent(acknowledged)

    def cut(self) -> None:
        """The broker is gone; nobody knows what it still took."""
        self.refuses = lambda _topic, _payload: NotSent.NO_BROKER
        for future in self.waiting:
            future.set_result(Acknowledgement(code=None, seconds=1))
        self.waiting.clear()

    def mend(self) -> None:
        self.refuses, self.slow = lambda _topic, _payload: None, False

    def on(self, topic: str) -> list[PublishedMessage]:
        return [one for one in self.sent if one.topic == topic]


@dataclass
class FakeCameras:
    """The cameras: their newest proofs, and what they were asked to film."""

    proofs: dict[str, CameraProof] = field(default_factory=dict)
    filmed: list[tuple[ClipKey, tuple[str, ...], str]] = field(default_factory=list)
    finished: list[tuple[ClipKey, bool]] = field(default_factory=list)
    rings: list[tuple[str, bool, tuple[str, ...]]] = field(default_factory=list)
    jpeg: bytes | None = b"\xff\xd8 a picture"

    def record(self, clip: ClipKey, cameras: tuple[str, ...], folder: str) -> None:
        self.filmed.append((clip, cameras, folder))

    def finish(self, clip: ClipKey, *, keep: bool) -> None:
        self.finished.append((clip, keep))

    async def take_picture(self, camera: str, timeout_s: float = 1.0) -> bytes | None:
        assert camera
        assert timeout_s > 0
        return self.jpeg

    def watch(self, cameras: tuple[str, ...], *, on: bool, labels: tuple[str, ...] = ()) -> None:
        self.rings += [(camera, on, labels) for camera in cameras]

    def see(self, camera: str, at: float, *clips: ClipKey, live: bool = True, moving: bool = True) -> None:
        self.proofs[camera] = CameraProof(camera=camera, at=at, live=live, moving=moving, recordings=clips)

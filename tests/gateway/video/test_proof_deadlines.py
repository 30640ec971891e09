"""No change of a proof is missed, though nothing looks at a camera between two deadlines.

Three links: evidence says until when it holds, a camera says until when its status holds, and the process asks again
at that instant. What a packet changes, the camera's thread reports.
"""

import asyncio
import io
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream
from hypothesis import given
from hypothesis import strategies as st

from devices.simulators.sight import CLOCK_REGION
from gateway.video import camera as module
from gateway.video import process as process_module
from gateway.video.camera import CameraReader, CameraStatus
from gateway.video.held_folder import HeldSocket
from gateway.video.ipc import FROM_VIDEO_ADAPTER, CameraProof, CameraSource, ClipKey, ConfigureCameras, StreamFault
from gateway.video.liveness import STALL_TIMEOUT_S, Liveness
from gateway.video.process import VideoProcess
from gateway.video.recording import CameraContext
from tests.waiting import wait_until

RATE = 10  # pictures a second
FAR_AWAY_S = 3600.0
VISIT = ClipKey(visit="visit-1", part=1)
FIRST = CameraStatus(live=True, moving=True, recordings=(), faults=(), unopened=None)
THEN = CameraStatus(live=False, moving=False, recordings=(), faults=(StreamFault.STALL,), unopened=None)

dice = np.random.default_rng(7)
NOISE = dice.integers(0, 255, (64, 64), np.uint8)
OTHER_NOISE = dice.integers(0, 255, (64, 64), np.uint8)
BLACK = np.zeros((64, 64), np.uint8)
HAPPENINGS: dict[str, Callable[[Liveness, float, float], None]] = {
    "a packet": lambda evidence, now, stream_time: evidence.add_packet(now, stream_time),
    "a packet of the same time": lambda evidence, now, _: evidence.add_packet(now, 0.0),
    "a picture unseen": lambda evidence, now, _: evidence.add_picture(now),
    "a picture": lambda evidence, now, _: evidence.add_picture(now, NOISE),
    "another picture": lambda evidence, now, _: evidence.add_picture(now, OTHER_NOISE),
    "a black picture": lambda evidence, now, _: evidence.add_picture(now, BLACK),
    "no picture": lambda evidence, now, _: evidence.add_decode_failure(now),
}


def seen(evidence: Liveness, now: float) -> tuple[bool, bool, frozenset[StreamFault]]:
    return evidence.is_live(now), evidence.is_moving(now), frozenset(evidence.faults(now))


@given(
    happenings=st.lists(st.tuples(st.sampled_from(sorted(HAPPENINGS)), st.sampled_from((0.01, 0.07, 0.4, 1.7)))),
    clock=st.booleans(),
    full=st.booleans(),
    silences=st.lists(st.floats(0.001, 3.0), min_size=1, max_size=8),
)
def test_what_evidence_shows_holds_until_the_instant_that_it_names(
    happenings: list[tuple[str, float]], *, clock: bool, full: bool, silences: list[float]
) -> None:
    now = 100.0
    evidence = Liveness(clock_region=CLOCK_REGION if clock else None, decodes_every_picture=full, now=now)
    for what, after in happenings:
        now += after
        HAPPENINGS[what](evidence, now, now)
    for silence in silences:
        until = evidence.holds_until(now)
        assert until >= now
        then = now + silence
        for instant in (min(then, until), min((now + then) / 2, until)):
            assert seen(evidence, instant) == seen(evidence, now)
        now = then


def test_a_fault_is_present_just_after_the_instant_until_which_there_was_none() -> None:
    evidence = Liveness(clock_region=None, decodes_every_picture=True, now=0.0)
    evidence.add_packet(1.0, 1.0)
    evidence.add_picture(1.0, NOISE)
    assert (evidence.faultless_until, evidence.holds_until(1.0)) == (1.0 + STALL_TIMEOUT_S,) * 2
    assert not evidence.faults(1.0 + STALL_TIMEOUT_S)
    assert evidence.faults(math.nextafter(1.0 + STALL_TIMEOUT_S, 2.0)) == {StreamFault.STALL: 1.0}
    for _ in range(3):
        evidence.add_packet(1.1, 1.0)
    assert evidence.faultless_until == -math.inf


def stream_of_pictures() -> bytes:
    """Two seconds of noise that moves, with a key picture a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": str(RATE), "bf": "0", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(2 * RATE):
            picture = np.repeat(np.roll(NOISE, number * 8, 0)[..., None], 3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[CameraReader, list[float]]]:
    """A camera whose stream arrives at once and is then silent, and when its thread reported a change."""
    silence, changes, source = threading.Event(), list[float](), stream_of_pictures()

    def stream(_source: CameraSource) -> Iterator[tuple[VideoStream, "Packet[VideoStream] | None"]]:
        with av.open(io.BytesIO(source), "r") as container:
            video = container.streams.video[0]
            yield video, None
            for packet in container.demux(video):
                if packet.size:
                    yield video, packet
            silence.wait(60)

    monkeypatch.setattr(module, "read_packets", stream)
    context = CameraContext(
        root=tmp_path, pre_roll_s=2.0, film_sync_s=0.25, utc_now=lambda: datetime.now(UTC),
        publish=lambda _message: None,
        on_change=lambda: changes.append(time.monotonic()), crash_point=lambda _point: None,
    )  # fmt: skip
    reader = CameraReader(CameraSource(name="front", url="rtsp://127.0.0.1:1/live"), context)
    try:
        yield reader, changes
    finally:
        silence.set()
        reader.stop()


def taken(reader: CameraReader, now: float) -> tuple[CameraStatus, float]:
    status = reader.take_status(now)
    assert status is not None
    return status


async def test_a_camera_names_each_instant_at_which_its_status_changes_without_a_packet(
    camera: tuple[CameraReader, list[float]],
) -> None:
    reader, changes = camera
    reader.record(VISIT, "visit-1")
    await wait_until(lambda: bool(changes))
    await wait_until(lambda: taken(reader, time.monotonic())[0].moving)
    reader.watch(on=True)
    now = time.monotonic()
    reader.watch(on=False, linger_s=30.0)
    statuses: list[CameraStatus] = []
    while now < math.inf:
        status, until = taken(reader, now)
        statuses.append(status)
        between = now + 0.5 * (min(until, now + 60) - now)
        assert taken(reader, between)[0] == taken(reader, min(until, now + 60))[0] == status
        now = math.nextafter(until, math.inf)
    statuses = [one for one, before in zip(statuses, [None, *statuses], strict=False) if one != before]
    assert [(one.live, one.moving, one.recordings, one.faults) for one in statuses] == [
        (True, True, (VISIT,), ()),
        (False, False, (VISIT,), (StreamFault.STALL,)),
        (False, False, (), (StreamFault.STALL,)),
    ]


async def test_a_camera_reports_what_differs_from_the_status_that_was_taken_last_and_nothing_else(
    camera: tuple[CameraReader, list[float]],
) -> None:
    reader, changes = camera
    reader.watch(on=True)
    await wait_until(lambda: len(changes) == 1 + 2 * RATE)  # the connection and each picture: none was taken
    assert taken(reader, time.monotonic())[0].live
    reported = len(changes)
    reader._notify_change(time.monotonic(), is_wanted=reader.is_wanted)  # noqa: SLF001 - as after a packet
    assert len(changes) == reported
    stalled = time.monotonic() + STALL_TIMEOUT_S + 1.0
    taken(reader, stalled)
    reader._notify_change(time.monotonic(), is_wanted=reader.is_wanted)  # noqa: SLF001 - the packet that ends a stall
    assert len(changes) == reported + 1
    reader.watch(on=False)
    reader._notify_change(time.monotonic(), is_wanted=reader.is_wanted)  # noqa: SLF001 - nobody wants its status
    assert len(changes) == reported + 1


class AnnouncedCamera:
    """A camera whose status changes at one instant, which it named before."""

    is_wanted = True
    source = CameraSource(name="front", url="rtsp://127.0.0.1:1/live")

    def __init__(self) -> None:
        self.changes_at = math.inf
        self.busy = 0
        self.on_stop: Callable[[], None] = lambda: None

    def watch(self, *, on: bool, linger_s: float) -> None:
        """Is no test's matter."""

    def stop(self) -> None:
        self.on_stop()

    def take_status(self, now: float) -> tuple[CameraStatus, float] | None:
        if self.busy:
            self.busy -= 1
            return None
        return (FIRST, self.changes_at) if now <= self.changes_at else (THEN, math.inf)


class Told(VideoProcess):
    """A video process that only notes what it would send."""

    def __init__(self, camera: AnnouncedCamera, folder: Path) -> None:
        super().__init__(folder / "video.sock", utc=lambda: datetime.now(UTC), idle_timeout_s=FAR_AWAY_S)
        self._cameras["front"] = cast("CameraReader", camera)
        self.told: list[CameraProof] = []
        self.proofs = asyncio.Event()

    def _write(self, lines: bytes) -> None:
        for line in lines.splitlines():
            message = FROM_VIDEO_ADAPTER.validate_json(line)
            assert isinstance(message, CameraProof)
            self.told.append(message)
        self.proofs.set()

    async def next_proof(self) -> CameraProof:
        await self.proofs.wait()
        self.proofs.clear()
        return self.told[-1]

    @contextmanager
    def publishing(self) -> Iterator[None]:
        task = asyncio.create_task(self._publish_proofs(cast("HeldSocket", Held())))
        try:
            yield
        finally:
            task.cancel()

    async def configure_anew(self, request: ConfigureCameras) -> None:
        """As if the gateway sent another configuration."""
        await self._configure(request)

    def look(self) -> None:
        """As if a camera's thread reported a change."""
        self._look.set()


class Held:
    is_reachable = True


@pytest.fixture
def announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[AnnouncedCamera, Told]:
    """No proof is due and no check wakes the process: only a deadline or a report does."""
    monkeypatch.setattr(process_module, "PROOF_INTERVAL_S", FAR_AWAY_S)
    monkeypatch.setattr(process_module, "PLACE_CHECK_INTERVAL_S", FAR_AWAY_S)
    camera = AnnouncedCamera()
    return camera, Told(camera, tmp_path)


async def test_the_process_tells_a_change_at_the_instant_that_a_camera_named(
    announced: tuple[AnnouncedCamera, Told],
) -> None:
    camera, process = announced
    camera.changes_at = time.monotonic() + 0.1
    with process.publishing():
        async with asyncio.timeout(30):
            assert (await process.next_proof()).live
            proof = await process.next_proof()
    assert (proof.live, proof.faults) == (False, (StreamFault.STALL,))
    assert proof.at > camera.changes_at
    assert len(process.told) == 2


async def test_the_process_tells_a_change_that_a_cameras_thread_reports(
    announced: tuple[AnnouncedCamera, Told],
) -> None:
    camera, process = announced
    with process.publishing():
        async with asyncio.timeout(30):
            assert (await process.next_proof()).live
            camera.changes_at = time.monotonic()
            process.look()
            assert not (await process.next_proof()).live


async def test_a_camera_that_the_configuration_has_no_longer_proves_nothing_from_before_it_is_stopped(
    announced: tuple[AnnouncedCamera, Told], tmp_path: Path
) -> None:
    camera, process = announced
    told_before_stop: list[CameraProof] = []
    camera.on_stop = lambda: told_before_stop.extend(process.told)
    with process.publishing():
        async with asyncio.timeout(30):
            assert (await process.next_proof()).live
            await process.configure_anew(ConfigureCameras(cameras=(), folder=str(tmp_path / "films")))
    assert [proof.live for proof in told_before_stop] == [True, False]
    assert len(process.told) == 2


async def test_a_camera_whose_lock_a_slow_disk_holds_proves_nothing_and_is_asked_again(
    announced: tuple[AnnouncedCamera, Told],
) -> None:
    camera, process = announced
    camera.busy = 3
    with process.publishing():
        async with asyncio.timeout(30):
            assert (await process.next_proof()).live
    assert camera.busy == 0

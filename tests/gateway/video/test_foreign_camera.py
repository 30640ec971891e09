"""Cameras that nobody here wrote (GStreamer's RTSP server), filmed by a real video process."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import av
import pytest

from gateway.video.ipc import (
    CameraSource,
    ClipBegun,
    ClipFacts,
    ClipKey,
    ClipsClosed,
    ConfigureCameras,
    RecordClip,
    StreamFault,
    WatchCameras,
)
from gateway.video.stream import read_packets
from tests.filmset.films import check_clip
from tests.filmset.talk import VideoProcess, VideoSession, video_process
from tests.foreign import foreign_camera
from tests.wire import TcpRelay

pytestmark = pytest.mark.slow

KEY = ClipKey(visit="visit-1", part=1)


@contextmanager
def filming(place: Path, *sources: CameraSource) -> Iterator[tuple[VideoProcess, VideoSession]]:
    """A video process that films these cameras, each proven live before and with a film on disk."""
    names = tuple(source.name for source in sources)
    with video_process(place) as process, VideoSession(process.socket) as talk:
        talk.say(ConfigureCameras(cameras=sources, pre_roll=2.0, folder=str(process.films)))
        talk.say(WatchCameras(cameras=names, on=True))
        for name in names:
            live(talk, name)
        talk.say(RecordClip(clip=KEY, cameras=names, folder="films/visit-1"))
        for name in names:
            begun(talk, name)
        yield process, talk


def live(talk: VideoSession, name: str = "front") -> None:
    talk.proof(name, lambda proof: proof.live)


def begun(talk: VideoSession, name: str = "front", *, film: int = 1) -> None:
    talk.wait(ClipBegun, lambda begun: begun.path == f"films/visit-1/{name}-1-{film}.mp4")


def times_and_sizes(film: Path) -> tuple[list[float], set[tuple[int, int]]]:
    """When each picture of a film is shown, and how large they are."""
    with av.open(str(film)) as container:
        frames = [(float(frame.time or 0), (frame.width, frame.height)) for frame in container.decode(video=0)]
    return [at for at, _ in frames], {size for _, size in frames}


def played(process: VideoProcess, facts: ClipFacts) -> tuple[list[float], set[tuple[int, int]]]:
    check_clip(process.films, facts)
    return times_and_sizes(process.films / facts.path)


def test_sound_is_never_asked_for_and_no_film_has_any(tmp_path: Path) -> None:
    with foreign_camera(sound="aac") as front, foreign_camera(sound="pcma", reordered=True) as hall:
        wire = TcpRelay(front.make.port)
        tapped = front.source().model_copy(update={"url": f"rtsp://127.0.0.1:{wire.port}/cam"})
        try:
            with filming(tmp_path, tapped, hall.source(name="hall")) as (process, talk):
                for name in ("front", "hall"):
                    process.grows(f"films/visit-1/{name}-1-1.mp4")
                closed = talk.finish("visit-1")
        finally:
            wire.close()

    asked = [line for line in bytes(wire.seen).split(b"\r\n") if line.startswith(b"SETUP ")]
    assert len(asked) == 1, "its pictures, and nothing else"
    assert {facts.camera for facts in closed.clips} == {"front", "hall"}
    for facts in closed.clips:
        times, sizes = played(process, facts)  # one stream only, and it is pictures
        assert sizes == {(640, 360)}
        assert len(times) > 10
        assert max(later - earlier for earlier, later in pairwise(times)) < 0.2, "no hole that nobody declared"


def test_a_first_picture_that_bears_no_time_is_filmed_in_its_place(tmp_path: Path) -> None:
    with foreign_camera() as front:
        stream = read_packets(front.source())
        assert next(stream)[1] is None
        first = next(stream)[1]
        assert first is not None
        assert (first.pts, first.dts) == (None, None), "as GStreamer's cameras begin"
        del stream
        with filming(tmp_path, front.source()) as (process, talk):
            closed = talk.finish("visit-1")

    (facts,) = closed.clips
    times, _ = played(process, facts)
    assert times[0] == 0.0
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.2
    assert abs((facts.end - facts.start).total_seconds() - (times[-1] - times[0])) < 0.5


def test_a_camera_that_lost_power_and_comes_back_with_another_size_gets_a_film_of_its_own(tmp_path: Path) -> None:
    with foreign_camera(sound="pcma") as front, filming(tmp_path, front.source()) as (process, talk):
        front.off()
        talk.proof("front", lambda proof: not proof.live and bool(proof.faults))
        front.becomes(size=(320, 240))
        front.on()
        live(talk)
        begun(talk, film=2)
        process.grows("films/visit-1/front-1-2.mp4", 1)
        closed = talk.finish("visit-1")

    parts(process, closed, why=StreamFault.RESET)


def test_a_connection_that_ends_within_a_picture_leaves_no_part_of_one_in_the_film(tmp_path: Path) -> None:
    """The films are played by a decoder that accepts no damaged picture."""
    cuts = range(9_000, 25_000, 4_000)
    with foreign_camera() as front:
        wire = TcpRelay(front.make.port)
        tapped = front.source().model_copy(update={"url": f"rtsp://127.0.0.1:{wire.port}/cam"})
        try:
            with filming(tmp_path, tapped) as (process, talk):
                for film, size in enumerate(cuts, 2):
                    wire.cut_after(size)
                    begun(talk, film=film)
                closed = talk.finish("visit-1")
        finally:
            wire.close()

    assert len(closed.clips) == len(cuts) + 1
    for facts in closed.clips:
        played(process, facts)
    ends = pairwise(closed.clips)
    assert [(hole.start, hole.end, hole.why) for _, hole in closed.gaps] == [
        (before.end, after.start, StreamFault.RESET) for before, after in ends
    ]


def test_pictures_that_change_their_size_in_mid_stream_never_spoil_a_film(tmp_path: Path) -> None:
    with foreign_camera() as front, filming(tmp_path, front.source()) as (process, talk):
        front.resize(320, 240)
        talk.proof("front", lambda proof: not proof.live)
        live(talk)
        begun(talk, film=2)
        process.grows("films/visit-1/front-1-2.mp4", 1)
        closed = talk.finish("visit-1")

    parts(process, closed, why=StreamFault.CHANGED)


def parts(process: VideoProcess, closed: ClipsClosed, *, why: StreamFault) -> None:
    """Two films, each of pictures of one size, and the hole between them declared."""
    before, after = closed.clips
    assert played(process, before)[1] == {(640, 360)}
    assert played(process, after)[1] == {(320, 240)}
    ((camera, hole),) = closed.gaps
    assert (camera, hole.start, hole.end, hole.why) == ("front", before.end, after.start, why)

"""A real full disk, and films that cannot be named or are deleted."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.video.ipc import CameraProof, ClipBegun, ClipKey, RecordClip, StreamFault, WatchCameras
from gateway.video.recording import DISK_RETRY_DELAY_S
from tests.filmset.cameras import CameraSet
from tests.filmset.films import check_clip
from tests.filmset.talk import video_process
from tests.smalldisk import small_disk

pytestmark = pytest.mark.slow

VISIT = ClipKey(visit="visit-1", part=1)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", "1m") as place:
        yield place


def handles(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_full_disk_is_a_fault_and_a_declared_hole_and_the_camera_goes_on(
    tmp_path: Path, small: Path, cameras: CameraSet
) -> None:
    ballast = small / "ballast"
    ballast.write_bytes(bytes(850_000))
    with video_process(tmp_path, films=small) as process, process.talk(cameras, "front", pre_roll=1.0) as talk:
        talk.say(WatchCameras(cameras=("front",), on=True))
        talk.proof("front", lambda proof: proof.live)
        talk.say(RecordClip(clip=VISIT, cameras=("front",), folder="visit-1"))
        first = talk.wait(ClipBegun)
        talk.proof("front", lambda proof: StreamFault.DISK in proof.faults)
        proof = talk.proof("front", lambda proof: proof.recording is None)
        assert proof.live, "it goes on watching"
        assert proof.moving
        held = handles(process.process.pid)
        time.sleep(DISK_RETRY_DELAY_S + 0.5)  # it tries again in vain
        assert handles(process.process.pid) <= held + 1, "a file that cannot be made is not kept open"
        since = len(talk.heard)
        ballast.unlink()
        second = talk.wait(ClipBegun, since=since)
        talk.wait(
            CameraProof, lambda proof: proof.recording == VISIT and StreamFault.DISK not in proof.faults, since=since
        )
        closed = talk.finish("visit-1")
        for facts in closed.clips:
            check_clip(small, facts)

    assert first.path == closed.clips[0].path
    assert second.path == closed.clips[-1].path
    assert len(closed.clips) >= 2
    assert {(name, gap.why) for name, gap in closed.gaps} == {("front", StreamFault.DISK)}
    assert closed.gaps[0][1].start == closed.clips[0].end


def test_a_film_that_cannot_be_named_is_declared_missing_and_found_when_the_disk_is_well_again(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.say(WatchCameras(cameras=("front",), on=True))
        talk.proof("front", lambda proof: proof.live)
        talk.say(RecordClip(clip=ClipKey(visit="visit-1", part=1), cameras=("front",), folder="films/visit-1"))
        film = talk.wait(ClipBegun).path
        in_the_way = process.films / film
        in_the_way.mkdir()
        process.grows(film)
        closed = talk.finish("visit-1")
        assert closed.clips == ()
        ((name, hole),) = closed.gaps
        assert (name, hole.why) == ("front", StreamFault.DISK)

        in_the_way.rmdir()
        (facts,) = talk.finish("visit-1").clips
    check_clip(process.films, facts)
    assert not list(process.films.rglob("*.part"))


def test_a_running_film_that_is_deleted_proves_nothing_any_more_and_another_one_begins(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.say(WatchCameras(cameras=("front",), on=True))
        talk.proof("front", lambda proof: proof.live)
        talk.say(RecordClip(clip=VISIT, cameras=("front",), folder="films/visit-1"))
        first = talk.wait(ClipBegun).path
        talk.proof("front", lambda proof: proof.recording == VISIT)
        since = len(talk.heard)
        (process.films / f"{first}.part").unlink()
        talk.wait(CameraProof, lambda proof: proof.recording is None and StreamFault.DISK in proof.faults, since=since)
        second = talk.wait(ClipBegun, since=since).path
        assert second != first
        talk.wait(CameraProof, lambda proof: proof.recording == VISIT, since=since)
        closed = talk.finish("visit-1")

    kept = [facts for facts in closed.clips if facts.path == second]
    assert len(kept) == 1
    check_clip(process.films, kept[0])
    assert not (process.films / first).exists()

"""The video process is killed at each named point: what was filmed plays, and what is missing is declared."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.video.clip import CRASH_POINTS
from gateway.video.ipc import ClipBegun, ClipKey, FinishClip, RecordClip, StreamFault, WatchCameras
from gateway.video.sidecar import SidecarEnd, SidecarLink, read_sidecar, sidecar_path
from tests.filmset.cameras import CameraSet
from tests.filmset.films import chain_of, check_clip, decode_film, sidecar_chain
from tests.filmset.talk import video_process

pytestmark = pytest.mark.slow

VISIT = ClipKey(visit="visit-1", part=1)
RECORD = RecordClip(clip=VISIT, cameras=("front",), folder="films/visit-1")
WATCH = WatchCameras(cameras=("front",), on=True)


@pytest.mark.parametrize("point", ["before-first-fragment", "after-first-fragment", "before-link"])
def test_a_process_killed_while_a_film_begins(point: str, tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path, kill_at=point) as process, process.talk(cameras, "front") as talk:
        talk.say(WATCH)
        talk.proof("front", lambda proof: proof.live)
        talk.say(RECORD)
        assert process.process.wait_at_most(30) == -signal.SIGKILL
        assert not any(isinstance(words, ClipBegun) for words in talk.heard), "begun is said only when it is on disk"

    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.say(WATCH)
        talk.say(RECORD)
        talk.wait(ClipBegun)
        closed = talk.finish("visit-1")

    assert not list(process.films.rglob("*.part"))
    assert len(closed.clips) == (1 if point == "before-first-fragment" else 2)
    for facts in closed.clips:
        check_clip(process.films, facts)
    ((name, hole),) = closed.gaps
    assert (name, hole.why, hole.end) == ("front", StreamFault.INTERRUPTED, closed.clips[-1].start)
    assert hole.start <= closed.clips[0].end


@pytest.mark.parametrize("point", ["before-close", "after-close-before-rename", "after-rename"])
def test_a_process_killed_while_a_film_ends(point: str, tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path, kill_at=point) as process, process.talk(cameras, "front") as talk:
        talk.say(WATCH)
        talk.proof("front", lambda proof: proof.live)
        talk.say(RECORD)
        process.grows(talk.wait(ClipBegun).path)
        talk.say(FinishClip(clip=VISIT, keep=True))
        assert process.process.wait_at_most(30) == -signal.SIGKILL

    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        closed = talk.finish("visit-1")
        assert talk.finish("visit-1").clips == closed.clips

    (facts,) = closed.clips
    played = check_clip(process.films, facts)
    assert played.times[-1] - played.times[0] > timedelta(seconds=0.7)
    assert not list(process.films.rglob("*.part"))
    assert [gap.why for _, gap in closed.gaps] == ([StreamFault.INTERRUPTED] if point == "before-close" else [])


def test_every_kill_point_is_tried() -> None:
    assert set(CRASH_POINTS) == {
        "before-first-fragment",
        "after-first-fragment",
        "before-link",
        "before-close",
        "after-close-before-rename",
        "after-rename",
    }


@pytest.mark.parametrize(("film_sync_s", "unlinked"), [(0.25, 1), (1.0, 4)])
def test_a_film_that_is_killed_at_any_moment_plays_and_loses_less_than_a_second(
    film_sync_s: float, unlinked: int, tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front", film_sync_s=film_sync_s) as talk:
        talk.say(WATCH)
        talk.proof("front", lambda proof: proof.live)
        talk.say(RECORD)
        begun = talk.wait(ClipBegun)
        process.grows(begun.path, 4)
        killed = datetime.now(UTC)
        process.end(signal.SIGKILL)
        left = process.films / f"{begun.path}.part"
        told = sidecar_chain(left)
        links, torn = chain_of(left)
        if torn:  # the kill came in the middle of a write: a player may stumble at the very end, we cut it off
            os.truncate(left, left.stat().st_size - torn)

    assert told == links[: len(told)]
    assert len(links) - len(told) <= unlinked
    before = decode_film(left)
    assert killed - before.times[-1] < timedelta(seconds=1)

    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        closed = talk.finish("visit-1")

    (facts,) = closed.clips
    ((_, hole),) = closed.gaps
    assert (hole.start, hole.why) == (facts.end, StreamFault.INTERRUPTED)
    after = check_clip(process.films, facts)
    assert after.times == before.times
    assert abs(facts.end - after.times[-1]) < timedelta(seconds=0.5)
    end = read_sidecar(sidecar_path(process.films / facts.path))[-1]
    assert isinstance(end, SidecarEnd)
    assert end.why is StreamFault.INTERRUPTED


def test_bytes_changed_while_no_process_lived_are_kept_and_declared(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.say(WATCH)
        talk.proof("front", lambda proof: proof.live)
        talk.say(RECORD)
        begun = talk.wait(ClipBegun)
        process.grows(begun.path, 3)
        process.end(signal.SIGKILL)
    left = process.films / f"{begun.path}.part"
    *_, vouched = (line for line in read_sidecar(sidecar_path(left)) if isinstance(line, SidecarLink))
    data = bytearray(left.read_bytes())
    data[vouched.end_byte - 100] ^= 1  # what the kill cut off behind it nobody vouched for
    left.write_bytes(data)

    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        (facts,) = talk.finish("visit-1").clips

    assert [gap.why for gap in facts.gaps] == [StreamFault.DISK]
    assert (process.films / facts.path).exists()

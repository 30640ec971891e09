"""One video process for a folder, and only while a gateway can find it there."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.runtime.maintenance import factory_reset
from gateway.video.held_folder import AlreadyRunning, HeldFolder, end_by_socket, hold_socket
from gateway.video.ipc import ClipBegun, ClipKey, ConfigureCameras, RecordClip, StreamFault
from gateway.video.sidecar import SidecarEnd, read_sidecar, sidecar_path
from tests.filmset.cameras import CameraSet
from tests.filmset.films import check_clip
from tests.filmset.talk import VideoProcess, VideoSession, video_process

END_S = 15  # seconds: it ends within about one; the rest is for a loaded machine
VISIT = ClipKey(visit="visit-1", part=1)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A storage folder, in which sockets and films lie together as in a real box."""
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


def filming(process: VideoProcess, talk: VideoSession) -> Path:
    """Film with the camera of the hall; return the film's path after it is closed."""
    talk.say(RecordClip(clip=VISIT, cameras=("hall",), folder="visits/visit-1"))
    begun = talk.wait(ClipBegun)
    process.grows(begun.path, 1)
    return process.films / begun.path


def end_of(film: Path) -> SidecarEnd:
    end = read_sidecar(sidecar_path(film))[-1]
    assert isinstance(end, SidecarEnd)
    return end


def wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + END_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_a_process_whose_folder_was_moved_aside_ends_and_leaves_the_next_ones_socket_alone(box: Path) -> None:
    aside = box.with_name("aside")
    with video_process(box) as old:
        with VideoSession(old.socket):
            pass
        box.rename(aside)
        box.mkdir()
        with video_process(box) as new, VideoSession(new.socket) as talk:
            assert old.process.wait_at_most(END_S) == 0
            assert talk.adopted.pid == new.process.pid
            assert int((box / "video.pid").read_text()) == new.process.pid
            with VideoSession(new.socket) as another:
                assert another.adopted.pid == new.process.pid
            assert list(aside.iterdir()) == [], "it takes its own sockets and pid file along"


@pytest.mark.slow
def test_its_films_are_closed_in_the_folder_that_was_moved_and_none_begins_at_the_old_path(
    box: Path, cameras: CameraSet
) -> None:
    aside = box.with_name("aside")
    with video_process(box, films=box) as process:
        with process.talk(cameras, "hall") as talk:
            film = filming(process, talk)
        box.rename(aside)
        box.mkdir()
        assert process.process.wait_at_most(END_S) == 0

    closed = end_of(aside / film.relative_to(box))
    assert closed.why is StreamFault.INTERRUPTED
    assert closed.facts is not None
    check_clip(aside, closed.facts)
    assert not list(aside.rglob("*.part"))
    assert list(box.iterdir()) == []


@pytest.mark.slow
def test_a_process_whose_folder_was_deleted_films_no_longer_even_while_a_gateway_is_connected(
    box: Path, cameras: CameraSet
) -> None:
    with video_process(box, films=box) as process, process.talk(cameras, "hall") as talk:
        filming(process, talk)
        shutil.rmtree(box)
        assert process.process.wait_at_most(END_S) == 0
        assert talk.hung_up()
        assert not box.exists()


@pytest.mark.slow
def test_a_second_process_recovers_nothing_before_the_first_has_ended(box: Path, cameras: CameraSet) -> None:
    with video_process(box, films=box) as first:
        with first.talk(cameras, "hall") as talk:
            film = filming(first, talk)
            running = film.with_name(f"{film.name}.part")
            first.process.send_signal(signal.SIGSTOP)
            try:
                for name in ("video.sock", "video.live", "video.pid"):
                    (box / name).unlink()
                before = sidecar_path(film).read_bytes()
                with video_process(box, films=box) as second:
                    assert second.process.wait_at_most(END_S) == 3
                assert running.exists()
                assert sidecar_path(film).read_bytes() == before
            finally:
                first.process.send_signal(signal.SIGCONT)
        assert first.process.wait_at_most(END_S) == 0, "no gateway finds it: it ends"

    assert end_of(film).why is StreamFault.INTERRUPTED
    with video_process(box, films=box) as third, third.talk(cameras, "hall") as talk:
        (facts,) = talk.finish("visit-1").clips
        check_clip(box, facts)


@pytest.mark.slow
def test_two_processes_never_share_a_folder_of_films(tmp_path: Path, box: Path, cameras: CameraSet) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with video_process(box, films=box) as first, first.talk(cameras, "hall") as talk:
        film = filming(first, talk)
        with video_process(elsewhere) as second, VideoSession(second.socket) as other:
            other.say(ConfigureCameras(cameras=(), folder=str(box)))
            assert second.process.wait_at_most(END_S) == 3
        assert film.with_name(f"{film.name}.part").exists()
        (facts,) = talk.finish("visit-1").clips
        check_clip(box, facts)


@pytest.mark.slow
def test_a_killed_process_leaves_its_folder_free_and_its_film_to_recover(box: Path, cameras: CameraSet) -> None:
    with video_process(box, films=box) as process, process.talk(cameras, "hall") as talk:
        film = filming(process, talk)
        process.end(signal.SIGKILL)
    with video_process(box, films=box) as process, process.talk(cameras, "hall"):
        wait_for(film.exists)


@pytest.mark.slow
def test_a_wipe_ends_the_process_before_it_deletes(box: Path, cameras: CameraSet) -> None:
    with video_process(box, films=box) as process:
        with process.talk(cameras, "hall") as talk:
            filming(process, talk)
        factory_reset.mark_for_wipe(box)
        factory_reset.finish_wipe(box, phones=box / "phones.txt")
        assert process.process.wait_at_most(END_S) == 0
        assert list(box.iterdir()) == []


def test_a_wipe_does_not_go_on_while_a_process_still_runs(box: Path) -> None:
    held = HeldFolder(box)
    with pytest.raises(TimeoutError, match="still runs"):
        end_by_socket(box / "video.sock", timeout_s=0.1)
    held.close()
    end_by_socket(box / "video.sock", timeout_s=0.1)


def test_only_its_own_files_are_removed(box: Path) -> None:
    socket = box / "video.sock"
    with hold_socket(socket) as held:
        for path in (socket, box / "video.live"):
            path.write_text("mine")
        held.set_bound()
        before = held.is_reachable
        for name in ("video.sock", "video.pid"):
            (box / "new").write_text("another's")
            (box / "new").rename(box / name)
        assert (before, held.is_reachable) == (True, False)

    assert sorted(path.name for path in box.iterdir()) == ["video.pid", "video.sock"]


def test_a_pid_file_with_another_pid_stays(box: Path) -> None:
    with hold_socket(box / "video.sock"):
        (box / "video.pid").write_text("1\n")

    assert (box / "video.pid").exists()


def test_a_folder_is_held_once_until_it_is_closed_and_under_every_path(box: Path) -> None:
    held = HeldFolder(box)
    other = box.with_name("link")
    other.symlink_to(box)
    with pytest.raises(AlreadyRunning):
        HeldFolder(other)
    assert held.is_at(other)
    held.close()
    HeldFolder(other).close()

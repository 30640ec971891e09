"""A real video process films real H.264 from real RTSP servers."""

import base64
import io
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from PIL import Image

from devices.simulators.sight import Symbology
from gateway.video.ipc import (
    BarcodeRead,
    CameraProof,
    ClipBegun,
    ClipKey,
    ConfigureCameras,
    PictureTaken,
    RecordClip,
    StreamFault,
    TakePicture,
    WatchCameras,
)
from gateway.video.process import PROOF_INTERVAL_S
from gateway.video.sidecar import SidecarHead, read_sidecar, sidecar_path
from tests.filmset.cameras import CameraSet
from tests.filmset.films import check_clip, sidecar_chain
from tests.filmset.talk import VideoProcess, VideoSession, video_process

pytestmark = pytest.mark.slow

PRE_ROLL_S = 2.0  # seconds that a film begins before it was asked for
VISIT = ClipKey(visit="visit-1", part=1)


def record(*cameras: str, clip: ClipKey = VISIT) -> RecordClip:
    return RecordClip(clip=clip, cameras=cameras, folder=clip.visit)


def watched(process: VideoProcess, cameras: CameraSet, *names: str, pre_roll: float = PRE_ROLL_S) -> VideoSession:
    talk = process.talk(cameras, *names, pre_roll=pre_roll)
    talk.say(WatchCameras(cameras=names, on=True))
    for name in names:
        talk.proof(name, lambda proof: proof.live)
    return talk


def test_a_film_begins_before_it_was_asked_for_and_shows_the_true_time(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "front", "hall") as talk:
        time.sleep(2 * PRE_ROLL_S)  # it has to drop as much as it has to keep
        asked = datetime.now(UTC)
        talk.say(record("front", "hall"))
        begun = talk.wait(ClipBegun, lambda begun: begun.camera == "front")
        assert (process.films / f"{begun.path}.part").exists()
        assert len(sidecar_chain(process.films / begun.path)) > 1, "begun, but no fragment was on disk"
        proof = talk.proof("front", lambda proof: proof.recording == VISIT)
        assert proof.live
        process.grows(begun.path)
        closed = talk.finish("visit-1")
        ended = datetime.now(UTC)

        assert closed.gaps == ()
        assert [(facts.camera, facts.path) for facts in closed.clips] == [
            ("front", "visit-1/front-1-1.mp4"),
            ("hall", "visit-1/hall-1-1.mp4"),
        ]
        front, hall = closed.clips
        assert (front.start, front.gaps, hall.gaps) == (begun.start, (), ())
        played = check_clip(process.films, front)
        check_clip(process.films, hall)
        assert asked - timedelta(seconds=2 * PRE_ROLL_S) < played.times[0] < asked - timedelta(seconds=1.5), (
            "the pre-roll"
        )
        assert ended - timedelta(seconds=2) < played.times[-1] <= ended
        assert abs(played.times[0] - front.start) < timedelta(seconds=0.5)
        assert abs(played.times[-1] - front.end) < timedelta(seconds=0.5)
        assert played.pictures == len(played.times)
        assert not list(process.films.rglob("*.part"))
        assert talk.finish("visit-1") == closed, "said again, the same is answered again"


def test_of_a_camera_that_does_not_see_the_courier_only_key_pictures_are_decoded_and_all_are_filmed(
    tmp_path: Path, cameras: CameraSet
) -> None:
    source = cameras.source("hall").model_copy(update={"sees_courier": False})
    with video_process(tmp_path) as process, process.talk(cameras) as talk:
        talk.say(ConfigureCameras(cameras=(source,), pre_roll=1.0, folder=str(process.films)))
        talk.say(record("hall"))
        process.grows(talk.wait(ClipBegun).path, 6)
        assert talk.proof("hall", lambda _proof: True).live
        (facts,) = talk.finish("visit-1").clips
        assert check_clip(process.films, facts).pictures > 25
        talk.say(WatchCameras(cameras=("hall",), on=True))
        cameras.hall.set_mode("black")
        talk.proof("hall", lambda proof: proof.faults == (StreamFault.BLACK,))


def test_an_incident_is_filmed_by_a_camera_that_nobody_watched_and_it_rests_afterwards(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.stays(
            lambda: not any(isinstance(words, CameraProof) for words in talk.heard),
            0.3,
            "a camera that nobody wants tells nothing",
        )
        talk.say(record("front"))
        talk.wait(ClipBegun)
        closed = talk.finish("visit-1")
        heard = len(talk.heard)

        def proofs() -> int:
            return sum(isinstance(words, CameraProof) for words in talk.heard[heard:])

        talk.stays(lambda: proofs() <= 3, 6 * PROOF_INTERVAL_S, "it is still connected")

        (facts,) = closed.clips
        check_clip(process.films, facts)
        assert all(gap.why is StreamFault.UNREACHABLE for _, gap in closed.gaps), "it had to connect first"


def test_proofs_come_four_times_a_second(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "hall") as talk:
        ends, instants = time.monotonic() + 30, list[float]()
        while len(instants) < 13:
            assert time.monotonic() < ends, instants
            time.sleep(0.05)
            instants = [words.at for words in talk.heard if isinstance(words, CameraProof)]

    assert 0.2 < median(later - earlier for earlier, later in pairwise(instants)) < 0.4
    assert instants == sorted(instants)


def test_a_film_that_is_not_kept_leaves_nothing(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "hall") as talk:
        talk.say(record("hall"))
        talk.wait(ClipBegun)
        closed = talk.finish("visit-1", keep=False)

        assert closed.clips == ()
        assert [path for path in process.films.rglob("*") if path.is_file()] == []
        assert talk.finish("never-heard-of").clips == ()


def test_a_camera_that_reconnects_goes_on_in_a_second_file_and_the_hole_is_declared(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "front") as talk:
        talk.say(record("front"))
        process.grows(talk.wait(ClipBegun).path)
        cameras.front.set_mode("reset")
        process.grows(talk.wait(ClipBegun, lambda begun: begun.path.endswith("-2.mp4")).path, 1)
        closed = talk.finish("visit-1")
        first, second = closed.clips
        before, after = check_clip(process.films, first), check_clip(process.films, second)

    ((name, hole),) = closed.gaps
    assert (name, hole.why) == ("front", StreamFault.RESET)
    assert (hole.start, hole.end) == (first.end, second.start)
    assert before.times[-1] < after.times[0]
    assert abs(hole.start - before.times[-1]) < timedelta(seconds=0.5)
    assert abs(hole.end - after.times[0]) < timedelta(seconds=0.7)


def test_a_camera_that_never_comes_is_one_long_hole(tmp_path: Path, cameras: CameraSet) -> None:
    cameras.hall.stop()
    with video_process(tmp_path) as process, process.talk(cameras, "hall") as talk:
        talk.say(record("hall", "no-such-camera"))
        talk.proof("hall", lambda proof: StreamFault.UNREACHABLE in proof.faults)
        closed = talk.finish("visit-1")

    assert closed.clips == ()
    assert {(name, gap.why) for name, gap in closed.gaps} <= {
        ("hall", StreamFault.UNREACHABLE),
        ("no-such-camera", StreamFault.UNREACHABLE),
    }


def test_a_short_pre_roll_after_a_reconnect_is_a_declared_hole(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "hall", pre_roll=20.0) as talk:
        cameras.hall.set_mode("reset")
        talk.proof("hall", lambda proof: StreamFault.RESET in proof.faults)
        talk.proof("hall", lambda proof: proof.live)
        talk.say(record("hall"))
        talk.wait(ClipBegun)
        closed = talk.finish("visit-1")

    assert [(name, gap.why) for name, gap in closed.gaps] == [("hall", StreamFault.RESET)]


def test_two_entrances_may_film_with_one_camera(tmp_path: Path, cameras: CameraSet) -> None:
    other = ClipKey(visit="incident", part=1)
    with video_process(tmp_path) as process, watched(process, cameras, "hall") as talk:
        talk.say(record("hall"))
        talk.say(record("hall", clip=other))
        talk.proof("hall", lambda proof: set(proof.recordings) == {VISIT, other})
        (one,) = talk.finish("visit-1").clips
        talk.proof("hall", lambda proof: proof.recording == other)
        (two,) = talk.finish("incident").clips
        check_clip(process.films, one)
        check_clip(process.films, two)


@pytest.fixture(scope="module")
def label_reader(tmp_path_factory: pytest.TempPathFactory, on_air: CameraSet) -> Iterator[VideoSession]:
    with (
        video_process(tmp_path_factory.mktemp("labels")) as process,
        process.talk(on_air, "front") as talk,
    ):
        talk.say(WatchCameras(cameras=("front",), on=True, labels=("front",)))
        yield talk


@pytest.mark.parametrize(
    ("symbology", "tilt"), [("code128", 0.0), ("code128", 45.0), ("qr", 20.0), ("datamatrix", 10.0)]
)
def test_a_label_is_read_while_a_window_is_open(
    label_reader: VideoSession, cameras: CameraSet, symbology: Symbology, tilt: float
) -> None:
    code = f"6A{symbology[:2]}{tilt:.0f}".upper()
    cameras.front.show_label(code, symbology, tilt=tilt)
    label = label_reader.wait(BarcodeRead, lambda label: label.code == code)

    assert (label.camera, label.symbology) == ("front", symbology)


def test_a_picture_is_a_small_jpeg_of_now_and_none_where_nothing_is_live(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "front", "hall") as talk:
        talk.say(TakePicture(camera="front", request="a"))
        jpeg = talk.wait(PictureTaken, lambda picture: picture.request == "a").jpeg
        assert jpeg is not None
        cameras.front.set_mode("stall")
        talk.proof("front", lambda proof: StreamFault.STALL in proof.faults)
        talk.say(TakePicture(camera="front", request="b"))
        talk.say(TakePicture(camera="unknown", request="c"))

        assert talk.wait(PictureTaken, lambda picture: picture.request == "b").jpeg is None
        assert talk.wait(PictureTaken, lambda picture: picture.request == "c").jpeg is None

    with Image.open(io.BytesIO(base64.b64decode(jpeg))) as image:
        assert (image.format, image.size) == ("JPEG", (320, 180))


def test_the_clip_goes_on_while_no_gateway_lives_and_the_next_one_adopts_it(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process:
        with watched(process, cameras, "front") as talk:
            assert talk.adopted.recording == ()
            talk.say(record("front"))
            begun = talk.wait(ClipBegun)
        alone = datetime.now(UTC)
        process.grows(begun.path, 3)
        with process.talk(cameras, "front") as talk:
            assert (talk.adopted.pid, talk.adopted.recording) == (process.process.pid, (VISIT,))
            talk.proof("front", lambda proof: proof.recording == VISIT)
            talk.say(record("front"))
            talk.wait(ClipBegun)
            closed = talk.finish("visit-1")
        (facts,) = closed.clips
        played = check_clip(process.films, facts)

    assert closed.gaps == ()
    assert facts.gaps == ()
    assert sum(alone < at < alone + timedelta(seconds=1.5) for at in played.times) >= 8


def test_a_new_gateway_replaces_the_one_before(tmp_path: Path, cameras: CameraSet) -> None:
    with (
        video_process(tmp_path) as process,
        watched(process, cameras, "hall") as old,
        watched(process, cameras, "hall"),
    ):
        assert old.hung_up()


def test_words_that_are_none_end_the_conversation_and_not_the_process(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process:
        for nonsense in (b"{}\n", b"\xff\n", b'{"kind":"record","clip":{"visit":"../x","part":1}}\n'):
            with VideoSession(process.socket) as talk:
                talk.send(nonsense)
                assert talk.hung_up()
        with watched(process, cameras, "hall"):
            assert process.process.returncode is None


def test_a_second_process_on_the_same_socket_ends_at_once_and_the_first_goes_on(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "hall") as talk:
        with video_process(tmp_path) as second:
            assert second.process.wait_at_most(30) == 3
        talk.proof("hall", lambda proof: proof.live)
        assert int(process.socket.with_suffix(".pid").read_text()) == process.process.pid


def test_a_process_that_is_told_to_end_closes_its_films_and_takes_its_socket_along(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, watched(process, cameras, "hall") as talk:
        talk.say(record("hall"))
        begun = talk.wait(ClipBegun)
        assert process.end(signal.SIGTERM) == 0
        assert talk.hung_up()
        last = [words for words in talk.heard if isinstance(words, CameraProof)][-1]
        assert (last.live, last.recordings) == (False, ()), "told before a slow disk could hold up the film's end"

        film = process.films / begun.path
        assert film.exists()
        assert isinstance(read_sidecar(sidecar_path(film))[0], SidecarHead)
        assert not process.socket.exists()
        assert not process.socket.with_suffix(".pid").exists()
        assert not os.path.lexists(f"{film}.part")

"""Each fault of a camera is noticed; a real camera has it, a real video process looks at it."""

from collections.abc import Iterator

import pytest

from devices.simulators.camera import Mode
from gateway.video.ipc import StreamFault, WatchCameras
from tests.filmset.cameras import CameraSet
from tests.filmset.talk import VideoSession, video_process

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def watching(tmp_path_factory: pytest.TempPathFactory, on_air: CameraSet) -> Iterator[VideoSession]:
    with (
        video_process(tmp_path_factory.mktemp("faults")) as process,
        process.talk(on_air, "front", "hall", "night") as talk,
    ):
        talk.say(WatchCameras(cameras=("front", "hall", "night"), on=True))
        yield talk


@pytest.fixture
def talk(watching: VideoSession, cameras: CameraSet) -> VideoSession:
    """All three cameras are live; the one at the door moves."""
    for name in cameras.cameras:
        watching.proof(name, lambda proof: proof.live and (proof.moving or proof.camera != "front"))
    return watching


@pytest.mark.parametrize(
    ("mode", "fault"),
    [
        ("stall", StreamFault.STALL),
        ("reset", StreamFault.RESET),
        ("stuck_timestamps", StreamFault.STUCK_TIMESTAMPS),
        ("black", StreamFault.BLACK),
        ("garbled", StreamFault.UNDECODABLE),
    ],
)
def test_a_camera_with_a_fault_is_not_live_and_comes_back(
    talk: VideoSession, cameras: CameraSet, mode: Mode, fault: StreamFault
) -> None:
    cameras.front.set_mode(mode)
    proof = talk.proof("front", lambda proof: fault in proof.faults)
    assert (proof.live, proof.moving) == (False, False)

    cameras.front.set_mode("live")
    talk.proof("front", lambda proof: proof.live and proof.moving and not proof.faults)


def test_a_camera_that_is_switched_off_is_unreachable(talk: VideoSession, cameras: CameraSet) -> None:
    cameras.hall.stop()
    talk.proof("hall", lambda proof: StreamFault.UNREACHABLE in proof.faults and not proof.live)

    cameras.hall.start()
    talk.proof("hall", lambda proof: proof.live)


def test_a_frozen_picture_of_the_door_loses_moving_and_is_a_fault_where_a_clock_is_burnt_in(
    talk: VideoSession, cameras: CameraSet
) -> None:
    cameras.front.set_mode("frozen")
    proof = talk.proof("front", lambda proof: not proof.moving)
    assert proof.live
    talk.proof("front", lambda proof: proof.faults == (StreamFault.FROZEN,))


@pytest.mark.parametrize("name", ["hall", "night"])
def test_an_empty_hall_is_live_and_does_not_move_until_somebody_comes(
    talk: VideoSession, cameras: CameraSet, name: str
) -> None:
    talk.proof(name, lambda proof: proof.live and not proof.moving)
    for _ in range(8):  # two seconds of proofs
        assert talk.proof(name, lambda _proof: True).live
    cameras.cameras[name].person(present=True)
    talk.proof(name, lambda proof: proof.live and proof.moving)

    cameras.cameras[name].set_mode("frozen")
    talk.proof(name, lambda proof: proof.live and not proof.moving and not proof.faults)


def test_a_camera_that_was_cut_never_seems_alive_again_before_it_is(talk: VideoSession, cameras: CameraSet) -> None:
    """The decoder's library lets go of one last picture when its read times out."""
    cameras.front.set_mode("stall")
    talk.proof("front", lambda proof: StreamFault.STALL in proof.faults)
    for _ in range(12):  # over the reconnect
        assert not talk.proof("front", lambda _proof: True).live

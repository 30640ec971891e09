"""A camera on bad Wi-Fi: how many deliveries it refuses though it was never away for long.

A real camera, a real video process and a relay between them that delays, stalls and cuts. What the video process then
proved is played to `decide` again and again, with a courier who scans at another instant each time.
"""

import random
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit.state import CameraState, Rules
from gateway.video.ipc import CameraProof, ClipBegun, ClipKey, ConfigureCameras, RecordClip, StreamFault, WatchCameras
from tests.filmset.talk import VideoSession, video_process
from tests.foreign import foreign_camera
from tests.house.house import CAMERAS, SimulatedHome
from tests.house.story import announce_delivery
from tests.told import REPORT_KEY
from tests.wire import TcpRelay

pytestmark = pytest.mark.slow

KEY = ClipKey(visit="visit-1", part=1)
STALLS, CUTS = 2, 4
BEFORE_STALL, BEFORE_CUT = (0.8, 1.4), (1.3, 1.8)  # seconds of pictures, from and to
STALL = 0.7  # seconds: longer than a proof may be silent, shorter than a connection is given up
AFTER_WEATHER = 1.5  # seconds in which the camera can be back after the last cut
AGE = 0.5  # seconds: how old a proof may be at an unlock (gateway.runtime.effects)
EVERY = 0.25  # seconds between two scans that are tried
AWAY = 8.0  # seconds: longer than the rules wait for pictures
BEGINS = 100.0  # when a house's virtual time begins
ROUNDS = 5  # how often what was recorded is played: a visit takes longer than the recording


def weather(wire: TcpRelay, dice: random.Random) -> None:
    """Some bad seconds: it stalls, then it is cut again and again."""
    for _ in range(STALLS):
        time.sleep(dice.uniform(*BEFORE_STALL))
        wire.returning.clear()
        time.sleep(STALL)
        wire.returning.set()
    for _ in range(CUTS):
        time.sleep(dice.uniform(*BEFORE_CUT))
        wire.cut()
    time.sleep(AFTER_WEATHER)


def recorded(folder: Path) -> list[CameraProof]:
    """What a video process proves of a camera in bad weather."""
    dice = random.Random(20_261_125)
    with foreign_camera(sound="pcma") as camera, video_process(folder) as process, VideoSession(process.socket) as talk:
        wire = TcpRelay(camera.make.port, late=lambda: dice.uniform(0.0, 0.06))
        try:
            source = camera.source().model_copy(update={"url": f"rtsp://127.0.0.1:{wire.port}/cam"})
            talk.say(ConfigureCameras(cameras=(source,), pre_roll=2.0, folder=str(process.films)))
            talk.say(WatchCameras(cameras=("front",), on=True))
            talk.proof("front", lambda proof: proof.live)
            talk.say(RecordClip(clip=KEY, cameras=("front",), folder="films/visit-1"))
            talk.wait(ClipBegun)
            talk.proof("front", lambda proof: proof.live and proof.moving and bool(proof.recordings))
            since = len(talk.heard)
            weather(wire, dice)
            return [words for words in talk.heard[since:] if isinstance(words, CameraProof)]
        finally:
            wire.close()


class OnBadWifi(SimulatedHome):
    """A house whose outside camera proves what was recorded, round after round from `began` on."""

    def __init__(self, proofs: Sequence[CameraProof], began: float) -> None:
        self._proofs, self._began = proofs, began
        self._length = proofs[-1].at - proofs[0].at
        self._draw_times = [proof.at - proofs[0].at for proof in proofs]
        super().__init__(1, Rules(cameras=CAMERAS))
        for turn in range(ROUNDS):
            for at in self._draw_times:
                if (ahead := turn * self._length + at - began) >= 0:
                    self.later(ahead, lambda: self.cameras_say(0.0))

    def newest(self, t: float) -> tuple[CameraProof, float]:
        """The newest proof at `t`, and its age."""
        at = (t - BEGINS + self._began) % self._length
        place = bisect_right(self._draw_times, at) - 1
        return self._proofs[place], at - self._draw_times[place]

    def camera_state(self, name: str) -> CameraState:
        good = super().camera_state(name)
        if name != "outside":
            return good
        proof, _ = self.newest(self.t)
        return CameraState(live=proof.live, moving=proof.moving, recording=bool(proof.recordings) and good.recording)


def delivered(proofs: Sequence[CameraProof], began: float) -> bool:
    """Whether somebody who scans then is let in, on a proof that is live and young enough."""
    house = OnBadWifi(proofs, began)
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(35)
    unlocked = next((t for t, command in house.did if isinstance(command, c.Unlock)), None)
    if unlocked is None:
        assert house.refusals == ["camera_unavailable"]
        return False
    proof, age = house.newest(unlocked)
    return proof.live and age <= AGE


def refused(proofs: Sequence[CameraProof]) -> tuple[int, int]:
    """How many couriers are not let in, of how many."""
    length = proofs[-1].at - proofs[0].at
    tries = [n * EVERY for n in range(int(length / EVERY))]
    return sum(not delivered(proofs, began) for began in tries), len(tries)


def test_bad_wifi_refuses_hardly_anybody_and_a_camera_that_is_really_away_is_missed(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    proofs = recorded(tmp_path)
    assert {fault for proof in proofs for fault in proof.faults} >= {StreamFault.STALL, StreamFault.RESET}, (
        "the weather was bad"
    )

    no, of = refused(proofs)

    length = proofs[-1].at - proofs[0].at
    dark = sum(after.at - proof.at for proof, after in pairwise(proofs) if not proof.live)
    told = f"{no} of {of} refused; {length:.0f} s with {STALLS} stalls and {CUTS} cuts, not live for {dark:.1f} s"
    record_property(REPORT_KEY, f"bad Wi-Fi: {told}")
    assert no <= of / 20, told

    away = [proof.model_copy(update={"live": False}) if proof.at - proofs[0].at < AWAY else proof for proof in proofs]
    assert refused(away)[0] > of / 2, "what is counted can be missed"

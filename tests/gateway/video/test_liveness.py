from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from devices.simulators.scene import Scene
from devices.simulators.sight import CLOCK_REGION, Figure, SceneKind, Sight, Spot
from gateway.video.ipc import StreamFault
from gateway.video.liveness import Liveness, Luma, block_difference

FRAME = 1 / 15
SOMEBODY = Sight(figures=(Figure("courier", (Spot.LENS,)),))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Stream:
    """Pictures of a scene, fed to a camera's evidence without a codec between."""

    def __init__(self, kind: SceneKind = "static_hall", *, clock: bool = False, full: bool = True) -> None:
        self.scene = Scene(name="x", width=320, height=240, kind=kind, burnt_in_clock=clock, seed=3)
        self.evidence = Liveness(clock_region=CLOCK_REGION if clock else None, decodes_every_picture=full, now=0.0)
        self.now, self.time = 0.0, 0.0

    def run(
        self,
        seconds: float,
        *,
        picture: Luma | None = None,
        rising: bool = True,
        decodable: bool = True,
        frame: float = FRAME,
    ) -> None:
        for _ in range(round(seconds / frame)):
            self.now += frame
            self.time += frame if rising else 0.0
            self.evidence.add_packet(self.now, self.time)
            if decodable:
                shown = self.draw() if picture is None else picture
                self.evidence.add_picture(self.now, shown)
            else:
                self.evidence.add_decode_failure(self.now)

    def draw(self) -> Luma:
        return self.scene.draw(NOON + timedelta(seconds=self.now))[:240]

    @property
    def faults(self) -> set[StreamFault]:
        return set(self.evidence.faults(self.now))

    @property
    def live(self) -> bool:
        return self.evidence.is_live(self.now)

    @property
    def moving(self) -> bool:
        return self.evidence.is_moving(self.now)


@pytest.mark.parametrize("kind", ["static_hall", "noisy_night"])
def test_an_empty_hall_by_day_or_night_is_live_and_does_not_move(kind: SceneKind) -> None:
    stream = Stream(kind)
    stream.run(20)

    assert (stream.live, stream.moving, stream.faults) == (True, False, set())


@pytest.mark.parametrize("kind", ["static_hall", "noisy_night"])
def test_somebody_in_view_moves(kind: SceneKind) -> None:
    stream = Stream(kind)
    stream.scene.sight = SOMEBODY
    stream.run(2)

    assert stream.moving


def test_a_burnt_in_clock_moves_even_where_nobody_is() -> None:
    stream = Stream(clock=True)
    stream.run(4)

    assert (stream.live, stream.moving, stream.faults) == (True, True, set())


def test_nothing_is_live_before_the_first_decoded_picture() -> None:
    stream = Stream()
    assert not stream.live
    stream.run(0.1, decodable=False)
    assert not stream.live
    stream.run(0.1)
    assert stream.live


def test_packets_that_stop_are_a_stall_after_half_a_second_and_it_began_with_the_last_one() -> None:
    stream = Stream()
    stream.run(2)

    assert stream.evidence.is_live(stream.now + 0.49)
    assert stream.evidence.faults(stream.now + 0.51) == {StreamFault.STALL: stream.now}
    assert not stream.evidence.is_live(stream.now + 0.51)


def test_a_slow_camera_may_pause_for_five_pictures() -> None:
    stream = Stream()
    stream.run(6, frame=0.25)

    assert stream.evidence.is_live(stream.now + 1.2)
    assert StreamFault.STALL in stream.evidence.faults(stream.now + 1.3)


def test_three_timestamps_that_do_not_rise_are_a_fault_and_one_that_rises_ends_it() -> None:
    stream = Stream()
    stream.run(1)
    stream.run(2 * FRAME, rising=False)
    assert stream.faults == set()
    stream.run(FRAME, rising=False)
    assert stream.faults == {StreamFault.STUCK_TIMESTAMPS}
    stream.run(FRAME)
    assert stream.faults == set()


def test_a_covered_lens_is_black_even_where_the_camera_writes_its_clock_over_it() -> None:
    stream = Stream(clock=True)
    stream.run(1)
    covered = stream.scene.black()[:240]
    first, last = round(CLOCK_REGION[1] * 240), 240
    covered[first:last] = stream.draw()[first:last]
    stream.run(0.2, picture=covered)

    assert stream.faults == {StreamFault.BLACK}
    stream.run(0.1)
    assert stream.live


def test_a_clock_that_stands_still_is_frozen_after_a_second_and_a_half() -> None:
    stream = Stream(clock=True)
    stream.run(2)
    since, still = stream.now, stream.draw()
    stream.run(1.4, picture=still)
    assert stream.faults == set()
    stream.run(0.3, picture=still)

    assert stream.evidence.faults(stream.now) == {StreamFault.FROZEN: pytest.approx(since, abs=2 * FRAME)}
    assert stream.live, "packets and pictures come: frozen gates the unlock through moving"
    assert not stream.moving


def test_a_frozen_picture_without_a_clock_does_not_move_and_is_no_fault() -> None:
    stream = Stream()
    stream.scene.sight = SOMEBODY
    stream.run(2)
    stream.run(1.7, picture=stream.draw())

    assert (stream.moving, stream.faults) == (False, set())


@pytest.mark.parametrize("full", [True, False])
def test_pictures_that_cannot_be_decoded_are_a_fault_and_the_next_sound_one_ends_it(*, full: bool) -> None:
    stream = Stream(full=full)
    stream.run(2)
    stream.run(0.4, decodable=False)
    assert stream.live, "a single torn picture is no fault"
    stream.run(0.4, decodable=False)
    assert stream.faults == {StreamFault.UNDECODABLE}
    stream.run(FRAME)
    assert stream.live


def test_wide_pictures_are_thinned_out_and_still_show_a_person() -> None:
    evidence = Liveness(clock_region=None, decodes_every_picture=True, now=0.0)
    still = np.full((2160, 3840), 90, np.uint8)
    still[:1000] = 120
    moved = still.copy()
    moved[1000:1200, 500:700] = 200
    for number, picture in enumerate((still, moved)):
        evidence.add_packet(float(number), float(number))
        evidence.add_picture(float(number), picture)

    assert evidence.is_moving(1.0)


def test_the_block_difference_is_the_mean_within_each_block() -> None:
    one, other = np.zeros((40, 50), np.uint8), np.zeros((40, 50), np.uint8)
    other[16:32, 0:8] = 100

    assert block_difference(one, other).tolist() == [[0, 0, 0], [50, 0, 0]]
    assert (block_difference(one, other) == block_difference(other, one)).all()

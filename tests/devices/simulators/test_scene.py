"""What a person would see in the films of the simulated house; every picture went through H.264."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import av
import numpy as np
import pytest

from devices.simulators.backdrop import View
from devices.simulators.burnt_clock import read_clock
from devices.simulators.camera import AccessUnit, SimulatedCamera, h264_encoder
from devices.simulators.planes import Luma, Planes
from devices.simulators.scene import Scene, label_picture
from devices.simulators.sight import Daylight, Figure, SceneKind, Sight, Spot, Swing, route
from gateway.video.liveness import MIN_MOVEMENT_LUMA, block_difference

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
AT_LENS = Figure("courier", (Spot.LENS,), carries=True)
OPEN = Swing(open=True)
INSIDE, GARAGE = View(inside=True), View(way="garage")
WIDTH, HEIGHT = 640, 360
Part = tuple[slice, slice]
"""Rows and columns of a picture."""

DOOR, DOOR_INSIDE = (slice(136, 284), slice(392, 476)), (slice(92, 288), slice(108, 200))
FRIDGE = (slice(98, 282), slice(458, 538))
GATE, BENCH, SKY = (slice(50, 330), slice(90, 300)), (slice(204, 240), slice(302, 352)), (slice(40, 80), slice(0, 60))
FACE = (slice(90, 180), slice(140, 250))
SKIN = ((160, 200), (95, 112), (146, 162))  # Y, U and V of a face by day
SEEN = 12.0  # mean difference of luma in a part of the picture that a person notices at once


FRONT = View()


def scene(view: View = FRONT, *, kind: SceneKind = "static_hall", width: int = WIDTH, height: int = HEIGHT) -> Scene:
    return Scene(name="x", width=width, height=height, kind=kind, burnt_in_clock=False, seed=1, view=view)


def picture(sight: Sight, view: View = FRONT, at: datetime = NOON, kind: SceneKind = "static_hall") -> Planes:
    """What is seen at a time, after it was encoded as H.264 and decoded again."""
    drawn = scene(view, kind=kind)
    drawn.sight = sight
    return Planes.of(through_h264(drawn.draw(at)))


def through_h264(drawn: Luma) -> Luma:
    encoder, decoder = h264_encoder(WIDTH, HEIGHT, 15), av.CodecContext.create("h264", "r")
    packets = [*encoder.encode(av.VideoFrame.from_ndarray(drawn, format="yuv420p")), *encoder.encode(None)]
    frames = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return frames[0].to_ndarray(format="yuv420p").astype(np.uint8)


def difference(first: Planes, second: Planes, part: Part) -> float:
    return float(np.abs(first.y[part].astype(int) - second.y[part]).mean())


def skin(planes: Planes, part: Part = FACE) -> float:
    """The part of a region that has the colour of a face."""
    rows, columns = part
    half = slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)
    levels = planes.y[::2, ::2][half], planes.u[half], planes.v[half]
    return float(
        np.all([(low <= one) & (one <= high) for one, (low, high) in zip(levels, SKIN, strict=True)], 0).mean()
    )


def test_at_the_scan_the_couriers_face_fills_a_part_of_the_picture_that_a_thumbnail_keeps() -> None:
    nobody = picture(Sight())
    scans = picture(Sight(figures=(replace(AT_LENS, scans=NOON - timedelta(seconds=1)),)))

    assert skin(nobody) < 0.01
    assert skin(scans) > 0.25
    assert difference(nobody, scans, GATE) > SEEN


def test_a_parcel_in_the_hands_is_seen_and_is_gone_once_it_was_put_down() -> None:
    carried = (slice(200, 260), slice(165, 235))
    holds, empty = (picture(Sight(figures=(replace(AT_LENS, carries=carries),))) for carries in (True, False))

    assert difference(holds, empty, carried) > SEEN


def test_a_long_label_is_held_below_the_face() -> None:
    drawn = scene()
    drawn.sight = Sight(figures=(AT_LENS,))
    drawn.label = label_picture("8L20524752032", "code128", width=480)

    assert skin(Planes.of(through_h264(drawn.draw(NOON)))) > 0.25


def test_a_thief_hides_the_face() -> None:
    assert skin(picture(Sight(figures=(replace(AT_LENS, who="thief", carries=False),)))) < 0.12


def test_an_open_door_shows_a_lit_hall_and_on_its_way_the_leaf_is_seen_from_its_edge() -> None:
    shut = picture(Sight())
    ajar = picture(Sight(leaf=Swing(open=True, since=NOON - timedelta(seconds=0.25))))
    wide = picture(Sight(leaf=OPEN))

    assert float(wide.y[DOOR].mean()) > float(shut.y[DOOR].mean()) + 40
    for first, second in ((shut, ajar), (ajar, wide)):
        assert difference(first, second, DOOR) > SEEN


def test_the_hall_is_another_place_than_the_front_and_its_lamp_goes_on_when_the_door_opens() -> None:
    outside, dim, lit = picture(Sight()), picture(Sight(), INSIDE), picture(Sight(leaf=OPEN), INSIDE)
    everything = (slice(0, HEIGHT), slice(0, WIDTH))

    assert difference(outside, lit, everything) > 40
    assert float(lit.y[SKY].mean()) > float(dim.y[SKY].mean()) + 30
    assert difference(dim, lit, DOOR_INSIDE) > SEEN


def test_inside_the_courier_walks_in_with_the_parcel_which_stays() -> None:
    lit = Sight(leaf=OPEN)
    comes = replace(AT_LENS, spots=route(Spot.DOOR, Spot.ROOM), since=NOON - timedelta(seconds=0.9))
    nobody, walks = picture(lit, INSIDE), picture(replace(lit, figures=(comes,)), INSIDE)
    left = picture(replace(lit, parcels=1), INSIDE)

    assert difference(nobody, walks, (slice(120, 300), slice(160, 300))) > SEEN
    assert difference(nobody, left, BENCH) > SEEN


def test_outside_somebody_in_the_house_is_not_seen_and_inside_nobody_is_who_stands_outside() -> None:
    for view, spot in ((FRONT, Spot.ROOM), (INSIDE, Spot.LENS), (INSIDE, Spot.AWAY), (FRONT, Spot.AWAY)):
        empty, there = (picture(Sight(figures=figures), view) for figures in ((), (replace(AT_LENS, spots=(spot,)),)))
        if view.inside or spot is Spot.AWAY:
            assert difference(empty, there, (slice(90, 330), slice(90, 600))) < 3, spot
        else:
            assert difference(empty, there, DOOR) < 3


def test_the_fridge_opens_and_keeps_what_was_put_into_it() -> None:
    shut, wide = picture(Sight(), INSIDE), picture(Sight(fridge=OPEN), INSIDE)
    filled = picture(Sight(fridge=OPEN, parcel_in_fridge=True), INSIDE)

    assert difference(shut, wide, FRIDGE) > SEEN
    assert difference(wide, filled, (slice(200, 232), slice(472, 518))) > SEEN
    assert difference(shut, picture(Sight(), replace_view(INSIDE, fridge=False)), FRIDGE) > SEEN


def replace_view(view: View, **changes: bool) -> View:
    return View(**{**view._asdict(), **changes})


def test_a_garage_has_a_wide_door_that_rises_bit_by_bit() -> None:
    rows = slice(122, 284)
    parts = [picture(Sight(leaf=Swing(open=True, since=NOON - timedelta(seconds=gone), seconds=10)), GARAGE)
             for gone in (0, 3, 6, 10)]  # fmt: skip
    bay = (rows, slice(276, 548))
    seen = [difference(parts[0], one, bay) for one in parts[1:]]

    assert SEEN < seen[0] < seen[1] < seen[2], "more and more of the garage is seen"
    assert difference(picture(Sight()), picture(Sight(), GARAGE), (rows, slice(270, 550))) > SEEN


def test_a_box_a_key_safe_and_a_landing_look_like_themselves() -> None:
    everything = (slice(0, HEIGHT), slice(0, WIDTH))
    front = picture(Sight())
    assert difference(front, picture(Sight(), View(way="landing")), everything) > 20

    box = View(box=True)
    shut, wide = picture(Sight(), box), picture(Sight(lids=(OPEN, Swing()), contents=(True, False)), box)
    assert difference(front, shut, (slice(226, 292), slice(522, 602))) > SEEN
    assert difference(shut, wide, (slice(226, 256), slice(522, 602))) > SEEN

    safe, flap = View(safe=True), (slice(186, 216), slice(334, 352))
    assert difference(picture(Sight(), safe), picture(Sight(flap=OPEN), safe), flap) > SEEN
    assert difference(picture(Sight(flap=OPEN), safe), picture(Sight(flap=OPEN, key=False), safe), flap) > 3


def test_by_day_it_is_brighter_than_at_dusk_and_at_dusk_than_at_night() -> None:
    for view in (FRONT, GARAGE):
        day, dusk, night = (float(picture(Sight(daylight=light), view).y.mean()) for light in Daylight)
        assert day > dusk + 20
        assert dusk > night + 20


def test_without_an_order_the_clock_decides_how_light_it_is() -> None:
    by_clock = Sight(daylight=None)
    noon, midnight = (float(picture(by_clock, at=NOON.replace(hour=hour)).y.mean()) for hour in (12, 23))

    assert noon > midnight + 60


def test_the_signals_light_shines_above_the_door() -> None:
    off, green = picture(Sight()), picture(Sight(lamp="green"))

    assert difference(off, green, (slice(100, 124), slice(422, 446))) > SEEN


def test_the_clock_and_the_name_are_black_and_white_whatever_is_behind_them() -> None:
    drawn = Scene(name="front", width=WIDTH, height=HEIGHT, kind="moving", burnt_in_clock=True, seed=1)
    drawn.sight = Sight(daylight=Daylight.NIGHT, figures=(AT_LENS,))
    planes = Planes.of(through_h264(drawn.draw(NOON)))

    assert read_clock(planes.y) == NOON
    text = planes.y[8:26, 8:200]
    assert (text > 180).mean() > 0.08
    assert (text < 60).mean() > 0.5


@pytest.mark.parametrize("fps", [8, 15])
@pytest.mark.parametrize("view", [FRONT, INSIDE, GARAGE])
@pytest.mark.parametrize("kind", ["static_hall", "noisy_night"])
@pytest.mark.parametrize("scans", [False, True])
def test_somebody_who_stands_there_moves_in_every_second(view: View, kind: SceneKind, fps: int, *, scans: bool) -> None:
    drawn = scene(view, kind=kind, width=320, height=240)
    spot = Spot.ROOM if view.inside else Spot.LENS
    drawn.sight = Sight(
        figures=(Figure("courier", (spot,), carries=scans, scans=NOON if scans else NOON.min.replace(tzinfo=UTC)),)
    )
    times = [NOON + timedelta(seconds=number / fps) for number in range(4 * fps)]
    pictures = [drawn.draw(at)[:240] for at in times]
    moves = [block_difference(one, other).max() > MIN_MOVEMENT_LUMA for one, other in pairwise(pictures)]

    assert all(any(moves[begin : begin + fps]) for begin in range(len(moves) - fps))


def test_after_a_rehearsal_a_delivery_needs_no_new_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    view = View(safe=True)  # no other test has drawn it
    drawn = scene(view)
    drawn.rehearse(NOON)
    monkeypatch.setattr("devices.simulators.backdrop.render", None)
    monkeypatch.setattr("devices.simulators.figure.render", None)

    for spots, opened in ((route(Spot.AWAY, Spot.LENS), False), (route(Spot.LENS, Spot.ROOM), True)):
        for tenth in range(30):
            figure = Figure("courier", spots, NOON, carries=True)
            drawn.sight = Sight(figures=(figure,), leaf=Swing(open=opened, since=NOON))
            drawn.draw(NOON + timedelta(seconds=tenth / 10))


def test_a_cat_keeps_a_camera_moving_that_looks_at_the_street() -> None:
    drawn = scene(kind="moving")
    pictures = [drawn.draw(NOON + timedelta(seconds=number / 10))[:HEIGHT] for number in range(30)]

    assert all(block_difference(one, other).max() > MIN_MOVEMENT_LUMA for one, other in pairwise(pictures))


def test_a_running_camera_shows_what_it_was_told_to_show() -> None:
    camera = SimulatedCamera("x", burnt_in_clock=False, scene="static_hall", seed=1, fps=10)
    camera.show(Sight(figures=(AT_LENS,)))
    units: list[AccessUnit | None] = []
    decoder = av.CodecContext.create("h264", "r")
    camera.start()
    camera.listen(units.append)
    while not units:
        time.sleep(0.01)
    camera.stop()
    assert units[0] is not None
    stream = b"".join(b"\0\0\0\1" + nal for nal in units[0].nals)
    frames = decoder.decode(av.Packet(stream)) + decoder.decode(None)

    assert skin(Planes.of(frames[0].to_ndarray(format="yuv420p").astype(np.uint8))) > 0.2

from datetime import UTC, datetime

import numpy as np
import pytest

from devices.simulators.scene import Scene, label_picture
from devices.simulators.sight import Symbology
from gateway.video.frame_analysis import read_labels
from gateway.video.liveness import Luma


def hall_with(label: Luma | None) -> Luma:
    scene = Scene(name="front", width=640, height=360, kind="static_hall", burnt_in_clock=False, seed=1)
    scene.label = label
    return scene.draw(datetime(2026, 1, 1, tzinfo=UTC))[:360]


@pytest.mark.parametrize(
    ("symbology", "width", "tilt"),
    [
        ("code128", 480, 0.0),
        ("code128", 400, 45.0),
        ("code128", 400, -45.0),
        ("code128", 480, 90.0),
        ("qr", 120, 0.0),
        ("qr", 120, 30.0),
        ("datamatrix", 120, 0.0),
        ("datamatrix", 120, 60.0),
    ],
)
def test_a_label_held_into_the_picture_is_read(symbology: Symbology, width: int, tilt: float) -> None:
    label = label_picture("6A123456", symbology, width=width, tilt=tilt)

    assert read_labels(hall_with(label)) == [("6A123456", symbology)]


def test_an_empty_hall_and_a_black_picture_bear_no_label() -> None:
    assert read_labels(hall_with(None)) == []
    assert read_labels(np.zeros((360, 640), np.uint8)) == []


def test_both_codes_of_one_label_are_read() -> None:
    label = np.full((230, 520), 235, np.uint8)
    bars = label_picture("6A123456", "code128", width=400)
    square = label_picture("https://example.org/p/1", "qr", width=100)
    for top, drawn in ((10, bars), (100, square)):
        label[top : top + drawn.shape[0], 40 : 40 + drawn.shape[1]] = drawn

    assert sorted(read_labels(hall_with(label))) == [("6A123456", "code128"), ("https://example.org/p/1", "qr")]

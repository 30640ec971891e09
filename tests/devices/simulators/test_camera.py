import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import av
import av.error
import numpy as np
import pytest
import zxingcpp

from devices.simulators.burnt_clock import clock_text, read_clock
from devices.simulators.camera import AccessUnit, SimulatedCamera, split_nals
from devices.simulators.scene import Scene, label_picture
from devices.simulators.sight import SceneKind, Symbology
from tests.filmset.cameras import CameraSet, camera_set

TEA_TIME = datetime(2026, 3, 29, 16, 0, 0, 123000, tzinfo=UTC)
AIR_TIME_S = 0.5  # seconds in which a camera that did not stall would send a second unit
OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "300000", "fpsprobesize": "0"}


def scene(*, kind: SceneKind = "static_hall", clock: bool = True, width: int = 640, height: int = 360) -> Scene:
    return Scene(name="front", width=width, height=height, kind=kind, burnt_in_clock=clock, seed=7)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1280, 720), (320, 240)])
def test_the_burnt_in_clock_can_be_read_back_to_the_millisecond(width: int, height: int) -> None:
    picture = scene(width=width, height=height).draw(TEA_TIME)

    assert read_clock(picture[:height]) == TEA_TIME


@pytest.mark.parametrize("luma", [np.full((360, 640), level, np.uint8) for level in (0, 16, 128, 235, 255)])
def test_an_even_picture_shows_no_clock(luma: "np.ndarray[tuple[int, int], np.dtype[np.uint8]]") -> None:
    assert read_clock(luma) is None


def test_people_read_the_time_of_the_house_in_its_films() -> None:
    assert clock_text(TEA_TIME, UTC) == f"{TEA_TIME:%Y-%m-%dT%H:%M:%S}.{TEA_TIME.microsecond // 1000:03d}Z"
    tokyo = TEA_TIME + timedelta(hours=9)
    assert clock_text(TEA_TIME, ZoneInfo("Asia/Tokyo")).startswith(f"{tokyo:%Y-%m-%d %H:%M:%S}.")


def test_a_camera_without_a_clock_shows_none_and_a_covered_lens_neither() -> None:
    assert read_clock(scene(clock=False).draw(TEA_TIME)[:360]) is None
    assert read_clock(scene().black()[:360]) is None


def test_the_same_seed_draws_the_same_house() -> None:
    assert (scene().draw(TEA_TIME) == scene().draw(TEA_TIME)).all()


@pytest.mark.parametrize("symbology", ["code128", "qr", "datamatrix"])
def test_a_label_bears_the_code_it_was_given(symbology: Symbology) -> None:
    label = np.pad(label_picture("6A12345678901", symbology, width=400), 40, constant_values=235)

    assert [barcode.text for barcode in zxingcpp.read_barcodes(label)] == ["6A12345678901"]


def test_a_stream_is_split_at_its_start_codes() -> None:
    assert split_nals(b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65d") == (b"\x67ab", b"\x68c", b"\x65d")


@pytest.fixture(scope="module")
def on_air() -> Iterator[CameraSet]:
    with camera_set() as cameras:
        yield cameras


def url(cameras: CameraSet, name: str = "front") -> str:
    return f"rtsp://127.0.0.1:{cameras.port}/{name}"


@pytest.mark.slow
def test_ffprobe_opens_it(on_air: CameraSet) -> None:
    ffprobe = shutil.which("ffprobe")
    assert ffprobe, "the Debian package ffmpeg is needed for this test"
    asked = (ffprobe, "-v", "error", "-rtsp_transport", "tcp", "-show_streams", "-of", "json", url(on_air))

    answer = subprocess.run(asked, capture_output=True, check=True, timeout=60)

    (stream,) = json.loads(answer.stdout)["streams"]

    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 640, 360)


@pytest.mark.slow
def test_pyav_opens_it_and_its_pictures_show_the_time(on_air: CameraSet) -> None:
    times = []
    with av.open(url(on_air), options=OPTIONS, timeout=(30, 10)) as container:
        for frame in container.decode(video=0):
            times.append(read_clock(frame.to_ndarray(format="gray").astype(np.uint8)))
            if len(times) == 20:
                break

    shown = [at for at in times if at is not None]
    assert len(shown) == 20
    assert abs(datetime.now(UTC) - shown[-1]) < timedelta(seconds=10)
    assert all(one < other for one, other in pairwise(shown))


@pytest.mark.slow
def test_a_camera_that_is_off_is_not_found_and_comes_back(on_air: CameraSet) -> None:
    on_air.hall.stop()
    with pytest.raises(av.error.HTTPNotFoundError):
        av.open(url(on_air, "hall"), options=OPTIONS, timeout=(30, 10))

    on_air.hall.start()
    with av.open(url(on_air, "hall"), options=OPTIONS, timeout=(30, 10)) as container:
        assert next(container.decode(video=0)).width == 640


@pytest.mark.slow
def test_a_reset_cuts_the_connection_once(on_air: CameraSet) -> None:
    with av.open(url(on_air, "night"), options=OPTIONS, timeout=(30, 10)) as container:
        next(container.decode(video=0))
        on_air.night.set_mode("reset")
        assert [packet.size for packet in container.demux(video=0)][-1] == 0, "libav takes a reset for an end of file"

    with av.open(url(on_air, "night"), options=OPTIONS, timeout=(30, 10)) as container:
        assert next(container.decode(video=0)).width == 640


def units(mode: Literal["live", "frozen", "stall", "stuck_timestamps"], wanted: int) -> list[AccessUnit]:
    """What a camera sends in `AIR_TIME_S` at least, until it has sent as much as wanted."""
    camera = SimulatedCamera("front", burnt_in_clock=True, scene="static_hall", seed=1, width=320, height=240)
    sent: list[AccessUnit | None] = []
    camera.start()
    camera.listen(sent.append)
    camera.set_mode(mode)
    end = time.monotonic() + 20
    time.sleep(AIR_TIME_S)
    while len(sent) < wanted and time.monotonic() < end:
        time.sleep(0.05)
    camera.stop()
    assert sent[-1:] == [None]
    return [unit for unit in sent if unit is not None]


def test_a_stalled_camera_sends_nothing_and_a_live_one_begins_with_a_key_picture() -> None:
    assert len(units("stall", 0)) <= 1
    live = units("live", 5)
    assert live[0].key
    assert all(one.rtp_time < other.rtp_time for one, other in pairwise(live))


def test_stuck_timestamps_stand_still() -> None:
    stuck = units("stuck_timestamps", 6)

    assert len({unit.rtp_time for unit in stuck}) <= 2

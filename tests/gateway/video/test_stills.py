"""Pictures out of films, and what a forged film can do to whoever looks: nothing."""

import io
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
from PIL import Image

from gateway.video import stills as module
from gateway.video.stills import Still, take_stills
from tests.filmset.films import MUXER_OPTIONS
from tests.gateway.evidence.visits import FILM_S, FRAMES_PER_S, film_bytes

pytestmark = pytest.mark.slow


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(film_bytes(40))
    return path


def taken(path: Path, *seconds: float) -> tuple[Still | None, ...]:
    with path.open("rb") as file:
        return take_stills(file, seconds)


def test_the_picture_is_the_one_that_stood_at_that_second(film: Path) -> None:
    found = taken(film, 0, 0.3, 2.5, 2.49, 1)
    assert [round(one.second * FRAMES_PER_S, 3) for one in found if one is not None] == [0, 2, 20, 19, 8]


def test_it_is_a_jpeg_of_the_films_own_size(film: Path) -> None:
    (still,) = taken(film, 1)
    assert still is not None
    with Image.open(io.BytesIO(still.jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))


def test_after_the_end_the_last_picture_stands_and_before_the_beginning_the_first(film: Path) -> None:
    last, first = taken(film, 1e6, -5)
    assert last is not None
    assert first is not None
    assert last.second == pytest.approx(FILM_S - 1 / FRAMES_PER_S, abs=0.01)
    assert first.second == 0


def test_another_place_in_the_file_does_not_matter(film: Path) -> None:
    with film.open("rb") as file:
        file.read(1000)
        assert take_stills(file, [0])[0] is not None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no film", b"ffconcat version 1.0\nfile 'film.mp4'\n", b"#EXTM3U\n#EXTINF:1,\nfilm.mp4\n",
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\xff" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_film_gives_no_picture(film: Path, content: bytes) -> None:
    forged = film.with_name("forged.mp4")
    forged.write_bytes(content)
    assert taken(forged, 0, 1) == (None, None)


def test_of_a_torn_film_what_is_left_is_shown(film: Path) -> None:
    data = film.read_bytes()
    film.write_bytes(data[: len(data) // 2])
    early, late = taken(film, 0, 5)
    assert early is not None
    assert late is None or late.second < 4


def test_a_damaged_film_never_ends_the_one_who_asks(film: Path) -> None:
    data = film.read_bytes()
    for at in range(500, len(data), len(data) // 7):
        film.write_bytes(data[:at] + bytes(range(256)) + data[at + 256 :])
        assert len(taken(film, 0, 3)) == 2


def test_one_that_decodes_for_ever_is_ended(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECODE_TIMEOUT_S", 0.001)
    assert taken(film, 0) == (None,)


def test_words_of_the_other_process_that_are_none_are_not_believed(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lies(_: list[str], *, stdin: BinaryIO, **__: object) -> object:
        assert stdin.tell() == 0
        return type("Ran", (), {"stdout": b'null\n{"second": 1, "jpeg": "!"}\n'})()

    monkeypatch.setattr("gateway.video.stills.subprocess.run", lies)
    assert taken(film, 0, 1, 2) == (None, None, None)


def write_passer_by(path: Path, *, at_picture: range) -> None:
    """An empty hall of six seconds, through which somebody passes."""
    with av.open(str(path), "w", format="mp4", container_options=dict(MUXER_OPTIONS)) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_S, options={"g": str(FRAMES_PER_S), "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES_PER_S * FILM_S):
            hall = np.full((48, 64, 3), 90, np.uint8)
            if number in at_picture:
                hall[8:, 20:44] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(hall, format="rgb24")))
        container.mux(stream.encode(None))


def test_of_a_span_the_picture_with_somebody_in_it_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "hall.mp4"
    write_passer_by(path, at_picture=range(3 * FRAMES_PER_S, 4 * FRAMES_PER_S))
    with path.open("rb") as film:
        person, empty = take_stills(film, [(1.0, 5.5), (0.5, 2.0)])
    assert person is not None
    assert 3 <= person.second < 4
    assert empty is not None
    assert 0.5 <= empty.second <= 2


def test_a_small_picture_is_as_small_as_it_is_wanted(film: Path) -> None:
    with film.open("rb") as file:
        (still,) = take_stills(file, [1.0], side_px=32)
    assert still is not None
    with Image.open(io.BytesIO(still.jpeg)) as image:
        assert image.size == (32, 24)

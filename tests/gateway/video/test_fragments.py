"""Films and live views: the fragmented MP4 that is made here is what libav reads, and what libav's own muxer makes."""

import io
import struct
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.video.fragments import TIMESCALE, FragmentedMp4, length_prefixed
from gateway.video.ring import EncodedPicture

RATE = 15  # pictures a second
UNITS = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4)


@lru_cache
def stream_of(*, b_frames: int = 0, gop: int = RATE, size: int = 64) -> bytes:
    """Three seconds of noise that moves, as a camera sends it: H.264 with start codes."""
    file = io.BytesIO()
    noise = np.random.default_rng(3).integers(0, 255, (size, size), np.uint8)
    with av.open(file, "w", format="mpegts") as container:
        options = {"g": str(gop), "bf": str(b_frames), "keyint_min": str(gop), "sc_threshold": "0"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        for number in range(3 * RATE):
            picture = np.repeat(np.roll(noise, number * 4, 0)[..., None], 3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def pictures_of(source: bytes) -> tuple[av.container.InputContainer, list[EncodedPicture]]:
    container = av.open(io.BytesIO(source), "r")
    found = [
        EncodedPicture(bytes(packet), packet.pts, packet.dts, packet.is_keyframe, packet.dts / TIMESCALE)
        for packet in container.demux(video=0)
        if packet.pts is not None and packet.dts is not None
    ]
    return container, found


def fragments_of(pictures: list[EncodedPicture], length: int) -> list[list[EncodedPicture]]:
    """Cut before each key picture and after `length` pictures."""
    cut: list[list[EncodedPicture]] = []
    for picture in pictures:
        if not cut or picture.is_key or len(cut[-1]) == length:
            cut.append([])
        cut[-1].append(picture)
    return cut


def film_of(source: bytes, length: int) -> list[bytes]:
    """The film's parts: header, fragments, index."""
    container, pictures = pictures_of(source)
    with container:
        mp4 = FragmentedMp4(container.streams.video[0], pictures[0])
        cut = fragments_of(pictures, length)
        followers = [*(after[0] for after in cut[1:]), None]
        return [mp4.header, *map(mp4.fragment, cut, followers), mp4.index()]


def film_of_libav(source: bytes) -> bytes:
    """The same pictures in the same times, by a muxer that nobody here wrote."""
    container, pictures = pictures_of(source)
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "use_editlist": "0"}
    with container, av.open(file, "w", format="mp4", container_options=options) as film:
        stream = film.add_stream_from_template(container.streams.video[0])
        stream.time_base = Fraction(1, TIMESCALE)
        for picture in pictures:
            packet = av.Packet(picture.data)
            packet.dts, packet.pts = picture.dts - pictures[0].dts, picture.pts - pictures[0].dts
            packet.stream, packet.time_base = stream, Fraction(1, TIMESCALE)
            packet.is_keyframe = picture.is_key
            film.mux(packet)
    return file.getvalue()


def packets_of(film: bytes) -> list[tuple[bytes, int | None, int | None, bool]]:
    with av.open(io.BytesIO(film), "r") as container:
        assert container.streams.video[0].time_base == Fraction(1, TIMESCALE)
        return [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe)
            for packet in container.demux(video=0)
            if packet.size
        ]


@pytest.mark.parametrize("length", [1, 4, 1000])
@pytest.mark.parametrize(("b_frames", "gop"), [(0, RATE), (2, RATE), (0, 1)])
def test_a_film_has_each_picture_and_time_that_libavs_own_muxer_would_write(
    length: int, b_frames: int, gop: int
) -> None:
    source = stream_of(b_frames=b_frames, gop=gop)
    film = b"".join(film_of(source, length))
    assert packets_of(film) == packets_of(film_of_libav(source))
    with av.open(io.BytesIO(film), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == 3 * RATE


def test_a_film_that_is_cut_off_after_any_fragment_plays_until_there() -> None:
    parts = film_of(stream_of(), 4)
    for count in range(2, len(parts)):
        with av.open(io.BytesIO(b"".join(parts[:count])), "r") as container:
            played = sum(1 for _ in container.decode(video=0))
        assert played == sum(struct.unpack_from(">I", part, part.index(b"trun") + 8)[0] for part in parts[1:count])


def test_each_picture_lasts_until_the_next_one_also_across_fragments() -> None:
    with av.open(io.BytesIO(b"".join(film_of(stream_of(), 4))), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert {packet.duration for packet in packets} == {TIMESCALE // RATE}


def test_the_index_leads_to_the_fragments_that_begin_with_a_key_picture() -> None:
    *before, index = film_of(stream_of(), 4)
    film = b"".join(before)
    assert index[4:8] == b"mfra"
    assert struct.unpack(">I", index[-4:])[0] == len(index)
    count = struct.unpack_from(">I", index, 28)[0]
    entries = [struct.unpack_from(">QQ", index, 32 + 19 * number) for number in range(count)]
    assert [time for time, _ in entries] == [second * TIMESCALE + entries[0][0] for second in range(3)]
    assert all(film[place + 4 : place + 8] == b"moof" for _, place in entries)


def test_times_that_do_not_rise_or_jump_are_written_and_the_film_plays() -> None:
    container, pictures = pictures_of(stream_of())
    with container:
        first, *others = pictures[:6]
        jump = 1 << 40
        odd = [first, *(one._replace(dts=first.dts, pts=first.pts - 5) for one in others[:3])]
        odd += [one._replace(dts=one.dts + jump, pts=one.pts + 2 * jump) for one in others[3:]]
        mp4 = FragmentedMp4(container.streams.video[0], first)
        film = mp4.header + mp4.fragment(odd, None) + mp4.index()
    times = [dts for _, _, dts, _ in packets_of(film)]
    assert len(times) == 6
    assert times[:4] == [0, 1, 2, 3]
    with av.open(io.BytesIO(film), "r") as played:
        assert sum(1 for _ in played.decode(video=0)) == 6


def test_what_is_no_h264_is_left_out() -> None:
    container, (first, second, third, *_) = pictures_of(stream_of())
    with container:
        mp4 = FragmentedMp4(container.streams.video[0], first)
        assert mp4.fragment([first._replace(data=b"no start code")], second) == b""
        film = mp4.header + mp4.fragment([first, second._replace(data=bytes(90)), third], None)
    assert [data for data, *_ in packets_of(film)] == [length_prefixed(first.data), length_prefixed(third.data)]


@given(
    units=UNITS, starts=st.lists(st.sampled_from((3, 4, 6)), min_size=4, max_size=4), junk=st.sampled_from((0, 1, 3))
)
def test_each_unit_of_a_picture_has_its_length_before_it_however_many_zeros_precede_its_start_code(
    units: list[bytes], starts: list[int], junk: int
) -> None:
    # An encoder lets no unit contain a start code or end in zeros
    whole = [b"\x65" + unit.replace(b"\x00", b"\x07") for unit in units]
    data = bytes(junk) + b"".join(bytes(start - 1) + b"\x01" + one for start, one in zip(starts, whole, strict=False))
    assert length_prefixed(data) == b"".join(len(one).to_bytes(4, "big") + one for one in whole)

"""What is left on disk, without a video process: chains, sidecars, holes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.video.ipc import ClipFacts, ClipKey, Gap, StreamFault
from gateway.video.recovery import ClosedFilm, find_gaps, next_film_number
from gateway.video.sidecar import FilmHashChain, SidecarHead, SidecarLink, SidecarWriter, read_sidecar, sidecar_path

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEY = ClipKey(visit="v", part=1)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def film(start: float, end: float | None, why: StreamFault | None = None) -> ClosedFilm:
    facts = None
    if end is not None:
        facts = ClipFacts(camera="c", path="v/c.mp4", start=at(start), end=at(end), sha256="", fragments=2)
    return ClosedFilm(camera="c", start=at(start), facts=facts, why=why)


def gap(start: float, end: float, why: StreamFault) -> Gap:
    return Gap(start=at(start), end=at(end), why=why)


@pytest.mark.parametrize(
    ("films", "declared"),
    [
        pytest.param([film(-10, 60)], [], id="from the pre-roll to the end"),
        pytest.param([film(0.4, 59.8)], [], id="pictures come one by one"),
        pytest.param([film(3, 60)], [gap(0, 3, StreamFault.UNREACHABLE)], id="joined late"),
        pytest.param([], [gap(0, 60, StreamFault.UNREACHABLE)], id="never came"),
        pytest.param(
            [film(-10, 20, StreamFault.RESET), film(21, 60)],
            [gap(20, 21, StreamFault.RESET)],
            id="reconnected into a new file",
        ),
        pytest.param(
            [film(-10, 20, StreamFault.INTERRUPTED), film(20.2, 60)],
            [gap(20, 20.2, StreamFault.INTERRUPTED)],
            id="even the smallest hole between files",
        ),
        pytest.param([film(-10, 20, StreamFault.DISK), film(15, 60)], [], id="the ring filled the hole"),
        pytest.param([film(-10, 20, StreamFault.STALL)], [gap(20, 60, StreamFault.STALL)], id="never came back"),
        pytest.param(
            [film(-10, 59.8, StreamFault.INTERRUPTED)],
            [gap(59.8, 60, StreamFault.INTERRUPTED)],
            id="cut short, if only by a moment",
        ),
        pytest.param(
            [film(30, 60), film(-10, 20, StreamFault.RESET)],
            [gap(20, 30, StreamFault.RESET)],
            id="in whatever order they are told",
        ),
        pytest.param(
            [film(-5, None, StreamFault.INTERRUPTED), film(2, 60)],
            [gap(-5, 2, StreamFault.INTERRUPTED)],
            id="killed before the first fragment",
        ),
    ],
)
def test_every_hole_in_a_cameras_film_is_declared(films: list[ClosedFilm], declared: list[Gap]) -> None:
    assert find_gaps(films, requested_at=NOON, ended_at=at(60), initial_fault=StreamFault.UNREACHABLE) == declared


def box(name: bytes, size: int) -> bytes:
    return (size + 8).to_bytes(4, "big") + name + bytes(size)


FILM = box(b"ftyp", 20) + box(b"moov", 700) + box(b"moof", 100) + box(b"mdat", 5000) + box(b"mfra", 60)


@given(st.lists(st.integers(1, 3000), max_size=12))
def test_the_chain_is_the_same_however_the_bytes_arrive(cuts: list[int]) -> None:
    whole, cut = FilmHashChain(), FilmHashChain()
    names = list(whole.feed(FILM))
    begin = 0
    for size in (*cuts, len(FILM)):
        list(cut.feed(FILM[begin : begin + size]))
        begin += size

    assert names == [b"moov", b"mdat", b"mfra"]
    assert (cut.link, cut.digest, cut.links) == (whole.link, whole.digest, 3)


@pytest.mark.parametrize("place", [30, 760, 900, 3000, len(FILM) - 1])
def test_one_changed_byte_changes_the_chain(place: int) -> None:
    whole, changed = FilmHashChain(), FilmHashChain()
    list(whole.feed(FILM))
    list(changed.feed(FILM[:place] + bytes((FILM[place] ^ 1,)) + FILM[place + 1 :]))

    assert whole.link != changed.link


@pytest.mark.parametrize("size", [0, 7])
def test_a_box_of_an_impossible_size_ends_the_chain_and_does_not_hang(size: int) -> None:
    chain = FilmHashChain()

    assert list(chain.feed(size.to_bytes(4, "big") + b"mdat" + bytes(100))) == []
    assert chain.end_byte == 0


def test_a_torn_last_line_of_a_sidecar_is_left_out(tmp_path: Path) -> None:
    head = SidecarHead(camera="c", clip=KEY, path="v/c-1-1.mp4", start=NOON)
    link = SidecarLink(end_byte=10, chain="00", until=at(1))
    sidecar = tmp_path / "c-1-1.jsonl"
    sidecar.write_bytes(b"".join(line.model_dump_json().encode() + b"\n" for line in (head, link)) + b'{"kind":"li')

    assert read_sidecar(sidecar) == (head, link)


@pytest.mark.parametrize("until", [NOON, at(1.25), at(1e-6)], ids=["a whole second", "a part of one", "a microsecond"])
def test_the_lines_of_several_links_are_those_that_each_link_is_written_as(until: datetime, tmp_path: Path) -> None:
    links = [(10, "00", until), (2**40, "ff" * 32, until)]
    writer = SidecarWriter(tmp_path / "c-1-1.jsonl")
    writer.write_links(links)
    writer.close()
    lines = [SidecarLink(end_byte=end, chain=chain, until=then) for end, chain, then in links]
    assert (tmp_path / "c-1-1.jsonl").read_text() == "".join(f"{line.model_dump_json()}\n" for line in lines)


def test_films_of_a_camera_are_numbered_and_others_do_not_count(tmp_path: Path) -> None:
    assert next_film_number(tmp_path, "front", 1) == 1
    for name in ("front-1-1.jsonl", "front-1-9.mp4", "front-2-20.mp4.part", "front-1-x.jsonl", "front-door-1-30.mp4"):
        (tmp_path / name).touch()

    assert next_film_number(tmp_path, "front", 1) == 10
    assert next_film_number(tmp_path, "front-door", 1) == 31


def test_a_films_sidecar_keeps_its_name_when_the_film_is_closed() -> None:
    assert sidecar_path(Path("v/c-1-1.mp4.part")) == sidecar_path(Path("v/c-1-1.mp4")) == Path("v/c-1-1.jsonl")

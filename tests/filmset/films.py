"""Looking at films as anybody could: play them, hash them, read the clock that is burnt into them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import av

from devices.simulators.burnt_clock import read_clock
from gateway.video.frame_analysis import luma
from gateway.video.ipc import ClipFacts
from gateway.video.sidecar import FilmHashChain, SidecarLink, read_sidecar, sidecar_path

# For films of tests, which libav's muxer writes: a fragmented MP4, as a camera's film
MUXER_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "frag_duration": "250000",  # microseconds
    "flush_packets": "1",
    "use_editlist": "0",
}


@dataclass(frozen=True)
class DecodedFilm:
    """A film that was played to its end: how many pictures, the burnt-in times of those that show one, its streams."""

    pictures: int
    times: tuple[datetime, ...]
    streams: tuple[str, ...]


def decode_film(film: Path) -> DecodedFilm:
    """Decode every picture; fails where one cannot be decoded or time does not rise."""
    times, pictures, last = [], 0, -1.0
    with av.open(str(film)) as container:
        streams = tuple(stream.type for stream in container.streams)
        for frame in container.decode(video=0):
            assert frame.time is not None
            assert frame.time > last, f"{film}: time stands still at {last}"
            last, pictures = frame.time, pictures + 1
            clock = read_clock(luma(frame))
            if clock is not None:
                times.append(clock)
    return DecodedFilm(pictures, tuple(times), streams)


def chain_of(film: Path) -> tuple[list[str], int]:
    """The hash chain over a film, and the bytes after its last link."""
    chain, data = FilmHashChain(), film.read_bytes()
    links = [chain.link for _ in chain.feed(data)]
    return links, len(data) - chain.end_byte


def sidecar_chain(film: Path) -> list[str]:
    """The hash chain as its sidecar tells it."""
    return [line.chain for line in read_sidecar(sidecar_path(film)) if isinstance(line, SidecarLink)]


def check_clip(root: Path, facts: ClipFacts) -> DecodedFilm:
    """A closed film is what its facts and its sidecar say; plays it."""
    film = root / facts.path
    assert hashlib.sha256(film.read_bytes()).hexdigest() == facts.sha256
    links, rest = chain_of(film)
    told = sidecar_chain(film)
    assert rest == 0
    assert len(links) == facts.fragments
    assert links == told
    played = decode_film(film)
    assert played.pictures > 0
    assert played.streams == ("video",)
    return played

"""Recovers the films of a visit's part from disk: closes what a killed process left and declares gaps."""

import logging
import os
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import av
import av.error

from gateway.domain.frozen import Frozen
from gateway.system.atomic_file import sync_folder
from gateway.video.ipc import ClipFacts, ClipKey, Gap, StreamFault
from gateway.video.sidecar import (
    FilmHashChain,
    SidecarEnd,
    SidecarGap,
    SidecarHead,
    SidecarLine,
    SidecarLink,
    SidecarWriter,
    parse_line,
    read_sidecar,
)

log = logging.getLogger(__name__)

# Before, between and after films: single pictures arrive with pauses
MAX_UNDECLARED_GAP: Final = timedelta(seconds=0.5)
READ_BYTES: Final = 1 << 20  # bytes


class ClosedFilm(Frozen):
    """A film that has ended. `facts`: None if no picture reached the disk. `why`: None if it ended at a request."""

    camera: str
    start: datetime
    facts: ClipFacts | None
    why: StreamFault | None


def next_film_number(folder: Path, camera: str, part: int) -> int:
    """Return the number of the next film of this camera and part in a folder, from 1."""
    begin = f"{camera}-{part}-"
    used = [path.name.removeprefix(begin).partition(".")[0] for path in folder.glob(f"{begin}*")]
    return 1 + max((int(text) for text in used if text.isdecimal()), default=0)


def find_sidecars(root: Path, clip: ClipKey | None = None) -> list[Path]:
    """Return the sidecars of all films under `root`, closed or not, of one clip (None: of all)."""
    sidecars = []
    for path in sorted(root.rglob("*.jsonl")):
        with path.open("rb") as file:
            head = parse_line(file.readline())
        if isinstance(head, SidecarHead) and clip in {None, head.clip}:
            sidecars.append(path)
    return sidecars


def close_left_film(root: Path, sidecar: Path) -> ClosedFilm | None:
    """Close a film whose writer is gone, if it is open, and return it; None if `sidecar` is not a film's sidecar.

    Whole fragments are kept and hashed; an incomplete end is cut off. Bytes whose hash differs from the sidecar's are
    kept and declared as a gap from there on. If the disk fails, the film stays as it is and is returned without facts.

    Raises:
        OSError: the sidecar cannot be read.
    """
    lines = read_sidecar(sidecar)
    if not lines or not isinstance(lines[0], SidecarHead):
        return None
    head = lines[0]
    try:
        return _close_left_film(root, sidecar, head, lines)
    except OSError as failure:
        log.warning("%s stays open: %s", head.path, failure)
        return ClosedFilm(camera=head.camera, start=head.start, facts=None, why=StreamFault.DISK)


def _close_left_film(root: Path, sidecar: Path, head: SidecarHead, lines: tuple[SidecarLine, ...]) -> ClosedFilm:
    last = lines[-1]
    final = root / head.path
    running = final.with_name(f"{final.name}.part")
    if isinstance(last, SidecarEnd):
        if running.exists():
            _rename_durably(running, final)
        return ClosedFilm(camera=head.camera, start=head.start, facts=last.facts, why=last.why)
    film = running if running.exists() else final
    facts, unlinked = _salvage(film, head, lines) if film.exists() else (None, ())
    if facts is None:
        film.unlink(missing_ok=True)
    elif film == running:
        _rename_durably(running, final)
    whole = b"".join(line.model_dump_json().encode() + b"\n" for line in lines)
    os.truncate(sidecar, len(whole))  # removes an incomplete last line
    try:
        with closing(SidecarWriter(sidecar, new=False)) as ending:
            for link in unlinked:
                ending.write(link)
            ending.write(SidecarEnd(facts=facts, why=StreamFault.INTERRUPTED))
    except OSError as failure:  # a full disk: the facts are right and are computed again next time
        log.warning("%s: %s", sidecar.name, failure)
    fragments = facts.fragments if facts else 0
    log.warning("%s was left open by a video process that ended: %d fragments kept", head.path, fragments)
    return ClosedFilm(camera=head.camera, start=head.start, facts=facts, why=StreamFault.INTERRUPTED)


def find_gaps(
    films: Iterable[ClosedFilm], *, requested_at: datetime, ended_at: datetime, initial_fault: StreamFault
) -> list[Gap]:
    """Return the gaps before, between and after one camera's films of a clip from `requested_at` to `ended_at`.

    `initial_fault`: why there was no film at the beginning. After a film that was cut short each gap is declared,
    however short; after a film that ended at a request only a gap over `MAX_UNDECLARED_GAP`.
    """
    gaps: list[Gap] = []
    ordered = sorted(films, key=lambda film: film.start)
    covered, why = min([requested_at, *(film.start for film in ordered[:1])]), initial_fault
    for film in ordered:
        if film.facts is not None:
            if film.facts.start - covered > (MAX_UNDECLARED_GAP if film is ordered[0] else timedelta(0)):
                gaps.append(Gap(start=covered, end=film.facts.start, why=why))
            covered = max(covered, film.facts.end)
        why = film.why or why
    cut_short = bool(ordered) and ordered[-1].why is not None
    if ended_at - covered > (timedelta(0) if cut_short else MAX_UNDECLARED_GAP):
        gaps.append(Gap(start=covered, end=ended_at, why=why))
    return gaps


def _salvage(
    film: Path, head: SidecarHead, lines: tuple[SidecarLine, ...]
) -> tuple[ClipFacts | None, tuple[SidecarLink, ...]]:
    """Cut off an incomplete end; return the facts of the rest and the links that the sidecar lacks.

    No facts: the rest shows no picture. A link is missing when the process was killed after it had written a fragment
    and before it wrote the sidecar's line. Without that line the sidecar would end before the film does, and a verifier
    would call the film altered.
    """
    links = [line for line in lines if isinstance(line, SidecarLink)]
    gaps = [line.gap for line in lines if isinstance(line, SidecarGap)]
    chain, doubted = FilmHashChain(), False
    unlinked: list[tuple[int, str]] = []  # end byte and chain of the fragments after the sidecar's last link
    good_until = head.start
    with film.open("r+b") as file:
        while data := file.read(READ_BYTES):
            for _ in chain.feed(data):
                place = chain.links - 1
                if place >= len(links):
                    unlinked.append((chain.end_byte, chain.link))
                    continue
                doubted = doubted or links[place].chain != chain.link
                if not doubted:
                    good_until = links[place].until
        doubted = doubted or chain.links < len(links)
        file.truncate(chain.end_byte)
        file.flush()
        os.fsync(file.fileno())
    if chain.links < 2:
        return None, ()
    pictures = _pictures(film)
    end = head.start + pictures[-1][1] if pictures else good_until
    doubted = doubted or not pictures
    if doubted:
        gaps.append(Gap(start=good_until, end=max([end, *(link.until for link in links[-1:])]), why=StreamFault.DISK))
    facts = ClipFacts(
        camera=head.camera,
        path=head.path,
        start=head.start,
        end=end,
        sha256=chain.digest,
        fragments=chain.links,
        gaps=tuple(gaps),
    )
    if doubted:  # the links after changed bytes would match no hash
        return facts, ()
    return facts, tuple(
        SidecarLink(end_byte=end_byte, chain=link, until=head.start + _last_picture_before(end_byte, pictures))
        for end_byte, link in unlinked
    )


def _pictures(film: Path) -> list[tuple[int, timedelta]]:
    """Return each picture's place in the file and its time after the first one; empty if the film cannot be played."""
    try:
        with av.open(str(film)) as container:
            found = [
                (packet.pos or 0, float(packet.pts * packet.time_base))
                for packet in container.demux(video=0)
                if packet.pts is not None
            ]
    except av.error.FFmpegError as error:
        log.warning("%s cannot be played: %s", film.name, error)
        return []
    first = min((at for _, at in found), default=0.0)
    return sorted(((place, timedelta(seconds=at - first)) for place, at in found), key=lambda picture: picture[1])


def _last_picture_before(end_byte: int, pictures: list[tuple[int, timedelta]]) -> timedelta:
    """Return when the last picture before a place in the file was taken, counted from the first picture."""
    return max((after for place, after in pictures if place < end_byte), default=timedelta(0))


def _rename_durably(running: Path, final: Path) -> None:
    running.rename(final)
    sync_folder(final.parent)

"""What a power cut takes from a film: what was not synced, which is never older than the house file allows."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.video.clip import FRAGMENT_S, ClipWriter
from gateway.video.ipc import ClipKey
from gateway.video.recovery import close_left_film
from gateway.video.ring import EncodedPicture
from gateway.video.sidecar import SidecarHead, SidecarLink, read_sidecar, sidecar_path
from tests.filmset.films import check_clip
from tests.gateway.video.test_fragments import RATE, pictures_of, stream_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEAD = SidecarHead(camera="c", clip=ClipKey(visit="v", part=1), path="v/c-1-1.mp4", start=NOON)
A_PICTURE_AND_A_HALF_S = 1.5 / RATE


class Film:
    """A film of pictures that arrive one by one, and the size of the part that a power cut leaves."""

    def __init__(self, folder: Path, sync_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.part = folder, folder / f"{HEAD.path}.part"
        self.syncs: list[int] = []
        really = os.fdatasync

        def sync(handle: int) -> None:
            really(handle)
            self.syncs.append(os.fstat(handle).st_size)

        monkeypatch.setattr(os, "fdatasync", sync)
        container, self.pictures = pictures_of(stream_of(gop=3 * RATE))
        self.first_at = self.pictures[0].arrived_at
        with container:
            self.writer = ClipWriter(
                folder, HEAD, container.streams.video[0], self.pictures[0], sync_s=sync_s,
                to_utc=lambda at: NOON + timedelta(seconds=at - self.first_at), crash_point=lambda _point: None,
            )  # fmt: skip
        self.writer.write_pre_roll(self.pictures[:1])

    def arrive(self, after_each: Callable[[EncodedPicture], None] = lambda _picture: None) -> None:
        for picture in self.pictures[1:]:
            self.writer.write_picture(picture)
            after_each(picture)

    def synced_until(self) -> datetime:
        """When the newest synced picture arrived, as the sidecar says."""
        return [line.until for line in read_sidecar(sidecar_path(self.part)) if isinstance(line, SidecarLink)][-1]

    def unsynced_s(self, picture: EncodedPicture) -> float:
        return (NOON - self.synced_until()).total_seconds() + picture.arrived_at - self.first_at


@pytest.fixture(params=[0.25, 1.0])
def sync_s(request: pytest.FixtureRequest) -> float:
    return float(request.param)


def test_no_picture_waits_longer_for_its_sync_and_the_first_fragment_does_not_wait(
    sync_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Film(tmp_path, sync_s, monkeypatch)
    begun_at: list[float] = []

    def look(picture: EncodedPicture) -> None:
        assert film.unsynced_s(picture) <= sync_s + A_PICTURE_AND_A_HALF_S
        if film.writer.has_begun:
            begun_at.append(picture.arrived_at - film.first_at)

    film.arrive(look)
    assert begun_at[0] <= FRAGMENT_S + A_PICTURE_AND_A_HALF_S
    facts = film.writer.close(None)
    assert facts is not None
    assert check_clip(tmp_path, facts).pictures == 3 * RATE
    assert sync_s < 1 or len(film.syncs) <= 6, "of 12 fragments, several are synced together"


@pytest.mark.parametrize("links", [True, False], ids=["the sidecar is whole", "its links are lost too"])
def test_after_a_power_cut_the_film_plays_up_to_its_last_sync(
    sync_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    film = Film(tmp_path, sync_s, monkeypatch)
    film.arrive()
    os.truncate(film.part, film.syncs[-1])
    sidecar = sidecar_path(film.part)
    if not links:
        sidecar.write_bytes(sidecar.read_bytes().splitlines(keepends=True)[0])
    closed = close_left_film(tmp_path, sidecar)
    assert closed is not None
    assert closed.facts is not None
    assert closed.facts.gaps == ()
    check_clip(tmp_path, closed.facts)
    lost = NOON + timedelta(seconds=film.pictures[-1].arrived_at - film.first_at) - closed.facts.end
    assert lost.total_seconds() <= sync_s + A_PICTURE_AND_A_HALF_S

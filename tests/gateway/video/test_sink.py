"""A fragment is announced only when it is on disk: the film as it is when its sync has just been made."""

import os
from pathlib import Path

import pytest

from gateway.video.clip import FragmentWriter, SyncedLink


def box(name: bytes) -> bytes:
    return (12).to_bytes(4, "big") + name + b"1234"


HEAD, FRAGMENT = box(b"ftyp") + box(b"moov"), box(b"moof") + box(b"mdat")


class Disk:
    """Notes what was synced and what was announced, in their order."""

    def __init__(self, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.film = film
        self.seen: list[tuple[str, int]] = []
        self._really = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, handle: int) -> None:
        self._really(handle)
        self.seen.append(("synced", self.film.stat().st_size))

    def announced(self, links: list[SyncedLink], first: bool) -> None:
        self.seen.append(("first announced" if first else "announced", links[-1][0]))


def write(sink: FragmentWriter, data: bytes) -> None:
    """Write and sync."""
    sink.write(data, 1.0)
    sink.sync()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(tmp_path / "film", monkeypatch)


def test_each_fragment_is_synced_and_only_then_announced(disk: Disk) -> None:
    sink = FragmentWriter(disk.film, disk.announced)
    write(sink, HEAD)
    write(sink, FRAGMENT)
    write(sink, FRAGMENT)
    one, two, three = len(HEAD), len(HEAD + FRAGMENT), len(HEAD + FRAGMENT * 2)
    assert disk.seen == [
        ("synced", one), ("announced", one),
        ("synced", two), ("first announced", two),
        ("synced", three), ("announced", three),
    ]  # fmt: skip
    sink.close()


def test_what_is_written_together_is_synced_once_and_announced_whole(disk: Disk) -> None:
    sink = FragmentWriter(disk.film, disk.announced)
    sink.write(HEAD + FRAGMENT, 1.0)
    sink.write(FRAGMENT, 1.0)
    assert disk.seen == []
    sink.sync()
    assert [what for what, _ in disk.seen] == ["synced", "first announced"]
    assert disk.seen[0][1] == disk.seen[-1][1] == len(HEAD + FRAGMENT * 2)
    sink.close()


def test_half_a_fragment_is_neither_announced_nor_kept(disk: Disk) -> None:
    sink = FragmentWriter(disk.film, disk.announced)
    write(sink, HEAD + FRAGMENT)
    write(sink, FRAGMENT[:15])
    assert disk.seen[-1] == ("first announced", len(HEAD + FRAGMENT))
    sink.close()
    assert disk.film.read_bytes() == HEAD + FRAGMENT


def test_a_sync_that_failed_is_never_tried_again_and_announces_nothing(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = FragmentWriter(disk.film, disk.announced)
    write(sink, HEAD)
    before = list(disk.seen)

    def broken(_handle: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="Input/output"):
            write(sink, FRAGMENT)
    with pytest.raises(OSError, match="Input/output"):
        write(sink, FRAGMENT)
    assert disk.seen == before
    sink.close()
    assert disk.film.read_bytes() == HEAD


def test_what_is_synced_to_a_deleted_file_is_no_film_and_announces_nothing(disk: Disk, tmp_path: Path) -> None:
    sink = FragmentWriter(disk.film, disk.announced)
    write(sink, HEAD + FRAGMENT)
    announced = [what for what, _ in disk.seen if what != "synced"]
    disk.film.unlink()
    disk.film = tmp_path  # its size is noted at each sync
    with pytest.raises(FileNotFoundError, match="deleted"):
        write(sink, FRAGMENT)
    assert [what for what, _ in disk.seen if what != "synced"] == announced
    with pytest.raises(OSError, match="deleted"):
        sink.write(FRAGMENT, 1.0)
    sink.close()

"""A backup, read and put back: checked whole before anything is touched, and never half of it in use."""

import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from gateway.protocol.keys import PRIVATE, BoxKey, PublicKey
from gateway.runtime.maintenance import factory_reset
from gateway.runtime.maintenance.backup import (
    CHUNK,
    HOUSE,
    HOUSE_FILE,
    KEY_FOLDER,
    LEFT_OUT,
    LISTING,
    NAME,
    SMALL,
    STORE,
    Hashing,
    Item,
    Listing,
    private,
)
from gateway.system.atomic_file import sync_folder, write_whole

LARGEST_LISTING = 64 * 2**20  # bytes


class BackupUnusable(ValueError):  # noqa: N818 - it says what is the matter
    """The file is no backup, or not a whole one; the text says what is wrong with it."""


class HalfRestored(OSError):  # noqa: N818 - the same
    """The storage folder is being restored, or a restore of it was cut short: no gateway begins in it."""


def read(archive: Path, put: Callable[[str, IO[bytes]], None] = lambda _name, _data: None) -> Listing:
    """Read a backup whole, check it, and return what is in it; `put` gets each file, to be read to its end or not.

    Raises:
        BackupUnusable: it is none, was cut or changed.
        OSError: it cannot be read, or what `put` raises.
    """
    found: dict[str, Item] = {}
    listing: Listing | None = None
    pem = b""
    with _members(archive) as members:
        for info, data in members:
            plain = info.isreg() and info.sparse is None  # a few bytes can say that they are a hole of petabytes
            if listing is not None or not plain or not _named(info.name) or info.name in found:
                raise BackupUnusable(f"{archive.name} holds what no backup holds ({info.name[:80]!r})")
            if info.name == LISTING:
                listing = _listed(data.read(LARGEST_LISTING + 1))
                continue
            source = Hashing(data)
            kept = source.read(SMALL) if info.name == f"{KEY_FOLDER}/{PRIVATE}" else None
            pem = pem if kept is None else kept
            put(info.name, source if kept is None else BytesIO(kept))  # type: ignore[arg-type]  # it only reads
            while source.read(CHUNK):
                pass
            found[info.name] = Item(name=info.name, size=info.size, sha256=source.digest)
    if listing is None:
        raise BackupUnusable(f"{archive.name} was cut: its listing, which stands at its end, is missing")
    _compare(archive, listing, found)
    try:
        signed = listing.is_signed_by(PublicKey.from_text(listing.key)) and BoxKey.of(pem).public.text == listing.key
    except ValueError:
        signed = False
    if not signed:
        raise BackupUnusable(f"{archive.name}: its listing is not signed by the box whose key is in it")
    return listing


def _named(name: str) -> bool:
    """Whether a backup may have a file of this name: a box's own, a house's, or the listing."""
    top = name.partition("/")[0]
    return NAME.fullmatch(name) is not None and (
        top in factory_reset.OURS - LEFT_OUT or name == LISTING or f"{top}/" == HOUSE
    )


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
    def each(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        for info in tar:
            data = tar.extractfile(info) if info.isreg() else None
            yield info, BytesIO(b"") if data is None else data

    try:
        with tarfile.open(archive, mode="r:") as tar:
            yield each(tar)
    except (tarfile.TarError, EOFError) as failure:
        raise BackupUnusable(f"{archive.name} is no backup, or was cut ({failure})") from failure


def _listed(data: bytes) -> Listing:
    try:
        return Listing.from_json(data)
    except ValueError as failure:
        raise BackupUnusable(f"{LISTING} in it is no listing of a backup that this version knows") from failure


def _compare(archive: Path, listing: Listing, found: Mapping[str, Item]) -> None:
    named = {item.name: item for item in listing.files}
    for name in sorted(named.keys() | found.keys()):
        if named.get(name) != found.get(name):
            what = (
                "is missing" if name not in found else "is not in its listing" if name not in named else "was changed"
            )
            raise BackupUnusable(f"{archive.name}: {name} {what}")
    for name in (STORE, f"{KEY_FOLDER}/{PRIVATE}", HOUSE_FILE):
        if name not in named:
            raise BackupUnusable(f"{archive.name}: {name} is not in it")


def unfinished(folder: Path) -> bool:
    """Whether a restore of this folder was begun and has not come to its end."""
    return (folder / factory_reset.RESTORING).exists()


def foreign(folder: Path) -> tuple[str, ...]:
    """What stands in the way of a restore: only an empty folder is restored into, or one that was half restored."""
    if not folder.is_dir():
        return ()
    there = {path.name for path in folder.iterdir()} - {factory_reset.LOCK}
    return tuple(sorted(there - factory_reset.OURS if factory_reset.RESTORING in there else there))


def house_in(archive: Path) -> Mapping[str, bytes]:
    """Return the files of the house, by their place beside the house file. Check the backup first (`read`)."""
    files: dict[str, bytes] = {}

    def put(name: str, data: IO[bytes]) -> None:
        if name.startswith(HOUSE):
            files[name.removeprefix(HOUSE)] = data.read(SMALL)

    read(archive, put)
    return files


def begin(folder: Path) -> None:
    """Say that this folder is being restored: no gateway begins there before it is done.

    Raises:
        OSError: the folder does not take it.
    """
    write_whole(folder / factory_reset.RESTORING, b"perron restore 1\n")


def unpack(archive: Path, folder: Path) -> Listing:
    """Put the box's own files into its storage folder. Cut short, no gateway begins there before it is done again.

    Raises:
        BackupUnusable: it is no whole backup.
        OSError: the folder does not take it.
    """
    begin(folder)
    factory_reset.clear(folder, but=factory_reset.RESTORING)

    def put(name: str, data: IO[bytes]) -> None:
        if name.startswith(HOUSE):
            return
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "xb", opener=private) as out:
            while chunk := data.read(CHUNK):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())

    listing = read(archive, put)
    for parent in {folder, *(path.parent for path in folder.rglob("*"))}:
        sync_folder(parent)
    (folder / factory_reset.RESTORING).unlink()
    sync_folder(folder)
    return listing

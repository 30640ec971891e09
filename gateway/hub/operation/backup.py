"""Makes a backup of a hub, running or not: one tar file with all that belongs together.

`listing.json`, its last member, names every other one with its SHA-256. The journal of revocations is not in it: it
lies outside every backup, so that no restore undoes a revocation.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from gateway.domain.frozen import Frozen
from gateway.hub.config import HubFile
from gateway.hub.operation import databases
from gateway.hub.operation.databases import DatabaseKind
from gateway.hub.operation.folder import LOCK_FILE, RESTORE_MARK
from gateway.hub.operation.journal import JOURNAL_FILE
from gateway.system.config_section import map_paths
from gateway.system.listed_archive import NAME_PATTERN, BackupFile, InvalidBackup, compare, new_archive, read_archive
from gateway.system.regular_file import MAX_FILE_BYTES

LISTING_FILE = "listing.json"
FOLDER_PREFIX, CONFIG_PREFIX = "folder/", "config/"
CONFIG_FILE = "config/hub.yaml"
KEPT_PREFIX = "before-"  # a folder in the hub's folder: what a restore found there


class HubListing(BaseModel):
    """The contents of a backup of the hub at `url`, made at `at`. `folder`: where the hub's folder was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["perron hub backup 1"] = "perron hub backup 1"
    url: str
    at: AwareDatetime
    database: DatabaseKind
    folder: str
    files: tuple[BackupFile, ...]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = "0" * 64  # of all the rest

    def _digest(self) -> str:
        text = json.dumps(self.model_dump(mode="json", exclude={"sha256"}), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()

    def sealed(self) -> Self:
        """Return the listing with the digest of itself, so that a changed one is found."""
        return self.model_copy(update={"sha256": self._digest()})

    @property
    def is_whole(self) -> bool:
        """Whether it is as it was written."""
        return self.sha256 == self._digest()


class HubBackup(Frozen):
    """A written backup. `outside`: files that the hub's file names and that are not in it."""

    listing: HubListing
    outside: tuple[Path, ...]


def make_backup(file: HubFile, config: Path, target: Path, now: datetime) -> HubBackup:
    """Write a backup of the hub. A partial file never has the name `target`.

    Raises:
        FileExistsError: `target` exists already.
        DatabaseToolFailed, OSError: something cannot be read or written.
    """
    with new_archive(target, int(now.timestamp())) as (packed, temporary):
        copy = databases.copy_database(file.database, temporary)
        packed.file(copy.name, copy)
        for name, path in _own_files(file):
            packed.file(name, path)
        inside, outside = _configuration(file, config.resolve())
        packed.file(CONFIG_FILE, config.resolve())
        for name, path in inside:
            packed.file(name, path)
        kind = databases.kind_of(file.database)
        listing = HubListing(
            url=file.url, at=now, database=kind, folder=str(file.folder), files=tuple(packed.items)
        ).sealed()
        packed.small(LISTING_FILE, listing.model_dump_json().encode())
    return HubBackup(listing=listing, outside=outside)


def own_names(file: HubFile) -> Iterator[Path]:
    """Yield what lies in a hub's folder and is the hub's: not its locks, nor what a restore put aside or left."""
    if not file.folder.is_dir():
        return
    for path in sorted(file.folder.iterdir()):
        other = path.name.startswith((".", KEPT_PREFIX)) or path.name.endswith(".lock") or path.name == RESTORE_MARK
        if not other:
            yield path


def _own_files(file: HubFile) -> Iterator[tuple[str, Path]]:
    database = databases.sqlite_file(file.database) if databases.kind_of(file.database) == "sqlite" else None
    for top in own_names(file):
        is_database = database is not None and top.resolve().parent == database.parent and top.name.startswith(
            database.name
        )  # fmt: skip
        if is_database or top.name in {JOURNAL_FILE, LOCK_FILE}:
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else (top,):
            name = f"{FOLDER_PREFIX}{path.relative_to(file.folder).as_posix()}"
            if path.is_file() and not path.is_symlink() and NAME_PATTERN.fullmatch(name):
                yield name, path


def _configuration(file: HubFile, config: Path) -> tuple[tuple[tuple[str, Path], ...], tuple[Path, ...]]:
    """Return the files that the hub's file names and that are not in its folder; second, those not below the file."""
    named: set[Path] = set()

    def collect(path: Path) -> Path:
        if path.is_file() and path.stat().st_size <= MAX_FILE_BYTES:
            named.add(path)
        return path

    map_paths(file.model_copy(update={"rabbit": None}), collect)
    further = sorted(path for path in named if not path.resolve().is_relative_to(file.folder))
    inside, outside = [], []
    for path in further:
        name = CONFIG_PREFIX
        if path.is_relative_to(config.parent):
            name += path.relative_to(config.parent).as_posix()
        if NAME_PATTERN.fullmatch(name) and not path.is_symlink():
            inside.append((name, path))
        else:
            outside.append(path)
    return tuple(inside), tuple(outside)


def read_backup(archive: Path, put: Callable[[str, IO[bytes]], None] = lambda _name, _data: None) -> HubListing:
    """Read and check a complete backup and return its listing. `put` gets each file and may read it or not.

    Raises:
        InvalidBackup: the file is not a complete backup of a hub.
        OSError: it cannot be read.
    """
    raw, files = read_archive(archive, LISTING_FILE, _is_valid_name, put)
    try:
        listing = HubListing.model_validate_json(raw)
    except ValueError as error:
        what = "is no listing of a hub's backup that this version knows"
        raise InvalidBackup(f"{archive.name}: {LISTING_FILE} in it {what}") from error
    if not listing.is_whole:
        raise InvalidBackup(f"{archive.name}: {LISTING_FILE} was changed")
    named = {item.name: item for item in listing.files}
    compare(archive, named, files)
    database = databases.SQLITE_FILE if listing.database == "sqlite" else databases.DUMP_FILE
    for name in (database, CONFIG_FILE):
        if name not in named:
            raise InvalidBackup(f"{archive.name}: {name} is not in it")
    return listing


def _is_valid_name(name: str) -> bool:
    is_known = name.startswith((FOLDER_PREFIX, CONFIG_PREFIX)) or name in {databases.SQLITE_FILE, databases.DUMP_FILE}
    return is_known and NAME_PATTERN.fullmatch(name) is not None


def configuration_files(archive: Path) -> dict[str, bytes]:
    """Return the hub's file and those beside it, by path relative to its folder; the hub's file is `hub.yaml`."""
    files: dict[str, bytes] = {}

    def put(name: str, data: IO[bytes]) -> None:
        if name.startswith(CONFIG_PREFIX):
            files[name.removeprefix(CONFIG_PREFIX)] = data.read()

    read_backup(archive, put)
    return files

"""Writes the files of a house to an empty place, completely or not at all.

First the module writes a list of the files to come, and deletes it last. The house file gets its name last of all,
while the storage folder is marked as being restored. So a command that is killed anywhere leaves no house file, or a
complete one in whose folder no gateway starts. The next restore first removes what an interrupted one left.

The functions raise OSError if the folder cannot be written, and ValueError if the list is invalid; the list stays, and
the next try continues.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from gateway.config.loader import restore_mark
from gateway.protocol.signed_document import Hash
from gateway.runtime.maintenance.backup import MAX_HOUSE_FILE_BYTES
from gateway.system.atomic_file import read_regular, sync_folder, write_whole
from gateway.system.listed_archive import NAME_PATTERN

MAX_LIST_BYTES = 2**24  # bytes of the list: some hundred thousand files


class RestoreList(BaseModel):
    """The files being written beside the house file: path and hash of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["perron house 1"] = "perron house 1"
    files: dict[Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN.pattern}$")], Hash]


def staged_path(file: Path) -> Path:
    """Return the path of the house file before it gets its name."""
    return file.with_name(f".{file.name}.restored")


def write_files(files: Mapping[str, bytes], file: Path) -> Path:
    """Write the files of a house and return its staged house file, which `commit` renames; `roll_back` undoes this.

    Raises:
        FileExistsError: one of them exists already, and nothing was written.
    """
    beside = file.parent
    roll_back(file)
    for name in files:
        if os.path.lexists(beside / name):
            raise FileExistsError(f"{beside / name} exists: it is not written over")
    others = {name: data for name, data in files.items() if name != file.name}
    listing = RestoreList(files={name: sha256(data).hexdigest() for name, data in others.items()})
    write_whole(restore_mark(file), listing.model_dump_json().encode())
    for name, data in others.items():
        path = beside / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data)
    write_whole(staged_path(file), files[file.name])
    return staged_path(file)


def commit(file: Path) -> None:
    """Rename the house file to its name: from here on the house exists."""
    staged_path(file).replace(file)
    sync_folder(file.parent)
    discard_list(file)


def discard_list(file: Path) -> None:
    """Delete the list: the house file exists, so there is nothing to roll back any more."""
    staged_path(file).unlink(missing_ok=True)
    restore_mark(file).unlink(missing_ok=True)
    sync_folder(file.parent)


def roll_back(file: Path) -> None:
    """Delete the files of a house that was never committed; files that others changed since then stay."""
    if file.exists():
        discard_list(file)
    if not os.path.lexists(restore_mark(file)):
        return
    listing = RestoreList.model_validate_json(read_regular(restore_mark(file), at_most=MAX_LIST_BYTES))
    staged_path(file).unlink(missing_ok=True)
    for name, written in listing.files.items():
        path = file.parent / name
        with suppress(OSError):  # it was not written, or is no regular file of ours
            if sha256(read_regular(path, at_most=MAX_HOUSE_FILE_BYTES)).hexdigest() == written:
                path.unlink()
        path.with_name(f".{path.name}.new").unlink(missing_ok=True)
    restore_mark(file).unlink()
    sync_folder(file.parent)

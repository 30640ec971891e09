"""Erases films at the end of their retention time, in a way that differs from tampering.

A full disk never erases a film that is held or in its retention time: it ends new visits instead.
"""

import re
from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.evidence.checkpoint import SealedPart
from gateway.evidence.manifest import visit_files
from gateway.evidence.succession import SUCCESSION_FILE
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.signed_document import FileName, Id, SignedDocument
from gateway.system.atomic_file import read_regular, sync_folder, write_whole
from gateway.system.regular_file import FileTooLarge, NotRegularFile

MAX_RETENTION = timedelta(days=30)
TOMBSTONE_FILE = "erased.json"

_MAX_TOMBSTONE_BYTES = 2**20  # bytes of a tombstone
_STATEMENT_FILES = re.compile(r"(manifest(-\d+)?\.(json|sig)|log(-\d+)?\.jsonl|receipt(-\d+)?\.json)")


class FilmedVisit(Frozen):
    """A visit with films on disk. `ended`: when its last film ended, None while one runs; `held`: why, if it is."""

    visit: str
    ended: datetime | None
    held: str | None = None

    @property
    def erasure_refusal(self) -> str | None:
        """Why the visit may not be erased on request; None if it may. Its retention time does not matter."""
        if self.ended is None:
            return "running"
        return None if self.held is None else f"held {self.held}"


class Tombstone(SignedDocument):
    """The box erased this visit. `parts`: the sealed manifests; `who`: the requester, or "retention"."""

    kind: Literal["perron tombstone 1"] = "perron tombstone 1"
    box: Id
    visit: FileName
    parts: tuple[SealedPart, ...]
    at: AwareDatetime
    why: Literal["request", "retention"]
    who: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 @._-]{1,80}$")]


def overdue_visits(visits: Iterable[FilmedVisit], *, now: Now, days: int) -> tuple[str, ...]:
    """Return the visits whose retention time (at most 30 days) is over, the oldest first; none that is held or runs.

    While the clock is not trusted the result is empty: a wrong clock must not erase evidence.
    """
    if not now.trusted:
        return ()
    until = now.utc - min(timedelta(days=days), MAX_RETENTION)
    free = (visit for visit in visits if visit.held is None)
    over = [(visit.ended, visit.visit) for visit in free if visit.ended is not None and visit.ended <= until]
    return tuple(visit for _, visit in sorted(over))


def orphaned_films(films: Path, known: Container[str], *, now: Now, days: int) -> tuple[Path, ...]:
    """Return film files that belong to no `known` visit and were last written before the retention time.

    A full disk may have kept their visit out of the store, and no film may be kept for ever.

    Raises:
        OSError: the folder cannot be read.
    """
    if not now.trusted:
        return ()
    until = (now.utc - min(timedelta(days=days), MAX_RETENTION)).timestamp()
    return tuple(
        path
        for path in visit_files(films, without=known)
        if not _STATEMENT_FILES.fullmatch(path.name)
        and path.name not in (TOMBSTONE_FILE, SUCCESSION_FILE)
        and path.lstat().st_mtime <= until
    )


def erase_folder(folder: Path, stone: Tombstone) -> Tombstone:
    """Write the tombstone, then delete files. After a crash, call it again with the same or another tombstone.

    A request deletes everything but the tombstone. The end of the retention time deletes the films and their chains;
    manifest, log and receipt stay.

    Raises:
        OSError: something could not be written or deleted; erase again.
        ValueError: the folder contains a folder, so it is not a visit's.
    """
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            raise ValueError(f"{path.name} is a folder")
    valid = _equivalent_tombstone(folder, stone) or stone
    if valid is stone:
        write_whole(folder / TOMBSTONE_FILE, stone.to_json())
    for path in sorted(folder.iterdir()):
        if is_erased_by(path.name, valid):
            path.unlink()  # deletes a link itself, not its target
    sync_folder(folder)
    return valid


def is_erased_by(name: str, stone: Tombstone) -> bool:
    """Return whether this tombstone demands that a file of the visit's folder is deleted."""
    return name not in (TOMBSTONE_FILE, SUCCESSION_FILE) and not (
        stone.why == "retention" and _STATEMENT_FILES.fullmatch(name)
    )


def _equivalent_tombstone(folder: Path, stone: Tombstone) -> Tombstone | None:
    """Return the tombstone in the folder, if it is of the same key and says as much as `stone`."""
    try:
        standing = read_tombstone(folder)
    except (ValueError, NotRegularFile, FileTooLarge):
        return None
    if standing is None or not standing.is_signed_by(PublicKey.from_text(stone.key)):
        return None
    is_equivalent = standing.visit == stone.visit and (standing.why == "request" or stone.why == "retention")
    return standing if is_equivalent else None


def read_tombstone(folder: Path) -> Tombstone | None:
    """Return the folder's tombstone without checking its signature; None if there is no file.

    Raises:
        ValueError: the file is not a tombstone.
        OSError: it cannot be read.
    """
    try:
        return Tombstone.from_json(read_regular(folder / TOMBSTONE_FILE, at_most=_MAX_TOMBSTONE_BYTES))
    except FileNotFoundError:
        return None

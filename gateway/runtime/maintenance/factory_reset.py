"""Wipes the box: deletes everything that it stored, so that the next start is a new box.

The module writes a mark first and deletes it last; each start looks for the mark before it opens anything else. So a
box that is killed in the middle, however often, finishes the wipe, and never runs with half of its old state. Deletion
is that of the file system: flash may keep unreadable remains, against which only an encrypted disk helps.

The functions raise OSError if something cannot be written or deleted. Then the mark stays (or there is none yet, and
nothing is decided), and the box does not start before the wipe is done.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway.system.atomic_file import sync_folder, write_whole
from gateway.video.held_folder import end_by_socket
from gateway.video.ipc import VIDEO_SOCKET

WIPE_MARK = "wipe"
LOCK_FILE = "gateway.lock"
RESTORE_MARK = "restoring"  # a restore is in progress (gateway/runtime/maintenance/backup.py)

OWN_NAMES = frozenset({
    "key",  # the box's own key and that of its links: first, so that the rest can prove nothing
    "pages",  # its certificate authority and certificate
    "hub",  # its credentials at its hub
    "claim-code",
    "way-in",
    "perron.sqlite3", "perron.sqlite3-wal", "perron.sqlite3-shm", "perron.sqlite3-journal",
    "last-checkpoint.json",
    "home-assistant.json",
    "reload.json",
    "last-backup.json",
    "faults.json",
    RESTORE_MARK,
    "visits",
    "thumbnails",  # small pictures out of the visits' films
    "pocket",
    "proposals",  # proposals for the house file, with cameras' accounts
    "installation",  # measurements and tests of the installation
})  # fmt: skip
"""All that a box writes under its storage folder, except its lock and its sockets, which contain no data.
Others keep things there too: a house file, another house, the simulation's log."""


def mark_for_wipe(folder: Path) -> None:
    """Decide to wipe this box: from here on no start opens what is there."""
    write_whole(folder / WIPE_MARK, b"perron wipe 1\n")


def is_marked_for_wipe(folder: Path) -> bool:
    """Return whether a wipe was decided and is not finished."""
    return (folder / WIPE_MARK).exists()


def finish_wipe(folder: Path, *, phones: Path) -> bool:
    """Delete everything, then the mark. After a crash, calling it again gives the same result.

    `phones` is the file of the phones' addresses: it is emptied, not deleted, because the house file may name it.
    Return False if it could not be emptied, so that a person has to do it. A video process that still runs after its
    gateway ended is ended first; otherwise it would film into the new box.
    """
    end_by_socket(folder / VIDEO_SOCKET)
    emptied = truncate(phones)
    _delete(_temporary_file(phones))
    for name in ("key", "pages", "hub"):
        _delete_with_temporary(folder / name)
    delete_except(folder)
    (folder / WIPE_MARK).unlink(missing_ok=True)
    sync_folder(folder)
    return emptied


def delete_credentials(credentials: Sequence[Path]) -> tuple[Path, ...]:
    """Delete the credentials with which the box proves elsewhere that it is this home; return those that remain."""
    remaining = []
    for file in credentials:
        try:
            _delete(file)
        except OSError:  # it may be mounted read-only
            remaining.append(file)
    return tuple(remaining)


def delete_except(folder: Path, *but: str) -> None:
    """Delete what a box wrote there, except these names."""
    for name in sorted(OWN_NAMES - set(but)):
        _delete_with_temporary(folder / name)
    sync_folder(folder)


def _delete_with_temporary(path: Path) -> None:
    _delete(path)
    _delete(_temporary_file(path))


def _temporary_file(file: Path) -> Path:
    """Return the path of a temporary file that a crash may have left (`write_whole`)."""
    return file.with_name(f".{file.name}.new")


def empty_secrets(files: Iterable[Path]) -> tuple[Path, ...]:
    """Empty files with a household's secrets that the house file may name; return those that cannot be written."""
    return tuple(file for file in files if not truncate(file))


def truncate(file: Path) -> bool:
    """Empty a file that stays; return False if it cannot be written."""
    try:
        with file.open("r+b") as out:
            out.truncate(0)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _delete(path: Path) -> None:
    if path.is_symlink() and path.is_dir():  # films on another disk: they go, the link's target stays
        for inner in path.iterdir():
            _remove(inner)
        sync_folder(path)
    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

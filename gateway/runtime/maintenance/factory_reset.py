"""Wiping the box: everything that it ever stored goes, and what starts afterwards is a new box.

A mark is made first and goes last, and it is looked for at each start before anything else is opened: so a box that is
killed in the middle, however often, is wiped or not there, and never half of its old self. What is deleted is deleted
as the file system does it: flash may keep unreadable remains, against which only an encrypted disk helps.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from gateway.system.atomic_file import sync_folder, write_whole

WIPE_MARK = "wipe"
LOCK_FILE = "gateway.lock"
RESTORE_MARK = "restoring"  # a backup is being put back (gateway/runtime/maintenance/backup.py)

OWN_NAMES = frozenset({
    "key",  # the box's own key and that of its links: first, so that what is left can vouch for nothing
    "pages",  # its authority and certificate
    "hub",  # what it proves itself by at its hub
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
    "pocket",
    "proposals",  # what is proposed for the house file, with cameras' accounts
    "installation",  # what was measured and tried when it was put up
})  # fmt: skip
"""All that a box writes under its storage folder, but for its lock and its sockets, which hold nothing of anybody.

By name, because others keep things there too: a house file, another house, the simulation's log.
"""

_DELETED_FIRST = ("key", "pages", "hub")


def mark_for_wipe(folder: Path) -> None:
    """Decide that this box is wiped: from here on no start opens what is there.

    Raises:
        OSError: the disk does not take it, and nothing is decided.
    """
    write_whole(folder / WIPE_MARK, b"perron wipe 1\n")


def is_marked_for_wipe(folder: Path) -> bool:
    """Whether a wipe was decided and has not come to its end."""
    return (folder / WIPE_MARK).exists()


def finish_wipe(folder: Path, *, phones: Path) -> bool:
    """Delete all of it, then the mark. Do it again after a crash and it ends the same.

    `phones` is the file of the phones' addresses: it is emptied, not deleted, for the house file may name it. False:
    it could not be, and somebody has to do it by hand.

    Raises:
        OSError: something could not be deleted. The mark stands: the box does not start before it is.
    """
    emptied = truncate(phones)
    _delete(_temporary_file(phones))
    for name in (*_DELETED_FIRST, *sorted(OWN_NAMES - set(_DELETED_FIRST))):
        _delete(folder / name)
        _delete(_temporary_file(folder / name))
    sync_folder(folder)
    (folder / WIPE_MARK).unlink(missing_ok=True)
    sync_folder(folder)
    return emptied


def delete_credentials(credentials: Sequence[Path]) -> tuple[Path, ...]:
    """Delete the files by which the box proves elsewhere that it is this home; those that could not be are returned."""
    left = []
    for file in credentials:
        try:
            _delete(file)
        except OSError:  # it may be mounted read-only
            left.append(file)
    return tuple(left)


def delete_except(folder: Path, *, but: str) -> None:
    """Delete what a box wrote there, but for one name.

    Raises:
        OSError: something could not be deleted.
    """
    for name in sorted(OWN_NAMES - {but}):
        _delete(folder / name)
        _delete(_temporary_file(folder / name))
    sync_folder(folder)


def _temporary_file(file: Path) -> Path:
    """What a crash left while the file was written (`proof.files.write_whole`)."""
    return file.with_name(f".{file.name}.new")


def truncate(file: Path) -> bool:
    """Empty a file that stays; False: it cannot be written."""
    try:
        with file.open("r+b") as out:
            out.truncate(0)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _delete(path: Path) -> None:
    if path.is_symlink() and path.is_dir():  # films on another disk: they go, the disk stays
        for inner in path.iterdir():
            _remove(inner)
        sync_folder(path)
    _remove(path)


def _remove(path: Path) -> None:
    """Remove what stands there; a link itself, never what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

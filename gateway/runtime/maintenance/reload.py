"""Reloads the house file while the box runs: finds what delays or prevents a reload, and reports the result.

The result is in a file of the storage folder, because the requesting process (`perron reload`, the settings page) is
another one, and the result outlives the gateway that wrote it: a new gateway starts with the new house.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gateway.config.home import Home
from gateway.config.loader import named_paths
from gateway.domain.now import Now
from gateway.domain.visit.state import Entrance
from gateway.evidence.rollback import STORE_FILE
from gateway.runtime.maintenance import factory_reset
from gateway.runtime.notifications.apprise import load_phones
from gateway.runtime.supervisor_messages import load_supervisor_phones
from gateway.storage import readonly
from gateway.storage.models import StoreFailed
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.config_section import ConfigSection
from gateway.system.regular_file import open_file

REPORT_FILE = "reload.json"
_MAX_REPORT_BYTES = 65_536  # bytes

BusyReason = Literal["visit", "watch", "incident", "scan", "lockup"]


class BusyEntrance(ConfigSection):
    """An entrance that is busy; the house file is not changed meanwhile."""

    entrance: str
    what: BusyReason


class ReloadReport(ConfigSection):
    """The result of one reload."""

    id: str  # new for each reload, so that the requester recognises its report
    said: Literal["applied", "waiting", "refused"]
    busy: tuple[BusyEntrance, ...] = ()  # what it waits for
    problems: tuple[str, ...] = ()  # why it was refused, one per line


def busy_entrances(states: Iterable[tuple[Entrance, Now]]) -> tuple[BusyEntrance, ...]:
    """Return what must not be interrupted at each entrance, the quarter of an hour after a visit (`watch`) included."""
    busy: list[BusyEntrance] = []
    for state, _ in states:
        running: dict[BusyReason, bool] = {
            "visit": state.visit is not None,
            "watch": state.grace_visit is not None,
            "incident": state.incident is not None,
            "scan": state.pending_scan is not None,
            "lockup": state.lock_request is not None and state.lock_request.result is None,
        }
        busy += [BusyEntrance(entrance=state.id, what=what) for what, runs in running.items() if runs]
    return tuple(busy)


def _keypads_with_codes(home: Home) -> tuple[str, ...]:
    with suppress(StoreFailed):  # a store that cannot be read has other consequences
        return readonly.keypads_with_codes(home.storage.folder / STORE_FILE)
    return ()


def replacement_errors(old: Home, new: Home) -> tuple[str, ...]:
    """Return why a valid house file cannot replace the running one. ConfigError: a file that it names is unusable."""
    problems = []
    if new.box != old.box:
        problems.append(f"`box` is {new.box!r}: a box keeps its name ({old.box!r}), its proofs bear it.")
    if new.storage.folder != old.storage.folder:
        problems.append(
            f"`storage.folder` is {new.storage.folder}: the running box keeps its store ({old.storage.folder})."
            " End it, move the folder, start it again."
        )
    problems += [
        f"`{keypad}` may still have a guest's code: withdraw the pass on the page Guests, and take it out of the house"
        " file once the code is proven gone."
        for keypad in _keypads_with_codes(old)
        if keypad not in new.devices
    ]
    problems += [
        f"{path}, which the house file names, is not there, is no plain file or cannot be read."
        for path in sorted(set(named_paths(new)) - {new.storage.folder})
        if not _readable(path)
    ]
    if not problems:
        new.broker.password()
        if new.messages is not None:
            load_phones(new.phones_file, key=bytes(32), scratch=new.storage.folder)
        load_supervisor_phones(new, key=bytes(32))
    return tuple(problems)


def _readable(path: Path) -> bool:
    """Return whether a regular file can be read there; a pipe would block."""
    try:
        open_file(path).close()
    except OSError:
        return False
    return True


def gateway_pid(folder: Path) -> int | None:
    """Return the process id of the gateway that runs in this folder; None without one that can be signalled.

    The number in its lock file counts only if that process holds the very file open, because numbers are used again.
    """
    lock = folder / factory_reset.LOCK_FILE
    try:
        pid = int(read_regular(lock, at_most=64))
        ours = lock.stat()
        opened = list(Path(f"/proc/{pid}/fd").iterdir())
    except (OSError, ValueError):
        return None
    for link in opened:
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(ours, link.stat()):
                return pid
    return None


def write_report(folder: Path, report: ReloadReport) -> None:
    """Store the report for the requester."""
    write_whole(folder / REPORT_FILE, report.model_dump_json().encode())


def read_report(folder: Path) -> tuple[ReloadReport, datetime] | None:
    """Read the last report and its time; None without a reload since the process began."""
    file = folder / REPORT_FILE
    try:
        at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return ReloadReport.model_validate_json(read_regular(file, at_most=_MAX_REPORT_BYTES)), at
    except (OSError, ValueError):
        return None


def delete_report(folder: Path) -> None:
    """Delete the report of an earlier process."""
    with suppress(OSError):
        (folder / REPORT_FILE).unlink()

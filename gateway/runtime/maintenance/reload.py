"""The house file, read anew while the box runs: what came of it, and what it has to wait for.

It is told in a file of the storage folder, because who asked (`perron reload`, the settings page) is not in the process
that answers, and the answer outlives the gateway that gave it: a new one begins with the new house.
"""

import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from gateway.config.errors import ConfigError
from gateway.config.fields import ConfigSection
from gateway.config.home import Home
from gateway.config.loader import named_paths
from gateway.domain.visit.state import Entrance, Now
from gateway.runtime.maintenance import factory_reset
from gateway.runtime.notifications.apprise import load_phones as read_phones
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.regular_file import open_file

REPORT_FILE = "reload.json"
_MAX_REPORT_BYTES = 65_536  # bytes

BusyReason = Literal["visit", "watch", "incident", "scan", "lockup"]


class BusyEntrance(ConfigSection):
    """What an entrance is in the middle of: no house file is changed meanwhile."""

    entrance: str
    what: BusyReason


class ReloadReport(ConfigSection):
    """What came of one reload. `busy_entrances`: what it waits for; `problems`: why it was refused, a line each."""

    id: str
    said: Literal["applied", "waiting", "refused"]
    busy: tuple[BusyEntrance, ...] = ()
    problems: tuple[str, ...] = Field(default=())


def new_id() -> str:
    """Name one reload, so that who asked for it knows its report from an older one."""
    return secrets.token_hex(8)


def busy_entrances(states: Iterable[tuple[Entrance, Now]]) -> tuple[BusyEntrance, ...]:
    """Find what must not be cut short: a visit and the quarter of an hour after it, a film, half a scan, a lock-up."""
    found: list[BusyEntrance] = []
    for state, _ in states:
        running: dict[BusyReason, bool] = {
            "visit": state.visit is not None,
            "watch": state.grace_visit is not None,
            "incident": state.incident is not None,
            "scan": state.pending_scan is not None,
            "lockup": state.lock_request is not None and state.lock_request.result is None,
        }
        found += [BusyEntrance(entrance=state.id, what=what) for what, runs in running.items() if runs]
    return tuple(found)


def replacement_errors(old: Home, new: Home) -> tuple[str, ...]:
    """Say why a house that is whole in itself cannot take the place of the one that runs; nothing: it can.

    Raises:
        ConfigError: a file that it names cannot be used.
    """
    found = []
    if new.box != old.box:
        found.append(f"`box` is {new.box!r}: a box keeps its name ({old.box!r}), its proofs bear it.")
    if new.storage.folder != old.storage.folder:
        found.append(
            f"`storage.folder` is {new.storage.folder}: the running box keeps its store ({old.storage.folder})."
            " End it, move the folder, start it again."
        )
    found += [
        f"{path}, which the house file names, is not there, is no plain file or cannot be read."
        for path in sorted(set(named_paths(new)) - {new.storage.folder})
        if not _readable(path)
    ]
    if found:
        return tuple(found)
    new.broker.password()
    if new.messages is not None:
        read_phones(new.phones_file, key=bytes(32), scratch=new.storage.folder)
    return tuple(found)


def _readable(path: Path) -> bool:
    """Whether a plain file can be read there: nobody waits for a pipe."""
    try:
        open_file(path).close()
    except OSError:
        return False
    return True


def gateway_pid(folder: Path) -> int | None:
    """Find the process of the gateway that runs in this folder; None: none does, or not one that may be asked.

    The number in its lock's file is believed only of a process that holds that very file open: numbers are used again.
    """
    lock = folder / factory_reset.LOCK_FILE
    try:
        pid = int(read_regular(lock, at_most=64))
        ours = lock.stat()
        opened = list(Path(f"/proc/{pid}/fd").iterdir())
    except (OSError, ValueError):
        return None
    for one in opened:
        with suppress(OSError):  # it was closed meanwhile
            if os.path.samestat(ours, one.stat()):
                return pid
    return None


def write_report(folder: Path, report: ReloadReport) -> None:
    """Keep the report for who asked.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(folder / REPORT_FILE, report.model_dump_json().encode())


def read_report(folder: Path) -> tuple[ReloadReport, datetime] | None:
    """Read the last report and when it was told; None: there was no reload since the process began."""
    file = folder / REPORT_FILE
    try:
        at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return ReloadReport.model_validate_json(
            json.dumps(json.loads(read_regular(file, at_most=_MAX_REPORT_BYTES)))
        ), at
    except (OSError, ValueError):
        return None


def delete_report(folder: Path) -> None:
    """A process begins: what an earlier one was told is over."""
    with suppress(OSError):
        (folder / REPORT_FILE).unlink()


def error_lines(error: ConfigError) -> tuple[str, ...]:
    """Take what is wrong with a house file apart, a line each."""
    return tuple(str(error).splitlines())

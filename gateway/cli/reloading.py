"""`perron reload` and `perron rotate-key`: the gateway reloads its house file, or gets a new signing key."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, relative_path
from gateway.cli.options import HomeFile, cli, print_line
from gateway.config.home import Home
from gateway.config.loader import find_storage_folder, load_home_file
from gateway.evidence.succession import (
    SUCCESSION_FILE,
    finish_key_change,
    is_key_change_interrupted,
    prepare_key_change,
)
from gateway.protocol.keys import PRIVATE_KEY_FILE, PUBLIC_KEY_FILE
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.runtime.maintenance.reload import BusyEntrance, BusyReason, gateway_pid, read_report
from gateway.system.clock import read_clock
from gateway.system.config_section import ConfigError

ANSWER_TIMEOUT_S = 60.0  # seconds for the gateway to say what it makes of the house file
POLL_INTERVAL_S = 0.1

_BUSY_TEXTS: dict[BusyReason, str] = {
    "visit": "a visit runs",
    "watch": "a visit was a moment ago, and somebody may still come out until a quarter of an hour after it",
    "incident": "something happened at the door and is being filmed",
    "scan": "a courier shows codes",
    "lockup": "the door is being locked",
}
_UNCHANGED_HINT = (
    "The house goes on as it was. Correct the file, then reload again; `perron schema --markdown` describes every key."
)


@cli.example("perron reload", "perron reload --wait", "perron reload --home /etc/perron/home.yaml")
def reload(
    home: HomeFile = DEFAULT_HOME,
    wait: Annotated[bool, typer.Option("--wait", help="Return once it is applied, however long that takes.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Have the running gateway read its house file anew, without dropping a visit.

    A file that is wrong is refused, and the house goes on as it was. One that is right is applied between visits: while
    somebody is at a door, and for a quarter of an hour after, it waits. Then the gateway begins anew within a second.
    """
    asyncio.run(request_reload(home, wait=wait, output=print_line))


async def request_reload(file: Path, *, wait: bool, output: Callable[[str], None]) -> None:
    """Request a reload; return when the new house is applied or, without `wait`, when the reason to wait is known.

    If the file is wrong, the gateway gets the request anyway, so that its log and pages show the error.
    """
    folder, invalid = find_storage_folder(file), None
    try:
        folder = load_home_file(file).storage.folder
    except ConfigError as error:
        invalid = error
    pid = None if folder is None else gateway_pid(folder)
    if folder is None or pid is None:
        if invalid is not None:
            raise Failure(str(invalid), _UNCHANGED_HINT) from invalid
        todo = "`perron run` starts it, with the house file as it is now."
        raise Failure(f"No gateway runs in {folder}.", todo, ExitCode.NO_ANSWER)
    before = read_report(folder)
    with failure_on(OSError, f"The gateway (process {pid}) cannot be asked.", "Run this as the box's own user."):
        os.kill(pid, signal.SIGHUP)
    await _wait_for_result(folder, None if before is None else before[0].id, wait=wait, file=file, output=output)


async def _wait_for_result(
    folder: Path, before: str | None, *, wait: bool, file: Path, output: Callable[[str], None]
) -> None:
    printed: tuple[BusyEntrance, ...] = ()
    clock = asyncio.get_running_loop().time
    began = clock()
    while True:
        await asyncio.sleep(POLL_INTERVAL_S)
        last = read_report(folder)
        if last is None or last[0].id == before:
            if clock() - began > ANSWER_TIMEOUT_S:
                raise Failure("The gateway does not answer.", "See its log.", ExitCode.NO_ANSWER)
            continue
        report = last[0]
        match report.said:
            case "applied":
                output(f"Applied: the house is as {relative_path(file)} says.")
                return
            case "refused":
                raise Failure("\n".join(report.problems), _UNCHANGED_HINT)
            case "waiting":
                if report.busy != printed:
                    printed = report.busy
                    why = "; ".join(f"at {busy.entrance} {_BUSY_TEXTS[busy.what]}" for busy in printed)
                    output(f"Taken, and applied once the doors are free: {why}.")
                if not wait:
                    return


@cli.example("perron rotate-key", "perron rotate-key --home /etc/perron/home.yaml")
def rotate_key(home: HomeFile = DEFAULT_HOME) -> None:
    """Give the box a new signing key, without dropping a visit. The old key signs the new one, then it is destroyed.

    Each proof that the box seals from now on contains the signed change of keys. So a verifier that knows either key
    can verify old and new proofs. A thief of the old key can still forge old proofs: give the new fingerprint to each
    person who verifies proofs.
    """
    asyncio.run(change_key(home, output=print_line))


async def change_key(file: Path, *, output: Callable[[str], None]) -> None:
    """Give the box a new signing key, which the present key signs."""
    home = load_home(file)
    folder = home.storage.folder / "key"
    if not (folder / PRIVATE_KEY_FILE).is_file():
        raise Failure(f"No box has its key in {folder}.", "Name its house file: --home.")
    with failure_on((OSError, ValueError), "No new key was made: {why}.", "The key is as it was.", ExitCode.NO_ANSWER):
        if is_key_change_interrupted(folder) and gateway_pid(home.storage.folder) is None and _rotate_offline(home):
            output("A change that was cut short before is finished.")
        new = prepare_key_change(folder)
    output(f"The new key has the fingerprint {new.fingerprint}.")
    if gateway_pid(home.storage.folder) is None:
        done = _rotate_offline(home)
        output("It is in use, and the old one is destroyed." if done else "The gateway's next start takes it up.")
    else:
        await request_reload(file, wait=False, output=output)
        output("From this reload on the box signs under the new key, and the old one is destroyed.")
    public = relative_path(folder / PUBLIC_KEY_FILE)
    output(f"Give {public} to each person who verifies proofs, with {SUCCESSION_FILE} beside it for older ones.")


def _rotate_offline(home: Home) -> bool:
    """Activate the new key; False: a gateway has just started and will do it at its next start."""
    now, todo = read_clock(home.clock), "Mend that; the next start finishes it."
    with (
        suppress(FolderInUse),
        failure_on((OSError, ValueError), "The new key is not in use yet: {why}.", todo, ExitCode.NO_ANSWER),
        lock_folder(home.storage.folder),
    ):
        finish_key_change(home.storage.folder / "key", box=home.box, now=now)
        return True
    return False

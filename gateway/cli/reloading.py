"""`perron reload`: asks the running gateway to read its house file anew, and tells what came of it."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from gateway.cli.failure import Exit, Failure
from gateway.cli.lines import relative
from gateway.config.errors import ConfigError
from gateway.config.loader import load, storage_of
from gateway.runtime.maintenance import reload

ANSWERS = 60.0  # seconds for the gateway to say what it makes of the house file
LOOK = 0.1

_BUSY: dict[reload.What, str] = {
    "visit": "a visit runs",
    "watch": "a visit was a moment ago, and somebody may still come out",
    "incident": "something happened at the door and is being filmed",
    "scan": "a courier shows codes",
    "lockup": "the door is being locked",
}
_GOES_ON = (
    "The house goes on as it was. Correct the file, then reload again; `perron schema --markdown` describes every key."
)


async def ask(file: Path, *, wait: bool, tell: Callable[[str], None]) -> None:
    """Ask, and return when the new house is applied, or (unless `wait`) when it is known what that waits for.

    Raises:
        Failure: the file is wrong (the gateway is asked all the same, so that its log and pages tell it too), no
            gateway runs there, or it does not answer.
    """
    folder, wrong = storage_of(file), None
    try:
        folder = load(file).storage.folder
    except ConfigError as error:
        wrong = error
    pid = None if folder is None else reload.gateway_in(folder)
    if folder is None or pid is None:
        if wrong is not None:
            raise Failure(str(wrong), _GOES_ON) from wrong
        todo = "`perron run` starts it, with the house file as it is now."
        raise Failure(f"No gateway runs in {folder}.", todo, Exit.SILENT)
    before = reload.told(folder)
    try:
        os.kill(pid, signal.SIGHUP)
    except OSError as error:
        raise Failure(f"The gateway (process {pid}) cannot be asked.", "Run this as the box's own user.") from error
    await _answered(folder, None if before is None else before[0].id, wait=wait, file=file, tell=tell)


async def _answered(folder: Path, before: str | None, *, wait: bool, file: Path, tell: Callable[[str], None]) -> None:
    told: tuple[reload.Busy, ...] = ()
    heard = asyncio.get_running_loop().time()
    while True:
        await asyncio.sleep(LOOK)
        last = reload.told(folder)
        if last is None or last[0].id == before:
            if asyncio.get_running_loop().time() - heard > ANSWERS:
                raise Failure("The gateway does not answer.", "See its log.", Exit.SILENT)
            continue
        report = last[0]
        match report.said:
            case "applied":
                tell(f"Applied: the house is as {relative(file)} says.")
                return
            case "refused":
                raise Failure("\n".join(report.problems), _GOES_ON)
            case "waiting":
                if report.busy != told:
                    told = report.busy
                    why = "; ".join(f"at {one.entrance} {_BUSY[one.what]}" for one in told)
                    tell(f"Taken, and applied once the doors are free: {why}.")
                if not wait:
                    return

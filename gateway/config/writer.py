"""Writes the house file atomically for a page of the box, and has the gateway read it again."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

from gateway.config.editor import EditRejected, read_home_text, write_home

TextChange = Callable[[str, Path], str]
"""Makes another text of the house file's; raises `EditRejected` where that would be no house."""


class HomeFileWriter:
    """One for the running gateway. `file`: None where it was begun without one. `reload` has it read anew.

    `lock` is held by whatever writes that file, so nothing writes over what another has just written.
    """

    def __init__(
        self, file: Path | None, *, reload: Callable[[], None], crash_point: Callable[[str], None] = lambda _point: None
    ) -> None:
        self.file, self._reload, self._crash_point = file, reload, crash_point
        self.lock = asyncio.Lock()

    async def write(self, change: TextChange) -> bool:
        """Write it as `change` makes it, and have it read anew; whether it is another now.

        Raises:
            EditRejected: there is none, or it would be no house.
            OSError: it cannot be written; what stood there still does.
        """
        async with self.lock:
            if not await asyncio.to_thread(self._write_change, change):
                return False
            self._crash_point("rewritten")
            self._reload()
        return True

    def _write_change(self, change: TextChange) -> bool:
        file = self.file
        if file is None:
            raise EditRejected("there is no house file.", "Begin the gateway with `perron run`.")
        before = _read_home_text(file)
        after = change(before, file)
        if after == before:
            return False
        if _read_home_text(file) != before:
            raise OSError(errno.EBUSY, "it was changed this very moment; try again")
        write_home(file, after)
        return True


def _read_home_text(file: Path) -> str:
    try:
        return read_home_text(file)
    except FileNotFoundError as error:
        raise EditRejected(f"{file} is not there.", "Put it back.") from error

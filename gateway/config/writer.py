"""Writes the house file atomically for a page of the box, and has the gateway read it again."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

from gateway.config.editor import EditRejected, read_home_text, write_home

TextChange = Callable[[str, Path], str]
"""Changes the text of the house file; raises `EditRejected` if the result would be invalid."""


class HomeFileWriter:
    """Writes the file of the running gateway. `file` is None if it runs without one; `reload` requests a reload.

    Each writer of the file holds `lock`, so that no change overwrites another one. The methods raise `EditRejected` if
    there is no file or the result would be invalid, and OSError if it cannot be written or has changed; the old text
    then remains.
    """

    def __init__(
        self, file: Path | None, *, reload: Callable[[], None], crash_point: Callable[[str], None] = lambda _point: None
    ) -> None:
        self.file, self.reload, self.crash_point = file, reload, crash_point
        self.lock = asyncio.Lock()

    async def write(self, change: TextChange) -> bool:
        """Apply `change` to the file and request a reload; return whether the text changed."""
        async with self.lock:
            if not await asyncio.to_thread(self._write_change, change):
                return False
            self.crash_point("rewritten")
            self.reload()
        return True

    def require_file(self) -> Path:
        """Return the file."""
        if self.file is None:
            raise EditRejected("there is no house file.", "Begin the gateway with `perron run`.")
        return self.file

    def read(self) -> str:
        """Read the file."""
        file = self.require_file()
        try:
            return read_home_text(file)
        except FileNotFoundError as error:
            raise EditRejected(f"{file} is not there.", "Put it back.") from error

    def replace(self, before: str, after: str) -> None:
        """Write `after` in place of the text `before`; the caller holds `lock`."""
        if self.read() != before:
            raise OSError(errno.EBUSY, "it was changed this very moment; try again")
        write_home(self.require_file(), after)

    def _write_change(self, change: TextChange) -> bool:
        before = self.read()
        after = change(before, self.require_file())
        if after != before:
            self.replace(before, after)
        return after != before

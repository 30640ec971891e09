"""The house file, written anew by a page of the box: whole or not at all, and read anew by the gateway that runs."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

from gateway.config.editor import NotAdded, text_of, written

Change = Callable[[str, Path], str]
"""Makes another text of the house file's; raises `NotAdded` where that would be no house."""


class Rewriting:
    """One for the running gateway. `file`: None where it was begun without one. `reread` has it read anew.

    `changing` is held by whatever writes that file, so nothing writes over what another has just written.
    """

    def __init__(
        self, file: Path | None, *, reread: Callable[[], None], reached: Callable[[str], None] = lambda _point: None
    ) -> None:
        self.file, self._reread, self._reached = file, reread, reached
        self.changing = asyncio.Lock()

    async def write(self, change: Change) -> bool:
        """Write it as `change` makes it, and have it read anew; whether it is another now.

        Raises:
            NotAdded: there is none, or it would be no house.
            OSError: it cannot be written; what stood there still does.
        """
        async with self.changing:
            if not await asyncio.to_thread(self._changed, change):
                return False
            self._reached("rewritten")
            self._reread()
        return True

    def _changed(self, change: Change) -> bool:
        file = self.file
        if file is None:
            raise NotAdded("there is no house file.", "Begin the gateway with `perron run`.")
        before = _text(file)
        after = change(before, file)
        if after == before:
            return False
        if _text(file) != before:
            raise OSError(errno.EBUSY, "it was changed this very moment; try again")
        written(file, after)
        return True


def _text(file: Path) -> str:
    try:
        return text_of(file)
    except FileNotFoundError as error:
        raise NotAdded(f"{file} is not there.", "Put it back.") from error

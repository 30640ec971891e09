"""Stores what the guard needs after a power cut: its boots, the last counter, whether it must lock.

The file is small, and is written whole and synced (file, rename, folder) before the move that it stands for is
published. So after a kill at any moment, a counter that moved the bolt is on the disk, and no counter moves it twice.
"""

import fcntl
import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.system.atomic_file import read_regular, write_whole

LEDGER_FILE, LOCK_FILE = "ledger.json", "lock"
MAX_FILE_BYTES = 64 * 1024  # bytes; 256 intents of 128 characters need half of it
_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Intent = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]


class InvalidLedger(Exception):  # noqa: N818 - the name states the fault
    """The ledger cannot be read or is another guard's; the text says which and what to do."""


class LedgerState(BaseModel):
    """The content of the file. `boots`: how often the guard started."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    boots: _Count = 0
    counter: _Count = 0
    intents: tuple[_Intent, ...] = ()
    owes: bool = False


class Ledger:
    """The ledger file, locked by this process until it ends."""

    def __init__(self, folder: Path, state: LedgerState, lock_handle: int) -> None:
        self._file = folder / LEDGER_FILE
        self._lock_handle = lock_handle
        self.state = state

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open or create the ledger in `folder`, and count this start, or raise InvalidLedger or OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ledger = cls(folder, _read(folder / LEDGER_FILE), handle)
            ledger.write(ledger.state.model_copy(update={"boots": ledger.state.boots + 1}))
        except BlockingIOError as busy:
            os.close(handle)
            raise InvalidLedger(f"Another guard runs in {folder}.") from busy
        except (InvalidLedger, OSError):
            os.close(handle)
            raise
        return ledger

    def write(self, state: LedgerState) -> None:
        """Write the state; it is on the disk when this returns. After an OSError the former content remains."""
        write_whole(self._file, state.model_dump_json().encode())
        self.state = state

    def close(self) -> None:
        """Release the file for another process."""
        os.close(self._lock_handle)


def _read(file: Path) -> LedgerState:
    if not file.exists():
        return LedgerState()
    try:
        return LedgerState.model_validate_json(read_regular(file, at_most=MAX_FILE_BYTES))
    except ValidationError as damaged:
        raise InvalidLedger(
            f"{file} is damaged. Move it away only when the lock is locked and the gateway is not waiting for it: the"
            " guard then begins to count anew, and what the gateway signed before does not fit any more."
        ) from damaged

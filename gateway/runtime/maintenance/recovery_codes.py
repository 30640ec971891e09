"""The way back in for an owner who lost the only password: codes that are made on the box and nowhere else.

They stand in a file that only the box's own user can read and write, as digests, with the person whom each one lets
in. Who can write it owns the box already. A code is good for a quarter of an hour of the boot in which it was made, by
the monotonic clock: no step of the wall clock makes one young again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from hmac import compare_digest
from pathlib import Path

from pydantic import TypeAdapter

from gateway.system.atomic_file import read_regular, write_whole

FILE = "way-in"
LIVES = 900.0  # seconds
KEPT = 5  # codes: an older one is still told to be old

_LARGEST = 4096  # bytes
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Standing(StrEnum):
    """How a code stands that was made on this box."""

    GOOD = auto()
    OLD = auto()  # its time is over, or a newer one was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code: whom it lets in (a person's id), its SHA-256 in hex, and when it was made."""

    person: str
    digest: str
    boot: str
    mono: float


_CODES: TypeAdapter[tuple[Code, ...]] = TypeAdapter(tuple[Code, ...])


def boot() -> str:
    """Name this boot of the machine."""
    return _BOOT.read_text(encoding="ascii").strip()


def keep(file: Path, code: Code) -> None:
    """Keep a new code beside the last ones, which are void from now on.

    Raises:
        OSError: the file cannot be written.
    """
    write_whole(file, _CODES.dump_json((*read(file)[1 - KEPT :], code)))
    if os.geteuid() == 0:  # root at the shell; the box may run as another
        folder = file.parent.stat()
        os.chown(file, folder.st_uid, folder.st_gid, follow_symlinks=False)  # whose folder it is may plant a link


def read(file: Path) -> tuple[Code, ...]:
    """The codes that were made, oldest first; none where there is no file of ours that can be read."""
    try:
        return _CODES.validate_json(read_regular(file, at_most=_LARGEST))
    except (OSError, ValueError):
        return ()


def find(codes: Sequence[Code], digest: bytes, *, boot: str, mono: float) -> tuple[Code, Standing] | None:
    """The code of this SHA-256, and how it stands; None: none of these codes is it."""
    found = [code for code in codes if compare_digest(code.digest.encode(), digest.hex().encode())]
    if not found:
        return None
    code = found[-1]
    good = code is codes[-1] and code.boot == boot and 0 <= mono - code.mono < LIVES
    return code, Standing.GOOD if good else Standing.OLD

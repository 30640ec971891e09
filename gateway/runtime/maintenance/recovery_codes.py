"""Stores recovery codes: the way back in for an owner who lost the only password.

The codes are made on the box only. Their digests are in a file that only the box's own user can read and write, each
with its person. A user who can write that file controls the box already. A code is valid for a quarter of an hour of
the boot in which it was made, by the monotonic clock: no step of the wall clock makes one valid again.
"""

import os
from collections.abc import Sequence
from hmac import compare_digest
from pathlib import Path

from pydantic import TypeAdapter

from gateway.domain.frozen import Frozen
from gateway.system.atomic_file import read_regular, write_whole

CODE_LIFETIME_S = 900.0  # seconds
MAX_CODES = 5  # codes: an older one is still recognised as old

_MAX_FILE_BYTES = 4096  # bytes
_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


class RecoveryCode(Frozen):
    """One code: its person's id, its SHA-256 in hex, and when it was made."""

    person: str
    digest: str
    boot: str
    mono: float


_CODES_ADAPTER: TypeAdapter[tuple[RecoveryCode, ...]] = TypeAdapter(tuple[RecoveryCode, ...])


def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return _BOOT_ID_FILE.read_text(encoding="ascii").strip()


def store_code(file: Path, code: RecoveryCode) -> None:
    """Store a new code beside the last ones, which are void from now on."""
    write_whole(file, _CODES_ADAPTER.dump_json((*read_codes(file)[1 - MAX_CODES :], code)))
    if os.geteuid() == 0:  # root at the shell; the box may run as another user
        folder = file.parent.stat()
        os.chown(file, folder.st_uid, folder.st_gid, follow_symlinks=False)  # its owner may plant a link


def read_codes(file: Path) -> tuple[RecoveryCode, ...]:
    """Return the codes, oldest first; empty without a readable file of this box's user."""
    try:
        return _CODES_ADAPTER.validate_json(read_regular(file, at_most=_MAX_FILE_BYTES))
    except (OSError, ValueError):
        return ()


def find_code(
    codes: Sequence[RecoveryCode], digest: bytes, *, boot: str, mono: float
) -> tuple[RecoveryCode, bool] | None:
    """Return the code with this SHA-256, and whether it is valid: not when its time is over or a newer one was made."""
    matches = [code for code in codes if compare_digest(code.digest.encode(), digest.hex().encode())]
    if not matches:
        return None
    code = matches[-1]
    return code, code is codes[-1] and code.boot == boot and 0 <= mono - code.mono < CODE_LIFETIME_S

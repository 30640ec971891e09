"""Makes random, unique ids for events, commands and scans."""

import os
import secrets

_DRAWN = 256  # ids made with one system call: in a busy process each call makes the loop wait for another thread
_ID_DIGITS = 16

_ids: list[str] = []


def unique_id() -> str:
    """Return 16 random hexadecimal digits (64 bits of the system's generator)."""
    if not _ids:
        digits = secrets.token_hex(_DRAWN * _ID_DIGITS // 2)
        _ids.extend(digits[begin : begin + _ID_DIGITS] for begin in range(0, len(digits), _ID_DIGITS))
    return _ids.pop()


os.register_at_fork(after_in_child=_ids.clear)

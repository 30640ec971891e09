"""Makes random, unique ids for events, commands, scans and rows, and secrets, of the system's generator.

Each makes many with one system call: in a busy process each call makes the loop wait for another thread.
"""

import os
import secrets
from typing import Final

_DRAWN: Final = 256  # ids made with one system call
_ID_DIGITS: Final = 16
_TEXT_CHARS: Final = 26
_ALPHABET: Final = b"abcdefghijklmnopqrstuvwxyz234567"  # of base32 (RFC 4648): each character has 5 bits
_CHARACTER_OF_BYTE: Final = _ALPHABET * (256 // len(_ALPHABET))

_ids: list[str] = []
_texts: list[str] = []


def unique_id() -> str:
    """Return 16 random hexadecimal digits (64 bits)."""
    if not _ids:
        _ids.extend(_pieces(secrets.token_hex(_DRAWN * _ID_DIGITS // 2), _ID_DIGITS))
    return _ids.pop()


def random_text() -> str:
    """Return 26 random characters from `a` to `z` and `2` to `7` (130 bits)."""
    if not _texts:
        drawn = secrets.token_bytes(_DRAWN * _TEXT_CHARS).translate(_CHARACTER_OF_BYTE).decode()
        _texts.extend(_pieces(drawn, _TEXT_CHARS))
    return _texts.pop()


def _pieces(drawn: str, chars: int) -> list[str]:
    return [drawn[begin : begin + chars] for begin in range(0, len(drawn), chars)]


os.register_at_fork(after_in_child=_ids.clear)
os.register_at_fork(after_in_child=_texts.clear)

"""What a planted fault is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault: in `file`, `old` (which stands there exactly once) becomes `new`, and one of `tests` must fail.

    `tests` are pytest node ids: name the narrowest that are meant to catch it.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

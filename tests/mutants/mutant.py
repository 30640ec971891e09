"""What a planted fault is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault: in `file`, `old` becomes `new`, and one of `tests` must fail.

    `old` stands in the file with these names or, after a rename, with others (`tests/mutants/shape.py`). `tests` are
    pytest node ids: name the narrowest that are meant to catch the fault.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

"""Where the gateway's time goes: named spans on CLOCK_MONOTONIC, which all processes of one boot share."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mark:
    """One span; a point has no length. `of` is the device or point that it belongs to."""

    what: str
    of: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


def write(path: Path, marks: Iterable[Mark]) -> None:
    """One JSON line each."""
    lines = (json.dumps([mark.what, mark.of, mark.begin, mark.end]) for mark in marks)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: Path) -> list[Mark]:
    """All of them, in the order in which they began."""
    return sorted((Mark(*json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line),
                  key=lambda mark: mark.begin)  # fmt: skip

"""One line of the result: what was measured, against what, and whether the goal is met."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

ShowStatus = Callable[[str], None]
"""Told what is being measured, as it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchLine:
    """`ratio` is the value over what it is compared with; None where it is compared with nothing.

    `met` is None where there is no goal. `parts` say where the time goes; `why` is the measured cause of a miss, and
    `earlier` the value of the run before if that missed the goal too.
    """

    bench: str
    what: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""
    goal: str = ""
    met: bool | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    earlier: str = ""

    @classmethod
    def unmeasured(cls, bench: str, why: str) -> Self:
        """The line of a bench that could not be measured."""
        return cls(bench=bench, what=f"{bench}: not measured", value=0, unit="", parts={"why": why})

    @property
    def is_unmeasured(self) -> bool:
        """Whether it only says why something was not measured."""
        return not self.unit

    @property
    def told(self) -> str:
        """The value with its unit, in three digits."""
        if self.is_unmeasured:
            return ""
        return f"{float(f'{self.value:.3g}'):,g} {self.unit}"

    @property
    def verdict(self) -> str:
        """In one word."""
        return {None: "-", True: "met", False: "missed"}[self.met]


def median(samples: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(samples)


def p95(samples: Sequence[float]) -> float:
    """The value that 95 of 100 do not exceed: of few samples, the largest."""
    return sorted(samples)[max(0, math.ceil(0.95 * len(samples)) - 1)]


def ms(seconds: float) -> str:
    """Seconds as milliseconds, for people."""
    return f"{seconds * 1000:.2f} ms"


def largest(parts: Mapping[str, float], how_many: int = 3) -> str:
    """The largest parts of a time in seconds, with their share."""
    whole = sum(parts.values()) or 1.0
    first = sorted(parts.items(), key=lambda part: -part[1])[:how_many]
    return ", ".join(f"{name} {ms(seconds)} ({seconds / whole:.0%})" for name, seconds in first)

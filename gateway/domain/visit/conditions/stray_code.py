"""The condition that no code is left at a keypad after its end: somebody who should be gone could still come in.

It concerns deliveries only. Whether a code is gone is known only by reading the keypad back, which the gateway does
outside of visits; its word is the report of this condition.
"""

from collections.abc import Iterator
from typing import ClassVar

from devices import reports as r
from gateway.domain.visit.conditions.contract import Condition, ConditionReport, ConditionView


class StrayCodeReported(ConditionReport):
    """Whether a code that should be gone may still open at a keypad."""

    device: str
    is_left: bool

    @property
    def source(self) -> str:
        """The source is the keypad."""
        return f"code/{self.device}"


class StrayCode(Condition):
    """No code is left at any keypad of the entrance."""

    name: ClassVar[str] = "code"

    keypads: tuple[str, ...]  # the ids of their devices

    @property
    def devices(self) -> frozenset[str]:
        """The keypads; no message of theirs says by itself that a code is left."""
        return frozenset()

    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield nothing."""
        yield from ()

    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield nothing: a keypad that is lost keeps what it had."""
        yield from ()

    def is_met(self, view: ConditionView) -> bool:
        """Return whether every keypad is known to have no such code; it does not matter for the household's own."""
        return view.for_household or all(_is_free(view, keypad) for keypad in self.keypads)


def _is_free(view: ConditionView, keypad: str) -> bool:
    report = view.reports.get(f"code/{keypad}")
    return isinstance(report, StrayCodeReported) and not report.is_left

"""The condition that no person who is tracked by a device is home.

Presence can only keep a door shut. A person at home has the same effect as the household's own statement that somebody
is home, and unknown is not away.
"""

from collections.abc import Iterator
from typing import ClassVar

from devices import reports as r
from devices.reports import PresenceState
from gateway.domain.visit.conditions.contract import Condition, ConditionReport, ConditionView, Household


class PresenceReported(ConditionReport):
    """A presence device reported where its person is. There is no such report for a retained message with "away"."""

    device: str
    presence: PresenceState

    @property
    def source(self) -> str:
        """The source is the device of a person."""
        return f"presence/{self.device}"


class Presence(Condition):
    """Each tracked person is known to be away; a person at home is a refusal."""

    name: ClassVar[str] = "presence"
    is_private: ClassVar[bool] = True

    people: tuple[str, ...]  # the ids of their devices

    @property
    def devices(self) -> frozenset[str]:
        """The presence devices."""
        return frozenset(self.people)

    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield where a person is, but not an old "away": it may be from yesterday."""
        if not isinstance(report, r.PresenceReport) or device not in self.people:
            return
        if not (old and report.presence is PresenceState.AWAY):
            yield PresenceReported(device=device, presence=report.presence)

    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield that the place of this person is unknown."""
        if device in self.people:
            yield PresenceReported(device=device, presence=PresenceState.UNKNOWN)

    def is_met(self, view: ConditionView) -> bool:
        """Return whether the state of every tracked person is known, or does not matter."""
        return view.for_household or all(_where(view, device) is not PresenceState.UNKNOWN for device in self.people)

    def household(self, view: ConditionView) -> Household:
        """Return that the household is home if a tracked person is; devices cannot prove that all people are away."""
        is_home = any(_where(view, device) is PresenceState.HOME for device in self.people)
        return Household.HOME if is_home else Household.UNKNOWN

    def is_arrival(self, report: ConditionReport) -> bool:
        """Return whether a person comes home: while the bell rings, that person attends to the courier."""
        if not isinstance(report, PresenceReported):
            return False
        return report.device in self.people and report.presence is PresenceState.HOME


def _where(view: ConditionView, device: str) -> PresenceState:
    report = view.reports.get(f"presence/{device}")
    return report.presence if isinstance(report, PresenceReported) else PresenceState.UNKNOWN

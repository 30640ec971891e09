"""The condition that opening the entrance sets off no siren.

An armed panel would sound a siren at a courier, so the entrance may open only in a mode in which it is bypassed. Armed
for the night or at home means that people are asleep or in. Armed away or for a vacation means that nobody is expected
to use the door by hand, as if the household had reported that it is away.
"""

from collections.abc import Iterator
from typing import ClassVar

from devices import reports as r
from devices.reports import AlarmPanelState
from gateway.domain.visit.conditions.contract import Condition, ConditionReport, ConditionView, Household

HOME_STATES = frozenset({AlarmPanelState.ARMED_HOME, AlarmPanelState.ARMED_NIGHT})
AWAY_STATES = frozenset({AlarmPanelState.ARMED_AWAY, AlarmPanelState.ARMED_VACATION})


class AlarmPanelReported(ConditionReport):
    """The alarm panel reported its mode. There is no such report for a retained message with good news."""

    panel: AlarmPanelState

    @property
    def source(self) -> str:
        """The one panel of the entrance."""
        return "panel"


class AlarmPanel(Condition):
    """The panel is proven disarmed, or in a mode that bypasses this entrance."""

    name: ClassVar[str] = "alarm"
    is_private: ClassVar[bool] = True

    device: str
    bypassed: frozenset[AlarmPanelState] = frozenset()  # the modes in which opening this entrance sets off no siren

    @property
    def devices(self) -> frozenset[str]:
        """The panel."""
        return frozenset({self.device})

    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield the panel's mode, but not an old mode in which the entrance may open."""
        if not isinstance(report, r.AlarmPanelReport) or device != self.device:
            return
        if not (old and self._is_quiet(report.panel)):
            yield AlarmPanelReported(panel=report.panel)

    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield that the panel's mode is unknown."""
        if device == self.device:
            yield AlarmPanelReported(panel=AlarmPanelState.UNKNOWN)

    def is_met(self, view: ConditionView) -> bool:
        """Return whether the entrance sets off no siren."""
        return self._is_quiet(_mode(view))

    def household(self, view: ConditionView) -> Household:
        """Return where the household is, by the mode of its panel."""
        mode = _mode(view)
        if mode in HOME_STATES:
            return Household.HOME
        return Household.AWAY if mode in AWAY_STATES else Household.UNKNOWN

    def _is_quiet(self, mode: AlarmPanelState) -> bool:
        return mode is AlarmPanelState.DISARMED or mode in self.bypassed


def _mode(view: ConditionView) -> AlarmPanelState:
    report = view.reports.get("panel")
    return report.panel if isinstance(report, AlarmPanelReported) else AlarmPanelState.UNKNOWN

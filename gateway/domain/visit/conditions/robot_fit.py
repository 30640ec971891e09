"""The condition that the robot that comes in drives by itself and is not stopped.

It concerns only the robot that acts. A robot that is stopped, or is driven by hand, or is silent, opens nothing. If it
becomes so after an intent, it may stand in the doorway: nothing is closed, and the alarm is raised at once.
"""

from collections.abc import Iterator
from enum import StrEnum, auto
from typing import ClassVar

from devices import reports as r
from devices.reports import RobotMode
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.conditions.contract import Condition, ConditionReport, ConditionView

DRIVES_BY_ITSELF = frozenset({RobotMode.AUTOMATIC, RobotMode.SEMIAUTOMATIC})
STATE_SILENCE_S = 35.0  # VDA 5050: a robot reports its state at least every 30 s


class RobotFitness(StrEnum):
    """Whether a robot can drive by itself."""

    FIT = auto()
    # an emergency stop, a violated protective field, a lost permission, another operating mode, or one of them unknown
    UNFIT = auto()
    LOST = auto()  # its connection is lost, or it was silent for too long


def drives_by_itself(report: r.RobotReport) -> bool:
    """Return whether a robot drives by itself, and nothing stops it."""
    is_stopped = report.emergency_stop is not False or report.field_violation is not False or report.release_lost
    return report.mode in DRIVES_BY_ITSELF and not is_stopped


class RobotFitReported(ConditionReport):
    """A robot reported its state, or was lost. There is no such report for an old state in which it is fit."""

    device: str
    fitness: RobotFitness

    @property
    def source(self) -> str:
        """The source is the robot."""
        return f"robot/{self.device}"


class RobotFit(Condition):
    """The robot that acts is proven to be fit."""

    name: ClassVar[str] = "robot"

    robots: tuple[str, ...]  # the ids of their devices

    @property
    def devices(self) -> frozenset[str]:
        """The robots."""
        return frozenset(self.robots)

    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield whether a robot is fit, but not an old good state."""
        if not isinstance(report, r.RobotReport) or device not in self.robots:
            return
        is_fit = drives_by_itself(report)
        if not (old and is_fit):
            yield RobotFitReported(device=device, fitness=RobotFitness.FIT if is_fit else RobotFitness.UNFIT)

    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield that the robot is lost."""
        if device in self.robots:
            yield RobotFitReported(device=device, fitness=RobotFitness.LOST)

    def silence_s(self, device: str) -> float | None:
        """Return how long a robot may be silent."""
        return STATE_SILENCE_S if device in self.robots else None

    def is_met(self, view: ConditionView) -> bool:
        """Return whether the robot that acts is fit; True if none acts."""
        return view.robot is None or _fitness(view) is RobotFitness.FIT

    def breach(self, view: ConditionView) -> AlarmCode | None:
        """Return the alarm if the robot that acts is not fit, or is lost: where it stands is then not known."""
        is_stranded = view.robot is not None and _fitness(view) in (RobotFitness.UNFIT, RobotFitness.LOST)
        return AlarmCode.ROBOT_STRANDED if is_stranded else None


def _fitness(view: ConditionView) -> RobotFitness | None:
    report = view.reports.get(f"robot/{view.robot}")
    return report.fitness if isinstance(report, RobotFitReported) else None

"""Defines what a condition is: something around an entrance that has to be so before a closure opens.

A condition has sensors and no command: who is home, the mode of the alarm panel, the temperature of a fridge, later a
robot's state. A kind is one class. Its fields say which devices it watches; its methods say which reports of them
count, when it is met, and what is wrong. A kind is pure. It sees its own reports and what a delivery needs; it never
sees a person, a film or a closure. Of every condition only bad news may be old, and unknown is never good.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import ClassVar

from devices import reports as r
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AlarmCode


class Household(Enum):
    """Where a condition says that the household is."""

    UNKNOWN = auto()
    HOME = auto()  # the household opens by itself: nothing opens for a courier
    AWAY = auto()  # a hand at the door is unexpected


class ConditionReport(Frozen, ABC):
    """What a device around the entrance reported. A kind has one class of it, whose name and fields the log has."""

    @property
    @abstractmethod
    def source(self) -> str:
        """What it is about, as `fridge/PLACE`: only the newest report of each source counts."""

    @property
    def proof_place(self) -> str | None:
        """The place to whose deliveries' proof each such report belongs; None: to no proof.

        Such a report outlives a session of the broker, because its loss is reported too; any other ends with it.
        """
        return None


class ConditionView(Frozen):
    """All that a kind may know at an instant: the newest reports by their source, and what the delivery needs."""

    reports: Mapping[str, ConditionReport]
    place: str | None = None  # where the delivery goes; None: no delivery is considered
    max_celsius: float | None = None  # the place's air may not be warmer; None: the delivery does not need it cold


class Condition(Frozen, ABC):
    """One condition of an entrance."""

    name: ClassVar[str]
    """The word by which owner and retailer learn that it is not met."""
    refusal: ClassVar[Refusal] = Refusal.NOT_READY
    """Why a courier is refused while it is not met."""
    is_private: ClassVar[bool] = False
    """True: which condition is not met does not concern a retailer."""

    @property
    @abstractmethod
    def devices(self) -> frozenset[str]:
        """The ids of the devices that it watches."""

    @abstractmethod
    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield what a device's report says. `old`: retained, or remembered by a bridge that starts."""

    @abstractmethod
    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield the reports that set what this device said to unknown; nothing if it watches no such device."""

    def silence_s(self, device: str) -> float | None:
        """Return after how many seconds without a live report this device is unknown; None: it need not repeat one."""
        return None

    @abstractmethod
    def is_met(self, view: ConditionView) -> bool:
        """Return whether it is proven to be met, for this delivery or for any."""

    def household(self, view: ConditionView) -> Household:
        """Return where it says that the household is."""
        return Household.UNKNOWN

    def is_arrival(self, report: ConditionReport) -> bool:
        """Return whether the report says that somebody of the household is there now and can attend to a courier."""
        return False

    def breach(self, view: ConditionView) -> AlarmCode | None:
        """Return the alarm that it raises at once after an intent, or None."""
        return None

    def left_wrong(self, view: ConditionView) -> AlarmCode | None:
        """Return what is wrong when nothing more is carried in, or None."""
        return None

"""Defines the contract of a condition: something around an entrance that must be met before a closure opens.

A condition has sensors and no command: who is home, the mode of the alarm panel, the temperature of a fridge, later a
robot's state. A kind is one class. Its fields list the devices that it watches; its methods decide which of their
reports count, when the condition is met, and what is wrong. A kind is pure. It sees its own reports and what a delivery
needs; it never sees a person, a film or a closure. Only a report with bad news may be old, and unknown is never good.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum, auto
from typing import ClassVar

from devices import reports as r
from gateway.domain.delivery.result import Refusal
from gateway.domain.delivery.temperature import Limits
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AlarmCode


class Household(Enum):
    """Where the household is, according to a condition."""

    UNKNOWN = auto()
    HOME = auto()  # the household can open the door itself: nothing opens for a courier
    AWAY = auto()  # nobody is expected to use the door by hand


class ConditionReport(Frozen, ABC):
    """A report of a device around the entrance. Each kind has one class of reports; the log has its name and fields."""

    @property
    @abstractmethod
    def source(self) -> str:
        """What the report is about, such as `fridge/PLACE`: only the newest report of each source counts."""

    @property
    def proof_place(self) -> str | None:
        """The place whose deliveries have this report in their proof; None: no proof has it.

        Such a report outlives a session of the broker, because its loss is reported too; any other ends with it.
        """
        return None


class ConditionView(Frozen):
    """What a kind may know at an instant: the newest reports by their source, and what the delivery needs."""

    reports: Mapping[str, ConditionReport]
    place: str | None = None  # where the delivery goes; None: no delivery is considered
    places: frozenset[str] = frozenset()  # the same with the places of its items
    limits: Mapping[str, Limits] = field(default_factory=dict)  # place -> the limits of the air there
    full_places: frozenset[str] = frozenset()  # of these, by the household's count, those without room for the items
    robot: str | None = None  # the robot that acts; None: a person does, or nobody yet
    for_household: bool = False  # the person is let in as one of the household's own: who is home does not matter


class Condition(Frozen, ABC):
    """One condition of an entrance."""

    name: ClassVar[str]
    """The word in which owner and retailer read that it is not met."""
    refusal: ClassVar[Refusal] = Refusal.NOT_READY
    """The reason for refusing a courier while it is not met."""
    is_private: ClassVar[bool] = False
    """True: the retailer does not learn that this condition is not met."""

    @classmethod
    def has_own(cls, method: str) -> bool:
        """Return whether the kind overrides this method of the contract; if not, the method returns a constant."""
        return getattr(cls, method) is not getattr(Condition, method)

    @property
    @abstractmethod
    def devices(self) -> frozenset[str]:
        """The ids of the devices that it watches."""

    @abstractmethod
    def reports(self, device: str, report: r.Report, *, old: bool) -> Iterator[ConditionReport]:
        """Yield the reports in a device's message. `old`: it is retained, or a bridge that starts remembered it."""

    @abstractmethod
    def lost(self, device: str) -> Iterator[ConditionReport]:
        """Yield the reports that set the state of this device to unknown; nothing if it watches no such device."""

    def silence_s(self, device: str) -> float | None:
        """Return the seconds after which this device is unknown without a live report; None: it need not repeat one."""
        return None

    @abstractmethod
    def is_met(self, view: ConditionView) -> bool:
        """Return whether it is proven to be met, for this delivery or, without one, for any."""

    def word_for(self, view: ConditionView) -> str:
        """Return the word in which owner and retailer read why it is not met."""
        return self.name

    def refusal_for(self, view: ConditionView) -> Refusal:
        """Return the reason for refusing a courier while it is not met."""
        return self.refusal

    def devices_at(self, place: str) -> frozenset[str]:
        """Return the devices that measure this place; they are queried when something is scanned there."""
        return frozenset()

    def logged_place(self, place: str, reports: Mapping[str, ConditionReport]) -> dict[str, float | str | None]:
        """Return what the log of a visit states at its begin about a place; empty: this kind knows nothing of it."""
        return {}

    def household(self, view: ConditionView) -> Household:
        """Return where the household is, according to this condition."""
        return Household.UNKNOWN

    def is_arrival(self, report: ConditionReport) -> bool:
        """Return whether, by this report, somebody of the household is there now and can attend to a courier."""
        return False

    def breach(self, view: ConditionView) -> AlarmCode | None:
        """Return the alarm that it raises at once, after an intent; None: no alarm, as without any report."""
        return None

    def left_wrong(self, view: ConditionView) -> AlarmCode | None:
        """Return what is wrong when nothing more is carried in, or None."""
        return None

"""The household as devices follow it: who is home in truth, what the panel does, and what of that is told."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from devices.reports import AlarmPanelState, PresenceState
from gateway.domain.visit.closures import BoltedDoor
from gateway.domain.visit.conditions import AlarmPanelReported, PresenceReported
from tests.house.rules import has_panel, tracked_people

if TYPE_CHECKING:
    from tests.house.house import SimulatedHome

BYPASSED = frozenset({AlarmPanelState.ARMED_CUSTOM_BYPASS})
QUIET_PANEL_STATES = BYPASSED | {AlarmPanelState.DISARMED}
REPEAT_PROBABILITY = 0.7  # how often it says in a step what is true, though nothing has changed


class FollowedHousehold:
    """Its own dice: the other lives of a seed stay as they are."""

    def __init__(self, house: SimulatedHome, seed: int) -> None:
        self.house, self.rng = house, random.Random(f"followed {seed}")
        self.where = dict.fromkeys(tracked_people(house.rules), PresenceState.AWAY)
        self.panel = AlarmPanelState.DISARMED

    def step(self) -> None:
        """Somebody may come or go, the panel may be armed; each change is told at once if anybody hears."""
        for name in self.where:
            if self.rng.random() < 0.08:
                self.where[name] = self.rng.choice(
                    (PresenceState.HOME, PresenceState.AWAY, PresenceState.AWAY, PresenceState.UNKNOWN)
                )
                self._report_presence(name)
        if has_panel(self.house.rules) and self.rng.random() < 0.08:
            self.panel = self.rng.choice(
                (
                    *AlarmPanelState,
                    AlarmPanelState.DISARMED,
                    AlarmPanelState.DISARMED,
                    AlarmPanelState.ARMED_CUSTOM_BYPASS,
                )
            )
            self._report_panel()
        closure = self.house.rules.closures[0]
        if isinstance(closure, BoltedDoor) and closure.lift_handle and self.rng.random() < 0.2:
            self.house.faults.handle_down = not self.house.faults.handle_down
        if self.rng.random() < REPEAT_PROBABILITY:
            self.speak()

    def speak(self) -> None:
        """Say it all again, as after a restart."""
        for name in self.where:
            self._report_presence(name)
        self._report_panel()

    def all_quiet(self) -> None:
        """Everybody is away and no siren would answer."""
        self.where = dict.fromkeys(self.where, PresenceState.AWAY)
        self.panel = AlarmPanelState.DISARMED
        self.speak()

    def may_open(self) -> bool:
        """Whether in truth nobody who is followed is home, and no siren would answer the door."""
        nobody = all(where is PresenceState.AWAY for where in self.where.values())
        return nobody and (not has_panel(self.house.rules) or self.panel in QUIET_PANEL_STATES)

    def _report_presence(self, name: str) -> None:
        if self.house.session is not None:
            self.house.feed(PresenceReported(device=name, presence=self.where[name]))

    def _report_panel(self) -> None:
        if self.house.session is not None and has_panel(self.house.rules):
            self.house.feed(AlarmPanelReported(panel=self.panel))

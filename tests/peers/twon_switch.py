"""A logical switch of a 2N intercom, as `switch/ctrl` moves it; the sources are in `tests.peers.twon`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.peers.strike import Strike


@dataclass(frozen=True)
class SwitchMake:
    """How a switch is set up in the intercom's own pages."""

    enabled: bool = True
    mode: Literal["monostable", "bistable"] = "monostable"
    on_s: float = 5.0


class Switch:
    """A logical switch that drives a strike's relay; it cannot see what the strike does.

    Args:
        make: how it is set up.
        strike: what it gives current to.
        changed: called with its new state and the originator, at each change.
    """

    def __init__(self, make: SwitchMake, strike: Strike, changed: Callable[[bool, str], None]) -> None:
        self.make, self.strike, self._changed = make, strike, changed
        self.locked = self.held = False
        self._on = False
        self._was_active = False
        self._off_timer: asyncio.TimerHandle | None = None
        self._release_timer: asyncio.TimerHandle | None = None

    @property
    def active(self) -> bool:
        """Whether it gives current: locked wins over held, held over the rest."""
        return not self.locked and (self.held or self._on)

    def control(self, action: str, hold_s: int | None, originator: str) -> bool:
        """Obey; whether the wanted state was reached."""
        if not self.make.enabled:
            return False
        match action:
            case "lock":
                self.locked = True
                self._set(on=False, originator=originator)
            case "unlock":
                self.locked = False
                self._follow(originator)
            case "hold":
                self._hold(hold_s, originator)
            case "release":
                self._release(originator)
            case _:
                return self._operate(action, originator)
        return True

    def restart(self) -> None:
        """Without current for a moment; lock and hold stay, silently."""
        self._cancel_off()
        self._on = False
        self.strike.deenergize()
        self._was_active = self.active
        if self.active:
            self.strike.energize()

    def _operate(self, action: str, originator: str) -> bool:
        toggled_off = action == "trigger" and self.make.mode == "bistable" and self.active
        wanted = action != "off" and not toggled_off
        if self.locked or self.held:
            return self.active is wanted
        self._set(on=wanted, originator=originator)
        return True

    def _hold(self, hold_s: int | None, originator: str) -> None:
        self._cancel_release()
        self.held = True
        if hold_s is not None:
            self._release_timer = asyncio.get_running_loop().call_later(hold_s, self._release, originator)
        self._set(on=False, originator=originator)

    def _release(self, originator: str) -> None:
        self._cancel_release()
        self.held = False
        self._follow(originator)

    def _set(self, *, on: bool, originator: str) -> None:
        self._cancel_off()
        self._on = on
        if on and self.make.mode == "monostable":
            later = asyncio.get_running_loop().call_later
            self._off_timer = later(self.make.on_s, lambda: self._set(on=False, originator=originator))
        self._follow(originator)

    def _follow(self, originator: str) -> None:
        if self.active == self._was_active:
            return
        self._was_active = self.active
        if self.active:
            self.strike.energize()
        else:
            self.strike.deenergize()
        self._changed(self.active, originator)

    def stop(self) -> None:
        """No timer runs any more."""
        self._cancel_off()
        self._cancel_release()

    def _cancel_off(self) -> None:
        if self._off_timer is not None:
            self._off_timer.cancel()
            self._off_timer = None

    def _cancel_release(self) -> None:
        if self._release_timer is not None:
            self._release_timer.cancel()
            self._release_timer = None

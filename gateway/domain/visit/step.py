"""Holds one run of `decide` in progress: the current state, the clock, and the commands so far."""

from collections.abc import Mapping

from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import Command, Notification, NotifyOwner, QueryDevice
from gateway.domain.visit.state import BEFORE_INTENT, ENTRANCE_WIDE, Entrance, Phase, Timer, Visit


class Step:
    """Mutable working state inside one call of `decide`; its parts are frozen, it holds the newest of each."""

    __slots__ = ("commands", "now", "state")

    def __init__(self, state: Entrance, now: Now) -> None:
        self.state = state
        self.now = now
        self.commands: list[Command] = []

    @property
    def visit(self) -> Visit:
        """The active visit; a phase only runs where there is one."""
        if self.state.visit is None:
            raise LookupError("no visit")
        return self.state.visit

    @visit.setter
    def visit(self, visit: Visit) -> None:
        self.state = replace(self.state, visit=visit)

    def attend(self) -> None:
        """Record that somebody of the household attends to the courier, unless the unlock intent is stored."""
        if self.state.visit is not None and self.visit.phase in BEFORE_INTENT:
            self.visit = replace(self.visit, attended=True)

    def emit(self, *commands: Command) -> None:
        """Append commands for the runtime, in this order."""
        self.commands.extend(commands)

    def notify_of_visit(self, notification: Notification, *, detail: str = "", picture: bool = False) -> None:
        """Append a notification to the owner about the active visit."""
        visit, delivery = self.visit.id, self.visit.delivery.id
        command = NotifyOwner(notification=notification, delivery=delivery, visit=visit, detail=detail, picture=picture)
        self.emit(command)

    def timer_expired(self, timer: Timer) -> bool:
        """Return whether the deadline is set and has passed."""
        at = self.state.timers.get(timer)
        return at is not None and self.now.mono >= at

    def timer_is_set(self, timer: Timer) -> bool:
        """Return whether the deadline is set."""
        return timer in self.state.timers

    def set_timer(self, timer: Timer, seconds: float) -> None:
        """Set a deadline this many seconds from now."""
        self.state = replace(self.state, timers={**self.state.timers, timer: self.now.mono + seconds})

    def clear_timers(self, *timers: Timer) -> None:
        """Remove deadlines; those not set do not matter."""
        if not self.state.timers.keys().isdisjoint(timers):
            timers_left = {timer: at for timer, at in self.state.timers.items() if timer not in timers}
            self.state = replace(self.state, timers=timers_left)

    def transition(self, phase: Phase, timers: Mapping[Timer, float]) -> None:
        """Enter a phase with its own deadlines (seconds from now); those of the phase before are removed."""
        self.visit = replace(self.visit, phase=phase)
        self.clear_phase_timers()
        for timer, seconds in timers.items():
            self.set_timer(timer, seconds)

    def clear_phase_timers(self) -> None:
        """Keep only the deadlines that outlive a phase."""
        timers_left = {timer: at for timer, at in self.state.timers.items() if timer in ENTRANCE_WIDE}
        self.state = replace(self.state, timers=timers_left)

    def query(self, *devices: str) -> None:
        """Query devices for their state (of a garage door also what is in its way); without a broker query nothing."""
        way = ("way",) if "door" in devices and self.state.rules.obstruction_sensor else ()
        for device in (*devices, *way):
            if self.state.broker_session is None:
                return
            number = self.state.last_query_id + 1
            self.emit(QueryDevice(device=device, session=self.state.broker_session, number=number))
            self.state = replace(self.state, last_query_id=number)

    def invalidate(self, *devices: str) -> None:
        """Require new proof: only an answer to a query sent from here on counts."""
        for device in devices:
            self.change_fact(device, proven=False, min_query_id=self.state.last_query_id + 1)

    def change_fact(self, device: str, **changes: object) -> None:
        """Change fields of what is known of "lock", "door" or "way"."""
        name = {"lock": "bolt", "door": "door", "way": "obstruction"}[device]
        self.state = replace(self.state, **{name: replace(getattr(self.state, name), **changes)})

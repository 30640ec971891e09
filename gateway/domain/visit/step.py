"""Holds one run of `decide` in progress: the current state, the clock, and the commands so far."""

from collections.abc import Mapping

from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, Fact, View
from gateway.domain.visit.commands import AlarmCode, Command, Notification, NotifyOwner, QuerySensor, RaiseAlarm
from gateway.domain.visit.predicates import is_stay
from gateway.domain.visit.state import BEFORE_INTENT, ENTRANCE_WIDE, TRANSITIONS, Entrance, Once, Phase, Timer, Visit
from gateway.domain.visit.views import circumstances, closure_of, fact_of, find_sensor, sensor_names


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
        visit = self.state.visit
        if visit is None:
            raise LookupError("no visit")
        return visit

    @visit.setter
    def visit(self, visit: Visit) -> None:
        self.state = replace(self.state, visit=visit)

    def attend(self) -> None:
        """Record that somebody of the household attends to the courier, unless the unlock intent is stored."""
        if self.state.visit is not None and self.visit.phase in BEFORE_INTENT:
            self.visit = replace(self.visit, consent=replace(self.visit.consent, attended=True))

    def emit(self, *commands: Command) -> None:
        """Append commands for the runtime, in this order."""
        self.commands.extend(commands)

    def notify_of_visit(
        self, notification: Notification, *, detail: str = "", picture: bool = False, closure: str | None = None
    ) -> None:
        """Append a notification to the owner about the active visit, and about a closure if one is given.

        The default of `detail` is the holder. There is no picture of what may not be filmed.
        """
        self.emit(
            NotifyOwner(
                notification=notification,
                delivery=self.visit.delivery.id,
                visit=self.visit.id,
                detail=detail or self.visit.holder,
                picture=picture and self.visit.recording.is_filmed,
                closure=self.named(closure),
            )
        )

    def named(self, closure: str | None) -> str:
        """Return a closure's id for a message; empty if it is the only door, which needs no name."""
        return "" if closure is None or [one.id for one in self.state.rules.closures] == [MAIN_CLOSURE] else closure

    def timer_expired(self, timer: Timer) -> bool:
        """Return whether the deadline is set and has passed."""
        at = self.state.timers.get(timer)
        return at is not None and self.now.mono >= at

    def timer_is_set(self, timer: Timer) -> bool:
        """Return whether the deadline is set."""
        return timer in self.state.timers

    @property
    def is_stopped(self) -> bool:
        """Return whether the owner stopped this entrance, or a supervisor this visit."""
        return self.state.stopped or (self.state.visit is not None and self.visit.consent.stopped)

    def set_timer(self, timer: Timer, seconds: float) -> None:
        """Set a deadline this many seconds from now."""
        self.state = replace(self.state, timers={**self.state.timers, timer: self.now.mono + seconds})

    def clear_timers(self, *timers: Timer) -> None:
        """Remove deadlines; those not set do not matter."""
        for timer in timers:
            if timer in self.state.timers:
                timers_left = {other: at for other, at in self.state.timers.items() if other != timer}
                self.state = replace(self.state, timers=timers_left)

    def notified_once(self, what: Once) -> bool:
        """Record that this visit's notification of `what` is made; return whether it was made before."""
        if what in self.visit.notified:
            return True
        self.visit = replace(self.visit, notified=self.visit.notified | {what})
        return False

    def alarm_once(self, code: AlarmCode | None) -> None:
        """Raise the alarm of a condition about the place of this visit, only once; None: there is no alarm."""
        if code is None:
            return
        visit = self.visit
        if code not in visit.breaches:
            self.visit = replace(visit, breaches=visit.breaches | {code})
            self.emit(RaiseAlarm(code=code, detail=visit.delivery.place))

    def transition(self, phase: Phase, timers: Mapping[Timer, float], *, begins: bool = False) -> None:
        """Enter a phase with its own deadlines (seconds from now); those of the phase before are removed.

        `begins`: no visit ran before.

        Raises:
            RuntimeError: a bug: the table declares no such transition.
        """
        before = None if begins else self.visit.phase
        if before is not phase and phase not in TRANSITIONS[before]:
            raise RuntimeError(f"no transition from {before} to {phase}")
        deadlines = self._lasting_timers() | {timer: self.now.mono + seconds for timer, seconds in timers.items()}
        self.state = replace(self.state, visit=replace(self.visit, phase=phase), timers=deadlines)

    def end_visit(self) -> None:
        """End the visit: no visit runs now.

        Raises:
            RuntimeError: a bug: the table declares no end from this phase.
        """
        if None not in TRANSITIONS[self.visit.phase]:
            raise RuntimeError(f"no end from {self.visit.phase}")
        self.state = replace(self.state, visit=None, timers=self._lasting_timers())

    def _lasting_timers(self) -> dict[Timer, float]:
        """Return the deadlines that outlive a phase."""
        return {timer: at for timer, at in self.state.timers.items() if timer in ENTRANCE_WIDE}

    def view(self, closure: AnyClosure) -> View:
        """Return what a closure may see now."""
        state, now = self.state, self.now
        return View(
            state.facts,
            closure.sensor_names,
            lambda: circumstances(state, closure, now.mono, is_stay=is_stay(state, now)),
        )

    def are_all_secured(self) -> bool:
        """Return whether every closure is proven closed and holding."""
        secured = [closure.secured(self.view(closure)) for closure in self.state.rules.closures]
        return all(secured)

    def closure(self, ident: str) -> AnyClosure:
        """Return the closure with this id. LookupError: the entrance has none."""
        return closure_of(self.state.rules, ident)

    def is_ordered(self, ident: str) -> bool:
        """Return whether the box opens this closure; a door that a key opens is only observed."""
        return self.closure(ident).opening().is_ordered

    @property
    def here(self) -> AnyClosure:
        """The closure at which the visit's person is."""
        visit = self.visit
        return self.closure(visit.route[visit.entry.stage])

    def query_all(self) -> None:
        """Query every sensor of the entrance."""
        self.query(*(name for name, _, _, _ in self.state.rules.sensors))

    def query_closure(self, closure: AnyClosure, *roles: str) -> None:
        """Query sensors of a closure by their roles."""
        self.query(*sensor_names(closure, *roles))

    def query(self, *sensors: str) -> None:
        """Query sensors for their values, and those that are queried with them, each once; without a broker none."""
        if self.state.broker_session is None:
            return
        names: dict[str, None] = {}
        for name in sensors:
            names.setdefault(name)
            found = find_sensor(self.state.rules, name)
            if found is not None:
                closure, _, sensor = found
                for other in sensor_names(closure, *sensor.queried_with):
                    names.setdefault(other)
        number = self.state.last_query_id
        for name in names:
            number += 1
            self.emit(QuerySensor(sensor=name, session=self.state.broker_session, number=number))
        self.state = replace(self.state, last_query_id=number)

    def invalidate(self, *sensors: str) -> None:
        """Require new proof: only an answer to a query sent from here on counts."""
        if sensors:
            number = self.state.last_query_id + 1
            changed = {name: replace(fact_of(self.state, name), proven=False, min_query_id=number) for name in sensors}
            self.state = replace(self.state, facts={**self.state.facts, **changed})

    def set_fact(self, sensor: str, fact: Fact) -> None:
        """Set what is known of a sensor."""
        self.state = replace(self.state, facts={**self.state.facts, sensor: fact})

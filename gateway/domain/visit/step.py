"""One run of `decide` in the making: the state as it stands, the clock, and what is to be done."""

from collections.abc import Mapping

from gateway.domain.frozen import replace
from gateway.domain.visit.commands import Command, Query
from gateway.domain.visit.state import ENTRANCE_WIDE, Entrance, Now, Phase, Visit, Why


class Step:
    """A workbench that never leaves `decide`: its parts are frozen, it holds the newest of each."""

    __slots__ = ("commands", "now", "state")

    def __init__(self, state: Entrance, now: Now) -> None:
        """Begin with the state as it was."""
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

    def say(self, *commands: Command) -> None:
        """Add to what the shell is asked to do, in this order."""
        self.commands.extend(commands)

    def passed(self, why: Why) -> bool:
        """Whether the deadline is set and over."""
        at = self.state.due.get(why)
        return at is not None and self.now.mono >= at

    def armed(self, why: Why) -> bool:
        """Whether the deadline is set."""
        return why in self.state.due

    def arm(self, why: Why, seconds: float) -> None:
        """Set a deadline so many seconds from now."""
        self.state = replace(self.state, due={**self.state.due, why: self.now.mono + seconds})

    def disarm(self, *whys: Why) -> None:
        """Drop deadlines; those not set do not matter."""
        if not self.state.due.keys().isdisjoint(whys):
            kept = {why: at for why, at in self.state.due.items() if why not in whys}
            self.state = replace(self.state, due=kept)

    def enter(self, phase: Phase, dues: Mapping[Why, float]) -> None:
        """Go to a phase with its own deadlines (seconds from now); those of the phase before are dropped."""
        self.visit = replace(self.visit, phase=phase)
        self.drop_phase_dues()
        for why, seconds in dues.items():
            self.arm(why, seconds)

    def drop_phase_dues(self) -> None:
        """Keep only the deadlines that outlive a phase."""
        kept = {why: at for why, at in self.state.due.items() if why in ENTRANCE_WIDE}
        self.state = replace(self.state, due=kept)

    def ask(self, *devices: str) -> None:
        """Ask the lock or the door for its state. Without a broker nothing is asked.

        Whoever asks after a garage door asks what is in its way too.
        """
        way = ("way",) if "door" in devices and self.state.rules.beam else ()
        for device in (*devices, *way):
            if self.state.session is None:
                return
            number = self.state.question + 1
            self.say(Query(device=device, session=self.state.session, number=number))
            self.state = replace(self.state, question=number)

    def doubt(self, *devices: str) -> None:
        """Only an answer to a question asked from here on is proof again."""
        floor = self.state.question + 1
        if "lock" in devices:
            self.state = replace(self.state, bolt=replace(self.state.bolt, proven=False, floor=floor))
        if "door" in devices:
            self.state = replace(self.state, door=replace(self.state.door, proven=False, floor=floor))
        if "way" in devices:
            self.state = replace(self.state, way=replace(self.state.way, proven=False, floor=floor))

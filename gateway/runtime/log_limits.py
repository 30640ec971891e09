"""Limits on the entries that an entrance's signed log takes in a minute, so that a flood cannot fill the disk. Pure.

The log keeps each entry. Beyond the limit the entrance still decides on an event, in memory, and counts it. Once a
minute one entry contains the counts of each source. Entries that a proof needs have no limit: all readings of a place
while a visit or an incident runs there, and every decision that does more than refuse a scan or note a reading.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Entrance, ScanLockout
from gateway.runtime.event_queue import SURROUNDINGS, source
from gateway.system.token_bucket import TokenBucket

SUMMARY_S = 60.0  # between two entries that tell what was counted
EACH_A_MINUTE, EACH_AT_ONCE = 4.0, 10.0  # entries of one source: a thermometer, a person's device, a scanner
ALL_A_MINUTE, ALL_AT_ONCE = 20.0, 30.0  # of one entrance: 29,000 a day at most, some 20 MB
NAMED = 50  # sources that a summary names; the others are told together


class LogLimits:
    """The limits of one entrance, and the counts since its last summary."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._all = TokenBucket(ALL_A_MINUTE / 60, ALL_AT_ONCE)
        self._each: dict[str, TokenBucket] = {}
        self._counted: Counter[str] = Counter()
        self._newest: dict[str, e.FridgeReported] = {}  # place -> its newest reading that has no entry
        self._last: e.Event | None = None
        self.due: float | None = None
        """When the summary is due, in monotonic seconds; None while nothing is counted."""

    def counts(self, event: e.Event, before: Entrance, after: Entrance, commands: Sequence[c.Command]) -> bool:
        """Whether the step has a limit: it notes a reading or only refuses a scan."""
        if isinstance(event, SURROUNDINGS):
            return not commands and not _in_the_proof(event, after)
        if isinstance(event, e.Scanned):
            return all(_refuses(command) for command in commands) and _forgotten(after) == _forgotten(before)
        return False

    def admits(self, event: e.Event, mono: float) -> bool:
        """Whether a step of such an event gets its entry at `mono`; else it is counted."""
        name = source(event)
        each = self._each.setdefault(name, TokenBucket(EACH_A_MINUTE / 60, EACH_AT_ONCE))
        if each.has(mono) and self._all.take(mono) and each.take(mono):
            if isinstance(event, e.FridgeReported):
                self._newest.pop(event.place, None)
            return True
        self._counted[name] += 1
        self._last = event
        if isinstance(event, e.FridgeReported):
            self._newest[event.place] = event
        if self.due is None:
            self.due = mono + SUMMARY_S
        return False

    def newest(self, place: str) -> e.FridgeReported | None:
        """Take a place's newest reading, if it has no entry yet: what comes next may rest on it."""
        return self._newest.pop(place, None)

    def summary(self) -> tuple[e.Event, tuple[c.LogNote, ...]] | None:
        """Take what was counted: the newest event of it, and a note for each source."""
        event, counted = self._last, self._counted
        self._last, self._counted, self.due = None, Counter(), None
        if event is None:
            return None
        named = counted.most_common(NAMED)
        others = counted.total() - sum(number for _, number in named)
        told = [*named, ("others", others)] if others else named
        return event, tuple(c.LogNote(what=f"{name}: {number} more in this minute") for name, number in told)


def _in_the_proof(event: e.Event, state: Entrance) -> bool:
    """Whether a visit or an incident runs whose proof includes this reading."""
    if not isinstance(event, e.FridgeReported):
        return False
    return state.incident is not None or (state.visit is not None and state.visit.delivery.place == event.place)


def _refuses(command: c.Command) -> bool:
    match command:
        case c.AnswerScan(word=c.ScanAnswer.NO) | c.ShowSignal() | c.LogNote() | c.QueryDevice():
            return True
        case _:
            return False


def _forgotten(state: Entrance) -> Entrance:
    """The state without what a restart may forget: the newest codes of each scanner, and when a light goes out."""
    attempts = {name: replace(one, recent_codes=(), retained_noted=False) for name, one in state.scan_lockouts.items()}
    kept = {name: one for name, one in attempts.items() if one != ScanLockout()}
    return replace(state, scan_lockouts=kept, timers={}, last_query_id=0)

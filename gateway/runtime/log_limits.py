"""Limits on the entries that an entrance's signed log takes in a minute, so that a flood cannot fill the disk. Pure.

The log keeps each entry. Beyond the limit the entrance still decides on an event, in memory, and counts it. Once a
minute one entry contains the counts of each source. Entries that a proof needs have no limit: all readings of a place
while a visit or an incident runs there, and every decision that does more than refuse a scan or note a reading.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions.contract import ConditionReport
from gateway.domain.visit.state import Entrance, ScanLockout
from gateway.runtime.event_queue import SURROUNDING_EVENTS, event_source
from gateway.system.token_bucket import TokenBucket

SUMMARY_INTERVAL_S = 60.0  # between two summaries of counted events
SOURCE_ENTRIES_PER_MINUTE, SOURCE_BURST_ENTRIES = 4.0, 10.0  # of a thermometer, a person's device, a scanner
ENTRANCE_ENTRIES_PER_MINUTE, ENTRANCE_BURST_ENTRIES = 20.0, 30.0  # of one entrance: 29,000 a day at most, some 20 MB
MAX_NAMED_SOURCES = 50  # sources that a summary names; it counts the others together


class LogLimits:
    """The limits of one entrance, and the counts since its last summary."""

    def __init__(self) -> None:
        self._entrance_bucket = TokenBucket(ENTRANCE_ENTRIES_PER_MINUTE / 60, ENTRANCE_BURST_ENTRIES)
        self._source_buckets: dict[str, TokenBucket] = {}
        self._repetitions: dict[str, TokenBucket] = {}
        self._suppressed_counts: Counter[str] = Counter()
        self._newest_readings: dict[str, ConditionReport] = {}  # place -> its newest reading without an entry
        self._last_suppressed: e.Event | None = None
        self.due = math.inf
        """When the summary is due, in monotonic seconds; infinity while nothing is counted."""

    def counts(self, event: e.Event, before: Entrance, after: Entrance, commands: Sequence[c.Command]) -> bool:
        """Return whether the step is limited: it records a reading or only refuses a scan."""
        if isinstance(event, SURROUNDING_EVENTS):
            return not commands and not is_part_of_proof(event, after)
        if isinstance(event, e.Scanned):
            is_refused = all(_is_refusal(command) for command in commands)
            return is_refused and _without_transient_state(after) == _without_transient_state(before)
        return False

    def admits(self, event: e.Event, mono: float) -> bool:
        """Return whether this event's step gets its own entry at `mono`; otherwise count it."""
        name = event_source(event)
        each = self._source_buckets.setdefault(name, TokenBucket(SOURCE_ENTRIES_PER_MINUTE / 60, SOURCE_BURST_ENTRIES))
        if each.has(mono) and self._entrance_bucket.take(mono) and each.take(mono):
            if isinstance(event, ConditionReport) and event.proof_place is not None:
                self._newest_readings.pop(event.proof_place, None)
            return True
        self._suppressed_counts[name] += 1
        self._last_suppressed = event
        if isinstance(event, ConditionReport) and event.proof_place is not None:
            self._newest_readings[event.proof_place] = event
        self.due = min(self.due, mono + SUMMARY_INTERVAL_S)
        return False

    def admits_repetition(self, event: e.Event, state: Entrance, mono: float) -> bool:
        """Return whether a reading that changes nothing gets an entry: it proves that the air is still the same.

        It has the same limit as other readings, and none is counted: the entry before it says the same.
        """
        if not is_part_of_proof(event, state):
            return False
        rate = SOURCE_ENTRIES_PER_MINUTE / 60
        return self._repetitions.setdefault(event_source(event), TokenBucket(rate, SOURCE_BURST_ENTRIES)).take(mono)

    def newest(self, place: str) -> ConditionReport | None:
        """Remove and return a place's newest reading without an entry: the next decision may rest on it."""
        return self._newest_readings.pop(place, None)

    def summary(self) -> tuple[e.Event, tuple[c.LogNote, ...]] | None:
        """Remove and return the counts: their newest event, and a note for each source."""
        event, counted = self._last_suppressed, self._suppressed_counts
        self._last_suppressed, self._suppressed_counts, self.due = None, Counter(), math.inf
        if event is None:
            return None
        named = counted.most_common(MAX_NAMED_SOURCES)
        others = counted.total() - sum(number for _, number in named)
        counts = [*named, ("others", others)] if others else named
        return event, tuple(c.LogNote(what=f"{name}: {number} more in this minute") for name, number in counts)


def is_part_of_proof(event: e.Event, state: Entrance) -> bool:
    """Return whether the proof of the running visit, or of an incident, has this reading."""
    place = event.proof_place if isinstance(event, ConditionReport) else None
    if place is None:
        return False
    return state.incident is not None or (state.visit is not None and place in state.visit.delivery.places)


def _is_refusal(command: c.Command) -> bool:
    if isinstance(command, c.AnswerScan):
        return command.answer is c.ScanAnswer.NO
    return isinstance(command, c.ShowSignal | c.LogNote | c.QuerySensor)


def _without_transient_state(state: Entrance) -> Entrance:
    """Return the state without what a restart may lose: recent codes of scanners, and a light's timer."""
    attempts = {name: replace(one, recent_codes=(), retained_noted=False) for name, one in state.scan_lockouts.items()}
    lockouts = {name: one for name, one in attempts.items() if one != ScanLockout()}
    return replace(state, scan_lockouts=lockouts, timers={}, last_query_id=0)

"""A bounded priority queue of the events of one entrance. Pure.

Events of lock, door, cameras, the store and the owner come first, in the order of their arrival. Reports of
conditions around the entrance come next; the queue keeps only the newest one of each source. Scans come last.
"""

from collections import Counter, deque
from collections.abc import Iterator

from gateway.domain.visit import events as e
from gateway.domain.visit.conditions.contract import ConditionReport

MAX_QUEUED_SCANS = 50  # of one scanner: more than a courier can scan during one commit; more is a flood
MAX_QUEUED_LABELS = 10  # readings of one camera: it looks three times a second, and reads a dropped code again
MAX_QUEUED_REPORTS = 200  # of lock and door; beyond it the gateway queries them for their current state
SURROUNDING_EVENTS = (ConditionReport, e.BatteryReported)
DEVICE_EVENTS = (
    e.SensorReported,
    e.WitnessReported,
    e.SequenceAdvanced,
    e.SensorOffline,
    e.LockFailed,
    e.ReportsMissed,
)


class EventQueue:
    """The queued events of one entrance."""

    def __init__(self) -> None:
        self._priority_events: deque[e.Event] = deque()
        self._report_count = 0  # of those from devices
        self._surroundings: dict[str, e.Event] = {}
        self._scan_events: deque[e.Scanned] = deque()
        self._scan_counts: Counter[str] = Counter()  # scanner or camera -> its queued scans

    def post(self, event: e.Event) -> bool:
        """Queue an event. Returns False if the queue is full; the event is then dropped."""
        if isinstance(event, e.Scanned):
            if self._scan_counts[event.scanner] >= (MAX_QUEUED_LABELS if event.expected_only else MAX_QUEUED_SCANS):
                return False
            self._scan_counts[event.scanner] += 1
            self._scan_events.append(event)
        elif isinstance(event, SURROUNDING_EVENTS):
            self._surroundings[event_source(event)] = event
        else:
            report = isinstance(event, DEVICE_EVENTS)
            if report and self._report_count >= MAX_QUEUED_REPORTS:
                return False
            self._report_count += report
            self._priority_events.append(event)
        return True

    def post_first(self, event: e.Event) -> None:
        """Queue an event before all others."""
        self._report_count += isinstance(event, DEVICE_EVENTS)
        self._priority_events.appendleft(event)

    def take(self) -> e.Event:
        """Remove and return the next event. IndexError: the queue is empty."""
        if self._priority_events:
            event = self._priority_events.popleft()
            self._report_count -= isinstance(event, DEVICE_EVENTS)
            return event
        if self._surroundings:
            return self._surroundings.pop(next(iter(self._surroundings)))
        scan = self._scan_events.popleft()
        self._scan_counts[scan.scanner] -= 1
        return scan

    def forget_surroundings(self) -> None:
        """Drop the queued reports of conditions, but not those of batteries."""
        self._surroundings = {
            key: event for key, event in self._surroundings.items() if isinstance(event, e.BatteryReported)
        }

    def __iter__(self) -> Iterator[e.Event]:
        yield from (*self._priority_events, *self._surroundings.values(), *self._scan_events)

    def __len__(self) -> int:
        return len(self._priority_events) + len(self._surroundings) + len(self._scan_events)


def event_source(event: e.Event) -> str:
    """Return the source of a device's event, as `fridge/PLACE`. ValueError: the event comes from no device."""
    match event:
        case ConditionReport():
            return event.source
        case e.BatteryReported(device=device):
            return f"battery/{device}"
        case e.Scanned(scanner=scanner):
            return f"scanner/{scanner}"
        case _:
            raise ValueError(f"{type(event).__name__} is about the entrance itself")

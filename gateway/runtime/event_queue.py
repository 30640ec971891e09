"""A bounded priority queue of the events of one entrance. Pure.

Events of lock, door, cameras, the store and the owner come first, in the order of their arrival. Readings of fridges,
people's devices and the alarm panel come next; the queue keeps only the newest one of each device. Scans come last.
"""

from collections import Counter, deque
from collections.abc import Iterator

from gateway.domain.visit import events as e

SCANS_WAITING = 50  # of one scanner: more than a courier can scan while one commit lasts, beyond it somebody floods us
LABELS_WAITING = 10  # readings of one camera: it looks three times a second, and what is dropped is read again
REPORTS_WAITING = 200  # of lock and door; beyond it they are asked what holds now
SURROUNDINGS = (e.FridgeReported, e.PresenceReported, e.AlarmPanelReported, e.BatteryReported)
OF_DEVICES = (
    e.LockReported,
    e.DoorReported,
    e.ObstructionReported,
    e.SequenceAdvanced,
    e.DeviceOffline,
    e.LockFailed,
    e.ReportsMissed,
)


class EventQueue:
    """The queued events of one entrance."""

    def __init__(self) -> None:
        """Begin empty."""
        self._first: deque[e.Event] = deque()
        self._reports = 0  # of those that devices said
        self._around: dict[str, e.Event] = {}
        self._scanned: deque[e.Scanned] = deque()
        self._scans: Counter[str] = Counter()  # scanner or camera -> its scans that wait

    def put(self, event: e.Event) -> bool:
        """Queue an event. Returns False if the queue is full; the event is then dropped."""
        if isinstance(event, e.Scanned):
            if self._scans[event.scanner] >= (LABELS_WAITING if event.expected_only else SCANS_WAITING):
                return False
            self._scans[event.scanner] += 1
            self._scanned.append(event)
        elif isinstance(event, SURROUNDINGS):
            self._around[source(event)] = event
        else:
            report = isinstance(event, OF_DEVICES)
            if report and self._reports >= REPORTS_WAITING:
                return False
            self._reports += report
            self._first.append(event)
        return True

    def put_first(self, event: e.Event) -> None:
        """Queue an event before all others."""
        self._reports += isinstance(event, OF_DEVICES)
        self._first.appendleft(event)

    def take(self) -> e.Event:
        """Remove and return the next event.

        Raises:
            IndexError: the queue is empty.
        """
        if self._first:
            event = self._first.popleft()
            self._reports -= isinstance(event, OF_DEVICES)
            return event
        if self._around:
            return self._around.pop(next(iter(self._around)))
        scan = self._scanned.popleft()
        self._scans[scan.scanner] -= 1
        return scan

    def forget_surroundings(self) -> None:
        """Drop the queued readings of fridges, people's devices and the alarm panel, but not those of batteries."""
        self._around = {key: event for key, event in self._around.items() if isinstance(event, e.BatteryReported)}

    def clear(self) -> None:
        """Drop all."""
        while self:
            self.take()

    def __iter__(self) -> Iterator[e.Event]:
        """Give all that wait, in the order in which they will be taken."""
        yield from (*self._first, *self._around.values(), *self._scanned)

    def __len__(self) -> int:
        """Count them."""
        return len(self._first) + len(self._around) + len(self._scanned)


def source(event: e.Event) -> str:
    """Name what an event of a device is about, as `fridge/PLACE`, `presence/DEVICE` or `scanner/DEVICE`.

    Raises:
        ValueError: it is about none of these.
    """
    match event:
        case e.FridgeReported(place=place):
            return f"fridge/{place}"
        case e.PresenceReported(device=device):
            return f"presence/{device}"
        case e.AlarmPanelReported():
            return "panel"
        case e.BatteryReported(device=device):
            return f"battery/{device}"
        case e.Scanned(scanner=scanner):
            return f"scanner/{scanner}"
        case _:
            raise ValueError(f"{type(event).__name__} is about the entrance itself")

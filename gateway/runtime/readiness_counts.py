"""Counts near each window how often lock, door sensor and cameras were ready, for the installer's survey."""

from collections.abc import Callable, Mapping

from gateway.config.home import Home
from gateway.domain.now import Now
from gateway.domain.visit.readiness import unavailable_devices
from gateway.domain.visit.state import Entrance

CHECK_INTERVAL_S = 60.0  # cameras start when a window comes near, so the first check is that long after it


class ReadinessCounter:
    """Checks each entrance once a minute while a window is near.

    A visit or an incident ends the checks, because its own open door is no fault, and so does an untrusted clock,
    because the hour would be wrong. `count` gets the entrance, each device with whether it was ready, and the time.
    """

    def __init__(self, home: Home, count: Callable[[str, Mapping[str, bool], Now], None]) -> None:
        self._home, self._count = home, count
        self._due_mono: dict[str, float] = {}

    def poll(self, state: Entrance, now: Now) -> None:
        """Check this entrance if a check is due."""
        if not state.window_near or state.visit is not None or state.incident is not None or not now.trusted:
            self._due_mono.pop(state.id, None)
            return
        if now.mono < self._due_mono.setdefault(state.id, now.mono + CHECK_INTERVAL_S):
            return
        self._due_mono[state.id] = now.mono + CHECK_INTERVAL_S
        section, unavailable = self._home.entrances[state.id], unavailable_devices(state)
        devices = {section.lock: "lock" not in unavailable, section.door: "door" not in unavailable}
        devices |= {camera: f"camera:{camera}" not in unavailable for camera in state.rules.cameras}
        self._count(state.id, devices, now)

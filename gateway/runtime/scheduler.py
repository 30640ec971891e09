"""Starts timed work: windows, readiness checks, camera ring buffers, disk checks, results for retailers."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta

from gateway.config.closures import entrance_closures, sensor_bindings
from gateway.config.home import Home
from gateway.domain.delivery.schedule import build_agenda
from gateway.domain.now import Now
from gateway.domain.visit import events as e
from gateway.domain.visit.predicates import is_private
from gateway.domain.visit.readiness import unavailable_devices
from gateway.domain.visit.state import Entrance
from gateway.runtime.entrance import EntranceActor
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.video.client import VideoClient

POLL_INTERVAL_S = 0.5  # seconds between two polls; each reads the clock and the free disk space once
REFRESH_DELAY_S = 0.05  # least seconds between two polls, however often an agenda changes
REST_INTERVAL_S = 2.0  # between two polls of a house at rest: no window is near, nothing changed for some polls
QUIET_POLLS = 20  # without a change, after which a house is at rest
AGENDA_REFRESH_INTERVAL = timedelta(minutes=1)  # each agenda is read again at least this often
READINESS_INTERVAL_S = 60.0  # cameras start when a window comes near, so the first check is that long after it


class ReadinessCounter:
    """Checks each entrance once a minute while a window is near; `count` gets which devices were ready."""

    def __init__(self, home: Home, count: Callable[[str, Mapping[str, bool], Now], None]) -> None:
        self._home, self._count = home, count
        self._due_mono: dict[str, float] = {}

    def poll(self, state: Entrance, now: Now) -> None:
        """Check this entrance if a check is due.

        None is while a visit or an incident runs, whose open door is no fault, or while the hour is not certain.
        """
        if not state.window_near or state.visit is not None or state.incident is not None or not now.trusted:
            self._due_mono.pop(state.id, None)
            return
        if now.mono < self._due_mono.setdefault(state.id, now.mono + READINESS_INTERVAL_S):
            return
        self._due_mono[state.id] = now.mono + READINESS_INTERVAL_S
        unavailable = unavailable_devices(state)
        devices: dict[str, bool] = {}
        for binding in sensor_bindings(entrance_closures(self._home, state.id)):
            devices[binding.device] = devices.get(binding.device, True) and binding.name not in unavailable
        devices |= {camera: f"camera:{camera}" not in unavailable for camera in state.rules.cameras}
        self._count(state.id, devices, now)


@dataclass(eq=False, repr=False)
class Scheduler:
    """Polls twice a second, a house at rest less often, until a change; and at once when an agenda changes.

    It calls `schedule_results` when results for retailers may be due.
    """

    home: Home
    _: KW_ONLY
    store: Store
    clock: Clock
    entrances: Mapping[str, EntranceActor]
    cameras: VideoClient
    free_bytes: Callable[[], int]
    schedule_results: Callable[[], None]
    containment: Containment = field(default_factory=Containment)

    def __post_init__(self) -> None:
        self._readiness_counter = ReadinessCounter(self.home, self.store.readiness.count)
        self._next_refresh: dict[str, datetime] = {}
        self._clock_trusted: dict[str, bool] = {}
        self._expecting: dict[str, bool] = {}
        self._entrance_filming: dict[str, bool] = {}
        self._quiet_polls = 0  # since the last change
        self._woken = asyncio.Event()
        self._refreshed = asyncio.Event()
        for running in self.entrances.values():
            running.on_change.append(self._wake)
        self._requested_rings: tuple[dict[str, bool], set[str]] | None = None  # rings and labels as last requested

    def refresh(self, entrance: str) -> None:
        """Read the agenda of this entrance again at once, because a delivery or permission changed.

        Whoever was refused may stand at the door, and a camera needs half a second for its first picture.
        """
        self._next_refresh.pop(entrance, None)
        self._refreshed.set()
        self._wake()

    def _wake(self) -> None:
        self._quiet_polls = 0
        self._woken.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self._refreshed.clear()
            now = self.clock.now()
            disk = self._has_free_space()
            for name, running in self.entrances.items():
                with self.containment.piece("windows", name):  # an error affects only this entrance
                    if running.state.disk_ok is not disk:
                        running.post(e.DiskChanged(ok=disk))
                    running.check_heartbeats(now)
                    running.query_reconnected(now)
                    self._check_entrance(name, running, now)
                    self._readiness_counter.poll(running.state, now)
            self._update_rings()
            self.schedule_results()
            await self._wait(now)

    async def _wait(self, now: Now) -> None:
        """Wait until the next poll is due."""
        states = [running.state for running in self.entrances.values()]
        self._quiet_polls += 1
        if self._quiet_polls < QUIET_POLLS or any(one.window_near or _is_busy(one) for one in states):
            await asyncio.sleep(REFRESH_DELAY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL_S - REFRESH_DELAY_S):
                    await self._refreshed.wait()
            return
        self._woken.clear()
        soonest = min(((due - now.utc).total_seconds() for due in self._next_refresh.values()), default=REST_INTERVAL_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(POLL_INTERVAL_S, min(soonest, REST_INTERVAL_S))):
                await self._woken.wait()

    def _has_free_space(self) -> bool:
        try:
            return self.free_bytes() >= self.home.storage.reserve_mib * 2**20
        except OSError:
            return False

    def _check_entrance(self, name: str, running: EntranceActor, now: Now) -> None:
        if self._clock_trusted.get(name, now.trusted) is not now.trusted:
            running.post(e.TimerExpired())  # a pause may have begun or ended while the time was unknown
        due = self._next_refresh.get(name)
        if due is not None and now.utc < due and self._clock_trusted[name] == now.trusted:
            return
        timing = self.home.entrances[name].timing
        agenda = build_agenda(
            self.store.deliveries.upcoming(name, now),
            now=now,
            near=timedelta(seconds=timing.near),
            after=timedelta(seconds=timing.after),
            locked_at=self.store.entrances.locked_at(name),
        )
        soonest = now.utc + AGENDA_REFRESH_INTERVAL
        self._next_refresh[name] = soonest if agenda.next_change_at is None else min(agenda.next_change_at, soonest)
        self._clock_trusted[name] = now.trusted
        for delivery in agenda.checks:
            running.post(e.PreflightDue(delivery=delivery))
        if agenda.checks:
            self._next_refresh[name] = now.utc + timedelta(seconds=1)  # until the check is stored it would be due again
        if self._expecting.get(name) is not agenda.expecting or running.state.window_near is not agenda.expecting:
            self._expecting[name] = agenda.expecting
            running.post(e.WindowChanged(near=agenda.expecting))
        self._entrance_filming[name] = agenda.ring

    def _update_rings(self) -> None:
        """Run the ring buffers of the cameras that a window, a visit or the time after one needs, and no others."""
        wanted: dict[str, bool] = {}
        labels: set[str] = set()
        for name, running in self.entrances.items():
            state = running.state
            section = self.home.entrances[name]
            private = is_private(state, self.clock.now())
            for camera in section.film_cameras:
                runs = not private and (_is_busy(state) or self._entrance_filming.get(name, False))
                wanted[camera] = wanted.get(camera, False) or runs
            if state.window_near and not private:
                labels.update(section.cameras.read_labels)
        if (wanted, labels) == self._requested_rings:
            return
        self._requested_rings = wanted, labels
        for camera, on in wanted.items():
            self.cameras.watch((camera,), on=on, labels=(camera,) if camera in labels else ())


def _is_busy(state: Entrance) -> bool:
    return state.visit is not None or state.grace_visit is not None or state.incident is not None

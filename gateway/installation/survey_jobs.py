"""Runs the surveys of a gateway: a page begins and ends them, and they continue after a restart.

A survey lets go of its cameras while the house itself needs them: some take one viewer only. What goes wrong meanwhile
is told on the page and holds up nothing else; a look that could not be made is no look.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, auto
from pathlib import Path

import structlog

from gateway.config.home import Home
from gateway.config.sockets import SURVEY_SOCKET
from gateway.installation import notes
from gateway.installation.device_probe import ProbeKeyUnusable
from gateway.installation.quota import HourlyQuota
from gateway.installation.survey import (
    MAX_SURVEY_AGE,
    SurveyEnd,
    SurveyEndReason,
    SurveyPlan,
    SurveyRecord,
    SurveySample,
    SurveySummary,
    draw_svg,
    sampling,
    summarise,
    surveyed_devices,
)
from gateway.installation.survey_probe import (
    CAMERA_START_S,
    CameraWatch,
    SurveyHolder,
    SurveyTaken,
    SurveyVideo,
    claim_survey,
    silent_devices,
    split_devices,
    survey_holder,
)
from gateway.runtime.entrance import EntranceActor
from gateway.storage import Store, StoreFailed
from gateway.system.clock import Clock
from gateway.system.config_section import ConfigError
from gateway.system.text import sanitized
from gateway.video.ipc import CameraProof

log = structlog.get_logger(__name__)

NEED_CHECK_INTERVAL_S = 0.5  # seconds between two looks at whether the house needs its cameras
TERMINAL_CHECK_INTERVAL_S = 5.0  # seconds between two looks at whether a terminal surveys
MAX_SURVEY_HOURS = 168  # hours
MAX_SURVEYS_PER_HOUR = 20  # that one person begins an hour


class SurveyObstacle(StrEnum):
    """Why a survey does not look now, or (BROKER) what it sees everywhere."""

    NEEDED = auto()  # the house needs its devices: a visit, a window that is open or near, somebody who watches
    CLOCK = auto()
    BROKER = auto()
    ACCOUNT = auto()
    PASSWORD = auto()
    KEY = auto()
    DISK = auto()
    VIDEO = auto()


class SurveyError(StrEnum):
    """Why none was begun or ended."""

    RUNS = auto()
    OFTEN = auto()  # each begins cameras anew and is written into the log for good
    TERMINAL = auto()
    CLOCK = auto()
    NONE_RUNS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyPacing:
    """How long cameras get to begin, and seconds between two looks (None: as `sampling` says)."""

    ahead: float = CAMERA_START_S
    every: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyView:
    """One entrance's survey as it is shown. `until`: when it ends, if nothing comes between."""

    surveyed: SurveyRecord | None = None
    counted: SurveySummary | None = None
    svg: str = ""
    elsewhere: bool = False  # the terminal runs it
    trouble: SurveyObstacle | None = None
    until: datetime | None = None

    @property
    def runs(self) -> bool:
        """Whether it goes on, here or at the terminal."""
        return self.elsewhere or self.ours

    @property
    def ours(self) -> bool:
        """Whether this gateway goes on with it: at the terminal it is gone on with when somebody says so."""
        return self.surveyed is not None and self.surveyed.goes_on and self.surveyed.begun.by is not None


class SurveyRunner:
    """All surveys of a box.

    `proofs`: what the house's own video process sees now; `allowed`: whether a person still may survey; `asking`: held
    by whoever has the installer's account.
    """

    def __init__(  # noqa: PLR0913 - what a survey touches, named one by one
        self,
        home: Home,
        *,
        store: Store,
        clock: Clock,
        entrances: Mapping[str, EntranceActor],
        proofs: Callable[[], Mapping[str, CameraProof]],
        allowed: Callable[[str | None], bool],
        asking: asyncio.Lock,
        pace: SurveyPacing | None = None,
    ) -> None:
        self._home, self._store, self._clock, self._entrances = home, store, clock, entrances
        self._proofs, self._is_allowed, self._installer_lock = proofs, allowed, asking
        self._pacing, self._quota = pace or SurveyPacing(), HourlyQuota(MAX_SURVEYS_PER_HOUR)
        self._folder = home.storage.folder
        self._video = SurveyVideo(
            home, socket=home.storage.folder / SURVEY_SOCKET, folder=self._folder / notes.INSTALLATION_FOLDER / "eyes"
        )
        self._views: dict[str, SurveyView] = {}
        for name in home.entrances:
            self._views[name] = self._make_view(name, notes.read_survey(self._folder, name))
        self._stamps: dict[str, int] = {}
        self._unsaved: dict[str, SurveyEnd] = {}
        self._claimed_entrances: set[str] = set()  # those whose survey this process has now
        self._file_locks = {name: asyncio.Lock() for name in home.entrances}
        self._wake_events = {name: asyncio.Event() for name in home.entrances}
        self.changed: Callable[[], None] = lambda: None  # called when a survey is another than before

    # ---- what is asked ----------------------------------------------------------------------------------------------

    def view(self, name: str) -> SurveyView:
        """An entrance's survey, as far as it has come."""
        return self._views[name]

    async def begin(self, name: str, hours: int, *, by: str, person: str) -> SurveyError | None:
        """Begin one anew; None, or why none was begun.

        Raises:
            OSError, StoreFailed: the disk does not take it, and nothing was begun.
        """
        now = self._clock.now()
        async with self._file_locks[name]:
            if self._views[name].ours:
                return SurveyError.RUNS
            if not now.trusted:
                return SurveyError.CLOCK
            if not self._quota.take(person, now.mono):
                return SurveyError.OFTEN
            looks, every = sampling(hours)
            begun = SurveyPlan(
                entrance=name, begun=now.utc, every=self._pacing.every or every, looks=looks,
                devices=surveyed_devices(self._home, name), by=by, person=person,
            )  # fmt: skip
            try:
                with self._claim(name):
                    await asyncio.to_thread(notes.append_survey, self._folder, name, begun)
            except SurveyTaken:
                return SurveyError.TERMINAL
            try:
                await self._store.log.append("survey_begun", {"by": person}, now, entrance=name)
            except StoreFailed:
                await asyncio.to_thread(notes.survey_file(self._folder, name).unlink, missing_ok=True)
                raise
            self._unsaved.pop(name, None)
            await self._set_view(name, SurveyRecord(begun=begun))
        self._wake_events[name].set()
        return None

    async def end(self, name: str, *, by: str, person: str) -> SurveyError | None:
        """End it; it stays ended. None, or why there was nothing to end.

        Raises:
            StoreFailed: it has ended, and the log does not know who ended it.
        """
        if self._views[name].elsewhere:
            return SurveyError.TERMINAL
        if not await self._end(name, SurveyEndReason.ASKED, by=by):
            return SurveyError.NONE_RUNS
        await self._store.log.append("survey_ended", {"by": person}, self._clock.now(), entrance=name)
        return None

    async def _end(self, name: str, why: SurveyEndReason, *, by: str | None = None) -> bool:
        """End it: at once for this process, and on the disk as soon as that takes it."""
        async with self._file_locks[name]:
            surveyed = self._views[name].surveyed
            if surveyed is None or not self._views[name].ours:
                return False
            ended = self._unsaved[name] = SurveyEnd(ended=self._clock.now().utc, why=why, by=by)
            await self._set_view(name, replace(surveyed, ended=ended))
            await self._save(name)
        log.info("survey_ended", entrance=name, why=why.value)
        self._wake_events[name].set()
        return True

    async def _save(self, name: str) -> None:
        ended = self._unsaved.get(name)
        if ended is None:
            return
        try:
            await asyncio.to_thread(notes.append_survey, self._folder, name, ended)
        except OSError as failure:
            log.error("survey_not_written", entrance=name, why=str(failure))
            self._set_obstacle(name, SurveyObstacle.DISK)
            return
        del self._unsaved[name]
        self._set_obstacle(name, None)

    # ---- what is shown ----------------------------------------------------------------------------------------------

    def _make_view(self, name: str, surveyed: SurveyRecord | None) -> SurveyView:
        """Count and draw. It takes milliseconds: a day's survey has 1440 looks."""
        if surveyed is None:
            return SurveyView()
        begun, looks = surveyed.begun, surveyed.looks
        left = (begun.looks - len(looks)) * begun.every
        return SurveyView(
            surveyed=surveyed,
            counted=summarise(begun, looks),
            svg=draw_svg(begun, looks, title=sanitized(self._home.entrances[name].name)),
            until=self._clock.now().utc + timedelta(seconds=left) if surveyed.goes_on else None,
        )

    async def _set_view(self, name: str, surveyed: SurveyRecord | None, *, elsewhere: bool = False) -> None:
        trouble = self._views[name].trouble
        seen = await asyncio.to_thread(self._make_view, name, surveyed)
        self._views[name] = replace(seen, elsewhere=elsewhere, trouble=trouble if seen.ours else None)
        self.changed()

    def _set_obstacle(self, name: str, trouble: SurveyObstacle | None) -> None:
        before = self._views[name].trouble
        if trouble is not before:
            self._views[name] = replace(self._views[name], trouble=trouble)
            log.info("survey", entrance=name, trouble=None if trouble is None else trouble.value)
            self.changed()

    # ---- work -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Go on with what was begun, several at once, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self._home.entrances:
                group.create_task(self._run_entrance(name), name=f"survey {name}")

    async def _run_entrance(self, name: str) -> None:
        while True:
            self._wake_events[name].clear()
            async with self._file_locks[name]:
                await self._save(name)
            if self._views[name].ours:
                await self._run_here(name)
            else:
                await self._check_terminal(name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TERMINAL_CHECK_INTERVAL_S):
                    await self._wake_events[name].wait()

    async def _run_here(self, name: str) -> None:
        """Have the survey for this process, and go on with what stands in its file."""
        try:
            with self._claim(name):
                async with self._file_locks[name]:
                    await self._read(name)
                await self._continue(name)
        except SurveyTaken:
            await self._check_terminal(name)
        except OSError as failure:
            log.error("survey_not_run", entrance=name, why=str(failure))
            self._set_obstacle(name, SurveyObstacle.DISK)

    @contextlib.contextmanager
    def _claim(self, name: str) -> Iterator[None]:
        """Have it for this process; one that was ended a moment ago may not have been let go yet."""
        if name in self._claimed_entrances:
            yield
            return
        with claim_survey(self._folder, name, SurveyHolder.GATEWAY):
            self._claimed_entrances.add(name)
            try:
                yield
            finally:
                self._claimed_entrances.discard(name)

    async def _check_terminal(self, name: str) -> None:
        """See whether a terminal surveys, and what it has seen."""
        stamp = _modified_at(notes.survey_file(self._folder, name))
        elsewhere = survey_holder(self._folder, name) is SurveyHolder.TERMINAL
        if name not in self._unsaved and (stamp, elsewhere) != (self._stamps.get(name), self._views[name].elsewhere):
            async with self._file_locks[name]:
                await self._read(name, elsewhere=elsewhere)
            self._stamps[name] = stamp

    async def _read(self, name: str, *, elsewhere: bool = False) -> None:
        surveyed = await asyncio.to_thread(notes.read_survey, self._folder, name)
        ended = self._unsaved.get(name)
        if surveyed is not None and ended is not None:
            surveyed = replace(surveyed, ended=ended)
        await self._set_view(name, surveyed, elsewhere=elsewhere)

    async def _continue(self, name: str) -> None:
        while self._views[name].ours:
            why = self._end_reason(name)
            if why is not None:
                await self._end(name, why)
                return
            trouble = self._obstacle(name)
            if trouble is not None:
                self._set_obstacle(name, trouble)
                await self._wait(name, NEED_CHECK_INTERVAL_S)
                continue
            async with self._video.watch(self._surveyed_cameras(name)) as watch:
                await self._sample_until_needed(name, watch)

    async def _sample_until_needed(self, name: str, watch: CameraWatch) -> None:
        """Look again and again, until it is over or the house needs its devices."""
        loop = asyncio.get_running_loop()
        self._set_obstacle(name, None)
        async with self._file_locks[name]:
            await self._set_view(name, self._views[name].surveyed)  # it ends so much later now
        due = loop.time() + (self._pacing.ahead if watch.cameras else 0.0) + self._plan(name).every
        while self._views[name].ours and self._obstacle(name) is None:
            left = due - loop.time()
            if left > 0:
                await self._wait(name, min(left, NEED_CHECK_INTERVAL_S))
                continue
            if self._end_reason(name) is not None:
                return
            looked = await self._take_sample(name, watch)
            every = self._plan(name).every
            due = loop.time() + (every if looked else min(every, TERMINAL_CHECK_INTERVAL_S))

    async def _take_sample(self, name: str, watch: CameraWatch) -> bool:
        """Look once, and keep what was seen; False: it could not be known."""
        timing, loop = self._home.entrances[name].timing, asyncio.get_running_loop()
        dark = watch.dark(loop.time(), timing)
        if dark is None:
            self._set_obstacle(name, None if self._video.open else SurveyObstacle.VIDEO)
            return False
        _, others = split_devices(self._home, self._plan(name).devices)
        trouble: SurveyObstacle | None = None
        try:
            async with self._installer_lock:
                quiet = await silent_devices(self._home, others)
        except ConfigError:
            self._set_obstacle(name, SurveyObstacle.PASSWORD)
            return False
        except ProbeKeyUnusable:
            self._set_obstacle(name, SurveyObstacle.KEY)
            return False
        except ConnectionError:
            if self._is_connected():  # then it is this account that the broker refuses or that another one uses
                self._set_obstacle(name, SurveyObstacle.ACCOUNT)
                return False
            quiet, trouble = others, SurveyObstacle.BROKER  # no delivery would have come in
        if self._obstacle(name) is not None:
            return False  # who was busy with a visit may have been slow for that
        return await self._store_sample(name, SurveySample(at=self._clock.now().utc, refused=(*quiet, *dark)), trouble)

    async def _store_sample(self, name: str, look: SurveySample, trouble: SurveyObstacle | None) -> bool:
        async with self._file_locks[name]:
            surveyed = self._views[name].surveyed
            if surveyed is None or not surveyed.goes_on:
                return False
            try:
                await asyncio.to_thread(notes.append_survey, self._folder, name, look)
            except OSError as failure:
                log.error("survey_not_written", entrance=name, why=str(failure))
                self._set_obstacle(name, SurveyObstacle.DISK)
                return False
            self._set_obstacle(name, trouble)
            await self._set_view(name, replace(surveyed, looks=(*surveyed.looks, look)))
        return True

    async def _wait(self, name: str, seconds: float) -> None:
        """Wait, or until something was asked."""
        self._wake_events[name].clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake_events[name].wait()

    # ---- what stands in the way -------------------------------------------------------------------------------------

    def _plan(self, name: str) -> SurveyPlan:
        surveyed = self._views[name].surveyed
        assert surveyed is not None  # noqa: S101 - it goes on
        return surveyed.begun

    def _surveyed_cameras(self, name: str) -> tuple[str, ...]:
        return split_devices(self._home, self._plan(name).devices)[0]

    def _is_connected(self) -> bool:
        return any(running.state.broker_session is not None for running in self._entrances.values())

    def _end_reason(self, name: str) -> SurveyEndReason | None:
        """Why it must not go on at all."""
        begun, now = self._plan(name), self._clock.now()
        if not self._is_allowed(begun.person):
            return SurveyEndReason.NOT_ALLOWED
        if begun.devices != surveyed_devices(self._home, name):
            return SurveyEndReason.DEVICES_CHANGED
        if now.trusted and now.utc - begun.begun > MAX_SURVEY_AGE:
            return SurveyEndReason.TOO_OLD
        return None

    def _obstacle(self, name: str) -> SurveyObstacle | None:
        """Why it must not look now: a camera may take one viewer only, and a lock that works is not to be asked."""
        if not self._clock.now().trusted:
            return SurveyObstacle.CLOCK  # nobody would know of which hour a look is
        ours = set(self._plan(name).devices)
        for other, running in self._entrances.items():
            state = running.state
            if (state.visit or state.incident or state.window_near) and ours & set(surveyed_devices(self._home, other)):
                return SurveyObstacle.NEEDED
        return SurveyObstacle.NEEDED if ours & set(self._proofs()) else None


def _modified_at(file: Path) -> int:
    """When a file was last written; 0: there is none."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0

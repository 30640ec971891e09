"""The surveys that a running gateway makes: begun and ended on a page, gone on with after every restart.

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

from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.config.sockets import EYES
from gateway.installation import notes
from gateway.installation.device_probe import NoKey
from gateway.installation.quota import Quota
from gateway.installation.survey import (
    OLDEST,
    Begun,
    Ended,
    Look,
    Summary,
    Surveyed,
    Why,
    devices_of,
    drawn,
    paced,
    summary,
)
from gateway.installation.survey_probe import AHEAD, Eyes, Holder, Taken, Watch, claimed, holder, silent, split
from gateway.runtime.entrance import RunningEntrance
from gateway.storage import Store, StoreFailed
from gateway.system.clock import Clock
from gateway.system.text import inert
from gateway.video.ipc import Proof

log = structlog.get_logger(__name__)

MOMENT = 0.5  # seconds between two looks at whether the house needs its cameras
ELSEWHERE = 5.0  # seconds between two looks at whether a terminal surveys
LONGEST = 168  # hours
OFTEN = 20  # that one person begins an hour


class Trouble(StrEnum):
    """Why a survey does not look now, or (BROKER) what it sees everywhere."""

    NEEDED = auto()  # the house needs its devices: a visit, a window that is open or near, somebody who watches
    CLOCK = auto()
    BROKER = auto()
    ACCOUNT = auto()
    PASSWORD = auto()
    KEY = auto()
    DISK = auto()
    VIDEO = auto()


class No(StrEnum):
    """Why none was begun or ended."""

    RUNS = auto()
    OFTEN = auto()  # each begins cameras anew and is written into the log for good
    TERMINAL = auto()
    CLOCK = auto()
    NONE_RUNS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long cameras get to begin, and seconds between two looks (None: as `paced` says)."""

    ahead: float = AHEAD
    every: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One entrance's survey as it is shown. `until`: when it ends, if nothing comes between."""

    surveyed: Surveyed | None = None
    counted: Summary | None = None
    svg: str = ""
    elsewhere: bool = False  # the terminal runs it
    trouble: Trouble | None = None
    until: datetime | None = None

    @property
    def runs(self) -> bool:
        """Whether it goes on, here or at the terminal."""
        return self.elsewhere or self.ours

    @property
    def ours(self) -> bool:
        """Whether this gateway goes on with it: at the terminal it is gone on with when somebody says so."""
        return self.surveyed is not None and self.surveyed.goes_on and self.surveyed.begun.by is not None


class Surveys:
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
        entrances: Mapping[str, RunningEntrance],
        proofs: Callable[[], Mapping[str, Proof]],
        allowed: Callable[[str | None], bool],
        asking: asyncio.Lock,
        pace: Pace | None = None,
    ) -> None:
        self._home, self._store, self._clock, self._entrances = home, store, clock, entrances
        self._proofs, self._allowed, self._asking = proofs, allowed, asking
        self._pace, self._quota = pace or Pace(), Quota(OFTEN)
        self._folder = home.storage.folder
        self._eyes = Eyes(home, socket=home.storage.folder / EYES, folder=self._folder / notes.FOLDER / "eyes")
        self._views: dict[str, View] = {}
        for name in home.entrances:
            self._views[name] = self._seen(name, notes.survey_of(self._folder, name))
        self._stamps: dict[str, int] = {}
        self._unsaved: dict[str, Ended] = {}
        self._held: set[str] = set()  # those whose survey this process has now
        self._writing = {name: asyncio.Lock() for name in home.entrances}
        self._wakes = {name: asyncio.Event() for name in home.entrances}
        self.changed: Callable[[], None] = lambda: None  # called when a survey is another than before

    # ---- what is asked ----------------------------------------------------------------------------------------------

    def view(self, name: str) -> View:
        """An entrance's survey, as far as it has come."""
        return self._views[name]

    async def begin(self, name: str, hours: int, *, by: str, person: str) -> No | None:
        """Begin one anew; None, or why none was begun.

        Raises:
            OSError, StoreFailed: the disk does not take it, and nothing was begun.
        """
        now = self._clock.now()
        async with self._writing[name]:
            if self._views[name].ours:
                return No.RUNS
            if not now.trusted:
                return No.CLOCK
            if not self._quota.take(person, now.mono):
                return No.OFTEN
            looks, every = paced(hours)
            begun = Begun(
                entrance=name, begun=now.utc, every=self._pace.every or every, looks=looks,
                devices=devices_of(self._home, name), by=by, person=person,
            )  # fmt: skip
            try:
                with self._claimed(name):
                    await asyncio.to_thread(notes.keep_survey, self._folder, name, begun)
            except Taken:
                return No.TERMINAL
            try:
                await self._store.note("survey_begun", {"by": person}, now, entrance=name)
            except StoreFailed:
                await asyncio.to_thread(notes.survey_file(self._folder, name).unlink, missing_ok=True)
                raise
            self._unsaved.pop(name, None)
            await self._show(name, Surveyed(begun=begun))
        self._wakes[name].set()
        return None

    async def end(self, name: str, *, by: str, person: str) -> No | None:
        """End it; it stays ended. None, or why there was nothing to end.

        Raises:
            StoreFailed: it has ended, and the log does not know who ended it.
        """
        if self._views[name].elsewhere:
            return No.TERMINAL
        if not await self._over(name, Why.ASKED, by=by):
            return No.NONE_RUNS
        await self._store.note("survey_ended", {"by": person}, self._clock.now(), entrance=name)
        return None

    async def _over(self, name: str, why: Why, *, by: str | None = None) -> bool:
        """End it: at once for this process, and on the disk as soon as that takes it."""
        async with self._writing[name]:
            surveyed = self._views[name].surveyed
            if surveyed is None or not self._views[name].ours:
                return False
            ended = self._unsaved[name] = Ended(ended=self._clock.now().utc, why=why, by=by)
            await self._show(name, replace(surveyed, ended=ended))
            await self._save(name)
        log.info("survey_ended", entrance=name, why=why.value)
        self._wakes[name].set()
        return True

    async def _save(self, name: str) -> None:
        ended = self._unsaved.get(name)
        if ended is None:
            return
        try:
            await asyncio.to_thread(notes.keep_survey, self._folder, name, ended)
        except OSError as failure:
            log.error("survey_not_written", entrance=name, why=str(failure))
            self._tell(name, Trouble.DISK)
            return
        del self._unsaved[name]
        self._tell(name, None)

    # ---- what is shown ----------------------------------------------------------------------------------------------

    def _seen(self, name: str, surveyed: Surveyed | None) -> View:
        """Count and draw. It takes milliseconds: a day's survey has 1440 looks."""
        if surveyed is None:
            return View()
        begun, looks = surveyed.begun, surveyed.looks
        left = (begun.looks - len(looks)) * begun.every
        return View(
            surveyed=surveyed,
            counted=summary(begun, looks),
            svg=drawn(begun, looks, title=inert(self._home.entrances[name].name)),
            until=self._clock.now().utc + timedelta(seconds=left) if surveyed.goes_on else None,
        )

    async def _show(self, name: str, surveyed: Surveyed | None, *, elsewhere: bool = False) -> None:
        trouble = self._views[name].trouble
        seen = await asyncio.to_thread(self._seen, name, surveyed)
        self._views[name] = replace(seen, elsewhere=elsewhere, trouble=trouble if seen.ours else None)
        self.changed()

    def _tell(self, name: str, trouble: Trouble | None) -> None:
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
                group.create_task(self._mind(name), name=f"survey {name}")

    async def _mind(self, name: str) -> None:
        while True:
            self._wakes[name].clear()
            async with self._writing[name]:
                await self._save(name)
            if self._views[name].ours:
                await self._here(name)
            else:
                await self._look_elsewhere(name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ELSEWHERE):
                    await self._wakes[name].wait()

    async def _here(self, name: str) -> None:
        """Have the survey for this process, and go on with what stands in its file."""
        try:
            with self._claimed(name):
                async with self._writing[name]:
                    await self._read(name)
                await self._go_on(name)
        except Taken:
            await self._look_elsewhere(name)
        except OSError as failure:
            log.error("survey_not_run", entrance=name, why=str(failure))
            self._tell(name, Trouble.DISK)

    @contextlib.contextmanager
    def _claimed(self, name: str) -> Iterator[None]:
        """Have it for this process; one that was ended a moment ago may not have been let go yet."""
        if name in self._held:
            yield
            return
        with claimed(self._folder, name, Holder.GATEWAY):
            self._held.add(name)
            try:
                yield
            finally:
                self._held.discard(name)

    async def _look_elsewhere(self, name: str) -> None:
        """See whether a terminal surveys, and what it has seen."""
        stamp = _stamp(notes.survey_file(self._folder, name))
        elsewhere = holder(self._folder, name) is Holder.TERMINAL
        if name not in self._unsaved and (stamp, elsewhere) != (self._stamps.get(name), self._views[name].elsewhere):
            async with self._writing[name]:
                await self._read(name, elsewhere=elsewhere)
            self._stamps[name] = stamp

    async def _read(self, name: str, *, elsewhere: bool = False) -> None:
        surveyed = await asyncio.to_thread(notes.survey_of, self._folder, name)
        ended = self._unsaved.get(name)
        if surveyed is not None and ended is not None:
            surveyed = replace(surveyed, ended=ended)
        await self._show(name, surveyed, elsewhere=elsewhere)

    async def _go_on(self, name: str) -> None:
        while self._views[name].ours:
            why = self._unfit(name)
            if why is not None:
                await self._over(name, why)
                return
            trouble = self._in_the_way(name)
            if trouble is not None:
                self._tell(name, trouble)
                await self._moment(name, MOMENT)
                continue
            async with self._eyes.watch(self._cameras(name)) as watch:
                await self._stretch(name, watch)

    async def _stretch(self, name: str, watch: Watch) -> None:
        """Look again and again, until it is over or the house needs its devices."""
        loop = asyncio.get_running_loop()
        self._tell(name, None)
        async with self._writing[name]:
            await self._show(name, self._views[name].surveyed)  # it ends so much later now
        due = loop.time() + (self._pace.ahead if watch.cameras else 0.0) + self._begun(name).every
        while self._views[name].ours and self._in_the_way(name) is None:
            left = due - loop.time()
            if left > 0:
                await self._moment(name, min(left, MOMENT))
                continue
            if self._unfit(name) is not None:
                return
            looked = await self._look(name, watch)
            every = self._begun(name).every
            due = loop.time() + (every if looked else min(every, ELSEWHERE))

    async def _look(self, name: str, watch: Watch) -> bool:
        """Look once, and keep what was seen; False: it could not be known."""
        timing, loop = self._home.entrances[name].timing, asyncio.get_running_loop()
        dark = watch.dark(loop.time(), timing)
        if dark is None:
            self._tell(name, None if self._eyes.open else Trouble.VIDEO)
            return False
        _, others = split(self._home, self._begun(name).devices)
        trouble: Trouble | None = None
        try:
            async with self._asking:
                quiet = await silent(self._home, others)
        except ConfigError:
            self._tell(name, Trouble.PASSWORD)
            return False
        except NoKey:
            self._tell(name, Trouble.KEY)
            return False
        except ConnectionError:
            if self._connected():  # then it is this account that the broker refuses or that another one uses
                self._tell(name, Trouble.ACCOUNT)
                return False
            quiet, trouble = others, Trouble.BROKER  # no delivery would have come in
        if self._in_the_way(name) is not None:
            return False  # who was busy with a visit may have been slow for that
        return await self._keep(name, Look(at=self._clock.now().utc, refused=(*quiet, *dark)), trouble)

    async def _keep(self, name: str, look: Look, trouble: Trouble | None) -> bool:
        async with self._writing[name]:
            surveyed = self._views[name].surveyed
            if surveyed is None or not surveyed.goes_on:
                return False
            try:
                await asyncio.to_thread(notes.keep_survey, self._folder, name, look)
            except OSError as failure:
                log.error("survey_not_written", entrance=name, why=str(failure))
                self._tell(name, Trouble.DISK)
                return False
            self._tell(name, trouble)
            await self._show(name, replace(surveyed, looks=(*surveyed.looks, look)))
        return True

    async def _moment(self, name: str, seconds: float) -> None:
        """Wait, or until something was asked."""
        self._wakes[name].clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wakes[name].wait()

    # ---- what stands in the way -------------------------------------------------------------------------------------

    def _begun(self, name: str) -> Begun:
        surveyed = self._views[name].surveyed
        assert surveyed is not None  # noqa: S101 - it goes on
        return surveyed.begun

    def _cameras(self, name: str) -> tuple[str, ...]:
        return split(self._home, self._begun(name).devices)[0]

    def _connected(self) -> bool:
        return any(running.state.broker_session is not None for running in self._entrances.values())

    def _unfit(self, name: str) -> Why | None:
        """Why it must not go on at all."""
        begun, now = self._begun(name), self._clock.now()
        if not self._allowed(begun.person):
            return Why.NOT_ALLOWED
        if begun.devices != devices_of(self._home, name):
            return Why.DEVICES_CHANGED
        if now.trusted and now.utc - begun.begun > OLDEST:
            return Why.TOO_OLD
        return None

    def _in_the_way(self, name: str) -> Trouble | None:
        """Why it must not look now: a camera may take one viewer only, and a lock that works is not to be asked."""
        if not self._clock.now().trusted:
            return Trouble.CLOCK  # nobody would know of which hour a look is
        ours = set(self._begun(name).devices)
        for other, running in self._entrances.items():
            state = running.state
            if (state.visit or state.incident or state.window_near) and ours & set(devices_of(self._home, other)):
                return Trouble.NEEDED
        return Trouble.NEEDED if ours & set(self._proofs()) else None


def _stamp(file: Path) -> int:
    """When a file was last written; 0: there is none."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0

"""The life of one process: gateway after gateway, each begun anew after a wipe, a hand-over or a new house file.

A house file is applied by ending the gateway in good order and beginning the next one, as at any restart: the video
process is adopted, the store says the rest. So nothing has to be able to change while it runs, and a reload does what a
restart does. It waits until no entrance is in the middle of anything.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import structlog

from gateway.app import App
from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.config.loader import load
from gateway.runtime.maintenance import reload

LOOK = 0.1  # seconds between two looks at whether the entrances are free

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def _alone(_app: App) -> AsyncIterator[None]:
    yield


class Lifetime:
    """Runs gateways of the house in `file`, which SIGHUP has read anew. `beside` runs along with each of them."""

    def __init__(
        self,
        home: Home,
        file: Path,
        *,
        make: Callable[[Home], App] = App,
        beside: Callable[[App], AbstractAsyncContextManager[object]] = _alone,
    ) -> None:
        self._home, self._file = home, file
        self._make, self._beside = make, beside
        self._app: App | None = None
        self._asked, self._ended = asyncio.Event(), asyncio.Event()
        self._signals = {
            signal.SIGHUP: self._asked.set,
            signal.SIGTERM: self._ended.set,
            signal.SIGINT: self._ended.set,
        }
        self._next: tuple[str, Home] | None = None  # a reload's id and its house, until it is applied

    async def run(self) -> None:
        """Run until the process is told to end.

        Raises:
            Occupied, ConfigError, DatabaseRefused, KeyUnusable, OSError: as `App.run`, of the first gateway.
        """
        loop = asyncio.get_running_loop()
        for number, told in self._signals.items():
            loop.add_signal_handler(number, told)
        reload.forget(self._home.storage.folder)
        reloading = asyncio.create_task(self._reload(), name="reload")
        try:
            while not self._ended.is_set() and await self._one():
                pass
        finally:
            reloading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reloading
            for number in self._signals:
                loop.remove_signal_handler(number)

    async def _one(self) -> bool:
        """Run one gateway; whether another is to begin. A new house in which none begins gives way to the old one."""
        waiting, self._next = self._next, None
        if waiting is None:
            return await self._gateway(self._home)
        ident, new = waiting
        begun = asyncio.create_task(self._begun(ident, new), name="reload: applied")
        try:
            return await self._gateway(new)
        except (ConfigError, OSError) as error:  # at the start: later ones come as a group, and are bugs
            if self._home is new:
                raise
            self._refused(ident, tuple(str(error).splitlines()))
            return True
        finally:
            begun.cancel()

    async def _gateway(self, home: Home) -> bool:
        self._app = app = self._make(home)
        app.hears_signals = False  # between two gateways somebody has to hear them too
        app.file, app.reread = self._file, self._asked.set
        ending = asyncio.create_task(self._end(app), name="end")
        try:
            async with self._beside(app):
                return await app.run()
        finally:
            self._app = None
            ending.cancel()

    async def _end(self, app: App) -> None:
        await self._ended.wait()
        while not app.begun:  # noqa: ASYNC110 - the gateway tells nobody
            await asyncio.sleep(LOOK)
        app.end()

    async def _begun(self, ident: str, new: Home) -> None:
        """The new house is applied once its gateway runs."""
        while self._app is None or not self._app.begun:  # noqa: ASYNC110 - the gateway tells nobody
            await asyncio.sleep(LOOK)
        self._home = new
        log.info("reload_applied", file=str(self._file))
        self._tell(reload.Report(id=ident, said="applied"))

    # ---- the house file, read anew ----------------------------------------------------------------------------------

    async def _reload(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            ident, self._next = reload.new_id(), None  # what still waited no longer stands in the file
            try:
                new = await asyncio.to_thread(load, self._file)
                problems = await asyncio.to_thread(reload.unfit, self._home, new)
            except ConfigError as error:
                problems = reload.lines(error)
            else:
                if not problems:
                    await self._apply(ident, new)
                    continue
            self._refused(ident, problems)

    async def _apply(self, ident: str, new: Home) -> None:
        """Begin anew with it as soon as every entrance is free; another word to reload ends the waiting."""
        self._next = (ident, new)
        told: tuple[reload.Busy, ...] = ()
        while not self._asked.is_set():
            app = self._app
            busy = () if app is None else reload.busy(app.states())
            if app is not None and app.begun and not busy:
                app.begin_again()
                return
            if busy != told:
                told = busy
                log.info("reload_waits", busy=", ".join(f"{one.entrance}: {one.what}" for one in busy))
                self._tell(reload.Report(id=ident, said="waiting", busy=busy))
            await asyncio.sleep(LOOK)

    def _refused(self, ident: str, problems: tuple[str, ...]) -> None:
        log.error("reload_refused", file=str(self._file), why="\n".join(problems), todo="the house goes on as it was")
        self._tell(reload.Report(id=ident, said="refused", problems=problems))

    def _tell(self, report: reload.Report) -> None:
        try:
            reload.tell(self._home.storage.folder, report)
        except OSError as failure:  # the log has it
            log.error("reload_not_told", why=str(failure))

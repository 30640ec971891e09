"""Runs one gateway after another in one process: after a wipe, a hand-over or a new house file.

To apply a house file, the supervisor stops the gateway in good order and starts the next one, as at any restart: it
adopts the video process and reads the rest from the store. So no part has to support changes while it runs, and a
reload does what a restart does. The supervisor waits until no entrance is busy.
"""

import asyncio
import secrets
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path

import structlog

from gateway.app import App, Supervision
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.runtime.maintenance import reload
from gateway.system.config_section import ConfigError

POLL_INTERVAL_S = 0.1  # seconds between two checks whether the entrances are free

log = structlog.get_logger(__name__)


class Supervisor:
    """Runs gateways of the house in `file`; SIGHUP reloads it. `companion` runs along with each of them."""

    def __init__(
        self,
        home: Home,
        file: Path,
        *,
        make_app: Callable[[Home, Supervision], App] = App,
        companion: Callable[[App], AbstractAsyncContextManager[object]] = nullcontext,
    ) -> None:
        self._home, self._file = home, file
        self._make_app, self._companion = make_app, companion
        self._app: App | None = None
        self._reload_requested, self._stop_requested = asyncio.Event(), asyncio.Event()
        self._signals = {
            signal.SIGHUP: self._reload_requested.set,
            signal.SIGTERM: self._stop_requested.set,
            signal.SIGINT: self._stop_requested.set,
        }
        self._supervision = Supervision(file=file, reread=self._reload_requested.set)
        self._pending_reload: tuple[str, Home] | None = None  # a reload's id and its house, until it is applied

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            FolderInUse, ConfigError, DatabaseRefused, KeyUnusable, OSError: as `App.run`, of the first gateway.
        """
        loop = asyncio.get_running_loop()
        for number, handler in self._signals.items():
            loop.add_signal_handler(number, handler)
        reload.delete_report(self._home.storage.folder)
        reloading = asyncio.create_task(self._reload(), name="reload")
        try:
            while not self._stop_requested.is_set() and await self._run_once():
                pass
        finally:
            reloading.cancel()
            with suppress(asyncio.CancelledError):
                await reloading
            for number in self._signals:
                loop.remove_signal_handler(number)

    async def _run_once(self) -> bool:
        """Run one gateway; return whether another must start. A new house that cannot start gives way to the old."""
        waiting, self._pending_reload = self._pending_reload, None
        if waiting is None:
            return await self._run_gateway(self._home)
        ident, new = waiting
        try:
            return await self._run_gateway(new, ident)
        except (ConfigError, OSError) as error:  # at the start: later ones come as a group, and are bugs
            if self._home is new:
                raise
            self._report_refused(ident, tuple(str(error).splitlines()))
            return True

    async def _run_gateway(self, home: Home, reload_id: str | None = None) -> bool:
        self._app = app = self._make_app(home, self._supervision)
        tasks = [asyncio.create_task(self._stop(app), name="end")]
        if reload_id is not None:
            tasks.append(asyncio.create_task(self._report_applied(app, reload_id), name="reload: applied"))
        try:
            async with self._companion(app):
                return await app.run()
        finally:
            self._app = None
            for task in tasks:
                task.cancel()

    async def _stop(self, app: App) -> None:
        await self._stop_requested.wait()
        await app.started.wait()
        app.stop()

    async def _report_applied(self, app: App, ident: str) -> None:
        await app.started.wait()
        self._home = app.home
        log.info("reload_applied", file=str(self._file))
        self._write_report(reload.ReloadReport(id=ident, said="applied"))

    async def _reload(self) -> None:
        while True:
            await self._reload_requested.wait()
            self._reload_requested.clear()
            ident, self._pending_reload = secrets.token_hex(8), None  # a waiting house is no longer the one in the file
            try:
                new = await asyncio.to_thread(load_home_file, self._file)
                problems = await asyncio.to_thread(reload.replacement_errors, self._home, new)
            except ConfigError as error:
                problems = tuple(str(error).splitlines())
            else:
                if not problems:
                    await self._apply(ident, new)
                    continue
            self._report_refused(ident, problems)

    async def _apply(self, ident: str, new: Home) -> None:
        """Start again with the new house as soon as every entrance is free; another reload request ends the waiting."""
        self._pending_reload = (ident, new)
        reported: tuple[reload.BusyEntrance, ...] = ()
        while not self._reload_requested.is_set():
            app = self._app
            busy = () if app is None else reload.busy_entrances(app.states())
            if app is not None and app.started.is_set() and not busy:
                app.restart()
                return
            if busy != reported:
                reported = busy
                log.info("reload_waits", busy=", ".join(f"{entrance.entrance}: {entrance.what}" for entrance in busy))
                self._write_report(reload.ReloadReport(id=ident, said="waiting", busy=busy))
            await asyncio.sleep(POLL_INTERVAL_S)

    def _report_refused(self, ident: str, problems: tuple[str, ...]) -> None:
        log.error("reload_refused", file=str(self._file), why="\n".join(problems), todo="the house goes on as it was")
        self._write_report(reload.ReloadReport(id=ident, said="refused", problems=problems))

    def _write_report(self, report: reload.ReloadReport) -> None:
        try:
            reload.write_report(self._home.storage.folder, report)
        except OSError as failure:  # the log contains it
            log.error("reload_not_told", why=str(failure))

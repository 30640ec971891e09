"""Runs the gateway for `perron run`, and logs which entrances are ready."""

import asyncio
import contextlib
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import structlog
import typer

from gateway.app import App
from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, relative_path
from gateway.cli.log_format import configure_log
from gateway.cli.options import HomeFile, cli, print_line
from gateway.config.home import Home
from gateway.domain.now import Now
from gateway.domain.visit.predicates import is_paused
from gateway.domain.visit.readiness import missing_conditions
from gateway.domain.visit.state import Entrance
from gateway.evidence.rollback import STORE_FILE
from gateway.mqtt.mosquitto.provisioning import BrokerMissing, is_listening, keep_broker
from gateway.mqtt.tls import check_files
from gateway.protocol.ed25519 import KeyUnusable
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.runtime.maintenance.startup_checks import StartError
from gateway.runtime.notifications.texts import with_broker_reason
from gateway.storage.models import DatabaseRefused, StoreFailed
from gateway.supervisor import Supervisor
from gateway.system.addresses import is_loopback_host, taken_port
from gateway.system.beside import run_beside
from gateway.system.config_section import ConfigError

CHECK_INTERVAL_S = 0.1  # at least, between two checks of the entrances: a visit changes much in a second
MAX_CHECK_INTERVAL_S = 5.0  # a pause ends without a change, and the broker refuses without one
STABLE_S = 2.0  # seconds without a change before a change is logged
STARTUP_S = 6.0  # at the start, in which lock, door and broker can answer first

log = structlog.get_logger(__name__)


@cli.example("perron run", "perron run --broker", "perron run --verbose", "perron run --home /etc/perron/home.yaml")
def run(
    *,
    home: HomeFile = DEFAULT_HOME,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every decision whole, as JSON lines: as where this is no terminal.")
    ] = False,
    broker: Annotated[
        bool,
        typer.Option("--broker", help="Where no broker listens, bring one with the house's files; it ends with this."),
    ] = False,
) -> None:
    """Run the gateway until it is told to end (SIGINT, SIGTERM).

    Its video process stays up to 60 s longer, with a film open up to 30 minutes: a gateway that comes back in that time
    takes it over, and the film has no hole.
    """
    serve(load_home(home), home, verbose=verbose, broker=broker)


def serve(
    house: Home,
    file: Path,
    *,
    verbose: bool = False,
    broker: bool = False,
    beside: Coroutine[Any, Any, None] | None = None,
) -> None:
    """Run the gateway of `house` until SIGINT or SIGTERM, and say how it begins and ends.

    `broker`: if none listens at its address, run one with the files beside `broker.password_file`. `beside` runs along.
    """
    brief = configure_log(ZoneInfo(house.timezone), verbose=verbose)
    if brief:
        typer.echo(f"Perron, {house.name}: broker {house.broker.host}:{house.broker.port}, state and films in"
                   f" {relative_path(house.storage.folder)}. Ctrl-C ends it.")  # fmt: skip
    folder = house.storage.folder
    newer = "Install the newer perron again, or put a backup back: see `perron restore --help`."
    disk = "Look at the disk and at the rights of its folder; `perron doctor` says more."
    with (
        # At the start: later errors come as a group, and are bugs.
        failure_on((OSError, KeyUnusable), f"{folder} cannot be used: {{why}}.", "Correct storage.folder."),
        failure_on(StoreFailed, f"The store in {folder} cannot be read or written now: {{why}}.", disk),
        failure_on(DatabaseRefused, f"{folder} cannot be used: {{why}}.", newer, ExitCode.STORE_UNUSABLE),
        failure_on(ConfigError, "{why}", "Then try again; `perron doctor` tries the broker and each phone."),
        failure_on(FolderInUse, "{why}", "End that one first, or name another storage.folder.", ExitCode.NO_ANSWER),
        failure_on(StartError, code=ExitCode.STORE_UNUSABLE),
        failure_on(BrokerMissing, "No broker can be brought: {why}", "Then try again.", ExitCode.NO_ANSWER),
    ):
        check_files(house.broker)
        _refuse_taken_port(house)
        asyncio.run(_run_with_broker(house, file, broker=broker, brief=brief, beside=beside))
    if brief:
        typer.echo("Ended. The video process ends by itself within 60 s: a gateway that comes back takes it over.")


async def _run_with_broker(
    home: Home, file: Path, *, broker: bool, brief: bool, beside: Coroutine[Any, Any, None] | None
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        passwords, host, port = home.broker.password_file, home.broker.host, home.broker.port
        if passwords is not None and not await is_listening(host, port):
            if broker:
                await stack.enter_async_context(keep_broker(passwords.parent, home))
            elif brief and is_loopback_host(host):
                print_line(f"No broker listens at {host}:{port}; the gateway waits. `perron run --broker` brings one.")
        if beside is not None:
            await stack.enter_async_context(run_beside(beside))
        await run_gateway(home, file)


def _refuse_taken_port(house: Home) -> None:
    """Refuse to start if another program has a port of the pages, and somebody is there to end it.

    So it is at a terminal and at the first start of a box. A box in service starts without its pages: its doors come
    first, and the pages open as soon as the port is free.
    """
    pages, folder = house.pages, house.storage.folder
    if pages is None or not (sys.stdout.isatty() or not (folder / STORE_FILE).exists()):
        return
    try:
        with lock_folder(folder):
            pass
    except FolderInUse:  # said with more precision when the gateway starts
        return
    except OSError:
        pass
    port = taken_port(pages.host, (pages.port, pages.plain_port))
    if port is not None:
        from gateway.system.port_holder import port_holder

        what = f"At {pages.host}:{port}, where this house's pages belong, {port_holder(port)} listens already."
        raise Failure(what, "End it, or name another port under `pages` in the house file.", ExitCode.NO_ANSWER)


async def run_gateway(home: Home, file: Path) -> None:
    """Run the gateway of this home until SIGINT or SIGTERM, and log which entrances are ready.

    After a wipe, a hand-over or a reload the gateway starts again in this process. `file` is the house file; SIGHUP
    reloads it.
    """
    await Supervisor(home, file, make_app=App, companion=lambda app: run_beside(_log_readiness(app))).run()


async def _log_readiness(app: App) -> None:
    """Log which entrances are ready and what the others lack: at the start and after each change.

    A lack is logged once it lasts for some seconds. The open door of a running visit is not a lack.
    """
    logged: Mapping[str, tuple[str, ...]] | None = None
    lacks: dict[str, tuple[str, ...]] = {}
    loop = asyncio.get_running_loop()
    changed_mono = loop.time()
    while True:
        count = app.changes.count
        is_refused = app.is_refused_by_broker()
        now = lacks | {
            state.id: with_broker_reason(_missing_parts(state, at), is_refused=is_refused)
            for state, at in app.states()
            if state.visit is None
        }
        if now != lacks:
            lacks, changed_mono = now, loop.time()
        remaining = changed_mono + (STARTUP_S if logged is None else STABLE_S) - loop.time()
        if lacks and lacks != logged and (remaining <= 0 or not any(lacks.values())):
            logged = lacks
            log.info("readiness", ready=[name for name, lack in lacks.items() if not lack],
                     lacking={name: list(lack) for name, lack in lacks.items() if lack})  # fmt: skip
        await asyncio.sleep(CHECK_INTERVAL_S)
        with contextlib.suppress(TimeoutError):
            is_pending = lacks and lacks != logged
            async with asyncio.timeout(max(0.0, remaining) if is_pending else MAX_CHECK_INTERVAL_S):
                await app.changes.wait_after(count)


def _missing_parts(state: Entrance, now: Now) -> tuple[str, ...]:
    others = {
        "stopped": state.stopped,
        "paused": is_paused(state, now),
        "incident": state.incident is not None,
        "somebody_home": state.somebody_home,
    }
    if state.broker_session is None:
        return ("broker",)  # without it no device is observed
    return (*missing_conditions(state, None, now), *(word for word, holds in others.items() if holds))

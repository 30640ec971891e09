"""Runs the gateway for `perron run`, logs which entrances are ready, and formats the log as short lines."""

import asyncio
import contextlib
import gc
import sys
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import structlog
import typer
from structlog.typing import EventDict, WrappedLogger

from gateway.app import App
from gateway.cli.failure import ExitCode, error_text, failure_on, load_home
from gateway.cli.house_log import run_beside
from gateway.cli.lines import DEFAULT_HOME, expand_commands, relative_path
from gateway.cli.options import HomeFile, cli
from gateway.config.home import Home
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.now import Now
from gateway.domain.visit.predicates import is_paused
from gateway.domain.visit.readiness import missing_conditions
from gateway.domain.visit.state import Entrance
from gateway.mqtt.mosquitto.provisioning import BrokerMissing, is_listening, run_broker
from gateway.mqtt.tls import check_files
from gateway.protocol.ed25519 import KeyUnusable
from gateway.protocol.narrative import Happening, HappeningKind, LoggedCode, NarrativeReader
from gateway.runtime.maintenance.instance_lock import FolderInUse
from gateway.runtime.maintenance.startup_checks import StartError
from gateway.runtime.notifications.texts import REFUSAL_TEXTS, readiness_text
from gateway.storage import StoreFailed
from gateway.storage.models import DatabaseRefused
from gateway.supervisor import Supervisor
from gateway.system.config_section import ConfigError
from gateway.system.i18n import SOURCE

CHECK_INTERVAL_S = 0.5  # between two checks of the entrances
STABLE_CHECKS = 4  # checks without a change before a change is logged
ISOLATE_CHARACTERS = "\u2068\u2069"  # `text.isolate_direction` puts them around a right-to-left name
STARTUP_CHECKS = 12  # checks at the start, in which lock, door and broker can answer first

log = structlog.get_logger(__name__)


@cli.example("perron run", "perron run --broker", "perron run --verbose", "perron run --home /etc/perron/home.yaml")
def run(
    *,
    home: HomeFile = DEFAULT_HOME,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every decision whole, as where this is no terminal.")
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
    brief = sys.stdout.isatty() and not verbose
    if brief:
        _use_short_log(house)
        typer.echo(f"Perron, {house.name}: broker {house.broker.host}:{house.broker.port}, state and films in"
                   f" {relative_path(house.storage.folder)}. Ctrl-C ends it.")  # fmt: skip
    else:
        processors = (expand_event_commands, escape_unprintable, *structlog.get_config()["processors"])
        structlog.configure(processors=processors)
    folder = house.storage.folder
    newer = "Install the newer perron again, or put a backup back: `perron restore FILE`."
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
        # What has been imported stays for good; to look through it for garbage would hold the doors' loop for 0.1 s.
        gc.collect()
        gc.freeze()
        asyncio.run(_run_with_broker(house, file, broker=broker, beside=beside))
    if brief:
        typer.echo("Ended. The video process ends by itself within 60 s: a gateway that comes back takes it over.")


async def _run_with_broker(home: Home, file: Path, *, broker: bool, beside: Coroutine[Any, Any, None] | None) -> None:
    async with contextlib.AsyncExitStack() as stack:
        passwords = home.broker.password_file
        if broker and passwords is not None and not await is_listening(home.broker.host, home.broker.port):
            await stack.enter_async_context(run_broker(passwords.parent, home))
        if beside is not None:
            await stack.enter_async_context(run_beside(beside))
        await run_gateway(home, file)


async def run_gateway(home: Home, file: Path) -> None:
    """Run the gateway of this home until SIGINT or SIGTERM, and log which entrances are ready.

    After a wipe, a hand-over or a reload the gateway starts again in this process. `file` is the house file; SIGHUP
    reloads it.
    """
    await Supervisor(home, file, make_app=App, companion=lambda app: run_beside(_log_readiness(app))).run()


async def _log_readiness(app: App) -> None:
    """Log which entrances are ready and what the others lack: at the start and after each change.

    A lack is logged once it lasts for some checks. The open door of a running visit is not a lack.
    """
    logged: Mapping[str, tuple[str, ...]] | None = None
    lacks: dict[str, tuple[str, ...]] = {}
    same_checks = 0
    while True:
        now = lacks | {state.id: _missing_parts(state, at) for state, at in app.states() if state.visit is None}
        same_checks = same_checks + 1 if now == lacks else 0
        lacks = now
        needed = STARTUP_CHECKS if logged is None else STABLE_CHECKS
        if lacks and lacks != logged and (same_checks >= needed or not any(lacks.values())):
            logged = lacks
            log.info("readiness", ready=[name for name, lack in lacks.items() if not lack],
                     lacking={name: list(lack) for name, lack in lacks.items() if lack})  # fmt: skip
        await asyncio.sleep(CHECK_INTERVAL_S)


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


_BLOCKED_TEXTS = {
    "stopped": "the owner has stopped it: `perron stop --lift`",
    "paused": "deliveries are paused: `perron pause --list`",
    "incident": "something happened at the door without an order: its owner must look",
    "somebody_home": "the household says that somebody is home",
}
MAX_DELIVERED_KNOWN = 50  # deliveries, the newest
_LEVEL_PREFIXES = {"warning": "warning: ", "error": "ERROR: ", "critical": "ERROR: "}


class ShortLineRenderer:
    """Formats log events as short lines for a person, as the last structlog processor; most decisions have no line."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._reader = NarrativeReader()
        self._delivered: deque[str] = deque(maxlen=MAX_DELIVERED_KNOWN)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """Return the text of one log event; `structlog.DropEvent`: it says nothing new to a person."""
        lines = list(self._lines(event))
        if not lines:
            raise structlog.DropEvent
        at = datetime.fromisoformat(event["timestamp"]).astimezone(self._zone)
        return "\n".join(f"{at:%H:%M:%S}  {line}" for line in lines)

    def _is_outdated(self, happening: Happening) -> bool:
        """Return whether it reports that an entrance is ready for a delivery that has been delivered."""
        if happening.kind is HappeningKind.PARCELS_REPORTED and happening.value == Outcome.DELIVERED:
            self._delivered.append(happening.subject)
        return happening.kind is HappeningKind.READINESS_CHECKED and happening.subject in self._delivered

    def _lines(self, event: EventDict) -> Iterator[str]:
        match event["event"]:
            case "decision":
                for happening in self._reader.happenings(event["row"]):
                    line = _happening_text(happening)
                    if line is not None and not self._is_outdated(happening):
                        yield f"{happening.entrance}: {line}"
            case "readiness":
                yield _readiness_line(event["ready"], event["lacking"])
            case "pages":
                yield f"the pages: {'  '.join(event['at'])}"
                if event["trust"] is not None:
                    yield f"before a phone opens them, it learns to trust this box: {event['trust']}"
            case "unclaimed":
                yield "nobody has claimed this box yet: `perron claim-code` shows the code that its pages ask for"
            case "asked_on_a_page":
                result = "" if event["done"] else ": not done"
                yield f"{event['entrance']}: requested on a page: {_split_words(event['do'])}{result}"
            case "told_owner":
                yield f"{'ALARM, ' if event['urgent'] else ''}the owner is told: {event['text']}"
            case kind:
                facts = ", ".join(
                    f"{key} {error_text(Exception(value))}" for key, value in event.items()
                                  if key not in {"event", "level", "timestamp"})  # fmt: skip
                yield f"{_LEVEL_PREFIXES.get(event['level'], '')}{_split_words(kind)}{f' ({facts})' if facts else ''}"


def escape_unprintable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape unprintable characters, so that a received text cannot control the terminal."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def expand_event_commands(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Expand the commands in the field `todo` for the house file in use."""
    todo = event.get("todo")
    return {**event, "todo": expand_commands(todo)} if isinstance(todo, str) else event


def _escaped(text: str) -> str:
    return "".join(
        c if c.isprintable() or c in ISOLATE_CHARACTERS else c.encode("unicode_escape").decode() for c in text
    )


_PLAIN_TEXTS: Mapping[HappeningKind, str] = {  # `value` in words, `id` as it is in the log
    HappeningKind.DEVICE_OFFLINE: "the {id} is lost",
    HappeningKind.PROOF_SEALED: "film and log of visit {id} are sealed",
    HappeningKind.PARCELS_REPORTED: "{subject}: {value}",
    HappeningKind.LOCK_FAILED: "the lock says that it did not obey: {value}",
    HappeningKind.BROKER_CONNECTED: "connected to the broker",
    HappeningKind.BROKER_LOST: "the broker is lost: nothing is known of lock and door",
    HappeningKind.SAFE_MODE_STARTED: "SAFE MODE: it locks, films and warns, and opens nothing until its owner says so",
    HappeningKind.DISK_FAILED: "the disk is full or failing",
    HappeningKind.WINDOW_NEAR: "a delivery is near: its cameras run",
    HappeningKind.WINDOW_OVER: "no further delivery is near",
    HappeningKind.HOUSEHOLD_ANSWERED: "somebody inside answered the bell",
    HappeningKind.OWNER_ALLOWED: "the owner says: yes",
    HappeningKind.OWNER_REFUSED: "the owner says: no",
    HappeningKind.STOPPED: "STOPPED by the owner",
    HappeningKind.STOP_LIFTED: "the owner lifts the stop",
    HappeningKind.OWNER_ACKNOWLEDGED: "the owner has looked after the door",
    HappeningKind.LOCK_REQUESTED: "somebody asks to lock now",
    HappeningKind.UNLOCK_NOT_SENT: "the unlock did not leave: {value}",
    HappeningKind.UNLOCK_SENT: "the unlock is sent",
    HappeningKind.DOOR_RESULT_REPORTED: "the house: {value}",
}


def _happening_text(happening: Happening) -> str | None:
    """Return the line of a happening; None: it has none. Alarms and what is lacking have lines of their own."""
    value = _split_words(happening.value)
    match happening.kind:
        case HappeningKind.BOLT_REPORTED | HappeningKind.DOOR_REPORTED:
            what = "bolt" if happening.kind is HappeningKind.BOLT_REPORTED else "door"
            of = f" of {happening.subject}" if happening.subject else ""
            return None if happening.value == happening.previous else f"the {what}{of} is {value}"
        case HappeningKind.SENSOR_REPORTED:
            return None if happening.value == happening.previous else f"{happening.subject}: {value}"
        case HappeningKind.PAUSES_CHANGED:
            return f"the household's pauses: {'none' if happening.value == '0' else happening.value}"
        case HappeningKind.SCAN_ANSWERED:
            why = f" ({REFUSAL_TEXTS[Refusal(happening.detail)].to(SOURCE)})" if happening.detail else ""
            return f"{happening.subject}{_code_text(happening.code)}: {happening.value}{why}"
        case HappeningKind.LOCK_SENT:
            return f"the gateway commands the lock to lock{_try_text(happening.value)}"
        case HappeningKind.GARAGE_CLOSE_SENT:
            return f"the gateway commands the garage door to close{_try_text(happening.value)}"
        case HappeningKind.READINESS_CHECKED:
            return None if happening.lacking else f"ready for {happening.subject}"
        case HappeningKind.NOTE_LOGGED:
            return f"the lock-up: {value.removeprefix('lockup ')}" if value.startswith("lockup ") else None
        case HappeningKind.PHASE_ENTERED:
            return f"{_split_words(happening.previous or '')} -> {value}"
        case kind:
            text = _PLAIN_TEXTS.get(kind)
            return text and text.format(value=value, id=happening.value, subject=happening.subject)


def _code_text(code: LoggedCode | None) -> str:
    if code is None:
        return ""
    return " the courier's code" if code.is_courier else f" …{code.end}"


def _try_text(number: str) -> str:
    return "" if number == "1" else f", try {number}"


def _readiness_line(ready: list[str], lack: Mapping[str, list[str]]) -> str:
    parts = [f"Ready: {', '.join(ready)}."] if ready else []
    parts += [
        f"NOT ready: {name} ({'; '.join(_BLOCKED_TEXTS.get(word) or readiness_text(word, 'en') for word in words)})."
        for name, words in lack.items()
    ]
    return " ".join([*parts, *(["`perron doctor` looks for the cause."] if lack else [])])


def _split_words(kind: str) -> str:
    return kind.replace("_", " ")


def _use_short_log(home: Home) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            escape_unprintable,
            ShortLineRenderer(ZoneInfo(home.timezone)),
            lambda _logger, _method, line: expand_commands(str(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),  # info
        logger_factory=structlog.PrintLoggerFactory(),
    )

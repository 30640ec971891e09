"""What `perron run` says: at a terminal a short line for what happens, and everywhere which entrances are ready."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from structlog.typing import EventDict, WrappedLogger

from gateway.app import App
from gateway.cli.failure import error_text
from gateway.cli.lines import expand_commands
from gateway.cli.watch import run_beside
from gateway.config.home import Home
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.readiness import lacking
from gateway.domain.visit.rules import paused
from gateway.domain.visit.step import Step
from gateway.runtime.notifications.texts import REFUSAL_TEXTS, readiness_text
from gateway.supervisor import Supervisor
from gateway.system.i18n import SOURCE

CHECK_INTERVAL_S = 0.5  # seconds between two looks at the entrances
STABLE_CHECKS = 4  # looks: what stands so for so long is told
ISOLATE_CHARACTERS = "\u2068\u2069"  # what `text.isolated` puts around a name that is written from right to left
STARTUP_CHECKS = 12  # looks that lock, door and broker have to answer at the start before anything is called lacking

Row = Mapping[str, Any]

log = structlog.get_logger(__name__)


async def run(home: Home, file: Path) -> None:
    """Run the gateway of this home until it is told to end, and log which entrances are ready.

    A box that is to begin anew (it was wiped, has another owner, or a new house file) does so here, with a supervisor
    or without. `file` is the house file, which SIGHUP has read anew.

    Raises:
        Occupied, ConfigError, DatabaseRefused, KeyUnusable, OSError: as `App.run`.
    """
    await Supervisor(home, file, make=App, beside=lambda app: run_beside(_log_readiness(app))).run()


async def _log_readiness(app: App) -> None:
    """Log which entrances are ready and what the others lack: at the start, and whenever it has changed.

    What is lacking is told once it stands so for a while. A visit's own open door is no fault.
    """
    told: Mapping[str, tuple[str, ...]] | None = None
    seen: dict[str, tuple[str, ...]] = {}
    looks = 0
    while True:
        now = seen | {state.id: _missing_parts(Step(state, at)) for state, at in app.states() if state.visit is None}
        looks = looks + 1 if now == seen else 0
        seen = now
        patience = STARTUP_CHECKS if told is None else STABLE_CHECKS
        if seen and seen != told and (looks >= patience or not any(seen.values())):
            told = seen
            log.info("readiness", ready=[name for name, lack in told.items() if not lack],
                     lacking={name: list(lack) for name, lack in told.items() if lack})  # fmt: skip
        await asyncio.sleep(CHECK_INTERVAL_S)


def _missing_parts(step: Step) -> tuple[str, ...]:
    state = step.state
    others = {
        "stopped": state.stopped,
        "paused": paused(state, step.now),
        "incident": state.incident is not None,
        "somebody_home": state.somebody_home,
    }
    if state.broker_session is None:
        return ("broker",)  # without it nothing else can be good
    return (*lacking(step, None), *(word for word, holds in others.items() if holds))


_BLOCKED_TEXTS = {
    "stopped": "the owner has stopped it: `perron stop --lift`",
    "paused": "deliveries are paused: `perron pause --list`",
    "incident": "something happened at the door without an order: its owner must look",
    "somebody_home": "the household says that somebody is home",
}
_LEVEL_PREFIXES = {"warning": "warning: ", "error": "ERROR: ", "critical": "ERROR: "}


class ShortLineRenderer:
    """The last processor of a log that a person reads: one short line a happening, most decisions none at all."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._last: dict[tuple[str, str], str] = {}

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """Put one line of the log into words.

        Raises:
            structlog.DropEvent: it tells a person nothing new.
        """
        lines = list(self._lines(event))
        if not lines:
            raise structlog.DropEvent
        at = datetime.fromisoformat(event["timestamp"]).astimezone(self._zone)
        return "\n".join(f"{at:%H:%M:%S}  {line}" for line in lines)

    def _lines(self, event: EventDict) -> Iterator[str]:
        match event["event"]:
            case "decision":
                row = event["row"]
                yield from (f"{row['entrance']}: {line}" for line in self._decision_lines(row))
            case "readiness":
                yield _readiness_line(event["ready"], event["lacking"])
            case "pages":
                yield f"the pages: {'  '.join(event['at'])}"
                if event["trust"] is not None:
                    yield f"before a phone opens them, it learns to trust this box: {event['trust']}"
            case "unclaimed":
                yield "nobody has claimed this box yet: `perron claim-code` shows the code that its pages ask for"
            case "told_owner":
                yield f"{'ALARM, ' if event['urgent'] else ''}the owner is told: {event['text']}"
            case kind:
                facts = ", ".join(
                    f"{key} {error_text(Exception(value))}" for key, value in event.items()
                                  if key not in {"event", "level", "timestamp"})  # fmt: skip
                yield f"{_LEVEL_PREFIXES.get(event['level'], '')}{_split_words(kind)}{f' ({facts})' if facts else ''}"

    def _decision_lines(self, row: Row) -> Iterator[str]:
        yield from self._event_lines(row["entrance"], row["event"])
        for command in row["commands"]:
            told = _command_text(command, row["event"])
            if told is not None:
                yield told
        if row["phase"] != row["phase_before"]:
            yield f"{_split_words(row['phase_before'])} -> {_split_words(row['phase'])}"

    def _event_lines(self, entrance: str, event: Row) -> Iterator[str]:
        match event["event"]:
            case "LockHeard":
                yield from self._change_lines(entrance, "bolt", event["report"]["bolt"])
            case "DoorHeard":
                yield from self._change_lines(entrance, "door", event["report"]["door"])
            case "LockFailed":
                yield f"the lock says that it did not obey: {_split_words(event['failure'])}"
            case "DeviceLost":
                yield f"the {event['device']} is lost"
            case "BrokerUp":
                yield "connected to the broker"
            case "BrokerDown":
                yield "the broker is lost: nothing is known of lock and door"
            case "Restarted" if event["safe_mode"]:
                yield "SAFE MODE: it locks, films and warns, and opens nothing until its owner says so"
            case "DiskChanged" if not event["ok"]:
                yield "the disk is full or failing"
            case "WindowChanged":
                yield "a delivery is near: its cameras run" if event["expecting"] else "no delivery is near"
            case "SomebodyAnswered" | "OwnerDecided" | "Stopped" | "StopLifted" | "OwnerAcknowledged" as kind:
                yield _EVENT_TEXTS[kind] + (f": {'yes' if event['yes'] else 'no'}" if kind == "OwnerDecided" else "")
            case "PausesChanged":
                yield f"the household's pauses: {len(event['pauses']) or 'none'}"
            case "LockAsked":
                yield "somebody asks to lock now"
            case "UnlockNotSent":
                yield f"the unlock did not leave: {_split_words(event['why'])}"
            case "Sealed":
                yield f"film and log of visit {event['visit']} are sealed"
            case _:
                pass

    def _change_lines(self, entrance: str, what: str, value: str) -> Iterator[str]:
        if self._last.get((entrance, what)) != value:
            self._last[entrance, what] = value
            yield f"the {what} is {_split_words(value)}"


def escape_unprintable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Let nothing that somebody sent turn the terminal: a character that cannot be printed is told by its number."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def expand_event_commands(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write the commands in what is to be done as they can be pasted here, for the house file in use."""
    todo = event.get("todo")
    return {**event, "todo": expand_commands(todo)} if isinstance(todo, str) else event


def _escaped(text: str) -> str:
    return "".join(
        c if c.isprintable() or c in ISOLATE_CHARACTERS else c.encode("unicode_escape").decode() for c in text
    )


_EVENT_TEXTS = {
    "SomebodyAnswered": "somebody inside answered the bell",
    "OwnerDecided": "the owner says",
    "Stopped": "STOPPED by the owner",
    "StopLifted": "the owner lifts the stop",
    "OwnerAcknowledged": "the owner has looked after the door",
}


def _command_text(command: Row, event: Row) -> str | None:
    match command["command"]:
        case "Answer":
            code = f" {_code_text(event)}" if event["event"] == "Scanned" else ""
            why = "" if command["refusal"] is None else f" ({REFUSAL_TEXTS[Refusal(command['refusal'])].to(SOURCE)})"
            return f"{command['scanner']}{code}: {command['word']}{why}"
        case "Unlock":
            return "the unlock is sent"
        case "Lock":
            return f"the lock is told to lock{'' if command['n'] == 1 else ', try ' + str(command['n'])}"
        case "Close":
            return f"the garage door is sent down{'' if command['n'] == 1 else ', try ' + str(command['n'])}"
        case "ParcelResult":
            return f"{command['delivery']}: {_split_words(command['outcome'])}"
        case "HouseResult":
            return f"the house: {_split_words(command['house'])}"
        case "Note" if command["what"].startswith("lockup_"):
            return f"the lock-up: {_split_words(command['what'].removeprefix('lockup_'))}"
        case "Readiness" if not command["lacking"]:
            return f"ready for {command['delivery']}"
        case _:
            return None  # alarms, and what else is lacking, the owner is told: those lines come beside this one


def _code_text(scan: Row) -> str:
    courier = any(match["kind"] == "courier" for match in scan["matches"])
    return "the courier's code" if courier else f"…{scan['code']['last']}"


def _readiness_line(ready: list[str], lack: Mapping[str, list[str]]) -> str:
    parts = [f"Ready: {', '.join(ready)}."] if ready else []
    parts += [
        f"NOT ready: {name} ({'; '.join(_BLOCKED_TEXTS.get(word) or readiness_text(word, 'en') for word in words)})."
        for name, words in lack.items()
    ]
    return " ".join([*parts, *(["`perron doctor` looks for the cause."] if lack else [])])


def _split_words(kind: str) -> str:
    return kind.replace("_", " ")


def use_full_log() -> None:
    """Let the log of this process be every decision whole, for machines and for those who look for a cause."""
    structlog.configure(processors=[expand_event_commands, escape_unprintable, *structlog.get_config()["processors"]])


def use_short_log(home: Home, tell: Callable[[str], None]) -> None:
    """Let the log of this process be short lines for a person."""

    class Telling:
        """What structlog writes its lines to."""

        def msg(self, line: str) -> None:
            tell(line)

        debug = info = warning = error = critical = exception = msg

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            escape_unprintable,
            ShortLineRenderer(ZoneInfo(home.timezone)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),  # info: what is said again and again is not
        logger_factory=lambda *_names: Telling(),
    )

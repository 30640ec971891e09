"""Formats the log: short lines for a person at a terminal, JSON lines for everything else."""

import json
import logging
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo

import structlog
from structlog.typing import EventDict, WrappedLogger

from gateway.cli.lines import expand_commands
from gateway.cli.log_texts import log_sentence
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.protocol.narrative import Happening, HappeningKind, LoggedCode, NarrativeReader
from gateway.runtime.notifications.texts import REFUSAL_TEXTS, readiness_text
from gateway.system.i18n import SOURCE
from gateway.system.json_log import JsonLineFormatter, json_line
from gateway.system.line_output import STDOUT_LINES

ISOLATE_CHARACTERS = "\u2068\u2069"  # `text.isolate_direction` puts them around a right-to-left name

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

    def __init__(self, zone: tzinfo | None) -> None:
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
                for happening in self._reader.happenings(json.loads(event["row"])):
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
            case "ordered_from_afar":
                why = f": not done: {event['why']}" if event["why"] else ": done"
                yield f"an order of a remote browser{why}"
            case "told_owner":
                yield f"{'ALARM, ' if event['urgent'] else ''}the owner is told: {event['text']}"
            case _:
                yield f"{_LEVEL_PREFIXES.get(event['level'], '')}{log_sentence(event)}"


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
        case HappeningKind.STAYS_CHANGED:
            return f"stays of guests: {'none' if happening.value == '0' else happening.value}"
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


def log_for_people(zone: tzinfo | None = None) -> None:
    """Log short lines with the time of `zone` (None: of this machine) to the terminal."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            escape_unprintable,
            ShortLineRenderer(zone),
            lambda _logger, _method, line: expand_commands(str(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: STDOUT_LINES,
    )
    _log_libraries(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))


def log_for_programs() -> None:
    """Log one JSON object a line: `timestamp` (UTC), `level`, `event`, and the event's own fields.

    A line that is written while a request of the hub's API is served has its `request_id` too.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            expand_event_commands,
            structlog.processors.format_exc_info,
            lambda _logger, _method, event: json_line(event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: STDOUT_LINES,
    )
    _log_libraries(JsonLineFormatter())


def configure_log(zone: tzinfo | None = None, *, verbose: bool = False) -> bool:
    """Configure the log for where stdout leads; return whether a person reads it. `verbose`: JSON lines anyway."""
    for_people = sys.stdout.isatty() and not verbose
    if for_people:
        log_for_people(zone)
    else:
        log_for_programs()
    return for_people


def _log_libraries(formatter: logging.Formatter) -> None:
    """Let what libraries log, from a warning on, go to stderr in this format."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)

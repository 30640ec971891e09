"""Words the log's rows as lines for a household, the same for live view and replay. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum, auto
from zoneinfo import ZoneInfo

from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AlarmCode, ScanAnswer
from gateway.domain.visit.state import Phase
from gateway.protocol.narrative import Happening, HappeningKind, LoggedCode, narrative
from gateway.runtime.notifications.texts import REFUSAL_TEXTS, message_facts, worded
from gateway.system.i18n import Language, Text, _
from gateway.system.text import sanitized
from gateway.web.texts.catalogue import TEXTS


class StoryTone(StrEnum):
    """How a line is to be taken."""

    CALM = auto()
    GOOD = auto()
    BAD = auto()


class StoryLine(Frozen):
    """One thing that happened; `at` is UTC."""

    at: datetime
    text: str
    tone: StoryTone = StoryTone.CALM


_PHASE_TONES: Mapping[str, StoryTone] = {
    Phase.APPROVING: StoryTone.CALM,
    Phase.UNLOCKED: StoryTone.CALM,
    Phase.RELOCKING: StoryTone.CALM,
    Phase.LOCKED_AGAIN: StoryTone.GOOD,
    Phase.HANDED_TO_OWNER: StoryTone.BAD,
}
_PLAIN_LINES: Mapping[HappeningKind, tuple[Text, StoryTone]] = {
    HappeningKind.HOUSEHOLD_ANSWERED: (_("Somebody inside answered"), StoryTone.CALM),
    HappeningKind.STOPPED: (_("Stopped by you"), StoryTone.BAD),
    HappeningKind.STOP_LIFTED: (_("Stop lifted"), StoryTone.CALM),
    HappeningKind.OWNER_ACKNOWLEDGED: (_("You looked after the door"), StoryTone.CALM),
    HappeningKind.OWNER_ALLOWED: (_("You said yes"), StoryTone.GOOD),
    HappeningKind.OWNER_REFUSED: (_("You said no"), StoryTone.BAD),
    HappeningKind.BROKER_LOST: (_("Connection to the devices lost"), StoryTone.BAD),
    HappeningKind.BROKER_CONNECTED: (_("Connected to the devices again"), StoryTone.CALM),
    HappeningKind.RESTARTED: (_("The box restarted"), StoryTone.BAD),
    HappeningKind.SAFE_MODE_STARTED: (_("The box restarted"), StoryTone.BAD),
    HappeningKind.PROOF_SEALED: (_("Film and log sealed"), StoryTone.GOOD),
    HappeningKind.BELL_RUNG: (_("The bell rings"), StoryTone.CALM),
    HappeningKind.OPENING_RESERVED: (_("Decided here, without the internet: one opening"), StoryTone.CALM),
    HappeningKind.UNLOCK_SENT: (_("The unlock has left, once"), StoryTone.CALM),
    HappeningKind.UNLOCK_NOT_SENT: (_("The unlock did not leave"), StoryTone.BAD),
}
_DOOR_LINES: Mapping[str, tuple[Text, StoryTone]] = {
    "open": (_("The door opens"), StoryTone.CALM),
    "closed": (_("The door closes"), StoryTone.CALM),
    "forced_open": (_("The door is forced"), StoryTone.BAD),
}


def story_lines(rows: Iterable[object], *, language: Language, zone: ZoneInfo) -> tuple[StoryLine, ...]:
    """Word the rows of one visit, or of one entrance, in their order. A happening that says nothing new has no line."""
    lines = ((happening.at, _worded(happening, language, zone)) for happening in narrative(rows))
    return tuple(StoryLine(at=at, text=line[0], tone=line[1]) for at, line in lines if line is not None)


def _worded(happening: Happening, language: Language, zone: ZoneInfo) -> tuple[str, StoryTone] | None:
    match happening.kind:
        case HappeningKind.DOOR_REPORTED:
            # that the door was closed is nothing new
            first = happening.value == "closed" and happening.previous not in _DOOR_LINES
            line = None if first or happening.value == happening.previous else _DOOR_LINES.get(happening.value)
        case HappeningKind.SCAN_ANSWERED:
            return _answer_line(happening, language)
        case HappeningKind.ALARM_RAISED:
            is_trusted = happening.is_clock_trusted
            facts = message_facts(happening.at, zone, trusted=is_trusted, detail=happening.detail)
            return worded(AlarmCode(happening.value), facts, language), StoryTone.BAD
        case HappeningKind.PARCELS_REPORTED:
            good = happening.value in {Outcome.DELIVERED, Outcome.ATTENDED}
            line = TEXTS[f"outcome.{happening.value}"], StoryTone.GOOD if good else StoryTone.BAD
        case HappeningKind.DOOR_RESULT_REPORTED if happening.value == DoorResult.HANDED_TO_OWNER:
            line = _("The door is handed to you"), StoryTone.BAD
        case HappeningKind.PHASE_ENTERED if happening.value in _PHASE_TONES:
            line = TEXTS[f"phase.{happening.value}"], _PHASE_TONES[happening.value]
        case kind:
            line = _PLAIN_LINES.get(kind)
    return None if line is None else (line[0].to(language), line[1])


def _answer_line(answer: Happening, language: Language) -> tuple[str, StoryTone]:
    code = _code_text(answer.code, language)
    match ScanAnswer(answer.value):
        case ScanAnswer.WAIT:
            return _("{what} read: please wait").to(language, what=code).strip(), StoryTone.CALM
        case ScanAnswer.GO:
            return _("Green light: come in").to(language), StoryTone.GOOD
        case ScanAnswer.NO:
            reason = REFUSAL_TEXTS[Refusal(answer.detail)].to(language) if answer.detail else ""
            return _("{what} refused: {why}").to(language, what=code, why=reason).strip(), StoryTone.BAD


def _code_text(code: LoggedCode | None, language: Language) -> str:
    if code is None:
        return ""
    return _("Courier's code").to(language) if code.is_courier else f"…{sanitized(code.end)}"

"""Tells a visit in lines of plain words from the log's rows, the same for live view and replay.

Pure. A row is one stored decision (`gateway/storage/decisions.py`): the event, the commands, the phase before and
after.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from typing import Any
from zoneinfo import ZoneInfo

from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode, ScanAnswer
from gateway.domain.visit.state import Phase
from gateway.runtime.notifications.texts import REFUSAL_TEXTS, ComposedMessage, MessageFacts
from gateway.system.i18n import Language
from gateway.system.text import sanitized
from gateway.web.texts.catalogue import TEXTS

LogRow = Mapping[str, Any]


class StoryTone(StrEnum):
    """How a line is to be taken."""

    CALM = auto()
    GOOD = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
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
_EVENT_TONES: Mapping[str, StoryTone] = {
    "SomebodyAnswered": StoryTone.CALM,
    "Stopped": StoryTone.BAD,
    "StopLifted": StoryTone.CALM,
    "OwnerAcknowledged": StoryTone.CALM,
    "BrokerDown": StoryTone.BAD,
    "BrokerUp": StoryTone.CALM,
    "Restarted": StoryTone.BAD,
    "Sealed": StoryTone.GOOD,
}
_DOOR_TEXTS = {"open": "story.door_open", "closed": "story.door_closed", "forced_open": "story.door_forced"}


def story_lines(rows: Iterable[LogRow], *, language: Language, zone: ZoneInfo) -> tuple[StoryLine, ...]:
    """Tell the rows of one visit, or of one entrance, in their order. What says nothing new has no line."""
    teller = _StoryWriter(language, zone)
    return tuple(line for row in rows for line in teller.lines(row))


class _StoryWriter:
    """Remembers what was last said of the door, so that a repeated report is not told twice."""

    def __init__(self, language: Language, zone: ZoneInfo) -> None:
        self._language, self._zone = language, zone
        self._last_door: str | None = None

    def lines(self, row: LogRow) -> Iterator[StoryLine]:
        if row["kind"] != "step":
            return
        at = datetime.fromisoformat(row["at"])
        for text, tone in (*self._event_lines(row["event"]), *self._command_lines(row, at), *self._phase_lines(row)):
            yield StoryLine(at=at, text=text, tone=tone)

    def _text(self, key: str, **facts: str) -> str:
        return TEXTS[key].to(self._language, **facts)

    def _event_lines(self, event: LogRow) -> Iterator[tuple[str, StoryTone]]:
        match event["event"]:
            case "DoorHeard":
                door = event["report"]["door"]
                new = door != self._last_door and not (door == "closed" and self._last_door is None)
                if door in _DOOR_TEXTS and new:
                    yield self._text(_DOOR_TEXTS[door]), StoryTone.BAD if door == "forced_open" else StoryTone.CALM
                self._last_door = door if door in _DOOR_TEXTS else None
            case "OwnerDecided":
                yield (
                    (self._text("story.yes"), StoryTone.GOOD)
                    if event["yes"]
                    else (self._text("story.no"), StoryTone.BAD)
                )
            case "UnlockNotSent":
                yield self._text("story.held_back"), StoryTone.BAD
            case kind if kind in _EVENT_TONES:
                yield self._text(f"story.{kind}"), _EVENT_TONES[kind]
            case _:
                pass

    def _command_lines(self, row: LogRow, at: datetime) -> Iterator[tuple[str, StoryTone]]:
        for command in row["commands"]:
            match command["command"]:
                case "Answer":
                    yield self._answer_line(row["event"], command)
                case "Ring" | "Reserve" | "Unlock":
                    yield self._text(f"story.{command['command']}"), StoryTone.CALM
                case "Alarm":
                    yield self._alarm_text(command, row, at), StoryTone.BAD
                case "ParcelResult":
                    outcome = Outcome(command["outcome"])
                    good = outcome in (Outcome.DELIVERED, Outcome.ATTENDED)
                    yield self._text(f"outcome.{outcome}"), StoryTone.GOOD if good else StoryTone.BAD
                case "HouseResult" if command["house"] == DoorResult.HANDED_TO_OWNER:
                    yield self._text("story.handed"), StoryTone.BAD
                case _:
                    pass

    def _answer_line(self, event: LogRow, answer: LogRow) -> tuple[str, StoryTone]:
        if event["event"] == "Scanned":
            courier = any(match["kind"] == "courier" for match in event["matches"])
            what = self._text("story.courier_code") if courier else f"…{sanitized(event['code']['last'])}"
        else:
            what = ""
        match ScanAnswer(answer["word"]):
            case ScanAnswer.WAIT:
                return self._text("story.wait", what=what).strip(), StoryTone.CALM
            case ScanAnswer.GO:
                return self._text("story.go"), StoryTone.GOOD
            case ScanAnswer.NO:
                why = "" if answer["refusal"] is None else REFUSAL_TEXTS[Refusal(answer["refusal"])].to(self._language)
                return self._text("story.refused", what=what, why=why).strip(), StoryTone.BAD

    def _alarm_text(self, command: LogRow, row: LogRow, at: datetime) -> str:
        now = Now(utc=at, trusted=row["trusted"], mono=0.0)
        facts = MessageFacts(detail=command["detail"])
        message = ComposedMessage(
            about=AlarmCode(command["code"]), facts=facts, at=now.utc, trusted=now.trusted, zone=self._zone
        )
        return message.words(self._language)

    def _phase_lines(self, row: LogRow) -> Iterator[tuple[str, StoryTone]]:
        phase = row["phase"]
        if phase != row["phase_before"] and phase in _PHASE_TONES:
            yield self._text(f"phase.{phase}"), _PHASE_TONES[phase]

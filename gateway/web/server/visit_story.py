"""What happened at the door, line by line, in plain words: out of the log's own rows, so live and replay tell the same.

Pure. A row is one stored decision (`gateway/storage/decisions.py`): the event, the commands, the phase before and
after.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from typing import Any
from zoneinfo import ZoneInfo

from gateway.domain.visit.commands import AlarmCode, ScanAnswer
from gateway.domain.visit.state import DoorResult, Now, Outcome, Phase, Refusal
from gateway.runtime.notifications.texts import REFUSALS, Facts, Message
from gateway.system.i18n import Language
from gateway.system.text import inert
from gateway.web.texts.catalogue import TEXTS

Row = Mapping[str, Any]


class Tone(StrEnum):
    """How a line is to be taken."""

    CALM = auto()
    GOOD = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened; `at` is UTC."""

    at: datetime
    text: str
    tone: Tone = Tone.CALM


_PHASES: Mapping[str, Tone] = {
    Phase.APPROVING: Tone.CALM,
    Phase.UNLOCKED: Tone.CALM,
    Phase.RELOCKING: Tone.CALM,
    Phase.LOCKED_AGAIN: Tone.GOOD,
    Phase.HANDED_TO_OWNER: Tone.BAD,
}
_EVENTS: Mapping[str, Tone] = {
    "SomebodyAnswered": Tone.CALM,
    "Stopped": Tone.BAD,
    "StopLifted": Tone.CALM,
    "OwnerAcknowledged": Tone.CALM,
    "BrokerDown": Tone.BAD,
    "BrokerUp": Tone.CALM,
    "Restarted": Tone.BAD,
    "Sealed": Tone.GOOD,
}
_DOOR = {"open": "story.door_open", "closed": "story.door_closed", "forced_open": "story.door_forced"}


def story(rows: Iterable[Row], *, language: Language, zone: ZoneInfo) -> tuple[Line, ...]:
    """Tell the rows of one visit, or of one entrance, in their order. What says nothing new has no line."""
    teller = _Teller(language, zone)
    return tuple(line for row in rows for line in teller.lines(row))


class _Teller:
    """Remembers what was last said of the door, so that a repeated report is not told twice."""

    def __init__(self, language: Language, zone: ZoneInfo) -> None:
        self._language, self._zone = language, zone
        self._door: str | None = None

    def lines(self, row: Row) -> Iterator[Line]:
        if row["kind"] != "step":
            return
        at = datetime.fromisoformat(row["at"])
        for text, tone in (*self._heard(row["event"]), *self._commanded(row, at), *self._phase(row)):
            yield Line(at=at, text=text, tone=tone)

    def _say(self, key: str, **facts: str) -> str:
        return TEXTS[key].to(self._language, **facts)

    def _heard(self, event: Row) -> Iterator[tuple[str, Tone]]:
        match event["event"]:
            case "DoorHeard":
                door = event["report"]["door"]
                new = door != self._door and not (door == "closed" and self._door is None)
                if door in _DOOR and new:
                    yield self._say(_DOOR[door]), Tone.BAD if door == "forced_open" else Tone.CALM
                self._door = door if door in _DOOR else None
            case "OwnerDecided":
                yield (self._say("story.yes"), Tone.GOOD) if event["yes"] else (self._say("story.no"), Tone.BAD)
            case "UnlockNotSent":
                yield self._say("story.held_back"), Tone.BAD
            case kind if kind in _EVENTS:
                yield self._say(f"story.{kind}"), _EVENTS[kind]
            case _:
                pass

    def _commanded(self, row: Row, at: datetime) -> Iterator[tuple[str, Tone]]:
        for command in row["commands"]:
            match command["command"]:
                case "Answer":
                    yield self._answered(row["event"], command)
                case "Ring" | "Reserve" | "Unlock":
                    yield self._say(f"story.{command['command']}"), Tone.CALM
                case "Alarm":
                    yield self._alarm(command, row, at), Tone.BAD
                case "ParcelResult":
                    outcome = Outcome(command["outcome"])
                    good = outcome in (Outcome.DELIVERED, Outcome.ATTENDED)
                    yield self._say(f"outcome.{outcome}"), Tone.GOOD if good else Tone.BAD
                case "HouseResult" if command["house"] == DoorResult.HANDED_TO_OWNER:
                    yield self._say("story.handed"), Tone.BAD
                case _:
                    pass

    def _answered(self, event: Row, answer: Row) -> tuple[str, Tone]:
        if event["event"] == "Scanned":
            courier = any(match["kind"] == "courier" for match in event["matches"])
            what = self._say("story.courier_code") if courier else f"…{inert(event['code']['last'])}"
        else:
            what = ""
        match ScanAnswer(answer["word"]):
            case ScanAnswer.WAIT:
                return self._say("story.wait", what=what).strip(), Tone.CALM
            case ScanAnswer.GO:
                return self._say("story.go"), Tone.GOOD
            case ScanAnswer.NO:
                why = "" if answer["refusal"] is None else REFUSALS[Refusal(answer["refusal"])].to(self._language)
                return self._say("story.refused", what=what, why=why).strip(), Tone.BAD

    def _alarm(self, command: Row, row: Row, at: datetime) -> str:
        now = Now(utc=at, trusted=row["trusted"], mono=0.0)
        facts = Facts(detail=command["detail"])
        message = Message(
            about=AlarmCode(command["code"]), facts=facts, at=now.utc, trusted=now.trusted, zone=self._zone
        )
        return message.words(self._language)

    def _phase(self, row: Row) -> Iterator[tuple[str, Tone]]:
        phase = row["phase"]
        if phase != row["phase_before"] and phase in _PHASES:
            yield self._say(f"phase.{phase}"), _PHASES[phase]

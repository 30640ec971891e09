"""Words the log's rows as lines for a household, the same for live view and replay. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from devices.reports import OperationError
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.commands import AlarmCode, ScanAnswer
from gateway.domain.visit.state import Phase
from gateway.protocol.narrative import Happening, HappeningKind, LoggedCode, NarrativeReader
from gateway.runtime.notifications.texts import NAMING_HOLDER, REFUSAL_TEXTS, alarm_in_words, message_facts
from gateway.system.i18n import Language, Text, _
from gateway.system.text import sanitized
from gateway.web.texts.catalogue import TEXTS

StoryTone = Literal["calm", "good", "bad"]
"""How a line is to be taken."""


class StoryLine(Frozen):
    """One thing that happened; `at` is UTC."""

    at: datetime
    text: str
    tone: StoryTone


_PHASE_TONES: Mapping[str, StoryTone] = {
    Phase.APPROVING: "calm",
    Phase.UNLOCKED: "calm",
    Phase.ADVANCING: "calm",
    Phase.RELOCKING: "calm",
    Phase.LOCKED_AGAIN: "good",
    Phase.HANDED_TO_OWNER: "bad",
}
_PLAIN_LINES: Mapping[HappeningKind, tuple[Text, StoryTone]] = {
    HappeningKind.HOUSEHOLD_ANSWERED: (_("Somebody inside answered"), "calm"),
    HappeningKind.STOPPED: (_("Stopped by you"), "bad"),
    HappeningKind.STOP_LIFTED: (_("Stop lifted"), "calm"),
    HappeningKind.OWNER_ACKNOWLEDGED: (_("The household checked the door"), "calm"),
    HappeningKind.OWNER_ALLOWED: (_("The household said yes"), "good"),
    HappeningKind.OWNER_REFUSED: (_("The household said no"), "bad"),
    HappeningKind.BROKER_LOST: (_("Connection to the devices lost"), "bad"),
    HappeningKind.BROKER_CONNECTED: (_("Connected to the devices again"), "calm"),
    HappeningKind.RESTARTED: (_("The box restarted"), "bad"),
    HappeningKind.SAFE_MODE_STARTED: (_("The box restarted"), "bad"),
    HappeningKind.PROOF_SEALED: (_("Film and log sealed"), "good"),
    HappeningKind.BELL_RUNG: (_("The bell rings"), "calm"),
    HappeningKind.OPENING_RESERVED: (_("Decided here, without the internet: one opening"), "calm"),
    HappeningKind.UNLOCK_SENT: (_("The unlock has left, once"), "calm"),
    HappeningKind.UNLOCK_NOT_SENT: (_("The unlock did not leave"), "bad"),
}
# For an entrance with several closures: not each of them is a door through which somebody comes in.
_EACH_LINES: Mapping[str, Text] = {
    Phase.UNLOCKED: _("Unlocked for the courier"),
    Phase.RELOCKING: _("All is being secured"),
    Phase.LOCKED_AGAIN: _("All is secured again, proven"),
}
_DOOR_LINES: Mapping[str, tuple[Text, StoryTone]] = {
    "open": (_("The door opens"), "calm"),
    "closed": (_("The door closes"), "calm"),
    "forced_open": (_("The door is forced"), "bad"),
}

# Of further closures, by their id in the house file.
_CLOSURE_LINES: Mapping[str, Text] = {
    "open": _("{closure} opens"),
    "closed": _("{closure} closes"),
    "forced_open": _("{closure} is forced open"),
}
_NOTE_LINES: Mapping[str, tuple[Text, StoryTone]] = {
    "key_taken": (_("The key is taken from its hook"), "calm"),
    "key_returned": (_("The key is on its hook again, proven"), "good"),
}
# Of a keeper, whom the note names.
_KEEPER_LINES: Mapping[str, Text] = {
    "key_taken": _("{who} takes the key from its hook"),
    "key_returned": _("{who} has given the key back: it is on its hook again, proven"),
}
_LOCK_ALARMS = frozenset({AlarmCode.LOCK_JAMMED, AlarmCode.LOCK_REFUSED, AlarmCode.UNLOCK_UNKNOWN})
_EXPLAINED_WITHIN = timedelta(seconds=30)  # a lock reports its jam after it answered the command with an error
# A cause comes before what follows from it: a jam explains a lock that does not obey, and both explain a door that is
# not proven locked. Any other alarm stands between them, in the order of time.
_CAUSES = (
    AlarmCode.DOOR_FORCED_OPEN, AlarmCode.UNEXPECTED_UNLOCK, AlarmCode.BOLT_IN_THE_AIR, AlarmCode.LATE_UNLOCK,
    AlarmCode.LOCK_JAMMED, AlarmCode.LOCK_REFUSED, AlarmCode.UNLOCK_UNKNOWN,
)  # fmt: skip
# The entrance was ready when the unlock left; what did not move is the lock.
_NOT_OPENED_LINE: Text = _("Red light: the lock did not open")
_SENSOR_LINES: Mapping[tuple[str, str], tuple[Text, StoryTone]] = {
    ("content", "occupied"): (_("{closure}: something lies in it"), "good"),
}


class StoryNames(Frozen):
    """The names of today's house, by id: of an entrance's closures, of the keepers, of the devices.

    What the house no longer has keeps its id.
    """

    closures: Mapping[str, str] = field(default_factory=dict)
    keepers: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)


NO_NAMES = StoryNames()


class AlarmCause(Frozen):
    """Why a visit alarmed, in words.

    `is_of_lock`: a lock did not obey. `is_only_unproven`: no cause is known, only that nothing proves the door locked.
    """

    text: str
    is_of_lock: bool
    is_only_unproven: bool


def alarm_cause(
    rows: Iterable[object], *, language: Language, zone: ZoneInfo, names: StoryNames = NO_NAMES
) -> AlarmCause | None:
    """Return the cause of what went wrong in the rows of one visit; None: nothing alarmed.

    Home, the visit's story and History word the cause of an event by this, so that they give the same one.
    """
    reader = NarrativeReader()
    happenings = (one for row in rows for one in reader.happenings(row))
    cause = _cause_of([one for one in happenings if one.kind is HappeningKind.ALARM_RAISED])
    if cause is None:
        return None
    words = _Teller(language, zone, names).alarm(cause)
    return AlarmCause(
        text=words, is_of_lock=cause.value in _LOCK_ALARMS, is_only_unproven=cause.value == AlarmCode.NOT_LOCKED
    )


def _cause_of(alarms: Sequence[Happening]) -> Happening | None:
    def rank(alarm: Happening) -> int:
        if alarm.value in _CAUSES:
            return _CAUSES.index(AlarmCode(alarm.value))
        return len(_CAUSES) + (alarm.value == AlarmCode.NOT_LOCKED)

    return min(alarms, key=rank, default=None)


def story_lines(
    rows: Iterable[object], *, language: Language, zone: ZoneInfo, names: StoryNames = NO_NAMES
) -> tuple[StoryLine, ...]:
    """Word the rows of one visit, or of one entrance, in their order. A happening without news has no line.

    What one decision says several times is one line. So is a lock that says that it did not obey, and then why.
    """
    reader, teller = NarrativeReader(), _Teller(language, zone, names)
    steps = [tuple(reader.happenings(row)) for row in rows]
    jams = [one.at for step in steps for one in step if _is_alarm(one, AlarmCode.LOCK_JAMMED)]
    told = (tuple(one for one in step if not _is_explained(one, jams)) for step in steps)
    return tuple(line for step in told for line in teller.lines(step))


def _is_alarm(one: Happening, code: AlarmCode) -> bool:
    return one.kind is HappeningKind.ALARM_RAISED and one.value == code


def _is_explained(one: Happening, jams: Iterable[datetime]) -> bool:
    """Return whether the alarm of a lock that does not say why it did not obey is followed by that of its jam."""
    is_bare = _is_alarm(one, AlarmCode.LOCK_REFUSED) and one.detail == OperationError.UNSPECIFIED
    return is_bare and any(timedelta() <= at - one.at <= _EXPLAINED_WITHIN for at in jams)


class _Teller:
    """Words the happenings of one decision after the other; it remembers whether an unlock has left."""

    def __init__(self, language: Language, zone: ZoneInfo, names: StoryNames) -> None:
        self._language, self._zone, self._names = language, zone, names
        self._names_several = bool(names.closures.keys() - {MAIN_CLOSURE})
        self._unlock_left = False
        self._alarms: list[Happening] = []

    def lines(self, happenings: Sequence[Happening]) -> Iterator[StoryLine]:
        """Yield the lines of one row of the log."""
        needs_owner = any(_is_phase(one, Phase.HANDED_TO_OWNER) for one in happenings)
        answers = {one.value for one in happenings if one.kind is HappeningKind.SCAN_ANSWERED}
        alarms = [one for one in happenings if one.kind is HappeningKind.ALARM_RAISED]
        self._alarms += alarms
        for one in happenings:
            if needs_owner and (one in alarms or _is_said_by_the_phase(one)):
                continue
            if one.kind is HappeningKind.BELL_RUNG and ScanAnswer.WAIT in answers:
                continue  # the line of the scan says it
            if _is_phase(one, Phase.UNLOCKED) and ScanAnswer.GO in answers:
                continue  # the green light says it
            if _is_phase(one, Phase.HANDED_TO_OWNER) and alarms:
                cause = _cause_of(self._alarms)
                told = [alarm for alarm in (cause, *alarms) if alarm is not None]
                what = "; ".join(dict.fromkeys(self.alarm(alarm) for alarm in told))
                text = _("Needs your attention: {what}").to(self._language, what=what)
                yield StoryLine(at=one.at, text=text, tone="bad")
                continue
            line = self._worded(one, rings=any(other.kind is HappeningKind.BELL_RUNG for other in happenings))
            if line is not None:
                yield StoryLine(at=one.at, text=line[0], tone=line[1])
            self._unlock_left = self._unlock_left or one.kind is HappeningKind.UNLOCK_SENT

    def _worded(self, happening: Happening, *, rings: bool) -> tuple[str, StoryTone] | None:
        names, language = self._names.closures, self._language
        match happening.kind:
            case HappeningKind.DOOR_REPORTED:
                # that the door was closed is nothing new
                first = happening.value == "closed" and happening.previous not in _DOOR_LINES
                line = None if first or happening.value == happening.previous else _DOOR_LINES.get(happening.value)
                if line is not None and happening.subject:
                    closure = names.get(happening.subject, happening.subject)
                    text = _CLOSURE_LINES[happening.value].to(language, closure=sanitized(closure))
                    return text, line[1]
            case HappeningKind.NOTE_LOGGED:
                note, _colon, holder = happening.value.partition(":")
                line = _NOTE_LINES.get(note)
                if line is not None and holder and note in _KEEPER_LINES:
                    who = sanitized(self._names.keepers.get(holder, holder))
                    return _KEEPER_LINES[note].to(language, who=who), line[1]
            case HappeningKind.SENSOR_REPORTED if happening.value != happening.previous:
                closure, _slash, sensor = happening.subject.partition("/")
                line = _SENSOR_LINES.get((sensor, happening.value))
                if line is not None:
                    return line[0].to(language, closure=sanitized(names.get(closure, closure))), line[1]
            case HappeningKind.SCAN_ANSWERED:
                return self._answer_line(happening, rings=rings)
            case HappeningKind.ALARM_RAISED:
                return _("Alarm: {what}").to(language, what=self.alarm(happening)), "bad"
            case HappeningKind.PARCELS_REPORTED:
                good = happening.value in {Outcome.DELIVERED, Outcome.ATTENDED}
                line = TEXTS[f"outcome.{happening.value}"], "good" if good else "bad"
            case HappeningKind.DOOR_RESULT_REPORTED if happening.value == DoorResult.HANDED_TO_OWNER:
                line = TEXTS[f"phase.{Phase.HANDED_TO_OWNER.value}"], "bad"
            case HappeningKind.PHASE_ENTERED if happening.value in _PHASE_TONES:
                plain = TEXTS[f"phase.{happening.value}"]
                entered = _EACH_LINES.get(happening.value, plain) if self._names_several else plain
                line = entered, _PHASE_TONES[happening.value]
            case kind:
                line = _PLAIN_LINES.get(kind)
        return None if line is None else (line[0].to(language), line[1])

    def alarm(self, happening: Happening) -> str:
        """Return what an alarm says."""
        alarm, detail = AlarmCode(happening.value), happening.detail
        facts = message_facts(
            happening.at,
            self._zone,
            trusted=happening.is_clock_trusted,
            detail=self._names.keepers.get(detail, detail) if alarm in NAMING_HOLDER else detail,
            closure=self._names.closures.get(happening.subject, happening.subject),
        )
        return alarm_in_words(alarm, facts, self._language, self._names.devices)

    def _answer_line(self, answer: Happening, *, rings: bool) -> tuple[str, StoryTone]:
        code = _code_text(answer.code, self._language, self._names.keepers)
        match ScanAnswer(answer.value):
            case ScanAnswer.WAIT:
                text = _("{what} read: the bell rings") if rings else _("{what} read: please wait")
                return text.to(self._language, what=code).strip(), "calm"
            case ScanAnswer.GO:
                text = _("Green light") if self._names_several else _("Green light: come in")
                return text.to(self._language), "good"
            case ScanAnswer.NO:
                if answer.detail == Refusal.NOT_READY and answer.code is None and self._unlock_left:
                    return _NOT_OPENED_LINE.to(self._language), "bad"
                reason = REFUSAL_TEXTS[Refusal(answer.detail)].to(self._language) if answer.detail else ""
                text = _("{what} refused: {why}") if code else _("Red light: {why}")
                return text.to(self._language, what=code, why=reason).strip(), "bad"


def _is_phase(happening: Happening, phase: Phase) -> bool:
    return happening.kind is HappeningKind.PHASE_ENTERED and happening.value == phase


def _is_said_by_the_phase(happening: Happening) -> bool:
    """Return whether it says no more than that the owner has to look after the door."""
    match happening.kind:
        case HappeningKind.DOOR_RESULT_REPORTED:
            return happening.value == DoorResult.HANDED_TO_OWNER
        case HappeningKind.PARCELS_REPORTED:
            return happening.value == Outcome.UNKNOWN
        case _:
            return False


def _code_text(code: LoggedCode | None, language: Language, keepers: Mapping[str, str]) -> str:
    if code is None:
        return ""
    if code.keeper:
        return _("Code of {who}").to(language, who=sanitized(keepers.get(code.keeper, code.keeper)))
    return _("Courier's code").to(language) if code.is_courier else f"…{sanitized(code.end)}"

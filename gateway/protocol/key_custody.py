"""Reads from the log of a visit who had the key of a key safe, and until when. Pure.

The words follow EPCIS, where possession passes from one party to another. They come from the log's own rows: the notes
`key_taken` and `key_returned`, which only the hook's sensor causes, the alarm `key_late`, and how the visit ended. A
note may name the holder after a colon: `key_taken:claire`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.domain.delivery.result import DoorResult
from gateway.domain.frozen import Frozen
from gateway.protocol.narrative import Happening, HappeningKind, narrative

# Who acts in a visit, as log and proof name it; a keeper's id follows. `household`: somebody whom it let in as its own
COURIER, HOUSEHOLD, KEEPER, ROBOT = "courier", "household", "keeper:", "robot:"


class KeyWord(StrEnum):
    """One step in the custody of a key."""

    OFFERED = "key_offered"  # the safe was told to open for the holder
    TAKEN = "key_taken"
    DUE = "key_due"
    REMINDED = "key_reminded"
    LATE = "key_late"
    RETURNED = "key_returned"
    LOST = "key_lost"  # the visit was handed to the owner while the key was out


class KeyStep(Frozen):
    """One step, at the box's time in UTC. `holder`: who has or gets the key; `due`: until when it has to be back."""

    word: KeyWord
    at: datetime
    holder: str | None = None
    due: datetime | None = None


_NOTES = frozenset({HappeningKind.NOTE_LOGGED.value, HappeningKind.ALARM_RAISED.value})
_BY_NOTE = frozenset({KeyWord.OFFERED, KeyWord.TAKEN, KeyWord.REMINDED, KeyWord.LATE, KeyWord.RETURNED, KeyWord.LOST})


def key_custody(
    rows: Iterable[object], *, holder: str | None = None, back_within: timedelta | None = None
) -> tuple[KeyStep, ...]:
    """Return the custody of the key in the rows of one visit, in their order; empty: it says nothing of a key.

    `holder` is the keeper whose code opened, where the rows do not name one. `back_within` is the time after which the
    key is late; None leaves `key_due` out.
    """
    known = tuple(rows)
    if not any(map(_may_name_a_key, known)):  # nearly all visits: to read what all rows say takes 0.1 ms
        return ()
    # An order to open offers a key only where the visit has a key: at a door it is an ordinary unlock.
    steps = tuple(_steps(narrative(known), holder, back_within))
    return steps if any(step.word is not KeyWord.OFFERED for step in steps) else ()


def _may_name_a_key(row: object) -> bool:
    """Return whether a row has a note or an alarm: nothing else begins the custody of a key."""
    commands = row.get("commands") if isinstance(row, dict) else None
    return isinstance(commands, list | tuple) and any(
        isinstance(command, dict) and command.get("command") in _NOTES for command in commands
    )


def _steps(happenings: Iterable[Happening], holder: str | None, back_within: timedelta | None) -> Iterator[KeyStep]:
    offered, out = False, False
    for happening in happenings:
        found = _word_of(happening)
        if found is None:
            continue
        word, named = found
        holder = named or holder
        match word:
            case KeyWord.OFFERED:
                if not offered:
                    yield KeyStep(word=word, at=happening.at, holder=holder)
                offered = True
            case KeyWord.TAKEN:
                if not out:
                    yield KeyStep(word=word, at=happening.at, holder=holder)
                    if back_within is not None:
                        due = happening.at + back_within
                        yield KeyStep(word=KeyWord.DUE, at=happening.at, holder=holder, due=due)
                out = True
            case KeyWord.RETURNED | KeyWord.LOST:
                if out:
                    yield KeyStep(word=word, at=happening.at, holder=holder)
                out = False
            case _:
                yield KeyStep(word=word, at=happening.at, holder=holder)


def _word_of(happening: Happening) -> tuple[KeyWord, str | None] | None:
    match happening.kind:
        case HappeningKind.UNLOCK_SENT:
            return KeyWord.OFFERED, None
        case HappeningKind.NOTE_LOGGED | HappeningKind.ALARM_RAISED:
            text, _, named = happening.value.partition(":")
            word = next((word for word in _BY_NOTE if word == text), None)
            return None if word is None else (word, named or None)
        case HappeningKind.DOOR_RESULT_REPORTED if happening.value == DoorResult.HANDED_TO_OWNER:
            return KeyWord.LOST, None
        case _:
            return None

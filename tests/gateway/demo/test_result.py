"""What the door's own log says: openings and the order of bolt and leaf."""

from datetime import UTC, datetime

import pytest

from gateway.demo.result import AlarmAt, DoorMovement, LogLine, door_movements, physical_openings
from gateway.demo.verdict import distinct_codes
from gateway.domain.visit.commands import AlarmCode

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def log(*words: str) -> tuple[LogLine, ...]:
    """One line a second: `withdrawn`, `thrown` (by a command unless said otherwise), `open`, `closed`."""
    lines: list[LogLine] = []
    for second, word in enumerate(words):
        state, _, how = word.partition(" ")
        line: dict[str, object] = {"at": NOON.replace(second=second).isoformat(), "state": state}
        if state in {"withdrawn", "thrown"}:
            line |= {
                "what": "bolt",
                "cause": how if how in {"hand", "app", "itself"} else "id-1",
                "in_air": how == "air",
            }
        else:
            line |= {"what": "door", **({"forced": True} if how == "forced" else {})}
        lines.append(line)
    return tuple(lines)


def seconds(*words: str) -> list[tuple[int | None, ...]]:
    return [
        tuple(None if at is None else at.second for at in (o.unlocked_at, o.opened_at, o.closed_at, o.locked_at))
        for o in physical_openings(log(*words))
    ]


@pytest.mark.parametrize(
    ("what", "words", "expected"),
    [
        ("in and out", ("withdrawn", "open", "closed", "thrown"), [(0, 1, 2, 3)]),
        ("nobody went in", ("withdrawn", "thrown"), []),
        ("three trips are one opening", ("withdrawn", "open", "closed", "open", "closed", "thrown"), [(0, 1, 4, 5)]),
        (
            "two visits are two",
            ("withdrawn", "open", "closed", "thrown", "withdrawn", "open", "closed", "thrown"),
            [(0, 1, 2, 3), (4, 5, 6, 7)],
        ),
        (
            "a second try after nobody went in",
            ("withdrawn", "thrown", "withdrawn", "open", "closed", "thrown"),
            [(2, 3, 4, 5)],
        ),
        ("still open", ("withdrawn", "open"), [(0, 1, None, None)]),
        ("closed and not locked", ("withdrawn", "open", "closed"), [(0, 1, 2, None)]),
        ("forced: never unlocked", ("open forced", "withdrawn hand", "closed", "thrown hand"), [(None, 0, 2, 3)]),
        (
            "a bolt in the air locks nothing",
            ("withdrawn", "open", "thrown air", "withdrawn hand", "closed", "thrown"),
            [(0, 1, 4, 5)],
        ),
    ],
)
def test_an_opening_is_what_the_door_says(
    what: str, words: tuple[str, ...], expected: list[tuple[int | None, ...]]
) -> None:
    assert seconds(*words) == expected, what


def test_who_moved_the_bolt_is_told_apart() -> None:
    assert door_movements(log("withdrawn", "open", "thrown air", "withdrawn hand", "closed", "thrown itself")) == (
        DoorMovement.UNLOCKED,
        DoorMovement.OPENED,
        DoorMovement.BOLT_IN_THE_AIR,
        DoorMovement.UNLOCKED_BY_HAND,
        DoorMovement.CLOSED,
        DoorMovement.LOCKED_BY_ITSELF,
    )
    assert door_movements(log("withdrawn app", "open forced", "thrown hand")) == (
        DoorMovement.UNLOCKED_BY_APP,
        DoorMovement.FORCED,
        DoorMovement.LOCKED_BY_HAND,
    )


def test_people_and_signals_are_no_moves() -> None:
    assert door_movements([{"at": NOON.isoformat(), "what": "person", "who": "courier", "where": "inside"}]) == ()


def test_two_alarms_are_the_same_result_whichever_deadline_was_over_first() -> None:
    one, other = (AlarmAt(code=code, at=NOON) for code in (AlarmCode.UNLOCK_UNKNOWN, AlarmCode.LOCK_REFUSED))
    assert distinct_codes((one, other, one)) == distinct_codes((other, one)) == ("lock_refused", "unlock_unknown")

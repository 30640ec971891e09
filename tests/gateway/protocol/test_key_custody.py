"""Who had the key of a key safe, read from the log of a visit."""

from datetime import UTC, datetime, timedelta

from gateway.protocol.hash_chain import Json
from gateway.protocol.key_custody import KeyStep, KeyWord, key_custody

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def row(minute: int, *commands: dict[str, Json]) -> dict[str, Json]:
    return {
        "kind": "step", "at": (NOON + timedelta(minutes=minute)).isoformat(), "trusted": True, "entrance": "keys",
        "event": {"event": "Due"}, "commands": [*commands], "phase": "", "phase_before": "",
    }  # fmt: skip


def note(what: str) -> dict[str, Json]:
    return {"command": "Note", "what": what}


UNLOCK: dict[str, Json] = {"command": "Unlock", "visit": "v", "life": 5.0}
LATE: dict[str, Json] = {"command": "Alarm", "code": "key_late", "detail": ""}
HANDED: dict[str, Json] = {"command": "HouseResult", "visit": "v", "delivery": "d", "house": "handed_to_owner"}
LOCKED: dict[str, Json] = {"command": "HouseResult", "visit": "v", "delivery": "d", "house": "locked_again"}


def words(steps: tuple[KeyStep, ...]) -> list[str]:
    return [step.word.value for step in steps]


def test_a_key_is_offered_taken_due_and_returned() -> None:
    rows = [row(0, UNLOCK), row(1, note("key_taken")), row(9, note("key_returned")), row(10, LOCKED)]
    steps = key_custody(rows, holder="claire", back_within=timedelta(minutes=15))
    assert words(steps) == ["key_offered", "key_taken", "key_due", "key_returned"]
    assert {step.holder for step in steps} == {"claire"}
    assert steps[2].due == NOON + timedelta(minutes=16)


def test_a_key_that_is_not_back_in_time_is_late_and_at_last_the_owners() -> None:
    rows = [row(0, UNLOCK), row(1, note("key_taken")), row(14, note("key_reminded")), row(16, LATE), row(30, HANDED)]
    assert words(key_custody(rows)) == ["key_offered", "key_taken", "key_reminded", "key_late", "key_lost"]


def test_a_key_that_came_back_is_not_lost_when_the_door_is_handed_over() -> None:
    rows = [row(0, UNLOCK), row(1, note("key_taken")), row(9, note("key_returned")), row(30, HANDED)]
    assert words(key_custody(rows)) == ["key_offered", "key_taken", "key_returned"]


def test_the_row_names_the_holder_before_the_caller_does() -> None:
    taken = key_custody([row(1, note("key_taken:oh-my-keys"))], holder="claire")[0]
    assert (taken.word, taken.holder) == (KeyWord.TAKEN, "oh-my-keys")


def test_a_visit_without_a_key_has_no_custody_of_one() -> None:
    assert key_custody([row(0, UNLOCK), row(2, LOCKED), row(3, note("locked_by_hand"))]) == ()


def test_only_the_hook_returns_a_key_that_was_taken() -> None:
    assert words(key_custody([row(1, note("key_returned")), row(2, note("key_late"))])) == ["key_late"]


def test_a_key_is_taken_once_until_it_is_back() -> None:
    rows = [
        row(1, note("key_taken")),
        row(2, note("key_taken")),
        row(3, note("key_returned")),
        row(4, note("key_taken")),
    ]
    assert words(key_custody(rows)) == ["key_taken", "key_returned", "key_taken"]


def test_each_step_after_the_first_has_the_keeper_whom_the_notes_name() -> None:
    rows = [row(0, UNLOCK), row(1, note("key_taken:claire")), row(16, LATE), row(20, note("key_returned:claire"))]
    named = [(step.word.value, step.holder) for step in key_custody(rows)]
    assert named == [
        ("key_offered", None), ("key_taken", "claire"), ("key_late", "claire"), ("key_returned", "claire"),
    ]  # fmt: skip

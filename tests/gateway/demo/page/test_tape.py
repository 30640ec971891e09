"""The tape of a run: whoever opens the page in the middle of it can go back to its beginning."""

from gateway.demo.page.snapshot import DemoSnapshot, LineShown
from gateway.demo.page.tape import MAX_ENTRIES, DemoTape
from gateway.system.i18n import _


def shown(entries: object) -> list[tuple[int, bool, set[str]]]:
    assert isinstance(entries, list)
    return [(entry["at"], entry["whole"], set(entry["now"])) for entry in entries]


def test_the_first_entry_of_a_run_is_whole_and_each_other_one_is_what_changed() -> None:
    tape = DemoTape()
    tape.record(DemoSnapshot(run=1), 100.0)
    tape.record(DemoSnapshot(run=1, door="open"), 101.5)
    entries, number = tape.entries_from(0, "en")
    assert [(at, whole) for at, whole, _names in shown(entries)] == [(0, True), (1500, False)]
    assert entries[1]["now"] == {"door": "open"}
    assert "phone" in entries[0]["now"]
    tape.record(DemoSnapshot(run=1, door="closed"), 102.0)
    assert shown(tape.entries_from(number, "en")[0]) == [(2000, False, {"door"})]


def test_another_run_begins_another_tape() -> None:
    tape = DemoTape()
    tape.record(DemoSnapshot(run=1), 100.0)
    _entries, number = tape.entries_from(0, "en")
    tape.record(DemoSnapshot(run=2), 200.0)
    entries, _number = tape.entries_from(number, "en")
    assert [(at, whole) for at, whole, _names in shown(entries)] == [(0, True)]
    assert len(tape.entries_from(0, "en")[0]) == 1, "what was shown of the run before is not kept"


def test_a_tape_that_is_full_begins_anew_with_the_whole_of_what_is_shown() -> None:
    tape = DemoTape()
    for second in range(MAX_ENTRIES + 1):
        tape.record(DemoSnapshot(run=1, decided_ms=second), float(second))
    entries, _number = tape.entries_from(0, "en")
    assert [(at, whole) for at, whole, _names in shown(entries)] == [(MAX_ENTRIES * 1000, True)]


def test_each_page_has_the_tape_in_its_own_language() -> None:
    tape = DemoTape()
    tape.record(DemoSnapshot(run=1), 0.0)
    tape.record(DemoSnapshot(run=1, says=LineShown(text=_("The bolt turns."))), 1.0)
    texts = {language: tape.entries_from(1, language)[0][0]["now"]["says"]["text"] for language in ("en", "fr")}
    assert texts == {"en": "The bolt turns.", "fr": "Le pêne se retire."}

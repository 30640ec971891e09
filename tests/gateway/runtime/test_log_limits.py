"""What a flood leaves in the signed log: some entries, a count each minute, and all that proofs need."""

import asyncio

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import FridgeReported
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.runtime.log_limits import (
    ENTRANCE_BURST_ENTRIES,
    ENTRANCE_ENTRIES_PER_MINUTE,
    SOURCE_BURST_ENTRIES,
    SOURCE_ENTRIES_PER_MINUTE,
)
from tests.gateway.domain.delivery.shop import PARCEL
from tests.shell.box import ShellBox
from tests.waiting import wait_until


def reading(celsius: float, place: str = "fridge") -> FridgeReported:
    return FridgeReported(place=place, fridge=FridgeState(temp_c=celsius))


async def step(made: ShellBox, event: e.Event) -> None:
    """Decide on an event as the entrance's own task does, which now waits, and wait until the disk has it."""
    await made.front.step(event)
    while made.journal.in_progress:  # noqa: ASYNC110 - hundreds of steps: a pause each would take a minute
        await asyncio.sleep(0)


def entries(made: ShellBox, kind: type[e.Event]) -> list[e.Event]:
    return [one.event for one in made.journal.steps if isinstance(one.event, kind)]


def notes(made: ShellBox) -> list[str]:
    return [note.what for note in made.commands(c.LogNote) if note.what.endswith("in this minute")]


async def test_a_locked_out_scanner_that_floods_leaves_some_entries_and_one_count_a_minute(ready: ShellBox) -> None:
    ready.front.post(e.WindowChanged(near=False))
    for number in range(500):
        scan = e.Scanned(id=f"s{number}", scanner="scanner", code=f"wrong-{number}")
        ready.time.mono += 0.01
        await step(ready, scan)
    assert ready.front.state.scan_lockouts["scanner"].locked_out
    kept = len(entries(ready, e.Scanned))
    assert kept <= SOURCE_BURST_ENTRIES + SOURCE_ENTRIES_PER_MINUTE + ready.front.state.rules.tried
    answers = ready.order.count("perform AnswerScan")
    assert answers == 500, "each is answered at the scanner all the same"
    assert ready.order.count("perform ShowSignal") == kept, "and the signal shows no more than has an entry"
    ready.passes(61)
    await wait_until(lambda: notes(ready) == [f"scanner/scanner: {500 - kept} more in this minute"])
    assert ready.front.state.scan_lockouts["scanner"].locked_out


async def test_thermometers_that_never_rest_leave_a_bounded_log_and_their_newest_value_counts(ready: ShellBox) -> None:
    places = [f"place-{number}" for number in range(20)]
    for second in range(120):
        ready.time.mono += 1
        for place in places:
            await step(ready, reading(second / 10, place))
    newest = [reading(11.9, place) for place in places]
    assert ready.front.state.surroundings == {report.source: report for report in newest}
    kept = len(entries(ready, FridgeReported))
    assert kept <= ENTRANCE_BURST_ENTRIES + 2 * ENTRANCE_ENTRIES_PER_MINUTE + 3
    ready.passes(61)
    await wait_until(lambda: notes(ready))
    counted = sum(int(note.split(": ")[1].split()[0]) for note in notes(ready))
    assert counted + kept == 120 * len(places), "each is an entry or in a count"


async def test_a_reading_that_changes_nothing_makes_no_entry(ready: ShellBox) -> None:
    await step(ready, reading(4.0))
    before = len(ready.journal.steps)
    for _ in range(100):
        await step(ready, reading(4.0))
    ready.passes(61)
    await ready.quiet()
    assert len(ready.journal.steps) == before
    assert notes(ready) == []


async def test_in_a_visit_a_reading_that_says_the_same_again_has_an_entry_but_no_flood_of_them(
    ready: ShellBox,
) -> None:
    place = next(iter(ready.store.deliveries.matches(PARCEL, now=ready.clock.now()))).delivery.place
    await step(ready, reading(4.0, place))
    await ready.ring(PARCEL)
    before = len(ready.journal.steps)
    await step(ready, reading(4.0, place))
    assert ready.journal.steps[-1].event == reading(4.0, place)
    for _ in range(200):
        await step(ready, reading(4.0, place))
    assert 1 < len(ready.journal.steps) - before <= SOURCE_BURST_ENTRIES


async def test_the_reading_on_which_a_visit_rests_has_its_entry_before_the_scan(ready: ShellBox) -> None:
    place = next(iter(ready.store.deliveries.matches(PARCEL, now=ready.clock.now()))).delivery.place
    for number in range(100):
        await step(ready, reading(number / 10, place))
    visit = await ready.ring(PARCEL)
    events = [one.event for one in ready.journal.steps]
    began = next(place for place, one in enumerate(events) if isinstance(one, e.Scanned) and one.id == visit)
    assert events[began - 1] == reading(9.9, place)


async def test_during_a_visit_each_reading_of_its_place_has_an_entry(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    assert ready.front.state.visit is not None
    place = ready.front.state.visit.delivery.place
    for number in range(100):
        await step(ready, reading(number / 10, place))
        await step(ready, reading(number / 10, "another"))
    found = [one.place for one in entries(ready, FridgeReported) if isinstance(one, FridgeReported)]
    assert found.count(place) == 100
    assert found.count("another") <= SOURCE_BURST_ENTRIES


async def test_a_wrong_code_that_counts_always_has_its_entry(ready: ShellBox) -> None:
    for _ in range(3):
        for number in range(60):
            await step(ready, reading(number))
    ready.time.mono += 30
    await step(ready, e.Scanned(id="s1", scanner="scanner", code="wrong-1"))
    (scan,) = (one for one in ready.journal.steps if isinstance(one.event, e.Scanned))
    assert [one.refusal for one in scan.commands if isinstance(one, c.AnswerScan)] == [Refusal.UNKNOWN_CODE]


async def test_scans_that_have_no_entry_are_decided_one_in_a_turn_of_the_loop(ready: ShellBox) -> None:
    def answered() -> int:
        return ready.order.count("perform AnswerScan")

    for number in range(100):
        await step(ready, e.Scanned(id=f"s{number}", scanner="scanner", code=f"wrong-{number}"))
    before, most = answered(), 0
    for number in range(40):
        ready.front.post(e.Scanned(id=f"t{number}", scanner="scanner", code=f"more-{number}"))
    async with asyncio.timeout(30):
        while (so_far := answered()) < before + 40:
            await asyncio.sleep(0)
            most = max(most, answered() - so_far)
    assert most == 1

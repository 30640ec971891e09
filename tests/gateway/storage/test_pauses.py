"""The store, on a real file: pauses outlive a restart, are told in the log, and are forgotten when they are over."""

import json
from dataclasses import replace
from pathlib import Path

from gateway.domain.pause import PauseRefusal, PlannedPause
from gateway.domain.visit.events import FactsChanged
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import IN_WINDOW, open_store, receive, reserve_step, visit_delivery
from tests.gateway.domain.delivery.shop import NOW, make_offer, noon_plus


async def planned(
    store: Store, start: float, end: float, entrance: str | None = "front", ident: str = "p1"
) -> PlannedPause:
    """Hours after noon."""
    new = PlannedPause(
        id=ident, entrance=entrance, start=noon_plus(hours=start).utc, end=noon_plus(hours=end).utc, by="anna"
    )
    outcome = await store.pauses.plan(new, NOW)
    assert isinstance(outcome, PlannedPause), outcome
    return outcome


async def test_a_pause_outlives_a_restart_and_is_this_entrance_s_or_everybody_s(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        front = await planned(store, 1, 2)
        everywhere = await planned(store, 3, 4, None, "p2")
    async with open_store(tmp_path) as store:
        assert store.pauses.planned(NOW) == (front, everywhere)
        assert store.pauses.of_entrance("front") == (front.pause, everywhere.pause)
        assert store.pauses.of_entrance("garage") == (everywhere.pause,)


async def test_one_that_should_have_begun_begins_now(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert (await planned(store, -1, 2)).start == NOW.utc


async def test_what_is_no_pause_changes_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        stands = await planned(store, 1, 2)
        before = store.log.head()
        for new, no in (
            (replace(stands, id="p2"), PauseRefusal.OVERLAPS),
            (replace(stands, id="p2", start=stands.end, end=stands.start), PauseRefusal.BACKWARDS),
            (replace(stands, id="p2", start=noon_plus(hours=-3).utc, end=noon_plus(hours=-2).utc), PauseRefusal.PAST),
        ):
            assert await store.pauses.plan(new, NOW) is no
        assert await store.pauses.end("nobody", NOW) is PauseRefusal.UNKNOWN
        assert store.log.head() == before
        assert store.pauses.planned(NOW) == (stands,)


async def test_ended_it_is_gone_also_after_a_restart(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        stands = await planned(store, 1, 2)
        assert await store.pauses.end("p1", NOW, by="bruno") == stands
        assert await store.pauses.end("p1", NOW, by="bruno") is PauseRefusal.UNKNOWN
    async with open_store(tmp_path) as store:
        assert store.pauses.planned(NOW) == ()


async def test_the_log_tells_who_paused_and_who_ended_it(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        since = store.log.head().seq
        await planned(store, 1, 2)
        await store.pauses.end("p1", NOW, by="bruno")
        rows = [json.loads(entry.body) for entry in store.log.entries(after=since) if isinstance(entry.body, bytes)]
    assert [(row["kind"], row["by"], row["entrance"], row["id"]) for row in rows] == [
        ("pause", "anna", "front", "p1"),
        ("pause_ended", "bruno", "front", "p1"),
    ]
    assert (rows[0]["start"], rows[0]["end"]) == ("2026-06-10T13:00:00.000000Z", "2026-06-10T14:00:00.000000Z")


async def test_what_is_over_is_forgotten_but_never_by_a_clock_that_is_not_trusted(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await planned(store, 1, 2)
        over = noon_plus(hours=2)
        unsure = replace(over, trusted=False)
        assert store.pauses.planned(over) == ()
        assert len(store.pauses.planned(unsure)) == 1
        await store.forget(unsure, before=NOW.utc)
        assert len(store.pauses.of_entrance("front")) == 1
        await store.forget(over, before=NOW.utc)
        assert store.pauses.of_entrance("front") == ()


async def test_an_intent_that_a_pause_overtook_is_rolled_back_and_told_why(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        intent = reserve_step(visit_delivery(store))
        stands = await planned(store, 1.5, 2.5)
        outcome = await store.commit(intent)
        assert isinstance(outcome, FactsChanged)
        assert outcome.pauses == (stands.pause,)
        assert visit_delivery(store, now=IN_WINDOW).openings_left == 1
        await store.pauses.end("p1", NOW)
        assert not isinstance(await store.commit(intent), FactsChanged)

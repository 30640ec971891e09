"""Scans that were turned away: scans that follow each other are one row, and the rows are limited."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance, Phase
from gateway.storage import turned_away as turned_away_rows
from gateway.storage.models import AccountResult, HouseOffer
from gateway.storage.store import Store
from gateway.storage.turned_away import TurnedAway
from gateway.storage.visit_list import VisitFilter
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOW, make_home, make_offer
from tests.gateway.people import digest, newcomer, sign_in_entry
from tests.shell.house import entrance_in_visit
from tests.shell.house import make_home as make_shell_home

UNKNOWN, HOME = Refusal.UNKNOWN_CODE, Refusal.HOUSEHOLD_PRESENT


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "perron.sqlite", home=make_home(), now=NOW)
    yield opened
    await opened.close()


def later(**passed: float) -> Now:
    return replace(NOW, utc=NOW.utc + timedelta(**passed))


async def refuse(
    store: Store, refusal: Refusal, now: Now = NOW, *, delivery: str | None = None, entrance: str = "front"
) -> None:
    answer = c.AnswerScan(scan="s", scanner="scanner", answer=c.ScanAnswer.NO, refusal=refusal, delivery=delivery)
    await store.commit(make_step(Entrance(id=entrance), answer, now=now))


def rows(store: Store) -> tuple[TurnedAway, ...]:
    return store.turned_away.page(VisitFilter(), since=None, before=None, at_most=5000)


async def test_scans_that_follow_each_other_are_one_row_with_their_number(store: Store) -> None:
    for minutes in (0, 10, 20):
        await refuse(store, HOME, later(minutes=minutes), delivery="shop.d1")
    (row,) = rows(store)
    assert (row.scans, row.first, row.last) == (3, NOW.utc, NOW.utc + timedelta(minutes=20))
    await refuse(store, HOME, later(minutes=36), delivery="shop.d1")
    assert [row.scans for row in rows(store)] == [1, 3], "he came back a quarter of an hour later"


async def test_another_entrance_reason_or_delivery_has_its_own_row(store: Store) -> None:
    await receive(store, make_offer(), now=NOW)
    await refuse(store, HOME, delivery="shop.d1")
    await refuse(store, HOME, delivery="shop.d2")
    await refuse(store, Refusal.PAUSED, delivery="shop.d1")
    await refuse(store, HOME, delivery="shop.d1", entrance="garage")
    await refuse(store, UNKNOWN)
    found = [(row.entrance, row.refusal, row.brand, row.carrier) for row in reversed(rows(store))]
    assert found == [
        ("front", HOME, "shop", "Colissimo"), ("front", HOME, "shop", None),
        ("front", Refusal.PAUSED, "shop", "Colissimo"), ("garage", HOME, "shop", "Colissimo"),
        ("front", UNKNOWN, None, None),
    ]  # fmt: skip


async def test_a_day_of_unknown_numbers_is_a_few_rows(store: Store) -> None:
    for minutes in range(0, 24 * 60, 30):
        await refuse(store, UNKNOWN, later(minutes=minutes))
    assert [row.scans for row in rows(store)] == [24, 24], "no row goes on for longer than half a day"


async def test_a_refusal_during_a_visit_and_one_of_a_walk_test_are_not_noted(store: Store, tmp_path: Path) -> None:
    busy = c.AnswerScan(scan="s", scanner="scanner", answer=c.ScanAnswer.NO, refusal=Refusal.BUSY, delivery="shop.d1")
    await store.commit(make_step(entrance_in_visit(make_shell_home(tmp_path), Phase.INSIDE), busy))
    await refuse(store, HOME, delivery="walk-test.front")
    await store.commit(make_step(Entrance(id="front"), replace(busy, answer=c.ScanAnswer.GO, refusal=None)))
    assert rows(store) == ()


async def test_the_oldest_rows_go_beyond_the_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_away_rows, "MAX_ROWS", 3)
    for number in range(5):
        await refuse(store, HOME, delivery=f"shop.d{number}")
    assert [row.delivery for row in rows(store)] == ["shop.d4", "shop.d3", "shop.d2"]


async def test_a_stranger_who_scans_nonsense_for_weeks_pushes_no_delivery_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turned_away_rows, "MAX_ROWS", 3)
    await refuse(store, HOME, delivery="shop.d1")
    for number in range(1, 6):
        await refuse(store, UNKNOWN, later(hours=2 * number))
    assert [row.delivery for row in rows(store)] == [None, None, None, "shop.d1"]


async def test_they_are_forgotten_with_the_films_of_their_time(store: Store) -> None:
    await refuse(store, UNKNOWN)
    await refuse(store, UNKNOWN, later(days=2))
    await store.forget(later(days=3), before=NOW.utc + timedelta(days=1))
    (row,) = rows(store)
    assert row.last == NOW.utc + timedelta(days=2)


async def test_the_next_household_does_not_learn_who_came_before(store: Store) -> None:
    await refuse(store, UNKNOWN)
    await store.accounts.set_claim_code(digest("code"), NOW)
    await store.accounts.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
    offer = HouseOffer(id="o", secret=digest("o"), by="p-anna", made=NOW.utc, leaves_films=True)
    await store.handover.set_offer(offer, NOW)
    taken = await store.handover.accept_offer(offer, newcomer("Clara"), sign_in_entry("clara"), NOW)
    assert taken is AccountResult.DONE
    assert rows(store) == ()

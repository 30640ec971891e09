"""The list of past visits: a page at a time, quick whatever their number, and from the store of any release."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.storage.database import Database, to_micros
from gateway.storage.store import Store
from gateway.storage.visit_list import VisitFilter, VisitSummary, list_visits
from tests.gateway.domain.delivery.shop import NOW, make_home

DATABASES = sorted((Path(__file__).parents[1] / "databases").glob("*.sqlite"))
BEGAN = datetime(2026, 6, 1, 12, tzinfo=UTC)
MANY = 3000
STEPS_A_VISIT = 60  # instructions of SQLite: each visit is sorted, and the log is read for those of the page only
ALL = VisitFilter()


def write_visits(db: Database) -> None:
    """Write many visits with a log each, every seventh with an alarm, as `gateway/storage/decisions.py` does."""
    step = {"kind": "step", "at": "2026-06-01T12:00:00.000000Z", "padding": "x" * 600, "commands": []}
    alarm = step | {"commands": [{"code": "door_forced_open", "command": "Alarm", "detail": ""}]}
    quiet, loud = (json.dumps(row, sort_keys=True, separators=(",", ":")).encode() for row in (step, alarm))
    seq = db.number("SELECT ifnull(max(seq), 0) FROM entry")
    for number in range(MANY):
        visit, began = f"v{number:05}", to_micros(BEGAN + timedelta(minutes=number))
        db.insert("film", visit=visit, part=1, entrance="front", delivery=f"shop.d{number}", began=began, sealed=began)
        for place in range(20):
            seq += 1
            body = loud if number % 7 == 0 and place == 15 else quiet
            db.insert("entry", seq=seq, at=began, kind="step", entrance="front", visit=visit, body=body, hash=bytes(32))


async def test_a_page_of_thousands_of_visits_takes_few_steps_and_each_visit_is_listed_once(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "perron.sqlite", home=make_home(), now=NOW)
    try:
        await store.recordings.write(write_visits)
        seen: list[VisitSummary] = []
        after = None
        while page := store.visits.page(ALL, after=after, at_most=50):
            seen += page
            after = page[-1].cursor
        assert [visit.visit for visit in seen] == [f"v{number:05}" for number in reversed(range(MANY))]
        assert sum(len(visit.alarms) == 1 for visit in seen) == len(range(0, MANY, 7))
        assert await store.recordings.write(steps_of_a_page) < MANY * STEPS_A_VISIT
    finally:
        await store.close()


def steps_of_a_page(db: Database) -> int:
    """Count what SQLite does for the first page, in instructions of its virtual machine."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 100
        return 0

    db.set_progress_handler(count, 100)
    try:
        assert len(list_visits(db, ALL, after=None, at_most=50)) == 50
    finally:
        db.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize(("brand", "found"), [("shop", 2), ("sh%", 0), ("sho_", 0), ("shop.d", 0), ("", 2)])
async def test_a_brand_is_its_whole_id(tmp_path: Path, brand: str, found: int) -> None:
    def write(db: Database) -> None:
        for number in range(2):
            db.insert("film", visit=f"v{number}", part=1, entrance="front", delivery=f"shop.d{number}", began=number)

    store = await Store.open(tmp_path / "perron.sqlite", home=make_home(), now=NOW)
    try:
        await store.recordings.write(write)
        assert len(store.visits.page(VisitFilter(brand=brand), after=None, at_most=50)) == found
    finally:
        await store.close()


@pytest.mark.parametrize("file", DATABASES, ids=lambda file: file.stem)
async def test_the_store_of_an_earlier_release_still_shows_its_visits(tmp_path: Path, file: Path) -> None:
    copy = tmp_path / "perron.sqlite"
    shutil.copy(file, copy)
    store = await Store.open(copy, home=make_home(), now=NOW)
    try:
        films = {film.visit for film in (*store.recordings.films(), *store.custodies.films())}
        listed = store.visits.page(ALL, after=None, at_most=500)
        assert {visit.visit for visit in listed} == films
        times = store.visits.times(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        assert sorted(times) == sorted(visit.began for visit in listed)
    finally:
        await store.close()

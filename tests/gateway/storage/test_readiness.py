"""How often devices were ready near a window: counted by the hour, forgotten with the rest, in an old database too."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import copy

import pytest

from gateway.storage.models import StoreFailed
from gateway.storage.readiness import ReadinessHour
from gateway.storage.readonly import counted_readiness
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import open_store
from tests.gateway.domain.delivery.shop import NOON, NOW, noon_plus

BEFORE_COUNTS = Path(__file__).parents[1] / "databases" / "0011.sqlite"


async def written(store: Store) -> None:
    """Wait until the writer has stored what was posted before."""
    await store.log.append("after", {}, NOW)


async def test_checks_within_an_hour_are_one_row_for_each_device(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        store.readiness.count("front", {"lock": True, "cam": True}, NOW)
        store.readiness.count("front", {"lock": True, "cam": False}, noon_plus(minutes=59))
        store.readiness.count("front", {"lock": False}, noon_plus(minutes=60))
        store.readiness.count("garage", {"lock": True}, NOW)
        await written(store)
        hours = store.readiness.hours("front")
        assert hours == (
            ReadinessHour(hour=NOON + timedelta(hours=1), device="lock", ready=0, not_ready=1),
            ReadinessHour(hour=NOON, device="cam", ready=1, not_ready=1),
            ReadinessHour(hour=NOON, device="lock", ready=2, not_ready=0),
        )
        assert counted_readiness(tmp_path / "perron.sqlite", "front") == hours, "as `perron survey` reads it"
    async with open_store(tmp_path) as store:
        assert store.readiness.hours("front") == hours


async def test_counts_are_forgotten_when_their_time_is_over(tmp_path: Path) -> None:
    month = noon_plus(days=40)
    async with open_store(tmp_path) as store:
        store.readiness.count("front", {"lock": True}, NOW)
        store.readiness.count("front", {"lock": True}, month)
        await store.forget(month, before=month.utc - timedelta(days=30))
        assert [one.hour for one in store.readiness.hours("front")] == [month.utc]


async def test_an_old_database_counts_from_now_on(tmp_path: Path) -> None:
    file = tmp_path / "perron.sqlite"
    copy(BEFORE_COUNTS, file)
    with pytest.raises(StoreFailed, match="readiness_hour"):
        counted_readiness(file, "front")
    async with open_store(tmp_path) as store:
        assert store.readiness.hours("front") == ()
        store.readiness.count("front", {"lock": True}, NOW)
        await written(store)
        assert [one.checks for one in store.readiness.hours("front")] == [1]


def test_without_a_store_nothing_was_counted(tmp_path: Path) -> None:
    assert counted_readiness(tmp_path / "none.sqlite", "front") == ()


async def test_the_hour_is_that_of_utc_whatever_minute_it_is(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        late = replace(NOW, utc=NOON + timedelta(minutes=59, seconds=59, microseconds=999_999))
        store.readiness.count("front", {"lock": True}, late)
        await written(store)
        assert [one.hour for one in store.readiness.hours("front")] == [NOON]

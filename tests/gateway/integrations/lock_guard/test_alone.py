"""The guard alone with lock and door: the gateway is gone."""

import asyncio
from pathlib import Path

import pytest

from tests.gateway.integrations.lock_guard.yard import guard_testbed
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
SILENT = 2.0  # seconds without the gateway until the guard locks
A_WHILE = 2.0  # seconds in which it would have locked then


async def the_gateway_ends() -> None:
    """The gateway ends; nothing more is heard of it."""
    for task in asyncio.all_tasks():
        if task.get_name() == "gateway":
            task.cancel()


async def test_a_door_that_was_left_unlocked_is_locked_once_it_is_closed(tmp_path: Path) -> None:
    async with guard_testbed(tmp_path, silent=SILENT) as place, place.guard():
        await place.ready()
        await place.unlocks("v1")
        place.residence.doorway.arrive("courier")
        place.residence.doorway.open_door("courier")
        await the_gateway_ends()
        await assert_stays(lambda: place.moves("thrown") == 0, SILENT + A_WHILE, "never while the door is open")
        place.residence.doorway.close_door("courier")
        await wait_until(lambda: place.moves("thrown") == 1)
        assert not place.residence.doorway.in_air


async def test_a_guard_that_was_cut_off_from_the_house_locks_too(tmp_path: Path) -> None:
    async with guard_testbed(tmp_path, silent=SILENT) as place, place.guard():
        await place.ready()
        await place.unlocks("v1")
        place.house.pause()
        try:
            await wait_until(lambda: place.moves("thrown") == 1)
        finally:
            place.house.resume()

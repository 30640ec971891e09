"""A whole house whose box has not one byte left: it locks, alarms and hears its owner, also after a restart.

What the door does is told by the house's own log.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.observers import TIMEOUT_MARGIN_S
from gateway.demo.result import DoorMovement, door_movements
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import Phase
from tests.smalldisk import fill, small_disk
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A run's folder in which the box's own storage is a small disk."""
    with small_disk(tmp_path / "box", "48m"):
        yield tmp_path


async def test_a_box_that_starts_on_a_full_disk_locks_behind_the_courier(folder: Path) -> None:
    async with run_whole_house(folder) as play:
        parcels = await play.announce_delivery()
        await play.scan_codes(parcels)
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        fill(play.plan.home.storage.folder)
        await play.wait_for_alarm(AlarmCode.DISK_FULL)
        await play.kill_gateway()
        await play.wait_for_phase(Phase.INSIDE)
        await play.courier.comes_out()
        await play.wait_for_locked_again()
        assert door_movements(play.log.lines) == (
            DoorMovement.UNLOCKED,
            DoorMovement.OPENED,
            DoorMovement.CLOSED,
            DoorMovement.LOCKED,
        )
        assert play.stage.gateway.deaths == [-9]


async def test_a_broker_that_comes_back_finds_a_box_whose_disk_is_full(folder: Path) -> None:
    async with run_whole_house(folder) as play:
        parcels = await play.announce_delivery()
        await play.scan_codes(parcels)
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        fill(play.plan.home.storage.folder)
        await play.wait_for_alarm(AlarmCode.DISK_FULL)
        await play.stage.broker.crash()
        await play.stage.broker.begin()
        await play.watch.wait_until(
            "the open door", lambda: play.watch.state.get("door") == "open", within=TIMEOUT_MARGIN_S
        )
        await play.courier.comes_out()
        await play.wait_for_locked_again()
        assert door_movements(play.log.lines) == (
            DoorMovement.UNLOCKED,
            DoorMovement.OPENED,
            DoorMovement.CLOSED,
            DoorMovement.LOCKED,
        )
        assert play.stage.gateway.deaths == []


async def test_what_the_owner_stops_on_a_full_disk_stays_stopped_when_there_is_room_again(folder: Path) -> None:
    async with run_whole_house(folder) as play:
        parcels = await play.announce_delivery()
        ballast = fill(play.plan.home.storage.folder)
        await play.kill_gateway()
        await play.wait_for_alarm(AlarmCode.SAFE_MODE)
        await play.owner.send_request("stop")
        await play.watch.wait_until("stopped", lambda: bool(play.watch.state.get("stopped")), within=TIMEOUT_MARGIN_S)
        await play.scan_codes(parcels)
        await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
        ballast.unlink()
        await play.watch.wait_until("room", lambda: bool(play.watch.state.get("disk")), within=TIMEOUT_MARGIN_S)
        await play.owner.send_request("acknowledge")
        await play.watch.wait_until(
            "looked after", lambda: play.watch.state.get("safe_mode") is False, within=TIMEOUT_MARGIN_S
        )
        await play.wait_for_new_scan()  # in which the stop is stored
        await play.kill_gateway()
        await play.wait_until_ready()
        await play.scan_codes(parcels)
        await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
        await play.wait_for_no_opening()
        assert door_movements(play.log.lines) == ()
        assert play.stage.gateway.deaths == [-9, -9]

"""A parcel is let in through a door whose lock, contact and fridge thermometer stand behind Zigbee2MQTT's topics."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devices.simulators.house import ZigbeePlan
from gateway.cli.broker import open_session
from gateway.config.devices import DoorDevice, FridgeDevice, LockDevice
from gateway.demo.observers import Body
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement, door_movements
from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode
from gateway.mqtt.packets import Sent
from gateway.runtime.reconnects import SETTLE_TIME_S
from tests.waiting import assert_stays
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow

ASKED_IN_VAIN_S = SETTLE_TIME_S + 4  # seconds in which the box has asked, and waited for the lock's latency in vain
BRIDGE = ZigbeePlan(report_s=1.0, latency_s=0.1)


def behind_zigbee(plan: DemoPlan) -> DemoPlan:
    """The demo's house with a basic lock, a basic door and a thermometer on a radio."""
    devices = dict(plan.home.devices)
    entrance = plan.home.entrances[plan.entrance]
    lock, door = devices[plan.lock], devices[plan.door]
    fridge = devices["kitchen-fridge"]
    assert isinstance(lock, LockDevice)
    assert isinstance(door, DoorDevice)
    assert isinstance(fridge, FridgeDevice)
    zigbee = {"vendor": "zigbee2mqtt"}
    devices[plan.lock] = lock.model_copy(update={**zigbee, "address": "zigbee2mqtt/front lock", "guarded": False})
    basic = {"answers": False, "heartbeat": 30.0}
    devices[plan.door] = door.model_copy(update={**zigbee, "address": "zigbee2mqtt/front contact", **basic})
    devices["kitchen-fridge"] = fridge.model_copy(update={**zigbee, "address": "zigbee2mqtt/fridge"})
    entrances = {plan.entrance: entrance.model_copy(update={"living_space": False})}
    carried = {entrance.lock, entrance.door, "kitchen-fridge"}
    house = {name: one for name, one in plan.house.devices.items() if name not in carried}
    return replace(
        plan,
        home=plan.home.model_copy(update={"devices": devices, "entrances": entrances}),
        house=plan.house.model_copy(update={"devices": house, "zigbee": BRIDGE}),
    )


@asynccontextmanager
async def zigbee_house(folder: Path) -> AsyncIterator[ScenarioRun]:
    async with run_whole_house(folder, behind_zigbee) as play:
        yield play


async def lost_and_found(play: ScenarioRun) -> None:
    """The bridge starts anew; wait until the box has lost it and found all good again."""
    await play.set_fault("zigbee2mqtt", "restart")
    await play.watch.wait_until("the bridge lost", lambda: not play.watch.state["locked"], within=20)
    await play.watch.wait_until(  # after the settling the lock is asked, and the contact has to speak by itself
        "all good again",
        lambda: play.watch.state["locked"] and play.watch.state["closed"],
        within=SETTLE_TIME_S + 30,
    )


def sets(play: ScenarioRun) -> list[str]:
    return [str(line["set"]) for line in play.log.lines if line["what"] == "zigbee"]


async def test_a_cold_parcel_is_let_in_and_its_bridge_may_start_anew(tmp_path: Path) -> None:
    async with zigbee_house(tmp_path) as play:
        await lost_and_found(play)
        parcels = await play.announce_delivery(place="fridge", max_celsius=8)
        await play.wait_until_ready()  # a contact speaks when it likes: on a slow machine once more after the cameras
        await play.deliver(parcels)
        assert sets(play) == ["UNLOCK", "LOCK"]
        assert door_movements(play.log.lines) == (
            DoorMovement.UNLOCKED,
            DoorMovement.OPENED,
            DoorMovement.CLOSED,
            DoorMovement.LOCKED,
        )
        assert [body["outcome"] for body in play.watch.events("outcome")] == ["delivered"]


async def test_a_thermometer_whose_battery_runs_out_is_told_of_by_the_house_s_broker(tmp_path: Path) -> None:
    async with zigbee_house(tmp_path) as play:
        bridge = play.plan.home.broker.account("zigbee2mqtt")
        async with open_session(bridge, []) as guest:
            for percent in (90, 19, 18):
                body = json.dumps({"temperature": 4.0, "battery": percent}).encode()
                outcome = guest.publish("zigbee2mqtt/fridge", body)
                assert isinstance(outcome, Sent)
                await outcome.acknowledged

        def told() -> list[Body]:
            return [one.body for one in play.watch.seen if one.body.get("about") == "battery_soon"]

        await play.watch.wait_until("the owner told", lambda: len(told()) == 1, within=20)
        await play.watch.wait_until(
            "it is shown", lambda: play.watch.state["batteries"].get("fridge/kitchen-fridge") == "low", within=20
        )
        assert "Réfrigérateur" in str(told()[0]["text"]), "the device has its name in the home's language"
        assert len(told()) == 1, "once"


async def test_a_lock_that_refuses_is_told_of_and_the_unlock_is_never_sent_again(tmp_path: Path) -> None:
    async with zigbee_house(tmp_path) as play:
        await play.set_fault("zigbee2mqtt", "fails")
        parcels = await play.announce_delivery()
        await play.wait_until_ready()
        await play.scan_codes(parcels)
        told = await play.wait_for_alarm(AlarmCode.LOCK_REFUSED, due=play.timing.ring)
        assert "pas répondu à temps" in json.dumps(told, ensure_ascii=False)
        await play.wait_for_refusal(Refusal.NOT_READY)
        await play.set_fault("zigbee2mqtt", "fails", on=False)
        await play.wait_for_locked_again()
        assert sets(play).count("UNLOCK") == 1
        assert door_movements(play.log.lines) == ()


async def test_an_old_lock_in_a_bridge_s_memory_is_never_shown_as_locked(tmp_path: Path) -> None:
    async with zigbee_house(tmp_path) as play:
        for fault in ("kwikset", "asleep"):  # it tells a move by an action alone, and cannot be read
            await play.set_fault("zigbee2mqtt", fault)
        before = len(play.watch.seen)

        def not_locked() -> bool:  # the box asks what cannot be read: "unknown" may follow in the same announcement
            return any(one.kind == "state" and one.body["bolt"] != "locked" for one in play.watch.seen[before:])

        await play.resident.does("turn_key")
        await play.watch.wait_until("unlocked by hand", not_locked, within=20)
        seen = len(play.watch.seen)
        await play.set_fault("zigbee2mqtt", "restart")
        await play.watch.wait_until("the bridge lost", lambda: play.watch.state["bolt"] == "unknown", within=20)

        def never_locked() -> bool:
            return not any(one.kind == "state" and one.body["locked"] for one in play.watch.seen[seen:])

        await assert_stays(never_locked, ASKED_IN_VAIN_S)
        await play.set_fault("zigbee2mqtt", "battery")
        await play.set_fault("zigbee2mqtt", "filtered_cache")
        await play.set_fault("zigbee2mqtt", "battery_first")
        await play.watch.wait_until(
            "a state", lambda: any(one.kind == "state" for one in play.watch.seen[seen:]), within=20
        )
        await assert_stays(never_locked, 1)
        await play.set_fault("zigbee2mqtt", "asleep", on=False)
        await play.resident.does("lock_by_hand")
        await play.watch.wait_until("locked, read from the lock", lambda: play.watch.state["locked"] is True, within=20)

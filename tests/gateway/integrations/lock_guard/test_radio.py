"""Towards the radio: a real configured second broker, Zigbee2MQTT's words, and what stands still or is full."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from devices.reports import LockReport, LockState, OperationError
from gateway.integrations.lock_guard.file import GuardFile, RadioDoor, RadioLock, RadioSection
from gateway.integrations.lock_guard.ledger import LedgerState
from gateway.system.mqtt_settings import BrokerSection
from tests.gateway.integrations.lock_guard.yard import (
    COMMAND_LIFETIME_S,
    DOOR,
    LOCK,
    GuardTestbed,
    guard_testbed,
)
from tests.mosquitto import Mosquitto, radio
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
A_WHILE = 0.5  # seconds in which what was to move would have moved


async def test_a_radio_s_broker_that_stands_still_is_handed_no_unlock_to_deliver_later(tmp_path: Path) -> None:
    async with guard_testbed(tmp_path) as place, place.guard() as process:
        await place.ready()
        place.radio.pause()
        place.box.unlock("v1")
        await wait_until(lambda: OperationError.UNREACHABLE in place.box.refusals())
        place.radio.resume()
        await place.box.answer(LOCK)
        await assert_stays(lambda: place.moves("withdrawn") == 0, A_WHILE)
        assert process.state.counter == 0, "nothing was spent"


async def test_on_a_full_disk_nothing_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_ledger: object, _page: LedgerState) -> None:
        raise OSError(28, "No space left on device")

    async with guard_testbed(tmp_path) as place, place.guard():
        await place.ready()
        with monkeypatch.context() as patched:
            patched.setattr("gateway.integrations.lock_guard.ledger.Ledger.write", full)
            place.box.unlock("v1")
            await wait_until(lambda: OperationError.UNSPECIFIED in place.box.refusals())
        await assert_stays(lambda: place.moves("withdrawn") == 0, A_WHILE)


async def test_a_flood_on_the_house_s_broker_delays_no_locking(tmp_path: Path) -> None:
    async with guard_testbed(tmp_path, silent=2) as place, place.guard():
        await place.ready()
        await place.unlocks("v1")
        for task in asyncio.all_tasks():
            if task.get_name() == "gateway":
                task.cancel()

        async def flood() -> None:
            while True:
                for _ in range(50):
                    await place.attacker.client.publish(f"perron/{LOCK}/set", b"a.b.c", 0)
                await asyncio.sleep(0)

        flooding = asyncio.create_task(flood())
        try:
            await wait_until(lambda: place.moves("thrown") == 1)
        finally:
            flooding.cancel()
            await asyncio.wait([flooding])


@dataclass
class Zigbee:
    """Zigbee2MQTT as the guard sees it: one lock, one contact, and every order that came."""

    client: aiomqtt.Client
    bolt: str = "LOCK"
    orders: list[str] = field(default_factory=list)

    async def serve(self) -> None:
        async for message in self.client.messages:
            topic, asked = message.topic.value, json.loads(bytes(message.payload))
            if topic == "zigbee2mqtt/Front door/set":
                self.orders.append(asked["state"])
                self.bolt = asked["state"]
            if topic.startswith("zigbee2mqtt/Front door/"):
                locked = {"LOCK": "locked", "UNLOCK": "unlocked"}[self.bolt]
                await self.say("Front door", {"state": self.bolt, "lock_state": locked, "battery": 80})
            else:
                await self.say("Contact", {"contact": True})

    async def say(self, name: str, state: object) -> None:
        await self.client.publish(f"zigbee2mqtt/{name}", json.dumps(state).encode(), 1)


@contextlib.asynccontextmanager
async def zigbee(broker: Mosquitto) -> AsyncIterator[Zigbee]:
    async with aiomqtt.Client(
        broker.host, broker.port, username="bridge", password=broker.accounts["bridge"]
    ) as client:
        await client.subscribe("zigbee2mqtt/+/set", 1)
        await client.subscribe("zigbee2mqtt/+/get", 1)
        played = Zigbee(client)
        serving = asyncio.create_task(played.serve())
        try:
            yield played
        finally:
            serving.cancel()
            await asyncio.wait([serving])


def behind_zigbee(place: GuardTestbed, broker: Mosquitto, folder: Path) -> GuardFile:
    return place.file.model_copy(
        update={
            "radio": RadioSection(
                broker=BrokerSection(port=broker.port, username="guard", password_file=folder / "guard.password"),
                lock=RadioLock(vendor="zigbee2mqtt", address="zigbee2mqtt/Front door"),
                door=RadioDoor(vendor="zigbee2mqtt", address="zigbee2mqtt/Contact"),
            )
        }
    )


async def test_a_basic_zigbee_lock_behind_the_configured_broker_becomes_a_guarded_one(tmp_path: Path) -> None:
    async with guard_testbed(tmp_path) as place, radio(tmp_path / "radio") as second, zigbee(second) as bridge:
        async with place.guard(behind_zigbee(place, second, tmp_path / "radio")):
            await place.ready()
            await place.box.answer(DOOR)
            place.box.unlock("v1")
            await wait_until(lambda: bridge.orders == ["UNLOCK"])
            answer = await place.box.answer(LOCK)
            assert isinstance(answer, LockReport)
            assert answer.bolt is LockState.UNLOCKED
            place.box.lock("v1")
            await wait_until(lambda: bridge.orders == ["UNLOCK", "LOCK"])
            orders = [letter for letter in place.attacker.letters if letter.topic.endswith("/set")]
            await asyncio.sleep(COMMAND_LIFETIME_S)
            for letter in orders:
                await place.attacker.say(letter.topic, letter.payload)
            await place.box.answer(LOCK)
            await assert_stays(lambda: bridge.orders == ["UNLOCK", "LOCK"], A_WHILE)
        assert not [letter for letter in place.attacker.letters if letter.topic.startswith("zigbee2mqtt")]

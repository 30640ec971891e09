"""A real Zigbee2MQTT says what `devices/vendors/zigbee2mqtt.py` believes that it says, over a real mosquitto.

Run by `make test-zigbee2mqtt`, which installs it; not part of `make test`. Its radio alone is played (radio.js): the
drivers, the cache, the topics and the log are its own.
"""

import asyncio
import contextlib
import json
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devices.commands import LockDoor, QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    ErrorReport,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    OperationSource,
    Report,
    UnreadablePayload,
)
from devices.vendors import zigbee2mqtt as vendor
from devices.vendors.movement import bare_command
from devices.vendors.words import DeviceRef, TopicSuffix
from devices.vendors.zigbee2mqtt_exposes import UsableKind, read_devices
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import InboundMessage
from gateway.system.mqtt_settings import BrokerSection
from tests.mosquitto import mosquitto
from tests.real.zigbee2mqtt import IEEE, NAME, START_TIMEOUT_S, Zigbee2Mqtt, zigbee2mqtt

DEVICE_REF = DeviceRef(f"zigbee2mqtt/{NAME}", kind="lock")
TOPICS = {topic: channel for channel, topic in vendor.topics(DEVICE_REF).items()}
TIMEOUT_S = 30.0


@dataclass
class BridgeListener:
    """What came over the broker, read as the gateway reads it."""

    guest: ShortSession
    bridge: Zigbee2Mqtt
    messages: list[InboundMessage] = field(default_factory=list)

    async def listen(self) -> None:
        while True:
            self.messages.append(await self.guest.receive())

    def heard(self, since: int = 0) -> list[Report]:
        told = [(TOPICS.get(one.topic), one.payload) for one in self.messages[since:] if not one.retain]
        return [r for c, payload in told if c is not None for r in vendor.decode_report(c, payload, DEVICE_REF)]

    async def until(self, test: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not test():
            assert time.monotonic() < end, f"never came: {what}. Heard: {self.heard()}"
            await asyncio.sleep(0.02)

    async def hears(self, report: Report, since: int = 0) -> None:
        await self.until(lambda: report in self.heard(since), str(report))

    async def started(self, since: int = 0) -> None:
        """Online is said first; what it is asked before it has started is lost."""

        def done() -> bool:
            return any(b"Zigbee2MQTT started!" in one.payload for one in self.messages[since:])

        await self.until(done, "Zigbee2MQTT started!")

    def tell(self, command: UnlockDoor | LockDoor | QueryState) -> int:
        letter = vendor.encode_command(command, DEVICE_REF)
        since = len(self.messages)
        self.guest.publish(vendor.topics(DEVICE_REF)[letter.suffix], letter.payload)
        return since

    async def air(self, **what: object) -> int:
        since = len(self.messages)
        await self.bridge.air(what)
        await asyncio.sleep(0.5)  # what is told over stdin and what over MQTT keep no order among them
        return since

    def states(self, since: int) -> list[dict[str, object]]:
        return [json.loads(m.payload) for m in self.messages[since:] if TOPICS.get(m.topic) is TopicSuffix.STATE]


@contextlib.asynccontextmanager
async def bridge_house(folder: Path, **options: object) -> AsyncIterator[BridgeListener]:
    passwords = {name: secrets.token_hex(8) for name in ("gateway", "zigbee2mqtt")}
    acl = "".join(f"user {name}\ntopic readwrite zigbee2mqtt/#\n" for name in passwords)
    async with mosquitto(passwords, acl, extra="max_packet_size 4194304\n") as broker:
        secret = folder / "gateway.password"
        secret.write_text(passwords["gateway"])
        account = BrokerSection(port=broker.port, username="gateway", password_file=secret)
        async with (
            zigbee2mqtt(folder / "z2m", port=broker.port, password=passwords["zigbee2mqtt"]) as bridge,
            connect_once(account, ["zigbee2mqtt/#"], monotonic=time.monotonic) as guest,
        ):
            ears = BridgeListener(guest, bridge)
            task = asyncio.create_task(ears.listen())
            try:
                await bridge.begin(**options)
                async with asyncio.timeout(START_TIMEOUT_S):
                    await ears.hears(AvailabilityReport(online=True))
                await ears.started()
                yield ears
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await task


async def known_locked(ears: BridgeListener) -> None:
    await ears.hears(LockReport(bolt=LockState.LOCKED), ears.tell(QueryState()))


async def test_its_list_of_devices_names_the_lock_and_what_it_can_do(tmp_path: Path) -> None:
    async with bridge_house(tmp_path) as ears:

        def lists() -> list[bytes]:
            return [one.payload for one in ears.messages if one.topic == "zigbee2mqtt/bridge/devices"]

        await ears.until(lambda: bool(lists()), "bridge/devices")
        found = read_devices(lists()[-1])
        assert not isinstance(found, UnreadablePayload)
        (lock,) = found
        assert (lock.ieee, lock.friendly_name, lock.maker) == (IEEE, NAME, "Danalock")
        assert lock.use(UsableKind.LOCK) is not None
        assert lock.lock is not None
        assert (lock.lock.lock_state, lock.lock.pins) == (True, True)


async def test_it_is_asked_told_to_unlock_and_to_lock_and_says_so(tmp_path: Path) -> None:
    async with bridge_house(tmp_path) as ears:
        await known_locked(ears)
        await ears.hears(LockReport(bolt=LockState.UNLOCKED), ears.tell(bare_command(UnlockDoor)))
        await ears.hears(LockReport(bolt=LockState.LOCKED), ears.tell(bare_command(LockDoor)))


async def test_a_set_is_never_confirmed_by_the_bridge_itself(tmp_path: Path) -> None:
    async with bridge_house(tmp_path) as ears:
        await known_locked(ears)
        await ears.air(mute=True)
        since = ears.tell(bare_command(UnlockDoor))
        await asyncio.sleep(2)
        assert ears.states(since) == []
        await ears.hears(LockReport(bolt=LockState.UNLOCKED), ears.tell(QueryState()))


async def test_an_unlock_by_hand_is_told_beside_the_state_of_before(tmp_path: Path) -> None:
    async with bridge_house(tmp_path) as ears:
        await known_locked(ears)
        since = await ears.air(turn="unlock")
        await ears.hears(LockReport(bolt=LockState.UNLOCKED, source=OperationSource.MANUAL, event=True), since)
        (told,) = ears.states(since)
        assert (told["action"], told["state"]) == ("manual_unlock", "LOCK"), "the trap is real"
        await ears.hears(LockReport(bolt=LockState.UNLOCKED), ears.tell(QueryState()))


async def test_a_failed_order_and_a_failed_question_stand_in_the_log(tmp_path: Path) -> None:
    async with bridge_house(tmp_path) as ears:
        await known_locked(ears)
        await ears.air(asleep=True)
        await ears.hears(ErrorReport(id=None, failure=OperationError.TIMEOUT), ears.tell(bare_command(UnlockDoor)))
        await ears.hears(NoAnswerReport(), ears.tell(QueryState()))


async def test_the_same_failure_twice_in_a_row_is_told_once(tmp_path: Path) -> None:
    async with bridge_house(tmp_path) as ears:
        await known_locked(ears)
        await ears.air(asleep="Data request failed with error: 'No network route' (205)")
        await ears.hears(ErrorReport(id=None, failure=OperationError.UNREACHABLE), ears.tell(bare_command(UnlockDoor)))
        await ears.hears(NoAnswerReport(), ears.tell(QueryState()))
        since = ears.tell(QueryState())
        await asyncio.sleep(2)
        assert NoAnswerReport() not in ears.heard(since)


async def test_a_battery_report_repeats_the_cached_bolt(tmp_path: Path) -> None:
    async with bridge_house(tmp_path) as ears:
        await known_locked(ears)
        since = await ears.air(battery=42)
        await ears.until(lambda: bool(ears.states(since)), "the battery")
        assert ears.states(since)[0]["state"] == "LOCK"


async def test_with_filtered_cache_what_is_published_of_the_bolt_was_just_told(tmp_path: Path) -> None:
    async with bridge_house(tmp_path, filtered_cache=["^state$", "^lock_state$", "^action$"]) as ears:
        await known_locked(ears)
        since = await ears.air(battery=42)
        await ears.until(lambda: bool(ears.states(since)), "the battery")
        assert not {"state", "lock_state"} & set(ears.states(since)[0])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_it_tells_what_it_remembers_as_news_when_it_starts(tmp_path: Path, how: signal.Signals) -> None:
    async with bridge_house(tmp_path) as ears:
        await known_locked(ears)
        await ears.air(mute=True)
        await ears.bridge.end()  # its memory is on disk now
        since = len(ears.messages)
        await ears.bridge.begin()
        await ears.started(since)
        since = len(ears.messages)
        await ears.bridge.end(how)
        await ears.hears(AvailabilityReport(online=False), since)
        since = len(ears.messages)
        await ears.bridge.begin()
        await ears.hears(LockReport(bolt=LockState.LOCKED), since)
        kinds = [
            TOPICS.get(one.topic)
            for one in ears.messages[since:]
            if TOPICS.get(one.topic) in (TopicSuffix.BRIDGE, TopicSuffix.STATE)
        ]
        assert kinds[:2] == [TopicSuffix.BRIDGE, TopicSuffix.STATE], (
            "online first, then its memory, that nobody asked for"
        )

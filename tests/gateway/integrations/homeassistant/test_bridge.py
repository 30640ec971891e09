"""The box and Home Assistant, over a real mosquitto with the accounts and rights of a real house."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devices.reports import DoorReport, DoorState, LockReport, LockState
from gateway.config.broker_acl import access_list
from gateway.config.home import Home, HomeAssistantSection
from gateway.config.topics import HOMEASSISTANT_STATUS_TOPIC, HomeAssistantOrigin, TopicMap
from gateway.integrations.homeassistant.bridge import (
    BIRTH_ANSWER_INTERVAL_S,
    RECORD_FILE,
    HomeAssistantBridge,
    read_record,
)
from gateway.integrations.homeassistant.commands import MAX_REQUESTS
from gateway.mqtt.client import MqttClient, connect_once
from gateway.mqtt.mosquitto import provisioning
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import GATEWAY_BIRTH_AND_WILL
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_offer
from tests.gateway.integrations.homeassistant.played import FakeHomeAssistant
from tests.mosquitto import Mosquitto, mosquitto
from tests.shell.box import AnsweringPublisher, ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.parts import ManualTime
from tests.waiting import assert_stays, wait_until

QUIET = 0.5  # seconds in which what must not come would have come
OPEN = 7300.0
ACCOUNTS = ("gateway", "homeassistant", "auditor")
AUDITOR = "user auditor\ntopic read #\n"  # sees everything


@dataclass
class Stage:
    """A house, its broker, and a box in it whose door is simulated; `ha` is not connected yet."""

    house: Home
    server: Mosquitto
    box: ShellBox
    ha: FakeHomeAssistant

    @contextlib.asynccontextmanager
    async def gateway(self, house: Home | None = None) -> AsyncIterator[HomeAssistantBridge]:
        """The box's line to Home Assistant runs until left, and then is gone as a killed process is."""
        house = house or self.house
        origins, made = TopicMap(house), self.box

        def heard(incoming: InboundMessage) -> None:
            origin = origins.origin(incoming.topic)
            assert isinstance(origin, HomeAssistantOrigin)
            assistant.on_message(origin.entrance, incoming)

        line = MqttClient(
            broker=house.broker,
            subscriptions=[
                s for s in origins.subscriptions if isinstance(origins.origin(s.topic), HomeAssistantOrigin)
            ],
            session_number=made.store.box.next_session_number,
            on_message=heard,
            on_up=lambda _session: assistant.on_connected(),
            on_down=lambda _why: None,
            on_missed=lambda _topic: None,
            monotonic=time.monotonic,
            birth_and_will=GATEWAY_BIRTH_AND_WILL,
        )
        assistant = HomeAssistantBridge(
            house,
            publisher=line,
            clock=made.clock,
            store=made.store,
            entrances=made.entrances,
            submit_request=made.reception.submit_request,
            picture=lambda camera: made.eyes.take_picture(camera, 1.0),
        )
        for name, running in made.entrances.items():
            running.on_commands.append(partial(assistant.on_decision, name))
        tasks = [asyncio.create_task(line.run()), asyncio.create_task(assistant.run())]
        try:
            yield assistant
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def to_the_lock(self) -> list[bytes]:
        return [one.payload for one in self.box.line.on("perron/lock/set")]


def with_section(house: Home, **section: Any) -> Home:  # noqa: ANN401 - any key of the section
    return house.model_copy(update={"homeassistant": HomeAssistantSection(**section)})


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A good day in the middle of a window; whatever Home Assistant may be allowed is allowed."""
    house = with_section(make_home(tmp_path), may=("lock_now", "stop", "somebody_home"), picture="last_visit")
    words = {name: secrets.token_hex(8) for name in ACCOUNTS}
    for name, word in words.items():
        (tmp_path / f"{name}.password").write_text(word)
    async with (
        mosquitto(words, access_list(house) + AUDITOR) as server,
        box(tmp_path, house, time=ManualTime(mono=OPEN)) as made,
    ):
        way = {"port": server.port, "password_file": tmp_path / "gateway.password"}
        house = house.model_copy(update={"broker": house.broker.model_copy(update=way)})
        await receive(made.store, make_offer(), now=NOW)
        async with run_box(made):
            await made.good_day()
            await made.quiet()
            yield Stage(house, server, made, FakeHomeAssistant())


async def test_home_assistant_finds_each_entrance_and_shows_it_as_it_stands(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        await stage.ha.until(lambda: stage.ha.shows("garage") == "LOCKED")
        assert len(stage.ha.devices) == 2
        assert stage.ha.shows("front", "door") == "OFF"
        stage.box.bolt = LockState.UNLOCKED
        stage.box.says("lock", LockReport(bolt=LockState.UNLOCKED))
        await stage.ha.until(lambda: stage.ha.shows("front") == "UNLOCKED")
        stage.box.says("door", DoorReport(door=DoorState.OPEN))
        await stage.ha.until(lambda: stage.ha.shows("front", "door") == "ON")
        assert stage.ha.shows("garage") == "LOCKED"


async def test_a_lock_that_only_says_so_is_not_shown_locked(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        stage.box.bolt = LockState.UNLOCKED  # what it answers when it is asked
        stage.box.says("lock", LockReport(bolt=LockState.UNLOCKED))
        await stage.ha.until(lambda: stage.ha.shows("front") == "UNLOCKED")
        line = stage.box.line
        assert isinstance(line, AnsweringPublisher)
        line.mute = True
        stage.box.says("lock", LockReport(bolt=LockState.LOCKED))
        await stage.ha.until(lambda: stage.ha.shows("front") == "unknown")
        line.mute, stage.box.bolt = False, LockState.LOCKED
        stage.box.says("lock", LockReport(bolt=LockState.UNLOCKED))
        stage.box.says("lock", LockReport(bolt=LockState.LOCKED))
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")


async def test_after_a_birth_everything_is_said_again(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        stage.ha.devices, stage.ha.states = {}, {}
        stage.ha.is_born_again()
        await stage.ha.until(lambda: stage.ha.shows("front") == stage.ha.shows("garage") == "LOCKED")


async def test_a_birth_that_is_stored_is_answered_too_and_a_flood_of_births_but_a_few_times(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        await asyncio.sleep(BIRTH_ANSWER_INTERVAL_S)
        stage.ha.told.clear()
        began = time.monotonic()
        for _ in range(100):
            stage.ha.is_born_again(retain=True)
        await stage.ha.until(lambda: sum(one.topic == HOMEASSISTANT_STATUS_TOPIC for one in stage.ha.told) == 100)
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        await asyncio.sleep(2 * BIRTH_ANSWER_INTERVAL_S)
        answers = sum(one.topic.endswith("_front/config") for one in stage.ha.told)
        assert 1 <= answers <= 1 + (time.monotonic() - began) / BIRTH_ANSWER_INTERVAL_S


async def test_when_the_gateway_is_gone_home_assistant_shows_nothing(stage: Stage) -> None:
    async with stage.ha.connected(stage.house):
        async with stage.gateway():
            await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        await stage.ha.until(lambda: stage.ha.shows("front") == "unavailable")


async def test_a_broker_that_comes_back_without_the_gateway_shows_no_old_locked_door(stage: Stage) -> None:
    async with stage.gateway():
        async with stage.ha.connected(stage.house):
            await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        await stage.server.kill()  # and with it goes the gateway's last will
    await stage.server.start()
    async with stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "unavailable")
        await assert_stays(lambda: stage.ha.shows("front") == "unavailable", QUIET)
        async with stage.gateway():
            await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")


async def test_nothing_but_what_there_is_stays_in_the_broker(stage: Stage) -> None:
    async with stage.gateway():
        async with stage.ha.connected(stage.house):
            await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
            stage.ha.presses("front", b"UNLOCK")
            await stage.ha.until(lambda: stage.ha.events)
        stage.ha.told.clear()
        async with connect_once(stage.house.broker.account("auditor"), ("#",), monotonic=time.monotonic) as guest:
            kept = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIET):
                    while True:
                        message = await guest.receive()
                        kept += [message.topic] if message.retain else []
    discovered = [topic for topic in kept if topic.startswith("homeassistant/device/")]
    assert {*kept} - {*discovered} == {"perron/bridge/state"}
    assert len(discovered) == 2


async def test_unlocking_moves_nothing_and_is_told_and_noted(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        for word in (b"UNLOCK", b"OPEN"):
            stage.ha.presses("front", word)
        await stage.ha.until(lambda: len(stage.ha.events) == 2)
        await assert_stays(lambda: len(stage.ha.events) == 2 and not stage.to_the_lock(), QUIET)
        assert [(one["event_type"], one["asked"]) for one in stage.ha.events] == [
            ("wish_refused", "UNLOCK"),
            ("wish_refused", "OPEN"),
        ]
        assert "delivery" in stage.ha.events[0]["why"]
        assert stage.to_the_lock() == []
        assert stage.ha.shows("front") == "LOCKED"
    noted = [json.loads(entry.body) for entry in stage.box.store.log.entries() if isinstance(entry.body, bytes)]
    said = [(one["asked"], one["by"]) for one in noted if one["kind"] == "wish_refused"]
    assert said == [("UNLOCK", "home-assistant"), ("OPEN", "home-assistant")]


async def test_locking_is_the_owners_own_lock_now(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        stage.box.bolt = LockState.UNLOCKED
        stage.box.says("lock", LockReport(bolt=LockState.UNLOCKED))
        await stage.ha.until(lambda: stage.ha.shows("front") == "UNLOCKED")
        stage.ha.presses("front", b"LOCK")
        await wait_until(stage.to_the_lock)
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKING")
        assert len(stage.to_the_lock()) == 1
        stage.box.bolt = LockState.LOCKED
        stage.box.says("lock", LockReport(bolt=LockState.LOCKED))
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        await stage.ha.until(lambda: stage.ha.events)
        assert stage.ha.events[-1] == {"event_type": "lock_now", "result": "proven"}


async def test_a_stop_counts_at_once_and_nothing_of_home_assistants_lifts_it(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        stage.ha.presses("front", b"STOP")
        await stage.ha.until(lambda: stage.ha.shows("front", "delivery") == "stopped")
        for word in (b"STOP", b"LIFT", b'{"id":"1","do":"lift"}', b"SOMEBODY_HOME"):
            stage.ha.presses("front", word)
        await wait_until(lambda: stage.box.front.state.somebody_home)
        assert stage.box.front.state.stopped
        assert stage.box.store.entrances.stop_state("front").stopped


async def test_what_the_house_file_does_not_name_is_refused(stage: Stage) -> None:
    house = with_section(stage.house, may=())
    async with stage.gateway(house), stage.ha.connected(house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        assert not {"stop", "somebody_home", "picture"} & stage.ha.names("front")
        for word in (b"LOCK", b"STOP", b"SOMEBODY_HOME"):
            stage.ha.presses("front", word)
        await stage.ha.until(lambda: len(stage.ha.events) == 3)
        assert {one["event_type"] for one in stage.ha.events} == {"wish_refused"}
        assert not stage.box.front.state.stopped
        assert stage.to_the_lock() == []


async def test_a_stored_wish_is_never_obeyed(stage: Stage) -> None:
    async with stage.ha.connected(stage.house):
        stage.ha.presses("front", b"STOP", retain=True)  # before the gateway is there
        async with stage.gateway():
            await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
            stage.ha.presses("front", b"STOP", retain=True)  # and live
            await assert_stays(lambda: not stage.box.front.state.stopped, QUIET)
            stage.ha.presses("front", b"", retain=True)


async def test_a_flood_is_rationed_and_delays_nothing(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        for n in range(50):
            stage.ha.presses("front", b"UNLOCK" if n % 2 else bytes([n, 255, 0]))
        stage.ha.presses("garage", b"LOCK")
        await wait_until(lambda: stage.box.entrances["garage"].state.lock_request is not None)
        await stage.ha.until(lambda: stage.ha.events_of("wish_refused") >= MAX_REQUESTS)
        await assert_stays(lambda: stage.ha.events_of("wish_refused") == MAX_REQUESTS, QUIET)
        stage.ha.presses("front", b"STOP")  # in the same flood
        await wait_until(lambda: stage.box.front.state.stopped)
        assert stage.to_the_lock() == []


async def test_a_picture_of_the_courier_outside_goes_with_the_visit_and_names_no_parcel(stage: Stage) -> None:
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
        await stage.box.ring(PARCEL)
        await stage.ha.until(lambda: stage.ha.pictures)
        await stage.ha.until(lambda: stage.ha.shows("front", "delivery") == "ringing")
        assert stage.ha.pictures == [stage.box.eyes.jpeg]
        assert stage.ha.events[0] == {"event_type": "at_the_door"}
        everything = b"".join(one.payload for one in stage.ha.told)
        assert not [word for word in (PARCEL, PARCEL.upper(), "shop") if word.encode() in everything]


async def test_an_entrance_that_is_gone_goes_from_home_assistant(stage: Stage) -> None:
    async with stage.ha.connected(stage.house):
        async with stage.gateway():
            await stage.ha.until(lambda: len(stage.ha.devices) == 2)
        fewer = with_section(stage.house, may=("lock_now",))
        async with stage.gateway(fewer):
            await stage.ha.until(lambda: not {"stop", "picture"} & stage.ha.names("garage"))
            assert "lock" in stage.ha.names("garage")
        async with stage.gateway(stage.house.model_copy(update={"homeassistant": None})):
            await stage.ha.until(lambda: stage.ha.devices == {})
            file = stage.house.storage.folder / RECORD_FILE
            await wait_until(lambda: read_record(file) == {})


async def test_a_record_that_was_damaged_is_told_and_keeps_nothing_from_working(stage: Stage) -> None:
    (stage.house.storage.folder / RECORD_FILE).write_bytes(b'{"homeassistant/device/x/config": [1]')
    async with stage.gateway(), stage.ha.connected(stage.house):
        await stage.ha.until(lambda: stage.ha.shows("front") == "LOCKED")
    assert len(read_record(stage.house.storage.folder / RECORD_FILE)) == 2


def test_the_private_broker_of_such_a_house_knows_home_assistants_account(tmp_path: Path) -> None:
    provisioning.write_house(tmp_path / "b", with_section(make_home(tmp_path)), host="127.0.0.1", port=1883)
    assert (tmp_path / "b" / "homeassistant.password").exists()

"""A real Home Assistant beside a whole house: real broker, real gateway, simulated devices.

Run by `make test-homeassistant`, which installs it; not part of `make test`, whose Home Assistant is played
(tests/gateway/integrations/homeassistant/played.py).
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config.home import Home, HomeAssistantSection
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement, door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT, ScenarioRun
from gateway.domain.delivery.result import Refusal
from gateway.integrations.homeassistant.commands import HomeAssistantCommand
from gateway.integrations.homeassistant.discovery import UNLOCK_REFUSED_TEXT
from gateway.runtime.reconnects import SETTLE_TIME_S
from gateway.system.clock import machine_time
from tests.real.home_assistant import ActionRefused, HomeAssistant, home_assistant
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

PLATFORMS = {
    "lock": "lock",
    "door": "binary_sensor",
    "problem": "binary_sensor",
    "delivery": "sensor",
    "lock_battery": "sensor",
    "door_battery": "sensor",
    "event": "event",
    "picture": "image",
    "stop": "button",
    "somebody_home": "button",
}
SECTION = HomeAssistantSection(may=("lock_now", "stop", "somebody_home"), picture="last_visit")


# Its birth message comes some seconds after its start, and what it tells around that may be of yesterday.
SETTLE_S = 10.0 + SETTLE_TIME_S


def entity(part: str) -> str:
    return f"{PLATFORMS[part]}.perron_perron_demo_front_{part}"


LOCK, DOOR, DELIVERY, EVENT, PICTURE = (
    entity(part)
    for part in (
        "lock",
        "door",
        "delivery",
        "event",
        "picture",
    )
)


@dataclass
class HouseWithHomeAssistant:
    """The house and its Home Assistant, which shows the front door locked."""

    play: ScenarioRun
    ha: HomeAssistant
    folder: Path

    @property
    def moves(self) -> tuple[str, ...]:
        """All that bolt and leaf did, from the house's own log."""
        self.play.log.read_new_lines()
        return door_movements(self.play.log.lines)

    def rewrite(self, change: Callable[[Home], Home]) -> None:
        """Write the house file anew; the gateway reads it at its next start."""
        file = self.folder / "home.yaml"
        home = change(Home.model_validate_json(file.read_text()))
        file.write_text(json.dumps(home.model_dump(mode="json")))


def with_home_assistant(plan: DemoPlan) -> DemoPlan:
    return replace(plan, home=plan.home.model_copy(update={"homeassistant": SECTION}))


@contextlib.asynccontextmanager
async def house_with_home_assistant(folder: Path) -> AsyncIterator[HouseWithHomeAssistant]:
    async with run_whole_house(folder / "house", with_home_assistant) as play:
        password = (folder / "house" / "accounts" / "homeassistant.password").read_text().strip()
        port = play.plan.home.broker.port
        async with home_assistant(folder / "hass", broker=port, password=password) as ha:
            await ha.until(LOCK, "locked")
            yield HouseWithHomeAssistant(play, ha, folder / "house")


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[HouseWithHomeAssistant]:
    async with house_with_home_assistant(tmp_path) as made:
        yield made


async def test_every_entity_of_the_entrance_appears_under_one_device(up: HouseWithHomeAssistant) -> None:
    assert await up.ha.entities() == {entity(part) for part in PLATFORMS}
    (device,) = [one for one in await up.ha.registry("device") if one["manufacturer"] == "Perron"]
    section = up.play.plan.section
    assert device["name"] == section.name
    ours = [one for one in await up.ha.registry("entity") if one["device_id"] == device["id"]]
    assert len(ours) == len({one["unique_id"] for one in ours}) == len(PLATFORMS)
    lock = await up.ha.whole(LOCK)
    assert lock["attributes"]["unlock"] == UNLOCK_REFUSED_TEXT.to("fr")
    assert lock["attributes"]["supported_features"] == 0  # no latch to open
    assert await up.ha.state(DOOR) == "off"
    assert await up.ha.state(entity("problem")) == "off"
    assert await up.ha.state(DELIVERY) in {"idle", "expected"}
    assert await up.ha.state(EVENT) == await up.ha.state(PICTURE) == "unknown"


async def test_a_delivery_is_followed_from_the_bell_to_the_proven_lock(up: HouseWithHomeAssistant) -> None:
    parcels = await up.play.announce_delivery()
    await up.play.deliver(parcels)
    await up.ha.until_seen(lambda: "unlocked" in up.ha.shown(LOCK) and up.ha.shown(LOCK)[-1] == "locked")
    seen = [state for n, state in enumerate(up.ha.shown(LOCK)) if n == 0 or up.ha.shown(LOCK)[n - 1] != state]
    assert [state for state in seen if state in {"locked", "unlocked"}][-2:] == ["unlocked", "locked"]
    assert seen.index("unlocked") < seen.index("locking") < len(seen) - 1
    assert "on" in up.ha.shown(DOOR)
    assert up.moves == MOVES_ONCE_IN_AND_OUT
    await up.ha.until_seen(lambda: "locked_again" in [said.get("event_type") for said in up.ha.told(EVENT)])
    told = [said["event_type"] for said in up.ha.told(EVENT)]
    assert told == ["at_the_door", "unlocked", "inside", "delivered", "locked_again"]
    phases = up.ha.shown(DELIVERY)
    assert [one for one in ("ringing", "unlocked", "inside", "relocking", "locked_again") if one not in phases] == []
    picture = await up.ha.picture(PICTURE)
    assert picture.startswith(b"\xff\xd8")
    codes = (*parcels.codes, parcels.courier_code)
    assert not [code for code in codes if code in json.dumps([up.ha.seen, up.ha.attributes])]


async def test_unlocking_from_home_assistant_opens_nothing(up: HouseWithHomeAssistant) -> None:
    await up.ha.asks("lock.unlock", LOCK)
    await up.ha.until_seen(lambda: up.ha.told(EVENT))
    assert up.ha.told(EVENT) == [{"event_type": "wish_refused", "asked": HomeAssistantCommand.UNLOCK.value}]
    with pytest.raises(ActionRefused):
        await up.ha.asks("lock.open", LOCK)
    await up.play.wait_for_no_opening()
    assert up.moves == ()
    assert set(up.ha.shown(LOCK)) <= {"locked", "unavailable"}  # the latter around its own birth message


async def test_locking_from_home_assistant_is_lock_now_with_its_proof(up: HouseWithHomeAssistant) -> None:
    await up.play.resident.does("turn_key")
    await up.ha.until(LOCK, "unlocked")
    await up.ha.asks("lock.lock", LOCK)
    await up.ha.until(LOCK, "locked")
    assert up.moves == (DoorMovement.UNLOCKED_BY_HAND, DoorMovement.LOCKED)
    await up.ha.until_seen(lambda: up.ha.told(EVENT))
    assert up.ha.told(EVENT)[-1] == {"event_type": "lock_now", "result": "proven"}


async def test_with_the_door_open_locking_from_home_assistant_throws_no_bolt(up: HouseWithHomeAssistant) -> None:
    await up.play.resident.does("turn_key", "open")
    await up.ha.until(DOOR, "on")
    await up.ha.asks("lock.lock", LOCK)
    await up.ha.until_seen(lambda: up.ha.told(EVENT))
    assert up.ha.told(EVENT)[-1] == {"event_type": "lock_now", "result": "door_open"}
    assert DoorMovement.LOCKED not in up.moves
    assert await up.ha.state(LOCK) == "unlocked"


async def test_the_stop_button_keeps_the_courier_out(up: HouseWithHomeAssistant) -> None:
    parcels = await up.play.announce_delivery()
    await up.ha.asks("button.press", entity("stop"))
    await up.ha.until(DELIVERY, "stopped")
    await up.play.courier.does("arrive")
    await up.play.courier.scans(parcels.codes[0])
    await up.play.scan_refused_code(parcels.courier_code, Refusal.STOPPED_BY_OWNER)
    assert up.moves == ()


async def test_a_killed_gateway_shows_as_unavailable_and_everything_is_back_with_it(up: HouseWithHomeAssistant) -> None:
    up.play.stage.gateway.kill()
    await up.ha.until_seen(lambda: "unavailable" in up.ha.shown(LOCK))
    await up.ha.until_seen(lambda: up.ha.shown(LOCK)[-1] == "locked")
    await up.play.stage.gateway.end()
    for part in PLATFORMS:
        await up.ha.until(entity(part), "unavailable")


async def test_a_home_assistant_that_restarts_finds_everything_again(up: HouseWithHomeAssistant) -> None:
    await up.ha.end()
    await up.play.resident.does("turn_key")  # while nobody looks
    await up.ha.begin()
    await up.ha.until(LOCK, "unlocked")
    await up.ha.until(DOOR, "off")
    assert await up.ha.entities() == {entity(part) for part in PLATFORMS}
    assert "locked" not in up.ha.shown(LOCK)


async def test_a_broker_that_comes_back_without_the_gateway_shows_no_old_locked_door(
    up: HouseWithHomeAssistant,
) -> None:
    await up.play.stage.broker.crash()
    await up.ha.until(LOCK, "unavailable")
    await up.play.stage.gateway.end()
    up.ha.forget()
    await up.play.stage.broker.begin()
    await wait_until(lambda: up.ha.shown(DELIVERY), within=60)  # it has connected again, and remembers
    await up.ha.until(LOCK, "unavailable")
    await up.play.stage.gateway.begin()
    await up.ha.until(LOCK, "locked")


async def test_what_is_no_longer_shown_goes_from_home_assistant(up: HouseWithHomeAssistant) -> None:
    fewer = SECTION.model_copy(update={"may": (), "picture": "none"})
    up.rewrite(lambda home: home.model_copy(update={"homeassistant": fewer}))
    up.play.stage.gateway.kill()
    for part in ("stop", "somebody_home", "picture"):
        await up.ha.until(entity(part), "none")
    await up.ha.until(LOCK, "locked")
    up.rewrite(lambda home: home.model_copy(update={"homeassistant": None}))
    up.play.stage.gateway.kill()
    await up.ha.until(LOCK, "none")
    assert await up.ha.entities() == set()
    assert not [one for one in await up.ha.registry("device") if one["manufacturer"] == "Perron"]


# ---- the other way: what Perron receives from it (docs/installer/homeassistant-sensors.md) -------------------------

ENTITIES = """\
input_boolean:
  claire:
  tom:
mqtt_statestream:
  base_topic: homeassistant
  include:
    entities: [input_boolean.claire]
automation:
  - alias: Perron asks where Tom is
    triggers:
      - trigger: mqtt
        topic: perron/tom/get
    actions:
      - action: mqtt.publish
        data:
          topic: perron/tom/result
          qos: 1
          payload: >-
            {{ {'echo': trigger.payload, 'state': states('input_boolean.tom')} | to_json }}
  - alias: Perron hears where Tom is
    triggers:
      - trigger: state
        entity_id: input_boolean.tom
    actions:
      - action: mqtt.publish
        data:
          topic: perron/tom/state
          qos: 1
          payload: "{{ states('input_boolean.tom') }}"
"""
CLAIRE, TOM = "input_boolean.claire", "input_boolean.tom"


def with_presence(plan: DemoPlan) -> DemoPlan:
    """Claire is known by statestream, Tom by an automation of the owner's."""
    document = with_home_assistant(plan).home.model_dump(mode="json")
    entity = {"kind": "presence", "vendor": "homeassistant"}
    document["devices"] |= {
        "claire": {**entity, "address": "homeassistant/input_boolean/claire"},
        "tom": {**entity, "address": TOM},
    }
    document["entrances"]["front"]["presence"] = ["claire", "tom"]
    return replace(plan, home=Home.model_validate(document, strict=False))


async def test_who_is_home_in_home_assistant_keeps_the_door_shut_and_who_is_unknown_too(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path / "house", with_presence) as play:
        password = (tmp_path / "house" / "accounts" / "homeassistant.password").read_text().strip()
        port = play.plan.home.broker.port
        async with home_assistant(tmp_path / "hass", broker=port, password=password, more=ENTITIES) as ha:
            await ha.until(LOCK, "locked")
            await asyncio.sleep(SETTLE_S)
            for action in ("turn_on", "turn_off"):
                await ha.asks(f"input_boolean.{action}", CLAIRE)
                await ha.asks(f"input_boolean.{action}", TOM)
            parcels = await play.announce_delivery()

            for person in (CLAIRE, TOM):
                await ha.asks("input_boolean.turn_on", person)
                await play.wait_for_new_scan()
                await play.scan_refused_code(parcels.codes[0], Refusal.HOUSEHOLD_PRESENT)
                await ha.asks("input_boolean.turn_off", person)

            await ha.end()  # of Claire nobody knows any more
            await play.wait_for_new_scan()
            await play.scan_refused_code(parcels.codes[0], Refusal.NOT_READY)
            await ha.begin()
            await ha.until(LOCK, "locked")
            await asyncio.sleep(SETTLE_S)
            await ha.asks("input_boolean.turn_on", CLAIRE)
            await ha.asks("input_boolean.turn_off", CLAIRE)
            play.log.read_new_lines()
            assert door_movements(play.log.lines) == ()
            await play.wait_for_new_scan()
            await play.deliver(parcels)
            play.log.read_new_lines()
            assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT


async def test_an_alarm_and_a_weak_battery_show(up: HouseWithHomeAssistant) -> None:
    problem, battery = entity("problem"), entity("lock_battery")
    await up.play.set_fault("front-lock", "battery", "low")
    await up.ha.until(battery, "low")
    await up.play.thief.does("force")
    await up.ha.until(problem, "on")
    assert (await up.ha.whole(problem))["attributes"]["problems"]
    await up.ha.until_seen(lambda: {"event_type": "alarm", "code": "door_forced_open"} in up.ha.told(EVENT))
    assert await up.ha.state(LOCK) != "locked"
    assert await up.ha.state(DOOR) == "on"


async def test_somebody_is_home_when_home_assistant_says_so(up: HouseWithHomeAssistant) -> None:
    parcels = await up.play.announce_delivery()
    await up.ha.asks("button.press", entity("somebody_home"))
    await wait_until(lambda: up.play.watch.state.get("somebody_home"), within=20)
    await up.play.courier.does("arrive")
    await up.play.courier.scans(parcels.codes[0])
    await up.play.scan_refused_code(parcels.courier_code, Refusal.HOUSEHOLD_PRESENT)
    assert up.moves == ()


SURROUNDINGS = """\
input_number:
  fridge:
    min: -20
    max: 40
template:
  - sensor:
      - name: Fridge
        unique_id: fridge
        device_class: temperature
        unit_of_measurement: °C
        state: "{{ states('input_number.fridge') }}"
alarm_control_panel:
  - platform: manual
    name: House
    code_arm_required: false
    arming_time: 0
mqtt_statestream:
  base_topic: homeassistant
  include:
    entities: [sensor.fridge, alarm_control_panel.house]
"""
PANEL = "alarm_control_panel.house"


def with_surroundings(plan: DemoPlan) -> DemoPlan:
    """The fridge's thermometer and the alarm panel are Home Assistant's."""
    document = with_home_assistant(plan).home.model_dump(mode="json")
    theirs = {"vendor": "homeassistant"}
    document["devices"] |= {
        "cooler": {**theirs, "kind": "fridge", "address": "homeassistant/sensor/fridge"},
        "house-alarm": {**theirs, "kind": "alarm", "address": "homeassistant/alarm_control_panel/house"},
    }
    front = document["entrances"]["front"]
    front["alarm"], front["places"]["fridge"]["fridge"] = "house-alarm", "cooler"
    return replace(plan, home=Home.model_validate(document, strict=False))


async def test_a_warm_fridge_and_an_armed_panel_in_home_assistant_keep_the_door_shut(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path / "house", with_surroundings) as play:
        password = (tmp_path / "house" / "accounts" / "homeassistant.password").read_text().strip()
        port = play.plan.home.broker.port
        async with home_assistant(tmp_path / "hass", broker=port, password=password, more=SURROUNDINGS) as ha:
            await ha.until(LOCK, "locked")
            await asyncio.sleep(SETTLE_S)
            await ha.asks("alarm_control_panel.alarm_arm_away", PANEL)
            await ha.until(PANEL, "armed_away")
            await ha.asks("alarm_control_panel.alarm_disarm", PANEL)
            await ha.asks("input_number.set_value", "input_number.fridge", value=4)
            await ha.until("sensor.fridge", "4.0")
            parcels = await play.announce_delivery(place="fridge", max_celsius=8.0)
            await play.courier.does("arrive")

            await ha.asks("input_number.set_value", "input_number.fridge", value=12)
            await ha.until("sensor.fridge", "12.0")
            await play.wait_for_new_scan()
            await play.courier.scans(parcels.codes[0])
            await play.scan_refused_code(parcels.courier_code, Refusal.FRIDGE_TOO_WARM)
            await ha.asks("input_number.set_value", "input_number.fridge", value=4)
            await ha.until("sensor.fridge", "4.0")

            await ha.asks("alarm_control_panel.alarm_arm_away", PANEL)
            await ha.until(PANEL, "armed_away")
            await play.wait_for_new_scan()
            await play.courier.scans(parcels.codes[0])
            await play.scan_refused_code(parcels.courier_code, Refusal.NOT_READY)
            await ha.asks("alarm_control_panel.alarm_disarm", PANEL)
            await ha.until(PANEL, "disarmed")

            play.log.read_new_lines()
            assert door_movements(play.log.lines) == ()
            await play.wait_for_new_scan()
            await play.deliver(parcels)
            play.log.read_new_lines()
            assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT


# ---- parcels of the owner's own (docs/owner/own-parcel.md) ---------------------------------------------------------

PARCELS = """\
input_select:
  parcel:
    options: [registered, in_transit, out_for_delivery, delivered]
template:
  - sensor:
      - name: Parcel aggregator incoming parcels
        unique_id: parcels
        state: "1"
        attributes:
          parcels: >-
            {{ [{'carrier': 'Colissimo', 'barcode': '8L20524752032', 'sender': 'A shop', 'receiver': 'Anna',
                 'status': states('input_select.parcel'), 'delivered': false, 'history': []}] }}
"""
STATESTREAM = """\
mqtt_statestream:
  base_topic: homeassistant
  publish_attributes: true
  publish_timestamps: true
  include:
    entities: [sensor.parcel_aggregator_incoming_parcels]
"""
ANSWERS = """\
automation:
  - alias: Perron asks where the parcels are
    triggers:
      - trigger: mqtt
        topic: perron/tracking/get
    actions:
      - action: mqtt.publish
        data:
          topic: perron/tracking/result
          qos: 1
          payload: >-
            {{ {'echo': trigger.payload,
                'parcels': state_attr('sensor.parcel_aggregator_incoming_parcels', 'parcels') or []} | to_json }}
  - alias: Perron hears where the parcels are
    triggers:
      - trigger: state
        entity_id: sensor.parcel_aggregator_incoming_parcels
    actions:
      - action: mqtt.publish
        data:
          topic: perron/tracking/event
          qos: 1
          payload: >-
            {{ {'parcels': state_attr('sensor.parcel_aggregator_incoming_parcels', 'parcels') or []} | to_json }}
"""
STATUS, NUMBER = "input_select.parcel", "8L20524752032"


def with_parcels(address: str) -> Callable[[DemoPlan], DemoPlan]:
    def equipped(plan: DemoPlan) -> DemoPlan:
        document = with_home_assistant(plan).home.model_dump(mode="json")
        document["devices"]["tracking"] = {"kind": "parcels", "vendor": "homeassistant", "address": address}
        document["entrances"]["front"]["living_space"] = False
        document["own_parcels"] = {"without_tap": ["front"]}
        return replace(plan, home=Home.model_validate(document, strict=False))

    return equipped


async def announced(play: ScenarioRun) -> None:
    today = machine_time().date()
    await play.owner.send_request(
        "announce_parcel", number=NUMBER, place="hall", first_day=today.isoformat(),
        last_day=(today + timedelta(days=1)).isoformat(),
    )  # fmt: skip
    await play.watch.wait_for_event("wish", accepted=True)


async def comes_in(play: ScenarioRun) -> None:
    """The parcel is out for delivery: it is expected, and its scan opens."""
    await play.wait_until_expected()
    await play.courier.does("arrive")
    await play.courier.scans(NUMBER)
    await play.wait_for_unlocked()
    await play.courier.goes_in()
    await play.leave_and_seal()
    play.log.read_new_lines()
    assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT


async def test_a_parcel_comes_in_while_the_statestream_says_that_it_is_out_for_delivery(tmp_path: Path) -> None:
    address = "homeassistant/sensor/parcel_aggregator_incoming_parcels"
    async with run_whole_house(tmp_path / "house", with_parcels(address)) as play:
        password = (tmp_path / "house" / "accounts" / "homeassistant.password").read_text().strip()
        port = play.plan.home.broker.port
        more = PARCELS + STATESTREAM
        async with home_assistant(tmp_path / "hass", broker=port, password=password, more=more) as ha:
            await ha.until(LOCK, "locked")
            await asyncio.sleep(SETTLE_S)
            await announced(play)
            await ha.asks("input_select.select_option", STATUS, option="in_transit")
            await ha.until(STATUS, "in_transit")
            await play.scan_refused_code(NUMBER, Refusal.NOT_OUT_FOR_DELIVERY)
            await ha.asks("input_select.select_option", STATUS, option="out_for_delivery")
            await play.wait_until_expected()
            await play.kill_gateway()  # the broker keeps the list, which says nothing about now
            await play.wait_for_new_scan()
            await play.scan_refused_code(NUMBER, Refusal.NOT_OUT_FOR_DELIVERY)
            await ha.asks("input_select.select_option", STATUS, option="registered")
            await ha.until(STATUS, "registered")
            await ha.asks("input_select.select_option", STATUS, option="out_for_delivery")
            await play.wait_for_new_scan()
            await comes_in(play)


async def test_an_automation_that_answers_lets_it_in_after_a_restart_too_and_a_delivery_elsewhere_closes_it(
    tmp_path: Path,
) -> None:
    entity = "sensor.parcel_aggregator_incoming_parcels"
    async with run_whole_house(tmp_path / "house", with_parcels(entity)) as play:
        password = (tmp_path / "house" / "accounts" / "homeassistant.password").read_text().strip()
        port = play.plan.home.broker.port
        more = PARCELS + ANSWERS
        async with home_assistant(tmp_path / "hass", broker=port, password=password, more=more) as ha:
            await ha.until(LOCK, "locked")
            await announced(play)
            await ha.asks("input_select.select_option", STATUS, option="out_for_delivery")
            await ha.until(STATUS, "out_for_delivery")
            await play.wait_until_expected()
            await play.kill_gateway()
            await play.wait_until_expected()  # it asked, and Home Assistant answered
            await ha.asks("input_select.select_option", STATUS, option="delivered")
            await play.wait_for_state("the parcel not expected any more", expecting=False, due=30)
            await ha.asks("input_select.select_option", STATUS, option="out_for_delivery")
            await ha.until(STATUS, "out_for_delivery")
            await play.wait_for_new_scan()
            await play.scan_refused_code(NUMBER, Refusal.CANCELLED)
            play.log.read_new_lines()
            assert door_movements(play.log.lines) == ()

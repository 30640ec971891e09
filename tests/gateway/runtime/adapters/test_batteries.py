"""Every battery that an entrance relies on: whose it is, who tells of it, and where its owner reads it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.reports import BatteryLevel
from devices.vendors.words import TopicSuffix
from gateway.config.broker_acl import access_list
from gateway.config.home import Home, HomeAssistantSection
from gateway.config.topics import DeviceOrigin, TopicMap
from gateway.config.validation import find_problems
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.integrations.homeassistant.discovery import discovery_messages
from gateway.runtime.adapters.batteries import auxiliary_batteries, battery_role
from gateway.runtime.notifications.texts import battery_text
from tests.gateway.runtime.test_entrance_behind_a_radio import radio_home
from tests.shell.box import ShellBox, box, run_box
from tests.shell.site import serve_site
from tests.waiting import wait_until

LOW, GOOD, CRITICAL = BatteryLevel.LOW, BatteryLevel.GOOD, BatteryLevel.CRITICAL
STATE, EVENT, BATTERY = TopicSuffix.STATE, TopicSuffix.EVENT, TopicSuffix.BATTERY


def full_home(folder: Path) -> Home:
    """A house on a radio, whose presence sensor and alarm panel are entities of Home Assistant."""
    document: dict[str, Any] = radio_home(folder).model_dump(mode="json")
    for name, kind, entity in (("claire", "presence", "person/claire"), ("panel", "alarm", "alarm_control_panel/a")):
        battery = {"battery": f"homeassistant/sensor/{name}_battery/state"}
        document["devices"][name] = {
            "vendor": "homeassistant",
            "kind": kind,
            "address": f"homeassistant/{entity}",
            "topics": battery,
        }
    document["entrances"]["front"] |= {"presence": ["claire"], "alarm": "panel"}
    document["entrances"]["garage"] |= {"presence": ["claire"]}
    wired = {"kind": "door", "vendor": "esphome"}
    document["devices"]["garage-door"] = wired
    return Home.model_validate(document, strict=False)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, full_home(tmp_path)) as one:
        yield one


def hears(  # noqa: PLR0913 - who says what, where
    made: ShellBox, entrance: str, device: str, payload: bytes, channel: TopicSuffix, *, retain: bool = False
) -> list[e.BatteryReported]:
    made.hear(device, channel, payload, retain=retain)
    inbox = made.entrances[entrance]._event_queue  # noqa: SLF001 - what waits there is what was heard
    found = [event for event in inbox if isinstance(event, e.BatteryReported)]
    for one in made.entrances.values():
        while queue := one._event_queue:  # noqa: SLF001 - the same
            queue.take()
    return found


def test_the_house_file_takes_a_topic_for_a_battery(tmp_path: Path) -> None:
    house = full_home(tmp_path)
    assert list(find_problems(house)) == []
    heard = TopicMap(house).origin("homeassistant/sensor/claire_battery/state")
    assert heard == DeviceOrigin(devices=("claire",), channel=BATTERY)


@pytest.mark.parametrize(
    ("entrance", "device", "channel", "payload", "whose", "level", "percent"),
    [
        ("front", "lock", STATE, b'{"battery":84}', "lock", GOOD, 84),
        ("front", "door", STATE, b'{"battery":20}', "door", LOW, 20),
        ("front", "signal", STATE, b'{"battery":15}', "signal/signal", LOW, 15),
        ("front", "signal", STATE, b'{"battery_low":true}', "signal/signal", LOW, None),
        ("front", "signal", EVENT, b'{"action":"","battery":9}', "button/signal", CRITICAL, 9),
        ("front", "cooler", STATE, b'{"temperature":4.5,"battery":55}', "fridge/cooler", GOOD, 55),
        ("front", "claire", BATTERY, b"19.0", "presence/claire", LOW, 19),
        ("front", "claire", BATTERY, b"on", "presence/claire", LOW, None),
        ("front", "panel", BATTERY, b"off", "alarm/panel", GOOD, None),
        ("garage", "garage-door", BATTERY, b"7", "door", CRITICAL, 7),
    ],
)
async def test_each_battery_is_heard_as_whose_it_is(  # noqa: PLR0913, PLR0917 - one row of the table
    made: ShellBox,
    entrance: str,
    device: str,
    channel: TopicSuffix,
    payload: bytes,
    whose: str,
    level: BatteryLevel,
    percent: int | None,
) -> None:
    told = e.BatteryReported(device=whose, level=level, percent=percent)
    assert hears(made, entrance, device, payload, channel) == [told]
    old = hears(made, entrance, device, payload, channel, retain=True)
    assert old == ([] if level is GOOD else [e.BatteryReported(device=whose, level=level)]), "old good news is no news"


@pytest.mark.parametrize("payload", [b"unknown", b"unavailable", b"nan", b"", b"101", b"-1", b"full", b"1e2", b"\xff"])
async def test_what_is_no_battery_s_word_tells_nothing(made: ShellBox, payload: bytes) -> None:
    assert hears(made, "front", "claire", payload, BATTERY) == []


async def test_what_two_entrances_share_is_told_of_by_one_of_them(made: ShellBox) -> None:
    assert hears(made, "front", "cooler", b'{"temperature":4.5,"battery":15}', STATE)
    assert hears(made, "garage", "cooler", b'{"temperature":4.5,"battery":15}', STATE) == []
    tellers = [battery_role(made.home, name, "claire", BATTERY) for name in made.home.entrances]
    assert tellers == ["presence/claire", None]


@pytest.mark.parametrize(
    ("detail", "french", "english"),
    [
        ("lock:6", "Serrure, dans 6 jours environ", "Lock, in about 6 days"),
        ("button/bell:2", "Bouton (bell), dans 2 jours environ", "Button (bell), in about 2 days"),
        ("fridge/kitchen-fridge", "Réfrigérateur (kitchen-fridge)", "Fridge (kitchen-fridge)"),
        ("presence/claire", "Capteur de présence (claire)", "Presence sensor (claire)"),
        ("signal/siren", "Lumière et sonnerie de la porte (siren)", "Door light and buzzer (siren)"),
        ("alarm/panel", "Centrale d'alarme (panel)", "Alarm panel (panel)"),
    ],
)
def test_its_owner_reads_whose_it_is(detail: str, french: str, english: str) -> None:
    assert battery_text(detail, "fr") == french
    assert battery_text(detail, "en") == english


def test_home_assistant_is_shown_each_battery_that_may_be_told_of(tmp_path: Path) -> None:
    house = full_home(tmp_path)
    assert auxiliary_batteries(house, "front") == (
        "presence/claire",
        "fridge/cooler",
        "alarm/panel",
        "signal/signal",
        "button/signal",
    )
    assert auxiliary_batteries(house, "garage") == ()
    messages = discovery_messages(house.model_copy(update={"homeassistant": HomeAssistantSection(), "language": "en"}))
    front, garage = (message["components"] for message in messages.values())
    button = front["battery_button_signal"]
    assert button["name"] == "Battery: Button (signal)"
    assert button["value_template"] == "{{ value_json.batteries.get('button/signal', 'None') }}"
    assert button["expire_after"] == 60
    assert {name for name in front if name.startswith("battery_")} == {
        "battery_presence_claire",
        "battery_fridge_cooler",
        "battery_alarm_panel",
        "battery_signal_signal",
        "battery_button_signal",
    }
    assert not [name for name in garage if name.startswith("battery_")]
    ids = [one["unique_id"] for message in messages.values() for one in message["components"].values()]
    assert len(set(ids)) == len(ids)


def test_a_device_may_write_its_own_battery_and_nobody_another_s(tmp_path: Path) -> None:
    document: dict[str, Any] = full_home(tmp_path).model_dump(mode="json")
    document["devices"]["claire"] |= {"address": "person.claire", "topics": {}}
    lines = access_list(Home.model_validate(document, strict=False)).splitlines()
    assert [line for line in lines if line.endswith("/battery")] == [
        "topic write perron/claire/battery",  # an automation of Home Assistant's, which has no account of claire's name
        "pattern write perron/%u/battery",
    ]
    assert lines.index("user homeassistant") < lines.index("topic write perron/claire/battery")


async def test_a_low_battery_of_the_button_is_told_on_page_and_topic_and_refuses_nobody(tmp_path: Path) -> None:
    async with box(tmp_path, full_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        async with site.client(site.owner) as session:
            async with session.get("/", headers={"Accept-Language": "en"}) as page:
                assert "running out" not in await page.text()
            made.hear("signal", EVENT, b'{"action":"","battery":9}')
            await wait_until(lambda: made.front.state.batteries_to_change == {"button/signal"})
            made.hear("signal", EVENT, b'{"action":"","battery":8}')
            await wait_until(lambda: made.front.state.batteries["button/signal"] is CRITICAL)
            async with session.get("/", headers={"Accept-Language": "en"}) as page:
                assert "A battery is running out: Door light" in await page.text()
        said = [json.loads(one.payload) for one in made.line.on("perron/entrance/front/message")]
        assert [one["about"] for one in said] == ["battery_soon"], "once"
        await wait_until(lambda: made.line.on("perron/entrance/front/state"))
        shown = json.loads(made.line.on("perron/entrance/front/state")[-1].payload)
        assert shown["batteries"] == {"button/signal": "critical"}
        assert shown["batteries_soon"] == ["button/signal"]
        steps = [step for step in made.journal.steps if isinstance(step.event, e.BatteryReported)]
        assert [
            command.notification for step in steps for command in step.commands if isinstance(command, c.NotifyOwner)
        ]

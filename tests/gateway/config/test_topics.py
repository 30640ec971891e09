"""Which topic means what, and what may be lost."""

from pathlib import Path

import pytest

from devices.vendors.words import TopicSuffix
from gateway.config.devices import LockDevice
from gateway.config.home import Home, HomeAssistantSection
from gateway.config.loader import load_home_file
from gateway.config.topics import (
    HOMEASSISTANT_STATUS_TOPIC,
    OFFER_TOPIC,
    DeviceOrigin,
    HomeAssistantOrigin,
    OwnerOrigin,
    RetailerOrigin,
    TopicMap,
    device_topic,
)
from gateway.system.mqtt_settings import OverflowPolicy

HOME = Path(__file__).parents[3] / "config" / "home.yaml"


@pytest.fixture
def home() -> Home:
    home = load_home_file(HOME)
    scanner = home.devices["front-scanner"].model_copy(update={"topics": {TopicSuffix.EVENT: "barcode/front"}})
    return home.model_copy(update={"devices": {**home.devices, "front-scanner": scanner}})


def test_every_topic_that_is_heard_has_one_speaker_and_no_wildcard(home: Home) -> None:
    topics = TopicMap(home)
    heard = [subscription.topic for subscription in topics.subscriptions]
    assert len(heard) == len(set(heard)) == 5 * len(home.devices) + len(home.entrances) + 1
    assert not [topic for topic in heard if set(topic) & {"+", "#"}]
    assert all(topics.origin(topic) is not None for topic in heard)


@pytest.mark.parametrize(
    ("topic", "origin"),
    [
        ("perron/front-lock/result", DeviceOrigin(devices=("front-lock",), channel=TopicSuffix.RESULT)),
        ("barcode/front", DeviceOrigin(devices=("front-scanner",), channel=TopicSuffix.EVENT)),
        ("perron/front-scanner/event", None),  # its own topic has taken the place of ours
        ("perron/front-lock/set", None),  # what we say is nothing that we hear
        ("perron/entrance/front/set", OwnerOrigin(entrance="front")),
        ("perron/entrance/garage/set", None),
        (OFFER_TOPIC, RetailerOrigin()),
        ("perron/cellar-lock/state", None),  # never enrolled
    ],
)
def test_who_speaks_is_told_by_the_topic_alone(home: Home, topic: str, origin: object) -> None:
    assert TopicMap(home).origin(topic) == origin


def test_home_assistants_birth_is_heard_by_its_entities_and_by_who_shows_the_house(home: Home) -> None:
    person = {"kind": "presence", "vendor": "homeassistant", "address": "homeassistant/person/claire"}
    devices = {"devices": {"claire": person, "tom": {**person, "address": "homeassistant/person/tom"}}}
    entities = Home.model_validate({"box": "b", "name": "A house", "entrances": {}, **devices})
    both = entities.model_copy(update={"homeassistant": HomeAssistantSection()})
    heard = [subscription.topic for subscription in TopicMap(both).subscriptions]
    assert len(heard) == len(set(heard))
    carried = DeviceOrigin(devices=("claire", "tom"), channel=TopicSuffix.BRIDGE)
    assert TopicMap(both).origin(HOMEASSISTANT_STATUS_TOPIC) == HomeAssistantOrigin(entrance=None, carries=carried)
    assert TopicMap(entities).origin(HOMEASSISTANT_STATUS_TOPIC) == carried
    alone = home.model_copy(update={"homeassistant": HomeAssistantSection()})
    assert TopicMap(alone).origin(HOMEASSISTANT_STATUS_TOPIC) == HomeAssistantOrigin(entrance=None)
    assert TopicMap(alone).origin("perron/ha/front/set") == HomeAssistantOrigin(entrance="front")
    assert TopicMap(home).origin("perron/ha/front/set") is None


def test_only_states_are_wanted_from_before_and_never_a_scanners(home: Home) -> None:
    stored = {s.topic for s in TopicMap(home).subscriptions if s.wants_retained}
    assert "perron/front-lock/state" in stored
    assert "perron/front-scanner/availability" in stored
    assert not stored & {"barcode/front", "perron/front-scanner/state", "perron/front-scanner/result"}
    assert not stored & {
        "perron/front-lock/event",
        "perron/front-lock/result",
        "perron/entrance/front/set",
        OFFER_TOPIC,
    }


def test_the_owners_word_is_never_lost_and_scans_go_first(home: Home) -> None:
    losses = {s.topic: s.overflow for s in TopicMap(home).subscriptions}
    assert losses["perron/entrance/front/set"] is OverflowPolicy.KEEP
    assert losses["barcode/front"] is OverflowPolicy.DROP_AND_COUNT
    assert losses[OFFER_TOPIC] is OverflowPolicy.DROP_AND_COUNT
    assert losses["perron/front-door/state"] is OverflowPolicy.DROP_AND_QUERY


def test_what_is_said_to_a_device_goes_to_its_own_topic(home: Home) -> None:
    assert device_topic(home, "front-lock", TopicSuffix.SET) == "perron/front-lock/set"
    assert device_topic(home, "front-scanner", TopicSuffix.EVENT) == "barcode/front"


def test_a_camera_without_mqtt_is_heard_nowhere_and_those_behind_one_frigate_share_what_it_says(home: Home) -> None:
    frigate = {"vendor": "frigate", "address": ""}
    devices = {
        **home.devices,
        "doorbell": home.devices["doorbell"].model_copy(update=frigate),
        "hall-camera": home.devices["hall-camera"].model_copy(update=frigate),
        "garden-camera": home.devices["doorbell"].model_copy(update={"vendor": "rtsp", "address": ""}),
    }
    topics = TopicMap(home.model_copy(update={"devices": devices}))

    both = DeviceOrigin(devices=("doorbell", "hall-camera"), channel=TopicSuffix.BRIDGE)
    assert topics.origin("frigate/available") == both
    heard = {subscription.topic: subscription.wants_retained for subscription in topics.subscriptions}
    assert heard["frigate/available"], "it is retained, and wanted from before"
    assert not [topic for topic in heard if "camera" in topic or "doorbell" in topic]


def test_where_a_z_wave_lock_tells_its_bolt_and_latch_is_heard(home: Home) -> None:
    lock = LockDevice.model_validate({"kind": "lock", "vendor": "zwave", "address": "zwave/5"})
    behind = home.model_copy(update={"devices": {**home.devices, "front-lock": lock}})
    heard = {one.topic: one for one in TopicMap(behind).subscriptions}
    for part in ("boltStatus", "latchStatus"):
        assert heard[f"zwave/5/98/0/{part}"].wants_retained

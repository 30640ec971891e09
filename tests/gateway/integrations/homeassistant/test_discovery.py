"""The discovery messages, held against what Home Assistant's documentation asks of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.config.home import Home, HomeAssistantSection
from gateway.integrations.homeassistant.discovery import (
    discovery_messages,
    merged_entities,
    published_entities,
    removal_messages,
)
from tests.gateway.domain.delivery import shop
from tests.shell.house import make_home

# What each platform must and may have beside what all may: https://www.home-assistant.io/integrations/<platform>.mqtt/
READ = {"state_topic", "value_template", "json_attributes_topic", "json_attributes_template"}
PLATFORMS: dict[str, tuple[set[str], set[str]]] = {
    "lock": ({"command_topic"}, READ | {"payload_lock", "payload_unlock"}),
    "binary_sensor": ({"state_topic"}, READ | {"device_class", "expire_after"}),
    "sensor": ({"state_topic"}, READ | {"device_class", "options", "expire_after"}),
    "event": ({"state_topic", "event_types"}, set()),
    "image": ({"image_topic"}, {"content_type"}),
    "button": ({"command_topic"}, {"payload_press"}),
}
ALL = {"platform", "unique_id", "default_entity_id", "name", "qos", "icon", "entity_category"}


def asking(folder: Path, **section: Any) -> Home:  # noqa: ANN401 - any key of the section
    return make_home(folder).model_copy(update={"homeassistant": HomeAssistantSection(**section)})


@pytest.fixture
def whole(tmp_path: Path) -> Home:
    return asking(tmp_path, may=("lock_now", "stop", "somebody_home"), picture="last_visit")


def components(made: Home) -> list[dict[str, Any]]:
    return [component for message in discovery_messages(made).values() for component in message["components"].values()]


def test_without_a_section_nothing_is_told(tmp_path: Path) -> None:
    assert discovery_messages(make_home(tmp_path)) == {}


def test_each_entrance_is_one_device_under_the_discovery_prefix(whole: Home) -> None:
    messages = discovery_messages(whole)
    assert len(messages) == len(whole.entrances) == 2
    for topic, message in messages.items():
        assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)
        assert message["device"]["identifiers"] == [topic.split("/")[2]]
        assert message["origin"]["name"]
        assert json.loads(json.dumps(message)) == message
    assert set(discovery_messages(asking(Path("x"), discovery_prefix="ha"))) == {
        t.replace("homeassistant", "ha") for t in messages
    }


def test_two_houses_and_entrances_never_make_one_device(whole: Home) -> None:
    front = whole.entrances["front"]
    one = whole.model_copy(update={"box": "a-b", "entrances": {"c": front}})
    other = whole.model_copy(update={"box": "a", "entrances": {"b-c": front}})
    assert not set(discovery_messages(one)) & set(discovery_messages(other))


def test_every_entity_has_what_its_platform_asks_for_and_nothing_that_it_does_not_know(whole: Home) -> None:
    found = components(whole)
    assert len(found) == 2 * 10
    for component in found:
        must, may = PLATFORMS[component["platform"]]
        assert must <= set(component)
        assert set(component) <= must | may | ALL
        assert component["qos"] == 1
        assert re.fullmatch(rf"{component['platform']}\.[a-z0-9_]+", component["default_entity_id"])


def test_unique_ids_are_unique(whole: Home) -> None:
    ids = [component["unique_id"] for component in components(whole)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", one) for one in ids)


def test_no_topic_has_a_wildcard_and_none_is_a_devices(whole: Home) -> None:
    for entrance, message in zip(whole.entrances, discovery_messages(whole).values(), strict=True):
        topics = {
            value for one in message["components"].values() for key, value in one.items() if key.endswith("_topic")
        }
        assert {topic.rpartition("/")[0] for topic in topics} == {f"perron/ha/{entrance}"}


def test_the_lock_is_never_optimistic_and_has_no_latch_to_open(whole: Home) -> None:
    locks = [component for component in components(whole) if component["platform"] == "lock"]
    assert len(locks) == 2
    for lock in locks:
        assert lock["state_topic"]
        assert not {"payload_open", "optimistic", "retain"} & set(lock)
        assert "Home Assistant" in json.loads(lock["json_attributes_template"])["unlock"]


def test_what_says_how_it_stands_expires_where_the_platform_can(whole: Home) -> None:
    for component in components(whole):
        assert ("expire_after" in component) is (component["platform"] in {"sensor", "binary_sensor"})


def test_only_a_live_word_of_the_gateway_makes_it_available(whole: Home) -> None:
    message = next(iter(discovery_messages(whole).values()))
    assert message["availability_mode"] == "latest"
    ours, bridge, birth = message["availability"]
    assert ours == {"topic": "perron/ha/front/availability"}
    assert (bridge["topic"], bridge["payload_available"]) == ("perron/bridge/state", "-")
    assert birth == {"topic": "homeassistant/status", "payload_available": "-", "payload_not_available": "online"}


def test_names_are_there_in_both_languages_and_all_different(whole: Home) -> None:
    names = {}
    for language in ("fr", "en"):
        spoken = discovery_messages(whole.model_copy(update={"language": language}))
        for message in spoken.values():
            names[language] = [one["name"] for one in message["components"].values()]
            assert len(set(names[language])) == len(names[language]) == 10
    assert names["fr"] != names["en"]


def test_a_button_is_there_only_for_what_may_be_asked(tmp_path: Path) -> None:
    assert not {"stop", "somebody_home"} & set(next(iter(discovery_messages(asking(tmp_path)).values()))["components"])
    some = next(iter(discovery_messages(asking(tmp_path, may=("stop",))).values()))["components"]
    assert (some["stop"]["payload_press"], "somebody_home" in some) == ("STOP", False)


def test_no_picture_goes_out_unless_the_owner_says_so_and_never_one_of_the_inside(tmp_path: Path, whole: Home) -> None:
    assert "picture" not in next(iter(discovery_messages(asking(tmp_path)).values()))["components"]
    front, garage = whole.entrances["front"], whole.entrances["garage"]
    indoors = garage.cameras.model_copy(update={"inside": (front.cameras.outside,)})
    moved = whole.model_copy(
        update={"entrances": {"front": front, "garage": garage.model_copy(update={"cameras": indoors})}}
    )
    messages = discovery_messages(moved)
    assert "picture" not in next(iter(messages.values()))["components"]  # front's outside is garage's inside


def test_nothing_of_a_delivery_is_in_them(whole: Home) -> None:
    told = json.dumps(list(discovery_messages(whole).values()))
    assert not [word for word in (shop.PARCEL, "shop", "Colissimo") if word in told]


def test_an_entrance_that_is_gone_is_taken_back_whole(whole: Home) -> None:
    before = published_entities(discovery_messages(whole))
    one = whole.model_copy(update={"entrances": {"front": whole.entrances["front"]}})
    ((topic, message),) = removal_messages(before, discovery_messages(one))
    assert (topic.endswith("_garage/config"), message) == (True, {})
    gone = dict(removal_messages(before, discovery_messages(whole.model_copy(update={"homeassistant": None}))))
    assert gone == {topic: {} for topic in before}


def test_an_entity_that_is_gone_is_named_once_more_with_its_platform_alone(tmp_path: Path, whole: Home) -> None:
    before = published_entities(discovery_messages(whole))
    fewer = discovery_messages(asking(tmp_path, may=("lock_now", "stop")))
    for topic, message in removal_messages(before, fewer):
        bare = {name: one for name, one in message["components"].items() if set(one) == {"platform"}}
        assert bare == {"picture": {"platform": "image"}, "somebody_home": {"platform": "button"}}
        assert set(message["components"]) - set(bare) == set(fewer[topic]["components"])
    assert len(list(removal_messages(before, fewer))) == 2
    assert list(removal_messages(published_entities(fewer), fewer)) == []


def test_what_was_and_what_is_are_kept_together() -> None:
    assert merged_entities({"t": {"a": "lock"}, "u": {}}, {"t": {"b": "event"}}) == {
        "t": {"a": "lock", "b": "event"},
        "u": {},
    }

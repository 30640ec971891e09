"""docs/reference/mqtt-topics.md lists each topic that the code uses, and no other; its accounts may do what it says."""

import ast
import re
from pathlib import Path
from typing import get_args

from devices.vendors import VENDORS
from devices.vendors.words import DEVICE_CHANNELS, DeviceRef, TopicSuffix
from gateway.config.broker_acl import access_list
from gateway.config.home import HomeAssistantSection
from gateway.config.loader import load_home_file
from gateway.config.topics import (
    BRIDGE_STATE,
    ECHO_TOPIC,
    HOMEASSISTANT_STATUS_TOPIC,
    OFFER_TOPIC,
    entrance_topic,
    homeassistant_topic,
    result_topics,
)
from gateway.hub.boxes.mqtt import ALL_SHARD_TOPICS
from gateway.installation.discovery_scan import BRIDGE_TOPICS, OWN_AVAILABILITY_TOPIC
from gateway.integrations.homeassistant.discovery import object_id
from gateway.integrations.lock_guard.process import ALIVE_TOPIC
from gateway.protocol import box_hub

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "mqtt-topics.md").read_text(encoding="utf-8")
FIRST = re.compile(r"`(?:perron|dn|up|homeassistant|\{base\}|\{prefix\})/[^` ]*`")
ADDRESSES = {
    "frigate": "{base}",
    "homeassistant": "{base}/{domain}/{name}",
    "guard": "{device}",
    "esphome strike": "{base}/switch/{name}",
    "esphome content": "{base}/binary_sensor/{name}",
    "esphome key": "{base}/binary_sensor/{name}",
    "locker": "{base}/compartment/{name}",
    "matter": "{base}/5-1",
}
HOME = load_home_file(ROOT / "config" / "home.yaml")
# What a placeholder of the page is in the house of config/home.yaml.
HERE = {"{entrance}": "front", "{device}": "front-scanner", "{brand}": "cdiscount", "{box}": HOME.box,
        "{prefix}": "homeassistant"}  # fmt: skip


def named() -> set[str]:
    """Every topic on the page; `perron/{lock}/…` and its like only point at others."""
    return {topic.strip("`") for topic in FIRST.findall(PAGE) if "…" not in topic}


def called(function: str) -> set[str]:
    """The last words with which the gateway calls `entrance_topic` or `homeassistant_topic`."""
    found: set[str] = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if function in text else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
                last = node.args[-1]
                assert isinstance(last, ast.Constant), f"{path}:{node.lineno}: name the topic's last word"
                found.add(str(last.value))
    return found


def of_products() -> set[str]:
    """The topics of products that have their own."""
    found: set[str] = set()
    for name, vendor in VENDORS.items():
        for kind in vendor.DEFINITION.kinds:
            address = ADDRESSES.get(f"{name} {kind}", ADDRESSES.get(name, "{base}/{name}"))
            found |= set(vendor.DEFINITION.topics(DeviceRef(address=address, kind=kind)).values())
    return found


def of_the_house() -> set[str]:
    devices = {f"perron/{{device}}/{channel}" for channel in (*DEVICE_CHANNELS, TopicSuffix.SET, TopicSuffix.GET)}
    entrances = {entrance_topic("{entrance}", word) for word in called("entrance_topic") | {"set"}}
    shown = {homeassistant_topic("{entrance}", word) for word in called("homeassistant_topic") | {"set"}}
    config = "{prefix}/device/" + object_id(HOME, "{entrance}").replace(HOME.box, "{box}") + "/config"
    return (
        devices
        | entrances
        | shown
        | {config, OFFER_TOPIC, *result_topics("{brand}"), BRIDGE_STATE, ECHO_TOPIC, HOMEASSISTANT_STATUS_TOPIC}
    )


def of_the_hub() -> set[str]:
    home, via, shard = "{home}", "{via}", "{shard}"
    down = {box_hub.down_topic(home, channel) for channel in get_args(box_hub.DownlinkChannel)}
    up = {box_hub.up_topic(0, home, what).replace("/0/", f"/{shard}/") for what in get_args(box_hub.UplinkChannel)}
    said = box_hub.reply_topic(0, home, via).replace("/0/", f"/{shard}/")
    return {*down, *up, said, box_hub.reply_subscription(via), *ALL_SHARD_TOPICS, f"up/{shard}/+/+"}


def test_the_page_lists_each_topic_of_the_code_and_no_other() -> None:
    discovery = {OWN_AVAILABILITY_TOPIC, *(f"{{base}}/{word}" for word in BRIDGE_TOPICS)}
    assert named() == of_the_house() | of_products() | discovery | of_the_hub() | {ALIVE_TOPIC}


def rows() -> list[tuple[str, list[str], list[str]]]:
    """Topic, accounts that publish, accounts that subscribe: of the tables of the house's broker."""
    house = PAGE[PAGE.index("## The house's broker") : PAGE.index("## A lock behind a guard")]
    found = []
    for line in house.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and re.match(r"`(perron|homeassistant|\{prefix\})/", cells[0]):
            found.append((cells[0].strip("`"), *(re.findall(r"`([^`]+)`", cell) for cell in cells[1:3])))
    return found  # type: ignore[return-value]  # a tuple of a star has no known length


def rights(account: str, lines: list[str]) -> tuple[set[str], set[str]]:
    """What an account may write and read, as the access list says."""
    write: set[str] = set()
    read: set[str] = set()
    whose = ""
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "user":
            whose = rest
        elif kind == "pattern" or whose == account:
            right, _, topic = rest.partition(" ")
            topic = topic.replace("%u", account)
            write |= {topic} if "write" in right else set()
            read |= {topic} if "read" in right else set()
    return write, read


def may(topic: str, allowed: set[str]) -> bool:
    def regex(pattern: str) -> str:
        return re.escape(pattern).replace(r"\+", "[^/]+").replace(r"/\#", "(/.*)?").replace("#", ".*")

    return any(re.fullmatch(regex(pattern), topic) for pattern in allowed)


def test_each_account_of_the_page_may_do_what_the_page_says() -> None:
    home = HOME.model_copy(update={"homeassistant": HomeAssistantSection()})
    lines = access_list(home).splitlines()
    refused = []
    for topic, publish, subscribe in rows():
        for holder, here in HERE.items():
            topic = topic.replace(holder, here)  # noqa: PLW2901 - filled in step by step
            publish = [one.replace(holder, here) for one in publish]  # noqa: PLW2901 - the same
            subscribe = [one.replace(holder, here) for one in subscribe]  # noqa: PLW2901 - the same
        refused += [(topic, one, "write") for one in publish if not may(topic, rights(one, lines)[0])]
        refused += [(topic, one, "read") for one in subscribe if not may(topic, rights(one, lines)[1])]
    assert refused == []
    assert len(rows()) >= 20

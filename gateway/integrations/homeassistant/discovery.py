"""Builds Home Assistant's discovery messages: one device per entrance, in one retained message. Pure.

The format is that of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, as its 2026.2 accepts
it. Home Assistant never keeps showing "locked" when no gateway runs, for these reasons:

* Only the discovery message itself is retained, so no broker repeats an old state.
* The availability is the *latest* message of three topics (`availability_mode: latest`). Only a live "online" of the
  gateway, sent after the state, makes the device available; the gateway's last will ends that.
* The third topic is Home Assistant's own birth message: whenever it has reconnected to a broker, everything is
  unavailable until the gateway has answered. A broker that restarts forgets the last will too, and Home Assistant would
  otherwise show its earlier state again.
* Sensors also expire by themselves (`expire_after`); Home Assistant's locks do not support that.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum, auto
from typing import Any

from devices.reports import BatteryLevel
from gateway.config.home import Home, HomeAssistantSection
from gateway.config.topics import BRIDGE_STATE, HOMEASSISTANT_STATUS_TOPIC, homeassistant_topic
from gateway.integrations.homeassistant.commands import HomeAssistantCommand
from gateway.integrations.homeassistant.state import UNKNOWN, DeliveryEntityState, HomeAssistantEvent
from gateway.runtime.adapters.batteries import auxiliary_batteries
from gateway.system.i18n import Text, _, pgettext

REPEAT_INTERVAL_S = 15.0  # seconds between two publications of everything
EXPIRY_S = 60  # seconds that a sensor keeps its last value, and that a broker keeps an undelivered message
UNUSED_PAYLOAD = "-"  # a payload that is never sent

Message = Mapping[str, Any]
PublishedEntities = Mapping[str, Mapping[str, str]]
"""The published entities: discovery topic -> component -> its platform."""


class HomeAssistantEntity(StrEnum):
    """The entities of an entrance, by their names in the discovery message."""

    LOCK = auto()
    DOOR = auto()
    PROBLEM = auto()
    DELIVERY = auto()
    LOCK_BATTERY = auto()
    DOOR_BATTERY = auto()
    EVENT = auto()
    PICTURE = auto()
    STOP = auto()
    SOMEBODY_HOME = auto()


ENTITY_NAMES: Mapping[HomeAssistantEntity, Text] = {
    HomeAssistantEntity.LOCK: _("Lock"),
    HomeAssistantEntity.DOOR: _("Door"),
    HomeAssistantEntity.PROBLEM: _("Alarm"),
    HomeAssistantEntity.DELIVERY: _("Delivery"),
    HomeAssistantEntity.LOCK_BATTERY: _("Lock battery"),
    HomeAssistantEntity.DOOR_BATTERY: _("Door sensor battery"),
    HomeAssistantEntity.EVENT: _("Event"),
    HomeAssistantEntity.PICTURE: _("Last visit"),
    HomeAssistantEntity.STOP: _("Stop deliveries"),
    HomeAssistantEntity.SOMEBODY_HOME: pgettext("a switch", "Somebody is home"),
}
BATTERY_NAMES: Mapping[str, Text] = {
    "cover": _("Garage door battery"),
    "signal": _("Bell battery"),
    "button": _("Button battery"),
    "scanner": _("Scanner battery"),
    "camera": _("Camera battery"),
    "fridge": _("Thermometer battery"),
    "presence": _("Presence sensor battery"),
    "alarm": _("Alarm panel battery"),
}
"""The devices beside lock and door sensor (`gateway/runtime/adapters/batteries.py`), by kind."""

UNLOCK_REFUSED_TEXT: Text = _("never from Home Assistant: only a permitted delivery opens this door")


def object_id(home: Home, entrance: str) -> str:
    """Return the name of an entrance's device. Ids contain no `_`, so two of them never give the same name."""
    return f"perron_{home.box}_{entrance}"


def discovery_messages(home: Home) -> Mapping[str, Message]:
    """Return every current discovery message: topic -> message; empty without a section in the house file."""
    section = home.homeassistant
    if section is None:
        return {}
    prefix = f"{section.discovery_prefix}/device"
    return {f"{prefix}/{object_id(home, name)}/config": _device_message(home, section, name) for name in home.entrances}


def published_entities(messages: Mapping[str, Message]) -> PublishedEntities:
    """Return the entities in these messages."""
    return {
        topic: {name: component["platform"] for name, component in message["components"].items()}
        for topic, message in messages.items()
    }


def merged_entities(first: PublishedEntities, second: PublishedEntities) -> PublishedEntities:
    """Return the union of both."""
    return {topic: {**first.get(topic, {}), **second.get(topic, {})} for topic in (*first, *second)}


def removal_messages(before: PublishedEntities, messages: Mapping[str, Message]) -> Iterator[tuple[str, Message]]:
    """Yield messages that remove former entities: empty ends a device, a bare platform one entity of it."""
    for topic, components in before.items():
        message = messages.get(topic)
        if message is None:
            yield topic, {}
            continue
        gone = {name: platform for name, platform in components.items() if name not in message["components"]}
        if gone:
            bare = {name: {"platform": platform} for name, platform in gone.items()}
            yield topic, {**message, "components": {**message["components"], **bare}}


def _device_message(home: Home, section: HomeAssistantSection, entrance: str) -> Message:
    ident = object_id(home, entrance)
    return {
        "device": {
            "identifiers": [ident],
            "name": home.entrances[entrance].name,
            "manufacturer": "Perron",
            "model": home.name,
        },
        "origin": {"name": "Perron"},
        "availability": [
            {"topic": homeassistant_topic(entrance, "availability")},
            {
                "topic": BRIDGE_STATE,
                "value_template": "{{ value_json.state }}",
                "payload_available": UNUSED_PAYLOAD,
                "payload_not_available": "offline",
            },
            {
                "topic": HOMEASSISTANT_STATUS_TOPIC,
                "payload_available": UNUSED_PAYLOAD,
                "payload_not_available": "online",
            },
        ],
        "availability_mode": "latest",
        "components": {
            part: {
                "unique_id": f"{ident}_{part}",
                "default_entity_id": f"{component['platform']}.{ident}_{part}".replace("-", "_"),
                "name": name,
                "qos": 1,
                **component,
            }
            for part, name, component in _entities(home, section, entrance)
        },
    }


def _entities(home: Home, section: HomeAssistantSection, entrance: str) -> Iterator[tuple[str, str, Message]]:
    for part, component in _components(home, section, entrance):
        yield part.value, ENTITY_NAMES[part].to(home.language), component
    state = homeassistant_topic(entrance, "state")
    for whose in auxiliary_batteries(home, entrance):
        kind, _, id_ = whose.partition("/")
        read = {"state_topic": state, "value_template": f"{{{{ value_json.batteries.get('{whose}', '{UNKNOWN}') }}}}"}
        name = f"{BATTERY_NAMES[kind].to(home.language)} ({id_})"
        yield f"battery_{kind}_{id_}", name, {**_battery_config(), **read, "expire_after": EXPIRY_S}


def _battery_config() -> dict[str, Any]:
    battery = {"platform": "sensor", "icon": "mdi:battery", "entity_category": "diagnostic"}
    return {**battery, **_enum_config(BatteryLevel)}


Component = tuple[HomeAssistantEntity, dict[str, Any]]


def _components(home: Home, section: HomeAssistantSection, entrance: str) -> Iterator[Component]:
    state, words = homeassistant_topic(entrance, "state"), home.language
    yield (
        HomeAssistantEntity.LOCK,
        {
            "platform": "lock",
            **_value_config(state, HomeAssistantEntity.LOCK),
            "command_topic": homeassistant_topic(entrance, "set"),
            "payload_lock": HomeAssistantCommand.LOCK.value,
            "payload_unlock": HomeAssistantCommand.UNLOCK.value,
            "json_attributes_topic": state,
            "json_attributes_template": f'{{"unlock": "{UNLOCK_REFUSED_TEXT.to(words)}"}}',
        },
    )
    yield (
        HomeAssistantEntity.DOOR,
        {"platform": "binary_sensor", "device_class": "door", **_expiring_config(state, HomeAssistantEntity.DOOR)},
    )
    yield (
        HomeAssistantEntity.PROBLEM,
        {
            "platform": "binary_sensor",
            "device_class": "problem",
            **_expiring_config(state, HomeAssistantEntity.PROBLEM),
            "json_attributes_topic": state,
            "json_attributes_template": "{{ {'problems': value_json.problems} | tojson }}",
        },
    )
    yield (
        HomeAssistantEntity.DELIVERY,
        {
            "platform": "sensor",
            **_enum_config(DeliveryEntityState),
            **_expiring_config(state, HomeAssistantEntity.DELIVERY),
        },
    )
    for part in (HomeAssistantEntity.LOCK_BATTERY, HomeAssistantEntity.DOOR_BATTERY):
        yield part, {**_battery_config(), **_expiring_config(state, part)}
    yield (
        HomeAssistantEntity.EVENT,
        {
            "platform": "event",
            "state_topic": homeassistant_topic(entrance, "event"),
            "event_types": [happening.value for happening in HomeAssistantEvent],
        },
    )
    if publishes_picture(home, entrance):
        picture = homeassistant_topic(entrance, "picture")
        yield HomeAssistantEntity.PICTURE, {"platform": "image", "image_topic": picture, "content_type": "image/jpeg"}
    for part, icon in (
        (HomeAssistantEntity.STOP, "mdi:hand-back-right"),
        (HomeAssistantEntity.SOMEBODY_HOME, "mdi:home-account"),
    ):
        if part.value in section.may:
            press = {
                "command_topic": homeassistant_topic(entrance, "set"),
                "payload_press": HomeAssistantCommand[part.name].value,
            }
            yield part, {"platform": "button", "icon": icon, **press}


def publishes_picture(home: Home, entrance: str) -> bool:
    """Return whether the last visit's picture is published: only on the owner's request, never of the inside."""
    outside = home.entrances[entrance].cameras.outside
    indoors = any(outside in section.cameras.inside for section in home.entrances.values())
    return home.homeassistant is not None and home.homeassistant.picture == "last_visit" and not indoors


def _value_config(topic: str, part: HomeAssistantEntity) -> dict[str, Any]:
    return {"state_topic": topic, "value_template": f"{{{{ value_json.{part} }}}}"}


def _expiring_config(topic: str, part: HomeAssistantEntity) -> dict[str, Any]:
    return {**_value_config(topic, part), "expire_after": EXPIRY_S}


def _enum_config(words: type[StrEnum]) -> dict[str, Any]:
    return {"device_class": "enum", "options": [word.value for word in words]}

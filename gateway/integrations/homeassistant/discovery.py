"""Builds Home Assistant's discovery messages: one device per entrance, in one retained message. Pure.

An entrance with other closures than one door has entities of each closure beside those of the whole entrance.

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

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from devices.reports import BatteryLevel
from gateway.config.closure_names import closure_name, has_named_closures
from gateway.config.closures import entrance_closures, sensor_bindings
from gateway.config.device_names import battery_label
from gateway.config.home import Home, HomeAssistantSection
from gateway.config.topics import BRIDGE_STATE, HOMEASSISTANT_STATUS_TOPIC, homeassistant_topic, inbound_topics
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import ORDER_ROLE, Quantity
from gateway.integrations.homeassistant.closures import COVER_CLASSES, GARAGE, UNKNOWN, closure_entities
from gateway.integrations.homeassistant.commands import HomeAssistantCommand
from gateway.integrations.homeassistant.state import DELIVERY_STATES, EVENT_TYPES
from gateway.runtime.adapters.batteries import auxiliary_batteries
from gateway.system.i18n import Text, _, pgettext

REPEAT_INTERVAL_S = 15.0  # seconds between two publications of everything
EXPIRY_S = 60  # seconds that a sensor keeps its last value, and that a broker keeps an undelivered message
UNUSED_PAYLOAD = "-"  # a payload that is never sent

Message = Mapping[str, Any]
PublishedEntities = Mapping[str, Mapping[str, str]]
"""The published entities: discovery topic -> component -> its platform."""


BUTTONS = (
    ("stop", _("Stop deliveries"), "mdi:hand-back-right"),
    ("somebody_home", pgettext("a switch", "Somebody is home"), "mdi:home-account"),
)
"""The commands that have a button where the house file permits them: command, name and icon."""

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
                "name": component["name"],
                "qos": 1,
                **component,
            }
            for part, component in _components(home, section, entrance).items()
        },
    }


def _components(home: Home, section: HomeAssistantSection, entrance: str) -> dict[str, Message]:
    state, command = homeassistant_topic(entrance, "state"), homeassistant_topic(entrance, "set")

    def entity(name: Text, platform: str, **settings: object) -> Message:
        return {"name": name.to(home.language), "platform": platform, **settings}

    def battery(name: Text, part: str) -> Message:
        levels, read = _enum_config(BatteryLevel), _expiring_config(state, part)
        return entity(name, "sensor", icon="mdi:battery", entity_category="diagnostic", **levels, **read)

    components = {
        "lock": entity(
            _("Lock"),
            "lock",
            **_value_config(state, "lock"),
            command_topic=command,
            payload_lock=HomeAssistantCommand.LOCK.value,
            payload_unlock=HomeAssistantCommand.UNLOCK.value,
            json_attributes_topic=state,
            json_attributes_template=f'{{"unlock": "{UNLOCK_REFUSED_TEXT.to(home.language)}"}}',
        ),
        "door": entity(_("Door"), "binary_sensor", device_class="door", **_expiring_config(state, "door")),
        "problem": entity(
            _("Alarm"),
            "binary_sensor",
            device_class="problem",
            **_expiring_config(state, "problem"),
            json_attributes_topic=state,
            json_attributes_template="{{ {'problems': value_json.problems} | tojson }}",
        ),
        "delivery": entity(
            _("Delivery"), "sensor", **_enum_config(DELIVERY_STATES), **_expiring_config(state, "delivery")
        ),
        "lock_battery": battery(_("Lock battery"), "lock_battery"),
        "door_battery": battery(_("Door sensor battery"), "door_battery"),
        "event": entity(
            _("Event"), "event", state_topic=homeassistant_topic(entrance, "event"), event_types=list(EVENT_TYPES)
        ),
    }
    closures = entrance_closures(home, entrance)
    if has_named_closures(closures):
        names = {binding.name for binding in sensor_bindings(closures)}
        for sensor in ("lock", "door"):
            if sensor not in names:
                del components[f"{sensor}_battery"]
        components |= _closure_components(home, entrance, closures)
    if publishes_picture(home, entrance):
        topic = homeassistant_topic(entrance, "picture")
        components["picture"] = entity(_("Last visit"), "image", image_topic=topic, content_type="image/jpeg")
    for part, button, icon in BUTTONS:
        if part in section.may:
            press = HomeAssistantCommand[part.upper()].value
            components[part] = entity(button, "button", icon=icon, command_topic=command, payload_press=press)
    for role in auxiliary_batteries(home, entrance):
        name = _("Battery: {device}").with_facts(device=battery_label(role) or role)
        components[f"battery_{role.replace('/', '_')}"] = battery(name, f"batteries.get('{role}', '{UNKNOWN}')")
    return components


def _closure_components(home: Home, entrance: str, closures: tuple[AnyClosure, ...]) -> dict[str, Message]:
    """Return the entities of each closure, and of the batteries of its devices."""
    language, topic = home.language, homeassistant_topic(entrance, "state")
    components: dict[str, Message] = {}
    for closure in closures:
        name = closure_name(closures, closure.id, language)
        for part, shape in closure_entities(closure):
            template = {
                "state_topic": topic,
                "value_template": f"{{{{ value_json.closures['{closure.id}']['{part}'] }}}}",
            }
            optional = {"device_class": shape.device_class, "icon": shape.icon}
            lock = {
                "command_topic": homeassistant_topic(entrance, "set"),
                "payload_lock": HomeAssistantCommand.LOCK.value,
                "payload_unlock": HomeAssistantCommand.UNLOCK.value,
            }
            components[f"{closure.id}_{part}"] = {
                "name": shape.name.to(language, closure=name),
                "platform": shape.platform,
                **template,
                **({"expire_after": EXPIRY_S} if shape.platform == "binary_sensor" else {}),
                **{setting: value for setting, value in optional.items() if value is not None},
                **(lock if shape.takes_lock else {}),
            }
    return components | _battery_components(home, entrance, closures)


def _battery_components(home: Home, entrance: str, closures: tuple[AnyClosure, ...]) -> dict[str, Message]:
    """Return the batteries of the closures' devices, each once, without those of `lock` and `door` of the entrance."""
    topic, components, seen = homeassistant_topic(entrance, "state"), dict[str, Message](), set[str]()
    for binding in sensor_bindings(closures):
        reports = any(
            suffix in inbound_topics(home, binding.device) for suffix in home.devices[binding.device].definition.battery
        )
        if binding.device in seen or binding.quantity is Quantity.OBSTRUCTION:
            continue
        seen.add(binding.device)
        if reports and "/" in binding.name:
            closure = closure_name(closures, binding.closure, home.language)
            name = _("{closure}: battery of {device}", closure=closure, device=binding.device).to(home.language)
            components[f"{binding.closure}_{binding.role}_battery"] = {
                "name": name, "platform": "sensor", "icon": "mdi:battery", "entity_category": "diagnostic",
                **_enum_config(BatteryLevel),
                **_expiring_config(topic, f"batteries.get('{binding.name}', '{UNKNOWN}')"),
            }  # fmt: skip
    return components


def _opens_garage_door(closures: tuple[AnyClosure, ...], opener: str) -> bool:
    opened = (one.kind for one in closures if one.devices.get(ORDER_ROLE) == opener)
    return any(COVER_CLASSES.get(kind) == GARAGE for kind in opened)


def publishes_picture(home: Home, entrance: str) -> bool:
    """Return whether the last visit's picture is published: only on the owner's request, never of the inside."""
    outside = home.entrances[entrance].door_camera
    if outside is None:
        return False
    indoors = any(outside in section.cameras.inside for section in home.entrances.values())
    return home.homeassistant is not None and home.homeassistant.picture == "last_visit" and not indoors


def _value_config(topic: str, part: str) -> dict[str, Any]:
    return {"state_topic": topic, "value_template": f"{{{{ value_json.{part} }}}}"}


def _expiring_config(topic: str, part: str) -> dict[str, Any]:
    return {**_value_config(topic, part), "expire_after": EXPIRY_S}


def _enum_config(values: Iterable[str]) -> dict[str, Any]:
    return {"device_class": "enum", "options": [str(value) for value in values]}

"""Maps each MQTT topic to its meaning. Pure; `mqtt/client.py` carries the bytes.

Devices publish on `perron/<id>/state|availability|event|result|battery` and receive on `set` and `get`, unless
`home.yaml` gives them topics of their own. No subscription has a wildcard: the gateway hears enrolled devices only.
The functions raise KeyError for a device that is not in `home.yaml`.
"""

from collections.abc import Mapping
from dataclasses import replace

from devices.vendors.words import DEVICE_CHANNELS, INBOUND_CHANNELS, RETAINED_CHANNELS, TopicSuffix
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

BRIDGE_STATE = "perron/bridge/state"  # the gateway's birth and will
ECHO_TOPIC = "perron/bridge/echo"
HOMEASSISTANT_STATUS_TOPIC = "homeassistant/status"  # its birth message, whatever its discovery prefix is
OFFER_TOPIC = "perron/deliveries/offer"
RESULT_TOPIC = "perron/deliveries/result"


class DeviceOrigin(Frozen):
    """A message of a device, or of the bridge of several `devices`, on this suffix (`channel`) of each."""

    devices: tuple[str, ...]
    channel: TopicSuffix


class OwnerOrigin(Frozen):
    """A request of the owner at an entrance."""

    entrance: str


class RetailerOrigin(Frozen):
    """A retailer's offer, change or cancellation of a delivery."""


class HomeAssistantOrigin(Frozen):
    """A request of Home Assistant at an `entrance`; with None it is Home Assistant's birth message or last will.

    `carries`: the devices that are its entities, for which birth and last will are the bridge's availability.
    """

    entrance: str | None
    carries: DeviceOrigin | None = None


Origin = DeviceOrigin | OwnerOrigin | RetailerOrigin | HomeAssistantOrigin


def device_topic(home: Home, device: str, channel: TopicSuffix) -> str:
    """Return the topic of a device's suffix: that of `home.yaml`, else its product's, else `perron/<id>/<channel>`."""
    return custom_topics(home, device).get(channel, f"perron/{device}/{channel}")


def custom_topics(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Return the topics of a device that are not Perron's: its product's, as changed by `home.yaml`."""
    section = home.devices[device]
    return {**section.product_topics, **section.topics}


def inbound_topics(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Return every topic on which the gateway receives this device; empty if it has no MQTT.

    A product with topics of its own publishes on no topic of Perron's.
    """
    section = home.devices[device]
    if not section.definition.has_mqtt:
        return {}
    custom = custom_topics(home, device)
    standard = {} if section.product_topics else {channel: f"perron/{device}/{channel}" for channel in DEVICE_CHANNELS}
    return {c: topic for c, topic in {**standard, **custom}.items() if c in INBOUND_CHANNELS}


def bridge_base_topic(home: Home, device: str) -> str | None:
    """Return the base topic of the bridge of this device; None if it connects itself.

    It is the common beginning of all topics of the product, which include those of the bridge. Two hubs below one level
    (`nuki/front`, `nuki/garage`) have two base topics, because each connects itself.
    """
    section = home.devices[device]
    if section.definition.base_topic is not None:
        return section.definition.base_topic(section.device_ref)
    split = [topic.split("/") for topic in section.product_topics.values()]
    if not split:
        return None
    shared: list[str] = []
    for words in zip(*(topic[:-1] for topic in split), strict=False):  # the last level is the suffix
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return "/".join(shared) or split[0][0]


def depends_on_lock(home: Home, lock: str, door: str) -> bool:
    """Return whether a door sensor is the lock's own: in one device with it, or with a topic of the lock.

    A lock that is wrong about its bolt may be wrong about its own sensor too. What follows a `#` names a part of one
    device (TaHoma's `io://GATEWAY/ADDRESS#2`).
    """
    lock_section, door_section = home.devices[lock], home.devices[door]
    if door_section.definition.is_behind_guard:  # `guard.yaml` names the sensor, and its validation refuses the same
        return False
    lock_address, door_address = (device.address.partition("#")[0] for device in (lock_section, door_section))
    same_address = (lock_section.vendor, lock_address) == (door_section.vendor, door_address)
    if lock == door or (lock_address and same_address):
        return True
    carriers = [section.definition.carrier(section.device_ref) for section in (lock_section, door_section)]
    if lock_section.vendor == door_section.vendor and carriers[0] is not None and carriers[0] == carriers[1]:
        return True
    shared = set(custom_topics(home, lock).items()) & set(custom_topics(home, door).items())
    return any(channel.value in ("state", "set") for channel, _ in shared)


def result_topics(brand: str | None) -> tuple[str, ...]:
    """Return the topics of a result: the brand's own, if the brand is known, and the common one."""
    return (RESULT_TOPIC,) if brand is None else (f"{RESULT_TOPIC}/{brand}", RESULT_TOPIC)


def entrance_topic(entrance: str, word: str) -> str:
    """Return an entrance's topic; `word` is state, event, message, checkpoint or set."""
    return f"perron/entrance/{entrance}/{word}"


def homeassistant_topic(entrance: str, word: str) -> str:
    """Return a topic between Perron and Home Assistant; `word` is state, availability, event, picture or set."""
    return f"perron/ha/{entrance}/{word}"


READING_KINDS = frozenset({"fridge", "presence", "alarm", "parcels"})  # only the newest message of these devices counts
# With their measurements.
READING_CHANNELS = frozenset({TopicSuffix.STATE, TopicSuffix.RESULT, TopicSuffix.BATTERY, TopicSuffix.PARCELS})


class TopicMap:
    """Maps every topic that the gateway subscribes to, to its origin."""

    def __init__(self, home: Home) -> None:
        self._home = home
        # A flood of another device must not cost them a message.
        self._door_devices = {id_ for section in home.entrances.values() for id_ in section.closure_devices}
        self._origins: dict[str, Origin] = {OFFER_TOPIC: RetailerOrigin()}
        for entrance in home.entrances:
            self._origins[entrance_topic(entrance, "set")] = OwnerOrigin(entrance=entrance)
        if home.homeassistant is not None:
            for entrance in home.entrances:
                self._origins[homeassistant_topic(entrance, "set")] = HomeAssistantOrigin(entrance=entrance)
        retained: set[str] = set()
        for topic, origin in self._device_origins(retained).items():
            carried = home.homeassistant is not None and topic == HOMEASSISTANT_STATUS_TOPIC
            self._origins[topic] = HomeAssistantOrigin(entrance=None, carries=origin) if carried else origin
        if home.homeassistant is not None:
            self._origins.setdefault(HOMEASSISTANT_STATUS_TOPIC, HomeAssistantOrigin(entrance=None))
        self.subscriptions = tuple(
            self._subscription(topic, origin, wants_retained=topic in retained)
            for topic, origin in self._origins.items()
        )

    def _device_origins(self, retained: set[str]) -> Mapping[str, DeviceOrigin]:
        """Return the origin of each device topic; devices behind one bridge share topics.

        It adds the topics whose stored messages count to `retained`: their first device decides.
        """
        origins: dict[str, DeviceOrigin] = {}
        for id_, device in self._home.devices.items():
            for channel, topic in inbound_topics(self._home, id_).items():
                known = origins.get(topic)
                if known is not None:
                    origins[topic] = replace(known, devices=(*known.devices, id_))
                    continue
                origins[topic] = DeviceOrigin(devices=(id_,), channel=channel)
                scans = device.kind == "scanner" and channel is TopicSuffix.STATE
                if channel in RETAINED_CHANNELS and not scans:
                    retained.add(topic)
        return origins

    def _subscription(self, topic: str, origin: Origin, *, wants_retained: bool) -> Subscription:
        devices = origin.carries if isinstance(origin, HomeAssistantOrigin) else origin
        if isinstance(devices, DeviceOrigin):
            overflow, account = self._overflow(devices), self._account(devices)
            return Subscription(topic=topic, wants_retained=wants_retained, overflow=overflow, account=account)
        is_owner = isinstance(origin, OwnerOrigin)
        return Subscription(
            topic=topic,
            wants_retained=False,
            overflow=OverflowPolicy.KEEP if is_owner else OverflowPolicy.DROP_AND_COUNT,
            is_urgent=is_owner or (isinstance(origin, HomeAssistantOrigin) and origin.entrance is not None),
        )

    def _account(self, origin: DeviceOrigin) -> str | None:
        bridge, door = bridge_base_topic(self._home, origin.devices[0]), bool(self._door_devices & set(origin.devices))
        return bridge if bridge is not None and not door else None

    def _overflow(self, origin: DeviceOrigin) -> OverflowPolicy:
        kinds = {self._home.devices[device].kind for device in origin.devices}
        if origin.channel is TopicSuffix.LOG:
            return OverflowPolicy.DROP
        if kinds == {"scanner"} and origin.channel is not TopicSuffix.AVAILABILITY:
            return OverflowPolicy.DROP_AND_COUNT
        is_reading = kinds <= READING_KINDS or origin.channel is TopicSuffix.BATTERY
        if is_reading and origin.channel in READING_CHANNELS and self._door_devices.isdisjoint(origin.devices):
            return OverflowPolicy.KEEP_LATEST
        return OverflowPolicy.DROP_AND_QUERY

    def origin(self, topic: str) -> Origin | None:
        """Return the origin of a message on `topic`; None if the gateway did not subscribe to it."""
        return self._origins.get(topic)

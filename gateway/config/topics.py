"""Maps each MQTT topic to its meaning. Pure; `mqtt/client.py` carries the bytes.

Devices speak on `perron/<id>/state|availability|event|result|battery` and are spoken to on `set` and `get`, unless
`home.yaml` gives them topics of their own. Nothing here has a wildcard: only devices that are enrolled are heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

BRIDGE_STATE = "perron/bridge/state"  # the gateway's birth and will
ECHO_TOPIC = "perron/bridge/echo"
HOMEASSISTANT_STATUS_TOPIC = "homeassistant/status"  # where it says that it has begun, whatever its discovery prefix is
OFFER_TOPIC = "perron/deliveries/offer"
RESULT_TOPIC = "perron/deliveries/result"

DEVICE_CHANNELS = (
    TopicSuffix.STATE,
    TopicSuffix.AVAILABILITY,
    TopicSuffix.EVENT,
    TopicSuffix.RESULT,
    TopicSuffix.BATTERY,
)
BRIDGE_CHANNELS = (TopicSuffix.BRIDGE, TopicSuffix.LOG)  # shared by all devices behind one bridge
PRODUCT_CHANNELS = (TopicSuffix.OPERATION, TopicSuffix.BOLT, TopicSuffix.LATCH)  # topics beside those of ours
INBOUND_CHANNELS = (*DEVICE_CHANNELS, *BRIDGE_CHANNELS, *PRODUCT_CHANNELS)
RETAINED_CHANNELS = frozenset(
    {TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.BRIDGE, TopicSuffix.BATTERY, *PRODUCT_CHANNELS}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOrigin:
    """A device spoke, or what carries several of them: each of `devices` on this `channel` of its own."""

    devices: tuple[str, ...]
    channel: TopicSuffix


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerOrigin:
    """The owner wants something of an entrance."""

    entrance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetailerOrigin:
    """A retailer offers, changes or cancels a delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantOrigin:
    """The owner's Home Assistant wants something of an entrance; None: it says that it has begun or ends.

    `carries`: devices that are entities of it, which hear so that it has begun or ends.
    """

    entrance: str | None
    carries: DeviceOrigin | None = None


Origin = DeviceOrigin | OwnerOrigin | RetailerOrigin | HomeAssistantOrigin


def device_topic(home: Home, device: str, channel: TopicSuffix) -> str:
    """Name the topic of a device's channel: its own from `home.yaml`, else its product's, else `perron/<id>/<channel>`.

    Raises:
        KeyError: no such device.
    """
    return custom_topics(home, device).get(channel, f"perron/{device}/{channel}")


def custom_topics(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Name those of a device's topics that are not Perron's: its product's, and what `home.yaml` says instead.

    Raises:
        KeyError: no such device.
    """
    section = home.devices[device]
    return {**section.product_topics, **section.topics}


def inbound_topics(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Name every topic on which this device is heard; none of one that has no MQTT.

    A product with MQTT of its own speaks on no topic of ours.

    Raises:
        KeyError: no such device.
    """
    section = home.devices[device]
    if not section.definition.has_mqtt:
        return {}
    own = custom_topics(home, device)
    ours = {} if section.product_topics else {channel: f"perron/{device}/{channel}" for channel in DEVICE_CHANNELS}
    return {c: topic for c, topic in {**ours, **own}.items() if c in INBOUND_CHANNELS}


def bridge_base_topic(home: Home, device: str) -> str | None:
    """Name the base topic of what carries this device; None: it speaks for itself.

    It is what all of the product's topics begin with: a bridge's own are among them, so of what stands behind one it
    is the bridge's; two hubs below one word (`nuki/front`, `nuki/garage`) are two, for each connects by itself.
    """
    section = home.devices[device]
    if section.definition.base_topic is not None:
        return section.definition.base_topic(section.device_ref)
    split = [topic.split("/") for topic in section.product_topics.values()]
    if not split:
        return None
    shared: list[str] = []
    for words in zip(*(topic[:-1] for topic in split), strict=False):  # the last word says what is told there
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return "/".join(shared) or split[0][0]


def result_topics(brand: str | None) -> tuple[str, ...]:
    """Name where a result is told: the brand's own topic, where one is known, and the one that all of them share."""
    return (RESULT_TOPIC,) if brand is None else (f"{RESULT_TOPIC}/{brand}", RESULT_TOPIC)


def entrance_topic(entrance: str, word: str) -> str:
    """Name an entrance's topic; `word` is state, event, message, checkpoint or set."""
    return f"perron/entrance/{entrance}/{word}"


def homeassistant_topic(entrance: str, word: str) -> str:
    """Name a topic between us and Home Assistant; `word` is state, availability, event, picture or set."""
    return f"perron/ha/{entrance}/{word}"


def _homeassistant_origins(home: Home) -> Mapping[str, HomeAssistantOrigin]:
    if home.homeassistant is None:
        return {}
    asked = {
        homeassistant_topic(entrance, "set"): HomeAssistantOrigin(entrance=entrance) for entrance in home.entrances
    }
    return {HOMEASSISTANT_STATUS_TOPIC: HomeAssistantOrigin(entrance=None), **asked}


READING_KINDS = frozenset({"fridge", "presence", "alarm"})  # kinds of devices whose newest message says all that counts

READING_CHANNELS = frozenset(
    {TopicSuffix.STATE, TopicSuffix.RESULT, TopicSuffix.BATTERY}
)  # where they tell what they measure


def _door_devices(home: Home) -> frozenset[str]:
    """Name the devices that an entrance's opening and closing rest on: no other device's flood may cost them a word."""
    return frozenset(id_ for section in home.entrances.values() for id_ in (section.lock, section.door))


class TopicMap:
    """Every topic the gateway hears, and who speaks there."""

    def __init__(self, home: Home) -> None:
        """Read the map out of a checked configuration."""
        self._origins: dict[str, Origin] = {OFFER_TOPIC: RetailerOrigin()}
        self._home, self._door_devices = home, _door_devices(home)
        subscriptions = [Subscription(topic=OFFER_TOPIC, wants_retained=False, overflow=OverflowPolicy.DROP_AND_COUNT)]
        for entrance in home.entrances:
            topic = entrance_topic(entrance, "set")
            self._origins[topic] = OwnerOrigin(entrance=entrance)
            subscriptions.append(
                Subscription(topic=topic, wants_retained=False, overflow=OverflowPolicy.KEEP, is_urgent=True)
            )
        for topic, asks in _homeassistant_origins(home).items():
            self._origins[topic] = asks
            if asks.entrance is not None:
                subscriptions.append(
                    Subscription(
                        topic=topic, wants_retained=False, overflow=OverflowPolicy.DROP_AND_COUNT, is_urgent=True
                    )
                )
        stored: dict[str, bool] = {}
        for id_, device in home.devices.items():
            for channel, topic in inbound_topics(home, id_).items():
                self._add_device_topic(topic, id_, channel)
                scans = device.kind == "scanner" and channel is TopicSuffix.STATE
                stored.setdefault(topic, channel in RETAINED_CHANNELS and not scans)
        subscriptions += [self._device_subscription(topic, stored=old) for topic, old in stored.items()]
        if HOMEASSISTANT_STATUS_TOPIC in self._origins and HOMEASSISTANT_STATUS_TOPIC not in stored:
            subscriptions.append(
                Subscription(
                    topic=HOMEASSISTANT_STATUS_TOPIC, wants_retained=False, overflow=OverflowPolicy.DROP_AND_COUNT
                )
            )
        self.subscriptions = tuple(subscriptions)

    def _add_device_topic(self, topic: str, device: str, channel: TopicSuffix) -> None:
        """Note that a device is heard on a topic; what stands behind one bridge shares its topics."""
        match self._origins.get(topic):
            case DeviceOrigin() as known:
                self._origins[topic] = replace(known, devices=(*known.devices, device))
            case HomeAssistantOrigin(carries=None) as asks:
                self._origins[topic] = replace(asks, carries=DeviceOrigin(devices=(device,), channel=channel))
            case HomeAssistantOrigin(carries=DeviceOrigin() as known) as asks:
                self._origins[topic] = replace(asks, carries=replace(known, devices=(*known.devices, device)))
            case _:
                self._origins[topic] = DeviceOrigin(devices=(device,), channel=channel)

    def _device_subscription(self, topic: str, *, stored: bool) -> Subscription:
        """Say how a topic of devices is read: what may be lost of it, and whose rate limit it counts against."""
        origin = self._origins[topic]
        found = origin.carries if isinstance(origin, HomeAssistantOrigin) else origin
        devices, channel = (
            (found.devices, found.channel) if isinstance(found, DeviceOrigin) else ((), TopicSuffix.STATE)
        )
        kinds = {self._home.devices[device].kind for device in devices}
        door = bool(self._door_devices & set(devices))
        bridge = bridge_base_topic(self._home, devices[0]) if devices else None
        account = bridge if bridge is not None and not door else None
        if channel is TopicSuffix.LOG:
            return Subscription(topic=topic, wants_retained=stored, overflow=OverflowPolicy.DROP, account=account)
        if kinds == {"scanner"} and channel is not TopicSuffix.AVAILABILITY:
            return Subscription(
                topic=topic, wants_retained=stored, overflow=OverflowPolicy.DROP_AND_COUNT, account=account
            )
        newest = not door and (kinds <= READING_KINDS or channel is TopicSuffix.BATTERY) and channel in READING_CHANNELS
        loss = OverflowPolicy.KEEP_LATEST if newest else OverflowPolicy.DROP_AND_QUERY
        return Subscription(topic=topic, wants_retained=stored, overflow=loss, account=account)

    def origin(self, topic: str) -> Origin | None:
        """Tell who speaks on `topic`; None when the gateway never asked to hear it."""
        return self._origins.get(topic)

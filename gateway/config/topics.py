"""Maps each MQTT topic to its meaning. Pure; `mqtt/client.py` carries the bytes.

Devices publish on `perron/<id>/state|availability|event|result|battery` and receive on `set` and `get`, unless
`home.yaml` gives them topics of their own. No subscription has a wildcard: the gateway hears enrolled devices only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

BRIDGE_STATE = "perron/bridge/state"  # the gateway's birth and will
ECHO_TOPIC = "perron/bridge/echo"
HOMEASSISTANT_STATUS_TOPIC = "homeassistant/status"  # its birth message, whatever its discovery prefix is
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
PRODUCT_CHANNELS = (
    TopicSuffix.OPERATION,
    TopicSuffix.BOLT,
    TopicSuffix.LATCH,
)  # topics that Perron's own devices do not have
INBOUND_CHANNELS = (*DEVICE_CHANNELS, *BRIDGE_CHANNELS, *PRODUCT_CHANNELS)
RETAINED_CHANNELS = frozenset(
    {TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.BRIDGE, TopicSuffix.BATTERY, *PRODUCT_CHANNELS}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOrigin:
    """A message of a device, or of the bridge of several `devices`, on this suffix (`channel`) of each."""

    devices: tuple[str, ...]
    channel: TopicSuffix


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerOrigin:
    """A request of the owner at an entrance."""

    entrance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetailerOrigin:
    """A retailer's offer, change or cancellation of a delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantOrigin:
    """A request of Home Assistant at an `entrance`; with None it is Home Assistant's birth message or last will.

    `carries`: the devices that are its entities, for which birth and last will are the bridge's availability.
    """

    entrance: str | None
    carries: DeviceOrigin | None = None


Origin = DeviceOrigin | OwnerOrigin | RetailerOrigin | HomeAssistantOrigin


def device_topic(home: Home, device: str, channel: TopicSuffix) -> str:
    """Return the topic of a device's suffix: that of `home.yaml`, else its product's, else `perron/<id>/<channel>`.

    Raises:
        KeyError: no such device.
    """
    return custom_topics(home, device).get(channel, f"perron/{device}/{channel}")


def custom_topics(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Return the topics of a device that are not Perron's: its product's, as changed by `home.yaml`.

    Raises:
        KeyError: no such device.
    """
    section = home.devices[device]
    return {**section.product_topics, **section.topics}


def inbound_topics(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Return every topic on which the gateway receives this device; empty if it has no MQTT.

    A product with topics of its own publishes on no topic of Perron's.

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


def result_topics(brand: str | None) -> tuple[str, ...]:
    """Return the topics of a result: the brand's own, if the brand is known, and the common one."""
    return (RESULT_TOPIC,) if brand is None else (f"{RESULT_TOPIC}/{brand}", RESULT_TOPIC)


def entrance_topic(entrance: str, word: str) -> str:
    """Return an entrance's topic; `word` is state, event, message, checkpoint or set."""
    return f"perron/entrance/{entrance}/{word}"


def homeassistant_topic(entrance: str, word: str) -> str:
    """Return a topic between Perron and Home Assistant; `word` is state, availability, event, picture or set."""
    return f"perron/ha/{entrance}/{word}"


def _homeassistant_origins(home: Home) -> Mapping[str, HomeAssistantOrigin]:
    if home.homeassistant is None:
        return {}
    asked = {
        homeassistant_topic(entrance, "set"): HomeAssistantOrigin(entrance=entrance) for entrance in home.entrances
    }
    return {HOMEASSISTANT_STATUS_TOPIC: HomeAssistantOrigin(entrance=None), **asked}


READING_KINDS = frozenset({"fridge", "presence", "alarm"})  # only the newest message of these devices counts

# The suffixes with their measurements
READING_CHANNELS = frozenset({TopicSuffix.STATE, TopicSuffix.RESULT, TopicSuffix.BATTERY})


def _door_devices(home: Home) -> frozenset[str]:
    """Return locks and door sensors: a flood of another device must not cost them a message."""
    return frozenset(id_ for section in home.entrances.values() for id_ in (section.lock, section.door))


class TopicMap:
    """Maps every topic that the gateway subscribes to, to its origin."""

    def __init__(self, home: Home) -> None:
        """Build the map from a validated configuration."""
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
        """Add a device to a topic; devices behind one bridge share its topics."""
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
        """Return the subscription of a topic: which loss is tolerable, and whose rate limit counts."""
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
        """Return the origin of a message on `topic`; None if the gateway did not subscribe to it."""
        return self._origins.get(topic)

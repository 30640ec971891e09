"""Which topic means what. Pure: `mqtt/client.py` carries the bytes, here is the map.

Devices speak on `perron/<id>/state|availability|event|result|battery` and are spoken to on `set` and `get`, unless
`home.yaml` gives them topics of their own. Nothing here has a wildcard: only devices that are enrolled are heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.config.subscriptions import OverflowPolicy, Subscription

ECHO = "perron/bridge/echo"
HOME_ASSISTANT = "homeassistant/status"  # where it says that it has begun, whatever its discovery prefix is
OFFER = "perron/deliveries/offer"
RESULT = "perron/deliveries/result"

SPOKEN = (TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.EVENT, TopicSuffix.RESULT, TopicSuffix.BATTERY)
OF_A_BRIDGE = (TopicSuffix.BRIDGE, TopicSuffix.LOG)  # shared by all devices behind one bridge
OF_A_PRODUCT = (TopicSuffix.OPERATION, TopicSuffix.BOLT, TopicSuffix.LATCH)  # topics beside those of ours
HEARD = (*SPOKEN, *OF_A_BRIDGE, *OF_A_PRODUCT)
STORED = frozenset(
    {TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.BRIDGE, TopicSuffix.BATTERY, *OF_A_PRODUCT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromDevice:
    """A device spoke, or what carries several of them: each of `devices` on this `channel` of its own."""

    devices: tuple[str, ...]
    channel: TopicSuffix


@dataclass(frozen=True, slots=True, kw_only=True)
class FromOwner:
    """The owner wants something of an entrance."""

    entrance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FromRetailer:
    """A retailer offers, changes or cancels a delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromHomeAssistant:
    """The owner's Home Assistant wants something of an entrance; None: it says that it has begun or ends.

    `carries`: devices that are entities of it, which hear so that it has begun or ends.
    """

    entrance: str | None
    carries: FromDevice | None = None


Origin = FromDevice | FromOwner | FromRetailer | FromHomeAssistant


def device_topic(home: Home, device: str, channel: TopicSuffix) -> str:
    """Name the topic of a device's channel: its own from `home.yaml`, else its product's, else `perron/<id>/<channel>`.

    Raises:
        KeyError: no such device.
    """
    return own_topics(home, device).get(channel, f"perron/{device}/{channel}")


def own_topics(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Name those of a device's topics that are not Perron's: its product's, and what `home.yaml` says instead.

    Raises:
        KeyError: no such device.
    """
    section = home.devices[device]
    return {**VENDORS[section.vendor].topics(section.plate), **section.topics}


def heard_of(home: Home, device: str) -> Mapping[TopicSuffix, str]:
    """Name every topic on which this device is heard; none of one that has no MQTT.

    A product with MQTT of its own speaks on no topic of ours.

    Raises:
        KeyError: no such device.
    """
    if not home.devices[device].speaks:
        return {}
    own = own_topics(home, device)
    product = VENDORS[home.devices[device].vendor].topics(home.devices[device].plate)
    ours = {} if product else {channel: f"perron/{device}/{channel}" for channel in SPOKEN}
    return {c: topic for c, topic in {**ours, **own}.items() if c in HEARD}


def carrier(home: Home, device: str) -> str | None:
    """Name the base topic of what carries this device; None: it speaks for itself.

    It is what all of the product's topics begin with: a bridge's own are among them, so of what stands behind one it
    is the bridge's; two hubs below one word (`nuki/front`, `nuki/garage`) are two, for each connects by itself.
    """
    section = home.devices[device]
    topics = VENDORS[section.vendor].topics(section.plate)
    if not topics:
        return None
    split = [topic.split("/") for topic in topics.values()]
    if section.vendor == "guard":  # it speaks on our topics
        return None
    if section.vendor == "homeassistant":  # <base>/<domain>/<object>; that it is there it says elsewhere
        return "/".join(section.address.split("/")[:-2]) or split[0][0]
    shared: list[str] = []
    for words in zip(*(topic[:-1] for topic in split), strict=False):  # the last word says what is told there
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return "/".join(shared) or split[0][0]


def result_topics(brand: str | None) -> tuple[str, ...]:
    """Name where a result is told: the brand's own topic, where one is known, and the one that all of them share."""
    return (RESULT,) if brand is None else (f"{RESULT}/{brand}", RESULT)


def entrance_topic(entrance: str, word: str) -> str:
    """Name an entrance's topic; `word` is state, event, message, checkpoint or set."""
    return f"perron/entrance/{entrance}/{word}"


def shown_topic(entrance: str, word: str) -> str:
    """Name a topic between us and Home Assistant; `word` is state, availability, event, picture or set."""
    return f"perron/ha/{entrance}/{word}"


def _asked_by_home_assistant(home: Home) -> Mapping[str, FromHomeAssistant]:
    if home.homeassistant is None:
        return {}
    asked = {shown_topic(entrance, "set"): FromHomeAssistant(entrance=entrance) for entrance in home.entrances}
    return {HOME_ASSISTANT: FromHomeAssistant(entrance=None), **asked}


READINGS = frozenset({"fridge", "presence", "alarm"})  # kinds of devices whose newest message says all that counts

MEASURED = frozenset({TopicSuffix.STATE, TopicSuffix.RESULT, TopicSuffix.BATTERY})  # where they tell what they measure


def _doors(home: Home) -> frozenset[str]:
    """Name the devices that an entrance's opening and closing rest on: no other device's flood may cost them a word."""
    return frozenset(id_ for section in home.entrances.values() for id_ in (section.lock, section.door))


class Topics:
    """Every topic the gateway hears, and who speaks there."""

    def __init__(self, home: Home) -> None:
        """Read the map out of a checked configuration."""
        self._origins: dict[str, Origin] = {OFFER: FromRetailer()}
        self._home, self._at_the_door = home, _doors(home)
        subscriptions = [Subscription(topic=OFFER, stored=False, loss=OverflowPolicy.COUNTED)]
        for entrance in home.entrances:
            topic = entrance_topic(entrance, "set")
            self._origins[topic] = FromOwner(entrance=entrance)
            subscriptions.append(Subscription(topic=topic, stored=False, loss=OverflowPolicy.NEVER, urgent=True))
        for topic, asks in _asked_by_home_assistant(home).items():
            self._origins[topic] = asks
            if asks.entrance is not None:
                subscriptions.append(Subscription(topic=topic, stored=False, loss=OverflowPolicy.COUNTED, urgent=True))
        stored: dict[str, bool] = {}
        for id_, device in home.devices.items():
            for channel, topic in heard_of(home, id_).items():
                self._add(topic, id_, channel)
                scans = device.kind == "scanner" and channel is TopicSuffix.STATE
                stored.setdefault(topic, channel in STORED and not scans)
        subscriptions += [self._of_devices(topic, stored=old) for topic, old in stored.items()]
        if HOME_ASSISTANT in self._origins and HOME_ASSISTANT not in stored:
            subscriptions.append(Subscription(topic=HOME_ASSISTANT, stored=False, loss=OverflowPolicy.COUNTED))
        self.subscriptions = tuple(subscriptions)

    def _add(self, topic: str, device: str, channel: TopicSuffix) -> None:
        """Note that a device is heard on a topic; what stands behind one bridge shares its topics."""
        match self._origins.get(topic):
            case FromDevice() as known:
                self._origins[topic] = replace(known, devices=(*known.devices, device))
            case FromHomeAssistant(carries=None) as asks:
                self._origins[topic] = replace(asks, carries=FromDevice(devices=(device,), channel=channel))
            case FromHomeAssistant(carries=FromDevice() as known) as asks:
                self._origins[topic] = replace(asks, carries=replace(known, devices=(*known.devices, device)))
            case _:
                self._origins[topic] = FromDevice(devices=(device,), channel=channel)

    def _of_devices(self, topic: str, *, stored: bool) -> Subscription:
        """Say how a topic of devices is read: what may be lost of it, and whose rate limit it counts against."""
        origin = self._origins[topic]
        found = origin.carries if isinstance(origin, FromHomeAssistant) else origin
        devices, channel = (found.devices, found.channel) if isinstance(found, FromDevice) else ((), TopicSuffix.STATE)
        kinds = {self._home.devices[device].kind for device in devices}
        door = bool(self._at_the_door & set(devices))
        bridge = carrier(self._home, devices[0]) if devices else None
        account = bridge if bridge is not None and not door else None
        if channel is TopicSuffix.LOG:
            return Subscription(topic=topic, stored=stored, loss=OverflowPolicy.UNTOLD, account=account)
        if kinds == {"scanner"} and channel is not TopicSuffix.AVAILABILITY:
            return Subscription(topic=topic, stored=stored, loss=OverflowPolicy.COUNTED, account=account)
        newest = not door and (kinds <= READINGS or channel is TopicSuffix.BATTERY) and channel in MEASURED
        loss = OverflowPolicy.LATEST if newest else OverflowPolicy.ASKED_AGAIN
        return Subscription(topic=topic, stored=stored, loss=loss, account=account)

    def origin(self, topic: str) -> Origin | None:
        """Tell who speaks on `topic`; None when the gateway never asked to hear it."""
        return self._origins.get(topic)

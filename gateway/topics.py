"""Which topic means what. Pure: `mqtt.py` carries the bytes, here is the map.

Devices speak on `perron/<id>/state|availability|event|result|battery` and are spoken to on `set` and `get`, unless
`home.yaml` gives them topics of their own. Nothing here has a wildcard: only devices that are enrolled are heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, auto

from devices.vendors import VENDORS
from devices.vendors.words import Channel
from gateway.config import Home

BRIDGE_STATE = "perron/bridge/state"
ECHO = "perron/bridge/echo"
HOME_ASSISTANT = "homeassistant/status"  # where it says that it has begun, whatever its discovery prefix is
OFFER = "perron/deliveries/offer"
RESULT = "perron/deliveries/result"

SPOKEN = (Channel.STATE, Channel.AVAILABILITY, Channel.EVENT, Channel.RESULT, Channel.BATTERY)
OF_A_BRIDGE = (Channel.BRIDGE, Channel.LOG)  # shared by all devices behind one bridge
OF_A_PRODUCT = (Channel.OPERATION,)  # topics beside those of ours
HEARD = (*SPOKEN, *OF_A_BRIDGE, *OF_A_PRODUCT)
STORED = frozenset({Channel.STATE, Channel.AVAILABILITY, Channel.BRIDGE, Channel.BATTERY, *OF_A_PRODUCT})


class Loss(StrEnum):
    """What may happen to messages of a topic when more arrive than are read."""

    NEVER = auto()  # kept whatever happens: the owner's stop
    COUNTED = auto()  # dropped first and counted: scans
    ASKED_AGAIN = auto()  # dropped last; the devices are asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One topic the gateway hears. `stored`: the broker's retained copy is wanted at the start."""

    topic: str
    stored: bool
    loss: Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class FromDevice:
    """A device spoke, or what carries several of them: each of `devices` on this `channel` of its own."""

    devices: tuple[str, ...]
    channel: Channel


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


def device_topic(home: Home, device: str, channel: Channel) -> str:
    """Name the topic of a device's channel: its own from `home.yaml`, else its product's, else `perron/<id>/<channel>`.

    Raises:
        KeyError: no such device.
    """
    return own_topics(home, device).get(channel, f"perron/{device}/{channel}")


def own_topics(home: Home, device: str) -> Mapping[Channel, str]:
    """Name those of a device's topics that are not Perron's: its product's, and what `home.yaml` says instead.

    Raises:
        KeyError: no such device.
    """
    section = home.devices[device]
    return {**VENDORS[section.vendor].topics(section.plate), **section.topics}


def heard_of(home: Home, device: str) -> Mapping[Channel, str]:
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


class Topics:
    """Every topic the gateway hears, and who speaks there."""

    def __init__(self, home: Home) -> None:
        """Read the map out of a checked configuration."""
        self._origins: dict[str, Origin] = {OFFER: FromRetailer()}
        subscriptions = [Subscription(topic=OFFER, stored=False, loss=Loss.COUNTED)]
        for entrance in home.entrances:
            topic = entrance_topic(entrance, "set")
            self._origins[topic] = FromOwner(entrance=entrance)
            subscriptions.append(Subscription(topic=topic, stored=False, loss=Loss.NEVER))
        for id_, device in home.devices.items():
            scanner = device.kind == "scanner"
            for channel, topic in heard_of(home, id_).items():
                known = self._origins.get(topic)
                if isinstance(known, FromDevice):  # what stands behind one bridge shares its topics
                    self._origins[topic] = replace(known, devices=(*known.devices, id_))
                    continue
                self._origins[topic] = FromDevice(devices=(id_,), channel=channel)
                subscriptions.append(
                    Subscription(
                        topic=topic,
                        stored=channel in STORED and not (scanner and channel is Channel.STATE),
                        loss=Loss.COUNTED if scanner and channel is not Channel.AVAILABILITY else Loss.ASKED_AGAIN,
                    )
                )
        for topic, asks in _asked_by_home_assistant(home).items():
            known = self._origins.get(topic)
            if isinstance(known, FromDevice):
                self._origins[topic] = replace(asks, carries=known)
                continue
            self._origins[topic] = asks
            subscriptions.append(Subscription(topic=topic, stored=False, loss=Loss.COUNTED))
        self.subscriptions = tuple(subscriptions)

    def origin(self, topic: str) -> Origin | None:
        """Tell who speaks on `topic`; None when the gateway never asked to hear it."""
        return self._origins.get(topic)

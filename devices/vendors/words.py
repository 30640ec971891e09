"""Defines the types that every vendor module uses: topic suffixes, publications, device references."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from types import MappingProxyType


class TopicSuffix(StrEnum):
    """The last level of a device's topic."""

    STATE = auto()  # device to gateway, retained
    AVAILABILITY = auto()  # device to gateway, retained, also its last will
    EVENT = auto()  # device to gateway, never retained
    RESULT = auto()  # device to gateway: answers, with the query's correlation data
    SET = auto()  # gateway to device: dropped when retained or expired
    GET = auto()  # gateway to device: a query
    BRIDGE = auto()  # the bridge's own availability; shared by all devices behind it
    LOG = auto()  # the bridge's log; shared too
    OPERATION = auto()  # who or what moved the bolt, if a product reports that separately, retained
    BOLT = auto()  # the bolt's position, if a product reports it apart from its mode, retained
    LATCH = auto()  # the latch's position, the same
    MOTION = auto()  # whether a vehicle drives, if a product reports that separately, retained
    PLACE = auto()  # where a vehicle is, the same
    BEAM = auto()  # a garage door's light beam, if a product reports it apart from the door, retained
    BATTERY = auto()  # the battery level, if a product reports it separately, retained
    PARCELS = auto()  # the parcels that the household's tracking knows, retained
    LAST_UPDATED = auto()  # when the tracking last learnt something, retained


DEVICE_CHANNELS = (
    TopicSuffix.STATE,
    TopicSuffix.AVAILABILITY,
    TopicSuffix.EVENT,
    TopicSuffix.RESULT,
    TopicSuffix.BATTERY,
)
BRIDGE_CHANNELS = (TopicSuffix.BRIDGE, TopicSuffix.LOG)  # shared by all devices behind one bridge
# Perron's own devices have none of these
PRODUCT_CHANNELS = (TopicSuffix.OPERATION, TopicSuffix.BOLT, TopicSuffix.LATCH, TopicSuffix.BEAM)
VEHICLE_CHANNELS = (TopicSuffix.MOTION, TopicSuffix.PLACE)
TRACKING_CHANNELS = (TopicSuffix.PARCELS, TopicSuffix.LAST_UPDATED)
INBOUND_CHANNELS = (*DEVICE_CHANNELS, *BRIDGE_CHANNELS, *PRODUCT_CHANNELS, *VEHICLE_CHANNELS, *TRACKING_CHANNELS)
RETAINED_CHANNELS = frozenset(
    {TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.BRIDGE, TopicSuffix.BATTERY, *PRODUCT_CHANNELS,
     *VEHICLE_CHANNELS, *TRACKING_CHANNELS}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One payload for one topic suffix."""

    suffix: TopicSuffix
    payload: bytes


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """What a vendor module needs besides the bytes to read and write one device's payloads.

    `address` is the manufacturer's own; for a product with MQTT of its own, its topic. `keys` maps a name of the vendor
    module to its path in the payload, where that is not the usual one. `kind` is its enrolled kind (`lock`, `door` and
    so on), empty if unknown. `unit`: of temperatures that are sent without one. `release_s`: seconds for which a strike
    lets go.
    """

    address: str = ""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    kind: str = ""
    unit: str = "C"
    release_s: float = 5.0


NO_DEVICE_REF = DeviceRef()
NO_TOPICS: Mapping[TopicSuffix, str] = MappingProxyType({})  # of a device whose topics are `perron/<id>/<suffix>`

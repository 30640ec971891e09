"""Lists the vendors in one explicit table.

A vendor module consists of its `DEFINITION` (`definition.py`: the facts that other packages query) and of pure
functions for one manufacturer's messages:

    decode_report(suffix, payload, device_ref)  -> tuple[Report, ...]                for the gateway
    encode_command(command, device_ref)         -> Publication                       for the gateway
    encode_report(report, device_ref)           -> tuple[Publication, ...]           for the simulated device
    decode_command(suffix, payload, device_ref) -> Command | UnreadablePayload       for the simulated device

`TopicSuffix` is the last level of a topic (`perron/<device>/<suffix>`). Correlation data, a device's boot id and its
sequence number travel as MQTT 5 properties (user properties `boot` and `seq`), so a vendor's payload stays as the
vendor sends it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from devices.vendors import (
    alexa,
    carconnectivity,
    esphome,
    frigate,
    guard,
    homeassistant,
    locker,
    matter,
    nukihub,
    ovms,
    perron,
    proglove,
    ratgdo,
    rtsp,
    scanner,
    signal,
    smartthings,
    somfy,
    tesla,
    teslamate,
    vda5050,
    zigbee2mqtt,
    zwave,
)
from devices.vendors.definition import Vendor

# The order in which people read the vendors of a kind.
_MODULES: tuple[Vendor, ...] = (
    somfy,
    alexa,
    rtsp,
    frigate,
    scanner,
    proglove,
    signal,
    smartthings,
    nukihub,
    esphome,
    ratgdo,
    zigbee2mqtt,
    zwave,
    matter,
    homeassistant,
    perron,
    locker,
    ovms,
    tesla,
    carconnectivity,
    teslamate,
    guard,
    vda5050,
)
VENDORS: Mapping[str, Vendor] = MappingProxyType({vendor.DEFINITION.name: vendor for vendor in _MODULES})

"""Lists the vendors in one explicit table.

A vendor module consists of four pure functions for one manufacturer's messages:

    decode_report(channel, payload)  -> tuple[Report, ...]                    for the gateway
    encode_command(command, address) -> Publication                           for the gateway
    encode_report(report, address)   -> tuple[Publication, ...]               for the simulated device
    decode_command(channel, payload) -> Command | UnreadablePayload           for the simulated device

`TopicSuffix` is the last level of a topic (`perron/<device>/<suffix>`). Correlation data, a device's boot id and its
sequence number travel as MQTT 5 properties (user properties `boot` and `seq`), so a vendor's payload stays as the
vendor sends it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from devices.vendors import (
    alexa,
    esphome,
    frigate,
    guard,
    homeassistant,
    nukihub,
    proglove,
    rtsp,
    scanner,
    signal,
    smartthings,
    somfy,
    zigbee2mqtt,
    zwave,
)
from devices.vendors.words import Vendor

VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        "alexa": alexa,
        "frigate": frigate,
        "rtsp": rtsp,
        "esphome": esphome,
        "guard": guard,
        "homeassistant": homeassistant,
        "nukihub": nukihub,
        "proglove": proglove,
        "scanner": scanner,
        "signal": signal,
        "smartthings": smartthings,
        "somfy": somfy,
        "zigbee2mqtt": zigbee2mqtt,
        "zwave": zwave,
    }
)

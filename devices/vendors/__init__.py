"""The vendors, in one explicit table.

A vendor module is four pure functions around one maker's words:

    decode_report(channel, payload)  -> tuple[Report, ...]      for the gateway
    encode_command(command, address) -> Letter                  for the gateway
    encode_report(report, address)   -> tuple[Letter, ...]      for the simulated device
    decode_command(channel, payload) -> Command | Unreadable    for the simulated device

`Channel` is the last word of a topic (`perron/<device>/<channel>`). What ties question and answer, a device's boot id
and its sequence number travel as MQTT 5 properties (correlation data; user properties `boot` and `seq`), so a
vendor's payload stays as the vendor sends it.
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

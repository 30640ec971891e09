"""Supports a battery level as bare text on its own topic, as sensors of ESPHome and Home Assistant publish it.

    87, 87.0   percent (a sensor of the device class battery)
    on, ON     it is low; off, OFF: it is not (a binary sensor of the device class battery)

`unknown`, `unavailable`, `nan` and an empty payload give no report. Sources: esphome.io, "Sensor Component" and "MQTT
Client Component" (a sensor's state as text, `state_topic`); home-assistant.io, "Sensor" and "Binary sensor" (device
classes), "MQTT Statestream".
"""

import re

from devices.reports import BatteryLevel, BatteryReport, Report
from devices.strict_json import MalformedPayload
from devices.vendors.words import Publication, TopicSuffix

_PERCENT = re.compile(rb"[0-9]{1,3}(\.[0-9]{1,12})?")
_MAX_PERCENT = 100
_WORDS = {b"on": BatteryLevel.LOW, b"ON": BatteryLevel.LOW, b"off": BatteryLevel.MEDIUM, b"OFF": BatteryLevel.MEDIUM}
_NO_STATE = frozenset({b"unknown", b"unavailable", b"nan", b"none", b"None", b""})


def decode_battery(payload: bytes) -> tuple[Report, ...]:
    """Parse the payload of the topic.

    Raises:
        MalformedPayload: it is no battery level.
    """
    text = payload[:64].strip()
    if text in _NO_STATE:
        return ()
    if text in _WORDS:
        return (BatteryReport(level=_WORDS[text]),)
    if _PERCENT.fullmatch(text) is None or float(text) > _MAX_PERCENT:
        raise MalformedPayload("the battery is neither a percentage nor on or off")
    return (BatteryReport(percent=round(float(text))),)


def encode_battery(report: BatteryReport) -> Publication:
    """Encode the report of a simulated battery.

    Raises:
        ValueError: the text cannot express the report.
    """
    if report.percent is not None and report.level is None:
        return Publication(suffix=TopicSuffix.BATTERY, payload=str(report.percent).encode())
    values = {BatteryLevel.LOW: b"on", BatteryLevel.MEDIUM: b"off"}
    if report.percent is None and report.level in values:
        return Publication(suffix=TopicSuffix.BATTERY, payload=values[report.level])
    raise ValueError("such a battery says a percentage, or whether it is low")

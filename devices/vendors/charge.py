"""A battery that is told as bare text on a topic of its own, as sensors of ESPHome and of Home Assistant tell theirs.

    87, 87.0   percent (a sensor of the device class battery)
    on, ON     it is low; off, OFF: it is not (a binary sensor of the device class battery)

`unknown`, `unavailable`, `nan` and nothing at all tell nothing. Sources: esphome.io, "Sensor Component" and "MQTT
Client Component" (a sensor's state as text, `state_topic`); home-assistant.io, "Sensor" and "Binary sensor" (device
classes), "MQTT Statestream".
"""

import re

from devices.reports import BatteryLevel, BatteryReport, Report
from devices.vendors.strictjson import MalformedPayload
from devices.vendors.words import Publication, TopicSuffix

_PERCENT = re.compile(rb"[0-9]{1,3}(\.[0-9]{1,12})?")
_FULL = 100
_WORDS = {b"on": BatteryLevel.LOW, b"ON": BatteryLevel.LOW, b"off": BatteryLevel.MEDIUM, b"OFF": BatteryLevel.MEDIUM}
_NOTHING = frozenset({b"unknown", b"unavailable", b"nan", b"none", b"None", b""})


def read(payload: bytes) -> tuple[Report, ...]:
    """Read what stands on the topic.

    Raises:
        Malformed: it is no battery's word.
    """
    word = payload[:64].strip()
    if word in _NOTHING:
        return ()
    if word in _WORDS:
        return (BatteryReport(level=_WORDS[word]),)
    if _PERCENT.fullmatch(word) is None or float(word) > _FULL:
        raise MalformedPayload("the battery is neither a percentage nor on or off")
    return (BatteryReport(percent=round(float(word))),)


def write(report: BatteryReport) -> Publication:
    """Write what a simulated one would say.

    Raises:
        ValueError: it has no word for that.
    """
    if report.percent is not None and report.level is None:
        return Publication(suffix=TopicSuffix.BATTERY, payload=str(report.percent).encode())
    words = {BatteryLevel.LOW: b"on", BatteryLevel.MEDIUM: b"off"}
    if report.percent is None and report.level in words:
        return Publication(suffix=TopicSuffix.BATTERY, payload=words[report.level])
    raise ValueError("such a battery says a percentage, or whether it is low")

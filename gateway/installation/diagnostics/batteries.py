"""Reports the batteries of an entrance from their last known levels, because most devices sleep."""

from collections.abc import Iterator, Mapping
from typing import Final

from devices.reports import BatteryLevel, BatteryReport
from devices.strict_json import parse
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.installation.diagnostics.devices import report_text
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, joined
from gateway.system.i18n import Text, _

BLOCKING_BATTERIES = frozenset({"lock", "door"})  # a critical battery of these refuses deliveries
BATTERY_DEVICE_TEXTS: Final[Mapping[str, Text]] = {
    "lock": _("lock"),
    "door": _("door sensor"),
    "cover": _("garage door ({id})"),
    "signal": _("bell ({id})"),
    "button": _("button ({id})"),
    "scanner": _("scanner ({id})"),
    "camera": _("camera ({id})"),
    "fridge": _("thermometer ({id})"),
    "presence": _("presence sensor ({id})"),
    "alarm": _("alarm panel ({id})"),
}


def state_topics(home: Home) -> list[str]:
    """Return the topics with the gateway's retained states of entrances."""
    return [entrance_topic(entrance, "state") for entrance in home.entrances]


def battery_findings(home: Home, retained: Mapping[str, bytes]) -> Iterator[Finding]:
    """Yield a finding for each entrance with a known battery."""
    for entrance in home.entrances:
        levels, soon = _parse_batteries(retained.get(entrance_topic(entrance, "state"), b""))
        if not levels:
            continue
        weak = {battery for battery, level in levels.items() if level is not BatteryLevel.GOOD or battery in soon}
        dead = BLOCKING_BATTERIES & {battery for battery, level in levels.items() if level is BatteryLevel.CRITICAL}
        yield Finding(
            _("batteries, {name}", name=entrance),
            FindingVerdict.BAD if dead else FindingVerdict.DOUBTFUL if weak else FindingVerdict.GOOD,
            joined(_battery_text(battery, level, soon) for battery, level in levels.items()),
            _("Change those that are low or running out, then let the device speak once.") if weak else None,
        )


def _parse_batteries(state: bytes) -> tuple[dict[str, BatteryLevel], set[str]]:
    """Return the batteries in an entrance's state, and those that will be low soon; empty if it cannot be read."""
    try:
        body = parse(state)
    except ValueError:
        return {}, set()
    if not isinstance(body, dict):
        return {}, set()
    levels, soon = body.get("batteries"), body.get("batteries_soon")
    known = {
        battery: BatteryLevel(level)
        for battery, level in (levels.items() if isinstance(levels, dict) else ())
        if isinstance(level, str) and level in set(BatteryLevel) and battery.partition("/")[0] in BATTERY_DEVICE_TEXTS
    }
    return known, {battery for battery in (soon if isinstance(soon, list) else ()) if isinstance(battery, str)}


def _battery_text(battery: str, level: BatteryLevel, soon: set[str]) -> Text:
    kind, _slash, id_ = battery.partition("/")
    device = BATTERY_DEVICE_TEXTS[kind].with_facts(id=id_)
    if battery in soon and level is BatteryLevel.GOOD:
        return _("{whose}, running out", whose=device)
    return joined((device, report_text(BatteryReport(level=level))))

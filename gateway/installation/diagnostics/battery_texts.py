"""The texts of findings about batteries."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _

BATTERY_FINDING_TEXTS: Mapping[str, Text] = {
    "what.batteries": _("batteries, {name}"),
    "batteries.told": Text("{each}"),
    "batteries.one": Text("{whose}, {level}"),
    "batteries.soon": _("{whose}, running out"),
    "batteries.todo": _("Change those that are low or running out, then let the device speak once."),
    "batteries.of.lock": _("lock"),
    "batteries.of.door": _("door sensor"),
    "batteries.of.cover": _("garage door ({id})"),
    "batteries.of.signal": _("bell ({id})"),
    "batteries.of.button": _("button ({id})"),
    "batteries.of.scanner": _("scanner ({id})"),
    "batteries.of.camera": _("camera ({id})"),
    "batteries.of.fridge": _("thermometer ({id})"),
    "batteries.of.presence": _("presence sensor ({id})"),
    "batteries.of.alarm": _("alarm panel ({id})"),
}

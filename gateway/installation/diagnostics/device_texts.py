"""The texts of findings about devices and cameras' streams."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _, pgettext
from gateway.video.open_errors import OPEN_FAILURE_TEXTS

_STREAM_TEXTS: Mapping[str, Text] = {
    "what.stream": _("{id} stream"),
    "stream.unopened": _("{where}: {why}"),
    "stream.spared": _(
        "{where}: it has refused the account several times; so that it does not lock it, it is left alone for "
        "{minutes} min, or until the account's file changes"
    ),
    "stream.unlooked": _("it could not be looked at ({why})"),
    "stream.shown": _("{todo} Now it shows {shown}: compare with the camera's own page."),
    "stream.lost": _("{where}: the stream opened and was lost ({why})"),
    "stream.lost.todo": _("Look at its link (Wi-Fi?) and at its power."),
    "stream.good": _("{where}: {size}, {rate} pictures a second, a key picture every {every} s"),
    "stream.seldom": _("{where}: {size}, {rate} pictures a second; {every} s between key pictures"),
    "stream.seldom_more": _("{where}: {size}, {rate} pictures a second; more than {every} s between key pictures"),
    "stream.seldom.todo": _(
        "Set its key frame (I-frame) interval to 1 or 2 seconds, and switch H.264+ or smart codec off."
    ),
    "login.missing": _("the file of its account is not there: {file} (credentials_file)"),
    "login.unusable": pgettext("login file", "{text}"),
    "fault.nothing": _("nothing came"),
    "fault.unreachable": _("unreachable"),
    "fault.stall": _("stall"),
    "fault.reset": _("reset"),
    "fault.stuck_timestamps": _("stuck timestamps"),
    "fault.undecodable": _("undecodable"),
    "fault.black": _("black"),
    "fault.frozen": _("frozen"),
    "fault.disk": _("disk"),
    "fault.changed": _("changed"),
    "fault.interrupted": _("interrupted"),
}

_ANSWER_TEXTS: Mapping[str, Text] = {
    "what.devices": _("devices"),
    "what.device": Text("{id}"),
    "devices.no_key": _("{file} cannot be used: {why}."),
    "devices.no_key.todo": _(
        "Ask on the box itself, as its own user: a guard answers only what the box's key has signed."
    ),
    "devices.not_asked": _("not asked: they speak by the broker"),
    "devices.not_asked.todo": _("Look again when it is there."),
    "device.offline": _("says that it is offline"),
    "device.offline.todo": _("Look at its power, its battery and its link."),
    "device.online": _("online; {why}"),
    "device.silent": _("silent; {why}"),
    "device.silent.todo": _("Use it once: it has not said yet whether it is online."),
    "device.unasked": _("a {kind} cannot be asked"),
    "device.basic": _("a basic door cannot be asked"),
    "device.unsent": _("the question did not leave"),
    "device.slow": _("has not answered within {seconds} s; it may take {patience} s"),
    "device.slow.todo": _("`perron test {id}` waits as long as it needs."),
    "device.dumb": _("does not answer within {seconds} s"),
    "device.dumb.todo": _("Look at its power and its link. A simulated one lives in `perron simulate`."),
    "device.unreadable": _("answers what cannot be read"),
    "device.unreadable.todo": _("Is it a {vendor} {kind}?"),
    "device.answers": _("answers within {seconds} s: {reports}"),
    "report.bolt": _("the bolt is {state}"),
    "report.jammed": _("the bolt is {state}, and it is jammed"),
    "report.door": _("the door is {state}"),
    "report.cover": _("the garage door is {state}"),
    "report.cover.clear": _("the garage door is {state}, nothing is in its way"),
    "report.cover.blocked": _("the garage door is {state}, something is in its way"),
    "report.presence": _("presence {state}"),
    "report.panel": _("the alarm panel is {state}"),
    "report.unshown": _("what it says of people is not shown here"),
    "report.online": _("it is online"),
    "report.offline": _("it is offline"),
    "report.stream": _("its pictures are at {uri}"),
    "report.battery": _("battery {level}"),
    "report.else": _("something else"),
}

STATE_TEXTS: Mapping[str, Text] = {
    "unknown": pgettext("a battery or presence", "unknown"),
    "bolt.locked": _("locked"),
    "bolt.unlocked": _("unlocked"),
    "bolt.not_fully_locked": _("not fully locked"),
    "bolt.unlatched": _("unlatched"),
    "bolt.unknown": pgettext("where the bolt is", "unknown"),
    "door.closed": _("closed"),
    "door.open": _("open"),
    "door.ajar": _("ajar"),
    "door.forced_open": _("forced open"),
    "door.jammed": _("jammed"),
    "door.error": _("error"),
    "door.unknown": pgettext("how a door stands", "unknown"),
    "cover.open": _("open"),
    "cover.closed": _("closed"),
    "cover.opening": _("opening"),
    "cover.closing": _("closing"),
    "cover.unknown": pgettext("how a door stands", "unknown"),
    "presence.home": _("home"),
    "presence.away": _("away"),
    "presence.unknown": pgettext("a battery or presence", "unknown"),
    "panel.disarmed": _("disarmed"),
    "panel.armed_home": _("armed home"),
    "panel.armed_away": _("armed away"),
    "panel.armed_night": _("armed night"),
    "panel.armed_vacation": _("armed vacation"),
    "panel.armed_custom_bypass": _("armed custom bypass"),
    "panel.arming": _("arming"),
    "panel.disarming": _("disarming"),
    "panel.pending": _("pending"),
    "panel.triggered": _("triggered"),
    "panel.unknown": pgettext("how a door stands", "unknown"),
    "battery.critical": _("critical"),
    "battery.low": _("low"),
    "battery.medium": _("medium"),
    "battery.good": pgettext("a battery", "good"),
}

DEVICE_TEXTS: Mapping[str, Text] = {
    **_STREAM_TEXTS,
    **_ANSWER_TEXTS,
    **{f"unopened.{why}": what for why, (what, _todo) in OPEN_FAILURE_TEXTS.items()},
    **{f"unopened.{why}.todo": todo for why, (_what, todo) in OPEN_FAILURE_TEXTS.items()},
}

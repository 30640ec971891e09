"""Judges a device by its answer and by its last known battery, because most devices sleep; words its reports."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Final

from devices import reports as r
from devices.strict_json import parse
from gateway.config.closure_names import closure_label
from gateway.config.closures import entrance_closures, sensor_bindings
from gateway.config.device_names import battery_label
from gateway.config.devices import AnyDevice, CompartmentDevice, ContentDevice, DoorDevice, KeyDevice
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.installation.capability import CAR_NEVER_OPENS
from gateway.installation.device_probe import DeviceAnswer, answer_timeout_s
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, bad, doubtful, good, joined
from gateway.system.i18n import Text, _, decimal_text, pgettext
from gateway.system.text import mask_account

HIDDEN_TEXT: Final = _("what it says of people is not shown here")
DEVICE_TIMEOUT_S: Final = 3.0  # for a device to answer: the whole examination takes less than 5 s

_UNKNOWN = pgettext("a battery or presence", "unknown")
_UNKNOWN_BOLT = pgettext("where the bolt is", "unknown")
_UNKNOWN_DOOR = pgettext("how a door stands", "unknown")
_STATE_TEXTS: Mapping[str, Text] = {
    "locked": _("locked"),
    "unlocked": _("unlocked"),
    "not_fully_locked": _("not fully locked"),
    "unlatched": _("unlatched"),
    "closed": _("closed"),
    "open": _("open"),
    "ajar": _("ajar"),
    "forced_open": _("forced open"),
    "jammed": _("jammed"),
    "error": _("error"),
    "opening": _("opening"),
    "closing": _("closing"),
    "home": _("home"),
    "away": _("away"),
    "disarmed": _("disarmed"),
    "armed_home": _("armed home"),
    "armed_away": _("armed away"),
    "armed_night": _("armed night"),
    "armed_vacation": _("armed vacation"),
    "armed_custom_bypass": _("armed custom bypass"),
    "arming": _("arming"),
    "disarming": _("disarming"),
    "pending": _("pending"),
    "triggered": _("triggered"),
    "critical": _("critical"),
    "low": _("low"),
    "medium": _("medium"),
    "good": pgettext("a battery", "good"),
}

_PARKED_TEXTS: Final[Mapping[bool | None, Text]] = {
    True: _("it is parked"),
    False: _("it is being driven"),
    None: _("nobody knows whether it is parked"),
}
_CONTENT_TEXTS: Final[Mapping[bool | None, Text]] = {
    True: _("something lies in the compartment"),
    False: _("the compartment is empty"),
    None: _("it cannot tell whether something lies in the compartment"),
}
_KEY_TEXTS: Final[Mapping[bool | None, Text]] = {
    True: _("the key hangs on its hook"),
    False: _("the key is not on its hook"),
    None: _("it cannot tell whether the key hangs on its hook"),
}


def device_subject(id_: str) -> Text:
    """Return the subject of the finding about a device."""
    return Text("{id}").with_facts(id=id_)


def device_finding(id_: str, device: AnyDevice, answer: DeviceAnswer, *, shows_people: bool) -> Finding:
    """Return the finding about a device's answer; a device that cannot be queried is judged by its availability.

    Without `shows_people` it does not tell who is home.
    """
    subject, latency_s = device_subject(id_), answer_timeout_s(device)
    if answer.online is False:
        return bad(subject, _("says that it is offline"), _("Look at its power, its battery and its link."))
    if answer.obstacle is not None:
        reason = _obstacle_text(device, answer.obstacle)
        never = CAR_NEVER_OPENS if device.kind == "car" else None
        if answer.online:
            return good(subject, never or _("online; {why}", why=reason))
        todo = _("Use it once: it has not said yet whether it is online.")
        return doubtful(subject, never or _("silent; {why}", why=reason), todo)
    if answer.answer is None and latency_s > DEVICE_TIMEOUT_S:
        statement = _("has not answered within {seconds} s; it may take {patience} s", seconds=f"{DEVICE_TIMEOUT_S:g}")
        todo = _("`perron test {id}` waits as long as it needs.", id=id_)
        if device.kind == "car":
            todo = _(
                "A car that sleeps answers nothing: wake it with its app."
                " `perron test {id}` waits as long as it needs.",
                id=id_,
            )
        return doubtful(subject, statement.with_facts(patience=f"{latency_s:g}"), todo)
    if answer.answer is None:
        todo = _("Look at its power and its link. A simulated one lives in `perron simulate`.")
        return bad(subject, _("does not answer within {seconds} s", seconds=f"{latency_s:g}"), todo)
    if any(isinstance(report, r.UnreadablePayload) for report in answer.answer):
        todo = _("Is it a {vendor} {kind}?", vendor=device.vendor, kind=device.kind)
        return bad(subject, _("answers what cannot be read"), todo)
    reports = joined(
        report_text(report)
        if shows_people or not isinstance(report, r.PresenceReport | r.AlarmPanelReport | r.ParkedReport)
        else HIDDEN_TEXT
        for report in answer.answer
    )
    seconds = decimal_text(answer.seconds or 0, 2)
    return good(subject, _("answers within {seconds} s: {reports}", seconds=seconds, reports=reports))


def _obstacle_text(device: AnyDevice, obstacle: str) -> Text:
    if isinstance(device, DoorDevice) and not device.can_be_queried:
        return _("a basic door cannot be asked")
    if device.kind == "strike" and not device.can_be_queried:
        return _("a door release has no state to ask for")
    if isinstance(device, CompartmentDevice | ContentDevice | KeyDevice) and not device.can_be_queried:
        return _("it only reports by itself")
    if "did not leave" in obstacle:
        return _("the question did not leave")
    return _("a {kind} cannot be asked", kind=device.kind)


def report_text(report: r.Report) -> Text:
    """Return a device's report as a text."""
    match report:
        case r.LockReport(bolt=bolt, jammed=True):
            return _("the bolt is {state}, and it is jammed", state=_state_text(bolt, _UNKNOWN_BOLT))
        case r.LockReport(bolt=bolt):
            return _("the bolt is {state}", state=_state_text(bolt, _UNKNOWN_BOLT))
        case r.DoorReport(door=door):
            return _("the door is {state}", state=_state_text(door, _UNKNOWN_DOOR))
        case r.FridgeReport(compartment=compartment, temp_c=degrees):
            temperature = _UNKNOWN if degrees is None else f"{degrees:g} °C"
            return joined((compartment, temperature) if compartment else (temperature,), " ")
        case r.GarageDoorReport(cover=cover, clear=None):
            return _("it is {state}", state=_state_text(cover, _UNKNOWN_DOOR))
        case r.GarageDoorReport(cover=cover, clear=True):
            return _("it is {state}, nothing is in its way", state=_state_text(cover, _UNKNOWN_DOOR))
        case r.GarageDoorReport(cover=cover):
            return _("it is {state}, something is in its way", state=_state_text(cover, _UNKNOWN_DOOR))
        case r.ParkedReport(parked=parked):
            return _PARKED_TEXTS[parked]
        case r.PositionReport(accuracy_m=None) | r.PositionReport(age_s=None):
            return _("it has no position of which it says how old and how exact it is")
        case r.PositionReport(accuracy_m=metres, age_s=age):
            # Where the car is, no page and no line of a terminal says
            return _("its position is {age} s old and exact to {metres} m", age=f"{age:.0f}", metres=f"{metres:.0f}")
        case r.ContentReport(occupied=occupied):
            return _CONTENT_TEXTS[occupied]
        case r.KeyReport(present=present):
            return _KEY_TEXTS[present]
        case r.CodesReport(codes=codes):
            return _("it has {count} codes", count=str(len(codes)))
        case r.PresenceReport(presence=presence):
            return _("presence {state}", state=_state_text(presence, _UNKNOWN))
        case r.AlarmPanelReport(panel=panel):
            return _("the alarm panel is {state}", state=_state_text(panel, _UNKNOWN_DOOR))
        case r.AvailabilityReport(online=online):
            return _("it is online") if online else _("it is offline")
        case r.StreamReport(uri=uri):
            return _("its pictures are at {uri}", uri=mask_account(uri))
        case r.BatteryReport(level=level, percent=percent):
            return _("battery {level}", level=f"{percent} %" if level is None else _state_text(level, _UNKNOWN))
        case _:
            return _("something else")


def _state_text(state: StrEnum, unknown: Text) -> Text:
    return unknown if state == "unknown" else _STATE_TEXTS[state]


def battery_findings(home: Home, retained: Mapping[str, bytes]) -> Iterator[Finding]:
    """Yield a finding for each entrance with a known battery."""
    for entrance in home.entrances:
        sensors = _sensors(home, entrance)
        levels, soon = _parse_batteries(retained.get(entrance_topic(entrance, "state"), b""), sensors)
        if not levels:
            continue
        weak = {battery for battery, level in levels.items() if level is not r.BatteryLevel.GOOD or battery in soon}
        # A critical battery of a closure's sensor refuses deliveries
        dead = sensors.keys() & {battery for battery, level in levels.items() if level is r.BatteryLevel.CRITICAL}
        yield Finding(
            _("batteries, {name}", name=entrance),
            FindingVerdict.BAD if dead else FindingVerdict.DOUBTFUL if weak else FindingVerdict.GOOD,
            joined(
                _battery_text(battery_label(battery) or sensors[battery], level, is_soon=battery in soon)
                for battery, level in levels.items()
            ),
            _("Change those that are low or running out, then let the device speak once.") if weak else None,
        )


def _sensors(home: Home, entrance: str) -> Mapping[str, Text]:
    """Return what people call the sensors of an entrance's closures, by the names of their batteries."""
    closures = entrance_closures(home, entrance)
    return {
        binding.name: Text("{device}, {closure}").with_facts(
            device=home.devices[binding.device].label, closure=closure_label(closures, binding.closure)
        )
        for binding in sensor_bindings(closures)
    }


def _parse_batteries(state: bytes, sensors: Collection[str]) -> tuple[dict[str, r.BatteryLevel], set[str]]:
    """Return the batteries in an entrance's state, and those that will be low soon; empty if it cannot be read."""
    body = None
    with contextlib.suppress(ValueError):
        body = parse(state)
    levels, soon = (body.get("batteries"), body.get("batteries_soon")) if isinstance(body, dict) else (None, None)
    known = {
        battery: r.BatteryLevel(level)
        for battery, level in (levels.items() if isinstance(levels, dict) else ())
        if isinstance(level, str) and level in set(r.BatteryLevel)
        if battery in sensors or battery_label(battery) is not None
    }
    return known, {battery for battery in (soon if isinstance(soon, list) else ()) if isinstance(battery, str)}


def _battery_text(whose: Text, level: r.BatteryLevel, *, is_soon: bool) -> Text:
    if is_soon and level is r.BatteryLevel.GOOD:
        return _("{whose}, running out", whose=whose)
    return joined((whose, report_text(r.BatteryReport(level=level))))

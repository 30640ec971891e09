"""Reads and writes the codes of a Zigbee lock's keypad in Zigbee2MQTT's words.

The keypad takes {"pin_code": {"user": 21, "user_enabled": true, "pin_code": "…"}} on the lock's `set`, and null as the
PIN clears it. {"pin_code": {"user": 21}} on `get` reads one slot; the answer is {"users": {"21": {"status":
"enabled"}}}, of which only the status is read, never a PIN. As Zigbee2MQTT repeats `users` in each publication, an
answer might be what it remembers: `KeypadFacts.answers_needed` says what follows. No names, no
times: the gateway sets a code at its start and clears it at its end.

From zigbee-herdsman-converters: `pincode_lock`, `lock_pin_code_response`, `lockUserStatus`.
"""

from collections.abc import Mapping

from devices.commands import ClearCode, Command, QueryCodes, SetCode
from devices.reports import CodesReport, CodeStatus, KeypadCode
from devices.strict_json import integer, text, write
from devices.vendors.words import Publication, TopicSuffix

KEYPAD = "keypad"  # the enrolled kind of a lock's keypad
PIN = "pin_code"
_CODE_STATES = {
    "available": CodeStatus.AVAILABLE,
    "enabled": CodeStatus.ENABLED,
    "disabled": CodeStatus.DISABLED,
}


def codes(users: Mapping[str, object]) -> CodesReport:
    """Return the status of each slot that was read; a PIN beside it is not read."""
    found = []
    for number, known in users.items():
        status = known.get("status") if isinstance(known, dict) else None
        if number.isascii() and number.isdecimal() and len(number) <= 5:
            meaning = _CODE_STATES.get(status, CodeStatus.UNKNOWN) if isinstance(status, str) else CodeStatus.UNKNOWN
            found.append(KeypadCode(slot=int(number), status=meaning))
    return CodesReport(codes=tuple(found))


def codes_publication(report: CodesReport) -> Publication:
    """Return the publication of a simulated lock about some of its slots."""
    words = {status: word for word, status in _CODE_STATES.items()}
    users = {str(code.slot): {"status": words.get(code.status, "not_supported")} for code in report.codes}
    return Publication(suffix=TopicSuffix.STATE, payload=write({"users": users}))


def command_publication(command: SetCode | ClearCode | QueryCodes) -> Publication:
    """Return the message about one slot; ValueError: it names none, or times, which Zigbee2MQTT does not set."""
    if command.slot is None:
        raise ValueError("Zigbee2MQTT reads and writes one slot at a time: name it")
    if isinstance(command, QueryCodes):
        return Publication(suffix=TopicSuffix.GET, payload=write({PIN: {"user": command.slot}}))
    body: dict[str, object] = {"user": command.slot, PIN: None}
    if isinstance(command, SetCode):
        if command.starts is not None or command.ends is not None:
            raise ValueError("Zigbee2MQTT sets no times of a code")
        body = {"user": command.slot, "user_type": "unrestricted", "user_enabled": True, PIN: command.pin}
    return Publication(suffix=TopicSuffix.SET, payload=write({PIN: body}))


def command(suffix: TopicSuffix, body: Mapping[str, object]) -> Command:
    """Return the command about one slot; it carries no id, no name and no times."""
    slot = integer(body.get("user"), "user")
    if suffix is TopicSuffix.GET:
        return QueryCodes(slot=slot)
    pin = body.get(PIN)
    return ClearCode(id="", slot=slot) if pin is None else SetCode(id="", name="", slot=slot, pin=text(pin, PIN))

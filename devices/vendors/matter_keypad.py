"""Reads and writes the codes of a Matter lock's keypad: users, credentials and year-day schedules of its Door Lock.

A code takes one slot, which is the index of its user, of its PIN credential, and of the user of its schedule. It is set
in this order, so that the PIN never opens outside its times: user, schedule, PIN. It is cleared with its user. A lock
never reports a PIN; what is read back is the user, whether the credential exists, and the schedule:

    set     {"do": "set_code", "id": "...", "slot": 5, "pin": "...", "name": "...", "starts": "...", "ends": "..."};
            {"do": "clear_code", "id": "...", "slot": 5}
    get     {"codes": 5} or {"codes": null}, which is all of them
    result  {"codes": [{"slot": 5, "user": {...}, "credential": {...}, "schedule": {...}}], "complete": false}: the
            answers of GetUser, GetCredentialStatus and GetYearDaySchedule; {"code": "...", "accepted": true} or
            {"code": "...", "error": "..."}: what became of an order

A schedule is in the lock's local time, and no answer names its time zone: it is written and read as if it were UTC
(`TIMES_OFF_S`). A schedule counts only for a user whose type is restricted to it.

Sources: the Matter Application Cluster Specification 1.5, Door Lock; each command was tried with python-matter-server
7.0.1 and a lock of matter.js 0.17.9 (`tests/real/with_matter.py`).
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from devices.commands import ClearCode, Command, QueryCodes, SetCode
from devices.reports import CodesReport, CodeStatus, KeypadCode
from devices.strict_json import MalformedPayload, format_timestamp, identifier, integer, mapping, sequence, text
from devices.strict_json import timestamp as read_timestamp

KEYPAD: Final = "keypad"  # the enrolled kind of a lock's keypad
TIMES_OFF_S: Final = 14 * 3600.0  # seconds: the widest offset of a local time from UTC
SCHEDULE: Final = 1  # the index of a user's only schedule
PIN_CREDENTIAL: Final = 1  # CredentialTypeEnum
ADD: Final = 0  # DataOperationTypeEnum: it fails if the slot is taken
AVAILABLE, ENABLED, DISABLED = 0, 1, 3  # UserStatusEnum
UNRESTRICTED_USER, YEAR_DAY_USER, SCHEDULE_RESTRICTED_USER = 0, 1, 8  # UserTypeEnum
SUCCESS: Final = 0  # of SetCredential and GetYearDaySchedule
NOT_FOUND: Final = 0x8B
PIN_FEATURE, USER_FEATURE = 1, 1 << 8  # of a door lock's feature map: it has a keypad whose users can be set

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # of Matter's epoch-s
_MAX_SECONDS: Final = 0xFFFF_FFFF

CodeStep = tuple[str, Mapping[str, object]]
"""The name of a Door Lock's command, and its fields as a Matter server takes them."""


def has_keypad(lock_features: int) -> bool:
    """Return whether a door lock stores users with PINs."""
    return bool(lock_features & PIN_FEATURE and lock_features & USER_FEATURE)


def setting_steps(command: SetCode) -> tuple[CodeStep, ...]:
    """Return the commands that store a code, in their order.

    Raises:
        ValueError: it names no slot, or only one of its times.
    """
    slot = command.slot
    if slot is None or (command.starts is None) != (command.ends is None):
        raise ValueError("a Matter lock stores a code in a slot, with both of its times or none")
    is_restricted = command.starts is not None and command.ends is not None
    user = {
        "operationType": ADD, "userIndex": slot, "userName": command.name, "userUniqueID": None,
        "userStatus": ENABLED, "userType": YEAR_DAY_USER if is_restricted else UNRESTRICTED_USER, "credentialRule": 0,
    }  # fmt: skip
    credential = {
        "operationType": ADD, "credential": _credential(slot),
        "credentialData": base64.b64encode(command.pin.encode()).decode(), "userIndex": slot, "userStatus": None,
        "userType": None,
    }  # fmt: skip
    steps: list[CodeStep] = [("SetUser", user)]
    if command.starts is not None and command.ends is not None:
        times = {"localStartTime": _seconds(command.starts), "localEndTime": _seconds(command.ends)}
        steps.append(("SetYearDaySchedule", {"yearDayIndex": SCHEDULE, "userIndex": slot, **times}))
    return (*steps, ("SetCredential", credential))


def clearing_step(slot: int) -> CodeStep:
    """Return the command that deletes a user with its credentials and schedules."""
    return "ClearUser", {"userIndex": slot}


def reading_steps(slot: int) -> tuple[CodeStep, ...]:
    """Return the commands that read a slot, in the order of `slot_body`."""
    return (
        ("GetUser", {"userIndex": slot}),
        ("GetCredentialStatus", {"credential": _credential(slot)}),
        ("GetYearDaySchedule", {"yearDayIndex": SCHEDULE, "userIndex": slot}),
    )


def is_refused(name: str, answer: object) -> bool:
    """Return whether the answer to a command of `setting_steps` says that it was not carried out."""
    return name == "SetCredential" and (not isinstance(answer, dict) or answer.get("status") != SUCCESS)


def slot_body(slot: int, user: object, credential: object, schedule: object) -> dict[str, object]:
    """Return a slot of a message: what the lock answered."""
    return {"slot": slot, "user": user, "credential": credential, "schedule": schedule}


def _credential(slot: int) -> dict[str, object]:
    return {"credentialType": PIN_CREDENTIAL, "credentialIndex": slot}


def _seconds(at: datetime) -> int:
    return max(0, min(_MAX_SECONDS, int((at - _EPOCH).total_seconds())))


def _instant(seconds: object) -> datetime | None:
    is_number = isinstance(seconds, int) and not isinstance(seconds, bool) and 0 <= seconds <= _MAX_SECONDS
    return _EPOCH + timedelta(seconds=seconds) if is_number and isinstance(seconds, int) else None


def codes(body: Mapping[str, object]) -> CodesReport:
    """Return the codes of a result; MalformedPayload: there are none in it."""
    slots = (_code(mapping(one, "a code")) for one in sequence(body.get("codes"), "codes"))
    return CodesReport(codes=tuple(slots), is_complete=body.get("complete") is True)


def _code(body: Mapping[str, object]) -> KeypadCode:
    user, credential, schedule = (
        value if isinstance(value, dict) else None
        for value in (body.get("user"), body.get("credential"), body.get("schedule"))
    )
    slot = integer(body.get("slot"), "slot")
    starts = ends = name = None
    if user is not None and user.get("userType") in (YEAR_DAY_USER, SCHEDULE_RESTRICTED_USER):
        is_known = schedule is not None and schedule.get("status") == SUCCESS
        starts = _instant(schedule.get("localStartTime")) if is_known and schedule is not None else None
        ends = _instant(schedule.get("localEndTime")) if is_known and schedule is not None else None
    if user is not None and isinstance(user.get("userName"), str):
        name = str(user["userName"])[:32] or None
    return KeypadCode(slot=slot, status=_status(slot, user, credential), name=name, starts=starts, ends=ends)


def _status(slot: int, user: Mapping[str, object] | None, credential: Mapping[str, object] | None) -> CodeStatus:
    """Return what is in a slot. It is free only if the lock says that neither the user nor the PIN is there."""
    if user is None or credential is None or not isinstance(credential.get("credentialExists"), bool):
        return CodeStatus.UNKNOWN
    there = credential["credentialExists"] is True
    match user.get("userStatus"):
        case None | 0:
            return CodeStatus.UNKNOWN if there else CodeStatus.AVAILABLE
        case 1:  # a user without a PIN opens nothing with it
            return CodeStatus.ENABLED if there and credential.get("userIndex") in (slot, None) else CodeStatus.DISABLED
        case 3:
            return CodeStatus.DISABLED
        case _:
            return CodeStatus.UNKNOWN


def codes_body(report: CodesReport) -> dict[str, object]:
    """Return the result with these codes; ValueError: a Matter lock cannot say them."""
    return {"codes": [_body_of(code) for code in report.codes], "complete": report.is_complete}


def _body_of(code: KeypadCode) -> dict[str, object]:
    numbers = {CodeStatus.AVAILABLE: None, CodeStatus.ENABLED: ENABLED, CodeStatus.DISABLED: DISABLED}
    if code.status not in numbers or (code.starts is None) != (code.ends is None):
        raise ValueError("a slot is free, enabled or disabled, and has both of its times or none")
    has_times = code.starts is not None and code.ends is not None
    user_type = None if code.status is CodeStatus.AVAILABLE else YEAR_DAY_USER if has_times else UNRESTRICTED_USER
    there = code.status is not CodeStatus.AVAILABLE
    schedule: dict[str, object] = {"status": NOT_FOUND, "localStartTime": None, "localEndTime": None}
    if code.starts is not None and code.ends is not None:
        schedule = {
            "status": SUCCESS, "localStartTime": _seconds(code.starts), "localEndTime": _seconds(code.ends),
        }  # fmt: skip
    return slot_body(
        code.slot,
        {"userIndex": code.slot, "userName": code.name, "userStatus": numbers[code.status], "userType": user_type},
        {"credentialExists": there, "userIndex": code.slot if there else None},
        schedule,
    )


def command_body(command: SetCode | ClearCode | QueryCodes) -> dict[str, object]:
    """Return the message for `perron matter`."""
    match command:
        case QueryCodes(slot=slot, echo=echo):
            return {"codes": slot, **({} if echo is None else {"echo": echo})}
        case ClearCode(id=id_, slot=slot):
            return {"do": "clear_code", "id": id_, "slot": slot}
        case SetCode():
            times = {
                key: format_timestamp(at)
                for key, at in (("starts", command.starts), ("ends", command.ends))
                if at is not None
            }
            setting_steps(command)  # it can be stored
            body = {"do": "set_code", "id": command.id, "slot": command.slot, "pin": command.pin, "name": command.name}
            return {**body, **times}


def read_command(body: Mapping[str, object]) -> Command:
    """Return the command about a code in a message on `set`.

    Raises:
        MalformedPayload: it is none.
    """
    slot = integer(body.get("slot"), "slot")
    match body.get("do"):
        case "clear_code":
            return ClearCode(id=identifier(body.get("id"), "id"), slot=slot)
        case "set_code":
            pin = text(body.get("pin"), "pin", 8)
            if not pin.isascii() or not pin.isdecimal() or ("starts" in body) != ("ends" in body):
                raise MalformedPayload("a code is digits, and has both of its times or none")
            return SetCode(
                id=identifier(body.get("id"), "id"), pin=pin, name=text(body.get("name"), "name", 10), slot=slot,
                starts=read_timestamp(body["starts"], "starts") if "starts" in body else None,
                ends=read_timestamp(body["ends"], "ends") if "ends" in body else None,
            )  # fmt: skip
        case _:
            raise MalformedPayload("a code is set or cleared, and nothing else")

"""Door contacts that are wired to an ESP with the firmware of `config/esphome/door.yaml`.

    state         ON (open) or OFF (closed), as ESPHome writes a binary sensor; retained
    get           the question's mark, as text
    result        {"echo": "<that mark>", "door": "open"} or closed: read from the pin when the question came
    availability  online, offline: birth and last will

ESPHome's client speaks MQTT 3.1.1, which has no correlation data; so question and answer are tied in the payload.
Source: esphome.io, "MQTT Client Component" (birth and will message, `on_message`, `mqtt.publish`) and "Binary Sensor
Component"; the shapes of `get` and `result` are ours, made by the firmware.
"""

from collections.abc import Mapping
from typing import assert_never

from devices.commands import Command, Lock, Query, SetSignal, ShowResult, Unlock
from devices.reports import AvailabilityReport, Door, DoorReport, EchoReport, Report, Unreadable
from devices.vendors.strictjson import Malformed, identifier, mapping, parse, text, write
from devices.vendors.words import BARE, NO_TOPICS, Channel, Letter, Nameplate

ECHOES = True
UNMARKED = "0"  # whose answer nobody waits for
_CONTACT = {b"ON": Door.OPEN, b"OFF": Door.CLOSED}
_DOORS = {"open": Door.OPEN, "closed": Door.CLOSED}


def topics(plate: Nameplate) -> Mapping[Channel, str]:  # noqa: ARG001 (the same for all)
    """The firmware speaks on our topics."""
    return NO_TOPICS


def decode_report(
    channel: Channel,
    payload: bytes,
    plate: Nameplate = BARE,  # noqa: ARG001 (nothing of it is needed)
) -> tuple[Report, ...]:
    """Read what the contact sent; an answer gives its echo first, then the door."""
    if channel is Channel.AVAILABILITY and payload in (b"online", b"offline"):
        return (AvailabilityReport(online=payload == b"online"),)
    if channel is Channel.STATE:
        return (DoorReport(door=_CONTACT.get(payload.strip(), Door.UNKNOWN)),)
    if channel is not Channel.RESULT:
        return (Unreadable(why="a contact tells its state, answers, and says whether it is there"),)
    try:
        body = mapping(parse(payload), "the answer")
        echo = EchoReport(echo=identifier(body.get("echo"), "echo"))
        return (echo, DoorReport(door=_DOORS.get(text(body.get("door"), "door"), Door.UNKNOWN)))
    except Malformed as error:
        return (Unreadable(why=str(error)),)


def encode_command(command: Command, plate: Nameplate) -> Letter:  # noqa: ARG001 (its topic is its whole address)
    """Write a question.

    Raises:
        ValueError: a contact is only asked.
    """
    match command:
        case Query(echo=echo):
            return Letter(channel=Channel.GET, payload=(echo or UNMARKED).encode())
        case Unlock() | Lock() | SetSignal() | ShowResult():
            raise ValueError(f"a contact cannot be asked to {type(command).__name__}")
        case _:
            assert_never(command)


def encode_report(report: Report, plate: Nameplate) -> tuple[Letter, ...]:  # noqa: ARG001 (as above)
    """Write what the firmware would send, unasked; its answer to a question: see `answer`.

    Raises:
        ValueError: a contact says open or closed, and whether it is there.
    """
    if isinstance(report, AvailabilityReport):
        return (Letter(channel=Channel.AVAILABILITY, payload=b"online" if report.online else b"offline"),)
    words = {door: word for word, door in _CONTACT.items()} | {Door.UNKNOWN: b"unknown"}
    if isinstance(report, DoorReport) and report.door in words:
        return (Letter(channel=Channel.STATE, payload=words[report.door]),)
    raise ValueError(f"a contact cannot say this {type(report).__name__}")


def answer(report: DoorReport, echo: str) -> Letter:
    """Write the firmware's answer to the question with this mark.

    Raises:
        ValueError: a contact says open or closed.
    """
    words = {door: word for word, door in _DOORS.items()}
    if report.door not in words:
        raise ValueError("a contact says open or closed")
    return Letter(channel=Channel.RESULT, payload=write({"echo": echo, "door": words[report.door]}))


def decode_command(
    channel: Channel,
    payload: bytes,
    plate: Nameplate = BARE,  # noqa: ARG001 (the same)
) -> Command | Unreadable:
    """Read what the contact is asked: anything on `get` is a question, its payload the mark."""
    if channel is not Channel.GET:
        return Unreadable(why="a contact is only asked")
    try:
        mark = identifier(payload.decode(errors="replace"), "the question")
        return Query(echo=None if mark == UNMARKED else mark)
    except Malformed as error:
        return Unreadable(why=str(error))

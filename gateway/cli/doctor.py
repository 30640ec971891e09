"""`perron doctor`: tries everything that a delivery will need, and says what to do about what is not well."""

import asyncio
import os
import shutil
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import assert_never
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from devices.commands import Query
from devices.reports import (
    AvailabilityReport,
    BatteryReport,
    DoorReport,
    FridgeReport,
    LockReport,
    Report,
    StreamReport,
    Unreadable,
)
from devices.vendors import VENDORS
from devices.vendors.words import Channel
from gateway.cli.broker import heard, logged_in
from gateway.cli.failure import Failure, plain, typed
from gateway.clock import kernel_synchronised
from gateway.config import Broker, ConfigError, Home
from gateway.equipment import CameraDevice, Device, DoorDevice, LockDevice
from gateway.mqtt import STALL, Guest, Sent
from gateway.notice import TRIAL, Notice
from gateway.phonebook import open_to_others
from gateway.phones import LIMIT, Heard, read
from gateway.topics import BRIDGE_STATE, ECHO, device_topic
from gateway.voice import inert
from gateway.web.certificate import FOLDER, authority_of, spaced

ECHOES = 10
SLOW = 1.0  # seconds that an echo may take
STORED = 1.0  # seconds for the broker to hand out what it keeps
ANSWER = 5.0  # seconds for a device that declares no latency of its own
REACH = 3.0  # seconds to open a camera's port


class Verdict(StrEnum):
    """How a thing is."""

    GOOD = auto()
    DOUBTFUL = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried; `todo` is empty where nothing need be done."""

    what: str
    verdict: Verdict
    said: str
    todo: str = ""


async def examine(home: Home) -> AsyncIterator[Finding]:
    """Try clock, disk, broker, gateway, every device and phone, the pages' authority; what is not well never raises."""
    yield clock(home)
    yield disk(home)
    installer = home.broker.account("installer")
    try:
        round_trip = await echo(installer)
        yield Finding("broker", Verdict.GOOD, f"{installer.host}:{installer.port} lets {installer.username} in")
        yield round_trip
        async with logged_in(installer, [BRIDGE_STATE, *_answer_topics(home)]) as guest:
            said = await _stored(guest)
            yield _gateway(said)
            for id_, device in home.devices.items():
                yield await _device(home, guest, id_, device, said)
    except Failure as failure:
        yield Finding("broker", Verdict.BAD, str(failure), failure.todo)
        yield Finding(
            "devices", Verdict.DOUBTFUL, "not asked: they speak by the broker", "Look again when it is there."
        )
    for id_, device in home.devices.items():
        if isinstance(device, CameraDevice):
            yield await _stream(id_, device)
    async for finding in phones(home):
        yield finding
    if home.pages is not None and not home.pages.loopback and home.pages.certificate is None:
        yield trust(home)


def trust(home: Home) -> Finding:
    """Tell the fingerprint that people compare before they install the box's authority on a phone."""
    try:
        found = authority_of(home.storage.folder / FOLDER)
    except (OSError, ValueError) as error:
        return Finding("pages", Verdict.BAD, f"their authority cannot be read: {plain(error)}", "Restart the gateway.")
    if found is None:
        return Finding("pages", Verdict.DOUBTFUL, "no authority was made yet", "Start the gateway: it makes one.")
    fingerprint, until = found
    return Finding("pages", Verdict.GOOD, f"their authority is {spaced(fingerprint)}, good until {until:%Y-%m-%d}")


def clock(home: Home) -> Finding:
    """Look whether the time can be trusted."""
    if home.clock.source == "host":
        return Finding("clock", Verdict.GOOD, "the machine's own word is taken (clock.source: host)")
    if kernel_synchronised():
        return Finding("clock", Verdict.GOOD, "a time service keeps it")
    return Finding(
        "clock",
        Verdict.BAD,
        "no time service keeps it: with an untrusted clock no window opens",
        "Install chrony or systemd-timesyncd. Where another machine keeps the time (a container's host, say), write"
        " `source: host` under `clock:` in the house file.",
    )


def disk(home: Home) -> Finding:
    """Look whether the reserve is free where films will be written."""
    folder = home.storage.folder
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not nearest.is_dir():
        return Finding("disk", Verdict.BAD, f"{folder} is no folder and can be none", "Correct storage.folder.")
    free = shutil.disk_usage(nearest).free // 2**20
    said = f"{free} MiB free at {folder}, {home.storage.reserve_mib} needed"
    if free >= home.storage.reserve_mib:
        return Finding("disk", Verdict.GOOD, said)
    return Finding("disk", Verdict.BAD, said, "Make room, or name another storage.folder: no door opens without it.")


async def echo(broker: Broker) -> Finding:
    """Send ourselves messages: 40 ms each is Nagle's algorithm in the broker.

    Heard with QoS 0 we have nothing to say to the copy that comes first, so the broker's acknowledgement behind it
    waits for our system's delayed one: every time, where the broker lacks TCP_NODELAY.

    Raises:
        Failure: the broker cannot be spoken to.
    """
    took = []
    async with logged_in(broker, [ECHO], qos=0) as guest:
        for n in range(ECHOES):
            sent = guest.publish(ECHO, str(n).encode())
            back = await heard(guest, lambda incoming: not incoming.retain, within=SLOW)
            if back is None or not isinstance(sent, Sent) or not (await sent.acknowledged).taken:
                todo = "Look at the broker's load, and write its access list anew with `perron broker-config`."
                return Finding("round trip", Verdict.BAD, f"no echo within {SLOW:g} s", todo)
            took.append((await sent.acknowledged).seconds)
    median = statistics.median(took)
    if STALL[0] <= median <= STALL[1]:
        return Finding(
            "round trip",
            Verdict.BAD,
            f"{median * 1000:.0f} ms: small packets wait for a delayed acknowledgement",
            "Say `set_tcp_nodelay true` in mosquitto.conf (`perron broker-config` does).",
        )
    return Finding("round trip", Verdict.GOOD, f"{median * 1000:.1f} ms")


def _answer_topics(home: Home) -> list[str]:
    return [
        device_topic(home, id_, channel) for id_ in home.devices for channel in (Channel.AVAILABILITY, Channel.RESULT)
    ]


async def _stored(guest: Guest) -> dict[str, bytes]:
    """Collect what the broker keeps: topic to payload."""
    said: dict[str, bytes] = {}
    try:
        async with asyncio.timeout(STORED):
            while True:
                incoming = await guest.hear()
                if incoming.retain:
                    said[incoming.topic] = incoming.payload
    except TimeoutError:
        return said


def _gateway(said: dict[str, bytes]) -> Finding:
    match said.get(BRIDGE_STATE):
        case b'{"state":"online"}':
            return Finding("gateway", Verdict.GOOD, "it runs and is connected")
        case None:
            return Finding("gateway", Verdict.DOUBTFUL, "it has never been here", "Start it with `perron run`.")
        case _:
            return Finding("gateway", Verdict.DOUBTFUL, "it is not connected", "Start it with `perron run`.")


async def _device(home: Home, guest: Guest, id_: str, device: Device, said: dict[str, bytes]) -> Finding:
    """Ask a device that can be asked; of the others only their own word of being online is known."""
    kept = said.get(device_topic(home, id_, Channel.AVAILABILITY))
    online = (
        None
        if kept is None
        else _online(VENDORS[device.vendor].decode_report(Channel.AVAILABILITY, kept, device.plate))
    )
    if online is False:
        return Finding(id_, Verdict.BAD, "says that it is offline", "Look at its power, its battery and its link.")
    answer = await _ask(home, guest, id_, device)
    match answer:
        case str() as why:
            known = Verdict.DOUBTFUL if online is None else Verdict.GOOD
            todo = "" if online else "Use it once: it has not said yet whether it is online."
            return Finding(id_, known, f"{'online' if online else 'silent'}; {why}", todo)
        case None:
            within = f"{_patience(device):g} s"
            todo = "Look at its power and its link. A simulated one lives in `perron simulate`."
            return Finding(id_, Verdict.BAD, f"does not answer within {within}", todo)
        case tuple() if any(isinstance(report, Unreadable) for report in answer):
            return Finding(id_, Verdict.BAD, "answers what cannot be read", f"Is it a {device.vendor} {device.kind}?")
        case tuple():
            return Finding(id_, Verdict.GOOD, "answers: " + ", ".join(map(spoken, answer)))
        case _:
            assert_never(answer)


def _online(reports: tuple[Report, ...]) -> bool | None:
    return next((report.online for report in reports if isinstance(report, AvailabilityReport)), None)


async def _ask(home: Home, guest: Guest, id_: str, device: Device) -> tuple[Report, ...] | str | None:
    """Query it: its reports, None for silence, or why it cannot be asked."""
    if isinstance(device, DoorDevice) and not device.answers:
        return "a basic door cannot be asked"
    vendor = VENDORS[device.vendor]
    try:
        letter = vendor.encode_command(Query(), device.plate)
    except ValueError:
        return f"a {device.kind} cannot be asked"
    ours = f"doctor:{id_}".encode()
    result = device_topic(home, id_, Channel.RESULT)
    guest.publish(device_topic(home, id_, letter.channel), letter.payload, correlation=ours, response_topic=result)
    answer = await heard(guest, lambda i: i.topic == result and i.correlation == ours, within=_patience(device))
    return None if answer is None else vendor.decode_report(Channel.RESULT, answer.payload, device.plate)


def spoken(report: Report) -> str:
    """Put what a device answered into words."""
    match report:
        case LockReport():
            jammed = ", and it is jammed" if report.jammed else ""
            return f"the bolt is {_words(report.bolt)}{jammed}"
        case DoorReport():
            return f"the door is {_words(report.door)}"
        case FridgeReport():
            degrees = "unknown" if report.temp_c is None else f"{report.temp_c:g} °C"
            return f"{report.compartment} {degrees}"
        case AvailabilityReport():
            return "it is online" if report.online else "it is offline"
        case StreamReport():
            return f"its pictures are at {report.uri}"
        case BatteryReport():
            return f"battery {report.level or f'{report.percent} %'}"
        case _:
            return "something else"


def _words(value: StrEnum) -> str:
    return value.value.replace("_", " ")


def _patience(device: Device) -> float:
    return device.latency if isinstance(device, LockDevice) else ANSWER


async def _stream(id_: str, camera: CameraDevice) -> Finding:
    """Open the port of a camera's stream; whether its pictures are alive is the video process's to say."""
    url = urlsplit(camera.url)
    port = url.port or (322 if url.scheme == "rtsps" else 554)
    try:
        async with asyncio.timeout(REACH):
            _, writer = await asyncio.open_connection(url.hostname, port)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        where = f"{url.hostname}:{port}"
        return Finding(f"{id_} stream", Verdict.BAD, f"{where} does not answer", "Look at the camera and at its url.")
    return Finding(f"{id_} stream", Verdict.GOOD, f"{url.hostname}:{port} answers")


async def phones(home: Home) -> AsyncIterator[Finding]:
    """Send each of the owner's phones a word: only what arrives shows that messages will. No door waits for a phone."""
    file = home.phones_file
    if home.messages is None and not file.exists():
        yield Finding("phones", Verdict.GOOD, "none is configured: messages go to the log and to MQTT")
        return
    try:
        # No picture goes with it, and nobody keeps the name: neither folder nor key matters.
        found = read(file, key=b"", scratch=home.storage.folder)
    except ConfigError as error:
        yield Finding("phones", Verdict.BAD, str(error), "Until then `perron run` does not start.")
        return
    if open_to_others(file):
        todo = f"`chmod 600 {file}`, and where others could read it change what stands in it."
        yield Finding("phones", Verdict.BAD, f"{file} can be read or written by others on this machine", todo)
    if not found:
        yield Finding("phones", Verdict.DOUBTFUL, f"{file} names none", "Add one on the page Settings, Messages.")
    for number, phone in enumerate(found, start=1):
        what = f"phone {number} ({phone.scheme})"
        match await phone.tell(Notice(title=inert(home.name), text=TRIAL[home.language])):
            case Heard.TAKEN:
                yield Finding(what, Verdict.GOOD, "took a word to try it: look whether the phone shows it")
            case Heard.REFUSED:
                todo = "Look at its URL's line, at account and topic, and at this machine's way there."
                yield Finding(what, Verdict.DOUBTFUL, "did not take it, or nobody answers there", todo)
            case Heard.SILENT:
                todo = "Look at this machine's way there."
                yield Finding(what, Verdict.DOUBTFUL, f"no answer within {LIMIT:g} s", todo)
            case heard:
                assert_never(heard)


async def report(home: Home, console: Console) -> bool:
    """Show every finding as a row; True when nothing is red."""
    table = Table("")
    for heading in ("what", "how it is", "what to do"):
        table.add_column(heading, overflow="fold")
    colours = {Verdict.GOOD: "green", Verdict.DOUBTFUL: "yellow", Verdict.BAD: "red"}
    good = True
    async for finding in examine(home):
        colour = colours[finding.verdict]
        good = good and finding.verdict is not Verdict.BAD
        word = Text({Verdict.GOOD: "ok", Verdict.DOUBTFUL: "?", Verdict.BAD: "BAD"}[finding.verdict], style=colour)
        table.add_row(word, *(Text(typed(part)) for part in (finding.what, finding.said, finding.todo)))
    console.print(table)
    return good

"""`perron doctor`: tries everything that a delivery will need, and says what to do about what is not well."""

import asyncio
import os
import shutil
import statistics
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import assert_never

from rich.console import Console
from rich.table import Table
from rich.text import Text

from devices.reports import (
    AvailabilityReport,
    BatteryReport,
    CoverReport,
    DoorReport,
    FridgeReport,
    LockReport,
    PanelReport,
    PresenceReport,
    Report,
    StreamReport,
    Unreadable,
)
from gateway.asking import Heard, NoKey, ask, patience, topics
from gateway.brokertls import good_until, in_words
from gateway.cli.broker import heard, logged_in
from gateway.cli.failure import Failure, plain, typed
from gateway.cli.stream import sight
from gateway.clock import kernel_synchronised, machine_time
from gateway.config import Broker, ConfigError, Home
from gateway.equipment import CameraDevice, Device
from gateway.installation.capability import Ground, entrance_promises
from gateway.installation.notes import measurements, walked
from gateway.installation.words import promised
from gateway.mqtt import STALL, Sent
from gateway.notice import TRIAL, Notice
from gateway.phonebook import open_to_others
from gateway.phones import Heard as Reached
from gateway.phones import read
from gateway.streamurl import without_account
from gateway.topics import BRIDGE_STATE, ECHO
from gateway.voice import inert
from gateway.weakness import weaknesses
from gateway.web.certificate import FOLDER, authority_of, spaced

ECHOES = 10
LATE = 12  # days left of the broker's certificate, which is renewed from 15 on
SLOW = 1.0  # seconds that an echo may take
LONGEST = 3.0  # seconds for a device to answer: the whole takes under 5
REACH = 3.0  # seconds for a phone's service to take a word


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
    """Try clock, disk, broker, gateway, every device and phone, the pages' authority, all at once: under 5 s.

    What is not well never raises.
    """
    others = [asyncio.create_task(_stream(i, d)) for i, d in home.devices.items() if isinstance(d, CameraDevice)]
    told = asyncio.create_task(_all(phones(home)))
    try:
        yield clock(home)
        yield disk(home)
        for finding in broker_files(home):
            yield finding
        async for finding in _by_the_broker(home):
            yield finding
        for other in others:
            yield await other
        for finding in await told:
            yield finding
    finally:
        for task in (*others, told):
            task.cancel()
    if home.pages is not None and not home.pages.loopback and home.pages.certificate is None:
        yield trust(home)
    for finding in unattended(home):
        yield finding


async def _all(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]


async def _by_the_broker(home: Home) -> AsyncIterator[Finding]:
    """Speak with the broker, and through it with the devices."""
    installer = home.broker.account("installer")
    try:
        round_trip = await echo(installer)
        yield Finding("broker", Verdict.GOOD, f"{installer.host}:{installer.port} lets {installer.username} in")
        yield round_trip
        if home.broker.tls is not None:
            yield await certificate(home.broker)
        async with logged_in(installer, [BRIDGE_STATE, *topics(home, home.devices)]) as guest:
            found = await ask(home, guest, home.devices, longest=LONGEST, word="doctor")
        yield _gateway(found.stored)
        for id_, device in home.devices.items():
            if device.speaks:
                yield _device(id_, device, found.devices[id_])
    except NoKey as error:
        todo = "Ask on the box itself, as its own user: a guard answers only what the box's key has signed."
        yield Finding("devices", Verdict.BAD, f"{error}.", todo)
    except Failure as failure:
        yield Finding("broker", Verdict.BAD, str(failure), failure.todo)
        yield Finding(
            "devices", Verdict.DOUBTFUL, "not asked: they speak by the broker", "Look again when it is there."
        )


def unattended(home: Home) -> Iterator[Finding]:
    """Say of each entrance what forbids a visit while nobody is home; red where something does."""
    measured = measurements(home.storage.folder)
    for name in home.entrances:
        found = entrance_promises(home, name, measured, walked(home, name))
        forbidden = [promised(one, "en") for one in found if one.forbids]
        untried = [promised(one, "en") for one in found if one.ground is Ground.UNKNOWN]
        if forbidden:
            todo = f"`perron walk-test {name}` tells more."
            yield Finding(f"entrance {name}", Verdict.BAD, " ".join(forbidden), todo)
        elif untried:
            yield Finding(f"entrance {name}", Verdict.DOUBTFUL, " ".join(untried), f"`perron walk-test {name}`")
        else:
            yield Finding(f"entrance {name}", Verdict.GOOD, "nothing forbids a visit while nobody is home")


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


def broker_files(home: Home) -> Iterator[Finding]:
    """Look for what is weak in the broker's files, where they lie on this machine beside the gateway's password."""
    folder = None if home.broker.password_file is None else home.broker.password_file.parent
    if folder is None or not (folder / "mosquitto.conf").exists():
        return
    try:
        found = weaknesses(folder, home)
    except OSError as error:
        said = f"{error.filename} cannot be looked at ({plain(error)})"
        yield Finding("broker files", Verdict.DOUBTFUL, said, f"As root: `perron broker-config {folder} --check`")
        return
    if not found:
        yield Finding("broker files", Verdict.GOOD, f"nothing in {folder} is weak")
    for weak in found:
        yield Finding("broker files", Verdict.BAD, weak.what, weak.todo)


async def certificate(broker: Broker) -> Finding:
    """Look whether the broker's certificate is renewed as it should be."""
    todo = f"`perron broker-config {broker.password_file.parent if broker.password_file else 'FOLDER'} --renew`, daily"
    try:
        until = await good_until(broker)
    except OSError as error:
        return Finding("broker certificate", Verdict.BAD, in_words(plain(error)), todo)
    left = None if until is None else (until - machine_time()).days
    if until is None or left is None:
        return Finding("broker certificate", Verdict.BAD, "it shows none", todo)
    if left < LATE:
        return Finding("broker certificate", Verdict.DOUBTFUL, f"good until {until:%Y-%m-%d}: nobody renews it", todo)
    return Finding("broker certificate", Verdict.GOOD, f"good until {until:%Y-%m-%d}")


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


def _gateway(said: dict[str, bytes]) -> Finding:
    match said.get(BRIDGE_STATE):
        case b'{"state":"online"}':
            return Finding("gateway", Verdict.GOOD, "it runs and is connected")
        case None:
            return Finding("gateway", Verdict.DOUBTFUL, "it has never been here", "Start it with `perron run`.")
        case _:
            return Finding("gateway", Verdict.DOUBTFUL, "it is not connected", "Start it with `perron run`.")


def _device(id_: str, device: Device, heard: Heard) -> Finding:
    """Judge what a device answered; of one that cannot be asked only its own word of being online is known."""
    if heard.online is False:
        return Finding(id_, Verdict.BAD, "says that it is offline", "Look at its power, its battery and its link.")
    if heard.why is not None:
        known = Verdict.DOUBTFUL if heard.online is None else Verdict.GOOD
        todo = "" if heard.online else "Use it once: it has not said yet whether it is online."
        return Finding(id_, known, f"{'online' if heard.online else 'silent'}; {heard.why}", todo)
    if heard.answer is None and patience(device) > LONGEST:
        said = f"has not answered within {LONGEST:g} s; it may take {patience(device):g} s"
        return Finding(id_, Verdict.DOUBTFUL, said, f"`perron test {id_}` waits as long as it needs.")
    if heard.answer is None:
        todo = "Look at its power and its link. A simulated one lives in `perron simulate`."
        return Finding(id_, Verdict.BAD, f"does not answer within {patience(device):g} s", todo)
    if any(isinstance(report, Unreadable) for report in heard.answer):
        return Finding(id_, Verdict.BAD, "answers what cannot be read", f"Is it a {device.vendor} {device.kind}?")
    told = ", ".join(map(spoken, heard.answer))
    return Finding(id_, Verdict.GOOD, f"answers within {heard.seconds or 0:.2f} s: {told}")


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
            return f"{report.compartment} {degrees}".strip()
        case CoverReport():
            beam = "" if report.clear is None else f", {'nothing is' if report.clear else 'something is'} in its way"
            return f"the garage door is {_words(report.cover)}{beam}"
        case PresenceReport():
            return f"presence {_words(report.presence)}"
        case PanelReport():
            return f"the alarm panel is {_words(report.panel)}"
        case AvailabilityReport():
            return "it is online" if report.online else "it is offline"
        case StreamReport():
            return f"its pictures are at {without_account(report.uri)}"
        case BatteryReport():
            return f"battery {report.level or f'{report.percent} %'}"
        case _:
            return "something else"


def _words(value: StrEnum) -> str:
    return value.value.replace("_", " ")


async def _stream(id_: str, camera: CameraDevice) -> Finding:
    """Look at a camera's stream as the gateway would; whether its pictures are alive is the video process's to say."""
    seen = await sight(id_, camera)
    verdict = {True: Verdict.GOOD, None: Verdict.DOUBTFUL, False: Verdict.BAD}[seen.good]
    return Finding(f"{id_} stream", verdict, seen.said, seen.todo)


async def phones(home: Home) -> AsyncIterator[Finding]:
    """Send each of the owner's phones a word: only what arrives shows that messages will. No door waits for a phone."""
    file = home.phones_file
    if home.messages is None and not file.exists():
        yield Finding("phones", Verdict.GOOD, "none is configured: messages go to the log and to MQTT")
        return
    try:
        # No picture goes with it, and nobody keeps the name: neither folder nor key matters.
        found = read(file, key=b"", scratch=home.storage.folder, limit=REACH)
    except ConfigError as error:
        yield Finding("phones", Verdict.BAD, str(error), "Until then `perron run` does not start.")
        return
    if open_to_others(file):
        todo = f"`chmod 600 {file}`, and where others could read it change what stands in it."
        yield Finding("phones", Verdict.BAD, f"{file} can be read or written by others on this machine", todo)
    if not found:
        yield Finding("phones", Verdict.DOUBTFUL, f"{file} names none", "Add one on the page Settings, Messages.")
    word = Notice(title=inert(home.name), text=TRIAL[home.language])
    heard_by = await asyncio.gather(*(phone.tell(word) for phone in found))
    for number, (phone, outcome) in enumerate(zip(found, heard_by, strict=True), start=1):
        what = f"phone {number} ({phone.scheme})"
        match outcome:
            case Reached.TAKEN:
                yield Finding(what, Verdict.GOOD, "took a word to try it: look whether the phone shows it")
            case Reached.REFUSED:
                todo = "Look at its URL's line, at account and topic, and at this machine's way there."
                yield Finding(what, Verdict.DOUBTFUL, "did not take it, or nobody answers there", todo)
            case Reached.SILENT:
                todo = "Look at this machine's way there."
                yield Finding(what, Verdict.DOUBTFUL, f"no answer within {REACH:g} s", todo)
            case never:
                assert_never(never)


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

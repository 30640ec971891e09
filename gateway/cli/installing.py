"""The installer's tools: `perron discover`, `doctor`, `test`, `survey` and `walk-test`."""

import asyncio
import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from statistics import median
from typing import Annotated
from zoneinfo import ZoneInfo

import segno
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.broker import json_body, open_session, publish, wait_for_message
from gateway.cli.failure import ExitCode, Failure, error_text, failure_on, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, command_line, expand_commands, hanging_lines, quoted_path
from gateway.cli.options import EntranceName, HomeFile, cli, exit_unless, print_line
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.evidence.rollback import STORE_FILE
from gateway.installation import discovery_scan, records
from gateway.installation.capability import device_capabilities, walk_test_capability
from gateway.installation.device_probe import ProbeKeyUnusable, device_topics, measure_device
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, sentence_text
from gateway.installation.diagnostics.house import examine_house
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.discovery_scan import DiscoveryHandler
from gateway.installation.walk_test_report import verify_walk
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.storage.models import StoreFailed
from gateway.storage.readiness import summarise
from gateway.storage.readonly import counted_readiness
from gateway.system.clock import read_clock
from gateway.system.dates import moment_text
from gateway.system.i18n import SOURCE
from gateway.system.regular_file import read_bytes
from gateway.system.text import escape_invisible
from gateway.web.pages.installation import INSTALLATION_PATH

LOCK_TIMEOUT_S = 60.0  # for a lock request to end, however slow the lock
MAX_REPORT_BYTES = 64 * 2**20  # a report holds one picture of each camera

_VERDICT_TEXTS = {
    FindingVerdict.GOOD: Text("ok  ", style="green"),
    FindingVerdict.DOUBTFUL: Text("?   ", style="yellow"),
    FindingVerdict.BAD: Text("BAD ", style="bold red"),
}
FINDING_INDENT = 5  # columns of the verdict and a space


@cli.example("perron doctor", "perron doctor --all", "perron doctor --home /etc/perron/home.yaml")
def doctor(
    *,
    home: HomeFile = DEFAULT_HOME,
    all_: Annotated[bool, typer.Option("--all", help="Say of what is good too how it is.")] = False,
) -> None:
    """Try clock, disk, broker and every device; red means that no door would open, and says what to do."""
    findings = asyncio.run(examine_house(load_home(home)))
    print_findings(findings, Console(highlight=False, emoji=False), show_good=all_)
    exit_unless(all(finding.verdict is not FindingVerdict.BAD for finding in findings))


def print_findings(findings: Sequence[Finding], console: Console, *, show_good: bool) -> None:
    """Print what is bad first, then what is doubtful, then what is good: in one line, or each with its statement."""
    for verdict in (FindingVerdict.BAD, FindingVerdict.DOUBTFUL, FindingVerdict.GOOD):
        found = [finding for finding in findings if finding.verdict is verdict]
        if verdict is FindingVerdict.GOOD and found and not show_good:
            names = ", ".join(sentence_text(finding.subject, "en") for finding in found)
            lines = hanging_lines(f"{len(found)} good: {names}.", 0, console.width)
            console.print(Text(lines, style="green"), soft_wrap=True)
            return
        for finding in found:
            parts = [expand_commands(sentence_text(part, "en", show=quoted_path))
                     for part in (finding.statement, finding.todo) if part is not None]  # fmt: skip
            console.print(_VERDICT_TEXTS[verdict], sentence_text(finding.subject, "en"), soft_wrap=True)
            for part in parts:
                console.print(Text(hanging_lines(part, FINDING_INDENT, console.width)), soft_wrap=True)


@cli.example("perron discover", "perron discover --seconds 30", "perron discover --interface 192.168.1.20")
def discover(
    home: HomeFile = DEFAULT_HOME,
    seconds: Annotated[float, typer.Option(help="For how long.", min=1, max=600)] = 10.0,
    interface: Annotated[
        list[str] | None, typer.Option(help="Hear mDNS on the network of this address of ours only.", metavar="ADDRESS")
    ] = None,
) -> None:
    """Show, live, which devices announce themselves at the broker and, by mDNS, in the network, and how to add them."""
    wrong = asyncio.run(_show_discovered(load_home(home), home, seconds, interface))
    if wrong is not None:
        print_line(wrong)
    exit_unless(wrong is None, ExitCode.NO_ANSWER)


async def _show_discovered(home: Home, file: Path, seconds: float, interfaces: Sequence[str] | None) -> str | None:
    from gateway.installation.mdns import scan_network

    devices: dict[str, DiscoveredDevice] = {}
    console = Console(emoji=False)
    with Live(_table(()), console=console, refresh_per_second=4) as live:

        def see(sighting: DiscoveredDevice) -> None:
            devices[sighting.key] = sighting
            live.update(_table(_in_order(devices.values())))

        wrong, _ = await asyncio.gather(
            discover_at_broker(home, seconds, see),
            scan_network(home, seconds, see, interfaces=interfaces),
        )
    if not console.is_terminal:  # the last row of the table has no end yet
        console.line()
    for line in add_lines(home, _in_order(devices.values()), file):
        console.print(Text(line), soft_wrap=True)
    return wrong


def add_lines(home: Home, devices: Iterable[DiscoveredDevice], file: Path) -> Iterator[str]:
    """Yield each command that adds a device, whole: a terminal may show it on two rows, and what is copied is one.

    No two of them name one id, and none an id of the house.
    """
    commands, taken = [], set(home.devices)
    for device in devices:
        if device.add_arguments:
            verb, id_, *options = device.add_arguments
            names = chain((id_,), (f"{id_[:60]}-{number}" for number in count(2)))
            free = next(name for name in names if name not in taken)
            taken.add(free)
            commands.append(command_line(verb, free, *options, home=file))
    if commands:
        yield "Commands that add what was found (replace the words in capitals):"
    yield from (f"  {command}" for command in commands)


async def discover_at_broker(home: Home, seconds: float, on_found: DiscoveryHandler) -> str | None:
    """Listen at the broker; return why that failed, or None."""
    try:
        async with open_session(home.broker.account("installer"), discovery_scan.discovery_topics(home)) as session:
            await discovery_scan.scan_broker(home, session, seconds, on_found)
    except Failure as failure:
        return f"{failure} {failure.todo}"
    return None


def _in_order(devices: Iterable[DiscoveredDevice]) -> list[DiscoveredDevice]:
    """Return what is new first, then what the house file knows."""
    return sorted(devices, key=lambda d: (d.known_as is not None, d.source, d.text_key, d.name))


def _table(devices: Iterable[DiscoveredDevice]) -> Table:
    table = Table("where", "what", "name", "at", "in the house file as")
    for column in table.columns:
        column.overflow = "fold"
    for device in devices:
        name, address = Text(escape_invisible(device.name)), Text(escape_invisible(device.address))
        known = Text(device.known_as or "-", style="green" if device.known_as else "")
        table.add_row(device.source, device.text_key, name, address, known)
    return table


@cli.example("perron test front-lock", "perron test front-lock --times 50", "perron test front-lock --move")
def test(
    device: Annotated[str, typer.Argument(help="Which device.")],
    *,
    home: HomeFile = DEFAULT_HOME,
    times: Annotated[int, typer.Option(help="How often it is asked.", min=1, max=100)] = 10,
    move: Annotated[
        bool, typer.Option("--move", help="Stand at the door: the gateway throws the lock's bolt. Nothing unlocks.")
    ] = False,
) -> None:
    """Ask a device several times, one after the other, and tell how long it took; what it can promise by that."""
    house = load_home(home)
    good = asyncio.run(run_device_test(house, device, times))
    if good and move:
        good = asyncio.run(lock_now(house, device))
    exit_unless(good)


async def run_device_test(home: Home, device: str, times: int) -> bool:
    """Query a device `times` times and store the measurement; return whether it always answered."""
    if device not in home.devices:
        if not home.devices:
            raise Failure("The house has no device yet.", "See `perron add --help`, or the page Installation.")
        raise Failure(f"The house has no device {device!r}. Known: {', '.join(home.devices)}.", "Name one of these.")
    now = read_clock(home.clock).utc
    async with open_session(home.broker.account("installer"), device_topics(home, [device])) as session:
        with failure_on(ProbeKeyUnusable, "{why}.", "Ask on the box itself, as its own user."):
            measurement = await measure_device(home, session, device, count=times, now=now)
    if isinstance(measurement, str):
        what = f"{device} cannot be measured: {measurement}."
        todo = "The walk test tries it: `perron walk-test`."
        if home.devices[device].kind == "camera":
            todo = "`perron doctor` looks at its stream, and the walk test at its picture: `perron walk-test`."
        raise Failure(what, todo, ExitCode.NEGATIVE)
    seconds, spread = measurement.seconds, ""
    if seconds:
        spread = f": {min(seconds):.2f} s at least, {median(seconds):.2f} s median, {max(seconds):.2f} s at most"
    print_line(f"{device}: {len(seconds)} of {measurement.asked} answered{spread}")
    for capability in device_capabilities(home, device, measurement):
        print_line(f"- {capability.text_with_command.to(home.language)}")
    with failure_on(OSError, "What was measured cannot be kept ({why}).", "Look at storage.folder."):
        records.store_measurements(home.storage.folder, {device: measurement})
    return len(seconds) == measurement.asked


async def lock_now(home: Home, device: str) -> bool:
    """Let the gateway lock this lock, with all its queries; return whether it is proven locked."""
    entrance = next((name for name, section in home.entrances.items() if device in section.closure_devices), None)
    if entrance is None:
        raise Failure(f"{device} is the lock of no entrance.", "Only the gateway moves a lock, at an entrance.")
    clock, state = asyncio.get_running_loop().time, entrance_topic(entrance, "state")

    def lock_result(incoming: InboundMessage) -> object:
        """Return the result of the lock request; None before the first request and while one runs."""
        result = None if incoming.topic != state or incoming.retain else json_body(incoming).get("lockup")
        return None if result == "running" else result

    async with open_session(home.broker.account("owner"), [state]) as session:
        began = clock()
        request = {"id": f"test-{secrets.token_hex(4)}", "do": "lock"}
        await publish(session, entrance_topic(entrance, "set"), json.dumps(request).encode())
        end = await wait_for_message(session, lambda incoming: lock_result(incoming) is not None, within=LOCK_TIMEOUT_S)
    if end is None:
        what = f"What came of it is not known within {LOCK_TIMEOUT_S:g} s."
        raise Failure(what, "Look at the door.", ExitCode.NO_ANSWER)
    result = lock_result(end)
    print_line(f"{device}: {result} after {clock() - began:.1f} s")
    return result == "proven"


@cli.example("perron survey", "perron survey front")
def survey(entrance: EntranceName = None, *, home: HomeFile = DEFAULT_HOME) -> None:
    """Show how often lock, door sensor and cameras of an entrance were ready near its windows, hour by hour.

    The running gateway counts once a minute while a window is near. How it is now: `perron doctor`.
    """
    house = load_home(home)
    print_line(*survey_lines(house, resolve_entrance(house, entrance)))


def survey_lines(home: Home, entrance: str) -> Iterator[str]:
    """Return a line for each device and one for each hour, in the house's time."""
    with failure_on(
        StoreFailed, "The store cannot be read ({why}).", "Start the gateway once with this version, then try again."
    ):
        summary = summarise(counted_readiness(home.storage.folder / STORE_FILE, entrance))
    if not summary.hours:
        yield "Nothing was counted yet: no window was near. What is so now: `perron doctor`."
        return
    zone = ZoneInfo(home.timezone)
    for device, not_ready, checks in summary.devices:
        yield f"{device}: not ready at {not_ready} of {checks} checks"
    for hour, counts in summary.hours:
        ready = "  ".join(f"{one.device} {one.ready}/{one.checks}" for one in counts)
        yield f"{moment_text(hour, zone).to(SOURCE)}  {ready}"


@cli.example(
    "perron walk-test",
    "perron walk-test front",
    "perron walk-test --verify var/installation/walk-front.pdf --key box.pub.pem",
)
def walk_test(
    entrance: EntranceName = None,
    *,
    home: HomeFile = DEFAULT_HOME,
    verify: Annotated[
        Path | None, typer.Option(help="Check a report and what the box signed of it.", metavar="REPORT.pdf")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="With --verify: the box's public key (PEM).")] = None,
) -> None:
    """Show the page on which you try the known faults at the door of this house, as address and QR code.

    The page is for the owner and the installer, under Installation. Leave it and come back as you like: the test goes
    on where it stood, also after a restart of the gateway.
    """
    if verify is not None:
        print_line(verify_report(verify, key))
        return
    house = load_home(home)
    show_walk_test(house, resolve_entrance(house, entrance))


def show_walk_test(home: Home, entrance: str) -> None:
    """Print how the entrance's walk test stands, and the address of its page as text and as a QR code."""
    if home.pages is None:
        what = "The walk test is a page, and this house has no pages."
        raise Failure(what, "Add a section `pages:` to the house file.")
    address = f"{home.pages.address}{INSTALLATION_PATH}/walk/{entrance}"
    print_line(walk_test_capability(records.read_walk_status(home, entrance), entrance).text.to(home.language))
    print_line(f"Open this page on a phone, as owner or installer, with the gateway running: {address}")
    segno.make(address, error="m").terminal(compact=True)


def verify_report(report: Path, key: Path | None) -> str:
    """Verify a report by the box's signature; return one line about it."""
    beside = report.with_suffix(".signed.json")
    try:
        with failure_on(KeyUnusable, f"{key}: {{why}}.", "Name the box's public key, a PEM file."):
            trusted = None if key is None else PublicKey.from_pem(read_bytes(key))
        walk = verify_walk(read_bytes(beside), read_bytes(report, at_most=MAX_REPORT_BYTES), trusted)
    except OSError as error:
        what = f"{error.filename} cannot be read ({error_text(error)})" if error.filename else error_text(error)
        folder = f"{records.INSTALLATION_FOLDER}/ of its storage folder"
        todo = f"Name the report where the box wrote it, {folder}: {beside.name} lies beside it."
        raise Failure(f"{what}.", todo) from error
    if isinstance(walk, str):
        raise Failure(f"{report}: {walk}.", "Take the report from the box again.", ExitCode.NEGATIVE)
    fingerprint = PublicKey.from_text(walk.key).fingerprint
    return f"signed by the box {walk.box} (key {fingerprint}): {walk.entrance}, begun {walk.begun}, {walk.standing}"

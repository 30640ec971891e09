"""`perron setup`: makes a box out of this machine, and shows the QR code by which its owner claims it."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import segno
import typer

from gateway.cli import systemd
from gateway.cli.console import serve
from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.folder_path import check_folder_path
from gateway.cli.lines import command_line, relative_path, set_current_home
from gateway.cli.new_home import free_port_or
from gateway.cli.options import cli, print_line
from gateway.cli.schema import write_for_editors
from gateway.config import editor
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.evidence.rollback import STORE_FILE
from gateway.mqtt.mosquitto import folder_check, provisioning
from gateway.mqtt.mosquitto.provisioning import WeakBrokerSetup
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.storage import readonly
from gateway.storage.models import StoreFailed
from gateway.system import mosquitto
from gateway.system.addresses import is_any_address, is_host, is_loopback_host, taken_port
from gateway.system.clock import kernel_synchronised, machine_time
from gateway.system.i18n import language_of
from gateway.system.mosquitto import BrokerListener
from gateway.web.texts.catalogue import offered

WHAT_IT_IS = "Perron lets a courier put a parcel into your home while nobody is there, films it, and proves it."
PAGES_PORT, PLAIN_PAGES_PORT, BROKER_PORT, BROKER_TLS_PORT = 8642, 8080, 1883, 8883
CODE_TIMEOUT_S = 60.0  # for a gateway that starts to make its claim code
_POLL_INTERVAL_S = 0.2
_NOWHERE = ("192.0.2.1", 9)  # an address for documentation (RFC 5737): to name it sends nothing

ClockSource = Literal["ntp", "host"]


class Answers(Frozen):
    """What the house file of a new box is made of. `address`: where phones reach it; loopback: this machine alone."""

    name: str
    zone: str
    language: str
    address: str
    clock: ClockSource | None  # None: chosen by what the kernel says
    port: int
    broker_port: int = 0
    bridges: tuple[str, ...] = ()
    storage: str = "box"


@cli.example(
    "perron setup",
    "perron setup ~/perron --name 'Our house' --zone Europe/Paris --language en --yes",
    "perron setup /tmp/house --address 127.0.0.1 --yes",
    "perron setup --bridge zigbee2mqtt --yes --no-run",
)
def setup(  # noqa: PLR0913 - one argument an option of the command
    folder: Annotated[
        Path | None, typer.Argument(help="Where its files go; /etc/perron for root, else ~/perron.", show_default=False)
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(help="What the home is called.")] = None,
    zone: Annotated[str | None, typer.Option(help="Its time zone; this machine's if left out.")] = None,
    language: Annotated[str | None, typer.Option(help="Its language: en or fr.")] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Name or address by which phones reach this machine; 127.0.0.1: it serves itself alone."),
    ] = None,
    clock: Annotated[
        str | None, typer.Option(help="ntp: a time service keeps the clock. host: another machine does (a container).")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the pages.", min=1, max=65535)] = None,
    broker_port: Annotated[
        int | None, typer.Option(help="Port of its broker on this machine itself.", min=1, max=65535)
    ] = None,
    bridge: Annotated[
        list[str] | None,
        typer.Option(help="Base topic of a bridge that will join its broker, such as zigbee2mqtt (repeat for more)."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: what no option says gets its default.")] = False,
    service_: Annotated[
        bool,
        typer.Option("--service/--no-service", help="Install it as services, where systemd runs and you are root."),
    ] = True,
    run_: Annotated[bool, typer.Option("--run/--no-run", help="Run it here, where it is no service.")] = True,
) -> None:
    """Make a box out of this machine: house file, broker, accounts, service; then show the QR code that claims it.

    Point the camera of your phone at the code, choose a name and a password, and go on there. Run it again at any time:
    it keeps what is there and continues.
    """
    why_no_service = systemd.obstacle() if service_ else "--no-service"
    folder = (folder or default_folder()).expanduser().absolute()
    check_folder_path(folder / "box", "Name a shorter one, for example /tmp/house.", shown=folder)
    file = set_current_home(folder / "home.yaml")
    given = Answers(
        name=name or "", zone=zone or "", language=language or "", address=address or "",
        clock=_clock_source(clock) if clock else None, port=port or 0, broker_port=broker_port or 0,
        bridges=tuple(bridge or ()), storage="box" if why_no_service else str(systemd.STORAGE_FOLDER),
    )  # fmt: skip
    if file.exists():
        unapplied = unapplied_text(given, load_home(file))
        print_line(f"{relative_path(file)} is there already: nothing in it is changed.", *unapplied)
    else:
        write_home_file(file, complete_answers(given, asks=not yes and sys.stdin.isatty()))
        print_line(f"Written: {relative_path(file)}.")
    home = load_home(file)
    if why_no_service is None:
        _install_service(file, home)
        return
    write_broker_files(file, home)
    if why_no_service != "--no-service":
        print_line(f"It is no service ({why_no_service}).")
    _run_here(file, home, starts=run_)


def unapplied_text(given: Answers, home: Home) -> Iterator[str]:
    """Say which options have no effect, because the house file is there already and says something else."""
    pages = home.pages
    hosts = () if pages is None else ("localhost", pages.host) if pages.is_loopback else pages.names
    differs = {
        "--name": given.name not in {"", home.name},
        "--zone": given.zone not in {"", home.timezone},
        "--language": given.language not in {"", home.language},
        "--address": given.address.lower() not in {"", *hosts},
        "--clock": given.clock not in {None, home.clock.source},
        "--port": given.port not in {0, None if pages is None else pages.port},
        "--broker-port": given.broker_port not in {0, home.broker.port},
        "--bridge": not set(given.bridges) <= set(home.broker.bridges),
    }
    options = ", ".join(option for option, is_different in differs.items() if is_different)
    if options:
        yield f"Not applied, because that file says otherwise: {options}. Change the file, or name another folder."


def _run_here(file: Path, home: Home, *, starts: bool) -> None:
    """Run the gateway in this terminal if `starts`, unless one runs already; show how the box is claimed."""
    command = command_line("run", "--broker", home=file)
    if is_running(home):
        asyncio.run(_show_claim(home))
    elif starts:
        print_line(f"It runs here until Ctrl-C. To run it again: {command}")
        forget_code(home)
        serve(home, file, broker=True, beside=_show_claim(home))
    else:
        print_line(f"Run it: {command}", f"Then claim it: {command_line('setup', str(file.parent))}")


def default_folder() -> Path:
    """Return the folder of a box whose owner names none."""
    return systemd.HOME_FOLDER if os.geteuid() == 0 else Path.home() / "perron"


def complete_answers(given: Answers, *, asks: bool) -> Answers:
    """Return the answers with what is missing (empty or 0) asked for, or taken from this machine.

    Raises:
        Failure: an answer cannot be used.
    """

    def answer(question: str, known: str, default: str) -> str:
        if known or not asks:
            return known or default
        return str(typer.prompt(question, default=default)).strip()

    _refuse_taken_ports(given)
    if asks:
        print_line(WHAT_IT_IS, "A few questions; Enter takes what stands in brackets.")
    name = answer("What is the home called?", given.name, "Our house")
    zone = answer("Its time zone", given.zone, machine_zone())
    if zone not in available_timezones():
        raise Failure(f"{zone!r} is no time zone.", "Write it like Europe/Paris.")
    language = answer("Its language, en or fr", given.language, language_of(os.environ, offered("/")))
    if language not in offered("/"):
        raise Failure(f"{language!r} is no language of the pages.", f"Take one of: {', '.join(offered('/'))}.")
    address = answer("Address by which phones reach this machine", given.address, lan_address() or "127.0.0.1")
    if not is_host(address) or is_any_address(address):
        what = f"{address!r} is no name and no address by which a phone reaches this machine."
        raise Failure(what, "Write it like perron.home.arpa or 192.168.1.20; `ip address` shows this machine's.")
    clock = given.clock or _choose_clock(zone, asks=asks)
    return Answers(
        name=name, zone=zone, language=language, address=address, clock=clock,
        port=given.port or free_port_or(PAGES_PORT),
        broker_port=given.broker_port or free_port_or(BROKER_PORT), bridges=given.bridges, storage=given.storage,
    )  # fmt: skip


def _refuse_taken_ports(given: Answers) -> None:
    """Refuse a port that was asked for and that another program has, or that both are to have."""
    pages_host = "127.0.0.1" if is_loopback_host(given.address) else "0.0.0.0"  # noqa: S104 - nothing is served here
    for option, host, port in (("--port", pages_host, given.port), ("--broker-port", "127.0.0.1", given.broker_port)):
        if taken_port(host, (port,)) is not None:
            from gateway.system.port_holder import port_holder

            what = f"{option} {port}: {port_holder(port)} listens there already."
            raise Failure(what, "End it, name another port, or leave the option out: then a free one is taken.")
    if given.port and given.port == given.broker_port:
        raise Failure(f"--port and --broker-port are both {given.port}.", "Name two ports.")


def _clock_source(text: str) -> ClockSource:
    match text:
        case "ntp" | "host":
            return text
        case _:
            raise Failure(f"{text!r} is no source of the time.", "Take ntp, or host where another machine keeps it.")


def _choose_clock(zone: str, *, asks: bool) -> ClockSource:
    """Return `ntp` if the kernel says that a time service keeps the clock; else ask whether the clock is right."""
    if kernel_synchronised():
        return "ntp"
    now = machine_time().astimezone(ZoneInfo(zone))
    print_line(
        f"No time service keeps this machine's clock, as far as its kernel knows. It says {now:%d %b %Y, %H:%M:%S}."
    )
    right = not asks or typer.confirm(
        "Is that right, and does another machine keep it so (a container's host)?", default=True
    )
    if right:
        print_line(
            "Taken: `clock: {source: host}`. With chrony or systemd-timesyncd write `source: ntp`, which is safer."
        )
        return "host"
    print_line("Nothing opens before a time service keeps it: install chrony or systemd-timesyncd.")
    return "ntp"


def machine_zone() -> str:
    """Return this machine's time zone, or that of the sample if it has none."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        link = os.path.realpath("/etc/localtime")
        named = link.partition("/zoneinfo/")[2]
    try:
        ZoneInfo(named)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return "Europe/Paris"
    return named if "/" in named else "Europe/Paris"


def lan_address() -> str | None:
    """Return this machine's address in its network; None: it has none but loopback. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_NOWHERE)
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if ip_address(found).is_loopback else found


def write_home_file(file: Path, answers: Answers) -> None:
    """Write the house file of an empty box, closed to other users, and its schema.

    Raises:
        Failure: an answer makes no valid house, or the folder cannot be written.
    """
    text = house_text(answers)
    with (
        failure_on(editor.EditRejected),
        failure_on(OSError, f"{file.parent} cannot be written ({{why}}).", "Name another folder, or run it with sudo."),
    ):
        editor.check_home(text, file)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_for_editors(file)
        editor.write_home(file, text)


def house_text(answers: Answers) -> str:
    """Return the house file of an empty box. The keys and comments are those of `editor.NEW_HOME_TEXT`."""
    here = is_loopback_host(answers.address)
    pages = f"port: {answers.port}"
    if not here:
        plain = free_port_or(PLAIN_PAGES_PORT)
        pages = f"host: 0.0.0.0, {pages}, names: [{json.dumps(answers.address)}], plain_port: {plain}"
    bridges = f"\n  bridges: {json.dumps(list(answers.bridges))}" if answers.bridges else ""
    changes = {
        "name: Our house": f"name: {json.dumps(answers.name, ensure_ascii=False)}",
        "language: en ": f"language: {answers.language} ",
        "timezone: Europe/Paris\n": f"timezone: {answers.zone}\n\nclock: {{source: {answers.clock}}}\n",
        "  password_file: ": f"  port: {answers.broker_port or BROKER_PORT}\n  password_file: ",
        "gateway.password\n": f"gateway.password{bridges}\n",
        "folder: var ": f"folder: {json.dumps(answers.storage)} ",
        "pages: {port: 8642}": f"pages: {{{pages}}}",
    }
    text = editor.NEW_HOME_TEXT
    for old, new in changes.items():
        assert old in text, old  # noqa: S101 - both are of this program
        text = text.replace(old, new)
    return text


def write_broker_files(file: Path, home: Home, folder: Path | None = None, user: str | None = None) -> None:
    """Write what mosquitto needs for this house; a folder that was written before keeps its passwords and options.

    Where phones reach the box from the network, devices reach the broker from there too, by TLS alone.
    """
    passwords = home.broker.password_file
    if passwords is None:
        raise Failure(f"{file} names no broker.password_file.", "Write `password_file: accounts/gateway.password`.")
    folder = folder or passwords.parent
    with (
        failure_on(OSError, f"{folder} cannot be written ({{why}}).", "Name another folder, or run it with sudo."),
        failure_on(ValueError, "{why}.", "Correct the house file, or move the broker's folder away."),
        failure_on(WeakBrokerSetup),
    ):
        before = folder_check.read_options(folder)
        beyond = next((one for one in before.listeners[1:] if one.tls), None)
        names = before.names
        if not before.listeners and home.pages is not None and not home.pages.is_loopback and home.broker.tls is None:
            beyond = BrokerListener(host="0.0.0.0", port=free_port_or(BROKER_TLS_PORT), tls=True)  # noqa: S104 - by TLS
            names = home.pages.names
        if mosquitto.mosquitto_path() is None:
            beyond = None  # the embedded broker speaks no TLS
        provisioning.write_house(
            folder, home, host=home.broker.host, port=home.broker.port, user=user or mosquitto.broker_user(),
            lan_listener=beyond, names=names, homeassistant=before.homeassistant,
        )  # fmt: skip
    mosquitto.reload(folder)


def _install_service(file: Path, home: Home) -> None:
    systemd.make_user()
    write_broker_files(file, home, systemd.BROKER_FOLDER, systemd.BROKER_USER)
    systemd.copy_passwords(file.parent / "accounts")
    systemd.give_to_gateway(file.parent, *file.parent.glob("home*"))
    forget_code(home)
    systemd.start(file.parent)
    print_line("It runs as a service now, and starts with the machine: `systemctl status perron`.")
    asyncio.run(_show_claim(home))


def is_running(home: Home) -> bool:
    """Return whether a gateway runs with this house's storage folder."""
    if not home.storage.folder.is_dir():
        return False
    try:
        with lock_folder(home.storage.folder):
            return False
    except FolderInUse:
        return True


def is_claimed(home: Home) -> bool:
    """Return whether the box has an owner."""
    store = home.storage.folder / STORE_FILE
    try:
        return store.exists() and bool(readonly.owners(store))
    except StoreFailed:
        return False


def forget_code(home: Home) -> None:
    """Delete the code of an earlier start: a gateway that starts makes another one."""
    home.claim_code_file.unlink(missing_ok=True)


def read_code(home: Home) -> str | None:
    """Return the claim code that the gateway has written; None: there is none."""
    try:
        return home.claim_code_file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


async def wait_for_code(home: Home) -> str | None:
    """Wait until the gateway has written its claim code, and return it; None: the box has an owner.

    Raises:
        Failure: no code came in time.
    """
    for _ in range(int(CODE_TIMEOUT_S / _POLL_INTERVAL_S)):
        code = read_code(home)
        if code is not None or is_claimed(home):
            return code
        await asyncio.sleep(_POLL_INTERVAL_S)
    raise Failure("The gateway made no code to claim it.", "`perron doctor` looks for the cause.", ExitCode.NO_ANSWER)


async def _show_claim(home: Home) -> None:
    print_claim(home, await wait_for_code(home))


def claim_link(home: Home, code: str) -> str:
    """Return the address that claims the box: a browser does not send the part behind `#` to any server."""
    assert home.pages is not None  # noqa: S101 - a box that was set up has pages
    return f"{home.pages.address}/claim#code={code}"


def print_claim(home: Home, code: str | None) -> None:
    """Print how the box is claimed: at a terminal the QR code and its link, between a log's lines one whole line.

    Of a box that has its owner it prints where the pages are.
    """
    if home.pages is None:
        raise Failure("The house file has no pages.", "Write a section `pages:` into it.")
    if code is None:
        print_line(f"The box has its owner. Its pages: {home.pages.address}/")
        return
    link = claim_link(home, code)
    if sys.stdout.isatty():
        print_line("", "Point the camera of your phone at this code, and choose a name and a password there:", "")
        segno.make(link, error="l").terminal(compact=True)
        print_line(f"Claim this box: {link}")
    else:
        print_line(f"Claim this box: open {link} on a phone, and choose a name and a password there.")
    if not home.pages.is_loopback and home.pages.certificate is None:
        print_line("The browser warns once, because the box signs its own certificate: go on.")
    sys.stdout.flush()

"""`perron simulate`: the simulated house that fits a `home.yaml`."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from ruamel.yaml.error import YAMLError

from devices.simulators.house import THINGS, SimulatedHouse, read_house, thing_of, word_of
from gateway.cli.failure import ExitCode, Failure, error_text, failure_on, invalid_fields, load_home
from gateway.cli.house_log import DeviceLinkMonitor, follow_physical_log
from gateway.cli.lines import DEFAULT_HOME, quoted_path, relative_path
from gateway.cli.options import HomeFile, cli, print_line
from gateway.config.broker_acl import bridge_topics
from gateway.config.closures import entrance_closures
from gateway.config.devices import (
    AnyDevice,
    CameraDevice,
)
from gateway.config.home import Home
from gateway.config.topics import bridge_base_topic
from gateway.domain.visit.closures import AnyClosure
from gateway.mqtt.mosquitto.provisioning import BrokerMissing, end_process, is_listening, private_broker
from gateway.system.beside import run_beside
from gateway.system.parent_death import with_parent_death_signal

STOP_TIMEOUT_S = 5.0  # seconds for the house to end by itself
POLL_INTERVAL_S = 0.1  # seconds between two looks whether the streams are served
MAX_SOCKET_PATH_BYTES = 107  # bytes of a Unix socket's path


def control_socket(home: Home) -> Path:
    """Return the socket that controls this box's simulated house."""
    return home.storage.folder / "house.sock"


def physical_log(home: Home) -> Path:
    """Return the file of the simulated house's physical log."""
    return home.storage.folder / "house.jsonl"


def carries_in(home: Home, entrance: str) -> bool:
    """Return whether the simulated courier can carry a parcel in there: the one closure is a door with a lock.

    At every other way in people act through the house's socket, at each thing by acts of its own.
    """
    return [closure.order_kinds for closure in entrance_closures(home, entrance)] == [frozenset({"lock"})]


def plan_house(home: Home) -> dict[str, object]:
    """Plan a house (`devices.simulators.house.SimulatedHouse`) with every device of `home`, under its own account.

    Devices of another program are left out: of a guard, Home Assistant, Frigate, a real camera.
    """
    outside = {camera for entrance in home.entrances.values() for camera in entrance.courier_cameras}
    played = {id_: device for id_, device in home.devices.items() if not device.definition.is_external}
    streams = [urlsplit(device.url) for device in played.values() if isinstance(device, CameraDevice)]
    passwords = home.broker.password_file
    things, places = _plan_things(home, played)
    devices = {
        id_: device.model_dump(include={"kind", "vendor", "address", "keys"})
        | _bridge_account(home, id_)
        | dict(device.simulated)
        | _camera_plan(device, sees_courier=id_ in outside)
        | ({"of": places[id_]} if id_ in places else {})
        for id_, device in played.items()
    }
    rtsp = {"rtsp": {"host": streams[0].hostname, "port": streams[0].port or 554}} if streams else {}
    accounts = {} if passwords is None else {"passwords": str(passwords.parent)}
    trust = {} if home.broker.tls is None else {"ca": str(home.broker.tls.ca)}
    broker = {"host": home.broker.host, "port": home.broker.port, **accounts, **trust}
    named = {"things": things} if things else {}
    return {"broker": broker, **rtsp, "timezone": home.timezone, "devices": devices, **named}


def _plan_things(home: Home, played: Mapping[str, AnyDevice]) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    """Return the things of the house, and the thing of each device: the devices of a closure are at the same thing."""
    things: dict[str, dict[str, object]] = {}
    places: dict[str, str] = {}
    for entrance in home.entrances.values():
        planned: dict[str, str] = {}  # a kind of thing -> the first of it at this entrance
        for closure in sorted(entrance.closures, key=_needs_of):
            plan, name = THINGS.get(closure.kind), f"{closure.id}-thing"
            if plan is None or not planned.keys() >= set(plan.needs.values()):
                continue
            kind = word_of(plan)
            things[name] = {"kind": kind, **{key: planned[needed] for key, needed in plan.needs.items()}}
            planned.setdefault(kind, name)
            at_it = (id_ for id_ in closure.devices.values() if id_ in played)
            places |= {id_: name for id_ in at_it if played[id_].kind in plan.takes}
    for id_, device in played.items():
        thing = None if id_ in places else thing_of(device.kind)
        if thing is not None:  # of a device that no closure names
            places[id_] = f"{id_}-thing"
            things[places[id_]] = {"kind": thing}
    return things, places


def _needs_of(closure: AnyClosure) -> int:
    """Return how many other things the closure's thing needs: those are planned first."""
    return len(THINGS[closure.kind].needs) if closure.kind in THINGS else 0


def _bridge_account(home: Home, device: str) -> dict[str, object]:
    """Return the account of the device's bridge; empty if the device connects itself."""
    base = bridge_base_topic(home, device)
    accounts = [account for account, bases in bridge_topics(home).items() if base in bases]
    return {"account": accounts[0]} if accounts else {}


def _camera_plan(device: AnyDevice, *, sees_courier: bool) -> dict[str, object]:
    """Return what follows from the camera's place at the door; empty for another device."""
    sees = "outside" if sees_courier else "inside"
    return {"sees": sees, "bell": sees_courier} if isinstance(device, CameraDevice) else {}


def write_plan(home: Home) -> Path:
    """Write the plan where `python -m devices.simulators --house` can read it (JSON is YAML)."""
    file = home.storage.folder / "house.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(plan_house(home), indent=2) + "\n", encoding="utf-8")
    return file


@cli.example(
    "perron simulate",
    "perron simulate --broker --home var/mine/home.yaml",
    "perron simulate --announce --home ~/perron/home.yaml",
    "perron simulate --seed 7",
    "perron simulate --house config/house.yaml",
)
def simulate(  # noqa: PLR0913 - one argument an option of the command
    *,
    home: HomeFile = DEFAULT_HOME,
    house: Annotated[
        Path | None,
        typer.Option(
            help="The house's own file: which devices are really there, how they behave, where people stand. Left out:"
            " house.yaml beside --home, else one is made that fits.",
            metavar="FILE",
        ),
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="The socket by which it is moved (`perron scan`).", metavar="SOCKET")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Where it writes what physically happens.", metavar="FILE")] = None,
    seed: Annotated[int | None, typer.Option(help="The same dice again.")] = None,
    broker: Annotated[
        bool, typer.Option("--broker", help="Where no broker listens, bring one; it ends with the house.")
    ] = False,
    announce: Annotated[
        bool,
        typer.Option(
            "--announce", help="A front door whose devices are not in the house file yet, and announce themselves."
        ),
    ] = False,
) -> None:
    """Run a simulated house: lock, door, cameras, scanner, signal and fridge, each under its own account.

    It tells what happens to bolt and door until Ctrl-C.
    """
    beside = home.with_name("house.yaml")
    house = house or (beside if beside.is_file() else None)
    running = load_home(home)
    control = control or control_socket(running)
    _refuse_second_house(control)
    if announce:
        with failure_on(OSError, f"{running.storage.folder} cannot be used ({{why}}).", "Correct storage.folder."):
            from gateway.cli import announced_house

            house = announced_house.write_plan(running)
    asyncio.run(_run_house(running, house, control, log, seed, bring_broker=broker, announces=announce))


async def _run_house(  # noqa: PLR0913 - one argument an option of the command
    home: Home,
    house: Path | None,
    control: Path,
    log: Path | None,
    seed: int | None,
    *,
    bring_broker: bool,
    announces: bool,
) -> None:
    """Run a simulated house until SIGINT, SIGTERM or SIGHUP; `Failure` if it ends by itself.

    `bring_broker`: start a broker too if none listens; it ends with the house. `announces`: the devices announce
    themselves in the network, and need no account before they are accepted.
    """
    log = log or physical_log(home)
    try:
        home.storage.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = house or write_plan(home)
        plan = read_house_file(file)
        log.touch()
    except OSError as error:
        raise Failure(f"{error.filename} cannot be used ({error_text(error)}).", "Correct storage.folder.") from error
    command = (
        sys.executable, "-m", "devices.simulators", "--house", str(file), "--control", str(control),
        "--log", str(log), *(() if seed is None else ("--seed", str(seed))),
    )  # fmt: skip
    host, port = plan.broker.host, plan.broker.port
    async with _end_by_signal(), AsyncExitStack() as stack:
        if bring_broker and not await is_listening(host, port):
            passwords = home.broker.password_file
            folder = home.storage.folder / "broker" if passwords is None else passwords.parent
            broker = await stack.enter_async_context(private_broker(folder, home))
            print_line(f"Nobody listened at {host}:{port}. Now a broker of this house's own does ({broker.kind}).")
        if not announces:
            await _check_runnable(plan)
        print_line(f"Simulated until Ctrl-C: {', '.join(device_texts(plan))}.")
        print_line(
            f"Pictures: rtsp://{plan.rtsp.host}:{plan.rtsp.port}/. This terminal shows what happens at the door."
        )
        process = await stack.enter_async_context(_run_devices(command))
        if announces:
            await _wait_for_streams(plan, process)
            await stack.enter_async_context(_announce(plan))
            print_line("They announce themselves: add them on the pages. Each connects once it has its account.")
        links = DeviceLinkMonitor(plan, print_line)
        narration = follow_physical_log(log, ZoneInfo(home.timezone), print_line)
        await stack.enter_async_context(
            run_beside(
                links.read_house_errors(process), narration, *(() if announces else (links.poll_links(control),))
            )
        )
        status = await process.wait()
        what = f"The simulated house ended by itself ({status}): {links.last_line}"
        raise Failure(what, "Start it again.", ExitCode.NO_ANSWER)


def device_texts(plan: SimulatedHouse) -> Iterator[str]:
    """Yield name and kind of each device, of those behind the simulated bridge too."""
    yield from (f"{id_} ({device.kind})" for id_, device in plan.devices.items())
    bridge = plan.zigbee
    if bridge is not None:
        for name, kind in ((bridge.lock, "lock"), (bridge.contact, "door"), (bridge.thermometer, "fridge")):
            if name is not None:
                yield f"{name} ({kind} behind {bridge.base})"


def _refuse_second_house(control: Path) -> None:
    """Refuse a control socket that another simulated house has, or whose path is too long."""
    if len(os.fsencode(control)) > MAX_SOCKET_PATH_BYTES:
        raise Failure(f"{control} is too long a path for a socket.", "Name a shorter one with --control.")
    from gateway.system.port_holder import socket_holder

    holder = socket_holder(control)
    if holder is not None:
        what = f"A simulated house runs already at {relative_path(control)}: {holder}."
        raise Failure(what, "Use that one, or end it first.", ExitCode.NO_ANSWER)


@asynccontextmanager
async def _run_devices(command: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the devices' process, in its own group: Ctrl-C reaches only this command, which ends it before the broker."""
    process = await asyncio.create_subprocess_exec(
        *with_parent_death_signal(command), stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        await end_process(process, within=STOP_TIMEOUT_S)


@asynccontextmanager
async def _end_by_signal() -> AsyncIterator[None]:
    """End the block at SIGINT, SIGTERM or SIGHUP."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is a task's
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    try:
        with failure_on(BrokerMissing, "No broker can be brought: {why}", "Then try again.", ExitCode.NO_ANSWER):
            yield
    except asyncio.CancelledError:
        print_line("The simulated house has ended.")


def _announce(plan: SimulatedHouse) -> AbstractAsyncContextManager[None]:
    from gateway.cli.announced_house import announcements
    from gateway.installation.mdns import announce

    return announce(announcements(plan))


async def _wait_for_streams(plan: SimulatedHouse, process: asyncio.subprocess.Process) -> None:
    """Wait until the cameras' streams are served: what announces itself is there."""
    while process.returncode is None and not await is_listening(plan.rtsp.host, plan.rtsp.port):  # noqa: ASYNC110 - another process serves them
        await asyncio.sleep(POLL_INTERVAL_S)


async def _check_runnable(plan: SimulatedHouse) -> None:
    """Refuse what would end the house at its start: a missing password, a taken port."""
    for id_, device in plan.devices.items():
        file = None if plan.broker.passwords is None else plan.broker.passwords / f"{device.account or id_}.password"
        if file is not None and device.password is None and not file.is_file():
            raise Failure(f"The password of {id_} is missing: {relative_path(file)}.",
                          f"Write all of them: `perron broker-config {quoted_path(file.parent)}`.")  # fmt: skip
    if plan.rtsp.port and await is_listening(plan.rtsp.host, plan.rtsp.port):
        from gateway.system.port_holder import port_holder

        holder = await asyncio.to_thread(port_holder, plan.rtsp.port)
        raise Failure(f"At the pictures' port, {plan.rtsp.host}:{plan.rtsp.port}, {holder} listens already.",
                      "Does another house run? End that one, or let the cameras' urls name another port.",
                      ExitCode.NO_ANSWER)  # fmt: skip


def read_house_file(file: Path) -> SimulatedHouse:
    """Read a file of the simulated house; the `Failure` of an invalid one says where."""
    if not file.is_file():
        raise Failure(f"{file}: this house file does not exist.", "Leave --house out: a fitting house is made then.")
    try:
        return read_house(file)
    except (YAMLError, UnicodeDecodeError) as error:
        what = f"{file} is not valid YAML: {error}"
    except ValidationError as error:
        what = "\n".join(f"{file}: {line}" for line in invalid_fields(error))
    raise Failure(what, "Correct it, or move it away: a house that fits home.yaml is made then.")

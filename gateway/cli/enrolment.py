"""The commands by which Perron is put into a house, and those that keep a box in being: reload, backup, a new key."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.failure import ExitCode, Failure, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, relative_path
from gateway.cli.options import CommandGroup, EntranceName, HomeFile, exit_unless, print_line

commands = CommandGroup()


@commands.example("perron discover", "perron discover --seconds 30", "perron discover --interface 192.168.1.20")
def discover(
    home: HomeFile = DEFAULT_HOME,
    seconds: Annotated[float, typer.Option(help="For how long.", min=1, max=600)] = 10.0,
    interface: Annotated[
        list[str] | None, typer.Option(help="Hear mDNS on the network of this address of ours only.", metavar="ADDRESS")
    ] = None,
) -> None:
    """Show, live, what calls its name on the house's broker and, by mDNS, on its network, and how to add it."""
    from gateway.cli.installing import discover as show

    wrong = asyncio.run(show(load_home(home), home, seconds, Console(), interfaces=interface))
    if wrong is not None:
        print_line(wrong)
    exit_unless(wrong is None, ExitCode.NO_ANSWER)


@commands.example(
    "perron add",
    "perron add front-lock --kind lock --vendor zigbee2mqtt --address zigbee2mqtt/front-lock --set latency=8",
    "perron add doorbell --kind camera --vendor rtsp --set url=rtsp://192.168.1.30/stream",
    "perron add front --kind entrance --set name=Front --set way_out_by_hand=true --set lock=front-lock"
    " --set door=front-door --set signal=front-signal --set scanners=[front-scanner]"
    " --set cameras.outside=doorbell --set places.hall.name=Hall",
    name="add",
)
def add_to_house(  # noqa: PLR0913 - one argument an option of the command
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="How it is called in the house file.")] = None,
    *,
    kind: Annotated[
        str | None, typer.Option(help="lock, door, camera, scanner, signal, fridge ..., or entrance.")
    ] = None,
    vendor: Annotated[str | None, typer.Option(help="Whose words it speaks.")] = None,
    address: Annotated[str | None, typer.Option(help="Its maker's address, or its topic.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other key, nested ones with points.", metavar="KEY=VALUE")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the one of this name.")] = False,
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Write a device or an entrance into the house file: comments stay, and nothing is written that is no house.

    A file that is not there yet is begun. Without an ID nothing more is done: a box runs with an empty house, and the
    page Installation adds the rest.
    """
    from gateway.cli.adding import add as write
    from gateway.cli.adding import begin_home_file, parse_fields

    if id_ is None:
        begin_home_file(home)
        print_line(
            f"{relative_path(home)} is begun: an empty house. `perron broker-config accounts`, then `perron run`."
        )
        return
    if kind is None:
        raise Failure("What is it?", "Say --kind lock, door, camera, scanner, signal, fridge ..., or entrance.")
    options = {"vendor": vendor, "address": address}
    fields = {key: value for key, value in options.items() if value is not None} | parse_fields(set_ or ())
    write(home, id_, kind, fields, replace=replace)
    _warn_of_login(home, id_)
    print_line(
        f"{id_} is written to {relative_path(home)}. When everything is in it, run `perron broker-config accounts`,"
        " then `perron doctor`."
    )


def _warn_of_login(home: Path, id_: str) -> None:
    """Say where the file of a camera's account cannot be used yet: the house stands, and no picture comes before."""
    from gateway.config.devices import CameraDevice
    from gateway.installation.diagnostics.stream import LOGIN_UNUSABLE_TODO, login_error

    device = load_home(home).devices.get(id_)
    unusable = login_error(device) if isinstance(device, CameraDevice) else None
    if unusable is not None:
        print_line(f"{id_}: {unusable.to('en')}. {LOGIN_UNUSABLE_TODO.to('en')}")


@commands.example(
    "perron test front-lock", "perron test front-lock --times 50", "perron test front-lock --move", name="test"
)
def measure_device(
    device: Annotated[str, typer.Argument(help="Which device.")],
    *,
    home: HomeFile = DEFAULT_HOME,
    times: Annotated[int, typer.Option(help="How often it is asked.", min=1, max=100)] = 10,
    move: Annotated[
        bool, typer.Option("--move", help="Stand at the door: the gateway throws the lock's bolt. Nothing unlocks.")
    ] = False,
) -> None:
    """Ask a device several times, one after the other, and tell how long it took; what it can promise by that."""
    from gateway.cli import installing

    house = load_home(home)
    good = asyncio.run(installing.run_device_test(house, device, times=times, output=print_line))
    if good and move:
        good = asyncio.run(installing.lock_now(house, device, output=print_line))
    exit_unless(good)


@commands.example("perron survey", "perron survey front")
def survey(
    entrance: EntranceName = None,
    *,
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Show how often lock, door sensor and cameras of an entrance were ready near its windows, hour by hour.

    The running gateway counts once a minute while a window is near. How it is now: `perron doctor`.
    """
    from gateway.cli.installing import survey_lines

    house = load_home(home)
    print_line(*survey_lines(house, resolve_entrance(house, entrance)))


@commands.example(
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
    from gateway.cli import installing

    if verify is not None:
        print_line(installing.verify_report(verify, key))
        return
    house = load_home(home)
    installing.show_walk_test(house, resolve_entrance(house, entrance))


@commands.example("perron reload", "perron reload --wait", "perron reload --home /etc/perron/home.yaml")
def reload(
    home: HomeFile = DEFAULT_HOME,
    wait: Annotated[bool, typer.Option("--wait", help="Return once it is applied, however long that takes.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Have the running gateway read its house file anew, without dropping a visit.

    A file that is wrong is refused, and the house goes on as it was. One that is right is applied between visits: while
    somebody is at a door, and for a quarter of an hour after, it waits. Then the gateway begins anew within a second.
    """
    from gateway.cli.reloading import request_reload

    asyncio.run(request_reload(home, wait=wait, output=print_line))


@commands.example(
    "perron backup /media/stick/perron-2026-11-25.tar",
    "perron backup --no-films --home /etc/perron/home.yaml /media/stick/perron.tar",
)
def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", metavar="FILE.tar")],
    home: HomeFile = DEFAULT_HOME,
    no_films: Annotated[bool, typer.Option("--no-films", help="Without the films of past visits.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Write everything of a box into one file, while it runs: log, proofs, films, people, keys, the house file.

    The file holds the box's private key and what was filmed: keep it as you keep the key to the house. What the box
    does afterwards the file does not know, so from a restored one nothing opens by itself: see `perron restore --help`.
    """
    from gateway.cli.maintenance import write_backup

    write_backup(home, target, films=not no_films, output=print_line)


@commands.example(
    "perron restore /media/stick/perron-2026-11-25.tar --check",
    "perron restore /media/stick/perron-2026-11-25.tar --home /etc/perron/home.yaml",
)
def restore(
    archive: Annotated[Path, typer.Argument(help="A file that `perron backup` wrote.", metavar="FILE.tar")],
    home: HomeFile = DEFAULT_HOME,
    check: Annotated[bool, typer.Option("--check", help="Only read it whole and say what is in it.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Put a backup back, into an empty storage folder: on this box, or on new hardware that takes its place.

    Where --home does not exist it is written too, out of the backup, with what it names. The box that was backed up
    must not go on anywhere. Then nothing opens before the owner has looked: every entrance is in safe mode; each brand
    that was let in asks again; each delivery has to be announced anew; everybody signs in again.
    """
    from gateway.cli.maintenance import inspect, restore_backup

    if check:
        inspect(archive, output=print_line)
    else:
        restore_backup(archive, home, output=print_line)


@commands.example("perron rotate-key", "perron rotate-key --home /etc/perron/home.yaml")
def rotate_key(home: HomeFile = DEFAULT_HOME) -> None:
    """Give the box a new signing key, without dropping a visit. The old key signs the new one, then it is destroyed.

    Each proof that the box seals from now on contains the signed change of keys. So a verifier that knows either key
    can verify old and new proofs. A thief of the old key can still forge old proofs: give the new fingerprint to each
    person who verifies proofs.
    """
    from gateway.cli.reloading import change_key

    asyncio.run(change_key(home, output=print_line))

"""The `perron` command. Each command's work lies in `gateway/cli/` and is imported when it is asked for."""

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from gateway.cli import act, brokerconfig, enrolment, guard, household, hub, retailer, schema
from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, command_line, expand_commands, relative_path
from gateway.cli.options import CommandGroup, HomeFile, command_epilog, exit_unless, print_line

cli = CommandGroup(
    name="perron",
    help="Lets a parcel in while nobody is home: the gateway of one house, and tools to try it.",
    epilog=command_epilog("perron demo", "perron new var/mine", "perron doctor", "perron stop"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@cli.example("perron run", "perron run --verbose", "perron run --home /etc/perron/home.yaml")
def run(
    *,
    home: HomeFile = DEFAULT_HOME,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every decision whole, as where this is no terminal.")
    ] = False,
) -> None:
    """Run the gateway until it is told to end (SIGINT, SIGTERM).

    Its video process stays up to 60 s longer, with a film open up to 30 minutes: a gateway that comes back in that time
    takes it over, and the film has no hole.
    """
    from gateway.cli.console import run as run_gateway
    from gateway.cli.console import use_full_log, use_short_log
    from gateway.mqtt.tls import check_files
    from gateway.protocol.ed25519 import KeyUnusable
    from gateway.runtime.maintenance.instance_lock import FolderInUse
    from gateway.runtime.maintenance.startup_checks import StartError
    from gateway.storage import StoreFailed
    from gateway.storage.models import DatabaseRefused
    from gateway.system.config_section import ConfigError

    house = load_home(home)
    brief = sys.stdout.isatty() and not verbose
    if brief:
        use_short_log(house)
        typer.echo(f"Perron, {house.name}: broker {house.broker.host}:{house.broker.port}, state and films in"
                   f" {relative_path(house.storage.folder)}. Ctrl-C ends it.")  # fmt: skip
    else:
        use_full_log()
    folder = house.storage.folder
    newer = "Install the newer perron again, or put a backup back: `perron restore FILE`."
    disk = "Look at the disk and at the rights of its folder; `perron doctor` says more."
    with (
        # At the start: later errors come as a group, and are bugs.
        failure_on((OSError, KeyUnusable), f"{folder} cannot be used: {{why}}.", "Correct storage.folder."),
        failure_on(StoreFailed, f"The store in {folder} cannot be read or written now: {{why}}.", disk),
        failure_on(DatabaseRefused, f"{folder} cannot be used: {{why}}.", newer, ExitCode.STORE_UNUSABLE),
        failure_on(ConfigError, "{why}", "Then try again; `perron doctor` tries the broker and each phone."),
        failure_on(FolderInUse, "{why}", "End that one first, or name another storage.folder.", ExitCode.NO_ANSWER),
        failure_on(StartError, code=ExitCode.STORE_UNUSABLE),
    ):
        check_files(house.broker)
        # What has been imported stays for good; to look through it for garbage would hold the doors' loop for 0.1 s.
        gc.collect()
        gc.freeze()
        asyncio.run(run_gateway(house, home))
    if brief:
        typer.echo("Ended. The video process ends by itself within 60 s: a gateway that comes back takes it over.")


@cli.example("perron new var/mine", "perron simulate --broker --home var/mine/home.yaml")
def new(folder: Annotated[Path, typer.Argument(help="Where it goes; nothing in it gets into git.")]) -> None:
    """Write a house to try things in: home.yaml, a brand's private key, the broker's accounts, a delivery."""
    from gateway.cli.new_home import create_home
    from gateway.system.i18n import language_of
    from gateway.web.texts.catalogue import offered

    home = create_home(folder, language_of(os.environ, offered("/")))
    typer.echo(f"Written: {home}, with a key of its own for the brand that may deliver. Now, in three terminals:")
    for words in (
        ("simulate", "--broker"),
        ("run",),
        ("retailer", "announce", "--courier", str(folder / "delivery.yaml")),
    ):
        typer.echo(f"  $ {command_line(*words, home=home)}")
    typer.echo("And to claim the box, so that its pages open:")
    typer.echo(f"  $ {command_line('claim-code', home=home)}")


@cli.example(
    "perron simulate",
    "perron simulate --broker --home var/mine/home.yaml",
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
) -> None:
    """Run a simulated house: lock, door, cameras, scanner, signal and fridge, each under its own account.

    It tells what happens to bolt and door until Ctrl-C.
    """
    from gateway.cli.simulation import simulate as run_simulation

    beside = home.with_name("house.yaml")
    house = house or (beside if beside.is_file() else None)
    asyncio.run(
        run_simulation(
            load_home(home), house=house, control=control, log=log, seed=seed, bring_broker=broker, output=print_line
        )
    )


@cli.example(
    "perron scan 8L20524752032",
    "perron scan 8L20524752032 perron:ipqz6kjkvwu4bqg2mx3vjbmspa --deliver",
    "perron scan 8L20524752032 --scanner front-scanner",
)
def scan(
    codes: Annotated[list[str], typer.Argument(help="What the barcode says; then the courier's code, if asked for.")],
    *,
    home: HomeFile = DEFAULT_HOME,
    scanner: Annotated[str | None, typer.Option(help="Which scanner, where there are several.")] = None,
    deliver: Annotated[
        bool, typer.Option("--deliver", help="On go, let the simulated house's courier carry the parcel in.")
    ] = False,
) -> None:
    """Hold codes before the scanner, in the simulated house where it runs, and tell what the door says: go or no."""
    from gateway.cli import courier

    house = load_home(home)
    meant = courier.resolve_scanner(house, scanner)
    exit_unless(asyncio.run(courier.scan(house, tuple(codes), meant, deliver=deliver, output=print_line)))


@cli.example("perron doctor", "perron doctor --home /etc/perron/home.yaml")
def doctor(home: HomeFile = DEFAULT_HOME) -> None:
    """Try clock, disk, broker and every device; red means that no door would open, and says what to do."""
    from gateway.cli.installing import report

    exit_unless(asyncio.run(report(load_home(home), Console())))


for module in (schema, brokerconfig, guard, act, hub, household, enrolment, retailer):
    cli.add_typer(module.commands)


def _add_demo() -> None:
    """The demo brings its own commands; it is only looked at when it is named."""
    commands = CommandGroup()
    if "demo" in sys.argv[1:2]:
        from gateway.demo.cli import demo

        commands.example(
            "perron demo",
            "perron demo --list",
            "perron demo lock-lies --fast --once --language fr",
            "perron demo owner-stops --fast --json",
        )(demo)
    else:
        commands.command("demo", help="Play a delivery in a simulated house, everything on 127.0.0.1.")(lambda: None)
    cli.add_typer(commands)


def app() -> NoReturn:
    """Run the command line. A person's mistake gets three lines, never a traceback."""
    _add_demo()
    try:
        cli()
    except Failure as failure:
        errors = Console(stderr=True, highlight=False)
        errors.print(expand_commands(str(failure)), style="red", markup=False, soft_wrap=True)
        errors.print(expand_commands(failure.todo), markup=False, soft_wrap=True)
        sys.exit(failure.code)
    sys.exit(ExitCode.DONE)


if __name__ == "__main__":
    app()

"""The `perron` command. Each command's work lies in `gateway/cli/` and is imported when it is asked for."""

import asyncio
import os
import re
import secrets
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from gateway.cli.failure import Exit, Failure, entrance_of, home_of, ourselves, plain, relative, typed

CODES = (
    "Exit codes: 0 done; 1 the answer is no (refused, red, the proof does not hold); "
    "2 the command or a file is wrong; 3 the world did not answer."
)


def _example(*lines: str) -> str:
    shown = (re.sub(r"^perron\b", ourselves(), line) for line in lines)
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  $ {line}" for line in shown), CODES])


def _tell(line: str) -> None:
    typer.echo(typed(line))


cli = typer.Typer(
    name="perron",
    help="Lets a parcel in while nobody is home: the gateway of one house, and tools to try it.",
    epilog=_example("perron demo", "perron new var/mine", "perron doctor", "perron stop"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

HomeFile = Annotated[
    Path, typer.Option("--home", envvar="PERRON_HOME", help="The house file.", metavar="FILE", show_default=True)
]
HOME = Path("config/home.yaml")


@cli.command(epilog=_example("perron run", "perron run --verbose", "perron run --home /etc/perron/home.yaml"))
def run(
    *,
    home: HomeFile = HOME,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every decision whole, as where this is no terminal.")
    ] = False,
) -> None:
    """Run the gateway until it is told to end (SIGINT, SIGTERM).

    Its video process stays up to 60 s longer, with a film open up to 30 minutes: a gateway that comes back in that time
    takes it over, and the film has no hole.
    """
    from gateway.app import Occupied  # noqa: PLC0415 - the other commands start without it
    from gateway.cli.transcript import run as run_gateway  # noqa: PLC0415 - the same
    from gateway.cli.transcript import speak_briefly, speak_wholly  # noqa: PLC0415 - the same
    from gateway.config import ConfigError  # noqa: PLC0415 - the same
    from gateway.proof.keys import KeyUnusable  # noqa: PLC0415 - the same
    from gateway.store import DatabaseRefused  # noqa: PLC0415 - the same

    house = home_of(home)
    brief = sys.stdout.isatty() and not verbose
    if brief:
        speak_briefly(house, _tell)
        typer.echo(f"Perron, {house.name}: broker {house.broker.host}:{house.broker.port}, state and films in"
                   f" {relative(house.storage.folder)}. Ctrl-C ends it.")  # fmt: skip
    else:
        speak_wholly()
    try:
        asyncio.run(run_gateway(house))
    except Occupied as occupied:
        raise Failure(str(occupied), "End that one first, or name another storage.folder.", Exit.SILENT) from occupied
    except ConfigError as error:
        raise Failure(str(error), "Then try again; `perron doctor` tries each phone.") from error
    except (OSError, KeyUnusable, DatabaseRefused) as error:  # at the start: later ones come as a group, and are bugs
        raise Failure(f"{house.storage.folder} cannot be used: {plain(error)}.", "Correct storage.folder.") from error
    if brief:
        typer.echo("Ended. The video process ends by itself within 60 s: a gateway that comes back takes it over.")


@cli.command(epilog=_example("perron new var/mine", "perron simulate --broker --home var/mine/home.yaml"))
def new(folder: Annotated[Path, typer.Argument(help="Where it goes; nothing in it gets into git.")]) -> None:
    """Write a house to try things in: home.yaml, a brand's private key, the broker's accounts, a delivery."""
    from gateway.cli.trial import found  # noqa: PLC0415 - the other commands start without it
    from gateway.voice import spoken  # noqa: PLC0415 - the same

    home = found(folder, spoken(os.environ))
    typer.echo(f"Written: {home}, with a key of its own for the brand that may deliver. Now, in three terminals:")
    for line in ("simulate --broker", "run", f"announce --courier {shlex.quote(str(folder / 'delivery.yaml'))}"):
        typer.echo(f"  $ {ourselves()} {line}{_at(home)}")


@cli.command(
    epilog=_example(
        "perron simulate",
        "perron simulate --broker --home var/mine/home.yaml",
        "perron simulate --seed 7",
        "perron simulate --house config/house.yaml",
    )
)
def simulate(  # noqa: PLR0913 - one argument an option of the command
    *,
    home: HomeFile = HOME,
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
    from gateway.cli.simulation import Simulation  # noqa: PLC0415 - the other commands start without it

    beside = home.with_name("house.yaml")
    house = house or (beside if beside.is_file() else None)
    simulation = Simulation(
        home_of(home), house=house, control=control, log=log, seed=seed, bring_broker=broker, tell=_tell
    )
    asyncio.run(simulation.run())


@cli.command(
    epilog=_example(
        "perron announce --new-key cdiscount-2027",
        "perron announce delivery.yaml",
        "perron announce delivery.yaml --courier",
        "perron announce delivery.yaml --brand cdiscount",
    )
    + "\n\n[bold]delivery.yaml[/bold]\n\n"
    "  {id: order-1, entrance: front, place: hall, carrier: Colissimo,\n\n"
    "   window: {start: +0m, end: +2h}, parcels: [8L20524752032]}"
)
def announce(  # noqa: PLR0913 - one argument an option of the command
    *,
    file: Annotated[Path | None, typer.Argument(help="The delivery, in YAML or JSON.", show_default=False)] = None,
    home: HomeFile = HOME,
    brand: Annotated[str | None, typer.Option(help="Who promises it; needed where there are several keys.")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Where private keys lie.", metavar="FOLDER", show_default="keys beside --home")
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option(help="Make a key of this name instead, and tell the lines for home.yaml.", metavar="KID"),
    ] = None,
    courier: Annotated[
        bool, typer.Option("--courier", help="Make the courier's one-time code too, and tell it.")
    ] = False,
) -> None:
    """Sign a delivery as its retailer would, offer it to the box, and tell the box's answer."""
    from gateway.cli import delivery  # noqa: PLC0415 - the other commands start without it
    from gateway.cli import keys as brand_keys  # noqa: PLC0415 - the same
    from gateway.cli.simulation import control_socket  # noqa: PLC0415 - the same
    from gateway.delivery.codes import COURIER_BYTES, new_courier_code  # noqa: PLC0415 - the same

    folder = keys or home.parent / "keys"
    if new_key is not None:
        made = brand_keys.make(folder, brand_keys.checked(new_key))
        typer.echo(f"# The private half is {brand_keys.key_file(folder, new_key)}; keep it to yourself.")
        typer.echo("# Add under the brand's `keys:` in home.yaml, then start the gateway again:")
        typer.echo(brand_keys.lines(new_key, made), nl=False)
        return
    if file is None:
        raise Failure("Which delivery?", "Name a file; `perron announce --help` shows one.")
    house = home_of(home)
    whose, kid, key = brand_keys.find(house, folder, brand)
    secret = secrets.token_bytes(COURIER_BYTES) if courier else None
    result = asyncio.run(delivery.announce(house, file, brand=whose, kid=kid, key=key, courier=secret))
    typer.echo(result.model_dump_json(exclude_none=True, indent=2))
    if not result.accepted:
        hint = delivery.HINTS.get(result.code or "", "The box says no: `code` and `why` say which.")
        typer.echo(typed(hint), err=True)
        raise typer.Exit(Exit.NO)
    codes = [*delivery.parcels_of(file)[:1], *([] if secret is None else [new_courier_code(secret)])]
    deliver = " --deliver" if control_socket(house).is_socket() else ""
    typer.echo("The courier now scans the parcel" + (" and the one-time code:" if secret else ":"), err=True)
    typer.echo(f"  $ {ourselves()} scan {shlex.join(codes)}{deliver}{_at(home)}", err=True)
    if secret is not None and house.pages is not None:
        typer.echo(f"His page on his phone:\n  {delivery.courier_page(house.pages, secret)}", err=True)


def _at(home: Path) -> str:
    return "" if home == HOME else f" --home {shlex.quote(str(home))}"


@cli.command(
    epilog=_example(
        "perron scan 8L20524752032",
        "perron scan 8L20524752032 perron:ipqz6kjkvwu4bqg2mx3vjbmspa --deliver",
        "perron scan 8L20524752032 --scanner front-scanner",
    )
)
def scan(
    codes: Annotated[list[str], typer.Argument(help="What the barcode says; then the courier's code, if asked for.")],
    *,
    home: HomeFile = HOME,
    scanner: Annotated[str | None, typer.Option(help="Which scanner, where there are several.")] = None,
    deliver: Annotated[
        bool, typer.Option("--deliver", help="On go, let the simulated house's courier carry the parcel in.")
    ] = False,
) -> None:
    """Hold codes before the scanner, in the simulated house where it runs, and tell what the door says: go or no."""
    from gateway.cli import courier  # noqa: PLC0415 - the other commands start without it

    house = home_of(home)
    meant = courier.scanner_of(house, scanner)
    if not asyncio.run(courier.scan(house, tuple(codes), meant, deliver=deliver, tell=_tell)):
        raise typer.Exit(Exit.NO)


@cli.command(epilog=_example("perron stop", "perron stop front", "perron stop front --lift"))
def stop(
    entrance: Annotated[str | None, typer.Argument(help="Which entrance; the only one if left out.")] = None,
    home: HomeFile = HOME,
    lift: Annotated[bool, typer.Option("--lift", help="Lift the stop again.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Stop an entrance as its owner: nothing opens any more. Returns once the entrance itself says so."""
    from gateway.cli.owner import stop as say_stop  # noqa: PLC0415 - the other commands start without it

    house = home_of(home)
    typer.echo(asyncio.run(say_stop(house, entrance_of(house, entrance), lift=lift)))


@cli.command(
    epilog=_example(
        "perron pause --to +2h",
        'perron pause --from "2026-11-28 18:00" --to "2026-11-29 02:00"',
        "perron pause garage --to +5d",
        "perron pause --list",
        "perron pause --end 3f2a9c1e",
    )
)
def pause(  # noqa: PLR0913 - one argument an option of the command
    entrance: Annotated[str | None, typer.Argument(help="Which entrance; all of them if left out.")] = None,
    *,
    home: HomeFile = HOME,
    start: Annotated[
        str, typer.Option("--from", help='When it begins, in the house\'s own time: "2026-11-28 18:00", +2h.')
    ] = "now",
    until: Annotated[
        str | None, typer.Option("--to", help="When it ends, written alike.", metavar="TEXT", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Tell which pauses stand.")] = False,
    end: Annotated[str | None, typer.Option(help="End or withdraw the pause of this id.", metavar="ID")] = None,
) -> None:
    """Let no delivery in from-to, as the owner. It ends by itself; a visit under way when it begins ends as usual."""
    from gateway.cli.pause import run as run_pause  # noqa: PLC0415 - the other commands start without it

    house = home_of(home)
    where = None if entrance is None else entrance_of(house, entrance)
    typer.echo(run_pause(house, where, start=start, end_at=until, show=show, ended=end))


@cli.command(
    epilog=_example(
        "perron verify var/visits/0f3a",
        "perron verify copy/0f3a --key box.pem --checkpoint phone.jsonl",
    )
)
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder of one visit.")],
    key: Annotated[Path | None, typer.Option(help="The box's public key (PEM), known from elsewhere.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoints that the owner's phone has kept.")] = None,
) -> None:
    """Check a visit's film and log, offline; names the first wrong thing."""
    from gateway.cli.owner import verdict  # noqa: PLC0415 - the other commands start without it

    holds, text = verdict(folder, key=key, checkpoint=checkpoint)
    typer.echo(text)
    if not holds:
        raise typer.Exit(Exit.NO)


@cli.command(
    epilog=_example(
        "perron report var/visits/0f3a visit.pdf",
        "perron report copy/0f3a visit.pdf --language en --key box.pem --checkpoint phone.jsonl",
    )
)
def report(  # noqa: PLR0913 - one argument an option of the command
    folder: Annotated[Path, typer.Argument(help="The folder of one visit.")],
    out: Annotated[Path, typer.Argument(help="The PDF to write.", metavar="OUT.pdf")],
    *,
    language: Annotated[
        Literal["fr", "en"] | None, typer.Option(help="In which language; the house's if left out.", show_default=False)
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The box's public key (PEM), known from elsewhere.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoints that the owner's phone has kept.")] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            envvar="PERRON_HOME",
            metavar="FILE",
            help=f"The house file, for names and the time zone. Left out: {HOME} where there is one, else Paris time.",
        ),
    ] = None,
) -> None:
    """Write the two-page report of one visit, for an insurer: what, who, when, what verification says, pictures."""
    from gateway.cli.paper import write_report  # noqa: PLC0415 - the other commands start without it

    file = home or (HOME if HOME.is_file() else None)
    house = None if file is None else home_of(file)
    holds, told = write_report(folder, out, house=house, language=language, key=key, checkpoint=checkpoint)
    typer.echo(told)
    if not holds:
        raise typer.Exit(Exit.NO)


@cli.command(
    "door-notice",
    epilog=_example(
        'perron door-notice notice.pdf --contact "Anne Dupont, 06 12 34 56 78"',
        "perron door-notice notice.pdf --entrance front --language fr",
        "perron door-notice notice.pdf --pages https://perron.example",
    ),
)
def door_notice(  # noqa: PLR0913 - one argument an option of the command
    out: Annotated[Path, typer.Argument(help="The PDF to write.", metavar="OUT.pdf")],
    *,
    home: HomeFile = HOME,
    entrance: Annotated[
        str | None, typer.Option(help="Which entrance; the only one if left out.", metavar="ID", show_default=False)
    ] = None,
    language: Annotated[Literal["fr", "en", "both"], typer.Option(help="One A4 page a language.")] = "both",
    contact: Annotated[
        str | None, typer.Option(help="Whom to ask, and how; left out: a line to write on.", show_default=False)
    ] = None,
    pages: Annotated[str | None, typer.Option(help="Where the pages are; adds a QR to his.", metavar="URL")] = None,
) -> None:
    """Write the notice for the door: what a courier does there, who films, why, how long, whom to ask."""
    from gateway.cli.paper import write_notice  # noqa: PLC0415 - the other commands start without it

    house = home_of(home)
    typer.echo(write_notice(house, entrance_of(house, entrance), out, language=language, contact=contact, pages=pages))


@cli.command(epilog=_example("perron doctor", "perron doctor --home /etc/perron/home.yaml"))
def doctor(home: HomeFile = HOME) -> None:
    """Try clock, disk, broker and every device; red means that no door would open, and says what to do."""
    from gateway.cli.doctor import report  # noqa: PLC0415 - the other commands start without it

    if not asyncio.run(report(home_of(home), Console())):
        raise typer.Exit(Exit.NO)


@cli.command(name="claim-code", epilog=_example("perron claim-code", "perron claim-code --home var/mine/home.yaml"))
def claim_code(home: HomeFile = HOME) -> None:
    """Show the code by which the first owner claims this box on its pages: only the box's own user can read it."""
    house = home_of(home)
    if house.pages is None:
        raise Failure(f"{home} has no pages.", "Write a section `pages:` into it and start `perron run` again.")
    try:
        code = house.claim_code.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Failure(
            f"There is no code: the box has an owner already, or it does not run ({plain(error)}).",
            "Start `perron run`; a box without an owner makes a code at each start. For an owner who lost the password:"
            " `perron way-in NAME`.",
            Exit.SILENT,
        ) from error
    typer.echo(code)


@cli.command(
    name="way-in", epilog=_example("perron way-in Anna", 'perron way-in "Anna Dupont" --home var/mine/home.yaml')
)
def way_in(
    name: Annotated[str, typer.Argument(help="The owner who comes back, as their account is called.")],
    home: HomeFile = HOME,
) -> None:
    """Make a code by which an owner who lost the only password comes back; good for 15 minutes, once.

    It is typed on the pages, behind "Lost your password?". All their sessions end then, everybody else of the household
    is shown that it happened, and the phones are told.
    """
    from gateway.cli.moving import way_in as make  # noqa: PLC0415 - the other commands start without it

    house = home_of(home)
    if house.pages is None:
        raise Failure(f"{home} has no pages.", "Write a section `pages:` into it and start `perron run` again.")
    typer.echo(make(house, name))
    typer.echo('Good for 15 minutes, once: on the page for signing in, behind "Lost your password?".', err=True)


@cli.command(
    epilog=_example(
        "perron wipe",
        "perron wipe --home var/mine/home.yaml --held",
        "perron wipe --home /etc/perron/home.yaml --yes",
    )
)
def wipe(
    home: HomeFile = HOME,
    held: Annotated[bool, typer.Option("--held", help="Wipe films too that are held as evidence.")] = False,  # noqa: FBT002 - a flag
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the house's name.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Wipe a box that does not run: films, proofs, log, people, keys; what starts afterwards is a new box.

    The house file stays; the file of the phones' addresses is emptied. A box that runs is wiped on its pages, behind
    Settings, where doors and deliveries are looked after first. Killed halfway, it is finished by the next start.
    """
    from gateway.app import Occupied  # noqa: PLC0415 - the other commands start without it
    from gateway.cli.moving import wipe_box  # noqa: PLC0415 - the same

    house = home_of(home)

    def typed() -> str:
        asked = f"Everything in {relative(house.storage.folder)} goes, for ever. Type the house's name ({house.name})"
        return house.name if yes else str(typer.prompt(asked))

    try:
        whole, told = wipe_box(house, held_too=held, typed=typed)
    except Occupied as occupied:
        raise Failure(str(occupied), "End it first, or wipe it on its pages.", Exit.SILENT) from occupied
    typer.echo(told)
    if not whole:
        raise typer.Exit(Exit.NO)


@cli.command(epilog=_example("perron schema > home.schema.json"))
def schema() -> None:
    """Print the JSON schema of home.yaml, for editors."""
    import json  # noqa: PLC0415 - the other commands start without it

    from gateway.homefile import schema as home_schema  # noqa: PLC0415 - the same

    typer.echo(json.dumps(home_schema(), indent=2, ensure_ascii=False))


@cli.command(epilog=_example("perron accounts config/accounts", "mosquitto -c config/accounts/mosquitto.conf"))
def accounts(
    folder: Annotated[Path, typer.Argument(help="Where the broker's files and the passwords go.")],
    home: HomeFile = HOME,
    listen: Annotated[str | None, typer.Option(help="The address to listen on; broker.host if left out.")] = None,
) -> None:
    """Write what mosquitto needs for this house: configuration, access list, an account a device. Keeps passwords."""
    from gateway.broker import broker_user, write  # noqa: PLC0415 - the other commands start without it

    house = home_of(home)
    try:
        write(folder, house, host=listen or house.broker.host, port=house.broker.port, user=broker_user())
    except OSError as error:
        raise Failure(f"{folder} cannot be written ({plain(error)}).", "Name another folder.") from error
    typer.echo(f"Written to {folder}: mosquitto.conf, access, passwords, and a .password file for every account.")


def _add_demo() -> None:
    """The demo brings its own commands; it is only looked at when it is named."""
    if "demo" in sys.argv[1:2]:
        from gateway.demo.cli import demo  # noqa: PLC0415 - it imports the whole house

        cli.command(
            "demo",
            epilog=_example(
                "perron demo",
                "perron demo --list",
                "perron demo lock-lies --fast --once --language fr",
                "perron demo owner-stops --fast --json",
            ),
        )(demo)
    else:
        cli.command("demo", help="Play a delivery in a simulated house, everything on 127.0.0.1.")(lambda: None)


def app() -> NoReturn:
    """Run the command line. A person's mistake gets three lines, never a traceback."""
    _add_demo()
    try:
        cli()
    except Failure as failure:
        errors = Console(stderr=True, highlight=False)
        errors.print(typed(str(failure)), style="red", markup=False, soft_wrap=True)
        errors.print(typed(failure.todo), markup=False, soft_wrap=True)
        sys.exit(failure.code)
    sys.exit(Exit.DONE)


if __name__ == "__main__":
    app()

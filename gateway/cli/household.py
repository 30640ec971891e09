"""The commands of a household: stop, pause, proofs and their papers, the way in, wiping."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, relative_path, set_current_home
from gateway.cli.options import (
    BOTH,
    CheckpointFile,
    CommandGroup,
    EntranceName,
    HomeFile,
    PublicKeyFile,
    exit_unless,
    known_language,
    known_or_both,
)

if TYPE_CHECKING:  # `perron --help` answers without it
    from gateway.config.home import Home

commands = CommandGroup()


@commands.example("perron stop", "perron stop front", "perron stop front --lift")
def stop(
    entrance: EntranceName = None,
    home: HomeFile = DEFAULT_HOME,
    lift: Annotated[bool, typer.Option("--lift", help="Lift the stop again.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Stop an entrance as its owner: nothing opens any more. Returns once the entrance itself says so."""
    from gateway.cli.owner import stop_entrance as say_stop

    house = load_home(home)
    typer.echo(asyncio.run(say_stop(house, resolve_entrance(house, entrance), lift=lift)))


@commands.example(
    "perron pause --to +2h",
    'perron pause --from "2026-11-28 18:00" --to "2026-11-29 02:00"',
    "perron pause garage --to +5d",
    "perron pause --list",
    "perron pause --end 3f2a9c1e",
)
def pause(  # noqa: PLR0913 - one argument an option of the command
    entrance: Annotated[str | None, typer.Argument(help="Which entrance; all of them if left out.")] = None,
    *,
    home: HomeFile = DEFAULT_HOME,
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
    from gateway.cli.pause import run as run_pause

    house = load_home(home)
    where = None if entrance is None else resolve_entrance(house, entrance)
    typer.echo(run_pause(house, where, start=start, end_at=until, show=show, ended=end))


@commands.example(
    "perron verify var/visits/0f3a",
    "perron verify copy/0f3a --key box.pem --checkpoint phone.jsonl",
    "perron verify proof.json --key box.pem",
)
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder of one visit, or a retailer's proof (JSON).")],
    key: PublicKeyFile = None,
    checkpoint: CheckpointFile = None,
    succession: Annotated[
        Path | None,
        typer.Option(
            help="How the box's keys follow each other (key/succession.jsonl); left out: as the folder says.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check a visit's film and log, or what a retailer was given of it, offline; names the first wrong thing."""
    from gateway.cli.owner import verify_folder

    holds, text = verify_folder(folder, key=key, checkpoint=checkpoint, succession=succession)
    typer.echo(text)
    exit_unless(holds)


@commands.example(
    "perron report var/visits/0f3a visit.pdf",
    "perron report copy/0f3a visit.pdf --language en --key box.pem --checkpoint phone.jsonl",
)
def report(  # noqa: PLR0913 - one argument an option of the command
    folder: Annotated[Path, typer.Argument(help="The folder of one visit.")],
    out: Annotated[Path, typer.Argument(help="The PDF to write.", metavar="OUT.pdf")],
    *,
    language: Annotated[
        str | None,
        typer.Option(help="In which language; the house's if left out.", show_default=False, callback=known_language),
    ] = None,
    key: PublicKeyFile = None,
    checkpoint: CheckpointFile = None,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            envvar="PERRON_HOME",
            metavar="FILE",
            help=f"The house file, for names and the time zone. Left out: {DEFAULT_HOME} where there is one, else "
            f"Paris time.",
        ),
    ] = None,
) -> None:
    """Write the two-page report of one visit, for an insurer: what, who, when, what verification says, pictures."""
    from gateway.cli.paper import write_report

    file = home or (DEFAULT_HOME if DEFAULT_HOME.is_file() else None)
    house = None if file is None else load_home(set_current_home(file))
    holds, text = write_report(
        folder, out, house=house, named=home is not None, language=language, key=key, checkpoint=checkpoint
    )
    typer.echo(text)
    exit_unless(holds)


@commands.example(
    'perron door-notice notice.pdf --contact "Anne Dupont, 06 12 34 56 78"',
    "perron door-notice notice.pdf --entrance front --language fr",
    "perron door-notice notice.pdf --pages https://perron.example",
)
def door_notice(  # noqa: PLR0913 - one argument an option of the command
    out: Annotated[Path, typer.Argument(help="The PDF to write.", metavar="OUT.pdf")],
    *,
    home: HomeFile = DEFAULT_HOME,
    entrance: Annotated[
        str | None, typer.Option(help="Which entrance; the only one if left out.", metavar="ID", show_default=False)
    ] = None,
    language: Annotated[
        str, typer.Option(help="One A4 page a language: fr, en or both.", callback=known_or_both)
    ] = BOTH,
    contact: Annotated[
        str | None, typer.Option(help="Whom to ask, and how; left out: a line to write on.", show_default=False)
    ] = None,
    pages: Annotated[str | None, typer.Option(help="Where the pages are; adds a QR to his.", metavar="URL")] = None,
) -> None:
    """Write the notice for the door: what a courier does there, who films, why, how long, whom to ask."""
    from gateway.cli.paper import write_notice

    house = load_home(home)
    typer.echo(
        write_notice(house, resolve_entrance(house, entrance), out, language=language, contact=contact, pages=pages)
    )


def _load_home_with_pages(file: Path) -> "Home":
    house = load_home(file)
    if house.pages is None:
        raise Failure(f"{file} has no pages.", "Write a section `pages:` into it and start `perron run` again.")
    return house


@commands.example("perron claim-code", "perron claim-code --home var/mine/home.yaml")
def claim_code(home: HomeFile = DEFAULT_HOME) -> None:
    """Show the code by which the first owner claims this box on its pages: only the box's own user can read it."""
    house = _load_home_with_pages(home)
    with failure_on(
        OSError,
        "There is no code: the box has an owner already, or it does not run ({why}).",
        "Start `perron run`; a box without an owner makes a code at each start. For an owner who lost the password:"
        " `perron way-in NAME`.",
        ExitCode.NO_ANSWER,
    ):
        code = house.claim_code_file.read_text(encoding="ascii").strip()
    typer.echo(code)


@commands.example("perron way-in Anna", 'perron way-in "Anna Dupont" --home var/mine/home.yaml')
def way_in(
    name: Annotated[str, typer.Argument(help="The owner who comes back, as their account is called.")],
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Make a code by which an owner who lost the only password comes back; good for 15 minutes, once.

    It is typed on the pages, behind "Lost your password?". All their sessions end then, everybody else of the household
    is shown that it happened, and the phones are told.
    """
    from gateway.cli.reset import create_recovery_code

    typer.echo(create_recovery_code(_load_home_with_pages(home), name))
    typer.echo('Good for 15 minutes, once: on the page for signing in, behind "Lost your password?".', err=True)


@commands.example(
    "perron wipe", "perron wipe --home var/mine/home.yaml --held", "perron wipe --home /etc/perron/home.yaml --yes"
)
def wipe(
    home: HomeFile = DEFAULT_HOME,
    held: Annotated[bool, typer.Option("--held", help="Wipe films too that are held as evidence.")] = False,  # noqa: FBT002 - a flag
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the house's name.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Wipe a box that does not run: films, proofs, log, people, keys; what starts afterwards is a new box.

    The house file stays; the file of the phones' addresses is emptied. A box that runs is wiped on its pages, behind
    Settings, where doors and deliveries are looked after first. Killed halfway, it is finished by the next start.
    """
    from gateway.cli.reset import wipe_box
    from gateway.runtime.maintenance.instance_lock import FolderInUse

    house = load_home(home)
    question = (
        f"Everything in {relative_path(house.storage.folder)} goes, for ever. Type the house's name ({house.name})"
    )
    with failure_on(FolderInUse, "{why}", "End it first, or wipe it on its pages.", ExitCode.NO_ANSWER):
        whole, text = wipe_box(
            house, with_held=held, read_name=lambda: house.name if yes else str(typer.prompt(question)), file=home
        )
    typer.echo(text)
    exit_unless(whole)

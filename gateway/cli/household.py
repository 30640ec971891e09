"""The commands of a household: join a hub, stop, pause, proofs and their papers, the way in, wiping."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, home_option, relative_path, set_current_home
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
    print_line,
)

if TYPE_CHECKING:  # `perron --help` answers without it
    from gateway.config.home import Home
    from gateway.integrations.hub_client.enrolment import HubMembership
    from gateway.protocol.enrolment import ClaimCode

commands = CommandGroup()


@commands.example(
    "perron join 'https://hub.example/join#claim-4x3k2....'",
    "perron join --replace 'https://hub.example/join#claim-4x3k2....'",
)
def join(
    code: Annotated[str, typer.Argument(help="What `perron hub-claim` told, in quotes.")],
    *,
    home: HomeFile = DEFAULT_HOME,
    replace: Annotated[
        bool, typer.Option("--replace", help="The house has joined a hub: leave that, or join it anew.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: both fingerprints were compared.")] = False,
) -> None:
    """Join a hub, so that retailers and the owner reach this house from outside.

    The box makes a key that never leaves it and gets a certificate for it. It trusts only the hub that
    made the code, even if somebody intercepts the connection. The hub can delay or drop a message. It cannot open the
    door: an opening needs the signature of a brand that you let in, or of your household.
    """
    from gateway.integrations.hub_client.enrolment import HUB_FOLDER, support_code
    from gateway.protocol.ed25519 import KeyUnusable
    from gateway.protocol.enrolment import ClaimCode, InvalidClaimCode, proquint_words
    from gateway.protocol.keys import BoxKey
    from gateway.system.pki.pages import format_fingerprint

    house = load_home(home)
    try:
        claim = ClaimCode.of(code)
    except InvalidClaimCode as error:
        todo = "Take it whole, in quotes, as `perron hub-claim` told it."
        raise Failure(f"{str(error).capitalize()}.", todo) from error
    if house.hub is not None and not replace:
        raise Failure(f"{home}: this house is {house.hub.home} at {house.hub.url} already.", "To join anew: --replace.")
    with failure_on((OSError, KeyUnusable), "The box's key cannot be used ({why}).", "Correct storage.folder."):
        box = BoxKey.load_or_create(house.storage.folder / "key").public
    fingerprint = format_fingerprint(claim.authority)
    print_line(f"Hub:  {claim.url}\n      {proquint_words(claim.authority)}\n      SHA-256 {fingerprint}")
    print_line(f"Box:  {house.box}\n      {box.fingerprint}")
    if not yes and not typer.confirm("Is this the hub that you want to join?"):
        print_line("Nothing was done.")
        raise typer.Exit(ExitCode.NEGATIVE)
    member = _join_hub(house, claim)
    write_membership(home, house.storage.folder, claim.url, member)
    print_line(f"Joined: this house is {member.home} there. It stands under `hub` in {home}.")
    support = support_code(house.storage.folder / HUB_FOLDER)
    if support is not None:
        print_line(f"Its support code, for retailers: {support}")
    print_line(f"A gateway that runs takes it up by `perron reload{home_option(home)}`, another one when it starts.")


def _join_hub(house: "Home", code: "ClaimCode") -> "HubMembership":
    from gateway.integrations.hub_client import enrolment
    from gateway.protocol.keys import BoxKey

    folder = house.storage.folder / enrolment.HUB_FOLDER
    wrong_hub = "Take a new code from whoever runs the hub; if it happens again, somebody may intercept the connection."
    retry = "Try again: the same code still counts."
    with (
        failure_on(OSError, f"{folder} cannot be written ({{why}}).", "Correct storage.folder, then try again."),
        failure_on(
            enrolment.HubUnavailable, f"{code.url} does not answer as a hub: {{why}}.", retry, ExitCode.NO_ANSWER
        ),
        failure_on(
            enrolment.WrongHub,
            f"What answers at {code.url} is not the hub of this code: {{why}} Nothing of it was kept.",
            wrong_hub,
        ),
    ):
        box = BoxKey.load_or_create(house.storage.folder / "key").public
        try:
            return enrolment.join_hub(code, box, folder, enrolment.http_request)
        except enrolment.HubError as error:
            what = f"The hub refuses ({error.code}): {error}"
            raise Failure(what, "Ask the operator of the hub for another claim.", ExitCode.NEGATIVE) from error


def write_membership(file: Path, storage: Path, url: str, member: "HubMembership") -> None:
    """Write the box's membership of the hub at `url` into the house file, and keep the comments."""
    from gateway.config.editor import EditRejected, read_home_text, write_home
    from gateway.integrations.hub_client.enrolment import HUB_FOLDER, finish_join, text_with_membership

    with (
        failure_on(OSError, f"{file} cannot be written ({{why}}).", "Try again: the same code still counts."),
        failure_on(EditRejected),
    ):
        write_home(file, text_with_membership(read_home_text(file), file, storage, url, member))
        finish_join(storage / HUB_FOLDER)


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
    until: Annotated[str | None, typer.Option("--to", help="When it ends, written alike.", metavar="TEXT")] = None,
    show: Annotated[bool, typer.Option("--list", help="Tell which pauses stand.")] = False,
    end: Annotated[str | None, typer.Option(help="End or withdraw the pause of this id.", metavar="ID")] = None,
) -> None:
    """Let no delivery in from-to, as the owner. It ends by itself; a visit under way when it begins ends as usual."""
    from gateway.cli import pause as work

    house = load_home(home)
    where = None if entrance is None else resolve_entrance(house, entrance)
    if (until is not None) + show + (end is not None) != 1:
        raise Failure("Say one of --to, --list and --end.", "See the examples in `perron pause --help`.")
    if show:
        typer.echo("\n".join(asyncio.run(work.list_pauses(house))))
    elif end is not None:
        typer.echo(asyncio.run(work.end_pause(house, end)))
    elif until is not None:
        typer.echo(asyncio.run(work.plan_pause(house, where, start=start, end=until)))


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
        typer.Option(help="How the box's keys follow each other (key/succession.jsonl); left out: as the folder says."),
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
        str | None, typer.Option(help="In which language; the house's if left out.", callback=known_language)
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
        str | None, typer.Option(help="Which entrance; the only one if left out.", metavar="ID")
    ] = None,
    language: Annotated[
        str, typer.Option(help="One A4 page a language: fr, en or both.", callback=known_or_both)
    ] = BOTH,
    contact: Annotated[str | None, typer.Option(help="Whom to ask, and how; left out: a line to write on.")] = None,
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
    from gateway.cli.maintenance import create_recovery_code

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
    from gateway.cli.maintenance import wipe_box
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

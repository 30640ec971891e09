"""`perron join`: the box joins a hub."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, home_option
from gateway.cli.options import HomeFile, cli, print_line
from gateway.config.editor import EditRejected, read_home_text, write_home
from gateway.integrations.hub_client import enrolment
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.protocol.enrolment import ClaimCode, proquint_words
from gateway.protocol.keys import BoxKey
from gateway.system.pki.pages import format_fingerprint


@cli.example(
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
    house = load_home(home)
    try:
        claim = ClaimCode.of(code)
    except ValueError as error:
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
    member = _join_hub(house.storage.folder / enrolment.HUB_FOLDER, claim, box)
    write_membership(home, house.storage.folder, claim.url, member)
    print_line(f"Joined: this house is {member.home} there. It stands under `hub` in {home}.")
    support = enrolment.support_code(house.storage.folder / enrolment.HUB_FOLDER)
    if support is not None:
        print_line(f"Its support code, for retailers: {support}")
    print_line(f"A gateway that runs takes it up by `perron reload{home_option(home)}`, another one when it starts.")


def _join_hub(folder: Path, code: ClaimCode, box: PublicKey) -> enrolment.HubMembership:
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
        try:
            return enrolment.join_hub(code, box, folder, enrolment.http_request)
        except enrolment.HubError as error:
            what = f"The hub refuses ({error.code}): {error}"
            raise Failure(what, "Ask the operator of the hub for another claim.", ExitCode.NEGATIVE) from error


def write_membership(file: Path, storage: Path, url: str, member: enrolment.HubMembership) -> None:
    """Write the box's membership of the hub at `url` into the house file, and keep the comments."""
    with (
        failure_on(OSError, f"{file} cannot be written ({{why}}).", "Try again: the same code still counts."),
        failure_on(EditRejected),
    ):
        write_home(file, enrolment.text_with_membership(read_home_text(file), file, storage, url, member))
        enrolment.finish_join(storage / enrolment.HUB_FOLDER)

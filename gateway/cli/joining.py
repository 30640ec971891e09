"""`perron join`: the box joins a hub, by a claim's code, when its owner says yes."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.failure import Exit, Failure, home_of, plain
from gateway.cli.lines import HOME, at
from gateway.cli.options import HomeFile, example, tell

if TYPE_CHECKING:  # `perron --help` answers without them
    from pathlib import Path

    from gateway.config.home import Home
    from gateway.integrations.hub_client.enrolment import Membership
    from gateway.protocol.enrolment import Code


def join(
    code: Annotated[str, typer.Argument(help="What `perron hub-claim` told, in quotes.")],
    *,
    home: HomeFile = HOME,
    replace: Annotated[
        bool, typer.Option("--replace", help="The house has joined a hub: leave that, or join it anew.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: both fingerprints were compared.")] = False,
) -> None:
    """Join a hub, so that retailers and the owner reach this house from outside.

    The box makes a key that never leaves it and gets a certificate for it. It will believe the hub of the code alone,
    whatever stands in the way. The hub can delay or drop, never open: that takes the signature of a brand that you let
    in, or of your household.
    """
    from gateway.integrations.hub_client.enrolment import FOLDER, support_code  # noqa: PLC0415 - the same
    from gateway.protocol.enrolment import Code, NoCode, spoken  # noqa: PLC0415 - the other commands start without it
    from gateway.protocol.keys import BoxKey, KeyUnusable  # noqa: PLC0415 - the same
    from gateway.system.pki.pages import spaced  # noqa: PLC0415 - the same

    house = home_of(home)
    try:
        read = Code.of(code)
    except NoCode as error:
        raise Failure(
            f"{str(error).capitalize()}.", "Take it whole, in quotes, as `perron hub-claim` told it."
        ) from error
    if house.hub is not None and not replace:
        raise Failure(f"{home}: this house is {house.hub.home} at {house.hub.url} already.", "To join anew: --replace.")
    try:
        box = BoxKey.at(house.storage.folder / "key").public
    except (OSError, KeyUnusable) as error:
        raise Failure(f"The box's key cannot be used ({plain(error)}).", "Correct storage.folder.") from error
    tell(f"Hub:  {read.url}\n      {spoken(read.authority)}\n      SHA-256 {spaced(read.authority)}")
    tell(f"Box:  {house.box}\n      {box.fingerprint}")
    if not yes and not typer.confirm("Is this the hub that you want to join?"):
        tell("Nothing was done.")
        raise typer.Exit(Exit.NO)
    member = _joined(house, read)
    write_membership(home, house.storage.folder, member)
    tell(f"Joined: this house is {member.home} there. It stands under `hub` in {home}.")
    support = support_code(house.storage.folder / FOLDER)
    if support is not None:
        tell(f"Its support code, for retailers: {support}")
    tell(f"A gateway that runs takes it up by `perron reload{at(home)}`, another one when it starts.")


def _joined(house: "Home", code: "Code") -> "Membership":
    from gateway.integrations.hub_client import enrolment  # noqa: PLC0415 - the other commands start without it
    from gateway.protocol.keys import BoxKey  # noqa: PLC0415 - the same

    folder = house.storage.folder / enrolment.FOLDER
    try:
        return enrolment.join(code, BoxKey.at(house.storage.folder / "key").public, folder, enrolment.over_http)
    except enrolment.NotTheHub as error:
        raise Failure(
            f"What answers at {code.url} is not the hub of this code: {error} Nothing of it was kept.",
            "Take a new code from whoever runs the hub; if it happens again, somebody stands between you and it.",
        ) from error
    except enrolment.HubSays as error:
        raise Failure(
            f"The hub refuses ({error.code}): {error}", "Ask whoever runs it for another claim.", Exit.NO
        ) from error
    except enrolment.HubAway as error:
        raise Failure(
            f"{code.url} does not answer as a hub: {error}.", "Try again: the same code still counts.", Exit.SILENT
        ) from error
    except OSError as error:
        raise Failure(
            f"{folder} cannot be written ({plain(error)}).", "Correct storage.folder, then try again."
        ) from error


def write_membership(file: "Path", storage: "Path", member: "Membership") -> None:
    """Write what the box is at its hub into the house file; comments stay.

    Raises:
        Failure: the file cannot be written, or would be no house.
    """
    from gateway.config.editor import NotAdded, text_of, written  # noqa: PLC0415 - the same
    from gateway.integrations.hub_client.enrolment import FOLDER, joined  # noqa: PLC0415 - the same
    from gateway.integrations.hub_client.house_file import joined_text  # noqa: PLC0415 - the same

    try:
        written(file, joined_text(text_of(file), file, storage, member))
        joined(storage / FOLDER)
    except NotAdded as why:
        raise Failure(str(why), why.todo) from why
    except OSError as error:
        raise Failure(
            f"{file} cannot be written ({plain(error)}).", "Try again: the same code still counts."
        ) from error


def add(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(
        epilog=example(
            "perron join 'https://hub.example/join#claim-4x3k2....'",
            "perron join --replace 'https://hub.example/join#claim-4x3k2....'",
        )
    )(join)

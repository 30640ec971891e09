"""The commands by which Perron is put into a house."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.failure import Exit, Failure, entrance_of, home_of
from gateway.cli.shape import HOME, HomeFile, example, tell


def walk_test(  # noqa: PLR0913 - one argument an option of the command
    entrance: Annotated[str | None, typer.Argument(help="Which entrance; the only one if left out.")] = None,
    *,
    home: HomeFile = HOME,
    anew: Annotated[bool, typer.Option("--anew", help="Begin from the first trial.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only tell how it stands.")] = False,
    say: Annotated[
        Literal["begin", "lock", "look", "yes", "no", "failed", "not-here"] | None,
        typer.Option(help="Say one word of the test and tell how it stands then.", show_default=False),
    ] = None,
    again: Annotated[
        int | None, typer.Option(help="Try the trial of this number anew.", min=1, show_default=False)
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(help="Check a report and what the box signed of it.", metavar="REPORT.pdf")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="With --verify: the box's public key (PEM).")] = None,
) -> None:
    """Try the known faults on this house, with you at its door; the gateway has to run.

    Leave it and come back as you like: it goes on where it stood, also after a restart. The same is on the pages, for
    the owner and the installer, under Installation.
    """
    from gateway.cli import walktest  # noqa: PLC0415 - the other commands start without it
    from gateway.installation.capability import Walked  # noqa: PLC0415 - the same

    if verify is not None:
        tell(walktest.verify(verify, key))
        return
    house = home_of(home)
    where = entrance_of(house, entrance)
    if show or say is not None or again is not None:
        view = asyncio.run(walktest.say(house, where, say, again=again))
        for line in walktest.lines(view, where, house.language):
            tell(line)
        passed = view.standing is Walked.PASSED
    else:
        try:
            passed = asyncio.run(walktest.walk(house, where, anew=anew, tell=tell))
        except PermissionError as error:  # a file instead of a terminal
            raise Failure("There is nobody to ask: this is no terminal.", "Use --show and --say.") from error
    if not passed:
        raise typer.Exit(Exit.NO)


def add(cli: typer.Typer) -> None:
    """Add them to the command line."""
    cli.command(
        "walk-test",
        epilog=example(
            "perron walk-test",
            "perron walk-test front --anew",
            "perron walk-test --show",
            "perron walk-test --say lock",
            "perron walk-test --again 4",
            "perron walk-test --verify var/installation/walk-front.pdf --key box.pub.pem",
        ),
    )(walk_test)

"""The commands that keep a box in being: a new house file, backup, restore, a new key."""

import asyncio
from typing import Annotated

import typer

from gateway.cli.shape import HOME, HomeFile, example, tell


def reload(
    home: HomeFile = HOME,
    wait: Annotated[bool, typer.Option("--wait", help="Return once it is applied, however long that takes.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Have the running gateway read its house file anew, without dropping a visit.

    A file that is wrong is refused, and the house goes on as it was. One that is right is applied between visits: while
    somebody is at a door, and for a quarter of an hour after, it waits. Then the gateway begins anew within a second.
    """
    from gateway.cli.reloading import ask  # noqa: PLC0415 - the other commands start without it

    asyncio.run(ask(home, wait=wait, tell=tell))


def add(cli: typer.Typer) -> None:
    """Add them to the command line."""
    cli.command(epilog=example("perron reload", "perron reload --wait", "perron reload --home /etc/perron/home.yaml"))(
        reload
    )

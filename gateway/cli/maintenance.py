"""The commands that keep a box in being: a new house file, backup, restore, a new key."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.lines import DEFAULT_HOME
from gateway.cli.options import CommandGroup, HomeFile, print_line

commands = CommandGroup()


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
    from gateway.cli.backups import write_backup

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
    from gateway.cli.backups import inspect, restore_backup

    if check:
        inspect(archive, output=print_line)
    else:
        restore_backup(archive, home, output=print_line)


@commands.example("perron rotate-key", "perron rotate-key --home /etc/perron/home.yaml")
def rotate_key(home: HomeFile = DEFAULT_HOME) -> None:
    """Give the box a new signing key, without dropping a visit. The old key signs the new one, then it is destroyed.

    Proofs of before and after verify, whichever of the two keys is known: each folder that is sealed since tells how
    the keys follow each other. What was stolen with the old key stays stolen: give the new fingerprint to whoever
    checks proofs.
    """
    from gateway.cli.rotation import change_key

    asyncio.run(change_key(home, output=print_line))

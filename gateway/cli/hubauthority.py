"""`perron hub-authority`: how the hub's authority stands, and how another one takes its place."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.failure import Exit, Failure
from gateway.cli.hub import CONFIG, HubConfig
from gateway.cli.hubhomes import in_store, with_boxes
from gateway.cli.shape import example, tell

if TYPE_CHECKING:  # `perron --help` answers without them
    from cryptography import x509

    from gateway.hub.file import Boxes, HubFile
    from gateway.hub.store import Store


def hub_authority(
    *,
    config: HubConfig = CONFIG,
    following: Annotated[bool, typer.Option("--next", help="Make its successor, and sign for it.")] = False,
    change: Annotated[bool, typer.Option("--change", help="Put the successor in its place.")] = False,
    end: Annotated[bool, typer.Option("--end", help="Let the one before count no more.")] = False,
) -> None:
    """Tell how the hub's authority stands; with an option, let another one take its place, a step at a time.

    First --next: boxes learn of it within hours, by the old one's signature. Restart mosquitto once. Some weeks later
    --change: from then on it certifies the broker and every box that renews. When nothing counts any more that the old
    one certified, after 90 days at most, --end.
    """
    from gateway.clock import machine_time  # noqa: PLC0415 - the other commands start without it
    from gateway.hub import succession  # noqa: PLC0415 - the same

    if following + change + end > 1:
        raise Failure("These are steps, one after the other.", "Say one of --next, --change, --end.")
    file, boxes = with_boxes(config)
    if file.rabbit is not None and (following or change or end):
        raise Failure(
            "The authority of a hub on a RabbitMQ cluster cannot be changed yet.",
            "It is good for ten years; `perron hub-authority` tells until when.",
            Exit.NO,
        )
    now = machine_time()
    try:
        succession.settle(file.folder)
        if following:
            succession.prepare(file.folder, now=now)
        if change:
            succession.change(file.folder, now=now)
        told = in_store(file, config, lambda store: _done(file, boxes, store, now=now, end=end))
    except succession.NotNow as why:
        raise Failure(str(why), "See how it stands: `perron hub-authority`.", Exit.NO) from why
    for line in told:
        tell(line)


async def _done(file: "HubFile", boxes: "Boxes", store: "Store", *, now: datetime, end: bool) -> list[str]:
    """End the one before, if that is asked; write the broker's files, and say how all stands."""
    from gateway.hub import succession  # noqa: PLC0415 - the other commands start without it
    from gateway.hub.authority import Authority  # noqa: PLC0415 - the same
    from gateway.hub.broker import Keeper, certified_by, folder_of  # noqa: PLC0415 - the same

    folder = file.folder
    before = succession.former(folder)
    if end and before is not None:
        left = await certified_by(store, before, now)
        if left:
            raise succession.NotNow(f"It has certified {left} boxes that have not renewed yet: they would be cut off.")
        succession.end(folder)
    authority = Authority.at(folder, now=now)
    clock = asyncio.get_running_loop().time
    told = await Keeper(file, boxes, store, authority, monotonic=clock).look(now)
    lines = [_line("The authority", authority.certificate)]
    coming, before = succession.upcoming(folder), succession.former(folder)
    if coming is not None:
        lines.append(_line("Its successor", coming))
        lines.append(f"Restart mosquitto once, so that it believes both: mosquitto -c {folder_of(file)}/mosquitto.conf")
    if before is not None:
        lines.append(_line("The one before", before))
        lines.append(f"Certificates of it that count still: {await certified_by(store, before, now)}.")
    if told:
        lines.append(f"mosquitto ({', '.join(map(str, told))}) was told to read its files anew.")
    return lines


def _line(what: str, one: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - the other commands start without it

    from gateway.hub.joining import spoken  # noqa: PLC0415 - the same

    words = spoken(one.fingerprint(hashes.SHA256()).hex())
    return f"{what}: {words}, good until {one.not_valid_after_utc:%Y-%m-%d}."


def add(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(epilog=example("perron hub-authority", "perron hub-authority --next", "perron hub-authority --change"))(
        hub_authority
    )

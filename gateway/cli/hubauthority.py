"""`perron hub-authority`: how the hub's authority stands, and how another one takes its place."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.failure import Exit, Failure
from gateway.cli.hub import CONFIG, HubConfig
from gateway.cli.hubhomes import in_store, with_boxes
from gateway.cli.options import example, tell

if TYPE_CHECKING:  # `perron --help` answers without them
    from cryptography import x509

    from gateway.hub.config import Boxes, HubFile
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

    On a RabbitMQ cluster each step says which files are to be brought to the nodes, and --change is said twice: the
    second time, when every node shows the successor's certificate, it is done.
    """
    from gateway.hub import ca_rotation  # noqa: PLC0415 - the same
    from gateway.system.clock import machine_time  # noqa: PLC0415 - the other commands start without it

    if following + change + end > 1:
        raise Failure("These are steps, one after the other.", "Say one of --next, --change, --end.")
    file, boxes = with_boxes(config)
    now = machine_time()
    try:
        ca_rotation.settle(file.folder)
        if following:
            ca_rotation.prepare(file.folder, now=now)
        if change:
            _shown(file, boxes, config, now=now)
            ca_rotation.change(file.folder, now=now)
        step = following or change or end
        told = in_store(file, config, lambda store: _done(file, boxes, store, now=now, step=step, end=end))
    except ca_rotation.NotNow as why:
        raise Failure(str(why), "See how it stands: `perron hub-authority`.", Exit.NO) from why
    for line in told:
        tell(line)


def _shown(file: "HubFile", boxes: "Boxes", config: Path, *, now: datetime) -> None:
    """See to it that every node of a cluster shows the successor's certificate, before any box believes it alone."""
    from gateway.hub.cluster.rabbitmq import nodes_told, set_up, unready  # noqa: PLC0415 - the other commands start without it

    if file.rabbit is None:
        return

    async def visited(_store: "Store") -> dict[str, str]:
        return await unready(file, now=now, monotonic=asyncio.get_running_loop().time)

    left = in_store(file, config, visited)
    if left:
        set_up(file, boxes, file.rabbit, now=now, by_next=True)
        for line in (*nodes_told(file, file.rabbit), *(f"{host}: {why}." for host, why in left.items())):
            tell(line)
        raise Failure(
            f"Not changed yet: nodes that do not show the successor's certificate, or believe none: {', '.join(left)}.",
            "Bring them the files, restart them one after the other while a hub runs, and say --change again.",
            Exit.NO,
        )


async def _done(  # noqa: PLR0913 - what is asked, named one by one
    file: "HubFile", boxes: "Boxes", store: "Store", *, now: datetime, step: bool, end: bool
) -> list[str]:
    """End the one before, if that is asked; write the broker's files, and say how all stands."""
    from gateway.hub import ca_rotation  # noqa: PLC0415 - the other commands start without it
    from gateway.hub.authority import Authority  # noqa: PLC0415 - the same
    from gateway.hub.broker import Keeper, certified_by, folder_of  # noqa: PLC0415 - the same
    from gateway.hub.cluster.rabbitmq import nodes_told, set_up  # noqa: PLC0415 - the same

    folder = file.folder
    before = ca_rotation.former(folder)
    if end and before is None:
        raise ca_rotation.NotNow(ca_rotation.NONE_BEFORE)
    if end and before is not None:
        left = await certified_by(store, before, now)
        if left:
            raise ca_rotation.NotNow(f"It has certified {left} boxes that have not renewed yet: they would be cut off.")
        ca_rotation.end(folder)
    authority = Authority.at(folder, now=now)
    coming, before = ca_rotation.upcoming(folder), ca_rotation.former(folder)
    lines = [_line("The authority", authority.certificate)]
    if coming is not None:
        lines.append(_line("Its successor", coming))
    if before is not None:
        lines.append(_line("The one before", before))
        lines.append(f"Certificates of it that count still: {await certified_by(store, before, now)}.")
    if file.rabbit is not None:
        if step:
            set_up(file, boxes, file.rabbit, now=now)
            lines += [*nodes_told(file, file.rabbit), "Then restart the nodes, one after the other."]
        return lines
    told = await Keeper(file, boxes, store, authority, monotonic=asyncio.get_running_loop().time).look(now)
    if coming is not None:
        lines.append(f"Restart mosquitto once, so that it believes both: mosquitto -c {folder_of(file)}/mosquitto.conf")
    if told:
        lines.append(f"mosquitto ({', '.join(map(str, told))}) was told to read its files anew.")
    return lines


def _line(what: str, one: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - the other commands start without it

    from gateway.protocol.enrolment import spoken  # noqa: PLC0415 - the same

    words = spoken(one.fingerprint(hashes.SHA256()).hex())
    return f"{what}: {words}, good until {one.not_valid_after_utc:%Y-%m-%d}."


def add(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(epilog=example("perron hub-authority", "perron hub-authority --next", "perron hub-authority --change"))(
        hub_authority
    )

"""`perron hub-authority`: how the hub's authority stands, and how another one takes its place."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.hub import DEFAULT_CONFIG, HubConfig, load_with_boxes, run_in_store
from gateway.cli.options import CommandGroup, print_line

if TYPE_CHECKING:  # `perron --help` answers without them
    from cryptography import x509

    from gateway.hub.config import Boxes, HubFile
    from gateway.hub.database.store import HubStore


commands = CommandGroup()


@commands.example("perron hub-authority", "perron hub-authority --next", "perron hub-authority --change")
def hub_authority(
    *,
    config: HubConfig = DEFAULT_CONFIG,
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
    from gateway.hub.boxes import ca_rotation
    from gateway.system.clock import machine_time

    if following + change + end > 1:
        raise Failure("These are steps, one after the other.", "Say one of --next, --change, --end.")
    file, boxes = load_with_boxes(config)
    now = machine_time()
    with failure_on(
        ca_rotation.RotationRefused, "{why}", "See how it stands: `perron hub-authority`.", ExitCode.NEGATIVE
    ):
        ca_rotation.finish_change(file.folder)
        if following:
            ca_rotation.prepare_next(file.folder, now=now)
        if change:
            _check_nodes_ready(file, boxes, config, now=now)
            ca_rotation.activate_next(file.folder, now=now)
        step = following or change or end
        lines = run_in_store(file, config, lambda store: _apply_step(file, boxes, store, now=now, step=step, end=end))
    for line in lines:
        print_line(line)


def _check_nodes_ready(file: "HubFile", boxes: "Boxes", config: Path, *, now: datetime) -> None:
    """Refuse the change until every node of a cluster shows the successor's certificate: then no box is cut off."""
    from gateway.hub.cluster.rabbitmq import nodes_not_ready, set_up, setup_instructions

    if file.rabbit is None:
        return

    async def visit_nodes(_store: "HubStore") -> dict[str, str]:
        return await nodes_not_ready(file, now=now, monotonic=asyncio.get_running_loop().time)

    left = run_in_store(file, config, visit_nodes)
    if left:
        set_up(file, boxes, file.rabbit, now=now, show_next=True)
        for line in (*setup_instructions(file, file.rabbit), *(f"{host}: {why}." for host, why in left.items())):
            print_line(line)
        nodes = ", ".join(left)
        what = f"Not changed yet: nodes that do not show the successor's certificate, or believe none: {nodes}."
        todo = "Bring them the files, restart them one after the other while a hub runs, and say --change again."
        raise Failure(what, todo, ExitCode.NEGATIVE)


async def _apply_step(  # noqa: PLR0913 - the options of the command
    file: "HubFile", boxes: "Boxes", store: "HubStore", *, now: datetime, step: bool, end: bool
) -> list[str]:
    """End the former authority if requested, write the broker's files, and print the state."""
    from gateway.hub.boxes import ca_rotation
    from gateway.hub.boxes.authority import HubAuthority
    from gateway.hub.boxes.broker import BrokerFileKeeper, count_certificates_by, folder_of
    from gateway.hub.cluster.rabbitmq import set_up, setup_instructions

    folder = file.folder
    before = ca_rotation.read_certificate(folder, ca_rotation.FORMER_NAME)
    if end:
        if before is None:
            raise ca_rotation.RotationRefused(ca_rotation.NO_FORMER_AUTHORITY)
        if left := await count_certificates_by(store, before, now):
            what = f"It has certified {left} boxes that have not renewed yet: they would be cut off."
            raise ca_rotation.RotationRefused(what)
        ca_rotation.end_former(folder)
    authority = HubAuthority.load(folder, now=now)
    coming, before = (
        ca_rotation.read_certificate(folder, name) for name in (ca_rotation.NEXT_NAME, ca_rotation.FORMER_NAME)
    )
    lines = [_certificate_line("The authority", authority.certificate)]
    if coming is not None:
        lines.append(_certificate_line("Its successor", coming))
    if before is not None:
        lines.append(_certificate_line("The one before", before))
        lines.append(f"Certificates of it that count still: {await count_certificates_by(store, before, now)}.")
    if file.rabbit is not None:
        if step:
            set_up(file, boxes, file.rabbit, now=now)
            lines += [*setup_instructions(file, file.rabbit), "Then restart the nodes, one after the other."]
        return lines
    pids = await BrokerFileKeeper(file, boxes, store, authority, monotonic=asyncio.get_running_loop().time).check(now)
    if coming is not None:
        lines.append(f"Restart mosquitto once, so that it believes both: mosquitto -c {folder_of(file)}/mosquitto.conf")
    if pids:
        lines.append(f"mosquitto ({', '.join(map(str, pids))}) has the signal to reload its files.")
    return lines


def _certificate_line(what: str, certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import hashes

    from gateway.protocol.enrolment import proquint_words

    words = proquint_words(certificate.fingerprint(hashes.SHA256()).hex())
    return f"{what}: {words}, good until {certificate.not_valid_after_utc:%Y-%m-%d}."

"""The hub's commands of one word: a retailer, the broker's files, the authority, homes that join or are revoked."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import segno
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.hub_store import (
    AUTHORITY_HINT,
    DEFAULT_CONFIG,
    HubConfig,
    load_file,
    load_with_boxes,
    run_in_store,
)
from gateway.cli.options import cli, print_line
from gateway.hub.admin import HomeNotFound, create_claim, create_retailer, revoke_home
from gateway.hub.boxes import broker as broker_files
from gateway.hub.boxes import ca_rotation
from gateway.hub.boxes.authority import AuthorityUnusable, HubAuthority
from gateway.hub.boxes.broker import BrokerFileKeeper, count_certificates_by, folder_of
from gateway.hub.boxes.homes_broker import NodesUnreachable
from gateway.hub.config import Boxes, HubFile, Rabbit
from gateway.hub.database.store import HubStore
from gateway.mqtt.mosquitto.folder_check import foreign_configuration
from gateway.protocol.enrolment import proquint_words
from gateway.system.clock import machine_time
from gateway.system.dates import day_text
from gateway.system.i18n import SOURCE
from gateway.system.mosquitto import reload
from gateway.system.pki.pages import format_fingerprint


@cli.example("perron hub-retailer 'Maison Lune'")
def hub_retailer(
    name: Annotated[str, typer.Argument(help="Its name, as homes read it.")], *, config: HubConfig = DEFAULT_CONFIG
) -> None:
    """Add a retailer, and print its first API key. The hub shows a key only once."""
    file = load_file(config)
    retailer, token = run_in_store(file, config, lambda store: create_retailer(store, name, now=machine_time()))
    print_line(f"{name} is {retailer}. The hub shows its API key only now:\n{token}")


@cli.example("perron hub-config", "perron hub-config --config /etc/perron-hub/hub.yaml")
def hub_config(*, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Write what the hub's mosquitto needs: boxes come by TLS with their certificate, the hub itself on 127.0.0.1.

    With `rabbit` in the hub's file: a folder for each node of the RabbitMQ cluster, to be brought there.

    The command makes the hub's authority if there is none yet, and keeps existing accounts and keys. A mosquitto that
    runs with these files reloads them; a changed listener needs a restart. Run mosquitto as the same user as the hub.
    """
    file, boxes = load_with_boxes(config)
    if file.rabbit is not None:
        _write_cluster_files(file, boxes, file.rabbit)
        return
    folder = folder_of(file)
    foreign = foreign_configuration(folder)
    if foreign is not None:
        raise Failure(foreign.to("en"), "Nothing was written.")
    authority = run_in_store(file, config, lambda store: broker_files.set_up(file, boxes, store, now=machine_time()))
    print_line(
        f"Written to {folder}: mosquitto.conf, access, passwords, hub.password, revoked.pem and the certificate."
    )
    _print_authority(authority, boxes)
    if file.broker is None:
        password = folder / "hub.password"
        print_line(f"Add to {config}:\n  broker: {{host: 127.0.0.1, port: 1883, password_file: {password}}}")
    pids = reload(folder)
    for pid in pids:
        print_line(f"The mosquitto that runs with it ({pid}) has the signal to reload it.")
    if not pids:
        print_line(f"Start it: mosquitto -c {folder / 'mosquitto.conf'}")


def _print_authority(authority: HubAuthority, boxes: Boxes) -> None:
    fingerprint = format_fingerprint(authority.fingerprint)
    print_line(f"Boxes trust its authority, SHA-256 {fingerprint}, and reach it at {boxes.host}:{boxes.port}.")


def _write_cluster_files(file: HubFile, boxes: Boxes, rabbit: Rabbit) -> None:
    from gateway.hub.cluster import rabbitmq

    with (
        failure_on(OSError, f"{file.folder} cannot be used ({{why}}).", "Correct `folder` in the hub's file."),
        failure_on(AuthorityUnusable, "{why}.", AUTHORITY_HINT),
    ):
        authority = rabbitmq.set_up(file, boxes, rabbit, now=machine_time())
    print_line(*rabbitmq.setup_instructions(file, rabbit))
    _print_authority(authority, boxes)


@cli.example("perron hub-claim", "perron hub-claim --no-qr", "perron hub-claim --again home-4x3k2...")
def hub_claim(
    *,
    config: HubConfig = DEFAULT_CONFIG,
    again: Annotated[
        str | None, typer.Option(help="A home that is known already joins anew: it keeps its name.", metavar="HOME")
    ] = None,
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Show it as QR too.")] = True,
) -> None:
    """Create a claim code. One box can join with it within a day. Give the code to the owner of that box only."""
    file, _ = load_with_boxes(config)
    now = machine_time()

    async def make(store: HubStore) -> str:
        authority = HubAuthority.load(file.folder, now=now)
        code = await create_claim(store, url=file.url, fingerprint=authority.fingerprint, now=now, home=again)
        print_line(f"{code.claim}, good once, until tomorrow {now:%H:%M} UTC.")
        words, fingerprint = proquint_words(code.authority), format_fingerprint(code.authority)
        print_line(f"The hub's authority, to compare: {words}\nSHA-256 {fingerprint}")
        return code.text

    todo = "Name one that has joined, or leave --again out."
    with failure_on(HomeNotFound, f"The hub knows no home {again!r}.", todo):
        text = run_in_store(file, config, make)
    if qr:
        typer.echo("")
        segno.make(text, error="l").terminal(compact=True)
    print_line(f"In the house, on its page Settings, Hub: take a photo of the code, or paste\n  {text}")
    print_line(f"or at its terminal:\n  perron join '{text}'")


@cli.example("perron hub-revoke home-4x3k2...")
def hub_revoke(
    name: Annotated[
        str, typer.Argument(metavar="HOME", help="The home, as `perron hub-claim` and the box name it: home-...")
    ],
    *,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """Revoke a home: its box is cut off at once and cannot come back, nor renew its certificate.

    `perron hub-claim --again HOME` lets it join anew, under another key.
    """
    revoke_and_report(name, config)


def revoke_and_report(name: str, config: Path) -> None:
    """Revoke a home, let the broker know, and tell what is left to do."""
    file, boxes = load_with_boxes(config)
    now = machine_time()

    async def work(store: HubStore) -> tuple[int | str, ...]:
        await revoke_home(store, name, now=now)
        authority, mono = HubAuthority.load(file.folder, now=now), asyncio.get_running_loop().time
        if file.rabbit is None:
            return await BrokerFileKeeper(file, boxes, store, authority, monotonic=mono).check(now)
        from gateway.hub.cluster import rabbitmq

        rabbitmq.renew_certificates(file, authority, now=now)
        await rabbitmq.ClusterAccountKeeper(file, file.rabbit, store, monotonic=mono).accounts.delete_accounts_of(name)
        return (name,)

    revoked = f"{name} is revoked: none of its certificates counts, and none is renewed."
    try:
        with failure_on(HomeNotFound, f"The hub knows no home {name!r}.", "Name one that has joined."):
            notified = run_in_store(file, config, work)
    except NodesUnreachable as error:
        print_line(revoked)
        what = f"No node of the cluster could be told: its box is not cut off yet. {error}"
        raise Failure(what, "A hub that runs tells them as soon as one of them answers.", ExitCode.NO_ANSWER) from error
    print_line(revoked)
    if not notified:
        broker = folder_of(file) / "mosquitto.conf"
        what = f"No mosquitto of this machine that may be told runs with {broker}: it does not know yet."
        todo = "Let yours read its files (SIGHUP). A hub that runs looks each 30 s, and cuts the box off."
        raise Failure(what, todo, ExitCode.NO_ANSWER)
    print_line("The broker knows, and its connection is cut.")


@cli.example("perron hub-authority", "perron hub-authority --next", "perron hub-authority --change")
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
    print_line(*lines)


def _check_nodes_ready(file: HubFile, boxes: Boxes, config: Path, *, now: datetime) -> None:
    """Refuse the change until every node of a cluster shows the successor's certificate: then no box is cut off."""
    if file.rabbit is None:
        return
    from gateway.hub.cluster import rabbitmq

    async def visit_nodes(_store: HubStore) -> dict[str, str]:
        return await rabbitmq.nodes_not_ready(file, now=now, monotonic=asyncio.get_running_loop().time)

    unready = run_in_store(file, config, visit_nodes)
    if unready:
        rabbitmq.set_up(file, boxes, file.rabbit, now=now, show_next=True)
        print_line(
            *(*rabbitmq.setup_instructions(file, file.rabbit), *(f"{host}: {why}." for host, why in unready.items()))
        )
        nodes = ", ".join(unready)
        what = f"Not changed yet: nodes that do not show the successor's certificate, or believe none: {nodes}."
        todo = "Bring them the files, restart them one after the other while a hub runs, and say --change again."
        raise Failure(what, todo, ExitCode.NEGATIVE)


async def _apply_step(  # noqa: PLR0913 - the options of the command
    file: HubFile, boxes: Boxes, store: HubStore, *, now: datetime, step: bool, end: bool
) -> list[str]:
    """End the former authority if requested, write the broker's files, and print the state."""
    folder = file.folder
    before = ca_rotation.read_certificate(folder, ca_rotation.FORMER_NAME)
    if end:
        if before is None:
            raise ca_rotation.RotationRefused(ca_rotation.NO_FORMER_AUTHORITY)
        if count := await count_certificates_by(store, before, now):
            what = f"It has certified {count} boxes that have not renewed yet: they would be cut off."
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
            from gateway.hub.cluster import rabbitmq

            rabbitmq.set_up(file, boxes, file.rabbit, now=now)
            lines += [*rabbitmq.setup_instructions(file, file.rabbit), "Then restart the nodes, one after the other."]
        return lines
    pids = await BrokerFileKeeper(file, boxes, store, authority, monotonic=asyncio.get_running_loop().time).check(now)
    if coming is not None:
        lines.append(f"Restart mosquitto once, so that it believes both: mosquitto -c {folder_of(file)}/mosquitto.conf")
    if pids:
        lines.append(f"mosquitto ({', '.join(map(str, pids))}) has the signal to reload its files.")
    return lines


def _certificate_line(what: str, certificate: x509.Certificate) -> str:
    words = proquint_words(certificate.fingerprint(hashes.SHA256()).hex())
    return f"{what}: {words}, good until {day_text(certificate.not_valid_after_utc.date()).to(SOURCE)}."

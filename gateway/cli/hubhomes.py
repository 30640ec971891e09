"""The hub's commands about homes: its broker's files, a claim for a box, a home revoked."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.hub import AUTHORITY_HINT, DEFAULT_CONFIG, HubConfig, load_with_boxes, run_in_store
from gateway.cli.options import CommandGroup, print_line

if TYPE_CHECKING:  # `perron --help` answers without them
    from gateway.hub.boxes.authority import HubAuthority
    from gateway.hub.config import Boxes, HubFile, Rabbit
    from gateway.hub.database.store import HubStore


commands = CommandGroup()


@commands.example("perron hub-config", "perron hub-config --config /etc/perron-hub/hub.yaml")
def hub_config(*, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Write what the hub's mosquitto needs: boxes come by TLS with their certificate, the hub itself on 127.0.0.1.

    With `rabbit` in the hub's file: a folder for each node of the RabbitMQ cluster, to be brought there.

    The hub's authority is made, if there is none yet. Accounts and keys that lie there are kept. A mosquitto that runs
    with these files reads them anew; another listener needs a restart. Let mosquitto be the same user as the hub.
    """
    from gateway.hub.boxes.broker import folder_of, set_up
    from gateway.mqtt.mosquitto.folder_check import foreign_configuration
    from gateway.system.clock import machine_time
    from gateway.system.mosquitto import reload

    file, boxes = load_with_boxes(config)
    if file.rabbit is not None:
        _write_cluster_files(file, boxes, file.rabbit)
        return
    folder = folder_of(file)
    foreign = foreign_configuration(folder)
    if foreign is not None:
        raise Failure(foreign.to("en"), "Nothing was written.")
    authority = run_in_store(file, config, lambda store: set_up(file, boxes, store, now=machine_time()))
    print_line(
        f"Written to {folder}: mosquitto.conf, access, passwords, hub.password, revoked.pem and the certificate."
    )
    _print_authority(authority, boxes)
    if file.broker is None:
        password = folder / "hub.password"
        print_line(f"Add to {config}:\n  broker: {{host: 127.0.0.1, port: 1883, password_file: {password}}}")
    pids = reload(folder)
    for pid in pids:
        print_line(f"The mosquitto that runs with it ({pid}) was told to read it anew.")
    if not pids:
        print_line(f"Start it: mosquitto -c {folder / 'mosquitto.conf'}")


def _print_authority(authority: "HubAuthority", boxes: "Boxes") -> None:
    from gateway.system.pki.pages import format_fingerprint

    fingerprint = format_fingerprint(authority.fingerprint)
    print_line(f"Boxes trust its authority, SHA-256 {fingerprint}, and reach it at {boxes.host}:{boxes.port}.")


def _write_cluster_files(file: "HubFile", boxes: "Boxes", rabbit: "Rabbit") -> None:
    from gateway.hub.boxes.authority import AuthorityUnusable
    from gateway.hub.cluster.rabbitmq import set_up, setup_instructions
    from gateway.system.clock import machine_time

    with (
        failure_on(OSError, f"{file.folder} cannot be used ({{why}}).", "Correct `folder` in the hub's file."),
        failure_on(AuthorityUnusable, "{why}.", AUTHORITY_HINT),
    ):
        authority = set_up(file, boxes, rabbit, now=machine_time())
    for line in setup_instructions(file, rabbit):
        print_line(line)
    _print_authority(authority, boxes)


@commands.example("perron hub-claim", "perron hub-claim --no-qr", "perron hub-claim --again home-4x3k2...")
def hub_claim(
    *,
    config: HubConfig = DEFAULT_CONFIG,
    again: Annotated[
        str | None, typer.Option(help="A home that is known already joins anew: it keeps its name.", metavar="HOME")
    ] = None,
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Show it as QR too.")] = True,
) -> None:
    """Make a claim, by which one box may join within a day. Its code is read to that box, and to nobody else."""
    import segno

    from gateway.hub.admin import HomeNotFound, create_claim
    from gateway.hub.boxes.authority import HubAuthority
    from gateway.protocol.enrolment import proquint_words
    from gateway.system.clock import machine_time
    from gateway.system.pki.pages import format_fingerprint

    file, _ = load_with_boxes(config)
    now = machine_time()

    async def make(store: "HubStore") -> str:
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


@commands.example("perron hub-revoke home-4x3k2...")
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
    from gateway.hub.admin import HomeNotFound, revoke_home
    from gateway.hub.boxes.authority import HubAuthority
    from gateway.hub.boxes.broker import BrokerFileKeeper, folder_of
    from gateway.hub.cluster.management_api import NodesUnreachable
    from gateway.hub.cluster.rabbitmq import ClusterAccountKeeper, renew_certificates
    from gateway.system.clock import machine_time

    file, boxes = load_with_boxes(config)
    now = machine_time()

    async def work(store: "HubStore") -> tuple[int | str, ...]:
        await revoke_home(store, name, now=now)
        authority, mono = HubAuthority.load(file.folder, now=now), asyncio.get_running_loop().time
        if file.rabbit is None:
            return await BrokerFileKeeper(file, boxes, store, authority, monotonic=mono).check(now)
        renew_certificates(file, authority, now=now)
        await ClusterAccountKeeper(file, file.rabbit, store, monotonic=mono).accounts.delete_accounts_of(name)
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

"""The process beside a Matter server, which speaks for its locks and sensors."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from devices.vendors.matter import EndpointLine, endpoint_id
from devices.vendors.matter_aliro import AliroKey
from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.log_format import configure_log
from gateway.cli.options import cli, print_line
from gateway.integrations.matter.aliro import store_key
from gateway.integrations.matter.file import MatterFile, load_matter_file
from gateway.integrations.matter.process import list_endpoints, run_matter
from gateway.integrations.matter.server import MatterFailed
from gateway.system.config_section import ConfigError
from gateway.system.regular_file import read_bytes


@cli.example(
    "perron matter --config /etc/perron-matter/matter.yaml",
    "perron matter --list --config matter.yaml",
    "perron schema matter --markdown",
)
def matter(
    config: Annotated[Path, typer.Option(help="The Matter server's file.", metavar="FILE")] = Path("matter.yaml"),
    *,
    list_: Annotated[
        bool, typer.Option("--list", help="Only list the devices of the Matter server that Perron can use; move none.")
    ] = False,
) -> None:
    """Speak for the devices of a Matter server until told to end: pass on orders to locks, each once and in time.

    It answers a query by reading the device, and tells what a device reports. It runs between the house's broker and
    the Matter server's WebSocket. docs/installer/matter.md tells how it is set up.
    """
    configure_log()
    todo = "Correct the file, then try again; docs/installer/matter.md shows one."
    with failure_on(ConfigError, "{why}", todo):
        file = load_matter_file(config)
        file.broker.password()
        file.server.tls()
        if not list_:
            asyncio.run(run_matter(file))
            return
        _print_endpoints(file)


def _print_endpoints(file: MatterFile) -> None:
    try:
        found = asyncio.run(list_endpoints(file))
    except MatterFailed as error:
        what = f"{file.server.url}: {error}."
        raise Failure(what, "Look whether the Matter server runs, and on which port.", ExitCode.NO_ANSWER) from error
    for line in found:
        print_line(_sentence(file.base, line))
    if not found:
        print_line(f"{file.server.url} has commissioned no lock, closure, contact or thermometer.")


def _sentence(base: str, line: EndpointLine) -> str:
    name = " ".join(part for part in (line.label, line.maker, line.product) if part) or "no name"
    there = "" if line.available else ", not reached at the moment"
    return f"{base}/{line.at.name}: {', '.join(line.kinds)} ({name}){there}"


@cli.example("perron aliro-key issuer.pem matter/5-1 --slot 8 --config matter.yaml")
def aliro_key(
    key: Annotated[Path, typer.Argument(help="The issuer's public key (PEM, P-256).", metavar="KEY")],
    lock: Annotated[str, typer.Argument(help="The lock: base topic, node and endpoint, like matter/5-1.")],
    *,
    slot: Annotated[int, typer.Option(help="A free user index of the lock.", min=1, max=65_534)],
    name: Annotated[str, typer.Option(help="The user's name at the lock, at most 10 characters.")] = "aliro",
    config: Annotated[Path, typer.Option(help="The Matter server's file.", metavar="FILE")] = Path("matter.yaml"),
) -> None:
    """Let a Matter lock open to phones and watches whose access documents this issuer of Aliro has signed.

    The key is read back from the lock and compared; a slot that is taken stays as it is.
    """
    configure_log()
    at = endpoint_id(lock.rpartition("/")[2])
    if at is None or not 0 < len(name) <= 10 or not name.isprintable():
        raise Failure(f"{lock!r} or {name!r} cannot be used.", "Write the lock like matter/5-1, and a short name.")
    with failure_on(ConfigError, "{why}", "Correct the file, then try again; docs/installer/matter.md shows one."):
        file = load_matter_file(config)
    point = _public_point(key)
    try:
        work = store_key(file.server, at, kind=AliroKey.ISSUER, slot=slot, name=name, key=point)
        asyncio.run(work)
    except MatterFailed as error:
        todo = "Nothing was stored that the lock would delete. Choose a free slot of a lock with Aliro."
        raise Failure(f"{lock}: {error}.", todo, ExitCode.NO_ANSWER) from error
    print_line(f"{lock} has the issuer's key in slot {slot}: read back, and the same.")


def _public_point(file: Path) -> bytes:
    """Return the uncompressed point of a public key; Failure: the file has none of P-256."""
    todo = "Give the public key of the issuer as PEM, on the curve P-256."
    try:
        found = load_pem_public_key(read_bytes(file))
    except (OSError, ValueError) as error:
        raise Failure(f"{file}: no public key can be read from it.", todo) from error
    if not isinstance(found, EllipticCurvePublicKey) or not isinstance(found.curve, SECP256R1):
        raise Failure(f"{file}: the key is not on the curve P-256.", todo)
    return found.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

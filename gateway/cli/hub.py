"""The hub's commands: run one, let a retailer in."""

import asyncio
import contextlib
import errno
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gateway.cli.failure import Failure, error_text, failure_on
from gateway.cli.options import CommandGroup, print_line

if TYPE_CHECKING:
    from gateway.hub.config import Boxes, HubFile
    from gateway.hub.database.store import HubStore
    from gateway.system.mqtt_settings import BrokerSection

HubConfig = Annotated[Path, typer.Option("--config", help="The hub's file.", metavar="FILE")]
DEFAULT_CONFIG = Path("hub.yaml")
AUTHORITY_HINT = "Put that file back from a copy: with another authority every box joins anew."
T = TypeVar("T")

commands = CommandGroup()


def load_hub_file(config: Path) -> "HubFile":
    """Read the hub's file."""
    from gateway.hub.config import load
    from gateway.system.config_section import ConfigError

    with failure_on(ConfigError, "{why}", "Correct the file, then try again; docs/operator/hub.md shows one."):
        return load(config)


def load_with_boxes(config: Path) -> "tuple[HubFile, Boxes]":
    """Read the hub's file, which must say how boxes reach its broker."""
    file = load_hub_file(config)
    if file.boxes is None:
        todo = "Add `boxes: {host: hub.example}`, the name by which they reach this machine; see docs/operator/hub.md."
        raise Failure(f"{config} does not say how boxes reach this hub's broker.", todo)
    return file, file.boxes


def run_in_store(file: "HubFile", config: Path, work: "Callable[[HubStore], Awaitable[T]]") -> T:
    """Run a function with the hub's store."""
    from gateway.hub.cluster.management_api import NodesUnreachable
    from gateway.hub.database.store import HubStore

    async def run() -> T:
        file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = await HubStore.open(file.database)
        try:
            return await work(store)
        finally:
            await store.close()

    with _failures(config):
        try:
            return asyncio.run(run())
        except NodesUnreachable:  # an OSError too, and not the folder's
            raise
        except OSError as error:
            todo = f"Correct `folder` in {config}."
            raise Failure(f"{file.folder} cannot be used ({error_text(error)}).", todo) from error


@contextlib.contextmanager
def _failures(config: Path) -> Iterator[None]:
    """Turn what is wrong with the hub's store or authority into a `Failure`."""
    from gateway.hub.boxes.authority import AuthorityUnusable
    from gateway.hub.database.store import StoreUnusable

    with (
        failure_on(StoreUnusable, "{why}", f"Correct `store` or `folder` in {config}."),
        failure_on(AuthorityUnusable, "{why}.", AUTHORITY_HINT),
    ):
        yield


@commands.example("perron hub", "perron hub --config /etc/perron-hub/hub.yaml")
def hub(*, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Run a hub until it is told to end: one URL for retailers, owners and couriers of many boxes.

    It keeps what was asked and what the boxes answered, and rings at their doors. It decides nothing: a box believes
    what a brand or its own household has signed. docs/operator/hub.md tells how it is set up.
    """
    import structlog

    from gateway.hub.process import HubProcess
    from gateway.mqtt.tls import check_files
    from gateway.protocol.keys import KeyUnusable
    from gateway.system.config_section import ConfigError

    structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()])
    file = load_hub_file(config)
    with (
        _failures(config),
        failure_on(KeyUnusable, "{why}", f"The hub's own key is in the folder that {config} names."),
        failure_on(ConfigError, "{why}", f"Correct {config}."),
    ):
        try:
            if not file.lines:
                print_line("No `broker` in it: only simulated homes are reached.")
            elif file.broker is not None:
                _check_account(file.broker, config)
                check_files(file.broker)
            asyncio.run(HubProcess(file).run())
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = f"something listens at {file.listen.host}:{file.listen.port} already" if taken else error_text(error)
            raise Failure(f"The hub cannot be served ({why}).", f"Correct `listen` in {config}.") from error


def _check_account(broker: "BrokerSection", config: Path) -> None:
    if broker.password_file is not None and not broker.password_file.exists():
        todo = f"Write it with `perron hub-config --config {config}`, or correct broker.password_file."
        raise Failure(f"{broker.password_file} is not there: the hub's password at its broker.", todo)


@commands.example("perron hub-retailer 'Maison Lune'")
def hub_retailer(
    name: Annotated[str, typer.Argument(help="Its name, as homes read it.")], *, config: HubConfig = DEFAULT_CONFIG
) -> None:
    """Let a retailer in: tells its first API key, this once."""
    from gateway.hub.admin import create_retailer
    from gateway.system.clock import machine_time

    file = load_hub_file(config)
    retailer, token = run_in_store(file, config, lambda store: create_retailer(store, name, now=machine_time()))
    print_line(f"{name} is {retailer}. Its key, told this once:\n{token}")

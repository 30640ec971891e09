"""What the hub's commands share: the option of the hub's file, and work in its store beside a running hub."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gateway.cli.failure import ExitCode, Failure, error_text, failure_on
from gateway.hub.boxes.authority import AuthorityUnusable
from gateway.hub.boxes.homes_broker import NodesUnreachable
from gateway.hub.config import Boxes, HubFile, load
from gateway.hub.database.store import HubStore, StoreUnavailable, StoreUnusable
from gateway.hub.operation.folder import use_folder
from gateway.hub.operation.journal import RevocationJournal
from gateway.system.config_section import ConfigError

HubConfig = Annotated[Path, typer.Option("--config", help="The hub's file.", metavar="FILE")]
DEFAULT_CONFIG = Path("hub.yaml")
AUTHORITY_HINT = "Put that file back from a copy: with another authority every box joins anew."
T = TypeVar("T")


def load_file(config: Path) -> HubFile:
    """Read the hub's file."""
    with failure_on(ConfigError, "{why}", "Correct the file, then try again; docs/operator/hub.md shows one."):
        return load(config)


def load_with_boxes(config: Path) -> tuple[HubFile, Boxes]:
    """Read the hub's file, which must say how boxes reach its broker."""
    file = load_file(config)
    if file.boxes is None:
        todo = "Add `boxes: {host: hub.example}`, the name by which they reach this machine; see docs/operator/hub.md."
        raise Failure(f"{config} does not say how boxes reach this hub's broker.", todo)
    return file, file.boxes


def run_in_store(file: HubFile, config: Path, work: Callable[[HubStore], Awaitable[T]]) -> T:
    """Do this work in the hub's store, which a running hub may use too; what it revoked is in the journal then."""

    async def run() -> T:
        file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with use_folder(file.folder):
            store = await HubStore.open(file.database)
            try:
                result = await work(store)
                await RevocationJournal(file.folder, store).update()
            finally:
                await store.close()
        return result

    with hub_failures(config):
        try:
            return asyncio.run(run())
        except (NodesUnreachable, StoreUnavailable):  # OSErrors too, and not the folder's
            raise
        except OSError as error:
            todo = f"Correct `folder` in {config}."
            raise Failure(f"{file.folder} cannot be used ({error_text(error)}).", todo) from error


@contextlib.contextmanager
def hub_failures(config: Path) -> Iterator[None]:
    """Turn what is wrong with the hub's store or authority into a `Failure`."""
    with (
        failure_on(StoreUnusable, "{why}", f"Correct `store` or `folder` in {config}."),
        failure_on(
            StoreUnavailable,
            "The hub's database does not answer now: {why}.",
            "Try again in a moment.",
            ExitCode.NO_ANSWER,
        ),
        failure_on(AuthorityUnusable, "{why}.", AUTHORITY_HINT),
    ):
        yield

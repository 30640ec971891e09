"""`perron hub`: runs a hub; its subcommands are what an operator does with one that runs."""

import asyncio
import errno
import gc
import os
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from gateway.cli import hub_backup, hub_erase, hub_operation
from gateway.cli.failure import Failure, error_text, failure_on
from gateway.cli.hub_store import DEFAULT_CONFIG, HubConfig, hub_failures, load_file
from gateway.cli.lines import quoted_path
from gateway.cli.log_format import configure_log
from gateway.cli.options import CommandGroup, cli, command_epilog, print_line
from gateway.hub.database.store import StoreUnavailable
from gateway.hub.process import HubProcess
from gateway.mqtt.tls import check_files
from gateway.protocol.ed25519 import KeyUnusable
from gateway.system.config_section import ConfigError
from gateway.system.port_holder import port_holder

group = CommandGroup(name="hub")
cli.add_typer(group)
for part in (hub_operation.retailers, hub_operation.keys, hub_operation.brands, hub_operation.homes):
    group.add_typer(part)
hub_backup.add_commands(group)
hub_erase.add_command(group)


@group.callback(
    invoke_without_command=True,
    epilog=command_epilog(
        "perron hub", "perron hub --config /etc/perron-hub/hub.yaml", "perron hub retailer list",
        "perron hub retailer suspend ret-...", "perron hub backup hub.tar",
    ),
)  # fmt: skip
def hub(context: typer.Context, *, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Run a hub until SIGTERM or Ctrl+C. With a command, operate one: its retailers, keys, brands and homes.

    A hub is one address for retailers, owners and couriers of many boxes. It stores what retailers ask and what boxes
    answer, and passes it on. It decides nothing: a box acts on what a brand or its own household has signed.
    docs/operator/hub.md describes the set-up. A command writes to the database, and a running hub acts on it within a
    second.
    """
    if context.invoked_subcommand is not None:
        if config != DEFAULT_CONFIG:
            context.default_map = _defaults(context.command, config)
        return
    run_hub(config)


def _defaults(command: object, config: Path) -> dict[str, Any]:
    """Return what makes this file the default of every subcommand's --config."""
    if isinstance(command, TyperGroup):
        return {name: _defaults(below, config) for name, below in command.commands.items()}
    return {"config": str(config)}


async def _run(process: HubProcess) -> None:
    """Run a hub. What exists once it serves stays, so the garbage collector need not look through it each time."""

    async def freeze() -> None:
        await process.open.wait()
        gc.freeze()

    freezing = asyncio.create_task(freeze())
    try:
        await process.run()
    finally:
        freezing.cancel()


def run_hub(config: Path) -> None:
    """Run the hub of this file until it is told to end."""
    configure_log()
    file = load_file(config)
    with (
        hub_failures(config),
        failure_on(KeyUnusable, "{why}", f"The hub's own key is in the folder that {config} names."),
        failure_on(ConfigError, "{why}", f"Correct {config}."),
    ):
        try:
            file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            writable = os.access(file.folder, os.W_OK)
        except OSError as error:
            raise Failure(
                f"{file.folder} cannot be used ({error_text(error)}).", f"Correct `folder` in {config}."
            ) from error
        if not writable:
            raise Failure(f"Nothing can be written to {file.folder}.", f"Correct `folder` in {config}, or its rights.")
        try:
            if not file.lines:
                print_line("No `broker` in it: only simulated homes are reached.")
            elif file.broker is not None:
                password = file.broker.password_file
                if password is not None and not password.exists():
                    write = f"`perron hub-config --config {quoted_path(config)}`"
                    todo = f"Write it with {write}, or correct broker.password_file."
                    raise Failure(f"{password} is not there: the hub's password at its broker.", todo)
                check_files(file.broker)
            asyncio.run(_run(HubProcess(file)))
        except StoreUnavailable:  # an OSError too, and not the address's
            raise
        except OSError as error:
            why, listen = error_text(error), file.listen
            if error.errno == errno.EADDRINUSE:
                why = f"{port_holder(listen.port)} listens at {listen.host}:{listen.port} already"
            raise Failure(f"The hub cannot be served ({why}).", f"Correct `listen` in {config}.") from error

"""The guard beside the radio, and the keys by which gateway and guard know each other."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import Failure, error_text, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, quoted_path, relative_path
from gateway.cli.log_format import configure_log
from gateway.cli.options import HomeFile, cli, print_line
from gateway.integrations.lock_guard.file import load_guard_file
from gateway.integrations.lock_guard.ledger import InvalidLedger, Ledger
from gateway.integrations.lock_guard.process import GuardProcess
from gateway.protocol.ed25519 import KeyUnusable
from gateway.protocol.keys import COMMAND_KEY_FILE, command_key, create_key, load_key, renew_command_key
from gateway.system.config_section import ConfigError


@cli.example("perron guard --config /etc/perron/guard.yaml", "perron guard-key --new guard.key.pem")
def guard(
    config: Annotated[Path, typer.Option(help="The guard's file.", metavar="FILE")] = Path("guard.yaml"),
) -> None:
    """Guard one lock until told to end: the only one that may move it, on signed orders, each once and in time.

    It runs beside the radio (for example where Zigbee2MQTT runs), between the house's broker and a second one that
    only this machine can reach. docs/installer/guard.md tells how it is set up.
    """
    configure_log()
    with failure_on(ConfigError, "{why}", "Correct the file, then try again; docs/installer/guard.md shows one."):
        file = load_guard_file(config)
        file.house.password()
        file.radio.broker.password()
    make_key = f"Make one: `perron guard-key --new {quoted_path(file.key)}`."
    with (
        failure_on(
            (KeyUnusable, OSError), f"{file.key} cannot be used: {{why}}.", "Correct `key` in the guard's file."
        ),
        failure_on(FileNotFoundError, f"{file.key}: this key file does not exist.", make_key),
    ):
        key = load_key(file.key)
    with (
        failure_on(OSError, f"{file.folder} cannot be used: {{why}}.", "Correct `folder`."),
        failure_on(InvalidLedger, "{why}", "Correct `folder` in the guard's file, or end the other guard."),
    ):
        ledger = Ledger.open(file.folder)
    asyncio.run(GuardProcess(file, key=key, ledger=ledger).run())


@cli.example("perron guard-key", "perron guard-key --new guard.key.pem", "perron guard --config guard.yaml")
def guard_key(
    *,
    home: HomeFile = DEFAULT_HOME,
    new: Annotated[
        Path | None, typer.Option(help="Make a guard's private key in this file instead, and tell its public half.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make the gateway's command key anew: the old one is gone.")
    ] = False,
) -> None:
    """Print the gateway's public command key, which goes into guard.yaml; with --new make a guard's own.

    A guard's own key belongs to no house: it is made beside the radio, and --home has no part in it.
    """
    try:
        if new is not None:
            key = create_key(new)
            typer.echo(f"# The private half is {new}; it never leaves the guard.")
            print_line("# Write this under the lock in the box's home.yaml, then `perron reload`:")
            typer.echo(f"    guard: {{key: {key.public.text}}}")
            return
        house = load_home(home)
        folder = house.storage.folder / "key"
        key = renew_command_key(folder) if anew else command_key(folder)
    except KeyUnusable as error:
        raise Failure(f"{error}.", "Mend it, then try again.") from error
    except FileExistsError as error:
        raise Failure(f"{new}: {error_text(error)}.", "Name another file, or delete this one first.") from error
    except OSError as error:
        raise Failure(f"{error.filename or new}: {error_text(error)}.", "Name another place.") from error
    then = ", start the guard again, then the gateway: until then the lock obeys nobody." if anew else ":"
    typer.echo(
        f"# {house.name} ({relative_path(home)}): the private half is {relative_path(folder / COMMAND_KEY_FILE)}."
    )
    typer.echo(f"# Write this into guard.yaml, beside the radio{then}")
    typer.echo(f"gateway: {key.public.text}")

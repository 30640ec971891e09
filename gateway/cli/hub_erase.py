"""`perron hub erase`: erases what a hub stores about a customer of a retailer."""

from typing import Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.hub_store import DEFAULT_CONFIG, HubConfig, load_file, run_in_store
from gateway.cli.options import CommandGroup, print_line
from gateway.hub.deliveries.erasure import ErasureCount
from gateway.hub.operation import erasure
from gateway.hub.operation.erasure import Customer
from gateway.hub.operation.retailers import NotFound, NotPossible
from gateway.system.clock import machine_time


def add_command(group: CommandGroup) -> None:
    """Add the command to `perron hub`."""
    group.example(
        "perron hub erase ret-... --dry-run",
        "perron hub erase ret-... --connection con-... --yes",
    )(erase)


def erase(  # noqa: PLR0913 - one argument an option of the command
    retailer: Annotated[str, typer.Argument(help="The retailer's id.", metavar="RETAILER")],
    *,
    connection: Annotated[
        str | None, typer.Option(help="Erase only this connection, not all with a reference.", metavar="CONNECTION")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="The retailer's reference of the customer. If you leave it out, the command asks for it, so"
            " that the shell's history does not contain it.",
            metavar="TEXT",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")] = False,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """Erase what the hub stores about a customer of a retailer: connections, deliveries, events, messages, answers.

    The connections end. The command refuses while deliveries are on their way. If it is interrupted, the running hub
    finishes the erasure, or the next one at its start. A restore of an older backup erases the data again. The backups
    themselves and the home keep their data.
    """
    if connection is not None and reference is not None:
        raise Failure("--connection and --reference contradict each other.", "Give one of them.")
    if connection is None and reference is None:
        reference = typer.prompt("The customer's reference")
    customer = Customer(retailer=retailer, reference=reference, connection=connection)
    file, now = load_file(config), machine_time()
    with (
        failure_on(NotFound, "{why}", "`perron hub retailer list` shows the retailers."),
        failure_on(NotPossible, "{why}", "Nothing was erased.", ExitCode.NEGATIVE),
    ):
        counted, on_their_way = run_in_store(file, config, lambda store: erasure.count(store, customer, now))
        _print_count(counted)
        if on_their_way:
            print_line(f"Nothing can be erased yet. Deliveries are on their way: {', '.join(on_their_way)}.")
        if dry_run:
            return
        if not yes and not on_their_way:
            typer.confirm("Erase it for good?", abort=True)
        progress = _Progress(counted.deliveries)
        done = run_in_store(file, config, lambda store: erasure.erase(store, customer, now, progress))
    print_line(f"Erased: {done.id}, {done.deliveries} deliveries.")
    print_line("Backups contain the data until you delete them, also what a restore kept (`before-...`).")


def _print_count(counted: ErasureCount) -> None:
    for name, count in vars(counted).items():
        typer.echo(f"{count:>9}  {name.replace('_', ' ')}")


class _Progress:
    """Prints the progress of an erasure, at most once for each tenth."""

    def __init__(self, total: int) -> None:
        self._total, self._told = total, 0

    def __call__(self, erased: int) -> None:
        """Note that so many deliveries are erased."""
        tenth = erased * 10 // self._total if self._total else 0
        if tenth > self._told:
            self._told = tenth
            print_line(f"{erased} of {self._total} deliveries are erased.")

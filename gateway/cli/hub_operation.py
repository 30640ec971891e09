"""`perron hub retailer`, `key`, `brand` and `home`: what an operator does with a hub, running or not."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer
from pydantic import BaseModel

from gateway.cli.failure import ExitCode, failure_on
from gateway.cli.hub import revoke_and_report
from gateway.cli.hub_store import DEFAULT_CONFIG, HubConfig, load_file, run_in_store
from gateway.cli.options import CommandGroup, command_epilog, print_line
from gateway.hub.admin import HomeNotFound, create_retailer
from gateway.hub.database.store import HubStore
from gateway.hub.http.operation import RetailerLimits
from gateway.hub.operation import brands as brand_operation
from gateway.hub.operation import homes as home_operation
from gateway.hub.operation import retailers as retailer_operation
from gateway.hub.operation.retailers import NotFound, NotPossible
from gateway.system.clock import machine_time

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
RetailerId = Annotated[str, typer.Argument(help="The retailer's id.", metavar="RETAILER")]
KeyId = Annotated[str, typer.Argument(help="The key's id: what stands before its secret.", metavar="KEY")]
BrandId = Annotated[str, typer.Argument(help="The brand's id.", metavar="BRAND")]
HomeName = Annotated[str, typer.Argument(help="The home's id.", metavar="HOME")]
MAX_REQUESTS = 1_000_000_000  # of a limit: what the database stores

retailers = CommandGroup(
    name="retailer", epilog=command_epilog("perron hub retailer list", "perron hub retailer suspend ret-...")
)
keys = CommandGroup(name="key", epilog=command_epilog("perron hub key list ret-...", "perron hub key revoke key-..."))
brands = CommandGroup(name="brand", epilog=command_epilog("perron hub brand list", "perron hub brand free lune"))
homes = CommandGroup(name="home", epilog=command_epilog("perron hub home list", "perron hub home show home-..."))


@retailers.callback()
def _retailers() -> None:
    """The retailers of a hub: list, let in, limit, suspend, resume and end them."""


@keys.callback()
def _keys() -> None:
    """The API keys of a hub's retailers: list, make and revoke them."""


@brands.callback()
def _brands() -> None:
    """The brands at a hub: list and end them, free the id of one."""


@homes.callback()
def _homes() -> None:
    """The homes at a hub: list them, show one, revoke one."""


def _operate(config: Path, work: Callable[[HubStore, datetime], Awaitable[T]]) -> T:
    now = machine_time()
    with _refusals():
        return run_in_store(load_file(config), config, lambda store: work(store, now))


@contextmanager
def _refusals() -> Iterator[None]:
    todo = "`perron hub retailer list` and `perron hub brand list` show what there is."
    with failure_on(NotFound, "{why}", todo), failure_on(NotPossible, "{why}", "Nothing was done.", ExitCode.NEGATIVE):
        yield


def _print_rows(rows: Sequence[BaseModel], columns: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([row.model_dump(mode="json") for row in rows], indent=2, ensure_ascii=False))
        return
    table = [tuple(column.replace("_", " ") for column in columns)]
    table += [tuple(_cell(getattr(row, column)) for column in columns) for row in rows]
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    for line in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "-" if value is None else str(value)


@retailers.example("perron hub retailer list", "perron hub retailer list --json", name="list")
def list_(
    *,
    as_json: AsJson = False,
    sandboxes: Annotated[bool, typer.Option("--sandboxes", help="List sandboxes too.")] = False,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """List the retailers: state, valid keys, brands, homes that let them in, open deliveries. Times are UTC."""
    rows = _operate(config, lambda store, _: retailer_operation.list_retailers(store, with_sandboxes=sandboxes))
    columns = ("id", "name", "state", "keys", "brands", "connections", "open_deliveries", "created")
    _print_rows(rows, columns, as_json=as_json)


@retailers.example("perron hub retailer show ret-...")
def show(retailer: RetailerId, *, as_json: AsJson = False, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Show one retailer, with its limits. A limit `-` is that of the hub's file."""
    rows = _operate(config, lambda store, _: retailer_operation.list_retailers(store, id_=retailer))
    _print_record(rows[0], as_json=as_json)


def _print_record(record: BaseModel, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    names = type(record).model_fields
    width = max(map(len, names))
    for name in names:
        typer.echo(f"{name.replace('_', ' ').ljust(width)}  {_cell(getattr(record, name))}")


@retailers.example("perron hub retailer add 'Maison Lune'")
def add(
    name: Annotated[str, typer.Argument(help="Its name, as homes read it.")], *, config: HubConfig = DEFAULT_CONFIG
) -> None:
    """Add a retailer, and print its first API key, shown only once. `perron hub-retailer` does the same."""
    retailer, token = _operate(config, lambda store, now: create_retailer(store, name, now=now))
    print_line(f"{name} is {retailer}. The hub shows its API key only now:\n{token}")


@retailers.example("perron hub retailer suspend ret-...")
def suspend(retailer: RetailerId, *, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Suspend a retailer: its keys are refused (403 `retailer_suspended`) and its webhooks wait, until it is resumed.

    What it announced stays announced: the homes decide as before. Consent pages reach no home meanwhile.
    """
    _operate(config, lambda store, now: retailer_operation.suspend(store, retailer, now))
    print_line(f"{retailer} is suspended. `perron hub retailer resume {retailer}` ends that.")


@retailers.example("perron hub retailer resume ret-...")
def resume(retailer: RetailerId, *, config: HubConfig = DEFAULT_CONFIG) -> None:
    """End a suspension: the retailer's keys count again, and the webhooks that waited are sent."""
    _operate(config, lambda store, now: retailer_operation.resume(store, retailer, now))
    print_line(f"{retailer} is no longer suspended.")


@retailers.example(
    "perron hub retailer limit ret-... --writes 100 --reads 200 --writes-a-day 1000000",
    "perron hub retailer limit ret-... --default",
)
def limit(  # noqa: PLR0913 - one argument an option of the command
    retailer: RetailerId,
    *,
    writes: Annotated[int | None, typer.Option(min=1, max=MAX_REQUESTS, help="Changing requests a second.")] = None,
    reads: Annotated[int | None, typer.Option(min=1, max=MAX_REQUESTS, help="Reading requests a second.")] = None,
    writes_a_day: Annotated[int | None, typer.Option(min=1, max=MAX_REQUESTS, help="Changing requests a day.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Those that are not named: as in the hub's file.")] = False,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """Set the limits of one retailer, in place of those of the hub's file. Each hub process counts for itself."""
    named = {"writes": writes, "reads": reads, "writes_a_day": writes_a_day}
    changed = {name: amount for name, amount in named.items() if default or amount is not None}
    held = _operate(config, lambda store, _: retailer_operation.set_limits(store, retailer, changed))
    amounts = (f"{name.replace('_', ' ')} {_limit_text(held, name)}" for name in named)
    print_line(f"{retailer}: {', '.join(amounts)}.")


def _limit_text(held: RetailerLimits, name: str) -> str:
    amount = getattr(held, name)
    return "as in the hub's file" if amount is None else str(amount)


@retailers.example("perron hub retailer end ret-...", "perron hub retailer end ret-... --yes")
def end(
    retailer: RetailerId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """End a retailer for good: keys revoked, webhooks off, its homes informed that its brands no longer deliver.

    Its data stays until it is deleted like all data. It cannot be resumed.
    """
    found = _operate(config, lambda store, _: retailer_operation.list_retailers(store, id_=retailer))[0]
    if not yes:
        typer.confirm(f"End {found.name} ({found.connections} homes, {found.open_deliveries} deliveries)?", abort=True)
    told = _operate(config, lambda store, now: retailer_operation.end(store, retailer, now))
    print_line(f"{found.name} is ended. A running hub informs {told} homes.")


@keys.example("perron hub key list ret-...", "perron hub key list ret-... --json", name="list")
def list_keys(retailer: RetailerId, *, as_json: AsJson = False, config: HubConfig = DEFAULT_CONFIG) -> None:
    """List the API keys that a retailer ever had. No command shows a key's secret."""
    rows = _operate(config, lambda store, now: retailer_operation.list_keys(store, retailer, now))
    _print_rows(rows, ("id", "label", "right", "state", "created", "expires", "revoked"), as_json=as_json)


@keys.example("perron hub key add ret-... --label 'after the leak'", name="add")
def add_key(
    retailer: RetailerId,
    *,
    label: Annotated[str, typer.Option(help="What the retailer reads beside it.")] = "by the operator",
    right: Annotated[Literal["full", "read"], typer.Option(help="What the key may do.")] = "full",
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """Make an API key for a retailer that has no valid key left, and print it. The hub shows a key only once."""
    _, token = _operate(
        config, lambda store, now: retailer_operation.create_key(store, retailer, label=label, right=right, now=now)
    )
    print_line(f"The hub shows its API key only now:\n{token}")


@keys.example("perron hub key revoke key-...", name="revoke")
def revoke_key(key: KeyId, *, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Revoke an API key. It is refused within a second."""
    id_ = key.partition("_")[0]  # of a whole token only this part is looked up, and shown
    _operate(config, lambda store, now: retailer_operation.revoke_key(store, id_, now))
    print_line(f"{id_} is revoked.")


@brands.example("perron hub brand list", "perron hub brand list --retailer ret-... --json", name="list")
def list_brands(
    *,
    retailer: Annotated[str | None, typer.Option(help="Those of one retailer.", metavar="RETAILER")] = None,
    as_json: AsJson = False,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """List the brands: who has them, valid keys, requests to homes, homes that let them in."""
    rows = _operate(config, lambda store, _: brand_operation.list_brands(store, retailer))
    _print_rows(rows, ("id", "name", "retailer", "state", "keys", "asked", "granted", "created"), as_json=as_json)


@brands.example("perron hub brand free lune")
def free(brand: BrandId, *, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Free the id of a brand that no home was asked for: another retailer may take it then. Its keys are deleted."""
    _operate(config, lambda store, now: brand_operation.free_brand(store, brand, now))
    print_line(f"{brand} is free.")


@brands.example("perron hub brand end lune", name="end")
def end_brand(brand: BrandId, *, config: HubConfig = DEFAULT_CONFIG) -> None:
    """End a brand for good: the homes that let it in are informed, and its id stays taken."""
    told = _operate(config, lambda store, now: brand_operation.end_brand(store, brand, now))
    print_line(f"{brand} is ended. A running hub informs {told} homes.")


@homes.example("perron hub home list", "perron hub home list --json", name="list")
def list_homes(*, as_json: AsJson = False, config: HubConfig = DEFAULT_CONFIG) -> None:
    """List the homes that joined: their support code, and whether they are connected. The hub knows no names."""
    rows = _operate(config, lambda store, _: home_operation.list_homes(store))
    _print_rows(rows, ("id", "support_code", "state", "joined", "heard", "revoked"), as_json=as_json)


@homes.example("perron hub home show home-...", "perron hub home show K7QM-2V9X-4TRA --json", name="show")
def show_home(
    home: Annotated[str, typer.Argument(help="The home's id, or its support code.", metavar="HOME")],
    *,
    as_json: AsJson = False,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """Show one home: its certificate, how many brands it let in, how many messages wait for it."""
    with failure_on(HomeNotFound, f"The hub knows no home {home!r}.", "`perron hub home list` shows them."):
        _print_record(_operate(config, lambda store, _: home_operation.show_home(store, home)), as_json=as_json)


@homes.example("perron hub home revoke home-...", name="revoke")
def revoke_home(home: HomeName, *, config: HubConfig = DEFAULT_CONFIG) -> None:
    """Revoke a home: its box is cut off at once and cannot come back. `perron hub-revoke` does the same.

    `perron hub-claim --again HOME` lets it join anew, under another key.
    """
    revoke_and_report(home, config)

"""`perron retailer`: a retailer's part, by hand: a sandbox, keys, announcements, events, webhooks."""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from gateway.cli import delivery
from gateway.cli import keys as brand_keys
from gateway.cli.event_line import format_event
from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, expand_commands
from gateway.cli.options import CommandGroup, HomeFile, cli, command_epilog
from gateway.cli.simulation import control_socket
from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, new_courier_token
from gateway.system.atomic_file import write_whole

API_KEY_VARIABLE = "PERRON_API_KEY"
SECRET_VARIABLE = "PERRON_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
T = TypeVar("T")
HubUrl = Annotated[str, typer.Option("--hub", envvar="PERRON_HUB", help="The hub's address.", metavar="URL")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file",
        help=f"A file with the API key in it. Left out: the variable {API_KEY_VARIABLE}.",
        metavar="FILE",
    ),
]
SignedBy = Annotated[
    Path | None, typer.Option("--key-file", help="Sign with this key of the brand's (KID.jwk).", metavar="FILE")
]
MessageKey = Annotated[
    Path, typer.Option("--key-file", help="Sign with this key of the brand's (KID.jwk).", metavar="FILE")
]

group = CommandGroup(
    name="retailer",
    epilog=command_epilog(
        "perron retailer sandbox --hub https://hub.example",
        "perron retailer keys lune-2027 --brand lune --hub https://hub.example",
        "perron retailer announce delivery.yaml --hub https://hub.example --connection con-...",
        "perron retailer watch --hub https://hub.example",
    ),
    no_args_is_help=True,
)
cli.add_typer(group)


@group.callback()
def retailer() -> None:
    """A retailer's part, by hand: get a sandbox, make a brand's keys, announce, watch, hear webhooks."""


@group.example("perron retailer sandbox --hub https://hub.example --api-key-file var/api-key")
def sandbox(*, hub: HubUrl, api_key_file: KeyFile = None) -> None:
    """Get a sandbox: a key, a brand, and a simulated home that has let it in. No account is needed.

    With --api-key-file the key is written there, readable by you only, and not told.
    """
    if api_key_file is not None and api_key_file.exists():
        raise Failure(f"{api_key_file} exists: a key is never written over.", "Name another file.")
    from gateway.cli.retailer_requests import run_requests

    answer = run_requests(hub, "", lambda client: client.create_sandbox()).model_dump(mode="json")
    if api_key_file is not None:
        with failure_on(OSError, f"{api_key_file} cannot be written ({{why}}).", "Name another file."):
            api_key_file.parent.mkdir(parents=True, exist_ok=True)
            brand_keys.write_new_secret(api_key_file, str(answer.pop("api_key")))
    _print_json(answer)


@group.example(
    "perron retailer keys lune-2027 --brand lune --hub https://hub.example",
    "perron retailer keys lune-2028 --brand lune --hub https://hub.example --by lune-2027",
)
def keys(  # noqa: PLR0913 - one argument an option of the command
    *,
    kid: Annotated[str, typer.Argument(help="The key's name.")],
    brand: Annotated[str, typer.Option(help="The brand that signs with it.")],
    hub: HubUrl,
    folder: Annotated[Path, typer.Option("--keys", help="Where private keys lie.", metavar="FOLDER")] = Path("keys"),
    by: Annotated[
        str | None, typer.Option("--by", help="An earlier key of the brand's that vouches for it.", metavar="KID")
    ] = None,
    api_key_file: KeyFile = None,
) -> None:
    """Make a brand's signing key (Ed25519) and enrol its public half at the hub; tell both.

    The private half stays in --keys (KID.jwk, readable by you only); the hub gets a proof that it is there. Where a key
    of this name lies there already, that one is enrolled. Homes go on with the older keys until their owners have
    approved the new one; they are shown it only where an earlier one vouches for it (--by).
    """
    api_key, file = _read_api_key(api_key_file), brand_keys.key_file_path(folder, brand_keys.check_kid(kid))
    earlier = None if by is None else brand_keys.key_file_path(folder, brand_keys.check_kid(by))
    if not file.exists():
        brand_keys.create_key(folder, kid)
    from gateway.cli.retailer_requests import enrol_key, run_requests

    answer = run_requests(hub, api_key, lambda client: enrol_key(client, brand, file, earlier))
    _print_json({**answer.model_dump(mode="json"), "private": str(file)})


@group.example(
    "perron retailer connect asked.yaml --brand lune --key-file keys/lune-2027.jwk --hub https://hub.example",
    more="\n\n[bold]asked.yaml[/bold]\n\n  {carriers: [Chronopost], days: \\[mon, tue, wed], hours: '08:00-18:00'}",
)
def connect(  # noqa: PLR0913 - one argument an option of the command
    *,
    file: Annotated[Path, typer.Argument(help="The terms asked for, in YAML or JSON.")],
    brand: Annotated[str, typer.Option(help="Who asks.")],
    hub: HubUrl,
    key_file: SignedBy = None,
    reference: Annotated[str | None, typer.Option(help="Your own word for the customer.")] = None,
    return_url: Annotated[str | None, typer.Option(help="Where the page leads back to.", metavar="URL")] = None,
    api_key_file: KeyFile = None,
) -> None:
    """Ask a home to let a brand in; tell the connection with the address of the page for the customer.

    With --key-file the brand itself signs what it asks: a home that does not know the brand refuses it otherwise.
    """
    key, terms = _read_api_key(api_key_file), brand_keys.read_terms(file)
    from gateway.cli.retailer_requests import request_consent, run_requests

    _print_json(run_requests(hub, key, partial(
        request_consent, brand=brand, terms=terms, key_file=key_file, reference=reference, return_url=return_url
    )))  # fmt: skip


@group.example("perron retailer box con-... --hub https://hub.example")
def box(
    *,
    connection: Annotated[str, typer.Argument(help="The connection's id.", metavar="CON")],
    hub: HubUrl,
    api_key_file: KeyFile = None,
) -> None:
    """Tell what a home's box understands: versions and features of a delivery, by its own signed word."""
    from gateway.cli.retailer_requests import read_statement, run_requests

    said = run_requests(hub, _read_api_key(api_key_file), lambda client: client.read_box(connection))
    _print_json(read_statement(said))


@group.example("perron retailer facts con-... --key-file keys/lune-2027.jwk --hub https://hub.example")
def facts(
    *,
    connection: Annotated[str, typer.Argument(help="The connection's id.", metavar="CON")],
    hub: HubUrl,
    key_file: MessageKey,
    api_key_file: KeyFile = None,
) -> None:
    """Query a home for what the brand did there, and print the statement that its box signed."""
    from gateway.cli import brand_message
    from gateway.cli.retailer_requests import run_requests

    _print_json(run_requests(hub, _read_api_key(api_key_file), partial(
        brand_message.ask_for_facts, connection=connection, key_file=key_file
    )))  # fmt: skip


@group.example(
    "perron retailer comment con-... 'We are sorry.' --key-file keys/lune-2027.jwk --hub https://hub.example"
)
def comment(
    *,
    connection: Annotated[str, typer.Argument(help="The connection's id.", metavar="CON")],
    text: Annotated[str, typer.Argument(help="What the household reads beside the facts.")],
    hub: HubUrl,
    key_file: MessageKey,
    api_key_file: KeyFile = None,
) -> None:
    """Comment on what the brand did in a home; a later comment replaces an earlier one."""
    from gateway.cli import brand_message
    from gateway.cli.retailer_requests import run_requests

    _print_json(run_requests(hub, _read_api_key(api_key_file), partial(
        brand_message.send_comment, connection=connection, key_file=key_file, text=text
    )))  # fmt: skip


@group.example(
    "perron retailer end con-... --brand lune --key-file keys/lune-2027.jwk --hub https://hub.example",
)
def end(
    *,
    connection: Annotated[str, typer.Argument(help="The connection's id.", metavar="CON")],
    hub: HubUrl,
    brand: Annotated[str | None, typer.Option(help="With --key-file: whose it is.")] = None,
    key_file: SignedBy = None,
    api_key_file: KeyFile = None,
) -> None:
    """End a connection; its home is told, by the brand's own word where --key-file signs it."""
    key = _read_api_key(api_key_file)
    if key_file is not None and brand is None:
        raise Failure("Whose word is it?", "Say --brand with --key-file.")
    from gateway.cli.retailer_requests import end_connection, run_requests

    _print_json(run_requests(hub, key, lambda client: end_connection(client, connection, str(brand), key_file)))


@cli.example("perron announce delivery.yaml", "perron retailer announce delivery.yaml", hidden=True)  # its older name
@group.example(
    "perron retailer announce delivery.yaml --hub https://hub.example --connection con-...",
    "perron retailer announce delivery.yaml --hub https://hub.example --connection con-... --key-file lune-1.jwk",
    "perron retailer announce delivery.yaml --courier",
    "perron retailer announce --new-key cdiscount-2027",
    more="\n\n[bold]delivery.yaml[/bold]\n\n"
    "  {id: order-1, entrance: front, place: hall, carrier: Colissimo,\n\n"
    "   window: {start: +0m, end: +2h}, parcels: [8L20524752032]}",
)
def announce(  # noqa: PLR0913 - one argument an option of the command
    *,
    file: Annotated[Path | None, typer.Argument(help="The delivery, in YAML or JSON.")] = None,
    hub: Annotated[
        str | None,
        typer.Option(envvar="PERRON_HUB", help="Through this hub; left out: to the box's broker.", metavar="URL"),
    ] = None,
    connection: Annotated[str | None, typer.Option(help="Under which permission, at a hub.", metavar="CON")] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Sign with this key of the brand's (KID.jwk); left out: the hub signs.", metavar="FILE"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="With --key-file: the home's id at the hub; left out: as the connection tells.", metavar="HOME"
        ),
    ] = None,
    api_key_file: KeyFile = None,
    home: HomeFile = DEFAULT_HOME,
    brand: Annotated[str | None, typer.Option(help="Who promises it; needed where there are several keys.")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Where private keys lie.", metavar="FOLDER", show_default="keys beside --home")
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option(help="Make a key of this name instead, and tell the lines for home.yaml.", metavar="KID"),
    ] = None,
    courier: Annotated[
        bool, typer.Option("--courier", help="Make the courier's one-time code too, and tell it.")
    ] = False,
) -> None:
    """Announce a delivery: through a hub by --hub, or straight to a box's broker; and tell the answer.

    At a broker the brand's key signs it. At a hub it is signed with --key-file, or the hub signs it as "not signed by
    the brand", which counts only where the home's terms say so.
    """
    if new_key is not None:
        _create_key(keys or home.parent / "keys", new_key)
        return
    if file is None:
        raise Failure("Which delivery?", "Name a file; `perron retailer announce --help` shows one.")
    secret = secrets.token_bytes(COURIER_TOKEN_BYTES) if courier else None
    if hub is None:
        _announce_to_box(file, home, brand, keys, secret)
        return
    if connection is None:
        raise Failure("Under which permission?", "Say --connection: the id of a connection that its home has granted.")
    from gateway.cli import retailer_requests

    send = partial(
        retailer_requests.announce, path=file, connection=connection, key_file=key_file, brand=brand, home=to,
        courier=secret,
    )  # fmt: skip
    _print_json(retailer_requests.run_requests(hub, _read_api_key(api_key_file), send))
    if secret is not None:
        typer.echo(f"The courier's one-time code, for him alone:\n  {new_courier_token(secret)}", err=True)


@group.example(
    "perron retailer watch --hub https://hub.example",
    "perron retailer watch --hub https://hub.example --place var/watched --json",
)
def watch(  # noqa: PLR0913 - one argument an option of the command
    *,
    hub: HubUrl,
    api_key_file: KeyFile = None,
    after: Annotated[str | None, typer.Option(help="Begin behind this event.", metavar="EVT")] = None,
    place: Annotated[
        Path | None,
        typer.Option(help="Keep the last event's id in this file, and go on from it the next time.", metavar="FILE"),
    ] = None,
    count: Annotated[int | None, typer.Option(help="End after so many events.", min=1)] = None,
    whole: Annotated[bool, typer.Option("--json", help="Each event whole, as JSON.")] = False,
) -> None:
    """Follow events as they happen, one line each, until Ctrl-C. What was missed while cut off is told first."""
    begun = after or (None if place is None or not place.exists() else _read_secret(place, "", "--place", "") or None)

    from gateway.cli.retailer_requests import run_requests, watch_events

    def tell(id_: str, text: str) -> None:
        typer.echo(text if whole else format_event(text))
        if place is not None:
            with failure_on(OSError, f"{place} cannot be written ({{why}}).", "Name another file with --place."):
                write_whole(place, f"{id_}\n".encode())

    run_requests(hub, _read_api_key(api_key_file), partial(watch_events, after=begun, count=count, tell=tell))


@group.example(
    "perron retailer listen --hub https://hub.example --url https://shop.example/hooks",
    "perron retailer listen --secret-file var/webhook-secret --port 8700",
    "PERRON_WEBHOOK_SECRET=whsec_... perron retailer listen",
)
def listen(  # noqa: PLR0913 - one argument an option of the command
    *,
    hub: Annotated[
        str | None,
        typer.Option(help="Make an endpoint at this hub for as long as it listens, and delete it then.", metavar="URL"),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="With --hub: where the hub reaches this; left out: http at --host and --port.", metavar="URL"
        ),
    ] = None,
    api_key_file: KeyFile = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(help=f"A file with the endpoint's secret. Left out: {SECRET_VARIABLE}.", metavar="FILE"),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0: a free one.", min=0, max=65535)] = 8700,
    count: Annotated[int | None, typer.Option(help="End after so many messages.", min=1)] = None,
    whole: Annotated[bool, typer.Option("--json", help="Each message whole, as JSON.")] = False,
) -> None:
    """Listen for webhooks: tell each that the hub has signed, one line each, and refuse the others, until Ctrl-C.

    With --hub the endpoint is made here, so no secret has to be handed over; one of the same address that was left
    behind is replaced.
    """
    try:
        from gateway.cli.listening import ListenOptions, listen_at_new_endpoint, listen_for_webhooks
    except ModuleNotFoundError as error:
        raise Failure(f"{error.name} is not installed.", "Install perron[hub].") from error
    at = ListenOptions(host=host, port=port, count=count, as_json=whole)
    if hub is not None:
        from gateway.cli.retailer_requests import run_requests

        run_requests(hub, _read_api_key(api_key_file), lambda client: listen_at_new_endpoint(client, at, url))
        return
    todo = "The hub showed it once: when the endpoint was made."
    secret = _read_secret(secret_file, SECRET_VARIABLE, "--secret-file", todo)
    with suppress(KeyboardInterrupt):
        asyncio.run(listen_for_webhooks(secret, at))


def _print_json(answer: BaseModel | Mapping[str, Any]) -> None:
    written = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
    typer.echo(json.dumps(written, indent=2))


def _read_api_key(file: Path | None) -> str:
    return _read_secret(file, API_KEY_VARIABLE, "--api-key-file", "`perron retailer sandbox` gets one to try with.")


def _read_secret(file: Path | None, variable: str, option: str, todo: str) -> str:
    """Read a secret from a file or a variable: on a command line others on this machine would read it."""
    if file is None:
        secret = os.environ.get(variable, "")
        if not secret:
            raise Failure(f"Neither {option} nor the variable {variable} is there.", f"Set one of them. {todo}")
        return secret.strip()
    with failure_on(
        (OSError, UnicodeDecodeError), f"{file}: cannot be read ({{why}}).", f"Name a file with it. {todo}"
    ):
        return file.read_text(encoding="ascii").strip()


def _create_key(folder: Path, kid: str) -> None:
    key = brand_keys.create_key(folder, brand_keys.check_kid(kid))
    typer.echo(f"# The private half is {brand_keys.key_file_path(folder, kid)}; keep it to yourself.")
    typer.echo("# Add under the brand's `keys:` in home.yaml, then start the gateway again:")
    typer.echo(brand_keys.home_yaml_lines(kid, key), nl=False)


def _announce_to_box(file: Path, home: Path, brand: str | None, keys: Path | None, secret: bytes | None) -> None:
    house = load_home(home)
    whose, kid, key = brand_keys.find_key(house, keys or home.parent / "keys", brand)
    result = asyncio.run(delivery.announce(house, file, brand=whose, kid=kid, key=key, courier=secret))
    typer.echo(result.model_dump_json(exclude_none=True, indent=2))
    if not result.accepted:
        hint = delivery.REFUSAL_HINTS.get(result.code or "", "The box refuses it: `code` in its answer is the reason.")
        typer.echo(expand_commands(hint), err=True)
        raise typer.Exit(ExitCode.NEGATIVE)
    simulated = control_socket(house).is_socket()
    typer.echo(delivery.next_step(file, house, home, courier=secret, simulated=simulated), err=True)

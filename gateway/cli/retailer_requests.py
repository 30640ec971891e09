"""What `perron retailer` does at a hub, by the client that retailers use too (gateway/hub/sdk)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import typer

from gateway.cli.delivery import read_claims
from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.keys import NEW_KEY_HINT
from gateway.domain.delivery.promise import Offer
from gateway.hub.sdk import AsyncClient, HubAccess, HubUnreachableError, RefusedError, Retries, SigningKey
from gateway.hub.sdk.models import (
    BoxDescription,
    BrandKey,
    Connection,
    ConnectionEnd,
    CreatedConnection,
    CreatedDelivery,
    NewAskedTerms,
    NewBrandKey,
    NewConnection,
    NewDeliveryOrder,
    NewPlainDelivery,
    NewSignedDelivery,
)
from gateway.protocol.box_statement import verify_statement
from gateway.protocol.consent_request import AskedTerms
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode
from gateway.system.clock import machine_time

RETRIES = Retries(tries=4, first_s=0.25, max_s=2.0)  # a person waits

_CLIENT_MISTAKES = frozenset({"unauthenticated", "invalid", "malformed_json", "bad_cursor", "bad_host"})

T = TypeVar("T")


def run_requests(url: str, key: str, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """Run `work` with a hub's client and return its result; Ctrl-C ends the command."""
    with failure_on(ValueError, f"--hub {url}: {{why}}.", "Name the hub's own address."):
        HubAccess(url, key)

    async def run() -> T:
        async with AsyncClient(url, key, retries=RETRIES) as client:
            return await work(client)

    try:
        return asyncio.run(run())
    except RefusedError as no:
        todo = f"What `{no.code}` means: {no.type}" if no.type else f"The hub's code is {no.code}."
        raise Failure(str(no), todo, ExitCode.INVALID if no.code in _CLIENT_MISTAKES else ExitCode.NEGATIVE) from no
    except HubUnreachableError as silent:
        raise Failure(f"{url}: {silent}", "Try again, or correct --hub.", ExitCode.NO_ANSWER) from silent
    except KeyboardInterrupt:
        raise typer.Exit from None


async def enrol_key(hub: AsyncClient, brand: str, file: Path, earlier: Path | None) -> BrandKey:
    """Enrol the key in a file; the key in the file `earlier` vouches for it. A file's name is the key's id."""
    key, at = _read_key(file), hub.access.url
    vouched = None if earlier is None else _read_key(earlier).vouch_for(key, brand=brand, hub=at)
    proof = key.prove(brand=brand, hub=at)
    return await hub.add_brand_key(brand, NewBrandKey(kid=key.kid, x=key.x, proof=proof, vouched=vouched))


async def request_consent(  # noqa: PLR0913 - the parts of a request
    hub: AsyncClient,
    brand: str,
    terms: AskedTerms,
    *,
    key_file: Path | None,
    reference: str | None,
    return_url: str | None,
) -> CreatedConnection:
    """Request these terms of a home, signed by the brand's key if there is one."""
    asked, signed = NewAskedTerms.model_validate(terms.model_dump(mode="json", exclude_none=True)), None
    if key_file is not None:
        key, name = _read_key(key_file), (await hub.read_brand(brand)).name
        signed = key.sign_request(asked, brand=brand, name=name, hub=hub.access.url)
    body = NewConnection(brand=brand, asked=asked, reference=reference, return_url=return_url, signed=signed)
    return await hub.create_connection(body)


async def end_connection(hub: AsyncClient, connection: str, brand: str, key_file: Path | None) -> Connection:
    """End a connection, by the brand's own statement if there is a key."""
    signed = None
    if key_file is not None:
        signed = _read_key(key_file).sign_end(connection, brand=brand, hub=hub.access.url)
    return await hub.end_connection(connection, ConnectionEnd(signed=signed))


async def watch_events(
    hub: AsyncClient, *, after: str | None, count: int | None, tell: Callable[[str, str], None]
) -> None:
    """Follow events without end, or `count` of them, and call `tell` with each one's id and JSON."""
    events = 0
    async for event in hub.follow_events(after=after):
        tell(event.id, event.model_dump_json())
        events += 1
        if events == count:
            return


async def announce(  # noqa: PLR0913 - what is promised, and by whom
    hub: AsyncClient,
    path: Path,
    connection: str,
    *,
    key_file: Path | None,
    brand: str | None,
    home: str | None,
    courier: bytes | None = None,
) -> CreatedDelivery:
    """Announce the delivery in the file through a hub (RefusedError, HubUnreachableError), and return its answer.

    Without `key_file` the hub signs. The key file's name is its `kid`; whose key it is and for which home it signs, the
    connection says, unless `brand` and `home` (the message's `aud`) do.
    """
    offer = read_claims(path, brand="unsigned", box="hub", utc=machine_time(), courier=courier).delivery
    if not isinstance(offer, Offer):
        raise Failure(f"{path}: `do` is {offer.do}: only an offer is announced.", "Leave `do` out.")
    fields = offer.model_dump(mode="json", exclude={"do", "version", "id", "needs", "yes_each"}, exclude_none=True)
    order = NewDeliveryOrder.model_validate({**fields, "name": offer.id})
    if key_file is None:
        return await hub.create_delivery(NewPlainDelivery(connection=connection, delivery=order))
    key = _read_key(key_file)
    if brand is None or home is None:
        known = await hub.read_connection(connection)
        brand, home = brand or known.brand, home or known.home
        if home is None:
            what = f"{connection} is {known.state}: there is no home yet for which to sign."
            watch = "Wait until it is granted (`perron retailer watch` shows it)"
            raise Failure(what, f"{watch}, or leave --key-file out where the hub may sign.", ExitCode.NEGATIVE)
    token = key.sign_order(order, brand=brand, home=home, order_id=offer.id, version=offer.version)
    return await hub.create_delivery(NewSignedDelivery(connection=connection, token=token))


def read_statement(said: BoxDescription) -> dict[str, Any]:
    """Return what a box states that it understands, from the hub's answer: only what the box itself has signed."""
    problem = "The hub's answer is not a statement that the box signed and that is valid now"
    try:
        key = PublicKey.from_text(said.key)
    except ValueError as error:
        raise Failure(f"{problem}.", "Ask the hub's operator.", ExitCode.NEGATIVE) from error
    statement = verify_statement(said.token.encode(), key, home=said.home, utc=machine_time())
    if isinstance(statement, RejectionCode):
        raise Failure(f"{problem} ({statement}).", "Ask the hub's operator.", ExitCode.NEGATIVE)
    return {**statement.model_dump(mode="json"), "key": key.text}


def _read_key(file: Path) -> SigningKey:
    """Read a private key with which to sign what goes through a hub; the file's name is its `kid`."""
    with failure_on((OSError, ValueError), f"{file} holds no Ed25519 key ({{why}}).", NEW_KEY_HINT):
        return SigningKey.from_jwk(file.stem, file.read_text(encoding="utf-8"), now=machine_time)

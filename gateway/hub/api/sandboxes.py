"""Creates a sandbox on request: a retailer, its key, a brand, and a simulated home that permits it."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import func, insert, select

from gateway.domain.delivery.promise import Id
from gateway.hub.api.delivery_models import ConnectionId
from gateway.hub.database.store import new_id, new_secret
from gateway.hub.database.tables import api_keys, brands, connections, homes, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries.box_statements import STATEMENTS
from gateway.hub.http.authentication import secret_digest
from gateway.hub.http.operation import ApiAccess, Model, OperationGroup, RequestContext
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.sandbox.expiry import evict_idle
from gateway.hub.sandbox.home import (
    CARRIERS,
    COLD_PLACES,
    GIVEN_TERMS,
    SANDBOX_ENTRANCES,
    SANDBOX_TERMS,
    SANDBOX_ZONE,
    signed_statement,
)
from gateway.protocol.box_hub import shard_of
from gateway.protocol.keys import BoxKey
from gateway.protocol.support_code import new_support_code

SANDBOX_LIFETIME = timedelta(days=30)
MAX_SANDBOXES = 5_000  # at one time


class SimulatedEntrance(Model):
    """An entrance of the simulated home. `courier_proof`: it needs the SHA-256 of the courier's one-time code."""

    id: Id
    name: str
    places: tuple[Id, ...]
    cold: tuple[Id, ...]
    courier_proof: bool


class Sandbox(Model):
    """A sandbox. Send `api_key` as `Authorization: Bearer` with each request; the answer contains it this once.

    No request with this key reaches a real home. A robot plays home and courier, in shortened time: a window opens
    a second after the delivery is scheduled, and the courier has gone three seconds later. `support_code` finds the
    home on a consent page, for another brand or other terms.
    """

    sandbox: Literal[True]
    time_lapse: Literal[True]
    retailer: str
    api_key: str
    brand: Id
    home: str
    support_code: str
    connection: ConnectionId
    entrances: Annotated[tuple[SimulatedEntrance, ...], Field(min_length=1)]
    carriers: tuple[str, ...]
    ends: datetime


def operations(box_key: BoxKey) -> OperationGroup:
    """Return the operation. `box_key`: the key under which the simulated homes sign."""
    group = OperationGroup("Sandbox", right=ApiAccess.NONE)

    @group.add("POST", "/v1/sandbox", "createSandbox", statuses=(201,), strict_limit=True, refuses={Code.UNAVAILABLE})
    async def create(call: RequestContext) -> Sandbox:
        """Get a sandbox, without a key."""
        count = await call.tx.scalar(select(func.count()).select_from(retailers).where(retailers.c.ends.is_not(None)))
        if (count or 0) >= MAX_SANDBOXES and not await evict_idle(call.tx, call.now):
            raise ApiProblem(Code.UNAVAILABLE, f"There are {MAX_SANDBOXES} sandboxes already: try again in some hours.")
        return await _create_sandbox(call.tx, box_key, call.now)

    return group


async def _create_sandbox(tx: Transaction, box_key: BoxKey, now: datetime) -> Sandbox:
    key, secret = new_id("key"), new_secret()
    entrances = tuple(
        SimulatedEntrance(
            **entrance.model_dump(), cold=tuple(place for place in entrance.places if place in COLD_PLACES)
        )
        for entrance in SANDBOX_ENTRANCES
    )
    sandbox = Sandbox(
        sandbox=True, time_lapse=True, retailer=new_id("ret"), api_key=f"{key}_{secret}",
        brand=f"sandbox-{secrets.token_hex(6)}", home=new_id("home"), support_code=new_support_code(),
        connection=new_id("con"), entrances=entrances, carriers=CARRIERS, ends=now + SANDBOX_LIFETIME,
    )  # fmt: skip
    own = {"retailer": sandbox.retailer, "sandbox": True, "created": now}
    report = {"entrances": [entrance.model_dump(mode="json") for entrance in SANDBOX_ENTRANCES],
              "timezone": str(SANDBOX_ZONE)}  # fmt: skip
    stated = signed_statement(
        sandbox.home, sandbox.brand, [entrance.id for entrance in SANDBOX_ENTRANCES], now, box_key
    )
    for statement in (
        insert(retailers).values(id=sandbox.retailer, name="Sandbox", created=now, ends=sandbox.ends),
        insert(api_keys).values(
            **own, id=key, sha256=secret_digest(secret), label="sandbox", right="full", expires=sandbox.ends
        ),
        insert(brands).values(**own, id=sandbox.brand, name="Sandbox"),
        insert(homes).values(
            id=sandbox.home, shard=shard_of(sandbox.home), sandbox=True, support_code=sandbox.support_code,
            box_key=box_key.public.text, said={**report, STATEMENTS: {sandbox.brand: stated.decode()}},
            retailer=sandbox.retailer, joined=now, heard=now,
        ),
        insert(connections).values(
            **own, id=sandbox.connection, brand=sandbox.brand, home=sandbox.home, state="granted",
            asked=SANDBOX_TERMS, terms=GIVEN_TERMS, version=1, consent_sha256=secret_digest(new_secret()),
            expires=sandbox.ends, decided=now,
        ),
    ):  # fmt: skip
        await tx.execute(statement)
    return sandbox

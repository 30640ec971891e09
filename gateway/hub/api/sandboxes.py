"""A sandbox for the asking: a retailer, its key, a brand, and a simulated home that has let it in."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from gateway.domain.delivery.promise import Id
from gateway.hub.api.delivery_models import ConnectionId
from gateway.hub.operation import Call, Model, Operation, Reply, Right
from gateway.hub.problem import Code, Problem
from gateway.hub.sandbox.home import CARRIERS, COLD, ENTRANCES
from gateway.hub.sandbox.making import MOST, full, make, make_room


class SimulatedEntrance(Model):
    """An entrance of the simulated home. `courier_proof`: it asks for the SHA-256 of the courier's one-time code."""

    id: Id
    name: str
    places: tuple[Id, ...]
    cold: tuple[Id, ...]
    courier_proof: bool


class Sandbox(Model):
    """A sandbox. `api_key` goes with each request as `Authorization: Bearer`, and is told this once.

    Nothing that is done under it reaches a real home. A robot plays home and courier, in time-lapse: a window opens a
    second after the delivery is scheduled, however far away it is, and the courier has gone three seconds later.
    `support_code`: by it the home is found on a consent page, where another brand, or other terms, are asked for.
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


def operations(box_key: str) -> tuple[Operation, ...]:
    """Give the operation. `box_key`: the public key under which the simulated homes' events are signed."""

    async def create(call: Call) -> Reply:
        """Make one."""
        if await full(call.tx) and not await make_room(call.tx, call.now):
            raise Problem(Code.UNAVAILABLE, f"There are {MOST} sandboxes already: try again in some hours.")
        made = await make(call.tx, box_key, call.now)
        entrances = tuple(
            SimulatedEntrance(
                id=one.id, name=one.name, places=one.places, courier_proof=one.courier_proof,
                cold=tuple(place for place in one.places if place in COLD),
            )
            for one in ENTRANCES
        )  # fmt: skip
        body = Sandbox(
            sandbox=True, time_lapse=True, retailer=made.retailer, api_key=made.token, brand=made.brand, home=made.home,
            support_code=made.support_code, connection=made.connection, entrances=entrances, carriers=CARRIERS,
            ends=made.ends,
        )  # fmt: skip
        return Reply(status=201, body=body)

    return (
        Operation(
            name="createSandbox", method="POST", path="/v1/sandbox", tag="Sandbox", handler=create, right=Right.NONE,
            summary="Get a sandbox, without a key", answers={201: Sandbox}, scarce=True,
            refuses=frozenset({Code.UNAVAILABLE}),
        ),
    )  # fmt: skip

"""Creates a sandbox on request: a retailer, its key, a brand, and a simulated home that permits it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from gateway.domain.delivery.promise import Id
from gateway.hub.api.delivery_models import ConnectionId
from gateway.hub.http.operation import ApiAccess, Model, OperationGroup, RequestContext
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.sandbox.creation import MAX_SANDBOXES, create_sandbox, evict_idle, is_full
from gateway.hub.sandbox.home import CARRIERS, COLD_PLACES, SANDBOX_ENTRANCES


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


def operations(box_key: str) -> OperationGroup:
    """Return the operation. `box_key`: the public key under which the simulated homes' events are signed."""
    group = OperationGroup("Sandbox", right=ApiAccess.NONE)

    @group.add("POST", "/v1/sandbox", "createSandbox", statuses=(201,), strict_limit=True, refuses={Code.UNAVAILABLE})
    async def create(call: RequestContext) -> Sandbox:
        """Get a sandbox, without a key."""
        if await is_full(call.tx) and not await evict_idle(call.tx, call.now):
            raise ApiProblem(Code.UNAVAILABLE, f"There are {MAX_SANDBOXES} sandboxes already: try again in some hours.")
        made = await create_sandbox(call.tx, box_key, call.now)
        entrances = tuple(
            SimulatedEntrance(
                id=entrance.id, name=entrance.name, places=entrance.places, courier_proof=entrance.courier_proof,
                cold=tuple(place for place in entrance.places if place in COLD_PLACES),
            )
            for entrance in SANDBOX_ENTRANCES
        )  # fmt: skip
        return Sandbox(
            sandbox=True, time_lapse=True, retailer=made.retailer, api_key=made.token, brand=made.brand, home=made.home,
            support_code=made.support_code, connection=made.connection, entrances=entrances, carriers=CARRIERS,
            ends=made.ends,
        )  # fmt: skip

    return group

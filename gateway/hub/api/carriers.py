"""Lists the carriers that hub and homes know by name."""

from gateway.domain.delivery import carrier_names
from gateway.hub.http.operation import ApiAccess, Model, OperationGroup, RequestContext

CARRIERS = OperationGroup("Hub", right=ApiAccess.NONE)


class Carrier(Model):
    """A carrier. `name` and `aliases` are names for it: case, accents, spaces and punctuation do not matter in them."""

    id: str
    name: str
    aliases: tuple[str, ...]


class Carriers(Model):
    """The carriers, by id. A carrier that is not in the list may be named too."""

    data: tuple[Carrier, ...]


@CARRIERS.add("GET", "/v1/carriers", "listCarriers")
async def list_(call: RequestContext) -> Carriers:  # noqa: ARG001 - every handler takes the call
    """List the carriers.

    A delivery, a permission and a filter may name a carrier by its id or by any of its names: all are the same carrier.
    """
    known = sorted(carrier_names.CARRIERS, key=lambda carrier: carrier.id)
    return Carriers(data=tuple(Carrier(id=one.id, name=one.name, aliases=one.aliases) for one in known))

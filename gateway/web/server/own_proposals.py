"""Tells who proposed a device or an entrance what became of it."""

from datetime import datetime, timedelta

from gateway.domain.frozen import Frozen
from gateway.system.text import sanitized
from gateway.web.server.context import GatewayServices

REFUSED_FOR = timedelta(days=7)  # a refusal is shown so long
MAX_REFUSALS_READ = 50
TURNED_DOWN = "turned_down"  # beside the states of `ProposalState`: the owner refused it


class OwnProposal(Frozen):
    """One proposal of a person; `state` is a key of the texts `add.stands`, `kind` one of `add.kind`."""

    name: str
    kind: str
    state: str


async def own_proposals(services: GatewayServices, person: str) -> tuple[OwnProposal, ...]:
    """Return the proposals of a person: what waits, what was accepted, and what the owner refused lately."""
    views = [view for view in await services.proposals.read_views() if view.proposal.by == person]
    known = {
        (view.proposal.kind, view.proposal.name): OwnProposal(
            name=view.proposal.name, kind=view.proposal.kind, state=view.state.value
        )
        for view in views
    }
    rows = services.store.log.newest_bodies(("addition_refused",), at_most=MAX_REFUSALS_READ)
    since = services.clock.now().utc - REFUSED_FOR
    for row in rows:
        if row.get("person") == person and datetime.fromisoformat(row["at"]) >= since:
            one = OwnProposal(name=sanitized(str(row["name"])), kind=str(row["thing"]), state=TURNED_DOWN)
            known.setdefault((one.kind, one.name), one)
    return tuple(known.values())

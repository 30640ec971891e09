"""Which of a hub's jobs this box takes, and who takes each: the one place where a new kind is let in."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from gateway.clock import Clock
from gateway.config import Home
from gateway.hub.asking import understood
from gateway.hub.words import Job, Kind, Receipt
from gateway.leaving import Farewell, by_claim, known
from gateway.proof import succession
from gateway.proof.keys import BoxKey
from gateway.rewriting import Rewriting
from gateway.store import Store
from gateway.store.handover import HUB, HUB_LEFT
from gateway.uplink.asked import objection
from gateway.uplink.link import Taker, Uplink
from gateway.uplink.words import Answered

log = structlog.get_logger(__name__)

ByHub = Callable[[bytes, str], Awaitable[Answered]]
"""Takes in a signed message that is meant for this box or for this home at the hub (`Reception.by_hub`)."""


def takers(home: Home, name: str, *, store: Store, by_hub: ByHub) -> Mapping[Kind, Taker]:
    """Who takes which kind of job. What is not here is refused, and the hub tells whoever sent it.

    `name`: this house's at the hub.
    """

    async def delivery(job: Job) -> Receipt | None:
        match await by_hub(job.token.encode(), name):
            case Answered.YES:
                return Receipt(job=job.job, state="received")
            case Answered.LATER:
                return None
            case Answered.NEVER:
                return Receipt(job=job.job, state="refused", why="too many messages came that are not believed")

    async def connect(job: Job) -> Receipt:
        asking = understood(job.token.encode())
        trusted = frozenset(key.x for key in store.brand_keys() if key.distrusted is None)
        why = objection(asking, name, home.brands, trusted)
        if asking is None or why is not None:
            return Receipt(job=job.job, state="refused", why=why)
        await store.uplinks.asked(asking.brand)
        return Receipt(job=job.job, state="received")

    return {Kind.DELIVERY: delivery, Kind.CONNECT: connect}


def joined(  # noqa: PLR0913 - what the line needs, named one by one
    home: Home,
    *,
    store: Store,
    clock: Clock,
    key: BoxKey,
    by_hub: ByHub,
    monotonic: Callable[[], float],
    reached: Callable[[str], None],
    rewriting: Rewriting,
) -> Uplink | None:
    """Build the line to the hub that the house file names; None: it names none, or the former household's.

    After a hand-over the line only tells what it still owes, then it ends for good: the next household joins anew.

    Raises:
        ValueError, OSError: the line of the box's keys cannot be read.
    """
    section = home.hub
    if section is None:
        return None
    left = store.handover.pending(HUB_LEFT) == section.home
    if not known(home, section) or (left and not by_claim(home, section)):
        log.warning("hub_left", home=section.home, todo="the box is this home no longer: join the hub anew")
        return None
    return Uplink(
        home, section, store=store, clock=clock, key=key, keys=succession.line_in(home.storage.folder / "key"),
        takers=takers(home, section.home, store=store, by_hub=by_hub), monotonic=monotonic, reached=reached,
        leaving=store.handover.pending(HUB) == section.home,
        farewell=Farewell(home, section, store=store, rewriting=rewriting),
    )  # fmt: skip

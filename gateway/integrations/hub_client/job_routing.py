"""Which of a hub's jobs this box takes, and who takes each: the one place where a new kind is let in."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping

import structlog

from gateway.config.home import Home, HubSection
from gateway.config.writer import Rewriting
from gateway.evidence import succession
from gateway.integrations.hub_client.session import Taker, Uplink
from gateway.integrations.hub_client.unenrolment import Farewell, by_claim, known
from gateway.protocol.box_hub import Job, Kind, Receipt
from gateway.protocol.consent_verification import NOT_YET
from gateway.protocol.keys import BoxKey
from gateway.protocol.receipt import Answered
from gateway.runtime.permissions import Letting
from gateway.storage import Store
from gateway.storage.handover import HUB, HUB_LEFT
from gateway.system.clock import Clock
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

QUESTIONS_AN_HOUR = 100  # of brands, that are answered
HUB_SIGNED_A_DAY = 200  # that the hub signed for brands: less than one of them may say, so none is out of its ration
HOUR, DAY = 3600.0, 86_400.0

ByHub = Callable[[bytes, str], Awaitable[Answered]]
"""Takes in a signed message that is meant for this box or for this home at the hub (`Reception.by_hub`)."""

HubSigned = Callable[[bytes, str, str], Awaitable[Answered]]
"""Takes in what the hub signed for a brand, for this home, under this key (`Reception.hub_signed`)."""


def takers(
    section: HubSection, *, letting: Letting, by_hub: ByHub, hub_signed: HubSigned, monotonic: Callable[[], float]
) -> Mapping[Kind, Taker]:
    """Who takes which kind of job. What is not here is refused, and the hub tells whoever sent it."""
    name = section.home
    asked: deque[float] = deque(maxlen=QUESTIONS_AN_HOUR)
    hub_said: deque[float] = deque(maxlen=HUB_SIGNED_A_DAY)

    async def delivery(job: Job) -> Receipt | None:
        return _receipt(job, await by_hub(job.token.encode(), name))

    async def hub_delivery(job: Job) -> Receipt | None:
        if section.key is None:
            return Receipt(job=job.job, state="refused", why="this box does not know the hub's key: join the hub anew")
        if not _one_more(hub_said, DAY, monotonic()):
            return None
        return _receipt(job, await hub_signed(job.token.encode(), name, section.key))

    def _receipt(job: Job, answered: Answered) -> Receipt | None:
        match answered:
            case Answered.YES:
                return Receipt(job=job.job, state="received")
            case Answered.LATER:
                return None
            case Answered.NEVER:
                return Receipt(job=job.job, state="refused", why="too many messages came of late")

    async def connect(job: Job) -> Receipt | None:
        if not _one_more(asked, HOUR, monotonic()):
            return None  # each is answered by an event on the disk: an honest hub asks again later
        why = await letting.asked(job.token.encode(), home=name, hub=section.url)
        if why == NOT_YET:
            return None
        return Receipt(job=job.job, state="received" if why is None else "refused", why=why)

    return {Kind.DELIVERY: delivery, Kind.HUB_DELIVERY: hub_delivery, Kind.CONNECT: connect}


def _one_more(lately: deque[float], span: float, mono: float) -> bool:
    """Count one more, unless as many as there may be came within this span (seconds)."""
    if len(lately) == lately.maxlen and mono - lately[0] < span:
        return False
    lately.append(mono)
    return True


def joined(  # noqa: PLR0913 - what the line needs, named one by one
    home: Home,
    *,
    store: Store,
    clock: Clock,
    key: BoxKey,
    by_hub: ByHub,
    hub_signed: HubSigned,
    letting: Letting,
    monotonic: Callable[[], float],
    reached: Callable[[str], None],
    rewriting: Rewriting,
    contained: Containment,
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
        takers=takers(section, letting=letting, by_hub=by_hub, hub_signed=hub_signed, monotonic=monotonic),
        monotonic=monotonic,
        reached=reached, leaving=store.handover.pending(HUB) == section.home,
        farewell=Farewell(home, section, store=store, rewriting=rewriting), contained=contained,
    )  # fmt: skip

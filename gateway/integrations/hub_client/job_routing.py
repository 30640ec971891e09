"""Maps each accepted kind of a hub's jobs to its handler: the only place where a new kind is added."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from gateway.config.editor import HomeFileWriter
from gateway.config.home import Home, HubSection
from gateway.evidence import succession
from gateway.integrations.hub_client.session import JobHandler, Uplink
from gateway.integrations.hub_client.unenrolment import Unenrolment, has_identity, is_enrolled_by_claim
from gateway.protocol.box_hub import Job, JobKind, JobOutcome, JobReceipt
from gateway.protocol.consent_verification import REASON_NOT_YET_VALID
from gateway.protocol.keys import BoxKey
from gateway.runtime.permissions import PermissionService
from gateway.storage.handover import TASK_HUB_LEFT, TASK_LEAVE_HUB
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.token_bucket import SlidingWindow

log = structlog.get_logger(__name__)

MAX_QUESTIONS_PER_HOUR = 100  # brands' requests that get an answer
# Messages that the hub signed for brands: fewer than one brand may send, so none lacks its share
MAX_HUB_SIGNED_PER_DAY = 200
HOUR_S, DAY_S = 3600.0, 86_400.0

HubDeliveryHandler = Callable[[bytes, str], Awaitable[JobOutcome]]
"""Handles a signed message for this box or for this home at the hub (`Inbox.accept_from_hub`)."""

HubSignedHandler = Callable[[bytes, str, str], Awaitable[JobOutcome]]
"""Handles a message that the hub signed for a brand, for this home, under this key (`Inbox.accept_hub_signed`)."""


def job_handlers(
    section: HubSection,
    *,
    letting: PermissionService,
    by_hub: HubDeliveryHandler,
    hub_signed: HubSignedHandler,
    monotonic: Callable[[], float],
) -> Mapping[JobKind, JobHandler]:
    """Return the handler of each kind of job. Other kinds are refused, and the hub reports that to the sender."""
    name = section.home
    connect_limit = SlidingWindow(MAX_QUESTIONS_PER_HOUR, HOUR_S)
    hub_signed_limit = SlidingWindow(MAX_HUB_SIGNED_PER_DAY, DAY_S)

    async def delivery(job: Job) -> JobReceipt | None:
        return _receipt(job, await by_hub(job.token.encode(), name))

    async def hub_delivery(job: Job) -> JobReceipt | None:
        if section.key is None:
            return JobReceipt(
                job=job.job, state="refused", why="this box does not know the hub's key: join the hub anew"
            )
        if not hub_signed_limit.take(monotonic()):
            return None
        return _receipt(job, await hub_signed(job.token.encode(), name, section.key))

    def _receipt(job: Job, outcome: JobOutcome) -> JobReceipt | None:
        match outcome:
            case JobOutcome.ANSWERED:
                return JobReceipt(job=job.job, state="received")
            case JobOutcome.RETRY_LATER:
                return None
            case JobOutcome.REJECTED:
                return JobReceipt(job=job.job, state="refused", why="too many messages came of late")

    async def connect(job: Job) -> JobReceipt | None:
        if not connect_limit.take(monotonic()):
            return None  # each answer is an event on the disk: an honest hub sends it again later
        why = await letting.accept_message(job.token.encode(), home=name, hub=section.url)
        if why == REASON_NOT_YET_VALID:
            return None
        return JobReceipt(job=job.job, state="received" if why is None else "refused", why=why)

    return {JobKind.DELIVERY: delivery, JobKind.HUB_DELIVERY: hub_delivery, JobKind.CONNECT: connect}


def build_uplink(  # noqa: PLR0913 - the parts of the box that the uplink uses
    home: Home,
    *,
    store: Store,
    clock: Clock,
    key: BoxKey,
    by_hub: HubDeliveryHandler,
    hub_signed: HubSignedHandler,
    letting: PermissionService,
    monotonic: Callable[[], float],
    reached: Callable[[str], None],
    rewriting: HomeFileWriter,
    contained: Containment,
) -> Uplink | None:
    """Build the uplink to the hub of the house file; None without one, or if it is the former household's.

    After a hand-over the uplink only sends what is still due, then it ends for good: the next household joins again. A
    succession of the box's keys that cannot be read raises ValueError or OSError.
    """
    section = home.hub
    if section is None:
        return None
    has_left = store.handover.pending_task(TASK_HUB_LEFT) == section.home
    if not has_identity(home, section) or (has_left and not is_enrolled_by_claim(home, section)):
        log.warning("hub_left", home=section.home, todo="the box is this home no longer: join the hub anew")
        return None
    return Uplink(
        home, section, store=store, clock=clock, key=key, keys=succession.read_key_history(home.storage.folder / "key"),
        handlers=job_handlers(section, letting=letting, by_hub=by_hub, hub_signed=hub_signed, monotonic=monotonic),
        monotonic=monotonic, reached=reached, leaving=store.handover.pending_task(TASK_LEAVE_HUB) == section.home,
        unenrolment=Unenrolment(home, section, store=store, rewriting=rewriting), contained=contained,
    )  # fmt: skip

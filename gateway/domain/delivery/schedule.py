"""What an entrance has to do at which time, because deliveries are expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.visit.state import Now, VisitDelivery

# How long before a window its readiness is looked at (T-24 h finds a weak battery in time); and at its opening.
READINESS_CHECK_LEADS = (timedelta(hours=24), timedelta(minutes=60), timedelta(minutes=5), timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDelivery:
    """A delivery that may still come, and when the entrance's readiness for it was last looked at."""

    delivery: VisitDelivery
    checked: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntranceAgenda:
    """What is so now, and when to look again.

    `expecting`: a window is open or near. `ring`: the cameras' ring must run; `ring_until`: and, as far as is known,
    until then. `checks`: deliveries whose readiness must be looked at now. `next`: nothing changes before this
    instant unless a delivery, a permission or a visit does; None: nothing is to come.
    """

    expecting: bool
    ring: bool
    ring_until: datetime | None
    checks: tuple[VisitDelivery, ...]
    next: datetime | None


def build_agenda(
    expected: Sequence[ExpectedDelivery], *, now: Now, near: timedelta, after: timedelta, locked_at: datetime | None
) -> EntranceAgenda:
    """Read the agenda of one entrance.

    The ring runs from `near` before a window to the later of its end and `after` after the door was `locked_at`
    (the last visit's "locked again"). Without trusted time nothing is expected, since nothing may open.
    """
    welcome = [e for e in expected if e.delivery.refusal is None and e.delivery.end > now.utc]
    lingers = None if locked_at is None or now.utc >= locked_at + after else locked_at + after
    if not now.trusted:
        return EntranceAgenda(expecting=False, ring=lingers is not None, ring_until=lingers, checks=(), next=lingers)
    open_or_near = [e.delivery for e in welcome if e.delivery.start - near <= now.utc]
    ends = [d.end for d in open_or_near] + ([lingers] if lingers is not None else [])
    coming = [
        instant
        for e in welcome
        for instant in (
            e.delivery.start - near,
            e.delivery.end,
            *(e.delivery.start - before for before in READINESS_CHECK_LEADS),
        )
    ]
    return EntranceAgenda(
        expecting=bool(open_or_near),
        ring=bool(ends),
        ring_until=max(ends, default=None),
        checks=tuple(e.delivery for e in welcome if _is_check_due(e, now.utc)),
        next=min((i for i in [*coming, *([lingers] if lingers is not None else [])] if i > now.utc), default=None),
    )


def _is_check_due(expected: ExpectedDelivery, utc: datetime) -> bool:
    """At scheduling, and when one of the fixed instants has passed since the last look."""
    if expected.checked is None:
        return True
    return any(expected.checked < expected.delivery.start - before <= utc for before in READINESS_CHECK_LEADS)

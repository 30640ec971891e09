"""Computes what an entrance must do at which time for its expected deliveries."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now

# How long before a window the gateway checks readiness (24 h before finds a weak battery in time), and at its start.
READINESS_CHECK_LEADS = (timedelta(hours=24), timedelta(minutes=60), timedelta(minutes=5), timedelta(0))


class ExpectedDelivery(Frozen):
    """A delivery that may still come. `checked`: the last check of the entrance's readiness for it."""

    delivery: VisitDelivery
    checked: datetime | None


class EntranceAgenda(Frozen):
    """What an entrance must do now, and when to compute it again."""

    expecting: bool  # a window is open or near
    ring: bool  # the cameras' ring buffer must run
    checks: tuple[VisitDelivery, ...]  # deliveries whose readiness must be checked now
    next_change_at: datetime | None  # nothing changes before, unless a delivery, a permission or a visit does


def build_agenda(
    expected: Sequence[ExpectedDelivery], *, now: Now, near: timedelta, after: timedelta, locked_at: datetime | None
) -> EntranceAgenda:
    """Compute the agenda of one entrance.

    The ring buffer runs from `near` before a window to the later of its end and `after` after the door was `locked_at`
    (the last visit's "locked again"). Without trusted time no delivery is expected, since nothing may open.
    """
    welcome = [e for e in expected if now.trusted and e.delivery.refusal is None and e.delivery.end > now.utc]
    open_or_near = any(e.delivery.start - near <= now.utc for e in welcome)
    lingers = [locked_at + after] if locked_at is not None and now.utc < locked_at + after else []
    coming = lingers + [
        instant
        for e in welcome
        for instant in (
            e.delivery.start - near,
            e.delivery.end,
            *(e.delivery.start - before for before in READINESS_CHECK_LEADS),
        )
    ]
    return EntranceAgenda(
        expecting=open_or_near,
        ring=open_or_near or bool(lingers),
        checks=tuple(e.delivery for e in welcome if _is_check_due(e, now.utc)),
        next_change_at=min((instant for instant in coming if instant > now.utc), default=None),
    )


def _is_check_due(expected: ExpectedDelivery, utc: datetime) -> bool:
    """Return whether a check is due: at scheduling, and when a fixed instant has passed since the last check."""
    if expected.checked is None:
        return True
    return any(expected.checked < expected.delivery.start - before <= utc for before in READINESS_CHECK_LEADS)

"""Stores when a courier comes, as its carrier says, and decides what the owner is told of it.

It decides nothing at the door: no window, code or permission follows from it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.domain.delivery.candidate import DeliveryContext
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.promise import Arrival, State
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.storage import outbox
from gateway.storage.database import Database
from gateway.storage.part import StorePart
from gateway.storage.rows import DeliveryRow, row_of
from gateway.storage.writer import Writer

MAX_NOTICES = 20  # of one delivery that are taken
MAX_TOLD = 3  # messages to the owner about one delivery
MIN_TOLD_SHIFT = timedelta(minutes=30)  # by which the expected time changes before the owner is told again
STALE_AFTER = timedelta(hours=1)  # after the expected time, which is then not shown any more

_OPEN_STATES = frozenset({State.AWAITING_LABEL, State.SCHEDULED, State.WINDOW_OPEN})


class ExpectedArrival(Frozen):
    """When the courier of a delivery set out, and when he expects to be there; None: nobody said it."""

    set_out: datetime | None
    eta: datetime | None


class NotedArrival(Frozen):
    """A notice that is stored. `message`: the number of the owner's message; None: he is told nothing new.

    `eta`: the time in that message.
    """

    message: int | None
    eta: datetime | None


class _Stored(ExpectedArrival):
    notices: int
    told: int
    told_eta: datetime | None


class Arrivals(StorePart):
    """When couriers come: `Store.arrivals`."""

    def __init__(self, writer: Writer, reader: Callable[[], Database]) -> None:
        super().__init__(writer, reader)

    def expected(self, delivery: str, now: Now) -> ExpectedArrival | None:
        """Return when the courier of a delivery comes; None: nobody said it, or that time is long over."""
        known = _stored(self.reader(), delivery)
        if known is None:
            return None
        eta = known.eta if known.eta is not None and now.utc < known.eta + STALE_AFTER else None
        return None if known.set_out is None and eta is None else ExpectedArrival(set_out=known.set_out, eta=eta)


def note(db: Database, key: str, notice: Arrival, context: DeliveryContext, now: Now) -> NotedArrival | str:
    """Store in the caller's transaction when a courier comes, or return the code of why it is refused."""
    row = row_of(db, key)
    if row is None:
        return "unknown_delivery"
    if notice.version != row.order.version:
        return "version_too_low"
    refused = _refusal(row, context, now)
    if refused is not None:
        return refused
    before = _stored(db, key) or _Stored(set_out=None, eta=None, notices=0, told=0, told_eta=None)
    if before.notices >= MAX_NOTICES:
        return "too_many"
    set_out = before.set_out or (now.utc if notice.on_the_way else None)
    eta = before.eta if notice.eta is None else notice.eta
    tells = before.told < MAX_TOLD and (
        before.told == 0 or (set_out is not None and before.set_out is None) or _is_shifted(before.told_eta, eta)
    )
    db.insert(
        "arrival", or_="REPLACE", delivery=key, set_out=set_out, eta=eta, notices=before.notices + 1,
        told=before.told + tells, told_eta=eta if tells else before.told_eta,
    )  # fmt: skip
    if not tells:
        return NotedArrival(message=None, eta=eta)
    about = Notification.ON_THE_WAY if set_out is not None else Notification.EXPECTED_AT
    details = {} if eta is None else {"detail": eta.isoformat()}
    message = outbox.notify_owner(db, row.order.entrance, about, now, delivery=key, **details)
    return NotedArrival(message=message, eta=eta)


def _refusal(row: DeliveryRow, context: DeliveryContext, now: Now) -> str | None:
    """Return why nobody expects this courier: only a brand that the owner let in may send him messages."""
    refusal = row.facts(context, now).refusal
    if refusal is not None:
        return "too_late" if refusal in {Refusal.ALREADY_USED, Refusal.EXPIRED, Refusal.CANCELLED} else refusal.value
    state = row.result(context, now).state
    return None if state in _OPEN_STATES and row.order.brand != OWN_BRAND else "too_late"


def _is_shifted(told: datetime | None, eta: datetime | None) -> bool:
    if eta is None:
        return False
    return told is None or abs(eta - told) >= MIN_TOLD_SHIFT


def _stored(db: Database, key: str) -> _Stored | None:
    query = "SELECT set_out, eta, notices, told, told_eta FROM arrival WHERE delivery = ?"
    return next(iter(db.records(_Stored, query, (key,))), None)

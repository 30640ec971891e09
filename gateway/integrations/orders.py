"""Decides whether an order is passed on to what obeys whatever arrives. Pure: the clocks are arguments.

An intercom and a Matter lock take no id and no expiry with an order. So the process beside them passes it on only while
it lives, once, and never if it may have been passed on before this process began.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from devices.commands import LockDoor, UnlockDoor
from devices.reports import OperationError
from gateway.domain.frozen import Frozen

MAX_REMEMBERED_ORDERS = 1_000


class Instant(Frozen):
    """Now: the wall clock's time, and the milliseconds since this process began (they continue during a sleep)."""

    utc: datetime
    uptime_ms: int


class PassOn(Frozen):
    """The order is passed on; it lives for `life_s` more seconds."""

    life_s: float


class Refuse(Frozen):
    """The order is not passed on, and why."""

    failure: OperationError


@dataclass(eq=False)
class OrderBook:
    """The orders that this process has seen. `boot`: its own id, `began`: the wall clock's time at its begin."""

    boot: str
    began: datetime

    def __post_init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def decide(self, order: UnlockDoor | LockDoor, now: Instant, *, busy: bool) -> PassOn | Refuse:
        """Decide about an order, and remember its id: no second copy of it is ever passed on.

        `busy`: another order is on its way.
        """
        if order.id in self._seen:
            return Refuse(failure=OperationError.REPEATED)
        self._seen[order.id] = None
        if len(self._seen) > MAX_REMEMBERED_ORDERS:
            self._seen.popitem(last=False)
        life_s = self._life_s(order, now)
        if life_s <= 0:
            return Refuse(failure=OperationError.EXPIRED)
        return Refuse(failure=OperationError.BUSY) if busy else PassOn(life_s=life_s)

    def _life_s(self, order: UnlockDoor | LockDoor, now: Instant) -> float:
        """Return the seconds that the order still lives; 0 or less: it does not.

        By this process's own uptime if the order names it, else by the wall clock. An order of before its begin may
        have been passed on by the process before.
        """
        if order.boot is not None and order.until_ms is not None:
            return (order.until_ms - now.uptime_ms) / 1000 if order.boot == self.boot else 0.0
        if order.issued_at < self.began:
            return 0.0
        return min((order.expires_at - now.utc).total_seconds(), (order.expires_at - order.issued_at).total_seconds())

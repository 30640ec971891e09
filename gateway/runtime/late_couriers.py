"""Asks the household about a courier who came after the window: the answer to his scan stays "no" until it says yes."""

import asyncio

import structlog

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.runtime.notifications.outbox import Outbox
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment

MAX_WAITING = 100  # deliveries whose late courier is examined at a time

LATE_REFUSALS = frozenset({Refusal.EXPIRED, Refusal.OUTSIDE_WINDOW})

log = structlog.get_logger(__name__)


class LateCouriers:
    """The late couriers of all entrances and receptions."""

    def __init__(self, *, store: Store, clock: Clock, outbox: Outbox, containment: Containment) -> None:
        self._store, self._clock, self._outbox, self._containment = store, clock, outbox, containment
        self._waiting: dict[str, str] = {}  # delivery -> the entrance or reception at which its courier scanned
        self._wake = asyncio.Event()

    def on_decision(self, entrance: str, commands: tuple[c.Command, ...]) -> None:
        """Take the commands of a decision at an entrance or a reception; note a scan after the delivery's window."""
        for command in commands:
            match command:
                case c.AnswerScan(refusal=refusal, delivery=str(delivery)) if refusal in LATE_REFUSALS:
                    if len(self._waiting) < MAX_WAITING:
                        self._waiting[delivery] = entrance
                        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for delivery in tuple(self._waiting):
                entrance = self._waiting.pop(delivery)
                with self._containment.piece("late couriers", delivery):
                    await self._ask(entrance, delivery)

    async def _ask(self, entrance: str, delivery: str) -> None:
        now = self._clock.now()
        try:
            message = await self._store.more_time.note_late(delivery, now)
        except StoreFailed as failure:
            log.error("question_not_stored", delivery=delivery, why=str(failure))
            return
        if message is not None:
            told = c.NotifyOwner(notification=c.Notification.LATE_COURIER, delivery=delivery)
            self._outbox.notify_of_delivery(told, entrance, now, message=message, delivery=delivery)

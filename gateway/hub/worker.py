"""What the workers of one hub process share: store, clocks, metrics, containment, wake-ups."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, Table, select

from gateway.domain.frozen import Frozen
from gateway.hub.database.store import HubStore, StoreUnavailable, log_unavailable
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.operation import HubTransaction, WakeUps
from gateway.hub.metrics import HubMetrics
from gateway.hub.signing_key import HubKeyPair
from gateway.system.containment import Containment, RowQuarantine


class WorkerContext(Frozen):
    """What each worker of one process uses. `now` returns the time in UTC, `monotonic` returns seconds.

    `url` is the hub's own address, without a slash at its end, `signer` its key.
    """

    store: HubStore
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    metrics: HubMetrics
    containment: Containment
    wake_ups: WakeUps
    url: str
    signer: HubKeyPair

    def transaction(self, tx: Transaction, now: datetime) -> HubTransaction:
        """Return what writes to homes in this transaction."""
        return HubTransaction(tx=tx, now=now, url=self.url, signer=self.signer)


Perform = Callable[[HubTransaction, Row[Any]], Awaitable[None]]  # one step for one row


class DueStep(Frozen):
    """One step of the work on a table: `due` selects its rows at an instant, `wake_up` is called after a batch.

    `on_fault` is tried for a row for which the step raised an unexpected error, before it is set aside.
    """

    due: Callable[[datetime], Select[Any]]
    perform: Perform
    wake_up: Callable[[], None]
    name: str = ""
    on_fault: Perform | None = None


@dataclass
class DueRows:
    """Works the due rows of one table, each in its own transaction, so that one failure does not affect others.

    The store says what is due: the next start continues what a killed hub began, and several hubs share the work. A row
    that raises an unexpected error is set aside.
    """

    context: WorkerContext
    worker: str
    table: Table
    steps: Sequence[DueStep]
    max_rows: int  # of one step in one batch

    def __post_init__(self) -> None:
        self._set_aside = RowQuarantine(monotonic=self.context.monotonic)

    async def run(self, interval_s: float, unavailable: str, *expected: type[Exception]) -> None:
        """Work until cancelled; `unavailable` and `expected` are those of `log_unavailable`."""
        while True:
            await asyncio.sleep(interval_s)
            with log_unavailable(unavailable, *expected):
                while await self.run_due():
                    pass

    async def run_due(self) -> bool:
        """Work one batch of each step, and return whether any row was due."""
        is_any_due = False
        for step in self.steps:
            if await self._work(step):
                step.wake_up()
                is_any_due = True
        return is_any_due

    async def _work(self, step: DueStep) -> bool:
        due = step.due(self.context.now())
        open_ = due.where(self.table.c.id.not_in(self._set_aside.rows())).limit(self.max_rows)
        async with self.context.store.reading() as tx:  # usually there is nothing, so the writer is not needed
            ids = [row.id for row in (await tx.execute(open_)).all()]
        locked = due.with_for_update(of=self.table, key_share=True, skip_locked=True)
        for id_ in ids:
            if await self._attempt(id_, step.name, locked, step.perform):
                self._set_aside.done(id_)
            elif step.on_fault is None or not await self._attempt(id_, step.name, select(self.table), step.on_fault):
                self._set_aside.add(id_)
        return bool(ids)

    async def _attempt(self, id_: str, step: str, query: Select[Any], perform: Perform) -> bool:
        item = f"{id_} {step}".rstrip()
        with self.context.containment.piece(self.worker, item, foreseen=(StoreUnavailable,)) as piece:
            async with self.context.store.writing() as tx:
                row = (await tx.execute(query.where(self.table.c.id == id_))).one_or_none()
                if row is not None:  # otherwise another hub has done it
                    await perform(self.context.transaction(tx, self.context.now()), row)
        return piece.fault is None

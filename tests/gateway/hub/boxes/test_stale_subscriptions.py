"""Homes that count as there and hear nothing; what a real broker makes of it stands in test_broker.py."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from sqlalchemy import select, update

from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.boxes.presence import MAX_TRIES, MIN_DISCONNECT_INTERVAL_S, RECHECK_DELAY_S, HomePresence
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import homes, jobs
from gateway.hub.deliveries.jobs import enqueue
from gateway.hub.http.operation import WakeUps
from gateway.mqtt.packets import Acknowledgement
from gateway.protocol.box_hub import JobKind
from gateway.protocol.keys import BoxKey
from tests.boxes import NOW, insert_home, worker_context
from tests.hubs import database, make_database


class HomesAtBroker:
    """Two homes that are there, and a broker that answers as it is told."""

    is_connected = True

    def __init__(self, store: HubStore) -> None:
        self.store, self.mono, self.code, self.reached = store, 0.0, cast("int | None", 0x10), True
        self.full, self.cut, self.told = False, list[str](), list[str]()
        self.deaf = HomePresence(
            worker_context(
                store, now=self.now, monotonic=lambda: self.mono,
                wake_ups=WakeUps(jobs=lambda: self.told.append("ring"), messages=lambda: None),
            ),
            disconnect=self._ended,
        )  # fmt: skip
        self.deaf.on_connected = lambda: self.told.append("others")  # type: ignore[method-assign]  # only its call counts

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.mono)

    async def _ended(self, home: str, _now: datetime) -> bool:
        self.cut.append(home)
        if self.full:
            raise OSError("no room")
        return self.reached

    async def publish(self, _topic: str, _payload: bytes) -> Acknowledgement:
        return Acknowledgement(code=self.code, seconds=0.01)

    async def after(self, seconds: float) -> str | None:
        """Let time pass, and look."""
        self.mono += seconds
        return await self.deaf.check_suspects(cast("HubBrokerConnection", self))

    async def says_hello(self, home: str) -> None:
        async with self.store.writing() as tx:
            await tx.execute(update(homes).where(homes.c.id == home).values(heard=self.now(), there=True))

    async def counts(self, home: str) -> bool:
        async with self.store.reading() as tx:
            return bool(await tx.scalar(select(homes.c.there).where(homes.c.id == home)))


@contextlib.asynccontextmanager
async def town(folder: Path) -> AsyncIterator[HomesAtBroker]:
    store = await HubStore.open(make_database(database(folder)))
    try:
        here = HomesAtBroker(store)
        async with store.writing() as tx:
            for home in ("home-1", "home-2"):
                await insert_home(tx, home, BoxKey.generate().public)
        for home in ("home-1", "home-2"):
            await here.says_hello(home)
        here.mono = 1.0
        yield here
    finally:
        await store.close()


async def test_a_home_that_is_there_and_hears_nothing_is_cut_off_once_and_again_only_minutes_later(
    tmp_path: Path,
) -> None:
    async with town(tmp_path) as here:
        here.deaf.suspect("home-1")
        assert await here.after(RECHECK_DELAY_S / 2) is None, "it may be on its way"
        assert await here.after(RECHECK_DELAY_S / 2) == "home-1"
        assert not await here.counts("home-1"), "until it speaks again"
        assert await here.counts("home-2")
        await here.says_hello("home-1")
        here.mono += 1
        here.deaf.suspect("home-1")
        assert await here.after(2 * RECHECK_DELAY_S) is None
        assert await here.after(MIN_DISCONNECT_INTERVAL_S) == "home-1"
        assert here.cut == ["home-1", "home-1"]


async def test_what_was_put_off_for_a_home_that_hears_after_all_is_due_at_once(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        later = here.now() + timedelta(minutes=15)
        async with here.store.writing() as tx:
            for home in ("home-1", "home-2"):
                await enqueue(tx, home, JobKind.CONNECT, b"a.b.c", now=here.now())
            await tx.execute(update(jobs).values(parked=True, due=later))
        here.deaf.suspect("home-1")
        here.code = 0
        await here.after(RECHECK_DELAY_S)
        async with here.store.reading() as tx:
            due = {row.home: row.due for row in await tx.execute(select(jobs.c.home, jobs.c.due))}
        assert due == {"home-1": here.now(), "home-2": later}
        assert here.told == ["ring"]


async def test_with_the_first_that_is_deaf_all_others_are_asked_after_once(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.deaf.suspect("home-1")
        here.deaf.suspect("home-2")
        assert [await here.after(RECHECK_DELAY_S), await here.after(1)] == ["home-1", "home-2"]
        assert here.told == ["others"]


async def test_a_home_that_came_anew_or_hears_again_or_was_revoked_keeps_what_it_has(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.deaf.suspect("home-1")
        here.mono += 1
        await here.says_hello("home-1")
        await here.after(RECHECK_DELAY_S)
        here.deaf.suspect("home-2")
        here.code = 0
        await here.after(RECHECK_DELAY_S)
        async with here.store.writing() as tx:
            await tx.execute(update(homes).values(revoked=NOW))
        here.code = 0x10
        here.deaf.suspect("home-1")
        await here.after(10 * MIN_DISCONNECT_INTERVAL_S)
        assert here.cut == []


async def test_lines_of_many_homes_are_ended_one_after_the_other(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        for home in ("home-1", "home-2"):
            here.deaf.suspect(home)
        assert {await here.after(RECHECK_DELAY_S), await here.after(1.0)} == {"home-1", "home-2"}
        assert await here.after(1.0) is None


async def test_a_full_disk_keeps_no_other_home_waiting(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.full = True
        for home in ("home-1", "home-2"):
            here.deaf.suspect(home)
        assert await here.after(RECHECK_DELAY_S) is None
        assert here.cut == ["home-1", "home-2"]
        here.full = False
        assert {await here.after(MIN_DISCONNECT_INTERVAL_S), await here.after(1.0)} == {"home-1", "home-2"}


async def test_while_the_broker_says_nothing_nobody_is_cut_off_and_one_that_cannot_be_reached_is_tried_thrice(
    tmp_path: Path,
) -> None:
    async with town(tmp_path) as here:
        here.deaf.suspect("home-1")
        here.code = None
        for _ in range(5):
            await here.after(RECHECK_DELAY_S)
        assert here.cut == []
        here.code, here.reached = 0x83, False
        for _ in range(2 * MAX_TRIES):
            await here.after(MIN_DISCONNECT_INTERVAL_S)
        assert here.cut == ["home-1"] * MAX_TRIES
        assert await here.counts("home-1")

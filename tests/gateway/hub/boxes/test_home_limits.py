"""A home that floods the hub with signed events: what it may have kept in an hour, how much, and for how long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs

from gateway.domain.delivery.promise import State
from gateway.hub.boxes import home_limits
from gateway.hub.boxes.box_events import EventOutcome, HomeTransaction
from gateway.hub.boxes.home_limits import PRUNE_INTERVAL_EVENTS, EventRetention, HomeRateLimits
from gateway.hub.boxes.ingest import Ingest
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import home_events, retailers
from gateway.hub.metrics import HubMetrics
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.box_hub import Ack, token_digest, up_topic
from gateway.protocol.keys import BoxKey
from tests.boxes import NOW, EventJournal, insert_home, make_result, worker_context
from tests.hubs import database, make_database
from tests.waiting import wait_until

EVENTS, OCTETS = 100, 100_000  # an hour
FOR_EVER = EventRetention(max_events=10**9, max_age=timedelta(days=10**5))


@dataclass
class Clock:
    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Hub:
    """A hub's ingest, with two homes that have joined. `acked`: the newest acknowledgement of each."""

    store: HubStore
    ingest: Ingest
    clock: Clock
    registry: CollectorRegistry
    journals: dict[str, EventJournal]
    acked: dict[str, Ack] = field(default_factory=dict)

    def say(self, home: str, tokens: Sequence[bytes]) -> None:
        for token in tokens:
            self.ingest.on_message(
                InboundMessage(topic=up_topic(1, home, "evt"), payload=token, retain=False, session=1)
            )

    async def send(self, home: str, tokens: Sequence[bytes]) -> int:
        """Send what is not acknowledged, twenty at a time as a box does, until nothing more is; how many are."""
        seen = -1
        while self.kept(home) not in {seen, len(tokens)}:
            seen = self.kept(home)
            before = self.taken()
            window = tokens[seen : seen + 20]
            self.say(home, window)
            await wait_until(lambda before=before, window=window: self.taken() >= before + len(window))  # type: ignore[misc]  # bound in the loop
        return self.kept(home)

    def kept(self, home: str) -> int:
        return self.acked[home].seq if home in self.acked else 0

    def over(self) -> float:
        return self.registry.get_sample_value("perron_dropped_total", {"why": "ration"}) or 0.0

    def taken(self) -> float:
        """Events that something came of."""
        return self.over() + (self.registry.get_sample_value("perron_events_total", {"outcome": "kept"}) or 0.0)


@contextlib.asynccontextmanager
async def hub(folder: Path, retention: EventRetention = FOR_EVER) -> AsyncIterator[Hub]:
    store, clock, registry = await HubStore.open(make_database(database(folder))), Clock(), CollectorRegistry()
    journals = {name: EventJournal(name, BoxKey.generate()) for name in ("home-1", "home-2")}
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id="ret-1", name="Lune", created=NOW))
        for name, journal in journals.items():
            await insert_home(tx, name, journal.key.public)

    def say(topic: str, payload: bytes) -> None:
        here.acked[topic.split("/")[1]] = Ack.model_validate_json(payload)

    ingest = Ingest(
        worker_context(store, metrics=HubMetrics(registry)), publish=say, retention=retention,
        rate_limits=HomeRateLimits(EVENTS, OCTETS, monotonic=clock),
    )  # fmt: skip
    here = Hub(store, ingest, clock, registry, journals)
    work = asyncio.create_task(ingest.run())
    try:
        yield here
    finally:
        work.cancel()
        await asyncio.wait({work})
        await store.close()


async def test_a_home_that_floods_has_an_hour_s_ration_kept_and_is_reported_once_and_its_neighbour_is_heard(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(120), hub(tmp_path) as here:
        flood = [here.journals["home-1"].add(make_result("lune", "d-1", State.SCHEDULED)) for _ in range(EVENTS * 3)]
        with capture_logs() as logged:
            assert await here.send("home-1", flood) == EVENTS
            assert await here.send("home-1", flood) == EVENTS, "however often it says the rest"
            neighbour = [here.journals["home-2"].add() for _ in range(30)]
            assert await here.send("home-2", neighbour) == 30
        assert [one["home"] for one in logged if one["event"] == "home_over_ration"] == ["home-1"]
        assert here.over() >= 20
        here.clock.seconds += 3600
        assert await here.send("home-1", flood) == 2 * EVENTS, "what was not acknowledged passes later"
        here.clock.seconds += 24 * 3600
        assert await here.send("home-1", flood) == 3 * EVENTS
        assert here.acked["home-1"].head == token_digest(flood[-1])


async def test_a_home_of_long_events_has_so_many_bytes_kept_in_an_hour(tmp_path: Path) -> None:
    async with asyncio.timeout(120), hub(tmp_path) as here:
        journal = here.journals["home-1"]
        long = [journal.add(make_result("b" * 64, "d" * 64, State.SCHEDULED)) for _ in range(EVENTS)]
        rations = HomeRateLimits(EVENTS, OCTETS // 10, monotonic=here.clock)
        here.ingest.rate_limits = rations  # so small that few events are enough
        taken = sum(map(len, long[: await here.send("home-1", long)]))
        assert OCTETS // 10 <= taken <= OCTETS // 10 + len(long[0])


def test_a_home_that_was_silent_for_days_has_no_more_than_an_hour_s_ration_at_once() -> None:
    clock = Clock()
    rations = HomeRateLimits(EVENTS, OCTETS, monotonic=clock)
    rations.spend("home-1", 1, 1)
    clock.seconds += 10 * 24 * 3600
    assert rations.allows("home-1", EVENTS - 1, 0)
    assert not rations.allows("home-1", EVENTS, 0)
    assert not rations.allows("home-1", 0, OCTETS)


def test_the_rations_of_homes_without_number_take_no_memory_without_bound() -> None:
    rations = HomeRateLimits(EVENTS, OCTETS, monotonic=Clock())
    rations.spend("home-1", EVENTS, 0)
    for number in range(home_limits.MAX_HOMES + 10):
        rations.spend(f"other-{number}", 1, 1)
    assert len(rations._homes) == home_limits.MAX_HOMES  # noqa: SLF001 - what it remembers


async def seqs(store: HubStore, home: str) -> list[int]:
    async with store.reading() as tx:
        asked = select(home_events.c.seq).where(home_events.c.home == home).order_by(home_events.c.seq)
        return list((await tx.scalars(asked)).all())


async def says(store: HubStore, token: bytes) -> EventOutcome:
    async with store.writing() as tx:
        home = await HomeTransaction.begin(tx, "home-1", NOW)
        assert home is not None
        return await home.on_event(token)


async def test_of_one_home_the_newest_events_are_kept_and_its_chain_goes_on(tmp_path: Path) -> None:
    async with asyncio.timeout(120), hub(tmp_path, EventRetention(max_events=30, max_age=timedelta(days=400))) as here:
        journal = here.journals["home-1"]
        said = [journal.add() for _ in range(PRUNE_INTERVAL_EVENTS)]
        assert await here.send("home-1", said) == PRUNE_INTERVAL_EVENTS
        here.clock.seconds += 3600
        assert await seqs(here.store, "home-1") == list(
            range(PRUNE_INTERVAL_EVENTS - 30 + 1, PRUNE_INTERVAL_EVENTS + 1)
        )
        said.append(journal.add())
        assert await here.send("home-1", said) == PRUNE_INTERVAL_EVENTS + 1, (
            "the next one follows the one that was kept"
        )
        assert await says(here.store, said[0]) is EventOutcome.AGAIN, (
            "what is forgotten was kept once: the box need not say it"
        )
        assert await says(here.store, said[-2]) is EventOutcome.AGAIN
        forged = journal.made(
            PRUNE_INTERVAL_EVENTS,
            token_digest(said[PRUNE_INTERVAL_EVENTS - 2]),
            make_result("lune", "d-1", State.DELIVERED),
        )
        assert await says(here.store, forged) is EventOutcome.FORKED


async def test_what_is_older_than_a_home_s_events_are_kept_goes_and_its_newest_stays(tmp_path: Path) -> None:
    async with asyncio.timeout(120), hub(tmp_path) as here:
        for name in ("home-1", "home-2"):
            await here.send(name, [here.journals[name].add() for _ in range(5)])
        async with here.store.writing() as tx:
            old = (home_events.c.home == "home-1") | (home_events.c.seq <= 2)
            months_ago = NOW - timedelta(days=41 + 31)  # PostgreSQL deletes whole months
            await tx.execute(update(home_events).where(old).values(at=months_ago))
        retention = EventRetention(max_events=10**6, max_age=timedelta(days=40))
        assert await retention.sweep(here.store, NOW) == 4 + 2
        assert await seqs(here.store, "home-1") == [5], "by it the next one is judged"
        assert await seqs(here.store, "home-2") == [3, 4, 5]
        assert await retention.sweep(here.store, NOW) == 0
        journal = here.journals["home-1"]
        journal.add()
        assert await here.send("home-1", journal.tokens) == 6

"""Exceptions of every kind are thrown into each of the hub's workers: what raises ends, and everything else goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from sqlalchemy import insert, select, update

from gateway.domain.delivery.promise import Claims, Offer, State
from gateway.hub.boxes.box_events import HomeTransaction
from gateway.hub.boxes.dispatcher import JobDispatcher
from gateway.hub.boxes.home_limits import EventRetention, HomeRateLimits
from gateway.hub.boxes.ingest import Ingest
from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import connections as connection_rows
from gateway.hub.database.tables import deliveries, home_events, jobs, retailers
from gateway.hub.deliveries import connections
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.deliveries import orders as hub_deliveries
from gateway.hub.process import HubProcess
from gateway.hub.sandbox.robot import _SimulatedBox
from gateway.mqtt.packets import Acknowledgement, InboundMessage
from gateway.protocol.box_hub import Ack, Job, JobKind, up_topic
from gateway.protocol.keys import BoxKey
from gateway.system.containment import Containment
from tests.announcing import connected_home
from tests.boxes import NOW, EventJournal, insert_connection, insert_delivery, insert_home, make_result, worker_context
from tests.connecting import HubRetailer
from tests.hubs import RunningHub, database, hub_file, make_database, run_hub
from tests.raising import ARBITRARY_EXCEPTIONS, ExceptionSource, each_loop_raises_once
from tests.sandboxes import ENDED_STATES, create_sandbox
from tests.waiting import wait_until
from tests.webhookhouse import webhook_house

pytestmark = pytest.mark.slow

POISON = "POISON"


IN_A_TRANSACTION = tuple(kind for kind in ARBITRARY_EXCEPTIONS if not isinstance(kind(), TimeoutError))
"""Inside a transaction a TimeoutError says that the database did not answer in time: no piece of work is to blame."""


async def counted(http: ClientSession, worker: str) -> float:
    """How many pieces of a worker were set aside, as the hub's operator sees it."""
    async with http.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    found = [line for line in lines if line.startswith(f'perron_set_aside_total{{worker="{worker}"}}')]
    return float(found[0].split()[-1]) if found else 0.0


async def alive(hub: RunningHub) -> bool:
    async with hub.http.get("/readyz") as answer:
        return answer.status == 200


async def test_a_delivery_that_the_sandbox_cannot_work_is_refused_and_every_other_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, believed = ExceptionSource(IN_A_TRANSACTION), _SimulatedBox._verify_message  # noqa: SLF001 - where the fault is thrown in

    async def poisoned(self: _SimulatedBox, job: Any) -> Any:  # noqa: ANN401 - the robot's own
        found = await believed(self, job)
        if isinstance(found, Claims) and isinstance(found.delivery, Offer) and POISON in found.delivery.parcels[0]:
            raising.now()
        return found

    monkeypatch.setattr(_SimulatedBox, "_verify_message", poisoned)
    async with run_hub(hub_file(tmp_path)) as hub:
        box, other = await create_sandbox(hub), await create_sandbox(hub)
        poison = [await box.announce(f"{POISON}-{number}") for number in range(len(IN_A_TRANSACTION))]
        good = [await box.announce("XY123456785FR"), await other.announce("XY123456785FR")]
        assert (await box.until(good[0], *ENDED_STATES))["state"] == "delivered"
        assert (await other.until(good[1], *ENDED_STATES))["state"] == "delivered"
        for one in poison:
            said = await box.until(one, *ENDED_STATES)
            assert (said["state"], said["reason"]) == ("refused", "malformed")
        assert raising.raised == len(IN_A_TRANSACTION), "what is set aside is not tried again at once"
        assert await counted(hub.http, "sandbox") == raising.raised
        assert await alive(hub)


async def held_at(hub: RunningHub, names: list[str]) -> tuple[HubRetailer, str, dict[str, str]]:
    """Announce so many while the home has not answered; shop, connection, and each delivery by its name."""
    home = await connected_home(hub, state="pending")
    made = {}
    for name in names:
        body = {"connection": home.connection, "delivery": home.promise(name=name, parcels=[f"{name.upper()}-1"])}
        async with hub.http.post("/v1/deliveries", json=body, headers=home.headers) as answer:
            said = await answer.json()
            assert answer.status == 201, said
            made[name] = str(said["id"])
    return HubRetailer(hub, home.retailer), home.connection, made


async def grant(hub: RunningHub, connection: str, *, hub_signed: bool) -> None:
    """The home lets the brand in, as its box's word would."""
    terms = {"entrances": ["garage"], "places": ["shelf"], "carriers": ["Chronopost"], "days": ["mon"],
             "hours": "00:00-24:00", "openings": 1, "expires": None, "hub_signed": hub_signed}  # fmt: skip
    async with hub.hub.store.writing() as tx:
        mine = update(connection_rows).where(connection_rows.c.id == connection)
        await tx.execute(mine.values(state="granted", terms=terms, version=2))


async def standing(hub: RunningHub, delivery: str) -> tuple[str, str | None]:
    async with hub.hub.store.reading() as tx:
        row = (await tx.execute(select(deliveries).where(deliveries.c.id == delivery))).one()
    return row.state, row.reason


async def until_so(so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the store says so."""
    await wait_until(so)


async def until_standing(hub: RunningHub, delivery: str, state: State, reason: str) -> None:
    async def so() -> bool:
        return await standing(hub, delivery) == (state, reason)

    await until_so(so)


async def sent(hub: RunningHub, delivery: str) -> bool:
    async with hub.hub.store.reading() as tx:
        return await tx.scalar(select(jobs.c.id).where(jobs.c.delivery == delivery)) is not None


async def test_a_held_delivery_that_cannot_be_released_is_refused_and_every_other_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, release = ExceptionSource(IN_A_TRANSACTION), hub_deliveries.release

    async def poisoned(pen: Any, row: Any, signed: Any) -> None:  # noqa: ANN401 - its own arguments
        if row.name.startswith("poison"):
            raising.now()
        await release(pen, row, signed)

    monkeypatch.setattr(hub_deliveries, "release", poisoned)
    async with run_hub(hub_file(tmp_path)) as hub:
        names = [f"poison-{number}" for number in range(len(IN_A_TRANSACTION))]
        _, connection, made = await held_at(hub, [*names, "good-1", "good-2"])
        await grant(hub, connection, hub_signed=True)
        for name in names:
            await until_standing(hub, made[name], State.REFUSED, "malformed")
        await until_so(lambda: sent(hub, made["good-1"]))
        await until_so(lambda: sent(hub, made["good-2"]))
        assert await counted(hub.http, "held deliveries") == len(IN_A_TRANSACTION)
        assert await alive(hub)


async def test_what_its_brand_did_not_sign_is_refused_at_the_hub_where_the_home_s_terms_do_not_allow_it(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        _, connection, made = await held_at(hub, ["d-1"])
        await grant(hub, connection, hub_signed=False)
        await until_standing(hub, made["d-1"], State.REFUSED, "hub_signed_not_permitted")
        assert not await sent(hub, made["d-1"])


async def test_a_question_that_cannot_be_ended_keeps_no_other_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, expire, poison = ExceptionSource(IN_A_TRANSACTION), connections.expire_connection, set[str]()

    async def poisoned(tx: Any, row: Any, now: Any) -> None:  # noqa: ANN401 - its own arguments
        if row.id in poison:
            raising.now()
        await expire(tx, row, now)

    monkeypatch.setattr(connections, "expire_connection", poisoned)
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        made = [str((await shop.ask())["id"]) for _ in range(len(IN_A_TRANSACTION) + 2)]
        poison |= set(made[:-2])
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(connection_rows).values(expires=hub.hub.now()))

        async def ended() -> bool:
            return {row.id for row in await shop.rows(connection_rows) if row.state == "expired"} == set(made[-2:])

        await until_so(ended)
        await wait_until(lambda: raising.raised == len(IN_A_TRANSACTION))
        assert await counted(hub.http, "connections") == raising.raised
        assert await alive(hub)


class FakeBrokerConnection:
    """A line to the homes that keeps what was rung, and raises for what a test has poisoned."""

    is_connected = True

    def __init__(self) -> None:
        self.rung: list[Job] = []
        self.raising = ExceptionSource()

    async def publish(self, _topic: str, payload: bytes) -> Acknowledgement:
        job = Job.model_validate_json(payload)
        if job.token.startswith(POISON):
            self.raising.now()
        self.rung.append(job)
        return Acknowledgement(code=0, seconds=0.001)


async def at_store(folder: Path) -> HubStore:
    store = await HubStore.open(make_database(database(folder)))
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id="ret-1", name="Lune", created=NOW))
    return store


async def test_a_job_that_cannot_be_rung_ends_and_its_retailer_hears_of_it_and_every_other_job_is_rung(
    tmp_path: Path,
) -> None:
    store, bell, faults = await at_store(tmp_path), FakeBrokerConnection(), list[str]()
    async with store.writing() as tx:
        await insert_home(tx, "home-1", BoxKey.generate().public)
        connection = await insert_connection(tx, "ret-1", "lune", "home-1")
        poisoned = [await insert_delivery(tx, connection, f"d-{number}") for number in range(len(ARBITRARY_EXCEPTIONS))]
        await tx.execute(update(deliveries).values(state="awaiting_permission"))
        for delivery in poisoned:
            await job_store.enqueue(
                tx, "home-1", JobKind.DELIVERY, f"{POISON}.a.b".encode(), now=NOW, delivery=delivery
            )
        too_long = b"a.b." + b"c" * 40_000  # what a hub of before has kept: no job holds it
        await job_store.enqueue(tx, "home-1", JobKind.CONNECT, too_long, now=NOW)
        for number in range(3):
            await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.%d" % number, now=NOW)
    dispatcher = JobDispatcher(worker_context(store, containment=Containment(count=faults.append)))
    work = asyncio.create_task(dispatcher.run(cast("HubBrokerConnection", bell)))

    async def done() -> bool:
        async with store.reading() as tx:
            waiting = (await tx.scalars(select(jobs.c.id).where(jobs.c.due.is_not(None)))).all()
        return len(bell.rung) == 3 and len(waiting) == 3  # which no box has confirmed

    await until_so(done)
    assert not work.done()
    assert len(faults) == len(ARBITRARY_EXCEPTIONS) + 1
    async with store.reading() as tx:
        rows = (await tx.execute(select(deliveries.c.state, deliveries.c.reason))).all()
    assert {(row.state, row.reason) for row in rows} == {("refused", "malformed")}
    work.cancel()
    await asyncio.wait({work})
    await store.close()


async def test_a_word_that_cannot_be_worked_costs_no_other_home_s_and_no_other_word_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, told = ExceptionSource(IN_A_TRANSACTION), HomeTransaction._delivery_of  # noqa: SLF001 - where the fault is thrown in

    async def poisoned(self: HomeTransaction, said: Any) -> Any:  # noqa: ANN401 - its own argument, and its own answer
        if said.delivery is not None and said.delivery.startswith("poison"):
            raising.now()
        return await told(self, said)

    monkeypatch.setattr(HomeTransaction, "_delivery_of", poisoned)
    store, faults, acked = await at_store(tmp_path), list[str](), dict[str, Ack]()
    journals = {name: EventJournal(name, BoxKey.generate()) for name in ("home-1", "home-2")}
    async with store.writing() as tx:
        for name, journal in journals.items():
            await insert_home(tx, name, journal.key.public)

    def say(topic: str, payload: bytes) -> None:
        acked[topic.split("/")[1]] = Ack.model_validate_json(payload)

    ingest = Ingest(
        worker_context(store, containment=Containment(count=faults.append)), publish=say,
        rate_limits=HomeRateLimits(1_000, 10**9, monotonic=lambda: 0.0),
        retention=EventRetention(max_events=10**6, max_age=timedelta(days=400)),
    )  # fmt: skip
    work = asyncio.create_task(ingest.run())
    names = [*(f"poison-{number}" for number in range(len(IN_A_TRANSACTION))), "good"]
    for home, journal in journals.items():
        for name in names if home == "home-1" else ["good"] * 3:
            token = journal.add(make_result("lune", name, State.SCHEDULED))
            incoming = InboundMessage(topic=up_topic(1, home, "evt"), payload=token, retain=False, session=1)
            ingest.on_message(incoming)
    await wait_until(lambda: acked.keys() == {"home-1", "home-2"} and acked["home-1"].seq == len(names))
    assert acked["home-2"].seq == 3
    async with store.reading() as tx:
        kept = (await tx.scalars(select(home_events.c.seq).where(home_events.c.home == "home-1"))).all()
    assert sorted(kept) == list(range(1, len(names) + 1)), "what cannot be worked is kept: the next one follows it"
    assert len(faults) >= len(IN_A_TRANSACTION)
    assert not work.done()
    work.cancel()
    await asyncio.wait({work})
    await store.close()


async def test_an_endpoint_whose_messages_cannot_be_sent_keeps_no_other_endpoint_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = ExceptionSource()
    async with webhook_house(tmp_path) as at:
        sender = at.hub.hub._webhook_sender  # noqa: SLF001 - where the fault is thrown in
        post = sender._connections.post  # noqa: SLF001 - the same

        async def poisoned(url: str, *given: Any, **more: Any) -> Any:  # noqa: ANN401 - its own, and its own answer
            if url.endswith("/poison"):
                raising.now()
            return await post(url, *given, **more)

        monkeypatch.setattr(sender._connections, "post", poisoned)  # noqa: SLF001 - the same
        poison, _good = await at.endpoint("/poison"), await at.endpoint("/ok/good")
        await at.tell(4)
        await at.receiver.until(4, "/ok/good")
        log = await at.until(poison, lambda log: any(one["attempts_made"] for one in log))
        results = {attempt["result"] for one in log for attempt in one["attempts"]}
        assert results == {"not_sent"}, "it counts as a try, so it ends as every message that is not taken"
        assert raising.raised >= 1
        assert await counted(at.hub.http, "webhooks") == raising.raised


async def test_a_request_that_nobody_foresaw_is_answered_500_as_every_problem_and_the_next_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = ExceptionSource()
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        body = {"brand": "lune", "asked": {"carriers": ["Chronopost"]}}
        await shop.call("POST", "/v1/connections", body)
        connection = (await shop.rows(connection_rows))[0].id
        monkeypatch.setattr("gateway.hub.api.connections._from_row", lambda *_: raising.now())
        for kind in ARBITRARY_EXCEPTIONS:
            status, said = await shop.call("GET", f"/v1/connections/{connection}")
            passing = isinstance(kind(), OSError)
            assert (status, said["code"]) == ((503, "unavailable") if passing else (500, "internal")), kind
        assert await alive(hub)


async def test_every_loop_of_a_hub_that_raises_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = each_loop_raises_once(HubProcess, monkeypatch)
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        assert (await box.until(await box.announce("XY123456785FR"), *ENDED_STATES))["state"] == "delivered"
        assert {"streams", "held deliveries", "connections", "webhooks", "sandbox"} <= begun.keys()
        assert set(begun.values()) == {2}
        assert await counted(hub.http, "sandbox") == 1

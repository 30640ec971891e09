import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import Row, insert, select, update

from gateway.domain.delivery.promise import State
from gateway.domain.now import Now
from gateway.evidence import succession
from gateway.hub.boxes.box_events import EventOutcome, HomeTransaction, newest_event
from gateway.hub.boxes.home_limits import EventRetention, HomeRateLimits
from gateway.hub.boxes.ingest import Ingest
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import browsers, connections, deliveries, events, home_events, homes, jobs, retailers
from gateway.hub.deliveries import jobs as job_store
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.box_hub import (
    GENESIS_DIGEST,
    Ack,
    BrowserStatus,
    Hello,
    JobKind,
    JobReceipt,
    OpenDelivery,
    PermissionDecision,
    token_digest,
    up_topic,
)
from gateway.protocol.browser_envelope import Jwk, load_private_key
from gateway.protocol.consent_request import AskedTerms, ConsentMessage, RequestedKey, sign_consent
from gateway.protocol.keys import BoxKey
from gateway.system.containment import Containment
from tests.boxes import NOW, EventJournal, insert_connection, insert_delivery, insert_home, make_result, worker_context
from tests.hubs import database, make_database
from tests.waiting import wait_until

ASKED = AskedTerms(carriers=("Chronopost",))


@dataclass
class Hub:
    """A store with two homes, a brand let in at the first, and one delivery."""

    store: HubStore
    journal: EventJournal
    other: EventJournal
    connection: str
    delivery: str

    async def says(self, token: bytes, home: str = "home-1") -> tuple[EventOutcome, Ack]:
        async with self.store.writing() as tx:
            kept = await HomeTransaction.begin(tx, home, NOW)
            assert kept is not None
            outcome = await kept.on_event(token)
        async with self.store.reading() as tx:
            assert await newest_event(tx, home) == (kept.seq, kept.head), "what is acknowledged is what is on the disk"
        return outcome, Ack(seq=kept.seq, head=kept.head)

    async def begins(
        self,
        home: str = "home-1",
        *,
        known: tuple[OpenDelivery, ...] = (),
        keys: tuple[str, ...] = (),
        again: bool = False,
    ) -> None:
        hello = Hello(boot="b", events=0, open=known, entrances=(), timezone="Europe/Paris", keys=keys, again=again)
        async with self.store.writing() as tx:
            box = await HomeTransaction.begin(tx, home, NOW + timedelta(minutes=1))
            assert box is not None
            await box.on_hello(hello)

    async def one(self, table: Any, **where: object) -> Row[Any]:  # noqa: ANN401 - any of the tables
        async with self.store.reading() as tx:
            return (await tx.execute(select(table).filter_by(**where))).one()

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        async with self.store.reading() as tx:
            return [(row.type, row.data) for row in await tx.execute(select(events).order_by(events.c.number))]

    async def sends(self, token: bytes = b"a.b.c", kind: JobKind = JobKind.DELIVERY) -> str:
        async with self.store.writing() as tx:
            return await job_store.enqueue(tx, "home-1", kind, token, now=NOW, delivery=self.delivery)


@contextlib.asynccontextmanager
async def hub(folder: Path) -> AsyncIterator[Hub]:
    store = await HubStore.open(make_database(database(folder)))
    ours, theirs = BoxKey.generate(), BoxKey.generate()
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id="ret-1", name="Lune", created=NOW))
        await insert_home(tx, "home-1", ours.public)
        await insert_home(tx, "home-2", theirs.public)
        connection = await insert_connection(tx, "ret-1", "lune", "home-1")
        delivery = await insert_delivery(tx, connection, "d-1")
    try:
        yield Hub(store, EventJournal("home-1", ours), EventJournal("home-2", theirs), connection, delivery)
    finally:
        await store.close()


async def test_events_are_kept_in_order_and_twice_is_once(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        first = here.journal.add(make_result("lune", "d-1", State.SCHEDULED))
        second = here.journal.add(make_result("lune", "d-1", State.DELIVERED))
        assert await here.says(second) == (EventOutcome.GAP, Ack(seq=0, head=GENESIS_DIGEST))
        assert await here.says(first) == (EventOutcome.KEPT, Ack(seq=1, head=token_digest(first)))
        assert await here.says(second) == (EventOutcome.KEPT, Ack(seq=2, head=token_digest(second)))
        for token in (first, second):
            assert await here.says(token) == (EventOutcome.AGAIN, Ack(seq=2, head=token_digest(second)))
        assert (await here.one(deliveries)).state == "delivered"
        told = [data["state"] for _, data in await here.told()]
        assert told == ["scheduled", "delivered"], "the home's first answer is news, and what came twice is told once"
        assert (await here.one(home_events, seq=2)).token == second, "as the box signed it"


async def test_forged_and_forked_events_change_nothing(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        first = here.journal.add(make_result("lune", "d-1", State.VISITING))
        await here.says(first)
        before = await here.told()
        lie = make_result("lune", "d-1", State.DELIVERED)
        stolen = EventJournal("home-1", here.other.key)
        fork = here.journal.made(1, GENESIS_DIGEST, lie)
        for token, outcome in (
            (stolen.made(2, token_digest(first), lie), EventOutcome.WRONG_SIGNATURE),
            (fork, EventOutcome.FORKED),
            (here.journal.made(2, token_digest(fork), lie), EventOutcome.FORKED),
            (here.journal.made(2, GENESIS_DIGEST, lie), EventOutcome.FORKED),
            (EventJournal("home-2", here.journal.key).made(2, token_digest(first), lie), EventOutcome.ANOTHER_HOME),
            (b"rubbish", EventOutcome.MALFORMED),
            (first[:-4] + b"AAAA", EventOutcome.WRONG_SIGNATURE),
        ):
            found, _ = await here.says(token)
            assert found is outcome
            assert not found.acknowledged
        assert (await here.one(deliveries)).state == "visiting"
        assert await here.told() == before
        assert (await here.says(here.journal.add(lie)))[0] is EventOutcome.KEPT, "and the box goes on"


async def test_a_home_says_nothing_of_another_home_s_delivery(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        found, _ = await here.says(here.other.add(make_result("lune", "d-1", State.DELIVERED)), "home-2")
        assert found is EventOutcome.KEPT
        assert (await here.one(deliveries)).state == "scheduled"
        assert await here.told() == []


async def test_a_message_that_the_box_does_not_believe_refuses_the_delivery_and_says_why(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        id_ = await here.sends(b"for.ge.d")
        sha256 = (await here.one(jobs, id=id_)).sha256
        no = make_result("lune", "d-1", State.REFUSED).model_copy(
            update={"brand": None, "delivery": None, "version": None, "state": None, "accepted": False,
                    "code": "wrong_signature", "token_sha256": sha256}
        )  # fmt: skip
        await here.says(here.journal.add(no))
        row = await here.one(deliveries)
        assert (row.state, row.reason, row.seq) == ("refused", "wrong_signature", 1)
        ((kind, data),) = await here.told()
        assert (kind, data["state"]) == ("delivery.changed", "refused")
        assert data["answer"] == {"version": None, "accepted": False, "code": "wrong_signature"}


async def test_a_change_that_came_too_late_is_told_and_the_delivery_stands_as_it_was(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        await here.says(here.journal.add(make_result("lune", "d-1", State.VISITING)))
        late = make_result("lune", "d-1", State.VISITING, version=2, accepted=False, code="too_late")
        await here.says(here.journal.add(late))
        assert (await here.one(deliveries)).state == "visiting"
        assert (await here.told())[-1][1]["answer"] == {"version": 2, "accepted": False, "code": "too_late"}


async def test_the_home_s_decision_reaches_whoever_asked_and_an_older_word_changes_nothing(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        yes = PermissionDecision(brand="lune", version=2, standing="granted", entrances=("garage",), places=("floor",))
        await here.says(here.journal.add(yes))
        row = await here.one(connections)
        assert (row.state, row.version, row.terms["entrances"]) == ("granted", 2, ["garage"])
        await here.says(here.journal.add(PermissionDecision(brand="lune", version=1, standing="pending")))
        assert (await here.one(connections)).state == "granted"
        await here.says(here.journal.add(PermissionDecision(brand="lune", version=3, standing="revoked")))
        row = await here.one(connections)
        assert (row.state, row.terms) == ("revoked", None)
        assert [(kind, data["state"]) for kind, data in await here.told()] == [
            ("connection.decided", "granted"), ("connection.decided", "revoked"), ("delivery.changed", "refused"),
        ]  # fmt: skip


@pytest.mark.parametrize("standing", ["revoked", "refused"])
async def test_a_home_s_no_ends_what_is_open_at_once_but_nobody_who_is_at_the_door(
    tmp_path: Path, standing: Literal["revoked", "refused"]
) -> None:
    async with hub(tmp_path) as here:
        await here.says(here.journal.add(PermissionDecision(brand="lune", version=2, standing=standing)))
        row = await here.one(deliveries)
        assert (row.state, row.reason) == ("refused", "brand_not_permitted"), "the home said nothing of it itself"
        await here.says(here.journal.add(make_result("lune", "d-1", State.SCHEDULED)))
        assert (await here.one(deliveries)).state == "scheduled", "it thought again"
        await here.says(here.journal.add(make_result("lune", "d-1", State.VISITING)))
        await here.says(here.journal.add(PermissionDecision(brand="lune", version=3, standing=standing)))
        assert (await here.one(deliveries)).state == "visiting"
        await here.says(here.journal.add(make_result("lune", "d-1", State.DELIVERED)))
        await here.says(here.journal.add(PermissionDecision(brand="lune", version=4, standing=standing)))
        assert (await here.one(deliveries)).state == "delivered"


async def test_a_job_is_gone_only_when_its_own_box_says_that_it_has_it(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        id_ = await here.sends()
        for home, ended in (("home-2", None), ("home-1", "received"), ("home-1", None)):
            async with here.store.writing() as tx:
                box = await HomeTransaction.begin(tx, home, NOW)
                assert box is not None
                assert await box.on_receipt(JobReceipt(job=id_, state="received")) == ended
        row = await here.one(jobs, id=id_)
        assert (row.due, row.received) == (None, NOW)


async def test_a_job_that_the_box_will_never_take_refuses_its_delivery(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        id_ = await here.sends()
        async with here.store.writing() as tx:
            box = await HomeTransaction.begin(tx, "home-1", NOW)
            assert box is not None
            assert await box.on_receipt(JobReceipt(job=id_, state="refused", why="no such kind")) == "refused"
        assert (await here.one(jobs, id=id_)).refused == "no such kind"
        assert (await here.one(deliveries)).state == "refused"
        assert (await here.told())[0][1]["state"] == "refused"


async def test_a_question_that_its_brand_should_have_signed_is_over_once_a_home_refused_it_unseen(
    tmp_path: Path,
) -> None:
    why = "the question is not signed by a key of the brand"
    async with hub(tmp_path) as here:
        key = RequestedKey(kid="lune-1", x=BoxKey.generate().public.text)
        keyless = AskedTerms(carriers=("Chronopost",), hub_signed=True)
        for keys, asked, signed, home, state in (
            ((key,), ASKED, "a" * 9 + ".b.c", "home-1", "pending"),  # what it refuses it by is nobody's business
            ((), keyless, None, "home-1", "pending"),
            ((key,), ASKED, None, "home-2", "pending"),
            ((key,), ASKED, None, "home-1", "expired"),
        ):
            question = ConsentMessage(
                hub="https://hub.example", home="home-1", brand="lune", name="Lune", keys=keys, signed=signed,
                connection=here.connection, asked=None if signed else asked, expires=NOW + timedelta(days=7),
            )  # fmt: skip
            async with here.store.writing() as tx:
                token = sign_consent(question, lambda _: b"signature")
                id_ = await job_store.enqueue(tx, home, JobKind.CONNECT, token, now=NOW)
                box = await HomeTransaction.begin(tx, home, NOW)
                assert box is not None
                assert await box.on_receipt(JobReceipt(job=id_, state="refused", why=why)) == "refused"
            assert (await here.one(connections)).state == state
        [(type_, data)] = await here.told()
        assert (type_, data["state"]) == ("connection.decided", "expired")
        assert why not in str(data), "why is the house's"


async def test_hello_makes_all_of_the_home_due_at_once(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        id_ = await here.sends()
        later = NOW + timedelta(hours=1)
        async with here.store.writing() as tx:
            await tx.execute(update(jobs).values(due=later, parked=True))
        await here.begins("home-2")
        assert (await here.one(jobs, id=id_)).parked, "another home's hello is another's"
        await here.begins()
        row = await here.one(jobs, id=id_)
        assert (row.due, row.parked) == (NOW + timedelta(minutes=1), False)


async def test_a_hello_that_is_said_again_makes_due_only_what_is_parked(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        on_its_way, parked = await here.sends(), await here.sends(b"d.e.f")
        later = NOW + timedelta(hours=1)
        async with here.store.writing() as tx:
            await tx.execute(update(jobs).values(due=later, attempts=4))
            await tx.execute(update(jobs).where(jobs.c.id == parked).values(parked=True))
        await here.begins(again=True)
        assert (await here.one(jobs, id=on_its_way)).due == later, "it was rung not long ago"
        row = await here.one(jobs, id=parked)
        assert (row.due, row.parked, row.attempts) == (NOW + timedelta(minutes=1), False, 0)
        await here.begins()
        assert (await here.one(jobs, id=on_its_way)).due == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(("version", "again"), [(None, True), (1, False)])
async def test_what_a_box_had_and_knows_no_longer_is_sent_again(
    tmp_path: Path, version: int | None, again: bool
) -> None:
    async with hub(tmp_path) as here:
        id_ = await here.sends()
        async with here.store.writing() as tx:
            await tx.execute(update(jobs).values(due=None, received=NOW))
        known = () if version is None else (OpenDelivery(brand="lune", delivery="d-1", version=version),)
        await here.begins(known=known)
        assert ((await here.one(jobs, id=id_)).due is not None) is again


async def test_a_box_s_new_key_is_believed_because_the_old_one_signed_it(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        folder = tmp_path / "key"
        folder.mkdir()
        old = BoxKey.load_or_create(folder)
        async with here.store.writing() as tx:
            await tx.execute(update(homes).where(homes.c.id == "home-1").values(box_key=old.public.text))
        succession.prepare_key_change(folder)
        assert succession.finish_key_change(folder, box="box", now=Now(utc=NOW, trusted=True, mono=0.0)) is not None
        new, lines = (
            BoxKey.load_or_create(folder),
            tuple(succession.read_key_history(folder).encoded.decode().splitlines()),
        )
        journal = EventJournal("home-1", new)
        token = journal.add(make_result("lune", "d-1", State.DELIVERED))
        assert (await here.says(token))[0] is EventOutcome.WRONG_SIGNATURE
        await here.begins(keys=("rubbish",))
        assert (await here.says(token))[0] is EventOutcome.WRONG_SIGNATURE
        await here.begins("home-2", keys=lines)
        assert (await here.one(homes, id="home-2")).box_key == here.other.key.public.text, "it follows from another key"
        await here.begins(keys=lines)
        assert (await here.says(token))[0] is EventOutcome.KEPT


async def test_a_box_that_tells_of_browsers_without_end_keeps_the_newest_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.boxes.box_events.MAX_BROWSERS_PER_HOME", 3)
    sign = Jwk.of(load_private_key(bytes(31) + b"\x07").public_key())
    async with hub(tmp_path) as here:
        for number in range(6):
            told = BrowserStatus(browser=f"brw-{number:032x}", sign=sign, ended=False)
            assert (await here.says(here.journal.add(told)))[0] is EventOutcome.KEPT
            if number == 4:
                gone = told.model_copy(update={"sign": None, "ended": True})
                assert (await here.says(here.journal.add(gone)))[0] is EventOutcome.KEPT
        async with here.store.reading() as tx:
            left = sorted((await tx.scalars(select(browsers.c.id))).all())
    assert [int(one[4:], 16) for one in left] == [2, 3, 5], "one that ended goes first"


async def test_an_event_that_two_processes_store_at_once_is_stored_once_and_acknowledged(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        event = here.journal.add(make_result("lune", "d-1", State.VISITING))
        acknowledged: list[Ack] = []
        faults: list[str] = []
        ingest = Ingest(
            worker_context(here.store, containment=Containment(count=faults.append)),
            publish=lambda _topic, payload: acknowledged.append(Ack.model_validate_json(payload)),
            rate_limits=HomeRateLimits(1_000, 10**9, monotonic=lambda: 0.0),
            retention=EventRetention(max_events=10**6, max_age=timedelta(days=400)),
        )
        work = asyncio.create_task(ingest.run())
        async with here.store.writing() as tx:
            moment = NOW + timedelta(milliseconds=7)
            other = await HomeTransaction.begin(tx, "home-1", moment)  # the other process holds the home's row
            assert other is not None
            topic = up_topic(1, "home-1", "evt")
            ingest.on_message(InboundMessage(topic=topic, payload=event, retain=False, session=1))
            await asyncio.sleep(0.2)  # by now it waits for that row
            assert await other.on_event(event) is EventOutcome.KEPT
        await wait_until(lambda: acknowledged)
        work.cancel()
        await asyncio.wait({work})
        assert [(ack.seq, ack.head) for ack in acknowledged] == [(1, token_digest(event))]
        assert faults == []
        assert len(await here.told()) == 1
        assert (await here.one(home_events, seq=1)).token == event

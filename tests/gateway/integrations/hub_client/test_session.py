"""A box's line over a real broker, and a hub at the other end that does what its test says, however bad."""

import asyncio
import contextlib
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.config.editor import HomeFileWriter
from gateway.config.home import HubSection
from gateway.domain.delivery.fallback import Place
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import DeliveryBody, DeliveryResult, State
from gateway.domain.delivery.result import Refusal
from gateway.integrations.hub_client import session
from gateway.integrations.hub_client.enrolment import read_status, support_code
from gateway.integrations.hub_client.job_routing import HOUR_S, MAX_QUESTIONS_PER_HOUR, build_uplink, job_handlers
from gateway.integrations.hub_client.session import Uplink
from gateway.integrations.hub_client.unenrolment import Unenrolment
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import Sent
from gateway.protocol.box_hub import (
    GENESIS_DIGEST,
    Ack,
    BoxEvent,
    Hello,
    Job,
    JobKind,
    JobReceipt,
    PermissionDecision,
    SealedQuery,
    SealedReply,
    down_topic,
    home_of_topic,
    reply_topic,
    shard_of,
    token_digest,
    verify_by_box,
)
from gateway.protocol.box_statement import is_statement
from gateway.protocol.consent_request import AskedTerms, ConsentMessage, RequestedKey, sign_consent
from gateway.protocol.consent_verification import REASON_UNKNOWN_KEY, REASON_UNREADABLE, REASON_UNSIGNED
from gateway.protocol.delivery_message import sign_delivery
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import BoxKey
from gateway.protocol.strict_json import loads
from gateway.protocol.support_code import format_support_code, new_support_code
from gateway.storage.handover import TASK_HUB_LEFT, TASK_LEAVE_HUB
from gateway.system.backoff import Backoff
from gateway.system.containment import Containment
from gateway.system.mqtt_settings import BrokerTls
from tests.gateway.domain.delivery.shop import SECRETS, make_claims, make_offer, sign_claims
from tests.hubs import broker_account, homes_broker
from tests.mosquitto import Mosquitto
from tests.shell.box import ShellBox
from tests.shell.box import box as made_box
from tests.waiting import assert_stays, wait_until

HOME = "home-1"
WATCHED_S = 0.2  # seconds of a flood's rest in which more than the pace would have been read
PACE_S = 0.02  # seconds between two steps of a load: the hub's words and the house's writes mix
READ_S = 0.05  # seconds in which the box reads one word: of two acks it reads only the newer one
QUIET_S = 0.5  # seconds of silence after which a box looks whether its hub is there
OWED_S = 1.0  # seconds in which a line that does not wait for its hub would have ended
NO_FILE = HomeFileWriter(None, reload=lambda: None)


@dataclass
class Hub:
    """What the box says, and what it is told."""

    line: ShortSession
    box: ShellBox
    hellos: list[Hello] = field(default_factory=list)
    receipts: list[JobReceipt] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    keeps: bool = True  # acknowledge, as a good hub does
    kept: list[bytes] = field(default_factory=list)
    support: str | None = None
    speaks: bytes | None = None  # what it publishes about itself, before it acknowledges a hello
    statements: list[bytes] = field(default_factory=list)
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    async def hear(self) -> None:
        while True:
            incoming = await self.line.receive()
            if "/said/" in incoming.topic:
                self.answers.append((incoming.topic, incoming.payload))
                continue
            spoken = home_of_topic(incoming.topic)
            assert spoken is not None
            assert spoken[0] == HOME
            match spoken[1]:
                case "hello":
                    self.hellos.append(Hello.model_validate_json(incoming.payload))
                    if self.speaks is not None:
                        self.say(down_topic(HOME, "speaks"), self.speaks)
                case "status":
                    self.receipts.append(JobReceipt.model_validate_json(incoming.payload))
                case "evt" if is_statement(incoming.payload):
                    self.statements.append(incoming.payload)
                    continue
                case "evt":
                    self.tokens.append(incoming.payload)
                    if self.keeps:
                        self.keep(incoming.payload)
                case "gone":
                    continue
            if self.keeps:
                self.ack()

    def keep(self, token: bytes) -> None:
        found = verify_by_box(BoxEvent, token, self.box.key.public)
        assert isinstance(found, BoxEvent)
        if found.seq == len(self.kept) + 1:
            assert found.prev == (token_digest(self.kept[-1]) if self.kept else GENESIS_DIGEST)
            self.kept.append(token)

    def ack(self, *, back: int = 0) -> None:
        kept = self.kept[: len(self.kept) - back]
        head = token_digest(kept[-1]) if kept else GENESIS_DIGEST
        self.say(
            down_topic(HOME, "ack"), Ack(seq=len(kept), head=head, support=self.support).model_dump_json().encode()
        )

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert isinstance(self.line.publish(topic, payload, retain=retain), Sent)

    def job(self, token: bytes, kind: JobKind = JobKind.DELIVERY, *, retain: bool = False) -> str:
        said = Job(job=f"job-{secrets.token_hex(8)}", kind=kind, token=token.decode())
        self.say(down_topic(HOME, "jobs"), said.model_dump_json().encode(), retain=retain)
        return said.job

    def offers(self, said: DeliveryBody) -> str:
        return self.job(sign_claims(make_claims(said, aud=HOME)))

    async def receipt(self, job: str) -> JobReceipt:
        await wait_until(lambda: any(one.job == job for one in self.receipts))
        return next(one for one in self.receipts if one.job == job)

    @property
    def decisions(self) -> list[PermissionDecision]:
        found = [verify_by_box(BoxEvent, token, self.box.key.public) for token in self.kept]
        return [one.decided for one in found if isinstance(one, BoxEvent) and one.decided is not None]

    @property
    def results(self) -> list[DeliveryResult]:
        found = [verify_by_box(BoxEvent, token, self.box.key.public) for token in self.kept]
        return [one.result for one in found if isinstance(one, BoxEvent) and one.result is not None]


def section(broker: Mosquitto, folder: Path) -> HubSection:
    file = broker_account(broker, folder, HOME).password_file
    return HubSection(url="https://hub.example", home=HOME, host="127.0.0.1", port=broker.port, password_file=file)


def uplink(made: ShellBox, where: HubSection, *, leaving: bool = False, farewell: Unenrolment | None = None) -> Uplink:
    return Uplink(
        made.home,
        where,
        store=made.store,
        clock=made.clock,
        key=made.key,
        keys=KeyHistory(),
        leaving=leaving,
        handlers=job_handlers(
            where,
            letting=made.reception.permissions,
            by_hub=made.reception.accept_from_hub,
            hub_signed=made.reception.accept_hub_signed,
            monotonic=time.monotonic,
        ),
        monotonic=time.monotonic,
        unenrolment=farewell or Unenrolment(made.home, where, store=made.store, rewriting=NO_FILE),
    )


@contextlib.asynccontextmanager
async def at_work(work: Uplink) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def hub(made: ShellBox, broker: Mosquitto, folder: Path) -> AsyncIterator[Hub]:
    async with connect_once(broker_account(broker, folder), ["up/#"], monotonic=time.monotonic) as line:
        one = Hub(line, made)
        task = asyncio.create_task(one.hear())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


async def test_a_flood_of_questions_is_read_at_a_pace_and_answered_where_it_was_asked(tmp_path: Path) -> None:
    seen: list[str] = []

    async def answer(asked: SealedQuery) -> str | None:
        seen.append(asked.id)
        return "h..i.c.t" if asked.id == "q-1" else None

    async def take(job: Job) -> JobReceipt:
        return JobReceipt(job=job.job, state="received")

    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        line = uplink(made, section(broker, tmp_path))
        line.serve(on_owner_job=take, on_question=answer)
        async with at_work(line):
            await wait_until(lambda: there.hellos)
            began = time.monotonic() - 0.1
            for number in range(1, 800):
                asked = SealedQuery(via="hub-1", id=f"q-{number}", browser=f"brw-{1:032x}", sealed="h..i.c.t")
                there.say(down_topic(HOME, "ask"), asked.model_dump_json().encode())
            await wait_until(lambda: there.answers)
            assert (await there.receipt(there.job(b"h..i.c.t", JobKind.OWNER))).state == "received", "jobs go on"
            await assert_stays(
                lambda: (
                    len(seen)
                    <= session.MAX_CONCURRENT_QUERIES + session.MAX_QUERIES_PER_SECOND * (time.monotonic() - began) + 1
                ),
                WATCHED_S,
                "it read faster than its pace",
            )
    ((topic, payload),) = there.answers
    assert topic == reply_topic(shard_of(HOME), HOME, "hub-1")
    assert SealedReply.model_validate_json(payload).id == "q-1"


async def test_a_job_is_received_once_it_is_on_the_disk_and_comes_back_as_a_signed_event(tmp_path: Path) -> None:
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        assert {one.id for one in there.hellos[0].entrances} == {"front", "garage"}
        assert (await there.receipt(there.offers(make_offer()))).state == "received"
        assert made.store.deliveries.order("shop.d1") is not None
        assert made.touched == ["front"], "its entrance is told, as of any retailer's message"
        await wait_until(lambda: there.results)
        assert [(one.delivery, one.state) for one in there.results] == [("d1", State.SCHEDULED)]
        await wait_until(lambda: made.store.hub_journal.acknowledged_seq() == made.store.hub_journal.last_seq())


@pytest.mark.parametrize(
    ("speaks", "moved_to"),
    [
        (None, None),
        (b'{"events":2,"wings":3}', "garage"),
        (b'{"events":99}', "garage"),
        (b"{", None),
        (b'{"events":0}', None),
    ],
)
async def test_a_hub_gets_events_in_the_format_that_it_publishes(
    tmp_path: Path, speaks: bytes | None, moved_to: str | None
) -> None:
    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        there.speaks = speaks
        async with at_work(uplink(made, section(broker, tmp_path))):
            await wait_until(lambda: there.hellos)
            await there.receipt(there.offers(make_offer(courier_sha256=None)))
            await wait_until(lambda: there.results)
            made.time.mono += 1.5 * HOUR_S
            place, now = Place(entrance="garage", place="hall"), made.clock.now()
            assert await made.store.deliveries.move("shop.d1", place, Refusal.NOT_READY, now) is not None
            await wait_until(lambda: there.results[-1].state is State.WINDOW_OPEN)
            await wait_until(lambda: made.store.hub_journal.acknowledged_seq() == made.store.hub_journal.last_seq())
        assert there.results[-1].moved_to == moved_to


async def test_a_brand_that_asks_is_told_the_owner_s_word_and_each_later_one(tmp_path: Path) -> None:
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        for brand, key, why in (("shop", "stranger", REASON_UNKNOWN_KEY), ("stranger", "shop", REASON_UNSIGNED)):
            receipt = await there.receipt(there.job(question(brand, key), JobKind.CONNECT))
            assert (receipt.state, receipt.why) == ("refused", why), brand
        assert (await there.receipt(there.job(b"a.b.c", JobKind.CONNECT))).why == REASON_UNREADABLE
        assert there.decisions == []
        assert (await there.receipt(there.job(question("shop", "shop"), JobKind.CONNECT))).state == "received"
        await wait_until(lambda: len(there.decisions) == 1)
        assert (await there.receipt(there.job(question("shop", "shop"), JobKind.CONNECT))).state == "received"
        # Asked again it is told again: another question may wait for it
        await wait_until(lambda: len(there.decisions) == 2)
        assert [(one.brand, one.standing) for one in there.decisions] == [("shop", "granted")] * 2
        assert there.decisions[0].entrances == ("front", "garage")
        await made.store.brands.decide("shop", PermissionStatus.REVOKED, made.clock.now())
        await wait_until(lambda: len(there.decisions) == 3)
        assert there.decisions[2].standing == "revoked"
        assert there.decisions[2].version > there.decisions[0].version


def question(brand: str, key: str) -> bytes:
    """What a hub carries; whose key it is says the hub."""
    shown = RequestedKey(kid="k", x=SECRETS[key].public.text)
    asking = ConsentMessage(
        hub="https://hub.example",
        home=HOME,
        brand=brand,
        name=brand,
        keys=(shown,),
        connection="con-1",
        asked=AskedTerms(carriers=("chronopost",)),
    )
    return sign_consent(asking, BoxKey.generate().sign)


async def test_what_no_receipt_can_be_given_for_is_refused_or_left_for_later(tmp_path: Path) -> None:
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        receipt = await there.receipt(there.job(b"a.b.c", JobKind.OWNER))
        assert (receipt.state, receipt.why) == ("refused", "this box knows no owner yet")
        early = make_claims(make_offer(), aud=HOME, nbf=int(made.time.wall()) + 600)
        later = there.job(sign_claims(early))
        forged = sign_delivery(make_claims(make_offer(), aud=HOME), SECRETS["stranger"], kid="shop-1")
        assert (await there.receipt(there.job(forged))).state == "received", "the answer is on the disk: it is a no"
        assert later not in [one.job for one in there.receipts], "it may be believed later: the hub sends it again"
        await wait_until(lambda: there.results)
        assert [one.code for one in there.results] == ["wrong_signature"]
        made.time.mono += 700
        assert (await there.receipt(there.job(sign_claims(early)))).state == "received"


async def test_a_hub_that_acknowledges_nothing_is_told_the_same_again_after_its_next_hello(tmp_path: Path) -> None:
    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        async with at_work(uplink(made, section(broker, tmp_path))):
            await wait_until(lambda: there.hellos)
            await there.receipt(there.offers(make_offer()))
            await wait_until(lambda: there.kept)
        there.kept.clear()  # the hub was put back from an older copy
        there.tokens.clear()
        async with at_work(uplink(made, section(broker, tmp_path))):
            await wait_until(lambda: len(there.hellos) == 2)
            assert there.hellos[1].events == made.store.hub_journal.last_seq()
            assert [one.delivery for one in there.hellos[1].open] == ["d1"]
            await wait_until(lambda: there.results)
            assert there.results[0].delivery == "d1"


async def test_a_box_whose_hellos_have_no_answer_makes_its_line_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.integrations.hub_client.flow_control.EVENT_BACKOFF", Backoff(0.2, 300.0))
    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        there.keeps = False  # as where a cluster has lost what the box had subscribed to
        async with at_work(uplink(made, section(broker, tmp_path))):
            await wait_until(lambda: [one.again for one in there.hellos].count(False) >= 2)
            assert [one.again for one in there.hellos][:4] == [False, True, True, False]
            there.keeps = True
            await there.receipt(there.offers(make_offer()))


async def test_a_box_that_had_nothing_to_say_for_long_says_hello_once_and_then_sends_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.integrations.hub_client.flow_control.CHECK_INTERVAL_S", QUIET_S)
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: len(there.hellos) == 2)
        await assert_stays(lambda: len(there.hellos) <= 4, 1.5 * QUIET_S)
        await there.receipt(there.offers(make_offer()))
        await wait_until(lambda: there.results)


async def test_a_job_that_the_broker_kept_is_old_news_and_no_job(tmp_path: Path) -> None:
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        kept = there.job(sign_claims(make_claims(make_offer(), aud=HOME)), retain=True)
        assert (await there.receipt(there.offers(make_offer(id="d2", parcels=("P2",))))).state == "received"
        assert kept not in {one.job for one in there.receipts}


async def test_a_hostile_hub_costs_the_box_nothing_but_its_own_line(tmp_path: Path) -> None:
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))) as task,
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        slowest = 0.0

        async def house() -> None:
            """What the house stores meanwhile: a stop, say."""
            nonlocal slowest
            for number in range(20):
                began = time.monotonic()
                await made.store.entrances.set_stop("garage", made.clock.now(), on=number % 2 == 0)
                slowest = max(slowest, time.monotonic() - began)
                await asyncio.sleep(PACE_S)

        with capture_logs() as logged:
            work = asyncio.create_task(house())
            for number in range(150):
                there.job(b"a.b.%d" % number)
                there.say(down_topic(HOME, "ack"), Ack(seq=number + 1, head="f" * 64).model_dump_json().encode())
                there.say(down_topic(HOME, "ack"), b"\xff" * 1000)
                if number % 30 == 0:
                    there.say(down_topic(HOME, "jobs"), b"x" * 60_000)
                    there.say(down_topic(HOME, "jobs"), b'{"job":' * 2000)
                    await asyncio.sleep(PACE_S)
            await work
        assert slowest < 2.0, "a stop waits for no hub"
        assert not task.done()
        told = [one for one in logged if one["event"] == "hub_not_understood"]
        assert len(told) == 1, "once a minute: no hub fills the disk"
        events = made.store.hub_journal.last_seq()
        assert events < 400
        assert (await there.receipt(there.offers(make_offer()))).state == "received", "and it still takes what is true"


async def test_a_hub_that_says_the_same_again_or_goes_back_and_forth_makes_no_box_write(tmp_path: Path) -> None:
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        assert (await there.receipt(there.offers(make_offer()))).state == "received"
        await wait_until(lambda: made.store.hub_journal.acknowledged_seq() == made.store.hub_journal.last_seq() > 1)
        with contextlib.closing(sqlite3.connect(made.home.storage.folder / "perron.sqlite3")) as beside:
            before = beside.execute("PRAGMA data_version").fetchone()
            for number in range(30):
                there.ack(back=number // 10 and number % 2)
                await assert_stays(lambda: beside.execute("PRAGMA data_version").fetchone() == before, PACE_S)


async def test_what_has_more_in_it_than_any_word_of_a_hub_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def noted(text: bytes) -> object:
        seen.append(text)
        return loads(text)

    monkeypatch.setattr(session, "loads", noted)
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        many = b"{" + b",".join(b'"%d":1' % number for number in range(4000)) + b"}"
        for topic in (down_topic(HOME, "jobs"), down_topic(HOME, "ack")):
            for payload in (many, b"[" * 39_000, b'{"job":"' + b"a" * 50_000 + b'"}'):
                there.say(topic, payload)
                await asyncio.sleep(READ_S)
        assert (await there.receipt(there.offers(make_offer()))).state == "received"
        assert max(map(len, seen)) < 5000


async def test_a_hub_s_questions_without_end_are_not_each_an_event_on_the_disk(tmp_path: Path) -> None:
    at = [0.0]
    async with homes_broker(HOME) as broker, made_box(tmp_path) as made:
        where = section(broker, tmp_path)
        taken = job_handlers(
            where, letting=made.reception.permissions, by_hub=made.reception.accept_from_hub,
            hub_signed=made.reception.accept_hub_signed,
            monotonic=lambda: at[0],
        )[JobKind.CONNECT]  # fmt: skip
        job = Job(job="job-1", kind=JobKind.CONNECT, token=question("shop", "shop").decode())
        answers = [await taken(job) for _ in range(MAX_QUESTIONS_PER_HOUR + 1)]
        assert [one is None for one in answers] == [False] * MAX_QUESTIONS_PER_HOUR + [True], "the hub asks again later"
        at[0] = HOUR_S + 1
        assert await taken(job) is not None


async def test_a_certificate_that_cannot_be_read_costs_the_line_and_not_the_box(tmp_path: Path) -> None:
    missing = BrokerTls(ca=tmp_path / "none.pem")
    where = HubSection(url="https://hub.example", home=HOME, host="127.0.0.1", port=1, tls=missing)
    async with made_box(tmp_path) as made:
        with capture_logs() as logged:
            async with at_work(uplink(made, where)) as task:
                await wait_until(lambda: any(one["event"] == "hub_out_of_reach" for one in logged))
                assert not task.done()


async def test_after_a_hand_over_the_line_tells_what_it_owes_takes_no_job_and_ends_for_good(tmp_path: Path) -> None:
    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        where = section(broker, tmp_path)
        async with at_work(uplink(made, where)):
            await wait_until(lambda: there.hellos)
            await there.receipt(there.offers(make_offer(id="d2", parcels=("p2",), courier_sha256="2" * 64)))
            await wait_until(lambda: made.store.hub_journal.acknowledged_seq() == made.store.hub_journal.last_seq())
        await made.store.handover.cancel_open_deliveries(made.clock.now(), by=None)
        there.keeps = False
        async with at_work(uplink(made, where, leaving=True)) as task:
            await wait_until(lambda: len(there.hellos) == 2)
            refused = await there.receipt(there.offers(make_offer(id="d3")))
            assert (refused.state, refused.why) == ("refused", "this house is another household's now")
            there.keeps = True
            there.ack()
            await wait_until(task.done)
            task.result()
        assert there.results[-1].state is State.CANCELLED, "what was promised is withdrawn first"
        assert made.store.hub_journal.last_seq() == 0, "nothing of it is kept for the next household"
        assert made.store.handover.pending_task(TASK_HUB_LEFT) == HOME
        home = made.home.model_copy(update={"hub": where})
        again = build_uplink(home, store=made.store, clock=made.clock, key=made.key,
                       by_hub=made.reception.accept_from_hub, hub_signed=made.reception.accept_hub_signed,
                       letting=made.reception.permissions,
                       monotonic=time.monotonic, reached=lambda _point: None, rewriting=NO_FILE,
                       contained=Containment())  # fmt: skip
        assert again is None


async def test_the_support_code_that_the_hub_tells_is_kept_and_a_changed_one_is_learnt(tmp_path: Path) -> None:
    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        folder = made.home.storage.folder / "hub"
        for code in (new_support_code(), new_support_code()):
            there.support = code
            said = format_support_code(code)
            async with at_work(uplink(made, section(broker, tmp_path))):
                await wait_until(lambda: support_code(folder) == said)  # noqa: B023 - it is waited for here
        there.support = "NOT-A-CODE"
        async with at_work(uplink(made, section(broker, tmp_path))):
            before = len(there.hellos)
            await wait_until(lambda: len(there.hellos) > before)
            await wait_until(lambda: made.store.hub_journal.acknowledged_seq() == made.store.hub_journal.last_seq())
        assert support_code(folder) == format_support_code(code), "what is none is not kept"


async def test_how_the_line_stands_is_told_in_a_file_too(tmp_path: Path) -> None:
    async with made_box(tmp_path) as made:
        folder = made.home.storage.folder / "hub"
        async with homes_broker(HOME) as broker, at_work(uplink(made, section(broker, tmp_path))) as task:
            await wait_until(lambda: (now := read_status(folder)) is not None and now.up)
            await broker.kill()
            await wait_until(lambda: (now := read_status(folder)) is not None and not now.up and now.why is not None)
            assert not task.done()


async def test_a_home_that_the_hub_lets_in_no_longer_knows_it_and_leaves_without_an_answer(tmp_path: Path) -> None:
    async with made_box(tmp_path) as made:
        where = HubSection(url="https://hub.example", home=HOME, host="127.0.0.1", port=1)
        line = uplink(made, where, farewell=CutOff(made.home, where, store=made.store, rewriting=NO_FILE))
        with capture_logs() as logged:
            async with at_work(line) as task:
                await wait_until(lambda: line.status.cut_off)
                await made.store.handover.leave_hub(HOME, made.clock.now(), by="anna")
                line.leave(immediately=False)
                await wait_until(task.done)
                task.result()
        assert [one["event"] for one in logged if one["event"] == "hub_cut_off"] == ["hub_cut_off"], "told once"
        assert made.store.handover.pending_task(TASK_HUB_LEFT) == HOME
        assert made.store.handover.pending_task(TASK_LEAVE_HUB) is None


async def test_whoever_leaves_at_once_waits_for_no_hub(tmp_path: Path) -> None:
    async with made_box(tmp_path) as made:
        line = uplink(made, HubSection(url="https://hub.example", home=HOME, host="127.0.0.1", port=1))
        async with at_work(line) as task:
            line.leave(immediately=False)
            await assert_stays(lambda: not task.done(), OWED_S, "what it owes is to be told")
            line.leave(immediately=True)
            await wait_until(task.done)
            task.result()


class CutOff(Unenrolment):
    """A hub that knows this home no more."""

    async def is_home_accepted(self) -> bool | None:
        return False

"""Exceptions of every kind are thrown into each of the box's workers: what raises ends, and everything else goes on."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, cast

import pytest

from devices.reports import LockReport, LockState
from devices.vendors import VENDORS
from devices.vendors.words import NO_DEVICE_REF
from gateway import app as module
from gateway.app import App
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import State
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.commands import Notification
from gateway.installation.diagnostics.finding import FindingVerdict
from gateway.installation.diagnostics.house import fault_findings
from gateway.integrations.hub_client.session import POLL_INTERVAL_S
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.box_hub import Ack, Job, JobReceipt, SealedQuery, down_topic
from gateway.protocol.delivery_message import verify_delivery
from gateway.runtime import entrance as entrances
from gateway.runtime import scheduler as windows
from gateway.runtime.scheduler import Scheduler
from gateway.storage import rows
from gateway.storage.hub_journal import HubJournal
from gateway.storage.offers import OfferProcessor
from gateway.storage.store import Store
from gateway.system import fault_log
from gateway.system.containment import Containment
from gateway.video.client import VideoClient
from gateway.web.remote.actions import OrderExecutor
from gateway.web.remote.orders import FAILED
from tests.gateway.domain.delivery.shop import NOW, enrolled_keys, make_claims, make_offer, sign_claims
from tests.gateway.integrations.hub_client.test_session import HOME, Hub, at_work, hub, section, uplink
from tests.gateway.test_app import Broker, Video, World, gateway, heard, queries, state
from tests.gateway.web.remote.away import remote_household
from tests.hubs import homes_broker
from tests.raising import ARBITRARY_EXCEPTIONS, ExceptionSource, each_loop_raises_once
from tests.shell.box import ShellBox, run_box, run_tasks
from tests.shell.box import box as made_box
from tests.shell.house import make_home
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _recorders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MqttClient", Broker)
    monkeypatch.setattr(module, "VideoClient", Video)


def poison(monkeypatch: pytest.MonkeyPatch) -> ExceptionSource:
    """Have each promise raise whose id begins with "poison"."""
    raising, answer = ExceptionSource(), OfferProcessor.answer

    def poisoned(self: Any, db: Any, token: Any, verified: Any, now: Any) -> Any:  # noqa: ANN401 - its own arguments
        if verified.delivery.id.startswith("poison"):
            raising.now()
        return answer(self, db, token, verified, now)

    monkeypatch.setattr(OfferProcessor, "answer", poisoned)
    return raising


# ---- the whole gateway ----------------------------------------------------------------------------------------------


async def test_a_message_that_no_decoder_survives_counts_as_missed_and_the_next_one_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, hear = ExceptionSource(), entrances.EntranceActor.on_message

    def poisoned(self: Any, device: str, channel: Any, incoming: Any) -> None:  # noqa: ANN401 - its own arguments
        if incoming.payload == b"poison":
            raising.now()
        hear(self, device, channel, incoming)

    monkeypatch.setattr(entrances.EntranceActor, "on_message", poisoned)
    async with gateway(tmp_path):
        World.broker.on_up(1)
        await wait_until(queries)
        for _ in ARBITRARY_EXCEPTIONS:
            before = len(queries())
            heard("perron/lock/state", b"poison")
            await wait_until(lambda: len(queries()) > before)  # noqa: B023 - waited for in this turn
        (letter,) = VENDORS["somfy"].encode_report(LockReport(bolt=LockState.UNLOCKED), NO_DEVICE_REF)
        heard("perron/lock/state", letter.payload)
        await wait_until(lambda: state()["bolt"] == "unlocked")
    assert raising.raised == len(ARBITRARY_EXCEPTIONS)


async def test_what_was_set_aside_is_told_to_the_owner_once_and_shown_by_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoned(*_: object) -> None:
        raise ValueError("secret of a message")

    monkeypatch.setattr(entrances.EntranceActor, "on_message", poisoned)
    house = make_home(tmp_path)
    async with gateway(tmp_path, house):
        World.broker.on_up(1)
        for _ in range(20):
            heard("perron/lock/state", b"poison")
        await wait_until((house.storage.folder / fault_log.FAULTS_FILE).exists)

        def told() -> int:
            said = [json.loads(one.payload)["about"] for one in World.broker.on("perron/entrance/front/message")]
            return said.count("set_aside")

        await wait_until(told)
        await assert_stays(lambda: told() == 1, 0.1)
    report = fault_log.read_report(house.storage.folder)
    assert report is not None
    assert [(kind.worker, kind.error) for kind in report.kinds] == [("messages", "ValueError")]
    (finding,) = fault_findings(house, report.kinds[0].at)
    assert finding.verdict is FindingVerdict.DOUBTFUL
    assert dict(finding.statement.facts)["workers"] == "messages"


async def test_every_loop_of_a_gateway_that_raises_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = each_loop_raises_once(App, monkeypatch)
    async with gateway(tmp_path):
        World.broker.on_up(1)
        heard("perron/entrance/front/set", b'{"id": "w1", "do": "stop"}')
        await wait_until(lambda: state().get("stopped"))
        await wait_until(lambda: set(begun.values()) == {2})
        assert {"broker", "video", "reception", "office", "archive", "windows"} <= begun.keys()


async def test_only_what_an_entrance_decides_itself_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(entrances, "decide", broken)
    made = App(make_home(tmp_path), free_bytes=lambda: 2**40)
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(20):
            await made.run()
    assert ended.group_contains(ZeroDivisionError)


# ---- retailers and the owner ----------------------------------------------------------------------------------------


async def test_a_retailer_s_message_that_cannot_be_worked_keeps_no_other_from_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = poison(monkeypatch)
    async with made_box(tmp_path) as made, run_box(made):
        for number in range(len(ARBITRARY_EXCEPTIONS)):
            made.reception.submit_test_message(sign_claims(make_claims(make_offer(id=f"poison-{number}"))))
        made.reception.submit_test_message(sign_claims(make_claims(make_offer(id="good"))))
        await wait_until(lambda: made.store.deliveries.order("shop.good") is not None)
        assert raising.raised == len(ARBITRARY_EXCEPTIONS)


async def test_an_owner_s_request_that_cannot_be_worked_is_answered_no_and_the_next_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = ExceptionSource()

    async def poisoned(*_: object, **__: object) -> None:
        raising.now()

    async with made_box(tmp_path) as made, run_box(made):
        monkeypatch.setattr(made.store.brands, "decide", poisoned)
        for number, kind in enumerate(ARBITRARY_EXCEPTIONS):
            wish = json.dumps({"id": f"w{number}", "do": "permit", "brand": "shop"}).encode()
            made.reception.on_owner_message("front", incoming(wish))
            await wait_until(lambda: answered(made, f"w{number}"))  # noqa: B023 - waited for in this turn
            assert not answered(made, f"w{number}")[0]["accepted"], kind
        made.reception.on_owner_message("front", incoming(b'{"id": "home", "do": "home"}'))
        made.reception.on_owner_message("front", incoming(b'{"id": "stop", "do": "stop"}'))
        await wait_until(lambda: answered(made, "home") and answered(made, "stop"))
        assert answered(made, "home")[0]["accepted"]
        assert made.front.is_stopped()


def incoming(payload: bytes) -> Any:  # noqa: ANN401 - a message
    return InboundMessage(topic="perron/entrance/front/set", payload=payload, retain=False, session=1)


def answered(made: ShellBox, id_: str) -> list[dict[str, Any]]:
    said = [json.loads(one.payload) for one in made.line.on("perron/entrance/front/event")]
    return [one for one in said if one.get("kind") == "wish" and one["id"] == id_]


async def test_a_stored_delivery_that_cannot_be_read_is_an_unknown_code_and_all_others_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, read = ExceptionSource(), rows.read_row
    faulty = list[str]()

    def poisoned(raw: Any) -> Any:  # noqa: ANN401 - a row
        if raw["id"] == "poison":
            raising.now()
        return read(raw)

    house = make_home(tmp_path)
    contained = Containment(count=faulty.append)
    store = await Store.open(tmp_path / "perron.sqlite3", home=house, now=NOW, contained=contained)
    try:
        for id_ in ("poison", "good"):
            said = make_offer(id=id_, parcels=(f"PARCEL-{id_}",), courier_sha256=("0" if id_ == "good" else "1") * 64)
            token = sign_claims(make_claims(said))
            await store.deliveries.accept(token, verify_delivery(token, enrolled_keys(), box=house.box, now=NOW), NOW)
        monkeypatch.setattr(rows, "read_row", poisoned)
        for _ in ARBITRARY_EXCEPTIONS:
            assert store.deliveries.matches("PARCEL-poison", now=NOW) == ()
            assert [one.delivery.id for one in store.deliveries.matches("PARCEL-good", now=NOW)] == ["shop.good"]
            assert [one.delivery.id for one in store.deliveries.upcoming("front", NOW)] == ["shop.good"]
            assert [one.delivery for one in store.deliveries.changed_results(NOW)] in (["good"], [])
        assert set(faulty) == {"deliveries"}
    finally:
        await store.close()


async def test_one_entrance_s_rows_that_cannot_be_worked_keep_no_other_entrance_s_windows_shut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = ExceptionSource()
    async with made_box(tmp_path) as made:
        looked = {name: list[e.Event]() for name in made.entrances}
        for name, running_entrance in made.entrances.items():
            monkeypatch.setattr(running_entrance, "post", looked[name].append)
        ups = made.store.deliveries.upcoming

        def poisoned(name: str, now: Any) -> Any:  # noqa: ANN401 - its own arguments
            if name == "front":
                raising.now()
            return ups(name, now)

        monkeypatch.setattr(made.store.deliveries, "upcoming", poisoned)
        monkeypatch.setattr(windows, "POLL_INTERVAL_S", 0.01)
        faulty = list[str]()
        diary = Scheduler(
            made.home, store=made.store, clock=made.clock, entrances=made.entrances,
            cameras=cast("VideoClient", made.eyes), free_bytes=lambda: 2**40, schedule_results=lambda: None,
            containment=Containment(count=faulty.append),
        )  # fmt: skip
        async with run_tasks(diary.run()):
            await wait_until(lambda: raising.raised >= len(ARBITRARY_EXCEPTIONS))
            assert any(isinstance(one, e.WindowChanged) for one in looked["garage"])
        assert len(faulty) >= len(ARBITRARY_EXCEPTIONS)


async def test_a_phone_a_message_a_result_or_a_proof_that_cannot_be_worked_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = ExceptionSource()
    async with made_box(tmp_path) as made:
        send, publish, sealed = made.office._send, made.office._publish_result, list[str]()  # noqa: SLF001 - where faults are thrown in

        async def message(said: Any, *more: Any, **named: Any) -> None:  # noqa: ANN401 - its own
            if said.about is Notification.DOOR_OPEN:
                raising.now()
            await send(said, *more, **named)

        async def result(said: Any) -> None:  # noqa: ANN401 - its own
            if said.delivery == "poison":
                raising.now()
            await publish(said)

        async def seal(visit: str, *_: object) -> bool:
            if visit == "poison":
                raising.now()
            sealed.append(visit)
            return False

        monkeypatch.setattr(made.office, "_send", message)
        monkeypatch.setattr(made.office, "_publish_result", result)
        monkeypatch.setattr(made.archive, "_seal", seal)
        async with run_box(made):
            for id_ in ("poison", "good"):
                said = make_offer(
                    id=id_, parcels=(f"PARCEL-{id_}",), courier_sha256=("0" if id_ == "good" else "1") * 64
                )
                token = sign_claims(make_claims(said))
                await made.store.deliveries.accept(
                    token, verify_delivery(token, enrolled_keys(), box=made.home.box, now=NOW), NOW
                )
            await made.store.brands.decide("shop", PermissionStatus.REVOKED, made.clock.now(), by=None)
            made.office.schedule_results()
            for about in (Notification.DOOR_OPEN, Notification.LIFT_THE_HANDLE):
                tell = c.NotifyOwner(notification=about)
                made.office.notify(tell, made.front.state, made.clock.now(), message=None, picture=None)
            for visit in ("poison", "good"):
                made.archive.seal(c.SealProof(visit=visit, part=1, gaps=()), made.front.state)
            await wait_until(lambda: raising.raised == 3 and sealed and made.line.on("perron/deliveries/result"))
            await wait_until(lambda: made.line.on("perron/entrance/front/message"))
            told = [json.loads(one.payload)["delivery"] for one in made.line.on("perron/deliveries/result")]
        assert sealed == ["good"]
        assert raising.raised == 3
        assert told == ["good"]


# ---- the line to the hub --------------------------------------------------------------------------------------------


async def test_a_job_that_cannot_be_worked_is_refused_and_the_next_one_is_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = poison(monkeypatch)
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))) as task,
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        for number in range(len(ARBITRARY_EXCEPTIONS)):
            receipt = await there.receipt(there.offers(make_offer(id=f"poison-{number}")))
            assert (receipt.state, receipt.why) == ("refused", "this box could not work it")
        assert (await there.receipt(there.offers(make_offer(id="good")))).state == "received"
        assert not task.done()
    assert raising.raised == len(ARBITRARY_EXCEPTIONS)


async def test_a_question_that_cannot_be_answered_keeps_no_other_from_its_answer(tmp_path: Path) -> None:
    raising = ExceptionSource()

    async def answer(asked: SealedQuery) -> str | None:
        if asked.id.startswith("poison"):
            raising.now()
        return "h..i.c.t"

    async def take(job: Job) -> JobReceipt:
        return JobReceipt(job=job.job, state="received")

    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        line = uplink(made, section(broker, tmp_path))
        line.serve(on_owner_job=take, on_question=answer)
        async with at_work(line) as task:
            await wait_until(lambda: there.hellos)
            for number in range(len(ARBITRARY_EXCEPTIONS)):
                put(there, f"poison-{number}")
            await wait_until(lambda: raising.raised == len(ARBITRARY_EXCEPTIONS))
            put(there, "good")
            await wait_until(lambda: there.answers)
            assert not task.done()


def put(there: Hub, id_: str) -> None:
    asked = SealedQuery(via="hub-1", id=id_, browser=f"brw-{1:032x}", sealed="h..i.c.t")
    there.say(down_topic(HOME, "ask"), asked.model_dump_json().encode())


async def test_what_cannot_be_told_to_the_hub_keeps_nothing_else_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, delivery = ExceptionSource(), HubJournal._write_delivery  # noqa: SLF001 - where the fault is thrown in

    def poisoned(self: Any, *given: Any) -> int:  # noqa: ANN401 - its own arguments
        if given[3].startswith("shop.poison"):
            raising.now()
        return delivery(self, *given)

    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))) as task,
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        for number, id_ in enumerate(("poison-1", "good", "poison-2")):
            said = make_offer(id=id_, parcels=(f"PARCEL{number}",), courier_sha256=f"{number:064x}")
            await there.receipt(there.offers(said))
        monkeypatch.setattr(HubJournal, "_write_delivery", poisoned)
        await made.store.brands.decide("shop", PermissionStatus.REVOKED, made.clock.now(), by=None)
        await made.store._writer.do(lambda db: db.execute("UPDATE uplink_delivery SET look_at = 0").rowcount)  # noqa: SLF001 - their time has come
        await wait_until(lambda: any((one.delivery, one.state) == ("good", State.REFUSED) for one in there.results))
        await assert_stays(lambda: not task.done() and raising.raised <= 8, 2 * POLL_INTERVAL_S + 0.2)
    assert 2 <= raising.raised <= 8, "what cannot be told is put off, and not tried again at each look"


async def test_an_acknowledgement_that_cannot_be_worked_ends_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = ExceptionSource()
    async with homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there:
        monkeypatch.setattr("gateway.integrations.hub_client.session.STORE_RETRY_DELAY_S", 0.02)
        async with at_work(uplink(made, section(broker, tmp_path))) as task:
            await wait_until(lambda: there.hellos)
            follows = made.store.hub_journal.is_same_chain

            def poisoned(ack: Ack) -> bool:
                if raising.raised < len(ARBITRARY_EXCEPTIONS):
                    raising.now()
                return follows(ack)

            monkeypatch.setattr(made.store.hub_journal, "is_same_chain", poisoned)
            deadline = time.monotonic() + 20
            while raising.raised < len(ARBITRARY_EXCEPTIONS):
                assert time.monotonic() < deadline
                there.say(down_topic(HOME, "ack"), Ack(seq=0, head="0" * 64).model_dump_json().encode())
                await asyncio.sleep(0.05)
            assert (await there.receipt(there.offers(make_offer(id="good")))).state == "received"
            await wait_until(lambda: there.results)
            assert not task.done()


# ---- orders from afar -----------------------------------------------------------------------------------------------


async def test_an_order_that_cannot_be_done_is_noted_as_failed_and_the_next_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising, do = ExceptionSource(), OrderExecutor.execute

    async def poisoned(self: OrderExecutor, order: Any, by: str) -> str | None:  # noqa: ANN401 - any order
        if order.do == "lock":
            raising.now()
        return await do(self, order, by)

    monkeypatch.setattr(OrderExecutor, "execute", poisoned)
    async with remote_household(tmp_path) as here:
        for _ in ARBITRARY_EXCEPTIONS:
            assert await here.orders("lock", entrance="front") is None
            became = await here.became()
            assert (became.state, became.why) == ("failed", FAILED)
        assert here.made.store.browsers.unfinished_orders() == (), "no start does it again"
        assert await here.orders("stop") is None
        await wait_until(here.made.front.is_stopped)
    assert raising.raised == len(ARBITRARY_EXCEPTIONS)

"""What an entrance's commands do in the world, and above all when an unlock does not leave."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import aiomqtt
import pytest

from devices.commands import LockDoor, QueryState, SetSignal, ShowResult, UnlockDoor
from devices.reports import DoorState, LockState
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import KeyedDoor, Strike
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, Fact
from gateway.domain.visit.state import Entrance, Phase
from gateway.evidence.archive import Archive
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import Acknowledgement, NotSent
from gateway.runtime.effects import CommandExecutor
from gateway.runtime.notifications.outbox import Outbox
from gateway.system.mqtt_settings import BrokerSection
from gateway.video.client import VideoClient
from gateway.video.ipc import ClipKey
from tests.gateway.domain.delivery.shop import NOON
from tests.house.door import is_closed, is_locked, proven_door
from tests.mosquitto import mosquitto
from tests.shell.box import run_tasks
from tests.shell.house import VISIT, entrance_in_visit, make_home
from tests.shell.parts import FakeCameras, FakePublisher, ManualTime, PublishedMessage
from tests.waiting import wait_until

CLIP = ClipKey(visit=VISIT, part=1)
UNLOCK = c.Unlock(closure="door", visit=VISIT, life=5)


@dataclass
class Told:
    """What was handed on to office and archive."""

    said: list[tuple[object, ...]] = field(default_factory=list)

    def notify(
        self, command: c.NotifyOwner | c.RaiseAlarm, state: Entrance, now: Now, *, message: int | None, picture: object
    ) -> None:
        self.said.append(("tell", command, state.id, now.mono, message, picture is not None))

    def schedule_results(self) -> None:
        self.said.append(("owed",))

    def on_film_end(self, command: c.StopRecording, now: Now) -> None:
        self.said.append(("film_ends", command, now.mono))

    def seal(self, command: c.SealProof, state: Entrance) -> None:
        self.said.append(("seal", command, state.id))


class Bench:
    """One entrance's hands, and all they can touch."""

    def __init__(self, house: Home) -> None:
        self.home = house
        self.time, self.line, self.eyes, self.told = ManualTime(), FakePublisher(), FakeCameras(), Told()
        self.events: list[e.Event] = []
        self.points: list[str] = []
        self.stop = False
        self.bad_news: set[str] = set()
        self.clock = self.time.clock()
        self.hands = CommandExecutor(
            self.home,
            "front",
            publisher=self.line,
            cameras=cast("VideoClient", self.eyes),
            outbox=cast("Outbox", self.told),
            archive=cast("Archive", self.told),
            clock=self.clock,
            post=self.events.append,
            is_stopped=lambda: self.stop,
            has_turned_bad=lambda sensors: not self.bad_news.isdisjoint(sensors),
            crash_point=self.points.append,
        )
        self.state = entrance_in_visit(self.home)
        self.all_well()

    def all_well(self) -> None:
        """Both cameras film this visit live; only the one that sees the courier has to move."""
        self.eyes.see("cam", self.time.mono, CLIP)
        self.eyes.see("hall", self.time.mono, CLIP, moving=False)

    def do(self, command: c.Command, *, decided: float | None = None) -> None:
        now = self.clock.now()
        self.hands.perform(command, self.state, now if decided is None else replace(now, mono=decided))
        self.hands.announce(command, self.state, now)
        self.hands.publish_now()

    def do_without_broker(self, command: c.Command) -> None:
        """Perform a command while the broker is not there."""
        self.line.cut()
        self.do(command)
        self.line.mend()

    def show(self, state: Entrance) -> None:
        """Publish a state, and do not wait for the next."""
        self.hands.publish_state(state, self.clock.now())
        self.hands.publish_now()

    def to_the_lock(self) -> list[PublishedMessage]:
        return self.line.on("perron/lock/set")


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    return Bench(make_home(tmp_path))


def read(one: PublishedMessage, vendor: str = "somfy") -> Any:  # noqa: ANN401 - a command
    return VENDORS[vendor].decode_command(TopicSuffix.SET, one.payload)


# ---- an unlock that leaves -------------------------------------------------------------------------------------------


async def test_when_all_is_well_one_unlock_leaves_now_or_never(bench: Bench) -> None:
    bench.do(UNLOCK)
    (one,) = bench.to_the_lock()
    assert one.fields == {
        "expiry": 5,
        "correlation": VISIT.encode(),
        "immediate": True,
    }  # and so QoS 1, not retained: what `publish` does unless told otherwise
    unlock = read(one)
    assert isinstance(unlock, UnlockDoor)
    assert (unlock.id, unlock.intent) == (VISIT, VISIT)
    assert (unlock.issued_at, unlock.expires_at) == (NOON, NOON + timedelta(seconds=5))
    assert bench.events == [e.UnlockPublished(visit=VISIT, at=NOON)]
    assert [json.loads(said.payload)["kind"] for said in bench.line.on("perron/entrance/front/event")] == ["unlock"]


async def test_the_points_around_an_unlock_are_named_in_their_order(bench: Bench) -> None:
    bench.line.slow = True
    bench.do(UNLOCK)
    assert bench.points == ["before-publish", "after-publish"]
    bench.line.waiting[0].set_result(Acknowledgement(code=0, seconds=0.1))
    await bench.line.waiting[0]
    await _turn()
    assert bench.points[2:] == ["after-acknowledgement"]


async def test_a_broker_that_is_lost_has_acknowledged_nothing(bench: Bench) -> None:
    bench.line.slow = True
    bench.do(UNLOCK)
    bench.line.cut()
    await _turn()
    assert bench.points == ["before-publish", "after-publish"]
    # It may still arrive: the gateway does not report that it was not sent
    assert bench.events == [e.UnlockPublished(visit=VISIT, at=NOON)]


async def test_an_unlock_carries_the_locks_own_countdown(bench: Bench) -> None:
    bench.hands.record_uptime("lock", "boot-a", 50_000, bench.time.mono - 10)
    bench.do(UNLOCK)
    unlock = read(bench.to_the_lock()[0])
    assert (unlock.boot, unlock.until_ms) == ("boot-a", 50_000 + 10_000 + 5_000)


async def test_the_newest_countdown_counts_and_none_of_another_lock(bench: Bench) -> None:
    bench.hands.record_uptime("garage-lock", "boot-g", 7, bench.time.mono)
    bench.do(UNLOCK)
    assert (read(bench.to_the_lock()[0]).boot, read(bench.to_the_lock()[0]).until_ms) == (None, None)
    bench.hands.record_uptime("lock", "boot-a", 50_000, bench.time.mono)
    bench.hands.record_uptime("lock", "boot-b", 1_000, bench.time.mono)  # it has just booted
    bench.hands.record_uptime("lock", None, 9_000, bench.time.mono)  # half a countdown is none
    bench.do(UNLOCK)
    assert (read(bench.to_the_lock()[1]).boot, read(bench.to_the_lock()[1]).until_ms) == ("boot-b", 6_000)


# ---- an unlock that is held back -------------------------------------------------------------------------------------


def old(bench: Bench) -> None:
    bench.eyes.see("hall", bench.time.mono - 0.51, CLIP, moving=False)


def missing(bench: Bench) -> None:
    del bench.eyes.proofs["hall"]


def dead(bench: Bench) -> None:
    bench.eyes.see("hall", bench.time.mono, CLIP, live=False)


def still(bench: Bench) -> None:
    bench.eyes.see("cam", bench.time.mono, CLIP, moving=False)


def unrecorded(bench: Bench) -> None:
    bench.eyes.see("cam", bench.time.mono)


def of_another_visit(bench: Bench) -> None:
    bench.eyes.see("cam", bench.time.mono, ClipKey(visit="other", part=1), ClipKey(visit=VISIT, part=2))


def stopped(bench: Bench) -> None:
    bench.stop = True


def without_a_broker(bench: Bench) -> None:
    bench.line.refuses = lambda topic, _: NotSent.NO_BROKER if topic.endswith("lock/set") else None


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (old, e.UnsentReason.PROOF_TOO_OLD),
        (missing, e.UnsentReason.PROOF_TOO_OLD),
        (dead, e.UnsentReason.PROOF_TOO_OLD),
        (still, e.UnsentReason.PROOF_TOO_OLD),
        (unrecorded, e.UnsentReason.PROOF_TOO_OLD),
        (of_another_visit, e.UnsentReason.PROOF_TOO_OLD),
        (stopped, e.UnsentReason.STOP),
        (without_a_broker, e.UnsentReason.BROKER),
    ],
)
async def test_an_unlock_is_held_back(bench: Bench, fault: Callable[[Bench], None], why: str) -> None:
    fault(bench)
    bench.do(UNLOCK)
    assert bench.events == [e.UnlockNotSent(visit=VISIT, why=why)]
    assert bench.to_the_lock() == []
    assert "after-publish" not in bench.points
    (said,) = bench.line.on("perron/entrance/front/event")
    assert json.loads(said.payload).items() >= {"kind": "held_back", "why": why, "visit": VISIT}.items()


@pytest.mark.parametrize("closure", ["door", "attic"])
async def test_an_order_to_a_closure_that_no_device_opens_is_held_back(bench: Bench, closure: str) -> None:
    rules = bench.state.rules
    keyed = KeyedDoor(id="door", devices={"door": "door"})
    bench.state = replace(bench.state, rules=replace(rules, closures=(keyed,)))
    bench.do(c.Unlock(visit=VISIT, closure=closure, life=5))
    assert bench.events == [e.UnlockNotSent(visit=VISIT, closure=closure, why=e.UnsentReason.NO_DEVICE)]
    bench.do(c.Lock(visit=VISIT, closure=closure, attempt=1, life=5))
    assert [one.topic for one in bench.line.sent if one.topic.endswith("/set")] == []


async def test_a_proof_of_half_a_second_is_young_enough(bench: Bench) -> None:
    bench.eyes.see("hall", bench.time.mono - 0.5, CLIP, moving=False)
    bench.do(UNLOCK)
    assert len(bench.to_the_lock()) == 1


async def test_a_slow_commit_does_not_prolong_the_order(bench: Bench) -> None:
    bench.hands.record_uptime("lock", "boot-a", 50_000, bench.time.mono - 10)
    bench.do(UNLOCK, decided=bench.time.mono - 3.0)
    (one,) = bench.to_the_lock()
    unlock = read(one)
    assert isinstance(unlock, UnlockDoor)
    assert unlock.expires_at == NOON + timedelta(seconds=2), "five seconds after the decision"
    assert unlock.until_ms == 50_000 + 10_000 + 2_000
    assert one.fields["expiry"] == 2


@pytest.mark.parametrize(("seconds", "leaves"), [(4.0, True), (4.01, False)])
async def test_a_commit_that_took_nearly_the_commands_life_opens_nothing(
    bench: Bench, seconds: float, *, leaves: bool
) -> None:
    bench.do(UNLOCK, decided=bench.time.mono - seconds)
    assert len(bench.to_the_lock()) == leaves
    (event,) = bench.events
    expected = e.UnlockPublished if leaves else e.UnlockNotSent
    assert isinstance(event, expected)
    assert leaves or event == e.UnlockNotSent(visit=VISIT, why=e.UnsentReason.EXPIRED)


async def test_an_entrance_without_any_camera_proof_opens_nothing(bench: Bench) -> None:
    bench.eyes.proofs.clear()  # the video process is gone
    bench.do(UNLOCK)
    assert bench.events == [e.UnlockNotSent(visit=VISIT, why=e.UnsentReason.PROOF_TOO_OLD)]


# ---- the other commands ----------------------------------------------------------------------------------------------


async def test_each_lock_command_has_an_id_of_its_own(bench: Bench) -> None:
    bench.hands.record_uptime("lock", "boot-a", 50_000, bench.time.mono)
    for n in (1, 2, 3):
        bench.do(c.Lock(closure="door", visit=VISIT, attempt=n, life=5))
    sent = [read(one) for one in bench.to_the_lock()]
    assert all(isinstance(one, LockDoor) for one in sent)
    assert len({one.id for one in sent}) == 3
    assert {(one.intent, one.boot, one.until_ms) for one in sent} == {(VISIT, "boot-a", 55_000)}
    assert [one.fields["correlation"].decode() for one in bench.to_the_lock()] == [one.id for one in sent]
    assert not any("immediate" in one.fields for one in bench.to_the_lock())


async def test_a_lock_is_sent_though_stopped_and_blind(bench: Bench) -> None:
    bench.stop = True
    bench.eyes.proofs.clear()
    bench.do(c.Lock(closure="door", visit=VISIT, attempt=1, life=5))
    assert len(bench.to_the_lock()) == 1


@pytest.mark.parametrize("device", ["lock", "door"])
async def test_a_query_carries_session_and_number_and_where_to_answer(bench: Bench, device: str) -> None:
    bench.do(c.QuerySensor(sensor=device, session=7, number=12))
    (one,) = bench.line.on(f"perron/{device}/get")
    assert isinstance(VENDORS["somfy"].decode_command(TopicSuffix.GET, one.payload), QueryState)
    assert one.fields["correlation"] == b"7:12"
    assert one.fields["response_topic"] == f"perron/{device}/result"


async def test_a_devices_own_topics_are_used(tmp_path: Path) -> None:
    devices = make_home(tmp_path).devices
    lock = devices["lock"].model_copy(update={"topics": {TopicSuffix.GET: "zigbee/lock/get"}})
    bench = Bench(make_home(tmp_path).model_copy(update={"devices": {**devices, "lock": lock}}))
    bench.do(c.QuerySensor(sensor="lock", session=1, number=1))
    assert [one.topic for one in bench.line.sent] == ["zigbee/lock/get"]


async def test_the_rings_confirmation_counts_once_and_only_for_the_newest_ring(bench: Bench) -> None:
    bench.do(c.RingBell(visit="first"))
    bench.do(c.RingBell(visit="second"))
    first, second = (read(one, "signal") for one in bench.line.on("perron/signal/set"))
    assert isinstance(second, SetSignal)
    assert (second.light, second.sound) == ("amber", "ring")
    assert bench.hands.take_ringing_visit(first.id) is None
    assert bench.hands.take_ringing_visit("of-nobody") is None
    assert bench.hands.take_ringing_visit(second.id) == "second"
    assert bench.hands.take_ringing_visit(second.id) is None


async def test_a_scanner_shows_the_answer_and_a_camera_that_read_a_label_is_not_asked_to(bench: Bench) -> None:
    bench.do(c.AnswerScan(scan="s1", scanner="scanner", answer=c.ScanAnswer.NO, refusal=Refusal.UNKNOWN_CODE))
    bench.do(c.AnswerScan(scan="s2", scanner="cam", answer=c.ScanAnswer.WAIT))
    (one,) = bench.line.on("perron/scanner/set")
    assert read(one, "scanner") == ShowResult(word="no")
    assert b"unknown" not in one.payload  # one neutral word at the door
    told = [json.loads(said.payload) for said in bench.line.on("perron/entrance/front/event")]
    assert [(one["kind"], one["word"], one["refusal"]) for one in told] == [
        ("answer", "no", "unknown_code"),
        ("answer", "wait", None),
    ]
    assert len({one["event_id"] for one in told}) == 2
    assert {(one["entrance"], one["visit"]) for one in told} == {("front", VISIT)}


def no(scan: str, scanner: str = "scanner") -> c.AnswerScan:
    return c.AnswerScan(scan=scan, scanner=scanner, answer=c.ScanAnswer.NO, refusal=Refusal.NOT_READY)


async def test_a_no_that_the_broker_did_not_accept_is_said_once_in_the_next_session(bench: Bench) -> None:
    bench.do_without_broker(no("s1"))
    bench.hands.on_connected(1)
    bench.hands.on_connected(1)
    bench.hands.publish_now()
    (shown,) = bench.line.on("perron/scanner/set")
    assert read(shown, "scanner") == ShowResult(word="no")
    (event,) = (json.loads(one.payload) for one in bench.line.on("perron/entrance/front/event"))
    assert (event["kind"], event["word"], event["visit"], event["scan"]) == ("answer", "no", VISIT, "s1")


async def test_a_no_is_announced_once_if_the_broker_comes_before_its_event_left(bench: Bench) -> None:
    bench.line.cut()
    now = bench.clock.now()
    bench.hands.perform(no("s1"), bench.state, now)
    bench.hands.announce(no("s1"), bench.state, now)
    bench.line.mend()
    bench.hands.on_connected(1)
    bench.hands.publish_now()
    bench.hands.on_connected(1)
    bench.hands.publish_now()
    assert len(bench.line.on("perron/scanner/set")) == 1
    (event,) = (json.loads(one.payload) for one in bench.line.on("perron/entrance/front/event"))
    assert (event["kind"], event["word"], event["scan"]) == ("answer", "no", "s1")


async def test_the_refusal_of_a_camera_or_robot_is_announced_in_the_next_session_too(bench: Bench) -> None:
    bench.do_without_broker(no("s1", scanner="cam"))
    bench.hands.on_connected(1)
    bench.hands.publish_now()
    (event,) = (json.loads(one.payload) for one in bench.line.on("perron/entrance/front/event"))
    assert (event["scanner"], event["refusal"]) == ("cam", "not_ready")
    assert bench.line.on("perron/scanner/set") == []


async def test_neither_an_old_event_of_a_no_nor_one_that_a_later_answer_replaced_is_announced(bench: Bench) -> None:
    bench.do_without_broker(no("s1"))
    bench.time.mono += 61
    bench.hands.on_connected(1)
    bench.hands.publish_now()
    assert bench.line.on("perron/entrance/front/event") == []
    bench.do_without_broker(no("s2"))
    bench.do(c.AnswerScan(scan="s3", scanner="scanner", answer=c.ScanAnswer.WAIT))
    bench.hands.on_connected(1)
    bench.hands.publish_now()
    told = [json.loads(one.payload) for one in bench.line.on("perron/entrance/front/event")]
    assert [(event["word"], event["scan"]) for event in told] == [("wait", "s3")]


async def test_neither_an_old_no_nor_a_go_nor_what_a_later_answer_replaced_is_repeated(bench: Bench) -> None:
    bench.do_without_broker(c.AnswerScan(scan="s1", scanner="scanner", answer=c.ScanAnswer.GO))
    bench.hands.on_connected(1)
    assert bench.line.on("perron/scanner/set") == []
    bench.do_without_broker(no("s2"))
    bench.time.mono += 61
    bench.hands.on_connected(1)
    assert bench.line.on("perron/scanner/set") == []
    bench.do_without_broker(no("s3"))
    bench.do(c.AnswerScan(scan="s4", scanner="scanner", answer=c.ScanAnswer.WAIT))
    bench.hands.on_connected(1)
    assert [read(one, "scanner").word for one in bench.line.on("perron/scanner/set")] == ["wait"]


async def test_all_cameras_of_the_entrance_film_into_the_visits_folder(bench: Bench) -> None:
    bench.do(c.StartRecording(visit=VISIT, part=2))
    bench.do(c.StopRecording(visit=VISIT, part=2, keep=True))
    key = ClipKey(visit=VISIT, part=2)
    assert bench.eyes.filmed == [(key, ("cam", "hall"), f"visits/{VISIT}")]
    assert bench.eyes.finished == [(key, True)]
    assert bench.told.said == [("film_ends", c.StopRecording(visit=VISIT, part=2, keep=True), bench.time.mono)]


async def test_seal_words_and_results_are_handed_on(bench: Bench) -> None:
    seal = c.SealProof(visit=VISIT, part=1, gaps=())
    tell = c.NotifyOwner(notification=c.Notification.LOCKED_AGAIN, picture=True)
    alarm = c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED)
    result = c.ReportParcelResult(visit=VISIT, delivery="shop.d1", outcome=Outcome.DELIVERED)
    now = bench.clock.now()
    bench.hands.perform(tell, bench.state, now, message=41)
    for command in (
        alarm,
        seal,
        result,
        c.LogNote(what="household_use"),
        c.ConsumeOpening(visit=VISIT, delivery="shop.d1"),
    ):
        bench.do(command)
    assert bench.told.said == [
        ("tell", tell, "front", now.mono, 41, True),
        ("tell", alarm, "front", now.mono, None, False),
        ("seal", seal, "front"),
        ("owed",),
    ]
    kinds = [json.loads(said.payload)["kind"] for said in bench.line.on("perron/entrance/front/event")]
    assert kinds == ["alarm", "seal", "outcome", "note", "spend"]


# ---- what is shown ---------------------------------------------------------------------------------------------------


def shown(bench: Bench) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in bench.line.on("perron/entrance/front/state")]


async def test_the_state_is_published_retained_and_only_when_it_has_changed(bench: Bench) -> None:
    for _ in range(3):
        bench.show(bench.state)
        bench.time.mono += 1
    assert [(one["phase"], one["visit"], one["locked"]) for one in shown(bench)] == [("unlocking", VISIT, False)]
    assert bench.line.on("perron/entrance/front/state")[0].fields == {"retain": True}
    bench.show(replace(bench.state, away=True))
    assert [one["away"] for one in shown(bench)] == [False, True]


async def test_a_new_broker_session_is_shown_the_state_again(bench: Bench) -> None:
    bench.show(bench.state)
    bench.hands.on_connected(1)
    bench.show(bench.state)
    assert len(shown(bench)) == 2


async def test_a_state_that_could_not_be_sent_is_sent_with_the_next_decision(bench: Bench) -> None:
    bench.line.refuses = lambda _topic, _payload: NotSent.BLOCKED
    bench.show(bench.state)
    bench.line.mend()
    bench.show(bench.state)
    assert len(shown(bench)) == 1
    (event,) = bench.line.on("perron/entrance/front/event")
    assert json.loads(event.payload)["phase"] == "unlocking"


async def test_of_several_states_in_a_moment_the_last_leaves_and_each_phase_is_told(bench: Bench) -> None:
    for phase in (Phase.UNLOCKING, Phase.UNLOCKED, Phase.INSIDE):
        state = replace(bench.state, visit=replace(_visit(bench), phase=phase))
        bench.hands.publish_state(state, bench.clock.now())
    bench.hands.announce(c.LogNote(what="later"), bench.state, bench.clock.now())
    assert bench.line.sent == [], "an unlock of this turn leaves before them"
    await wait_until(lambda: bench.line.on("perron/entrance/front/event"))
    assert [one["phase"] for one in shown(bench)] == ["inside"]
    events = [json.loads(one.payload) for one in bench.line.on("perron/entrance/front/event")]
    assert [event.get("phase", event["kind"]) for event in events] == ["unlocking", "unlocked", "inside", "note"]


async def test_a_broker_keeps_the_last_of_many_states_and_learns_soon_that_it_is_not_locked(
    bench: Bench, tmp_path: Path
) -> None:
    topic = "perron/entrance/front/state"
    heard: list[dict[str, Any]] = []
    secured = replace(bench.state, visit=None, facts=proven_door())
    opened = replace(secured, facts=proven_door(Fact(value=LockState.UNLOCKED, proven=True)))
    accounts = {"gateway": "secret", "owner": "word"}
    (tmp_path / "word").write_text(accounts["gateway"])
    rights = f"user gateway\ntopic write {topic}\nuser owner\ntopic read {topic}\n"
    async with (
        mosquitto(accounts, rights) as broker,
        aiomqtt.Client("127.0.0.1", broker.port, username="owner", password=accounts["owner"]) as owner,
    ):

        async def number() -> int:
            return 1

        async def listen() -> None:
            async for message in owner.messages:
                assert isinstance(message.payload, bytes)
                heard.append(json.loads(message.payload))

        up = asyncio.Event()
        line = MqttClient(
            broker=BrokerSection(port=broker.port, username="gateway", password_file=tmp_path / "word"),
            subscriptions=(), session_number=number, on_message=lambda _incoming: None,
            on_up=lambda _session: up.set(), on_down=lambda _why: None, on_missed=lambda _topic: None,
            monotonic=time.monotonic,
        )  # fmt: skip
        bench.hands.publisher = line
        await owner.subscribe(topic, 1)
        async with run_tasks(line.run(), listen()):
            await up.wait()
            for away in (True, False) * 10:
                bench.hands.publish_state(replace(secured, away=away), bench.clock.now())
            await wait_until(lambda: heard)
            assert [(one["away"], one["locked"]) for one in heard] == [(False, True)]
            bench.hands.publish_state(opened, bench.clock.now())
            bench.hands.publish_state(replace(opened, away=True), bench.clock.now())
            await wait_until(lambda: len(heard) > 1)
            assert [(one["away"], one["locked"]) for one in heard[1:]] == [(True, False)]


async def test_a_change_of_phase_is_an_event(bench: Bench) -> None:
    bench.show(bench.state)
    bench.show(replace(bench.state, visit=replace(_visit(bench), phase=Phase.INSIDE)))
    bench.show(replace(bench.state, visit=None))
    events = [json.loads(one.payload) for one in bench.line.on("perron/entrance/front/event")]
    assert [event["phase"] for event in events] == ["unlocking", "inside", "ready"]
    assert not any("closure" in event for event in events), "the only door needs no name"


async def test_a_phase_at_one_of_several_closures_names_it(bench: Bench) -> None:
    street = Strike(id="street", devices={"order": "street-strike", "door": "street-contact"})
    rules = replace(bench.state.rules, closures=(street, *bench.state.rules.closures))
    visit = replace(_visit(bench), route=("street", MAIN_CLOSURE))
    for phase, stage in ((Phase.RINGING, 0), (Phase.UNLOCKED, 0), (Phase.ADVANCING, 0), (Phase.INSIDE, 1)):
        there = replace(visit, phase=phase, entry=replace(visit.entry, stage=stage))
        bench.show(replace(bench.state, rules=rules, visit=there))
    events = [json.loads(one.payload) for one in bench.line.on("perron/entrance/front/event")]
    assert [(event["phase"], event.get("closure")) for event in events] == [
        ("ringing", None), ("unlocked", "street"), ("advancing", MAIN_CLOSURE), ("inside", MAIN_CLOSURE),
    ]  # fmt: skip


@pytest.mark.parametrize("bolt", LockState)
@pytest.mark.parametrize("door", DoorState)
@pytest.mark.parametrize("proven", [True, False])
async def test_locked_and_closed_are_shown_only_when_the_rules_say_so(
    bench: Bench, bolt: LockState, door: DoorState, *, proven: bool
) -> None:
    state = replace(bench.state, facts=proven_door(Fact(value=bolt, proven=proven), Fact(value=door, proven=proven)))
    bench.show(state)
    (said,) = shown(bench)
    assert said["locked"] is is_locked(state)
    assert (said["bolt"] == "locked") is is_locked(state)
    assert said["closed"] is is_closed(state)
    assert (said["door"] == "closed") is is_closed(state)
    if bolt is not LockState.LOCKED:
        assert said["bolt"] == bolt.value  # bad news needs no proof


def _visit(bench: Bench) -> Any:  # noqa: ANN401 - the visit
    assert bench.state.visit is not None
    return bench.state.visit


async def _turn() -> None:
    """Let callbacks run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)

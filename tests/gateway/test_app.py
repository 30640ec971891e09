"""The gateway as a whole, with a line and cameras that only record: who hears what, and how it begins and ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from devices.reports import DoorbellPressed, DoorReport, DoorState, LockReport, LockState, Report, ScanReport
from devices.vendors import VENDORS
from devices.vendors.words import NO_DEVICE_REF
from gateway import app as module
from gateway.app import App
from gateway.config.home import Home, MessagesSection, PagesSection
from gateway.domain.delivery.promise import Window
from gateway.domain.guests.passes import Stay
from gateway.domain.now import Now
from gateway.evidence.checkpoint import sign_checkpoint
from gateway.mqtt.packets import InboundMessage, NotSent
from gateway.protocol.hash_chain import ChainHead
from gateway.protocol.keys import BoxKey
from gateway.runtime.maintenance.instance_lock import FolderInUse
from gateway.storage.box import BoxState
from gateway.storage.entrances import Entrances
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.clock_settings import ClockSection
from gateway.system.config_section import ConfigError
from gateway.video.ipc import BarcodeRead, CameraProof, ClipKey, PrivatePeriod, VideoHello
from tests.gateway.domain.delivery.shop import NOW, make_claims, make_offer, sign_claims
from tests.shell.house import home_without_permission, make_home
from tests.shell.parts import FakeCameras, FakePublisher
from tests.shell.receiver import SECRET_TOKEN, receiver
from tests.waiting import wait_until


class Broker(FakePublisher):
    """The line's other end, in a test's hands."""

    is_refused = False

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - what `Mqtt` is given
        super().__init__()
        self.on_message: Callable[[InboundMessage], None] = given["on_message"]
        self.on_up: Callable[[int], None] = given["on_up"]
        self.on_down: Callable[[str], None] = given["on_down"]
        self.on_missed: Callable[[str], None] = given["on_missed"]
        World.broker = self
        World.made.append(self)

    async def run(self) -> None:
        await asyncio.Event().wait()


class Video(FakeCameras):
    """The video process, in a test's hands."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - what `VideoLink` is given
        super().__init__()
        self.on_event: Callable[[Any], None] = given["on_event"]
        self.configure = given["configure"]
        self.private: tuple[PrivatePeriod, ...] = ()
        World.video = self
        World.made.append(self)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def set_private(self, periods: tuple[PrivatePeriod, ...]) -> None:
        self.private = periods


class World:
    """What the app made last."""

    made: ClassVar[list[object]] = []
    broker: ClassVar[Broker]
    video: ClassVar[Video]


@pytest.fixture(autouse=True)
def _recorders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "MqttClient", Broker)
    monkeypatch.setattr(module, "VideoClient", Video)
    before = os.umask(0o022)
    yield
    os.umask(before)


@asynccontextmanager
async def gateway(folder: Path, house: Home | None = None) -> AsyncIterator[App]:
    """A gateway that runs until it is told to end, and then ends without an error."""
    made = App(house or make_home(folder), free_bytes=lambda: 2**40)
    World.made.clear()
    work = asyncio.create_task(made.run())
    await wait_until(lambda: work.done() or made.started.is_set())
    await asyncio.sleep(0)  # the tasks that it has created begin
    try:
        yield made
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await work


def let_others_enter(folder: Path) -> None:
    folder.chmod(0o755)


def what_others_may(folder: Path) -> dict[str, int]:
    """The rights that not the box's user alone has, of each file."""
    return {path.name: path.stat().st_mode & 0o077 for path in folder.rglob("*")}


def heard(topic: str, payload: bytes, *, retain: bool = False) -> None:
    World.broker.on_message(InboundMessage(topic=topic, payload=payload, retain=retain, session=1))


def state(name: str = "front") -> dict[str, Any]:
    said = World.broker.on(f"perron/entrance/{name}/state")
    shown: dict[str, Any] = json.loads(said[-1].payload) if said else {}
    return shown


def queries(device: str = "lock") -> list[bytes]:
    return [one.fields["correlation"] for one in World.broker.on(f"perron/{device}/get")]


async def test_a_broker_session_is_asked_for_everything_and_shown_everything(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        World.broker.on_up(7)
        await wait_until(lambda: queries() and state().get("connected"))
        assert queries()[0].startswith(b"7:")
        assert {one.fields.get("retain") for one in World.broker.on("perron/entrance/front/state")} == {True}
        World.broker.on_down("gone")
        World.broker.on_up(8)
        await wait_until(lambda: any(one.startswith(b"8:") for one in queries()))


async def test_a_device_is_heard_by_the_entrances_that_it_belongs_to(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        World.broker.on_up(1)
        await wait_until(lambda: state().get("connected") and state("garage").get("connected"))
        (letter,) = VENDORS["somfy"].encode_report(LockReport(bolt=LockState.UNLOCKED), NO_DEVICE_REF)
        heard("perron/lock/state", letter.payload)
        await wait_until(lambda: state()["bolt"] == "unlocked")
        assert state("garage")["bolt"] == "unknown"
        (press,) = VENDORS["alexa"].encode_report(DoorbellPressed(), NO_DEVICE_REF)
        heard(f"perron/cam/{press.suffix}", press.payload)
        heard("perron/nobody/state", b"?")  # a topic that was never asked for ends nothing


async def test_the_owner_and_the_retailers_are_heard(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        World.broker.on_up(1)
        heard("perron/entrance/front/set", b'{"id": "w1", "do": "stop"}')
        heard("perron/deliveries/offer", b"rubbish")
        await wait_until(lambda: state().get("stopped"))
        await wait_until(lambda: World.broker.on("perron/deliveries/result"))
        assert not state("garage").get("stopped")


async def test_what_was_missed_is_asked_again_and_missed_scans_are_alarmed(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        World.broker.on_up(1)
        await wait_until(queries)
        before = len(queries())
        World.broker.on_missed("perron/lock/state")
        await wait_until(lambda: len(queries()) > before)
        World.broker.on_missed("perron/scanner/event")
        World.broker.on_missed("perron/deliveries/offer")
        await wait_until(lambda: World.broker.on("perron/entrance/front/message"))
        assert b"scans_dropped" in World.broker.on("perron/entrance/front/message")[0].payload


async def test_an_alarm_reaches_the_owners_phone_also_without_a_broker(tmp_path: Path) -> None:
    async with receiver() as ear:
        (tmp_path / "phones.txt").write_text(f"{ear.ntfy}\n")
        messages = MessagesSection(file=tmp_path / "phones.txt", pages="https://perron.home")
        async with gateway(tmp_path, make_home(tmp_path).model_copy(update={"messages": messages})):
            World.broker.refuses = lambda _topic, _payload: NotSent.NO_BROKER
            World.broker.on_missed("perron/scanner/event")
            await wait_until(lambda: ear.got, within=30)
        assert ear.texts[0].startswith("Alerte")
        assert "https://perron.home/link/" in ear.got[0].headers["X-Actions"]
        assert not any(what_others_may(tmp_path / "key").values())


async def test_a_phone_is_added_to_the_running_box_and_stays_over_a_restart_without_a_word_in_the_house_file(
    tmp_path: Path,
) -> None:
    async with receiver() as first, receiver() as second:
        (tmp_path / "phones.txt").write_text(f"{first.json}\n")
        (tmp_path / "phones.txt").chmod(0o644)
        with capture_logs() as lines:
            async with gateway(tmp_path) as made:
                assert await made._contacts.add(second.json, "p-anna") is None  # noqa: SLF001 - as the page does
                World.broker.on_missed("perron/scanner/event")
                await wait_until(lambda: first.got and second.got, within=30)
        assert "phones_open_to_others" in [line["event"] for line in lines], "said at the start"
        assert SECRET_TOKEN not in str(lines)
        with capture_logs() as lines:
            async with gateway(tmp_path):
                World.broker.on_missed("perron/scanner/event")
                await wait_until(lambda: len(first.got) >= 2 and len(second.got) >= 2, within=30)
        assert "phones_open_to_others" not in [line["event"] for line in lines], "written by the box: its own alone"


async def test_a_brand_that_asks_to_be_let_in_reaches_the_owner_s_phone_by_itself(tmp_path: Path) -> None:
    async with receiver() as ear:
        (tmp_path / "phones.txt").write_text(f"{ear.ntfy}\n")
        messages = MessagesSection(file=tmp_path / "phones.txt", pages="https://perron.home")
        house = home_without_permission(make_home(tmp_path)).model_copy(update={"messages": messages})
        async with gateway(tmp_path, house) as made:
            now = made._clock.now()  # noqa: SLF001 - the box's own
            wide = Window(start=now.utc, end=now.utc + timedelta(hours=2))
            heard("perron/deliveries/offer", sign_claims(make_claims(make_offer(window=wide), now=now)))
            await wait_until(lambda: ear.got, within=30)
        assert ear.texts[0].startswith("shop, par Colissimo, demande à entrer : ")
        assert ear.got[0].headers["X-Actions"].count("https://perron.home/link/") == 2


async def test_a_phone_that_cannot_be_understood_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "phones.txt").write_text(f"{SECRET_TOKEN}\n")
    messages = MessagesSection(file=tmp_path / "phones.txt")
    with pytest.raises(ConfigError, match=r"phones\.txt:1: this is no URL") as refused:
        await App(make_home(tmp_path).model_copy(update={"messages": messages})).run()
    assert SECRET_TOKEN not in str(refused.value)


async def test_a_cameras_proofs_reach_each_entrance_that_requires_it(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        World.broker.on_up(1)
        World.video.on_event(
            CameraProof(camera="cam", at=1, live=True, moving=True, recordings=(ClipKey(visit="v", part=1),))
        )
        World.video.on_event(CameraProof(camera="hall", at=1, live=True, moving=True))
        await wait_until(
            lambda: state().get("cameras", {}).keys() == {"cam", "hall"} and state("garage").get("cameras")
        )
        assert state()["cameras"]["cam"] == {"live": True, "recording": False}
        assert set(state("garage")["cameras"]) == {"cam"}


async def test_the_video_process_knows_each_stay_before_it_begins_so_it_films_nothing_without_a_gateway(
    tmp_path: Path,
) -> None:
    async with gateway(tmp_path) as app:
        begin = datetime.now(UTC) + timedelta(hours=1)
        stay = Stay(id="s1", guest="Anna", starts=begin, ends=begin + timedelta(days=2))
        await app._inbox.guests.store.guests.add_stay(stay, Now(utc=begin, trusted=True, mono=0.0), by=None)  # noqa: SLF001 - as its page plans one
        app._inbox.guests.publish_stays()  # noqa: SLF001 - the same
        known: tuple[PrivatePeriod, ...] = World.video.private
        assert {(one.camera, one.start, one.end) for one in known} == {
            (camera, stay.starts, stay.ends) for camera in ("cam", "hall")
        }
    async with gateway(tmp_path):
        assert World.video.private == known, "and after a restart"


async def test_clips_that_nobody_films_any_more_are_closed_and_kept(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        clip = ClipKey(visit="long-over", part=1)
        World.video.on_event(VideoHello(pid=1, recording=(clip,)))
        assert World.video.finished == [(clip, True)]
        assert [one.sees_courier for one in World.video.configure.cameras] == [True, False]


async def test_a_label_that_a_camera_reads_is_never_a_wrong_code(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        World.broker.on_up(1)
        for code in ("A-1", "A-2", "A-3", "A-4"):
            World.video.on_event(BarcodeRead(camera="cam", code=code, symbology="QRCode"))
        (scan,) = VENDORS["scanner"].encode_report(ScanReport(code="B-1"), NO_DEVICE_REF)
        heard("perron/scanner/event", scan.payload)
        await wait_until(answered_scans)
        assert [one["refusal"] for one in answered_scans()] == ["unknown_code"]


def answered_scans() -> list[dict[str, Any]]:
    events = [json.loads(one.payload) for one in World.broker.on("perron/entrance/front/event")]
    return [one for one in events if one["kind"] == "answer"]


async def test_what_is_stored_is_the_box_users_alone_also_in_a_folder_that_others_may_enter(tmp_path: Path) -> None:
    let_others_enter(tmp_path)
    async with gateway(tmp_path):
        modes = what_others_may(tmp_path)
    assert "perron.sqlite3" in modes
    assert set(modes.values()) == {0}, modes


async def test_two_gateways_never_run_in_one_folder(tmp_path: Path) -> None:
    async with gateway(tmp_path):
        with pytest.raises(FolderInUse, match="Another gateway runs"):
            await App(make_home(tmp_path)).run()
    async with gateway(tmp_path):
        pass  # once the first has ended, the folder is free


async def test_a_gateway_that_is_told_to_end_has_not_crashed(tmp_path: Path) -> None:
    for _ in range(4):
        async with gateway(tmp_path):
            await wait_until(lambda: World.video.rings)
    store = await Store.open(tmp_path / "perron.sqlite3", home=make_home(tmp_path), now=NOW)
    try:
        bodies = [json.loads(one.body) for one in store.log.entries() if isinstance(one.body, bytes)]
        assert [one["crashes"] for one in bodies if "crashes" in one] == [0, 0, 0, 0]
        stored = store.entrances.state("front")
        assert stored is not None
        assert not stored.safe_mode
    finally:
        await store.close()


async def test_three_crashes_within_a_minute_are_safe_mode(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "perron.sqlite3", home=make_home(tmp_path), now=NOW)
    now = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _utc: None).now()
    for _ in range(3):
        await store.box.record_start(now)
    await store.close()
    async with gateway(tmp_path):
        World.broker.on_up(1)
        await wait_until(lambda: state().get("safe_mode"))


async def test_a_box_that_starts_on_a_full_disk_hears_its_owner_and_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StoreFailed("database or disk is full")

    async with gateway(tmp_path):
        pass
    for part, work in (
        (Store, "commit"),
        (BoxState, "record_start"),
        (BoxState, "record_shutdown"),
        (Entrances, "set_stop"),
    ):
        monkeypatch.setattr(part, work, full)
    async with gateway(tmp_path):
        World.broker.on_up(1)
        await wait_until(lambda: state().get("safe_mode") and queries())
        heard("perron/entrance/front/set", b'{"id": "w1", "do": "stop"}')
        await wait_until(lambda: state().get("stopped"))
    monkeypatch.undo()
    store = await Store.open(tmp_path / "perron.sqlite3", home=make_home(tmp_path), now=NOW)
    try:
        assert store.entrances.state("front") is not None  # as the first start left it
    finally:
        await store.close()


async def test_a_store_put_back_from_an_older_copy_is_safe_mode(tmp_path: Path) -> None:
    key = BoxKey.load_or_create(tmp_path / "key")
    ahead = sign_checkpoint(ChainHead(seq=1000, hash=b"h" * 32), box="box-1", now=NOW, key=key)
    (tmp_path / "last-checkpoint.json").write_bytes(ahead.to_json())
    async with gateway(tmp_path):
        World.broker.on_up(1)
        await wait_until(lambda: state().get("safe_mode"))


# ---- the doors come first --------------------------------------------------------------------------------------------


def with_pages(folder: Path) -> Home:
    return make_home(folder).model_copy(update={"pages": PagesSection(port=0)})


def tells(device: str, report: Report) -> None:
    (letter,) = VENDORS["somfy"].encode_report(report, NO_DEVICE_REF)
    heard(f"perron/{device}/state", letter.payload)


def test_what_looks_after_a_door_is_imported_without_the_pages() -> None:
    pages = ("gateway.web", "gateway.installation.proposal", "gateway.runtime.maintenance.decommission")
    code = f"import sys, gateway.app; print([m for m in sys.modules if m.startswith({(*pages, 'aiohttp', 'jinja2')})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_no_door_waits_for_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importing, go_on, let_go = threading.Event(), threading.Event(), []

    def slow() -> None:
        importing.set()
        let_go.append(go_on.wait(60))

    monkeypatch.setattr(module, "_import_pages", slow)
    try:
        async with gateway(tmp_path, with_pages(tmp_path)):
            World.broker.on_up(1)
            await wait_until(lambda: queries() and state().get("connected") and state("garage").get("connected"))
            assert not importing.is_set(), "the pages are imported when the doors have answered"
            tells("lock", LockReport(bolt=LockState.UNLOCKED))
            tells("door", DoorReport(door=DoorState.OPEN))
            await wait_until(importing.is_set)
            heard("perron/entrance/front/set", b'{"id": "w1", "do": "stop"}')  # for as long as the import takes
            await wait_until(lambda: state().get("stopped"))
            tells("door", DoorReport(door=DoorState.CLOSED))
            World.broker.on_up(2)
            await wait_until(lambda: any(one.startswith(b"2:") for one in queries()))
            assert let_go == [], "the loop stood still until the import was over"
            go_on.set()
    finally:
        go_on.set()


async def test_the_pages_begin_although_no_door_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importing = threading.Event()
    monkeypatch.setattr(module, "MAX_DOOR_WAIT_S", 0.2)
    monkeypatch.setattr(module, "_import_pages", importing.set)
    async with gateway(tmp_path, with_pages(tmp_path)):
        await wait_until(importing.is_set)

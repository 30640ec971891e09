"""A box: entrances with real store, clock and hands, whose lock and door answer when they are asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from devices.reports import DoorReport, DoorState, LockReport, LockState, Report, ScanReport, SignalReport
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.config.topics import device_topic
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.predicates import are_all_secured
from gateway.domain.visit.state import Entrance
from gateway.evidence.archive import Archive
from gateway.evidence.checkpoint import Checkpoint
from gateway.evidence.rollback import MarkWriter
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.keys import BoxKey, push_key
from gateway.runtime.door_sentences import CourierLanguages
from gateway.runtime.effects import CommandExecutor
from gateway.runtime.entrance import CommitOutcome, EntranceActor
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.runtime.inbox import Inbox
from gateway.runtime.maintenance.decommission import Decommissioning
from gateway.runtime.notifications.contacts import Contacts
from gateway.runtime.notifications.outbox import Outbox
from gateway.runtime.notifications.pictures import PictureShelf
from gateway.runtime.notifications.queue import NotificationQueue
from gateway.runtime.notifications.web_push import PushServices, push_settings
from gateway.runtime.reception import ReceptionActor
from gateway.storage.models import CommitResult, StoredDecision, StoreFailed
from gateway.storage.store import Store
from gateway.system.changes import ChangeNotifier
from gateway.video.client import VideoClient
from gateway.video.ipc import ClipKey
from tests import storefile
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.house import make_home
from tests.shell.parts import FakeCameras, FakePublisher, ManualTime, PublishedMessage
from tests.waiting import wait_until

SESSION = 1
IN_WINDOW_MONO_S = 7300.0  # monotonic seconds at 14:00, in the middle of the usual window
LINK_KEY = b"l" * 32


class RecordingJournal:
    """The real store, which a test may make fail, and which notes in what order things happen."""

    def __init__(self, store: Store, order: list[str]) -> None:
        self._store, self._order = store, order
        self.steps: list[StoredDecision] = []
        self.fails: Callable[[StoredDecision], bool] = lambda _step: False
        self.before: Callable[[StoredDecision], Coroutine[Any, Any, None]] | None = None
        self.in_progress = 0

    async def commit(self, step: StoredDecision) -> CommitOutcome:
        if self.before is not None:
            await self.before(step)
        if self.fails(step):
            raise StoreFailed("no space left on device")
        self.in_progress += 1
        try:
            outcome = await self._store.commit(step)
        finally:
            self.in_progress -= 1
        kind = "commit" if isinstance(outcome, CommitResult) else "overtaken"
        self._order.append(f"{kind} {type(step.event).__name__}")
        if isinstance(outcome, CommitResult):
            self.steps.append(step)
        return outcome


class RecordingExecutor(CommandExecutor):
    """Hands that note what they do."""

    order: list[str]

    def perform(self, command: c.Command, state: Entrance, now: Now, *, message: int | None = None) -> None:
        self.order.append(f"perform {type(command).__name__}")
        super().perform(command, state, now, message=message)


class ShellBox:
    """All parts of a box but broker and cameras. `order` is what was committed, performed and reached, in order."""

    def __init__(self, house: Home, store: Store, time: ManualTime, line: FakePublisher) -> None:
        self.home, self.store, self.time, self.line, self.eyes = house, store, time, line, FakeCameras()
        self.clock = time.clock()
        self.courier_languages = CourierLanguages()
        self.key = BoxKey.load_or_create(house.storage.folder / "key")
        self.order: list[str] = []
        self.journal = RecordingJournal(store, self.order)
        self.checkpoints: list[Checkpoint] = []
        self.touched: list[str] = []
        self.bolt, self.door = LockState.LOCKED, DoorState.CLOSED
        self.answers: dict[str, Report] = {}  # of devices that are neither lock nor door
        self.seq = 0
        self.changes = ChangeNotifier()
        self._make_phones()
        self.office = Outbox(house, store=store, publisher=line, clock=self.clock, notify_phones=self.pocket.notify)
        self.archive = Archive(
            house,
            store=store,
            clock=self.clock,
            key=self.key,
            post=lambda name, event: self.entrances[name].post(event),
            state=lambda name: self.entrances[name].state,
            publish=lambda _entrance, signed: self.checkpoints.append(signed),
            marks=MarkWriter(house.storage.folder, box=house.box, key=self.key),
        )
        self.entrances: dict[str, EntranceActor] = {name: self._entrance(name) for name in house.entrances}
        self.receptions: dict[str, ReceptionActor] = {}
        self.reception = Inbox(
            house,
            store=store,
            publisher=line,
            clock=self.clock,
            entrances=self.entrances,
            refresh_agenda=self.touched.append,
            erase=self.archive.erase,
            outbox=self.office,
            key=self.key,
        )
        self.began_again = 0
        self.removal = Decommissioning(
            house,
            store=store,
            clock=self.clock,
            entrances=self.entrances,
            submit_request=self.reception.submit_request,
            schedule_results=self.office.schedule_results,
            restart=self._restart,
        )

    def _make_phones(self) -> None:
        self.pushes = PushServices(
            self.store, self.clock, push_key(self.home.storage.folder / "key"), pictures=PictureShelf(),
            settings=push_settings(self.home.push),
        )  # fmt: skip
        self.pocket = NotificationQueue(
            self.home,
            phones=(),
            store=self.store,
            clock=self.clock,
            key=LINK_KEY,
            poll_interval_s=0.02,
            on_change=self.changes.notify,
        )
        self.phonebook = Contacts(
            self.home,
            queue=self.pocket,
            store=self.store,
            clock=self.clock,
            key=LINK_KEY,
            scratch=self.home.storage.folder / "pocket",
            pushes=self.pushes,
        )

    def _restart(self) -> None:
        self.began_again += 1

    def _entrance(self, name: str) -> EntranceActor:
        def executor(
            post: Callable[[e.Event], None],
            is_stopped: Callable[[], bool],
            has_turned_bad: Callable[[Collection[str]], bool],
        ) -> RecordingExecutor:
            made = RecordingExecutor(
                self.home, name, publisher=self.line, cameras=cast("VideoClient", self.eyes),
                outbox=self.office, archive=self.archive, clock=self.clock, post=post, is_stopped=is_stopped,
                has_turned_bad=has_turned_bad, courier_languages=self.courier_languages,
                crash_point=lambda point: self.order.append(f"reached {point}"),
            )  # fmt: skip
            made.order = self.order
            return made

        stored = self.store.entrances.state(name) or Entrance(id=name)
        state = replace(stored, rules=entrance_rules(self.home, name))
        actor = EntranceActor(
            state, home=self.home, commit=self.journal.commit, matches=partial(self.store.matches_at, name),
            keeper_of=self.store.keepers.find,
            clock=self.clock, executor=executor,
            crash_point=lambda point: self.order.append(f"reached {point}"),
        )  # fmt: skip
        actor.on_change.append(self.changes.notify)
        return actor

    def reopen(self, name: str) -> None:
        """Make an entrance from what the store has, in place of the one that was killed."""
        self.entrances[name] = self._entrance(name)

    def other_works(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs beside the entrances."""
        return self.office.run(), self.archive.run(), self.reception.run(), self.pocket.run()

    @property
    def front(self) -> EntranceActor:
        return self.entrances["front"]

    # ---- the house speaks

    def hear(self, device: str, channel: TopicSuffix, payload: bytes, **properties: Any) -> None:  # noqa: ANN401 - of a message
        """A message of a device comes to every entrance that it belongs to."""
        incoming = InboundMessage(
            topic=device_topic(self.home, device, channel),
            payload=payload,
            retain=properties.pop("retain", False),
            session=properties.pop("session", SESSION),
            **properties,
        )
        for running in self.entrances.values():
            if device.startswith("garage-") == (running is self.entrances["garage"]):
                running.on_message(device, channel, incoming)

    def says(self, device: str, report: Report, **properties: Any) -> None:  # noqa: ANN401 - of a message
        """A device reports in its vendor's words."""
        configured = self.home.devices[device]
        for letter in VENDORS[configured.vendor].encode_report(report, configured.device_ref):
            self.hear(device, properties.pop("channel", letter.suffix), letter.payload, **properties)

    def answer(self, question: PublishedMessage) -> None:
        """What the lock or the door says when it is asked."""
        device = question.topic.removeprefix("perron/").removesuffix("/get")
        main: Report = DoorReport(door=self.door) if device.endswith("door") else LockReport(bolt=self.bolt)
        report = self.answers.get(device, main)
        self.says(device, report, channel=TopicSuffix.RESULT, correlation=question.fields["correlation"])

    def asks(self, entrance: str, device: str, number: int) -> None:
        """The gateway has put this question to a device."""
        self.entrances[entrance]._executor._sent_queries[device].append((SESSION, number))  # noqa: SLF001 - as its hands do

    def scan(self, code: str, *, retain: bool = False) -> None:
        self.says("scanner", ScanReport(code=code), retain=retain)

    def passes(self, seconds: float) -> None:
        """Time goes on, and every entrance notices."""
        self.time.mono += seconds
        for running in self.entrances.values():
            running.post(e.TimerExpired())

    # ---- stories

    async def good_day(self) -> None:
        """Broker, disk, cameras, lock and door are up and proven; nobody waits for anything."""
        for running in self.entrances.values():
            running.post(e.BrokerUp(session=SESSION))
            running.post(e.DiskChanged(ok=True))
        await wait_until(
            lambda: all(one.state.disk_ok and are_all_secured(one.state) for one in self.entrances.values())
        )

    async def ring(self, code: str) -> str:
        """A courier scans: the bell rings, every camera films; the visit's id."""
        self.scan(code)
        await wait_until(lambda: self.front.state.visit is not None)
        assert self.front.state.visit is not None
        visit = self.front.state.visit.id
        (ring,) = (one for one in self.line.on("perron/signal/set") if b'"ring"' in one.payload)
        self.says("signal", SignalReport(id=json.loads(ring.payload)["id"]))
        self.film(visit)
        await wait_until(lambda: self.front.state.visit is not None and self.front.state.visit.consent.bell_confirmed)
        await self.quiet()
        return visit

    def film(self, visit: str) -> None:
        """The cameras prove that they film this visit now."""
        self.prove(visit)
        for camera in ("cam", "hall"):
            self.front.post(e.CameraChanged(camera=camera, live=True, moving=True, recording=True))

    def prove(self, visit: str) -> None:
        """The newest proof of each camera, four times a second in a real box."""
        for camera in ("cam", "hall"):
            self.eyes.see(camera, self.time.mono, ClipKey(visit=visit, part=1))

    async def commits(self, visit: str) -> None:
        """Nobody answers the bell: the ringing time passes."""
        self.time.mono += self.home.entrances["front"].timing.ring + 0.1
        self.prove(visit)
        self.front.post(e.TimerExpired())

    async def quiet(self) -> None:
        """Wait until nothing more happens by itself."""
        while True:
            before = len(self.order), len(self.line.sent)
            await asyncio.sleep(0.05)
            if before == (len(self.order), len(self.line.sent)) and not self.journal.in_progress:
                return

    def commands(self, kind: type[c.Command]) -> list[Any]:
        """What was decided and committed, of one kind."""
        return [one for step in self.journal.steps for one in step.commands if isinstance(one, kind)]


class AnsweringPublisher(FakePublisher):
    """A line at whose other end lock and door answer."""

    box: ShellBox
    mute: bool = False

    def publish(self, topic: str, payload: bytes, **fields: Any) -> Any:  # noqa: ANN401 - of a message
        outcome = super().publish(topic, payload, **fields)
        if topic.endswith("/get") and not self.mute and self.sent and self.sent[-1].topic == topic:
            asyncio.get_running_loop().call_soon(self.box.answer, self.sent[-1])
        return outcome


@asynccontextmanager
async def box(folder: Path, house: Home | None = None, *, time: ManualTime | None = None) -> AsyncIterator[ShellBox]:
    """A box with its store; nothing runs yet."""
    house = house or make_home(folder)
    store = await Store.open(storefile.make_database(folder / "perron.sqlite3"), home=house, now=NOW)
    line = AnsweringPublisher()
    try:
        made = line.box = ShellBox(house, store, time or ManualTime(), line)
        yield made
    finally:
        await store.close()


@asynccontextmanager
async def run_tasks(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these until the block ends; what they raise is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for one in ended:
            if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError):
                raise one


@asynccontextmanager
async def run_box(made: ShellBox) -> AsyncIterator[None]:
    """Both entrances, office, archive, reception and pocket run."""
    async with run_tasks(*(one.run() for one in made.entrances.values()), *made.other_works()):
        yield


@asynccontextmanager
async def box_in_window(folder: Path, house: Home | None = None) -> AsyncIterator[ShellBox]:
    """A good day in the middle of a window; everything runs."""
    async with box(folder, house, time=ManualTime(mono=IN_WINDOW_MONO_S)) as made:
        await receive(made.store, make_offer(), now=NOW)
        async with run_box(made):
            await made.good_day()
            await made.quiet()
            yield made

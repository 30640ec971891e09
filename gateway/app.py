"""Composition root: builds every part of the gateway and runs them in one TaskGroup."""

import asyncio
import contextlib
import gc
import math
import os
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import structlog

from gateway.config.editor import HomeFileWriter
from gateway.config.home import Home, PagesSection
from gateway.config.topics import DeviceOrigin, HomeAssistantOrigin, OwnerOrigin, RetailerOrigin, TopicMap
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit import summary
from gateway.domain.visit.state import Entrance
from gateway.evidence import rollback, succession
from gateway.evidence.archive import Archive
from gateway.installation.walk_test_runner import WalkTestRunner
from gateway.integrations.homeassistant.bridge import HomeAssistantBridge
from gateway.integrations.hub_client import enrolment, unenrolment
from gateway.integrations.hub_client.job_routing import build_uplink
from gateway.integrations.hub_client.session import Uplink
from gateway.mqtt.client import GATEWAY_ENDS, MqttClient
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import GATEWAY_BIRTH_AND_WILL
from gateway.mqtt.session_takeover import TakeoverDetector
from gateway.protocol.keys import BoxKey, link_key, push_key
from gateway.runtime.adapters.batteries import auxiliary_devices
from gateway.runtime.bookings import BookingReader
from gateway.runtime.door_sentences import CourierLanguages
from gateway.runtime.effects import CommandExecutor
from gateway.runtime.entrance import EntranceActor
from gateway.runtime.entrance_configuration import entrance_rules, private_periods, video_configuration
from gateway.runtime.fallback import FallbackPlaces
from gateway.runtime.guard_client import GuardClient
from gateway.runtime.inbox import Inbox
from gateway.runtime.keypad_codes import KeypadCodes
from gateway.runtime.late_couriers import LateCouriers
from gateway.runtime.maintenance import factory_reset, restore, startup_checks
from gateway.runtime.maintenance.handover import finish_handover
from gateway.runtime.maintenance.instance_lock import lock_folder
from gateway.runtime.notifications.contacts import SCRATCH_FOLDER, Contacts, owner_phones
from gateway.runtime.notifications.outbox import Outbox
from gateway.runtime.notifications.pictures import PictureShelf
from gateway.runtime.notifications.queue import NotificationQueue
from gateway.runtime.notifications.web_push import PushServices, push_settings
from gateway.runtime.parcel_tracking import ParcelTracker
from gateway.runtime.reception import ReceptionActor
from gateway.runtime.robot_door import open_robot_doors
from gateway.runtime.scheduler import Scheduler
from gateway.runtime.supervision import SupervisionDesk
from gateway.runtime.supervisor_messages import SupervisorMessages, load_supervisor_phones
from gateway.storage.entrance_state import UnknownShape
from gateway.storage.handover import TASK_RENEW_LINKS
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.changes import ChangeNotifier
from gateway.system.clock import Clock
from gateway.system.containment import ContainedFault, Containment
from gateway.system.fault_log import FaultLog
from gateway.system.shutdown import until_stopped
from gateway.video import ipc
from gateway.video.client import VideoClient

if TYPE_CHECKING:
    from gateway.web.remote.sessions import RemoteSessions
    from gateway.web.site import PagesSite

log = structlog.get_logger(__name__)

# The pages need as many imports as all code for doors. So they are imported after the doors have answered: on a busy
# machine a start had taken 12 s, half of it for the pages.
PAGE_MODULES = ("gateway.web.site", "gateway.web.remote.sessions")
MAX_DOOR_WAIT_S = 5.0  # then the pages start even if a door has not answered: the owner may have to check it

MISSED_LOG_INTERVAL_S = 60.0  # between two log entries about messages that were dropped unread
CRASHES_BEFORE_SAFE_MODE = 3  # within a minute: then the box only locks, films and raises alarms


class Supervision(Frozen):
    """What a supervisor gives each gateway. `reread` has it load the house file `file` again."""

    file: Path
    reread: Callable[[], None]


class App:
    """One gateway. A supervised one leaves SIGTERM and SIGINT to its supervisor, which calls `stop`.

    `wall_clock`, `free_bytes`, `crash_point` and `video` are the real ones except in a demo or a test; `crash_point` is
    called with the name of each point at which a test may end the process.
    """

    def __init__(  # noqa: PLR0913 - what a demo or a test may replace
        self,
        home: Home,
        supervision: Supervision | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
        free_bytes: Callable[[], int] | None = None,
        crash_point: Callable[[str], None] = lambda _point: None,
        video: Sequence[str] = (sys.executable, "-m", "gateway.video"),
    ) -> None:
        self.home = home
        self._wall_clock = wall_clock
        self._free_bytes = free_bytes or (lambda: shutil.disk_usage(home.storage.folder).free)
        self._crash_point = crash_point
        self._video_command = video
        self._topics = TopicMap(home)
        self._courier_languages = CourierLanguages()
        self._entrances: dict[str, EntranceActor] = {}
        self._by_device: dict[str, list[str]] = defaultdict(list)
        self._receptions: dict[str, ReceptionActor] = {}
        self._missed: Counter[str] = Counter()  # topic -> messages dropped unread since the last log entry
        self._missed_logged = -math.inf
        self._restart_requested = False
        self._takeover_detector = TakeoverDetector()
        self._site: PagesSite | None = None
        self._site_built = asyncio.Event()
        self._remote_sessions: RemoteSessions | None = None
        self._request_stop: Callable[[], bool] | None = None  # set at the end of the start
        self.started = asyncio.Event()  # set once the gateway runs; a failed start never sets it
        self.changes = ChangeNotifier()  # counts what the pages show
        self._handles_signals = supervision is None
        self._file = None if supervision is None else supervision.file  # a reload needs it
        self._reread = (lambda: None) if supervision is None else supervision.reread

    def restart(self) -> None:
        """Stop in good order, to start again with the stored state. A gateway that is stopping already just stops."""
        self._restart_requested = self.stop() or self._restart_requested

    def stop(self) -> bool:
        """Stop in good order; return False if the gateway is not running yet or is stopping already."""
        return self._request_stop is not None and self._request_stop()

    async def run(self) -> bool:
        """Run until SIGTERM or SIGINT, or until the box must start again: then return True.

        A box that is marked for a wipe is wiped first, before anything of it is opened.

        Raises:
            FolderInUse: another gateway uses the storage folder.
            ConfigError: the phones' file cannot be used.
            StartError: the store is damaged, or something else is in its place.
            DatabaseRefused, KeyUnusable, StoreFailed, OSError: the storage folder cannot be used; the text says why.
        """
        folder = self.home.storage.folder
        os.umask(0o077)  # only the box's user may access store, films and sockets, in any folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with lock_folder(folder):
            if restore.is_unfinished(folder):
                raise restore.RestoreUnfinished(
                    "a backup was put back here and not to its end; say `perron restore` again"
                )
            await asyncio.to_thread(startup_checks.check_folder, folder)
            phones_left = factory_reset.is_marked_for_wipe(folder) and not await asyncio.to_thread(
                unenrolment.finish_wipe_at_hub, self.home, self._file
            )
            await self._run(folder, phones_left=phones_left)
        return self._restart_requested

    async def _run(self, folder: Path, *, phones_left: bool) -> None:
        early = Clock(self.home.clock, floor=None, keep_floor=lambda _utc: None, wall=self._wall_clock)
        _, _, lost = rollback.load_own_key(folder)
        if succession.finish_key_change(folder / "key", box=self.home.box, now=early.now()) is not None:
            log.warning("key_replaced", fingerprint=BoxKey.load(folder / "key").public.fingerprint)
        key = BoxKey.load_or_create(folder / "key")
        self._faults = FaultLog(folder, now=lambda: early.now().utc)
        self._contained = Containment(report=self._on_fault, count=self._faults.count)
        file = folder / rollback.STORE_FILE
        store = await Store.open(file, home=self.home, now=early.now(), contained=self._contained)
        try:
            if phones_left:  # they are the former household's, as after a hand-over
                await store.handover.set_task(TASK_RENEW_LINKS, "new")
            may_tell = await finish_handover(self.home, store)
            links = link_key(folder / "key")
            phones = owner_phones(self.home, links) if may_tell else ()
            self._clock = Clock(
                self.home.clock,
                floor=store.box.time_floor(),
                keep_floor=store.box.post_time_floor,
                wall=self._wall_clock,
            )
            crashes = await self._record_start(store)
            doubt, message = await self._check_store(store, key, lost)
            marks = rollback.MarkWriter(folder, box=self.home.box, key=key, is_held=lambda: store.rollback.is_unstored,
                               crash_point=self._crash_point)  # fmt: skip
            store.box.mark_with(marks)
            with contextlib.suppress(StoreFailed):  # a full disk: then the first intent tries it again
                await store.box.mark(self._clock.now())
            pushes = PushServices(
                store, self._clock, push_key(folder / "key"), pictures=PictureShelf(),
                settings=await asyncio.to_thread(push_settings, self.home.push),
            )  # fmt: skip
            self._notifications = NotificationQueue(
                self.home, phones=(*phones, *pushes.phones()), store=store, clock=self._clock, key=links,
                containment=self._contained, on_change=self.changes.notify,
            )  # fmt: skip
            await self._notifications.register_phones()
            self._contacts = Contacts(
                self.home, queue=self._notifications, store=store, clock=self._clock, key=links,
                scratch=folder / SCRATCH_FOLDER, pushes=pushes,
            )  # fmt: skip
            self._build(store, key, links, marks, safe_mode=doubt is not None or crashes >= CRASHES_BEFORE_SAFE_MODE)
            if doubt is not None and message is not None:
                command = c.NotifyOwner(notification=c.Notification.STORE_IN_DOUBT, detail=doubt.value)
                self._notify_owner_of_box(command, message)
            await unenrolment.finish_pending(self.home, store=store, rewriting=self._rewriting)
            async with (
                until_stopped(signals=self._handles_signals) as self._request_stop,
                asyncio.TaskGroup() as group,
            ):
                self.started.set()
                for name, run in self._workers().items():
                    group.create_task(self._contained.keep(name, run), name=name)
                for name, running in self._entrances.items():  # an entrance that cannot decide ends the process
                    group.create_task(running.run(), name=f"entrance {name}")
            with contextlib.suppress(StoreFailed):  # then the next start counts this end as a crash
                await store.box.record_shutdown(self._clock.now())
        finally:
            await store.close()

    async def _check_store(
        self, store: Store, key: BoxKey, lost: rollback.StoreDoubt | None
    ) -> tuple[rollback.StoreDoubt | None, int | None]:
        """Record a doubt whether this is the store that the box used last; return it and its message's number."""
        folder = self.home.storage.folder
        line, known = succession.read_key_history(folder / "key"), store.rollback.condition()
        proofs = await asyncio.to_thread(rollback.read_sealed_proofs, folder, line.keys_of_same_box(key.public))
        doubt = lost or rollback.find_doubt(
            folder / rollback.MARK_FILE, store.log.hash_at, known, key.public, line, proofs
        )
        strangers = rollback.foreign_visits(proofs, store.log.hash_at, known.foreign_visits)
        try:
            if doubt is None:
                await store.rollback.set_signer(key.public.text)
                return None, None
            log.error("store_in_doubt", why=doubt.value, todo="`perron doctor` says what to do")
            with contextlib.suppress(StoreFailed):  # none counts all the same, and the next start deletes them again
                await store.browsers.end_all()  # a hub could replay their later orders
                await store.keepers.withdraw_all(self._clock.now())  # a code that was withdrawn since would count again
            first = next(iter(self.home.entrances), None)
            message = await store.rollback.begin_doubt(
                doubt.value, self._clock.now(), signer=key.public.text, tell_at=first, foreign_visits=strangers
            )
        except StoreFailed as failure:  # the mark that showed a doubt stays until the disk stores it
            log.error("start_not_noted", why=str(failure))
            message = None
        return doubt, message

    async def _record_start(self, store: Store) -> int:
        """Record the start and return the number of recent crashes.

        If that fails, the box begins in safe mode: the last process may have accepted a stop that it could not store.
        """
        try:
            return await store.box.record_start(self._clock.now())
        except StoreFailed as failure:
            log.error("start_not_noted", why=str(failure))
            return CRASHES_BEFORE_SAFE_MODE

    def states(self) -> tuple[tuple[Entrance, Now], ...]:
        """Return each entrance's current state; empty before the store is open."""
        return tuple((running.state, self._clock.now()) for running in self._entrances.values())

    def is_refused_by_broker(self) -> bool:
        """Return whether there is no session at the broker because it refuses the gateway's account."""
        return bool(self._entrances) and self._mqtt.is_refused  # no entrance: it is not built yet

    def _workers(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Return the loop of each worker by name. A loop that raises is restarted, so it must be repeatable."""
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "video": self._video.run,
            "broker": self._mqtt.run,
            "guards": self._guards.run,
            "reception": self._inbox.run,
            "office": self._outbox.run,
            "phones": self._notifications.run,
            "archive": self._archive.run,
            "windows": self._scheduler.run,
            "walk tests": self._walk_tests.run,
            "parcels": self._tracker.run,
            "fallback": self._fallback.run,
            "keypads": self._keypads.run,
            "bookings": self._bookings.run,
            "late couriers": self._late_couriers.run,
            "supervisors": self._supervisor_messages.run,
            "home assistant": self._home_assistant.run,
            "faults": self._faults.run,
        }
        for name, desk in self._receptions.items():
            work[f"reception {name}"] = desk.run
        for name, door in self._robot_doors.items():
            work[f"robots {name}"] = door.run
        if self._open_pages is not None:
            work["pages"] = self._open_pages
        if self._uplink is not None:
            work["hub"] = partial(self._run_uplink, self._uplink)
        if self._uplink is not None and self._open_pages is not None:
            work["orders"] = self._run_remote_orders
        return work | enrolment.renewal_tasks(self.home)

    def _on_fault(self, fault: ContainedFault) -> None:
        """Record the first fault of a kind and notify the owner; its name is a worker's, never a message's text."""
        self._faults.report(fault)
        self._notify_owner_of_box(c.NotifyOwner(notification=c.Notification.SET_ASIDE, detail=fault.worker), None)

    def _build(self, store: Store, key: BoxKey, links: bytes, marks: rollback.MarkWriter, *, safe_mode: bool) -> None:
        home, clock = self.home, self._clock
        self._video = VideoClient(
            command=(*self._video_command, "--socket", str(home.storage.folder / "video.sock")),
            socket=home.storage.folder / "video.sock",
            configure=video_configuration(home),
            on_event=self._on_video,
        )
        self._mqtt = MqttClient(
            broker=home.broker,
            subscriptions=self._topics.subscriptions,
            session_number=store.box.next_session_number,
            on_message=self._on_message,
            on_up=self._on_up,
            on_down=self._on_down,
            on_missed=self._on_missed,
            monotonic=time.monotonic,
            birth_and_will=GATEWAY_BIRTH_AND_WILL,
            has_rate_limits=True,
        )
        self._guards = GuardClient(home, publisher=self._mqtt, monotonic=time.monotonic)
        self._outbox = Outbox(
            home,
            store=store,
            publisher=self._mqtt,
            clock=clock,
            notify_phones=self._notifications.notify,
            containment=self._contained,
        )
        self._archive = Archive(
            home,
            store=store,
            clock=clock,
            key=key,
            post=lambda name, event: self._entrances[name].post(event),
            state=lambda name: self._entrances[name].state,
            publish=self._outbox.publish_checkpoint,
            contained=self._contained,
            marks=marks,
        )
        in_doubt = store.rollback.condition().in_doubt
        for name in home.entrances:
            self._load_entrance(name, store, safe_mode=safe_mode or name in in_doubt)
        self._build_receptions(store)
        self._scheduler = Scheduler(
            home, store=store, clock=clock, entrances=self._entrances, cameras=self._video,
            free_bytes=self._free_bytes, schedule_results=self._outbox.schedule_results, containment=self._contained,
        )  # fmt: skip
        self._inbox = Inbox(
            home, store=store, publisher=self._mqtt, clock=clock, entrances=self._entrances,
            refresh_agenda=self._scheduler.refresh, erase=self._archive.erase, outbox=self._outbox, key=key,
            containment=self._contained,
        )  # fmt: skip
        self._rewriting = HomeFileWriter(self._file, reload=self._reread, crash_point=self._crash_point)
        self._uplink = build_uplink(
            home, store=store, clock=clock, key=key, by_hub=self._inbox.accept_from_hub, monotonic=time.monotonic,
            hub_signed=self._inbox.accept_hub_signed, letting=self._inbox.permissions, reached=self._crash_point,
            rewriting=self._rewriting, contained=self._contained,
        )  # fmt: skip
        self._build_observers(store, key, links)

    def _post(self, entrance: str, event: e.Event) -> None:
        self._entrances[entrance].post(event)

    def _build_receptions(self, store: Store) -> None:
        for name in self.home.receptions:
            self._receptions[name] = ReceptionActor(
                name, home=self.home, store=store, clock=self._clock, publisher=self._mqtt, outbox=self._outbox,
                seal=self._archive.seal_custody, on_change=self.changes.notify, containment=self._contained,
            )  # fmt: skip

    def _build_observers(self, store: Store, key: BoxKey, links: bytes) -> None:
        home, clock = self.home, self._clock
        self._inbox.guests.follow_stays(lambda stays: self._video.set_private(private_periods(home, stays)))
        self._walk_tests = WalkTestRunner(
            home, store=store, clock=clock, inbox=self._inbox, entrances=self._entrances, key=key,
            take_picture=self._video.take_picture, on_change=self.changes.notify,
        )  # fmt: skip
        self._home_assistant = HomeAssistantBridge(
            home, publisher=self._mqtt, clock=clock, store=store, entrances=self._entrances,
            submit_request=self._inbox.submit_request, picture=self._video.take_picture,
        )  # fmt: skip
        self._tracker = ParcelTracker(
            home, store=store, publisher=self._mqtt, clock=clock, on_change=self._on_parcels_changed,
            containment=self._contained,
        )  # fmt: skip
        self._keypads = KeypadCodes(
            home, store=store, publisher=self._mqtt, outbox=self._outbox, clock=clock, post=self._post,
            on_change=self.changes.notify, containment=self._contained,
        )  # fmt: skip
        self._bookings = BookingReader(home, store, clock, self._outbox, self.changes.notify, self._contained)
        self._fallback = FallbackPlaces(
            home, store=store, clock=clock, publisher=self._mqtt, outbox=self._outbox, entrances=self._entrances,
            receptions=self._receptions, on_moved=self._on_parcels_changed, containment=self._contained,
            crash_point=self._crash_point,
        )  # fmt: skip
        self._late_couriers = LateCouriers(store=store, clock=clock, outbox=self._outbox, containment=self._contained)
        self._robot_doors = open_robot_doors(home, entrances=self._entrances, publisher=self._mqtt, clock=clock)
        self._supervisor_messages = SupervisorMessages(
            home, entrances=self._entrances, phones=load_supervisor_phones(home, key=links),
            address=self._contacts.address, containment=self._contained,
        )  # fmt: skip
        for name, running in self._entrances.items():
            running.on_commands.append(partial(self._home_assistant.on_decision, name))
            running.on_change.append(self.changes.notify)
        places = {name: running.on_commands for name, running in self._entrances.items()}
        places |= {name: running.on_commands for name, running in self._receptions.items()}
        for name, followers in places.items():
            followers += [partial(one.on_decision, name) for one in (self._fallback, self._late_couriers)]
        self._open_pages = (
            None if home.pages is None else partial(self._serve_pages_last, home.pages, store, key, links)
        )

    async def _serve_pages_last(self, pages: PagesSection, store: Store, key: BoxKey, links: bytes) -> None:
        if self._site is None:
            await self._wait_for_doors()
            await asyncio.to_thread(_import_pages)
            self._site = self._build_pages(pages, store, key, links)
            self._site_built.set()
        await self._site.run()

    async def _wait_for_doors(self) -> None:
        decided = asyncio.Event()
        for running in self._entrances.values():
            running.on_change.append(decided.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_DOOR_WAIT_S):
                while not all(_has_door_answered(running.state) for running in self._entrances.values()):
                    decided.clear()
                    await decided.wait()
        for running in self._entrances.values():
            running.on_change.remove(decided.set)

    async def _run_uplink(self, uplink: Uplink) -> None:
        """Run the uplink to the hub; the owner's messages through it need the pages' parts."""
        if self._open_pages is not None:
            await self._site_built.wait()
        await uplink.run()

    async def _run_remote_orders(self) -> None:
        await self._site_built.wait()
        if self._remote_sessions is not None:
            await self._remote_sessions.run()

    def _build_pages(self, pages: PagesSection, store: Store, key: BoxKey, links: bytes) -> "PagesSite":
        from gateway.installation.proposal_workflow import Proposals  # noqa: PLC0415 - see `PAGE_MODULES`
        from gateway.runtime.maintenance.decommission import Decommissioning  # noqa: PLC0415 - see `PAGE_MODULES`
        from gateway.web.auth.accounts import UserAccounts  # noqa: PLC0415 - see `PAGE_MODULES`
        from gateway.web.remote.sessions import RemoteSessions  # noqa: PLC0415 - see `PAGE_MODULES`
        from gateway.web.server.context import GatewayServices  # noqa: PLC0415 - see `PAGE_MODULES`
        from gateway.web.site import PagesSite  # noqa: PLC0415 - see `PAGE_MODULES`

        box = GatewayServices(
            home=self.home,
            store=store,
            clock=self._clock,
            states=self.states,
            inbox=self._inbox,
            receptions=self._receptions,
            contacts=self._contacts,
            video_socket=self.home.storage.folder / "video.sock",
            camera_proofs=lambda: self._video.proofs,
            take_picture=self._video.take_picture,
            public_key=key.public,
            walk_tests=self._walk_tests,
            supervision=SupervisionDesk(
                self.home, entrances=self._entrances, clock=self._clock, take_picture=self._video.take_picture
            ),
            proposals=Proposals(
                self.home,
                writer=self._rewriting,
                permitted_entrances=lambda: {
                    name for permission in store.brands.permissions() for name in permission.terms.entrances
                },
                append_log=store.log.append,
            ),
            uplink=self._uplink,
            courier_languages=self._courier_languages,
            is_refused_by_broker=self.is_refused_by_broker,
            home_file_writer=self._rewriting,
            positions=lambda: {
                device: last for one in self._entrances.values() for device, last in one.positions.items()
            },
            erase_expired_films=self._archive.request_tidying,
            notify_owner=self._notify_owner_of_box,
            decommissioning=Decommissioning(
                self.home,
                store=store,
                clock=self._clock,
                entrances=self._entrances,
                submit_request=self._inbox.submit_request,
                schedule_results=self._outbox.schedule_results,
                restart=self.restart,
            ),
        )
        site = PagesSite(box, UserAccounts(store, self._clock.now()), pages, link_key=links, changes=self.changes)
        if self._uplink is not None and self.home.hub is not None:
            self._remote_sessions = RemoteSessions(
                box, self.changes, home=self.home.hub.home, crash_point=self._crash_point, containment=self._contained
            )
            self._uplink.serve(
                on_owner_job=self._remote_sessions.accept_job, on_question=self._remote_sessions.answer_query
            )
        return site

    def _notify_owner_of_box(self, command: c.NotifyOwner, message: int | None) -> None:
        """Send a notification that concerns no entrance; it is stored under the first entrance, if there is one."""
        first = next(iter(self._entrances.values()), None)
        if first is not None:  # a house that is still being installed has no phone yet
            self._outbox.notify(command, first.state, self._clock.now(), message=message, picture=None)

    def _load_entrance(self, name: str, store: Store, *, safe_mode: bool) -> None:
        section = self.home.entrances[name]
        stop, household = store.entrances.stop_state(name), store.entrances.presence(name)
        try:
            stored = store.entrances.state(name)
        except UnknownShape as unknown:  # nothing of it may be guessed: the owner has to look after the doors
            log.error("state_of_later_release", entrance=name, why=str(unknown))
            stored, safe_mode = None, True
        state = replace(
            stored or Entrance(id=name),
            rules=entrance_rules(self.home, name),
            stopped=stop.stopped,
            stop_epoch=stop.epoch,
            pauses=store.pauses.of_entrance(name),
            stays=store.guests.stays_of(name),
            somebody_home=household.somebody_home,
            away=household.away,
        )

        executor = partial(
            CommandExecutor, self.home, name, publisher=self._guards, cameras=self._video, outbox=self._outbox,
            archive=self._archive, clock=self._clock, crash_point=self._crash_point,
            courier_languages=self._courier_languages,
        )  # fmt: skip
        running = EntranceActor(
            state,
            home=self.home,
            commit=store.commit,
            matches=partial(store.matches_at, name),
            keeper_of=store.keepers.find,
            clock=self._clock,
            executor=executor,
            crash_point=self._crash_point,
        )
        running.post(e.Restarted(safe_mode=safe_mode))
        self._entrances[name] = running
        for device in {*section.closure_devices, *auxiliary_devices(self.home, name)}:
            self._by_device[device].append(name)

    def _on_message(self, incoming: InboundMessage) -> None:
        """Pass a message to its receiver. One that raises an unforeseen error counts as missed."""
        with self._contained.piece("messages", incoming.topic) as piece:
            self._route(incoming)
        if piece.fault is not None:
            with self._contained.piece("messages", incoming.topic):
                self._on_missed(incoming.topic)

    def _route(self, incoming: InboundMessage) -> None:
        match self._topics.origin(incoming.topic):
            case DeviceOrigin() as origin:
                self._on_device(origin, incoming)
            case OwnerOrigin(entrance=entrance):
                self._inbox.on_owner_message(entrance, incoming)
            case RetailerOrigin():
                self._inbox.on_retailer_message(incoming)
            case HomeAssistantOrigin(entrance=entrance, carries=carried):
                self._home_assistant.on_message(entrance, incoming)
                if carried is not None:
                    self._on_device(carried, incoming)
            case None:
                log.warning("unexpected_topic", topic=incoming.topic)
            case origin:
                assert_never(origin)

    def _on_device(self, origin: DeviceOrigin, incoming: InboundMessage) -> None:
        for device, channel, message in self._guards.on_message(origin.devices, origin.channel, incoming):
            self._walk_tests.on_message(device, channel, message)
            for worker in (self._tracker, self._keypads):
                if device in worker.devices:
                    worker.on_message(device, channel, message)
            for name in self._by_device[device]:
                self._entrances[name].on_message(device, channel, message)
            for desk in self._receptions.values():
                if device in desk.section.scanners:
                    desk.on_message(device, channel, message)

    def _on_up(self, session: int) -> None:
        self._guards.on_connected()
        for running in self._entrances.values():
            running.on_connected(session)
        self._tracker.on_connected(session)
        self._keypads.on_connected(session)
        self._outbox.on_connected()
        self._home_assistant.on_connected()

    def _on_down(self, why: str) -> None:
        if why != GATEWAY_ENDS:
            log.warning("broker_down", why=why)
        self._tracker.on_disconnected()
        self._keypads.on_disconnected()
        taken_over = self._takeover_detector.session_lost(why, self._clock.now().mono)
        if taken_over:
            log.error("another_box", why="it signs in as this one, again and again", todo="end one of the two for good")
        for running in self._entrances.values():
            running.post(e.BrokerDown())
            if taken_over and running.state.visit is None and not running.state.safe_mode:
                running.post(e.Restarted(safe_mode=True))  # the other gateway may have used what this one had reserved

    def _on_missed(self, topic: str) -> None:
        """Count a dropped message, and log the counts once a minute: one entry for each message would fill the log."""
        origin, mono = self._topics.origin(topic), time.monotonic()
        self._missed[topic if origin is not None else "others"] += 1
        if mono - self._missed_logged >= MISSED_LOG_INTERVAL_S:
            log.warning("messages_missed", topics=dict(self._missed))
            self._missed.clear()
            self._missed_logged = mono
        match origin:
            case DeviceOrigin(devices=devices) | HomeAssistantOrigin(carries=DeviceOrigin(devices=devices)):
                for device in devices:
                    if device in self._tracker.devices:
                        self._tracker.on_missed(device)
                    for name in self._by_device[device]:
                        self._entrances[name].on_messages_lost(device)

    def _on_parcels_changed(self, deliveries: tuple[str, ...]) -> None:
        self._inbox.update_deliveries(deliveries)
        self.changes.notify()

    def _on_video(self, event: ipc.FromVideo) -> None:
        match event:
            case ipc.CameraProof():
                self._on_proof(event)
            case ipc.ClipsClosed():
                self._archive.add_clips(event)
            case ipc.VideoHello(recording=recording):
                for clip in recording:
                    if all(_current_clip(running.state) != clip for running in self._entrances.values()):
                        self._video.finish(clip, keep=True)
            case ipc.BarcodeRead():
                self._on_label(event)
            case ipc.ClipBegun() | ipc.PictureTaken():
                pass
            case _:
                assert_never(event)

    def _on_proof(self, proof: ipc.CameraProof) -> None:
        for name in self._by_device[proof.camera]:
            running = self._entrances[name]
            if proof.camera in running.state.rules.cameras:
                films = _current_clip(running.state) in proof.recordings
                camera, live, moving = proof.camera, proof.live, proof.moving
                running.post(e.CameraChanged(camera=camera, live=live, moving=moving, recording=films))

    def _on_label(self, label: ipc.BarcodeRead) -> None:
        for name in self._by_device[label.camera]:
            if label.camera in self.home.entrances[name].cameras.read_labels:
                self._entrances[name].on_label(label.camera, label.code)


def _import_pages() -> None:
    if all(name in sys.modules for name in PAGE_MODULES):
        return
    for name in PAGE_MODULES:
        import_module(name)
    gc.freeze()  # modules stay for good: a full garbage collection that visits them blocks the doors' loop for 0.1 s


def _has_door_answered(state: Entrance) -> bool:
    return state.broker_session is not None and summary.are_all_reported(state)


def _current_clip(state: Entrance) -> ipc.ClipKey | None:
    if state.visit is not None:
        if not state.visit.recording.is_filmed:
            return None
        return ipc.ClipKey(visit=state.visit.id, part=state.visit.recording.part)
    return None if state.incident is None else ipc.ClipKey(visit=state.incident, part=1)

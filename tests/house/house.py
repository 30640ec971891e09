"""The house: virtual time, the gateway's shell around `decide`, the devices and the network between them."""

import heapq
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar, assert_never

from devices.reports import BatteryLevel, DoorReport, DoorState, LockReport, LockState, OperationSource
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import FridgeReported
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.domain.visit.decide import decide
from gateway.domain.visit.state import CameraState, Entrance, KeeperCode, PausePeriod, Rules, StayPeriod
from gateway.runtime.effects import is_filmed_live
from gateway.runtime.entrance import commands_without_store
from gateway.video.ipc import CameraProof, ClipKey
from tests.house.devices import SimulatedDevices
from tests.house.faults import Faults
from tests.house.followed import FollowedHousehold
from tests.house.oracle import Oracle
from tests.house.premises import PhysicalDoor
from tests.house.promise import EPOCH, SimulatedDelivery
from tests.house.reports import door_report, lock_report
from tests.house.rules import door_answers

C = TypeVar("C")

CAMERAS = {"outside": True, "inside": False}
CRASHES_FOR_SAFE_MODE = 3
FIRST_FRAGMENT_S = 0.3  # seconds until a clip has something on disk


class SimulatedCrash(Exception):  # noqa: N818 - it is no error of anybody's: the process is killed
    """kill -9."""


class SimulatedHome:
    """One front door with its box. All that happens is an event on one heap of virtual time."""

    def __init__(self, seed: int, rules: Rules | None = None, tell: Callable[[str], None] | None = None) -> None:
        self.rng = random.Random(seed)
        self.rules = rules or Rules(cameras=CAMERAS)
        self.tell = tell  # a trace's ear
        self.faults = Faults()
        self.t = 100.0
        self.heap: list[tuple[float, int, Callable[[], object]]] = []
        self.pushed = 0
        self.did: list[tuple[float, c.Command]] = []
        # the world
        self.premises = PhysicalDoor()
        self.boots = {"lock": 1, "door": 1}
        self.seqs = {"lock": 0, "door": 0}
        self.clips: dict[str, int] = {}  # visit or incident -> the part that is being recorded
        self.clip: str | None = None  # the newest
        self.clip_from = 0.0  # when its first fragment was on disk
        self.mean = 0.0  # how often people act at the worst moment
        # the store
        self.promises: dict[str, SimulatedDelivery] = {}
        self.intents: dict[str, str] = {}  # visit -> delivery
        self.on_disk = Entrance(id="front", rules=self.rules)
        self.being_stored: Entrance | None = None  # after a decision without commands, until the next decision
        self.stopped = False
        self.epoch = 0
        self.pauses: tuple[PausePeriod, ...] = ()
        self.stays: tuple[StayPeriod, ...] = ()
        # the gateway
        self.mem = self.stored
        self.alive = False
        self.session: int | None = None
        self.sessions = 0
        self.uptime_from = 0.0
        self.due_at: float | None = None
        self.crash_at: str | None = None
        self.crashes: list[float] = []
        self.asked_to_lock = 0
        self.asked: dict[int, float] = {}  # question -> when it was asked
        self.scans = 0
        self.devices = SimulatedDevices(self)
        self.followed = FollowedHousehold(self, seed)
        self.oracle = Oracle(self)
        self.boot()
        if not door_answers(self.rules):
            self.devices.heartbeat()

    # ---- time -------------------------------------------------------------------------------------------------------

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Let something happen so many seconds from now."""
        self.pushed += 1
        heapq.heappush(self.heap, (self.t + seconds, self.pushed, act))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.t + seconds
        while self.heap and self.heap[0][0] <= end:
            at, _, act = heapq.heappop(self.heap)
            self.t = max(self.t, at)
            act()
        self.t = end

    def now(self) -> Now:
        """What the gateway's clock says."""
        step = self.faults.clock_step if self.faults.untrusted else 0.0
        utc = EPOCH + timedelta(seconds=self.t + step)
        return Now(utc=utc, trusted=not self.faults.untrusted, mono=self.t - self.uptime_from)

    def wall(self, t: float) -> datetime:
        """Return the true wall clock's instant of a moment of the life."""
        return EPOCH + timedelta(seconds=t)

    @property
    def guarded(self) -> bool:
        """Whether the lock refuses a late or repeated command."""
        return all(closure.guarded for closure in self.rules.closures)

    def note(self, line: str) -> None:
        """Tell a trace."""
        if self.tell is not None:
            self.tell(f"{self.t:9.2f} {line}")

    # ---- the gateway's shell ----------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start the gateway from what is stored."""
        self.alive = True
        self.mem = replace(self.stored, pauses=self.pauses, stays=self.stays)
        self.due_at = None
        recent = [at for at in self.crashes if self.t - at < 60]
        self.feed(e.Restarted(safe_mode=len(recent) >= CRASHES_FOR_SAFE_MODE))
        self.cameras_say(0.1)
        self.later(0.2, self.broker_up)
        self.later(0.3, lambda: self.feed(e.DiskChanged(ok=not self.faults.disk)))
        self.later(0.3, self.fridge_says)

    def kill(self, seconds: float | None = None) -> None:
        """kill -9, and a start a while later; sometimes the machine itself starts anew."""
        if not self.alive:
            return
        self.note("KILLED")
        self.alive = False
        self.being_stored = None
        self.crash_at = None
        self.session = None
        self.crashes.append(self.t)
        self.oracle.killed()
        if self.rng.random() < self.mean:
            self.later(0.3, self.open)
            self.later(0.4, self.close)
        away = self.rng.choice((0.5, 3.0, 30.0)) if seconds is None else seconds
        if self.rng.random() < 0.3:
            self.uptime_from = self.t
        self.later(away, self.boot)

    def broker_up(self) -> None:
        """A new session; the broker hands out what it retained, which proves nothing."""
        if not self.alive or self.session is not None:
            return
        self.sessions += 1
        self.session = self.sessions
        self.feed(e.BrokerUp(session=self.session))
        if self.faults.battery is not BatteryLevel.GOOD:  # bad news is believed however old it is
            self.feed(e.BatteryReported(device="lock", level=self.faults.battery))
        if self.rng.random() < 0.3:
            heard = e.ReportContext(session=self.session, retained=True)
            self.feed(
                lock_report(
                    report=LockReport(bolt=self.rng.choice((LockState.LOCKED, LockState.UNLOCKED))), context=heard
                )
            )
            self.feed(door_report(report=DoorReport(door=DoorState.CLOSED), context=heard))

    def broker_down(self) -> None:
        """The broker is gone."""
        if self.session is not None:
            self.session = None
            self.feed(e.BrokerDown())

    def feed(self, event: e.Event) -> None:
        """One event through the shell, and the timer for what is due next."""
        if not self.alive:
            return
        try:
            self._step(event)
        except SimulatedCrash:
            self.kill()
            return
        due = min(self.mem.timers.values(), default=None)
        if due is not None and due != self.due_at:
            self.due_at = due
            self.later(max(due + self.uptime_from - self.t, 0.0) + 1e-6, lambda: self._due(due))

    def _due(self, due: float) -> None:
        if self.alive and self.due_at == due:
            self.due_at = None
            self.feed(e.TimerExpired())

    def _step(self, event: e.Event) -> None:
        old = self.mem
        self.sync()
        self.oracle.feeds(event)
        new, commands = decide(old, event, now=self.now())
        if self.tell is not None:
            self._trace(event, old, new, commands)
        performed: tuple[c.Command, ...] = commands
        try:
            self._crash_point("before-commit", commands)
        except SimulatedCrash:
            if commands_without_store(event, commands) is not None:  # these wait for no commit
                self.mem = new  # what the orders follow from; it dies with the process
                self._perform_all(x for x in commands if c.when_performed(x) is c.Performed.BESIDE)
            raise
        unstored = self.faults.commit and new != old
        if unstored:
            without_store = commands_without_store(event, commands)
            if without_store is None:
                self._disk_fails(event)
                return
            performed = without_store
            self.oracle.unstored()
        elif not self._commit(new, commands):
            self.feed(self._newer_facts(new, commands))
            self.feed(event)
            return
        self.mem = new
        self.oracle.moved(event, old, new, commands)
        self._crash_point("after-commit", commands)
        self._perform_all(performed)
        self.oracle.shows(self.mem)
        if unstored:
            self._disk_fails(event)

    def _perform_all(self, commands: Iterable[c.Command]) -> None:
        for command in commands:
            self.did.append((self.t, command))
            self.oracle.performs(command)
            self.perform(command)

    def _newer_facts(self, _new: Entrance, commands: tuple[c.Command, ...]) -> e.Event:
        """Why an intent was rolled back."""
        facts = self.promises[next(x.delivery for x in commands if isinstance(x, c.ReserveOpening))].facts()
        return e.FactsChanged(
            delivery=facts, stopped=self.stopped, epoch=self.epoch, pauses=self.pauses, stays=self.stays
        )

    def _disk_fails(self, event: e.Event) -> None:
        if self.mem.disk_ok and event != e.DiskChanged(ok=False):
            self.feed(e.DiskChanged(ok=False))

    def _crash_point(self, point: str, commands: tuple[c.Command, ...]) -> None:
        """Die here if it was decided so; where an unlock is at stake, mostly there."""
        if self.crash_at != point:
            return
        if any(isinstance(command, c.Unlock) for command in commands) or self.rng.random() < 0.1:
            self.oracle.seen[f"crash {point}"] += 1
            raise SimulatedCrash

    def _commit(self, new: Entrance, commands: tuple[c.Command, ...]) -> bool:
        """One transaction; False rolls it back because the intent's facts have changed."""
        for command in commands:
            if isinstance(command, c.ReserveOpening):
                promise = self.promises[command.delivery]
                expected = (command.version, command.permission_version, command.stop_epoch)
                newest = (promise.version, promise.permission_version, self.epoch)
                if newest != expected or self.is_closed_to(promise, new):
                    return False
                self.oracle.intends(command, new, promise)
                self.intents[command.visit] = command.delivery
                promise.used += 1
                promise.withdrawals += 1
            elif isinstance(command, c.ReleaseOpening):
                self.oracle.releases(command)
                promise = self.promises[command.delivery]
                promise.used -= 1
                promise.withdrawals -= command.withdrawal
        self.keep(new, commands)
        return True

    @property
    def stored(self) -> Entrance:
        """The state that the next decision finds stored."""
        return self.being_stored or self.on_disk

    def sync(self) -> None:
        """Let the disk take what is being stored."""
        self.on_disk, self.being_stored = self.stored, None

    def keep(self, new: Entrance, commands: tuple[c.Command, ...]) -> None:
        """Store a state. A decision without commands is stored beside what follows: a kill before that loses it."""
        if commands:
            self.on_disk = new
        else:
            self.being_stored = new

    def _trace(self, event: e.Event, old: Entrance, new: Entrance, commands: tuple[c.Command, ...]) -> None:
        if event == e.TimerExpired() and old == new and not commands:
            return
        phase = new.visit.phase if new.visit else "ready"
        if new.visit is not None and phase == "relocking":
            run = new.visit.securing.run
            phase = f"relocking/{run.step}/{run.tries}"
        self.note(f"{phase:26} {event}")
        for command in commands:
            self.note(f"{'':26}   -> {command}")

    # ---- what the shell performs ------------------------------------------------------------------------------------

    def perform(self, command: c.Command) -> None:
        """Do what decide asks, as the real shell would."""
        match command:
            case c.RingBell(visit=visit):
                if not self.faults.bell:
                    self.later(0.1, lambda: self.feed(e.BellConfirmed(visit=visit)))
            case c.StartRecording(visit=visit, part=part):
                self.clips[visit] = part
                self.clip, self.clip_from = visit, self.t + FIRST_FRAGMENT_S
                self.cameras_say(FIRST_FRAGMENT_S)
            case c.StopRecording(visit=visit, part=part, keep=keep):
                if self.clips.get(visit) == part:
                    del self.clips[visit]
                self.cameras_say(0.0)
                if keep and not self.faults.film:
                    self.later(0.5, lambda: self.feed(e.FilmClosed(visit=visit, part=part)))
            case c.SealProof(visit=visit, part=part):
                if not self.faults.film:
                    self.later(0.1, lambda: self.feed(e.ProofSealed(visit=visit, part=part)))
            case c.Unlock():
                self._publish_unlock(command)
            case c.Lock(visit=visit, attempt=n, life=life):
                self.devices.send("lock", f"{visit}-{n}-{self.t:.3f}", visit, life)
                self._bystander_enters()
            case c.QuerySensor(sensor=device, session=session, number=number):
                self.asked[number] = self.t
                if self.session == session:
                    self.devices.question(device, session, number)
            case (
                c.AnswerScan()
                | c.ShowSignal()
                | c.NotifyOwner()
                | c.RaiseAlarm()
                | c.ReportParcelResult()
                | c.ReportDoorResult()
                | c.ReportReadiness()
            ):
                pass  # the oracle has seen it; nothing in the house follows
            case c.ReserveOpening() | c.ConsumeOpening() | c.ReleaseOpening() | c.LogNote():
                pass  # the commit was all there is to do
            case c.Close():
                raise AssertionError(f"a front door is no garage: {command}")
            case _:
                assert_never(command)

    def _publish_unlock(self, unlock: c.Unlock) -> None:
        visit = unlock.visit
        if self.crash_at == "before-publish":
            self.oracle.seen["crash before-publish"] += 1
            raise SimulatedCrash
        why = self.faults.held_back
        if self.stopped:
            why = e.UnsentReason.STOP
        elif self.session is None:
            why = e.UnsentReason.BROKER
        elif not is_filmed_live(unlock, self.mem, self._camera_proofs(), self.t):
            why = e.UnsentReason.PROOF_TOO_OLD
        if why is not None:
            self.later(0.1, lambda: self.feed(e.UnlockNotSent(visit=visit, why=why)))
            return
        self.oracle.publishes(visit)
        self.devices.send("unlock", visit, visit, unlock.life)
        if self.crash_at == "after-publish":
            self.oracle.seen["crash after-publish"] += 1
            raise SimulatedCrash
        if self.rng.random() < self.mean:
            at = self.rng.uniform(0.3, 9)
            seen = self.rng.random() < 0.5
            self.later(at, lambda: self.open(seen=seen))
            self.later(at + self.rng.uniform(0, 0.3), self.close)

    def _bystander_enters(self) -> None:
        if self.rng.random() < self.mean:
            at = self.rng.uniform(0, 0.6)
            self.later(at, self.open)
            self.later(at + self.rng.uniform(0, 2), self.close)
            if self.rng.random() < 0.5:
                self.later(at + 2.0, lambda: self.by_hand(unlock=False))

    def reboot(self, device: str) -> None:
        """The lock or the sensor starts anew."""
        self.boots[device] += 1
        self.seqs[device] = 0

    # ---- cameras and fridge -----------------------------------------------------------------------------------------

    def camera_state(self, name: str) -> CameraState:
        """What is true of a camera now."""
        up = name not in self.faults.camera
        written = self.t >= self.clip_from and not self.faults.unwritten
        recording = up and written and self.clip is not None and self.clip in self.clips
        return CameraState(live=up, moving=up and not (self.faults.still and CAMERAS[name]), recording=recording)

    def _camera_proofs(self) -> dict[str, CameraProof]:
        """What the video process says of all cameras now."""
        recordings = tuple(ClipKey(visit=visit, part=part) for visit, part in self.clips.items())
        return {
            name: CameraProof(
                camera=name,
                at=self.t,
                live=state.live,
                moving=state.moving,
                recordings=recordings if state.recording else (),
            )
            for name in CAMERAS
            for state in [self.camera_state(name)]
        }

    def cameras_say(self, seconds: float) -> None:
        """The video process tells every camera's edge."""

        def say() -> None:
            for name in CAMERAS:
                state = self.camera_state(name)
                if self.mem.cameras.get(name) != state:
                    self.feed(
                        e.CameraChanged(camera=name, live=state.live, moving=state.moving, recording=state.recording)
                    )

        self.later(seconds, say)

    def fridge_says(self) -> None:
        """The fridge tells its temperature and its door."""
        door = DoorState.OPEN if self.faults.fridge_open else DoorState.CLOSED
        self.feed(
            FridgeReported(place="fridge", fridge=FridgeState(temp_c=12.0 if self.faults.warm else 4.0, door=door))
        )

    # ---- what was seen ----------------------------------------------------------------------------------------------

    def all(self, kind: type[C]) -> list[C]:
        """Every command of a kind so far."""
        return [command for _, command in self.did if isinstance(command, kind)]

    @property
    def phase(self) -> str:
        """The running visit's phase."""
        return "ready" if self.mem.visit is None or self.mem.visit.phase is None else self.mem.visit.phase

    @property
    def refusals(self) -> list[str]:
        """Why scans were refused, in order."""
        return [str(answer.refusal) for answer in self.all(c.AnswerScan) if answer.refusal is not None]

    @property
    def alarms(self) -> list[str]:
        """The alarms so far, in order."""
        return [str(alarm.code) for alarm in self.all(c.RaiseAlarm)]

    @property
    def outcomes(self) -> list[str]:
        """The parcels' results so far."""
        return [str(result.outcome) for result in self.all(c.ReportParcelResult)]

    @property
    def houses(self) -> list[str]:
        """The house's results so far."""
        return [str(result.door_result) for result in self.all(c.ReportDoorResult)]

    @property
    def physical(self) -> list[str]:
        """What bolt and leaf did, in order."""
        return [line.what for line in self.premises.log]

    # ---- people -----------------------------------------------------------------------------------------------------

    def scan(self, code: str, *, scanner: str = "s", retained: bool = False, expected_only: bool = False) -> None:
        """A code at the door, with what the store knows of it."""
        self.scans += 1
        scan = e.Scanned(
            id=f"v{self.scans}",
            scanner=scanner,
            code=code,
            matches=tuple(self.oracle.matches(code)),
            keeper=self.keeper_of(code),
            awaiting=self.awaiting(code),
            retained=retained,
            expected_only=expected_only,
        )
        self.oracle.scans(scan)
        self.feed(scan)

    def keeper_of(self, _code: str) -> KeeperCode | None:
        """The keeper whose code it is: a front door has no keepers."""
        return None

    def awaiting(self, code: str) -> tuple[e.CodeMatch, ...]:
        """The parcel that waits for this code of a keeper, as the store has it now."""
        pending = self.mem.pending_scan
        if self.keeper_of(code) is None or pending is None:
            return ()
        return tuple(match for waiting in sorted(pending.codes) for match in self.oracle.matches(waiting))

    def by_hand(self, *, unlock: bool) -> bool:
        """A key or the thumb-turn."""
        moved = self.premises.by_hand(self.t, unlock=unlock)
        if moved:
            self.note(f"{'':26} == {'unlocked' if unlock else 'locked'} by hand")
            self.devices.lock_says(OperationSource.MANUAL)
        return moved

    def open(self, *, seen: bool = True) -> bool:
        """Somebody opens the door; unseen: the sensor's word of it is lost."""
        opened = self.premises.open(self.t)
        if opened:
            self.note(f"{'':26} == door opened")
            self.oracle.opened()
            if seen:
                self.devices.door_says()
            else:
                self.seqs["door"] += 1
        return opened

    def force(self) -> bool:
        """Somebody breaks in."""
        forced = self.premises.force(self.t)
        if forced:
            self.note(f"{'':26} == door forced")
            self.devices.door_says()
        return forced

    def remote_unlock(self) -> bool:
        """Somebody moves the lock by radio, and it is not us."""
        moved = self.premises.by_hand(self.t, unlock=True)
        if moved:
            self.note(f"{'':26} == unlocked by radio")
            self.devices.lock_says(OperationSource.REMOTE)
        return moved

    def close(self) -> bool:
        """Somebody closes the door."""
        closed = self.premises.close(self.t)
        if closed:
            self.note(f"{'':26} == door closed")
            self.devices.door_says()
        return closed

    def stop(self, *, stopped: bool) -> None:
        """The owner's stop or lift: latched by the shell at once, an event a moment later."""
        self.epoch += 1
        self.stopped = stopped
        epoch = self.epoch
        event = e.Stopped(epoch=epoch) if stopped else e.StopLifted(epoch=epoch)
        self.later(self.rng.uniform(0, 0.2), lambda: self.feed(event))

    def paused(self) -> bool:
        """Whether the household has said that nothing comes in now."""
        return any(pause.start <= EPOCH + timedelta(seconds=self.t) < pause.end for pause in self.pauses)

    def stay_now(self, at: Entrance | None = None) -> StayPeriod | None:
        """The stay of guests that holds now, by the store or by what the gateway knows."""
        stays = self.stays if at is None else at.stays
        return next((stay for stay in stays if stay.start <= EPOCH + timedelta(seconds=self.t) < stay.end), None)

    def is_closed_to(self, promise: SimulatedDelivery, new: Entrance) -> bool:
        """Whether a pause or a stay forbids this intent, or the gateway does not know of a stay yet."""
        if promise.errand.for_household:
            return False
        return self.paused() or self.stay_now() != self.stay_now(new)

    def stay(self, start: float, end: float, *, admits: bool = False) -> None:
        """The host plans a stay, in seconds from now: stored at once, an event a moment later."""
        now = EPOCH + timedelta(seconds=self.t)
        begins, ends = now + timedelta(seconds=start), now + timedelta(seconds=end)
        self._host(
            (*self.stays, StayPeriod(id=f"s{len(self.stays)}", start=begins, end=ends, admits_deliveries=admits))
        )

    def end_stays(self) -> None:
        """The host ends or withdraws them all."""
        self._host(())

    def _host(self, stays: tuple[StayPeriod, ...]) -> None:
        self.stays = stays
        self.later(self.rng.uniform(0, 0.2), lambda: self.feed(e.StaysChanged(stays=self.stays)))

    def pause(self, start: float, end: float) -> None:
        """The household plans a pause, in seconds from now: stored at once, an event a moment later."""
        now = EPOCH + timedelta(seconds=self.t)
        begins, ends = now + timedelta(seconds=start), now + timedelta(seconds=end)
        self._plan((*self.pauses, PausePeriod(id=f"p{len(self.pauses)}", start=begins, end=ends)))

    def end_pauses(self) -> None:
        """The household ends or withdraws them all."""
        self._plan(())

    def _plan(self, pauses: tuple[PausePeriod, ...]) -> None:
        self.pauses = pauses
        self.later(self.rng.uniform(0, 0.2), lambda: self.feed(e.PausesChanged(pauses=pauses)))

    def lock_now(self) -> None:
        """Somebody asks to lock."""
        self.asked_to_lock += 1
        self.feed(e.LockRequested(id=f"lockup-{self.asked_to_lock}", by="anna"))

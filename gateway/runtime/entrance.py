"""Runs one entrance: receives messages, calls `decide`, commits the result and performs the commands.

Nothing else may move a lock. A command that increases access is performed only after its commit; locking, alarming and
filming are performed even when the commit fails (`commands.when_performed`). A decision without commands is stored
beside the next ones, but the store reserves no opening of which something earlier is not stored.
"""

import asyncio
import hashlib
import math
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeAlias, assert_never

import structlog

from devices import reports as r
from devices.vendors import VENDORS
from devices.vendors.words import BRIDGE_CHANNELS, TopicSuffix
from gateway.config.closures import sensor_bindings
from gateway.config.home import Home
from gateway.domain.delivery.barcodes import BAD_PREFIX, InvalidBarcode, normalise
from gateway.domain.delivery.label import NO_LABEL, LabelElements, read_label
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit import aging
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures.contract import ORDER_ROLE
from gateway.domain.visit.decide import decide
from gateway.domain.visit.events import FactsChanged, KeeperWithdrawn
from gateway.domain.visit.state import CameraState, Entrance, KeeperCode
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.adapters import batteries, surroundings
from gateway.runtime.adapters.sensors import (
    is_bad_news,
    is_good_basic_news,
    sensor_events,
    with_folded_queries,
    witness_events,
)
from gateway.runtime.effects import CommandExecutor
from gateway.runtime.event_queue import EventQueue
from gateway.runtime.log_limits import LogLimits
from gateway.runtime.reconnects import ReconnectTracker
from gateway.storage.models import CommitResult, StoredDecision, StoreFailed
from gateway.system.clock import Clock
from gateway.system.ids import unique_id
from gateway.system.token_bucket import FixedWindow

log = structlog.get_logger(__name__)

READING_TOPICS = (TopicSuffix.STATE, TopicSuffix.RESULT)  # of the readings of the devices around an entrance
MAX_MESSAGES_PER_SECOND = 30  # messages of one device in a second; no device of a house sends so many
# What the gateway queries.
ANSWERING_REPORTS = (
    r.LockReport, r.DoorReport, r.ContentReport, r.KeyReport, r.ParkedReport, r.PositionReport, r.FridgeReport,
    r.SignalReport,
)  # fmt: skip
RELEARN_INTERVAL_S = 1.0  # seconds between two queries after messages were dropped in a flood
PLACE_INTERVAL_S = 60.0  # seconds between two queries of what measures a place, near a window
PLACE_ANSWER_S = 15.0  # seconds for its answer, also by the maker's cloud

AWAITED_EVENTS = (e.PreflightDue, e.OwnerAcknowledged)  # the store changes more by them than the entrance's state
MAX_UNSTORED_STEPS = 8  # decisions without commands that wait for the disk: with more of them the next event waits
# What became of a visit. While the disk accepts no writes no other visit begins, so these commands are few.
_RESULTS = (c.ConsumeOpening, c.ReleaseOpening, c.ReportParcelResult, c.ReportDoorResult, c.SealProof)


CommitOutcome: TypeAlias = CommitResult | FactsChanged | KeeperWithdrawn | e.DiskChanged


class LastPosition(Frozen):
    """The newest position of a car, and when it came. It stays in memory: nothing stores or logs it."""

    report: r.PositionReport
    heard_mono: float


class EntranceActor:
    """Feeds one entrance's events to `decide`, one at a time, and performs the resulting commands.

    `commit` stores a decision, or returns the newer facts because of which it did not; it raises `StoreFailed` if the
    disk stored nothing. `matches` returns the deliveries that have a normalised code, under the rules of its label;
    `keeper_of` returns the keeper whose code it is, if any.
    `executor` makes what performs the commands; it gets `post` and `is_stopped` of this actor. `crash_point` is that of
    `App`.
    """

    def __init__(  # noqa: PLR0913 - each is a part that an entrance uses
        self,
        state: Entrance,
        *,
        home: Home,
        commit: Callable[[StoredDecision], Awaitable[CommitOutcome]],
        matches: Callable[[str, Now, LabelElements], tuple[e.CodeMatch, ...]],
        keeper_of: Callable[[str], KeeperCode | None],
        clock: Clock,
        executor: Callable[..., CommandExecutor],
        crash_point: Callable[[str], None],
    ) -> None:
        self.state = state
        self._home, self._section = home, home.entrances[state.id]
        self._scanners = frozenset(self._section.all_scanners)
        self._commit, self._matches, self._clock, self._crash_point = commit, matches, clock, crash_point
        self._keeper_of = keeper_of
        self._bindings = sensor_bindings(state.rules.closures)
        self._executor = executor(post=self.post, is_stopped=self.is_stopped, has_turned_bad=self.has_turned_bad)
        self._event_queue = EventQueue()
        self._log_limits = LogLimits()
        self._wake = asyncio.Event()
        self._basic_heard_mono: dict[str, float] = {}  # basic sensor -> when its device last published
        self._last_heard_mono: dict[str, float] = {}  # device around the entrance -> when it last sent a live report
        self._places_queried: dict[str, float] = {}  # device that measures a place -> when it was last queried
        self._unanswered: set[str] = set()  # of these, those whose state is unknown because they did not answer
        self.positions: dict[str, LastPosition] = {}  # device -> its newest position: only here, and never stored
        self._dropped_scans = 0
        self._flood_reported_mono = -math.inf
        self._message_rates: defaultdict[str, FixedWindow] = defaultdict(lambda: FixedWindow(MAX_MESSAGES_PER_SECOND))
        self._devices_with_loss: set[str] = set()  # devices with messages that were dropped unread
        self._relearnt_mono = -math.inf
        self._pending_stops = 0
        self._unstored: deque[asyncio.Future[CommitOutcome]] = deque()  # decisions that are being stored
        self._unstored_results: list[c.Command] = []  # of decisions that could not be stored
        self._bug: BaseException | None = None
        self._reconnects = ReconnectTracker()
        self.on_commands: list[Callable[[tuple[c.Command, ...]], object]] = []  # gets those of each decision, performed
        self.on_change: list[Callable[[], object]] = []  # called after each change of the state
        self.on_robot: list[Callable[..., object]] = []  # gets each robot's id and report, and `retained`

    def is_stopped(self) -> bool:
        """Return whether the owner's stop holds, from the instant at which it was received."""
        return self._pending_stops > 0 or self.state.stopped

    def latch_stop(self) -> None:
        """Apply the owner's stop: from this instant no unlock is sent, before anything is stored or decided.

        It holds until its own `Stopped` event is decided: lifting an earlier stop does not end it.
        """
        self._pending_stops += 1

    def has_turned_bad(self, sensors: Collection[str]) -> bool:
        """Return whether one of these sensors proves nothing now, although it did at the last decision.

        A report that waits for its decision says something bad, or what the sensor reported has become too old.
        """
        mono = self._clock.mono()
        if any(aging.is_expired(fact, mono) for name, fact in self.state.facts.items() if name in sensors):
            return True
        return any(
            event.sensor in sensors and is_bad_news(self.state.rules, event)
            for event in self._event_queue
            if isinstance(event, e.SensorReported | e.SensorOffline)
        )

    def on_message(self, device: str, channel: TopicSuffix, incoming: InboundMessage) -> None:
        """Process a message of one of this entrance's devices; a flooding device's messages are dropped unread."""
        configured = self._home.devices[device]
        mono = self._clock.mono()
        vendor = VENDORS[configured.vendor]
        if channel in BRIDGE_CHANNELS and not vendor.decode_report(channel, incoming.payload, configured.device_ref):
            return  # an entry of the bridge's log about another device
        if device not in self._scanners and not self._message_rates[device].take(mono):
            self.on_messages_lost(device)
            return
        if not incoming.retain:  # a retained message contains an old uptime
            self._executor.record_uptime(device, incoming.boot, incoming.uptime_ms, mono)
        reports = vendor.decode_report(channel, incoming.payload, configured.device_ref)
        self._track_link(device, channel, incoming, reports)
        context = e.ReportContext(
            session=incoming.session,
            retained=incoming.retain,
            answers=self._answered_query(device, channel, incoming, reports),
            boot=incoming.boot,
            seq=incoming.seq,
        )
        events = [event for report in reports for event in self._decode_events(device, channel, report, context)]
        for report in reports:
            if isinstance(report, r.RobotReport | r.RobotIdentityReport):
                for receive_report in self.on_robot:
                    receive_report(device, report, retained=context.retained)
        unreadable = any(isinstance(report, r.UnreadablePayload) for report in reports)
        is_scan = device in self._scanners and channel in (TopicSuffix.EVENT, TopicSuffix.STATE)
        if unreadable and is_scan and (code := incoming.payload.strip()):
            events.append(new_scan(device, _unreadable_code(code), retained=context.retained))
        reported = {event.sensor for event in events if isinstance(event, e.SensorReported)}
        for name in self._sensors(device):
            if name in self.state.rules.basic_sensors and not context.retained and channel not in BRIDGE_CHANNELS:
                self._basic_heard_mono[name] = mono
            if name not in reported:
                events.append(e.SequenceAdvanced(sensor=name, context=context))
        for event in events:
            self.post(event)

    def _answered_query(
        self, device: str, channel: TopicSuffix, incoming: InboundMessage, reports: tuple[r.Report, ...]
    ) -> int | None:
        """Return the query that this message answers; without correlation data (Zigbee2MQTT) the first state does."""
        definition = self._home.devices[device].definition
        if definition.correlates:
            for report in reports:
                if isinstance(report, r.CorrelationReport):  # its MQTT has no correlation data
                    incoming = replace(incoming, correlation=report.echo.encode())
            number = incoming.answered_query if channel is TopicSuffix.RESULT else None
            is_ours = number is not None and self._executor.has_queried(device, incoming.session, number)
            return number if is_ours else None
        is_elsewhere = definition.answer_suffix not in (None, channel)
        if incoming.retain or is_elsewhere or self._is_settling(device):
            return None
        if not any(isinstance(report, ANSWERING_REPORTS) and not _is_lock_movement(report) for report in reports):
            return None
        return self._executor.take_query(device, incoming.session)

    def _track_link(
        self, device: str, channel: TopicSuffix, incoming: InboundMessage, reports: tuple[r.Report, ...]
    ) -> None:
        """Void the queries of a device whose link is lost; once it is back it is queried again (`reconnects`)."""
        mono, by_bridge = self._clock.mono(), channel is TopicSuffix.BRIDGE and not incoming.retain
        for report in reports:
            if isinstance(report, r.NoAnswerReport):
                self._executor.take_query(device, incoming.session)
            elif isinstance(report, r.AvailabilityReport):
                if not report.online:
                    self._reconnects.lost(device)
                    self._executor.take_query(device, incoming.session)
                elif self._reconnects.online(device, mono, by_bridge=by_bridge):
                    self._executor.take_query(device, incoming.session)

    def _is_settling(self, device: str) -> bool:
        return self._reconnects.settling(device, self._clock.mono())

    def query_reconnected(self, now: Now) -> None:
        """Query the devices whose time after a reconnect has ended."""
        if any(self._sensors(device) for device in self._reconnects.settled(now.mono)):
            self.post(e.ReportsMissed())

    def check_heartbeats(self, now: Now) -> None:
        """Report, once, basic sensors and devices around the entrance whose heartbeat is missing."""
        for device in surroundings.silent_devices(self.state.rules.conditions, self._last_heard_mono, now.mono):
            del self._last_heard_mono[device]
            self._post_unknown(device)
        self._query_places(now.mono)
        for binding in self._bindings:
            heard, sensor = self._basic_heard_mono.get(binding.name), self._home.devices[binding.device]
            if heard is not None and now.mono - heard > sensor.sensor_heartbeat_s:
                del self._basic_heard_mono[binding.name]
                self.post(e.SensorOffline(sensor=binding.name))

    def _query_places(self, mono: float) -> None:
        """Near a window, query what measures a place, now and then; what it said before is unknown if it is silent."""
        for place in self._section.places:
            for device in surroundings.asked_devices_at(self.state.rules.conditions, place):
                asked = self._places_queried.get(device, -math.inf)
                is_silent = self._last_heard_mono.get(device, -math.inf) < asked and device not in self._unanswered
                if is_silent and mono - asked > PLACE_ANSWER_S:
                    self._unanswered.add(device)
                    self._post_unknown(device)
                matters = self.state.window_near or self.state.visit is not None
                is_due = mono - asked >= PLACE_INTERVAL_S and self.state.broker_session is not None
                if matters and is_due and self._home.devices[device].can_be_queried:
                    self._places_queried[device] = mono
                    self._unanswered.discard(device)
                    self._executor.query_place(place, self.state)

    def _post_unknown(self, device: str) -> None:
        for event in surroundings.lost(self.state.rules.conditions, device):
            self.post(event)

    def _sensors(self, device: str) -> tuple[str, ...]:
        return tuple(binding.name for binding in self._bindings if binding.device == device)

    def _opened_closure(self, device: str) -> str | None:
        """Return the closure that this device opens, or None."""
        closures = self.state.rules.closures
        return next((closure.id for closure in closures if closure.devices.get(ORDER_ROLE) == device), None)

    def _decode_events(
        self, device: str, channel: TopicSuffix, report: r.Report, context: e.ReportContext
    ) -> Iterator[e.Event]:
        match report:
            case r.ContentReport() if device in surroundings.watched_devices(self.state.rules.conditions):
                yield from self._surrounding_events(device, report, context)
            case (
                r.LockReport()
                | r.DoorReport()
                | r.GarageDoorReport()
                | r.ContentReport()
                | r.KeyReport()
                | r.ParkedReport()
                | r.PositionReport()
            ):
                yield from self._decode_sensors(device, report, context)
            case r.DoorbellPressed() if device in self._section.courier_cameras and not context.retained:
                yield e.BellPressed()
            case r.AvailabilityReport(online=False):
                for name in self._sensors(device):
                    yield e.SensorOffline(sensor=name)
                yield from surroundings.lost(self.state.rules.conditions, device)
            case r.BatteryReport():
                home, name = self._home, self.state.id
                yield from batteries.battery_events(home, name, device, channel, report, retained=context.retained)
            case r.ScanReport():
                yield new_scan(device, code_text(report.code), retained=context.retained, label=read_label(report.code))
            case r.FridgeReport() | r.PresenceReport() | r.AlarmPanelReport() | r.RobotReport():
                yield from self._surrounding_events(device, report, context)
            case r.SignalReport() if report.id or context.answers is not None:
                if (visit := self._executor.take_ringing_visit(report.id)) is not None:
                    yield e.BellConfirmed(visit=visit)
            case r.AnswerButtonReport() if not context.retained:
                yield e.HouseholdAnswered()
            case r.ErrorReport():
                log.warning("device_says", device=device, report=f"it did not obey ({report.failure.value})")
                if (closure := self._opened_closure(device)) is not None and not context.retained:
                    yield e.LockFailed(closure=closure, failure=report.failure, command=report.id)
            case r.UnreadablePayload():
                log.warning("device_says", device=device, report=f"cannot be read: {report.why}")
                if channel in READING_TOPICS:  # its reading is unknown now
                    yield from surroundings.lost(self.state.rules.conditions, device)
            case (
                r.AvailabilityReport()
                | r.AnswerButtonReport()
                | r.SignalReport()
                | r.ProgressReport()
                | r.DoorbellPressed()
                | r.MotionReport()
                | r.StreamReport()
                | r.TrackingReport()
                | r.CodesReport()
                | r.RobotIdentityReport()
                | r.CorrelationReport()
                | r.NoAnswerReport()
            ):
                pass  # true, but an opening does not depend on it
            case _:
                assert_never(report)

    def _surrounding_events(self, device: str, report: r.Report, context: e.ReportContext) -> Iterator[e.Event]:
        old = context.retained or self._is_settling(device)
        events = tuple(surroundings.reports(self.state.rules.conditions, device, report, old=old))
        if events and not old:  # a report about another part of the device leaves this one silent
            self._last_heard_mono[device] = self._clock.mono()
        yield from events

    def _decode_sensors(self, device: str, report: r.Report, context: e.ReportContext) -> Iterator[e.Event]:
        """Yield the events of the sensors that a report is about, and remember the position of a car."""
        if isinstance(report, r.PositionReport) and not context.retained:
            self.positions[device] = LastPosition(report=report, heard_mono=self._clock.mono())
        if isinstance(report, r.LockReport) and report.bolt is r.LockState.UNLOCKED and not context.retained:
            self._crash_point("after-report")
        for event in sensor_events(self.state.rules.closures, self._bindings, device, report, context):
            # A starting bridge may remember good news, and of a basic sensor it would count
            if not (self._is_settling(device) and is_good_basic_news(self.state.rules, event)):
                yield event
        yield from witness_events(self.state.rules.closures, self._bindings, device, report)

    def on_label(self, camera: str, raw: str) -> None:
        """Queue a code that a camera read; ignore a text that cannot be a code."""
        code = normalise(raw)
        if not isinstance(code, InvalidBarcode):
            self.post(new_scan(camera, code.value, expected_only=True, label=read_label(raw)))

    def on_connected(self, session: int) -> None:
        """Start a new broker session: everything has to be published, queried and said again."""
        self._last_heard_mono.clear()
        self._event_queue.forget_surroundings()
        for event in surroundings.ended_measurements(self.state):
            self.post(event)
        self.post(e.BrokerUp(session=session))
        self._executor.on_connected(session)

    def on_messages_lost(self, device: str) -> None:
        """Record that a message of this device was dropped unread."""
        if device in self._scanners:
            self._dropped_scans += 1
        else:
            self._devices_with_loss.add(device)
        self._wake.set()

    def _query_after_loss(self, mono: float) -> None:
        self._relearnt_mono, devices, self._devices_with_loss = mono, self._devices_with_loss, set()
        log.warning("devices_flood", entrance=self.state.id, devices=sorted(devices))
        if any(self._sensors(device) for device in devices):
            self.post(e.ReportsMissed())
        for device in sorted(devices):
            self._post_unknown(device)

    def post(self, event: e.Event) -> None:
        """Queue an event. Beyond the limits scans are counted; after other events every sensor is queried again."""
        if not self._event_queue.post(event):
            if not isinstance(event, e.Scanned):
                self._devices_with_loss.update(binding.device for binding in self._bindings[:1])
            elif not event.expected_only:
                self._dropped_scans += 1
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled; an exception from here is a bug and ends the process."""
        try:
            while True:
                event = await self._next_event()
                await self.step(event)
                if isinstance(event, e.Stopped):
                    self._pending_stops = max(0, self._pending_stops - 1)
        finally:
            self.publish_now()  # the broker keeps the last state

    async def _next_event(self) -> e.Event:
        """Return the next event, or `TimerExpired` when a deadline passes and no event has come.

        Queued events go first: an answer in the queue must not count as silence. Each step acts on passed deadlines
        too, so a flood delays none. The owner learns of a flood at once and then once a minute.
        """
        while True:
            if self._bug is not None:
                raise self._bug
            mono = self._clock.mono()
            alarm_again_s = self.state.rules.timing.alarm_again
            flood_report_due = self._flood_reported_mono + alarm_again_s if self._dropped_scans else math.inf
            if mono >= flood_report_due:
                flood = e.ScansDropped(count=self._dropped_scans)
                self._dropped_scans, self._flood_reported_mono = 0, mono
                return flood
            relearn_due = self._relearnt_mono + RELEARN_INTERVAL_S if self._devices_with_loss else math.inf
            if mono >= relearn_due:
                self._query_after_loss(mono)
                continue
            summary_due = self._log_limits.due
            if mono >= summary_due:
                summary = self._log_limits.summary()  # how many steps of each source had no entry of their own
                if summary is not None:
                    await self._store_entry(*summary, self._clock.now())
                continue
            if self._event_queue:
                return self._event_queue.take()
            due = min(self.state.timers.values(), default=math.inf)
            if mono >= due:
                return e.TimerExpired()
            wait = min(due, flood_report_due, relearn_due, summary_due) - mono
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait == math.inf else wait):
                    await self._wake.wait()

    async def step(self, event: e.Event) -> None:
        """Decide on one event, store the decision, then perform the commands."""
        while True:
            now = self._clock.now()
            if isinstance(event, e.Scanned):
                event = self._looked_up(event, now)
                places = {place for match in (*event.matches, *event.awaiting) for place in match.delivery.places}
                await self._store_readings(places, now)
            new, commands = decide(self.state, event, now=now)
            if new == self.state and not commands and not self._is_recorded_alone(event, now):
                await asyncio.sleep(0)  # without a commit nothing gives the loop a turn, nor in the two cases below
                return
            if not commands and _is_transient(event, new):
                cameras, self.state = self.state.cameras, new
                if _camera_status(cameras) != _camera_status(new.cameras):
                    self._executor.publish_state(new, now)
                    self.publish_change()
                await asyncio.sleep(0)
                return
            if isinstance(event, e.DiskChanged):  # the first decision after one that could not be stored
                commands = (*self._unstored_results, *commands)
            limited = self._log_limits.counts(event, self.state, new, commands)
            step = StoredDecision(entrance=new.id, event=event, state=new, commands=commands, now=now)
            if limited and not self._log_limits.admits(event, now.mono):
                # Only the scanner gets its answer: each light and each query would cause another event.
                step = replace(step, commands=tuple(one for one in commands if isinstance(one, c.AnswerScan)))
                self._perform_beside(step)
                self._execute(step, step.commands, ())
                await asyncio.sleep(0)
                return
            if not commands and event != e.DiskChanged(ok=True) and not isinstance(event, AWAITED_EVENTS):
                await self._store_beside(step)
                return
            intent = any(isinstance(command, c.ReserveOpening) for command in commands)
            if intent:
                self._clock.raise_floor(now)  # the transaction of the intent stores it
                self._crash_point("before-commit")
            self._perform_beside(step)
            try:
                outcome = await self._commit(step)
            except StoreFailed as failure:
                self._continue_without_store(step, failure)
                return
            if not isinstance(outcome, CommitResult):
                await self.step(outcome)  # newer facts first, then this event again on them
                continue
            if intent:
                self._crash_point("after-commit")
            if isinstance(event, e.DiskChanged):
                self._unstored_results.clear()
            if not outcome.is_marked:
                self._hold_back_unlock(commands)
            self._execute(step, commands, outcome.messages)
            log.info("decision", entry=outcome.seq, row=outcome.row)  # no unlock waits for a log entry
            return

    def _perform_beside(self, step: StoredDecision) -> None:
        """Perform what waits for no commit, unless the decision counts only if it is stored."""
        if commands_without_store(step.event, step.commands) is not None:
            for command in step.commands:
                if c.when_performed(command) is c.Performed.BESIDE:
                    self._executor.perform(command, step.state, step.now)

    async def _store_beside(self, step: StoredDecision) -> None:
        """Go on with a decision that causes nothing while it is being stored; if that fails, the disk is bad.

        The store keeps the order of its jobs, so this decision is stored before every later one, and no later one
        reserves an opening if this one is not stored.
        """
        self._execute(step, (), ())
        storing = asyncio.ensure_future(self._commit(step))
        self._unstored.append(storing)
        storing.add_done_callback(partial(self._on_stored, step))
        await asyncio.sleep(0)  # it is the store's job from here on
        if len(self._unstored) >= MAX_UNSTORED_STEPS:
            await asyncio.wait({self._unstored[0]})

    def _on_stored(self, step: StoredDecision, storing: asyncio.Future[CommitOutcome]) -> None:
        self._unstored.remove(storing)
        if storing.cancelled():
            return
        failure = storing.exception()
        if failure is None:
            outcome = storing.result()
            if isinstance(outcome, CommitResult):
                log.info("decision", entry=outcome.seq, row=outcome.row)
        elif isinstance(failure, StoreFailed):
            self._note_unstored(step, failure, dropped=False)
        else:
            self._bug = failure
            self._wake.set()

    def _is_recorded_alone(self, event: e.Event, now: Now) -> bool:
        """Return whether an event that changes nothing and causes nothing has an entry: the proof needs it."""
        is_repeated = self._log_limits.admits_repetition(event, self.state, now.mono)
        return is_repeated or isinstance(event, e.UnlockPublished)

    def _looked_up(self, scan: e.Scanned, now: Now) -> e.Scanned:
        """Return the scan with the keeper of its code, if any, and with the parcel that waits for this code now."""
        if scan.robot is not None:  # it names the delivery that it brings
            matches = (match for match in self._matches(scan.code, now, scan.label))
            return replace(scan, matches=tuple(one for one in matches if one.delivery.id == scan.robot.delivery))
        keeper, pending = self._keeper_of(scan.code), self.state.pending_scan
        if keeper is None:
            return replace(scan, matches=self._matches(scan.code, now, scan.label))
        waiting = () if pending is None else sorted(pending.codes)
        awaiting = tuple(match for code in waiting for match in self._matches(code, now, NO_LABEL))
        return replace(scan, keeper=keeper, awaiting=awaiting)

    async def _store_readings(self, places: Collection[str], now: Now) -> None:
        """Store the newest readings of these places: a visit that begins there depends on them."""
        for place in places:
            reading = self._log_limits.newest(place)
            if reading is not None:
                await self._store_entry(reading, (), now)

    async def _store_entry(self, event: e.Event, commands: tuple[c.Command, ...], now: Now) -> None:
        try:
            entry = StoredDecision(entrance=self.state.id, event=event, state=self.state, commands=commands, now=now)
            await self._commit(entry)
        except StoreFailed as failure:
            log.warning("summary_not_stored", entrance=self.state.id, why=str(failure))

    def _continue_without_store(self, step: StoredDecision, failure: StoreFailed) -> None:
        """Continue after a failed commit: drop the decision, or apply it in memory without raising access.

        The results of a visit are stored and published with the first decision that the disk accepts again.
        """
        performed = commands_without_store(step.event, step.commands)
        self._note_unstored(step, failure, dropped=performed is None)
        if performed is not None:
            results: list[c.Command] = [one for one in step.commands if isinstance(one, _RESULTS)]
            has_earlier = isinstance(step.event, e.DiskChanged)  # `step` added them
            self._unstored_results = results if has_earlier else self._unstored_results + results
            self._execute(step, performed, ())

    def _note_unstored(self, step: StoredDecision, failure: StoreFailed, *, dropped: bool) -> None:
        log.error(
            "step_not_stored",
            entrance=step.entrance,
            event_kind=type(step.event).__name__,
            commands=[type(command).__name__ for command in step.commands],
            dropped=dropped,
            why=str(failure),
        )
        if self.state.disk_ok and step.event != e.DiskChanged(ok=False):
            self._event_queue.post_first(e.DiskChanged(ok=False))
            self._wake.set()

    def _hold_back_unlock(self, commands: tuple[c.Command, ...]) -> None:
        """Cancel the unlock of an intent that is stored without its mark: the disk is bad."""
        for command in commands:
            if isinstance(command, c.ReserveOpening):
                self._executor.unmarked_visit = command.visit
        if self.state.disk_ok:
            self._event_queue.post_first(e.DiskChanged(ok=False))

    def _execute(self, step: StoredDecision, commands: tuple[c.Command, ...], messages: tuple[int, ...]) -> None:
        """Perform the commands; `messages` are the stored numbers of the notifications, in the commands' order."""
        numbers = iter(messages)
        self.state = step.state
        commands = with_folded_queries(self._bindings, commands)
        for command in commands:
            number = next(numbers, None) if isinstance(command, c.OwnerMessage) else None
            if c.when_performed(command) is not c.Performed.BESIDE:
                self._executor.perform(command, step.state, step.now, message=number)
        if isinstance(step.event, e.Scanned) and step.event.scanner in step.state.rules.place_scanners:
            self._executor.query_place(step.state.rules.place_scanners[step.event.scanner], step.state)
        for command in commands:  # no unlock waits for its own announcement
            self._executor.announce(command, step.state, step.now)
        self._executor.publish_state(step.state, step.now)
        for receive_commands in self.on_commands:
            receive_commands(commands)
        self.publish_change()

    def publish_now(self) -> None:
        """Publish the events and the state that wait: others that follow from them leave after them."""
        self._executor.publish_now()

    def publish_change(self) -> None:
        """Call all that follow the state; one may begin or cease to follow it."""
        for notify in tuple(self.on_change):
            notify()


def commands_without_store(event: e.Event, commands: tuple[c.Command, ...]) -> tuple[c.Command, ...] | None:
    """Return what is performed of a decision that could not be stored; None: the decision is dropped completely."""
    # This step has just shown that the disk does not work again
    if event == e.DiskChanged(ok=True) or any(isinstance(command, c.ReserveOpening) for command in commands):
        return None
    return tuple(command for command in commands if c.when_performed(command) is not c.Performed.STORED)


def _is_transient(event: e.Event, state: Entrance) -> bool:
    """Return whether a camera's event needs no entry: nothing follows from it, and a restart loses it anyway."""
    if isinstance(event, e.Scanned):
        return event.expected_only
    return isinstance(event, e.CameraChanged) and state.visit is None and state.incident is None


def _camera_status(cameras: Mapping[str, CameraState]) -> dict[str, tuple[bool, bool]]:
    """Return whether each camera gives pictures and whether it films; movement is not shown."""
    return {name: (camera.live, camera.recording) for name, camera in cameras.items()}


def _is_lock_movement(report: r.Report) -> bool:
    return isinstance(report, r.LockReport) and report.event


def new_scan(
    scanner: str, code: str, *, retained: bool = False, expected_only: bool = False, label: LabelElements = NO_LABEL
) -> e.Scanned:
    """Return the event of a scan, with a new id."""
    return e.Scanned(
        id=unique_id(), scanner=scanner, code=code, retained=retained, expected_only=expected_only, label=label
    )


def code_text(raw: str) -> str:
    """Return the normalised code. A text that cannot be a code still counts, under a name that is safe to log."""
    code = normalise(raw)
    return _unreadable_code(raw.encode(errors="replace")) if isinstance(code, InvalidBarcode) else code.value


def _unreadable_code(raw: bytes) -> str:
    return f"{BAD_PREFIX}{hashlib.sha256(raw).hexdigest()[:16]}"

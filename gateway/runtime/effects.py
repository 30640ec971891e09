"""Performs an entrance's commands: MQTT messages, films, notifications and log entries.

The module decides nothing. It holds an unlock back only for what the decision could not know yet: the owner's stop that
has just arrived, or live video that is not proven at the moment of publishing. Then the reservation is released.
"""

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Unpack, assert_never

import structlog

from devices import commands as d
from devices.reports import LockState
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.closure_names import has_named_closures
from gateway.config.conditions import entrance_conditions
from gateway.config.home import Home
from gateway.config.topics import device_topic, entrance_topic
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit import summary
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, ORDER_ROLE
from gateway.domain.visit.predicates import courier_cameras, requires_film
from gateway.domain.visit.state import Entrance, Phase
from gateway.domain.visit.views import find_sensor
from gateway.evidence.archive import Archive
from gateway.evidence.manifest import visit_folder
from gateway.mqtt.packets import Acknowledgement, NotSent, PublishOptions, Sent
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.runtime.adapters.surroundings import devices_at, watched_devices
from gateway.runtime.door_sentences import CourierLanguages, sentence_for
from gateway.runtime.notifications.outbox import Outbox
from gateway.storage.log_names import kind_of
from gateway.system.clock import Clock
from gateway.system.ids import unique_id
from gateway.video.client import VideoClient
from gateway.video.ipc import CameraProof, ClipKey

log = structlog.get_logger(__name__)

MAX_PROOF_AGE_S = 0.5  # seconds: the maximum age of the proof of live video when the unlock is published
MAX_OPEN_QUERIES = 256  # queries of one device that it may still answer: many minutes' worth
ANSWER_TIMEOUT_S = 5.0  # seconds for the answer of a device that returns no correlation and declares no latency
MAX_SPENT_LIFE = 0.8  # share of its life after which an order to open is not sent: the device would refuse it
ANNOUNCE_DELAY_S = 0.03  # seconds after which events and the newest of several states leave: no door waits for them
REFUSAL_MEMORY_S = 60.0  # seconds for which a courier may still wait for a "no" that the broker did not accept


@dataclass(eq=False, repr=False)
class CommandExecutor:
    """Performs one entrance's commands. `crash_point` is called at the named points around the unlock."""

    home: Home
    entrance: str
    _: KW_ONLY
    publisher: Publisher
    cameras: VideoClient
    outbox: Outbox
    archive: Archive
    clock: Clock
    post: Callable[[e.Event], None]
    is_stopped: Callable[[], bool]
    has_turned_bad: Callable[[Collection[str]], bool]
    crash_point: Callable[[str], None]
    courier_languages: CourierLanguages = field(default_factory=CourierLanguages)

    def __post_init__(self) -> None:
        self._section = self.home.entrances[self.entrance]
        self._uptimes: dict[str, tuple[str, int, float]] = {}  # device -> its boot, uptime in ms, and when it said so
        self._sent_queries = defaultdict[str, deque[tuple[int, int]]](lambda: deque(maxlen=MAX_OPEN_QUERIES))
        self._last_queries: dict[str, tuple[int, int, float]] = {}  # device -> session, number, instant
        self._ring_commands: dict[str, str] = {}
        self._held_back_unlock: dict[str, str] = {}  # the visit whose unlock was never sent, and why
        # The visit whose unlock is held back, because its intent is stored but has no mark outside the store.
        self.unmarked_visit: str | None = None
        self._unsent_refusals: dict[str, tuple[c.AnswerScan, float]] = {}  # scanner -> its newest answer, instant
        self._published_state: dict[str, object] = {}
        self._announced_phase: object = None
        self._unpublished_state: tuple[Entrance, Now] | None = None
        self._unpublished_events: list[dict[str, object]] = []
        self._unsent_refusal_events: dict[object, tuple[dict[str, object], float]] = {}  # as the refusals, by scanner
        self._is_publishing_due = False
        self._filmed_cameras, self._scanners = self._section.film_cameras, frozenset(self._section.all_scanners)

    def record_uptime(self, device: str, boot: str | None, uptime_ms: int | None, mono: float) -> None:
        """Store a device's own uptime."""
        if boot is not None and uptime_ms is not None:
            self._uptimes[device] = boot, uptime_ms, mono

    def take_query(self, device: str, session: int) -> int | None:
        """Return, once, the number of this session's newest query to a device that returns no correlation."""
        query_session, number, since = self._last_queries.pop(device, (session, -1, 0.0))
        section = self.home.devices[device]
        latency = section.closure_facts.get("latency")
        timeout_s = latency if isinstance(latency, float) else ANSWER_TIMEOUT_S
        late = self.clock.mono() - since > timeout_s  # an answer so late was published for another reason
        return number if query_session == session and number >= 0 and not late else None

    def has_queried(self, device: str, session: int, number: int) -> bool:
        """Return whether this query went to this device; a number that the device cannot know answers nothing."""
        return (session, number) in self._sent_queries.get(device, ())

    def take_ringing_visit(self, id_: str) -> str | None:
        """Return, once, the visit whose ringing the signal confirms with this id."""
        return self._ring_commands.pop(id_, None)

    def perform(self, command: c.Command, state: Entrance, now: Now, *, message: int | None = None) -> None:
        """Start the effect of one command."""
        match command:
            case c.AnswerScan():
                self._show_result(command)
            case c.RingBell():
                self._ring_signal(command, state)
            case c.Unlock():
                self._unlock(command, state, now)
            case c.Lock() | c.Close():
                self._lock(command, state)
            case c.QuerySensor(sensor=sensor):
                if (device := device_of_sensor(state, sensor)) is not None:
                    self._send_query(device, command.session, command.number)
            case c.StartRecording() | c.StopRecording() if not self._filmed_cameras:
                self._without_film(command)
            case c.StartRecording():
                clip = ClipKey(visit=command.visit, part=command.part)
                self.cameras.record(clip, self._filmed_cameras, visit_folder(command.visit))
            case c.StopRecording():
                self.archive.on_film_end(command, now)
                self.cameras.finish(ClipKey(visit=command.visit, part=command.part), keep=command.keep)
            case c.SealProof():
                self.archive.seal(command, state)
            case c.ShowSignal():
                signal = d.SetSignal(id=unique_id(), light=command.light, sound=command.sound)
                if self._section.signal is not None:
                    self._send(self._section.signal, signal, life=5)
                self._say(command.sound, state)
            case c.NotifyOwner() | c.RaiseAlarm():
                with_picture = isinstance(command, c.NotifyOwner) and command.picture
                camera = next(iter(courier_cameras(state)), None)
                take_picture = None if camera is None else partial(self.cameras.take_picture, camera)
                self.outbox.notify(command, state, now, message=message, picture=take_picture if with_picture else None)
            case c.ReportParcelResult() | c.ReportDoorResult() | c.ReportReadiness():
                self.outbox.schedule_results()
            case c.ReserveOpening() | c.ConsumeOpening() | c.ReleaseOpening() | c.LogNote():
                pass  # the commit was all there is to do
            case _:
                assert_never(command)

    def _unlock(self, command: c.Unlock, state: Entrance, decided: Now) -> None:
        now = self.clock.now()
        why, detail = self._hold_back_reason(command, state, decided, now), None
        device = order_device(state, command.closure)
        if device is None:
            why = e.UnsentReason.NO_DEVICE
        elif why is None:
            self.crash_point("before-publish")
            # The order expires when the decision counts it as expired, also if the commit was slow
            left_s = command.life - (now.mono - decided.mono)
            unlock = d.UnlockDoor(
                id=_order_id(command),
                intent=command.visit,
                latch=command.pulls_latch,
                **self._deadline(device, left_s, now),
            )
            match self._send(device, unlock, life=left_s, immediate=True):
                case Sent(acknowledged=acknowledged):
                    self.crash_point("after-publish")
                    published = e.UnlockPublished(visit=command.visit, closure=command.closure, at=self.clock.now().utc)
                    self.post(published)
                    acknowledged.add_done_callback(self._on_acknowledged)
                case NotSent() as reason:
                    why, detail = e.UnsentReason.BROKER, reason
        if why is not None:
            self._held_back_unlock = {command.visit: why}
            log.warning("unlock_held_back", entrance=self.entrance, visit=command.visit, why=why, detail=detail)
            self.post(e.UnlockNotSent(visit=command.visit, closure=command.closure, why=why))

    def _on_acknowledged(self, done: asyncio.Future[Acknowledgement]) -> None:
        if done.result().accepted:
            self.crash_point("after-acknowledgement")

    def _hold_back_reason(self, command: c.Unlock, state: Entrance, decided: Now, now: Now) -> str | None:
        if self.is_stopped():
            return e.UnsentReason.STOP
        if command.visit == self.unmarked_visit:
            return e.UnsentReason.UNMARKED
        if now.mono - decided.mono > MAX_SPENT_LIFE * command.life:
            return e.UnsentReason.EXPIRED
        if self.has_turned_bad(route_sensors(state, command)):
            return e.UnsentReason.SENSOR
        return None if is_filmed_live(command, state, self.cameras.proofs, now.mono) else e.UnsentReason.PROOF_TOO_OLD

    def _without_film(self, command: c.StartRecording | c.StopRecording) -> None:
        """Go on at an entrance that no camera films: its film is closed as soon as it ends, and the proof says so."""
        if isinstance(command, c.StopRecording):
            self.archive.on_film_end(command, self.clock.now())
            if command.keep:
                self.post(e.FilmClosed(visit=command.visit, part=command.part))

    def _lock(self, command: c.Lock | c.Close, state: Entrance) -> None:
        # A new id each time: tries are counted again after a restart, and a guarded lock obeys an id only once.
        id_ = f"{command.visit}-lock-{unique_id()[:8]}"
        device = order_device(state, command.closure)
        if device is None:
            log.warning("order_without_device", entrance=self.entrance, visit=command.visit, closure=command.closure)
            return
        deadline = self._deadline(device, command.life, self.clock.now())
        self._send(device, d.LockDoor(id=id_, intent=command.visit, **deadline), life=command.life)

    def _deadline(self, device: str, life: float, now: Now) -> dict[str, Any]:
        boot, uptime_ms, mono = self._uptimes.get(device, (None, 0, 0.0))
        # Never more than by the device's own clock, because its message took time
        until_ms = uptime_ms + int((now.mono - mono) * 1000) + int(life * 1000)
        expires_at = now.utc + timedelta(seconds=life)
        until = {} if boot is None else {"boot": boot, "until_ms": until_ms}
        return {"issued_at": now.utc, "expires_at": expires_at, **until}

    def _send_query(self, device: str, session: int, number: int) -> None:
        if not self.home.devices[device].can_be_queried:
            return
        self._last_queries[device] = session, number, self.clock.mono()
        self._sent_queries[device].append((session, number))
        self._send(
            device,
            d.QueryState(echo=f"{session}:{number}"),
            life=self._section.timing.command_life,
            correlation=f"{session}:{number}".encode(),
            response_topic=device_topic(self.home, device, TopicSuffix.RESULT),
        )

    def _ring_signal(self, command: c.RingBell, state: Entrance) -> None:
        """Ring the signal. One that confirms no command by its id is queried afterwards: its answer confirms."""
        device = self._section.signal
        if device is None:
            return
        echoes = self.home.devices[device].definition.correlates
        id_ = unique_id()
        self._ring_commands = {id_ if echoes else "": command.visit}
        signal = d.SetSignal(id=id_, light=d.Light.AMBER, sound=d.Sound.RING)
        self._send(device, signal, life=5)
        if not echoes and state.broker_session is not None:
            self._send_query(device, state.broker_session, 0)
        self._say(signal.sound, state)

    def _say(self, sound: d.Sound, state: Entrance) -> None:
        """Have the entrance's speaker say the sentence for a sound of the signal."""
        if self._section.speaker is None:
            return
        sentence = sentence_for(sound, state, self.courier_languages, self.home.language)
        if sentence is not None:
            self._send(self._section.speaker, sentence, life=5)

    def _show_result(self, command: c.AnswerScan) -> None:
        self._unsent_refusals.pop(command.scanner, None)
        if command.scanner in self._scanners:
            event, now = str(uuid.UUID(hex=unique_id() + unique_id(), version=4)), self.clock.now()
            result = d.ShowResult(word=command.answer.value, event=event, issued_at=now.utc)
            outcome = self._send(command.scanner, result, life=5)
            if command.answer is c.ScanAnswer.NO and isinstance(outcome, NotSent):
                self._unsent_refusals[command.scanner] = command, now.mono

    def on_connected(self, session: int) -> None:
        """Start a new broker session: it knows no state, and gets each recent "no" that the last one did not accept."""
        self._published_state, self._announced_phase = {}, None
        for device in sorted(watched_devices(entrance_conditions(self.home, self.entrance))):
            self._send_query(device, session, 0)
        refusals, self._unsent_refusals = self._unsent_refusals, {}
        now = self.clock.now()
        for command, mono in refusals.values():
            if now.mono - mono <= REFUSAL_MEMORY_S:
                self._show_result(command)
        # Not the events of these refusals: one that still waits leaves by itself, and each is published once
        events, self._unsent_refusal_events = self._unsent_refusal_events, {}
        for event, mono in events.values():
            if now.mono - mono <= REFUSAL_MEMORY_S:
                self._unpublished_events.append(event)
                self._publish_soon()

    def query_place(self, place: str, state: Entrance) -> None:
        """Query the devices that measure a place: what they answer is newer than this moment."""
        devices = devices_at(state.rules.conditions, place)
        if state.broker_session is not None:
            for device in sorted(devices):
                self._send_query(device, state.broker_session, 0)

    def _send(
        self, device: str, command: d.Command, *, life: float, **options: Unpack[PublishOptions]
    ) -> Sent | NotSent:
        configured = self.home.devices[device]
        publication = VENDORS[configured.vendor].encode_command(command, configured.device_ref)
        id_ = getattr(command, "id", None)
        if isinstance(id_, str):
            options.setdefault("correlation", id_.encode())
        options["expiry"] = max(1, round(life))
        topic = device_topic(self.home, device, publication.suffix)
        return self.publisher.publish(topic, publication.payload, **options)

    def announce(self, command: c.Command, state: Entrance, now: Now) -> None:
        """Publish an event for the command, a moment later; it says why an unlock was held back."""
        body = event_body(command)
        if isinstance(command, c.Unlock) and command.visit in self._held_back_unlock:
            body = {"kind": "held_back", "why": self._held_back_unlock[command.visit]}
        if body is not None:
            visit = {} if state.visit is None else {"visit": state.visit.id}
            self._publish_event(now, {**visit, **body})

    def publish_state(self, state: Entrance, now: Now) -> None:
        """Publish the state, if it changed, a moment later, and each change of phase as an event.

        Of several states in that moment only the last is published.
        """
        self._unpublished_state = state, now
        phase = shown_phase(state)
        if phase != self._announced_phase:
            self._announced_phase = phase
            closure = summary.closure_of_phase(state) if has_named_closures(state.rules.closures) else None
            where = {} if closure is None else {"closure": closure}
            visit = None if state.visit is None else state.visit.id
            self._publish_event(now, {"visit": visit, "kind": "phase", "phase": phase, **where})
        self._publish_soon()

    def _publish_event(self, now: Now, body: Mapping[str, object]) -> None:
        head = {"event_id": unique_id(), "at": rfc3339_ms(now.utc), "entrance": self.entrance}
        self._unpublished_events.append({**head, **body})
        self._publish_soon()

    def _publish_soon(self) -> None:
        if not self._is_publishing_due:
            self._is_publishing_due = True
            asyncio.get_running_loop().call_later(ANNOUNCE_DELAY_S, self.publish_now)

    def publish_now(self) -> None:
        """Publish what waits: the newest state, then the events. The next decision repeats a state that failed."""
        self._is_publishing_due = False
        unpublished, self._unpublished_state = self._unpublished_state, None
        if unpublished is not None and not self._publish_retained(*unpublished):
            self._announced_phase = None  # its event is lost with it, and comes with it again
        events, self._unpublished_events = self._unpublished_events, []
        topic = entrance_topic(self.entrance, "event")
        for event in events:
            outcome = self.publisher.publish(topic, json_bytes(event))
            if event["kind"] == "answer":
                self._unsent_refusal_events.pop(event["scanner"], None)
                if event["word"] == c.ScanAnswer.NO.value and isinstance(outcome, NotSent):
                    self._unsent_refusal_events[event["scanner"]] = event, self.clock.mono()

    def _publish_retained(self, state: Entrance, now: Now) -> bool:
        """Return whether the broker gets this state, or has it."""
        shown = state_body(state)
        if shown == self._published_state:
            return True
        body = json_bytes({**shown, "at": rfc3339_ms(now.utc)})
        if isinstance(self.publisher.publish(entrance_topic(self.entrance, "state"), body, retain=True), NotSent):
            return False
        self._published_state = shown
        return True


def is_filmed_live(command: c.Unlock, state: Entrance, proofs: Mapping[str, CameraProof], mono: float) -> bool:
    """Return whether each camera proves now that it is live and films this visit.

    Those of the closure that opens have to see the courier move. A visit without a film needs no camera, unless the
    entrance requires the film.
    """
    if state.visit is not None and not state.visit.recording.is_filmed:
        return not requires_film(state)
    clip = ClipKey(visit=command.visit, part=state.visit.recording.part if state.visit is not None else 1)
    moving = courier_cameras(state)
    return all(
        (proof := proofs.get(name)) is not None
        and mono - proof.at <= MAX_PROOF_AGE_S
        and proof.live
        and clip in proof.recordings
        and (proof.moving or name not in moving)
        for name in state.rules.cameras
    )


def order_device(state: Entrance, closure: str) -> str | None:
    """Return the device that opens a closure; None: only a key opens it, or the entrance has no such closure."""
    found = state.rules.closures_by_id.get(closure)
    return None if found is None else found.devices.get(ORDER_ROLE)


def device_of_sensor(state: Entrance, sensor: str) -> str | None:
    """Return the device of a sensor; None: the house file binds none."""
    found = find_sensor(state.rules, sensor)
    return None if found is None else found[0].devices.get(found[1])


def route_sensors(state: Entrance, command: c.Unlock) -> frozenset[str]:
    """Return the sensors of the closures that the visit has yet to open, from this one on."""
    route = () if state.visit is None else state.visit.route
    left = route[route.index(command.closure) :] if command.closure in route else (command.closure,)
    return frozenset(name for name, closure, _, _ in state.rules.sensors if closure.id in left and closure.is_private)


def event_body(command: c.Command) -> dict[str, object] | None:
    """Return the body of a command's message on the entrance's event topic, or None if there is none."""
    match command:
        case c.AnswerScan():
            lacking = {"lacking": list(command.lacking)} if command.lacking else {}
            return {"kind": "answer", "scan": command.scan, "scanner": command.scanner, "word": command.answer.value,
                    "refusal": None if command.refusal is None else command.refusal.value, **lacking}  # fmt: skip
        case c.RaiseAlarm():
            closure = {"closure": command.closure} if command.closure else {}
            return {"kind": "alarm", "code": command.code.value, "detail": command.detail, **closure}
        case c.ReportParcelResult():
            return {"kind": "outcome", "delivery": command.delivery, "outcome": command.outcome.value,
                    "missing": command.missing,
                    "collected": None if command.collected is None else command.collected.value}  # fmt: skip
        case c.ReportDoorResult():
            return {"kind": "house", "delivery": command.delivery, "house": command.door_result.value}
        case c.ReportReadiness():
            return {"kind": "readiness", "delivery": command.delivery, "lacking": list(command.lacking)}
        case (
            c.Unlock()
            | c.Lock()
            | c.Close()
            | c.RingBell()
            | c.ReserveOpening()
            | c.ConsumeOpening()
            | c.ReleaseOpening()
            | c.SealProof()
            | c.LogNote()
        ):
            return {"kind": kind_of(type(command)).lower()}
        case c.QuerySensor() | c.StartRecording() | c.StopRecording() | c.ShowSignal() | c.NotifyOwner():
            return None
        case _:
            assert_never(command)


def shown_phase(state: Entrance) -> str:
    """Return the phase as the entrance's topics have it; without a visit it is `ready`."""
    return "ready" if state.visit is None else state.visit.phase.value


def state_body(state: Entrance) -> dict[str, object]:
    """Return one entrance's state as a JSON object. It says locked and closed only if proven (invariant 8)."""
    visit, lockup = state.visit, state.lock_request
    return {
        "entrance": state.id,
        "phase": shown_phase(state),
        "visit": None if visit is None else visit.id,
        "delivery": None if visit is None else visit.delivery.id,
        "bolt": summary.bolt_state(state).value,
        "door": summary.door_state(state).value,
        "locked": summary.bolt_state(state) is LockState.LOCKED,
        "closed": summary.is_closed(state),
        "closures": summary.closure_states(state),
        "connected": state.broker_session is not None,
        "cameras": {
            name: {"live": camera.live, "recording": camera.recording} for name, camera in state.cameras.items()
        },
        "disk": state.disk_ok,
        "batteries": {whose: level.value for whose, level in state.batteries.items()},
        "batteries_soon": sorted(state.batteries_to_change),
        "expecting": state.window_near,
        "stopped": state.stopped,
        "somebody_home": state.somebody_home,
        "away": state.away,
        "pauses": [{"id": p.id, "start": rfc3339_ms(p.start), "end": rfc3339_ms(p.end)} for p in state.pauses],
        "lockup": None if lockup is None else "running" if lockup.result is None else lockup.result.value,
        "safe_mode": state.safe_mode,
        "incident": state.incident is not None,
        "handed_to_owner": visit is not None and visit.phase is Phase.HANDED_TO_OWNER,
    }


def _order_id(command: c.Unlock) -> str:
    """Return the id of an order to open, by which a guarded lock refuses a second one."""
    return command.visit if command.closure == MAIN_CLOSURE else f"{command.visit}-{command.closure}"

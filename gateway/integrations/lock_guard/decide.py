"""The guard's pure rules: `handle_event(state, event, mono) -> (state, commands)` owns every transition.

An unlock moves the bolt when all of this holds, checked in this order:

    it is for this lock, and for this boot of the guard      else no answer, or `expired`
    its deadline on the guard's own uptime has not passed    `expired`, also when it would be valid for too long
    it carries a challenge of the guard's that still lives   `expired`
    its counter is one more than the last                    `repeated`
    its intent was never obeyed                              `repeated`
    the radio's broker has answered within this half second  `unreachable`, nothing spent

Then challenge and counter are spent, on the disk, and only then the move is published: once, or never. A challenge
lives some seconds on the guard's monotonic clock; no wall clock is read. An attacker who controls the house's broker
can delay, drop, repeat and invent messages, and none of that opens the door: a late one is expired, a repeated one is
spent, an invented one is not signed.

The guard locks by itself only what it unlocked itself, when the gateway has been silent for the declared time, and only
after two answers *closed* of the door, both requested after that. It never locks out a person who turned a key.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from devices import reports as r
from devices.commands import LockDoor, UnlockDoor
from devices.strict_json import MalformedPayload
from devices.vendors import guard as words
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.integrations.lock_guard import messages as m
from gateway.protocol.guard_message import FromGuard, ToGuard

MAX_COMMAND_LIFE_S = 30.0  # the longest lifetime of a command
PROBE_TIMEOUT_S = 0.5  # how long the radio's broker may take to answer before an unlock
SETTLE_TIME_S = 5.0  # after a bridge has reconnected, its messages answer no query: it repeats remembered states
MAX_NONCES = 16  # challenges that are valid at a time; the oldest goes
MAX_REMEMBERED_IDS = 256  # queries, intents and ids of lock commands that are recognised again
STEPS_BEFORE_LOCKING = (m.SecuringStep.DOOR, m.SecuringStep.STABLE, m.SecuringStep.DOOR_AGAIN)
MAX_QUEUED_QUESTIONS = 32  # queries of the gateway that wait for one device
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # for a message that needs a wall-clock time, which the guard does not have

_V = TypeVar("_V")


def next_deadline_mono(state: m.GuardState) -> float:
    """Return when `DEADLINE_PASSED` must come at the latest; infinity where nothing waits."""
    deadlines = [query.until_mono for query in state.open_queries.values()]
    if state.pending_unlock is not None:
        deadlines.append(state.pending_unlock.until_mono)
    deadlines.append(_own_locking_mono(state) if state.securing is None else state.securing.until_mono)
    return min(deadlines)


def handle_event(
    state: m.GuardState, event: m.GuardEvent, *, mono: float
) -> tuple[m.GuardState, tuple[m.GuardCommand, ...]]:
    """Handle one event. Overdue items are dropped first, whatever the event."""
    turn = _Transition(state, mono)
    turn.expire()
    match event:
        case m.GatewayMessage():
            turn.on_gateway_message(event.claims, event.new_nonce)
        case m.RadioReported():
            turn.on_radio_report(event)
        case m.GuardSignal.RADIO_CONNECTED:
            turn.on_radio_connected()
        case m.GuardSignal.RADIO_DISCONNECTED:
            turn.on_radio_disconnected()
        case m.GuardSignal.RADIO_ANSWERED:
            turn.on_radio_answered()
        case m.GuardSignal.LEDGER_WRITE_FAILED:
            turn.report_failure(r.OperationError.UNSPECIFIED, "the disk does not take it: nothing moved")
        case m.GuardSignal.COMMAND_NOT_SENT:
            turn.report_failure(r.OperationError.UNREACHABLE, "the radio's broker was lost: nothing moved")
        case m.GuardSignal.DEADLINE_PASSED:
            pass
        case _:
            assert_never(event)
    turn.lock_by_itself()
    return turn.state, tuple(turn.commands)


def _own_locking_mono(state: m.GuardState) -> float:
    if not (state.owes_locking and state.is_radio_connected and state.settings.has_door):
        return math.inf
    return max(state.gateway_heard_mono + state.settings.max_silence_s, state.next_try_mono)


def _without(mapping: Mapping[m.GuardPart, _V], part: m.GuardPart) -> Mapping[m.GuardPart, _V]:
    return {key: value for key, value in mapping.items() if key is not part}


class _Transition:
    """The handling of one event: the new state, and the commands in order."""

    def __init__(self, state: m.GuardState, mono: float) -> None:
        self.state, self.mono = state, mono
        self.commands: list[m.GuardCommand] = []

    @property
    def uptime_ms(self) -> int:
        return int((self.mono - self.state.boot_mono) * 1000)

    def send_report(
        self, part: m.GuardPart, report: r.Report | None, *, question: str | None = None, nonce: str | None = None
    ) -> None:
        """Send the next report of this part; a challenge that is issued with it is valid from now on."""
        seq = self.state.seqs.get(part, 0) + 1
        self.state = replace(self.state, seqs={**self.state.seqs, part: seq})
        if nonce is not None:
            issued = m.IssuedNonce(nonce, self.mono + self.state.settings.timing.nonce_life)
            self.state = replace(self.state, nonces=(*self.state.nonces, issued)[-MAX_NONCES:])
        body, channel = "", TopicSuffix.EVENT
        if report is not None:
            publication = words.encode_report(report, DeviceRef(kind=part.value))[0]
            body, channel = publication.payload.decode(), publication.suffix if question is None else TopicSuffix.RESULT
        claims = {
            "lock": self.state.settings.lock, "part": part.value, "channel": channel.value, "boot": self.state.boot,
            "seq": seq, "uptime_ms": self.uptime_ms, "counter": self.state.counter, "question": question, "body": body,
            "nonce": nonce, "nonce_ms": None if nonce is None else round(self.state.settings.timing.nonce_life * 1000),
        }  # fmt: skip
        self.commands.append(FromGuard.model_validate(claims))

    def note(self, what: str) -> None:
        self.commands.append(m.GuardNote(what))

    def refuse(self, id_: str, failure: r.OperationError, why: str) -> None:
        self.note(f"refused: {why}")
        self.send_report(m.GuardPart.LOCK, r.ErrorReport(id=id_, failure=failure))

    def expire(self) -> None:
        """Drop what has expired: challenges, queries to devices, an unlock that waits for the radio."""
        state = self.state
        self.state = replace(state, nonces=tuple(nonce for nonce in state.nonces if nonce.until_mono > self.mono))
        waiting = state.pending_unlock
        if waiting is not None and waiting.until_mono <= self.mono:
            self.state = replace(self.state, pending_unlock=None)
            self.refuse(waiting.command.id, r.OperationError.UNREACHABLE, "the radio's broker does not answer")
        for part, query in state.open_queries.items():
            if query.until_mono <= self.mono:  # no answer: the gateway's queries stay unanswered too
                self.state = replace(self.state, open_queries=_without(self.state.open_queries, part))
                self.send_queued_query(part)

    def on_gateway_message(self, claims: ToGuard, fresh: str) -> None:
        if claims.lock != self.state.settings.lock:
            self.note("not for this lock")
            return
        if claims.question in self.state.questions:
            self.note("a copy of a message that was taken already")
            return
        self.state = replace(self.state, questions=(*self.state.questions, claims.question)[-MAX_REMEMBERED_IDS:])
        nonce = next((issued for issued in self.state.nonces if issued.value == claims.nonce), None)
        if nonce is not None:
            self.state = replace(self.state, gateway_heard_mono=self.mono)
            if self.is_before_locking():  # the gateway is there; a bolt already thrown is still queried
                self.state = replace(self.state, securing=None)
        match claims.at:
            case "beat":
                pass
            case "get":
                self.on_query(claims, nonce)
            case "set":
                self.on_command(claims, nonce)
            case _:
                assert_never(claims.at)
        self.send_report(m.GuardPart.GUARD, None, question=claims.question, nonce=fresh)

    def on_query(self, claims: ToGuard, nonce: m.IssuedNonce | None) -> None:
        """Query the device for the gateway, which only a valid challenge may cause: the answer is newer."""
        if nonce is None:
            self.note("a question without a living challenge")
            return
        try:
            part = m.GuardPart(words.queried_part(claims.body.encode()))
        except MalformedPayload as malformed:
            self.note(f"an unreadable query: {malformed}")
            return
        if not self.state.is_radio_connected or (part is m.GuardPart.DOOR and not self.state.settings.has_door):
            return
        queue = self.state.queued_questions.get(part, ())
        if len(queue) < MAX_QUEUED_QUESTIONS:
            queued = {**self.state.queued_questions, part: (*queue, claims.question)}
            self.state = replace(self.state, queued_questions=queued)
        self.send_queued_query(part)

    def send_queued_query(self, part: m.GuardPart) -> None:
        """Query once for all who wait, after the outstanding older query is answered."""
        queue = self.state.queued_questions.get(part, ())
        if queue and part not in self.state.open_queries:
            self.state = replace(self.state, queued_questions=_without(self.state.queued_questions, part))
            self.send_query(part, queue)

    def send_query(self, part: m.GuardPart, questions: tuple[str, ...] = ()) -> int:
        number = self.state.last_query_number + 1
        query = m.OpenQuery(number, self.mono + self.state.settings.timing.answer, questions)
        queries = {**self.state.open_queries, part: query}
        self.state = replace(self.state, last_query_number=number, open_queries=queries)
        self.commands.append(m.QueryRadioDevice(part, number))
        return number

    def on_command(self, claims: ToGuard, nonce: m.IssuedNonce | None) -> None:
        command = words.decode_command(TopicSuffix.SET, claims.body.encode())
        match command:
            case UnlockDoor():
                self.unlock(command, claims, nonce)
            case LockDoor():
                self.lock(command, nonce)
            case r.UnreadablePayload():
                self.note(f"an unreadable command: {command.why}")
            case _:
                self.note("a command that moves no bolt")

    def lateness_reason(self, command: UnlockDoor | LockDoor, nonce: m.IssuedNonce | None) -> str | None:
        """Return why the command is late on the guard's own clock; None: it is in time."""
        longest = int(MAX_COMMAND_LIFE_S * 1000)
        if command.boot != self.state.boot or command.until_ms is None:
            return "it is for another boot of the guard"
        if not self.uptime_ms <= command.until_ms <= self.uptime_ms + longest:
            return "its time is over, or it takes too much"
        return None if nonce is not None else "its challenge is unknown or has expired"

    def unlock(self, command: UnlockDoor, claims: ToGuard, nonce: m.IssuedNonce | None) -> None:
        state = self.state
        why = self.lateness_reason(command, nonce)
        if why is not None or nonce is None:
            self.refuse(command.id, r.OperationError.EXPIRED, why or "no challenge")
        elif claims.counter != state.counter + 1:
            self.refuse(command.id, r.OperationError.REPEATED, "its counter is not the next")
        elif command.intent in state.intents:
            self.refuse(command.id, r.OperationError.REPEATED, "its intent was obeyed before")
        elif command.latch and not state.settings.can_unlatch:
            self.refuse(command.id, r.OperationError.RESTRICTED, "no order of ours pulls this lock's latch")
        elif state.pending_unlock is not None:
            self.refuse(command.id, r.OperationError.BUSY, "another unlock is looked at")
        elif not state.is_radio_connected:
            self.refuse(command.id, r.OperationError.UNREACHABLE, "there is no radio")
        else:
            until = self.mono + PROBE_TIMEOUT_S
            waiting = m.PendingUnlock(command, nonce, claims.counter, until)
            others = tuple(other for other in state.nonces if other != nonce)
            self.state = replace(state, pending_unlock=waiting, nonces=others)
            self.commands.append(m.ProbeRadioBroker())

    def on_radio_answered(self) -> None:
        """Spend challenge and counter and move the bolt, if all conditions still hold."""
        state, waiting = self.state, self.state.pending_unlock
        if waiting is None:
            return
        self.state = replace(state, pending_unlock=None)
        command = waiting.command
        nonce = waiting.nonce if waiting.nonce.until_mono > self.mono else None
        why = self.lateness_reason(command, nonce)
        if why is not None:
            self.refuse(command.id, r.OperationError.EXPIRED, why)
            return
        intents = (*state.intents, command.intent)[-MAX_REMEMBERED_IDS:]
        self.state = replace(
            self.state, counter=waiting.counter, intents=intents, owes_locking=True, securing=None,
            unlocked_at_mono=self.mono, min_query_number=state.last_query_number + 1, bolt_has_moved=False,
        )  # fmt: skip
        self.write_ledger()
        self.commands.append(command)
        self.note("unlocks")

    def write_ledger(self) -> None:
        state = self.state
        self.commands.append(m.WriteLedger(counter=state.counter, intents=state.intents, owes=state.owes_locking))

    def report_failure(self, failure: r.OperationError, why: str) -> None:
        """Handle a move that was not sent. Its counter stays spent, its intent obeyed: it is never tried again."""
        self.note(why)
        id_ = self.state.intents[-1] if self.state.intents else None
        self.send_report(m.GuardPart.LOCK, r.ErrorReport(id=id_, failure=failure))

    def lock(self, command: LockDoor, nonce: m.IssuedNonce | None) -> None:
        why = self.lateness_reason(command, nonce)
        if why is not None:
            self.refuse(command.id, r.OperationError.EXPIRED, why)
        elif command.id in self.state.obeyed_lock_ids:
            self.refuse(command.id, r.OperationError.REPEATED, "this lock command was obeyed before")
        elif self.state.door not in (None, r.DoorState.CLOSED):
            self.refuse(command.id, r.OperationError.RESTRICTED, "the door is not closed")
        elif not self.state.is_radio_connected:
            self.refuse(command.id, r.OperationError.UNREACHABLE, "there is no radio")
        else:
            obeyed = (*self.state.obeyed_lock_ids, command.id)[-MAX_REMEMBERED_IDS:]
            self.state = replace(self.state, obeyed_lock_ids=obeyed)
            self.commands.append(command)
            self.note("locks, told to")

    def on_radio_connected(self) -> None:
        self.state = replace(self.state, is_radio_connected=True, bolt=None, door=None)
        self.send_query(m.GuardPart.LOCK)
        if self.state.settings.has_door:
            self.send_query(m.GuardPart.DOOR)

    def on_radio_disconnected(self) -> None:
        waiting = self.state.pending_unlock
        self.state = replace(
            self.state, is_radio_connected=False, bolt=None, door=None, securing=None, pending_unlock=None
        )
        if waiting is not None:
            self.refuse(waiting.command.id, r.OperationError.UNREACHABLE, "the radio's broker was lost")
        for part in (m.GuardPart.LOCK, m.GuardPart.DOOR)[: 1 + self.state.settings.has_door]:
            self.void_query(part)
            self.send_report(part, r.AvailabilityReport(online=False))

    def on_radio_report(self, event: m.RadioReported) -> None:
        for report in event.reports:
            match report:
                case r.LockReport(event=True) if event.part is m.GuardPart.LOCK:
                    self.on_bolt_report(report, None)  # a move as it happens is news
                case r.LockReport() if event.part is m.GuardPart.LOCK:
                    self.on_bolt_report(report, self.match_query(event))
                case r.DoorReport() if event.part is m.GuardPart.DOOR:
                    self.on_door_report(report, self.match_query(event))
                case r.AvailabilityReport():
                    self.on_link_changed(event.part, online=report.online, by_bridge=event.by_bridge)
                    self.send_report(event.part, report)
                case r.NoAnswerReport():
                    self.void_query(event.part)
                case r.BatteryReport():
                    self.send_report(event.part, report)
                case r.ErrorReport() if event.part is m.GuardPart.LOCK:
                    self.send_report(event.part, report)
                case _:
                    pass  # no report of lock or door; a `ProgressReport` never means that the bolt moved

    def match_query(self, event: m.RadioReported) -> m.OpenQuery | None:
        """Return the outstanding query that this answers: without an echoed number, the device's first state does."""
        query = self.state.open_queries.get(event.part)
        back_since_mono = self.state.back_since_mono.get(event.part, float("-inf"))
        is_settled = self.mono - back_since_mono >= SETTLE_TIME_S
        must_echo = event.part in self.state.settings.echoing_parts
        if query is None or not is_settled or (must_echo and event.query_number != query.number):
            return None
        self.state = replace(self.state, open_queries=_without(self.state.open_queries, event.part))
        return query

    def pass_on(self, part: m.GuardPart, report: r.Report, query: m.OpenQuery | None) -> None:
        """Pass the report on: as the answer to each query that it answers, else as news."""
        for question in () if query is None else query.questions:
            self.send_report(part, report, question=question)
        if query is None or not query.questions:
            self.send_report(part, report)
        self.send_queued_query(part)

    def on_bolt_report(self, report: r.LockReport, query: m.OpenQuery | None) -> None:
        locked = report.bolt is r.LockState.LOCKED
        self.state = replace(self.state, bolt=report.bolt, bolt_has_moved=self.state.bolt_has_moved or not locked)
        if locked and query is not None and query.number >= self.state.min_query_number and self.has_bolt_settled():
            if self.state.owes_locking:
                self.state = replace(self.state, owes_locking=False, securing=None)
                self.write_ledger()
                self.note("locked again, proven")
        elif query is not None and self.is_at_step(m.SecuringStep.BOLT, query.number):
            self.try_later("the bolt does not answer locked")
        self.pass_on(m.GuardPart.LOCK, report, query)

    def has_bolt_settled(self) -> bool:
        """Return whether a bolt that reports locked has had the time to obey the unlock before."""
        begun = self.state.boot_mono if self.state.unlocked_at_mono is None else self.state.unlocked_at_mono
        return self.state.bolt_has_moved or self.mono - begun >= self.state.settings.timing.moving

    def on_door_report(self, report: r.DoorReport, query: m.OpenQuery | None) -> None:
        self.state = replace(self.state, door=report.door)
        if self.is_before_locking():
            if report.door is not r.DoorState.CLOSED:
                self.try_later("the door is not closed")
            elif query is not None and self.is_at_step(m.SecuringStep.DOOR, query.number):
                until = self.mono + self.state.settings.timing.stable
                sequence = m.SecuringSequence(m.SecuringStep.STABLE, query.number, until)
                self.state = replace(self.state, securing=sequence)
            elif query is not None and self.is_at_step(m.SecuringStep.DOOR_AGAIN, query.number):
                self.throw_bolt()
        self.pass_on(m.GuardPart.DOOR, report, query)

    def void_query(self, part: m.GuardPart) -> None:
        """Void the outstanding query: later reports do not answer it, and the gateway queries again."""
        self.state = replace(
            self.state,
            open_queries=_without(self.state.open_queries, part),
            queued_questions=_without(self.state.queued_questions, part),
        )

    def on_link_changed(self, part: m.GuardPart, *, online: bool, by_bridge: bool) -> None:
        """Handle a lost or restored link. Both void queries; a restored one first repeats old states, live."""
        if not online:
            self.state = replace(
                self.state,
                offline_parts=self.state.offline_parts | {part},
                back_since_mono=_without(self.state.back_since_mono, part),
                bolt=self.state.bolt if part is m.GuardPart.DOOR else None,
                door=None if part is m.GuardPart.DOOR else self.state.door,
            )
            self.void_query(part)
            if self.is_before_locking():
                self.try_later("a device is lost")
        elif by_bridge or part in self.state.offline_parts:
            back = {**self.state.back_since_mono, part: self.mono}
            self.state = replace(self.state, offline_parts=self.state.offline_parts - {part}, back_since_mono=back)
            self.void_query(part)

    def is_before_locking(self) -> bool:
        return self.state.securing is not None and self.state.securing.step in STEPS_BEFORE_LOCKING

    def is_at_step(self, step: m.SecuringStep, number: int) -> bool:
        sequence = self.state.securing
        return sequence is not None and sequence.step is step and sequence.number == number

    def lock_by_itself(self) -> None:
        """Start or continue the guard's own locking, when it is time."""
        state, sequence = self.state, self.state.securing
        if sequence is not None and sequence.until_mono <= self.mono:
            if sequence.step is m.SecuringStep.STABLE:
                self.query_for_step(m.SecuringStep.DOOR_AGAIN, m.GuardPart.DOOR)
            elif sequence.step is m.SecuringStep.MOVING:
                self.query_for_step(m.SecuringStep.BOLT, m.GuardPart.LOCK)
            else:
                self.try_later("no answer")
        elif sequence is None and self.mono >= _own_locking_mono(state):
            self.note("the gateway is silent: the door is asked")
            self.query_for_step(m.SecuringStep.DOOR, m.GuardPart.DOOR)

    def query_for_step(self, step: m.SecuringStep, part: m.GuardPart) -> None:
        """Query again: an outstanding query was sent before this step and proves nothing for it."""
        before = self.state.open_queries.get(part)
        number = self.send_query(part, () if before is None else before.questions)
        until = self.mono + self.state.settings.timing.answer
        self.state = replace(self.state, securing=m.SecuringSequence(step, number, until))

    def throw_bolt(self) -> None:
        """Throw the bolt: the door has answered closed twice, with nothing else between."""
        id_ = f"guard-{self.state.boot}-{self.state.last_query_number}"
        self.commands.append(LockDoor(id=id_, intent=id_, issued_at=EPOCH, expires_at=EPOCH))
        self.note("locks by itself")
        until = self.mono + self.state.settings.latency_s
        sequence = m.SecuringSequence(m.SecuringStep.MOVING, self.state.last_query_number, until)
        self.state = replace(self.state, min_query_number=self.state.last_query_number + 1, securing=sequence)

    def try_later(self, why: str) -> None:
        self.note(f"own locking waits: {why}")
        self.state = replace(self.state, securing=None, next_try_mono=self.mono + self.state.settings.timing.again)

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

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar, assert_never

from devices.commands import LockDoor, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryReport,
    DoorReport,
    DoorState,
    ErrorReport,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload
from devices.vendors import guard as words
from devices.vendors.words import TopicSuffix
from gateway.integrations.lock_guard.messages import (
    CommandNotSent,
    DeadlinePassed,
    GatewayMessage,
    GuardCommand,
    GuardEvent,
    GuardNote,
    GuardPart,
    GuardSettings,
    GuardState,
    IssuedNonce,
    LedgerWriteFailed,
    OpenQuery,
    PendingUnlock,
    ProbeRadioBroker,
    PublishCommand,
    QueryRadioDevice,
    RadioAnswered,
    RadioConnected,
    RadioDisconnected,
    RadioReported,
    SecuringSequence,
    SecuringStep,
    SendReport,
    WriteLedger,
)
from gateway.protocol.guard_message import ToGuard

MAX_NONCES = 16  # challenges that are valid at a time; the oldest goes
MAX_REMEMBERED_IDS = 256  # queries, intents and ids of lock commands that are recognised again
# The bolt is not thrown yet
STEPS_BEFORE_LOCKING = frozenset({SecuringStep.DOOR, SecuringStep.STABLE, SecuringStep.DOOR_AGAIN})
MAX_QUEUED_QUESTIONS = 32  # queries of the gateway that wait for one device
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # for a message that needs a wall-clock time, which the guard does not have

_V = TypeVar("_V")


def initial_state(  # noqa: PLR0913 - settings, stored values and time are independent
    settings: GuardSettings, *, boot: str, counter: int, intents: tuple[str, ...], owes: bool, mono: float
) -> GuardState:
    """Return the guard's state at its start.

    No challenge of an earlier boot is valid, the gateway counts as present.
    """
    return GuardState(
        settings=settings,
        boot=boot,
        boot_mono=mono,
        counter=counter,
        intents=intents,
        owes_locking=owes,
        gateway_heard_mono=mono,
    )


def next_deadline_mono(state: GuardState) -> float:
    """Return when `DeadlinePassed` must come at the latest; infinity where nothing waits."""
    deadlines = [asked.until_mono for asked in state.open_queries.values()]
    if state.pending_unlock is not None:
        deadlines.append(state.pending_unlock.until_mono)
    if state.securing is not None:
        deadlines.append(state.securing.until_mono)
    elif _may_lock(state):
        deadlines.append(max(state.gateway_heard_mono + state.settings.max_silence_s, state.next_try_mono))
    return min(deadlines, default=float("inf"))


def handle_event(state: GuardState, event: GuardEvent, *, mono: float) -> tuple[GuardState, tuple[GuardCommand, ...]]:
    """Handle one event. Overdue items are dropped first, whatever the event."""
    turn = _Transition(state, mono)
    turn.expire()
    match event:
        case GatewayMessage():
            turn.on_gateway_message(event.claims, event.new_nonce)
        case RadioReported():
            turn.on_radio_report(event)
        case RadioConnected():
            turn.on_radio_connected()
        case RadioDisconnected():
            turn.on_radio_disconnected()
        case RadioAnswered():
            turn.on_radio_answered()
        case LedgerWriteFailed():
            turn.report_failure(OperationError.UNSPECIFIED, "the disk does not take it: nothing moved")
        case CommandNotSent():
            turn.report_failure(OperationError.UNREACHABLE, "the radio's broker was lost: nothing moved")
        case DeadlinePassed():
            pass
        case _:
            assert_never(event)
    turn.lock_by_itself()
    return turn.state, tuple(turn.commands)


def _may_lock(state: GuardState) -> bool:
    return state.owes_locking and state.is_radio_connected and state.settings.has_door


def _updated(mapping: Mapping[GuardPart, _V], part: GuardPart, value: _V) -> Mapping[GuardPart, _V]:
    return MappingProxyType({**mapping, part: value})


def _without(mapping: Mapping[GuardPart, _V], part: GuardPart) -> Mapping[GuardPart, _V]:
    return MappingProxyType({key: value for key, value in mapping.items() if key is not part})


class _Transition:
    """The handling of one event: the new state, and the commands in order."""

    def __init__(self, state: GuardState, mono: float) -> None:
        self.state, self.mono = state, mono
        self.commands: list[GuardCommand] = []

    # ---- reports -----------------------------------------------------------------------------------------------------

    @property
    def uptime_ms(self) -> int:
        return int((self.mono - self.state.boot_mono) * 1000)

    def send_report(
        self, part: GuardPart, report: Report | None, *, question: str | None = None, nonce: str | None = None
    ) -> None:
        """Send the next report of this part; a challenge that is issued with it is valid from now on."""
        seq = self.state.seqs.get(part, 0) + 1
        self.state = replace(self.state, seqs=_updated(self.state.seqs, part, seq))
        if nonce is not None:
            given = IssuedNonce(nonce, self.mono + self.state.settings.timing.nonce_life)
            self.state = replace(self.state, nonces=(*self.state.nonces, given)[-MAX_NONCES:])
        self.commands.append(
            SendReport(
                part=part,
                report=report,
                seq=seq,
                counter=self.state.counter,
                uptime_ms=self.uptime_ms,
                question=question,
                nonce=nonce,
            )
        )

    def note(self, what: str) -> None:
        self.commands.append(GuardNote(what))

    def refuse(self, id_: str, failure: OperationError, why: str) -> None:
        self.note(f"refused: {why}")
        self.send_report(GuardPart.LOCK, ErrorReport(id=id_, failure=failure))

    # ---- time -------------------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """Drop what has expired: challenges, queries to devices, an unlock that waits for the radio."""
        state = self.state
        self.state = replace(state, nonces=tuple(nonce for nonce in state.nonces if nonce.until_mono > self.mono))
        waiting = state.pending_unlock
        if waiting is not None and waiting.until_mono <= self.mono:
            self.state = replace(self.state, pending_unlock=None)
            self.refuse(waiting.command.id, OperationError.UNREACHABLE, "the radio's broker does not answer")
        for part, asked in state.open_queries.items():
            if asked.until_mono <= self.mono:  # no answer: the gateway's queries stay unanswered too
                self.state = replace(self.state, open_queries=_without(self.state.open_queries, part))
                self.send_queued_query(part)

    # ---- the gateway ------------------------------------------------------------------------------------------------

    def on_gateway_message(self, claims: ToGuard, fresh: str) -> None:
        if claims.lock != self.state.settings.lock:
            self.note("not for this lock")
            return
        if claims.question in self.state.questions:
            self.note("a copy of a message that was taken already")
            return
        self.state = replace(self.state, questions=(*self.state.questions, claims.question)[-MAX_REMEMBERED_IDS:])
        nonce = next((given for given in self.state.nonces if given.value == claims.nonce), None)
        if nonce is not None:
            self.state = replace(self.state, gateway_heard_mono=self.mono)
            self.stop_own_locking()
        match claims.at:
            case "beat":
                pass
            case "get":
                self.on_query(claims, nonce)
            case "set":
                self.on_command(claims, nonce)
            case _:
                assert_never(claims.at)
        self.send_report(GuardPart.GUARD, None, question=claims.question, nonce=fresh)

    def stop_own_locking(self) -> None:
        """Stop the guard's own locking, because the gateway is there. A bolt already thrown is still queried."""
        chain = self.state.securing
        if chain is not None and chain.step in STEPS_BEFORE_LOCKING:
            self.state = replace(self.state, securing=None)

    def on_query(self, claims: ToGuard, nonce: IssuedNonce | None) -> None:
        """Query the device for the gateway: the answer is newer than the query.

        Only a valid challenge may cause that.
        """
        if nonce is None:
            self.note("a question without a living challenge")
            return
        try:
            part = GuardPart(words.queried_part(claims.body.encode()))
        except MalformedPayload as malformed:
            self.note(f"an unreadable query: {malformed}")
            return
        if not self.state.is_radio_connected or (part is GuardPart.DOOR and not self.state.settings.has_door):
            return
        queue = self.state.queued_questions.get(part, ())
        if len(queue) < MAX_QUEUED_QUESTIONS:
            self.state = replace(
                self.state, queued_questions=_updated(self.state.queued_questions, part, (*queue, claims.question))
            )
        self.send_queued_query(part)

    def send_queued_query(self, part: GuardPart) -> None:
        """Query once for all who wait, after the outstanding older query is answered."""
        queue = self.state.queued_questions.get(part, ())
        if queue and part not in self.state.open_queries:
            self.state = replace(self.state, queued_questions=_without(self.state.queued_questions, part))
            self.send_query(part, queue)

    def send_query(self, part: GuardPart, questions: tuple[str, ...] = ()) -> int:
        number = self.state.last_query_number + 1
        asked = OpenQuery(number, self.mono + self.state.settings.timing.answer, questions)
        self.state = replace(
            self.state, last_query_number=number, open_queries=_updated(self.state.open_queries, part, asked)
        )
        self.commands.append(QueryRadioDevice(part, number))
        return number

    def on_command(self, claims: ToGuard, nonce: IssuedNonce | None) -> None:
        command = words.decode_command(TopicSuffix.SET, claims.body.encode())
        match command:
            case UnlockDoor():
                self.unlock(command, claims, nonce)
            case LockDoor():
                self.lock(command, nonce)
            case UnreadablePayload():
                self.note(f"an unreadable command: {command.why}")
            case _:
                self.note("a command that moves no bolt")

    def lateness_reason(self, command: UnlockDoor | LockDoor, nonce: IssuedNonce | None) -> str | None:
        """Return why the command is late on the guard's own clock; None: it is in time."""
        longest = int(self.state.settings.max_command_life_s * 1000)
        if command.boot != self.state.boot or command.until_ms is None:
            return "it is for another boot of the guard"
        if not self.uptime_ms <= command.until_ms <= self.uptime_ms + longest:
            return "its time is over, or it takes too much"
        return None if nonce is not None else "its challenge is unknown or has expired"

    def unlock(self, command: UnlockDoor, claims: ToGuard, nonce: IssuedNonce | None) -> None:
        state = self.state
        why = self.lateness_reason(command, nonce)
        if why is not None or nonce is None:
            self.refuse(command.id, OperationError.EXPIRED, why or "no challenge")
        elif claims.counter != state.counter + 1:
            self.refuse(command.id, OperationError.REPEATED, "its counter is not the next")
        elif command.intent in state.intents:
            self.refuse(command.id, OperationError.REPEATED, "its intent was obeyed before")
        elif command.latch and not state.settings.can_unlatch:
            self.refuse(command.id, OperationError.RESTRICTED, "no order of ours pulls this lock's latch")
        elif state.pending_unlock is not None:
            self.refuse(command.id, OperationError.BUSY, "another unlock is looked at")
        elif not state.is_radio_connected:
            self.refuse(command.id, OperationError.UNREACHABLE, "there is no radio")
        else:
            until = self.mono + state.settings.probe_timeout_s
            waiting = PendingUnlock(command, nonce, claims.counter, claims.question, until)
            left = tuple(other for other in state.nonces if other != nonce)
            self.state = replace(state, pending_unlock=waiting, nonces=left)
            self.commands.append(ProbeRadioBroker())

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
            self.refuse(command.id, OperationError.EXPIRED, why)
            return
        intents = (*state.intents, command.intent)[-MAX_REMEMBERED_IDS:]
        self.state = replace(
            self.state, counter=waiting.counter, intents=intents, owes_locking=True, securing=None,
            unlocked_at_mono=self.mono, min_query_number=state.last_query_number + 1, bolt_has_moved=False,
        )  # fmt: skip
        self.write_ledger()
        self.commands.append(PublishCommand(command))
        self.note("unlocks")

    def write_ledger(self) -> None:
        state = self.state
        self.commands.append(WriteLedger(counter=state.counter, intents=state.intents, owes=state.owes_locking))

    def report_failure(self, failure: OperationError, why: str) -> None:
        """Handle a move that was not sent. Its counter stays spent, its intent obeyed: it is never tried again."""
        id_ = self.state.intents[-1] if self.state.intents else None
        self.note(why)
        self.send_report(GuardPart.LOCK, ErrorReport(id=id_, failure=failure))

    def lock(self, command: LockDoor, nonce: IssuedNonce | None) -> None:
        why = self.lateness_reason(command, nonce)
        if why is not None:
            self.refuse(command.id, OperationError.EXPIRED, why)
        elif command.id in self.state.obeyed_lock_ids:
            self.refuse(command.id, OperationError.REPEATED, "this lock command was obeyed before")
        elif self.state.door not in (None, DoorState.CLOSED):
            self.refuse(command.id, OperationError.RESTRICTED, "the door is not closed")
        elif not self.state.is_radio_connected:
            self.refuse(command.id, OperationError.UNREACHABLE, "there is no radio")
        else:
            self.state = replace(
                self.state, obeyed_lock_ids=(*self.state.obeyed_lock_ids, command.id)[-MAX_REMEMBERED_IDS:]
            )
            self.commands.append(PublishCommand(command))
            self.note("locks, told to")

    # ---- the radio --------------------------------------------------------------------------------------------------

    def on_radio_connected(self) -> None:
        self.state = replace(self.state, is_radio_connected=True, bolt=None, door=None)
        self.send_query(GuardPart.LOCK)
        if self.state.settings.has_door:
            self.send_query(GuardPart.DOOR)

    def on_radio_disconnected(self) -> None:
        waiting = self.state.pending_unlock
        self.state = replace(
            self.state, is_radio_connected=False, bolt=None, door=None, securing=None, pending_unlock=None
        )
        if waiting is not None:
            self.refuse(waiting.command.id, OperationError.UNREACHABLE, "the radio's broker was lost")
        for part in (GuardPart.LOCK, GuardPart.DOOR)[: 1 + self.state.settings.has_door]:
            self.void_query(part)
            self.send_report(part, AvailabilityReport(online=False))

    def on_radio_report(self, event: RadioReported) -> None:
        for report in event.reports:
            match report:
                case LockReport(event=True) if event.part is GuardPart.LOCK:
                    self.on_bolt_report(report, None)  # a move as it happens is news
                case LockReport() if event.part is GuardPart.LOCK:
                    self.on_bolt_report(report, self.match_query(event))
                case DoorReport() if event.part is GuardPart.DOOR:
                    self.on_door_report(report, self.match_query(event))
                case AvailabilityReport():
                    self.on_link_changed(event.part, online=report.online, by_bridge=event.by_bridge)
                    self.send_report(event.part, report)
                case NoAnswerReport():
                    self.void_query(event.part)
                case BatteryReport():
                    self.send_report(event.part, report)
                case ErrorReport() if event.part is GuardPart.LOCK:
                    self.send_report(event.part, report)
                case ProgressReport():
                    pass  # a radio's acknowledgement never means that the bolt moved
                case _:
                    pass  # no report of a lock or a door

    def match_query(self, event: RadioReported) -> OpenQuery | None:
        """Return the outstanding query that this answers.

        A device that echoes no number answers with its first state.
        """
        asked = self.state.open_queries.get(event.part)
        back_since_mono = self.state.back_since_mono.get(event.part, float("-inf"))
        is_settled = self.mono - back_since_mono >= self.state.settings.settle_time_s
        must_echo = event.part in self.state.settings.echoing_parts
        if asked is None or not is_settled or (must_echo and event.query_number != asked.number):
            return None
        self.state = replace(self.state, open_queries=_without(self.state.open_queries, event.part))
        return asked

    def pass_on(self, part: GuardPart, report: Report, query: OpenQuery | None) -> None:
        """Pass the report on: as the answer to each query that it answers, else as news."""
        for question in () if query is None else query.questions:
            self.send_report(part, report, question=question)
        if query is None or not query.questions:
            self.send_report(part, report)
        self.send_queued_query(part)

    def on_bolt_report(self, report: LockReport, query: OpenQuery | None) -> None:
        locked = report.bolt is LockState.LOCKED
        self.state = replace(self.state, bolt=report.bolt, bolt_has_moved=self.state.bolt_has_moved or not locked)
        if locked and query is not None and query.number >= self.state.min_query_number and self.has_bolt_settled():
            self.on_locked_again()
        elif query is not None and self.is_at_step(SecuringStep.BOLT, query.number):
            self.try_later("the bolt does not answer locked")
        self.pass_on(GuardPart.LOCK, report, query)

    def has_bolt_settled(self) -> bool:
        """Return whether a bolt that reports locked has had the time to obey the unlock before."""
        begun = self.state.boot_mono if self.state.unlocked_at_mono is None else self.state.unlocked_at_mono
        return self.state.bolt_has_moved or self.mono - begun >= self.state.settings.timing.moving

    def on_locked_again(self) -> None:
        if self.state.owes_locking:
            self.state = replace(self.state, owes_locking=False, securing=None)
            self.write_ledger()
            self.note("locked again, proven")

    def on_door_report(self, report: DoorReport, query: OpenQuery | None) -> None:
        self.state = replace(self.state, door=report.door)
        chain = self.state.securing
        if chain is not None and chain.step in STEPS_BEFORE_LOCKING:
            if report.door is not DoorState.CLOSED:
                self.try_later("the door is not closed")
            elif query is not None and self.is_at_step(SecuringStep.DOOR, query.number):
                until = self.mono + self.state.settings.timing.stable
                self.state = replace(self.state, securing=SecuringSequence(SecuringStep.STABLE, query.number, until))
            elif query is not None and self.is_at_step(SecuringStep.DOOR_AGAIN, query.number):
                self.throw_bolt()
        self.pass_on(GuardPart.DOOR, report, query)

    def void_query(self, part: GuardPart) -> None:
        """Void the outstanding query: later reports do not answer it, and the gateway queries again."""
        self.state = replace(
            self.state,
            open_queries=_without(self.state.open_queries, part),
            queued_questions=_without(self.state.queued_questions, part),
        )

    def on_link_changed(self, part: GuardPart, *, online: bool, by_bridge: bool) -> None:
        """Handle a lost or restored link. Both void queries; a restored one first repeats old states, live."""
        if not online:
            self.state = replace(
                self.state,
                offline_parts=self.state.offline_parts | {part},
                back_since_mono=_without(self.state.back_since_mono, part),
            )
            self.void_query(part)
            self.forget_device(part)
        elif by_bridge or part in self.state.offline_parts:
            back = _updated(self.state.back_since_mono, part, self.mono)
            self.state = replace(self.state, offline_parts=self.state.offline_parts - {part}, back_since_mono=back)
            self.void_query(part)

    def forget_device(self, part: GuardPart) -> None:
        """Set the state of an offline device to unknown."""
        door = part is GuardPart.DOOR
        self.state = replace(self.state, door=None) if door else replace(self.state, bolt=None)
        chain = self.state.securing
        if chain is not None and chain.step in STEPS_BEFORE_LOCKING:
            self.try_later("a device is lost")

    # ---- locking by itself ------------------------------------------------------------------------------------------

    def is_at_step(self, step: SecuringStep, number: int) -> bool:
        chain = self.state.securing
        return chain is not None and chain.step is step and chain.number == number

    def lock_by_itself(self) -> None:
        """Start or continue the guard's own locking, when it is time."""
        state, chain = self.state, self.state.securing
        if chain is not None and chain.until_mono <= self.mono:
            if chain.step is SecuringStep.STABLE:
                self.query_for_step(SecuringStep.DOOR_AGAIN, GuardPart.DOOR)
            elif chain.step is SecuringStep.MOVING:
                self.query_for_step(SecuringStep.BOLT, GuardPart.LOCK)
            else:
                self.try_later("no answer")
        elif (
            chain is None
            and _may_lock(state)
            and self.mono >= max(state.gateway_heard_mono + state.settings.max_silence_s, state.next_try_mono)
        ):
            self.note("the gateway is silent: the door is asked")
            self.query_for_step(SecuringStep.DOOR, GuardPart.DOOR)

    def query_for_step(self, step: SecuringStep, part: GuardPart) -> None:
        """Query again: an outstanding query was sent before this step and proves nothing for it."""
        before = self.state.open_queries.get(part)
        number = self.send_query(part, () if before is None else before.questions)
        until = self.mono + self.state.settings.timing.answer
        self.state = replace(self.state, securing=SecuringSequence(step, number, until))

    def throw_bolt(self) -> None:
        """Throw the bolt: the door has answered closed twice, with nothing else between."""
        id_ = f"guard-{self.state.boot}-{self.state.last_query_number}"
        self.commands.append(PublishCommand(LockDoor(id=id_, intent=id_, issued_at=EPOCH, expires_at=EPOCH)))
        self.note("locks by itself")
        until = self.mono + self.state.settings.latency_s
        chain = SecuringSequence(SecuringStep.MOVING, self.state.last_query_number, until)
        self.state = replace(self.state, min_query_number=self.state.last_query_number + 1, securing=chain)

    def try_later(self, why: str) -> None:
        self.note(f"own locking waits: {why}")
        self.state = replace(self.state, securing=None, next_try_mono=self.mono + self.state.settings.timing.again)

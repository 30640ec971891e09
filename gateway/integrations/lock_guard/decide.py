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
STEPS_BEFORE_LOCKING = frozenset(
    {SecuringStep.DOOR, SecuringStep.STABLE, SecuringStep.DOOR_AGAIN}
)  # the bolt is not thrown yet
MAX_QUEUED_QUESTIONS = 32  # queries of the gateway that wait for one device
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # where a message needs a wall clock's time and the guard has none to give

_V = TypeVar("_V")


def initial_state(  # noqa: PLR0913 - what is declared, what was on the disk, and when
    settings: GuardSettings, *, boot: str, counter: int, intents: tuple[str, ...], owes: bool, mono: float
) -> GuardState:
    """Return the guard's state at its start.

    No challenge of an earlier boot is valid, the gateway counts as present.
    """
    return GuardState(settings=settings, boot=boot, began=mono, counter=counter, intents=intents, owes=owes, heard=mono)


def next_deadline_mono(state: GuardState) -> float:
    """Return when `DeadlinePassed` must come at the latest; infinity where nothing waits."""
    deadlines = [asked.until for asked in state.asked.values()]
    if state.waiting is not None:
        deadlines.append(state.waiting.until)
    if state.chain is not None:
        deadlines.append(state.chain.until)
    elif _may_lock(state):
        deadlines.append(max(state.heard + state.settings.silent, state.tries))
    return min(deadlines, default=float("inf"))


def handle_event(state: GuardState, event: GuardEvent, *, mono: float) -> tuple[GuardState, tuple[GuardCommand, ...]]:
    """Handle one event. Overdue items are dropped first, whatever the event."""
    turn = _Transition(state, mono)
    turn.expire()
    match event:
        case GatewayMessage():
            turn.told(event.claims, event.fresh)
        case RadioReported():
            turn.radio_said(event)
        case RadioConnected():
            turn.radio_up()
        case RadioDisconnected():
            turn.radio_down()
        case RadioAnswered():
            turn.radio_alive()
        case LedgerWriteFailed():
            turn.failed(OperationError.UNSPECIFIED, "the disk does not take it: nothing moved")
        case CommandNotSent():
            turn.failed(OperationError.UNREACHABLE, "the radio's broker was lost: nothing moved")
        case DeadlinePassed():
            pass
        case _:
            assert_never(event)
    turn.lock_by_itself()
    return turn.state, tuple(turn.commands)


def _may_lock(state: GuardState) -> bool:
    return state.owes and state.radio and state.settings.door


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
        return int((self.mono - self.state.began) * 1000)

    def say(
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
        self.say(GuardPart.LOCK, ErrorReport(id=id_, failure=failure))

    # ---- time -------------------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """Drop what has expired: challenges, queries to devices, an unlock that waits for the radio."""
        state = self.state
        self.state = replace(state, nonces=tuple(nonce for nonce in state.nonces if nonce.until > self.mono))
        waiting = state.waiting
        if waiting is not None and waiting.until <= self.mono:
            self.state = replace(self.state, waiting=None)
            self.refuse(waiting.command.id, OperationError.UNREACHABLE, "the radio's broker does not answer")
        for part, asked in state.asked.items():
            if asked.until <= self.mono:  # no answer: the gateway's queries stay unanswered too
                self.state = replace(self.state, asked=_without(self.state.asked, part))
                self.ask_queued(part)

    # ---- the gateway ------------------------------------------------------------------------------------------------

    def told(self, claims: ToGuard, fresh: str) -> None:
        if claims.lock != self.state.settings.lock:
            self.note("not for this lock")
            return
        if claims.question in self.state.questions:
            self.note("a copy of a message that was taken already")
            return
        self.state = replace(self.state, questions=(*self.state.questions, claims.question)[-MAX_REMEMBERED_IDS:])
        nonce = next((given for given in self.state.nonces if given.value == claims.nonce), None)
        if nonce is not None:
            self.state = replace(self.state, heard=self.mono)
            self.stand_back()
        match claims.at:
            case "beat":
                pass
            case "get":
                self.question(claims, nonce)
            case "set":
                self.movement(claims, nonce)
            case _:
                assert_never(claims.at)
        self.say(GuardPart.GUARD, None, question=claims.question, nonce=fresh)

    def stand_back(self) -> None:
        """Stop the guard's own locking, because the gateway is there. A bolt already thrown is still queried."""
        chain = self.state.chain
        if chain is not None and chain.step in STEPS_BEFORE_LOCKING:
            self.state = replace(self.state, chain=None)

    def question(self, claims: ToGuard, nonce: IssuedNonce | None) -> None:
        """Query the device for the gateway: the answer is newer than the query.

        Only a valid challenge may cause that.
        """
        if nonce is None:
            self.note("a question without a living challenge")
            return
        try:
            part = GuardPart(words.asked(claims.body.encode()))
        except MalformedPayload as malformed:
            self.note(f"an unreadable query: {malformed}")
            return
        if not self.state.radio or (part is GuardPart.DOOR and not self.state.settings.door):
            return
        queue = self.state.queued.get(part, ())
        if len(queue) < MAX_QUEUED_QUESTIONS:
            self.state = replace(self.state, queued=_updated(self.state.queued, part, (*queue, claims.question)))
        self.ask_queued(part)

    def ask_queued(self, part: GuardPart) -> None:
        """Query once for all who wait, after the outstanding older query is answered."""
        queue = self.state.queued.get(part, ())
        if queue and part not in self.state.asked:
            self.state = replace(self.state, queued=_without(self.state.queued, part))
            self.ask(part, queue)

    def ask(self, part: GuardPart, questions: tuple[str, ...] = ()) -> int:
        number = self.state.number + 1
        asked = OpenQuery(number, self.mono + self.state.settings.timing.answer, questions)
        self.state = replace(self.state, number=number, asked=_updated(self.state.asked, part, asked))
        self.commands.append(QueryRadioDevice(part, number))
        return number

    def movement(self, claims: ToGuard, nonce: IssuedNonce | None) -> None:
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

    def late(self, command: UnlockDoor | LockDoor, nonce: IssuedNonce | None) -> str | None:
        """Return why the command is late on the guard's own clock; None: it is in time."""
        longest = int(self.state.settings.longest * 1000)
        if command.boot != self.state.boot or command.until_ms is None:
            return "it is for another boot of the guard"
        if not self.uptime_ms <= command.until_ms <= self.uptime_ms + longest:
            return "its time is over, or it takes too much"
        return None if nonce is not None else "its challenge is unknown or has expired"

    def unlock(self, command: UnlockDoor, claims: ToGuard, nonce: IssuedNonce | None) -> None:
        state = self.state
        why = self.late(command, nonce)
        if why is not None or nonce is None:
            self.refuse(command.id, OperationError.EXPIRED, why or "no challenge")
        elif claims.counter != state.counter + 1:
            self.refuse(command.id, OperationError.REPEATED, "its counter is not the next")
        elif command.intent in state.intents:
            self.refuse(command.id, OperationError.REPEATED, "its intent was obeyed before")
        elif command.latch and not state.settings.latches:
            self.refuse(command.id, OperationError.RESTRICTED, "no order of ours pulls this lock's latch")
        elif state.waiting is not None:
            self.refuse(command.id, OperationError.BUSY, "another unlock is looked at")
        elif not state.radio:
            self.refuse(command.id, OperationError.UNREACHABLE, "there is no radio")
        else:
            until = self.mono + state.settings.alive
            waiting = PendingUnlock(command, nonce, claims.counter, claims.question, until)
            left = tuple(other for other in state.nonces if other != nonce)
            self.state = replace(state, waiting=waiting, nonces=left)
            self.commands.append(ProbeRadioBroker())

    def radio_alive(self) -> None:
        """Spend challenge and counter and move the bolt, if all conditions still hold."""
        state, waiting = self.state, self.state.waiting
        if waiting is None:
            return
        self.state = replace(state, waiting=None)
        command = waiting.command
        nonce = waiting.nonce if waiting.nonce.until > self.mono else None
        why = self.late(command, nonce)
        if why is not None:
            self.refuse(command.id, OperationError.EXPIRED, why)
            return
        intents = (*state.intents, command.intent)[-MAX_REMEMBERED_IDS:]
        self.state = replace(
            self.state, counter=waiting.counter, intents=intents, owes=True, chain=None,
            moved=self.mono, floor=state.number + 1, withdrawn=False,
        )  # fmt: skip
        self.keep()
        self.commands.append(PublishCommand(command))
        self.note("unlocks")

    def keep(self) -> None:
        state = self.state
        self.commands.append(WriteLedger(counter=state.counter, intents=state.intents, owes=state.owes))

    def failed(self, failure: OperationError, why: str) -> None:
        """Handle a move that was not sent. Its counter stays spent, its intent obeyed: it is never tried again."""
        id_ = self.state.intents[-1] if self.state.intents else None
        self.note(why)
        self.say(GuardPart.LOCK, ErrorReport(id=id_, failure=failure))

    def lock(self, command: LockDoor, nonce: IssuedNonce | None) -> None:
        why = self.late(command, nonce)
        if why is not None:
            self.refuse(command.id, OperationError.EXPIRED, why)
        elif command.id in self.state.locked_by:
            self.refuse(command.id, OperationError.REPEATED, "this lock command was obeyed before")
        elif self.state.door not in (None, DoorState.CLOSED):
            self.refuse(command.id, OperationError.RESTRICTED, "the door is not closed")
        elif not self.state.radio:
            self.refuse(command.id, OperationError.UNREACHABLE, "there is no radio")
        else:
            self.state = replace(self.state, locked_by=(*self.state.locked_by, command.id)[-MAX_REMEMBERED_IDS:])
            self.commands.append(PublishCommand(command))
            self.note("locks, told to")

    # ---- the radio --------------------------------------------------------------------------------------------------

    def radio_up(self) -> None:
        self.state = replace(self.state, radio=True, bolt=None, door=None)
        self.ask(GuardPart.LOCK)
        if self.state.settings.door:
            self.ask(GuardPart.DOOR)

    def radio_down(self) -> None:
        waiting = self.state.waiting
        self.state = replace(self.state, radio=False, bolt=None, door=None, chain=None, waiting=None)
        if waiting is not None:
            self.refuse(waiting.command.id, OperationError.UNREACHABLE, "the radio's broker was lost")
        for part in (GuardPart.LOCK, GuardPart.DOOR)[: 1 + self.state.settings.door]:
            self.void(part)
            self.say(part, AvailabilityReport(online=False))

    def radio_said(self, event: RadioReported) -> None:
        for report in event.reports:
            match report:
                case LockReport(event=True) if event.part is GuardPart.LOCK:
                    self.bolt_said(report, None)  # a move as it happens is news
                case LockReport() if event.part is GuardPart.LOCK:
                    self.bolt_said(report, self.answers(event))
                case DoorReport() if event.part is GuardPart.DOOR:
                    self.door_said(report, self.answers(event))
                case AvailabilityReport():
                    self.linked(event.part, online=report.online, by_bridge=event.by_bridge)
                    self.say(event.part, report)
                case NoAnswerReport():
                    self.void(event.part)
                case BatteryReport():
                    self.say(event.part, report)
                case ErrorReport() if event.part is GuardPart.LOCK:
                    self.say(event.part, report)
                case ProgressReport():
                    pass  # a radio's acknowledgement never means that the bolt moved
                case _:
                    pass  # no report of a lock or a door

    def answers(self, event: RadioReported) -> OpenQuery | None:
        """Return the outstanding query that this answers.

        A device that echoes no number answers with its first state.
        """
        asked = self.state.asked.get(event.part)
        settled = self.mono - self.state.back.get(event.part, float("-inf")) >= self.state.settings.settling
        if asked is None or not settled or (event.part in self.state.settings.echoes and event.number != asked.number):
            return None
        self.state = replace(self.state, asked=_without(self.state.asked, event.part))
        return asked

    def answer(self, part: GuardPart, report: Report, asked: OpenQuery | None) -> None:
        """Pass the report on: as the answer to each query that it answers, else as news."""
        for question in () if asked is None else asked.questions:
            self.say(part, report, question=question)
        if asked is None or not asked.questions:
            self.say(part, report)
        self.ask_queued(part)

    def bolt_said(self, report: LockReport, asked: OpenQuery | None) -> None:
        locked = report.bolt is LockState.LOCKED
        self.state = replace(self.state, bolt=report.bolt, withdrawn=self.state.withdrawn or not locked)
        if locked and asked is not None and asked.number >= self.state.floor and self.settled():
            self.locked_again()
        elif asked is not None and self.on(SecuringStep.BOLT, asked.number):
            self.try_again("the bolt does not answer locked")
        self.answer(GuardPart.LOCK, report, asked)

    def settled(self) -> bool:
        """Return whether a bolt that reports locked has had the time to obey the unlock before."""
        begun = self.state.began if self.state.moved is None else self.state.moved
        return self.state.withdrawn or self.mono - begun >= self.state.settings.timing.moving

    def locked_again(self) -> None:
        if self.state.owes:
            self.state = replace(self.state, owes=False, chain=None)
            self.keep()
            self.note("locked again, proven")

    def door_said(self, report: DoorReport, asked: OpenQuery | None) -> None:
        self.state = replace(self.state, door=report.door)
        chain = self.state.chain
        if chain is not None and chain.step in STEPS_BEFORE_LOCKING:
            if report.door is not DoorState.CLOSED:
                self.try_again("the door is not closed")
            elif asked is not None and self.on(SecuringStep.DOOR, asked.number):
                until = self.mono + self.state.settings.timing.stable
                self.state = replace(self.state, chain=SecuringSequence(SecuringStep.STABLE, asked.number, until))
            elif asked is not None and self.on(SecuringStep.DOOR_AGAIN, asked.number):
                self.throw()
        self.answer(GuardPart.DOOR, report, asked)

    def void(self, part: GuardPart) -> None:
        """Void the outstanding query: later reports do not answer it, and the gateway queries again."""
        self.state = replace(
            self.state, asked=_without(self.state.asked, part), queued=_without(self.state.queued, part)
        )

    def linked(self, part: GuardPart, *, online: bool, by_bridge: bool) -> None:
        """Handle a lost or restored link. Both void queries; a restored one first repeats old states, live."""
        if not online:
            self.state = replace(self.state, lost=self.state.lost | {part}, back=_without(self.state.back, part))
            self.void(part)
            self.lost(part)
        elif by_bridge or part in self.state.lost:
            back = _updated(self.state.back, part, self.mono)
            self.state = replace(self.state, lost=self.state.lost - {part}, back=back)
            self.void(part)

    def lost(self, part: GuardPart) -> None:
        """Set the state of an offline device to unknown."""
        door = part is GuardPart.DOOR
        self.state = replace(self.state, door=None) if door else replace(self.state, bolt=None)
        chain = self.state.chain
        if chain is not None and chain.step in STEPS_BEFORE_LOCKING:
            self.try_again("a device is lost")

    # ---- locking by itself ------------------------------------------------------------------------------------------

    def on(self, step: SecuringStep, number: int) -> bool:
        chain = self.state.chain
        return chain is not None and chain.step is step and chain.number == number

    def lock_by_itself(self) -> None:
        """Start or continue the guard's own locking, when it is time."""
        state, chain = self.state, self.state.chain
        if chain is not None and chain.until <= self.mono:
            if chain.step is SecuringStep.STABLE:
                self.chain(SecuringStep.DOOR_AGAIN, GuardPart.DOOR)
            elif chain.step is SecuringStep.MOVING:
                self.chain(SecuringStep.BOLT, GuardPart.LOCK)
            else:
                self.try_again("no answer")
        elif chain is None and _may_lock(state) and self.mono >= max(state.heard + state.settings.silent, state.tries):
            self.note("the gateway is silent: the door is asked")
            self.chain(SecuringStep.DOOR, GuardPart.DOOR)

    def chain(self, step: SecuringStep, part: GuardPart) -> None:
        """Query anew: an outstanding query was sent before this step and proves nothing for it."""
        before = self.state.asked.get(part)
        number = self.ask(part, () if before is None else before.questions)
        until = self.mono + self.state.settings.timing.answer
        self.state = replace(self.state, chain=SecuringSequence(step, number, until))

    def throw(self) -> None:
        """Throw the bolt: the door has answered closed twice, with nothing else between."""
        id_ = f"guard-{self.state.boot}-{self.state.number}"
        self.commands.append(PublishCommand(LockDoor(id=id_, intent=id_, issued_at=EPOCH, expires_at=EPOCH)))
        self.note("locks by itself")
        until = self.mono + self.state.settings.latency
        chain = SecuringSequence(SecuringStep.MOVING, self.state.number, until)
        self.state = replace(self.state, floor=self.state.number + 1, chain=chain)

    def try_again(self, why: str) -> None:
        self.note(f"own locking waits: {why}")
        self.state = replace(self.state, chain=None, tries=self.mono + self.state.settings.timing.again)

"""Brings guests' codes to keypads and takes them away, by read-back (`gateway.domain.guests.provisioning`).

An entrance decides nothing about them: a code opens by the lock itself, and the gateway sees a hand at the door. It
learns only whether a code that should be gone may be left.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

import structlog

from devices import commands as d
from devices import reports as r
from devices.vendors import VENDORS
from devices.vendors.definition import KeypadFacts
from devices.vendors.words import TopicSuffix
from gateway.config.devices import KeypadDevice
from gateway.config.home import Home
from gateway.config.topics import device_topic
from gateway.domain.frozen import Frozen, replace
from gateway.domain.guests.provisioning import (
    CHECK_INTERVAL_S,
    CodeState,
    Do,
    PassCode,
    Progress,
    advance,
    code_times,
    free_slot,
    next_progress,
    on_report,
)
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions.stray_code import StrayCodeReported
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import Publisher
from gateway.runtime.guests import new_pin
from gateway.runtime.notifications.outbox import Outbox
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

STRAYS_INTERVAL_S = 10.0  # the same where the house file names no keypad, and a code may lie at a former one
ANSWER_TIMEOUT_S = 15.0  # seconds for which a keypad is not asked about another code
ORDER_LIFE_S = 30  # seconds after which the broker drops an order that no keypad took


class _Query(Frozen):
    """A query about one code. `code` is the code's id, `state` its state when it was asked, `at` is monotonic."""

    number: int
    code: str
    state: CodeState
    at: float


@dataclass(eq=False, repr=False)
class KeypadCodes:
    """The codes of all keypads. `post` gives an event to an entrance; `on_change` is called after each change."""

    home: Home
    _: KW_ONLY
    store: Store
    publisher: Publisher
    outbox: Outbox
    clock: Clock
    post: Callable[[str, e.Event], None]
    on_change: Callable[[], None]
    containment: Containment = field(default_factory=Containment)

    def __post_init__(self) -> None:
        self.devices = {id_: one for id_, one in self.home.devices.items() if isinstance(one, KeypadDevice)}
        self._entrances = {
            keypad: tuple(
                name
                for name, section in self.home.entrances.items()
                if section.guests is not None and keypad in section.guests.keypads
            )
            for keypad in self.devices
        }
        self._progress: dict[str, tuple[CodeState, Progress]] = {}
        self._occupied: dict[str, set[int]] = {}  # keypad -> slots in which another code lies
        self._session: int | None = None
        self._queries = 0
        self._asked: dict[str, _Query] = {}  # keypad -> its newest query that was not answered
        self._reported: dict[str, bool] = {}  # keypad -> what its entrances heard last
        self._answered: list[tuple[_Query, r.CodesReport]] = []
        self._wake = asyncio.Event()

    def on_connected(self, session: int) -> None:
        """Start a new broker session: no query of the last one is answered any more, and entrances know nothing."""
        self._session, self._asked, self._reported = session, {}, {}
        self._wake.set()

    def on_disconnected(self) -> None:
        """Send nothing until the broker is back."""
        self._session = None

    def on_message(self, device: str, channel: TopicSuffix, incoming: InboundMessage) -> None:
        """Take a message of a keypad. What the broker stored proves nothing; nor does an answer to no query."""
        section = self.devices[device]
        reports = VENDORS[section.vendor].decode_report(channel, incoming.payload, section.device_ref)
        failed = next((one for one in reports if isinstance(one, r.ErrorReport | r.NoAnswerReport)), None)
        if failed is not None:
            self._asked.pop(device, None)  # what comes next may be what the bridge remembers
        codes = next((one for one in reports if isinstance(one, r.CodesReport)), None)
        asked = self._asked.get(device)
        if codes is None or asked is None or incoming.retain:
            return
        if not self._answers(asked, channel, incoming, reports, correlates=section.definition.correlates):
            return
        del self._asked[device]
        self._answered.append((asked, codes))
        self._wake.set()

    def _answers(
        self, asked: _Query, channel: TopicSuffix, incoming: InboundMessage, reports: tuple[r.Report, ...], *,
        correlates: bool,
    ) -> bool:  # fmt: skip
        """Return whether a message answers the newest query. Without correlation the first one after it does."""
        if not correlates:
            return True
        echo = next((one.echo for one in reports if isinstance(one, r.CorrelationReport)), None)
        correlation = incoming.correlation if echo is None else echo.encode()
        return channel is TopicSuffix.RESULT and correlation == self._mark(asked.number)

    def _mark(self, number: int) -> bytes:
        return f"{self._session}:{number}".encode()

    async def run(self) -> None:
        """Advance all codes, until cancelled."""
        while True:
            self._wake.clear()
            with self.containment.piece("keypads"):
                await self._advance_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_INTERVAL_S if self.devices else STRAYS_INTERVAL_S):
                    await self._wake.wait()

    async def _advance_all(self) -> None:
        answered, now = {(asked.code, asked.state): report for asked, report in self._answered}, self.clock.now()
        self._answered.clear()
        for code in self.store.guests.live_codes():
            section = self.devices.get(code.keypad)
            facts = None if section is None else section.definition.keypad
            try:
                if facts is None:
                    await self._miss(code, now)
                    continue
                await self._advance(code, facts, answered.get((code.id, code.state)), now)
            except StoreFailed as failure:  # nothing is sent that is not stored: the next look tries it again
                log.error("code_not_stored", keypad=code.keypad, why=str(failure))
        self._report_strays(now)

    async def _miss(self, code: PassCode, now: Now) -> None:
        """Raise the alarm once about a code at a keypad that the house file lost: nobody can read it back."""
        if now.trusted and code.is_stray(now) and not code.is_alarmed:
            await self._save(replace(code, is_alarmed=True), now, before=code, is_alarm=True)

    async def _save(self, code: PassCode, now: Now, *, before: PassCode, is_alarm: bool) -> bool:
        """Store a code, and its alarm at an entrance; return whether it was stored. Raises `StoreFailed`."""
        # An installer may have taken the keypad from its entrance: whichever is first tells the host then
        alarm = (self._entrances.get(code.keypad) or tuple(self.home.entrances))[:1] if is_alarm else ()
        saved = await self.store.guests.save_code_at(code, now, before=before, alarm_at=alarm)
        if saved.message is not None:
            command = c.RaiseAlarm(code=c.AlarmCode.CODE_STILL_VALID, detail=code.keypad)
            self.outbox.notify_of_delivery(command, alarm[0], now, message=saved.message, delivery=None)
        if saved.is_stored:
            self.on_change()
        return saved.is_stored

    async def _advance(self, code: PassCode, facts: KeypadFacts, report: r.CodesReport | None, now: Now) -> None:
        known, progress = self._progress.get(code.id, (code.state, Progress()))
        if known is not code.state:  # it was revoked meanwhile
            progress = next_progress(known, progress)
        before = code
        if report is not None:
            code, progress = on_report(code, progress, facts, report)
        do = None
        if self._session is not None:
            code, further, do = advance(code, progress, facts, now)
            is_busy = do is Do.QUERY and self._is_asked_for_another(code, now)
            progress, do = (progress, None) if is_busy else (further, do)
        if do is Do.MOVE:
            moved = self._moved(code)
            code, progress = moved, progress if moved == code else Progress()
        if code != before and not await self._save(code, now, before=before, is_alarm=do is Do.ALARM):
            return  # it was revoked while others were stored: the next look takes it as it is now
        self._progress[code.id] = (code.state, progress)
        if do is not None:
            self._perform(code, facts, do)

    def _moved(self, code: PassCode) -> PassCode:
        """Return a code with another slot, because somebody else's code lies in its own; as it is if all are taken."""
        occupied = self._occupied.setdefault(code.keypad, set())
        if code.number is not None:
            occupied.add(code.number)
        live = (one.number for one in self.store.guests.live_codes() if one.keypad == code.keypad)
        taken = occupied.union(number for number in live if number is not None)
        number = free_slot(self.devices[code.keypad].slots, frozenset(taken))
        log.warning("slot_taken", keypad=code.keypad, slot=code.number, moved_to=number,
                    todo="keep `slots` free of other codes")  # fmt: skip
        if number is None:
            occupied.clear()  # one of them may be free by the next time
            return code
        return replace(code, number=number)

    def _is_asked_for_another(self, code: PassCode, now: Now) -> bool:
        """Return whether the keypad still has to answer about another code: one query at a time."""
        asked = self._asked.get(code.keypad)
        return asked is not None and asked.code != code.id and now.mono - asked.at < ANSWER_TIMEOUT_S

    def _perform(self, code: PassCode, facts: KeypadFacts, do: Do) -> None:
        starts, ends = code_times(code, facts)
        number = None if facts.chooses_slot else code.number
        ident, asked = secrets.token_hex(4), self._asked.get(code.keypad)
        if asked is not None and asked.code == code.id:
            del self._asked[code.keypad]  # its answer would be older than the order
        match do:
            case Do.SET | Do.REPLACE:
                pin = code.pin if do is Do.SET else new_pin()
                self._send(
                    code.keypad, d.SetCode(id=ident, pin=pin, name=code.name, slot=number, starts=starts, ends=ends)
                )
            case Do.CLEAR if code.number is not None:
                self._send(code.keypad, d.ClearCode(id=ident, slot=code.number))
            case Do.QUERY:
                self._queries += 1
                mark = self._mark(self._queries)
                self._asked[code.keypad] = _Query(
                    number=self._queries, code=code.id, state=code.state, at=self.clock.now().mono
                )
                self._send(code.keypad, d.QueryCodes(slot=number, echo=mark.decode()), mark)
            case _:
                pass

    def _send(self, keypad: str, command: d.Command, mark: bytes | None = None) -> None:
        section = self.devices[keypad]
        one = VENDORS[section.vendor].encode_command(command, section.device_ref)
        topic = device_topic(self.home, keypad, one.suffix)
        if mark is None:
            self.publisher.publish(topic, one.payload, expiry=ORDER_LIFE_S)
        else:
            answers = device_topic(self.home, keypad, TopicSuffix.RESULT)
            self.publisher.publish(topic, one.payload, expiry=ORDER_LIFE_S, correlation=mark, response_topic=answers)

    def _report_strays(self, now: Now) -> None:
        """Tell each entrance whether a code that should be gone may be left at its keypads."""
        live = self.store.guests.live_codes()
        for keypad, names in self._entrances.items():
            is_left = any(code.keypad == keypad and code.is_stray(now) for code in live)
            if self._reported.get(keypad) is not is_left:
                self._reported[keypad] = is_left
                for name in names:
                    self.post(name, StrayCodeReported(device=keypad, is_left=is_left))

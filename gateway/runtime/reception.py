"""Runs one reception: takes scans, has each act decided and stored, answers, notifies, and watches the deadlines.

Nothing here moves a lock. An act of a page is awaited, so its page shows what is on disk; a scan of a scanner waits in
a short queue.
"""

import asyncio
import math
import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from datetime import datetime

import structlog

from devices import commands as d
from devices import reports as r
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.config.topics import device_topic, entrance_topic
from gateway.domain.custody import (
    CourierScanned,
    CustodyAnswer,
    CustodyNotice,
    CustodyRefusal,
    CustodyRestarted,
    CustodyStage,
    DeclineReason,
    OwnerConfirmed,
    ReceiverAccepted,
    ReceiverDeclined,
    ReceiverHandedOver,
    TimePassed,
    seconds_to_deadline,
)
from gateway.domain.delivery.barcodes import InvalidBarcode, normalise
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import Refusal
from gateway.domain.duty import duty_end
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import CodeKind
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.runtime.notifications.outbox import Outbox
from gateway.storage.custodies import CustodyAct, CustodyFacts, CustodyResult, EventMaker, Reception, StoredCustody
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.token_bucket import FixedWindow

log = structlog.get_logger(__name__)

MAX_SCANS_PER_SECOND = 5  # of one scanner, or of one courier's page; nobody holds labels up faster
MAX_QUEUED_SCANS = 20  # further ones are dropped: whoever holds a label scans again
MAX_SOURCES = 200  # scanners and couriers' pages whose rate is remembered
REPEAT_INTERVAL_S = 60.0  # seconds for which the same refusal of the same parcel is not logged again
NOTICE_INTERVAL_S = 900.0  # seconds between two notifications that nobody was on duty for a delivery
DEADLINE_CHECK_S = 30.0  # seconds at most between two looks at the deadlines: the wall clock may be put right
STORE_RETRY_DELAY_S = 5.0
ANSWER_LIFE_S = 5  # seconds after which a scanner no longer shows an answer that comes late
OPEN_STAGES = frozenset({CustodyStage.OFFERED, CustodyStage.RECEIVED})
SEALED_STAGES = frozenset({
    CustodyStage.RECEIVED, CustodyStage.DECLINED, CustodyStage.HANDED_OVER, CustodyStage.CONFIRMED,
})  # fmt: skip


class CourierAnswer(Frozen):
    """The answer to a courier's scan."""

    answer: CustodyAnswer
    refusal: Refusal | None = None


class ActOutcome(Frozen):
    """What an act of a receiver or of the owner did; `refusal` None: it was done."""

    refusal: CustodyRefusal | None = None
    parcel: StoredCustody | None = None


class _Scan(Frozen):
    scanner: str
    code: str


@dataclass(eq=False, repr=False)
class ReceptionActor:
    """One reception. `seal` gets the id of a proof to be sealed; `on_change` is called after each stored change."""

    id: str
    _: KW_ONLY
    home: Home
    store: Store
    clock: Clock
    publisher: Publisher
    outbox: Outbox
    seal: Callable[[str], None]
    on_change: Callable[[], None]
    containment: Containment

    def __post_init__(self) -> None:
        self.on_commands: list[Callable[[tuple[c.Command, ...]], object]] = []  # called with a courier's refused scan
        section = self.home.receptions[self.id]
        self.section = section
        self._zone = self.store.custodies.zone
        self._facts = Reception(
            id=self.id,
            hours={id_: receiver.hours for id_, receiver in section.receivers.items()},
            keep_cold=section.keep_cold,
        )
        self._entered_mono: dict[tuple[str, str], tuple[datetime, float]] = {}  # parcel -> since when, by both clocks
        self._scans: deque[_Scan] = deque()
        self._rates: defaultdict[str, FixedWindow] = defaultdict(lambda: FixedWindow(MAX_SCANS_PER_SECOND))
        self._refused_mono: dict[tuple[str, str], float] = {}  # parcel -> when a refusal of it was logged
        self._noticed_mono: dict[str, float] = {}  # delivery -> when the owner heard that nobody was on duty
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()  # one act at a time

    # ---- what comes in

    def on_message(self, device: str, channel: TopicSuffix, incoming: InboundMessage) -> None:
        """Process a message of one of this reception's scanners; a flood is dropped unread."""
        if incoming.retain or not self._takes(device):
            return
        configured = self.home.devices[device]
        for report in VENDORS[configured.vendor].decode_report(channel, incoming.payload, configured.device_ref):
            if isinstance(report, r.ScanReport) and len(self._scans) < MAX_QUEUED_SCANS:
                self._scans.append(_Scan(scanner=device, code=report.code))
                self._wake.set()

    def _takes(self, source: str) -> bool:
        """Return whether one more scan of this source is taken now."""
        if len(self._rates) >= MAX_SOURCES and source not in self._rates:
            self._rates.clear()
        return self._rates[source].take(self.clock.now().mono)

    async def offer(self, code: str, *, source: str, delivery: str | None = None) -> CourierAnswer:
        """Answer a courier's scan. `source`: the scanner, or the page of a courier, which offers this `delivery` only.

        Raises:
            StoreFailed: the disk did not store it.
        """
        if not self._takes(source):
            return CourierAnswer(answer=CustodyAnswer.NO, refusal=Refusal.BUSY)
        return await self._offer(code, delivery, source=source)

    async def _offer(self, code: str, only: str | None, *, source: str) -> CourierAnswer:
        now, scan = self.clock.now(), secrets.token_hex(8)
        known = normalise(code)
        parcel = None if isinstance(known, InvalidBarcode) else known.value
        keys = [] if parcel is None else self._announced(parcel, now)
        if only is not None:
            keys = [key for key in keys if key == only]
        if parcel is None or not keys:
            return CourierAnswer(answer=CustodyAnswer.NO, refusal=Refusal.UNKNOWN_CODE)
        if len(keys) > 1:
            return CourierAnswer(answer=CustodyAnswer.NO, refusal=Refusal.CODE_OF_SEVERAL)
        result = await self._decide(
            keys[0], parcel,
            lambda facts: CourierScanned(scan=scan, on_duty=facts.on_duty, refusal=facts.refusal),
        )  # fmt: skip
        if result is None or result.answer is None:
            return CourierAnswer(answer=CustodyAnswer.NO, refusal=Refusal.UNKNOWN_CODE)
        if result.answer.refusal is not None:
            no = c.AnswerScan(
                scan=scan, scanner=source, answer=c.ScanAnswer.NO, refusal=result.answer.refusal, delivery=keys[0]
            )
            for call in self.on_commands:
                call((no,))
        return CourierAnswer(answer=result.answer.answer, refusal=result.answer.refusal)

    def refusal_of(self, delivery: VisitDelivery) -> Refusal | None:
        """Return the refusal that a courier with this delivery would get now; None: a receiver can take it."""
        now = self.clock.now()
        if delivery.refusal is not None:
            return delivery.refusal
        if not now.trusted:
            return Refusal.CLOCK_UNTRUSTED
        if not delivery.start <= now.utc < delivery.end:
            return Refusal.OUTSIDE_WINDOW
        if delivery.limits and self.section.keep_cold is None:
            return Refusal.FRIDGE_TOO_WARM
        return None if self.on_duty() else Refusal.NO_RECEIVER

    def _announced(self, parcel: str, now: Now) -> list[str]:
        """Return the deliveries to this reception that have the parcel: those that may come, else the first other."""
        matches = [
            match.delivery
            for match in self.store.deliveries.matches(parcel, now)
            if match.kind is CodeKind.PARCEL and match.delivery.entrance == self.id
        ]
        offered = {held.delivery for held in self._held(parcel, OPEN_STAGES)}
        welcome = [one.id for one in matches if one.id in offered or self._may_come(one.refusal)]
        in_window = [one.id for one in matches if one.id in welcome and one.start <= now.utc < one.end]
        return in_window or welcome or [one.id for one in matches[:1]]

    @staticmethod
    def _may_come(refusal: Refusal | None) -> bool:
        return refusal in {None, Refusal.ALREADY_USED}  # another parcel of it may have been taken

    async def accept(self, receiver: str, code: str) -> ActOutcome:
        """Have a receiver take the offered parcel whose label he scanned. Raises as `offer`."""
        return await self._act_on(
            code, {CustodyStage.OFFERED}, CustodyRefusal.NOT_OFFERED,
            lambda on_duty: ReceiverAccepted(receiver=receiver, on_duty=receiver in on_duty),
        )  # fmt: skip

    def holds(self, receiver: str, code: str) -> bool:
        """Return whether a receiver has the parcel with this label."""
        known = normalise(code)
        if isinstance(known, InvalidBarcode):
            return False
        return any(one.state.holder == receiver for one in self._held(known.value, {CustodyStage.RECEIVED}))

    async def decline(self, receiver: str, delivery: str, parcel: str, reason: DeclineReason) -> ActOutcome:
        """Have a receiver decline an offered parcel of his list. Raises as `offer`."""
        result = await self._decide(
            delivery, parcel,
            lambda facts: ReceiverDeclined(receiver=receiver, on_duty=receiver in facts.on_duty, reason=reason),
        )  # fmt: skip
        return _outcome(result, CustodyRefusal.NOT_OFFERED)

    async def hand_over(self, receiver: str, code: str, to: str) -> ActOutcome:
        """Have a receiver hand over the parcel whose label he scanned, to a person by name. Raises as `offer`."""
        return await self._act_on(
            code, {CustodyStage.RECEIVED}, CustodyRefusal.NOT_RECEIVED,
            lambda _on_duty: ReceiverHandedOver(receiver=receiver, to=to), holder=receiver,
        )  # fmt: skip

    async def confirm(self, person: str, code: str) -> ActOutcome:
        """Have a person of the household confirm the parcel whose label was scanned. Raises as `offer`."""
        return await self._act_on(
            code, {CustodyStage.HANDED_OVER}, CustodyRefusal.NOT_HANDED_OVER,
            lambda _on_duty: OwnerConfirmed(person=person), by=person,
        )  # fmt: skip

    async def set_duty(self, receiver: str, *, on: bool) -> bool:
        """Store that a receiver is on duty or no longer; False: his hours are over, or the time is not certain."""
        now = self.clock.now()
        hours = self._facts.hours[receiver]
        if on and (not now.trusted or duty_end(now.utc, hours, self._zone) is None):
            return False
        await self.store.custodies.set_duty(self.id, receiver, now, on=on)
        self.on_change()
        return True

    def on_duty(self) -> frozenset[str]:
        """Return the ids of the receivers who are on duty now."""
        return self.store.custodies.on_duty(self._facts, self.clock.now())

    def wake(self) -> None:
        """Have the loop look at the deadlines now."""
        self._wake.set()

    # ---- decisions

    async def _act_on(  # noqa: PLR0913 - the label, what it may be, and who acts
        self,
        code: str,
        stages: Collection[CustodyStage],
        refusal: CustodyRefusal,
        event: Callable[[frozenset[str]], ReceiverAccepted | ReceiverHandedOver | OwnerConfirmed],
        *,
        holder: str | None = None,
        by: str | None = None,
    ) -> ActOutcome:
        known = normalise(code)
        if isinstance(known, InvalidBarcode):
            return ActOutcome(refusal=refusal)
        held = list(self._held(known.value, stages))
        own = [one for one in held if holder is None or one.state.holder == holder] or held
        if not own:
            return ActOutcome(refusal=refusal)
        result = await self._decide(own[0].delivery, known.value, lambda facts: event(facts.on_duty), by=by)
        return _outcome(result, refusal)

    def _held(self, parcel: str, stages: Collection[CustodyStage]) -> Iterator[StoredCustody]:
        return (one for one in self.store.custodies.at(self.id, stages) if one.parcel == parcel)

    async def _decide(
        self, delivery: str, parcel: str, event: EventMaker, *, by: str | None = None, is_logged: bool = True
    ) -> CustodyResult | None:
        """Decide on an act. `is_logged` False: only if something follows from it."""
        async with self._lock:
            now = self.clock.now()
            key = delivery, parcel
            act = CustodyAct(
                delivery=delivery, parcel=parcel, event=event, since_mono=self._entered_mono.get(key), by=by,
                is_logged=is_logged and self._logs_refusals(key, now), may_notify=self._may_notify(delivery, now),
            )  # fmt: skip
            result = await self.store.custodies.decide(act, self._facts, now)
            if result is not None:
                self._after(result, now)
        return result

    def _logs_refusals(self, key: tuple[str, str], now: Now) -> bool:
        """Return whether a refused scan of this parcel is logged: the first, and then one a minute."""
        last = self._refused_mono.get(key, -math.inf)
        return now.mono - last >= REPEAT_INTERVAL_S

    def _may_notify(self, delivery: str, now: Now) -> bool:
        return now.mono - self._noticed_mono.get(delivery, -math.inf) >= NOTICE_INTERVAL_S

    def _after(self, result: CustodyResult, now: Now) -> None:
        stored = result.stored
        key = stored.delivery, stored.parcel
        if stored.state.since is not None and stored.state.since_mono is not None:
            self._entered_mono[key] = stored.state.since, stored.state.since_mono
        if result.answer is not None and result.answer.refusal is not None:
            if self._logs_refusals(key, now):
                self._refused_mono[key] = now.mono
            if CustodyNotice.NO_RECEIVER in result.notices:
                self._noticed_mono[stored.delivery] = now.mono
        for command, number in result.messages:
            self.outbox.notify_of_delivery(command, self.id, now, message=number, delivery=stored.delivery)
        if result.changed:
            if stored.state.stage in SEALED_STAGES:
                self.seal(stored.visit)
            self._publish(
                {"kind": "custody", "delivery": stored.delivery, "parcel": stored.parcel[-4:],
                 "stage": stored.state.stage.value, "receiver": stored.state.holder}
            )  # fmt: skip
            self.outbox.schedule_results()
        self.on_change()
        self._wake.set()

    # ---- the loop

    async def run(self) -> None:
        """Run until cancelled. Each start seals what a crash left unsealed, and checks the deadlines that passed."""
        for visit in self.store.custodies.visits_at(self.id, SEALED_STAGES):
            self.seal(visit)
        await self._check(OPEN_STAGES, restarted=True)
        while True:
            self._wake.clear()
            while self._scans:
                await self._answer(self._scans.popleft())
            await self._check(OPEN_STAGES, restarted=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_to_deadline()):
                    await self._wake.wait()

    async def _answer(self, scan: _Scan) -> None:
        with self.containment.piece("receptions", scan.scanner):
            try:
                answer = await self._offer(scan.code, None, source=scan.scanner)
            except StoreFailed as failure:
                log.error("scan_not_stored", reception=self.id, why=str(failure))
                answer = CourierAnswer(answer=CustodyAnswer.NO, refusal=Refusal.NOT_READY)
            now, event = self.clock.now(), secrets.token_hex(8)
            self._show(scan.scanner, d.ShowResult(word=answer.answer.value, event=event, issued_at=now.utc))
            refusal = None if answer.refusal is None else answer.refusal.value
            self._publish({"kind": "answer", "scan": event, "scanner": scan.scanner, "word": answer.answer.value,
                           "refusal": refusal})  # fmt: skip

    def _show(self, scanner: str, command: d.ShowResult) -> None:
        configured = self.home.devices[scanner]
        publication = VENDORS[configured.vendor].encode_command(command, configured.device_ref)
        topic = device_topic(self.home, scanner, publication.suffix)
        self.publisher.publish(topic, publication.payload, expiry=ANSWER_LIFE_S)

    def _publish(self, body: dict[str, object]) -> None:
        now = self.clock.now()
        event = {"event_id": secrets.token_hex(8), "at": rfc3339_ms(now.utc), "entrance": self.id, **body}
        self.publisher.publish(entrance_topic(self.id, "event"), json_bytes(event))

    async def _check(self, stages: Collection[CustodyStage], *, restarted: bool) -> None:
        """Decide on each deadline that has passed, and store the outcome of deliveries whose window has ended."""
        try:
            for held in self.store.custodies.at(self.id, stages):
                if restarted or self._seconds_left(held) <= 0:
                    event = _restarted if restarted else _time_passed
                    await self._decide(held.delivery, held.parcel, event, is_logged=False)
            if await self.store.custodies.settle_over(self.id, self.clock.now()):
                self.outbox.schedule_results()
                self.on_change()
        except StoreFailed as failure:
            log.error("deadlines_not_stored", reception=self.id, why=str(failure))
            await asyncio.sleep(STORE_RETRY_DELAY_S)

    def _seconds_left(self, held: StoredCustody) -> float:
        state, entered = held.state, self._entered_mono.get((held.delivery, held.parcel))
        if entered is not None and entered[0] == state.since:
            state = replace(state, since_mono=entered[1])
        return seconds_to_deadline(state, self.clock.now())

    def _seconds_to_deadline(self) -> float:
        now = self.clock.now()
        left = [self._seconds_left(held) for held in self.store.custodies.at(self.id, OPEN_STAGES)]
        end = self.store.custodies.next_end(self.id, now)
        if end is not None:
            left.append((end - now.utc).total_seconds())
        return max(0.05, min([*left, DEADLINE_CHECK_S]))


def _restarted(_facts: CustodyFacts) -> CustodyRestarted:
    return CustodyRestarted()


def _time_passed(_facts: CustodyFacts) -> TimePassed:
    return TimePassed()


def _outcome(result: CustodyResult | None, missing: CustodyRefusal) -> ActOutcome:
    if result is None:
        return ActOutcome(refusal=missing)
    return ActOutcome(refusal=result.refusal, parcel=result.stored)

"""Sends notifications to the owner and delivery results to retailers, outside the unlock path.

Nothing here may delay a door: tasks of its own do the work, in the order of the requests. What is unsent when the
process ends is found in the store at the next start.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass, field, replace

import structlog

from gateway.config.home import Home
from gateway.config.topics import entrance_topic, result_topics
from gateway.domain.delivery.promise import DeliveryResult
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.evidence.checkpoint import Checkpoint
from gateway.mqtt.packets import NotSent, Sent
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.runtime.notifications.composer import MessageComposer
from gateway.runtime.notifications.texts import ComposedMessage, log_message
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

PictureSource = Callable[[], Awaitable[bytes | None]]
RESULTS_DELAY_S = 0.2  # seconds: a visit's steps change a result several times, and a retailer needs the last
MAX_UNSENT_MESSAGES = 100  # messages that neither store nor broker accepted, kept for the next session: the newest


@dataclass(eq=False, repr=False)
class Outbox:
    """The box's outbox. It sends each message once to the phones, whose queue retries by itself, to log and broker."""

    home: Home
    _: KW_ONLY
    store: Store
    publisher: Publisher
    clock: Clock
    notify_phones: Callable[[ComposedMessage], None]
    containment: Containment = field(default_factory=Containment)

    def __post_init__(self) -> None:
        self._composer = MessageComposer(self.home, self.store)
        self._jobs: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._in_flight: set[int] = set()
        self._unsent: deque[ComposedMessage] = deque(maxlen=MAX_UNSENT_MESSAGES)
        self._results_due = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_jobs(), name="office: messages")
            group.create_task(self._report_results(), name="office: results")

    def notify(
        self, command: c.OwnerMessage, state: Entrance, now: Now, *, message: int | None, picture: PictureSource | None
    ) -> None:
        """Notify the owner, with a picture if one arrives in time; `message` is its number in the store."""
        running = state.visit or state.grace_visit
        delivery = None if running is None else running.delivery
        visit = None if running is None else running.id
        if isinstance(command, c.NotifyOwner) and command.delivery is not None:
            visit = command.visit  # perhaps a visit that has just ended, or none
            if delivery is None or delivery.id != command.delivery:
                delivery = self.store.deliveries.facts(command.delivery, now)
        composed = replace(self._composer.compose(command, state.id, delivery, now), visit=visit, number=message or 0)
        self._enqueue(composed, picture, late=False)

    def notify_of_delivery(
        self, command: c.OwnerMessage, entrance: str, now: Now, *, message: int | None, delivery: str | None
    ) -> None:
        """Notify the owner about a delivery outside a visit; `message` is the number of the message in the store."""
        facts = None if delivery is None else self.store.deliveries.facts(delivery, now)
        composed = replace(self._composer.compose(command, entrance, facts, now), number=message or 0)
        self._enqueue(composed, None, late=False)

    def on_connected(self) -> None:
        """Start a new broker session: publish what could not be published before, with the time of its event."""
        for stored in self.store.messages.unsent():
            if stored.id in self._in_flight:
                continue
            message = self._composer.recompose(stored, self.clock.now())
            if message is not None:
                self._enqueue(message, None, late=True)
        unsent, self._unsent = self._unsent, deque(maxlen=MAX_UNSENT_MESSAGES)
        for message in unsent:
            self._enqueue(message, None, late=True)
        self._results_due.set()

    def _enqueue(self, message: ComposedMessage, picture: PictureSource | None, *, late: bool) -> None:
        if message.number:
            self._in_flight.add(message.number)
        self._jobs.put_nowait(lambda: self._send(message, picture, late=late))

    async def _run_jobs(self) -> None:
        while True:
            job = await self._jobs.get()
            with self.containment.piece("messages to the owner"):
                await job()

    async def _send(self, message: ComposedMessage, picture: PictureSource | None, *, late: bool) -> None:
        message = replace(message, picture=None if picture is None else await picture())
        text = message.words(self.home.language)
        log_message(message, text)
        if not late:
            self.notify_phones(message)
        outcome = self._publish_message(message, text, late=late)
        if outcome is NotSent.TOO_LARGE:
            outcome = self._publish_message(replace(message, picture=None), text, late=late)  # without its picture
        if isinstance(outcome, Sent):
            done = outcome.acknowledged
            done.add_done_callback(lambda _done: self._on_acknowledged(message, accepted=done.result().accepted))
        else:
            self._on_acknowledged(message, accepted=False)

    def _publish_message(self, message: ComposedMessage, text: str, *, late: bool) -> Sent | NotSent:
        body = {
            "id": message.number or None,
            "at": rfc3339_ms(message.at),
            "to": "owner",
            "about": message.about.value,
            "urgent": message.urgent,
            "late": late,
            "text": text,
            "facts": message.facts,
            "visit": message.visit,
            "delivery": message.delivery,
            "picture": None if message.picture is None else base64.b64encode(message.picture).decode(),
        }
        return self.publisher.publish(entrance_topic(message.entrance, "message"), json_bytes(body))

    def _on_acknowledged(self, message: ComposedMessage, *, accepted: bool) -> None:
        """Handle the broker's answer; the next session publishes what it did not accept, from the store or memory."""
        number = message.number
        if not number:
            if not accepted:
                self._unsent.append(message)
        elif accepted:
            self._jobs.put_nowait(lambda: self._store_sent(number))
        else:
            self._in_flight.discard(number)

    async def _store_sent(self, number: int) -> None:
        """Record that the broker has it; if that fails, the message is not published again before the next start."""
        if await self._try_store(self.store.messages.mark_sent(number, self.clock.now())):
            self._in_flight.discard(number)

    def schedule_results(self) -> None:
        """Publish changed results of deliveries to retailers, until the broker has them."""
        self._results_due.set()

    async def _report_results(self) -> None:
        while True:
            await self._results_due.wait()
            await asyncio.sleep(RESULTS_DELAY_S)
            self._results_due.clear()
            with self.containment.piece("results to retailers"):
                for result in self.store.deliveries.changed_results(self.clock.now()):
                    with self.containment.piece("results to retailers", f"{result.brand} {result.delivery}"):
                        await self._publish_result(result)

    async def _publish_result(self, result: DeliveryResult) -> None:
        message = result.message()
        outcomes = [self.publisher.publish(topic, message) for topic in result_topics(result.brand)]
        if all([isinstance(o, Sent) and (await o.acknowledged).accepted for o in outcomes]):
            await self._try_store(self.store.deliveries.mark_reported(result, self.clock.now()))

    def publish_checkpoint(self, entrance: str, signed: Checkpoint) -> None:
        """Publish a signed end of the log to the owner's phone: a later one shows whether entries were removed."""
        self.publisher.publish(entrance_topic(entrance, "checkpoint"), signed.to_json())

    @staticmethod
    async def _try_store(change: Awaitable[object]) -> bool:
        try:
            await change
        except StoreFailed as failure:
            log.warning("not_noted", why=str(failure))  # published again at the next start: twice is better than never
            return False
        return True

"""What is told beside the door: messages to the owner, results to retailers.

None of it may hold up a door: it is done by tasks of its own, in the order in which it was asked for. What is not yet
told when the process ends is found in the store at the next start.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from gateway.config.home import Home
from gateway.config.topics import entrance_topic, result_topics
from gateway.domain.delivery.promise import Result
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance, Now
from gateway.evidence.checkpoint import Checkpoint
from gateway.mqtt.client import NotSent, NotSentReason, Sent
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.runtime.notifications.composer import Wording
from gateway.runtime.notifications.texts import LogVoice, Message, Voice
from gateway.storage import Store, StoreFailed
from gateway.system.clock import Clock
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

UNTOLD = 100  # messages that neither store nor broker took, kept for the next session: the newest


class Office:
    """One for the box. `voices` are told each message once, beside log and broker; a retry is their own matter."""

    def __init__(  # noqa: PLR0913 - what it works with, named one by one
        self, home: Home, *, store: Store, line: Publisher, clock: Clock, voices: Sequence[Voice] = (),
        contained: Containment | None = None,
    ) -> None:  # fmt: skip
        self._contained = contained or Containment()
        self._store = store
        self._line = line
        self._clock = clock
        self._wording = Wording(home, store)
        self._language = home.language
        self._log = LogVoice(home.language)
        self._voices = tuple(voices)
        self._waiting: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._on_its_way: set[int] = set()
        self._untold: deque[tuple[str, Message]] = deque(maxlen=UNTOLD)
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._speak(), name="office: messages")
            group.create_task(self._report(), name="office: results")

    # ---- the owner --------------------------------------------------------------------------------------------------

    def tell(
        self,
        command: c.NotifyOwner | c.RaiseAlarm,
        state: Entrance,
        now: Now,
        *,
        message: int | None,
        picture: Callable[[], Awaitable[bytes | None]] | None,
    ) -> None:
        """Tell the owner, with a picture when one comes in time; `message` is the number under which it is stored."""
        running = state.visit or state.grace_visit
        delivery = None if running is None else running.delivery
        visit = None if running is None else running.id
        if isinstance(command, c.NotifyOwner) and command.delivery is not None:
            visit = command.visit  # perhaps of a visit that has just ended, or of none
            if delivery is None or delivery.id != command.delivery:
                delivery = self._store.facts(command.delivery, now)
        said = replace(self._wording.of(command, state.id, delivery, now), visit=visit, number=message)
        self._hand_over(state.id, said, message, picture, late=False)

    def connected(self) -> None:
        """A new broker session: what could not be told before is told now, with the time at which it was so."""
        for waiting in self._store.unsent():
            if waiting.id in self._on_its_way:
                continue
            said = self._wording.again(waiting, self._clock.now())
            if said is not None:
                self._hand_over(waiting.entrance, said, waiting.id, None, late=True)
        untold, self._untold = self._untold, deque(maxlen=UNTOLD)
        for entrance, said in untold:
            self._hand_over(entrance, said, None, None, late=True)
        self._due.set()

    def _hand_over(
        self,
        entrance: str,
        said: Message,
        number: int | None,
        picture: Callable[[], Awaitable[bytes | None]] | None,
        *,
        late: bool,
    ) -> None:
        if number is not None:
            self._on_its_way.add(number)
        self._waiting.put_nowait(lambda: self._send(entrance, said, number, picture, late=late))

    async def _speak(self) -> None:
        while True:
            work = await self._waiting.get()
            with self._contained.piece("messages to the owner"):
                await work()

    async def _send(
        self,
        entrance: str,
        message: Message,
        number: int | None,
        picture: Callable[[], Awaitable[bytes | None]] | None,
        *,
        late: bool,
    ) -> None:
        jpeg = None if picture is None else await picture()
        message = replace(message, picture=jpeg)
        await self._log.tell(message)
        for voice in () if late else self._voices:
            await voice.tell(message)
        outcome = self._publish(entrance, message, number, late=late)
        if outcome == NotSent(NotSentReason.TOO_LARGE):
            outcome = self._publish(
                entrance, replace(message, picture=None), number, late=late
            )  # the words matter more
        if isinstance(outcome, Sent):
            outcome.acknowledged.add_done_callback(
                lambda done: self._arrived(entrance, message, number, taken=done.result().accepted)
            )
        else:
            self._arrived(entrance, message, number, taken=False)

    def _publish(self, entrance: str, message: Message, number: int | None, *, late: bool) -> Sent | NotSent:
        body = {
            "id": number,
            "at": rfc3339_ms(message.at),
            "to": "owner",
            "about": message.about.value,
            "urgent": message.urgent,
            "late": late,
            "text": message.words(self._language),
            "facts": message.parameters,
            "visit": message.visit,
            "delivery": message.delivery,
            "picture": None if message.picture is None else base64.b64encode(message.picture).decode(),
        }
        return self._line.publish(entrance_topic(entrance, "message"), json_bytes(body))

    def _arrived(self, entrance: str, message: Message, number: int | None, *, taken: bool) -> None:
        """What the broker did not take is told in the next session: from the store, or from here if it is not there."""
        if number is None:
            if not taken:
                self._untold.append((entrance, message))
        elif taken:
            self._waiting.put_nowait(lambda: self._noted(number))
        else:
            self._on_its_way.discard(number)

    async def _noted(self, number: int) -> None:
        """The broker has it: what cannot be stored of that is at least not told again before the next start."""
        if await self._stored(self._store.sent(number, self._clock.now())):
            self._on_its_way.discard(number)

    # ---- retailers --------------------------------------------------------------------------------------------------

    def owed(self) -> None:
        """Some delivery may stand otherwise than before: its retailer is told, until the broker has it."""
        self._due.set()

    async def _report(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            with self._contained.piece("results to retailers"):
                for result in self._store.changed(self._clock.now()):
                    with self._contained.piece("results to retailers", f"{result.brand} {result.delivery}"):
                        await self._publish_result(result)

    async def _publish_result(self, result: Result) -> None:
        body = result.model_dump_json(exclude_none=True).encode()
        outcomes = [self._line.publish(topic, body) for topic in result_topics(result.brand)]
        if all([isinstance(o, Sent) and (await o.acknowledged).accepted for o in outcomes]):
            await self._stored(self._store.told(result, self._clock.now()))

    def publish_checkpoint(self, entrance: str, signed: Checkpoint) -> None:
        """Hand a signed end of the log to the owner's phone: what it keeps shows later that nothing was taken back."""
        self._line.publish(entrance_topic(entrance, "checkpoint"), signed.to_json())

    @staticmethod
    async def _stored(work: Awaitable[object]) -> bool:
        try:
            await work
        except StoreFailed as failure:
            log.warning("not_noted", why=str(failure))  # it is told again at the next start: rather twice than never
            return False
        return True

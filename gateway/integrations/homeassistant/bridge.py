"""Speaks with Home Assistant over the house's broker: says what there is and how it stands, hears what is asked.

What there is (the discovery messages) is retained and said again at each start, each new broker session and each birth
of Home Assistant; how it stands is said after each decision, every 15 s, and three times after a birth, because Home
Assistant may not yet listen to the entities that it has just been told of.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from gateway.config.home import Home, HomeAssistantSection
from gateway.config.topics import entrance_topic, shown_topic
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance, Phase
from gateway.integrations.homeassistant import discovery, state
from gateway.integrations.homeassistant.commands import BY, Asked, No, Ration, asked, ruled
from gateway.mqtt.packets import InboundMessage, Sent
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.protocol.owner_requests import AnyWish
from gateway.runtime.entrance import RunningEntrance
from gateway.storage import Store, StoreFailed
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.clock import Clock

log = structlog.get_logger(__name__)

FILE = "home-assistant.json"  # which entities Home Assistant was told of, under the storage folder
LARGEST = 1_048_576  # bytes of that file
SOON = (1.0, 3.0, 8.0)  # seconds between the times that everything is said after a birth
CALM = 0.5  # seconds between two answers to births: a flood of them is one
PICTURE_KEPT = 24 * 3600.0  # seconds that the picture of a visit is shown


@dataclass(frozen=True, slots=True)
class _Picture:
    visit: str
    jpeg: bytes
    mono: float


class Assistant:
    """One for the box. Without a section of its own in the house file it only takes back what it once said.

    `wished` takes an entrance, a wish and who asks, and answers None or why it was not done. `picture` gives a small
    JPEG of what a camera sees now, or None.
    """

    def __init__(  # noqa: PLR0913 - what it speaks and hears through, named one by one
        self,
        home: Home,
        *,
        line: Publisher,
        clock: Clock,
        store: Store,
        entrances: Mapping[str, RunningEntrance],
        wished: Callable[[str, AnyWish, str | None], asyncio.Future[str | None]],
        picture: Callable[[str], Awaitable[bytes | None]],
    ) -> None:
        self._home, self._section = home, home.homeassistant
        self._line, self._clock, self._store = line, clock, store
        self._entrances, self._wished, self._picture = entrances, wished, picture
        self._file = home.storage.folder / FILE
        self._messages = discovery.wanted(home)
        self._born = asyncio.Event()
        self._seen: dict[str, Entrance] = {}
        self._said: dict[str, object] = {}
        self._rations = {name: Ration() for name in home.entrances}
        self._refused: dict[tuple[str, str], float] = {}  # what was noted in the log, and when
        self._rings: deque[tuple[str, str]] = deque()
        self._rang = asyncio.Event()
        self._pictures: dict[str, _Picture] = {}
        self._notes: asyncio.Queue[tuple[str, No]] = asyncio.Queue()

    async def run(self) -> None:
        """Work until cancelled."""
        self._seen = {name: running.state for name, running in self._entrances.items()}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._speak(), name="home assistant: entities and states")
            group.create_task(self._note(), name="home assistant: refusals")
            group.create_task(self._look(), name="home assistant: pictures")

    # ---- what it hears ----------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """A new broker session: what was said may be lost."""
        self._born.set()

    def heard(self, entrance: str | None, incoming: InboundMessage) -> None:
        """Home Assistant says that it has begun (no entrance), or wants something. No stored wish is acted on.

        A birth counts however it was sent: some owners have theirs stored, and an answer does no harm.
        """
        if entrance is None:
            if incoming.payload.strip() == b"online":
                self._born.set()
        elif incoming.retain:
            log.warning("stored_wish_of_home_assistant_ignored", entrance=entrance)
        elif self._section is not None:
            self._asked(entrance, incoming.payload, self._section)

    def _asked(self, entrance: str, payload: bytes, section: HomeAssistantSection) -> None:
        """A stop is heard in any flood, once: what it does counts before this returns, and only people end it."""
        what = asked(payload)
        stops = what is Asked.STOP and "stop" in section.may
        if stops and self._entrances[entrance].stopped():
            return
        ration = self._rations[entrance]
        if not stops and not ration.takes(self._clock.now().mono):
            if ration.dropped == 1:
                log.warning("home_assistant_floods", entrance=entrance)
            return
        wish = what if isinstance(what, No) else ruled(what, section, f"ha-{secrets.token_hex(6)}")
        if isinstance(wish, No):
            self._refuse(entrance, wish)
            return
        answer = self._wished(entrance, wish, BY)
        answer.add_done_callback(lambda done: self._answered(entrance, str(what), done))

    def _answered(self, entrance: str, what: str, done: asyncio.Future[str | None]) -> None:
        why = None if done.cancelled() else done.result()
        if why is not None:
            self._refuse(entrance, No(what, why))

    def _refuse(self, entrance: str, no: No) -> None:
        """Say so to whoever asked, to whoever follows the entrance, and to the log that nobody can rewrite."""
        log.warning("home_assistant_refused", entrance=entrance, asked=no.asked, why=no.why)
        self._happens(entrance, state.refused(no.asked, no.why))
        now = self._clock.now()
        said = {"event_id": secrets.token_hex(8), "at": rfc3339_ms(now.utc), "entrance": entrance, "kind": "wish",
                "id": f"{BY}:{no.asked}", "accepted": False, "why": no.why}  # fmt: skip
        self._line.publish(entrance_topic(entrance, "event"), json_bytes(said))
        if now.mono - self._refused.get((entrance, no.asked), float("-inf")) >= 60.0:
            self._refused[entrance, no.asked] = now.mono
            self._notes.put_nowait((entrance, no))

    async def _note(self) -> None:
        while True:
            entrance, no = await self._notes.get()
            try:
                said = {"asked": no.asked, "why": no.why, "by": BY}
                await self._store.note("wish_refused", said, self._clock.now(), entrance=entrance)
            except StoreFailed as failure:
                log.warning("refusal_not_noted", entrance=entrance, why=str(failure))

    # ---- what it says -----------------------------------------------------------------------------------------------

    def overheard(self, entrance: str, commands: tuple[c.Command, ...]) -> None:
        """An entrance has decided: what is news of it goes out."""
        if self._section is None:
            return
        before, after = self._seen.get(entrance), self._entrances[entrance].state
        self._seen[entrance] = after
        if state.snapshot(after, self._clock.now()) != self._said.get(entrance):
            self._show(entrance)
        for happening in state.happenings(before, after, commands):
            self._happens(entrance, happening)
        rings = after.visit is not None and after.visit.phase is Phase.RINGING
        if rings and (before is None or before.visit is None) and discovery.shows_picture(self._home, entrance):
            self._rings.append((entrance, after.visit.id if after.visit is not None else ""))
            self._rang.set()

    def _happens(self, entrance: str, happening: Mapping[str, object]) -> None:
        self._line.publish(shown_topic(entrance, "event"), json_bytes(happening), expiry=discovery.EXPIRES)

    def _show(self, entrance: str) -> None:
        """Say how it stands, and only then that somebody looks after it."""
        if self._section is None:
            return
        shown = state.snapshot(self._entrances[entrance].state, self._clock.now())
        sent = self._line.publish(shown_topic(entrance, "state"), json_bytes(shown), expiry=discovery.EXPIRES)
        if isinstance(sent, Sent):
            self._said[entrance] = shown
            self._line.publish(shown_topic(entrance, "availability"), b"online", expiry=discovery.EXPIRES)

    async def _speak(self) -> None:
        soon: deque[float] = deque()
        while True:
            try:
                async with asyncio.timeout(soon.popleft() if soon else discovery.REPEAT):
                    await self._born.wait()
            except TimeoutError:
                self._show_all()
                continue
            self._born.clear()
            await self._introduce()
            self._show_all()
            soon = deque(SOON)
            await asyncio.sleep(CALM)

    def _show_all(self) -> None:
        for entrance in self._entrances:
            self._show(entrance)
        self._forget_pictures()

    async def _introduce(self) -> None:
        """Say what there is; first take back what was said once and is no more.

        The file knows of a message before the broker does, and of its end after: a box that is killed in between says
        it again.
        """
        before = await asyncio.to_thread(recorded, self._file)
        now = discovery.told_of(self._messages)
        if not before and not now:
            return
        await self._record(discovery.joined(before, now), before)
        back = [
            self._line.publish(topic, json_bytes(message) if message else b"", retain=True)
            for topic, message in discovery.goodbyes(before, self._messages)
        ]
        taken = [isinstance(sent, Sent) and (await sent.acknowledged).accepted for sent in back]
        for topic, message in self._messages.items():
            self._line.publish(topic, json_bytes(message), retain=True)
        for entrance, picture in self._pictures.items():
            self._line.publish(shown_topic(entrance, "picture"), picture.jpeg, expiry=discovery.EXPIRES)
        if all(taken):
            await self._record(now, discovery.joined(before, now))

    async def _record(self, published: discovery.Published, was: discovery.Published) -> None:
        if published == was:
            return
        try:
            await asyncio.to_thread(write_whole, self._file, json.dumps(published).encode())
        except OSError as failure:
            log.warning("home_assistant_not_recorded", file=str(self._file), why=str(failure))

    # ---- pictures ---------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """One picture a visit, of the camera outside, when it rings. It is on no disk and in no broker."""
        while True:
            await self._rang.wait()
            self._rang.clear()
            while self._rings:
                entrance, visit = self._rings.popleft()
                jpeg = await self._picture(self._home.entrances[entrance].cameras.outside)
                if jpeg is not None:
                    self._pictures[entrance] = _Picture(visit, jpeg, self._clock.now().mono)
                    self._line.publish(shown_topic(entrance, "picture"), jpeg, expiry=discovery.EXPIRES)

    def _forget_pictures(self) -> None:
        """A day later, or as soon as the visit's films are erased, nothing is shown any more."""
        mono = self._clock.now().mono
        for entrance, picture in tuple(self._pictures.items()):
            running = self._entrances[entrance].state
            of = {visit.id for visit in (running.visit, running.grace_visit) if visit is not None}
            erased = all(film.erased is not None for film in self._store.films(visit=picture.visit))
            erased = erased and picture.visit not in of  # its films begin a moment after the visit
            if erased or mono - picture.mono > PICTURE_KEPT:
                del self._pictures[entrance]
                self._line.publish(shown_topic(entrance, "picture"), b"", expiry=discovery.EXPIRES)


def recorded(file: Path) -> discovery.Published:
    """Which entities Home Assistant was told of before; what cannot be read is as good as nothing."""
    try:
        said: Any = json.loads(read_regular(file, at_most=LARGEST))
        return {str(topic): {str(k): str(v) for k, v in parts.items()} for topic, parts in said.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as failure:
        log.warning("home_assistant_record_unreadable", file=str(file), why=str(failure))
        return {}

"""Publishes entities and states to Home Assistant over the house's broker, and receives its commands.

The discovery messages are retained and published again at each start, each new broker session and each birth of Home
Assistant. States are published after each decision, every 15 s, and three times after a birth, because Home Assistant
may not yet be subscribed to the entities that it just discovered.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from gateway.config.home import Home, HomeAssistantSection
from gateway.config.topics import entrance_topic, homeassistant_topic
from gateway.domain.frozen import Frozen
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance, Phase
from gateway.integrations.homeassistant import commands as ha
from gateway.integrations.homeassistant import discovery, state
from gateway.mqtt.packets import InboundMessage, NotSent, Sent
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.protocol.owner_requests import AnyOwnerRequest
from gateway.runtime.entrance import EntranceActor
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.clock import Clock
from gateway.system.token_bucket import FixedWindow

log = structlog.get_logger(__name__)

RECORD_FILE = "home-assistant.json"  # the published entities, under the storage folder
MAX_RECORD_BYTES = 1_048_576  # bytes of that file
REPEAT_DELAYS_S = (1.0, 3.0, 8.0)  # seconds between the publications of everything after a birth
BIRTH_ANSWER_INTERVAL_S = 0.5  # seconds between two answers to births: a flood of them gets one
PICTURE_LIFETIME_S = 24 * 3600.0  # seconds that the picture of a visit is shown


class _VisitPicture(Frozen, kw_only=False):
    visit: str
    jpeg: bytes
    mono: float


class HomeAssistantBridge:
    """The bridge of the box. Without its section in the house file it only removes what it published before.

    `submit_request` takes an entrance, a request and its requester, and returns None or why it failed. `picture`
    returns a small JPEG of a camera's current view, or None.
    """

    def __init__(  # noqa: PLR0913 - the parts of the box that it uses
        self,
        home: Home,
        *,
        publisher: Publisher,
        clock: Clock,
        store: Store,
        entrances: Mapping[str, EntranceActor],
        submit_request: Callable[[str, AnyOwnerRequest, str | None], asyncio.Future[str | None]],
        picture: Callable[[str], Awaitable[bytes | None]],
    ) -> None:
        self._home, self._section = home, home.homeassistant
        self._publisher, self._clock, self._store = publisher, clock, store
        self._entrances, self._submit_request, self._picture = entrances, submit_request, picture
        self._file = home.storage.folder / RECORD_FILE
        self._messages = discovery.discovery_messages(home)
        self._birth_received = asyncio.Event()
        self._last_states: dict[str, Entrance] = {}
        self._published_states: dict[str, object] = {}
        self._rate_limits = {name: FixedWindow(ha.MAX_REQUESTS, ha.REQUEST_WINDOW_S) for name in home.entrances}
        self._refusal_logged_mono: dict[tuple[str, str], float] = {}  # the refusals in the log, and their times
        self._pending_pictures: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._pictures: dict[str, _VisitPicture] = {}
        self._refusals: asyncio.Queue[tuple[str, ha.CommandRefusal]] = asyncio.Queue()

    async def run(self) -> None:
        """Run until cancelled."""
        self._last_states = {name: running.state for name, running in self._entrances.items()}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publish_loop(), name="home assistant: entities and states")
            group.create_task(self._store_refusals(), name="home assistant: refusals")
            group.create_task(self._take_pictures(), name="home assistant: pictures")

    def on_connected(self) -> None:
        """Publish everything again at a new broker session: earlier messages may be lost."""
        self._birth_received.set()

    def on_message(self, entrance: str | None, incoming: InboundMessage) -> None:
        """Handle Home Assistant's birth (no entrance) or a command. A retained command has no effect.

        A birth counts even if retained: some owners have theirs retained, and an answer does no harm.
        """
        if entrance is None:
            if incoming.payload.strip() == b"online":
                self._birth_received.set()
        elif incoming.retain:
            log.warning("stored_wish_of_home_assistant_ignored", entrance=entrance)
        elif self._section is not None:
            self._on_request(entrance, incoming.payload, self._section)

    def _on_request(self, entrance: str, payload: bytes, section: HomeAssistantSection) -> None:
        """Handle a command. A stop is accepted in any flood, once.

        It is in force before this returns; only people lift it.
        """
        command = ha.parse_command(payload)
        stops = command is ha.HomeAssistantCommand.STOP and "stop" in section.may
        if stops and self._entrances[entrance].is_stopped():
            return
        limit = self._rate_limits[entrance]
        if not stops and not limit.take(self._clock.now().mono):
            if limit.count == ha.MAX_REQUESTS + 1:
                log.warning("home_assistant_floods", entrance=entrance)
            return
        request = command if isinstance(command, ha.CommandRefusal) else ha.to_owner_request(
            command, section, f"ha-{secrets.token_hex(6)}"
        )  # fmt: skip
        if isinstance(request, ha.CommandRefusal):
            self._refuse(entrance, request)
            return
        answer = self._submit_request(entrance, request, ha.REQUESTER)
        answer.add_done_callback(lambda done: self._on_result(entrance, str(command), done))

    def _on_result(self, entrance: str, command: str, done: asyncio.Future[str | None]) -> None:
        reason = None if done.cancelled() else done.result()
        if reason is not None:
            self._refuse(entrance, ha.CommandRefusal(command, reason))

    def _refuse(self, entrance: str, refusal: ha.CommandRefusal) -> None:
        log.warning("home_assistant_refused", entrance=entrance, asked=refusal.command, why=refusal.reason)
        self._publish_event(entrance, state.refusal_event(refusal.command, refusal.reason))
        now = self._clock.now()
        body = {"event_id": secrets.token_hex(8), "at": rfc3339_ms(now.utc), "entrance": entrance, "kind": "wish",
                "id": f"{ha.REQUESTER}:{refusal.command}", "accepted": False, "why": refusal.reason}  # fmt: skip
        self._publisher.publish(entrance_topic(entrance, "event"), json_bytes(body))
        if now.mono - self._refusal_logged_mono.get((entrance, refusal.command), float("-inf")) >= 60.0:
            self._refusal_logged_mono[entrance, refusal.command] = now.mono
            self._refusals.put_nowait((entrance, refusal))

    async def _store_refusals(self) -> None:
        while True:
            entrance, refusal = await self._refusals.get()
            try:
                detail = {"asked": refusal.command, "why": refusal.reason, "by": ha.REQUESTER}
                await self._store.log.append("wish_refused", detail, self._clock.now(), entrance=entrance)
            except StoreFailed as failure:
                log.warning("refusal_not_noted", entrance=entrance, why=str(failure))

    def on_decision(self, entrance: str, commands: tuple[c.Command, ...]) -> None:
        """Publish what an entrance's decision changed."""
        if self._section is None:
            return
        before, after = self._last_states.get(entrance), self._entrances[entrance].state
        self._last_states[entrance] = after
        if state.entrance_snapshot(after, self._clock.now()) != self._published_states.get(entrance):
            self._publish_state(entrance)
        for event in state.decision_events(before, after, commands):
            self._publish_event(entrance, event)
        if (
            after.visit is not None and after.visit.phase is Phase.RINGING and (before is None or before.visit is None)
            and discovery.publishes_picture(self._home, entrance)
        ):  # fmt: skip
            self._pending_pictures.put_nowait((entrance, after.visit.id))

    def _publish_event(self, entrance: str, event: Mapping[str, object]) -> None:
        self._publish(homeassistant_topic(entrance, "event"), json_bytes(event))

    def _publish(self, topic: str, payload: bytes) -> Sent | NotSent:
        return self._publisher.publish(topic, payload, expiry=discovery.EXPIRY_S)

    def _publish_state(self, entrance: str) -> None:
        """Publish the state, and only then that the gateway is online."""
        if self._section is None:
            return
        shown = state.entrance_snapshot(self._entrances[entrance].state, self._clock.now())
        if isinstance(self._publish(homeassistant_topic(entrance, "state"), json_bytes(shown)), Sent):
            self._published_states[entrance] = shown
            self._publish(homeassistant_topic(entrance, "availability"), b"online")

    async def _publish_loop(self) -> None:
        soon: deque[float] = deque()
        while True:
            try:
                async with asyncio.timeout(soon.popleft() if soon else discovery.REPEAT_INTERVAL_S):
                    await self._birth_received.wait()
            except TimeoutError:
                self._publish_all()
                continue
            self._birth_received.clear()
            await self._publish_discovery()
            self._publish_all()
            soon = deque(REPEAT_DELAYS_S)
            await asyncio.sleep(BIRTH_ANSWER_INTERVAL_S)

    def _publish_all(self) -> None:
        for entrance in self._entrances:
            self._publish_state(entrance)
        self._remove_pictures()

    async def _publish_discovery(self) -> None:
        """Publish the discovery messages; first remove the entities that no longer exist.

        The file records a message before the broker gets it, and its removal afterwards: a box that is killed in
        between publishes it again.
        """
        before = await asyncio.to_thread(read_record, self._file)
        now = discovery.published_entities(self._messages)
        if not before and not now:
            return
        await self._record(discovery.merged_entities(before, now), before)
        removals = [
            self._publisher.publish(topic, json_bytes(message) if message else b"", retain=True)
            for topic, message in discovery.removal_messages(before, self._messages)
        ]
        accepted = [isinstance(sent, Sent) and (await sent.acknowledged).accepted for sent in removals]
        for topic, message in self._messages.items():
            self._publisher.publish(topic, json_bytes(message), retain=True)
        for entrance, picture in self._pictures.items():
            self._publish(homeassistant_topic(entrance, "picture"), picture.jpeg)
        if all(accepted):
            await self._record(now, discovery.merged_entities(before, now))

    async def _record(self, published: discovery.PublishedEntities, was: discovery.PublishedEntities) -> None:
        if published == was:
            return
        try:
            await asyncio.to_thread(write_whole, self._file, json.dumps(published).encode())
        except OSError as failure:
            log.warning("home_assistant_not_recorded", file=str(self._file), why=str(failure))

    async def _take_pictures(self) -> None:
        """Take one picture per visit, of the camera outside, when it rings. No disk and no broker stores it."""
        while True:
            entrance, visit = await self._pending_pictures.get()
            outside = self._home.entrances[entrance].door_camera
            jpeg = None if outside is None else await self._picture(outside)
            if jpeg is not None:
                self._pictures[entrance] = _VisitPicture(visit, jpeg, self._clock.now().mono)
                self._publish(homeassistant_topic(entrance, "picture"), jpeg)

    def _remove_pictures(self) -> None:
        """Remove pictures after a day, or as soon as the visit's films are erased."""
        mono = self._clock.now().mono
        for entrance, picture in tuple(self._pictures.items()):
            running = self._entrances[entrance].state
            of = {visit.id for visit in (running.visit, running.grace_visit) if visit is not None}
            erased = all(film.erased is not None for film in self._store.recordings.films(visit=picture.visit))
            erased = erased and picture.visit not in of  # its films begin a moment after the visit
            if erased or mono - picture.mono > PICTURE_LIFETIME_S:
                del self._pictures[entrance]
                self._publish(homeassistant_topic(entrance, "picture"), b"")


def read_record(file: Path) -> discovery.PublishedEntities:
    """Return the entities published before; empty if the file cannot be read."""
    try:
        record: Any = json.loads(read_regular(file, at_most=MAX_RECORD_BYTES))
        return {str(topic): {str(k): str(v) for k, v in parts.items()} for topic, parts in record.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as failure:
        log.warning("home_assistant_record_unreadable", file=str(file), why=str(failure))
        return {}

"""Home Assistant as far as its MQTT integration goes, played: what it would show, by its own rules.

The rules are those of its 2026.2 (homeassistant/components/mqtt): availability by the latest word of any of the topics
that the discovery message names, kept over a lost connection; a birth message after each connection, which it hears
itself; nothing shown while it has no connection; retained events ignored. The real one is asked by
`make test-homeassistant`.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from gateway.config.home import Home
from gateway.config.topics import BRIDGE_STATE, HOMEASSISTANT_STATUS_TOPIC, homeassistant_topic
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import InboundMessage

TOPICS = ("homeassistant/#", "perron/ha/#", BRIDGE_STATE)


class FakeHomeAssistant:
    """One Home Assistant, over as many connections as it needs."""

    def __init__(self) -> None:
        self.told: list[InboundMessage] = []
        self.devices: dict[str, dict[str, Any]] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.pictures: list[bytes] = []
        self._available: dict[str, bool] = {}
        self._session: ShortSession | None = None
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connected(self, home: Home) -> AsyncIterator[None]:
        """Be connected, and born, until left."""
        async with connect_once(home.broker.account("homeassistant"), TOPICS, monotonic=time.monotonic) as guest:
            self._session = guest
            listens = asyncio.create_task(self._listen(guest))
            try:
                guest.publish(HOMEASSISTANT_STATUS_TOPIC, b"online", qos=0)
                yield
            finally:
                self._session = None
                listens.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await listens

    def presses(self, entrance: str, payload: bytes, *, retain: bool = False) -> None:
        """Send what an entity's action sends."""
        assert self._session is not None
        self._session.publish(homeassistant_topic(entrance, "set"), payload, retain=retain)

    def is_born_again(self, *, retain: bool = False) -> None:
        """Restart."""
        assert self._session is not None
        self._session.publish(HOMEASSISTANT_STATUS_TOPIC, b"online", qos=0, retain=retain)

    def shows(self, entrance: str, entity: str = "lock") -> str:
        """What its page shows of an entity that reads the state."""
        device = self._device(entrance)
        if device is None or self._session is None or not self._available.get(device):
            return "unavailable"
        return str(self.states.get(entrance, {}).get(entity, "unknown")).replace("None", "unknown")

    def names(self, entrance: str) -> set[str]:
        """The entities that it has of an entrance."""
        device = self._device(entrance)
        return set() if device is None else set(self.devices[device]["components"])

    def events_of(self, kind: str) -> int:
        """How many events of this kind it has heard."""
        return sum(one["event_type"] == kind for one in self.events)

    async def until(self, so: Callable[[], object], within: float = 20.0) -> None:
        """Wait until it has heard enough."""
        async with asyncio.timeout(within):
            while not so():
                self._changed.clear()
                await self._changed.wait()

    def _device(self, entrance: str) -> str | None:
        return next((name for name in self.devices if name.endswith(f"_{entrance}")), None)

    async def _listen(self, guest: ShortSession) -> None:
        while True:
            self._on_message(await guest.receive())
            self._changed.set()

    def _on_message(self, message: InboundMessage) -> None:
        self.told.append(message)
        words = message.topic.split("/")
        if words[:2] == ["homeassistant", "device"]:
            self._on_discovery(words[2], message.payload)
        elif words[:2] == ["perron", "ha"]:
            match words[3]:
                case "state":
                    self.states[words[2]] = json.loads(message.payload)
                case "event" if not message.retain:
                    self.events.append(json.loads(message.payload))
                case "picture":
                    self.pictures.append(message.payload)
        for name, device in self.devices.items():
            for rule in device["availability"]:
                if rule["topic"] == message.topic:
                    self._apply_template(name, rule, message.payload.decode())

    def _on_discovery(self, name: str, payload: bytes) -> None:
        if not payload:
            self.devices.pop(name, None)
            self._available.pop(name, None)
            return
        device = json.loads(payload)
        kept = {key: one for key, one in device["components"].items() if set(one) != {"platform"}}
        had = self.devices.get(name, {"components": {}})["components"]
        bare = set(device["components"]) - set(kept)
        left_out = {key: one for key, one in had.items() if key not in kept and key not in bare}
        self.devices[name] = {**device, "components": {**left_out, **kept}}  # what is only left out stays

    def _apply_template(self, name: str, rule: dict[str, Any], payload: str) -> None:
        if "value_template" in rule:
            payload = json.loads(payload)["state"]
        if payload == rule.get("payload_available", "online"):
            self._available[name] = True
        elif payload == rule.get("payload_not_available", "offline"):
            self._available[name] = False

"""Observes the house's broker: keeps all messages in order, and waits for one.

The observer of the broker also plays the owner's phone: it appends each signed checkpoint of the log to a file.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gateway.config.topics import BRIDGE_STATE, RESULT_TOPIC
from gateway.demo.result import LogLine
from gateway.domain.frozen import Frozen
from gateway.mqtt.client import connect_once
from gateway.system.changes import ChangeNotifier
from gateway.system.mqtt_settings import BrokerSection

POLL_INTERVAL_S = 0.1  # seconds between two looks at a file or for a broker that is away
TIMEOUT_MARGIN_S = 20.0  # beyond the expected time, for a busy machine
MAX_SHOWN_MESSAGES = 12  # of what was seen last, when what was awaited did not come

Value = TypeVar("Value")
Body = Mapping[str, Any]
"""One JSON object from the broker."""


class WaitTimeout(Exception):  # noqa: N818 - it says what happened
    """An awaited event did not come in time; the text says which, and what came instead."""


async def wait_for_change(
    changes: ChangeNotifier, read: Callable[[], Value | None], *, within: float, describe: Callable[[], str]
) -> Value:
    """Read after each change until there is something, and return it.

    `WaitTimeout` if nothing comes within `within` seconds; `describe` says what was awaited.
    """
    try:
        async with asyncio.timeout(within):
            while not (value := read()):
                await changes.wait_after(changes.count)
    except TimeoutError:
        raise WaitTimeout(f"awaited for {within:.0f} s{describe()}") from None
    return value


class ObservedMessage(Frozen, kw_only=False):
    """One message from the gateway: its kind, which is the last level of its topic, and its body."""

    kind: str
    body: Body


DemoEvent = ObservedMessage | LogLine


class GatewayObserver:
    """Receives and keeps the gateway's messages, and waits for the next one. Calls `on_message` with each.

    What is awaited and does not come within `within` seconds raises `WaitTimeout`.
    """

    def __init__(
        self,
        broker: BrokerSection,
        destinations: Sequence[str],
        checkpoint_file: Path,
        on_message: Callable[[ObservedMessage], None],
    ) -> None:
        """`destinations`: the entrance of the scene, then the other entrances and the receptions."""
        self.seen: list[ObservedMessage] = []
        self.state: Body = {}
        self.is_online = False
        self._broker = broker
        self._topics = {
            f"perron/entrance/{destination}/{word}": word
            for destination in destinations
            for word in ("event", "message", "checkpoint")
        }
        self._topics |= {
            f"perron/entrance/{destinations[0]}/state": "state",
            RESULT_TOPIC: "result",
            BRIDGE_STATE: "bridge",
        }
        self._checkpoint_file = checkpoint_file
        self._on_message = on_message
        self._changes = ChangeNotifier()
        self._mark = 0
        self._next: dict[str, int] = {}

    async def run(self) -> None:
        """Listen until cancelled; connect again after each loss of the broker."""
        while True:
            with contextlib.suppress(ConnectionError):
                clock = asyncio.get_running_loop().time
                async with connect_once(self._broker, list(self._topics), monotonic=clock) as session:
                    while True:
                        incoming = await session.receive()
                        self._receive(self._topics[incoming.topic], incoming.payload)
            await asyncio.sleep(POLL_INTERVAL_S)

    def _receive(self, kind: str, payload: bytes) -> None:
        body = json.loads(payload)
        if kind == "state":
            self.state = body
        elif kind == "bridge":
            self.is_online = body["state"] == "online"
            if not self.is_online:
                self.state = {}  # the last state is no longer known to be true
        elif kind == "checkpoint":
            with self._checkpoint_file.open("ab") as phone:
                phone.write(payload + b"\n")
        seen = ObservedMessage(kind, body)
        self.seen.append(seen)
        self._on_message(seen)
        self._changes.notify()

    def events(self, kind: str) -> list[Body]:
        """Return the entrance's events of this kind."""
        return [body for body in self.bodies("event") if body["kind"] == kind]

    def messages(self, *, urgent: bool, since_start: bool = True) -> list[Body]:
        """Return the messages to the owner, each once however often it was delivered; alarms are urgent.

        `since_start` False: only what came after `mark_seen`.
        """
        messages: dict[object, Body] = {}
        for place, seen in enumerate(self.seen):
            if seen.kind == "message" and (since_start or place >= self._mark):
                messages.setdefault(seen.body["id"] or f"unstored {place}", seen.body)
        return [body for body in messages.values() if body["urgent"] is urgent]

    def bodies(self, kind: str) -> list[Body]:
        """Return the bodies of messages, results or checkpoints."""
        return [s.body for s in self.seen if s.kind == kind]

    def mark_seen(self) -> None:
        """Let later waits ignore all messages that have come so far."""
        self._mark, self._next = len(self.seen), {}

    async def wait_until(
        self, what: str, read: Callable[[], Value | None], *, within: float = TIMEOUT_MARGIN_S
    ) -> Value:
        """Read until there is something or a condition holds, at most `within` seconds; return it."""
        return await wait_for_change(
            self._changes, read, within=within, describe=lambda: f": {what}. Seen instead: {self.last_messages()}"
        )

    async def wait_for_event(self, kind: str, *, within: float = TIMEOUT_MARGIN_S, **facts: object) -> Body:
        """Wait for the next event of this kind with these facts, after the one that the last call returned."""
        return await self._wait_for_next("event", within=within, kind=kind, **facts)

    async def wait_for_message(self, about: str, *, urgent: bool, within: float = TIMEOUT_MARGIN_S) -> Body:
        """Wait for the owner's next message about this (an alarm is urgent), and return it."""
        return await self._wait_for_next("message", within=within, about=about, urgent=urgent)

    async def _wait_for_next(self, word: str, /, *, within: float, **facts: object) -> Body:
        cursor = f"{word} {facts.get('kind')} {facts.get('urgent')}"
        first = self._next.get(cursor, self._mark)

        def find() -> tuple[int, Body] | None:
            for place, seen in enumerate(self.seen[first:], start=first + 1):
                if seen.kind == word and facts.items() <= seen.body.items():
                    return place, seen.body
            return None

        facts_text = " ".join(str(value) for value in facts.values())
        self._next[cursor], body = await self.wait_until(f"{word} {facts_text}", find, within=within)
        return body

    async def wait_for_reconnect(self, since: int, *, within: float) -> None:
        """Wait until messages after number `since` report the box offline, then online."""

        def is_back() -> bool:
            states = [seen.body["state"] for seen in self.seen[since:] if seen.kind == "bridge"]
            return "offline" in states and "online" in states[states.index("offline") :]

        await self.wait_until("the box offline, then online", is_back, within=within)

    def last_messages(self) -> str:
        """Return the last messages as one line, the newest last."""
        return "; ".join(_short_text(seen) for seen in self.seen[-MAX_SHOWN_MESSAGES:]) or "nothing at all"


def _short_text(seen: ObservedMessage) -> str:
    body = seen.body
    match seen.kind:
        case "event":
            return " ".join(
                str(body[name])
                for name in ("kind", "phase", "word", "refusal", "code", "outcome", "house", "lacking")
                if body.get(name)
            )
        case "message":
            return f"told {body['about']}"
        case "state":
            return f"({body['phase']}, bolt {body['bolt']}, door {body['door']})"
        case _:
            return seen.kind


class HouseLog:
    """Reads the simulated house's physical log as it grows."""

    def __init__(self, path: Path, on_line: Callable[[LogLine], None]) -> None:
        self.path = path
        self._lines: list[LogLine] = []
        self._on_line = on_line
        self._read_bytes = 0
        self._changes = ChangeNotifier()

    @property
    def lines(self) -> Sequence[LogLine]:
        """All that the house has written until now."""
        self.read_new_lines()
        return self._lines

    async def run(self) -> None:
        """Read new lines until cancelled."""
        while True:
            self.read_new_lines()
            await asyncio.sleep(POLL_INTERVAL_S / 2)

    def read_new_lines(self) -> None:
        """Read the lines that were written since the last call."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + 1 if whole else 0
        for text in whole.splitlines():
            line: LogLine = json.loads(text)
            self._lines.append(line)
            self._on_line(line)
        if whole:
            self._changes.notify()

    async def wait_for_line(
        self, what: str, *, within: float = TIMEOUT_MARGIN_S, after: int = 0, **facts: object
    ) -> LogLine:
        """Wait (`WaitTimeout`) for a line of this kind with these facts, from line number `after` on, and return it."""

        def find() -> LogLine | None:
            return next((line for line in self.lines[after:] if {"what": what, **facts}.items() <= line.items()), None)

        def describe() -> str:
            last = "; ".join(_line_text(line) for line in self.lines[-MAX_SHOWN_MESSAGES:])
            facts_text = ", ".join(f"{name} {value}" for name, value in facts.items())
            return f" in the house: {what} {facts_text}. Seen instead: {last}"

        return await wait_for_change(self._changes, find, within=within, describe=describe)


def _line_text(line: LogLine) -> str:
    return " ".join(str(value) for name, value in line.items() if name not in {"at", "mono", "intent"})

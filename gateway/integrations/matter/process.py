"""Runs `perron matter`: one MQTT connection, one Matter server, and the devices behind it.

It speaks the words of `devices/vendors/matter.py` on `<base>/<node>-<endpoint>/...`. It passes on what a subscription
reports, and answers each query by a read of the device: it keeps no value and repeats none. Nothing that comes from the
server or from the broker ends the process.
"""

import asyncio
import contextlib
import math
import random
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from datetime import datetime

import structlog

from devices.commands import ClearCode, LockDoor, QueryCodes, QueryState, SetCode, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    CommandProgress,
    ErrorReport,
    OperationError,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import write
from devices.vendors import matter, matter_keypad
from devices.vendors import matter_clusters as m
from devices.vendors.matter import EndpointId, EndpointLine, Invocation
from devices.vendors.words import DeviceRef, Publication, TopicSuffix
from gateway.integrations.matter import nodes as n
from gateway.integrations.matter.file import MatterFile
from gateway.integrations.matter.server import (
    LIST_S,
    MatterFailed,
    ServerEvent,
    ServerSession,
    connect,
    until_answered,
)
from gateway.integrations.orders import Instant, OrderBook, PassOn
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import BirthAndWill, InboundMessage
from gateway.system.backoff import Backoff, shortened
from gateway.system.clock import boot_time_s, machine_time
from gateway.system.containment import Containment
from gateway.system.mqtt_settings import Subscription
from gateway.system.shutdown import until_stopped
from gateway.system.token_bucket import FixedWindow

MAX_MESSAGES_PER_SECOND = 50  # messages of the house that are read in a second
MAX_WORK = 32  # orders and queries under way
MAX_UPDATES_PER_SECOND = 20  # of one node that are passed on; a node that says more counts as unreachable for a while
QUIET_AFTER_FLOOD_S = 2.0  # seconds until such a node is believed again
MAX_TIMED_MS = 60_000  # of a timed invoke's own timeout, which is a 16-bit number
MAX_LISTED = 200  # endpoints in the list for discovery
LIST_INTERVAL_S = 1.0  # seconds between two publications of that list
MAX_TOLD = 2000  # endpoints whose availability is told in one run: the broker stores each of them
RETRY = Backoff(0.5, 30.0)
ENDPOINT, KEYPAD = DeviceRef(), DeviceRef(kind=matter_keypad.KEYPAD)
FIRST_USER, MAX_USERS = 1, 64  # of a lock, when all of its codes are read

Body = Mapping[str, object]

log = structlog.get_logger(__name__)


class MatterProcess:
    """The process for one Matter server."""

    def __init__(
        self,
        file: MatterFile,
        *,
        mono: Callable[[], float] = boot_time_s,
        utc: Callable[[], datetime] = machine_time,
    ) -> None:
        self._file, self._mono, self._utc = file, mono, utc
        self._began_mono = mono()
        self._sequences: Counter[EndpointId] = Counter()
        self._book = OrderBook(boot=secrets.token_hex(8), began=utc())
        self._containment = Containment()
        self._house_rate = FixedWindow(MAX_MESSAGES_PER_SECOND)
        self._node_rates: dict[int, FixedWindow] = {}
        self._flooding: set[int] = set()
        self._nodes: dict[int, n.Node] = {}
        self._said: dict[EndpointId, bool] = {}  # endpoint -> whether it was last said to be online
        self._told: set[EndpointId] = set()  # endpoints whose availability was ever told
        self._list_waits: asyncio.TimerHandle | None = None
        self._listed_at = -math.inf  # monotonic
        self._session: ServerSession | None = None
        self._is_listed = False  # the server has sent its list of nodes
        self._changing: dict[EndpointId, asyncio.Task[None]] = {}  # codes
        self._moving: dict[EndpointId, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._mqtt = MqttClient(
            broker=file.broker,
            subscriptions=[Subscription(topic=f"{file.base}/+/{word}") for word in (TopicSuffix.SET, TopicSuffix.GET)],
            on_message=self._on_message,
            on_up=lambda _session: self._on_broker(),
            on_down=lambda why: log.warning("house_lost", why=why),
            on_missed=lambda topic: log.warning("house_floods", topic=topic),
            monotonic=mono,
            birth_and_will=BirthAndWill(topic=f"{file.base}/bridge/state", online=None, offline=b"offline"),
        )  # fmt: skip

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        log.info("matter_begins", base=self._file.base, url=self._file.server.url)
        async with until_stopped(signals=True), asyncio.TaskGroup() as group:
            group.create_task(self._mqtt.run())
            group.create_task(self._containment.keep("the Matter server", self._follow_server))

    # ---- the house ---------------------------------------------------------------------------------------------------

    def _on_broker(self) -> None:
        log.info("house_found")
        self._said.clear()
        self._say_all()

    def _on_message(self, incoming: InboundMessage) -> None:
        """Read an order or a query; a stored one and what exceeds the rate is dropped."""
        if incoming.retain or not self._house_rate.take(self._mono()):
            log.warning("dropped", topic=incoming.topic, stored=incoming.retain)
            return
        with self._containment.piece("messages of the house", incoming.topic):
            _, name, suffix = incoming.topic.split("/")
            at = matter.endpoint_id(name)
            if at is None:
                log.warning("not_read", topic=incoming.topic, why="it names no node and endpoint")
                return
            if self._named(at).name != name:
                log.warning("not_read", topic=incoming.topic, why=f"the endpoint is {self._named(at).name}")
                return
            match matter.decode_command(TopicSuffix(suffix), incoming.payload):
                case UnlockDoor() | LockDoor() as order:
                    self._on_order(at, order)
                case QueryState(echo=echo):
                    self._on_query(at, echo, incoming.correlation, self._read(at))
                case QueryCodes(slot=slot, echo=echo):
                    self._on_query(at, echo, incoming.correlation, self._read_codes(at, slot))
                case SetCode() | ClearCode() as change:
                    self._on_code(at, change)
                case UnreadablePayload(why=why):
                    log.warning("not_read", topic=incoming.topic, why=why)
                case _:
                    log.warning("not_read", topic=incoming.topic, why="an endpoint is moved and queried, nothing else")

    def _on_order(self, at: EndpointId, order: UnlockDoor | LockDoor) -> None:
        """Pass an order on once, while it lives. A lock order waits for an order before it, an unlock does not."""
        before = self._moving.get(at)
        is_busy = before is not None and not before.done()
        refuses = (is_busy and isinstance(order, UnlockDoor)) or len(self._work) >= MAX_WORK
        verdict = self._book.decide(order, self._now(), busy=refuses)
        if isinstance(verdict, PassOn):
            moving = self._start(self._move(at, order, verdict.life_s, before if is_busy else None))
            self._moving[at] = moving
            moving.add_done_callback(lambda done: self._moving.pop(at) if self._moving.get(at) is done else None)
            return
        log.warning("order_refused", id=order.id, why=verdict.failure.value)
        self._answer_order(at, order, ErrorReport(id=order.id, failure=verdict.failure))

    async def _move(
        self, at: EndpointId, order: UnlockDoor | LockDoor, life_s: float, before: asyncio.Task[None] | None
    ) -> None:
        """Invoke the command, for no longer than the order lives; then read what became of it. Never tried again."""
        ends_mono = self._mono() + life_s
        if before is not None:
            await asyncio.wait({before}, timeout=life_s)
        try:
            await self._invoke(at, order, ends_mono)
        except MatterFailed as error:
            log.warning("not_moved_by_matter", id=order.id, at=at.name, failure=error.failure.value, why=str(error))
            self._answer_order(at, order, ErrorReport(id=order.id, failure=error.failure))
        else:
            log.info("matter_took", id=order.id, at=at.name)
            self._answer_order(at, order, ProgressReport(id=order.id, progress=CommandProgress.ACCEPTED))
        self._start(self._publish_read(at))  # no order waits for this read

    async def _invoke(self, at: EndpointId, order: UnlockDoor | LockDoor, ends_mono: float) -> None:
        session, node = self._reach(at)
        what = matter.invocation(
            order, node.clusters.get(at.endpoint, ()), lock_features=node.lock_features.get(at.endpoint, 0)
        )
        if what is None:
            raise MatterFailed(OperationError.RESTRICTED, "this endpoint has nothing that an order moves")
        within_s = min(ends_mono - self._mono(), self._file.server.timeout)
        if within_s <= 0:
            raise MatterFailed(OperationError.EXPIRED, "the order has expired while another one was on its way")
        answer = await session.send("device_command", _arguments(at, what, within_s))
        try:
            await until_answered(answer, what.name, within_s=within_s)
        except MatterFailed:
            if not answer.done():
                answer.add_done_callback(lambda late: self._on_late(at, order, late))
            raise

    def _on_late(self, at: EndpointId, order: UnlockDoor | LockDoor, answer: "asyncio.Future[object]") -> None:
        """Read the device when an order that was given up is answered after all: it may have been obeyed."""
        obeyed = not answer.cancelled() and answer.exception() is None
        log.warning("matter_late", id=order.id, at=at.name, obeyed=obeyed)
        if self._session is not None:
            self._start(self._publish_read(at))

    def _answer_order(self, at: EndpointId, order: UnlockDoor | LockDoor, report: Report) -> None:
        for letter in matter.encode_report(report, ENDPOINT):
            self._send(at, letter, correlation=order.id.encode())

    def _on_query(
        self, at: EndpointId, echo: str | None, correlation: bytes | None, reading: Coroutine[None, None, Body]
    ) -> None:
        if len(self._work) >= MAX_WORK or (self._is_listed and at.node not in self._nodes):
            log.warning("query_dropped", why="others still wait for the Matter server, or it has no such node")
            reading.close()
            return
        self._start(self._answer_query(at, echo, correlation, reading))

    async def _answer_query(
        self, at: EndpointId, echo: str | None, correlation: bytes | None, reading: Coroutine[None, None, Body]
    ) -> None:
        """Read the device now, and answer with what it says, or that it did not answer."""
        body: dict[str, object] = {} if echo is None else {"echo": echo}
        try:
            body |= await reading
        except MatterFailed as error:
            log.info("matter_silent", at=at.name, failure=error.failure.value, why=str(error))
            body["no_answer"] = error.failure.value
        self._send(at, Publication(suffix=TopicSuffix.RESULT, payload=write(body)), correlation=correlation)

    # ---- the codes of a keypad ---------------------------------------------------------------------------------------

    def _on_code(self, at: EndpointId, change: SetCode | ClearCode) -> None:
        """Store or delete a code, one change at a time: a later one is refused until it is done."""
        busy = self._changing.get(at)
        if (busy is not None and not busy.done()) or len(self._work) >= MAX_WORK:
            self._answer_code(at, ErrorReport(id=change.id, failure=OperationError.BUSY))
            return
        changing = self._start(self._change_code(at, change))
        self._changing[at] = changing
        changing.add_done_callback(lambda done: self._changing.pop(at) if self._changing.get(at) is done else None)

    async def _change_code(self, at: EndpointId, change: SetCode | ClearCode) -> None:
        """Store or delete a code. What was stored in part is deleted again; only a later query proves either."""
        try:
            if isinstance(change, SetCode):
                await self._store_code(at, change)
            else:
                await self._invoke_code(at, *matter_keypad.clearing_step(change.slot))
        except (MatterFailed, ValueError) as error:
            failure = error.failure if isinstance(error, MatterFailed) else OperationError.RESTRICTED
            log.warning("code_not_changed", id=change.id, at=at.name, failure=failure.value, why=str(error))
            self._answer_code(at, ErrorReport(id=change.id, failure=failure))
        else:
            log.info("code_changed", id=change.id, at=at.name)
            self._answer_code(at, ProgressReport(id=change.id, progress=CommandProgress.ACCEPTED))

    async def _store_code(self, at: EndpointId, change: SetCode) -> None:
        """Store user, schedule and PIN; MatterFailed: the lock refused one of them."""
        for number, (name, fields) in enumerate(matter_keypad.setting_steps(change)):
            try:
                answer = await self._invoke_code(at, name, fields)
            except MatterFailed:
                if number:  # a user that the lock refused to add is not ours
                    await self._take_back(at, change)
                raise
            if matter_keypad.is_refused(name, answer):
                await self._take_back(at, change)
                raise MatterFailed(OperationError.RESTRICTED, f"{name}: the lock stores no such code")

    async def _take_back(self, at: EndpointId, change: SetCode) -> None:
        """Delete the user of a code that was stored in part."""
        if change.slot is not None:
            with contextlib.suppress(MatterFailed):  # the read-back finds it
                await self._invoke_code(at, *matter_keypad.clearing_step(change.slot))

    async def _read_codes(self, at: EndpointId, slot: int | None) -> Body:
        """Read one slot, or all users of the lock in turn; MatterFailed: it did not answer.

        A change that is under way is waited for: its slot has half of a code until then.
        """
        changing = self._changing.get(at)
        if changing is not None:
            await asyncio.wait({changing})
        if slot is not None:
            return {"codes": [(await self._read_slot(at, slot))[0]], "complete": False}
        found: list[Body] = []
        number: int | None = FIRST_USER
        while number is not None and len(found) < MAX_USERS:
            body, following = await self._read_slot(at, number)
            found.append(body)
            number = following if following is None or following > number else None
        return {"codes": found, "complete": number is None}

    async def _read_slot(self, at: EndpointId, slot: int) -> tuple[Body, int | None]:
        """Read one slot, and the number of the next user."""
        answers = [await self._invoke_code(at, name, fields) for name, fields in matter_keypad.reading_steps(slot)]
        user = answers[0]
        following = user.get("nextUserIndex") if isinstance(user, dict) else None
        body = matter_keypad.slot_body(slot, *(n.plain(answer, 3) for answer in answers))
        return body, following if isinstance(following, int) and not isinstance(following, bool) else None

    async def _invoke_code(self, at: EndpointId, name: str, fields: Mapping[str, object]) -> object:
        """Invoke one command of a door lock, and return its answer."""
        session, node = self._reach(at)
        if m.DOOR_LOCK not in node.clusters.get(at.endpoint, ()):
            raise MatterFailed(OperationError.RESTRICTED, "this endpoint is no lock")
        within_s = self._file.server.timeout
        arguments = _arguments(at, Invocation(cluster=m.DOOR_LOCK, name=name, fields=fields), within_s)
        try:
            return await session.ask("device_command", arguments, within_s=within_s)
        except MatterFailed as error:
            # The server's own words may repeat a field, and one is the PIN
            raise MatterFailed(error.failure, f"{name}: refused or not answered") from None

    def _answer_code(self, at: EndpointId, report: Report) -> None:
        for letter in matter.encode_report(report, KEYPAD):
            self._send(at, letter)

    # ---- the Matter server -------------------------------------------------------------------------------------------

    def _reach(self, at: EndpointId) -> tuple[ServerSession, n.Node]:
        """Return session and node; MatterFailed: the server or the node is not there."""
        node = self._nodes.get(at.node)
        if self._session is None or not self._is_listed:
            raise MatterFailed(OperationError.UNREACHABLE, "the Matter server is not connected")
        if node is None or not n.read_paths(at, node.clusters.get(at.endpoint, ())):
            raise MatterFailed(OperationError.UNREACHABLE, "the Matter server knows no such device")
        return self._session, node

    async def _read(self, at: EndpointId) -> Mapping[str, object]:
        """Read an endpoint's attributes from the device; MatterFailed: it did not answer, or refused all of them."""
        session, node = self._reach(at)
        paths = n.read_paths(at, node.clusters.get(at.endpoint, ()))
        arguments = {"node_id": at.node, "attribute_path": list(paths)}
        answer = await session.ask("read_attribute", arguments, within_s=self._file.server.timeout)
        values = n.read_values(answer, at)
        if not values:
            raise MatterFailed(OperationError.UNSPECIFIED, "the device refuses to say it")
        return values

    async def _publish_read(self, at: EndpointId) -> None:
        """Read an endpoint and publish its state; no answer is no state."""
        try:
            values = await self._read(at)
        except MatterFailed as error:
            log.info("matter_silent", at=at.name, failure=error.failure.value, why=str(error))
            return
        self._send(at, Publication(suffix=TopicSuffix.STATE, payload=write(dict(values))), retain=True)

    async def _follow_server(self) -> None:
        failures = 0
        while True:
            began = self._mono()
            try:
                async with connect(self._file.server) as session:
                    await self._follow(session)
            except MatterFailed as error:
                failures = 0 if self._mono() - began > RETRY.max_s else failures + 1
                if failures <= 1:
                    log.warning("matter_lost", why=str(error))
            finally:
                self._session, self._is_listed = None, False
                self._nodes.clear()
                self._said.clear()  # each endpoint is told anew, also if it was online all the time
                self._flooding.clear()
                self._node_rates.clear()
                self._say_bridge()
            await asyncio.sleep(shortened(RETRY.delay_s(failures), random.random()))  # noqa: S311 - jitter

    async def _follow(self, session: ServerSession) -> None:
        """Ask for all nodes, and pass on what happens until the connection ends, which raises MatterFailed."""
        listed = await session.send("start_listening", {})
        listed.add_done_callback(lambda answer: self._on_list(session, answer))
        try:
            async with asyncio.timeout(LIST_S) as patience, aclosing(session.events()) as events:
                listed.add_done_callback(lambda _: patience.reschedule(None))
                async for event in events:
                    with self._containment.piece("events of the Matter server", event.name):
                        self._on_event(session, event)
        except TimeoutError as error:
            raise MatterFailed(OperationError.TIMEOUT, "the Matter server sends no list of its nodes") from error

    def _on_list(self, session: ServerSession, answer: "asyncio.Future[object]") -> None:
        if answer.cancelled() or answer.exception() is not None:
            return
        with self._containment.piece("the list of nodes"):
            self._nodes = dict(n.read_nodes(answer.result()))
            self._session, self._is_listed = session, True
            log.info("matter_found", software=session.info.software, nodes=len(self._nodes))
            self._say_all()

    def _on_event(self, session: ServerSession, event: ServerEvent) -> None:
        if not self._is_listed:
            return
        match event.name:
            case "attribute_updated":
                update = n.read_update(event.data)
                if update is not None:
                    self._on_update(update)
            case "node_event":
                self._on_node_event(session, event.data)
            case "node_added" | "node_updated":
                node = n.read_node(event.data)
                if node is not None and (node.node in self._nodes or len(self._nodes) < n.MAX_NODES):
                    self._nodes[node.node] = node
                    self._say_node(node)
                    self._say_list()
            case "node_removed":
                gone = self._nodes.pop(event.data, None) if isinstance(event.data, int) else None
                for at in gone.endpoints if gone is not None else ():
                    self._say_availability(at, online=False)
                self._say_list()
            case "server_shutdown":
                log.info("matter_ends")
            case _:
                return

    def _on_update(self, update: n.Update) -> None:
        node = self._nodes.get(update.at.node)
        is_battery = n.is_battery(update.cluster, update.attribute)
        if node is None or not (is_battery or n.is_watched(update.cluster, update.attribute)):
            return
        if self._floods(node):
            return
        body = {matter.attribute_key(update.cluster, update.attribute): update.value}
        if is_battery:
            for at in node.endpoints:
                self._send(at, Publication(suffix=TopicSuffix.BATTERY, payload=write(body)), retain=True)
        elif matter.TOGETHER & node.clusters.get(update.at.endpoint, frozenset()):
            if len(self._work) < MAX_WORK:
                self._start(self._publish_read(update.at))
        else:
            self._send(update.at, Publication(suffix=TopicSuffix.STATE, payload=write(body)), retain=True)

    def _on_node_event(self, session: ServerSession, data: object) -> None:
        """Pass on an event of a door lock, with whether the Matter server itself caused it."""
        if not isinstance(data, dict) or data.get("cluster_id") != m.DOOR_LOCK:
            return
        node = self._nodes.get(data["node_id"]) if isinstance(data.get("node_id"), int) else None
        at = None if node is None else matter.endpoint_id(f"{node.node}-{data.get('endpoint_id')}")
        if node is None or at is None or self._floods(node):
            return
        what = data.get("data")
        body = {
            "cluster": m.DOOR_LOCK, "event": n.plain(data.get("event_id")), "data": n.plain(what) or {},
            "own": n.is_own(what, node, session.info.controller),
        }  # fmt: skip
        self._send(at, Publication(suffix=TopicSuffix.EVENT, payload=write(body)))

    def _floods(self, node: n.Node) -> bool:
        """Return whether this node says too much: then it counts as unreachable, so that nothing of it is believed."""
        if node.node in self._flooding:
            return True
        rate = self._node_rates.setdefault(node.node, FixedWindow(MAX_UPDATES_PER_SECOND))
        if rate.take(self._mono()):
            return False
        log.warning("matter_floods", node=node.node)
        self._flooding.add(node.node)
        self._say_node(node)
        asyncio.get_running_loop().call_later(QUIET_AFTER_FLOOD_S, self._on_quiet, node.node)
        return True

    def _on_quiet(self, number: int) -> None:
        self._flooding.discard(number)
        node = self._nodes.get(number)
        if node is not None and self._is_listed:
            self._say_node(node)

    # ---- what it says ------------------------------------------------------------------------------------------------

    def _say_all(self) -> None:
        if self._is_listed:
            for node in self._nodes.values():
                self._say_node(node)
            self._say_list()
        self._say_bridge()

    def _say_bridge(self) -> None:
        online = b"online" if self._is_listed else b"offline"
        self._mqtt.publish(f"{self._file.base}/bridge/state", online, retain=True)

    def _say_node(self, node: n.Node) -> None:
        for at in node.endpoints:
            self._say_availability(at, online=node.available and node.node not in self._flooding)

    def _say_availability(self, at: EndpointId, *, online: bool) -> None:
        if self._said.get(at) == online or (at not in self._told and len(self._told) >= MAX_TOLD):
            return
        self._said[at] = online
        self._told.add(at)
        for letter in matter.encode_report(AvailabilityReport(online=online), ENDPOINT):
            self._mqtt.publish(self._topic(at, letter.suffix), letter.payload, retain=True)

    def _say_list(self) -> None:
        """Publish the endpoints that Perron can use, so that discovery offers them: soon, and once for many changes."""
        if self._list_waits is None:
            wait_s = max(0.0, self._listed_at + LIST_INTERVAL_S - self._mono())
            self._list_waits = asyncio.get_running_loop().call_later(wait_s, self._publish_list)

    def _publish_list(self) -> None:
        self._list_waits, self._listed_at = None, self._mono()
        lines = [line for node in self._nodes.values() for line in node.lines]
        listed = matter.write_endpoints(lines[:MAX_LISTED])
        self._mqtt.publish(f"{self._file.base}/{matter.NODES}", listed, retain=True)

    def _send(
        self, at: EndpointId, letter: Publication, *, correlation: bytes | None = None, retain: bool = False
    ) -> None:
        self._sequences[at] += 1
        numbered = {
            "boot": self._book.boot, "seq": str(self._sequences[at]), "uptime": str(self._now().uptime_ms),
        }  # fmt: skip
        self._mqtt.publish(
            self._topic(at, letter.suffix), letter.payload, correlation=correlation, retain=retain,
            user_properties=numbered,
        )  # fmt: skip

    def _topic(self, at: EndpointId, suffix: TopicSuffix) -> str:
        return f"{self._file.base}/{self._named(at).name}/{suffix}"

    def _named(self, at: EndpointId) -> EndpointId:
        """Return an endpoint as its node says that it is: behind a bridge or not. Of an unknown node: as it stands."""
        node = self._nodes.get(at.node)
        return at if node is None else node.at(at.endpoint)

    def _now(self) -> Instant:
        return Instant(utc=self._utc(), uptime_ms=int((self._mono() - self._began_mono) * 1000))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        async def contained() -> None:
            with self._containment.piece("orders and queries"):
                await work

        task = asyncio.get_running_loop().create_task(contained())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


def _arguments(at: EndpointId, what: Invocation, within_s: float) -> Mapping[str, object]:
    """Return the arguments of `device_command`.

    The timed invoke's own timeout bounds what the lock accepts; `interaction_timeout_ms`, which python-matter-server
    knows, ends the repetitions of the announcement: tried, a lock that woke later was then told nothing.
    """
    milliseconds = max(1, min(int(within_s * 1000), MAX_TIMED_MS))
    return {
        "node_id": at.node, "endpoint_id": at.endpoint, "cluster_id": what.cluster, "command_name": what.name,
        "payload": dict(what.fields), "timed_request_timeout_ms": milliseconds,
        "interaction_timeout_ms": milliseconds,
    }  # fmt: skip


async def list_endpoints(file: MatterFile) -> list[EndpointLine]:
    """Ask the server once for its nodes, and return the endpoints that Perron can use; MatterFailed: no answer."""
    async with connect(file.server) as session:
        answer = await session.send("get_nodes", {})
        async with aclosing(session.events()) as events:
            reading = asyncio.ensure_future(_drain(events))
            try:
                found = await until_answered(answer, "get_nodes", within_s=LIST_S)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
    return [line for node in n.read_nodes(found).values() for line in node.lines]


async def _drain(events: AsyncGenerator[ServerEvent, None]) -> None:
    async for _ in events:
        pass


async def run_matter(file: MatterFile) -> None:
    """Speak for the devices until told to end; ConfigError: authority or password cannot be read."""
    await MatterProcess(file).run()

"""Simulates a Matter server with a lock and a contact: its WebSocket, as python-matter-server 7.0.1 speaks it.

Its messages are implemented here a second time, from recordings of that server with a lock of matter.js 0.17.9
(`tests/real/with_matter.py` compares them), and not with `devices/vendors/matter.py`.
"""

import asyncio
import itertools
import json
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from typing import ClassVar

from aiohttp import WSMsgType, web

from devices.simulators.control import Impossible
from devices.simulators.device import DeviceSite, FaultValue
from devices.simulators.doorway import APP, FROM_AFAR, HAND, ITSELF, KEYPAD
from devices.simulators.house import MatterPlan
from devices.simulators.matter_users import PIN, MatterUsers, Refused

CONTROLLER = 112_233  # the node id of python-matter-server
FABRIC = 1
LOCK_FEATURES = 0x2581  # PIN, remote access, users, year-day schedules, Aliro
OTHER_NODE, OTHER_FABRIC = 4_660, 2  # the maker's app
INTERACTION_S = 13.0  # seconds for which the server repeats an announcement without `interaction_timeout_ms`; measured
REPORT_DELAY_S = 0.05  # from a command's answer to what the subscription reports; measured
LOCK_ENDPOINT = CONTACT_ENDPOINT = 1
BATTERY_HALVES = 168  # of 200
TIMED_INTERACTION = "InteractionModelError: NeedsTimedInteraction (0xc6)"
TIMEOUT = "src/app/CommandSender.cpp:343: CHIP Error 0x00000032: Timeout"
UNSUPPORTED_ATTRIBUTE = {"TLVValue": None, "Reason": "InteractionModelError: UnsupportedAttribute (0x86)"}


class MatterServer:
    """Carries the doorway's bolt and leaf over Matter.

    Faults (all off is a server and a lock that work):
        asleep        the lock receives nothing until it is switched off; the server repeats what it has for it
        unbounded     the server ignores `interaction_timeout_ms`: it repeats for 13 s
        jam           the bolt does not move: the command is taken, and an alarm follows
        unknown       the lock does not know its state: null
        unreachable   the server has lost the lock's node
        keeps         the lock takes an order to delete a user, and keeps it
        refuses       the lock stores no PIN
    Actions: restart (every connection ends), battery (the lock reports its battery).
    """

    FAULTS: ClassVar[Mapping[str, FaultValue]] = dict.fromkeys(
        ("asleep", "unbounded", "jam", "unknown", "unreachable", "keeps", "refuses"), True
    )
    ACTIONS = frozenset({"restart", "battery"})

    def __init__(self, plan: MatterPlan, site: DeviceSite) -> None:
        self._plan, self._site, self._doorway = plan, site, site.doorway
        self.faults: dict[str, FaultValue] = {}
        self._listeners: set[web.WebSocketResponse] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._works: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._users = MatterUsers(lambda fault: fault in self.faults)
        self._typed: int | None = None  # the slot of the PIN that was typed last
        self._invokes = self._most_invokes = 0  # under way; most at one time
        self._awake = asyncio.Event()
        self._awake.set()
        site.doorway.bolt_moved.append(self._moved)
        if plan.contact is not None:
            site.doorway.leaf_moved.append(self._leaf)

    @property
    def name(self) -> str:
        """Return its name in the house's control."""
        return self._plan.name

    def set_fault(self, fault: str, on: FaultValue) -> None:
        """Switch a fault on or off, or do one of the actions.

        Raises:
            Impossible: it has no such fault.
        """
        if fault in self.ACTIONS:
            self._restart() if fault == "restart" else self._report_battery()
        elif fault not in self.FAULTS:
            known = ", ".join(sorted({*self.FAULTS, *self.ACTIONS}))
            raise Impossible(f"{self.name} has no such fault; it has {known}")
        elif on is False:
            self.faults.pop(fault, None)
        else:
            self.faults[fault] = on
        self._site.log.write("fault", device=self.name, fault=fault, on=on)
        self._awake.clear() if "asleep" in self.faults else self._awake.set()
        if fault == "unreachable":
            self._tell("node_updated", self._node(self._plan.node))
        if fault in ("unknown", "asleep"):
            self._update(self._plan.node, LOCK_ENDPOINT, "257/0", self._bolt())

    def physical(self) -> Mapping[str, object]:
        """Return its faults, how many clients listen, and how many invokes were under way at one time at the most."""
        slots = sorted(self._users.slots)
        return {
            "slots": slots,
            "faults": dict(self.faults),
            "listeners": len(self._listeners),
            "most_invokes": self._most_invokes,
        }

    # ---- its connections --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled."""
        app = web.Application()
        app.router.add_get("/ws", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._plan.port).start()
            await asyncio.Event().wait()
        finally:
            self._restart()
            await runner.cleanup()

    def _restart(self) -> None:
        for socket in tuple(self._sockets):
            self._start(self._close(socket))

    @staticmethod
    async def _close(socket: web.WebSocketResponse) -> None:
        await socket.close()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await self._send(socket, self._info())
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._start(self._answer(socket, json.loads(message.data)))
        finally:
            self._sockets.discard(socket)
            self._listeners.discard(socket)
        return socket

    @staticmethod
    async def _send(socket: web.WebSocketResponse, body: object) -> None:
        if not socket.closed:
            await socket.send_str(json.dumps(body, indent=2))

    @staticmethod
    def _info() -> dict[str, object]:
        return {
            "fabric_id": 1, "compressed_fabric_id": 17526650857783092100, "schema_version": 11,
            "min_supported_schema_version": 9, "sdk_version": "2024.11.4", "wifi_credentials_set": False,
            "thread_credentials_set": False, "bluetooth_enabled": False,
        }  # fmt: skip

    async def _answer(self, socket: web.WebSocketResponse, request: Mapping[str, object]) -> None:
        answer: dict[str, object] = {"message_id": request.get("message_id")}
        arguments = request.get("args")
        try:
            result = await self._do(
                socket, str(request.get("command")), arguments if isinstance(arguments, dict) else {}
            )
            answer["result"] = result
        except Refused as refusal:
            answer |= {"error_code": refusal.code, "details": str(refusal)}
        await self._send(socket, answer)

    async def _do(self, socket: web.WebSocketResponse, command: str, arguments: Mapping[str, object]) -> object:
        match command:
            case "start_listening":
                self._listeners.add(socket)
                return [self._node(number) for number in self._numbers_of_nodes()]
            case "get_nodes":
                return [self._node(number) for number in self._numbers_of_nodes()]
            case "server_info":
                return self._info()
            case "read_attribute":
                return await self._read(arguments)
            case "device_command":
                return await self._invoke(arguments)
            case _:
                raise Refused(9, f"Invalid command: {command}")

    def _numbers_of_nodes(self) -> tuple[int, ...]:
        return (self._plan.node,) if self._plan.contact is None else (self._plan.node, self._plan.contact)

    def _node(self, number: int) -> dict[str, object]:
        """Return a node's data as the server remembers it."""
        is_lock = number == self._plan.node
        attributes: dict[str, object] = {
            "0/40/1": "Simulated", "0/40/3": "Virtual lock" if is_lock else "Virtual contact", "0/40/5": "",
            "0/62/5": FABRIC,
        }  # fmt: skip
        if is_lock:
            attributes |= {
                "1/257/0": self._bolt(),
                "1/257/65532": LOCK_FEATURES,
                "1/47/12": BATTERY_HALVES,
                "1/47/14": 0,
            }
        else:
            attributes |= {"1/69/0": not self._doorway.open}
        return {
            "node_id": number, "date_commissioned": "2026-11-30T02:46:07.381040",
            "last_interview": "2026-11-30T02:46:07.381044", "interview_version": 6,
            "available": not (is_lock and "unreachable" in self.faults), "is_bridge": False, "attributes": attributes,
            "attribute_subscriptions": [],
        }  # fmt: skip

    def type_code(self, pin: str, who: str) -> None:
        """Let somebody outside type a PIN at the lock; a right one withdraws the bolt.

        Raises:
            Impossible: the lock accepts no such PIN at this time.
        """
        self._site.doorway.arrive(who)
        slot = self._users.slot_of(pin, datetime.now(UTC))
        self._site.log.write("typed", device=self.name, who=who, slot=slot)
        if slot is None:
            raise Impossible("the lock accepts no such PIN at this time")
        self._typed = slot
        self._doorway.move_bolt(thrown=False, cause=KEYPAD)

    # ---- its devices ------------------------------------------------------------------------------------------------

    def _reach(self, arguments: Mapping[str, object]) -> int:
        number = arguments.get("node_id")
        known = number in self._numbers_of_nodes()
        if not isinstance(number, int) or not known or (number == self._plan.node and "unreachable" in self.faults):
            raise Refused(3, f"Node {number} is not (yet) available.")
        return number

    async def _wait_awake(self, number: int, within_s: float) -> None:
        """Wait until the device hears; the server gives up after `within_s`."""
        if number == self._plan.node and not self._awake.is_set():
            try:
                async with asyncio.timeout(within_s):
                    await self._awake.wait()
            except TimeoutError:
                raise Refused(0, TIMEOUT) from None

    async def _read(self, arguments: Mapping[str, object]) -> object:
        number = self._reach(arguments)
        was_asleep = number == self._plan.node and not self._awake.is_set()
        await self._wait_awake(number, INTERACTION_S)
        if was_asleep:  # a lock that wakes obeys what reached it before it answers
            await asyncio.sleep(self._plan.latency_s)
        await asyncio.sleep(self._plan.latency_s / 2)
        wanted = arguments.get("attribute_path")
        paths = wanted if isinstance(wanted, list) else [wanted]
        values = self._node(number)["attributes"]
        assert isinstance(values, dict)  # noqa: S101 - made above
        return {path: values.get(path, UNSUPPORTED_ATTRIBUTE) for path in paths}

    async def _invoke(self, arguments: Mapping[str, object]) -> object:
        number = self._reach(arguments)
        name, bound_ms = arguments.get("command_name"), arguments.get("interaction_timeout_ms")
        if number == self._plan.node and isinstance(name, str) and self._users.knows(name):
            await self._wait_awake(number, INTERACTION_S)
            before = self._users.slots
            answer = self._users.do(name, arguments)
            for state, slots in (("stored", self._users.slots - before), ("deleted", before - self._users.slots)):
                for slot in slots:
                    self._site.log.write("code", device=self.name, slot=slot, state=state)
            return answer
        if number != self._plan.node or name not in ("UnlockDoor", "LockDoor"):
            raise Refused(0, f"type object 'Commands' has no attribute '{name}'")
        if arguments.get("timed_request_timeout_ms") is None:
            raise Refused(0, TIMED_INTERACTION)
        is_bounded = isinstance(bound_ms, int) and "unbounded" not in self.faults
        self._invokes += 1
        self._most_invokes = max(self._most_invokes, self._invokes)
        try:
            bound_s = bound_ms / 1000 if is_bounded and isinstance(bound_ms, int) else INTERACTION_S
            await self._wait_awake(number, bound_s)
        finally:
            self._invokes -= 1
        self._site.log.write("matter", device=self.name, invoked=name)
        self._start(self._turn(thrown=name == "LockDoor"))
        return None

    async def _turn(self, *, thrown: bool) -> None:
        await asyncio.sleep(self._plan.latency_s)
        if "jam" in self.faults:
            self._event(LOCK_ENDPOINT, 257, 0, {"alarmCode": 0})
        else:
            self._doorway.move_bolt(thrown=thrown, cause=FROM_AFAR)

    def _bolt(self) -> int | None:
        return None if "unknown" in self.faults else 1 if self._doorway.thrown else 2

    def _moved(self, cause: str) -> None:
        source = {HAND: 1, KEYPAD: 3, ITSELF: 4, APP: 7}.get(cause, 7)
        fabric, node = {FROM_AFAR: (FABRIC, CONTROLLER), APP: (OTHER_FABRIC, OTHER_NODE)}.get(cause, (None, None))
        user = self._typed if cause == KEYPAD else None
        used = None if user is None else [{"credentialType": PIN, "credentialIndex": user}]
        operation = {
            "lockOperationType": 0 if self._doorway.thrown else 1, "operationSource": source, "userIndex": user,
            "fabricIndex": fabric, "sourceNode": node, "credentials": used,
        }  # fmt: skip
        self._event(LOCK_ENDPOINT, 257, 2, operation)
        self._update(self._plan.node, LOCK_ENDPOINT, "257/0", self._bolt())

    def _leaf(self) -> None:
        if self._plan.contact is not None:
            self._update(self._plan.contact, CONTACT_ENDPOINT, "69/0", not self._doorway.open)

    def _report_battery(self) -> None:
        self._update(self._plan.node, LOCK_ENDPOINT, "47/12", BATTERY_HALVES)

    def _update(self, node: int, endpoint: int, key: str, value: object) -> None:
        if not (node == self._plan.node and ({"asleep", "unreachable"} & set(self.faults))):
            self._tell("attribute_updated", [node, f"{endpoint}/{key}", value])

    def _event(self, endpoint: int, cluster: int, event: int, data: Mapping[str, object]) -> None:
        if {"asleep", "unreachable"} & set(self.faults):
            return
        body = {
            "node_id": self._plan.node, "endpoint_id": endpoint, "cluster_id": cluster, "event_id": event,
            "event_number": next(self._numbers), "priority": 2, "timestamp": 1796006806211, "timestamp_type": 1,
            "data": dict(data),
        }  # fmt: skip
        self._tell("node_event", body)

    def _tell(self, event: str, data: object) -> None:
        self._start(self._tell_all({"event": event, "data": data}))

    async def _tell_all(self, body: object) -> None:
        await asyncio.sleep(REPORT_DELAY_S)
        for socket in tuple(self._listeners):
            await self._send(socket, body)

"""Simulates Zigbee2MQTT with a lock, a contact and a thermometer on its radio: one link for all of them.

Its messages are implemented here a second time, from its documentation and source and not with
`devices/vendors/zigbee2mqtt.py`, so that a misreading there does not agree with itself. MQTT 3.1.1, Zigbee2MQTT's
default.
"""

import asyncio
import json
import math
import socket
from collections.abc import Coroutine, Mapping
from typing import ClassVar

import aiomqtt

from devices.simulators.control import Impossible
from devices.simulators.device import DeviceSite, FaultValue
from devices.simulators.doorway import FROM_AFAR, HAND
from devices.simulators.house import ZigbeePlan

RETRY_DELAY_S = 0.2  # seconds between attempts to connect
RESTART_TIME_S = 1.0  # seconds that a restart takes
UNCACHED = ("action", "action_source_name", "action_user")


class ZigbeeBridge:
    """Carries the doorway's bolt and leaf over a radio.

    Faults (all off is a plain Zigbee2MQTT, which repeats its whole cache in each publication):
        filtered_cache   its user set `filtered_cache` for bolt and contact: only the newest value is published
        kwikset          the lock reports a move by an `action` alone; its `state` changes when it is read
        battery_first    when the lock is read, a battery report with the old state comes before the answer
        fails            a set does nothing, and is in the log with this reason
        fails_yet_moves  the same, but the bolt moves
        jam              the bolt stops on its way: not fully locked
        asleep           the lock answers no query
        warm             what the thermometer measures
    Actions: restart (its memory is published as if it were news), battery (each device reports its battery).
    """

    FAULTS: ClassVar[Mapping[str, FaultValue]] = {
        "filtered_cache": True,
        "kwikset": True,
        "battery_first": True,
        "fails": "Timeout - 48151 - 1 - 12 - 257 - 1 after 10000ms",
        "fails_yet_moves": True,
        "jam": True,
        "asleep": True,
        "warm": 12.0,
    }
    ACTIONS = frozenset({"restart", "battery"})

    def __init__(self, plan: ZigbeePlan, site: DeviceSite) -> None:
        self._plan, self._site, self._doorway = plan, site, site.doorway
        self.faults: dict[str, FaultValue] = {}
        self._cache: dict[str, dict[str, object]] = {
            plan.lock: {"state": "LOCK", "lock_state": "locked", "battery": plan.battery},
            plan.thermometer: {"temperature": plan.celsius, "battery": plan.battery},
        }
        if plan.contact is not None:
            self._cache[plan.contact] = {"contact": not site.doorway.open, "battery": plan.battery}
        self._jammed_halfway = False  # the bolt stopped on its way
        self._client: aiomqtt.Client | None = None
        self._group: asyncio.TaskGroup | None = None
        self._last_line = b""
        self._cut = asyncio.Event()
        site.doorway.bolt_moved.append(self._moved)
        site.doorway.leaf_moved.append(self._leaf)

    @property
    def name(self) -> str:
        """Return its account at the broker, which is also its name in the house's control."""
        return self._plan.base

    def set_fault(self, fault: str, on: FaultValue) -> None:
        """Switch a fault on or off, or do one of the actions.

        Raises:
            Impossible: it has no such fault.
        """
        if fault in self.ACTIONS:
            self._cut.set() if fault == "restart" else self._batteries()
        elif fault not in self.FAULTS:
            known = ", ".join(sorted({*self.FAULTS, *self.ACTIONS}))
            raise Impossible(f"{self.name} has no such fault; it has {known}")
        elif on is False:
            self.faults.pop(fault, None)
        else:
            self.faults[fault] = self.FAULTS[fault] if on is True else on
        self._site.log.write("fault", device=self.name, fault=fault, on=on)
        if fault == "warm":
            self._publish_update(self._plan.thermometer, {"temperature": self.faults.get("warm", self._plan.celsius)})

    def physical(self) -> Mapping[str, object]:
        """Return what it remembers of each device."""
        return {"faults": dict(self.faults), "cache": {name: dict(known) for name, known in self._cache.items()}}

    # ---- its link ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the link up; the contact and the thermometer report regularly, as real ones do."""
        while True:
            self._cut.clear()
            try:
                await self._session()
            except* (aiomqtt.MqttError, OSError):
                pass  # retried below, as the real one does; without a password it has no account yet
            finally:
                self._client = None
            await asyncio.sleep(RETRY_DELAY_S)

    async def _session(self) -> None:
        base, broker = self._plan.base, self._site.broker
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            identifier=self.name,
            username=self.name,
            password=self._plan.secret(self.name, broker),
            timeout=math.inf,
            will=aiomqtt.Will(f"{base}/bridge/state", b'{"state":"offline"}', qos=1, retain=True),
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        async with client:
            await client.subscribe(f"{base}/#")
            self._client = client
            self._publish(f"{base}/bridge/state", {"state": "online"}, retain=True)
            self._publish(f"{base}/bridge/devices", self._device_list(), retain=True)
            for name, known in self._cache.items():
                self._publish(f"{base}/{name}", known)
            async with asyncio.TaskGroup() as group:
                self._group = group
                works = [group.create_task(work) for work in (self._listen(client), self._beat())]
                await self._cut.wait()
                for work in works:
                    work.cancel()
            self._publish(f"{base}/bridge/state", {"state": "offline"}, retain=True)
            await asyncio.sleep(RESTART_TIME_S)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic, _, request = message.topic.value.removeprefix(f"{self._plan.base}/").rpartition("/")
            if request in ("set", "get") and topic in self._cache:
                body = json.loads(message.payload)
                self._do(self._set(topic, body) if request == "set" else self._get(topic, body))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._plan.report_s)
            self._leaf()
            self._publish_update(self._plan.thermometer, {"temperature": self.faults.get("warm", self._plan.celsius)})

    def _do(self, work: Coroutine[None, None, None]) -> None:
        if self._group is not None:
            self._group.create_task(work)

    def _device_list(self) -> list[dict[str, object]]:
        """Return the list in which Zigbee2MQTT describes its devices, as far as its documentation has them."""
        battery = {"type": "numeric", "name": "battery", "property": "battery", "access": 1, "unit": "%"}
        state = {"type": "binary", "name": "state", "property": "state", "access": 7,
                 "value_on": "LOCK", "value_off": "UNLOCK"}  # fmt: skip
        lock_state = {"type": "enum", "name": "lock_state", "property": "lock_state", "access": 1,
                      "values": ["not_fully_locked", "locked", "unlocked"]}  # fmt: skip
        contact = {"type": "binary", "name": "contact", "property": "contact", "access": 1,
                   "value_on": False, "value_off": True}  # fmt: skip
        warmth = {"type": "numeric", "name": "temperature", "property": "temperature", "access": 1, "unit": "°C"}
        described: dict[str | None, tuple[str, object]] = {
            self._plan.lock: ("Lock", {"type": "lock", "features": [state, lock_state]}),
            self._plan.contact: ("Contact", contact),
            self._plan.thermometer: ("Thermometer", warmth),
        }
        return [
            {
                "ieee_address": f"0x00124b00000000{number:02x}", "type": "EndDevice", "friendly_name": name,
                "disabled": False, "supported": True, "power_source": "Battery",
                "definition": {"model": model, "vendor": "Simulated", "exposes": [exposes, battery]},
            }
            for number, (name, (model, exposes)) in enumerate(described.items(), start=1)
            if name is not None
        ]  # fmt: skip

    def _publish(self, topic: str, body: object, *, retain: bool = False) -> None:
        if self._client is not None:
            # the state of a device is QoS 0 and not retained, Zigbee2MQTT's default
            self._client._client.publish(topic, json.dumps(body), 1 if retain else 0, retain)  # noqa: SLF001 - aiomqtt's publish is a coroutine, and a bolt moves in none

    def _publish_update(self, name: str, update: Mapping[str, object]) -> None:
        """Publish a device's update with all of its cache, unless its user disabled that."""
        known = self._cache[name]
        self._cache[name] = {key: value for key, value in {**known, **update}.items() if key not in UNCACHED}
        state = {"battery": known["battery"], **update} if "filtered_cache" in self.faults else {**known, **update}
        self._publish(f"{self._plan.base}/{name}", state)

    def _log(self, message: str) -> None:
        """Write an entry to the log; one that equals the entry before is left out."""
        line = {"message": f"z2m: {message}", "level": "error", "namespace": "z2m"}
        if json.dumps(line).encode() != self._last_line:
            self._last_line = json.dumps(line).encode()
            self._publish(f"{self._plan.base}/bridge/logging", line)

    # ---- its devices ------------------------------------------------------------------------------------------------

    async def _set(self, name: str, body: Mapping[str, object]) -> None:
        order = body.get("state")
        if name != self._plan.lock or order not in ("LOCK", "UNLOCK"):
            for key in body:
                self._log(f"No converter available for '{key}' on '{name}': ({json.dumps(body[key])})")
            return
        self._site.log.write("zigbee", device=name, set=order)
        await asyncio.sleep(self._plan.latency_s)
        if "fails" in self.faults:
            self._log(f"Publish 'set' 'state' to '{name}' failed: 'Error: {self.faults['fails']}'")
            if "fails_yet_moves" not in self.faults:
                return
        self._jammed_halfway = "jam" in self.faults
        if self._jammed_halfway:
            self._publish_update(name, self._bolt())
        else:
            self._doorway.move_bolt(thrown=order == "LOCK", cause=FROM_AFAR)

    async def _get(self, name: str, body: Mapping[str, object]) -> None:
        if name != self._plan.lock or "state" not in body:
            for key in body:
                self._log(f"No converter available for 'get' '{key}' (\"\")")
            return
        await asyncio.sleep(self._plan.latency_s / 2)
        if "battery_first" in self.faults:
            self._publish_update(name, {"battery": self._plan.battery})
            await asyncio.sleep(self._plan.latency_s / 2)
        if "asleep" in self.faults:
            self._log(f"Publish 'get' 'state' to '{name}' failed: 'Error: Timeout'")
        else:
            self._publish_update(name, self._bolt())

    def _bolt(self) -> dict[str, object]:
        """Return the value of the lock's own attribute."""
        if self._jammed_halfway:
            return {"state": "UNLOCK", "lock_state": "not_fully_locked"}
        thrown = self._doorway.thrown
        return {"state": "LOCK" if thrown else "UNLOCK", "lock_state": "locked" if thrown else "unlocked"}

    def _moved(self, cause: str) -> None:
        self._jammed_halfway = False
        word = "lock" if self._doorway.thrown else "unlock"
        by_hand = cause == HAND
        action = {
            "action": f"manual_{word}" if by_hand else word,
            "action_source_name": "manual" if by_hand else "rf",
            "action_user": 65_535,
        }
        self._publish_update(self._plan.lock, action)
        if "kwikset" not in self.faults:
            self._publish_update(self._plan.lock, self._bolt())

    def _leaf(self) -> None:
        if self._plan.contact is not None:
            self._publish_update(self._plan.contact, {"contact": not self._doorway.open})

    def _batteries(self) -> None:
        for name in self._cache:
            self._publish_update(name, {"battery": self._plan.battery})

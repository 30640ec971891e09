"""A real Matter server and a virtual Matter lock say what `devices/vendors/matter.py` believes that they say.

Run by `make test-matter`, which installs both; not part of `make test`. The server commissions the lock over this
machine's own network; `perron matter` and a real mosquitto stand between it and the test.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.commands import ClearCode, SetCode
from devices.reports import (
    CodeStatus,
    CommandProgress,
    DoorReport,
    DoorState,
    ErrorReport,
    FridgeReport,
    KeypadCode,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    OperationSource,
    ProgressReport,
)
from devices.vendors.matter import EndpointId
from devices.vendors.matter_aliro import AliroKey
from gateway.integrations.matter.aliro import store_key
from gateway.integrations.matter.file import MatterServerSection
from gateway.integrations.matter.server import MatterFailed
from tests.gateway.integrations.matter.beside import OFFLINE, ONLINE, Beside, beside
from tests.real.matter import MatterLock, MatterServer, commissioned
from tests.waiting import assert_stays, wait_until

LOCK, CONTACT, AIR, BEHIND = "1-1", "1-2", "1-3", "1-5-5"
KINDS = {LOCK: "lock", CONTACT: "door", AIR: "fridge", BEHIND: "door"}
LOCKED, UNLOCKED = LockReport(bolt=LockState.LOCKED), LockReport(bolt=LockState.UNLOCKED)
BY_CODE = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.KEYPAD, user="user 5", event=True)
OWN_UNLOCK = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.REMOTE, event=True)


@contextlib.asynccontextmanager
async def house(
    folder: Path, *, plain: bool = True, timeout_s: float = 5.0
) -> AsyncIterator[tuple[Beside, MatterServer, MatterLock]]:
    async with (
        commissioned(folder, plain=plain) as (server, lock),
        beside(folder, server.url, KINDS, timeout_s=timeout_s) as one,
    ):
        await one.until_said(LOCK, ONLINE)
        yield one, server, lock


async def test_each_endpoint_is_found_and_answers_from_the_device(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, _, lock):
        await wait_until(lambda: any(said.channel == "nodes" for said in one.said))
        listed = json.loads(next(said.payload for said in one.said if said.channel == "nodes"))["endpoints"]
        assert [(line["node"], line["endpoint"], line["bridged"], line["kinds"]) for line in listed] == [
            (1, 1, None, ["lock", "keypad"]), (1, 2, None, ["door"]), (1, 3, None, ["fridge"]), (1, 5, 5, ["door"]),
        ]  # fmt: skip
        assert (await one.ask(BEHIND)).reports == (DoorReport(door=DoorState.CLOSED),)
        assert (await one.ask(LOCK)).reports == (LOCKED,)
        assert (await one.ask(CONTACT)).reports == (DoorReport(door=DoorState.CLOSED),)
        assert (await one.ask(AIR)).reports == (FridgeReport(compartment="", temp_c=4.12),)
        await lock.does(on="lock", set={"doorLock": {"lockState": None}})
        await lock.does(on="air", set={"temperatureMeasurement": {"measuredValue": None}})
        assert (await one.ask(LOCK)).reports == (LockReport(bolt=LockState.UNKNOWN),)
        assert (await one.ask(AIR)).reports == (FridgeReport(compartment="", temp_c=None),)


async def test_it_unlocks_and_locks_by_a_timed_invoke_and_says_that_we_did_it(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, server, lock):
        await one.order(LOCK)
        await one.until_said(LOCK, ProgressReport(id="v1", progress=CommandProgress.ACCEPTED))
        await one.until_said(LOCK, OWN_UNLOCK)
        await one.until_said(LOCK, UNLOCKED)
        await one.order(LOCK, "l1", do="lock")
        await one.until_said(LOCK, LockReport(bolt=LockState.LOCKED, source=OperationSource.REMOTE, event=True))
        assert lock.invoked == ["UnlockDoor", "LockDoor"]
        untimed = {"node_id": 1, "endpoint_id": 1, "cluster_id": 257, "command_name": "UnlockDoor", "payload": {}}
        with pytest.raises(Exception, match="NeedsTimedInteraction"):
            await server.request("device_command", **untimed)
        assert lock.invoked == ["UnlockDoor", "LockDoor"]


async def test_a_lock_with_a_latch_of_its_own_is_unbolted_unless_the_latch_is_wanted(tmp_path: Path) -> None:
    async with house(tmp_path, plain=False) as (one, _, lock):
        await one.order(LOCK, "v1")
        await one.until_said(LOCK, ProgressReport(id="v1", progress=CommandProgress.ACCEPTED))
        await one.order(LOCK, "v2", latch=True)
        await one.until_said(LOCK, ProgressReport(id="v2", progress=CommandProgress.ACCEPTED))
        assert lock.invoked == ["UnboltDoor", "UnlockDoor"]


@pytest.mark.parametrize(
    ("source", "user", "report"),
    [
        (1, None, LockReport(bolt=LockState.UNLOCKED, source=OperationSource.MANUAL, event=True)),
        (3, 2, LockReport(bolt=LockState.UNLOCKED, source=OperationSource.KEYPAD, user="user 2", event=True)),
        (10, 2, LockReport(bolt=LockState.UNLOCKED, source=OperationSource.ALIRO, user="user 2", event=True)),
    ],
    ids=["hand", "keypad", "Aliro"],
)
async def test_who_opened_it_is_told_before_the_state(
    tmp_path: Path, source: int, user: int | None, report: LockReport
) -> None:
    async with house(tmp_path) as (one, _, lock):
        after = len(one.said)
        await lock.does(turn=2, source=source, user=user)
        await one.until_said(LOCK, UNLOCKED, after=after)
        assert one.reports(LOCK, after)[:2] == [report, UNLOCKED]


async def test_a_jam_a_contact_and_a_door_are_told_as_they_happen(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, _, lock):
        await lock.does(alarm=0)
        await one.until_said(LOCK, LockReport(bolt=LockState.UNKNOWN, jammed=True, event=True))
        await lock.does(on="contact", set={"booleanState": {"stateValue": False}})
        await one.until_said(CONTACT, DoorReport(door=DoorState.OPEN))


async def test_a_sleeping_lock_gets_no_order_after_its_life_and_answers_no_question(tmp_path: Path) -> None:
    async with house(tmp_path, timeout_s=3.0) as (one, _, lock):
        lock.sleep()
        await one.order(LOCK, life=3.0)
        await one.until_said(LOCK, ErrorReport(id="v1", failure=OperationError.TIMEOUT))
        assert (await one.ask(LOCK)).reports == (NoAnswerReport(),)
        lock.wake()
        await assert_stays(lambda: "UnlockDoor" not in lock.invoked, 8.0, "it was obeyed late")
        assert (await one.ask(LOCK)).reports == (LOCKED,)


async def test_a_lock_that_wakes_within_the_order_s_life_obeys_it(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, _, lock):
        lock.sleep()
        await one.order(LOCK, life=5.0)
        await asyncio.sleep(1.0)
        lock.wake()
        await one.until_said(LOCK, UNLOCKED)
        assert lock.invoked == ["UnlockDoor"]


async def test_nobody_but_the_bound_keeps_a_server_from_unlocking_late(tmp_path: Path) -> None:
    """A timed invoke alone does not: its time runs from its arrival at the lock."""
    async with house(tmp_path) as (one, server, lock):
        lock.sleep()
        invoke = {"node_id": 1, "endpoint_id": 1, "cluster_id": 257, "command_name": "UnlockDoor", "payload": {}}
        late = asyncio.create_task(server.request("device_command", **invoke, timed_request_timeout_ms=1000))
        await asyncio.sleep(4.0)
        lock.wake()
        await late
        await wait_until(lambda: lock.invoked == ["UnlockDoor"])
        await one.until_said(LOCK, OWN_UNLOCK)


async def test_a_server_that_ends_is_told_and_found_again(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, server, _):
        after = len(one.said)
        await server.end()
        await one.until_said("bridge", OFFLINE, after=after)
        after = len(one.said)
        await server.begin()
        await one.until_said("bridge", ONLINE, after=after)
        await one.until_said(LOCK, ONLINE, after=after, within=60.0)
        assert (await one.ask(LOCK)).reports == (LOCKED,)


async def test_a_code_for_a_guest_is_stored_read_back_opens_and_is_withdrawn(tmp_path: Path) -> None:
    starts, ends = datetime(2026, 12, 3, 14, 0, tzinfo=UTC), datetime(2026, 12, 6, 10, 15, tzinfo=UTC)
    code = SetCode(id="k1", pin="345678", name="guest-a1", slot=5, starts=starts, ends=ends)
    stored = KeypadCode(slot=5, status=CodeStatus.ENABLED, name="guest-a1", starts=starts, ends=ends)
    free = KeypadCode(slot=5, status=CodeStatus.AVAILABLE)
    async with house(tmp_path) as (one, server, lock):
        assert (await one.read_slot(LOCK, 5)).codes == (free,)
        assert await one.change_code(LOCK, code) == ProgressReport(id="k1", progress=CommandProgress.ACCEPTED)
        assert (await one.read_slot(LOCK, 5)).codes == (stored,)
        everything = await one.read_slot(LOCK, None)
        assert (everything.is_complete, stored in everything.codes) == (True, True)
        typed = {"PINCode": base64.b64encode(b"345678").decode()}
        unlock = {"node_id": 1, "endpoint_id": 1, "cluster_id": 257, "command_name": "UnlockDoor", "payload": typed}
        await server.request("device_command", **unlock, timed_request_timeout_ms=2000)
        assert lock.invoked == ["UnlockDoor"]
        await one.order(LOCK, "l1", do="lock")
        await one.until_said(LOCK, LOCKED)
        after = len(one.said)
        await lock.does(type="345678")
        await one.until_said(LOCK, BY_CODE, after=after)
        await one.until_said(LOCK, UNLOCKED, after=after)
        assert not any(b"345678" in said.payload for said in one.said), "no PIN ever comes back"
        again = await one.change_code(LOCK, replace(code, id="k2", pin="787878"))
        assert isinstance(again, ErrorReport), "the slot is taken"
        assert (await one.read_slot(LOCK, 5)).codes == (stored,)
        assert await one.change_code(LOCK, ClearCode(id="k3", slot=5)) == ProgressReport(
            id="k3", progress=CommandProgress.ACCEPTED
        )
        assert (await one.read_slot(LOCK, 5)).codes == (free,)
        with pytest.raises(Exception, match="Failure"):
            await server.request("device_command", **unlock, timed_request_timeout_ms=2000)
        await one.order(LOCK, "l2", do="lock")
        await one.until_said(LOCK, ProgressReport(id="l2", progress=CommandProgress.ACCEPTED))
        after = len(one.said)
        await lock.does(type="345678")
        assert (await one.ask(LOCK)).reports == (LOCKED,)
        assert BY_CODE not in one.reports(LOCK, after)


async def test_a_lock_that_does_not_read_an_aliro_key_back_keeps_none(tmp_path: Path) -> None:
    """matter.js 0.17.9 stores the key; it does not report it, as the standard wants for these credentials."""
    async with commissioned(tmp_path, plain=True) as (server, _):
        section, key = MatterServerSection(url=server.url), b"\x04" + bytes(64)
        with pytest.raises(MatterFailed, match="does not say that it has it"):
            await store_key(section, EndpointId(1, 1), kind=AliroKey.ISSUER, slot=8, name="aliro", key=key)
        invoke = {"node_id": 1, "endpoint_id": 1, "cluster_id": 257, "command_name": "GetUser"}
        user = await server.request("device_command", **invoke, payload={"userIndex": 8})
        assert isinstance(user, dict)
        assert user["userStatus"] is None

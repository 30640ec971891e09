"""`perron matter` at a real broker, before a Matter server that repeats what python-matter-server was heard to say."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devices.reports import (
    BatteryLevel,
    BatteryReport,
    CommandProgress,
    DoorReport,
    DoorState,
    ErrorReport,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    OperationSource,
    ProgressReport,
)
from devices.simulators.doorway import APP, HAND
from devices.vendors.matter import NODES
from devices.vendors.words import TopicSuffix
from gateway.integrations.matter import process as matter_process
from gateway.integrations.matter.nodes import TEST_NODES_FROM
from gateway.mqtt.client import MqttClient
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.gateway.integrations.matter.beside import BASE, CONTACT, KINDS, LOCK, OFFLINE, ONLINE, beside, house
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
LOCKED, UNLOCKED = LockReport(bolt=LockState.LOCKED), LockReport(bolt=LockState.UNLOCKED)
OWN_UNLOCK = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.REMOTE, event=True)


def accepted(id_: str = "v1") -> ProgressReport:
    return ProgressReport(id=id_, progress=CommandProgress.ACCEPTED)


def failed(failure: OperationError, id_: str = "v1") -> ErrorReport:
    return ErrorReport(id=id_, failure=failure)


async def test_an_order_unlocks_once_is_taken_and_then_the_lock_itself_says_that_it_moved(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        await one.order(LOCK)
        said = await one.until_said(LOCK, accepted())
        assert (said.channel, said.correlation, said.retained) == ("result", b"v1", False)
        await one.until_said(LOCK, OWN_UNLOCK)
        await one.until_said(LOCK, UNLOCKED)
        assert not matter.doorway.thrown
        await one.order(LOCK)
        await one.until_said(LOCK, failed(OperationError.REPEATED))
        await one.order(LOCK, "l1", do="lock")
        await one.until_said(LOCK, accepted("l1"))
        await wait_until(lambda: matter.doorway.thrown)


async def test_what_is_asked_is_read_from_the_lock_and_never_from_the_servers_memory(tmp_path: Path) -> None:
    async with house(tmp_path, timeout_s=0.5) as (one, matter):
        answer = await one.ask(LOCK)
        assert (answer.channel, answer.reports, answer.retained) == ("result", (LOCKED,), False)
        assert set(answer.user) == {"boot", "seq", "uptime"}
        matter.server.set_fault("asleep", on=True)
        assert (await one.ask(LOCK)).reports == (NoAnswerReport(),)


async def test_a_null_of_the_lock_is_an_unknown_bolt(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("unknown", on=True)
        await one.until_said(LOCK, LockReport(bolt=LockState.UNKNOWN))
        assert (await one.ask(LOCK)).reports == (LockReport(bolt=LockState.UNKNOWN),)


async def test_a_hand_and_the_makers_app_are_told_from_the_servers_own_unlock(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.doorway.move_bolt(thrown=False, cause=HAND)
        await one.until_said(LOCK, LockReport(bolt=LockState.UNLOCKED, source=OperationSource.MANUAL, event=True))
        matter.doorway.move_bolt(thrown=True, cause=HAND)
        matter.doorway.move_bolt(thrown=False, cause=APP)
        app = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.REMOTE, user="node 4660", event=True)
        await one.until_said(LOCK, app)
        assert OWN_UNLOCK not in one.reports(LOCK)


async def test_the_contact_and_the_battery_say_what_matter_says(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        assert (await one.ask(CONTACT)).reports == (DoorReport(door=DoorState.CLOSED),)
        matter.doorway.move_bolt(thrown=False, cause=HAND)
        matter.doorway.open_door("resident")
        await one.until_said(CONTACT, DoorReport(door=DoorState.OPEN))
        matter.server.set_fault("battery", on=True)
        said = await one.until_said(LOCK, BatteryReport(percent=84))
        assert said.channel == TopicSuffix.BATTERY
        assert BatteryReport(percent=None, level=BatteryLevel.GOOD) not in one.reports(LOCK)


async def test_an_order_to_a_sleeping_lock_ends_with_its_life_and_is_not_obeyed_when_it_wakes(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("asleep", on=True)
        await one.order(LOCK, life=0.6)
        await assert_stays(lambda: matter.doorway.thrown, 1.2)
        matter.server.set_fault("asleep", on=False)
        await assert_stays(lambda: matter.doorway.thrown, 0.6, "it opened late")
        await one.until_said(LOCK, failed(OperationError.TIMEOUT))


async def test_where_the_server_repeats_it_longer_the_late_unlock_is_told_as_one(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("unbounded", on=True)
        matter.server.set_fault("asleep", on=True)
        await one.order(LOCK, life=0.6)
        await one.until_said(LOCK, failed(OperationError.TIMEOUT))
        after = len(one.said)
        matter.server.set_fault("asleep", on=False)
        await one.until_said(LOCK, OWN_UNLOCK, after=after)
        assert accepted() not in one.reports(LOCK), "a late confirmation confirms nothing"


async def test_a_late_an_old_and_a_stored_order_reach_no_lock(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        await one.order(LOCK, "late", life=-1.0)
        await one.until_said(LOCK, failed(OperationError.EXPIRED, "late"))
        await one.order(LOCK, "old", boot="another", until_ms=10**9)
        await one.until_said(LOCK, failed(OperationError.EXPIRED, "old"))
        await one.order(LOCK, "lives", do="lock")
        await one.until_said(LOCK, accepted("lives"))
        assert matter.doorway.thrown
        lines = [json.loads(line) for line in (tmp_path / "house.jsonl").read_text().splitlines()]
        assert [line["invoked"] for line in lines if line["what"] == "matter"] == ["LockDoor"]


async def test_a_second_unlock_is_refused_while_one_is_on_its_way_and_a_lock_waits_for_it(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("asleep", on=True)
        await one.order(LOCK, "first", life=1.5)
        await one.order(LOCK, "second", life=1.5)
        await one.until_said(LOCK, failed(OperationError.BUSY, "second"))
        await one.order(LOCK, "then-lock", do="lock", life=5.0)
        await assert_stays(lambda: matter.server.physical()["most_invokes"] == 1, 0.7, "two at once have no order")
        await one.until_said(LOCK, failed(OperationError.TIMEOUT, "first"))
        matter.server.set_fault("asleep", on=False)
        await one.until_said(LOCK, accepted("then-lock"))
        assert matter.doorway.thrown


async def test_a_node_that_the_server_lost_is_offline_and_an_order_to_it_fails_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("unreachable", on=True)
        await one.until_said(LOCK, OFFLINE)
        await one.order(LOCK)
        await one.until_said(LOCK, failed(OperationError.UNREACHABLE))
        after = len(one.said)
        matter.server.set_fault("unreachable", on=False)
        await one.until_said(LOCK, ONLINE, after=after)


async def test_without_the_server_the_bridge_is_offline_and_it_finds_the_server_again(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        await one.until_said("bridge", ONLINE)
        after = len(one.said)
        await matter.end()
        await one.until_said("bridge", OFFLINE, after=after)
        await one.order(LOCK)
        await one.until_said(LOCK, failed(OperationError.UNREACHABLE))
        after = len(one.said)
        await matter.again()
        await one.until_said("bridge", ONLINE, after=after)
        await one.until_said(LOCK, ONLINE, after=after)
        assert (await one.ask(LOCK)).reports == (LOCKED,)


async def test_an_order_whose_server_ends_before_its_answer_may_have_been_obeyed(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("asleep", on=True)
        await one.order(LOCK)
        await asyncio.sleep(0.3)
        await matter.end()
        await one.until_said(LOCK, failed(OperationError.TIMEOUT))


async def test_who_adds_a_device_is_shown_the_endpoints_and_what_each_can_be(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, _):
        await wait_until(lambda: any(said.channel == "nodes" for said in one.said))
        listed = json.loads(next(said.payload for said in one.said if said.channel == "nodes"))["endpoints"]
        assert [(line["node"], line["endpoint"], line["kinds"], line["product"]) for line in listed] == [
            (5, 1, ["lock", "keypad"], "Virtual lock"),
            (6, 1, ["door"], "Virtual contact"),
        ]


async def test_nothing_that_comes_from_the_house_ends_it(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        for payload in (b"", b"\xff", b"[" * 40, b'{"do":"unlock"}', b'{"do":"unlock","id":7}', b"x" * 60_000, b"null"):
            await one.send(LOCK, payload)
        for name in ("5", "5-1-1", "0-1", "nobody", "5-99999", "99999999999999999999999-1"):
            await one.send(name, b"{}", word="get")
            await one.order(name, f"x-{name}")
        for number in range(120):
            await one.send(LOCK, b'{"do":"close","id":"%d"}' % number)
        await asyncio.sleep(1.2)
        await one.order(LOCK, "good")
        await one.until_said(LOCK, accepted("good"))
        await wait_until(lambda: not matter.doorway.thrown)


HOSTILE = [
    "", "null", "7", "[]", "{", '{"event": 7}', '{"event":"attribute_updated"}',
    '{"event":"attribute_updated","data":[5,"1/257/0",{"TLVValue":null,"Reason":"x"}]}',
    '{"event":"attribute_updated","data":["5","1/257/0",2]}', '{"event":"attribute_updated","data":[5,"1/257",2]}',
    '{"event":"attribute_updated","data":[5,"1/257/0/9",2]}', '{"event":"attribute_updated","data":[5,7,2]}',
    '{"event":"node_event","data":{"node_id":5,"cluster_id":257,"endpoint_id":"1/../x","event_id":2,"data":{}}}',
    '{"event":"node_event","data":{"node_id":5,"cluster_id":257,"endpoint_id":1,"event_id":"2","data":7}}',
    '{"event":"node_event","data":{"node_id":[5],"cluster_id":257}}', '{"event":"node_removed","data":{"a":1}}',
    '{"event":"node_added","data":{"node_id":-1}}', '{"event":"node_updated","data":{"node_id":true}}',
    '{"message_id":"nobody asked","result":1}', '{"message_id":["x"],"error_code":"\\u001b"}', "[" * 100_000,
    '{"event":"node_added","data":{"node_id":1e999}}', '{"event":"node_added","data":{"node_id":' + "9" * 5000 + "}}",
]  # fmt: skip


async def test_nothing_that_comes_from_the_server_ends_it(tmp_path: Path) -> None:
    """A server of ours says all of it, and then the truth."""
    node = {"node_id": 5, "available": True, "attributes": {"1/257/0": 1, "1/257/65532": 0}}

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"schema_version": 11, "sdk_version": "x"})
        async for message in socket:
            asked = json.loads(message.data)
            if asked["command"] == "start_listening":
                await socket.send_json({"message_id": asked["message_id"], "result": [None, 7, {"node_id": "x"}, node]})
                for line in HOSTILE:
                    await socket.send_str(line)
                await socket.send_bytes(b"\x00\xff")
                while not socket.closed:  # the broker may be found after the server
                    await socket.send_json({"event": "attribute_updated", "data": [5, "1/257/0", 2]})
                    await asyncio.sleep(0.2)
        return socket

    async for url in served(serve):
        async with beside(tmp_path, url, KINDS) as one:
            await one.until_said(LOCK, UNLOCKED)
            assert one.running is not None
            assert not one.running.done()
            assert LOCKED not in one.reports(LOCK), "what the server remembers is no report"


async def test_a_node_that_says_too_much_counts_as_unreachable_until_it_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matter_process, "QUIET_AFTER_FLOOD_S", 0.5)
    async with house(tmp_path) as (one, matter):
        after = len(one.said)
        for _ in range(40):
            matter.server.set_fault("battery", on=True)
        await one.until_said(LOCK, OFFLINE, after=after)
        await one.until_said(LOCK, ONLINE, after=len(one.said) - 1)
        assert (await one.ask(LOCK)).reports == (LOCKED,)


async def test_a_server_that_invents_nodes_and_changes_fills_no_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matter_process, "MAX_TOLD", 20)
    published: list[str] = []
    publish = MqttClient.publish

    def noted(self: MqttClient, topic: str, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - passed on as it came
        published.append(topic)
        return publish(self, topic, *args, **more)

    monkeypatch.setattr(MqttClient, "publish", noted)
    real = {"node_id": 5, "available": True, "attributes": {"1/257/0": 1, "1/257/65532": 0}}

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = await greeted(request)
        async for message in socket:
            asked = json.loads(message.data)
            await socket.send_json({"message_id": asked["message_id"], "result": [real]})
            for number in range(1000, 1500):
                await socket.send_json({"event": "node_added", "data": {**real, "node_id": number}})
                await socket.send_json({"event": "node_removed", "data": number})
            await socket.send_json({"event": "node_updated", "data": {**real, "available": False}})
        return socket

    async for url in served(serve):
        async with beside(tmp_path, url, KINDS) as one:
            await one.until_said(LOCK, OFFLINE)
            topics = {topic for topic in published if topic.endswith("/availability")}
            assert len(topics) <= 20
            assert sum(topic.endswith(NODES) for topic in published) < 100, "not one list for each of 1000 changes"


async def test_what_the_server_says_in_one_breath_with_its_list_of_nodes_is_heard(tmp_path: Path) -> None:
    node = {"node_id": 5, "available": True, "attributes": {"1/257/0": 1, "1/257/65532": 0}}

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = await greeted(request)
        async for message in socket:
            asked = json.loads(message.data)
            await socket.send_json({"message_id": asked["message_id"], "result": [node]})
            await socket.send_json({"event": "node_updated", "data": {**node, "available": False}})
        return socket

    async for url in served(serve):
        async with beside(tmp_path, url, KINDS) as one:
            await one.until_said(LOCK, OFFLINE)


async def test_a_node_that_was_only_imported_is_none(tmp_path: Path) -> None:
    """python-matter-server answers for it from its memory."""
    node = {"node_id": TEST_NODES_FROM, "available": True, "attributes": {"1/257/0": 1}}
    real = {**node, "node_id": 5}

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = await greeted(request)
        async for message in socket:
            asked = json.loads(message.data)
            await socket.send_json({"message_id": asked["message_id"], "result": [node, real]})
        return socket

    async for url in served(serve):
        async with beside(tmp_path, url, KINDS) as one:
            await one.until_said(LOCK, ONLINE)
            assert not [said for said in one.said if said.name == f"{TEST_NODES_FROM}-1"]


async def test_what_is_no_matter_server_is_told_so_and_tried_again(tmp_path: Path) -> None:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"hello": "world"})
        await socket.receive()
        return socket

    async for url in served(serve):
        async with beside(tmp_path, url, KINDS) as one:
            await one.until_said("bridge", OFFLINE)
            assert f"{BASE}/bridge" not in [said.name for said in one.said if ONLINE in said.reports]


async def greeted(request: web.Request) -> web.WebSocketResponse:
    """Take a client's connection, as a Matter server does."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json({"schema_version": 11})
    return socket


async def served(handler: object) -> AsyncIterator[str]:
    app, port = web.Application(), free_port()
    app.router.add_get("/ws", handler)  # type: ignore[arg-type] # a handler
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        await runner.cleanup()

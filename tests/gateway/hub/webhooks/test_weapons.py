"""Webhooks as a weapon: against other retailers' webhooks, and against the hub itself."""

import asyncio
import contextlib
import itertools
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.hub.config import Webhooks
from gateway.hub.webhooks import queue
from gateway.hub.webhooks.connection import WebhookConnections
from gateway.hub.webhooks.queue import QueueLane
from gateway.hub.webhooks.sender import MAX_ENDPOINTS_PER_LANE
from gateway.system.destinations import DestinationPolicy
from tests.hubs import RetailerAccess
from tests.waiting import wait_until
from tests.webhookhouse import WebhookHouse, webhook_house

pytestmark = pytest.mark.slow

SLOW = "/slow/4"  # just not slow enough to be called so


async def test_a_stranger_s_sandboxes_hold_up_no_retailer_s_webhook(tmp_path: Path) -> None:
    many = Webhooks(private=True, plain=True, timeout=20, sandbox_posts=10_000)
    async with webhook_house(tmp_path, many) as at:

        def pings() -> int:
            return sum(one.said["type"] == "ping" for one in at.receiver.heard(SLOW))

        for _ in range(3):
            async with at.hub.http.post("/v1/sandbox") as answer:
                made = await answer.json()
            at.retailer = RetailerAccess(made["retailer"], made["api_key"])
            for _ in range(16):
                endpoint = await at.endpoint(SLOW)
                await at.ask("POST", f"/{endpoint['id']}/test", status=202)
        # Each answers its challenge first, as slowly
        await wait_until(lambda: pings() >= MAX_ENDPOINTS_PER_LANE[QueueLane.SANDBOX], 60)
        assert await answered(at) < 2, "though every lane of the sandboxes is taken"


async def test_one_retailer_with_many_endpoints_holds_up_no_other(tmp_path: Path) -> None:
    async with webhook_house(tmp_path, Webhooks(private=True, plain=True, timeout=20)) as at:
        for _ in range(3):
            at.retailer = await at.hub.retailer()
            for _ in range(16):
                await at.endpoint(SLOW)
            await at.tell(20)
        await at.receiver.until(24, SLOW)
        assert await answered(at) < 2


async def test_what_waited_for_a_clock_that_ran_ahead_is_sent_once_it_is_put_back(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        at.wall.ahead = 2 * 86_400
        endpoint = await at.endpoint("/once")
        await at.tell()
        await at.until(endpoint, lambda log: log[0]["attempts_made"] == 1)
        at.wall.ahead = 0
        assert await queue.clamp_due_times(at.hub.hub.store, at.hub.hub.now()) >= 1
        assert await queue.clamp_due_times(at.hub.hub.store, at.hub.hub.now()) == 0
        at.hub.hub.wake_ups.messages()
        await at.until(endpoint, lambda log: log[0]["state"] == "delivered")


async def answered(at: WebhookHouse) -> float:
    """How long another retailer's message takes."""
    at.retailer = await at.hub.retailer("Soleil")
    await at.endpoint("/ok")
    began = time.monotonic()
    await at.tell()
    await at.receiver.until(1, "/ok")
    return time.monotonic() - began


@contextlib.contextmanager
def endless(begins: bytes, goes_on: bytes) -> Iterator[int]:
    """A receiver in a process of its own that never comes to the end of its answer; its port."""

    def serve(told: "multiprocessing.Queue[int]") -> None:
        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(begins)
                for _ in itertools.count():
                    writer.write(goes_on * 2000)
                    await writer.drain()

        async def run() -> None:
            server = await asyncio.start_server(pour, "127.0.0.1", 0)
            told.put(server.sockets[0].getsockname()[1])
            await server.serve_forever()

        asyncio.run(run())

    forked = multiprocessing.get_context("fork")
    port: multiprocessing.Queue[int] = forked.Queue()
    process = forked.Process(target=serve, args=(port,), daemon=True)
    process.start()
    try:
        yield port.get(timeout=20)
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"HTTP/1.1 200 OK\r\na: ", b"b"),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
    ],
    ids=("wait and wait", "headers", "one header", "chunks", "a chunk's own words", "trailers"),
)
async def test_an_answer_without_end_ends_in_time_and_the_hub_goes_on_meanwhile(begins: bytes, goes_on: bytes) -> None:
    turns, wait = 0, 2.0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    allowed = DestinationPolicy(private=True, plain=True)
    with endless(begins, goes_on) as port:
        async with WebhookConnections(allowed, seconds=time.monotonic, timeout=wait) as connections:
            beside = asyncio.create_task(others())
            began = time.monotonic()
            answer = await connections.post(f"http://127.0.0.1:{port}/x", b"{}", {})
            took = time.monotonic() - began
            beside.cancel()
    assert not answer.is_accepted
    assert took < wait + 2
    assert turns > 20 * (took - 1), "other tasks of the hub ran meanwhile"

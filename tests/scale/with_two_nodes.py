"""Two real RabbitMQ nodes in network namespaces, with the files of `perron hub-config`: what one node cannot show.

Run by `make test-scale`, as root.
"""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.hub.boxes import presence
from gateway.hub.cluster.rabbitmq import set_up
from gateway.hub.config import Boxes, HubFile, Rabbit
from gateway.hub.process import HubProcess
from gateway.mqtt.client import ShortSession
from gateway.protocol.box_hub import Hello, down_topic
from tests.hubs import hub_file, run_hub
from tests.scale.cluster import PORT, missing_requirement, start_nodes
from tests.scale.network import bridge
from tests.scale.rabbit import RabbitNode
from tests.scale.with_one_node import (
    TIMEOUT_S,
    JoinedBox,
    NodePlace,
    enqueue_job,
    next_message,
    publish,
    revoke_while_connected,
    unsubscribe,
    wait_for_job,
    wait_until_connected,
)

HELLO = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris").model_dump_json().encode()
DISTRIBUTION_FLAGS = 0x14_0307_0F84  # what Erlang 27 asks of another node (erts/emulator/beam/dist.h)
CONNECTION_QUERY = """[element(4, element(2, lists:keyfind(address, 1, I)))
    || {N, I} <- element(2, net_kernel:nodes_info()), lists:member(N, nodes())]."""


@dataclass
class NodePair:
    """Two nodes; boxes come to the first, the hub to the second."""

    place: NodePlace
    nodes: list[RabbitNode]

    @property
    def file(self) -> HubFile:
        return self.place.file

    def context(self, ca: Path, shown: tuple[Path, Path | None] | None) -> ssl.SSLContext:
        """Believe this authority and show this certificate."""
        context = ssl.create_default_context(cafile=ca)
        if shown is not None:
            context.load_cert_chain(*shown)
        return context


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[NodePair]:
    why = missing_requirement()
    assert why is None, why
    async with contextlib.AsyncExitStack() as stack:
        net = await stack.enter_async_context(bridge(2))
        rabbit = Rabbit(
            nodes={f"r{number}": net.at(number) for number in (1, 2)}, files=tmp_path / "hub" / "rabbit" / "NODE",
            memory=0.2,
        )  # fmt: skip
        boxes = Boxes(host="mqtt.hub.example", port=PORT)
        file = hub_file(tmp_path).model_copy(update={"rabbit": rabbit, "boxes": boxes})
        assert file.lines[0].host == net.at(2)
        set_up(file, boxes, rabbit, now=datetime.now(UTC))
        nodes = await start_nodes(stack, tmp_path, net, lambda _said: None, count=2)
        yield NodePair(NodePlace(file, nodes[0], tmp_path, host=net.at(1)), nodes)


async def is_port_answering(pair: NodePair, shown: tuple[Path, Path | None] | None) -> bool:
    """Whether the port by which nodes speak to each other answers whoever shows this with anything at all."""
    authority = pair.file.cluster / "r1" / "internode" / "authority.pem"
    assert pair.file.rabbit is not None
    at = pair.place.host, pair.file.rabbit.distribution
    try:
        reader, writer = await asyncio.open_connection(*at, ssl=pair.context(authority, shown))
    except OSError:  # ssl.SSLError is one
        return False
    name = b"r9@127.0.0.9"
    said = struct.pack(">cQIH", b"N", DISTRIBUTION_FLAGS, 1, len(name)) + name
    try:
        writer.write(len(said).to_bytes(4, "big") + said)  # Erlang's first word: my name
        async with asyncio.timeout(TIMEOUT_S):
            return await reader.read(1) != b""
    except OSError:
        return False
    finally:
        writer.transport.abort()


async def test_nodes_speak_by_tls_and_whoever_is_no_node_is_refused_also_with_a_home_s_or_the_hub_s_certificate(
    pair: NodePair,
) -> None:
    for node in pair.nodes:
        told = await node.tells("eval", CONNECTION_QUERY)
        assert told.strip() == "[tls]", told
    own = pair.file.cluster / "r2" / "internode"
    assert await is_port_answering(pair, (own / "node.pem", own / "node.key")), "a node's"
    assert not await is_port_answering(pair, None), "none"
    async with run_hub(pair.file) as hub:
        await wait_until_connected(hub)
        one = await pair.place.joined(hub, "one")
        assert not await is_port_answering(pair, (one.box.folder / "identity.pem", None)), "a home's"
    assert not await is_port_answering(pair, (pair.file.cluster / "hub-1.pem", None)), "the hub's"
    boxes = pair.file.cluster / "r2" / "tls"
    assert not await is_port_answering(pair, (boxes / "broker.pem", boxes / "broker.key")), "that which boxes are shown"


async def test_a_home_at_one_node_is_cut_off_by_the_hub_at_the_other_when_it_is_revoked_or_hears_nothing(
    pair: NodePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "RECHECK_DELAY_S", 1.0)
    async with run_hub(pair.file) as hub:
        await wait_until_connected(hub)
        one, other = await pair.place.joined(hub, "one"), await pair.place.joined(hub, "other")
        async with other.line() as steady:
            await say_hello(steady, other)
            with pytest.raises(ConnectionError):
                await revoke_while_connected(one, hub.hub)
            with pytest.raises(ConnectionError):
                async with one.line():
                    pass
            assert await publish(steady, other.topic("hello"), HELLO) == 0, "nobody else was"
        with pytest.raises(ConnectionError):
            await lose_subscription(pair, other, hub.hub)
        async with other.line() as anew:
            await say_hello(anew, other)
            assert await next_message(anew, down_topic(other.home, "jobs")), "what waited is here"


async def say_hello(line: ShortSession, one: JoinedBox) -> None:
    """Say hello and hear the answer."""
    await publish(line, one.topic("hello"), HELLO)
    await next_message(line, down_topic(one.home, "ack"))


async def lose_subscription(pair: NodePair, one: JoinedBox, hub: HubProcess) -> None:
    """Be there, and lose what it had subscribed to; the hub has something for it."""
    async with one.line() as line:
        await say_hello(line, one)
        await unsubscribe(pair.nodes[0], one.home)
        await wait_for_job(hub, await enqueue_job(hub, one.home), "parked", value=True)
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                await line.receive()  # an answer to an earlier hello may be on its way still

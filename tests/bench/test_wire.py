"""The benches' MQTT client against a real broker."""

import asyncio

import pytest

from tests.bench.wire import LeanClient, connected
from tests.mosquitto import mosquitto


async def test_more_messages_than_the_broker_takes_at_once_come_back_in_order_with_their_correlation() -> None:
    came: list[tuple[str, bytes, bytes | None]] = []
    all_came = asyncio.Event()

    def on_message(topic: str, payload: bytes, correlation: bytes | None, _at: float) -> None:
        came.append((topic, payload, correlation))
        if len(came) == 500:
            all_came.set()

    client = LeanClient(on_message)
    async with mosquitto({"street": "word"}, "user street\ntopic readwrite #\n") as broker:
        async with connected(client, broker.port, "street", "word"):
            await client.subscribe("bench/+")
            for n in range(500):
                client.publish(f"bench/{n}", b"p" * n, correlation=str(n).encode())
            async with asyncio.timeout(30):
                await all_came.wait()
        with pytest.raises(ConnectionRefusedError):
            async with connected(LeanClient(on_message), broker.port, "street", "wrong"):
                pass
    assert came == [(f"bench/{n}", b"p" * n, str(n).encode()) for n in range(500)]

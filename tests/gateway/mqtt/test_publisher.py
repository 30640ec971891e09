"""Which quality of service a line hears by, one line after the other, at a real broker."""

import asyncio
import contextlib
import re
import time
from pathlib import Path

from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import ConnectionOptions
from gateway.system.mqtt_settings import BrokerSection, OverflowPolicy, Subscription
from tests.mosquitto import mosquitto
from tests.wire import TcpRelay

TOPIC = "dn/home-1/jobs"


async def test_a_line_that_comes_again_hears_by_the_next_of_its_qualities(tmp_path: Path) -> None:
    ups: asyncio.Queue[int] = asyncio.Queue()

    async def number() -> int:
        return 1

    async with mosquitto({"home-1": "secret"}, f"user home-1\ntopic read {TOPIC}\n") as broker:
        wire, word = TcpRelay(broker.port), tmp_path / "word"
        word.write_text("secret\n")
        line = MqttClient(
            broker=BrokerSection(port=wire.port, username="home-1", password_file=word),
            subscriptions=[Subscription(topic=TOPIC, wants_retained=False, overflow=OverflowPolicy.DROP_AND_QUERY)],
            session_number=number, on_message=lambda _incoming: None, on_up=ups.put_nowait,
            on_down=lambda _why: None, on_missed=lambda _topic: None, monotonic=time.monotonic,
            options=ConnectionOptions(qos=(0, 1)),
        )  # fmt: skip
        task = asyncio.create_task(line.run())
        try:
            for _ in range(3):
                async with asyncio.timeout(30):
                    await ups.get()
                wire.cut()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            wire.close()
    options = re.findall(re.escape(TOPIC.encode()) + rb"(.)", bytes(wire.seen), re.DOTALL)
    assert [one[0] & 3 for one in options] == [0, 1, 0]

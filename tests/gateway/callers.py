"""Who comes to the broker in tests: as an account of the house, or as a client that keeps none of our rules."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiomqtt

from gateway.config.home import Home
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import InboundMessage, Sent
from gateway.system.mqtt_settings import BrokerSection

TIMEOUT_S = 30.0


@contextlib.asynccontextmanager
async def open_session(broker: BrokerSection, *topics: str) -> AsyncIterator[ShortSession]:
    async with connect_once(broker, topics, monotonic=time.monotonic) as visitor:
        yield visitor


def account_session(home: Home, account: str, *topics: str) -> contextlib.AbstractAsyncContextManager[ShortSession]:
    return open_session(home.broker.account(account), *topics)


async def publish_reason_code(visitor: ShortSession, topic: str, payload: bytes = b"x") -> int | None:
    """The broker's reason code for a retained message."""
    outcome = visitor.publish(topic, payload, retain=True)
    assert isinstance(outcome, Sent)
    async with asyncio.timeout(TIMEOUT_S):
        return (await outcome.acknowledged).code


async def collect_until(visitor: ShortSession, payload: bytes) -> list[InboundMessage]:
    """All that came up to and with the message of this payload."""
    came: list[InboundMessage] = []
    async with asyncio.timeout(TIMEOUT_S):
        while not came or came[-1].payload != payload:
            came.append(await visitor.receive())
    return came


def raw_client(home: Home, account: str | None, **more: object) -> aiomqtt.Client:
    """A client that keeps none of our rules."""
    return aiomqtt.Client(
        home.broker.host,
        home.broker.port,
        username=account,
        password=None if account is None else home.broker.account(account).password(),
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=TIMEOUT_S,
        **more,  # type: ignore[arg-type]  # each test knows what it passes
    )

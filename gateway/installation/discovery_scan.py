"""Collects announcements on the house's broker."""

import asyncio
import contextlib
from collections.abc import Callable

from devices.vendors.matter import NODES
from gateway.config.broker_acl import bridge_topics
from gateway.config.home import Home
from gateway.installation import discovery
from gateway.installation.discovery import ZWAVE_LOCK_SUFFIX, DiscoveredDevice
from gateway.mqtt.client import ShortSession

OWN_AVAILABILITY_TOPIC = "perron/+/availability"
# Below a base topic: the lists of Zigbee2MQTT and `perron matter`, Frigate, a Z-Wave lock by number or place and name
BRIDGE_TOPICS = ("bridge/devices", NODES, "available", f"+{ZWAVE_LOCK_SUFFIX}", f"+/+{ZWAVE_LOCK_SUFFIX}")

DiscoveryHandler = Callable[[DiscoveredDevice], None]


def discovery_topics(home: Home) -> list[str]:
    """Return the topics of announcements: those of Perron's devices, and those below each bridge's base topic."""
    bases = [base for topics in bridge_topics(home).values() for base in topics]
    return [OWN_AVAILABILITY_TOPIC, *(f"{base}/{topic}" for base in bases for topic in BRIDGE_TOPICS)]


async def scan_broker(home: Home, session: ShortSession, seconds: float, on_found: DiscoveryHandler) -> None:
    """Read retained and new messages of the broker for `seconds`, and call `on_found` for each announced device.

    Raises:
        gateway.mqtt.connection.BrokerError: the connection ended; `connect_once` makes a ConnectionError of it.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                incoming = await session.receive()
                for sighting in discovery.read_broker_message(home, incoming.topic, incoming.payload):
                    on_found(sighting)

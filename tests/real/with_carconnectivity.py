"""A real CarConnectivity says what `devices/vendors/carconnectivity.py` believes that it says, over a real mosquitto.

Run by `make test-carconnectivity`, which installs it; not part of `make test`. The maker's cloud alone is played
(played_maker.py): the car's objects, their words, the topics and the MQTT plugin are its own.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.reports import DoorReport, DoorState, LockReport, LockState, ParkedReport, Report
from devices.vendors import carconnectivity as vendor
from devices.vendors.words import DeviceRef
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import InboundMessage
from gateway.system.mqtt_settings import BrokerSection
from tests.mosquitto import mosquitto

VENV = Path(os.environ.get("CARCONNECTIVITY", "build/carconnectivity")).absolute()  # the make target says where
VIN = "WVWZZZ1KZ1P000001"
DEVICE_REF = DeviceRef(f"carconnectivity/0/garage/{VIN}", kind="car")
TOPICS = {topic: channel for channel, topic in vendor.topics(DEVICE_REF).items()}
TIMEOUT_S = 30.0


@dataclass
class Maker:
    """The car at its maker's, and the broker to which CarConnectivity brings what changes."""

    account: BrokerSection
    process: asyncio.subprocess.Process

    async def says(self, attribute: str, value: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{attribute} {value}\n".encode())
        await self.process.stdin.drain()

    def listening(self) -> contextlib.AbstractAsyncContextManager[ShortSession]:
        return connect_once(self.account, [f"{DEVICE_REF.address}/#"], monotonic=time.monotonic)


@contextlib.asynccontextmanager
async def maker(folder: Path) -> AsyncIterator[Maker]:
    passwords = {name: secrets.token_hex(8) for name in ("gateway", "carconnectivity")}
    acl = "".join(f"user {name}\ntopic readwrite carconnectivity/#\n" for name in passwords)
    connector = folder / "carconnectivity_connectors" / "played"
    connector.mkdir(parents=True)
    (connector / "__init__.py").touch()
    # At its start it asks the network's time servers, and ends where no name is found: here nobody is asked
    (folder / "ntplib.py").write_text(
        "class NTPException(Exception): ...\n"
        "class NTPClient:\n    def request(self, *_, **__):\n        raise NTPException('not asked')\n"
    )
    shutil.copy(Path(__file__).with_name("played_maker.py"), connector / "connector.py")
    async with mosquitto(passwords, acl) as broker:
        secret = folder / "gateway.password"
        secret.write_text(passwords["gateway"])
        plugin = {
            "broker": "127.0.0.1", "port": broker.port, "username": "carconnectivity",
            "password": passwords["carconnectivity"],
        }  # fmt: skip
        settings = {
            "carConnectivity": {
                "connectors": [{"type": "played", "config": {}}], "plugins": [{"type": "mqtt", "config": plugin}],
            }
        }  # fmt: skip
        (folder / "settings.json").write_text(json.dumps(settings))
        with (folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                str(VENV / "bin" / "carconnectivity-mqtt"), str(folder / "settings.json"), cwd=folder,
                stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(folder)},
            )  # fmt: skip
        try:
            yield Maker(BrokerSection(port=broker.port, username="gateway", password_file=secret), process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def next_of_car(session: ShortSession) -> tuple[InboundMessage, Report]:
    """The next message of which the vendor reads a report."""
    async with asyncio.timeout(TIMEOUT_S):
        while (message := await session.receive()).topic not in TOPICS:
            pass
    (report,) = vendor.decode_report(TOPICS[message.topic], message.payload, DEVICE_REF)
    return message, report


@pytest.mark.parametrize(
    ("attribute", "value", "report"),
    [
        ("doors/trunk/open_state", "open", DoorReport(door=DoorState.OPEN)),
        ("doors/trunk/open_state", "ajar", DoorReport(door=DoorState.AJAR)),
        ("doors/trunk/open_state", "unknown open state", DoorReport(door=DoorState.UNKNOWN)),
        ("doors/lock_state", "unlocked", LockReport(bolt=LockState.UNLOCKED)),
        ("doors/lock_state", "invalid", LockReport(bolt=LockState.UNKNOWN)),
        ("state", "driving", ParkedReport(parked=False)),
        ("state", "ignition_on", ParkedReport(parked=False)),
        ("state", "offline", ParkedReport(parked=None)),
    ],
)
async def test_what_a_maker_knows_of_its_car_is_heard_as_it_is_meant(
    tmp_path: Path, attribute: str, value: str, report: Report
) -> None:
    async with maker(tmp_path) as car, car.listening() as gateway:
        await car.says(attribute, value)
        assert (await next_of_car(gateway))[1] == report


async def test_good_news_is_kept_at_the_broker_and_bad_news_too(tmp_path: Path) -> None:
    """What lies there may be hours old: such a car opens nothing, and its bad news counts."""
    async with maker(tmp_path) as car:
        async with car.listening() as gateway:
            for attribute, value in (("doors/trunk/open_state", "closed"), ("state", "driving")):
                await car.says(attribute, value)
                assert not (await next_of_car(gateway))[0].retain
        async with car.listening() as later:
            kept = [await next_of_car(later) for _ in range(2)]
    assert all(message.retain for message, _ in kept)
    assert {report for _, report in kept} == {DoorReport(door=DoorState.CLOSED), ParkedReport(parked=False)}

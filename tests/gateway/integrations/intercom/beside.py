"""`perron intercom` between a real broker and a peer that was written from its maker's documents alone."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
from aiohttp import web
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.reports import Report
from devices.vendors import perron
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.integrations.intercom.file import IntercomFile
from gateway.integrations.intercom.line import IntercomLine
from gateway.integrations.intercom.process import IntercomProcess, make_intercom
from tests.devices.street import gateway_client
from tests.mosquitto import Mosquitto, mosquitto
from tests.peers.line import serve
from tests.waiting import wait_until

DEVICE = "street-strike"
STRIKE = DeviceRef(kind="strike")
ACCESS_LIST = f"""\
user gateway
topic readwrite #
user {DEVICE}
topic readwrite perron/{DEVICE}/#
"""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message of the process."""

    channel: TopicSuffix
    payload: bytes
    reports: tuple[Report, ...]
    retained: bool
    correlation: bytes | None
    boot: str | None
    uptime_ms: int


@dataclass
class Beside:
    """The house's side of the process: what was said so far, and a gateway that orders and asks."""

    client: aiomqtt.Client
    broker: Mosquitto
    process: IntercomProcess
    make: Callable[[], IntercomProcess]
    said: list[Said] = field(default_factory=list)
    running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the process."""
        self.running = asyncio.create_task(self.process.run())

    async def end(self) -> None:
        """End it; it ends by no error."""
        assert self.running is not None
        self.running.cancel()
        (end,) = await asyncio.gather(self.running, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError | None), end

    async def process_again(self) -> None:
        """End the process, and start another one."""
        await self.end()
        self.process = self.make()
        self.begin()

    async def listen(self) -> None:
        """Hear all until cancelled."""
        async for message in self.client.messages:
            channel = TopicSuffix(message.topic.value.rpartition("/")[2])
            properties: Any = message.properties
            user = dict(getattr(properties, "UserProperty", []))
            payload = bytes(message.payload)
            if channel in (TopicSuffix.SET, TopicSuffix.GET):
                continue
            self.said.append(
                Said(
                    channel=channel, payload=payload, reports=perron.decode_report(channel, payload, STRIKE),
                    retained=message.retain, correlation=getattr(properties, "CorrelationData", None),
                    boot=user.get("boot"), uptime_ms=int(user.get("uptime", 0)),
                )
            )  # fmt: skip

    async def until_said(self, report: Report, *, after: int = 0, within: float = 20.0) -> Said:
        """Return the first message with this report."""
        found: list[Said] = []

        def is_said() -> bool:
            found[:] = [one for one in self.said[after:] if report in one.reports]
            return bool(found)

        await wait_until(is_said, within)
        return found[0]

    async def order(self, id_: str = "v1", *, life: float = 5.0, retain: bool = False, **more: object) -> None:
        """Order it to release."""
        now = datetime.now(UTC)
        body = {
            "do": "open", "id": id_, "intent": id_, "issued_at": rfc3339(now),
            "expires_at": rfc3339(now + timedelta(seconds=life)), **more,
        }  # fmt: skip
        await self.send(json.dumps(body).encode(), retain=retain)

    async def send(self, payload: bytes, *, retain: bool = False) -> None:
        """Send any payload as an order."""
        await self.client.publish(f"perron/{DEVICE}/set", payload, qos=1, retain=retain)

    async def ask(self) -> Said:
        """Ask it, and return its answer."""
        mark = secrets.token_hex(4).encode()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho leaves it untyped
        properties.CorrelationData = mark
        await self.client.publish(f"perron/{DEVICE}/get", b"{}", qos=1, properties=properties)
        await wait_until(lambda: any(one.correlation == mark for one in self.said))
        return next(one for one in self.said if one.correlation == mark)


def rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_credentials(folder: Path, user: str, password: str) -> Path:
    """Write the file of an account as it must be."""
    file = folder / "intercom.credentials"
    file.write_text(f"{user}:{password}\n", encoding="utf-8")
    file.chmod(0o600)
    return file


@contextlib.asynccontextmanager
async def beside(  # noqa: PLR0913 - what stands on both sides
    folder: Path,
    app: web.Application,
    section: Mapping[str, object],
    *,
    login: tuple[str, str],
    check_s: float = 0.3,
    served: Callable[[web.Application], contextlib.AbstractAsyncContextManager[object]] = serve,
) -> AsyncIterator[Beside]:
    """Run broker, peer and process until left; `section` is the intercom's, without address and account."""
    credentials = write_credentials(folder, *login)
    accounts = {"gateway": "g", DEVICE: "s"}
    password = folder / "broker.password"
    password.write_text("s", encoding="utf-8")
    async with mosquitto(accounts, ACCESS_LIST) as broker, served(app) as url:
        file = IntercomFile.model_validate(
            {
                "device": DEVICE,
                "broker": {"port": broker.port, "username": DEVICE, "password_file": password},
                "intercom": {"url": str(url).rstrip("/"), "credentials_file": credentials, "timeout": 1.0, **section},
                "check": check_s,
            }
        )
        async with IntercomLine.open(file.intercom) as line, gateway_client(broker) as client:
            await client.subscribe(f"perron/{DEVICE}/#", qos=1)

            def make() -> IntercomProcess:
                return IntercomProcess(file, make_intercom(file, line))

            one = Beside(client, broker, make(), make)
            listening = asyncio.create_task(one.listen())
            one.begin()
            try:
                yield one
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                await one.end()

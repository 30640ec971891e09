"""A box whose robots speak over a real broker, and an attacker who builds each byte himself.

Robot and supervisor here use nothing of the gateway: JSON, JWS and requests are written by hand from the published
schemas and from docs/installer/robots.md.
"""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import aiomqtt
from aiohttp import ClientSession, CookieJar
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from devices.reports import SignalReport
from gateway.config.home import Home
from gateway.config.topics import DeviceOrigin, TopicMap
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Phase
from gateway.mqtt.client import MqttClient
from gateway.mqtt.mosquitto.provisioning import free_port, private_broker
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import GATEWAY_BIRTH_AND_WILL
from gateway.runtime.robot_door import RobotDoor
from gateway.runtime.supervision import SupervisionDesk
from tests.gateway.callers import raw_client
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_offer_v2
from tests.shell.box import IN_WINDOW_MONO_S, SESSION, ShellBox, box, run_tasks
from tests.shell.house import make_home
from tests.shell.links import LINK, submit
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

OPERATOR_KEY, OTHER_OPERATOR_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
ADDRESSES = {"r1": "vda5050/v3/KIT/0001", "r2": "vda5050/v3/KIT/0002", "s1": "vda5050/v3/SNOW/1"}
ZONE, ZONE_SET = "door-1", "ground-floor"
_MARKERS, _HEADERS = count(1), count(1)
Claims = dict[str, Any]


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Claims, claims: Claims, sign: Callable[[bytes], bytes]) -> str:
    """Return a compact JWS (RFC 7515)."""
    parts = [b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)]
    return ".".join((*parts, b64(sign(".".join(parts).encode()))))


def public(key: Ed25519PrivateKey) -> str:
    return b64(key.public_key().public_bytes_raw())


def home_with_robots(folder: Path) -> Home:
    """Two robots of one operator, one of another, who has a supervisor too."""
    document = make_home(folder, yes_life=10.0, approval=60.0).model_dump(mode="json")
    document["broker"] = {"port": free_port(), "password_file": str(folder / "broker" / "gateway.password")}
    document["devices"] |= {
        name: {"kind": "robot", "vendor": "vda5050", "address": address, "operator": operator}
        for (name, address), operator in zip(ADDRESSES.items(), ("trundle", "trundle", "snow"), strict=True)
    }
    document["operators"] = {
        "trundle": {"name": "Trundle", "keys": [{"kid": "trundle-1", "x": public(OPERATOR_KEY)}]},
        "snow": {"name": "Snow", "keys": [{"kid": "snow-1", "x": public(OTHER_OPERATOR_KEY)}]},
    }
    document["supervisors"] = {
        "ines": {"name": "Ines", "operator": "trundle"}, "otto": {"name": "Otto", "operator": "snow"},
    }  # fmt: skip
    document["entrances"]["front"]["robots"] = {"devices": list(ADDRESSES), "zone": ZONE, "zone_set": ZONE_SET}
    return Home.model_validate(document, strict=False)


def state_of(address: str, *requests: tuple[str, str], loads: tuple[str, ...] = (PARCEL,)) -> Claims:
    """Return a state as the schema of VDA 5050 has it."""
    manufacturer, serial = address.split("/")[-2:]
    return {
        "headerId": next(_HEADERS), "timestamp": "2026-06-01T14:00:00.000Z", "version": "3.0.0",
        "manufacturer": manufacturer, "serialNumber": serial, "orderId": "o", "orderUpdateId": 0, "lastNodeId": "n",
        "lastNodeSequenceId": 0, "nodeStates": [], "edgeStates": [], "driving": True, "actionStates": [],
        "instantActionStates": [], "powerSupply": {"stateOfCharge": 80.0, "charging": False},
        "operatingMode": "AUTOMATIC", "errors": [],
        "safetyState": {"activeEmergencyStop": "NONE", "fieldViolation": False},
        "loads": [{"loadId": load} for load in loads],
        "zoneRequests": [
            {
                "requestId": ident, "requestType": "ACCESS", "zoneId": ZONE, "zoneSetId": ZONE_SET,
                "requestStatus": status,
            }
            for ident, status in requests
        ],
    }  # fmt: skip


def claims_of(address: str, challenge: Claims, seconds: float) -> Claims:
    """Return what an honest robot signs, `seconds` after 1970."""
    return {
        "iss": "trundle", "sub": "/".join(address.split("/")[-2:]), "aud": "box-1", "jti": "j" * 22,
        "nonce": challenge["nonce"], "iat": int(seconds), "exp": int(seconds) + 60, "brand": "shop", "delivery": "d1",
        "loads": [PARCEL],
    }  # fmt: skip


class Robot:
    """A robot, or whoever has its account at the broker. It says what the test lets it say."""

    def __init__(self, doorway: "Doorway", name: str, client: aiomqtt.Client) -> None:
        self.name, self.address, self._doorway, self._client = name, ADDRESSES[name], doorway, client
        self.grants: list[tuple[str, str]] = []  # request, grant
        self.challenges: list[Claims] = []
        self.seen = 0  # messages from the box

    async def listen(self) -> None:
        """Keep what the box says."""
        async for message in self._client.messages:
            body = json.loads(bytes(message.payload))
            self.seen += 1
            if str(message.topic).endswith("/perronChallenge"):
                self.challenges.append(body)
            else:
                self.grants += [(one["requestId"], one["grantType"]) for one in body["responses"]]

    def state(self, *requests: tuple[str, str], loads: tuple[str, ...] = (PARCEL,), **changes: Any) -> Claims:  # noqa: ANN401 - any JSON
        """Return its state; `requests`: id and status."""
        return state_of(self.address, *requests, loads=loads) | changes

    async def says(self, body: Claims | bytes | str, topic: str = "state", *, at: str = "") -> None:
        """Publish at its own address, or at another one, whatever the broker does with it."""
        payload = json.dumps(body) if isinstance(body, dict) else body
        await self._client.publish(f"{at or self.address}/{topic}", payload, qos=1)

    async def asks(self, request: str) -> Claims:
        """Ask for the door, and return the challenge."""
        await self.says(self.state((request, "REQUESTED")))
        await wait_until(lambda: any(one["requestId"] == request for one in self.challenges))
        return self.challenges[-1]

    def claims(self, challenge: Claims, **changes: Any) -> Claims:  # noqa: ANN401 - any claim
        """Return what an honest robot signs, but for these claims."""
        return claims_of(self.address, challenge, self._doorway.made.time.wall()) | changes

    def token(self, challenge: Claims, **changes: Any) -> str:  # noqa: ANN401 - any claim
        """Return the token of an honest robot, but for these claims."""
        return signed(
            {"alg": "Ed25519", "kid": "trundle-1", "typ": "perron-robot+jwt"}, self.claims(challenge, **changes),
            OPERATOR_KEY.sign,
        )  # fmt: skip

    def last(self, request: str) -> str | None:
        """Return the newest answer to a request."""
        return next((grant for ident, grant in reversed(self.grants) if ident == request), None)


class Browser:
    """A supervisor's browser, without a line of the page's own script."""

    def __init__(self, doorway: "Doorway", name: str, operator: str, client: ClientSession) -> None:
        self.name, self.operator, self._doorway, self.client = name, operator, doorway, client
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.ident = ""

    async def sign_in(self, site: ServedSite) -> None:
        """Take the owner's link."""
        link = await submit(site, f"/robots/{self.name}/link", LINK)
        async with self.client.post(link, data={"key": json.dumps(self.jwk)}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        (cookie,) = (one for one in self.client.cookie_jar if one.key.endswith("supervisor"))
        self.ident = cookie.value.partition(".")[0]

    @property
    def jwk(self) -> Claims:
        """The public half of its key."""
        numbers = self.key.public_key().public_numbers()
        return {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}

    async def visits(self) -> list[Claims]:
        """Return what the page shows."""
        async with self.client.get("/supervisor/visits") as answer:
            return list((await answer.json())["visits"])

    async def picture(self, visit: str) -> bytes:
        """Look; empty: there is no picture for this browser."""
        async with self.client.get(f"/supervisor/picture/{visit}") as answer:
            return await answer.read()

    def claims(self, visit: str, picture: bytes, **changes: Any) -> Claims:  # noqa: ANN401 - any claim
        """Return what an honest browser signs for a yes."""
        now = int(self._doorway.made.time.wall())
        return {
            "iss": self.operator, "sub": self.name, "aud": "box-1", "jti": "j" * 22, "iat": now, "exp": now + 30,
            "visit": visit, "closure": "door", "picture_sha256": sha256(picture).hexdigest(), "yes": True,
        } | changes  # fmt: skip

    def token(self, claims: Claims, **header: Any) -> str:  # noqa: ANN401 - any header
        """Sign with this browser's key."""

        def sign(data: bytes) -> bytes:
            r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)

        return signed({"alg": "ES256", "typ": "perron-yes+jwt", "kid": self.ident} | header, claims, sign)

    async def sends(self, token: str) -> int:
        """Send a decision; return the status."""
        async with self.client.post("/supervisor/decide", data={"token": token}) as answer:
            return answer.status


class Doorway:
    """The box, its broker and its pages."""

    site: ServedSite

    def __init__(self, made: ShellBox, line: MqttClient) -> None:
        self.made, self._line = made, line
        self._tasks: list[asyncio.Task[None]] = []
        self._open_door()

    def _open_door(self) -> None:
        """Follow the front entrance, which answers robots from now on."""
        front = self.made.front
        door = RobotDoor(front, home=self.made.home, publisher=self._line, clock=self.made.clock)
        front.on_robot.append(door.on_report)
        front.on_commands.append(door.on_commands)
        self._works = front.run(), door.run()

    def starts(self) -> None:
        """Run the front entrance and its zone."""
        self._tasks = [asyncio.create_task(work) for work in self._works]

    async def ends(self) -> None:
        """End both at once; what the entrance did not store is lost."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended

    async def is_killed(self) -> None:
        """Kill the gateway of the front entrance, and start it from what its store has."""
        await self.ends()
        self.made.reopen("front")
        self._open_door()
        self.made.front.post(e.Restarted(safe_mode=False))
        self.made.front.post(e.BrokerUp(session=SESSION))
        self.made.front.post(e.DiskChanged(ok=True))
        self.starts()
        await self.made.quiet()

    @property
    def unlocks(self) -> int:
        """How often the box decided to open."""
        return len(self.made.commands(c.Unlock))

    @property
    def locks(self) -> int:
        """How often it decided to lock."""
        return len(self.made.commands(c.Lock))

    @property
    def visit(self) -> str | None:
        """The running visit."""
        visit = self.made.front.state.visit
        return None if visit is None else visit.id

    @property
    def phase(self) -> Phase | None:
        """The phase of the running visit."""
        visit = self.made.front.state.visit
        return None if visit is None else visit.phase

    async def settles(self, *robots: Robot) -> None:
        """Wait until the box has handled all that these robots sent. Afterwards they want nothing."""
        for robot in robots:
            await self.settles_with(robot)

    async def settles_with(self, robot: Robot, *requests: tuple[str, str]) -> None:
        """The same for one robot, which keeps these requests: the box answers a request that comes after all else."""
        marker = f"marker-{next(_MARKERS)}"
        await robot.says(robot.state(*requests, (marker, "GRANTED")))
        await wait_until(lambda: robot.last(marker) is not None)
        await robot.says(robot.state(*requests))
        await self.made.quiet()

    async def rings_out(self) -> None:
        """The household does not answer."""
        assert self.visit is not None
        self.made.film(self.visit)
        (ring,) = (one for one in self.made.line.on("perron/signal/set")[-1:] if b'"ring"' in one.payload)
        self.made.says("signal", SignalReport(id=json.loads(ring.payload)["id"]))
        await self.made.quiet()
        await self.made.commits(self.visit)
        await self.made.quiet()


@asynccontextmanager
async def doorway(folder: Path) -> AsyncIterator[Doorway]:
    """A good day in the window of a robot's order; the robots are connected and fit."""
    home = home_with_robots(folder)
    pictures = 0

    async def picture(_camera: str) -> bytes:
        nonlocal pictures
        pictures += 1
        return b"\xff\xd8 picture %d" % pictures

    time_of_box = ManualTime(mono=IN_WINDOW_MONO_S)
    async with private_broker(folder / "broker", home), box(folder, home, time=time_of_box) as made:
        await store_state(home, "r1", ("stored", "REQUESTED"))
        offer = make_offer_v2(holder="robot", yes_each=True, courier_sha256=None)
        await receive(made.store, offer, now=NOW)
        topics = TopicMap(home)

        def on_message(incoming: InboundMessage) -> None:
            origin = topics.origin(incoming.topic)
            if isinstance(origin, DeviceOrigin):
                for device in origin.devices:
                    made.front.on_message(device, origin.channel, incoming)

        async def session() -> int:
            return SESSION

        up = asyncio.Event()
        line = MqttClient(
            broker=home.broker, subscriptions=topics.subscriptions, session_number=session, on_message=on_message,
            on_up=lambda _session: up.set(), on_down=lambda _why: None, on_missed=lambda _topic: None,
            monotonic=time.monotonic, birth_and_will=GATEWAY_BIRTH_AND_WILL,
        )  # fmt: skip
        there = Doorway(made, line)
        desk = SupervisionDesk(home, entrances=made.entrances, clock=made.clock, take_picture=picture)
        others = run_tasks(line.run(), made.entrances["garage"].run(), *made.other_works())
        async with others, serve_site(made, supervision=desk) as there.site:
            there.starts()
            try:
                await up.wait()
                await made.good_day()
                yield there
            finally:
                await there.ends()


async def store_state(home: Home, name: str, *requests: tuple[str, str]) -> None:
    """Leave a state of a robot at the broker, which hands it to whoever connects."""
    account = ADDRESSES[name].replace("/", "-").lower()
    async with raw_client(home, account, identifier=account) as client:
        body = json.dumps(state_of(ADDRESSES[name], *requests))
        await client.publish(f"{ADDRESSES[name]}/state", body, qos=1, retain=True)


@asynccontextmanager
async def robots(there: Doorway, *names: str) -> AsyncIterator[tuple[Robot, ...]]:
    """Connect robots; each reports once that it is fit and wants nothing."""
    made: list[Robot] = []
    accounts = [ADDRESSES[name].replace("/", "-").lower() for name in names]
    clients = [raw_client(there.made.home, account, identifier=account) for account in accounts]
    async with asyncio.TaskGroup() as group:
        for name, client in zip(names, clients, strict=True):
            await client.__aenter__()
            robot = Robot(there, name, client)
            for topic in ("responses", "perronChallenge"):
                await client.subscribe(f"{robot.address}/{topic}", qos=1)
            made.append(robot)
        tasks = [group.create_task(robot.listen()) for robot in made]
        try:
            for robot in made:
                await robot.says(robot.state())
            await there.made.quiet()
            yield tuple(made)
        finally:
            for task in tasks:
                task.cancel()
            for client in clients:
                await client.__aexit__(None, None, None)


@asynccontextmanager
async def browser(there: Doorway, name: str = "ines", operator: str = "trundle") -> AsyncIterator[Browser]:
    """Sign a supervisor's browser in."""
    headers = {"Origin": there.site.address}
    async with ClientSession(there.site.address, cookie_jar=CookieJar(unsafe=True), headers=headers) as client:
        one = Browser(there, name, operator, client)
        await one.sign_in(there.site)
        yield one

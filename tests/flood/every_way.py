"""A house that is flooded through every way in at once while couriers come: what must hold, and the figures.

Its pages are served by HTTPS and, beside that, on the plain port; a bridge carries 20 thermometers, 10 more have an
account each; the kitchen's fridge speaks within its limit. What is measured: the times of a visit, the longest turn of
the gateway's loop, its memory, and how soon the owner's stop is decided.
"""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import ClientSession, CookieJar, TCPConnector

from gateway.cli.broker import logged_in, say
from gateway.config.home import Pages
from gateway.config.topics import entrance_topic
from gateway.demo.actors import Parcels
from gateway.demo.plan import Plan
from gateway.demo.scenario import Play
from gateway.domain.delivery.barcodes import normalise
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.certified import certified
from tests.flood import house
from tests.flood.visitors import unproven
from tests.gateway.web.house import HERONS
from tests.shell.parts import until
from tests.whole_house import playing

BRIDGED, ALONE = 20, 10
GARBAGE_PER_S = 2_000.0
WATCHED = "tests.flood.watched"


@dataclass(frozen=True, slots=True)
class House:
    """A running house whose pages somebody has claimed."""

    play: Play
    address: str
    plain_port: int
    cookies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Times:
    """Of a visit, in seconds from the courier's scan: it rings, it is unlocked; from the closed door: it is locked."""

    rings: float
    unlocked: float
    locked: float


@contextlib.asynccontextmanager
async def flooded_house(folder: Path) -> AsyncIterator[House]:
    """The house, not flooded yet."""
    _, chain, key = certified(folder, "127.0.0.1")
    port, plain_port = free_port(), free_port()
    pages = Pages(port=port, plain_port=plain_port, certificate=chain, key=key)

    def made(plan: Plan) -> Plan:
        sensors = house.with_sensors(plan, bridged=BRIDGED, alone=ALONE)
        return replace(sensors, home=sensors.home.model_copy(update={"pages": pages}))

    async with playing(folder, made, module=WATCHED) as play:
        address = f"https://127.0.0.1:{port}"
        yield House(play, address, plain_port, await _claimed(play, address))


async def _claimed(play: Play, address: str) -> Mapping[str, str]:
    """Become the owner; the cookies of that browser."""
    claim_code = play.plan.home.claim_code
    await until(claim_code.exists, within=30.0)  # the pages come up beside the entrance
    code = claim_code.read_text(encoding="ascii").strip()
    async with ClientSession(
        address, connector=TCPConnector(ssl=unproven()), cookie_jar=CookieJar(unsafe=True)
    ) as client:
        fields = {"code": code, "name": "Anna", "password": HERONS}
        async with client.post("/claim", data=fields, headers={"Origin": address}) as answer:
            assert answer.status == 200, await answer.text()
        return {cookie.key: cookie.value for cookie in client.cookie_jar}


def every_way(made: House, parcels: Parcels) -> Mapping[str, object]:
    """What floods it: see `python -m tests.flood`."""
    play = made.play
    fridge = house.Mqtt(
        account="alone-0", topics=["perron/alone-0/state", "perron/alone-0/result"], payloads=["null"], per_second=12
    )
    mqtt = [
        house.bridged(BRIDGED, 29), *house.alone(ALONE, 25)[1:], fridge,
        house.garbage(house.OTHER_SCANNER, GARBAGE_PER_S),
    ]  # fmt: skip
    digest = getattr(normalise(parcels.courier_code), "value", "").removeprefix("courier:")
    port = int(made.address.rpartition(":")[2])
    return {
        **house.spec(play, mqtt),
        "pages": made.address,
        "pipelined": [
            {"port": port, "path": "/enter", "tls": True, "connections": 8},
            {"port": made.plain_port, "path": "/certificate", "tls": False, "connections": 4},
        ],
        "feeds": [
            {"path": "/feed", "words": json.dumps({"want": ["en/house"]}), "cookies": dict(made.cookies),
             "per_second": 50, "connections": 4},
            {"path": f"/c/{digest}/feed", "words": json.dumps({"want": [f"en/courier/{digest}"]}), "cookies": {},
             "per_second": 200, "connections": 8},
        ],
        "opened": [{"path": "/", "cookies": dict(made.cookies)}, {"path": "/history", "cookies": dict(made.cookies)}],
    }  # fmt: skip


async def visited(play: Play, parcels: Parcels) -> Times:
    """A courier delivers; the times of it."""
    began = time.monotonic()
    await play.shows(parcels)
    await play.rung()
    rings = time.monotonic() - began
    await play.may_enter()
    unlocked = time.monotonic() - began
    await play.courier.goes_in()
    await play.courier.comes_out()
    closed = time.monotonic()
    await play.locked_again()
    locked = time.monotonic() - closed
    await play.sealed()
    return Times(rings, unlocked, locked)


async def stop_decided(play: Play) -> float:
    """The owner says stop, and lifts it: seconds from the broker's acknowledgement until the stop is decided."""
    topic = entrance_topic(play.plan.entrance, "set")
    async with logged_in(play.plan.home.broker.account("owner"), []) as owner:
        began = time.monotonic()
        await say(owner, topic, json.dumps({"id": "stop", "do": "stop"}).encode())
        await play.watch.until("stopped", lambda: bool(play.watch.state.get("stopped")), within=20)
        took = time.monotonic() - began
        await say(owner, topic, json.dumps({"id": "lift", "do": "lift"}).encode())
        await play.watch.until("lifted", lambda: not play.watch.state.get("stopped"), within=20)
    return took

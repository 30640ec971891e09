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

from gateway.cli.broker import open_session, publish
from gateway.config.home import PagesSection
from gateway.config.topics import entrance_topic
from gateway.demo.actors import PromisedDelivery
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.barcodes import normalise
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.certified import make_certificate
from tests.flood import house
from tests.flood.visitors import unverified_context
from tests.gateway.web.house import ANNA_PASSWORD
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

BRIDGED_SENSORS, SINGLE_SENSORS = 20, 10
GARBAGE_PER_S = 2_000.0
WATCHED_MODULE = "tests.flood.watched"


@dataclass(frozen=True, slots=True)
class FloodedHouse:
    """A running house whose pages somebody has claimed."""

    play: ScenarioRun
    address: str
    plain_port: int
    cookies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """Of a visit, in seconds from the courier's scan: it rings, it is unlocked; from the closed door: it is locked."""

    rings: float
    unlocked: float
    locked: float


@contextlib.asynccontextmanager
async def flooded_house(folder: Path) -> AsyncIterator[FloodedHouse]:
    """The house, not flooded yet."""
    _, chain, key = make_certificate(folder, "127.0.0.1")
    port, plain_port = free_port(), free_port()
    pages = PagesSection(port=port, plain_port=plain_port, certificate=chain, key=key)

    def made(plan: DemoPlan) -> DemoPlan:
        sensors = house.with_sensors(plan, bridged=BRIDGED_SENSORS, alone=SINGLE_SENSORS)
        return replace(sensors, home=sensors.home.model_copy(update={"pages": pages}))

    async with run_whole_house(folder, made, module=WATCHED_MODULE) as play:
        address = f"https://127.0.0.1:{port}"
        yield FloodedHouse(play, address, plain_port, await _claim(play, address))


async def _claim(play: ScenarioRun, address: str) -> Mapping[str, str]:
    """Become the owner; the cookies of that browser."""
    claim_code = play.plan.home.claim_code_file
    await wait_until(claim_code.exists, within=30.0)  # the pages come up beside the entrance
    code = claim_code.read_text(encoding="ascii").strip()
    async with ClientSession(
        address, connector=TCPConnector(ssl=unverified_context()), cookie_jar=CookieJar(unsafe=True)
    ) as client:
        fields = {"code": code, "name": "Anna", "password": ANNA_PASSWORD}
        async with client.post("/claim", data=fields, headers={"Origin": address}) as answer:
            assert answer.status == 200, await answer.text()
        return {cookie.key: cookie.value for cookie in client.cookie_jar}


def flood_spec(made: FloodedHouse, parcels: PromisedDelivery) -> Mapping[str, object]:
    """What floods it: see `python -m tests.flood`."""
    play = made.play
    fridge = house.MqttFlood(
        account="alone-0", topics=["perron/alone-0/state", "perron/alone-0/result"], payloads=["null"], per_second=12
    )
    mqtt = [
        house.bridged_flood(BRIDGED_SENSORS, 29), *house.single_flood(SINGLE_SENSORS, 25)[1:], fridge,
        house.garbage_flood(house.OTHER_SCANNER, GARBAGE_PER_S),
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


async def timed_visit(play: ScenarioRun, parcels: PromisedDelivery) -> VisitTimes:
    """A courier delivers; the times of it."""
    began = time.monotonic()
    await play.scan_codes(parcels)
    await play.wait_for_ringing()
    rings = time.monotonic() - began
    await play.wait_for_unlocked()
    unlocked = time.monotonic() - began
    await play.courier.goes_in()
    await play.courier.comes_out()
    closed = time.monotonic()
    await play.wait_for_locked_again()
    locked = time.monotonic() - closed
    await play.wait_for_seal()
    return VisitTimes(rings, unlocked, locked)


async def timed_stop(play: ScenarioRun) -> float:
    """The owner says stop, and lifts it: seconds from the broker's acknowledgement until the stop is decided."""
    topic = entrance_topic(play.plan.entrance, "set")
    async with open_session(play.plan.home.broker.account("owner"), []) as owner:
        began = time.monotonic()
        await publish(owner, topic, json.dumps({"id": "stop", "do": "stop"}).encode())
        await play.watch.wait_until("stopped", lambda: bool(play.watch.state.get("stopped")), within=20)
        took = time.monotonic() - began
        await publish(owner, topic, json.dumps({"id": "lift", "do": "lift"}).encode())
        await play.watch.wait_until("lifted", lambda: not play.watch.state.get("stopped"), within=20)
    return took

"""A hub and a house as separate processes, each with its own broker: everything real but the devices."""

import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import insert, select, update

from gateway.config.home import HubSection
from gateway.demo.plan import DemoPlan, RetailerKey, make_plan
from gateway.demo.processes import SupervisedProcess
from gateway.demo.scenario import ScenarioRun
from gateway.demo.stage import UnriggedGateway, open_stage
from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, courier_token_digest, new_courier_token
from gateway.domain.delivery.promise import Cancel, Claims, Offer, State, Window
from gateway.hub.database.store import HubStore, new_id, new_secret
from gateway.hub.database.tables import (
    api_keys,
    brand_keys,
    connections,
    deliveries,
    events,
    home_events,
    homes,
    jobs,
    retailers,
)
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.http.authentication import secret_digest
from gateway.hub.signing_key import HubKeyPair
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.box_hub import GENESIS_DIGEST, BoxEvent, JobKind, token_digest, verify_by_box
from gateway.protocol.brand_statement import NextKeyStatement, sign_brand_statement, sign_proof
from gateway.protocol.delivery_message import sign_delivery
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.keys import BoxKey
from tests.boxes import insert_connection, insert_delivery, insert_home
from tests.hubs import broker_account, homes_broker
from tests.mosquitto import Mosquitto
from tests.waiting import wait_until

HOME, OTHER_HOME = "home-1", "home-2"
TIMEOUT_S = 40.0  # seconds, on a machine that has much else to do


@dataclass(frozen=True)
class AnnouncedDelivery:
    """A delivery as its brand made it."""

    id: str  # at the hub
    name: str
    parcel: str
    courier: str
    token: bytes


class HubUnderTest:
    """The hub's process, and what its store holds."""

    def __init__(self, folder: Path, broker: Mosquitto, store: HubStore, key: PublicKey) -> None:
        self.folder, self.broker, self.store, self.key = folder, broker, store, key
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: SupervisedProcess | None = None
        self._connection = self._asked = ""
        self._headers: dict[str, str] = {}

    async def begin(self) -> None:
        """Start it, and wait until it is ready."""
        line = broker_account(self.broker, self.folder)
        file = {"url": self.url, "folder": str(self.folder / "hub"), "listen": {"port": self.port},
                "limits": {"questions": 1000, "orders": 1000},
                "broker": {"port": line.port, "password_file": str(line.password_file)}}  # fmt: skip
        (self.folder / "hub.yaml").write_text(json.dumps(file))

        async def start() -> UnriggedGateway:
            return await UnriggedGateway.start(
                "gateway", ["hub", "--config", str(self.folder / "hub.yaml")], self.folder / "hub.log"
            )

        self._process = SupervisedProcess(start)
        await self._process.begin()

    async def end(self) -> None:
        """End it for good."""
        if self._process is not None:
            await self._process.end()

    def kill(self) -> None:
        """Kill it with SIGKILL; it is started again."""
        assert self._process is not None
        self._process.kill()

    def deaths(self) -> int:
        """How often it died."""
        return 0 if self._process is None else len(self._process.deaths)

    async def ready(self) -> bool:
        """Whether it serves and has its broker."""
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http, http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        return False

    async def founded(self, signer: RetailerKey, box: PublicKey) -> None:
        """Let a retailer and his brand in, and two homes."""
        now = datetime.now(UTC)
        async with self.store.writing() as tx:
            await tx.execute(insert(retailers).values(id="ret-1", name=signer.brand, created=now))
            for home, key in ((HOME, box), (OTHER_HOME, BoxKey.generate().public)):
                await insert_home(tx, home, key, now=now)
            self._connection = await insert_connection(tx, "ret-1", signer.brand, HOME, now=now)
            granted = {"state": "granted", "terms": {"hub_signed": False}}
            await tx.execute(update(connections).where(connections.c.id == self._connection).values(**granted))
            own, secret = new_id("key"), new_secret()
            await tx.execute(
                insert(api_keys).values(
                    id=own, retailer="ret-1", sha256=secret_digest(secret), label="shop", right="full", sandbox=False,
                    created=now,
                )
            )  # fmt: skip
            await tx.execute(
                insert(brand_keys).values(kid=signer.kid, brand=signer.brand, x=signer.key.public.text, created=now)
            )
        self._headers = {"Authorization": f"Bearer {own}_{secret}"}

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask as the retailer does, over HTTP; the status and what was answered."""
        async with (
            aiohttp.ClientSession(self.url) as http,
            http.request(method, path, json=body, headers=self._headers) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def asks(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """The same, where the answer is a good one."""
        status, said = await self.ask(method, path, body)
        assert status < 300, said
        return said

    async def announces(self, token: bytes) -> str:
        """Announce over HTTP what a brand signed; the delivery's id."""
        body = {"connection": self._connection, "token": token.decode()}
        return str((await self.asks("POST", "/v1/deliveries", body))["id"])

    async def connects(self, brand: str) -> None:
        """Ask this home as anybody does, by the API and the page."""
        made = await self.asks("POST", "/v1/connections", {"brand": brand, "asked": {"carriers": ["Chronopost"]}})
        async with self.store.reading() as tx:
            code = await tx.scalar(select(homes.c.support_code).where(homes.c.id == HOME))
        async with aiohttp.ClientSession() as http, http.post(made["consent_url"], data={"code": code}) as answer:
            assert answer.status == 200
        self._asked = str(made["id"])

    async def standing(self) -> str:
        """How what was asked stands."""
        return str((await self.asks("GET", f"/v1/connections/{self._asked}"))["state"])

    async def sends(self, token: bytes, name: str, *, kind: JobKind = JobKind.DELIVERY) -> str:
        """Keep a delivery and a job for it, whatever it says: a hub may lie. The delivery's id."""
        now = datetime.now(UTC)
        async with self.store.writing() as tx:
            found = await tx.scalar(select(deliveries.c.id).where(deliveries.c.name == name))
            id_ = found or await insert_delivery(tx, self._connection, name, now=now)
            await job_store.enqueue(tx, HOME, kind, token, now=now, delivery=id_)
        return id_

    async def state(self, delivery: str) -> tuple[str, str | None]:
        """How a delivery stands, and why."""
        async with self.store.reading() as tx:
            row = (await tx.execute(select(deliveries).where(deliveries.c.id == delivery))).one()
        return row.state, row.reason

    async def waiting(self) -> int:
        """How many jobs are not over."""
        async with self.store.reading() as tx:
            return len((await tx.execute(select(jobs.c.id).where(jobs.c.due.is_not(None)))).all())

    async def told(self, delivery: str) -> list[Mapping[str, Any]]:
        """What the retailer was told of a delivery."""
        async with self.store.reading() as tx:
            rows = await tx.execute(select(events.c.data).where(events.c.object == delivery).order_by(events.c.number))
            return [row.data for row in rows]

    async def chain(self) -> list[BoxEvent]:
        """All that the home has said: each signed by its box, each behind the one before, none missing."""
        async with self.store.reading() as tx:
            rows = (await tx.execute(select(home_events).order_by(home_events.c.seq))).all()
        head, found = GENESIS_DIGEST, []
        for number, row in enumerate(rows, start=1):
            said = verify_by_box(BoxEvent, row.token, self.key)
            assert isinstance(said, BoxEvent), said
            assert (said.seq, said.prev, said.home) == (number, head, HOME)
            head = token_digest(row.token)
            found.append(said)
        return found

    async def home_reported(self, delivery: AnnouncedDelivery, state: State) -> None:
        """Wait until the home has reported this state of a delivery, in an event that its box signed.

        `state` above cannot prove it for `awaiting_permission`: that is the hub's own state before any report. And as
        `founded` has the hub begin with a permission, a home that still has to decide takes that permission back, and
        the hub refuses the delivery until the owner has decided.
        """

        async def has_reported() -> bool:
            results = [event.result for event in await self.chain()]
            return any(one is not None and (one.delivery, one.state) == (delivery.name, state) for one in results)

        await wait_for(has_reported, f"the home's report: {delivery.name} {state}")


def signing_function(one: RetailerKey) -> Callable[[bytes], bytes]:
    """What signs by this key."""
    return one.key.sign


class BrandUnderTest:
    """A brand that signs for this home."""

    def __init__(self, plan: DemoPlan, hub: HubUnderTest) -> None:
        self._plan, self._hub = plan, hub
        self.signer = next(iter(plan.signers.values()))
        self._parcels = 0

    def token(
        self, said: Offer | Cancel, *, aud: str = HOME, ago: float = 0, signer: RetailerKey | None = None
    ) -> bytes:
        """Sign a message; `ago`: seconds since it was good for an hour."""
        by = signer or self.signer
        seconds = int(datetime.now(UTC).timestamp() - ago)
        claims = Claims(
            iss=by.brand, aud=aud, iat=seconds, nbf=seconds, exp=seconds + 3600, jti=secrets.token_urlsafe(18),
            delivery=said,
        )  # fmt: skip
        return sign_delivery(claims, by.key, kid=by.kid)

    async def announces(
        self, change: Callable[["BrandUnderTest", Offer], bytes] | None = None, *, cold: float | None = None
    ) -> AnnouncedDelivery:
        """Announce a delivery for now; `change` makes another token of it than an honest one.

        `cold`: it goes into the fridge, and is to be kept at so many degrees at most.
        """
        secret, now = secrets.token_bytes(COURIER_TOKEN_BYTES), datetime.now(UTC).replace(microsecond=0)
        self._parcels += 1
        section, name = self._plan.section, f"order-{secrets.token_hex(4)}"
        offer = Offer(
            id=name, version=1, entrance=self._plan.entrance,
            carrier=self._plan.home.brands[self.signer.brand].permission.carriers[0],
            place=next(name for name, spot in section.places.items() if (spot.fridge is None) is (cold is None)),
            max_celsius=cold,
            window=Window(start=now - timedelta(minutes=1), end=now + timedelta(hours=1)),
            parcels=(f"PARCEL{self._parcels:06}",), courier_sha256=courier_token_digest(secret),
        )  # fmt: skip
        token = self.token(offer) if change is None else change(self, offer)
        id_ = await (self._hub.announces(token) if change is None else self._hub.sends(token, name))
        return AnnouncedDelivery(id_, name, offer.parcels[0], new_courier_token(secret), token)

    async def shows_another_key(self) -> RetailerKey:
        """Show the hub, and by it its homes, one more key, for which the one that counts vouches."""
        another = replace(self.signer, kid=f"{self.signer.kid}-next", key=SigningKey.from_seed(secrets.token_bytes(32)))
        name, x = self.signer.brand, another.key.public.text
        word = NextKeyStatement(
            iss=name, hub=self._hub.url, iat=int(datetime.now(UTC).timestamp()), kid=another.kid, x=x
        )
        body = {
            "kid": another.kid, "x": x,
            "proof": sign_proof(signing_function(another), brand=name, kid=another.kid, hub=self._hub.url),
            "vouched": sign_brand_statement(word, signing_function(self.signer), kid=self.signer.kid),
        }  # fmt: skip
        await self._hub.asks("POST", f"/v1/brands/{name}/keys", body)
        return another

    async def cancels(self, one: AnnouncedDelivery) -> None:
        """Withdraw it."""
        token = self.token(Cancel(id=one.name, version=2)).decode()
        await self._hub.asks("POST", f"/v1/deliveries/{one.id}/cancel", {"token": token})


@dataclass
class ThroughHub:
    """The hub, the shop, and the house that is played."""

    hub: HubUnderTest
    shop: BrandUnderTest
    play: ScenarioRun


@contextlib.asynccontextmanager
async def through_hub(
    folder: Path,
    *,
    rigged: bool,
    before: Callable[[HubUnderTest, BrandUnderTest], Awaitable[None]] | None = None,
    change: Callable[[DemoPlan], DemoPlan] = lambda made: made,
) -> AsyncIterator[ThroughHub]:
    """Start all of it, and end all of it. `before` is called with hub and shop while the box is not there yet.

    `change` alters the house.
    """
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(homes_broker(HOME, OTHER_HOME))
        for name in ("hub", "box"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)  # it may be a disk of its own
        store = await HubStore.open(f"sqlite+aiosqlite:///{folder / 'hub' / 'hub.sqlite3'}")
        stack.push_async_callback(store.close)
        box = BoxKey.load_or_create(folder / "box" / "key").public
        hub = HubUnderTest(folder, broker, store, box)
        section = HubSection(
            url=hub.url, home=HOME, host="127.0.0.1", port=broker.port, key=HubKeyPair.load(folder / "hub").x,
            password_file=broker_account(broker, folder, HOME).password_file,
        )  # fmt: skip
        made = change(make_plan(folder, fast=True))
        made = replace(made, home=made.home.model_copy(update={"hub": section}))
        shop = BrandUnderTest(made, hub)
        await hub.founded(shop.signer, box)
        await hub.begin()
        stack.push_async_callback(hub.end)
        if before is not None:
            await before(hub, shop)
        ready = await stack.enter_async_context(
            open_stage(made, folder, on_start=_ignore, on_event=_ignore, is_rigged=rigged)
        )
        yield ThroughHub(hub, shop, ScenarioRun(ready, _ignore))


def _ignore(*_said: object) -> None:
    """Nobody looks on."""


async def wait_for(question: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until it says yes."""
    try:
        await wait_until(question, within=TIMEOUT_S, every=0.1)  # the hub limits the connections of an address
    except TimeoutError:
        raise AssertionError(f"it never came: {what}") from None

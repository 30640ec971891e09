"""A retailer at a hub, and a real box behind a real broker: how its retailer has a house, for tests over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from gateway.config.home import Home
from gateway.domain.delivery.promise import Cancel, DeliveryBody, Notice, State
from gateway.domain.delivery.result import CollectResult, Outcome
from gateway.domain.delivery.result import DoorResult as Left
from gateway.domain.visit.commands import ReportDoorResult, ReportParcelResult
from gateway.domain.visit.state import Phase
from gateway.hub.database.tables import brand_keys, connections, home_events, homes
from gateway.protocol.box_hub import BoxEvent, BrandAnswer, verify_by_box
from gateway.protocol.delivery_message import verify_delivery
from tests.boxes import insert_connection, insert_home
from tests.gateway.domain.delivery.house import entrance_state as entrance
from tests.gateway.domain.delivery.house import make_step, reserve_step
from tests.gateway.domain.delivery.shop import SECRETS, enrolled_keys, make_claims, make_offer, sign_claims
from tests.gateway.integrations.hub_client.test_session import HOME, at_work, section, uplink
from tests.hubs import RetailerAccess, RunningHub, broker_account, homes_broker, hub_file, run_hub
from tests.mosquitto import Mosquitto
from tests.shell.box import ShellBox
from tests.shell.box import box as made_box
from tests.shell.house import make_home

SERIAL = count(1)


def new_offer(**changes: Any) -> DeliveryBody:  # noqa: ANN401 - any field of an offer
    """A delivery that shares no code with another one."""
    number = next(SERIAL)
    return make_offer(
        **{"id": f"d-{number}", "parcels": (f"PARCEL{number:04}",), "courier_sha256": f"{number:064x}", **changes}
    )


@dataclass
class HubHouse:
    """A retailer at a hub, and the box of a home that has let his brand in."""

    hub: RunningHub
    made: ShellBox
    broker: Mosquitto
    folder: Path
    retailer: RetailerAccess
    connection: str

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.hub.http.request(method, path, json=body, headers=self.retailer.headers) as answer:
            return answer.status, await answer.json(content_type=None)

    def token(self, said: DeliveryBody | Cancel | Notice, **more: Any) -> str:  # noqa: ANN401 - any claim
        """As the brand signs it now."""
        return sign_claims(make_claims(said, now=self.made.clock.now(), aud=HOME, **more)).decode()

    async def offers(self, said: DeliveryBody, **more: Any) -> str:  # noqa: ANN401 - any claim
        return await self.sends(self.token(said, **more))

    async def sends(self, token: str) -> str:
        status, made = await self.ask("POST", "/v1/deliveries", {"connection": self.connection, "token": token})
        assert status == 201, made
        return str(made["id"])

    async def changes(self, delivery: str, said: DeliveryBody | Cancel) -> None:
        status, answer = await self.ask("PATCH", f"/v1/deliveries/{delivery}", {"token": self.token(said)})
        assert status == 200, answer

    async def directly(self, said: DeliveryBody | Cancel) -> None:
        """The same brand says it on the house's own broker."""
        now = self.made.clock.now()
        token = sign_claims(make_claims(said, now=now))
        await self.made.store.deliveries.accept(
            token, verify_delivery(token, enrolled_keys(), box=self.made.home.box, now=now), now
        )

    async def until(self, delivery: str, fits: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - JSON
        async with asyncio.timeout(20):
            while True:
                _, said = await self.ask("GET", f"/v1/deliveries/{delivery}")
                if fits(said):
                    return said
                await asyncio.sleep(0.02)

    async def knows(self, **terms: object) -> None:
        """The hub knows that the home's terms are these, and that the home is there."""
        async with asyncio.timeout(20):
            while True:
                async with self.hub.hub.store.reading() as tx:
                    known = await tx.scalar(select(connections.c.terms).where(connections.c.id == self.connection))
                if terms.items() <= (known or {}).items() and await self._is_online():
                    return
                await asyncio.sleep(0.02)

    async def gone(self) -> None:
        """The hub has heard that the home is not there."""
        async with asyncio.timeout(20):
            while await self._is_online():  # noqa: ASYNC110 - what is waited for is the hub's, and rings no bell here
                await asyncio.sleep(0.02)

    async def _is_online(self) -> bool:
        async with self.hub.hub.store.reading() as tx:
            return await tx.scalar(select(homes.c.there).where(homes.c.id == HOME)) is True

    async def stands(self, delivery: str, state: State, reason: str | None = None) -> Any:  # noqa: ANN401 - JSON
        return await self.until(delivery, lambda said: (said["state"], said["reason"]) == (state, reason))

    async def answered(self, delivery: str, code: str) -> None:
        """The home has refused a version of it so."""
        async with asyncio.timeout(20):
            while True:
                _, page = await self.ask("GET", f"/v1/deliveries/{delivery}/timeline")
                if code in [one["answer"]["code"] for one in page["data"] if one["answer"] is not None]:
                    return
                await asyncio.sleep(0.02)

    async def answers(self) -> list[BrandAnswer]:
        """What the home has answered to the brand's messages about its facts, oldest first."""
        async with self.hub.hub.store.reading() as tx:
            tokens = (await tx.scalars(select(home_events.c.token).order_by(home_events.c.seq))).all()
        found = [verify_by_box(BoxEvent, token, self.made.key.public) for token in tokens]
        return [one.answer for one in found if isinstance(one, BoxEvent) and one.answer is not None]

    async def begins(self, said: DeliveryBody) -> str:
        """The courier is let in: an opening is reserved. The visit's id."""
        now, visit = self.made.clock.now(), f"v-{said.id}"
        under = self.made.store.deliveries.facts(f"shop.{said.id}", now)
        assert under is not None
        await self.made.store.commit(reserve_step(under, visit=visit, now=now))
        return visit

    async def ends(  # noqa: PLR0913 - how a visit ends
        self,
        said: DeliveryBody,
        visit: str,
        outcome: Outcome,
        house: Left,
        missing: int = 0,
        *,
        collected: CollectResult | None = None,
    ) -> None:
        now = self.made.clock.now()
        under = self.made.store.deliveries.facts(f"shop.{said.id}", now)
        assert under is not None
        parcels = ReportParcelResult(
            visit=visit, delivery=under.id, outcome=outcome, missing=missing, collected=collected
        )
        read = frozenset(sorted(under.parcels)[missing:])
        left = ReportDoorResult(visit=visit, delivery=under.id, door_result=house)
        await self.made.store.commit(
            make_step(entrance(under, visit=visit, phase=Phase.RELOCKING, parcels=read), parcels, left, now=now)
        )
        await self.made.store.commit(make_step(entrance(), now=now))


@contextlib.asynccontextmanager
async def hub_house(folder: Path, *, there: bool = True, house: Home | None = None) -> AsyncIterator[HubHouse]:
    """Hub and home, at noon. `there`: the box is connected. `house`: another house than that of the shell's tests."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(homes_broker(HOME))
        made = await stack.enter_async_context(made_box(folder, house or _home_with_courier_code(folder)))
        file = hub_file(folder, broker=broker_account(broker, folder))
        hub = await stack.enter_async_context(run_hub(file, wall=made.time.wall))
        retailer, now = await hub.retailer(), hub.hub.now()
        async with hub.hub.store.writing() as tx:
            await insert_home(tx, HOME, made.key.public, now=now)
            connection = await insert_connection(tx, retailer.id, "shop", HOME, now=now)
            granted = {"state": "granted", "terms": None}
            await tx.execute(update(connections).where(connections.c.id == connection).values(**granted))
            x = SECRETS["shop"].public.text
            await tx.execute(insert(brand_keys).values(kid="shop-1", brand="shop", x=x, created=now))
        one = HubHouse(hub, made, broker, folder, retailer, connection)
        if there:
            await stack.enter_async_context(run_uplink(one))
        yield one


def _home_with_courier_code(folder: Path) -> Home:
    """A house whose front door asks for the courier's code."""
    made = make_home(folder)
    front = made.entrances["front"].model_copy(update={"courier_proof": True})
    return made.model_copy(update={"entrances": {**made.entrances, "front": front}})


def run_uplink(here: HubHouse) -> contextlib.AbstractAsyncContextManager[asyncio.Task[None]]:
    """The box's line to the hub."""
    where = section(here.broker, here.folder).model_copy(update={"key": here.hub.hub.key.x})
    return at_work(uplink(here.made, where))

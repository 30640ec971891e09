"""Every state and every reason that a retailer is told, had over HTTP, with a real box behind a real broker.

Hub, broker, and of the box its store, reception and line are the real ones; visits are committed as an entrance commits
them. What no home can say through a hub has no place among the reasons: `test_every_reason_has_its_way` fails for it.
"""

import asyncio
import contextlib
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, update

from gateway.config import Home
from gateway.delivery.promise import Body, Cancel, State
from gateway.delivery.signature import public_x, verify
from gateway.hub.standing import REASONS
from gateway.hub.tables import brand_keys, connections
from gateway.store.copying import copy
from gateway.visit.commands import HouseResult, ParcelResult
from gateway.visit.state import House as Left
from gateway.visit.state import Outcome, Phase
from tests.boxes import connect, join
from tests.gateway.delivery.house import reserve, step
from tests.gateway.delivery.house import state as entrance
from tests.gateway.delivery.shop import SECRETS, claims, keys, offer, signed, window
from tests.gateway.delivery.shop import update as updated
from tests.gateway.uplink.test_link import HOME, at_work, section, uplink
from tests.hubs import Retailer, Running, account, homes_broker, hub_file, running
from tests.mosquitto import Mosquitto
from tests.shell.box import Box
from tests.shell.box import box as made_box
from tests.shell.house import home
from tests.shell.parts import Time

pytestmark = pytest.mark.slow

_serial = count(1)
_HOUR = 3600


def fresh(**changes: Any) -> Body:  # noqa: ANN401 - any field of an offer
    """A delivery that shares no code with another one."""
    number = next(_serial)
    return offer(
        **{"id": f"d-{number}", "parcels": (f"PARCEL{number:04}",), "courier_sha256": f"{number:064x}", **changes}
    )


@dataclass
class House:
    """A retailer at a hub, and the box of a home that has let his brand in."""

    hub: Running
    made: Box
    broker: Mosquitto
    folder: Path
    retailer: Retailer
    connection: str

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.hub.http.request(method, path, json=body, headers=self.retailer.headers) as answer:
            return answer.status, await answer.json(content_type=None)

    def token(self, said: Body | Cancel, **more: Any) -> str:  # noqa: ANN401 - any claim
        """As the brand signs it now."""
        return signed(claims(said, now=self.made.clock.now(), aud=HOME, **more)).decode()

    async def offers(self, said: Body, **more: Any) -> str:  # noqa: ANN401 - any claim
        return await self.sends(self.token(said, **more))

    async def sends(self, token: str) -> str:
        status, made = await self.ask("POST", "/v1/deliveries", {"connection": self.connection, "token": token})
        assert status == 201, made
        return str(made["id"])

    async def changes(self, delivery: str, said: Body | Cancel) -> None:
        status, answer = await self.ask("PATCH", f"/v1/deliveries/{delivery}", {"token": self.token(said)})
        assert status == 200, answer

    async def directly(self, said: Body | Cancel) -> None:
        """The same brand says it on the house's own broker."""
        now = self.made.clock.now()
        token = signed(claims(said, now=now))
        await self.made.store.accept(token, verify(token, keys(), box=self.made.home.box, now=now), now)

    async def until(self, delivery: str, fits: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - JSON
        async with asyncio.timeout(20):
            while True:
                _, said = await self.ask("GET", f"/v1/deliveries/{delivery}")
                if fits(said):
                    return said
                await asyncio.sleep(0.02)

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

    async def begins(self, said: Body) -> str:
        """The courier is let in: an opening is reserved. The visit's id."""
        now, visit = self.made.clock.now(), f"v-{said.id}"
        under = self.made.store.facts(f"shop.{said.id}", now)
        assert under is not None
        await self.made.store.commit(reserve(under, visit=visit, now=now))
        return visit

    async def ends(self, said: Body, visit: str, outcome: Outcome, house: Left, missing: int = 0) -> None:
        now = self.made.clock.now()
        under = self.made.store.facts(f"shop.{said.id}", now)
        assert under is not None
        parcels = ParcelResult(visit=visit, delivery=under.id, outcome=outcome, missing=missing)
        left = HouseResult(visit=visit, delivery=under.id, house=house)
        await self.made.store.commit(step(entrance(under, visit=visit, phase=Phase.RELOCKING), parcels, left, now=now))
        await self.made.store.commit(step(entrance(), now=now))


@contextlib.asynccontextmanager
async def house(folder: Path, *, there: bool = True) -> AsyncIterator[House]:
    """All of it, at noon. `there`: the box's line is up."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(homes_broker(HOME))
        made = await stack.enter_async_context(made_box(folder, _asking(folder)))
        file = hub_file(folder, broker=account(broker, folder))
        hub = await stack.enter_async_context(running(file, wall=made.time.wall))
        retailer, now = await hub.retailer(), hub.hub.now()
        async with hub.hub.store.writing() as tx:
            await join(tx, HOME, made.key.public, now=now)
            connection = await connect(tx, retailer.id, "shop", HOME, now=now)
            granted = {"state": "granted", "terms": None}
            await tx.execute(update(connections).where(connections.c.id == connection).values(**granted))
            x = public_x(SECRETS["shop"])
            await tx.execute(insert(brand_keys).values(kid="shop-1", brand="shop", x=x, created=now))
        one = House(hub, made, broker, folder, retailer, connection)
        if there:
            await stack.enter_async_context(line(one))
        yield one


def _asking(folder: Path) -> Home:
    """A house whose front door asks for the courier's code."""
    made = home(folder)
    front = made.entrances["front"].model_copy(update={"courier_proof": True})
    return made.model_copy(update={"entrances": {**made.entrances, "front": front}})


def line(here: House) -> contextlib.AbstractAsyncContextManager[asyncio.Task[None]]:
    """The box's line to the hub."""
    where = section(here.broker, here.folder).model_copy(update={"key": here.hub.hub.key.x})
    return at_work(uplink(here.made, where))


def forged(header: Mapping[str, Any], payload: Mapping[str, Any], seed: bytes = b"s" * 32) -> str:
    """A message as somebody makes it by hand."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload)]
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(b".".join(parts))
    return b".".join((*parts, urlsafe_b64encode(signature).rstrip(b"="))).decode()


# ---- what the hub itself refuses already, by the very code that the home would say -----------------------------------

HEADER = {"alg": "Ed25519", "kid": "shop-1", "typ": "perron-delivery+jwt"}
FORGED: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "malformed": lambda _said: "YQ.YQ.YQ",
    "wrong_header": lambda said: forged({**HEADER, "jwk": {"kty": "OKP"}}, said),
    "wrong_algorithm": lambda said: forged({**HEADER, "alg": "none"}, said),
    "wrong_type": lambda said: forged({**HEADER, "typ": "JWT"}, said),
    "unknown_key": lambda said: forged({**HEADER, "kid": "nobody"}, said),
    "wrong_signature": lambda said: forged(HEADER, said, seed=b"x" * 32),
    "wrong_claims": lambda said: forged(HEADER, {**said, "exp": said["iat"] + 32 * 24 * _HOUR}),
    "wrong_issuer": lambda said: forged(HEADER, {**said, "iss": "farm"}),
    "wrong_audience": lambda said: forged(HEADER, {**said, "aud": "home-2"}),
    "not_yet_valid": lambda said: forged(HEADER, {**said, "nbf": said["nbf"] + 600}),
    "no_longer_valid": lambda said: forged(HEADER, {**said, "iat": said["iat"] - 7200, "exp": said["iat"] - 1}),
}


async def test_what_is_not_believed_is_refused_with_the_reason_of_the_home(tmp_path: Path) -> None:
    async with house(tmp_path, there=False) as here:
        for reason, forge in FORGED.items():
            said = json.loads(claims(fresh(), now=here.made.clock.now(), aud=HOME).model_dump_json(exclude_none=True))
            body = {"connection": here.connection, "token": forge(said)}
            status, answer = await here.ask("POST", "/v1/deliveries", body)
            assert (status, answer["code"]) == (422, "signature_refused"), reason
            assert answer["errors"][0]["code"] == reason


# ---- what the home answers -------------------------------------------------------------------------------------------

Way = Callable[[House], Awaitable[None]]


def refused(reason: str, **changes: Any) -> Way:  # noqa: ANN401 - any field of an offer
    """An offer of this kind is refused."""

    async def way(here: House) -> None:
        await here.stands(await here.offers(fresh(**changes)), State.REFUSED, reason)

    return way


async def collision(here: House) -> None:
    first = fresh()
    await here.stands(await here.offers(first), State.SCHEDULED)
    await here.stands(await here.offers(fresh(parcels=first.parcels)), State.REFUSED, "code_collision")


async def reused(here: House) -> None:
    await here.stands(await here.offers(fresh(), jti="said-twice-000001"), State.SCHEDULED)
    await here.stands(await here.offers(fresh(), jti="said-twice-000001"), State.REFUSED, "jti_reused")


async def offered_already(here: House) -> None:
    said = fresh()
    await here.directly(said)
    made = await here.offers(said)
    await here.answered(made, "already_offered")
    await here.stands(made, State.SCHEDULED)


async def withdrawn_already(here: House) -> None:
    said = fresh()
    await here.directly(Cancel(id=said.id, version=2))
    made = await here.offers(said)
    await here.answered(made, "cancelled")
    await here.stands(made, State.CANCELLED)


async def too_low(here: House) -> None:
    said = fresh()
    made = await here.offers(said)
    await here.stands(made, State.SCHEDULED)
    await here.directly(_anew(said, 5))
    await here.changes(made, _anew(said, 3))
    await here.answered(made, "version_too_low")


def _anew(said: Body, version: int) -> Body:
    plain = {name: value for name, value in said.model_dump().items() if name not in {"do", "window"}}
    return updated(**{**plain, "version": version, "window": said.window})


async def inside_hours(here: House) -> None:
    terms = here.made.store.permission("shop")
    assert terms is not None
    narrow = replace(terms.terms, hours="06:00-07:00")
    await here.made.store.permit("shop", here.made.clock.now(), terms=narrow)
    await here.stands(await here.offers(fresh()), State.REFUSED, "outside_window")
    await here.made.store.permit("shop", here.made.clock.now(), terms=terms.terms)


def visited(outcome: Outcome, left: Left, state: State, reason: str | None = None, missing: int = 0) -> Way:
    """A visit that ends so."""

    async def way(here: House) -> None:
        said = fresh(parcels=(f"P-{next(_serial)}", f"P-{next(_serial)}"))
        made = await here.offers(said)
        await here.stands(made, State.WINDOW_OPEN)
        visit = await here.begins(said)
        await here.stands(made, State.VISITING)
        await here.ends(said, visit, outcome, left, missing)
        found = await here.stands(made, state, reason)
        assert (found["missing"], found["house"]) == (missing, left)

    return way


async def during_the_visit(here: House) -> None:
    said = fresh()
    made = await here.offers(said)
    await here.stands(made, State.WINDOW_OPEN)
    visit = await here.begins(said)
    await here.stands(made, State.VISITING)
    await here.changes(made, _anew(said, 2))
    await here.answered(made, "too_late")
    await here.ends(said, visit, Outcome.DELIVERED, Left.LOCKED_AGAIN)
    await here.stands(made, State.DELIVERED)


NOON: Mapping[str, Way] = {
    "unknown_entrance": refused("unknown_entrance", entrance="cellar"),
    "unknown_place": refused("unknown_place", place="attic"),
    "place_not_cold": refused("place_not_cold", max_celsius=4.0),
    "courier_code_missing": refused("courier_code_missing", courier_sha256=None),
    "carrier_not_permitted": refused("carrier_not_permitted", carrier="Somebody"),
    "code_collision": collision,
    "jti_reused": reused,
    "already_offered": offered_already,
    "cancelled": withdrawn_already,
    "version_too_low": too_low,
    "outside_window": inside_hours,
}
IN_THE_WINDOW: Mapping[str, Way] = {
    "too_late": during_the_visit,
    "attended": visited(Outcome.ATTENDED, Left.NOT_OPENED, State.NOT_DELIVERED, "attended"),
    "unknown": visited(Outcome.UNKNOWN, Left.HANDED_TO_OWNER, State.NOT_DELIVERED, "unknown"),
    "not_delivered": visited(Outcome.NOT_DELIVERED, Left.LOCKED_AGAIN, State.NOT_DELIVERED, "not_delivered", 2),
}


async def test_what_the_home_refuses_is_read_over_http(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for reason, way in NOON.items():
            try:
                await way(here)
            except TimeoutError:
                pytest.fail(f"{reason} never came")


async def test_what_a_visit_comes_to_and_a_change_during_it(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.made.time.mono += 1.5 * _HOUR
        for reason, way in IN_THE_WINDOW.items():
            try:
                await way(here)
            except TimeoutError:
                pytest.fail(f"{reason} never came")
        await visited(Outcome.PARTLY_DELIVERED, Left.LOCKED_AGAIN, State.PARTLY_DELIVERED, missing=1)(here)
        await visited(Outcome.DELIVERED, Left.HANDED_TO_OWNER, State.DELIVERED)(here)


# ---- what needs a house of its own -----------------------------------------------------------------------------------


async def no_longer_let_in(folder: Path) -> None:
    async with house(folder) as here:
        made = await here.offers(fresh())
        await here.stands(made, State.SCHEDULED)
        await here.made.store.revoke("shop", here.made.clock.now())
        await here.stands(made, State.REFUSED, "brand_not_permitted")


async def key_of_no_trust(folder: Path) -> None:
    async with house(folder) as here:
        made = await here.offers(fresh())
        await here.stands(made, State.SCHEDULED)
        await here.made.store.distrust(public_x(SECRETS["shop"]), here.made.clock.now())
        await here.stands(made, State.REFUSED, "key_distrusted")


async def came_too_late_to_the_home(folder: Path) -> None:
    async with house(folder, there=False) as here:
        now = int(here.made.time.wall())
        made = await here.offers(fresh(), exp=now + 10 * _HOUR)
        here.made.time.mono += 5 * _HOUR
        async with line(here):
            await here.stands(made, State.REFUSED, "expired")


async def not_signed_by_the_brand(folder: Path) -> None:
    async with house(folder, there=False) as here:
        said = json.loads(fresh().model_dump_json(exclude={"id", "version", "do"}))
        status, made = await here.ask("POST", "/v1/deliveries", {"connection": here.connection, "delivery": said})
        assert status == 201, made
        async with line(here):
            await here.stands(made["id"], State.REFUSED, "hub_signed_not_permitted")
        status, made = await here.ask("POST", "/v1/deliveries", {"connection": here.connection, "delivery": said})
        assert (status, made["code"]) == (409, "signature_required"), "the home has said its terms meanwhile"


async def changed_before_it_was_refused(folder: Path) -> None:
    async with house(folder, there=False) as here:
        said = fresh(place="attic")
        made = await here.offers(said)
        await here.changes(made, _anew(said.model_copy(update={"place": "hall"}), 2))
        async with line(here):
            await here.stands(made, State.REFUSED, "unknown_delivery")


async def put_back_from_a_copy(folder: Path) -> None:
    async with house(folder, there=False) as here:
        async with line(here):
            made = await here.offers(fresh())
            await here.stands(made, State.SCHEDULED)
        store = folder / "perron.sqlite3"
        (folder / "again").mkdir()
        await asyncio.to_thread(copy, store, folder / "again" / "perron.sqlite3", here.made.clock.now())
        (folder / "key").rename(folder / "again" / "key")
        async with made_box(folder / "again", time=Time(mono=here.made.time.mono + 1)) as copied:
            assert copied.key.public == here.made.key.public
            here.made = copied
            async with line(here):
                await here.stands(made, State.REFUSED, "announce_again")


ALONE: Mapping[str, Callable[[Path], Awaitable[None]]] = {
    "brand_not_permitted": no_longer_let_in,
    "key_distrusted": key_of_no_trust,
    "expired": came_too_late_to_the_home,
    "unknown_delivery": changed_before_it_was_refused,
    "announce_again": put_back_from_a_copy,
    "hub_signed_not_permitted": not_signed_by_the_brand,
}


@pytest.mark.parametrize("reason", ALONE)
async def test_what_becomes_of_a_house_is_read_over_http(tmp_path: Path, reason: str) -> None:
    await ALONE[reason](tmp_path)


def test_every_reason_has_its_way() -> None:
    ways = [*FORGED, *NOON, *IN_THE_WINDOW, *ALONE]
    assert sorted(ways) == sorted(REASONS)


# ---- states ----------------------------------------------------------------------------------------------------------


async def test_every_state_is_reached_by_the_home_s_own_word(tmp_path: Path) -> None:
    seen = set[str]()
    async with house(tmp_path) as here:

        async def stands(made: str, state: State) -> None:
            seen.add((await here.stands(made, state))["state"])

        later = fresh(parcels=())
        made = await here.offers(later)
        await stands(made, State.AWAITING_LABEL)
        await here.changes(made, _anew(later.model_copy(update={"parcels": ("P-LABEL",)}), 2))
        await stands(made, State.SCHEDULED)
        withdrawn = fresh()
        gone = await here.offers(withdrawn)
        await stands(gone, State.SCHEDULED)
        token = {"token": here.token(Cancel(id=withdrawn.id, version=2))}
        assert (await here.ask("POST", f"/v1/deliveries/{gone}/cancel", token))[0] == 200
        await stands(gone, State.CANCELLED)
        await stands_refused(here, seen)
        here.made.time.mono += 1.5 * _HOUR
        await stands(made, State.WINDOW_OPEN)
        for outcome, state in (
            (Outcome.DELIVERED, State.DELIVERED), (Outcome.PARTLY_DELIVERED, State.PARTLY_DELIVERED),
        ):  # fmt: skip
            said = fresh()
            one = await here.offers(said)
            await stands(one, State.WINDOW_OPEN)
            visit = await here.begins(said)
            await stands(one, State.VISITING)
            await here.ends(said, visit, outcome, Left.LOCKED_AGAIN)
            await stands(one, state)
        said = fresh()
        one = await here.offers(said)
        await stands(one, State.WINDOW_OPEN)
        visit = await here.begins(said)
        await here.ends(said, visit, Outcome.ATTENDED, Left.NOT_OPENED)
        await here.stands(one, State.NOT_DELIVERED, "attended")
        seen.add(State.NOT_DELIVERED)
        here.made.time.mono += 2 * _HOUR
        await stands(made, State.EXPIRED)
        async with here.hub.hub.store.writing() as tx:
            asked = {"state": "pending", "expires": here.hub.hub.now() + (window().end - window().start)}
            await tx.execute(update(connections).values(**asked))
        held = await here.offers(fresh(window=window(start=8, end=9)))
        await stands(held, State.AWAITING_PERMISSION)
    assert seen == {state.value for state in State}


async def stands_refused(here: House, seen: set[str]) -> None:
    made = await here.offers(fresh(entrance="cellar"))
    seen.add((await here.stands(made, State.REFUSED, "unknown_entrance"))["state"])

"""A brand that nobody knows, from its question through the hub to the door: hub, box and house are processes.

The owner answers on the box's own page; what opened is what the simulated lock's own log says.
"""

import contextlib
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from gateway.config.home import PagesSection
from gateway.demo.plan import DemoPlan
from gateway.demo.result import door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT
from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, courier_token_digest, new_courier_token
from gateway.domain.delivery.promise import Offer, State, Window
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import Notification
from gateway.hub.database.tables import homes, jobs
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.signing_key import HubKeyPair
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.box_hub import JobKind
from gateway.protocol.brand_statement import sign_proof
from gateway.protocol.consent_verification import REASON_OTHER_HOME, REASON_UNSIGNED
from gateway.protocol.delivery_message import HubClaims
from tests.gateway.web.house import ANNA_PASSWORD
from tests.stranger import UnknownBrand
from tests.through_hub import HOME, HubUnderTest, ThroughHub, through_hub, wait_for

pytestmark = pytest.mark.slow

EVER = [
    ("password_again", ANNA_PASSWORD),
    ("from", "00:00"),
    ("to", "24:00"),
    ("openings", "1"),
    *(("day", day) for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
]


@dataclass
class Promised:
    """A delivery as its brand made it."""

    id: str
    name: str
    parcel: str
    courier: str


@dataclass
class Newcomer:
    """A brand at the hub that the house does not know, and its connection."""

    street: ThroughHub
    brand: UnknownBrand
    connection: str = ""
    terms: dict[str, Any] = field(default_factory=dict)

    @property
    def hub(self) -> HubUnderTest:
        return self.street.hub

    async def begins(self) -> None:
        """Make the brand and its first key at the hub."""
        await self.hub.asks("POST", "/v1/brands", {"id": self.brand.id, "name": self.brand.name})
        if self.brand.keys:
            await self.enrols(1)

    async def enrols(self, number: int, *, by: int | None = None) -> None:
        """Enrol one of its keys; `by`: an earlier one vouches for it."""
        kid, key = self.brand.kid(number), self.brand.keys[number - 1]
        body: dict[str, object] = {
            "kid": kid,
            "x": key.public.text,
            "proof": sign_proof(key.sign, brand=self.brand.id, kid=kid, hub=self.hub.url),
        }
        if by is not None:
            body["vouched"] = self.brand.vouches(number, by=by).vouched
        await self.hub.asks("POST", f"/v1/brands/{self.brand.id}/keys", body)

    async def asks(self, *, hub_signed: bool = False, signs: bool = True, lives: timedelta = timedelta(days=7)) -> None:
        """Ask this home: by the API, and by somebody who says its support code on the page."""
        play = self.street.play
        place = next(name for name, spot in play.section.places.items() if spot.fridge is None)
        self.terms = {"entrances": [play.plan.entrance], "places": [place], "carriers": ["Chronopost"],
                      "hub_signed": hub_signed}  # fmt: skip
        body: dict[str, Any] = {"brand": self.brand.id, "asked": self.terms}
        if self.brand.keys and signs:
            body["signed"] = replace(self.brand, now=datetime.now(UTC)).asks(lives=lives, **self.terms)
        made = await self.hub.asks("POST", "/v1/connections", body)
        async with self.hub.store.reading() as tx:
            code = await tx.scalar(select(homes.c.support_code).where(homes.c.id == HOME))
        async with aiohttp.ClientSession() as http, http.post(made["consent_url"], data={"code": code}) as answer:
            assert answer.status == 200
        self.connection = str(made["id"])

    async def stands(self, state: str) -> None:
        """Wait until the hub says so of its connection."""

        async def so() -> bool:
            return bool((await self.hub.asks("GET", f"/v1/connections/{self.connection}"))["state"] == state)

        await wait_for(so, f"{self.brand.id} {state}")

    def offer(self) -> tuple[Offer, str]:
        """A delivery for now, and its courier's code."""
        secret, now = secrets.token_bytes(COURIER_TOKEN_BYTES), datetime.now(UTC).replace(microsecond=0)
        offer = Offer(
            id=f"order-{secrets.token_hex(4)}", version=1, entrance=self.terms["entrances"][0], carrier="Chronopost",
            place=self.terms["places"][0], parcels=(f"PARCEL{secrets.randbelow(10**6):06}",),
            window=Window(start=now - timedelta(minutes=1), end=now + timedelta(hours=1)),
            courier_sha256=courier_token_digest(secret),
        )  # fmt: skip
        return offer, new_courier_token(secret)

    async def announces(self, *, by: int | None = 1) -> Promised:
        """Announce it at the hub, signed by one of its keys, or (None) by plain JSON."""
        offer, courier = self.offer()
        body: dict[str, Any] = {"connection": self.connection}
        if by is None:
            plain = offer.model_dump(mode="json", exclude={"id", "version", "do"}, exclude_none=True)
            body["delivery"] = {**plain, "name": offer.id}
        else:
            body["token"] = replace(self.brand, now=datetime.now(UTC)).delivers(offer, by=by, home=HOME).decode()
        made = await self.hub.asks("POST", "/v1/deliveries", body)
        return Promised(str(made["id"]), offer.id, offer.parcels[0], courier)

    async def delivery(self, one: Promised, state: State, reason: str | None = None) -> None:
        """Wait until it stands so at the hub."""

        async def so() -> bool:
            return await self.hub.state(one.id) == (state.value, reason)

        await wait_for(so, f"{one.name} {state}, not {await self.hub.state(one.id)}")


@dataclass
class Owner:
    """Signed in on the box's own pages."""

    http: aiohttp.ClientSession

    async def page(self) -> str:
        async with self.http.get("/brands", headers={"Accept-Language": "en"}) as answer:
            assert answer.status == 200
            return await answer.text()

    async def card(self, brand: str) -> str:
        """What the page shows of one brand, once it shows it."""
        found: list[str] = []

        async def there() -> bool:
            page = await self.page()
            if f'id="brand-{brand}"' in page:
                found.append(page.split(f'id="brand-{brand}"')[1].split("</article>")[0])
            return bool(found)

        await wait_for(there, f"{brand} on the page")
        return found[0]

    async def permits(self, one: Newcomer, *, hub_signed: bool = False, status: int = 200) -> None:
        digest = re.search(r'name="ask" value="([0-9a-f]{64})"', await self.card(one.brand.id))
        form = [*EVER, ("entrance", one.terms["entrances"][0]), ("place", one.terms["places"][0]),
                ("carriers", "Chronopost"), ("ask", "" if digest is None else digest[1]),
                *([("hub_signed", "1")] if hub_signed else [])]  # fmt: skip
        async with self.http.post(f"/brands/{one.brand.id}/terms", data=form) as answer:
            assert answer.status == status, await answer.text()

    async def says(self, path: str, do: str) -> None:
        async with self.http.post(path, data={"do": do, "password_again": ANNA_PASSWORD}) as answer:
            assert answer.status == 200, await answer.text()


@contextlib.asynccontextmanager
async def owner(here: ThroughHub) -> AsyncIterator[Owner]:
    """The first owner claims the box."""
    home = here.play.plan.home
    assert home.pages is not None
    address = f"http://127.0.0.1:{home.pages.port}"
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(address, cookie_jar=jar, headers={"Origin": address}) as http:

        async def claimable() -> bool:
            return home.claim_code_file.exists()

        await wait_for(claimable, "the claim code")
        code = home.claim_code_file.read_text(encoding="ascii").strip()
        async with http.post("/claim", data={"code": code, "name": "Anna", "password": ANNA_PASSWORD}) as answer:
            assert answer.status == 200, await answer.text()
        yield Owner(http)


def with_pages(made: DemoPlan) -> DemoPlan:
    return replace(made, home=made.home.model_copy(update={"pages": PagesSection(port=free_port())}))


async def told(here: ThroughHub, brand: str) -> None:
    """The owner's phone hears of it."""
    said = await here.play.watch.wait_for_message(Notification.BRAND_ASKS.value, urgent=False, within=30)
    assert brand in said["text"], said


async def test_a_stranger_asks_is_let_in_and_delivers_by_a_key_that_the_owner_accepted(tmp_path: Path) -> None:
    async with through_hub(tmp_path, rigged=False, change=with_pages) as here, owner(here) as anna:
        play, lune = here.play, Newcomer(here, UnknownBrand(hub=here.hub.url, now=datetime.now(UTC)))
        await wait_for(here.hub.ready, "the hub")
        await lune.begins()
        play.watch.mark_seen()
        await lune.asks()
        await told(here, "Maison Lune")
        early = await here.hub.sends(lune.brand.delivers(lune.offer()[0], home=HOME), "order-early")
        await wait_for(lambda: _stands(here.hub, early, "refused", "unknown_key"), "nothing before the owner's yes")
        await anna.permits(lune)
        await lune.stands("granted")
        first = await lune.announces()
        await lune.delivery(first, State.WINDOW_OPEN)
        forged = Newcomer(here, UnknownBrand(hub=here.hub.url), terms=lune.terms)
        lie = await here.hub.sends(forged.brand.delivers(forged.offer()[0], home=HOME), "order-lie")
        await wait_for(lambda: _stands(here.hub, lie, "refused", "wrong_signature"), "a forged one refused")
        lune.brand.grows()
        await lune.enrols(2, by=1)
        await wait_for(lambda: _shows(anna, "lune-2"), "the new key on the page")
        too_soon = await lune.announces(by=2)
        await lune.delivery(too_soon, State.REFUSED, "unknown_key")
        await anna.says("/brands/lune/keys/lune-2", "approve")
        second = await lune.announces(by=2)
        await lune.delivery(second, State.WINDOW_OPEN)
        await play.wait_for_cameras()
        play.watch.mark_seen()
        await play.courier.does("arrive")
        await play.courier.scans(second.parcel)
        await play.courier.scans(second.courier)
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        await play.leave_and_seal()
        await lune.delivery(second, State.DELIVERED)
        await anna.says("/brands/lune", "revoke")
        await lune.stands("revoked")
        await lune.delivery(first, State.REFUSED, "brand_not_permitted")
        play.watch.mark_seen()
        await play.wait_for_new_scan()
        await play.scan_refused_code(first.parcel, Refusal.BRAND_NOT_PERMITTED)
        assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT


async def test_no_is_no_silence_too_and_what_the_owner_said_outlives_the_box_s_death(tmp_path: Path) -> None:
    async with through_hub(tmp_path, rigged=True, change=with_pages) as here, owner(here) as anna:
        play = here.play
        lune, soleil, bref = (
            Newcomer(here, UnknownBrand(id=id_, name=name, hub=here.hub.url, now=datetime.now(UTC), keys=keys))
            for id_, name, keys in (("lune", "Maison Lune", []), ("soleil", "Soleil", UnknownBrand().keys),
                                    ("bref", "Bref", UnknownBrand().keys))
        )  # fmt: skip
        await wait_for(here.hub.ready, "the hub")
        for one in (lune, soleil, bref):
            await one.begins()
        await _in_vain(soleil, anna)
        await soleil.asks()
        await anna.card("soleil")
        await anna.says("/brands/soleil", "refuse_brand")
        await soleil.stands("refused")
        await soleil.asks()
        await soleil.stands("refused")
        await _again(here.hub)
        assert 'name="ask"' not in await anna.card("soleil"), "the same question again is none"
        stolen = replace(bref.brand, keys=UnknownBrand().keys).asking(signed=bref.brand.asks())
        altered = await _brings(here.hub, stolen)
        assert altered == REASON_UNSIGNED, "the hub put its own key beside what the brand had signed"
        assert await _brings(here.hub, bref.brand.asking(home="home-2")) == REASON_OTHER_HOME
        assert 'id="brand-bref"' not in await anna.page()
        await bref.asks(lives=timedelta(seconds=12))  # it has to be seen first, on a busy machine too
        await anna.card("bref")
        await wait_for(lambda: _shows(anna, "bref", gone=True), "the question over")
        async with anna.http.post("/brands/bref/terms", data=[*EVER, ("carriers", "Chronopost")]) as answer:
            assert answer.status == 409, "nor does a form that is still open"
        await lune.asks(hub_signed=True)
        await anna.card("lune")
        await here.hub.broker.kill()
        await anna.permits(lune, hub_signed=True)
        await play.kill_gateway()  # it had said yes, and nobody beyond the house had heard it
        await here.hub.broker.start()
        await lune.stands("granted")
        plain = await lune.announces(by=None)
        await lune.delivery(plain, State.WINDOW_OPEN)
        await play.wait_for_cameras()
        await play.wait_until_ready()
        play.watch.mark_seen()
        await play.courier.does("arrive")
        await play.courier.scans(plain.parcel)
        await play.courier.scans(plain.courier)
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        await play.leave_and_seal()
        await lune.delivery(plain, State.DELIVERED)
        known = here.shop.signer.brand
        lie = await _invents(here, known, lune.offer()[0])
        await wait_for(lambda: _stands(here.hub, lie, "refused", "hub_signed_not_permitted"), "what no term allows")
        await here.hub.asks("POST", f"/v1/connections/{lune.connection}/end")
        await wait_for(lambda: _says(anna, "lune", "ended this"), "the end on the page")
        assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT


async def _in_vain(one: Newcomer, anna: Owner) -> None:
    """What the brand has not signed this home does not show, and the hub ends it without waiting for a week."""
    await one.asks(signs=False)
    await one.stands("expired")
    assert f'id="brand-{one.brand.id}"' not in await anna.page()


async def _stands(hub: HubUnderTest, delivery: str, state: str, reason: str | None) -> bool:
    return await hub.state(delivery) == (state, reason)


async def _shows(anna: Owner, what: str, *, gone: bool = False) -> bool:
    return (what in await anna.page()) is not gone


async def _says(anna: Owner, brand: str, what: str) -> bool:
    return what in await anna.card(brand)


async def _again(hub: HubUnderTest) -> None:
    """The hub brings each question once more, as a hub may."""
    async with hub.store.writing() as tx:
        rows = (await tx.execute(select(jobs).where(jobs.c.kind == JobKind.CONNECT))).all()
        for row in rows:
            await job_store.enqueue(tx, HOME, JobKind.CONNECT, row.token, now=datetime.now(UTC))

    async def none() -> bool:
        return await hub.waiting() == 0

    await wait_for(none, "a receipt for every job")


async def _brings(hub: HubUnderTest, token: bytes) -> str | None:
    """The hub brings a question of its own making; why the box refused it."""
    async with hub.store.writing() as tx:
        id_ = await job_store.enqueue(tx, HOME, JobKind.CONNECT, token, now=datetime.now(UTC))
    found: list[str | None] = []

    async def answered() -> bool:
        async with hub.store.reading() as tx:
            row = (await tx.execute(select(jobs).where(jobs.c.id == id_))).one()
        found.append(row.refused)
        return row.due is None

    await wait_for(answered, "a receipt")
    return found[-1]


async def _invents(here: ThroughHub, brand: str, offer: Offer) -> str:
    """The hub signs a delivery of a brand that never asked for it."""
    seconds = int(datetime.now(UTC).timestamp())
    claims = HubClaims(brand=brand, aud=HOME, iat=seconds, nbf=seconds, exp=seconds + 3600,
                       jti=secrets.token_urlsafe(16), delivery=offer)  # fmt: skip
    token = HubKeyPair.load(here.hub.folder / "hub").sign(claims)
    return await here.hub.sends(token, offer.id, kind=JobKind.HUB_DELIVERY)

"""Parcel codes that mean something else when they are read again, sent by strangers and retailers to hub and box."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway.domain.delivery.promise import Cancel, Offer, State, Window
from gateway.hub.database.tables import deliveries, delivery_versions
from gateway.hub.signing_key import HubKeyPair
from gateway.protocol.box_hub import JobKind
from gateway.protocol.delivery_message import HubClaims
from tests.hubs import RunningHub, hub_file, run_hub
from tests.sandboxes import SandboxClient, create_sandbox
from tests.through_hub import HOME, AnnouncedDelivery, BrandUnderTest, HubUnderTest, through_hub, wait_for

TWICE = "]A0]A0]A0]A0]C1zzz"
STORED = "]C1zzz"  # what an older release stored of such a code: today no code


@pytest.mark.parametrize(
    "raw", ["]A0]C1zzz", "]A0]A0]A0]C1zzz", TWICE, "]A0 abc", "]C0]E04006381333931", "]A0perron:x"]
)
async def test_a_stranger_with_a_sandbox_does_not_end_the_hub_by_a_code_that_is_read_twice(
    tmp_path: Path, raw: str
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        sandbox = await create_sandbox(hub)
        body = {"connection": sandbox.said["connection"], "delivery": sandbox.promise(raw)}
        status, said = await sandbox.ask("POST", "/v1/deliveries", body)
        assert (status, said["errors"][0]["pointer"]) == (422, "/delivery/parcels/0")
        await still_plays(sandbox)


async def still_plays(sandbox: SandboxClient) -> None:
    """The robot of the sandbox still works."""
    delivery = await sandbox.announce("TBA123456789012")
    assert (await sandbox.until(delivery, "delivered", "refused"))["state"] == "delivered"


async def becomes_old(hub: RunningHub, delivery: str) -> None:
    """Store of a delivery what an older release may have stored."""
    async with hub.hub.store.writing() as tx:
        row = (await tx.execute(select(deliveries).where(deliveries.c.id == delivery))).one()
        old = {**row.promise, "parcels": [STORED]}
        await tx.execute(update(deliveries).where(deliveries.c.id == delivery).values(promise=old))
        mine = delivery_versions.c.delivery == delivery
        await tx.execute(update(delivery_versions).where(mine).values(promise=old))


async def test_a_stored_delivery_whose_code_is_no_code_today_does_not_end_the_hub(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        sandbox = await create_sandbox(hub)
        old = await sandbox.announce("SANDBOX-WAITS")
        await sandbox.until(old, "scheduled")
        await becomes_old(hub, old)
        await still_plays(sandbox)
        status, said = await sandbox.ask("PATCH", f"/v1/deliveries/{old}", {"delivery": {"place": "shelf"}})
        assert status == 200, said
        assert said["parcels"] == [STORED]
        status, said = await sandbox.ask("PATCH", f"/v1/deliveries/{old}", {"delivery": {"parcels": ["TBA1"]}})
        assert (status, said["parcels"]) == (200, ["TBA1"])
        await still_plays(sandbox)


async def test_a_held_delivery_whose_code_is_no_code_today_does_not_end_the_hub(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        sandbox = await create_sandbox(hub)
        asked = {"brand": sandbox.said["brand"], "asked": {"carriers": ["Chronopost"], "hub_signed": True}}
        status, made = await sandbox.ask("POST", "/v1/connections", asked)
        assert status == 201, made
        body = {"connection": made["id"], "delivery": sandbox.promise("SANDBOX-WAITS")}
        status, held = await sandbox.ask("POST", "/v1/deliveries", body)
        assert status == 201, held
        await becomes_old(hub, held["id"])
        async with hub.http.post(made["consent_url"], data={"code": sandbox.said["support_code"]}) as answer:
            assert answer.status == 200, await answer.text()

        async def released() -> bool:
            async with hub.hub.store.reading() as tx:
                found = deliveries.c.id == held["id"]
                return not await tx.scalar(select(deliveries.c.held).where(found))

        await wait_for(released, "the held delivery is sent")
        await still_plays(sandbox)


@pytest.mark.slow
async def test_a_retailer_does_not_end_a_home_s_gateway_by_a_code_that_is_read_twice(tmp_path: Path) -> None:
    sent: list[AnnouncedDelivery] = []

    async def before(hub: HubUnderTest, shop: BrandUnderTest) -> None:
        """The box is not there yet: all of it waits at the hub."""
        await wait_for(hub.ready, "the hub")

        def attack(raw: str) -> Offer:
            now = datetime.now(UTC).replace(microsecond=0)
            return Offer.model_construct(
                id=f"order-{secrets.token_hex(4)}", version=1, entrance="front", carrier="Chronopost", place="hall",
                window=Window(start=now, end=now + timedelta(hours=1)), parcels=(raw,),
            )  # fmt: skip

        key = HubKeyPair.load(hub.folder / "hub")
        for raw in ("]A0]C1zzz", TWICE):
            offer = attack(raw)
            seconds = int(datetime.now(UTC).timestamp())
            words = HubClaims(
                brand=shop.signer.brand, aud=HOME, iat=seconds, nbf=seconds, exp=seconds + 3600,
                jti=secrets.token_urlsafe(16), delivery=Cancel(id=offer.id, version=1),
            )  # fmt: skip
            by_hub = key.sign(words.model_copy(update={"delivery": offer}))
            id_ = await hub.sends(by_hub, offer.id, kind=JobKind.HUB_DELIVERY)
            sent.append(AnnouncedDelivery(id_, offer.id, raw, "", by_hub))
        sent.append(await shop.announces())

    async with through_hub(tmp_path, rigged=False, before=before) as here:
        *attacks, honest = sent
        for one, state in (*((one, State.REFUSED) for one in attacks), (honest, State.WINDOW_OPEN)):

            async def so(one: AnnouncedDelivery = one, state: State = state) -> bool:
                return (await here.hub.state(one.id))[0] == state

            await wait_for(so, f"{one.parcel}: {state}, not {await here.hub.state(one.id)}")
        assert here.play.stage.gateway.deaths == []
        assert here.hub.deaths() == 0

"""What an operator does with a retailer, a key and a brand of a hub that runs, from another process's store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import connections, deliveries, jobs, retailers
from gateway.hub.operation import brands as brand_operation
from gateway.hub.operation import homes as home_operation
from gateway.hub.operation import retailers as operation
from gateway.hub.operation.retailers import NotFound, NotPossible
from gateway.protocol.box_hub import JobKind
from gateway.protocol.consent_request import parse_consent
from gateway.protocol.support_code import format_support_code
from tests.boxes import insert_delivery
from tests.connecting import GRANTED_DECISION, HubRetailer
from tests.hubs import RunningHub, database, hub_file, run_hub
from tests.webhookhouse import webhook_house


@asynccontextmanager
async def beside(folder: Path) -> AsyncIterator[HubStore]:
    """The store as a command of the operator opens it, beside the hub."""
    store = await HubStore.open(database(folder / "hub"))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[RunningHub, HubRetailer, str]]:
    """A retailer whose brand a home let in, with an open delivery there; the connection's id."""
    async with run_hub(hub_file(folder)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        asked = await shop.ask()
        await shop.says(asked["consent_url"], await shop.home())
        assert await shop.decides(GRANTED_DECISION)
        async with hub.hub.store.writing() as tx:
            await insert_delivery(tx, asked["id"], "order-1", now=hub.hub.now())
        yield hub, shop, asked["id"]


async def until_answered(shop: HubRetailer, status: int) -> None:
    """The hub remembers a key for a second, whatever another process does."""
    async with asyncio.timeout(5):
        while (await shop.call("GET", "/v1/brands"))[0] != status:  # noqa: ASYNC110 - only the hub knows
            await asyncio.sleep(0.1)


async def test_a_suspended_retailer_is_refused_in_a_word_of_its_own_and_resumed_with_the_same_key(
    tmp_path: Path,
) -> None:
    async with connected(tmp_path) as (hub, shop, connection), beside(tmp_path) as store:
        reading = asyncio.create_task(_streamed(shop))
        await asyncio.sleep(0.2)
        await operation.suspend(store, shop.who.id, hub.hub.now())
        await until_answered(shop, 403)
        for method, path in (("GET", "/v1/brands"), ("POST", "/v1/brands"), ("GET", "/v1/events/stream")):
            status, said = await shop.call(method, path)
            assert (status, said["code"], said["type"]) == (
                403, "retailer_suspended", f"{hub.url}/problems/retailer_suspended",
            )  # fmt: skip
        changed = GRANTED_DECISION.model_copy(update={"version": 2, "hours": "09:00-12:00"})
        assert await shop.decides(changed), "its homes decide as before"
        hub.hub.wake_ups.messages()
        assert "connection.decided" not in await asyncio.wait_for(reading, 20), "a stream that was open gets nothing"
        (open_one,) = await shop.rows(deliveries)
        assert open_one.state == "scheduled"
        other = HubRetailer(hub, await hub.retailer("Soleil"))
        assert (await other.brand("soleil"))[0] == 201, "nobody else notices"
        await operation.resume(store, shop.who.id, hub.hub.now())
        await until_answered(shop, 200)
        status, said = await shop.call("GET", f"/v1/connections/{connection}")
        assert (status, said["terms"]["hours"]) == (200, "09:00-12:00")
        async with hub.http.get("/problems/retailer_suspended") as page:
            assert "Speak with the operator" in await page.text()


async def _streamed(shop: HubRetailer) -> str:
    async with shop.hub.http.get("/v1/events/stream?seconds=3", headers=shop.who.headers) as answer:
        return (await answer.read()).decode()


async def test_the_customers_of_a_suspended_retailer_are_asked_nothing(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, beside(tmp_path) as store:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        asked, code = await shop.ask(), await shop.home()
        await operation.suspend(store, shop.who.id, hub.hub.now())
        await shop.says(asked["consent_url"], code)
        assert await shop.rows(jobs) == []
        await operation.resume(store, shop.who.id, hub.hub.now())
        await shop.says(asked["consent_url"], code)
        assert [job.kind for job in await shop.rows(jobs)] == [JobKind.CONNECT]


async def test_webhooks_of_a_suspended_retailer_wait_and_all_come_in_their_order_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    async with webhook_house(tmp_path) as house, beside(tmp_path) as store:
        endpoint = await house.endpoint()
        await house.tell()
        await house.settled(endpoint)
        before = len(house.receiver.heard("/ok"))
        await operation.suspend(store, house.retailer.id, house.hub.hub.now())
        await house.tell(3)
        house.later(2 * 86_400)  # longer than a message is tried
        await asyncio.sleep(0.5)
        assert len(house.receiver.heard("/ok")) == before
        await operation.resume(store, house.retailer.id, house.hub.hub.now())
        house.hub.hub.wake_ups.messages()
        log = await house.until(endpoint, lambda log: [one["state"] for one in log[:3]] == ["delivered"] * 3)
        assert all(one["attempts_made"] == 1 for one in log[:3])
        numbers = [one.said["data"]["number"] for one in house.receiver.heard("/ok")[before:]]
        assert numbers == [0, 1, 2]


async def test_the_limits_that_the_operator_sets_hold_for_one_retailer_and_stand_in_its_answers(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, beside(tmp_path) as store:
        shop, other = HubRetailer(hub, await hub.retailer()), HubRetailer(hub, await hub.retailer("Soleil"))

        async def policy(of: HubRetailer, method: str = "GET") -> tuple[int, str]:
            body = None if method == "GET" else {"id": "lune", "name": "L"}
            async with hub.http.request(method, "/v1/brands", headers=of.who.headers, json=body) as answer:
                return answer.status, answer.headers["RateLimit-Policy"]

        assert await policy(shop) == (200, '"reads";q=10000;w=1')
        held = await operation.set_limits(store, shop.who.id, {"writes": 30, "reads": 2, "writes_a_day": 1})
        assert (held.writes, held.reads, held.writes_a_day) == (30, 2, 1)
        await asyncio.sleep(1.1)  # for which the hub remembers a key
        assert await policy(shop) == (200, '"reads";q=2;w=1')
        assert (await policy(shop, "POST")) == (201, '"writes";q=30;w=1, "writes-a-day";q=1;w=86400')
        status, said = await policy(shop, "POST")
        assert (status, said) == (429, '"writes";q=30;w=1, "writes-a-day";q=1;w=86400')
        assert await policy(other) == (200, '"reads";q=10000;w=1')
        await operation.set_limits(store, shop.who.id, {"writes": None, "reads": None, "writes_a_day": None})
        await asyncio.sleep(1.1)
        assert await policy(shop, "GET") == (200, '"reads";q=10000;w=1')


async def test_an_ended_retailer_is_out_for_good_and_its_homes_are_informed_while_its_data_stays(
    tmp_path: Path,
) -> None:
    async with connected(tmp_path) as (hub, shop, connection), beside(tmp_path) as store:
        before = {job.id for job in await shop.rows(jobs)}
        assert await operation.end(store, shop.who.id, hub.hub.now()) == 1
        assert await operation.end(store, shop.who.id, hub.hub.now()) == 0, "once"
        await until_answered(shop, 401)
        async with asyncio.timeout(20):
            while not (told := [job for job in await shop.rows(jobs) if job.id not in before]):  # noqa: ASYNC110 - a worker of the hub makes it
                await asyncio.sleep(0.1)
        request = parse_consent(told[0].token)
        assert request is not None
        assert request.ends == connection
        assert (await shop.rows(connections))[0].state == "ended"
        assert len(await shop.rows(deliveries)) == 1
        with pytest.raises(NotPossible, match="for good"):
            await operation.resume(store, shop.who.id, hub.hub.now())
        with pytest.raises(NotPossible, match="new retailer"):
            await operation.create_key(store, shop.who.id, label="x", right="full", now=hub.hub.now())
        (listed,) = await operation.list_retailers(store)
        assert (listed.state, listed.keys, listed.connections, listed.open_deliveries) == ("ended", 0, 0, 1)


async def test_a_key_that_the_operator_revokes_ends_within_a_second_and_one_that_he_makes_counts_at_once(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, beside(tmp_path) as store:
        shop = HubRetailer(hub, await hub.retailer())
        assert (await shop.call("GET", "/v1/brands"))[0] == 200
        (key,) = await operation.list_keys(store, shop.who.id, hub.hub.now())
        assert (key.state, key.right) == ("active", "full")
        await operation.revoke_key(store, key.id, hub.hub.now())
        await until_answered(shop, 401)
        _, shop.who.token = await operation.create_key(
            store, shop.who.id, label="after the leak", right="read", now=hub.hub.now()
        )
        assert (await shop.call("GET", "/v1/brands"))[0] == 200
        assert (await shop.brand())[0] == 403
        states = [one.state for one in await operation.list_keys(store, shop.who.id, hub.hub.now())]
        assert states == ["revoked", "active"]
        with pytest.raises(NotFound, match="no API key"):
            await operation.revoke_key(store, "key-nobody", hub.hub.now())


async def test_a_name_is_freed_for_its_owner_only_while_no_home_was_asked(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, beside(tmp_path) as store:
        squatter, owner = HubRetailer(hub, await hub.retailer("X")), HubRetailer(hub, await hub.retailer("Lune"))
        assert (await squatter.brand())[0] == 201
        assert (await squatter.enrol())[0] == 201
        assert (await owner.brand())[0] == 409
        await brand_operation.free_brand(store, "lune", hub.hub.now())
        assert (await owner.brand())[0] == 201
        assert (await squatter.call("GET", "/v1/brands/lune"))[0] == 404
        assert (await owner.enrol())[0] == 201, "the key's name is free too"
        await owner.ask()
        with pytest.raises(NotPossible, match="stays taken"):
            await brand_operation.free_brand(store, "lune", hub.hub.now())
        with pytest.raises(NotFound, match="no brand"):
            await brand_operation.free_brand(store, "sol", hub.hub.now())


async def test_nothing_more_is_done_in_the_name_of_a_brand_that_the_operator_ended(tmp_path: Path) -> None:
    async with connected(tmp_path) as (hub, shop, connection), beside(tmp_path) as store:
        assert await brand_operation.end_brand(store, "lune", hub.hub.now()) == 1
        status, said = await shop.call("GET", f"/v1/connections/{connection}")
        assert (status, said["state"]) == (200, "ended"), "the retailer itself goes on"
        for path, body in (
            ("/v1/connections", {"brand": "lune", "asked": {"carriers": ["Chronopost"]}}),
            ("/v1/brands/lune/keys", {"kid": "k", "x": shop.key.public.text, "proof": "a.b.c"}),
        ):
            status, said = await shop.call("POST", path, body)
            assert (status, said["detail"]) == (409, "The operator of this hub has ended this brand."), said
        (listed,) = await brand_operation.list_brands(store, shop.who.id)
        assert (listed.state, listed.asked, listed.granted) == ("ended", 1, 0)


async def test_a_home_is_shown_by_what_its_owner_reads_on_the_telephone(tmp_path: Path) -> None:
    async with connected(tmp_path) as (hub, shop, _), beside(tmp_path) as store:
        (listed,) = await home_operation.list_homes(store)
        shown = await home_operation.show_home(store, listed.support_code.lower())
        assert (shown.id, shown.brands, shown.state) == ("home-1", 1, "away")
        assert shown.support_code == format_support_code(listed.support_code.replace("-", ""))
        await hub.retailer("A sandbox's", sandbox=True)
        async with hub.hub.store.writing() as tx:
            that = update(retailers).where(retailers.c.name == "A sandbox's")
            await tx.execute(that.values(ends=hub.hub.now()))
            known: Any = (await tx.execute(select(retailers.c.id))).all()
        assert len(known) == 2
        assert [one.id for one in await operation.list_retailers(store)] == [shop.who.id]
        assert len(await operation.list_retailers(store, with_sandboxes=True)) == 2

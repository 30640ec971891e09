import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from sqlalchemy import text

from gateway.hub.database.store import HubStore
from gateway.protocol.consent_request import MAX_BRAND_KEYS
from gateway.protocol.keys import BoxKey
from tests.connecting import HubRetailer
from tests.hubs import hub_file, run_hub


async def test_a_brand_is_made_once_and_found_again(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        ours, theirs = HubRetailer(hub, await hub.retailer()), HubRetailer(hub, await hub.retailer("Soleil"))
        status, made = await ours.brand()
        assert (status, made["id"], made["name"]) == (201, "lune", "Maison Lune")
        assert await ours.call("GET", "/v1/brands/lune") == (200, made)
        for shop in (ours, theirs):
            status, refused = await shop.brand()
            assert (status, refused["code"]) == (409, "already_exists"), "a word is one brand's, whoever asks"
        trial = HubRetailer(hub, await hub.retailer("Essai", sandbox=True))
        assert (await trial.brand())[0] == 201, "whoever tries things out takes no real word, and none is kept from him"


async def test_brands_are_listed_a_page_at_a_time(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        for number in range(5):
            await shop.brand(f"b-{number}")
        seen, path = [], "/v1/brands?limit=2"
        while path:
            status, page = await shop.call("GET", path)
            assert status == 200
            seen += [brand["id"] for brand in page["data"]]
            path = f"/v1/brands?limit=2&cursor={page['next']}" if page["next"] else ""
        assert seen == ["b-4", "b-3", "b-2", "b-1", "b-0"]
        assert (await shop.call("GET", "/v1/brands?cursor=WyJiLTkiXQ"))[0] == 400


async def test_a_key_is_enrolled_by_whoever_has_it_and_by_nobody_else(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop, thief = HubRetailer(hub, await hub.retailer()), HubRetailer(hub, await hub.retailer("Soleil"))
        await shop.brand()
        await thief.brand("soleil")
        status, made = await shop.enrol()
        assert (status, made["kid"], made["revoked"]) == (201, "lune-1", None)
        assert (await shop.enrol("lune-2"))[1]["code"] == "already_exists", "one key has one name"
        assert (await thief.enrol("lune-1", "soleil"))[1]["code"] == "already_exists", "and a name is one key's"
        status, refused = await thief.enrol("s-1", "soleil", shop.key)
        assert (status, refused["code"]) == (409, "already_exists")
        body = {"kid": "s-2", "x": BoxKey.generate().public.text, "proof": "e30.e30.AAAA"}
        status, refused = await thief.call("POST", "/v1/brands/soleil/keys", body)
        assert (status, refused["code"], refused["errors"][0]["pointer"]) == (422, "signature_refused", "/proof")


async def test_keys_overlap_and_a_revoked_one_stays_to_be_seen(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        await shop.enrol("old")
        assert (await shop.enrol("new", key=BoxKey.generate()))[0] == 201
        for _ in range(2):
            status, ended = await shop.call("POST", "/v1/brands/lune/keys/old/revoke")
            assert (status, ended["kid"]) == (200, "old")
        status, keys = await shop.call("GET", "/v1/brands/lune/keys")
        assert {key["kid"]: key["revoked"] is None for key in keys["data"]} == {"old": False, "new": True}
        for number in range(MAX_BRAND_KEYS - 1):
            assert (await shop.enrol(f"k-{number}", key=BoxKey.generate()))[0] == 201
        assert (await shop.enrol("more", key=BoxKey.generate()))[1]["code"] == "conflict"
        assert (await shop.call("POST", "/v1/brands/lune/keys/none/revoke"))[0] == 404


@contextlib.asynccontextmanager
async def nobody_enrols(store: HubStore) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """On PostgreSQL, which has many writers, keep all keys from being written until so many wait for something."""
    free = asyncio.Event()

    async def keep() -> None:
        async with store.writing() as tx:
            await tx.execute(text("LOCK TABLE brand_keys IN EXCLUSIVE MODE"))
            kept.set()
            await free.wait()

    async def until(count: int) -> None:
        async with asyncio.timeout(8), store.reading() as tx:
            while not store.has_one_writer:
                await tx.execute(text("SELECT pg_sleep(0.02)"))
                if await tx.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) == count:
                    break
        free.set()

    kept, keeping = asyncio.Event(), None if store.has_one_writer else asyncio.create_task(keep())
    if keeping is not None:
        await kept.wait()
    yield until
    if keeping is not None:
        await keeping


async def test_of_six_that_enrol_the_tenth_key_at_once_one_does_and_no_brand_has_eleven(tmp_path: Path) -> None:
    """Each counted nine on PostgreSQL; eleven keys make a question that no home takes."""
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        for number in range(MAX_BRAND_KEYS - 1):
            assert (await shop.enrol(f"k-{number}", key=BoxKey.generate()))[0] == 201
        async with nobody_enrols(hub.hub.store) as waiting, asyncio.TaskGroup() as group:
            at_once = [group.create_task(shop.enrol(f"tenth-{number}", key=BoxKey.generate())) for number in range(6)]
            await waiting(6)
        told = sorted(one.result()[0] for one in at_once)
        assert told == [201, 409, 409, 409, 409, 409]
        _, keys = await shop.call("GET", "/v1/brands/lune/keys")
        assert len(keys["data"]) == MAX_BRAND_KEYS


async def test_another_s_brand_and_one_of_the_other_world_is_not_there(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        ours = HubRetailer(hub, await hub.retailer())
        await ours.brand()
        await ours.enrol()
        for stranger in (await hub.retailer("Soleil"), await hub.retailer("Essai", sandbox=True)):
            other = HubRetailer(hub, stranger)
            for method, path in (
                ("GET", "/v1/brands/lune"), ("GET", "/v1/brands/lune/keys"),
                ("POST", "/v1/brands/lune/keys/lune-1/revoke"),
            ):  # fmt: skip
                assert (await other.call(method, path))[0] == 404, path
            assert (await other.enrol("x", key=BoxKey.generate()))[0] == 404
            assert (await other.call("GET", "/v1/brands"))[1]["data"] == []

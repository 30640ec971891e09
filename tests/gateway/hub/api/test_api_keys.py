from pathlib import Path

from tests.hubs import hub_file, run_hub


async def test_a_key_is_told_once_works_at_once_and_ends_at_once(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        first = await hub.retailer()
        async with hub.http.post("/v1/api_keys", json={"label": "till"}, headers=first.headers) as made:
            assert made.status == 201
            key = await made.json()
        second = {"Authorization": f"Bearer {key['token']}"}
        async with hub.http.get(made.headers["Location"], headers=second) as read:
            assert read.status == 200
            assert "token" not in await read.json(), "a secret is told once"
        async with hub.http.delete(f"/v1/api_keys/{key['id']}", headers=first.headers) as ended:
            assert ended.status == 204
        async with hub.http.get("/v1/api_keys", headers=second) as refused:
            assert (refused.status, (await refused.json())["code"]) == (401, "unauthenticated")


async def test_another_retailer_s_key_is_not_there(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        ours, theirs = await hub.retailer("Lune"), await hub.retailer("Soleil")
        own = theirs.token.partition("_")[0]
        for method in ("GET", "DELETE"):
            async with hub.http.request(method, f"/v1/api_keys/{own}", headers=ours.headers) as answer:
                assert answer.status == 404, method
        async with hub.http.get("/v1/api_keys", headers=theirs.headers) as still:
            assert [key["id"] for key in (await still.json())["data"]] == [own]


async def test_a_reading_key_writes_nothing_and_a_sandbox_s_key_sees_only_the_sandbox(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        ours = await hub.retailer()
        async with hub.http.post("/v1/api_keys", json={"label": "r", "right": "read"}, headers=ours.headers) as made:
            reading = {"Authorization": f"Bearer {(await made.json())['token']}"}
        async with hub.http.post("/v1/api_keys", json={"label": "x"}, headers=reading) as refused:
            assert (refused.status, (await refused.json())["code"]) == (403, "forbidden")
        async with hub.http.get("/v1/api_keys", headers=reading) as read:
            assert read.status == 200

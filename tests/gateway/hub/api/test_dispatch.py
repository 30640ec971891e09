import asyncio
import gzip
import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from gateway.hub.api import idempotency as remembered
from gateway.hub.config import Limits
from gateway.hub.database.tables import api_keys, events, idempotency, jobs
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries.retention import Retention
from gateway.hub.http.authentication import authenticate_caller
from gateway.hub.http.operation import ApiAccess, ApiCaller
from gateway.hub.process import OPERATIONS
from tests.announcing import connected_home
from tests.hubs import RetailerAccess, RunningHub, hub_file, run_hub
from tests.webhookhouse import ManualWallClock

JSON = {"Content-Type": "application/json"}


async def code(hub: RunningHub, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    async with hub.http.post("/v1/api_keys", data=body, headers=headers) as answer:
        assert answer.content_type == "application/problem+json"
        said = await answer.json(content_type=None)
        assert said["type"].endswith(f"/problems/{said['code']}"), "the code is explained where its type points"
        return answer.status, said["code"]


async def test_a_body_that_two_readers_could_read_differently_is_refused(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = {**(await hub.retailer()).headers, **JSON}
        for body in (
            b'{"label": "a", "label": "b"}',
            b'{"label": NaN}',
            b'{"label": ' + b"[" * 200 + b"]" * 200 + b"}",
            b'{"label": ' + b"9" * 5000 + b"}",
            b'{"label": "a"',
            b"\xff",
            b"",
        ):
            assert await code(hub, body, headers) == (400, "malformed_json"), body[:40]


async def test_a_wrong_field_is_named_by_its_pointer(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = (await hub.retailer()).headers
        async with hub.http.post("/v1/api_keys", json={"label": "a", "right": 1}, headers=headers) as answer:
            said = await answer.json(content_type=None)
        assert (answer.status, said["errors"][0]["pointer"], said["errors"][0]["in"]) == (422, "/right", "body")


async def test_a_mistake_in_a_body_is_told_in_plain_words(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = {**(await hub.retailer()).headers, **JSON}
        for path, body, detail in (
            ("api_keys", '{"label": "a",\n "rights": }', "not JSON at line 2, column 12."),
            ("api_keys", '{"label": "a", "colour": 1}', "There is nothing of this name here."),
            ("deliveries", '{"connection": "con-' + "a" * 26 + '"}', "Give one of delivery, token, and one only."),
        ):
            async with hub.http.post(f"/v1/{path}", data=body, headers=headers) as answer:
                said = await answer.json(content_type=None)
            assert detail in [said.get("detail"), *(one["detail"] for one in said.get("errors", ()))], said


def test_the_page_for_retailers_says_how_large_a_body_may_be() -> None:
    page = (Path(__file__).parents[4] / "docs" / "retailer" / "api.md").read_text(encoding="utf-8")
    mine = [route.operation for route in OPERATIONS if route.operation.right is not ApiAccess.BROWSER]
    for largest in {operation.max_body_bytes for operation in mine if operation.body is not None}:
        assert f"{largest:,}" in page


async def test_what_is_too_large_or_no_json_or_for_another_host_is_refused(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = (await hub.retailer()).headers
        assert await code(hub, b" " * 70_000, {**headers, **JSON}) == (413, "too_large")
        assert await code(hub, b"{}", {**headers, "Content-Type": "text/plain"}) == (415, "unsupported_media_type")
        for coding in ("gzip", "identity, br"):
            packed = gzip.compress(b'{"label": "till"}')
            async with hub.http.post(
                "/v1/api_keys", data=packed, headers={**headers, **JSON, "Content-Encoding": coding}
            ) as no:
                assert (no.status, no.headers["Accept-Encoding"]) == (415, "identity")
                assert "without Content-Encoding" in (await no.json(content_type=None))["detail"]
        plain = {**headers, **JSON, "Content-Encoding": "identity"}
        async with hub.http.post("/v1/api_keys", data=b'{"label": "till"}', headers=plain) as made:
            assert made.status == 201
        assert await code(hub, b"{}", {**headers, **JSON, "Host": "evil.example"}) == (421, "bad_host")


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer key-x_y", "Basic a2V5", "Bearer key-" + "a" * 26 + "_" + "a" * 26]
)
async def test_without_a_key_that_counts_nothing_is_read(tmp_path: Path, said: str) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        assert await code(hub, b"not even JSON", {"Authorization": said, **JSON}) == (401, "unauthenticated")


async def test_the_same_idempotency_key_gets_the_same_answer_and_does_it_once(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        headers = {**retailer.headers, "Idempotency-Key": "order-1"}

        async def one() -> tuple[int, str, bool]:
            async with hub.http.post("/v1/api_keys", json={"label": "till"}, headers=headers) as answer:
                return answer.status, (await answer.json())["token"], "Idempotent-Replayed" in answer.headers

        answers = await asyncio.gather(*(one() for _ in range(8)))
        assert {(status, token) for status, token, _ in answers} == {(201, answers[0][1])}
        assert sum(not replayed for _, _, replayed in answers) == 1, "done once, and told so"
        async with hub.hub.store.reading() as tx:
            assert await tx.scalar(select(func.count()).select_from(api_keys)) == 2, "the first and this one"
        async with hub.http.post("/v1/api_keys", json={"label": "other"}, headers=headers) as other:
            assert (other.status, (await other.json(content_type=None))["code"]) == (422, "idempotency_key_reused")


async def test_of_two_who_make_one_name_at_once_the_later_is_answered_that_it_exists_already(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        announced = {"connection": home.connection, "delivery": home.promise(name="ORD-4711")}
        batched = {"items": [{**announced, "delivery": home.promise(name="ORD-4712")}]}
        brands = [home.ask("POST", "/v1/brands", {"id": "soleil", "name": "Soleil"}) for _ in range(6)]
        orders = [home.ask("POST", "/v1/deliveries", announced) for _ in range(6)]
        batches = [home.ask("POST", "/v1/delivery_batches", batched) for _ in range(6)]
        for answers in (await asyncio.gather(*brands), await asyncio.gather(*orders)):
            assert sorted((status, said.get("code")) for status, said in answers) == [
                (201, None), *[(409, "already_exists")] * 5
            ]  # fmt: skip
        results = [said["data"][0] for _, said in await asyncio.gather(*batches)]
        assert sorted((one["status"], (one["problem"] or {}).get("code")) for one in results) == [
            (201, None), *[(409, "already_exists")] * 5
        ]  # fmt: skip


async def test_an_idempotency_key_outlives_the_hub(tmp_path: Path) -> None:
    file, tokens = hub_file(tmp_path), []
    async with run_hub(file) as hub:
        retailer = await hub.retailer()
    for _ in range(2):
        async with run_hub(file) as hub:
            headers = {**retailer.headers, "Idempotency-Key": "order-1"}
            async with hub.http.post("/v1/api_keys", json={"label": "till"}, headers=headers) as answer:
                tokens.append((await answer.json())["token"])
    assert tokens[0] == tokens[1]


async def test_what_an_idempotency_key_was_answered_is_forgotten_after_a_day(tmp_path: Path) -> None:
    wall, day = ManualWallClock(), remembered.RETENTION_PERIOD.total_seconds()
    async with run_hub(hub_file(tmp_path), wall=wall) as hub:
        retailer, store = await hub.retailer(), hub.hub.store

        async def token(key: str) -> str:
            headers = {**retailer.headers, "Idempotency-Key": key}
            async with hub.http.post("/v1/api_keys", json={"label": "till"}, headers=headers) as answer:
                return str((await answer.json())["token"])

        async def swept() -> int:
            forever = timedelta(days=400)
            kept = Retention(forever, forever, forever, remembered.RETENTION_PERIOD, forever)
            return (await kept.sweep(store, hub.hub.now()))["responses"]

        first = await token("order-1")
        wall.ahead += day - 60
        await token("order-2")
        assert (await token("order-1"), await swept()) == (first, 0), "it is not a day old yet"
        wall.ahead += 120
        assert await token("order-1") != first, "another request now"
        wall.ahead += day - 60
        assert await swept() == 1, "that of order-2: that of order-1 is new"
        async with store.reading() as tx:
            assert await tx.scalar(select(func.count()).select_from(idempotency)) == 1


async def test_an_order_that_is_announced_again_is_told_so_and_so_is_a_name_that_is_taken(tmp_path: Path) -> None:
    """The hub looks for neither before it stores a delivery: the database refuses both."""
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        one, other = ({"connection": home.connection, "delivery": home.promise(name=name)} for name in ("a", "b"))

        async def announced(key: str, sent: dict[str, Any]) -> tuple[int, str]:
            status, told = await home.ask(
                "POST", "/v1/deliveries", sent, headers={**home.headers, "Idempotency-Key": key}
            )
            return status, told.get("code") or told["id"]

        first = await announced("key-1", one)
        assert first[0] == 201
        assert await announced("key-1", one) == first
        assert await announced("key-2", one) == (409, "already_exists")
        assert await announced("key-1", other) == (422, "idempotency_key_reused")
        assert (await announced("key-2", other))[0] == 201, "a refused request leaves its key free"
        async with hub.hub.store.reading() as tx:
            assert (await tx.scalars(select(jobs.c.home))).all() == [home.id] * 2
            assert (await tx.scalars(select(events.c.seq).order_by(events.c.seq))).all() == [1, 2]


async def test_who_asks_too_much_is_told_how_long_to_wait_and_others_are_not_kept(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path, limits=Limits(writes_a_day=3))) as hub:
        ours, theirs = await hub.retailer(), await hub.retailer("Soleil")
        answers = []
        for number in range(5):
            async with hub.http.post("/v1/api_keys", json={"label": f"till {number}"}, headers=ours.headers) as answer:
                answers.append((answer.status, answer.headers.copy()))
        assert [status for status, _ in answers] == [201, 201, 201, 429, 429]
        _, said = answers[-1]
        assert 1 <= int(said["Retry-After"]) <= 2 * 86_400
        assert said["RateLimit-Policy"] == f'"writes";q={Limits().writes};w=1, "writes-a-day";q=3;w=86400'
        async with hub.http.post("/v1/api_keys", json={"label": "till"}, headers=theirs.headers) as other:
            assert other.status == 201


async def test_every_answer_of_the_router_is_a_problem_too(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        async with hub.http.get("/nowhere") as lost:
            assert (lost.status, json.loads(await lost.text())["code"]) == (404, "not_found")
        async with hub.http.put("/v1/api_keys") as wrong:
            assert (wrong.status, wrong.headers["Allow"]) == (405, "GET,HEAD,POST")


async def test_an_address_that_asks_too_much_without_a_key_is_refused_before_any_key_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # by which the library counts: however slow this machine is
    async with run_hub(hub_file(tmp_path, limits=Limits(stranger_requests=2)), wall=time.time) as hub:
        ours = await hub.retailer()

        async def read(path: str, headers: dict[str, str]) -> tuple[int, int]:
            """The status, and how many keys were looked up for it."""
            before = len(looked_up)
            async with hub.http.get(path, headers=headers) as answer:
                if answer.status == 429:
                    assert (await answer.json(content_type=None))["code"] == "rate_limited"
                    assert 1 <= int(answer.headers["Retry-After"]) <= 20
                return answer.status, len(looked_up) - before

        looked_up: list[str] = []

        async def counted(tx: Transaction, authorization: str, now: datetime) -> ApiCaller | None:
            looked_up.append(authorization)
            return await authenticate_caller(tx, authorization, now)

        monkeypatch.setattr("gateway.hub.http.authentication.authenticate_caller", counted)
        assert await read("/v1/api_keys", ours.headers) == (200, 1)
        assert [await read("/v1/api_keys", ours.headers) for _ in range(9)] == [(200, 0)] * 9, "they are not counted"
        wrong = {"Authorization": f"{ours.headers['Authorization'][:-1]}!"}
        seen = [await read("/v1/api_keys", wrong) for _ in range(10)]
        seen += [await read("/openapi.json", {}) for _ in range(9)]
        assert {status for status, _ in seen[:10]} == {401}
        assert {status for status, _ in seen[10:]} == {200}
        assert await read("/v1/api_keys", wrong) == (429, 0)
        for path in ("/openapi.json", "/", "/nowhere"):
            assert await read(path, {}) == (429, 0), path
        kept = (await read("/v1/api_keys", ours.headers))[0]
        assert kept == 200, "neighbours do not keep out whose key counts"


async def test_a_flood_with_a_revoked_key_keeps_out_no_valid_key_and_no_health_check_of_that_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    async with run_hub(hub_file(tmp_path, limits=Limits()), wall=time.time) as hub:
        revoked, unused, later = [await hub.retailer() for _ in range(3)]
        looked_up = 0

        async def counted(tx: Transaction, authorization: str, now: datetime) -> ApiCaller | None:
            nonlocal looked_up
            looked_up += 1
            return await authenticate_caller(tx, authorization, now)

        monkeypatch.setattr("gateway.hub.http.authentication.authenticate_caller", counted)

        async def status(path: str, headers: dict[str, str]) -> int:
            async with hub.http.get(path, headers=headers) as answer:
                return answer.status

        async def revoke(retailer: RetailerAccess) -> None:
            async with hub.hub.store.writing() as tx:
                mine = update(api_keys).where(api_keys.c.retailer == retailer.id)
                await tx.execute(mine.values(revoked=hub.hub.now()))

        await revoke(revoked)
        flood = [await status("/v1/brands", revoked.headers) for _ in range(260)]
        assert [flood.count(401), flood.count(429), looked_up] == [200, 60, 200]
        assert await status("/v1/brands", unused.headers) == 200
        assert [await status(path, {}) for path in ("/healthz", "/readyz")] == [200, 200]
        guess = {"Authorization": f"{unused.headers['Authorization'][:-26]}{'a' * 26}"}
        looked_up = 0
        assert {await status("/v1/brands", guess) for _ in range(50)} == {429}
        assert looked_up == 0, "a guess costs the database nothing"
        made_meanwhile = await hub.retailer()
        assert [await status("/v1/brands", each.headers) for each in (later, made_meanwhile)] == [200, 200]
        await revoke(later)
        assert [await status("/v1/brands", later.headers) for _ in range(2)] == [401, 429]
        checks = [await status("/healthz", {}) for _ in range(260)]
        assert [checks.count(200), checks.count(429)] == [198, 62], "two were sent before"


async def test_the_api_s_document_is_written_once_and_not_sent_again_to_who_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        async with hub.http.get("/openapi.json") as whole:
            assert whole.content_type == "application/json"
            assert (await whole.json())["openapi"].startswith("3.1")
            tag = whole.headers["ETag"]
        monkeypatch.setattr("gateway.hub.api.openapi.get_openapi", None)  # it is not made again
        monkeypatch.setattr("gateway.hub.api.openapi.json", None)
        for given in (tag, f'W/{tag}, "other"', "*"):
            async with hub.http.get("/openapi.json", headers={"If-None-Match": given}) as same:
                assert (same.status, await same.read(), same.headers["ETag"]) == (304, b"", tag)
        async with hub.http.get("/openapi.json", headers={"If-None-Match": '"other"'}) as anew:
            assert (anew.status, anew.headers["ETag"]) == (200, tag)
            assert len(await anew.read()) > 10_000

"""Each answer has an id by which the operator finds its request in the log."""

import asyncio
import json
import re
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from gateway.hub.admin import create_retailer
from gateway.hub.database.store import HubStore, new_secret
from gateway.hub.http.operation import RequestContext
from gateway.hub.http.request_record import REQUEST_ID_HEADER, current_request
from gateway.hub.sdk import AsyncClient, RefusedError, Retries
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.clock import machine_time
from tests.forkserver import fork_server
from tests.hubs import hub_file, run_hub

ID = re.compile(r"req-[a-z2-7]{16}")
LONG = 30.0


async def test_every_answer_has_an_id_of_its_own_and_a_problem_names_it(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = (await hub.retailer()).headers
        asked = [
            ("GET", "/v1/deliveries", retailer, 200), ("POST", "/v1/api_keys", retailer, 415),
            ("GET", "/v1/deliveries/dlv-1", retailer, 404), ("GET", "/v1/deliveries", {}, 401),
            ("DELETE", "/v1/deliveries", retailer, 405), ("GET", "/nowhere", {}, 404), ("GET", "/", {}, 200),
            ("GET", "/openapi.json", {}, 200), ("GET", "/healthz", {}, 200), ("GET", "/readyz", {}, 200),
            ("GET", "/metrics", {}, 200), ("GET", f"/connect/{new_secret()}", {}, 404), ("GET", "/shared", {}, 200),
            ("GET", "/v1/events/stream?seconds=1", retailer, 200), ("GET", "/", {"Host": "other"}, 421),
            ("GET", "/readyz", {"Host": "other"}, 421), ("GET", "/", {"Host": "10.0.0.7"}, 421),
            ("GET", "/healthz", {"Host": "[fe80::1]:8643"}, 200),
            ("GET", "/readyz", {"Host": "10.0.0.7:8643"}, 200), ("GET", "/metrics", {"Host": "10.0.0.7:8643"}, 200),
        ]  # fmt: skip
        found = set()
        for method, path, headers, status in asked:
            sent = {**headers, REQUEST_ID_HEADER: "req-mine"}
            async with hub.http.request(method, path, headers=sent) as answer:
                assert answer.status == status, path
                (id_,) = answer.headers.getall(REQUEST_ID_HEADER)
                assert ID.fullmatch(id_), "a client's own id counts nothing"
                assert "Server" not in answer.headers, "nobody needs to know what serves"
                if answer.content_type == "application/problem+json":
                    assert (await answer.json(content_type=None))["request_id"] == id_
                found.add(id_)
        assert len(found) == len(asked)
        async with hub.http.get("/v1/household/home", headers={"Origin": "https://box.example"}) as answer:
            assert REQUEST_ID_HEADER in answer.headers["Access-Control-Expose-Headers"]


async def test_a_handler_knows_the_id_of_the_request_that_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[str] = []

    def caller(call: RequestContext) -> object:
        known.append(call.request_id)
        return call.requester

    monkeypatch.setattr(RequestContext, "caller", property(caller))
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = (await hub.retailer()).headers

        async def ask() -> str:
            async with hub.http.get("/v1/api_keys", headers=headers) as answer:
                return answer.headers[REQUEST_ID_HEADER]

        told = await asyncio.gather(*(ask() for _ in range(5)))  # of requests at the same time each has its own
    assert sorted(known) == sorted(told)
    with pytest.raises(LookupError):
        current_request()


async def test_a_request_that_the_hub_itself_failed_is_found_in_the_log_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_hub(hub_file(tmp_path).model_copy(update={"request_log": False})) as hub:
        retailer = await hub.retailer()

        async def ask(path: str) -> tuple[int, str]:
            async with hub.http.get(path, headers=retailer.headers) as answer:
                return answer.status, answer.headers[REQUEST_ID_HEADER]

        def broken(error: Exception) -> Any:  # noqa: ANN401 - it never returns
            def fail(*_args: object) -> None:
                raise error

            return fail

        with capture_logs(processors=[merge_contextvars]) as logs:
            assert (await ask("/v1/api_keys"))[0] == 200
            assert not any(line["event"] == "request" for line in logs), "the operator has switched the request log off"
            secret = new_secret()
            monkeypatch.setattr(hub.hub.store, "reading", broken(OSError("the disk is full")))
            away = await ask(f"/connect/{secret}")
            monkeypatch.setattr(hub.hub.store, "reading", broken(ZeroDivisionError("unforeseen")))
            unforeseen = [await ask("/v1/api_keys") for _ in range(2)]
            monkeypatch.undo()  # the hub's end reads its store
    logs = [line for line in logs if "request_id" in line]  # workers have lines of their own
    lines = [(line["event"], line["request_id"], line.get("operation"), line.get("status")) for line in logs]
    assert (away[0], [status for status, _ in unforeseen]) == (503, [500, 500])
    assert lines == [
        ("request_failed", away[1], "/connect/{secret}", None),
        ("request", away[1], "/connect/{secret}", 503),
        ("set_aside", unforeseen[0][1], None, None),
        *(("request", id_, "listApiKeys", 500) for _, id_ in unforeseen),
    ]
    assert {line["log_level"] for line in logs} == {"error"}
    assert secret not in str(logs), "an address may contain a secret"


async def test_a_retailer_s_program_reads_the_id_by_which_the_operator_finds_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, AsyncClient(hub.url, "key-a_b", retries=Retries(tries=1)) as client:
        with pytest.raises(RefusedError) as refused:
            await client.list_brands()
        assert ID.fullmatch(refused.value.request_id)
        assert refused.value.request_id not in str(refused.value), "it is his own mistake"

        def broken() -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(hub.hub.store, "reading", broken)
        with pytest.raises(RefusedError, match=ID) as failed:
            await client.list_brands()
        assert failed.value.status == 500


@pytest.mark.slow
async def test_the_log_of_a_hub_has_the_time_in_each_line_and_one_line_for_each_request(tmp_path: Path) -> None:
    port, database = free_port(), f"sqlite+aiosqlite:///{tmp_path / 'hub' / 'hub.sqlite3'}"
    (tmp_path / "hub.yaml").write_text(f"url: http://127.0.0.1:{port}\nlisten: {{port: {port}}}\nfolder: hub\n")
    (tmp_path / "hub").mkdir(mode=0o700)
    store = await HubStore.open(database)
    retailer, token = await create_retailer(store, "Maison Lune", now=machine_time())
    await store.close()
    log = tmp_path / "hub.log"
    with log.open("ab") as written:
        process = fork_server().start(["-m", "gateway", "hub", "--config", str(tmp_path / "hub.yaml")], written)
    secret, ids = new_secret(), []
    try:
        async with asyncio.timeout(LONG):
            while b"hub_serves" not in log.read_bytes():  # noqa: ASYNC110 - a process of its own writes it
                await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            for method, path, body in (
                ("GET", "/v1/events?types=delivery.changed", None), ("POST", "/v1/brands", {"id": "s3cretbrand"}),
                ("GET", f"/connect/{secret}", None), ("GET", "/nowhere/s3cret", None), ("GET", "/healthz", None),
            ):  # fmt: skip
                headers = {"Authorization": f"Bearer {token}"}
                async with http.request(method, path, json=body, headers=headers) as answer:
                    ids.append((answer.headers[REQUEST_ID_HEADER], answer.status))
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    stamps = [line["timestamp"] for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", stamp) for stamp in stamps), "ISO 8601 in UTC"
    assert stamps == sorted(stamps)
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["request_id"], line["status"]) for line in requests] == ids[:-1], "monitoring asks all the time"
    assert [(line["method"], line["operation"], line["retailer"], line["code"]) for line in requests] == [
        ("GET", "listEvents", retailer, None), ("POST", "createBrand", retailer, "invalid"),
        ("GET", "/connect/{secret}", None, None), ("GET", "unknown", None, "not_found"),
    ]  # fmt: skip
    assert all(0 < line["ms"] < LONG * 1000 for line in requests)
    for kept in (token, token.rpartition("_")[2], secret, "s3cret", "delivery.changed", "Bearer"):
        assert kept not in text

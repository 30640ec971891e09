"""What is sent to a hub's port by hand: half requests, two requests in one, other names and places."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select
from structlog.processors import JSONRenderer
from structlog.testing import capture_logs

from gateway.hub.api import dispatch
from gateway.hub.database.sqlite import SQLiteDatabase
from gateway.hub.database.tables import api_keys, endpoints
from gateway.hub.deliveries.connections import MAX_CODE_TRIES
from gateway.hub.signing_key import KEY_FILE_NAME, HubKeyPair
from gateway.protocol.support_code import new_support_code
from tests.connecting import HubRetailer
from tests.hubs import RunningHub, hub_file, run_hub
from tests.webhookhouse import webhook_house

pytestmark = pytest.mark.slow

NAMES = ("<script>alert(1)</script>", '"onmouseover="alert(1)', "{{ 7 * 7 }}", "${7*7}", "</style><b>")


async def said(hub: RunningHub, raw: bytes, *, ends: bool = True) -> bytes:
    """What comes back on one connection until it is hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.hub.site.port)
    try:
        writer.write(raw)
        if ends:
            writer.write_eof()
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def host(hub: RunningHub) -> bytes:
    return hub.url.partition("://")[2].encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_two_requests_in_one_are_none(tmp_path: Path) -> None:
    """Where a proxy and the hub cut the same bytes at two places, one's body is the other's next request."""
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        inner = b"POST /v1/api_keys HTTP/1.1\r\nHost: " + host(hub) + b"\r\nAuthorization: "
        inner += f"Bearer {retailer.token}\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n".encode()
        inner += b'{"label":"x"}'
        head = b"POST /v1/sandbox HTTP/1.1\r\nHost: " + host(hub) + b"\r\n"
        chunked = b"0\r\n\r\n" + inner
        for smuggled in (
            head + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(chunked) + chunked,
            head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked,
            head + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n" + chunked,
            head + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner,
            head + b"Content-Length : 0\r\n\r\n" + inner,
            head + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + chunked,
        ):
            answer = await said(hub, smuggled)
            assert answer == b"" or status(answer) == 400, answer[:200]
            assert answer.count(b"HTTP/1.1 ") <= 1
        async with hub.hub.store.reading() as tx:
            assert len((await tx.execute(select(api_keys))).all()) == 1, "the one that he was given"


async def test_a_client_that_closes_its_sending_side_after_its_requests_gets_all_its_answers(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        head = f"Host: {host(hub).decode()}\r\nAuthorization: Bearer {(await hub.retailer()).token}\r\n"
        asked = f"GET /v1/brands HTTP/1.1\r\n{head}\r\n".encode()
        post = (
            f"POST /v1/api_keys HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 16\r\n\r\n".encode()
        )
        for raw, statuses in (
            (asked, [200]),
            (asked * 2, [200, 200]),
            (asked + post + b'{"label": "till"', [200, 400]),
            (post + b'{"label": "pos"}', [201]),
            (post + b'{"label": "po', []),
            (asked[:-2], []),
        ):
            answers = await said(hub, raw)
            found = [int(each[:3]) for each in answers.split(b"HTTP/1.1 ")[1:]]
            assert found == statuses, raw
        stream = f"GET /v1/events/stream HTTP/1.1\r\n{head}\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.hub.site.port)
        writer.write(stream)
        assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()


async def test_nothing_of_the_hub_is_there_under_a_name_that_leads_to_it(tmp_path: Path) -> None:
    """A page of evil.example whose name is turned to the hub's address in the middle: DNS rebinding."""
    paths = ("/", "/join", "/connect/x", "/problems/not_found", "/v1/authorities", "/healthz", "/readyz", "/metrics",
             "/manual.css", "/nothing")  # fmt: skip
    async with run_hub(hub_file(tmp_path)) as hub:
        for path in paths:
            for name, found in ((b"evil.example:%d" % hub.hub.site.port, {421}), (host(hub), {200, 404})):
                asked = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: " + name + b"\r\nConnection: close\r\n\r\n"
                assert status(await said(hub, asked, ends=False)) in found, (path, name)
        posted = (
            b"POST /connect/x HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 6\r\n\r\ncode=x"
        )
        assert status(await said(hub, posted, ends=False)) == 421


async def test_the_hub_is_known_under_one_name_however_it_is_said(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        ours, evil, end = b"Host: " + host(hub) + b"\r\n", b"Host: evil.example\r\n", b"Connection: close\r\n\r\n"
        for raw in (
            b"GET /openapi.json HTTP/1.1\r\n" + evil + end,
            b"GET /openapi.json HTTP/1.1\r\n" + ours + evil + end,
            b"GET /openapi.json HTTP/1.1\r\n" + evil + ours + end,
            b"GET /openapi.json HTTP/1.1\r\nHost: " + host(hub) + b".evil.example\r\nConnection: close\r\n\r\n",
            b"GET /openapi.json HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: " + host(hub)
            + b"\r\nConnection: close\r\n\r\n",
            b"GET /openapi.json HTTP/1.0\r\n\r\n",
        ):  # fmt: skip
            answer = await said(hub, raw)
            assert status(answer) in {400, 421}, raw
            assert b"openapi" not in answer.partition(b"\r\n\r\n")[2].replace(b'"instance":"/openapi.json"', b"")


async def test_no_path_leads_out_of_the_api(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir(mode=0o700)
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        for path in (
            "/../../../../etc/passwd", "/%2e%2e/%2e%2e/hub/hub.key.pem", "/..%2f..%2fhub.key.pem", "//etc/passwd",
            "/problems/..%2f..%2fhub.key.pem", "/problems/%2e%2e", "/v1/deliveries/..%2f..%2fapi_keys",
            "/v1/deliveries/%00", "/connect/..%2f..%2fetc", "/static/../hub.key.pem", "/v1/brands/%2e%2e/keys",
        ):  # fmt: skip
            raw = f"GET {path} HTTP/1.1\r\nHost: {host(hub).decode()}\r\nAuthorization: Bearer {retailer.token}\r\n"
            answer = await said(hub, f"{raw}Connection: close\r\n\r\n".encode(), ends=False)
            assert answer, path
            assert status(answer) in {400, 404}, path
            assert b"PRIVATE KEY" not in answer
            assert b"root:" not in answer


async def test_what_is_asked_stands_on_one_clean_line_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise OSError("gone\x1b[2J\r\nforged by the disk")

    async with run_hub(hub_file(tmp_path)) as hub:
        monkeypatch.setattr(hub.hub.store, "reading", broken)
        evil = "/v1/deliveries/x%0d%0a2026-11-25%20%1b[31mforged%1b[0m%e2%80%ae"
        raw = f"GET {evil} HTTP/1.1\r\nHost: {host(hub).decode()}\r\nAuthorization: Bearer key-a_b\r\n"
        with capture_logs() as logs:
            answer = await said(hub, f"{raw}Connection: close\r\n\r\n".encode(), ends=False)
            assert status(answer) == 503
            for injected in (b"X-A: b\r\n c\r\n", b"X-A: \x1b[2J\r\n", b"X-A: b\rX-B: c\r\n"):
                await said(hub, b"GET / HTTP/1.1\r\nHost: " + host(hub) + b"\r\n" + injected + b"\r\n")
    written = [str(JSONRenderer()(None, "error", dict(line))) for line in logs]  # as `perron hub` writes them
    (line,) = [line for line in written if "request_failed" in line]
    assert "gone" in line
    assert not any("2026-11-25" in line for line in written), "what a caller wrote is not in the log"
    assert all(char.isprintable() for line in written for char in line)


async def test_whose_body_does_not_come_waits_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BODY_TIMEOUT_S", 0.3)
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        head = f"POST /v1/api_keys HTTP/1.1\r\nHost: {host(hub).decode()}\r\nAuthorization: Bearer {retailer.token}\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.hub.site.port)
        writer.write(head.encode())
        async with asyncio.timeout(20):
            answer = await reader.readuntil(b"}")
        assert status(answer) == 408
        assert b'"code":"too_slow"' in answer
        writer.close()


async def test_no_page_of_another_origin_reads_the_api_and_no_cookie_counts(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        foreign = {"Origin": "https://evil.example"}
        cookie = {**foreign, "Cookie": f"key={retailer.token}; Authorization=Bearer {retailer.token}"}
        for path in ("/v1/deliveries", "/v1/events/stream?seconds=0", "/openapi.json", "/"):
            async with hub.http.get(path, headers={**retailer.headers, **foreign}) as answer:
                assert not [name for name in answer.headers if name.startswith("Access-Control-")], path
        async with hub.http.options("/v1/deliveries", headers=foreign) as answer:
            assert answer.status == 405
        async with hub.http.post("/v1/api_keys", json={"label": "x"}, headers=cookie) as answer:
            assert answer.status == 401
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
        async with hub.http.get("/v1/events/stream", headers={**foreign, **upgrade}) as answer:
            assert answer.status == 401


@pytest.mark.parametrize("name", NAMES)
async def test_a_script_in_a_name_is_refused_or_read_and_never_run(tmp_path: Path, name: str) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer(name))
        made, _ = await shop.brand(name=name)
        if made == 422:
            return
        asked = await shop.ask(reference=name) if "<" not in name else await shop.ask()
        async with hub.http.get(asked["consent_url"]) as answer:
            page = await answer.text()
        if set(name) & {"<", '"'}:
            assert name not in page
        else:
            assert f"{name} asks" in page, "shown as it was written, and not reckoned"


async def test_ids_that_would_be_wildcards_or_paths_of_a_broker_are_refused(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        for odd in ("+", "#", "a/b", "..", "a.b", "\0", "$SYS", "Ä", "A", "x" * 65, "", " a", "a\n"):
            assert (await shop.brand(odd))[0] == 422, odd
            asked = {"carriers": ["Chronopost"], "entrances": [odd]}
            status_, _ = await shop.call("POST", "/v1/connections", {"brand": "lune", "asked": asked})
            assert status_ == 422, odd
            body = {"connection": "con-" + "a" * 26, "delivery": {"name": odd}}
            assert (await shop.call("POST", "/v1/deliveries", body))[0] == 422, odd


async def test_tries_of_support_codes_are_counted_over_a_restart(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        made, code = await shop.ask(), await shop.home()
        for _ in range(MAX_CODE_TRIES):
            await shop.says(made["consent_url"], new_support_code())
    async with run_hub(file) as hub:
        shop.hub = hub
        await shop.says(made["consent_url"], code)
        _, stands = await shop.call("GET", f"/v1/connections/{made['id']}")
        assert stands["state"] == "pending"
        assert not [job for job in await shop.rows(api_keys) if job.label == "x"]
        assert await _asked(shop) == 0, "the right code comes too late"


async def _asked(shop: HubRetailer) -> int:
    from gateway.hub.database.tables import jobs  # noqa: PLC0415 - beside its one use

    return len(await shop.rows(jobs))


async def test_a_disk_that_is_full_is_told_and_nothing_is_said_to_be_done(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        database = hub.hub.store._database  # noqa: SLF001 - the disk's size is set below it
        assert isinstance(database, SQLiteDatabase)
        assert database._writer is not None  # noqa: SLF001 - the same
        # SQLite's own bound: as large as it is now, and no larger
        database._writer.execute("PRAGMA max_page_count = 1")  # noqa: SLF001 - the same
        codes = set()
        for number in range(400):
            body = {"label": f"{number}".rjust(60, "x")}
            async with hub.http.post("/v1/api_keys", json=body, headers=retailer.headers) as answer:
                codes.add((answer.status, (await answer.json(content_type=None)).get("code")))
            if answer.status == 503:
                break
        assert codes == {(201, None), (503, "unavailable")}
        async with hub.http.get("/v1/api_keys", headers=retailer.headers) as answer:
            assert answer.status == 200, "what is there is still read"
        database._writer.execute("PRAGMA max_page_count = 1000000")  # noqa: SLF001 - the same


async def test_the_secrets_of_webhooks_are_read_by_no_copy_of_the_database(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint()
        rotated = await at.ask("POST", f"/{endpoint['id']}/rotate")
        async with at.hub.hub.store.reading() as tx:
            row = (await tx.execute(select(endpoints))).one()
        own = HubKeyPair.load(tmp_path / "hub")
        assert own.unseal(row.secret, row.id) == rotated["secret"]
        assert own.unseal(row.old_secret, row.id) == endpoint["secret"]
        assert own.unseal(row.secret, "ep-another") is None, "moved to another row it is none"
        for file in (tmp_path / "hub").glob("hub.sqlite3*"):
            assert not [one for one in (endpoint, rotated) if one["secret"].encode() in file.read_bytes()]


async def test_a_hub_with_another_key_signs_nothing_by_a_secret_that_it_cannot_read_and_says_so(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint("/another-key")
    (tmp_path / "hub" / KEY_FILE_NAME).unlink()
    with capture_logs() as logs:
        async with webhook_house(tmp_path) as again, asyncio.timeout(20):
            again.retailer = at.retailer
            await again.tell()
            while not [line for line in logs if line["event"] == "secret_unreadable"]:  # noqa: ASYNC110 - the hub's own log
                await asyncio.sleep(0.05)
            await again.tell()
            (message, *_) = await again.log(endpoint)
            assert message["attempts_made"] == 0
    assert "rotate" in next(line["todo"] for line in logs if line["event"] == "secret_unreadable")

"""Strangers, retailers and boxes that mean harm, against a hub that runs."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from gateway.domain.delivery.promise import State
from gateway.hub.api.rate_limit import ApiRateLimits
from gateway.hub.api.rows import encode_cursor
from gateway.hub.config import HubFile, Limits
from gateway.hub.consent.page import MAX_CODES_PER_MINUTE
from gateway.hub.database.store import StoreUnusable
from gateway.hub.database.tables import deliveries, home_events, jobs
from gateway.hub.deliveries import connections as asking
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.http.client_address import NETWORK_LIMIT_FACTOR, network_of
from gateway.hub.http.problem import ApiProblem
from gateway.protocol.box_hub import GENESIS_DIGEST, JobKind
from gateway.protocol.keys import BoxKey
from gateway.protocol.support_code import new_support_code
from tests.announcing import connected_home
from tests.boxes import EventJournal, ScriptedBox, connected_to_broker, insert_home, make_result
from tests.connecting import ASKED_TERMS, GRANTED_DECISION, HubRetailer
from tests.hubs import RunningHub, broker_account, homes_broker, hub_file, run_hub
from tests.waiting import wait_until
from tests.webhookhouse import ManualWallClock

pytestmark = pytest.mark.slow

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PART = b'--x\r\nContent-Disposition: form-data; name="code"\r\n'
FACES = "\U0001f600" * 126  # four bytes each: 50 such codes fit into a request, and signed into no message


async def alive(hub: RunningHub) -> bool:
    async with hub.http.get("/healthz") as answer:
        return answer.status == 200


# ---- a retailer ------------------------------------------------------------------------------------------------------


async def test_no_forged_cursor_is_more_than_refused(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = (await hub.retailer()).headers
        forged = [
            ("/v1/deliveries", encode_cursor(2**61, "dlv-a")),
            ("/v1/deliveries", encode_cursor(5, "\ud800")),
            ("/v1/deliveries", encode_cursor(5, "a' OR '1'='1")),
            ("/v1/brands", encode_cursor("\ud800")),
            ("/v1/brands", encode_cursor("\0")),
            ("/v1/connections", encode_cursor("\ud800")),
            ("/v1/events", encode_cursor(2**61)),
        ]
        for path, text in forged:
            async with hub.http.get(path, params={"cursor": text}, headers=headers) as answer:
                said = await answer.json(content_type=None)
                assert (answer.status, said["code"]) == (400, "bad_cursor"), (path, text)


async def test_a_promise_that_signed_no_box_could_read_is_refused_also_while_it_would_be_held(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        promise = home.promise(parcels=[f"{number:02}{FACES}" for number in range(50)])
        raw = json.dumps({"connection": home.connection, "delivery": promise}, ensure_ascii=False).encode()
        headers = {**home.headers, "Content-Type": "application/json"}
        async with hub.http.post("/v1/deliveries", data=raw, headers=headers) as answer:
            said = await answer.json(content_type=None)
            assert (answer.status, said["code"], said["errors"][0]["code"]) == (422, "invalid", "too_large")
        made = await home.announce()
        change = {"delivery": {"parcels": promise["parcels"]}}
        raw = json.dumps(change, ensure_ascii=False).encode()
        async with hub.http.patch(f"/v1/deliveries/{made['id']}", data=raw, headers=headers) as answer:
            assert answer.status == 422


async def test_what_was_held_and_does_not_fit_is_refused_when_its_home_says_yes_and_the_hub_goes_on(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made, good = await home.announce(name="too-large"), await home.announce(name="good")
        async with hub.hub.store.writing() as tx:  # kept by a hub that did not weigh it
            row = (await tx.execute(select(deliveries).where(deliveries.c.id == made["id"]))).one()
            promise = {**row.promise, "parcels": [f"{number:02}{FACES}" for number in range(50)]}
            await tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(promise=promise))
        await home.decide("granted")
        while await hub.hub.held_deliveries.run_due():
            pass
        _, said = await home.ask("GET", f"/v1/deliveries/{made['id']}")
        assert (said["state"], said["reason"]) == ("refused", "malformed")
        async with hub.hub.store.reading() as tx:
            assert (await tx.scalars(select(jobs.c.delivery))).all() == [good["id"]]
        assert await alive(hub)


@pytest.mark.slow
async def test_whether_a_support_code_is_a_home_s_is_not_told_by_what_becomes_of_a_signed_delivery(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        await shop.enrol()
        answers = []
        for code in (await shop.home(), new_support_code()):
            made = await shop.ask()
            await shop.says(made["consent_url"], code)
            body = {"connection": made["id"], "token": "a.b.c"}
            status, said = await shop.call("POST", "/v1/deliveries", body)
            _, listed = await shop.call("GET", f"/v1/connections/{made['id']}")
            answers.append(
                (status, {**said, "instance": "", "request_id": ""}, {**listed, "id": "", "created": "", "expires": ""})
            )
        assert answers[0] == answers[1]
        assert answers[0][1]["code"] == "not_connected"


async def test_one_retailer_does_not_use_up_the_questions_that_a_home_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MAX_ASKS_PER_WINDOW", 3)
    async with run_hub(hub_file(tmp_path)) as hub:
        shop, other = HubRetailer(hub, await hub.retailer()), HubRetailer(hub, await hub.retailer("Soleil"))
        await shop.brand()
        code, pages = await shop.home(), set()
        for _ in range(5):
            made = await shop.ask()
            status, page = await shop.says(made["consent_url"], code)
            pages.add((status, "Answer on your box or phone" in page))
        assert pages == {(200, True)}, "the page tells the same"
        assert len(await shop.rows(jobs)) == 3
        await other.brand("soleil", "Soleil")
        made = await other.ask(brand="soleil")
        await other.says(made["consent_url"], code)
        assert len(await shop.rows(jobs)) == 4


async def test_whose_home_was_named_is_not_told_by_a_delivery_s_name_either(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        code, first = await shop.home(), await shop.ask()
        await shop.says(first["consent_url"], code)
        await shop.decides(GRANTED_DECISION.model_copy(update={"hub_signed": True}))
        start = hub.hub.now() + timedelta(days=1)
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
        promise = {"name": "order-1", "entrance": "garage", "carrier": "Chronopost", "place": "floor", "window": window}
        assert (await shop.call("POST", "/v1/deliveries", {"connection": first["id"], "delivery": promise}))[0] == 201
        statuses = []
        for named in (code, new_support_code()):
            other = await shop.ask()
            await shop.says(other["consent_url"], named)
            body = {"connection": other["id"], "delivery": promise}
            statuses.append((await shop.call("POST", "/v1/deliveries", body))[0])
        assert statuses == [201, 201], "it is held: of what the home has, its own answer will tell"


async def test_the_numbers_by_which_a_box_that_is_away_could_be_seen_are_the_operator_s_alone(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        async with hub.http.get("/metrics") as answer:
            assert answer.status == 200
        for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
            async with hub.http.get("/metrics", headers={name: "192.0.2.7"}) as answer:
                assert answer.status == 404, name
    file = hub_file(tmp_path)
    elsewhere = file.model_copy(update={"listen": file.listen.model_copy(update={"metrics": ("192.0.2.0/24",)})})
    async with run_hub(elsewhere) as hub, hub.http.get("/metrics") as answer:
        assert answer.status == 404


# ---- a stranger ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=nope", b"code=a"),
        ("application/x-www-form-urlencoded", b"code=%ff\xff"),
        ("application/x-www-form-urlencoded", b"&".join([b"code=a"] * 200)),
        ("multipart/form-data", b"code"),
        ("multipart/form-data; boundary=x", b"no boundary at all"),
        ("multipart/form-data; boundary=x",
         PART + b"Content-Type: text/plain; charset=nope\r\n\r\na\r\n--x--"),
        ("multipart/form-data; boundary=x",
         PART + b"Content-Transfer-Encoding: nope\r\n\r\na\r\n--x--\r\n"),
    ],
    ids=("charset", "bytes", "fields", "no boundary", "no part", "part's charset", "part's encoding"),
)  # fmt: skip
async def test_no_body_that_a_stranger_sends_to_the_page_is_a_bug(tmp_path: Path, kind: str, body: bytes) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        async with hub.http.post("/connect/abc", data=body, headers={"Content-Type": kind}) as answer:
            assert answer.status == 404
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        made = await shop.ask()
        async with hub.http.post(made["consent_url"], data=body, headers={"Content-Type": kind}) as answer:
            assert answer.status == 422, "a slip is no try"
        async with hub.http.post(made["consent_url"], data=_endless(), headers=FORM) as answer:
            assert answer.status == 413


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b"a" * 1000


def proxied(file: HubFile) -> HubFile:
    return file.model_copy(update={"listen": file.listen.model_copy(update={"behind_proxy": True})})


async def test_no_stranger_has_another_ration_for_each_name_that_he_gives_himself(tmp_path: Path) -> None:
    """A header of his own before the proxy's, another port, another address of his own network of IPv6."""
    async with run_hub(proxied(hub_file(tmp_path, limits=Limits(sandboxes=3)))) as hub:
        for ways in (
            [(f"203.0.113.{number}", "192.0.2.7") for number in range(8)],
            [(f"192.0.2.8:{40_000 + number}",) for number in range(8)],
            [(f"2001:db8::{number:x}",) for number in range(8)],
        ):
            tried = [await _posted(hub, "/v1/sandbox", told) for told in ways]
            assert tried == [201] * 3 + [429] * 5
            said = [await _posted(hub, "/connect/abc", told) for told in (*ways, *ways)]
            assert said == [404] * MAX_CODES_PER_MINUTE + [429] * (len(said) - MAX_CODES_PER_MINUTE)


async def test_a_stranger_with_65536_networks_of_ipv6_has_not_as_many_rations(tmp_path: Path) -> None:
    async with run_hub(proxied(hub_file(tmp_path, limits=Limits(sandboxes=3)))) as hub:
        networks = [f"2001:db8:7:{number:x}::1" for number in range(NETWORK_LIMIT_FACTOR + 1)]
        for path, most, done in (("/connect/abc", MAX_CODES_PER_MINUTE, 404), ("/v1/sandbox", 3, 201)):
            tried = [await _posted(hub, path, (one,)) for one in networks for _ in range(most)]
            assert tried == [done] * NETWORK_LIMIT_FACTOR * most + [429] * most, path
        assert await _posted(hub, "/connect/abc", ("2001:db8:8::1",)) == 404, "others have theirs"
    rations = ApiRateLimits(Limits(strangers=1), wall=lambda: 0.0)  # who joins and renews
    for one in networks[:NETWORK_LIMIT_FACTOR]:
        rations.take_for_address(network_of(one))
    with pytest.raises(ApiProblem):
        rations.take_for_address(network_of(networks[NETWORK_LIMIT_FACTOR]))


async def test_where_a_proxy_writes_ipv4_as_ipv6_one_stranger_does_not_use_up_everybody_s_ration(
    tmp_path: Path,
) -> None:
    async with run_hub(proxied(hub_file(tmp_path, limits=Limits(sandboxes=1)))) as hub:
        path = "/v1/sandbox"
        assert [await _posted(hub, path, ("::ffff:192.0.2.7",)) for _ in range(2)] == [201, 429]
        assert await _posted(hub, path, ("::ffff:198.51.100.7",)) == 201


async def _posted(hub: RunningHub, path: str, told: tuple[str, ...]) -> int:
    headers = [("X-Forwarded-For", one) for one in told]
    async with hub.http.post(path, headers=[*headers, ("Content-Type", FORM["Content-Type"])], data=b"") as answer:
        return answer.status


# ---- another household's box -----------------------------------------------------------------------------------------


@asynccontextmanager
async def two_boxes(folder: Path) -> AsyncIterator[tuple[RunningHub, Any, Any, EventJournal]]:
    """A hub, a bad box and a good one, over one broker; and the good one's journal."""
    async with (
        homes_broker("home-1", "home-2") as broker,
        run_hub(hub_file(folder, broker=broker_account(broker, folder))) as hub,
    ):
        bad, good = BoxKey.generate(), BoxKey.generate()
        async with hub.hub.store.writing() as tx:
            await insert_home(tx, "home-1", bad.public)
            await insert_home(tx, "home-2", good.public)
        line = hub.hub.broker_connection
        assert line is not None
        await wait_until(lambda: line.is_connected)
        async with (
            connected_to_broker("home-1", broker, folder) as evil,
            connected_to_broker("home-2", broker, folder) as honest,
        ):
            evil.journal = EventJournal("home-1", bad)  # type: ignore[attr-defined]  # the test's own
            yield hub, evil, honest, EventJournal("home-2", good)


async def acknowledged(one: ScriptedBox, seq: int) -> None:
    """Wait until the hub says that it has so many: it says so when it begins too."""
    async with asyncio.timeout(20):
        while (await one.acks.get()).seq != seq:
            pass


async def test_a_box_that_says_what_no_database_takes_stops_no_other_s_word(tmp_path: Path) -> None:
    async with two_boxes(tmp_path) as (hub, evil, honest, journal):
        for missing in (10**30, 2**63, -1):
            text = make_result("lune", "d-1", State.DELIVERED).model_copy(update={"missing": missing})
            await evil.say("evt", evil.journal.made(1, GENESIS_DIGEST, text))
        bad = {"job": "job-1", "state": "refused", "why": "\0\n\x1b[31m"}
        await evil.say("status", json.dumps(bad).encode())
        await honest.say("evt", journal.add(make_result("lune", "d-1", State.SCHEDULED)))
        await acknowledged(honest, 1)
        async with hub.hub.store.reading() as tx:
            assert (await tx.scalars(select(home_events.c.home))).all() == ["home-2"]
        assert await alive(hub)


async def test_a_box_that_floods_is_named_to_whoever_runs_the_hub(tmp_path: Path) -> None:
    async with two_boxes(tmp_path) as (_, evil, honest, journal):
        with capture_logs() as logs:
            for _ in range(40):
                await asyncio.gather(*(evil.say("evt", b"a.b.c") for _ in range(200)))
                if any(line["event"] == "home_floods" for line in logs):
                    break
            await honest.say("evt", journal.add(make_result("lune", "d-1", State.SCHEDULED)))
            await acknowledged(honest, 1)
        assert {line["home"] for line in logs if line["event"] == "home_floods"} == {"home-1"}


# ---- a thief of a copy of the hub's database -------------------------------------------------------------------------


async def test_a_copy_of_the_database_holds_no_key_that_was_told_once(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        asked = [("/v1/api_keys", {"label": "till"}, "token"),
                 ("/v1/connections", {"brand": "lune", "asked": ASKED_TERMS}, "consent_url")]  # fmt: skip
        told = []
        for path, body, name in asked:
            headers = {**shop.who.headers, "Idempotency-Key": f"first {name}".replace(" ", "-")}
            first, again = [await _made(hub, path, body, headers) for _ in range(2)]
            assert first == again, "its own asker still gets the same answer"
            told.append(first[name].rpartition("_" if name == "token" else "/")[2])
        headers = {"Authorization": f"Bearer {(await _made(hub, *asked[0][:2], shop.who.headers))['token']}"}
        headers["Idempotency-Key"] = "first-token"
        async with hub.http.post("/v1/api_keys", json={"label": "till"}, headers=headers) as answer:
            said = await answer.json(content_type=None)
            assert (answer.status, said["code"]) == (422, "idempotency_key_reused"), "another key is another asker"
    for file in (tmp_path / "hub").glob("hub.sqlite3*"):
        for secret in (*told, shop.who.token.rpartition("_")[2]):
            assert secret.encode() not in file.read_bytes()


async def _made(hub: RunningHub, path: str, body: object, headers: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    async with hub.http.post(path, json=body, headers=headers) as answer:
        assert answer.status == 201
        return await answer.json()


# ---- who runs the hub ------------------------------------------------------------------------------------------------


async def test_a_second_hub_on_the_same_file_does_not_begin(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        with pytest.raises(StoreUnusable, match="Another hub uses"):
            async with run_hub(file.model_copy(update={"listen": hub_file(tmp_path).listen})):
                pass
        assert await alive(hub)
    async with run_hub(file) as hub:
        assert await alive(hub)


async def test_what_waited_for_a_clock_that_ran_ahead_does_not_wait_until_it_is_so_late(tmp_path: Path) -> None:
    wall = ManualWallClock()
    wall.ahead = 2 * 86_400
    async with (
        homes_broker("home-1") as broker,
        run_hub(hub_file(tmp_path, broker=broker_account(broker, tmp_path)), wall=wall) as hub,
    ):
        line = hub.hub.broker_connection
        assert line is not None
        await wait_until(lambda: line.is_connected)
        async with hub.hub.store.writing() as tx:
            await insert_home(tx, "home-1", BoxKey.generate().public)
            await job_store.enqueue(tx, "home-1", JobKind.DELIVERY, b"a.b.c", now=hub.hub.now())
        async with connected_to_broker("home-1", broker, tmp_path) as one:
            hub.hub.wake_dispatcher()
            first = await asyncio.wait_for(one.jobs.get(), 10)  # and no receipt: it is due again in 15 s, of that time
            await wait_until(lambda: _put_off(hub))
            wall.ahead = 0
            again = await asyncio.wait_for(one.jobs.get(), 10)
            assert again.job == first.job


async def _put_off(hub: RunningHub) -> bool:
    async with hub.hub.store.reading() as tx:
        return await tx.scalar(select(jobs.c.id).where(jobs.c.due > hub.hub.now())) is not None


async def test_a_ration_that_was_used_up_while_the_clock_ran_ahead_is_not_used_up_until_then() -> None:
    at = [1000.0]
    rations = ApiRateLimits(Limits(strangers=1), wall=lambda: at[0])
    rations.take_for_address("192.0.2.7")
    with pytest.raises(ApiProblem):
        rations.take_for_address("192.0.2.7")
    at[0] = 900.0
    rations.take_for_address("192.0.2.7")


async def test_a_hub_that_was_put_back_tells_each_box_how_little_it_has_without_being_asked(tmp_path: Path) -> None:
    """A box whose line held all the while has been told that all is kept: it would say nothing again."""
    key = BoxKey.generate()
    journal = EventJournal("home-1", key)
    async with homes_broker("home-1") as broker, connected_to_broker("home-1", broker, tmp_path) as one:
        file = hub_file(tmp_path, broker=broker_account(broker, tmp_path))
        store, copy = file.folder / "hub.sqlite3", tmp_path / "copy.sqlite3"

        async def says(seq: int) -> None:
            await one.say("evt", journal.add(make_result("lune", "d-1", State.SCHEDULED)))
            await acknowledged(one, seq)

        async with run_hub(file) as hub:
            async with hub.hub.store.writing() as tx:
                await insert_home(tx, "home-1", key.public)
            line = hub.hub.broker_connection
            assert line is not None
            await wait_until(lambda: line.is_connected)
            await one.hello()
            await acknowledged(one, 0)
            with closing(sqlite3.connect(store)) as before, closing(sqlite3.connect(copy)) as beside:
                before.backup(beside)
                beside.execute("UPDATE homes SET there = 0")  # it was away when the copy was made
                beside.commit()
            await says(1)
            await says(2)
        for left in file.folder.glob("hub.sqlite3*"):
            left.unlink()
        copy.rename(store)
        async with run_hub(file):
            await acknowledged(one, 0)
            await one.say("evt", journal.tokens[0])
            await acknowledged(one, 1)

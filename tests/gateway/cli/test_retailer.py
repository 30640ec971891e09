"""`perron retailer` as processes of their own, at a real hub."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from gateway.cli.brand_message import read_facts
from gateway.cli.failure import Failure
from gateway.cli.retailer import SECRET_VARIABLE
from gateway.cli.retailer_requests import read_statement
from gateway.domain.delivery.features import SPEAKS
from gateway.hub.config import Webhooks
from gateway.hub.database.tables import brand_keys, connections
from gateway.hub.sdk.models import BoxDescription, StatedFacts
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.box_statement import BoxStatement, sign_statement
from gateway.protocol.brand_facts import brand_facts
from gateway.protocol.brand_messages import FactsQuery, facts_claims, sign_facts
from gateway.protocol.keys import BoxKey
from tests.announcing import BRAND_KEY, connected_home
from tests.forkserver import run_python
from tests.hubs import hub_file, run_hub
from tests.sandboxes import ENDED_STATES, SandboxClient, create_sandbox

SECRET = "whsec_" + "A" * 43 + "="
DELIVERY = (
    "{id: order-1, entrance: garage, place: shelf, carrier: Colissimo,"
    " window: {start: +3h, end: +5h}, parcels: [8L20524752032]}\n"
)


@asynccontextmanager
async def perron(
    *arguments: str, word: str | None = "retailer", **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command as a process; it has ended when this is left."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("perron")), *([] if word is None else [word]), *arguments,
        env={**_environment(), **more},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told(*arguments: str, word: str | None = "retailer", **more: str) -> tuple[int | None, str, str]:
    """How it ended, and what it said."""
    words = ("-m", "gateway", *([] if word is None else [word]), *arguments)
    ran = await asyncio.to_thread(run_python, *words, cwd=Path.cwd(), env={**_environment(), **more})
    return ran.returncode, ran.stdout, ran.stderr


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PERRON_")}


def key_of(box: SandboxClient, folder: Path) -> str:
    """Put the sandbox's key into a file."""
    file = folder / "api-key"
    file.write_text(box.said["api_key"] + "\n", encoding="ascii")
    return str(file)


@pytest.mark.slow
async def test_a_sandbox_and_the_first_delivery_by_two_commands(tmp_path: Path) -> None:
    key, file = tmp_path / "api-key", tmp_path / "delivery.yaml"
    file.write_text(DELIVERY, encoding="utf-8")
    async with run_hub(hub_file(tmp_path)) as hub:
        code, out, _ = await told("sandbox", "--hub", hub.url, "--api-key-file", str(key))
        made = json.loads(out)
        assert (code, key.stat().st_mode & 0o777) == (0, 0o600)
        assert key.read_text(encoding="ascii").strip() not in out
        code, out, err = await told(
            "announce", str(file), "--hub", hub.url, "--connection", made["connection"], "--api-key-file", str(key)
        )
        assert code == 0, err
        said = json.loads(out)
        assert (said["name"], said["hub_signed"], said["parcels"]) == ("order-1", True, ["8L20524752032"])
        code, _, err = await told("sandbox", "--hub", hub.url, "--api-key-file", str(key))
        assert (code, "never written over" in err) == (2, True)


@pytest.mark.slow
async def test_a_brand_s_own_key_signs_what_is_announced(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(DELIVERY.replace("garage", "front").replace("shelf", "hall"), encoding="utf-8")
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        key = tmp_path / f"{home.brand}-1.jwk"
        key.write_text(json.dumps(BRAND_KEY.jwk.as_dict(private=True)), encoding="ascii")
        at = ("announce", str(file), "--hub", hub.url, "--connection", home.connection, "--key-file", str(key))
        code, out, err = await told(*at, "--brand", home.brand, "--to", home.id, PERRON_API_KEY=home.retailer.token)
        assert code == 0, err
        assert json.loads(out)["hub_signed"] is False
        file.write_text(DELIVERY.replace("garage", "front").replace("shelf", "hall").replace("order-1", "order-2"))
        code, out, err = await told(*at, PERRON_API_KEY=home.retailer.token)
        assert code == 0, "brand and home stand in the connection" + err
        assert json.loads(out)["hub_signed"] is False
        file.write_text(file.read_text().replace("order-2", "order-3").replace("8L20524752032", "8L20524752049"))
        code, out, err = await told(*at, word=None, PERRON_API_KEY=home.retailer.token)
        assert code == 0, "the older name does the same: " + err
        assert (json.loads(out)["name"], json.loads(out)["hub_signed"]) == ("order-3", False)
        await home.decide("pending")
        code, _, err = await told(*at, PERRON_API_KEY=home.retailer.token)
        assert (code, "no home yet" in err) == (1, True)
        await home.decide("granted")
        code, _, err = await told(*at, "--brand", home.brand, "--to", "other", PERRON_API_KEY=home.retailer.token)
        assert (code, "another box" in err) == (1, True), "what the home would not believe is refused at once"


@pytest.mark.slow
async def test_a_file_is_sent_in_the_lowest_version_that_says_it_and_a_box_is_asked_what_it_understands(
    tmp_path: Path,
) -> None:
    plain, more = tmp_path / "delivery.yaml", tmp_path / "more.yaml"
    plain.write_text(DELIVERY, encoding="utf-8")
    size = "dimensions: {length: 400, width: 300, height: 200}, info: {note: Fragile}, collect: [R-1]}"
    more.write_text(DELIVERY.strip()[:-1].replace("order-1", "order-2").replace("2032", "2049") + f", {size}\n")
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        key = tmp_path / f"{home.brand}-1.jwk"
        key.write_text(json.dumps(BRAND_KEY.jwk.as_dict(private=True)), encoding="ascii")
        own = {"PERRON_API_KEY": home.retailer.token}
        for signed in ((), ("--key-file", str(key))):
            for file, needs in ((plain, None), (more, ["collect", "dimensions"])):
                text = file.read_text(encoding="utf-8").replace("garage", "front").replace("shelf", "hall")
                file.write_text(text.replace("Colissimo", "Chronopost"), encoding="utf-8")
                at = ("announce", str(file), "--hub", hub.url, "--connection", home.connection, *signed)
                code, out, err = await told(*at, **own)
                assert code == 0, err
                assert json.loads(out)["needs"] == needs
                file.write_text(file.read_text(encoding="utf-8").replace("order-", "signed-"), encoding="utf-8")
        at = ("box", home.connection, "--hub", hub.url)
        code, _, err = await told(*at, **own)
        assert (code, "version 1" in err) == (1, True), "a box that states nothing"
        box = await create_sandbox(hub)
        at = ("box", box.said["connection"], "--hub", hub.url, "--api-key-file", key_of(box, tmp_path))
        code, out, err = await told(*at)
        assert code == 0, err
        said = json.loads(out)
        assert (said["iss"], said["sub"], said["speaks"]) == (
            box.said["home"], box.said["brand"], {"delivery": [1, 2], "needs": list(SPEAKS.needs)}
        )  # fmt: skip


@pytest.mark.parametrize("changes", [{"token": "a.b.c"}, {"key": "x"}, {"home": "home-2"}, {}])
def test_what_the_box_did_not_sign_is_told_as_such(changes: dict[str, str]) -> None:
    key, now = BoxKey.generate(), int(datetime.now(UTC).timestamp())
    statement = BoxStatement(iss="home-1", sub="lune", iat=now, exp=now + 60, speaks=SPEAKS, entrances={})
    said = BoxDescription(
        key=key.public.text, home="home-1", token=sign_statement(statement, key.sign).decode(), brand="lune",
        delivery=[1], needs=[], entrances={}, expires=datetime.now(UTC),
    ).model_copy(update=changes)  # fmt: skip
    if not changes:
        assert read_statement(said)["sub"] == "lune"
        return
    with pytest.raises(Failure, match="not a statement"):
        read_statement(said)


@pytest.mark.slow
async def test_a_brand_queries_its_facts_and_comments_with_two_commands(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        at, keys = ("--hub", hub.url, "--api-key-file", key_of(box, tmp_path)), str(tmp_path / "keys")
        code, _, err = await told("keys", "facts-1", "--brand", box.said["brand"], *at, "--keys", keys)
        assert code == 0, err
        signed = ("--key-file", f"{keys}/facts-1.jwk", *at)
        await box.until(await box.announce("A-1"), *ENDED_STATES)
        code, out, err = await told("comment", box.said["connection"], "We are sorry.", *signed)
        assert (code, json.loads(out)["state"]) == (0, "accepted"), err
        code, out, err = await told("facts", box.said["connection"], *signed)
        assert code == 0, err
        said = json.loads(out)
        assert (said["sub"], said["comment"], said["facts"]["visits"]) == (box.said["brand"], "We are sorry.", 1)
        code, _, err = await told("comment", box.said["connection"], "x" * 501, *signed)
        assert (code, "500 printable characters" in err) == (2, True)


@pytest.mark.parametrize("changes", [{"token": "a.b.c"}, {"key": "x"}, {"answers": "another-question1"}, {}])
def test_facts_that_the_box_did_not_sign_for_this_query_are_refused(changes: dict[str, str]) -> None:
    key, now = BoxKey.generate(), datetime.now(UTC)
    seconds = int(now.timestamp())
    query = FactsQuery(iss="lune", aud="home-1", iat=seconds, nbf=seconds, exp=seconds + 60, jti="a-question-000001")
    stated = facts_claims("home-1", "lune", brand_facts("lune", [], {}, until=now), comment=None,
                          answers=changes.get("answers", query.jti))  # fmt: skip
    facts = StatedFacts.model_validate({
        "key": key.public.text, "token": sign_facts(stated, key).decode(), "home": "home-1", "brand": "lune",
        "at": now, "facts": stated.facts.model_dump(mode="json"), "comment": None, "answers": query.jti,
    })  # fmt: skip
    said = facts.model_copy(update=changes)
    if not changes:
        assert read_facts(said, query)["sub"] == "lune"
        return
    with pytest.raises(Failure, match="not a statement"):
        read_facts(said, query)


@pytest.mark.slow
async def test_a_brand_s_key_is_made_and_enrolled_by_one_command_and_said_again_it_is_the_same(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        async with hub.http.post("/v1/brands", json={"id": "lune", "name": "Lune"}, headers=retailer.headers) as made:
            assert made.status == 201
        at = ("keys", "lune-1", "--brand", "lune", "--hub", hub.url, "--keys", str(tmp_path / "keys"))
        code, out, err = await told(*at, PERRON_API_KEY=retailer.token)
        assert code == 0, err
        said, file = json.loads(out), tmp_path / "keys" / "lune-1.jwk"
        assert (said["private"], file.stat().st_mode & 0o777) == (str(file), 0o600)
        private = json.loads(file.read_text(encoding="ascii"))
        assert (said["x"], private["d"] in out) == (private["x"], False)
        async with hub.http.get("/v1/brands/lune/keys", headers=retailer.headers) as listed:
            assert [key["x"] for key in (await listed.json())["data"]] == [private["x"]]
        code, _, err = await told(*at, PERRON_API_KEY=retailer.token)
        assert (code, "already_exists" in err, json.loads(file.read_text())) == (
            1,
            True,
            private,
        )
        code, _, err = await told(*at[:3], "soleil", *at[4:], PERRON_API_KEY=retailer.token)
        assert (code, "not_found" in err) == (1, True)


@pytest.mark.slow
async def test_a_home_is_asked_and_told_the_end_by_what_the_brand_signs_and_a_key_by_its_earlier_one(
    tmp_path: Path,
) -> None:
    terms, lies = tmp_path / "asked.yaml", tmp_path / "lies.yaml"
    terms.write_text("{carriers: [Chronopost], days: [mon, tue], hours: '08:00-18:00'}\n", encoding="utf-8")
    lies.write_text("{carriers: [], days: [mon]}\n", encoding="utf-8")
    async with run_hub(hub_file(tmp_path)) as hub:
        retailer = await hub.retailer()
        async with hub.http.post("/v1/brands", json={"id": "lune", "name": "Lune"}, headers=retailer.headers) as made:
            assert made.status == 201
        there = ("--brand", "lune", "--hub", hub.url)
        keys = ("--keys", str(tmp_path / "keys"))
        by = ("--key-file", str(tmp_path / "keys" / "lune-1.jwk"))
        for arguments in (("lune-1",), ("lune-2", "--by", "lune-1")):
            code, out, err = await told("keys", *arguments, *there, *keys, PERRON_API_KEY=retailer.token)
            assert code == 0, err
        code, _, err = await told("connect", str(lies), *there, *by, PERRON_API_KEY=retailer.token)
        assert (code, "carriers" in err) == (2, True)
        code, out, err = await told("connect", str(terms), *there, *by, PERRON_API_KEY=retailer.token)
        assert code == 0, err
        asked = json.loads(out)
        assert asked["consent_url"].startswith(hub.url)
        code, _, err = await told("end", asked["id"], "--hub", hub.url, *by, PERRON_API_KEY=retailer.token)
        assert (code, "--brand" in err) == (2, True)
        code, out, err = await told("end", asked["id"], *there, *by, PERRON_API_KEY=retailer.token)
        assert code == 0, err
        assert json.loads(out)["state"] == "ended"
        async with hub.hub.store.reading() as tx:
            row = (await tx.execute(select(connections))).one()
            vouched = [
                key.vouched is not None for key in await tx.execute(select(brand_keys).order_by(brand_keys.c.kid))
            ]
        assert row.signed is not None
        assert row.end_signed is not None
        assert vouched == [False, True]


@pytest.mark.slow
async def test_what_the_hub_refuses_is_told_with_where_it_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(DELIVERY.replace("+5h", "+2h"), encoding="utf-8")
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        at = ("--hub", hub.url, "--connection", box.said["connection"])
        code, _, err = await told("announce", str(file), *at, PERRON_API_KEY=box.said["api_key"])
        assert (code, "window" in err, "ends after its start" in err) == (2, True, True)
        file.write_text(DELIVERY, encoding="utf-8")
        code, _, err = await told("announce", str(file), *at)
        assert (code, "PERRON_API_KEY" in err) == (2, True)
        code, _, err = await told("announce", str(file), *at, PERRON_API_KEY="key-wrong")
        assert (code, f"{hub.url}/problems/unauthenticated" in err, "key-wrong" in err) == (2, True, False)
    code, _, err = await told("watch", "--hub", "http://hub.example", PERRON_API_KEY="key-x")
    assert (code, "everybody on the way reads the API key" in err) == (2, True)


async def heard(process: asyncio.subprocess.Process, state: str) -> list[dict[str, Any]]:
    """Read events up to and with the first in this state."""
    assert process.stdout is not None
    found: list[dict[str, Any]] = []
    while not found or found[-1]["data"]["state"] != state:
        found.append(json.loads(await asyncio.wait_for(process.stdout.readline(), 30)))
    return found


@pytest.mark.slow
async def test_watch_comes_back_by_itself_and_loses_nothing_while_the_hub_was_away(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        box = await create_sandbox(hub)
        first = await box.announce("SANDBOX-WAITS")
        await box.until(first, "scheduled")
        begun = (await box.told(first))[0]["id"]
        watched = ("--hub", hub.url, "--api-key-file", key_of(box, tmp_path), "--after", begun, "--json")
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(perron("watch", *watched))
            lines = await heard(process, "scheduled")
            assert lines[0]["sandbox"] is True
            delivery = await box.announce("XY123456785FR")
            lines += await heard(process, "window_open")
            rest = stack.pop_all()
    async with rest, run_hub(file) as hub:
        box.hub = hub
        lines += await heard(process, "delivered")
        everything = [one["id"] for one in await box.told(first)][1:] + [one["id"] for one in await box.told(delivery)]
    assert [line["id"] for line in lines] == everything, "each once, in order, none lost"


@pytest.mark.slow
async def test_watch_goes_on_the_next_time_where_it_was(tmp_path: Path) -> None:
    place = tmp_path / "place"
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        delivery = await box.announce("XY123456785FR")
        await box.until(delivery, *ENDED_STATES)
        everything = [one["id"] for one in await box.told(delivery)]
        place.write_text(everything[0] + "\n", encoding="ascii")
        watched = ("watch", "--hub", hub.url, "--place", str(place), "--count", "2")
        lines = []
        for _ in range(2):
            code, out, err = await told(*watched, PERRON_API_KEY=box.said["api_key"])
            assert code == 0, err
            lines += [line.split("  ")[3] for line in out.splitlines()]
    assert lines == ["scheduled", "window_open", "visiting", "delivered"]
    assert place.read_text(encoding="ascii").strip() == everything[-1]


async def post(url: str, body: bytes, secret: str, *, id_: str = "msg-1", at: datetime | None = None) -> int:
    at = at or datetime.now(UTC)
    signed = {"webhook-id": id_, "webhook-timestamp": str(int(at.timestamp())),
              "webhook-signature": Webhook(secret).sign(id_, at, body.decode())}  # fmt: skip
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=signed) as answer:
        return answer.status


@pytest.mark.slow
async def test_listen_tells_what_is_signed_once_and_refuses_everything_else(tmp_path: Path) -> None:
    secret, port = tmp_path / "secret", free_port()
    secret.write_text(SECRET + "\n", encoding="ascii")
    body = b'{"type":"delivery.changed","timestamp":"2026-11-25T18:00:00Z","data":{"id":"dlv-1","state":"delivered"}}'
    async with perron("listen", "--secret-file", str(secret), "--port", str(port), "--count", "2") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"Listening" in await asyncio.wait_for(process.stderr.readline(), 30)
        url = f"http://127.0.0.1:{port}/anything"
        assert await post(url, body, SECRET) == 204
        assert await post(url, body, SECRET) == 204, "a second time: answered, not told"
        assert await post(url, body, "whsec_" + "B" * 43 + "=", id_="msg-2") == 401
        assert await post(url, body, SECRET, id_="msg-2", at=datetime.now(UTC) - timedelta(minutes=6)) == 401
        async with aiohttp.ClientSession() as http, http.post(url, data=body) as answer:
            assert answer.status == 401
        assert await post(url, body, SECRET, id_="msg-3") == 204
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert out.decode().splitlines() == ["2026-11-25T18:00:00Z  delivery.changed  dlv-1  delivered"] * 2
    assert err.decode().count("refused: ") == 3
    code, _, err_text = await told("listen", **{SECRET_VARIABLE: "nonsense"})
    assert (code, "nonsense" in err_text) == (2, False)


async def endpoints(box: SandboxClient) -> list[Any]:
    return list((await box.ask("GET", "/v1/webhook_endpoints"))[1]["data"])


async def said_by(stream: asyncio.StreamReader | None, word: bytes) -> str:
    """Read lines up to the first with this word in it."""
    assert stream is not None
    while True:
        line = await asyncio.wait_for(stream.readline(), 30)
        assert line, f"{word.decode()} was never said"
        if word in line:
            return line.decode()


@pytest.mark.slow
async def test_listen_makes_its_endpoint_and_deletes_it_however_it_ends(tmp_path: Path) -> None:
    here = hub_file(tmp_path, webhooks=Webhooks(private=True, plain=True))
    async with run_hub(here) as hub:
        box = await create_sandbox(hub)
        port = free_port()
        at = ("listen", "--hub", hub.url, "--api-key-file", key_of(box, tmp_path), "--port", str(port))
        async with perron(*at, "--count", "5") as process:
            await said_by(process.stderr, b"Listening")
            (made,) = await endpoints(box)
            assert made["url"] == f"http://127.0.0.1:{port}/"
            delivery = await box.announce("XY123456785FR")
            out, err = await asyncio.wait_for(process.communicate(), 60)
        states = [line.split("  ")[3] for line in out.decode().splitlines()]
        assert states == ["awaiting_permission", "scheduled", "window_open", "visiting", "delivered"]
        assert all(delivery in line for line in out.decode().splitlines())
        assert (process.returncode, "refused" in err.decode(), await endpoints(box)) == (0, False, [])
        async with perron(*at) as process:
            await said_by(process.stderr, b"Listening")
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 30) == 0
        assert await endpoints(box) == []
        async with perron(*at) as process:
            await said_by(process.stderr, b"Listening")
            process.kill()
            await process.wait()
        (left,) = await endpoints(box)
        async with perron(*at) as process:
            await said_by(process.stderr, b"Listening")
            (anew,) = await endpoints(box)
            assert anew["id"] != left["id"], "what a killed one left behind is replaced"
            code, _, err_text = await told(*at)
            assert (code, "cannot be listened at" in err_text) == (2, True)
            there = [one["id"] for one in await endpoints(box)]
            assert there == [anew["id"]], "a second one at this port takes nothing from the first"


@pytest.mark.slow
async def test_watch_that_was_killed_goes_on_behind_what_it_had_told(tmp_path: Path) -> None:
    place = tmp_path / "place"
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        waits = await box.announce("SANDBOX-WAITS")
        await box.until(waits, "scheduled")
        begun = (await box.told(waits))[-1]["id"]
        place.write_text(begun + "\n", encoding="ascii")
        watched = ("watch", "--hub", hub.url, "--api-key-file", key_of(box, tmp_path), "--place", str(place), "--json")
        delivery = await box.announce("XY123456785FR")
        async with perron(*watched) as process:
            seen = await heard(process, "window_open")
            process.kill()
            assert process.stdout is not None
            rest = await process.stdout.read()  # what it had told beyond that
            seen += [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
        await box.until(delivery, *ENDED_STATES)
        everything = [one["id"] for one in await box.told(delivery)]
        if place.read_text(encoding="ascii").strip() != everything[-1]:
            async with perron(*watched) as process:
                seen += await heard(process, "delivered")
    ids = [one["id"] for one in seen]
    assert list(dict.fromkeys(ids)) == everything, "none is lost, in their order"
    assert len(ids) - len(everything) <= 1, "at most the one at which it was killed is told twice"

"""A household's browser at the hub: believed by its own signature, and handed on to its home alone, sealed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.hub.boxes import browser_relay
from gateway.hub.database.tables import browsers, homes, jobs
from gateway.protocol.box_hub import BrowserStatus, JobKind
from gateway.protocol.browser_envelope import Jwk, load_private_key
from gateway.protocol.keys import BoxKey
from tests.boxes import EventJournal, ScriptedBox, connected_to_broker, insert_home
from tests.hubs import HIGH_LIMITS, RunningHub, broker_account, homes_broker, hub_file, run_hub
from tests.mosquitto import Mosquitto
from tests.remotebrowser import RemoteBrowser
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ORDERS, QUESTIONS = "/v1/household/orders", "/v1/household/questions"
HOMES = ("home-1", "home-2")
ORIGIN = {"Origin": "https://box.lan:8443"}


@dataclass
class Street:
    """A hub with two homes; the box of the first is connected, and there is a browser of each."""

    hub: RunningHub
    box: ScriptedBox
    journals: dict[str, EventJournal]
    browser: RemoteBrowser
    other: RemoteBrowser
    broker: Mosquitto
    folder: Path

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        by: RemoteBrowser | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Ask as a browser does."""
        own = {} if by is None else by.headers
        async with self.hub.http.request(method, path, json=body, headers={**own, **(headers or {})}) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            return answer.status, await answer.json(content_type=None)

    async def says(self, said: BrowserStatus, home: str = HOMES[0]) -> None:
        """Let a home tell of a browser, over the broker."""
        await self.box.say("evt", self.journals[home].add(said))
        async with asyncio.timeout(30):
            while (await self.box.acks.get()).seq != len(self.journals[home].tokens):
                pass


def browser(hub: RunningHub, home: str, number: int) -> RemoteBrowser:
    """One that is enrolled in a home, with keys that the test knows both sides of."""
    one = RemoteBrowser(home=home, hub=hub.url, browser=f"brw-{number:032x}")
    own = Jwk.of(load_private_key(bytes(31) + b"\x07").public_key())
    one.enrolled({"browser": one.browser, "home": home, "hub": hub.url, "agree": own.model_dump()})
    return one


FAREWELL = "h..iv.farewell.tag"


def counts(one: RemoteBrowser, *, ended: bool = False) -> BrowserStatus:
    sign = None if ended else Jwk.of(one.sign.public_key())
    return BrowserStatus(browser=one.browser, sign=sign, ended=ended, farewell=FAREWELL if ended else None)


@asynccontextmanager
async def street(folder: Path, **limits: int) -> AsyncIterator[Street]:
    async with homes_broker(*HOMES) as broker:
        file = hub_file(folder, broker=broker_account(broker, folder), limits=HIGH_LIMITS.model_copy(update=limits))
        async with run_hub(file) as hub, connected_to_broker(HOMES[0], broker, folder) as first:
            await wait_until(lambda: hub.hub.broker_connection is not None and hub.hub.broker_connection.is_connected)
            keys = {home: BoxKey.generate() for home in HOMES}
            async with hub.hub.store.writing() as tx:
                for home, key in keys.items():
                    await insert_home(tx, home, key.public)
            journals = {home: EventJournal(home, key) for home, key in keys.items()}
            made = Street(hub, first, journals, browser(hub, HOMES[0], 1), browser(hub, HOMES[1], 2), broker, folder)
            await made.says(counts(made.browser))
            async with hub.hub.store.writing() as tx:
                sign = Jwk.of(made.other.sign.public_key()).model_dump()
                await tx.execute(
                    browsers.insert().values(home=HOMES[1], id=made.other.browser, sign=sign, told=hub.hub.now())
                )
            yield made


async def test_a_question_reaches_the_box_and_the_answer_comes_back_both_sealed(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        id_, text = here.browser.question("state")
        asking = asyncio.create_task(
            here.ask("POST", QUESTIONS, {"sealed": here.browser.sealed(text)}, by=here.browser)
        )
        asked = await here.box.asked.get()
        assert asked.browser == here.browser.browser
        assert b"state" not in asked.sealed.encode()
        here.box.answers(asked, "h..i.c.t")
        status, said = await asking
        assert (status, said) == (200, {"sealed": "h..i.c.t"})
        assert id_


async def test_an_order_waits_for_the_box_and_is_told_as_received_refused_or_expired(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        sealed = here.browser.sealed(here.browser.order("stop"))
        ends = {}
        for end in ("received", "refused", "expired"):
            status, said = await here.ask("POST", ORDERS, {"sealed": sealed, "seconds": 900}, by=here.browser)
            assert (status, said["state"]) == (202, "waiting")
            job = await asyncio.wait_for(here.box.jobs.get(), 30)
            assert (job.job, job.kind, job.token) == (said["id"], JobKind.OWNER, sealed)
            ends[end] = said["id"]
            if end != "expired":
                await here.box.has(job, None if end == "received" else "overtaken")
        async with here.hub.hub.store.writing() as tx:
            over = here.hub.hub.now() - timedelta(seconds=1)
            await tx.execute(update(jobs).where(jobs.c.id == ends["expired"]).values(expires=over))
        for end, id_ in ends.items():
            async with asyncio.timeout(30):
                while True:
                    status, said = await here.ask("GET", f"{ORDERS}/{id_}", by=here.browser)
                    if said["state"] != "waiting":
                        break
            assert (status, said["state"]) == (200, end)
            assert said["why"] == ("overtaken" if end == "refused" else None)


async def test_an_order_is_kept_for_as_long_as_it_says_and_no_longer(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        body = {"sealed": here.browser.sealed(here.browser.order("stop")), "seconds": 900}
        _, said = await here.ask("POST", ORDERS, body, by=here.browser)
        async with here.hub.hub.store.reading() as tx:
            row = (await tx.execute(select(jobs).where(jobs.c.id == said["id"]))).one()
        assert row.expires - row.created == timedelta(seconds=900)


async def test_the_same_idempotency_key_is_one_order_and_another_browser_s_is_another(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        body = {"sealed": here.browser.sealed(here.browser.order("stop")), "seconds": 60}
        key = {"Idempotency-Key": "once"}
        first = await here.ask("POST", ORDERS, body, by=here.browser, headers=key)
        assert await here.ask("POST", ORDERS, body, by=here.browser, headers=key) == first
        other = await here.ask("POST", ORDERS, body, by=here.other, headers=key)
        assert other[1]["id"] != first[1]["id"]


async def test_another_s_order_is_not_there(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        body = {"sealed": here.browser.sealed(here.browser.order("stop")), "seconds": 60}
        _, said = await here.ask("POST", ORDERS, body, by=here.browser)
        assert (await here.ask("GET", f"{ORDERS}/{said['id']}", by=here.other))[0] == 404
        again = browser(here.hub, HOMES[0], 3)  # of the same home
        await here.says(counts(again))
        assert (await here.ask("GET", f"{ORDERS}/{said['id']}", by=again))[0] == 404


async def test_a_token_that_is_none_of_this_browser_s_for_this_hub_now_opens_nothing(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        one, stranger = here.browser, browser(here.hub, HOMES[0], 9)
        seconds = int(one.now)
        tokens = {
            "nothing": "", "an API key": "key-" + "a" * 26 + "_" + "a" * 26, "not enrolled": stranger.token(),
            "another home's": one.token(sub=HOMES[1]), "in another's name": one.token(iss=here.other.browser),
            "for another hub": one.token(aud="https://other.example"),
            "over": one.token(iat=seconds - 900, exp=seconds - 600),
            "too long": one.token(exp=seconds + 301), "not yet": one.token(iat=seconds + 120, exp=seconds + 300),
            "an order": one.order("stop").decode(), "no signature": one.token().rpartition(".")[0] + ".",
            "no header": one.signed("perron-order+jwt", {"iss": one.browser, "sub": one.home}).decode(),
            "not a token": "\u00e9",
        }  # fmt: skip
        for what, token in tokens.items():
            bearer = {"Authorization": f"Bearer {token}"}
            for method, path, body in (
                ("POST", QUESTIONS, {"sealed": "h..i.c.t"}), ("POST", ORDERS, {"sealed": "h..i.c.t", "seconds": 60}),
                ("GET", f"{ORDERS}/job-{'a' * 26}", None),
            ):  # fmt: skip
                status, said = await here.ask(method, path, body, headers=bearer)
                assert (status, said["code"]) == (401, "unauthenticated"), what
        assert here.box.asked.empty()
        assert here.box.jobs.empty()


async def test_a_browser_that_ended_is_cut_off_and_what_waits_of_it_goes_no_further(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        body = {"sealed": here.browser.sealed(here.browser.order("stop")), "seconds": 60}
        status, said = await here.ask("POST", ORDERS, body, by=here.browser)
        assert status == 202
        await here.says(counts(here.browser, ended=True))
        assert (await here.ask("POST", ORDERS, body, by=here.browser))[0] == 401
        status, told = await here.ask("POST", QUESTIONS, {"sealed": "h..i.c.t"}, by=here.browser)
        assert (status, told["code"], told["sealed"]) == (401, "unauthenticated", FAREWELL)
        _, told = await here.ask("POST", QUESTIONS, {"sealed": "h..i.c.t"}, headers={"Authorization": "Bearer x.y.z"})
        assert "sealed" not in told
        async with here.hub.hub.store.reading() as tx:
            row = (await tx.execute(select(jobs).where(jobs.c.id == said["id"]))).one()
        assert (row.due, row.refused) == (None, "unknown_browser")
        await here.says(counts(here.browser))  # the home's newest word counts
        assert (await here.ask("POST", ORDERS, body, by=here.browser))[0] == 202


async def test_a_home_speaks_for_its_own_browsers_only(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        await here.says(counts(here.other, ended=True))  # the first home names the second one's
        assert (await here.ask("POST", ORDERS, {"sealed": "h..i.c.t", "seconds": 60}, by=here.other))[0] == 202


async def test_browsers_of_a_home_that_was_revoked_are_nobody_s(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        async with here.hub.hub.store.writing() as tx:
            await tx.execute(update(homes).where(homes.c.id == HOMES[0]).values(revoked=here.hub.hub.now()))
        assert (await here.ask("POST", ORDERS, {"sealed": "h..i.c.t", "seconds": 60}, by=here.browser))[0] == 401


async def test_a_home_that_is_not_there_is_told_at_once_and_one_that_says_nothing_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_relay, "ANSWER_TIMEOUT_S", 4)  # as long as a loaded machine takes to ask all
    async with street(tmp_path) as here:
        status, said = await here.ask("POST", QUESTIONS, {"sealed": "h..i.c.t"}, by=here.other)
        assert (status, said["code"]) == (503, "home_offline")
        status, said = await here.ask("POST", QUESTIONS, {"sealed": "h..i.c.t"}, by=here.browser)
        assert (status, said["code"]) == (504, "home_silent")


async def test_only_the_home_that_was_asked_answers_and_only_the_browser_that_asked_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_relay, "ANSWER_TIMEOUT_S", 2)
    async with street(tmp_path) as here:
        asking = asyncio.create_task(here.ask("POST", QUESTIONS, {"sealed": "h..i.c.t"}, by=here.browser))
        asked = await here.box.asked.get()
        for other in ({"id": "q-1"}, {"browser": here.other.browser}, {"via": "hub-other"}, {"home": HOMES[1]}):
            here.box.answers(asked, "a..b.c.d", **other)
        # It has seen the question's number somehow
        async with connected_to_broker(HOMES[1], here.broker, here.folder) as second:
            second.answers(asked, "a..b.c.d")
            await second.hello()
            here.box.answers(asked, "h..i.c.t")
            assert (await asking)[1] == {"sealed": "h..i.c.t"}


async def test_one_home_may_have_a_few_questions_open_and_a_browser_its_ration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_relay, "ANSWER_TIMEOUT_S", 4)  # as long as a loaded machine takes to ask all
    async with street(tmp_path, orders=2) as here:
        answers = await asyncio.gather(
            *(
                here.ask("POST", QUESTIONS, {"sealed": "h..i.c.t"}, by=here.browser)
                for _ in range(browser_relay.MAX_OPEN_QUERIES_PER_HOME + 4)
            )
        )
        codes = [said["code"] for _, said in answers]
        assert codes.count("rate_limited") == 4
        assert codes.count("home_silent") == browser_relay.MAX_OPEN_QUERIES_PER_HOME
        for status in (202, 202, 429):
            assert (await here.ask("POST", ORDERS, {"sealed": "h..i.c.t", "seconds": 60}, by=here.browser))[0] == status
        assert (await here.ask("POST", ORDERS, {"sealed": "h..i.c.t", "seconds": 60}, by=here.other))[0] == 202


BODIES: tuple[dict[str, Any], ...] = (
    {}, {"sealed": ""}, {"sealed": "a.b.c"}, {"sealed": "a.b.c.d.e", "seconds": 60},
    {"sealed": "h..i.c.t", "seconds": 0}, {"sealed": "h..i.c.t", "seconds": 86_401},
    {"sealed": "h..i.c.t", "seconds": 60, "home": "home-2"}, {"sealed": "h..i." + "c" * 11_000 + ".t", "seconds": 60},
)  # fmt: skip


async def test_what_is_no_envelope_is_not_kept(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        for body in BODIES:
            status, said = await here.ask("POST", ORDERS, body, by=here.browser)
            assert (status, said["code"]) == (422, "invalid"), body


async def test_a_page_of_any_origin_may_ask_here_without_a_cookie_and_nowhere_else(tmp_path: Path) -> None:
    async with street(tmp_path) as here:
        wanted = {**ORIGIN, "Access-Control-Request-Method": "POST",
                  "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
        for path in (ORDERS, QUESTIONS, f"{ORDERS}/job-{'a' * 26}"):
            async with here.hub.http.options(path, headers=wanted) as answer:
                assert answer.status == 204
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert "Access-Control-Allow-Credentials" not in answer.headers
                allowed = answer.headers["Access-Control-Allow-Headers"].lower()
                assert {"authorization", "content-type"} <= {one.strip() for one in allowed.split(",")}
        for path in ("/v1/deliveries", "/v1/api_keys", "/openapi.json", "/healthz", "/"):
            async with here.hub.http.options(path, headers=wanted) as answer:
                assert answer.status == 405
                assert "Access-Control-Allow-Origin" not in answer.headers
            async with here.hub.http.get(path, headers=ORIGIN) as answer:
                assert "Access-Control-Allow-Origin" not in answer.headers
        assert json.dumps(ORIGIN)

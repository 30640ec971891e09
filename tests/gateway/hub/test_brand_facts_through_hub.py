"""A brand's own facts and its comment through a real hub, a real broker and a real box; and a hub that tampers."""

import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update

from gateway.config.home import Home
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import DeliveryResult, State
from gateway.domain.delivery.result import DoorResult as Left
from gateway.domain.delivery.result import Outcome
from gateway.hub.boxes.unenrolment import end_home
from gateway.hub.database.tables import brand_messages, connections, homes, jobs
from gateway.hub.deliveries.brand_messages import MAX_PER_WINDOW
from gateway.protocol.box_hub import BrandAnswer, JobKind, JobOutcome, token_digest
from gateway.protocol.brand_facts import brand_facts
from gateway.protocol.brand_messages import (
    CommentClaims,
    FactsClaims,
    FactsQuery,
    facts_claims,
    sign_comment,
    sign_facts,
    sign_facts_query,
    verify_facts,
)
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode
from gateway.protocol.keys import BoxKey
from gateway.runtime.brand_messages import MAX_MESSAGES_PER_DAY
from gateway.system.base64url import decode_base64url, encode_base64url
from tests.announcing import BRAND_KEY, ConnectedHome, connected_home
from tests.gateway.domain.delivery.shop import SECRETS
from tests.gateway.integrations.hub_client.test_session import HOME
from tests.hubhouse import HubHouse, hub_house, new_offer
from tests.hubs import RunningHub, hub_file, run_hub
from tests.shell.house import make_home

HOUR_S = 3600
SORRY = "the courier was new"


def claims(here: HubHouse, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any claim
    seconds = int(here.made.time.wall())
    times = {"iat": seconds, "nbf": seconds, "exp": seconds + HOUR_S}
    return {"iss": "shop", "aud": HOME, "jti": secrets.token_urlsafe(16), **times, **changes}


def query(here: HubHouse, **changes: Any) -> str:  # noqa: ANN401 - any claim
    return sign_facts_query(FactsQuery(**claims(here, **changes)), SECRETS["shop"], kid="shop-1").decode()


def query_of(home: ConnectedHome, hub: RunningHub) -> bytes:
    """The query of the brand of a home that is no real box."""
    seconds = int(hub.hub.now().timestamp())
    asked = FactsQuery(
        iss=home.brand, aud=home.id, iat=seconds, nbf=seconds, exp=seconds + HOUR_S, jti="a-question-00001"
    )
    return sign_facts_query(asked, BRAND_KEY, kid=f"{home.brand}-1")


def comment(here: HubHouse, text: str = SORRY, **changes: Any) -> str:  # noqa: ANN401 - any claim
    signed = CommentClaims(**claims(here, **changes), comment=text)
    return sign_comment(signed, SECRETS["shop"], kid="shop-1").decode()


async def settled(here: HubHouse, what: str, token: str) -> dict[str, Any]:
    """Send a message until the home has answered it; the same bytes are the same message."""
    async with asyncio.timeout(20):
        while True:
            status, said = await here.ask("POST", f"/v1/connections/{here.connection}/{what}", {"token": token})
            assert status in {200, 202}, said
            if said["state"] != "waiting":
                found: dict[str, Any] = said
                return found
            await asyncio.sleep(0.05)


async def stated(here: HubHouse) -> dict[str, Any]:
    status, said = await here.ask("GET", f"/v1/connections/{here.connection}/facts")
    assert status == 200, said
    found: dict[str, Any] = said
    return found


async def brought(here: HubHouse) -> None:
    """The brand delivers once, as it was announced through the hub."""
    here.made.time.mono += 1.5 * HOUR_S
    said = new_offer()
    made = await here.offers(said)
    await here.stands(made, State.WINDOW_OPEN)
    await here.ends(said, await here.begins(said), Outcome.DELIVERED, Left.LOCKED_AGAIN)
    await here.stands(made, State.DELIVERED)


async def test_a_brand_reads_its_own_facts_and_comments_and_the_box_has_signed_both_answers(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        assert (await here.ask("GET", f"/v1/connections/{here.connection}/facts"))[0] == 404, (
            "nobody has sent a query yet"
        )
        await brought(here)
        first = query(here, jti="first-question-0001")
        assert (await settled(here, "facts", first))["state"] == "accepted"
        said = await stated(here)
        assert (said["home"], said["brand"], said["comment"]) == (HOME, "shop", None)
        assert (said["facts"]["announced"], said["facts"]["outcomes"]) == (1, {"delivered": 1})
        token = verify_facts(said["token"].encode(), here.made.key.public)
        assert isinstance(token, FactsClaims)
        assert (token.iss, token.sub, token.answers) == (HOME, "shop", "first-question-0001")
        assert token.facts.model_dump(mode="json") == said["facts"]
        assert said["key"] == here.made.key.public.text
        assert (await settled(here, "comment", comment(here)))["state"] == "accepted"
        assert here.made.store.brand_facts.comment_of("shop") == SORRY
        await settled(here, "facts", query(here))
        assert (await stated(here))["comment"] == SORRY
        _, page = await here.ask("GET", "/v1/events?types=connection.answered")
        told = [(one["data"]["message"], one["data"]["accepted"]) for one in page["data"]]
        assert told == [("facts", True), ("comment", True), ("facts", True)]
        assert page["data"][0]["about"] == here.connection


async def test_what_the_owner_does_not_want_is_refused_and_another_s_question_is_not_sent(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        path = f"/v1/connections/{here.connection}"
        for what, token in (
            ("facts", comment(here)), ("comment", query(here)), ("facts", query(here, aud="home-2")),
            ("facts", query(here)[:-3] + "AAA"), ("facts", query(here, iss="farm")),
        ):  # fmt: skip
            status, said = await here.ask("POST", f"{path}/{what}", {"token": token})
            assert (status, said["code"]) == (422, "signature_refused"), said
        async with here.hub.http.post(
            f"{path}/facts", json={"token": query(here)}, headers=(await here.hub.retailer()).headers
        ) as answer:
            assert answer.status == 404, "it is another retailer's connection"
        await here.made.store.brands.decide("shop", PermissionStatus.REVOKED, here.made.clock.now())
        async with asyncio.timeout(20):
            while await standing(here) != "revoked":  # noqa: ASYNC110 - the hub signals no event for this state
                await asyncio.sleep(0.02)
        status, said = await here.ask("POST", f"{path}/facts", {"token": query(here)})
        assert (status, said["code"]) == (409, "not_connected")
        await let_in_by_the_hub_alone(here)
        assert (await settled(here, "facts", query(here)))["code"] == "brand_not_permitted", "the home decides"
        assert (await settled(here, "comment", comment(here)))["code"] == "brand_not_permitted"
        assert here.made.store.brand_facts.comment_of("shop") is None
        assert (await here.ask("GET", f"{path}/facts"))[0] == 404


async def standing(here: HubHouse) -> str:
    async with here.hub.hub.store.reading() as tx:
        return str(await tx.scalar(select(connections.c.state).where(connections.c.id == here.connection)))


async def let_in_by_the_hub_alone(here: HubHouse) -> None:
    """The hub claims that the home lets the brand in, and the home does not."""
    async with here.hub.hub.store.writing() as tx:
        await tx.execute(update(connections).where(connections.c.id == here.connection).values(state="granted"))


async def test_an_owner_who_shares_no_facts_still_reads_a_comment(tmp_path: Path) -> None:
    document = make_home(tmp_path).model_dump(mode="json", exclude_unset=True)
    document["hub"] = {"url": "https://hub.example", "home": HOME, "host": "127.0.0.1", "brand_facts": False}
    async with hub_house(tmp_path, house=Home.model_validate(document, strict=False)) as here:
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        assert (await settled(here, "facts", query(here)))["code"] == "facts_not_shared"
        assert (await settled(here, "comment", comment(here)))["state"] == "accepted"


async def test_a_retailer_may_query_one_home_ten_times_a_day_and_the_box_counts_too(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        for _ in range(MAX_PER_WINDOW):
            await settled(here, "facts", query(here))
        status, said = await here.ask("POST", f"/v1/connections/{here.connection}/facts", {"token": query(here)})
        assert (status, said["code"]) == (429, "rate_limited")
        async with here.hub.hub.store.reading() as tx:
            kept = select(func.count()).select_from(brand_messages).where(brand_messages.c.facts.is_not(None))
            assert await tx.scalar(kept) == 1, "only the newest facts are kept"


async def test_a_box_of_an_earlier_release_refuses_a_question_and_the_brand_learns_it(tmp_path: Path) -> None:
    """It answers with a result without a delivery, as for every message that it does not know."""
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        path, token = f"/v1/connections/{home.connection}/facts", query_of(home, hub)
        assert (await home.ask("POST", path, {"token": token.decode()}))[0] == 202
        digest = token_digest(token)
        await home.says(
            DeliveryResult(box="box", at=hub.hub.now(), accepted=False, code="wrong_type", token_sha256=digest)
        )
        status, said = await home.ask("POST", path, {"token": token.decode()})
        assert (status, said["state"], said["code"]) == (200, "refused", "wrong_type")


async def test_a_home_s_answer_that_is_about_another_brand_is_not_shown(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        path, token = f"/v1/connections/{home.connection}/facts", query_of(home, hub)
        await home.ask("POST", path, {"token": token.decode()})
        facts = sign_facts(facts_claims(home.id, "farm", brand_facts("farm", [], {}, until=hub.hub.now()),
                                        comment=None), home.journal.key)  # fmt: skip
        await home.says(BrandAnswer(token_sha256=token_digest(token), accepted=True, facts=facts.decode()))
        _, said = await home.ask("POST", path, {"token": token.decode()})
        assert (said["state"], said["code"]) == ("refused", "malformed")
        assert (await home.ask("GET", path))[0] == 404


async def test_a_hub_forgets_the_facts_of_a_home_that_leaves(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        await settled(here, "facts", query(here))
        async with here.hub.hub.store.writing() as tx:
            home = (await tx.execute(select(homes).where(homes.c.id == HOME))).one()
            await end_home(tx, home, here.hub.hub.now())
            assert await tx.scalar(select(func.count()).select_from(brand_messages)) == 0


# ---- a hub that tampers ----------------------------------------------------------------------------------------------


async def inject(here: HubHouse, token: str) -> str:
    """The hub sends the home a forged message; return why the box refused the job, or what it answered."""
    async with here.hub.hub.store.writing() as tx:
        now, id_ = here.hub.hub.now(), f"job-{secrets.token_hex(13)}"
        await tx.execute(insert(jobs).values(
            id=id_, home=HOME, kind=JobKind.DELIVERY, token=token.encode(), sha256=token_digest(token.encode()),
            attempts=0, parked=False, created=now, due=now, expires=now.replace(year=now.year + 1),
        ))  # fmt: skip
    here.hub.hub.wake_dispatcher()
    async with asyncio.timeout(20):
        while True:
            answers = [one for one in await here.answers() if one.token_sha256 == token_digest(token.encode())]
            if answers:
                return str(answers[0].code)
            await asyncio.sleep(0.05)


def altered(token: str, **changes: Any) -> str:  # noqa: ANN401 - any claim
    head, payload, signature = token.split(".")
    body = {**json.loads(decode_base64url(payload.encode())), **changes}
    return ".".join((head, encode_base64url(json.dumps(body, separators=(",", ":")).encode()), signature))


async def test_a_hub_can_forge_or_alter_neither_the_question_nor_the_comment(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        evil = BoxKey.generate()
        forged: dict[str, Callable[[], str]] = {
            "wrong_signature": lambda: altered(comment(here), comment="we are great"),
            "unknown_key": lambda: sign_comment(
                CommentClaims(**claims(here), comment="bad brand"), evil, kid="hub-1"
            ).decode(),
            "wrong_issuer": lambda: sign_facts_query(
                FactsQuery(**claims(here, iss="farm")), SECRETS["shop"], kid="shop-1"
            ).decode(),
            "wrong_audience": lambda: query(here, aud="home-2"),
        }
        for code, make in forged.items():
            assert await inject(here, make()) == code
        assert await inject(here, sign_facts_query(FactsQuery(**claims(here)), evil, kid="shop-1").decode()) == (
            "wrong_signature"
        )
        assert here.made.store.brand_facts.comment_of("shop") is None
        assert [one.facts for one in await here.answers() if one.facts is not None] == [], "no facts went out"


async def test_a_hub_that_alters_the_answer_or_gives_an_earlier_one_is_found_out_by_the_brand(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        await brought(here)
        await settled(here, "facts", query(here, jti="first-question-0001"))
        before = (await stated(here))["token"]
        wrong = altered(before, facts={**json.loads(_payload(before))["facts"], "doors_left_open": 7})
        assert verify_facts(wrong.encode(), here.made.key.public) is RejectionCode.WRONG_SIGNATURE
        await settled(here, "facts", query(here, jti="second-question-001"))
        async with here.hub.hub.store.writing() as tx:
            await tx.execute(update(brand_messages).values(facts=before))
        again = await stated(here)
        found = verify_facts(again["token"].encode(), PublicKey.from_text(again["key"]))
        assert isinstance(found, FactsClaims)
        assert found.answers == "first-question-0001", "the brand sent its second query"
        async with here.hub.hub.store.writing() as tx:
            await tx.execute(update(brand_messages).values(facts=wrong))
        assert (await here.ask("GET", f"/v1/connections/{here.connection}/facts"))[0] == 404, "an honest hub looks too"


async def test_nothing_about_a_person_goes_out(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        await brought(here)
        await settled(here, "facts", query(here))
        said = await stated(here)
        assert set(said["facts"]) == {
            "since", "until", "announced", "visits", "outcomes", "on_time", "missed", "inside_median_s",
            "inside_longest_s", "doors_left_open", "handed_to_owner", "refusals", "complaints",
        }  # fmt: skip
        (answer,) = await here.answers()
        assert set(json.loads(answer.model_dump_json(exclude_none=True))) == {
            "brand",
            "token_sha256",
            "accepted",
            "facts",
        }


def _payload(token: str) -> bytes:
    return decode_base64url(token.split(".")[1].encode())


async def test_a_box_that_a_hub_floods_with_a_brand_s_questions_stops_to_answer(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        for _ in range(MAX_MESSAGES_PER_DAY):
            assert await here.made.reception.accept_from_hub(query(here).encode(), HOME) is JobOutcome.ANSWERED
        assert await here.made.reception.accept_from_hub(query(here).encode(), HOME) is JobOutcome.REJECTED
        assert (await settled(here, "facts", query(here)))["code"] == "too_many"

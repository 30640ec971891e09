"""The sandbox as a retailer has it: over HTTP alone, every outcome and refusal, at a real hub."""

import asyncio
import contextlib
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from gateway.domain.delivery.promise import State
from gateway.hub.api import deliveries as api
from gateway.hub.api import sandboxes as making
from gateway.hub.api.sandboxes import SANDBOX_LIFETIME
from gateway.hub.boxes.box_events import EventOutcome, HomeTransaction
from gateway.hub.config import Limits
from gateway.hub.database.tables import deliveries, home_events, homes, metadata, retailers
from gateway.hub.deliveries.events import lock_retailer
from gateway.hub.sandbox.expiry import delete_expired, evict_idle
from gateway.hub.sandbox.robot import CHECK_INTERVAL_S, MAX_PIECES_PER_HOME
from gateway.protocol.box_hub import GENESIS_DIGEST, BoxEvent, sign_by_box, token_digest, verify_by_box
from gateway.protocol.brand_messages import (
    CommentClaims,
    FactsClaims,
    FactsQuery,
    sign_comment,
    sign_facts_query,
    verify_facts,
)
from gateway.protocol.brand_statement import sign_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import BoxKey
from tests.hubs import hub_file, run_hub
from tests.sandboxes import ENDED_STATES, create_sandbox
from tests.webhookhouse import ManualWallClock

QUIET_S = 8 * CHECK_INTERVAL_S  # seconds in which the robot would have gone on with a delivery that waits
pytestmark = pytest.mark.slow


async def test_one_request_without_a_key_and_a_delivery_goes_its_whole_way_in_seconds(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        assert box.said["sandbox"] is True
        delivery = await box.announce("XY123456785FR", hours=30)
        said = await box.until(delivery, *ENDED_STATES)
        assert (said["state"], said["house"], said["missing"]) == ("delivered", "locked_again", 0)
        events = await box.told(delivery)
        states = [one["data"]["state"] for one in events]
        assert states == ["awaiting_permission", "scheduled", "window_open", "visiting", "delivered"]
        assert all(one["sandbox"] for one in events), "each says that it is of the sandbox"


async def test_the_robot_s_events_are_signed_and_chained_as_every_home_s(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        await box.until(await box.announce("XY123456785FR"), *ENDED_STATES)
        async with hub.hub.store.reading() as tx:
            asked = select(homes.c.box_key).where(homes.c.id == box.said["home"])
            key = (await tx.execute(asked)).scalar_one()
            rows = (await tx.execute(select(home_events).order_by(home_events.c.seq))).all()
    before = GENESIS_DIGEST
    assert len(rows) == 4
    for number, row in enumerate(rows, start=1):
        found = verify_by_box(BoxEvent, row.token, PublicKey.from_text(key))
        assert isinstance(found, BoxEvent)
        assert (found.seq, found.prev, found.home) == (number, before, box.said["home"])
        before = token_digest(row.token)


# What is on the parcels, and what becomes of it: state, reason, parcels missing, the house.
OUTCOMES = (
    (["SANDBOX-MISSING", "A-2"], ("partly_delivered", None, 1, "locked_again")),
    (["SANDBOX-MISSING-1", "SANDBOX-MISSING-2"], ("not_delivered", "not_delivered", 2, "locked_again")),
    (["SANDBOX-NOT-DELIVERED"], ("not_delivered", "not_delivered", 1, "locked_again")),
    (["SANDBOX-ATTENDED"], ("not_delivered", "attended", 0, "not_opened")),
    (["SANDBOX-UNKNOWN"], ("not_delivered", "unknown", 0, "handed_to_owner")),
    (["SANDBOX-HANDED-TO-OWNER"], ("delivered", None, 0, "handed_to_owner")),
    (["SANDBOX-RECEIVED"], ("delivered", None, 0, None)),
    (["SANDBOX-DECLINED"], ("not_delivered", "declined", 0, None)),
    (["SANDBOX-DECLINED-DAMAGED"], ("not_delivered", "declined_damaged", 0, None)),
    (["SANDBOX-DECLINED-UNKNOWN"], ("not_delivered", "declined_unknown", 0, None)),
    (["SANDBOX-DECLINED-NO-ROOM-1", "SANDBOX-DECLINED-NO-ROOM-2"], ("not_delivered", "declined_no_room", 0, None)),
    (["SANDBOX-DECLINED-7", "A-3"], ("partly_delivered", None, 1, None)),
    (["SANDBOX-NOBODY-COMES"], ("expired", None, 0, None)),
)


async def test_every_outcome_has_its_parcel_number(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        made = [await box.announce(*parcels) for parcels, _ in OUTCOMES]
        for delivery, (parcels, expected) in zip(made, OUTCOMES, strict=True):
            said = await box.until(delivery, *ENDED_STATES)
            assert (said["state"], said["reason"], said["missing"], said["house"]) == expected, parcels
            lacking = [parcel for parcel in parcels if "MISSING" in parcel or "DECLINED" in parcel]
            came = said["state"] in {"delivered", "partly_delivered"}
            assert said["missing_parcels"] == (lacking if came else None), "which, not how many"


async def test_a_parcel_that_a_neighbour_takes_has_a_custody_and_a_declined_one_has_none(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        numbers = (["SANDBOX-RECEIVED"], ["SANDBOX-DECLINED-1", "A-4"], ["SANDBOX-DECLINED-2"])
        made = [await box.announce(*parcels) for parcels in numbers]
        found = [(await box.until(delivery, *ENDED_STATES))["custody"] for delivery in made]
        assert found == ["receiver", "receiver", None]
        assert (await box.told(made[0]))[-1]["data"]["custody"] == "receiver"


async def test_the_simulated_home_tells_how_the_cold_chain_of_each_item_held(tmp_path: Path) -> None:
    fish = {"code": "(01)04006381333931(21)7", "place": "fridge", "profile": "fish"}
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        made = {}
        for n, (number, verdict) in enumerate(VERDICTS.items()):
            facts = {"courier_sha256": f"{n}" * 64, "items": [fish], **AT_FRONT}
            made[verdict] = await box.announce(number, **facts)
        without = await box.announce("B-1", courier_sha256="ab" * 32, **AT_FRONT)
        for verdict, delivery in made.items():
            found = await box.until(delivery, *ENDED_STATES)
            ((item,), (told,)) = found["cold_chain"], (await box.told(delivery))[-1]["data"]["cold_chain"]
            assert (item["code"], item["verdict"], told["verdict"]) == (fish["code"], verdict, verdict)
        assert (await box.until(without, *ENDED_STATES))["cold_chain"] is None


async def test_a_late_courier_is_given_half_an_hour_or_none_and_the_retailer_reads_the_answer(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        path = "/v1/deliveries/{}/more_time"
        late = await box.announce("SANDBOX-NOBODY-COMES-1")
        no = await box.announce("SANDBOX-NO-TIME", "SANDBOX-NOBODY-COMES-3")
        for one in (late, no):
            await box.until(one, "expired")
            status, said = await box.ask("POST", path.format(one), {})
            assert (status, said["more_time"]) == (200, None), "the home has not answered yet"
        assert (await box.until(late, "delivered"))["more_time"] == "given"
        answers = [(one["data"]["state"], one["data"]["more_time"]) for one in await box.told(late)]
        assert answers[-4:] == [
            ("expired", "asked"), ("window_open", "given"), ("visiting", "given"), ("delivered", "given")
        ]  # fmt: skip
        async with asyncio.timeout(30):
            while (await box.until(no, "expired"))["more_time"] != "refused":  # noqa: ASYNC110 - it is the hub's
                await asyncio.sleep(0.05)
        for one in (late, no):
            status, said = await box.ask("POST", path.format(one), {})
            assert (status, said["code"]) == (409, "too_late"), "it is answered once"


VERDICTS = {"A-9": "conformant", "SANDBOX-WARM-1": "non_conformant", "SANDBOX-UNSCANNED-2": "unknown"}
AT_FRONT: dict[str, Any] = {"entrance": "front", "place": "hall"}


async def test_a_delivery_that_the_front_door_cannot_take_goes_to_the_garage_where_the_retailer_accepts_it(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        made = await box.announce("SANDBOX-MOVED-1", courier_sha256="ab" * 32, **AT_FRONT)
        there = await box.announce("SANDBOX-MOVED-2")  # it lies at the garage already
        only = await box.announce("SANDBOX-MOVED-3", courier_sha256="cd" * 32, entrances=["front"], **AT_FRONT)
        found = await box.until(made, *ENDED_STATES)
        assert (found["state"], found["moved_to"], found["entrance"]) == ("delivered", "garage", "front")
        events = [(one["data"]["state"], one["data"]["moved_to"]) for one in await box.told(made)]
        assert events == [
            ("awaiting_permission", None), ("scheduled", None), ("window_open", None), ("window_open", "garage"),
            ("visiting", "garage"), ("delivered", "garage"),
        ]  # fmt: skip
        for delivery in (there, only):
            found = await box.until(delivery, *ENDED_STATES)
            assert (found["state"], found["moved_to"]) == ("delivered", None)


async def test_a_brand_queries_the_simulated_home_for_its_facts_and_comments_on_them(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box, key = await create_sandbox(hub), BoxKey.generate()
        brand, home, path = box.said["brand"], box.said["home"], f"/v1/connections/{box.said['connection']}"
        proof = sign_proof(key.sign, brand=brand, kid="facts-1", hub=hub.url)
        status, said = await box.ask(
            "POST", f"/v1/brands/{brand}/keys", {"kid": "facts-1", "x": key.public.text, "proof": proof}
        )
        assert status == 201, said
        for parcels in (["A-1"], ["SANDBOX-ATTENDED"], ["SANDBOX-HANDED-TO-OWNER"]):
            await box.until(await box.announce(*parcels), *ENDED_STATES)
        seconds = int(hub.hub.now().timestamp())
        claims = {"iss": brand, "aud": home, "iat": seconds, "nbf": seconds, "exp": seconds + 3600}
        word = CommentClaims(**claims, jti="a-comment-000001", comment="we are sorry")
        asked = FactsQuery(**claims, jti="a-question-00001")
        sent = {
            "comment": sign_comment(word, key, kid="facts-1"), "facts": sign_facts_query(asked, key, kid="facts-1"),
        }  # fmt: skip
        for what, token in sent.items():
            async with asyncio.timeout(20):
                while (await box.ask("POST", f"{path}/{what}", {"token": token.decode()}))[1]["state"] == "waiting":  # noqa: ASYNC110 - the hub signals no event for this state
                    await asyncio.sleep(0.1)
        status, said = await box.ask("GET", f"{path}/facts")
        assert (status, said["comment"], said["answers"]) == (200, "we are sorry", "a-question-00001")
        facts = said["facts"]
        assert (facts["announced"], facts["visits"], facts["handed_to_owner"]) == (3, 2, 1)
        assert facts["outcomes"] == {"attended": 1, "delivered": 2}
        assert isinstance(verify_facts(said["token"].encode(), PublicKey.from_text(said["key"])), FactsClaims)


REFUSED: dict[str, dict[str, Any]] = {
    "place_not_cold": {"max_celsius": 5.0},
    "courier_code_missing": {"entrance": "front", "place": "hall"},
}


async def test_the_home_refuses_by_the_rules_of_a_real_one(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        for reason, wrong in REFUSED.items():
            said = await box.until(await box.announce(f"P-{reason}", **wrong), *ENDED_STATES)
            assert (said["state"], said["reason"]) == ("refused", reason)
        first = await box.announce("SANDBOX-WAITS", "SAME")
        await box.until(first, "scheduled")
        said = await box.until(await box.announce("SAME"), *ENDED_STATES)
        assert (said["state"], said["reason"]) == ("refused", "code_collision")
        for part, named in (("entrance", "somebody-s"), ("carrier", "somebody-s"), ("place", "hall")):
            body = {"connection": box.said["connection"], "delivery": {**box.promise("P-9"), part: named}}
            status, said = await box.ask("POST", "/v1/deliveries", body)
            assert (status, said["errors"][0]["code"]) == (422, f"{part}_not_permitted"), "the hub sees that already"
        for code in ("unknown-entrance", "unknown-place", "carrier-not-permitted", "outside-window", "wrong-signature"):
            said = await box.until(await box.announce(f"SANDBOX-REFUSE-{code.upper()}"), *ENDED_STATES)
            assert (said["state"], said["reason"]) == ("refused", code.replace("-", "_"))


async def test_a_label_comes_later_and_a_delivery_that_waits_is_changed_and_withdrawn(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        later = await box.announce()
        await box.until(later, "awaiting_label")
        waits = await box.announce("SANDBOX-WAITS")
        await box.until(waits, "scheduled")
        await box.ask("PATCH", f"/v1/deliveries/{later}", {"delivery": {"parcels": ["XY123456785FR"]}})
        await asyncio.sleep(QUIET_S)
        said = await box.until(waits, "scheduled")
        assert said["answered"] == 1
        await box.ask("PATCH", f"/v1/deliveries/{waits}", {"delivery": {"max_celsius": 5.0}})
        await box.until_answered(waits, 2)
        (answer,) = [one["data"]["answer"] for one in await box.told(waits) if "answer" in one["data"]]
        assert answer == {"version": 2, "accepted": False, "code": "place_not_cold"}
        assert (await box.until(waits, "scheduled"))["max_celsius"] is None, "what was refused does not count"
        await box.ask("POST", f"/v1/deliveries/{waits}/cancel", {})
        await box.until(waits, "cancelled")
        assert (await box.until(later, *ENDED_STATES))["state"] == "delivered"


async def test_a_cancel_that_comes_during_the_visit_is_too_late(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        delivery = await box.announce("XY123456785FR")
        await box.until(delivery, "visiting")
        status, _ = await box.ask("POST", f"/v1/deliveries/{delivery}/cancel", {})
        assert status == 200, "the hub passes it on: the home decides"
        assert (await box.until(delivery, *ENDED_STATES))["state"] == "delivered"
        answers = [one["data"].get("answer") for one in await box.told(delivery)]
        assert {"version": 2, "accepted": False, "code": "too_late"} in answers


async def test_a_hub_that_ended_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        box = await create_sandbox(hub)
        delivery = await box.announce("XY123456785FR")
        await box.until(delivery, "window_open")
    async with run_hub(file) as hub:
        box.hub = hub
        assert (await box.until(delivery, *ENDED_STATES))["state"] == "delivered"
        states = [one["data"]["state"] for one in await box.told(delivery)]
        assert len(states) == len(set(states)) == 5, "each step was told once"


async def test_a_delivery_goes_on_if_another_process_stores_an_event_of_its_home_at_the_same_moment(
    tmp_path: Path,
) -> None:
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        box = await create_sandbox(hub)
        home, key = box.said["home"], BoxKey.load_or_create(file.folder / "sandbox")
        async with hub.hub.store.writing() as tx:
            other = await HomeTransaction.begin(tx, home, hub.hub.now())  # the other process holds the home's row
            assert other is not None
            announcing = asyncio.create_task(box.announce("XY123456785FR"))
            await asyncio.sleep(3 * CHECK_INTERVAL_S)  # on PostgreSQL the robot waits for that row by now
            event = BoxEvent(home=home, seq=other.seq + 1, prev=other.head, at=hub.hub.now())
            assert await other.on_event(sign_by_box(event, key.sign)) is EventOutcome.KEPT
        assert (await box.until(await announcing, *ENDED_STATES))["state"] == "delivered"
        async with hub.hub.store.reading() as tx:
            seqs = (await tx.scalars(select(home_events.c.seq).where(home_events.c.home == home))).all()
        assert sorted(seqs) == list(range(1, len(seqs) + 1))


async def test_no_real_home_is_played_and_none_is_seen_from_the_sandbox(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        delivery = await box.announce("SANDBOX-WAITS")
        await box.until(delivery, "scheduled")
        async with hub.hub.store.writing() as tx:  # as if it were a real home
            await tx.execute(update(homes).where(homes.c.id == box.said["home"]).values(sandbox=False))
            await tx.execute(update(deliveries).values(play=hub.hub.now()))
        await box.ask("POST", f"/v1/deliveries/{delivery}/cancel", {})
        await asyncio.sleep(QUIET_S)
        assert (await box.until(delivery, "scheduled"))["answered"] == 1
        real = await hub.retailer()
        async with hub.http.get(f"/v1/deliveries/{delivery}", headers=real.headers) as answer:
            assert answer.status == 404


async def test_an_address_has_few_sandboxes_an_hour(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path, limits=Limits(sandboxes=2))) as hub:
        waits = []
        for status in (201, 201, 429):
            async with hub.http.post("/v1/sandbox") as answer:
                assert answer.status == status
                waits.append(int(answer.headers.get("Retry-After", "0")))
        assert 0 < waits[-1] <= 3600


async def test_a_sandbox_s_time_is_over_after_a_month_and_nothing_of_it_stays(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        real = await hub.retailer()
        box = await create_sandbox(hub)
        await box.until(await box.announce("XY123456785FR"), *ENDED_STATES)
        async with hub.hub.store.writing() as tx:
            assert await delete_expired(tx, hub.hub.now()) == 0, "not before its time"
            assert await delete_expired(tx, hub.hub.now() + SANDBOX_LIFETIME) == 1
        async with hub.hub.store.reading() as tx:
            assert (await tx.execute(select(retailers.c.id))).scalars().all() == [real.id]
            for table in metadata.sorted_tables:
                if table.name not in {"about", "retailers", "api_keys"}:
                    assert await tx.scalar(select(func.count()).select_from(table)) == 0, table.name


async def test_who_makes_as_many_as_he_may_keeps_nobody_else_from_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MAX_SANDBOXES", 2)
    wall = ManualWallClock()
    async with run_hub(hub_file(tmp_path), wall=wall) as hub:
        first, second = await create_sandbox(hub), await create_sandbox(hub)
        async with hub.http.post("/v1/sandbox") as answer:
            assert answer.status == 503, "both are of today"
        wall.ahead = 25 * 3600
        await second.announce("XY123456785FR", hours=48)
        third = await create_sandbox(hub)
        statuses = []
        for box in (first, second, third):
            async with hub.http.get("/v1/deliveries", headers=box.headers) as answer:
                statuses.append(answer.status)
        assert statuses == [401, 200, 200], "the oldest in which nothing happens made room"


async def test_an_idle_sandbox_makes_room_also_while_its_home_states_anew_what_it_understands(tmp_path: Path) -> None:
    wall = ManualWallClock()
    async with run_hub(hub_file(tmp_path), wall=wall) as hub:
        box, store = await create_sandbox(hub), hub.hub.store

        async def evict() -> bool:
            async with store.writing() as tx:
                return await evict_idle(tx, hub.hub.now())

        assert not await evict(), "it is of today"
        async with store.writing() as tx:  # as the robot, which changes the row for each brand and once more
            home = await HomeTransaction.begin(tx, box.said["home"], hub.hub.now())
            assert home is not None
            for seconds in (0, 1):
                at = hub.hub.now() + timedelta(seconds=seconds)
                await tx.execute(update(homes).where(homes.c.id == box.said["home"]).values(heard=at))
            wall.ahead = 25 * 3600
            evicting = asyncio.create_task(evict())
            await asyncio.wait({evicting}, timeout=0.5)
        assert await evicting
        async with hub.http.get("/v1/deliveries", headers=box.headers) as answer:
            assert answer.status == 401


async def test_of_the_idle_sandboxes_one_that_is_just_used_is_left_and_the_next_makes_room(
    tmp_path: Path,
) -> None:
    wall = ManualWallClock()
    async with run_hub(hub_file(tmp_path), wall=wall) as hub:
        used, idle = await create_sandbox(hub), await create_sandbox(hub)
        store, now = hub.hub.store, hub.hub.now
        wall.ahead = 25 * 3600
        async with contextlib.AsyncExitStack() as use:
            if not store.has_one_writer:  # on SQLite nobody writes meanwhile
                await lock_retailer(await use.enter_async_context(store.writing()), used.said["retailer"])
            async with store.writing() as tx:
                assert await evict_idle(tx, now())
        statuses = []
        for box in (used, idle):
            async with hub.http.get("/v1/deliveries", headers=box.headers) as answer:
                statuses.append(answer.status)
        assert statuses == ([401, 200] if store.has_one_writer else [200, 401])


async def test_a_whole_provider_s_network_has_not_a_ration_for_each_of_its_houses(tmp_path: Path) -> None:
    file = hub_file(tmp_path, limits=Limits(sandboxes=1))
    file = file.model_copy(update={"listen": file.listen.model_copy(update={"behind_proxy": True})})
    async with run_hub(file) as hub:
        statuses = []
        for number in range(6):
            async with hub.http.post("/v1/sandbox", headers={"X-Forwarded-For": f"2001:db8:0:{number}::1"}) as answer:
                statuses.append(answer.status)
        assert statuses == [201] * 4 + [429] * 2
        async with hub.http.post("/v1/sandbox", headers={"X-Forwarded-For": "2001:db8:1::1"}) as answer:
            assert answer.status == 201


async def test_a_sandbox_has_few_open_deliveries_and_what_it_makes_due_at_once_is_done_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_OPEN_SANDBOX_DELIVERIES", 30)
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        made = [await box.announce(f"SANDBOX-WAITS-{number}") for number in range(30)]
        body = {"connection": box.said["connection"], "delivery": box.promise("SANDBOX-WAITS-99")}
        status, said = await box.ask("POST", "/v1/deliveries", body)
        assert (status, said["code"]) == (409, "conflict")
        for delivery in made:
            await box.until(delivery, "scheduled")
        home = box.said["home"]
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(deliveries).values(play=hub.hub.now()))
        for delivery in made:
            await box.until(delivery, "window_open")
        async with hub.hub.store.reading() as tx:
            key = PublicKey.from_text(await tx.scalar(select(homes.c.box_key).where(homes.c.id == home)) or "")
            tokens = (await tx.scalars(select(home_events.c.token).where(home_events.c.home == home))).all()
        events = [event for token in tokens if isinstance(event := verify_by_box(BoxEvent, token, key), BoxEvent)]
        opened = [one.at for one in events if one.result is not None and one.result.state is State.WINDOW_OPEN]
        steps = Counter(opened)  # the home's events of one check all have its time
        assert (len(opened), max(steps.values())) == (30, MAX_PIECES_PER_HOME), "then others have their turn"

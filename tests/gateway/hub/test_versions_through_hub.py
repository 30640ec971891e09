"""A brand's orders of version 2 through a real hub, a real broker and a real box."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.domain.delivery.features import SPEAKS, Feature
from gateway.domain.delivery.promise import Arrival, DeliveryBody, State, TimeRequest
from gateway.domain.delivery.result import CollectResult, Outcome
from gateway.domain.delivery.result import DoorResult as Left
from gateway.hub.database.tables import connections, jobs
from gateway.hub.deliveries.evidence import Evidence, first_problem
from gateway.protocol.box_statement import BoxStatement, verify_statement
from gateway.protocol.ed25519 import PublicKey
from tests.gateway.domain.delivery.shop import make_offer_v2, make_update, make_update_v2
from tests.gateway.integrations.hub_client.test_session import HOME
from tests.hubhouse import SERIAL, HubHouse, hub_house, new_offer
from tests.waiting import wait_until

SIZE = {"length": 400, "width": 300, "height": 200}


def offer_v2(**changes: Any) -> DeliveryBody:  # noqa: ANN401 - any field of an offer
    number = next(SERIAL)
    return make_offer_v2(
        **{"id": f"v2-{number}", "parcels": (f"V2-{number}",), "courier_sha256": f"{number:064x}", **changes}
    )


async def box_of(here: HubHouse) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            status, said = await here.ask("GET", f"/v1/connections/{here.connection}/box")
            if status == 200:
                found: dict[str, Any] = said
                return found
            await asyncio.sleep(0.05)


async def test_a_retailer_reads_what_the_box_understands_and_signs_what_it_may_say(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        plain = await here.offers(new_offer())
        await here.stands(plain, State.SCHEDULED)
        said = await box_of(here)
        assert said["needs"] == list(SPEAKS.needs)
        key, utc = PublicKey.from_text(said["key"]), here.hub.hub.now()
        assert key == here.made.key.public, "it is the box's own key"
        assert isinstance(verify_statement(said["token"].encode(), key, home=HOME, utc=utc), BoxStatement)
        made = await here.offers(offer_v2(dimensions=SIZE, entrances=("front", "garage"), info={"note": "Fragile"}))
        found = await here.stands(made, State.SCHEDULED)
        assert (found["needs"], found["dimensions"]) == (["dimensions", "entrances"], SIZE)
        assert found["info"] == {"note": "Fragile"}


async def test_its_proof_holds_as_that_of_any_order(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        here.made.time.mono += 1.5 * 3600
        said = offer_v2(dimensions=SIZE)
        made = await here.offers(said)
        await here.stands(made, State.WINDOW_OPEN)
        visit = await here.begins(said)
        await here.ends(said, visit, Outcome.DELIVERED, Left.LOCKED_AGAIN)
        await here.stands(made, State.DELIVERED)
        status, proof = await here.ask("GET", f"/v1/deliveries/{made}/proof")
        assert status == 200
        evidence = Evidence.model_validate_json(await _text(here, made))
        assert first_problem(evidence) is None
        assert proof["accounts"]
        moved = evidence.model_copy(update={"place": "fridge"})
        assert first_problem(moved) == "the promise says otherwise than is told of it"


async def test_a_retailer_reads_what_was_collected_and_its_proof_says_so(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        here.made.time.mono += 1.5 * 3600
        said = offer_v2(collect=("RB123456785GB",))
        made = await here.offers(said)
        found = await here.stands(made, State.WINDOW_OPEN)
        assert (found["needs"], found["collect"], found["collected"]) == (["collect"], ["RB123456785GB"], None)
        visit = await here.begins(said)
        await here.ends(said, visit, Outcome.DELIVERED, Left.LOCKED_AGAIN, collected=CollectResult.COLLECTED)
        assert (await here.stands(made, State.DELIVERED))["collected"] == "collected"
        evidence = Evidence.model_validate_json(await _text(here, made))
        assert first_problem(evidence) is None
        _, page = await here.ask("GET", "/v1/events?limit=100")
        assert page["data"][-1]["data"]["collected"] == "collected"


async def _text(here: HubHouse, delivery: str) -> bytes:
    path = f"/v1/deliveries/{delivery}/proof"
    async with here.hub.http.request("GET", path, headers=here.retailer.headers) as answer:
        return await answer.read()


async def test_an_order_of_version_1_grows_and_does_not_shrink(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        said = new_offer()
        made = await here.offers(said)
        await here.stands(made, State.SCHEDULED)
        plain = {name: value for name, value in dict(said).items() if name not in {"do", "version"}}
        await here.changes(made, make_update_v2(**plain, version=2, dimensions=SIZE))
        await here.until(made, lambda told: told["answered"] == 2)
        order = here.made.store.deliveries.order(f"shop.{said.id}")
        assert order is not None
        assert order.dimensions is not None
        await here.changes(made, make_update(**plain, version=3))
        await here.answered(made, "downgrade")
        assert here.made.store.deliveries.order(f"shop.{said.id}") == order, "what it said in version 2 still counts"


async def test_a_late_courier_s_retailer_asks_the_household_and_reads_its_answer(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        said = new_offer()
        made = await here.offers(said)
        await here.stands(made, State.SCHEDULED)
        path = f"/v1/deliveries/{made}/more_time"
        status, problem = await here.ask("POST", path, {"token": here.token(request_of(said))})
        assert (status, problem["code"]) == (409, "too_late"), "its window has not begun"
        here.made.time.mono += (said.window.end - here.made.clock.now().utc).total_seconds() + 600
        await here.stands(made, State.EXPIRED)
        status, problem = await here.ask("POST", path, {})
        assert (status, problem["code"]) == (409, "conflict"), "the brand signed the delivery, so it signs this too"
        status, _ = await here.ask("POST", path, {"token": here.token(request_of(said))})
        assert status == 200
        found = await here.until(made, lambda told: told["more_time"] is not None)
        assert (found["more_time"], found["state"], found["version"]) == ("asked", "expired", 1)
        key = f"shop.{said.id}"
        assert here.made.store.more_time.is_asked(key, here.made.clock.now())
        assert await here.made.reception.give_time(key, "p-anna") is None
        found = await here.until(made, lambda told: told["more_time"] == "given")
        assert (found["state"], found["answered"]) == ("window_open", 1)
        status, problem = await here.ask("POST", path, {"token": here.token(request_of(said))})
        assert (status, problem["code"]) == (409, "too_late")


async def test_a_courier_who_is_on_his_way_is_expected_at_home_and_the_household_is_told_once(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        said = new_offer()
        made = await here.offers(said)
        await here.stands(made, State.SCHEDULED)
        path, eta = f"/v1/deliveries/{made}/arrival", said.window.start.replace(microsecond=0)
        notice = Arrival(id=said.id, version=1, on_the_way=True, eta=eta, needs=(Feature.ARRIVAL,))
        await box_of(here)
        status, problem = await here.ask("POST", path, {"on_the_way": True})
        assert (status, problem["code"]) == (409, "conflict"), "the brand signed the delivery, so it signs this too"
        status, told = await here.ask("POST", path, {"token": here.token(notice)})
        assert status == 200, told
        assert told["on_the_way"] is not None
        key = f"shop.{said.id}"
        async with asyncio.timeout(20):
            while here.made.store.arrivals.expected(key, here.made.clock.now()) is None:  # noqa: ASYNC110 - the box rings no bell here
                await asyncio.sleep(0.02)
        known = here.made.store.arrivals.expected(key, here.made.clock.now())
        assert known is not None
        assert (known.eta, known.set_out is not None) == (eta, True)
        later = notice
        for minute in range(1, 5):  # every minute: the hub keeps them, and the home is not asked again
            later = notice.model_copy(update={"eta": eta + timedelta(minutes=minute)})
            status, told = await here.ask("POST", path, {"token": here.token(later)})
            assert status == 200
        assert told["eta"] == later.model_dump(mode="json")["eta"]
        assert (await here.ask("GET", f"/v1/deliveries/{made}"))[1] == told
        async with here.hub.hub.store.reading() as tx:
            sent = (await tx.scalars(select(jobs.c.token).where(jobs.c.delivery == made))).all()
        assert len(sent) == 2, "the order, and one notice"
        _, page = await here.ask("GET", "/v1/events?limit=100")
        assert page["data"][-1]["data"]["eta"] == told["eta"]
        late = notice.model_copy(update={"eta": said.window.end + timedelta(days=2)})
        status, problem = await here.ask("POST", path, {"token": here.token(late)})
        assert (status, problem["errors"][0]["code"]) == (422, "eta_out_of_range")


async def test_a_box_of_an_earlier_release_is_sent_nothing_that_it_does_not_understand_and_its_orders_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = {Feature.ARRIVAL, Feature.MORE_TIME, Feature.EXPECTED_ADDRESS}
    earlier = SPEAKS.model_copy(update={"needs": tuple(word for word in SPEAKS.needs if word not in later)})
    monkeypatch.setattr("gateway.integrations.hub_client.statements.SPEAKS", earlier)
    async with hub_house(tmp_path) as here:
        here.made.time.mono += 1.5 * 3600
        said = new_offer()
        made = await here.offers(said)
        await here.stands(made, State.WINDOW_OPEN)
        assert not later & set((await box_of(here))["needs"])
        notice = Arrival(id=said.id, version=1, on_the_way=True, needs=(Feature.ARRIVAL,))
        for what, message in (("arrival", notice), ("more_time", request_of(said))):
            status, problem = await here.ask("POST", f"/v1/deliveries/{made}/{what}", {"token": here.token(message)})
            assert (status, problem["code"]) == (409, "unsupported")
        addressed = offer_v2(expected_address={"postcode": "75011"})
        body = {"connection": here.connection, "token": here.token(addressed)}
        status, problem = await here.ask("POST", "/v1/deliveries", body)
        assert (status, problem["code"]) == (409, "unsupported")
        named = said.model_dump(mode="json", include={"entrance", "carrier", "place", "window"})
        plain = {**named, "name": "plain", "expected_address": {"postcode": "75011"}, "dimensions": SIZE}

        async def is_asked_unsigned() -> bool:
            nonlocal status, problem
            async with here.hub.hub.store.writing() as tx:
                terms = await tx.scalar(select(connections.c.terms).filter_by(id=here.connection))
                await tx.execute(update(connections).values(terms={**(terms or {}), "hub_signed": True}))
            body = {"connection": here.connection, "delivery": plain}
            status, problem = await here.ask("POST", "/v1/deliveries", body)
            return bool(problem["code"] != "signature_required")  # the home may tell its own terms at this moment

        await wait_until(is_asked_unsigned)
        assert (status, [one["pointer"] for one in problem["errors"]]) == (409, ["/delivery/expected_address"])
        assert problem["detail"] == "The home's box does not understand `expected_address`."
        await here.stands(await here.offers(offer_v2(dimensions=SIZE)), State.WINDOW_OPEN)
        _, delivery = await here.ask("GET", f"/v1/deliveries/{made}")
        assert (delivery["state"], delivery["more_time"]) == ("window_open", None)
        async with here.hub.hub.store.reading() as tx:
            sent = (await tx.scalars(select(jobs.c.token).where(jobs.c.delivery == made))).all()
        assert len(sent) == 1, "the order"


async def test_a_parcel_that_the_household_took_in_itself_is_delivered_for_its_retailer(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        here.made.time.mono += 1.5 * 3600
        said = new_offer()
        made = await here.offers(said)
        await here.stands(made, State.WINDOW_OPEN)
        visit = await here.begins(said)
        await here.ends(said, visit, Outcome.ATTENDED, Left.NOT_OPENED)
        await here.stands(made, State.NOT_DELIVERED, "attended")
        assert await here.made.reception.take_in(f"shop.{said.id}", "p-anna") is None
        assert (await here.stands(made, State.DELIVERED))["custody"] == "household"
        _, page = await here.ask("GET", "/v1/events?limit=100")
        told = [(one["data"]["state"], one["data"]["custody"]) for one in page["data"] if one["about"] == made]
        assert told[-2:] == [("not_delivered", None), ("delivered", "household")]


def request_of(said: DeliveryBody, version: int = 1) -> TimeRequest:
    return TimeRequest(id=said.id, version=version, needs=(Feature.MORE_TIME,))

"""A delivery as a retailer has it: his own name and facts of it, and the look-up by them."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from gateway.domain.delivery.promise import Offer
from gateway.hub.database.tables import connections, homes
from gateway.hub.deliveries.orders import wire_id
from gateway.protocol.delivery_message import HubClaims
from gateway.protocol.jws import parse_claims
from tests.announcing import TERMS, ConnectedHome, connected_home, payload_of, sent_jobs
from tests.hubs import hub_file, run_hub

NAMES = ("ORD-4711", "ord-4711", "Ord.4711_b", "a" * 64, "Z" * 64, "_", "...")


async def found(home: ConnectedHome, **query: str) -> list[str]:
    """The names of the deliveries that this query finds."""
    status, page = await home.ask("GET", f"/v1/deliveries?{urlencode(query)}")
    assert status == 200, page
    return [one["name"] for one in page["data"]]


async def test_an_order_number_in_capitals_with_dots_and_underscores_is_a_name_and_every_box_can_read_its_id(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = [await home.announce(name=name) for name in NAMES]
        assert [one["name"] for one in made] == list(NAMES)
        assert len({one["order_id"] for one in made}) == len(NAMES)
        for one, (_, token) in zip(made, await sent_jobs(home), strict=True):
            order = parse_claims(HubClaims, payload_of(token)).delivery
            assert isinstance(order, Offer)
            assert order.id == one["order_id"] == wire_id(one["name"])
            assert re.fullmatch(r"[a-z0-9-]{1,64}", order.id), "the pattern of the boxes of every release"
        assert made[1]["order_id"] == "ord-4711"
        for name in NAMES:
            assert await found(home, name=name) == [name]
            body = {"connection": home.connection, "delivery": home.promise(name=name)}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            assert (status, said["code"], said["errors"][0]["pointer"]) == (409, "already_exists", "/delivery/name")
        for wrong in ("", "a" * 65, "ORD 4711", "ORD/4711", "Ünal"):
            body = {"connection": home.connection, "delivery": home.promise(name=wrong)}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            assert (status, said["errors"][0]["pointer"]) == (422, "/delivery/name"), wrong
        await home.stands(made[0], "scheduled", accepted=True)
        _, told = await home.ask("GET", "/v1/events?types=delivery.changed")
        assert [one["data"]["name"] for one in told["data"]] == ["ORD-4711"], "what the home says is told by this name"


async def test_a_delivery_that_its_brand_signed_keeps_the_id_that_it_signed(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        body = {"connection": home.connection, "token": home.token(home.offer()), "metadata": {"order": "ORD-1"}}
        status, made = await home.ask("POST", "/v1/deliveries", body)
        assert (status, made["name"], made["order_id"]) == (201, "order-1", "order-1")
        assert made["metadata"] == body["metadata"]


async def test_metadata_is_in_answers_and_events_and_never_in_what_a_home_is_sent(tmp_path: Path) -> None:
    whole = {f"key {n}": "é" * 500 for n in range(50)}
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        body: dict[str, Any] = {"connection": home.connection, "delivery": home.promise()}
        mine = {"order": "ORD-4711", "by": "Ana"}
        status, made = await home.ask("POST", "/v1/deliveries", {**body, "metadata": mine})
        assert (status, made["metadata"]) == (201, mine)
        path = f"/v1/deliveries/{made['id']}"
        jobs_before = len(await sent_jobs(home))
        status, said = await home.ask("PATCH", path, {"metadata": {"by": None, "line": "a\nb"}, "version": 1})
        assert (status, said["metadata"], said["version"]) == (200, {"order": "ORD-4711", "line": "a\nb"}, 1)
        assert len(await sent_jobs(home)) == jobs_before, "metadata alone is no new version"
        status, said = await home.ask("PATCH", path, {"metadata": {"line": None}, "version": 7})
        assert (status, said["code"]) == (409, "stale_version")
        change = {"delivery": {"parcels": ["ABC1"]}, "metadata": {"label": "printed"}}
        status, said = await home.ask("PATCH", path, change)
        assert (status, said["version"], said["metadata"]["label"], len(said["metadata"])) == (200, 2, "printed", 3)
        await home.stands(said, "cancelled", accepted=True)
        status, said = await home.ask("PATCH", path, {"metadata": {"refund": "paid"}})
        assert (status, said["state"], said["metadata"]["refund"]) == (200, "cancelled", "paid"), "also after its end"
        _, listed = await home.ask("GET", "/v1/deliveries")
        assert listed["data"][0]["metadata"] == said["metadata"]
        _, told = await home.ask("GET", "/v1/events")
        assert [one["data"]["metadata"].get("refund") for one in told["data"]] == [None, None, None, None, "paid"]
        for _, token in await sent_jobs(home):
            assert b"ORD-4711" not in payload_of(token)
            assert b"metadata" not in payload_of(token)
        status, made = await home.ask("POST", "/v1/deliveries", {**body, "metadata": whole})
        assert (status, made["metadata"]) == (201, whole)
        status, said = await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"metadata": {"one more": "x"}})
        assert (status, said["errors"][0]["pointer"]) == (422, "/metadata")
        mistakes: tuple[Any, ...] = (
            {"k" * 41: "x"}, {"": "x"}, {"k": "x" * 501}, {"k": 7}, {"k": None}, {**whole, "51": ""}, [],
        )  # fmt: skip
        for wrong in mistakes:
            status, said = await home.ask("POST", "/v1/deliveries", {**body, "metadata": wrong})
            assert (status, said["code"]) == (422, "invalid"), json.dumps(wrong)[:60]


async def test_a_delivery_is_found_by_its_name_parcel_brand_state_carrier_and_window(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home, other = await connected_home(hub), await connected_home(hub)
        later = datetime.now(UTC) + timedelta(days=3)
        window = {"start": later.isoformat(), "end": (later + timedelta(hours=2)).isoformat()}
        label, number = "%008182709980000020045327276", "09980000020045"
        await home.announce(name="A", parcels=[number], carrier="CHRONOPOST")
        b = await home.announce(name="B", parcels=["XY123456785FR"], window=window)
        await home.announce(name="C", parcels=[], collect=["RB123456785GB"], courier_sha256="a" * 64)
        await other.announce(name="A", parcels=[number])
        assert await found(home, parcel=number) == await found(home, parcel=label) == ["A"], "the label is the number"
        assert await found(home, parcel="rb 123 456 785 gb") == ["C"], "what is collected is found too"
        assert await found(home, brand=home.brand) == ["C", "B", "A"]
        assert await found(home, brand=other.brand) == []
        assert await found(home, carrier="chronopost", name="A") == ["A"]
        assert await found(home, carrier="Chronopost France") == ["C", "B", "A"]
        assert await found(home, carrier="dhl") == []
        day = (later - timedelta(days=1)).isoformat()
        assert await found(home, window_after=day) == ["B"]
        assert await found(home, window_before=day) == ["C", "A"]
        middle = (later + timedelta(hours=1)).isoformat()
        assert await found(home, window_after=middle, window_before=middle) == ["B"], "a window that touches it"
        assert await found(home, created_after=b["created"]) == ["C", "B"]
        assert await found(home, created_before=b["created"]) == ["A"]
        assert await found(home, state="awaiting_permission", connection=home.connection, parcel=number) == ["A"]
        await home.ask("PATCH", f"/v1/deliveries/{b['id']}", {"delivery": {"parcels": ["ABC1"], "window": window}})
        assert await found(home, parcel="XY123456785FR") == []
        assert await found(home, parcel="ABC1") == ["B"]
        await home.stands({**b, "version": 2}, "scheduled", accepted=False, code="too_late", reason=None)
        assert await found(home, parcel="XY123456785FR") == ["B"], "the home refused the change"
        for wrong, value in (("parcel", "(01)03017620422003"), ("window_after", "today"), ("name", "a b")):
            status, said = await home.ask("GET", f"/v1/deliveries?{urlencode({wrong: value})}")
            assert (status, said["errors"][0]["pointer"]) == (422, wrong), said


async def test_a_carrier_has_one_id_and_several_names_and_each_of_them_is_permitted(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        status, listed = await home.ask("GET", "/v1/carriers", headers={})
        assert status == 200
        known = {one["id"]: one for one in listed["data"]}
        assert {"colissimo", "chronopost", "mondial_relay", "dpd", "gls", "dhl", "ups", "fedex", "amazon",
                "royal_mail"} <= set(known)  # fmt: skip
        names = [name for one in listed["data"] for name in {one["id"], one["name"], *one["aliases"]}]
        assert len(names) == len(set(names)), "each name is one carrier's"
        assert "DHL Paket" in known["dhl"]["aliases"]
        for written in ("Chronopost", "chronopost", "CHRONO-POST", "Chronopost France"):
            made = await home.announce(carrier=written)
            assert made["carrier"] == "Chronopost", "as the terms write it, which an older box compares by letter"
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(connections).values(terms={**TERMS, "carriers": ["dhl", "Vélo Express"]}))
            await tx.execute(update(homes).values(there=True))
        for written, kept in (("DHL", "dhl"), ("DHL Paket", "dhl"), ("velo-express", "Vélo Express")):
            assert (await home.announce(carrier=written))["carrier"] == kept
        for written in ("DHL Express", "Chronopost", "Velo"):
            body = {"connection": home.connection, "delivery": home.promise(carrier=written)}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            assert (status, said["errors"][0]["code"]) == (422, "carrier_not_permitted"), written


async def test_a_delivery_that_waits_for_the_permission_names_the_carrier_as_the_owner_then_does(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce(carrier="CHRONOPOST")
        assert made["carrier"] == "CHRONOPOST"
        await home.decide("granted")
        await hub.hub.held_deliveries.run_due()
        _, said = await home.ask("GET", f"/v1/deliveries/{made['id']}")
        [(_, token)] = await sent_jobs(home)
        order = parse_claims(HubClaims, payload_of(token)).delivery
        assert isinstance(order, Offer)
        assert (said["carrier"], order.carrier) == ("Chronopost", "Chronopost")


@pytest.mark.parametrize("answer", ["accepted", "too_late", "refused", "delivered"])
async def test_a_cancel_that_is_on_its_way_says_so_until_the_home_has_answered(tmp_path: Path, answer: str) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        assert made["cancel"] is None
        await home.stands(made, "scheduled", accepted=True)
        path = f"/v1/deliveries/{made['id']}"
        status, said = await home.ask("POST", f"{path}/cancel", {})
        assert (status, said["state"], said["cancel"], said["version"]) == (200, "scheduled", "requested", 2)
        assert (await home.ask("POST", f"{path}/cancel", {})) == (200, said), "asking again sends nothing more"
        assert len(await sent_jobs(home)) == 2
        await home.stands(made, "scheduled")  # what the home says of the version before
        assert (await home.ask("GET", path))[1]["cancel"] == "requested"
        match answer:
            case "accepted":
                await home.stands(said, "cancelled", accepted=True)
            case "too_late":
                await home.stands(said, "visiting", accepted=False, code="too_late")
            case "refused":
                await home.stands(said, "scheduled", accepted=False, code="hub_signed_not_permitted")
            case _:
                await home.stands(made, "delivered")
        then = "too_late" if answer == "delivered" else answer
        assert (await home.ask("GET", path))[1]["cancel"] == then
        _, told = await home.ask("GET", "/v1/events")
        assert [one["data"]["cancel"] for one in told["data"]][-2:] == ["requested", then]
        _, steps = await home.ask("GET", f"{path}/timeline")
        assert steps["data"][-1]["cancel"] == then


async def test_a_cancel_of_what_no_home_knows_counts_at_once(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce()
        _, said = await home.ask("POST", f"/v1/deliveries/{made['id']}/cancel", {})
        assert (said["state"], said["cancel"]) == ("cancelled", "accepted")

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.domain.delivery.promise import Cancel, Offer, Update
from gateway.domain.now import Now
from gateway.hub.database.tables import brand_keys, connections, homes
from gateway.protocol.box_hub import MAX_NAMES_PER_DECISION
from gateway.protocol.delivery_message import HubClaims, verify_delivery
from gateway.protocol.delivery_message import verify_hub_delivery as verify_unsigned
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode
from tests.announcing import BRAND_KEY, TERMS, ConnectedHome, connected_home, sent_jobs
from tests.hubs import hub_file, run_hub
from tests.waiting import wait_until


async def test_a_delivery_by_plain_json_goes_to_the_home_signed_by_the_hub_as_not_signed_by_the_brand(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(name="order-1")
        [(kind, token)] = await sent_jobs(home)
        _, key = await home.ask("GET", "/v1/hub_key", headers={})
        now = Now(utc=hub.hub.now(), trusted=True, mono=0.0)
    assert (made["state"], made["version"], made["hub_signed"]) == ("awaiting_permission", 1, True)
    assert kind == "hub_delivery"
    own = PublicKey.from_text(key["x"])
    found = verify_unsigned(token, own, box=home.id, now=now)
    assert isinstance(found, HubClaims)
    assert isinstance(found.delivery, Offer)
    assert (found.brand, found.delivery.id, found.for_brand.iss) == (home.brand, "order-1", home.brand)


async def test_no_box_takes_what_the_hub_signed_for_a_brand_s_own_word(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await home.announce()
        [(_, token)] = await sent_jobs(home)
        key, now = hub.hub.key, Now(utc=hub.hub.now(), trusted=True, mono=0.0)
    public = key.public
    # Even if somebody enrolled the hub's key as the brand's
    enrolled = {key.kid: EnrolledKey(home.brand, public)}
    assert verify_delivery(token, enrolled, box=home.id, now=now) == RejectedMessage(
        RejectionCode.WRONG_TYPE, "typ is perron-delivery+jwt"
    )
    brand_s = home.token(home.offer()).encode()
    found = verify_unsigned(brand_s, BRAND_KEY.public, box=home.id, now=now)
    assert isinstance(found, RejectedMessage), "nor the other way round"


async def test_the_hub_s_key_outlives_it_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    file, seen = hub_file(tmp_path), []
    for _ in range(2):
        async with run_hub(file) as hub, hub.http.get("/v1/hub_key") as answer:
            seen.append(await answer.json())
    assert seen[0] == seen[1]
    assert (file.folder / "hub.key.pem").stat().st_mode & 0o777 == 0o600
    (file.folder / "hub.key.pem").chmod(0o644)
    with pytest.raises(KeyUnusable, match="can be read by others"):
        async with run_hub(file):
            pass


async def test_the_brand_s_own_message_is_passed_on_byte_for_byte_and_the_same_bytes_get_the_same_delivery(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        token = home.token(home.offer())
        body = {"connection": home.connection, "token": token}
        first, made = await home.ask("POST", "/v1/deliveries", body)
        second, again = await home.ask("POST", "/v1/deliveries", body)
        assert (first, second, made["id"], made["hub_signed"]) == (201, 200, again["id"], False)
        assert await sent_jobs(home) == [("delivery", token.encode())]


async def test_a_message_that_its_home_would_not_believe_is_refused_at_the_hub_for_the_same_reason(
    tmp_path: Path,
) -> None:
    faults: tuple[tuple[dict[str, Any], str], ...] = (
        ({"aud": "home-" + "a" * 26}, "wrong_audience"),
        ({"iss": "soleil"}, "wrong_issuer"),
        ({"exp": 1_700_000_000, "iat": 1_699_999_000, "nbf": 1_699_999_000}, "no_longer_valid"),
        ({"nbf": 4_000_000_000}, "not_yet_valid"),
    )
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for claims, fault in faults:
            body = {"connection": home.connection, "token": home.token(home.offer(), **claims)}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            assert (status, said["code"], said["errors"][0]["code"]) == (422, "signature_refused", fault)
            assert await sent_jobs(home) == []


async def test_a_revoked_key_signs_nothing_more_and_a_cancel_is_no_announcement(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        cancel = {"connection": home.connection, "token": home.token(Cancel(id="order-1", version=2))}
        status, said = await home.ask("POST", "/v1/deliveries", cancel)
        assert (status, said["errors"][0]["code"]) == (422, "wrong_claims")
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(brand_keys).values(revoked=hub.hub.now()))
        body = {"connection": home.connection, "token": home.token(home.offer())}
        status, said = await home.ask("POST", "/v1/deliveries", body)
        assert (status, said["errors"][0]["code"]) == (422, "unknown_key")


async def test_what_is_wrong_with_a_delivery_is_named_by_its_pointer(tmp_path: Path) -> None:
    mistakes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"parcels": ["(01)03017620422003"]}, "/delivery/parcels/0"),  # a jar of spread
        ({"parcels": ["XY123456785FR", "perron:aaaaaaaaaaaaaaaaaaaaaaaaaa"]}, "/delivery/parcels/1"),
        ({"parcels": ["XY123456785FR", "xy 123456785 fr"]}, "/delivery/parcels"),
        ({"window": {"start": "2020-01-01T10:00:00Z", "end": "2020-01-01T12:00:00Z"}}, "/delivery/window/end"),
        ({"window": {"start": "2190-01-01T10:00:00Z", "end": "2190-01-01T12:00:00Z"}}, "/delivery/window/end"),
        ({"window": {"start": "2020-01-01T14:00:00Z", "end": "2020-01-01T12:00:00Z"}}, "/delivery/window"),
        ({"window": {"start": 0, "end": "2020-01-01T12:00:00Z"}}, "/delivery/window/start"),
        ({"carrier": " Chronopost"}, "/delivery/carrier"),
        ({"version": 3}, "/delivery/version"),
        ({"max_celsius": 61}, "/delivery/max_celsius"),
    )
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for wrong, pointer in mistakes:
            body = {"connection": home.connection, "delivery": home.promise(**wrong)}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            assert (status, said["code"]) == (422, "invalid")
            assert pointer in [error["pointer"] for error in said["errors"]]
            assert await sent_jobs(home) == []


async def test_one_or_the_other_is_sent_and_never_both(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        plain, token = home.promise(), home.token(home.offer())
        for body in ({"delivery": plain, "token": token}, {}, {"delivery": None, "token": token}):
            status, said = await home.ask("POST", "/v1/deliveries", {"connection": home.connection, **body})
            assert (status, said["code"]) == (422, "invalid"), body
            if None not in body.values():
                why = "Give one of delivery, token, and one only."
                assert {one["pointer"]: one["detail"] for one in said["errors"]} == {"/delivery": why, "/token": why}


async def test_a_name_stands_for_one_delivery_of_a_home(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await home.announce(name="order-1")
        body = {"connection": home.connection, "delivery": home.promise(name="order-1")}
        status, said = await home.ask("POST", "/v1/deliveries", body)
        assert (status, said["code"], said["errors"][0]["pointer"]) == (409, "already_exists", "/delivery/name")


async def test_a_home_that_has_not_let_the_brand_in_is_sent_nothing(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for state in ("refused", "revoked", "expired"):
            await home.decide(state)
            body = {"connection": home.connection, "delivery": home.promise()}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            assert (status, said["code"]) == (409, "not_connected")


async def test_a_home_that_wants_the_brand_s_signature_is_sent_no_other(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(connections).values(terms={**TERMS, "hub_signed": False}))
        body = {"connection": home.connection, "delivery": home.promise()}
        status, said = await home.ask("POST", "/v1/deliveries", body)
        assert (status, said["code"]) == (409, "signature_required")


async def here(home: ConnectedHome, *, there: bool = True) -> None:
    """The home is connected, or not, as far as the hub knows."""
    async with home.hub.hub.store.writing() as tx:
        await tx.execute(update(homes).where(homes.c.id == home.id).values(there=there))


async def test_what_the_permission_does_not_allow_is_refused_at_once_and_told_what_it_does(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await here(home)
        for part, allowed in (("entrance", "front"), ("place", "hall"), ("carrier", "Chronopost")):
            body = {"connection": home.connection, "delivery": home.promise(**{part: "garage"})}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            assert (status, said["code"]) == (422, "not_permitted")
            why = f"The permission allows no {part} 'garage', but {allowed}."
            at = {"pointer": f"/delivery/{part}", "in": "body", "code": f"{part}_not_permitted", "detail": why}
            assert said["errors"] == [at]
        wrong = home.offer().model_copy(update={"entrance": "garage", "carrier": "DHL"})
        body = {"connection": home.connection, "token": home.token(wrong)}
        status, said = await home.ask("POST", "/v1/deliveries", body)
        found = [(one["pointer"], one["code"]) for one in said["errors"]]
        assert (status, found) == (422, [("/token", "entrance_not_permitted"), ("/token", "carrier_not_permitted")])
        assert await sent_jobs(home) == [], "no home is asked"


async def test_a_change_to_what_the_permission_does_not_allow_is_refused_and_any_other_goes_to_the_home(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await here(home)
        made = await home.announce(name="order-1")
        path = f"/v1/deliveries/{made['id']}"
        status, said = await home.ask("PATCH", path, {"delivery": {"place": "fridge"}})
        assert (status, said["code"], said["errors"][0]["pointer"]) == (422, "not_permitted", "/delivery/place")
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(connections).values(terms={**TERMS, "places": ["garage"]}))
        status, said = await home.ask("PATCH", path, {"delivery": {"parcels": ["ABC1"]}})
        assert (status, said["version"]) == (200, 2), "what it does not name is the home's to judge"


async def test_where_the_permission_may_be_another_by_now_the_home_is_asked(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await here(home, there=False)
        await home.announce(name="away", carrier="DHL")
        await here(home)
        async with hub.hub.store.writing() as tx:
            long = [f"Carrier {number}" for number in range(MAX_NAMES_PER_DECISION)]
            await tx.execute(update(connections).values(terms={**TERMS, "carriers": long}))
        await home.announce(name="cut-off", carrier="DHL")
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(connections).values(terms=None))
        await home.announce(name="unknown", carrier="DHL")
        assert len(await sent_jobs(home)) == 3


async def test_what_waits_for_a_permission_is_sent_once_it_is_given(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce(name="order-1", parcels=[])
        assert (made["state"], await sent_jobs(home)) == ("awaiting_label", [])
        _, named = await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"delivery": {"parcels": ["ABC1"]}})
        assert (named["state"], named["version"], await sent_jobs(home)) == ("awaiting_permission", 2, [])
        await home.decide("granted")
        await wait_until(lambda: sent_jobs(home), within=60)
        [(_, token)] = await sent_jobs(home)
        key = hub.hub.key
        found = verify_unsigned(token, key.public, box=home.id, now=Now(utc=hub.hub.now(), trusted=True, mono=0.0))
        assert isinstance(found, HubClaims)
        assert found.delivery.model_dump(include={"do", "id", "version", "parcels"}) == {
            "do": "offer", "id": "order-1", "version": 2, "parcels": ("ABC1",),
        }  # fmt: skip


async def test_what_waits_for_a_permission_that_is_not_given_is_refused(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce()
        await home.decide("refused")
        assert await until(home, made["id"], "refused") == ("refused", "brand_not_permitted")
        assert await sent_jobs(home) == []


async def test_what_waits_for_a_permission_beyond_its_window_expires(tmp_path: Path) -> None:
    ahead = [0.0]
    async with run_hub(hub_file(tmp_path), wall=lambda: time.time() + ahead[0]) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce()
        ahead[0] = 2 * 86_400
        assert await until(home, made["id"], "expired") == ("expired", None)
        status, said = await home.ask("POST", f"/v1/deliveries/{made['id']}/cancel", {})
        assert (status, said["code"]) == (409, "too_late")


async def test_what_waits_for_a_permission_is_cancelled_by_the_hub_itself(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce()
        for _ in range(2):  # the second one finds it so
            status, said = await home.ask("POST", f"/v1/deliveries/{made['id']}/cancel", {})
            assert (status, said["state"], said["version"]) == (200, "cancelled", 2)
        await home.decide("granted")
        assert not await hub.hub.held_deliveries.run_due()
        assert await sent_jobs(home) == [], "and never sent"


async def test_a_change_is_a_new_version_that_goes_to_the_home_whole(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(max_celsius=4)
        path = f"/v1/deliveries/{made['id']}"
        status, said = await home.ask("PATCH", path, {"delivery": {"parcels": ["ABC1", "ABC2"], "max_celsius": None}})
        assert (status, said["version"], said["parcels"], said["max_celsius"]) == (200, 2, ["ABC1", "ABC2"], None)
        assert (said["window"], said["entrance"]) == (made["window"], "front"), "what was not named stays"
        payload = json.loads(b64((await sent_jobs(home))[1][1].split(b".")[1]))["delivery"]
        assert (payload["do"], payload["version"], payload["entrance"]) == ("update", 2, "front")
        status, said = await home.ask("PATCH", path, {"delivery": {"place": "shed"}, "version": 1})
        assert (status, said["code"]) == (409, "stale_version")
        for nothing in ({}, {"place": None}):
            status, said = await home.ask("PATCH", path, {"delivery": nothing})
            assert (status, said["code"]) == (422, "invalid")


@pytest.mark.slow
async def test_null_parcels_of_a_change_are_none_and_parcels_left_out_stay(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        path = f"/v1/deliveries/{made['id']}"
        _, moved = await home.ask("PATCH", path, {"delivery": {"window": home.promise()["window"]}})
        _, without = await home.ask("PATCH", path, {"delivery": {"parcels": None}})
        assert (moved["parcels"], without["parcels"]) == (made["parcels"], [])


async def test_whoever_signed_the_announcement_signs_what_follows(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        body = {"connection": home.connection, "token": home.token(home.offer())}
        _, signed = await home.ask("POST", "/v1/deliveries", body)
        path = f"/v1/deliveries/{signed['id']}"
        for method, where, plain in (("PATCH", "", {"delivery": {"place": "shed"}}), ("POST", "/cancel", {})):
            status, said = await home.ask(method, path + where, plain)
            assert (status, said["code"]) == (409, "conflict"), where
        again = Update.model_validate({**home.offer().model_dump(exclude={"do"}), "version": 1})
        status, said = await home.ask("PATCH", path, {"token": home.token(again)})
        assert (status, said["code"]) == (409, "stale_version")
        token = home.token(again.model_copy(update={"version": 7, "place": "shed"}))
        status, said = await home.ask("PATCH", path, {"token": token})
        assert (status, said["version"], said["place"]) == (200, 7, "shed")
        assert (await sent_jobs(home))[1] == ("delivery", token.encode())
        token = home.token(Cancel(id="order-1", version=8))
        status, said = await home.ask("POST", f"{path}/cancel", {"token": token})
        assert (status, said["version"], said["state"]) == (200, 8, "awaiting_permission"), "the home decides"
        plain = await home.announce()
        status, said = await home.ask("POST", f"/v1/deliveries/{plain['id']}/cancel", {"token": token})
        assert (status, said["code"]) == (409, "conflict")


async def test_deliveries_are_listed_a_page_at_a_time_newest_first(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home, other = await connected_home(hub), await connected_home(hub)
        made = [(await home.announce(name=f"order-{n}", parcels=[]))["id"] for n in range(5)]
        await other.announce()
        seen, path = [], "/v1/deliveries?limit=2&state=awaiting_label"
        cursor = ""
        while True:
            status, page = await home.ask("GET", path + cursor)
            assert status == 200
            seen += [one["id"] for one in page["data"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == made[::-1]
        for query, count in (
            (f"connection={home.connection}", 5), (f"connection={other.connection}", 0), ("state=visiting", 0),
            ("reference=customer%207", 5), ("reference=other", 0),
        ):  # fmt: skip
            _, page = await home.ask("GET", f"/v1/deliveries?{query}")
            assert len(page["data"]) == count, query
        for wrong in ("e30", "WyJhIiwiYiJd", "WzEsMl0"):
            status, said = await home.ask("GET", f"/v1/deliveries?cursor={wrong}")
            assert (status, said["code"]) == (400, "bad_cursor")


async def until(home: ConnectedHome, delivery: str, state: str) -> tuple[str, str | None]:
    async with asyncio.timeout(60):
        while True:
            _, said = await home.ask("GET", f"/v1/deliveries/{delivery}")
            if said["state"] == state:
                return said["state"], said["reason"]
            await asyncio.sleep(0.1)


def b64(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"==")

import json
import re
from base64 import b32decode, b64decode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import aiohttp
from sqlalchemy import select

from gateway.domain.delivery.barcodes import COURIER_TOKEN_PREFIX, courier_token_value, normalise
from gateway.hub.database.tables import metadata
from tests.announcing import ConnectedHome, connected_home, payload_of, sent_jobs
from tests.hubs import hub_file, run_hub


async def coded(home: ConnectedHome, **more: object) -> dict[str, object]:
    """Announce a delivery whose courier's code the hub makes."""
    body = {"connection": home.connection, "delivery": home.promise(**more), "courier": True}
    status, made = await home.ask("POST", "/v1/deliveries", body)
    assert status == 201, made
    return made


async def test_the_hub_makes_the_courier_s_code_once_and_keeps_its_digest_only(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await coded(home)
        courier = made["courier"]
        assert isinstance(courier, dict)
        secret = b32decode(courier["text"].removeprefix(COURIER_TOKEN_PREFIX).upper() + "======")
        digest = sha256(secret).hexdigest()
        assert len(secret) == 16
        assert courier["courier_sha256"] == made["courier_sha256"] == digest
        read = normalise(courier["text"])
        assert getattr(read, "value", None) == courier_token_value(digest), "the door's scanner reads it so"
        (_, token), *_ = await sent_jobs(home)
        assert json.loads(payload_of(token))["delivery"]["courier_sha256"] == digest, "the home has the digest"
        link, code = courier["link"].split("#")
        assert f"perron:{code}" == courier["text"]
        assert link.startswith(f"{hub.url}/courier/")
        assert courier["qr_svg"].startswith("<svg")
        assert b64decode(courier["qr_png"]).startswith(b"\x89PNG")
        _, again = await home.ask("GET", f"/v1/deliveries/{made['id']}")
        assert "courier" not in again, "it is shown once"
        assert await home.ask("GET", f"/v1/deliveries/{made['id']}") == (200, again)
        async with hub.hub.store.reading() as tx:
            kept = [repr(row) for table in metadata.sorted_tables for row in await tx.execute(select(table))]
    assert any(digest in row for row in kept)
    assert not [row for row in kept if code in row or repr(secret)[2:-1] in row], "not even encrypted"


async def test_a_new_code_is_a_new_version_of_the_order_and_the_page_of_the_old_one_ends(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await coded(home)
        _, key = await home.ask("POST", "/v1/api_keys", {"label": "d", "right": "carrier", "carrier": "chronopost"})
        carrier = replace(home, retailer=replace(home.retailer, token=key["token"]))
        await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"metadata": {"margin": "12 %"}})
        headers = {**carrier.headers, "Idempotency-Key": "one"}
        path = f"/v1/deliveries/{made['id']}/courier"
        status, new = await carrier.ask("POST", path, headers=headers)
        assert status == 201, new
        assert (new["delivery"]["version"], new["delivery"]["metadata"]) == (2, {}), "the retailer's own facts are his"
        assert new["delivery"]["courier_sha256"] == new["courier"]["courier_sha256"] != made["courier_sha256"]
        assert await carrier.ask("POST", path, headers=headers) == (201, new), "a lost answer is had again"
        old = made["courier"]
        assert isinstance(old, dict)
        async with hub.http.get(old["link"].partition("#")[0]) as answer:
            assert answer.status == 404
        async with hub.http.get(new["courier"]["link"].partition("#")[0]) as answer:
            assert answer.status == 200
        await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"delivery": {"courier_sha256": "a" * 64}})
        async with hub.http.get(new["courier"]["link"].partition("#")[0]) as answer:
            assert answer.status == 410, "the retailer made a code of its own"
        await home.ask("POST", f"/v1/deliveries/{made['id']}/cancel", {})
        status, said = await carrier.ask("POST", path)
        assert status == 201, said  # the home has not answered the cancel yet


async def test_whose_order_the_brand_signed_makes_the_code_itself(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        body = {"connection": home.connection, "token": home.token(home.offer())}
        status, said = await home.ask("POST", "/v1/deliveries", {**body, "courier": True})
        assert (status, said["errors"][0]["pointer"]) == (422, "/courier")
        _, made = await home.ask("POST", "/v1/deliveries", body)
        assert made["courier"] is None
        status, said = await home.ask("POST", f"/v1/deliveries/{made['id']}/courier")
        assert (status, said["code"]) == (409, "conflict")
        own = {"connection": home.connection, "courier": True, "delivery": home.promise(courier_sha256="a" * 64)}
        status, said = await home.ask("POST", "/v1/deliveries", own)
        assert (status, said["errors"][0]["code"]) == (422, "code_given")


async def test_the_courier_s_page_needs_no_script_and_no_request_but_one_s_body_has_the_code(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await coded(home, parcels=["XY123456785FR"])
        courier = made["courier"]
        assert isinstance(courier, dict)
        page, code = courier["link"].split("#")
        async with aiohttp.ClientSession() as courier_s_phone:
            async with courier_s_phone.get(page, headers={"Accept-Language": "fr"}) as answer:
                shown = await answer.text()
                assert answer.status == 200
                policy = answer.headers["Content-Security-Policy"]
                assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert code not in shown, "the hub does not know it"
            for told in ("front", "hall", "…85FR", "Lune", "Chronopost", "Votre livraison", "Your delivery"):
                assert told in shown, told
            assert shown.index("Votre livraison", shown.index("<main>")) < shown.index("Your delivery")
            for pasted in (courier["link"], code.upper(), courier["text"]):
                async with courier_s_phone.post(page, data={"code": pasted}) as answer:
                    assert (answer.status, str(answer.url)) == (200, page), "no address has the code"
                    assert re.search(r"<svg[^>]*>", await answer.text())
            async with courier_s_phone.post(page, data={"code": "a" * 26}) as answer:
                assert answer.status == 422
                assert "<svg" not in await answer.text()
            async with courier_s_phone.get(f"{hub.url}/courier/{'a' * 26}") as answer:
                assert answer.status == 404
            async with courier_s_phone.get(f"{hub.url}/courier/files/courier.js") as answer:
                assert answer.status == 200
        await home.stands({**made, "name": made["order_id"]}, "delivered", house="locked_again")
        async with hub.http.get(page) as answer:
            assert answer.status == 410, "it is over"

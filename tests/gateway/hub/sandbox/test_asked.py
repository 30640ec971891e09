"""Asking a home of the sandbox: its owner says yes, no, nothing, or takes his word back, as is asked for over HTTP."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.owner import verify_folder
from gateway.hub.sandbox.robot import CHECK_INTERVAL_S
from gateway.protocol.delivery_state import PUBLIC_REASONS
from tests.gateway.hub.sandbox.test_robot import OUTCOMES
from tests.hubs import hub_file, run_hub
from tests.sandboxes import ENDED_STATES, SandboxClient, create_sandbox

QUIET_S = 6 * CHECK_INTERVAL_S  # seconds in which the robot would have answered
pytestmark = pytest.mark.slow


async def asks(box: SandboxClient, *carriers: str, code: str | None = None, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Make another brand, ask, and say the home's code on the page."""
    brand = f"second-{len(carriers)}-{box.said['home'][-6:]}"
    await box.ask("POST", "/v1/brands", {"id": brand, "name": "Second"})
    body = {"brand": brand, "asked": {"carriers": list(carriers), **asked}}
    status, made = await box.ask("POST", "/v1/connections", body)
    assert status == 201, made
    async with box.hub.http.post(made["consent_url"], data={"code": code or box.said["support_code"]}) as answer:
        assert answer.status == 200
    return made


async def stands(box: SandboxClient, made: dict[str, Any], *states: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            _, said = await box.ask("GET", f"/v1/connections/{made['id']}")
            if said["state"] in states:
                return said
            await asyncio.sleep(0.05)


async def told(box: SandboxClient, made: dict[str, Any]) -> list[str]:
    _, page = await box.ask("GET", "/v1/events?limit=100&types=connection.decided")
    return [one["data"]["state"] for one in page["data"] if one["about"] == made["id"]]


async def test_the_owner_says_yes_within_what_his_home_has_and_deliveries_go_on(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        made = await asks(box, "DHL", entrances=["garage", "cellar"], hub_signed=True, hours="08:00-24:00")
        said = await stands(box, made, "granted")
        given = said["terms"]
        assert (given["entrances"], given["places"], given["carriers"]) == (["garage"], ["shelf"], ["DHL"])
        assert (given["hours"], said["home"], said["sandbox"]) == ("08:00-24:00", box.said["home"], True)
        assert await told(box, made) == ["granted"]
        day = {"start": "2027-03-01T12:00:00+01:00", "end": "2027-03-01T14:00:00+01:00"}
        promise = box.promise("XY123456785FR", carrier="DHL", window=day)
        body = {"connection": made["id"], "delivery": promise}
        _, delivery = await box.ask("POST", "/v1/deliveries", body)
        assert delivery["sandbox"] is True
        assert (await box.until(delivery["id"], *ENDED_STATES))["state"] == "delivered"
        other = {**body, "delivery": {**promise, "parcels": ["P-2"], "carrier": "UPS"}}
        _, refused = await box.ask("POST", "/v1/deliveries", other)
        assert refused["errors"][0]["code"] == "carrier_not_permitted", "by what he has given"


async def test_what_was_announced_before_he_says_no_is_refused(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        await box.ask("POST", "/v1/brands", {"id": "early", "name": "Early"})
        _, made = await box.ask(
            "POST", "/v1/connections", {"brand": "early", "asked": {"carriers": ["SANDBOX-REFUSE"]}}
        )
        body = {"connection": made["id"], "delivery": box.promise("P-1")}
        _, delivery = await box.ask("POST", "/v1/deliveries", body)
        async with hub.http.post(made["consent_url"], data={"code": box.said["support_code"]}) as answer:
            assert answer.status == 200
        await stands(box, made, "refused")
        said = await box.until(delivery["id"], *ENDED_STATES)
        assert (said["state"], said["reason"]) == ("refused", "brand_not_permitted")
        assert await told(box, made) == ["refused"]
        _, none = await box.ask("GET", f"/v1/connections/{made['id']}")
        assert (none["home"], none["terms"]) == (None, None), "he who is refused learns no home"


async def test_silence_is_no_and_a_word_may_be_taken_back(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        silent, taken = await asks(box, "SANDBOX-SILENT"), await asks(box, "SANDBOX-REVOKE", "UPS", hub_signed=True)
        await stands(box, taken, "granted")
        promise = box.promise("SANDBOX-WAITS", carrier="UPS")
        _, delivery = await box.ask("POST", "/v1/deliveries", {"connection": taken["id"], "delivery": promise})
        await box.until(delivery["id"], "scheduled")
        await stands(box, taken, "revoked")
        said = await box.until(delivery["id"], *ENDED_STATES)
        assert (said["state"], said["reason"]) == ("refused", "brand_not_permitted")
        await stands(box, silent, "expired")
        assert await told(box, taken) == ["granted", "revoked"]
        status, said = await box.ask("POST", "/v1/deliveries", {"connection": taken["id"], "delivery": promise})
        assert (status, said["code"]) == (409, "not_connected")
        _, first = await box.ask("GET", f"/v1/connections/{box.said['connection']}")
        assert first["state"] == "granted", "another brand's word stands"


async def test_nobody_asks_the_home_of_another_s_sandbox(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box, other = await create_sandbox(hub), await create_sandbox(hub)
        made = await asks(box, "DHL", code=other.said["support_code"])
        await asyncio.sleep(QUIET_S)
        assert (await stands(box, made, "pending"))["home"] is None
        async with hub.http.post(made["consent_url"], data={"code": box.said["support_code"]}) as answer:
            assert answer.status == 200
        await stands(box, made, "granted")


async def proof(box: SandboxClient, delivery: str) -> tuple[int, dict[str, Any]]:
    return await box.ask("GET", f"/v1/deliveries/{delivery}/proof")


async def test_every_end_of_a_visit_has_a_proof_that_holds_offline_and_says_that_it_is_of_the_sandbox(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        cold = await box.announce(
            "COLD-1", entrance="front", place="fridge", courier_sha256="ab" * 32, max_celsius=5.0, carrier="UPS"
        )
        made = [await box.announce(*parcels) for parcels, _ in OUTCOMES]
        for delivery, (parcels, expected) in zip(made, OUTCOMES, strict=True):
            await box.until(delivery, *ENDED_STATES)
            status, said = await proof(box, delivery)
            if expected[3] is None:
                assert status == 404, "nobody came, or no door was moved: there is nothing to prove"
                continue
            assert status == 200, parcels
            statement = said["accounts"][-1]["statement"]
            assert (statement["state"], statement["missing"], statement["house"]) == (expected[0], *expected[2:])
            assert said["accounts"][-1]["lines"][-1]["what"] == expected[3]
            (tmp_path / "proof.json").write_text(json.dumps(said))
            holds, text = verify_folder(tmp_path / "proof.json", key=None, checkpoint=None)
            assert holds, text
            assert "of a sandbox" in text
            assert "did not note" not in text
        await box.until(cold, *ENDED_STATES)
        _, said = await proof(box, cold)
    lines = said["accounts"][0]["lines"]
    assert [line["what"] for line in lines] == ["temperature", "parcel", "unlocked", "opened", "closed", "locked_again"]
    assert lines[0]["celsius"] <= 5.0


async def test_every_reason_that_a_retailer_is_told_is_had_by_its_parcel_number(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        made = {
            reason: await box.announce(f"SANDBOX-REFUSE-{reason.replace('_', '-').upper()}")
            for reason in sorted(PUBLIC_REASONS)
        }
        for reason, delivery in made.items():
            said = await box.until(delivery, *ENDED_STATES)
            assert (said["state"], said["reason"]) == ("refused", reason)
        nothing = await box.announce("SANDBOX-REFUSE-NOTHING-OF-THE-KIND")
        assert (await box.until(nothing, *ENDED_STATES))["state"] == "delivered", "a word that is none asks for nothing"


async def test_a_robot_brings_it_where_robots_come_in_and_nowhere_else(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        front = {"entrance": "front", "place": "hall", "holder": "robot"}
        brought = await box.announce("XY123456785FR", **front)  # without a courier's code
        elsewhere = await box.announce("XY123456786FR", holder="robot")
        takes = await box.announce("XY123456787FR", **front, collect=["RB123456785GB"])
        said = await box.until(brought, *ENDED_STATES)
        assert (said["state"], said["holder"], said["yes_each"]) == ("delivered", "robot", True)
        for refused in (elsewhere, takes):
            said = await box.until(refused, *ENDED_STATES)
            assert (said["state"], said["reason"]) == ("refused", "unsupported")

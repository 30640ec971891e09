"""Orders of version 2 at the hub: plain JSON that says more, and what a box states that it understands."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.domain.delivery.features import SPEAKS, entrance_features
from gateway.domain.delivery.permission import PermissionTerms
from gateway.domain.delivery.promise import Cancel, DeliveryBody, State
from gateway.hub.boxes.box_events import EventOutcome, HomeTransaction
from gateway.hub.database.tables import homes
from gateway.hub.sandbox.home import SandboxDelivery, refusal_of
from gateway.protocol import jws
from gateway.protocol.box_hub import GENESIS_DIGEST
from gateway.protocol.box_statement import (
    MAX_CLOCK_SKEW_S,
    BoxStatement,
    sign_statement,
    verify_statement,
)
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode
from gateway.protocol.keys import BoxKey
from tests.announcing import ConnectedHome, connected_home, payload_of, sent_jobs
from tests.gateway.domain.delivery.shop import NOW, make_cancel, make_claims, make_update, make_update_v2
from tests.hubs import hub_file, run_hub
from tests.sandboxes import create_sandbox

SIZE = {"length": 400, "width": 300, "height": 200}
FISH = {"code": "https://id.gs1.org/01/04006381333931/21/7", "place": "fridge", "profile": "fish"}
WEEK_S = 7 * 24 * 3600


def said_by(token: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(payload_of(token))["delivery"]
    return found


async def newest(home: ConnectedHome) -> tuple[str | None, dict[str, Any]]:
    """The type and the order of the newest job for the home."""
    _, token = (await sent_jobs(home))[-1]
    return jws.typ_of(token), said_by(token)


async def test_plain_json_is_sent_in_the_lowest_version_that_says_it(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        plain = await home.announce()
        assert (await newest(home))[0] == "perron-hub-delivery+jwt"
        assert plain["needs"] is None
        more = await home.announce(dimensions=SIZE, entrances=["garage"], label_rules=["4325", "4322"])
        typ, sent = await newest(home)
        assert typ == "perron-hub-delivery-2+jwt"
        assert sent["needs"] == ["dimensions", "entrances", "label_rules"] == more["needs"]
        assert (sent["dimensions"], sent["label_rules"]) == (SIZE, ["4322", "4325"])
        assert sent["entrances"] == ["front", "garage"] == more["entrances"], "the entrance itself is among them"
        assert "info" not in sent
        told = await home.announce(info={"note": "Fragile"})
        typ, sent = await newest(home)
        assert (typ, sent["needs"], sent["info"]) == ("perron-hub-delivery-2+jwt", [], {"note": "Fragile"})
        assert told["info"] == {"note": "Fragile"}


async def test_items_and_a_lower_limit_go_through_the_hub_as_any_feature(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        milk = {"code": "106141411234567897", "place": "fridge", "max_celsius": 6, "max_seconds": 60.0}
        made = await home.announce(items=[FISH, milk], min_celsius=0)
        typ, sent = await newest(home)
        assert typ == "perron-hub-delivery-2+jwt"
        assert sent["needs"] == ["items", "min_celsius"] == made["needs"]
        assert [item["code"] for item in sent["items"]] == ["(01)04006381333931(21)7", "106141411234567897"]
        assert (sent["items"][0]["profile"], sent["items"][1]["max_seconds"]) == ("fish", 60)
        assert made["items"][1]["max_celsius"] == 6.0
        assert made["cold_chain"] is None
        path = f"/v1/deliveries/{made['id']}"
        assert (await home.ask("PATCH", path, {"delivery": {"parcels": ["A-9"]}}))[0] == 200
        _, sent = await newest(home)
        assert sent["items"][0]["profile"] == "fish", "a change of something else keeps the items"
        status, answer = await home.ask("PATCH", path, {"delivery": {"items": [FISH, {**milk, "max_celsius": -18}]}})
        assert (status, answer["errors"][0]["code"]) == (422, "limits_contradict")
        status, answer = await home.ask("PATCH", path, {"delivery": {"items": None, "min_celsius": None}})
        assert (status, answer["needs"], answer["items"]) == (200, [], None)


async def test_parts_of_an_order_that_contradict_each_other_are_named_and_nothing_is_sent(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(parcels=["A-9"], entrances=[f"door-{number}" for number in range(15)])
        path = f"/v1/deliveries/{made['id']}"
        status, answer = await home.ask("PATCH", path, {"delivery": {"collect": ["A-9"]}})
        assert (status, answer["errors"][0]["code"]) == (422, "brought_and_collected")
        status, answer = await home.ask("PATCH", path, {"delivery": {"entrance": "garage"}})
        assert (status, answer["errors"][0]["pointer"]) == (422, "/delivery/entrances"), "which would be 17"
        assert (await home.ask("GET", path))[1]["version"] == 1


async def test_a_robot_s_order_goes_through_the_hub_as_plain_json(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(holder="robot")
        typ, sent = await newest(home)
        assert typ == "perron-hub-delivery-2+jwt"
        assert sent["needs"] == ["holder_robot", "yes_each"] == made["needs"]
        assert (sent["holder"], sent["yes_each"]) == ("robot", True), "somebody watches each opening"
        assert (made["holder"], made["yes_each"]) == ("robot", True)
        path = f"/v1/deliveries/{made['id']}"
        assert (await home.ask("PATCH", path, {"delivery": {"parcels": ["A-9"]}}))[0] == 200
        assert (await newest(home))[1]["holder"] == "robot", "a change of something else keeps the robot"
        status, answer = await home.ask("PATCH", path, {"delivery": {"holder": None}})
        assert (status, answer["needs"], answer["holder"], answer["yes_each"]) == (200, [], None, None)
        _, sent = await newest(home)
        assert "yes_each" not in sent, "a courier needs no supervisor"


async def test_an_order_that_grew_stays_in_its_version_and_its_cancel_is_understood_by_all(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        path = f"/v1/deliveries/{made['id']}"
        for change, needs in (
            ({"parcels": ["A-1"]}, None),
            ({"dimensions": SIZE}, ["dimensions"]),
            ({"parcels": ["A-2"]}, ["dimensions"]),
            ({"dimensions": None}, []),
        ):
            status, answer = await home.ask("PATCH", path, {"delivery": change})
            assert (status, answer["needs"]) == (200, needs)
            typ, sent = await newest(home)
            assert typ == ("perron-hub-delivery+jwt" if needs is None else "perron-hub-delivery-2+jwt")
            assert sent.get("needs") == needs
        assert (await home.ask("POST", f"{path}/cancel", {}))[0] == 200
        assert (await newest(home))[0] == "perron-hub-delivery+jwt"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dimensions", {**SIZE, "height": 0}), ("dimensions", {**SIZE, "depth": 3}), ("entrances", []),
        ("entrances", ["front", "front"]), ("label_rules", ["4321"]), ("label_rules", []), ("info", {"Note": "x"}),
        ("needs", ["dimensions"]), ("holder", "drone"), ("yes_each", True), ("items", []),
        ("collect", []), ("collect", ["R-1", "R-1"]),
        ("items", [{"code": "A1", "place": "fridge"}]),
        ("items", [FISH, FISH]), ("items", [{**FISH, "code": "(01)04006381333931"}]), ("min_celsius", "4"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(tmp_path: Path, field: str, value: object) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        order = {"connection": home.connection, "delivery": home.promise(**{field: value})}
        status, answer = await home.ask("POST", "/v1/deliveries", order)
        assert (status, answer["code"]) == (422, "invalid")
        assert answer["errors"][0]["pointer"].startswith(f"/delivery/{field}")


# ---- what a box understands ------------------------------------------------------------------------------------------


def statement(home: ConnectedHome, **changes: Any) -> BoxStatement:  # noqa: ANN401 - any claim
    now = int(home.hub.hub.now().timestamp())
    claims = {"iss": home.id, "sub": home.brand, "iat": now, "exp": now + WEEK_S, "speaks": SPEAKS,
              "entrances": {"front": ("dimensions",)}}  # fmt: skip
    return BoxStatement.model_validate(claims | changes)


async def states(home: ConnectedHome, said: BoxStatement, key: BoxKey | None = None) -> EventOutcome:
    async with home.hub.hub.store.writing() as tx:
        box = await HomeTransaction.begin(tx, home.id, home.hub.hub.now())
        assert box is not None
        return await box.on_statement(sign_statement(said, (key or home.journal.key).sign))


async def test_a_retailer_reads_what_the_box_has_signed_and_can_verify_it(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        path = f"/v1/connections/{home.connection}/box"
        assert (await home.ask("GET", path))[0] == 404, "a box of an older release states nothing"
        said = statement(home)
        assert await states(home, said) is EventOutcome.KEPT
        assert await states(home, said) is EventOutcome.AGAIN
        status, answer = await home.ask("GET", path)
        assert status == 200
        assert (answer["delivery"], answer["needs"]) == ([1, 2], list(SPEAKS.needs))
        assert answer["entrances"] == {"front": ["dimensions"]}
        assert datetime.fromisoformat(answer["expires"]).timestamp() == said.exp
        key = PublicKey.from_text(answer["key"])
        assert verify_statement(answer["token"].encode(), key, home=home.id, utc=datetime.now(UTC)) == said


async def test_the_hub_keeps_nothing_that_the_box_did_not_sign_for_this_home_and_time(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        now = int(hub.hub.now().timestamp())
        wrong = [
            statement(home, iss="home-2"),
            statement(home, exp=now + WEEK_S + 1),
            statement(home, iat=now - WEEK_S, exp=now - 1),
            statement(home, iat=now + MAX_CLOCK_SKEW_S + 5, exp=now + WEEK_S),
        ]
        for said in wrong:
            assert await states(home, said) is EventOutcome.MALFORMED
        assert await states(home, statement(home), key=BoxKey.generate()) is EventOutcome.WRONG_SIGNATURE
        assert (await home.ask("GET", f"/v1/connections/{home.connection}/box"))[0] == 404


async def test_an_older_statement_replaces_no_newer_one_and_none_is_shown_once_it_has_ended(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        now = int(hub.hub.now().timestamp())
        path = f"/v1/connections/{home.connection}/box"
        assert await states(home, statement(home, entrances={"garage": ()})) is EventOutcome.KEPT
        assert await states(home, statement(home, iat=now - 60, exp=now + 60)) is EventOutcome.AGAIN
        assert (await home.ask("GET", path))[1]["entrances"] == {"garage": []}
        other = await connected_home(hub)
        assert (await home.ask("GET", f"/v1/connections/{other.connection}/box"))[0] == 404, "it is another retailer's"
        await home.decide("revoked")
        assert (await home.ask("GET", path))[0] == 404
        await home.decide("granted")
        async with hub.hub.store.writing() as tx:  # the box has another key now: what it said before is not shown
            await tx.execute(update(homes).where(homes.c.id == home.id).values(box_key=BoxKey.generate().public.text))
        assert (await home.ask("GET", path))[0] == 404


async def test_a_statement_of_one_brand_is_not_shown_to_another(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        assert await states(home, statement(home, sub="another")) is EventOutcome.KEPT
        assert (await home.ask("GET", f"/v1/connections/{home.connection}/box"))[0] == 404


async def test_a_result_of_a_newer_box_is_read_with_what_it_says_more(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        result = {"box": "box-1", "at": hub.hub.now().isoformat(), "brand": home.brand, "delivery": made["name"],
                  "version": 1, "state": "scheduled", "accepted": True, "wings": {"span": 3}}  # fmt: skip
        event = {"home": home.id, "seq": 1, "prev": GENESIS_DIGEST, "at": result["at"], "result": result}
        token = jws.sign(jws.BOX_EVENT, json.dumps(event).encode(), home.journal.key.sign)
        async with hub.hub.store.writing() as tx:
            box = await HomeTransaction.begin(tx, home.id, hub.hub.now())
            assert box is not None
            assert await box.on_event(token) is EventOutcome.KEPT
        assert (await home.ask("GET", f"/v1/deliveries/{made['id']}"))[1]["state"] == "scheduled"


def test_no_statement_is_taken_for_an_event_nor_an_event_for_a_statement() -> None:
    key, now = BoxKey.generate(), datetime(2026, 11, 28, tzinfo=UTC)
    event = jws.sign(jws.BOX_EVENT, b"{}", key.sign)
    assert verify_statement(event, key.public, home="home-1", utc=now) is RejectionCode.WRONG_HEADER


async def test_the_simulated_home_states_it_too_and_anew_each_day(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        made = await create_sandbox(hub)
        path, home = f"/v1/connections/{made.said['connection']}/box", made.said["home"]
        status, first = await made.ask("GET", path)
        assert status == 200
        assert first["entrances"] == {
            "front": list(entrance_features(robots=True)), "garage": list(entrance_features(robots=False)),
        }  # fmt: skip
        before = hub.hub.now() - timedelta(days=2)
        async with hub.hub.store.writing() as tx:
            await tx.execute(update(homes).where(homes.c.id == home).values(heard=before, said={}))
        assert hub.hub._robot is not None  # noqa: SLF001 - its sweep is a minute away
        await hub.hub._robot.renew_statements()  # noqa: SLF001 - as above
        assert (await made.ask("GET", path))[1]["needs"] == first["needs"]
        async with hub.hub.store.reading() as tx:
            heard = await tx.scalar(select(homes.c.heard).where(homes.c.id == home))
        assert heard is not None
        assert heard > before


async def test_the_sandbox_plays_an_order_of_version_2_by_the_rules_of_a_box(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        made = await create_sandbox(hub)
        refused = await made.announce("V2-1", entrances=["cellar"])
        assert (await made.until(refused, "refused"))["reason"] == "unknown_entrance"
        said = await made.until(await made.announce("V2-2", dimensions=SIZE), "delivered")
        assert (said["needs"], said["dimensions"]) == (["dimensions"], SIZE)
        both = await made.announce("V2-3", collect=["SANDBOX-LEFT", "R-1"])
        assert (await made.until(both, "delivered"))["collected"] == "partly_collected"
        alone = {"parcels": [], "courier_sha256": "ab" * 32}
        taken = await made.until(await made.announce("V2-4", collect=["R-2"], **alone), "collected")
        assert (taken["reason"], taken["house"], taken["collected"]) == (None, "locked_again", "collected")
        left = await made.until(await made.announce("V2-5", collect=["SANDBOX-LEFT-2"], **alone), "not_collected")
        assert (left["reason"], left["collected"]) == ("not_collected", "not_collected")


def test_a_simulated_home_refuses_a_downgrade_as_a_box_does() -> None:
    known = SandboxDelivery(version=1, state=State.SCHEDULED, message_version=2)
    terms = PermissionTerms(
        entrances=frozenset({"garage"}), places=frozenset({"shelf"}), carriers=frozenset({"Colissimo"})
    )

    def refusal(said: DeliveryBody | Cancel) -> str | None:
        return refusal_of(make_claims(said), known, [], terms, NOW.utc)

    there = {"entrance": "garage", "place": "shelf"}
    assert refusal(make_update(**there)) == "downgrade"
    assert refusal(make_update_v2(**there)) is None
    assert refusal(make_cancel()) is None

"""Who may do what, cell by cell: each operation with each sort of key. A new one fails until it is told here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import update

from gateway.hub.database.store import new_id
from gateway.hub.database.tables import api_keys
from gateway.hub.process import OPERATIONS
from gateway.protocol.brand_statement import sign_proof
from gateway.protocol.keys import BoxKey
from tests.announcing import ConnectedHome, connected_home, enrolled_browser
from tests.hubs import hub_file, run_hub

pytestmark = pytest.mark.slow

ROLES = ("nobody", "revoked", "expired", "read", "full", "carrier", "another", "sandbox", "browser")


@dataclass(frozen=True)
class Row:
    """How an operation is asked, and what each role is answered; who has no key that counts gets 401 everywhere.

    `path` and `body` may name what is there: {delivery}, {connection}, {event}, {key}, {endpoint}, {message},
    {erasure}.
    `carrier`: a key of the carrier of its deliveries. `strangers`: another retailer's
    key, and a key of the sandbox for what is real.
    """

    path: str
    full: int
    read: int
    strangers: int
    body: Mapping[str, Any] | None = None
    open: bool = False  # nobody needs a key
    carrier: int = 403
    browser: int = 401  # of a household, whose token is no key


PROVED = MappingProxyType({"kid": "{kid}", "x": "{x}", "proof": "{proof}"})
HOOKS = "/v1/webhook_endpoints"
SEALED = {"sealed": "h..i.c.t"}
NEW = MappingProxyType({"connection": "{connection}", "delivery": "{promise}"})
TABLE: Mapping[str, Row] = MappingProxyType({
    "createApiKey": Row("/v1/api_keys", 201, 403, 201, {"label": "till"}),  # one of their own
    "listApiKeys": Row("/v1/api_keys", 200, 200, 200),
    "readApiKey": Row("/v1/api_keys/{key}", 200, 200, 404),
    "revokeApiKey": Row("/v1/api_keys/{key}", 204, 403, 404),
    "createBrand": Row("/v1/brands", 201, 403, 201, {"id": "soleil", "name": "Soleil"}),  # one of their own
    "listBrands": Row("/v1/brands", 200, 200, 200),
    "readBrand": Row("/v1/brands/{brand}", 200, 200, 404),
    "addBrandKey": Row("/v1/brands/{brand}/keys", 201, 403, 404, PROVED),
    "listBrandKeys": Row("/v1/brands/{brand}/keys", 200, 200, 404),
    "revokeBrandKey": Row("/v1/brands/{brand}/keys/{brand}-1/revoke", 200, 403, 404),
    "createConnection": Row("/v1/connections", 201, 403, 409, {"brand": "{brand}", "asked": {"carriers": ["c"]}}),
    "listConnections": Row("/v1/connections", 200, 200, 200),
    "readConnection": Row("/v1/connections/{connection}", 200, 200, 404),
    "endConnection": Row("/v1/connections/{spare}/end", 200, 403, 404),
    "readAvailability": Row(
        "/v1/connections/{connection}/availability?start=2026-11-30T10:00:00Z&end=2026-11-30T12:00:00Z", 200, 200, 404
    ),
    "readBox": Row("/v1/connections/{connection}/box", 404, 404, 404),  # its box has sent no statement
    "askFacts": Row("/v1/connections/{connection}/facts", 422, 403, 404, {"token": "YQ.YQ.YQ"}),  # nobody signed it
    "sendComment": Row("/v1/connections/{connection}/comment", 422, 403, 404, {"token": "YQ.YQ.YQ"}),
    "readFacts": Row("/v1/connections/{connection}/facts", 404, 404, 404),  # its box was not queried
    "createDelivery": Row("/v1/deliveries", 201, 403, 404, NEW),
    "changeDelivery": Row("/v1/deliveries/{delivery}", 200, 403, 404, {"delivery": {"place": "shed"}}),
    "cancelDelivery": Row("/v1/deliveries/{delivery}/cancel", 200, 403, 404, {}),
    # no home has answered it
    "askMoreTime": Row("/v1/deliveries/{delivery}/more_time", 409, 403, 404, {}, carrier=409),
    "listDeliveries": Row("/v1/deliveries", 200, 200, 200, carrier=200),
    "readDelivery": Row("/v1/deliveries/{delivery}", 200, 200, 404, carrier=200),
    "readTimeline": Row("/v1/deliveries/{delivery}/timeline", 200, 200, 404, carrier=200),
    "readProof": Row("/v1/deliveries/{ended}/proof", 200, 200, 404),
    "createDeliveries": Row("/v1/delivery_batches", 200, 403, 200, {"items": [NEW]}),  # each item is refused alone
    "readAvailabilities": Row("/v1/availability", 200, 200, 200, {"items": [{}]}),
    "makeCourierCode": Row("/v1/deliveries/{delivery}/courier", 201, 403, 404, carrier=201),
    # no home has answered it
    "announceArrival": Row("/v1/deliveries/{delivery}/arrival", 409, 403, 404, {"on_the_way": True}, carrier=409),
    "listEvents": Row("/v1/events", 200, 200, 200),
    "followEvents": Row("/v1/events/stream?seconds=0", 200, 200, 200),
    "readEvent": Row("/v1/events/{event}", 200, 200, 404),
    "readHubKey": Row("/v1/hub_key", 200, 200, 200, open=True),
    "listCarriers": Row("/v1/carriers", 200, 200, 200, open=True),
    "createWebhookEndpoint": Row(HOOKS, 201, 403, 201, {"url": "https://shop.example/"}),  # one of their own
    "listWebhookEndpoints": Row(HOOKS, 200, 200, 200),
    "readWebhookEndpoint": Row(HOOKS + "/{endpoint}", 200, 200, 404),
    "changeWebhookEndpoint": Row(HOOKS + "/{endpoint}", 200, 403, 404, {"types": []}),
    "deleteWebhookEndpoint": Row(HOOKS + "/{endpoint}", 204, 403, 404),
    "rotateWebhookSecret": Row(HOOKS + "/{endpoint}/rotate", 200, 403, 404),
    "testWebhookEndpoint": Row(HOOKS + "/{endpoint}/test", 202, 403, 404),
    "listWebhookMessages": Row(HOOKS + "/{endpoint}/messages", 200, 200, 404),
    "replayWebhookMessage": Row(HOOKS + "/{endpoint}/messages/{message}/replay", 202, 403, 404),
    "replayWebhookEvents": Row(HOOKS + "/{endpoint}/replay", 202, 403, 404, {}),
    "createErasure": Row("/v1/erasures", 202, 403, 404, {"connection": "{spare}"}),
    "listErasures": Row("/v1/erasures", 200, 200, 200),
    "readErasure": Row("/v1/erasures/{erasure}", 200, 200, 404),
    "sendOrder": Row("/v1/household/orders", 401, 401, 401, SEALED | {"seconds": 60}, browser=202),
    "readOrder": Row(f"/v1/household/orders/job-{'a' * 26}", 401, 401, 401, browser=404),
    "askHome": Row("/v1/household/questions", 401, 401, 401, SEALED, browser=503),  # its box is not there
})  # fmt: skip


def test_every_operation_is_in_the_table() -> None:
    assert [one.operation.name for one in OPERATIONS] == list(TABLE)


def expected(row: Row, role: str) -> int:
    if row.open:
        return row.full
    match role:
        case "nobody" | "revoked" | "expired":
            return 401
        case "read":
            return row.read
        case "full":
            return row.full
        case "browser":
            return row.browser
        case "carrier":
            return row.carrier if row.browser == 401 else 401
        case _:
            return row.strangers


@pytest.mark.parametrize("role", ROLES)
async def test_each_sort_of_key_may_do_what_it_may_and_nothing_else(tmp_path: Path, role: str) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        headers = await key(home, role)
        there = await things(home)
        for one in (route.operation for route in OPERATIONS):
            row = TABLE[one.name]
            async with hub.http.request(
                one.method, row.path.format(**there), json=filled(row.body, there), headers=headers
            ) as answer:
                said = await answer.text()
            assert answer.status == expected(row, role), f"{one.name} as {role}: {said}"
            if role in {"another", "sandbox"}:
                ours = {name: id_ for name, id_ in there.items() if isinstance(id_, str) and id_ in said}
                assert answer.status == 404 or not ours, f"{one.name} tells a stranger of {ours}"
            if answer.status < 300 and one.method != "GET":  # it has changed what the next is about
                there = await things(home)


async def things(home: ConnectedHome) -> dict[str, Any]:
    """Make what the operations are about."""
    made, ended = await home.announce(), await home.announce()
    await home.stands(ended, "delivered", house="locked_again")
    _, events = await home.ask("GET", "/v1/events?limit=1")
    _, key = await home.ask("POST", "/v1/api_keys", {"label": "spare"})
    asked = {"brand": home.brand, "asked": {"carriers": ["c"]}}
    _, spare = await home.ask("POST", "/v1/connections", asked)
    new, kid = BoxKey.generate(), new_id("kid")
    proof = sign_proof(new.sign, brand=home.brand, kid=kid, hub=home.hub.url)
    _, hooks = await home.ask("GET", HOOKS)
    if not hooks["data"]:  # there is room for a few only
        hooks = {"data": [(await home.ask("POST", HOOKS, {"url": "https://shop.example/"}))[1]]}
    endpoint = hooks["data"][0]["id"]
    _, message = await home.ask("POST", f"{HOOKS}/{endpoint}/test")
    _, gone = await home.ask("POST", "/v1/connections", asked)
    _, erasure = await home.ask("POST", "/v1/erasures", {"connection": gone["id"]})
    return {"brand": home.brand, "spare": spare["id"], "erasure": erasure["id"], "kid": kid,
            "x": new.public.text, "proof": proof, "delivery": made["id"], "ended": ended["id"],
            "connection": home.connection, "key": key["id"], "event": events["data"][0]["id"],
            "endpoint": endpoint, "message": message["id"], "promise": home.promise()}  # fmt: skip


def filled(body: object, there: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    match body:
        case Mapping():
            return {name: filled(part, there) for name, part in body.items()}
        case list():
            return [filled(part, there) for part in body]
        case str() if body.startswith("{"):
            return there[body.strip("{}")]
        case _:
            return body


async def key(home: ConnectedHome, role: str) -> dict[str, str]:
    match role:
        case "nobody":
            return {}
        case "full":
            return home.headers
        case "browser":
            return (await enrolled_browser(home)).headers
        case "another" | "sandbox":
            other = await connected_home(home.hub, sandbox=role == "sandbox")
            if role == "sandbox":  # of the same retailer
                async with home.hub.hub.store.writing() as tx:
                    mine = api_keys.c.retailer == other.retailer.id
                    await tx.execute(update(api_keys).where(mine).values(retailer=home.retailer.id))
            return other.headers
        case _:
            right = role if role in {"read", "carrier"} else "full"
            carrier = "Chronopost" if role == "carrier" else None
            _, made = await home.ask("POST", "/v1/api_keys", {"label": role, "right": right, "carrier": carrier})
            now = home.hub.hub.now()
            ended = {"revoked": {"revoked": now}, "expired": {"expires": now - timedelta(seconds=1)}}.get(role)
            if ended is not None:
                async with home.hub.hub.store.writing() as tx:
                    await tx.execute(update(api_keys).where(api_keys.c.id == made["id"]).values(**ended))
            return {"Authorization": f"Bearer {made['token']}"}

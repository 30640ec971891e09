import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import TypeAdapter

from gateway.hub.api.homes import BrokerAt, HomeOperations
from gateway.hub.api.validation_errors import MEANINGS, pattern_meaning
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.http.operation import OperationRoute
from gateway.hub.process import OPERATIONS
from tests.announcing import connected_home
from tests.boxes import NOW
from tests.hubs import hub_file, run_hub


def patterns(schema: object) -> set[str]:
    """Every pattern that pydantic holds text against in this schema."""
    match schema:
        case {"type": "str", "pattern": str(pattern)}:
            return {pattern}
        case dict():
            return set().union(*map(patterns, schema.values()))
        case list() | tuple():
            return set().union(*map(patterns, schema))
        case _:
            return set()


def asked_of(routes: tuple[OperationRoute, ...]) -> set[str]:
    models = [model for one in (route.operation for route in routes) for model in (one.query, one.headers, one.body)]
    for model in filter(None, models):
        model.model_rebuild()  # its validator may not be built yet (`defer_build`)
    ids = [
        get_type_hints(route.operation.handler, include_extras=True)[name]
        for route in routes
        for name in route.param_convertors
    ]
    schemas = [model.__pydantic_core_schema__ for model in models if model] + [
        TypeAdapter(id_).core_schema for id_ in ids
    ]
    return set().union(*map(patterns, schemas))


def test_whatever_has_to_be_written_in_one_way_has_words_for_it(tmp_path: Path) -> None:
    homes = HomeOperations(HubAuthority.load(tmp_path, now=NOW), BrokerAt(host="hub.example", port=8883))
    there = asked_of((*OPERATIONS, *homes.operations()))
    assert len(there) > 20
    assert [pattern for pattern in there if pattern_meaning(pattern) is None] == []
    assert set(MEANINGS) <= there, "nothing is explained that is nowhere asked for"


@pytest.mark.parametrize(
    ("wrong", "pointer", "said"),
    [
        ({"entrance": "Front door"}, "/delivery/entrance",
         "This has to be 1 to 64 characters: lower-case letters, digits and hyphens."),
        ({"courier_sha256": "x"}, "/delivery/courier_sha256",
         "This has to be a SHA-256 as 64 lower-case hexadecimal digits."),
        ({"parcels": ["XY123456785FR", "xy 123456785 fr"]}, "/delivery/parcels", "the same parcel twice"),
        ({"parcels": "XY123456785FR"}, "/delivery/parcels", "This has to be an array."),
        ({"parcels": [f"A{n}" for n in range(51)]}, "/delivery/parcels", "This may have at most 50 items."),
        ({"items": [{"code": "A1", "place": "Hall", "max_celsius": 8}]}, "/delivery/items/0/place",
         "This has to be 1 to 64 characters: lower-case letters, digits and hyphens."),
        ({"items": []}, "/delivery/items", "This has to have at least 1 item."),
        ({"window": "today"}, "/delivery/window", "This has to be an object."),
    ],
)  # fmt: skip
async def test_no_retailer_is_answered_by_a_regular_expression(
    tmp_path: Path, wrong: dict[str, Any], pointer: str, said: str
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        body = {"connection": home.connection, "delivery": home.promise(**wrong)}
        status, answer = await home.ask("POST", "/v1/deliveries", body)
        assert (status, answer["errors"]) == (
            422, [{"pointer": pointer, "in": "body", "code": answer["errors"][0]["code"], "detail": said}],
        )  # fmt: skip
        status, answer = await home.ask("POST", "/v1/deliveries", {"connection": "con-1", "delivery": home.promise()})
        assert (
            answer["errors"][0]["detail"] == "This has to be an id that the hub gave: con- and 26 letters and digits."
        )


def fields(document: dict[str, Any], schema: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Each field of a body, with the fields around it."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for other in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from fields(document, other, at)
    for name, inner in schema.get("properties", {}).items():
        yield (*at, name)
        yield from fields(document, inner, (*at, name))


async def test_each_field_of_each_body_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    tried = 0
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        announced = {"connection": home.connection, "delivery": home.promise()}
        _, made = await home.ask("POST", "/v1/deliveries", {**announced, "delivery": home.promise(name="made")})
        _, document = await home.ask("GET", "/openapi.json")
        for path, method, good in (
            ("/v1/deliveries", "post", announced),
            ("/v1/deliveries/{delivery_id}", "patch", {"delivery": {}}),
            ("/v1/api_keys", "post", {"label": "till"}),
            ("/v1/connections", "post", {"brand": home.brand, "asked": {"carriers": ["Chronopost"]}}),
            ("/v1/webhook_endpoints", "post", {"url": "https://shop.example/hooks"}),
        ):
            body = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
            for field in set(fields(document, body)):
                wrong: dict[str, Any] = copy.deepcopy(good)
                inner = wrong
                for name in field[:-1]:
                    inner = inner.setdefault(name, {}) if isinstance(inner.get(name, {}), dict) else {}
                inner[field[-1]] = [[]]
                status, said = await home.ask(method, path.replace("{delivery_id}", made["id"]), wrong)
                assert status == 422, (path, field, said)
                pointers = [mistake["pointer"] for mistake in said["errors"]]
                asked = f"/{'/'.join(field)}"
                assert any(f"{pointer}/".startswith(f"{asked}/") for pointer in pointers), (path, field, said)
                tried += 1
    assert tried > 50

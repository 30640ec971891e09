"""Completes and serves the OpenAPI 3.1 documents that FastAPI makes from the operations' routes.

Retailers have one document, and boxes and browsers of households, which are Perron's own programs, have another. So a
client that is generated for a retailer has only what a retailer may call.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.domain.frozen import Frozen
from gateway.hub.api.dispatch import COMMON_HEADERS
from gateway.hub.api.openapi_events import EVENT_DATA_MODELS, DeliveryEventData, event_schemas, webhooks
from gateway.hub.api.openapi_examples import add_examples
from gateway.hub.api.openapi_headers import header_components, response_headers
from gateway.hub.api.openapi_schemas import (
    SCHEMA_PATH,
    renamed,
    renamed_schemas,
    shape_parameters,
    shape_schemas,
    with_choices,
)
from gateway.hub.http.operation import OperationRoute, PageRoute
from gateway.hub.http.problem import Document

API_VERSION = "1.0.0"
PUBLIC_NAMES: Mapping[str, str] = {
    "Answer": "HomeAnswer",
    "Attempt": "WebhookAttempt",
    "BrokerAt": "BrokerAddress",
    "Change": "DeliveryOrderChange",
    "ChangedDelivery": "DeliveryChange",
    "Claiming": "ClaimUse",
    "CodedDelivery": "DeliveryWithCourierCode",
    "Confirming": "CertificateConfirmation",
    "Detail": "ProblemError",
    "Document": "Problem",
    "Ending": "ConnectionEnd",
    "Endpoint": "WebhookEndpoint",
    "EndpointChallengeData": "WebhookEndpointChallengeData",
    "EndpointChange": "WebhookEndpointChange",
    "EndpointDisabledData": "WebhookEndpointDisabledData",
    "EndpointWithSecret": "WebhookEndpointWithSecret",
    "Endpoints": "WebhookEndpoints",
    "Evidence": "Proof",
    "GivenTerms": "GrantedTerms",
    "ItemLine": "DeliveryItem",
    "ItemResult": "ItemColdChain",
    "Joined": "JoinedHome",
    "LateCourier": "MoreTimeRequest",
    "Leaving": "HomeLeave",
    "MadeConnection": "CreatedConnection",
    "MadeCourierCode": "CourierCode",
    "MadeDelivery": "CreatedDelivery",
    "MadeKey": "CreatedApiKey",
    "Messages": "WebhookMessages",
    "NewEndpoint": "NewWebhookEndpoint",
    "NewKey": "NewApiKey",
    "NewOrder": "NewHouseholdOrder",
    "NewPromise": "NewDeliveryOrder",
    "Ordered": "HouseholdOrder",
    "RecordEntryKind": "AccountLineKind",
    "RecordLine": "AccountLine",
    "Renewed": "RenewedCertificate",
    "Renewing": "CertificateRenewal",
    "Replay": "WebhookReplay",
    "Replayed": "WebhookReplayResult",
    "Sealed": "SealedQuestion",
    "SignedMessage": "SignedOrder",
    "Span": "TimeSpan",
    "State": "DeliveryState",
    "Statement": "AccountStatement",
    "Step": "TimelineStep",
    "TimeAnswer": "MoreTimeStatus",
    "Withdrawal": "Cancellation",
}
"""The names of schemas in the documents, by the names of classes; the others have the class's name.

Generated clients name their types by them, so a class that is renamed gets its old public name here.
"""

_KEY_SCHEME = {"type": "http", "scheme": "bearer", "description": "An API key: `key-..._<secret>`."}
_BROWSER_SCHEME = {
    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
    "description": "A token (ES256) of a browser that was enrolled at home.",
}  # fmt: skip
_PROBLEM_NAMES = ("Problem", "ProblemError")  # the hub leaves out members without a value


class Audience(Frozen):
    """The users of a document. `tags`: its operations' tags, in the document's order, and what each is about."""

    path: str
    title: str
    description: str
    tags: Mapping[str, str]
    security_schemes: Mapping[str, Any]
    has_events: bool


RETAILERS = Audience(
    path="/openapi.json",
    title="Perron hub",
    description=(
        "Retailers announce deliveries to homes. Each home decides itself what it accepts, and the hub reports"
        " what the home says, as events.\n\n"
        "Send your API key as `Authorization: Bearer key-...`. Begin with `createSandbox`, which needs no key and gives"
        " you one. Errors are problem documents (RFC 9457) with a stable `code`. The hub refuses names that it does not"
        " know in a request. It may add fields to answers, so ignore those that you do not know."
    ),
    tags={
        "API keys": "The keys of your systems, and of carriers that bring your deliveries.",
        "Brands": "The names under which homes know your shops, and the keys with which these shops sign.",
        "Connections": "Your brands' requests to homes to be let in, what homes granted, and when they have time.",
        "Facts": "What your brand did in a home, as the home itself states it.",
        "Deliveries": "Delivery orders, their versions and states, and the home's signed proof.",
        "Batches": "Many deliveries or questions in one request.",
        "Couriers": "The courier's one-time code, and when he comes.",
        "Events": "What happened, as a list or as a stream.",
        "Erasures": "Erasing a customer's data at the hub.",
        "Hub": "Public facts about this hub.",
        "Webhooks": "Your webhook endpoints, and the log of what was sent to them.",
        "Webhook messages": "What the hub sends to your webhook endpoints.",
        "Sandbox": "A simulated home and a robot courier, to try everything.",
    },
    security_schemes={"key": _KEY_SCHEME},
    has_events=True,
)
HOMES = Audience(
    path="/openapi-homes.json",
    title="Perron hub: boxes and households",
    description=(
        "The operations of Perron's own boxes and of the browsers of their households. They change with the boxes'"
        " releases; the policy for retailers does not apply to them."
    ),
    tags={
        "Household": "Sealed questions and orders of a household's browser to its box.",
        "Homes": "How a box joins a hub, renews its certificate and leaves.",
    },
    security_schemes={"browser": _BROWSER_SCHEME},
    has_events=False,
)


class ApiDocument:
    """The document of an app's operations, made when it is first requested, so that it does not delay the start."""

    def __init__(self, app: FastAPI, *, url: str, audience: Audience = RETAILERS) -> None:
        self._app, self._url, self._audience = app, url, audience

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document: what FastAPI makes of the audience's routes, with everything that generators need."""
        audience, routes = self._audience, self._routes
        written = get_openapi(
            title=audience.title, version=API_VERSION, description=audience.description, routes=list(routes.values()),
            servers=[{"url": self._url, "description": "This hub"}],
            contact={"name": "The operator of this hub", "url": self._url},
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            tags=[{"name": name, "description": text} for name, text in audience.tags.items()],
        )  # fmt: skip
        _add_schemas(written, has_events=audience.has_events)
        components = written["components"]
        components["securitySchemes"] = dict(audience.security_schemes)
        for methods in written["paths"].values():
            for entry in methods.values():
                shape_parameters(entry)
                operation = routes[entry["operationId"]].operation
                for status, response in entry["responses"].items():
                    response["headers"] = response_headers(operation, int(status))
        components["headers"] = header_components(written["paths"])
        add_examples(written)
        return {"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema", **written}

    @property
    def _routes(self) -> dict[str, OperationRoute]:
        """The audience's routes by operationId."""
        routes = [route for route in self._app.routes if isinstance(route, OperationRoute)]
        return {route.record_name: route for route in routes if set(route.tags) & self._audience.tags.keys()}

    @cached_property
    def _serialized(self) -> tuple[bytes, str]:
        written = json.dumps(self.document).encode()
        return written, f'"{sha256(written).hexdigest()[:32]}"'

    def routes(self) -> list[PageRoute]:
        """Return the route that serves the document."""
        return [PageRoute(self._audience.path, self._serve)]

    async def _serve(self, request: Request) -> Response:
        written, tag = self._serialized
        known = {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}
        # It is cached, and validated by its tag.
        headers = {**COMMON_HEADERS, "Cache-Control": "no-cache", "ETag": tag}
        if known & {tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(written, headers=headers, media_type="application/json")


def _add_schemas(written: dict[str, Any], *, has_events: bool) -> None:
    """Complete the schemas of what FastAPI wrote, in place: problems, events, public names and shapes."""
    schemas: dict[str, Any] = written.pop("components")["schemas"]
    data_models = EVENT_DATA_MODELS if has_events else ()
    # FastAPI's names of a model of which requests may contain what answers never do.
    split = {name: _name_of_split(name) for name in schemas if "-" in name}
    schemas = {**_schemas_of(Document, *data_models), **renamed_schemas(schemas, split)}
    schemas = with_choices(renamed_schemas(schemas, PUBLIC_NAMES))
    written["paths"] = renamed(renamed(written["paths"], split), PUBLIC_NAMES)
    written["components"] = {"schemas": schemas}
    partial = set(_PROBLEM_NAMES)
    if has_events:
        names = {model: PUBLIC_NAMES.get(model.__name__, model.__name__) for model in data_models}
        schemas |= event_schemas(schemas["Event"], names)
        written["webhooks"] = webhooks()
        partial.add(names[DeliveryEventData])
    shape_schemas(written, partial=partial)


def _name_of_split(name: str) -> str:
    model, _, use = name.partition("-")
    return f"New{model}" if use == "Input" else model


def _schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    _, found = models_json_schema([(model, "serialization") for model in models], ref_template=SCHEMA_PATH + "{model}")
    schemas: dict[str, Any] = found["$defs"]
    return schemas

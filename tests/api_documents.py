"""The hub's OpenAPI documents, as a hub serves them, without a hub."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from fastapi import FastAPI
from jsonschema import Draft202012Validator

from gateway.hub.api import sandboxes
from gateway.hub.api.homes import BrokerAt, HomeOperations
from gateway.hub.api.openapi import HOMES, RETAILERS, ApiDocument, Audience
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.process import OPERATIONS
from gateway.protocol.keys import BoxKey

Document = dict[str, Any]

URL = "https://hub.example"


_AUDIENCES: Mapping[str, Audience] = {audience.path: audience for audience in (RETAILERS, HOMES)}


@cache
def api_document(path: str = RETAILERS.path, *, url: str = URL) -> Document:
    """Return the document that a hub with a sandbox and boxes serves under this path. Nobody changes it."""
    no_authority = cast("HubAuthority", None)  # no operation is called
    homes = HomeOperations(no_authority, BrokerAt(host="boxes.example", port=8883)).operations()
    routes = [*OPERATIONS, *homes, *sandboxes.operations(BoxKey.generate())]
    return ApiDocument(FastAPI(routes=routes, openapi_url=None), url=url, audience=_AUDIENCES[path]).document


def merged_document(*, url: str = URL) -> Document:
    """Return one document of everything that the hub serves."""
    whole, homes = api_document(url=url), api_document(HOMES.path, url=url)
    components = {kind: {**part, **homes["components"].get(kind, {})} for kind, part in whole["components"].items()}
    return {**whole, "paths": whole["paths"] | homes["paths"], "components": components}


def mistakes(document: Document, schema: Document, value: object) -> list[str]:
    """Return where a value does not fit a schema of a document; empty: it fits."""
    whole = {**schema, "components": document["components"]}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]

"""Completes and serves the OpenAPI 3.1 document that FastAPI makes of the operations' routes."""

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic.json_schema import models_json_schema

from gateway.hub.api.dispatch import COMMON_HEADERS
from gateway.hub.http.operation import PageRoute
from gateway.hub.http.problem import Document

API_VERSION = "1.0.0"
PUBLIC_NAMES: Mapping[str, str] = {
    "EventType": "Type",
    "ImpossibleReason": "Why",
    "RecordEntryKind": "What",
    "RecordLine": "Line",
    "SignedAccount": "Told",
}
"""Names in the document of classes that were renamed in the code; generated clients name their types by them."""

_SECURITY_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: `key-..._<secret>`."},
    "browser": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "A token (ES256) of a browser that was enrolled at home.",
    },
}  # fmt: skip


class ApiDocument:
    """The document of an app's operations, made when it is first requested, so that it does not delay the start."""

    def __init__(self, app: FastAPI, *, url: str) -> None:
        self._app, self._url = app, url

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document: what FastAPI makes of the routes, with the problems' schema and the security schemes."""
        written = get_openapi(
            title="Perron hub", version=API_VERSION, routes=self._app.routes, servers=[{"url": self._url}],
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        )  # fmt: skip
        _, problems = models_json_schema([(Document, "serialization")], ref_template="#/components/schemas/{model}")
        components = written["components"]
        components["schemas"] = dict(sorted({**components["schemas"], **problems["$defs"]}.items()))
        components["securitySchemes"] = _SECURITY_SCHEMES
        named: dict[str, Any] = _with_public_names(written)
        return {"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema", **named}

    @cached_property
    def _serialized(self) -> tuple[bytes, str]:
        written = json.dumps(self.document).encode()
        return written, f'"{sha256(written).hexdigest()[:32]}"'

    def routes(self) -> list[PageRoute]:
        """Return the route that serves the document."""
        return [PageRoute("/openapi.json", self._serve)]

    async def _serve(self, request: Request) -> Response:
        written, tag = self._serialized
        known = {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}
        # It is cached, and validated by its tag.
        headers = {**COMMON_HEADERS, "Cache-Control": "no-cache", "ETag": tag}
        if known & {tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(written, headers=headers, media_type="application/json")


def _with_public_names(part: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    if isinstance(part, dict):
        return {PUBLIC_NAMES.get(key, key): _with_public_names(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_with_public_names(item) for item in part]
    if isinstance(part, str):
        place, slash, name = part.rpartition("/")
        return f"{place}{slash}{PUBLIC_NAMES.get(name, name)}"
    return part

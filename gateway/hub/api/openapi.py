"""Builds the API's OpenAPI 3.1 document from the operations and their models."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from gateway.hub.http.operation import ApiAccess, ApiOperation
from gateway.hub.http.problem import MEDIA_TYPE, Document

PUBLIC_NAMES: Mapping[str, str] = {
    "EventType": "Type",
    "ImpossibleReason": "Why",
    "RecordEntryKind": "What",
    "RecordLine": "Line",
    "SignedAccount": "Told",
}
"""Names in the document of classes that were renamed in the code; generated clients name their types by them."""

_SchemaRefs = Mapping[Any, dict[str, Any]]  # from (model, mode) to its reference


def document(operations: Sequence[ApiOperation], *, title: str, version: str, url: str) -> dict[str, Any]:
    """Return the OpenAPI document of these operations."""
    used: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Document, "serialization")]
    for operation in operations:
        inputs = (operation.body, operation.path_model, operation.query, operation.headers)
        used += [(model, "validation") for model in inputs if model is not None]
        used += [(operation.answer, "serialization")] if operation.answer is not None else []
    refs, whole = models_json_schema(list(dict.fromkeys(used)), ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = dict(whole.get("$defs", {}))
    no_body = {model for each in operations for model in (each.path_model, each.query, each.headers)}
    parameters = {ref["$ref"].rpartition("/")[2] for (model, _), ref in refs.items() if model in no_body}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, refs, schemas)
    written = {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": title, "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in parameters},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: `key-..._<secret>`."},
                "browser": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token (ES256) of a browser that was enrolled at home.",
                },
            },
        },
    }
    named: dict[str, Any] = _with_public_names(written)
    return named


def _with_public_names(part: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    if isinstance(part, dict):
        return {PUBLIC_NAMES.get(key, key): _with_public_names(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_with_public_names(item) for item in part]
    if isinstance(part, str):
        place, slash, name = part.rpartition("/")
        return f"{place}{slash}{PUBLIC_NAMES.get(name, name)}"
    return part


def _operation(operation: ApiOperation, refs: _SchemaRefs, schemas: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary, "tags": [operation.tag],
                             "responses": {}}  # fmt: skip
    if operation.right is not ApiAccess.NONE:
        entry["security"] = [{"browser" if operation.right is ApiAccess.BROWSER else "key": []}]
    parameters = [
        *_parameters(operation.path_model, "path", refs, schemas),
        *_parameters(operation.query, "query", refs, schemas),
        *_parameters(operation.headers, "header", refs, schemas),
    ]
    if operation.idempotency:
        parameters.append(
            {
                "name": "Idempotency-Key", "in": "header", "required": False,
                "description": "A repeated request with the same key and body within 24 h gets the same answer.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }
        )  # fmt: skip
    if parameters:
        entry["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": refs[operation.body, "validation"]}}
        entry["requestBody"] = {"required": not operation.optional_body, "content": content}
    response: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        response["content"] = {operation.media_type: {"schema": refs[operation.answer, "serialization"]}}
    if operation.links:
        response["links"] = {
            name: {"operationId": name, "parameters": dict(parameters)} for name, parameters in operation.links.items()
        }
    entry["responses"] |= {str(status): response for status in operation.statuses}
    problems = sorted(operation.problems, key=lambda code: (code.kind.status, code))
    for status, codes in groupby(problems, key=attrgetter("kind.status")):
        entry["responses"][str(int(status))] = {
            "description": "; ".join(f"`{code}`: {code.kind.title}" for code in codes),
            "content": {MEDIA_TYPE: {"schema": refs[Document, "serialization"]}},
        }
    return entry


def _parameters(
    model: type[BaseModel] | None, where: str, refs: _SchemaRefs, schemas: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = schemas[refs[model, "validation"]["$ref"].rpartition("/")[2]]
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": where, "required": where == "path" or name in required, "schema": part}
        for name, part in schema.get("properties", {}).items()
    ]

"""Says where an OpenAPI document no longer understands the clients of an earlier one.

jsoncompat decides whether a schema still takes what it took, or still gives what it gave; this module says which
schemas belong together. A request of an earlier client stays valid, and each answer and each webhook message is one
that the earlier document allows. Schemas without `additionalProperties: false` allow further fields.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Literal

import jsoncompat

from gateway.hub.api.openapi_schemas import SCHEMA_PATH, Schema, references, subschemas
from tests.api_documents import Document

Role = Literal["deserializer", "serializer"]

_IN_WORDS = ("description", "summary", "example", "examples")
_NO_PARAMETERS: Schema = {"type": "object", "additionalProperties": False}


def without_words(part: object) -> object:
    """Return a part of a document without what only people read; a field may still have such a name."""
    if isinstance(part, list):
        return [without_words(item) for item in part]
    if not isinstance(part, dict):
        return part
    found = {key: without_words(value) for key, value in part.items() if key not in _IN_WORDS}
    if isinstance(part.get("properties"), dict):
        found["properties"] = {name: without_words(value) for name, value in part["properties"].items()}
    return found


def breaks(released: Document, current: Document) -> Iterator[str]:
    """Yield what would break a client of the released document; nothing: all of them still work."""
    comparison = _Comparison(released, _with_released_events(released, current))
    yield from comparison.breaks("paths", takes="deserializer", gives="serializer")
    yield from comparison.breaks("webhooks", takes="serializer", gives="deserializer")


def _with_released_events(released: Document, current: Document) -> Document:
    """Return the current document with only those types of events that the released one has.

    docs/retailer/versioning.md: a new type of event is an addition, which a client ignores.
    """
    limited = deepcopy(current)
    known = {choice["$ref"] for choice in released["components"]["schemas"]["Event"]["oneOf"]}
    event = limited["components"]["schemas"]["Event"]
    event["oneOf"] = [choice for choice in event["oneOf"] if choice["$ref"] in known]
    return limited


class _Comparison:
    def __init__(self, released: Document, current: Document) -> None:
        self._released, self._current = released, current
        self._known: dict[tuple[str, str, Role], str | None] = {}

    def breaks(self, kind: str, *, takes: Role, gives: Role) -> Iterator[str]:
        """Yield the breaks of all operations of this kind. `takes`: of requests, `gives`: of answers."""
        for path, methods in self._released[kind].items():
            for method, old in methods.items():
                place, new = f"{method.upper()} {path}", self._current[kind].get(path, {}).get(method)
                if new is None:
                    yield f"{place}: the operation is gone"
                    continue
                yield from self._request_breaks(place, old, new, takes)
                for status, answer in old["responses"].items():
                    if status < "3" or status in new["responses"]:
                        found = new["responses"].get(status, {})
                        yield from self._content_breaks(f"{place} {status}", answer, found, gives)

    def _request_breaks(self, place: str, old: Schema, new: Schema, takes: Role) -> Iterator[str]:
        before, after = _parameters(old), _parameters(new)
        for where in sorted(before.keys() | after.keys()):
            schemas = (before.get(where, _NO_PARAMETERS), after.get(where, _NO_PARAMETERS))
            yield from self._schema_breaks(f"{place} {where}", *schemas, takes)
        yield from self._content_breaks(f"{place} body", old.get("requestBody", {}), new.get("requestBody", {}), takes)
        if new.get("requestBody", {}).get("required") and not old.get("requestBody", {}).get("required"):
            yield f"{place} body: it is required now"

    def _content_breaks(self, place: str, old: Schema, new: Schema, role: Role) -> Iterator[str]:
        for media_type, content in old.get("content", {}).items():
            found = new.get("content", {}).get(media_type)
            if found is None:
                yield f"{place}: {media_type} is gone"
            else:
                yield from self._schema_breaks(place, content["schema"], found["schema"], role)
        for name, header in old.get("headers", {}).items():
            if self._is_always_sent(header) and name not in new.get("headers", {}):
                yield f"{place}: the header {name} is gone"

    def _is_always_sent(self, header: Schema) -> bool:
        component = self._released["components"]["headers"][header["$ref"].rpartition("/")[2]]
        return bool(component.get("required", False))

    def _schema_breaks(self, place: str, old: Schema, new: Schema, role: Role) -> Iterator[str]:
        before, after = _standalone(self._released, old), _standalone(self._current, new)
        if before == after:
            return
        key = (before, after, role)
        if key not in self._known:
            found: Mapping[str, object] = jsoncompat.analyze_compat(before, after, role)
            why = found.get("counterexample_json", found.get("reason"))
            self._known[key] = None if found["status"] == "compatible" else str(why)
        if self._known[key] is not None:
            yield f"{place}: {self._known[key]}"


def _parameters(operation: Schema) -> dict[str, Schema]:
    """Return the parameters of a request as the schema of one object each for path, query and headers."""
    found: dict[str, Schema] = {}
    for parameter in operation.get("parameters", ()):
        part = found.setdefault(parameter["in"], {**_NO_PARAMETERS, "properties": {}, "required": []})
        part["properties"][parameter["name"]] = parameter["schema"]
        if parameter.get("required"):
            part["required"].append(parameter["name"])
    return found


def _standalone(document: Document, schema: Schema) -> str:
    """Return a schema and all schemas to which it refers as one JSON Schema."""
    schemas, found = document["components"]["schemas"], set[str]()
    waiting = list(references(schema))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references(schemas[name])
    whole = deepcopy({"$defs": {name: schemas[name] for name in sorted(found)}, **schema})
    for part in (whole, *whole["$defs"].values()):
        for each in subschemas(part):
            for key in [*each]:
                if key in {"discriminator", "x-extensible-enum"}:
                    del each[key]
    return json.dumps(without_words(whole)).replace(SCHEMA_PATH, "#/$defs/")

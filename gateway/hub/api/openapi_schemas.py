"""Changes the schemas of an OpenAPI document so that generators make good clients from them. Pure.

A schema of a request is strict, as the API is, and describes each default in its text: a generator that reads `default`
makes its field required. A schema of an answer is open, so that the API may add a field, and requires every field that
the hub always sends. An object of both requests and answers gets a second schema, `New...`, for requests.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from pydantic.config import JsonDict

Schema = dict[str, Any]

SCHEMA_PATH = "#/components/schemas/"

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE_SCHEMAS = ("items", "additionalProperties", "propertyNames", "not")


class Choice(NamedTuple):
    """One of the forms of a body. It has all fields of the body's model but `without`, and these are required."""

    name: str
    description: str
    required: tuple[str, ...]
    without: tuple[str, ...]


_CHOICES = "x-choices"  # of a schema: a list of `Choice`, of which each becomes a schema of its own


def choices(*forms: Choice) -> JsonDict:
    """Return what a model whose body has several forms adds to its schema (`json_schema_extra`)."""
    return {_CHOICES: [dict(form._asdict()) for form in forms]}


def subschemas(schema: Schema) -> Iterator[Schema]:
    """Yield a schema and every schema in it, without following references."""
    yield schema
    for part in schema.get("properties", {}).values():
        yield from subschemas(part)
    for key in _SCHEMA_LISTS:
        for part in schema.get(key, ()):
            yield from subschemas(part)
    for key in _SINGLE_SCHEMAS:
        if isinstance(schema.get(key), dict):
            yield from subschemas(schema[key])


def references(part: object) -> Iterator[str]:
    """Yield the name of each schema to which any part of a document refers."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(SCHEMA_PATH)
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def renamed(part: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any part of a JSON document
    """Return a part of a document whose references to schemas have their new names."""
    if isinstance(part, dict):
        return {
            key: _renamed_reference(value, names) if key == "$ref" else renamed(value, names)
            for key, value in part.items()
        }
    return [renamed(item, names) for item in part] if isinstance(part, list) else part


def _renamed_reference(reference: str, names: Mapping[str, str]) -> str:
    name = reference.removeprefix(SCHEMA_PATH)
    return SCHEMA_PATH + names.get(name, name) if reference.startswith(SCHEMA_PATH) else reference


def renamed_schemas(schemas: Mapping[str, Schema], names: Mapping[str, str]) -> dict[str, Schema]:
    """Return the schemas under their new names; ValueError: two would have the same name."""
    found: dict[str, Schema] = {}
    for name, schema in schemas.items():
        public = names.get(name, name)
        if public in found or "__" in public or "-" in public:
            raise ValueError(f"the schema {name} needs a public name of its own")
        found[public] = renamed(schema, names)
    return found


def with_choices(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the schemas; each that has several forms became the choice of these, which are schemas of their own."""
    found: dict[str, Schema] = {}
    for name, schema in schemas.items():
        whole = dict(schema)
        forms = [Choice(**choice) for choice in whole.pop(_CHOICES, ())]
        if not forms:
            found[name] = whole
            continue
        for choice in forms:
            fields = {field: deepcopy(part) for field, part in whole["properties"].items()}
            found[choice.name] = {
                **whole, "description": choice.description,
                "properties": {field: part for field, part in fields.items() if field not in choice.without},
                "required": [*whole.get("required", ()), *choice.required],
            }  # fmt: skip
        found[name] = {
            "description": whole["description"],
            "oneOf": [{"$ref": SCHEMA_PATH + choice.name} for choice in forms],
        }
    return found


def shape_schemas(document: Schema, *, partial: Collection[str]) -> None:
    """Make the schemas of requests strict and those of answers open, in place.

    `partial`: schemas of answers of which the hub leaves out members without a value. Schemas to which nothing refers
    are removed.
    """
    schemas: dict[str, Schema] = document["components"]["schemas"]
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    in_requests = _reachable((part.get("requestBody") for part in operations), schemas)
    in_answers = _reachable((part["responses"] for part in operations), schemas)
    in_answers |= _reachable((document.get("webhooks"),), schemas)
    shared = {name for name in in_requests & in_answers if _has_object(name, schemas)}
    copies = {name: f"New{name}" for name in sorted(shared)}
    if taken := set(copies.values()) & set(schemas):
        raise ValueError(f"schemas of requests have no free name: {taken}")
    for name in in_requests:
        of_request = renamed(deepcopy(schemas[name]), copies)
        schemas[copies.get(name, name)] = of_request
        for schema in subschemas(of_request):
            _word_default(schema)
    for operation in operations:
        if "requestBody" in operation:
            operation["requestBody"] = renamed(operation["requestBody"], copies)
    for name in in_answers - in_requests | shared:
        for schema in subschemas(schemas[name]):
            _open(schema, is_partial=name in partial)
    used = in_requests | in_answers | set(copies.values())
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used & schemas.keys())}
    for schema in document["components"]["schemas"].values():
        _tidy(schema)


def shape_parameters(operation: Schema) -> None:
    """Remove null and titles from the parameters of requests, because their text has neither."""
    for parameter in operation.get("parameters", ()):
        schema = _without_null(parameter["schema"])
        if schema.get("default", "") is None:
            del schema["default"]
        _tidy(schema)
        parameter["schema"] = schema


def _reachable(parts: Iterator[object] | tuple[object, ...], schemas: Mapping[str, Schema]) -> set[str]:
    """Return the names of all schemas to which these parts refer, directly or not."""
    found: set[str] = set()
    waiting = [name for part in parts for name in references(part)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references(schemas[name])
    return found


def _has_object(name: str, schemas: Mapping[str, Schema]) -> bool:
    reached = {name} | _reachable((schemas[name],), schemas)
    return any("properties" in part for each in reached for part in subschemas(schemas[each]))


def _word_default(schema: Schema) -> None:
    """Describe in words the default of each field of a request."""
    for part in schema.get("properties", {}).values():
        default = part.pop("default", None)
        if default is not None:
            text = f"Left out: `{json.dumps(default)}`."
            part["description"] = f"{part['description']} {text}" if "description" in part else text


def _open(schema: Schema, *, is_partial: bool) -> None:
    if schema.get("additionalProperties") is False:
        del schema["additionalProperties"]
    for part in schema.get("properties", {}).values():
        part.pop("default", None)
    if "properties" in schema and not is_partial:
        schema["required"] = list(schema["properties"])


def _without_null(schema: Schema) -> Schema:
    """Return the schema of the same values but null."""
    alternatives = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    if len(alternatives) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **alternatives[0]}


def _tidy(schema: Schema) -> None:
    """Remove titles, of which generators make names of types, and write whole bounds as integers."""
    for part in subschemas(schema):
        part.pop("title", None)
        for bound in _BOUNDS:
            if isinstance(part.get(bound), float) and part[bound].is_integer():
                part[bound] = int(part[bound])

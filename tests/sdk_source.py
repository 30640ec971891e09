"""Generates parts of the Python SDK from the hub's OpenAPI document: `make sdk` writes them.

datamodel-code-generator makes the models from a copy of the document without constraints: only the hub validates a
request, and a later hub may add values to its answers and types of events. This module itself writes the requests of
the operations.
"""

import json
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.api_documents import api_document

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "gateway" / "hub" / "sdk"

Schema = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
_BIN = Path(sys.executable).parent
_JUDGED_BY_THE_HUB = frozenset({
    "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "exclusiveMinimum", "exclusiveMaximum", "propertyNames", "title", "examples", "example",
    "x-extensible-enum",
})  # fmt: skip
_TEXT: Schema = {"type": "string"}
_NULL: Schema = {"type": "null"}
_MADE = "# Made from the hub's OpenAPI document by `make sdk`: do not edit.\n"


def make_sources(document: Schema) -> dict[str, str]:
    """Return the text of each made module, by the file's name."""
    operations = list(_operations(document))
    texts = {
        "models.py": make_models(document),
        "operations.py": _operations_module(operations),
        "methods.py": _methods_module(operations),
    }
    return {name: _formatted(_MADE + text) for name, text in texts.items()}


def make_models(document: Schema) -> str:
    """Return the module of the document's schemas."""
    schemas: Mapping[str, Schema] = document["components"]["schemas"]
    requests = _reachable(schemas, (entry.get("requestBody") for entry in _entries(document)))
    copies = {name: _copy(schema, schemas, is_open=name not in requests) for name, schema in schemas.items()}
    events = [option["$ref"] for option in copies["Event"]["oneOf"]]
    bodies = [entry["post"]["requestBody"]["content"] for entry in document["webhooks"].values()]
    messages = [body["application/json"]["schema"]["$ref"] for body in bodies]
    copies["OtherEvent"], copies["OtherMessage"] = _fallback(copies["PingEvent"]), _fallback(copies["PingMessage"])
    copies["Event"] = _choice(copies["Event"]["description"], [*events, f"{_SCHEMAS}OtherEvent"])
    copies["WebhookBody"] = _choice("The body of a webhook's message.", [*messages, f"{_SCHEMAS}OtherMessage"])
    head = {"openapi": "3.1.0", "info": document["info"], "paths": {}}
    text = _generate({**head, "components": {"schemas": copies}}, requests)
    enums = [name for name, schema in schemas.items() if "enum" in schema]
    return _with_known_values_first(text, enums)


def _entries(document: Schema) -> Iterator[Schema]:
    return (entry for methods in document["paths"].values() for entry in methods.values())


def _reachable(schemas: Mapping[str, Schema], parts: Iterable[object]) -> set[str]:
    """Return the names of all schemas to which these parts lead."""
    waiting, found = [name for part in parts for name in _references(part)], set[str]()
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += _references(schemas[name])
    return found


def _references(part: object) -> Iterator[str]:
    match part:
        case {"$ref": str(reference)}:
            yield reference.removeprefix(_SCHEMAS)
        case dict():
            for value in part.values():
                yield from _references(value)
        case list():
            for value in part:
                yield from _references(value)


def _copy(part: Any, schemas: Mapping[str, Schema], *, is_open: bool, is_field: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Return a part of a schema without what the hub judges; `is_open`: a value beside those of an enum is possible."""
    if isinstance(part, list):
        return [_copy(item, schemas, is_open=is_open) for item in part]
    if not isinstance(part, dict):
        return part
    judged = _JUDGED_BY_THE_HUB | ({"additionalProperties"} if part.get("additionalProperties") is False else set())
    copy = {key: value for key, value in part.items() if key not in judged}
    for key, value in copy.items():
        if key == "properties":
            copy[key] = {name: _copy(field, schemas, is_open=is_open, is_field=True) for name, field in value.items()}
        elif key != "const":
            copy[key] = _copy(value, schemas, is_open=is_open, is_field=key in ("items", "additionalProperties"))
    return _opened(copy, schemas) if is_open and is_field else copy


def _opened(field: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """Return the schema of a field of an answer, in which an enum may have a value that is not known yet."""

    def is_enum(schema: Schema) -> bool:
        return "enum" in schema or "enum" in schemas.get(str(schema.get("$ref", "")).removeprefix(_SCHEMAS), {})

    options = field.get("anyOf", [{key: value for key, value in field.items() if key != "description"}])
    if not any(map(is_enum, options)):
        return field
    told = {key: value for key, value in field.items() if key == "description"}
    known = [option for option in options if option != _NULL]
    return {"anyOf": [*known, _TEXT, *([_NULL] if _NULL in options else [])], **told}


def _fallback(event: Schema) -> Schema:
    properties = event["properties"] | {"type": _TEXT, "data": {"type": "object", "additionalProperties": True}}
    told = "An event of a type that this release of the SDK does not know."
    return {**event, "properties": properties, "description": told}


def _choice(description: str, references: Iterable[str]) -> Schema:
    return {"description": description, "anyOf": [{"$ref": reference} for reference in references]}


def _base(name: str, requests: Collection[str]) -> str:
    """Return which class of gateway/hub/sdk/model.py a model has as its base."""
    if name not in requests:
        return "AnswerModel"
    return "ChangeModel" if name.endswith("Change") else "RequestModel"


def _generate(document: Schema, requests: Collection[str]) -> str:
    schemas: Mapping[str, Schema] = document["components"]["schemas"]
    bases = {name: f"model.{_base(name, requests)}" for name, schema in schemas.items() if "properties" in schema}
    literals = {
        name: "literal"
        for schema in schemas.values() for field_name, field in schema.get("properties", {}).items()
        for name in (field_name, f"{field_name}_")  # a word of Python gets the underscore
        if "enum" in json.dumps(field)
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "document.json"), Path(folder, "models.py")
        source.write_text(json.dumps(document))
        subprocess.run([
            _BIN / "datamodel-codegen", "--input", source, "--input-file-type", "openapi", "--output", target,
            "--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11", "--use-annotated",
            "--use-standard-collections", "--use-union-operator", "--use-schema-description", "--use-field-description",
            "--use-specialized-enum", "--use-type-alias", "--capitalise-enum-members", "--disable-timestamp",
            "--output-datetime-class", "AwareDatetime", "--base-class", "model.AnswerModel",
            "--base-class-map", json.dumps(bases), "--enum-field-as-literal-map", json.dumps(literals),
            "--formatters", "builtin",
        ], check=True, capture_output=True)  # fmt: skip
        text = target.read_text(encoding="utf-8").partition("\n\n")[2]
    return text.replace("from model import", "from .model import")


def _with_known_values_first(text: str, enums: Collection[str]) -> str:
    """Have a value that an enum knows read as its member, and an event as the type that its `type` names."""
    first = "Field(union_mode='left_to_right')"
    fields = rf"(\b(?:{'|'.join(enums)}) \| str(?: \| None)?)(?=$|\])"
    text = re.sub(fields, rf"Annotated[\1, {first}]", text, flags=re.MULTILINE)
    unions = r'(TypeAliasType\(\s*"(?:Event|WebhookBody)",\s*)(.*?Other\w+)'
    return re.sub(unions, rf"\1Annotated[\2, {first}]", text, flags=re.DOTALL)


class _Operation:
    """One operation of the document, as Python."""

    def __init__(self, method: str, path: str, entry: Schema, schemas: Mapping[str, Schema]) -> None:
        self.method, self.path, self.id, self._entry = method.upper(), path, entry["operationId"], entry
        self.name = re.sub(r"(?<!^)(?=[A-Z])", "_", self.id).lower()
        self.answer = self._answer()
        body = entry.get("requestBody")
        self.body = None if body is None else _class_of(body["content"]["application/json"]["schema"])
        self._must_send = body is not None and body.get("required", False)
        said = schemas.get(self.body or "", {})
        self._may_be_empty = "properties" in said and not said.keys() & {"required", "minProperties"}
        self.query = [one for one in entry.get("parameters", ()) if one["in"] == "query"]
        self.takes_key = any(one["name"] == "Idempotency-Key" for one in entry.get("parameters", ()))
        page = schemas.get(self.answer or "", {}).get("properties", {})
        self.has_pages = any(one["name"] == "cursor" for one in self.query) and {"data", "next"} <= page.keys()

    def _answer(self) -> str | None:
        """Return the class of a good answer, None: it has no body."""
        good = [response for status, response in self._entry["responses"].items() if status.startswith("2")]
        contents = [response["content"]["application/json"]["schema"] for response in good if response.get("content")]
        classes = {_class_of(schema) for schema in contents}
        return classes.pop() if classes else None

    @property
    def signature(self) -> str:
        """The parameters, those of the path first."""
        parts = [f"{one['name']}: str" for one in self._entry.get("parameters", ()) if one["in"] == "path"]
        if self.body is not None:
            parts.append(f"body: {self.body}" + (" | None = None" if self._may_be_empty else ""))
        named = [_query_parameter(one) for one in sorted(self.query, key=lambda one: not one.get("required"))]
        if self.takes_key:
            named.append("idempotency_key: str | None = None")
        return ", ".join([*parts, *(["*", *named] if named else [])])

    @property
    def source(self) -> str:
        """The function that makes the request."""
        target = re.sub(r"\{(\w+)\}", r"{_segment(\1)}", self.path)
        reader = {None: "_nothing", "Event": "parse_event"}.get(self.answer, f"{self.answer}.model_validate_json")
        parts = [f'method="{self.method}"', f'path={"f" if target != self.path else ""}"{target}"', f"read={reader}"]
        if self.query:
            parts.append("query={" + ", ".join(f'"{one["name"]}": {one["name"]}' for one in self.query) + "}")
        if self.body is not None:
            parts.append(f"body=body or {self.body}()" if self._may_be_empty and self._must_send else "body=body")
        if self.takes_key:
            parts += ["takes_idempotency_key=True", "idempotency_key=idempotency_key"]
        if self.method == "POST" and self.name.startswith("read_"):
            parts.append("only_reads=True")
        lines = self._entry["description"].splitlines()
        docstring = textwrap.indent('"""' + "\n".join(lines) + ('\n"""' if len(lines) > 1 else '"""'), "    ")
        head = f"def {self.name}({self.signature}) -> ApiRequest[{self.answer}]:"
        return f"{head}\n{docstring}\n    return ApiRequest({', '.join(parts)})\n"


def _operations(document: Schema) -> Iterator[_Operation]:
    """Yield the operations whose answer is read whole: the stream of events has its own code in client.py."""
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            if entry["operationId"] != "followEvents":
                yield _Operation(method, path, entry, document["components"]["schemas"])


def _class_of(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(_SCHEMAS)


def _query_parameter(parameter: Schema) -> str:
    match parameter["schema"]:
        case {"$ref": str(reference)}:
            kind = reference.removeprefix(_SCHEMAS)
        case {"enum": list(values)}:
            kind = f"Literal[{', '.join(map(repr, values))}]"
        case {"format": "date-time"}:
            kind = "datetime"
        case {"type": str(name)}:
            kind = {"string": "str", "integer": "int", "boolean": "bool"}[name]
        case other:
            raise ValueError(f"{parameter['name']}: no Python type for {other}")
    return f"{parameter['name']}: {kind}" + ("" if parameter.get("required") else " | None = None")


def _operations_module(operations: Collection[_Operation]) -> str:
    text = "\n\n".join(one.source for one in operations)
    models = {name for one in operations for name in (one.answer, one.body) if name is not None}
    models |= {kind for one in operations for kind in re.findall(r": ([A-Z]\w+)\b", one.signature)} - {"Literal"}
    return f'''"""The request of each operation of the API: a function that returns it."""

from datetime import datetime
from typing import Literal
from urllib.parse import quote

from .events import parse_event
from .models import ({", ".join(sorted(models))})
from .request import ApiRequest


def _segment(value: str) -> str:
    return quote(value, safe="")


def _nothing(_body: bytes) -> None:
    return None


{text}
'''


def _methods_module(operations: Collection[_Operation]) -> str:
    lines = []
    for one in operations:
        lines.append(f"    {one.name} = Operation(operations.{one.name})")
        if one.has_pages:
            lines.append(f"    iterate_{one.name.partition('_')[2]} = Pages(operations.{one.name})")
    return f'''"""The operations of the API as methods of a client."""

from . import operations
from .operation import Operation, Pages


class ApiMethods:
    """A method for each operation; `iterate_...` goes through all pages of a list."""

{chr(10).join(lines)}
'''


def _formatted(text: str) -> str:
    """Return the text as this repository writes Python."""
    text = _ruff(text, "check", "--quiet", "--isolated", "--select", "I,F401", "--fix", "-")
    return _ruff(text, "format", "--isolated", "--line-length", "120", "-")


def _ruff(text: str, *arguments: str) -> str:
    command = [str(_BIN / "ruff"), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def main() -> None:
    """Write the modules."""
    for name, text in make_sources(api_document()).items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

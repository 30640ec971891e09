"""Builds the rows of the API's manual from its OpenAPI document. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_AUTHENTICATION_TEXTS = {
    "": "no key",
    "key": "a key",
    "browser": "the token of a household's browser",
}  # by security scheme
_METHODS = ("get", "post", "put", "patch", "delete")
_BOUND_TEXTS = (
    ("minimum", "at least {}"), ("maximum", "at most {}"), ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"), ("minItems", "at least {}"), ("maxItems", "at most {}"),
    ("pattern", "matches {}"), ("default", "left out: {}"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ManualText:
    """A piece of a type's description; `shape` is the name of the schema that it links to."""

    text: str
    shape: str | None = None


@dataclass(frozen=True, slots=True)
class ManualField:
    """One field or parameter. `where`: path, query or header; empty in a body."""

    name: str
    parts: tuple[ManualText, ...]
    required: bool
    bounds: tuple[str, ...]
    about: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class ManualSchema:
    """A schema: its fields, or `parts` if it has none."""

    name: str
    about: str
    fields: tuple[ManualField, ...]
    parts: tuple[ManualText, ...]


@dataclass(frozen=True, slots=True)
class ManualResponse:
    """One successful response."""

    status: str
    parts: tuple[ManualText, ...]


@dataclass(frozen=True, slots=True)
class ManualOperation:
    """One operation as the manual shows it."""

    id: str
    method: str
    path: str
    summary: str
    authentication: str
    parameters: tuple[ManualField, ...]
    body: tuple[ManualText, ...]
    answers: tuple[ManualResponse, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManualChapter:
    """The operations of one tag, in the document's order."""

    tag: str
    operations: tuple[ManualOperation, ...]


def read_chapters(document: Mapping[str, Any]) -> tuple[ManualChapter, ...]:
    """Return all operations by tag."""
    found: dict[str, list[ManualOperation]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                one = methods[method]
                found.setdefault(one["tags"][0], []).append(_read_operation(method, path, one))
    return tuple(ManualChapter(tag, tuple(several)) for tag, several in found.items())


def read_schemas(document: Mapping[str, Any]) -> tuple[ManualSchema, ...]:
    """Return all schemas by name."""
    return tuple(_read_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))


def _read_operation(method: str, path: str, one: Mapping[str, Any]) -> ManualOperation:
    good = {status: answer for status, answer in one["responses"].items() if status < "300"}
    codes = {code for answer in one["responses"].values() for code in _problem_codes(answer)}
    return ManualOperation(
        id=one["operationId"],
        method=method.upper(),
        path=path,
        summary=one["summary"],
        authentication=_AUTHENTICATION_TEXTS["/".join(scheme for need in one.get("security", ()) for scheme in need)],
        parameters=tuple(_read_parameter(parameter) for parameter in one.get("parameters", ())),
        body=_content_type(one.get("requestBody", {})),
        answers=tuple(ManualResponse(status, _content_type(answer)) for status, answer in good.items()),
        problems=tuple(sorted(codes)),
    )


def _problem_codes(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the stable codes of a response, which its description names as `code`."""
    if "application/problem+json" in answer.get("content", {}):
        yield from (part.partition("`")[0] for part in answer["description"].split("`")[1::2])


def _content_type(answer: Mapping[str, Any]) -> tuple[ManualText, ...]:
    for content in answer.get("content", {}).values():
        return _type_texts(content["schema"])
    return ()


def _read_parameter(parameter: Mapping[str, Any]) -> ManualField:
    schema = parameter["schema"]
    about = parameter.get("description", schema.get("description", ""))
    return ManualField(
        parameter["name"],
        _type_texts(schema),
        parameter["required"],
        _bound_texts(schema),
        about,
        where=parameter["in"],
    )


def _read_schema(name: str, schema: Mapping[str, Any]) -> ManualSchema:
    required = set(schema.get("required", ()))
    fields = tuple(
        ManualField(field, _type_texts(part), field in required, _bound_texts(part), part.get("description", ""))
        for field, part in schema.get("properties", {}).items()
    )
    return ManualSchema(name, schema.get("description", ""), fields, () if fields else _type_texts(schema))


def _type_texts(schema: Mapping[str, Any]) -> tuple[ManualText, ...]:
    """Describe a schema's type; a schema of its own is linked."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (ManualText(name, name),)
    for several in ("anyOf", "oneOf"):
        if several in schema and "type" not in schema:
            return _joined_with_or([_type_texts(one) for one in schema[several]])
    if "const" in schema:
        return (ManualText(f'"{schema["const"]}"'),)
    if "enum" in schema:
        return (ManualText(" or ".join(f'"{one}"' for one in schema["enum"])),)
    if schema.get("type") == "array":
        return (ManualText("list of "), *_type_texts(schema.get("items", {})))
    kind = schema.get("type", "anything")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return (ManualText(f"{words} ({schema['format']})" if "format" in schema else words),)


def _joined_with_or(several: list[tuple[ManualText, ...]]) -> tuple[ManualText, ...]:
    found: list[ManualText] = []
    for parts in several:
        found += [ManualText(" or "), *parts] if found else parts
    return tuple(found)


def _bound_texts(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Describe the bounds of a value; alternatives list each one's bounds."""
    inner = [_bound_texts(one) for one in schema.get("anyOf", ())]
    own = [said.format(schema[word]) for word, said in _BOUND_TEXTS if schema.get(word) is not None]
    return tuple(dict.fromkeys([bound for bounds in inner for bound in bounds] + own))

"""The API's document, read for people. Pure: it makes rows of a page from the document of `hub/api/openapi.py`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NEEDS = {"": "no key", "key": "a key", "browser": "the token of a household's browser"}  # by security scheme
_METHODS = ("get", "post", "put", "patch", "delete")
_BOUNDS = (
    ("minimum", "at least {}"), ("maximum", "at most {}"), ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"), ("minItems", "at least {}"), ("maxItems", "at most {}"),
    ("pattern", "matches {}"), ("default", "left out: {}"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a type's words; `shape` is the name of the shape that it leads to."""

    text: str
    shape: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field or parameter. `where`: path, query or header; empty in a body."""

    name: str
    parts: tuple[Part, ...]
    required: bool
    bounds: tuple[str, ...]
    about: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands in a body. Without fields it is `parts`."""

    name: str
    about: str
    fields: tuple[Field, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer."""

    status: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """One operation, as it is told."""

    id: str
    method: str
    path: str
    summary: str
    needs: str
    parameters: tuple[Field, ...]
    body: tuple[Part, ...]
    answers: tuple[Answer, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """Operations about one thing, in the document's order."""

    tag: str
    operations: tuple[Told, ...]


def chapters(document: Mapping[str, Any]) -> tuple[Chapter, ...]:
    """Read all operations, by what they are about."""
    found: dict[str, list[Told]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                one = methods[method]
                found.setdefault(one["tags"][0], []).append(_told(method, path, one))
    return tuple(Chapter(tag, tuple(several)) for tag, several in found.items())


def shapes(document: Mapping[str, Any]) -> tuple[Shape, ...]:
    """Read all shapes, by name."""
    return tuple(_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))


def _told(method: str, path: str, one: Mapping[str, Any]) -> Told:
    good = {status: answer for status, answer in one["responses"].items() if status < "300"}
    codes = {code for answer in one["responses"].values() for code in _codes(answer)}
    return Told(
        id=one["operationId"],
        method=method.upper(),
        path=path,
        summary=one["summary"],
        needs=_NEEDS["/".join(scheme for need in one.get("security", ()) for scheme in need)],
        parameters=tuple(_parameter(parameter) for parameter in one.get("parameters", ())),
        body=_content(one.get("requestBody", {})),
        answers=tuple(Answer(status, _content(answer)) for status, answer in good.items()),
        problems=tuple(sorted(codes)),
    )


def _codes(answer: Mapping[str, Any]) -> Iterator[str]:
    """The stable codes that an answer can have: its description names each as `code`."""
    if "application/problem+json" in answer.get("content", {}):
        yield from (part.partition("`")[0] for part in answer["description"].split("`")[1::2])


def _content(answer: Mapping[str, Any]) -> tuple[Part, ...]:
    for content in answer.get("content", {}).values():
        return _parts(content["schema"])
    return ()


def _parameter(parameter: Mapping[str, Any]) -> Field:
    schema = parameter["schema"]
    about = parameter.get("description", schema.get("description", ""))
    return Field(
        parameter["name"], _parts(schema), parameter["required"], _bounds(schema), about, where=parameter["in"]
    )


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    required = set(schema.get("required", ()))
    fields = tuple(
        Field(field, _parts(part), field in required, _bounds(part), part.get("description", ""))
        for field, part in schema.get("properties", {}).items()
    )
    return Shape(name, schema.get("description", ""), fields, () if fields else _parts(schema))


def _parts(schema: Mapping[str, Any]) -> tuple[Part, ...]:
    """Say a schema's type in words; a shape of its own is named."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (Part(name, name),)
    for several in ("anyOf", "oneOf"):
        if several in schema and "type" not in schema:
            return _joined([_parts(one) for one in schema[several]])
    if "const" in schema:
        return (Part(f'"{schema["const"]}"'),)
    if "enum" in schema:
        return (Part(" or ".join(f'"{one}"' for one in schema["enum"])),)
    if schema.get("type") == "array":
        return (Part("list of "), *_parts(schema.get("items", {})))
    kind = schema.get("type", "anything")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return (Part(f"{words} ({schema['format']})" if "format" in schema else words),)


def _joined(several: list[tuple[Part, ...]]) -> tuple[Part, ...]:
    found: list[Part] = []
    for parts in several:
        found += [Part(" or "), *parts] if found else parts
    return tuple(found)


def _bounds(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """What a value is held to. Of several kinds of value each one's bounds stand there, and null has none."""
    inner = [_bounds(one) for one in schema.get("anyOf", ())]
    own = [said.format(schema[word]) for word, said in _BOUNDS if schema.get(word) is not None]
    return tuple(dict.fromkeys([bound for bounds in inner for bound in bounds] + own))

"""Reads the API's OpenAPI document for the templates of the manual. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Schema = Mapping[str, Any]

# By security scheme.
_AUTHENTICATION_TEXTS = {"": "no key", "key": "a key", "browser": "the token of a household's browser"}
_METHODS = ("get", "post", "put", "patch", "delete")
_BOUND_TEXTS = (
    ("minimum", "at least {}"), ("maximum", "at most {}"), ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"), ("minItems", "at least {}"), ("maxItems", "at most {}"),
    ("pattern", "matches {}"), ("default", "left out: {}"),
)  # fmt: skip


class ManualText(NamedTuple):
    """A piece of a type's description; `shape` is the name of the schema that it links to."""

    text: str
    shape: str | None = None


class ManualOperation(NamedTuple):
    """One operation: `method` and `path`, and what the document says of it."""

    method: str
    path: str
    entry: Mapping[str, Any]

    @property
    def authentication(self) -> str:
        """What a request needs, in words."""
        schemes = [scheme for need in self.entry.get("security", ()) for scheme in need]
        return _AUTHENTICATION_TEXTS["/".join(schemes)]

    @property
    def answers(self) -> dict[str, Any]:
        """The successful responses by status."""
        return {status: answer for status, answer in self.entry["responses"].items() if status < "300"}

    @property
    def problems(self) -> list[str]:
        """The stable codes of the other responses, whose descriptions name them as `code`."""
        return sorted(
            code
            for answer in self.entry["responses"].values()
            if "application/problem+json" in answer.get("content", {})
            for code in answer["description"].split("`")[1::2]
        )


def read_chapters(document: Mapping[str, Any]) -> dict[str, list[ManualOperation]]:
    """Return all operations by tag, in the document's order."""
    chapters: dict[str, list[ManualOperation]] = {}
    for path, methods in document["paths"].items():
        for method in filter(methods.__contains__, _METHODS):
            entry = methods[method]
            chapters.setdefault(entry["tags"][0], []).append(ManualOperation(method.upper(), path, entry))
    return chapters


def fields_of(schema: Schema) -> list[dict[str, Any]]:
    """Return the fields of a schema in the form in which the document has parameters."""
    required = set(schema.get("required", ()))
    fields = schema.get("properties", {}).items()
    return [{"name": name, "schema": part, "required": name in required} for name, part in fields]


def content_type(answer: Mapping[str, Any]) -> Sequence[ManualText]:
    """Describe the type of a body or a response; it is empty if there is none."""
    return next((type_texts(content["schema"]) for content in answer.get("content", {}).values()), ())


def example_texts(part: Mapping[str, Any]) -> list[str]:
    """Return the examples of a body or a response as indented JSON; a text, as a stream is, stays as it is."""
    contents = part.get("content", {}).values()
    values = [each["value"] for content in contents for each in content.get("examples", {}).values()]
    return [each if isinstance(each, str) else json.dumps(each, indent=2, ensure_ascii=False) for each in values]


def type_texts(schema: Schema) -> list[ManualText]:
    """Describe a schema's type; a schema of its own is linked."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [ManualText(name, name)]
    for several in ("anyOf", "oneOf"):
        if several in schema and "type" not in schema:
            first, *others = map(type_texts, schema[several])
            return first + [text for other in others for text in (ManualText(" or "), *other)]
    if "const" in schema:
        return [ManualText(f'"{schema["const"]}"')]
    if "enum" in schema:
        return [ManualText(" or ".join(f'"{value}"' for value in schema["enum"]))]
    if schema.get("type") == "array":
        return [ManualText("list of "), *type_texts(schema.get("items", {}))]
    kind = schema.get("type", "anything")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return [ManualText(f"{words} ({schema['format']})" if "format" in schema else words)]


def bound_texts(schema: Schema) -> list[str]:
    """Describe the bounds of a value; alternatives list each one's bounds."""

    def bounds() -> Iterator[str]:
        for alternative in schema.get("anyOf", ()):
            yield from bound_texts(alternative)
        for keyword, text in _BOUND_TEXTS:
            if schema.get(keyword) is not None:
                yield text.format(schema[keyword])

    return list(dict.fromkeys(bounds()))

"""Builds the JSON schema of a configuration file, and from it a reference page in Markdown: one table for each section.

Each description of the schema ends with unit and default.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = Mapping[str, Any]

HEAD = "| Key | Type | Unit | Default | Description |\n| --- | --- | --- | --- | --- |"
NAMES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "less than"}
PAGE = """\
# `{name}.yaml`

<!-- `make reference` writes this page from the models in gateway/. Change it there. -->

{description}

Unknown keys are refused, with line and column. Relative paths begin at the folder of the file.

An editor shows these descriptions while you type, and marks mistakes, if it has a YAML language server. It finds the
schema by the first line of the file and needs no internet:

```yaml
# yaml-language-server: $schema={name}.schema.json
```

`perron schema {name} > {name}.schema.json` writes that schema beside the file. Repeat it after an update of Perron.
`perron schema {name} --markdown` prints this page.

{sections}
"""


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of the file that `model` reads, as editors and `page` take it."""
    schema = model.model_json_schema(schema_generator=_SchemaWithTexts)
    for section in (schema, *schema.get("$defs", {}).values()):
        for key in section.get("properties", {}).values():
            _explain(key)
    return {"$schema": DIALECT, **schema}


class _SchemaWithTexts(GenerateJsonSchema):
    """Describes each field with the text below it in the source; pydantic itself would read that at each start."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        section = super().model_schema(schema)
        texts = field_texts(schema["cls"])
        for name, key in section["properties"].items():
            if name in texts:
                key["description"] = texts[name]
        return section


def field_texts(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the text below each field of a model, in its class or in one above it."""
    texts: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if kind is BaseModel or not issubclass(kind, BaseModel) or "[" in kind.__name__:  # its base has the source
            continue
        statements = [one for found in ast.parse(inspect.getsource(kind)).body for one in ast.iter_child_nodes(found)]
        for one, following in pairwise(statements):
            match one, following:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    texts[name] = inspect.cleandoc(text)
    return texts


def _explain(key: dict[str, Any]) -> None:
    """Split the text of a field, `Title: description.`, and add unit and default from the schema."""
    title, _, text = " ".join(key.get("description", "").split()).partition(": ")
    unit, default = unit_of(key), yaml_text(key.get("default"))
    parts = [text[:1].upper() + text[1:], f"Unit: {unit}." if unit else "", f"Default: {default}." if default else ""]
    key.update(title=title, description=" ".join(part for part in parts if part))


def unit_of(key: Mapping[str, Any]) -> str:
    """Return the unit of a number; empty for other keys."""
    return next((str(option["x-unit"]) for option in (key, *key.get("anyOf", ())) if "x-unit" in option), "")


def yaml_text(default: object) -> str:
    """Return a default as YAML text; an empty text for no default and for a section, whose keys have defaults."""
    match default:
        case None | "" | dict() | []:
            return ""
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case list():
            return f"[{', '.join(yaml_text(value) for value in default)}]"
        case _:
            return str(default)


def page(name: str, schema: Schema) -> str:
    """Write the page of `home`, `guard` or `hub`; `schema` comes from `schema_of`."""
    sections = "\n\n".join(_Page(schema.get("$defs", {})).section("", schema))
    return PAGE.format(name=name, description=_one_line(schema["description"]), sections=sections)


class _Page:
    """One page. A section that is used in several places is written at the first; the others link to it."""

    def __init__(self, definitions: Schema) -> None:
        self._definitions = definitions
        self._places: dict[str, str] = {}

    def section(self, path: str, section: Schema) -> Iterator[str]:
        """Yield a section, then the sections in it; `path` is its dotted path, empty for the file."""
        yield f"{'#' * (2 + path.count('.'))} {path}" if path else "## The file"
        if path:
            yield _one_line(section["description"])
        inner = {name: self._inner(f"{path}.{name}".lstrip("."), key) for name, key in section["properties"].items()}
        new = [(name, place, ref) for name, found in inner.items() for place, ref in found if ref not in self._places]
        self._places |= {ref: place for _, place, ref in reversed(new)}
        rows = (self._row(section, name, key, inner[name]) for name, key in section["properties"].items())
        yield "\n".join([HEAD, *rows])
        for name, place, ref in new:
            if self._places[ref] == place:
                key = section["properties"][name]
                if len(inner[name]) > 1 and (place, ref) == inner[name][0]:
                    yield f"{'#' * (2 + path.count('.'))} {name}"
                    yield key["description"]
                yield from self.section(place, self._definitions[ref])

    def _inner(self, place: str, key: Schema) -> Sequence[tuple[str, str]]:
        refs = [ref for value in _alternatives(key) for option in value.get("oneOf", (value,)) if (ref := _ref(option))]
        refs = [ref for ref in refs if "properties" in self._definitions[ref]]
        if len(refs) == 1:
            return [(place, refs[0])]
        return [(f"{place}.{self._definitions[ref]['properties']['kind']['const']}", ref) for ref in refs]

    def _row(self, section: Schema, name: str, key: Schema, inner: Sequence[tuple[str, str]]) -> str:
        type_ = self._link(name, key, inner) if inner else self._type(key)
        default = "required" if name in section.get("required", ()) else self._default(key, inner)
        # The description of the schema ends with unit and default, for editors: here they have columns.
        text = key["description"].partition(" Unit: ")[0].partition(" Default: ")[0]
        cells = (f"`{name}`", type_, unit_of(key), default, f"**{key['title']}.** {text}")
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    def _link(self, name: str, key: Schema, inner: Sequence[tuple[str, str]]) -> str:
        place, ref = inner[0]
        where = name if len(inner) > 1 else self._places[ref]
        like = "like " if where not in (name, place) else ""
        each = " for each id" if key.get("type") == "object" else " for each item" if key.get("type") == "array" else ""
        return f"section {like}[{where}](#{where.replace('.', '')}){each}"

    def _default(self, key: Schema, inner: Sequence[tuple[str, str]]) -> str:
        default = key.get("default")
        if isinstance(default, dict) and inner:
            own = self._definitions[inner[0][1]]["properties"]
            other = [
                f"{name}: {yaml_text(value)}" for name, value in default.items() if value != own[name].get("default")
            ]
            default = f"{{{', '.join(other)}}}" if other else ""
        return f"`{text}`" if (text := yaml_text(default)) else ""

    def _type(self, key: Schema) -> str:
        types = dict.fromkeys(self._one_type(value) for value in _alternatives(key) if value.get("type") != "null")
        return " or ".join(types)

    def _one_type(self, one: Schema) -> str:
        match one:
            case {"$ref": ref}:
                return self._one_type(self._definitions[ref.rpartition("/")[2]])
            case {"const": value}:
                return f"`{value}`"
            case {"enum": values}:
                return ", ".join(f"`{value}`" for value in values)
            case {"prefixItems": items}:
                return f"list of {len(items)} numbers"
            case {"type": "array", "items": items}:
                return f"list of {self._one_type(items)}"
            case {"type": "object"}:
                return "texts by name"
            case {"format": "path"}:
                return "path"
            case _:
                bounds = [f"{words} {one[word]:,}" for word, words in BOUNDS.items() if word in one]
                return ", ".join([NAMES[one["type"]], *bounds]).replace(".0,", ",")


def _alternatives(key: Schema) -> Sequence[Schema]:
    """Return the possible values: the options of a choice, or the values of a mapping or list of sections."""
    if "anyOf" in key:
        return list(key["anyOf"])
    patterns = iter(key.get("patternProperties", {}).values())
    held = next((values for values in (key.get("additionalProperties"), *patterns, key.get("items")) if values), key)
    return [held] if isinstance(held, dict) and ("$ref" in held or "oneOf" in held) else [key]


def _ref(option: Schema) -> str:
    return str(option.get("$ref", "")).rpartition("/")[2]


def _one_line(text: str) -> str:
    return " ".join(text.split())

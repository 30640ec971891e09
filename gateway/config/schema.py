"""Builds the JSON schema of a configuration file; each description ends with unit and default."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of the file that `model` reads, as editors and `gateway.config.reference` take it."""
    schema = model.model_json_schema()
    for section in (schema, *schema.get("$defs", {}).values()):
        for key in section.get("properties", {}).values():
            _explain(key)
    return {"$schema": DIALECT, **schema}


def _explain(key: dict[str, Any]) -> None:
    """Split the text of a field, `Title: description.`, and add unit and default from the schema."""
    title, _, text = " ".join(key.get("description", "").split()).partition(": ")
    unit, default = unit_of(key), yaml_text(key.get("default"))
    parts = [text[:1].upper() + text[1:], f"Unit: {unit}." if unit else "", f"Default: {default}." if default else ""]
    key.update(title=title, description=" ".join(part for part in parts if part))


def unit_of(key: Mapping[str, Any]) -> str:
    """Return the unit of a number; empty for other keys."""
    return next((str(one["x-unit"]) for one in (key, *key.get("anyOf", ())) if "x-unit" in one), "")


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
            return f"[{', '.join(yaml_text(one) for one in default)}]"
        case _:
            return str(default)

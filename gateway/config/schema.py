"""The JSON schema of a configuration file: each key with a title and a description that ends with unit and default."""

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
    """Divide what the model says of a field, `Title: description.`, and add what the schema knows besides."""
    title, _, text = " ".join(key.get("description", "").split()).partition(": ")
    unit, default = unit_of(key), yaml_text(key.get("default"))
    parts = [text[:1].upper() + text[1:], f"Unit: {unit}." if unit else "", f"Default: {default}." if default else ""]
    key.update(title=title, description=" ".join(part for part in parts if part))


def unit_of(key: Mapping[str, Any]) -> str:
    """Return the unit of a number; empty where the key is none."""
    return next((str(one["x-unit"]) for one in (key, *key.get("anyOf", ())) if "x-unit" in one), "")


def yaml_text(default: object) -> str:
    """Write a default as YAML has it; empty where there is none, or where a section has its own."""
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

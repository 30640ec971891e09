"""Each key of the three configuration files is explained, in the schema and on its reference page."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
from pydantic import BaseModel, TypeAdapter

from devices.vendors.definition import COMMAND_HOLD_S, ZIGBEE_COMMAND_HOLD_S
from gateway.cli.schema import ConfigFile, json_schema
from gateway.config.schema import field_texts, page, schema_of, yaml_text
from gateway.domain.timing import Timing
from gateway.hub import config as hub
from gateway.integrations.lock_guard import file as guard
from gateway.system.config_section import ConfigSection
from gateway.system.located_yaml import parse_yaml

ROOT = Path(__file__).parents[3]
FILES = list(ConfigFile)

Key = tuple[str, dict[str, Any]]


def keys(file: ConfigFile) -> Iterator[Key]:
    """Each key of each section, at any depth."""
    whole = json_schema(file)
    for name, section in {"": whole, **whole["$defs"]}.items():
        yield from ((f"{name}.{key}", said) for key, said in section.get("properties", {}).items())


def numbers(key: dict[str, Any]) -> bool:
    return any(one.get("type") in ("number", "integer") for one in (key, *key.get("anyOf", ())))


def whole(key: dict[str, Any]) -> bool:
    """A title of its own, and a description in whole sentences."""
    title, said = key["title"], key["description"]
    sentences = said[:1] in "`0" or said[:1].isupper()
    return (
        bool(re.fullmatch(r"[A-Z0-9][^.:`]{1,40}", title)) and sentences and said.endswith(".") and said.count(" ") > 2
    )


def agrees(key: dict[str, Any]) -> bool:
    """The default that a description names is the model's, and no text names one by hand."""
    before, _, told = key["description"].partition("Default: ")
    return told.removesuffix(".") == yaml_text(key.get("default")) and "default" not in before.lower()


@pytest.mark.parametrize("file", FILES)
def test_each_key_has_a_title_and_a_description_with_its_unit_and_its_default(file: ConfigFile) -> None:
    known = dict(keys(file))
    assert len(known) > 10
    assert [name for name, key in known.items() if not whole(key)] == []
    assert [name for name, key in known.items() if ("Unit: " in key["description"]) != numbers(key)] == []
    assert [name for name, key in known.items() if not agrees(key)] == []


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for inner in model.__subclasses__():
        yield from sections(inner)


def test_each_example_may_stand_in_the_file() -> None:
    found = 0
    models: list[type[BaseModel]] = [*dict.fromkeys(sections(ConfigSection)), Timing]
    for model in models:
        for name, text in field_texts(model).items():
            for example in re.findall(r"Example:\s`([^`]+)`", text):
                field = model.model_fields[name]
                value = parse_yaml(example)
                as_written = value if isinstance(value, dict | list) else example
                kind: Any = Annotated[field.annotation, "", *field.metadata]
                TypeAdapter(kind).validate_python(as_written)
                found += 1
    assert found > 30


def test_the_hold_of_each_vendor_is_told_as_it_is() -> None:
    told = dict(keys(ConfigFile.HOME))["LockDevice.command_hold"]["description"]
    assert f"{ZIGBEE_COMMAND_HOLD_S:g} seconds for `zigbee2mqtt` and `guard`, {COMMAND_HOLD_S:g} seconds" in told


@pytest.mark.parametrize("file", FILES)
def test_the_schema_is_one(file: ConfigFile) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(file))


def test_guard_and_hub_have_schemas_of_their_own() -> None:
    assert json_schema(ConfigFile.GUARD) == schema_of(guard.GuardFile)
    assert json_schema(ConfigFile.HUB) == schema_of(hub.HubFile)


@pytest.mark.parametrize("file", FILES)
def test_the_reference_page_is_up_to_date(file: ConfigFile) -> None:
    at = ROOT / "docs" / "reference" / f"{file}-yaml.md"
    assert at.read_text(encoding="utf-8") == page(file, json_schema(file)), "say `make reference`"


@pytest.mark.parametrize("file", FILES)
def test_each_section_stands_once_on_its_page_and_each_link_leads_to_one(file: ConfigFile) -> None:
    text = page(file, json_schema(file))
    heads = re.findall(r"^##+ (.+)$", text, flags=re.MULTILINE)
    assert len(heads) == len(set(heads))
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= {head.replace(".", "") for head in heads}
    sections_of_it = [said for said in json_schema(file)["$defs"].values() if "properties" in said]
    assert text.count("| Key |") == 1 + len(sections_of_it)


@pytest.mark.slow
def test_make_says_how_to_write_them_anew() -> None:
    told = subprocess.run(["make", "-n", "reference"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - whichever make there is
    assert "schema $name --markdown" in told.stdout

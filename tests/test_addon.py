"""The Home Assistant add-on is described as Supervisor reads it; `make test-image` builds and runs it.

Supervisor is not published as a package. What it accepts is written down here from its own source,
home-assistant/supervisor, supervisor/addons/validate.py (commit 00788af8) and options.py: it drops keys that it does
not know, so an unknown key is a fault here.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
ADDON = ROOT / "config" / "homeassistant-addon"
IMAGE_NAME = r"^([a-zA-Z\-.:\d{}]+/)*?([\-\w{}]+)/([\-\w{}]+)(:[.\-\w{}]+)?$"
OPTION = r"^(bool|email|url|port|device|str|password|int|float|match\(.+\)|list\(.+\))(\(\d*,\d*\))?\??$"
FLAG = {"type": "boolean"}
TEXT = {"type": "string", "minLength": 1}
CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "version", "slug", "description", "arch"],
    "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "version": TEXT,
        "slug": {"type": "string", "pattern": r"^[-_.A-Za-z0-9]+$"},
        "description": TEXT,
        "arch": {"type": "array", "minItems": 1, "items": {"enum": ["amd64", "aarch64"]}},
        "startup": {"enum": ["initialize", "system", "services", "application", "once"]},
        "boot": {"enum": ["auto", "manual", "manual_only"]},
        "init": FLAG,
        "host_network": FLAG,
        "ports": {"type": "object", "patternProperties": {r"^\d+(-\d+)?(/tcp|/udp)?$": {"type": ["integer", "null"]}},
                  "additionalProperties": False},
        "ports_description": {"type": "object", "additionalProperties": TEXT},
        "webui": {"type": "string", "pattern": r"^(?:https?|\[PROTO:\w+\])://\[HOST\]:\[PORT:\d+\].*$"},
        "map": {"type": "array", "items": {
            "type": "object", "required": ["type"], "additionalProperties": False,
            "properties": {
                "type": {"enum": ["data", "ssl", "backup", "share", "media", "homeassistant_config",
                                  "all_addon_configs", "addon_config"]},
                "read_only": FLAG,
                "path": TEXT,
            }}},
        "backup": {"enum": ["hot", "cold"]},
        "timeout": {"type": "integer", "minimum": 10, "maximum": 300},
        "options": {"type": "object"},
        "schema": {"type": "object", "additionalProperties": {"type": "string", "pattern": OPTION}},
    },
}  # fmt: skip
BUILD_SCHEMA = {
    "type": "object",
    "required": ["build_from"],
    "additionalProperties": False,
    "properties": {"build_from": {"type": "object", "additionalProperties": {"type": "string", "pattern": IMAGE_NAME}}},
}
TRANSLATION_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "configuration": {"type": "object", "additionalProperties": {
            "type": "object", "required": ["name", "description"], "additionalProperties": False,
            "properties": {"name": TEXT, "description": TEXT}}},
        "network": {"type": "object", "additionalProperties": TEXT},
    },
}  # fmt: skip


def read(name: str) -> Any:  # noqa: ANN401 - what a YAML file says
    return YAML(typ="safe").load(ADDON / name)


def test_supervisor_accepts_its_configuration() -> None:
    jsonschema.validate(read("config.yaml"), CONFIG_SCHEMA)


def test_supervisor_accepts_how_it_is_built() -> None:
    build = read("build.yaml")
    jsonschema.validate(build, BUILD_SCHEMA)
    assert set(build["build_from"]) == set(read("config.yaml")["arch"])


@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_option_has_a_name_and_an_explanation(language: str) -> None:
    texts, config = read(f"translations/{language}.yaml"), read("config.yaml")
    jsonschema.validate(texts, TRANSLATION_SCHEMA)
    assert set(texts["configuration"]) == set(config["schema"])
    assert set(texts["network"]) == set(config["ports"])


def test_each_default_is_an_option_and_its_start_knows_each_option() -> None:
    config, start = read("config.yaml"), (ADDON / "run").read_text(encoding="utf-8")
    assert set(config["options"]) <= set(config["schema"])
    assert set(re.findall(r'\("(\w+)", "--', start)) == set(config["schema"])
    assert os.access(ADDON / "run", os.X_OK)


def test_it_has_the_version_of_the_package_and_a_picture() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert read("config.yaml")["version"] == project["version"]
    with Image.open(ADDON / "icon.png") as icon:
        assert icon.size == (128, 128)

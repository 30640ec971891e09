"""What the pages in docs/ show as a part of `home.yaml` is one: it is read as the house file would be."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.config.devices import AnyDevice
from gateway.config.home import EntranceSection
from gateway.system.located_yaml import parse_yaml

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
DEVICE: TypeAdapter[AnyDevice] = TypeAdapter(AnyDevice)


def devices() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every device that is shown: in a block of `devices:`, or in one that would stand below it."""
    for page in sorted(DOCS.rglob("*.md")):
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            if block.startswith("# house.yaml"):
                continue  # of the simulated house: tests/devices/simulators/test_house_file.py
            data = parse_yaml(f"devices:\n{block}" if block.startswith("  ") else block)
            found = data.get("devices", {}) if isinstance(data, dict) else {}
            yield from ((f"{page.name}: {id_}", one) for id_, one in found.items() if "kind" in one)


@pytest.mark.parametrize("shown", [pytest.param(one, id=name) for name, one in devices()])
def test_a_device_that_the_docs_show_is_taken_by_the_house_file(shown: dict[str, Any]) -> None:
    DEVICE.validate_json(json.dumps(shown), strict=True)


def test_the_docs_show_devices_of_most_kinds() -> None:
    kinds = {one["kind"] for _, one in devices()}
    assert kinds >= {"lock", "door", "cover", "fridge", "signal", "scanner", "presence", "alarm"}


def test_the_garage_of_the_docs_is_an_entrance() -> None:
    blocks = BLOCK.findall((DOCS / "installer" / "garage.md").read_text(encoding="utf-8"))
    (block,) = (block for block in blocks if "entrances:" in block)
    house: Any = parse_yaml(block)
    garage = house["entrances"]["garage"]
    assert EntranceSection.model_validate_json(json.dumps(garage), strict=True).living_space is False

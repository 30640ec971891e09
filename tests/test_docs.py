"""What the pages in docs/ show as a part of `home.yaml` is one: it is read as the house file would be."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.config.devices import AnyDevice
from gateway.config.home import EntranceSection, Home
from gateway.config.validation import find_problems
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


USUAL_DEVICES: dict[str, dict[str, Any]] = {
    "scanner": {"kind": "scanner", "vendor": "scanner"},
    "signal": {"kind": "signal", "vendor": "signal"},
    "lock": {"kind": "lock", "vendor": "somfy", "address": "io://1234-5678-3293/1"},
    "door": {"kind": "door", "vendor": "perron"},
    "reed": {"kind": "door", "vendor": "perron"},
    "camera": {"kind": "camera", "vendor": "rtsp", "url": "rtsp://127.0.0.1:8554/camera"},
    "doorbell": {"kind": "camera", "vendor": "rtsp", "url": "rtsp://127.0.0.1:8554/doorbell"},
}
"""Devices of every entrance, which the pages about a way in name and do not show, by the last word of their id."""


def merged_blocks(page: str) -> dict[str, dict[str, Any]]:
    """The devices, keepers and entrances that a page shows.

    A later block of an entrance says more about it; a later block of a device shows another product.
    """
    house: dict[str, dict[str, Any]] = {"devices": {}, "keepers": {}, "entrances": {}}
    for block in BLOCK.findall((DOCS / "installer" / page).read_text(encoding="utf-8")):
        data: Any = {} if block.startswith(("#", "  ")) else parse_yaml(block)
        for section, known in house.items():
            for id_, one in data.get(section, {}).items():
                known[id_] = {**known.get(id_, {}), **one} if section == "entrances" else known.get(id_, one)
    return house


@pytest.mark.parametrize(
    ("page", "entrances"),
    [("garage.md", {"garage"}), ("street-door.md", {"flat"}), ("parcel-box.md", {"box", "hall"})],
)
def test_the_blocks_of_a_way_in_are_together_a_house_that_loads(page: str, entrances: set[str]) -> None:
    house = merged_blocks(page)
    assert house["entrances"].keys() == entrances
    for word in set(re.findall(r"[a-z0-9-]+", json.dumps(house["entrances"]))) - house["devices"].keys():
        end = word.rpartition("-")[2]
        if end in USUAL_DEVICES and word != "door":  # `door` is a key
            house["devices"][word] = USUAL_DEVICES[end]
    document = {"box": "perron-docs", "name": "The house of the docs", "brands": {}, **house}
    home = Home.model_validate_json(json.dumps(document), strict=True)
    assert [(problem.loc, problem.text) for problem in find_problems(home)] == []

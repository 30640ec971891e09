import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from devices.simulators.device import SimulatedDevice
from devices.simulators.house import THING_SECTIONS, SimulatedHouse, read_house
from devices.simulators.way_devices import Board, InsideSensor, StrikeRelay

CONFIG = Path(__file__).parents[3] / "config"


def test_the_house_that_comes_with_perron_is_the_one_that_its_gateway_knows() -> None:
    house = read_house(CONFIG / "house.yaml")
    home: dict[str, Any] = YAML(typ="safe").load(CONFIG / "home.yaml")
    known = {
        name: (device["kind"], device["vendor"], device.get("address", "")) for name, device in home["devices"].items()
    }
    assert {name: (plan.kind, plan.vendor, plan.address) for name, plan in house.devices.items()} == known
    assert (house.broker.host, house.broker.port) == (home["broker"]["host"], home["broker"]["port"])


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="garded"):
        SimulatedHouse.model_validate({"devices": {"l": {"kind": "lock", "vendor": "somfy", "garded": True}}})


def test_a_house_has_one_front_door() -> None:
    lock = {"kind": "lock", "vendor": "somfy"}
    with pytest.raises(ValidationError, match="one lock at most"):
        SimulatedHouse.model_validate({"devices": {"a": lock, "b": lock}})


def test_a_device_s_id_fits_a_topic() -> None:
    with pytest.raises(ValidationError):
        SimulatedHouse.model_validate({"devices": {"a/b": {"kind": "scanner", "vendor": "scanner"}}})


def test_a_password_lies_beside_the_others_not_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "s.password").write_text("secret\n")
    file = tmp_path / "house.yaml"
    file.write_text("broker: {passwords: accounts}\ndevices: {s: {kind: scanner, vendor: scanner}}\n")
    house = read_house(file)
    assert house.devices["s"].secret("s", house.broker) == "secret"


def test_a_device_without_an_account_comes_as_nobody() -> None:
    house = SimulatedHouse.model_validate({"devices": {"s": {"kind": "scanner", "vendor": "scanner"}}})
    assert house.devices["s"].secret("s", house.broker) is None


THINGS = {get_args(section.model_fields["kind"].annotation)[0]: section.makes for section in THING_SECTIONS}
DEVICES: dict[str, type[SimulatedDevice]] = {"strike": StrikeRelay, "compartment": Board, "content": InsideSensor}


TRY_IT = (CONFIG.parent / "docs" / "contributor" / "try-it.md").read_text(encoding="utf-8")


def house_of_the_docs() -> SimulatedHouse:
    (block,) = re.findall(r"^```yaml\n# house\.yaml\n(.*?)^```", TRY_IT, re.DOTALL | re.MULTILINE)
    return SimulatedHouse.model_validate(YAML(typ="safe").load(block))


def rows_of_the_docs(cells: int) -> dict[str, list[set[str]]]:
    """Of each table with so many cells: by the first word in code of a row, those of its other cells."""
    rows = [[re.findall(r"`(\w+)`", cell) for cell in line.split("|")[1:-1]] for line in TRY_IT.splitlines()]
    return {row[0][0]: [set(cell) for cell in row[1:]] for row in rows if len(row) == cells and row[0]}


@pytest.mark.parametrize("name", THINGS)
def test_each_thing_is_in_the_house_that_the_docs_show_and_its_acts_and_faults_are_those_that_there_are(
    name: str,
) -> None:
    assert name in {plan.kind for plan in house_of_the_docs().things.values()}, "add it to house.yaml of try-it.md"
    table = rows_of_the_docs(3)
    assert table.get(name) == [set(THINGS[name].ACTS), set(THINGS[name].FAULTS)], (
        "add its row to the table of try-it.md"
    )
    assert table.keys() == THINGS.keys()


@pytest.mark.parametrize("name", DEVICES)
def test_each_device_at_a_thing_is_in_the_house_that_the_docs_show_and_its_faults_are_those_that_there_are(
    name: str,
) -> None:
    assert name in {plan.kind for plan in house_of_the_docs().devices.values()}
    assert rows_of_the_docs(2)[name] == [set(DEVICES[name].FAULTS)]

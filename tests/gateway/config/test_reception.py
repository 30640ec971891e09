"""The receptions of a house file: what is read, what is refused with its place, how one is added."""

from pathlib import Path

import pytest

from gateway.cli.adding import add_section
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.system.config_section import ConfigError

HOME = (Path(__file__).parents[3] / "config" / "home.yaml").read_text(encoding="utf-8")
DESK = """
receptions:
  desk:
    name: Concierge
    receivers: {marc: {name: Marc, hours: "08:00-19:00"}, nina: {name: Nina}}
    keep_cold: 7200
"""


def home_of(folder: Path, text: str) -> Home:
    file = folder / "home.yaml"
    file.write_text(HOME + text, encoding="utf-8")
    return load_home_file(file)


def test_a_reception_is_a_destination_with_one_place_of_its_own_id(tmp_path: Path) -> None:
    home = home_of(tmp_path, DESK)
    desk = home.destinations["desk"]
    assert (desk.name, desk.places) == ("Concierge", {"desk": "Concierge"})
    assert desk.cold_places == {"desk"}
    assert not desk.courier_proof
    assert list(home.destinations) == ["front", "desk"]
    assert home.receptions["desk"].receivers["nina"].hours == "00:00-24:00"
    assert home.destinations["front"].cold_places == {"fridge"}


def test_a_house_without_a_reception_is_as_before(tmp_path: Path) -> None:
    assert home_of(tmp_path, "").receptions == {}


def test_a_brand_may_be_permitted_the_reception(tmp_path: Path) -> None:
    text = HOME.replace("entrances: [front]", "entrances: [front, desk]", 1).replace(
        "places: [hall", "places: [desk, hall", 1
    )
    assert "desk" in text
    file = tmp_path / "home.yaml"
    file.write_text(text + DESK, encoding="utf-8")
    assert any("desk" in brand.permission.entrances for brand in load_home_file(file).brands.values())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  desk:", "  front:", "there is an entrance `front` already"),
        ("    keep_cold: 7200", "    scanners: [front-scanner]", "`front` already uses `front-scanner`"),
        ("    keep_cold: 7200", "    scanners: [nowhere]", "there is no device `nowhere`"),
        ("    keep_cold: 7200", "    scanners: [doorbell]", "`doorbell` is a camera, but a scanner is needed here"),
        ("    keep_cold: 7200", "    keep_cold: 60", "300"),
        ("    keep_cold: 7200", "    lock: front-lock", "lock"),
        ('hours: "08:00-19:00"', 'hours: "19:00-08:00"', "is not a span of one day"),
        ('{marc: {name: Marc, hours: "08:00-19:00"}, nina: {name: Nina}}', "{}", "receivers"),
    ],
)
def test_what_is_no_reception_is_refused_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in DESK
    with pytest.raises(ConfigError, match=r"home\.yaml:[0-9]+:[0-9]+: ") as refused:
        home_of(tmp_path, DESK.replace(old, new, 1))
    assert says in str(refused.value)


def test_perron_add_writes_a_reception(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    fields = {"name": "Concierge", "receivers.marc.name": "Marc", "receivers.marc.hours": "'08:00-19:00'"}
    add_section(file, "desk", "reception", fields)
    assert load_home_file(file).receptions["desk"].receivers["marc"].name == "Marc"
    add_section(file, "desk", "reception", fields | {"keep_cold": "3600"}, replace=True)
    assert load_home_file(file).receptions["desk"].keep_cold == 3600

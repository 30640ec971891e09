"""What a household calls its devices: never by an id, if it can be told what they are."""

from pathlib import Path

from gateway.config.device_names import device_labels, device_names
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from tests.shell.house import make_home

EXAMPLES = Path(__file__).parents[3] / "config"


def named(house: Home, ident: str, name: str) -> Home:
    device = house.devices[ident].model_copy(update={"name": name})
    return house.model_copy(update={"devices": {**house.devices, ident: device}})


def test_a_device_without_a_name_is_what_it_is_at_its_entrance_in_the_readers_language() -> None:
    house = load_home_file(EXAMPLES / "home.yaml")
    english, french = device_names(house, "en"), device_names(house, "fr")
    doorbell = house.entrances["front"].door_camera
    (hall, *_further) = house.entrances["front"].cameras.inside
    assert doorbell is not None
    assert (english[doorbell].partition(" (")[0], french[doorbell].partition(" (")[0]) == (
        "Door camera", "Caméra de la porte",
    )  # fmt: skip
    assert (english[hall].partition(" (")[0], french[hall].partition(" (")[0]) == (
        "Inside camera", "Caméra intérieure",
    )  # fmt: skip
    assert english.keys() == house.devices.keys()


def test_no_two_devices_have_the_same_name_and_a_given_name_stays_as_it_is(tmp_path: Path) -> None:
    house = named(make_home(tmp_path), "cam", "Doorbell")
    names = device_names(house, "en")
    assert names["cam"] == "Doorbell"
    assert len(set(names.values())) == len(names)
    locks = sorted(name for ident, name in names.items() if house.devices[ident].kind == "lock")
    assert len(locks) == len({lock.partition(" (")[2] for lock in locks}), "each names its entrance"
    twice = named(house, "hall", "Doorbell")
    assert device_names(twice, "en")["hall"] == "Doorbell (hall)", "two of one name say which by their id"


def test_a_label_is_text_for_any_reader(tmp_path: Path) -> None:
    labels = device_labels(named(make_home(tmp_path), "hall", "Hall camera"))
    assert labels["hall"] == "Hall camera"

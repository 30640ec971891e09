"""Keepers in the house file: the entrances at which a keeper may take the key, and the refusals with their place."""

from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.domain.visit.state import Holder
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.system.config_section import ConfigError

HOUSE = """
box: perron-1
name: The house in Lilac Street
devices:
  flap: {kind: strike, vendor: perron, release: 5, latency: 2}
  flap-contact: {kind: door, vendor: perron}
  hook: {kind: key, vendor: perron}
  hall-contact: {kind: door, vendor: perron}
  street-lock: {kind: lock, vendor: nukihub, address: nuki}
  street-contact: {kind: door, vendor: esphome}
  doorbell: {kind: camera, vendor: rtsp, url: "rtsp://192.168.1.20/one"}
  hall: {kind: camera, vendor: rtsp, url: "rtsp://192.168.1.21/one"}
  scanner: {kind: scanner, vendor: scanner}
  side-scanner: {kind: scanner, vendor: scanner}
  bell: {kind: signal, vendor: signal}
  side-bell: {kind: signal, vendor: signal}
keepers:
  claire: {name: Claire Martin}
  oh-my-keys: {name: Oh my keys, kind: company}
entrances:
  keys:
    name: Key safe
    way_out_by_hand: true
    holder: keeper
    keepers: [claire, oh-my-keys]
    closures:
      - {id: safe, kind: key_safe, back_within: 900, devices: {order: flap, flap: flap-contact, key: hook}}
      - {id: door, kind: keyed_door, devices: {door: hall-contact}}
    cameras: {outside: doorbell, inside: [hall]}
    scanners: [scanner]
    signal: bell
    places: {hall: {name: In the hall}}
"""
FRONT = """
  front:
    name: Front door
    way_out_by_hand: true
    KEEPERS
    lock: street-lock
    door: street-contact
    cameras: {outside: doorbell}
    scanners: [side-scanner]
    signal: side-bell
    places: {hall: {name: In the hall}}
"""


def home_of(folder: Path, text: str = HOUSE) -> Home:
    file = folder / "home.yaml"
    file.write_text(text, encoding="utf-8")
    return load_home_file(file)


def test_an_entrance_lists_the_keepers_who_may_take_its_key(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    rules = entrance_rules(home, "keys")
    assert (rules.holder, rules.keepers) == (Holder.KEEPER, frozenset({"claire", "oh-my-keys"}))
    assert home.keepers["oh-my-keys"].kind == "company"


def test_a_keepers_code_takes_the_place_of_the_couriers_token(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    assert home.entrances["keys"].courier_proof
    assert not home.entrances["keys"].needs_courier_token
    assert not home.destinations["keys"].courier_proof, "a retailer need not send one"


def test_any_other_entrance_has_couriers_and_no_keepers(tmp_path: Path) -> None:
    rules = entrance_rules(home_of(tmp_path, HOUSE + FRONT.replace("KEEPERS", "courier_proof: true")), "front")
    assert (rules.holder, rules.keepers) == (Holder.COURIER, frozenset())


def test_a_key_safe_may_go_on_without_keepers(tmp_path: Path) -> None:
    text = HOUSE.replace("    holder: keeper\n    keepers: [claire, oh-my-keys]\n", "")
    assert entrance_rules(home_of(tmp_path, text), "keys").holder is Holder.COURIER


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[claire, oh-my-keys]", "[]", "`holder: keeper` accepts only listed keepers"),
        ("[claire, oh-my-keys]", "[claire, bruno]", "no keeper has the id `bruno`. Known: claire, oh-my-keys"),
        ("[claire, oh-my-keys]", "[claire, claire]", "`claire` is listed twice"),
        ("    holder: keeper\n", "", "a keeper acts only at an entrance with `holder: keeper`"),
        ("holder: keeper", "holder: robot", "holder"),
        ("{name: Claire Martin}", "{name: Claire Martin, kind: dog}", "kind"),
        ("{name: Claire Martin}", "{}", "name"),
        ("  claire: {name: Claire Martin}", "  Claire M: {name: Claire Martin}", "1 to 64 of a-z"),
        ("  oh-my-keys: {name: Oh my keys, kind: company}", "  claire: {name: Oh my keys}", "claire"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in HOUSE
    with pytest.raises(ConfigError, match=r"home\.yaml:[0-9]+:[0-9]+: ") as refused:
        home_of(tmp_path, HOUSE.replace(old, new, 1))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("keepers", "says"),
    [
        ("holder: keeper", "no closure here has a key that a keeper could take"),
        ("keepers: [claire]", "a keeper acts only at an entrance with `holder: keeper`"),
    ],
)
def test_a_door_without_a_key_safe_has_no_keepers(tmp_path: Path, keepers: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        home_of(tmp_path, HOUSE + FRONT.replace("KEEPERS", keepers))
    assert says in str(refused.value)

"""Robots in the house file: where they may come in, whose they are, who watches them, and what is refused."""

from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.domain.visit.conditions import RobotFit
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.system.config_section import ConfigError

KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
HOUSE = f"""
box: perron-1
name: The house in Lilac Street
devices:
  lock: {{kind: lock, vendor: nukihub, address: nuki}}
  reed: {{kind: door, vendor: esphome}}
  street-lock: {{kind: lock, vendor: nukihub, address: street}}
  street-reed: {{kind: door, vendor: esphome}}
  doorbell: {{kind: camera, vendor: rtsp, url: "rtsp://192.168.1.20/one"}}
  scanner: {{kind: scanner, vendor: scanner}}
  bell: {{kind: signal, vendor: signal}}
  r1: {{kind: robot, vendor: vda5050, address: vda5050/v3/KIT/0001, operator: trundle}}
  r2: {{kind: robot, vendor: vda5050, address: vda5050/v3/KIT/0002, operator: trundle}}
operators:
  trundle: {{name: Trundle, keys: [{{kid: trundle-1, x: {KEY}}}]}}
supervisors:
  ines: {{name: Ines, operator: trundle}}
entrances:
  front:
    name: Front door
    way_out_by_hand: true
    lock: lock
    door: reed
    cameras: {{outside: doorbell}}
    scanners: [scanner]
    signal: bell
    robots: {{devices: [r1, r2], zone: door-1}}
    timing: {{yes_life: 20}}
    places: {{hall: {{name: In the hall}}}}
"""


def home_of(folder: Path, text: str = HOUSE) -> Home:
    file = folder / "home.yaml"
    file.write_text(text, encoding="utf-8")
    return load_home_file(file)


def test_robots_come_in_beside_people_and_each_must_be_fit(tmp_path: Path) -> None:
    rules = entrance_rules(home_of(tmp_path), "front")
    assert rules.robots == {"r1", "r2"}
    assert RobotFit(robots=("r1", "r2")) in rules.conditions
    assert rules.timing.yes_life == 20


def test_where_no_robots_are_named_none_comes_in(tmp_path: Path) -> None:
    rules = entrance_rules(
        home_of(tmp_path, HOUSE.replace("    robots: {devices: [r1, r2], zone: door-1}\n", "")), "front"
    )
    assert rules.robots == frozenset()
    assert not any(isinstance(condition, RobotFit) for condition in rules.conditions)


TWO_CLOSURES = """closures:
      - {id: gate, kind: bolted_door, devices: {order: street-lock, lock: street-lock, door: street-reed}}
      - {id: flat, kind: bolted_door, devices: {order: lock, lock: lock, door: reed}}"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("address: vda5050/v3/KIT/0001", "address: vda5050/v2/KIT/0001", "only VDA 5050 version 3 has zones"),
        ("address: vda5050/v3/KIT/0001", "address: KIT/0001", "write the whole beginning"),
        ("address: vda5050/v3/KIT/0002", "address: vda5050/v3/KIT/0001", "already"),
        ("{devices: [r1, r2], zone", "{devices: [r1, r1], zone", "listed twice"),
        ("zone: door-1}", "zone: door-1, release_loss: STOP}", "stands on the sill"),
        ("zone: door-1}", "zone: door-1, release_loss: WAIT}", "release_loss"),
        ("{devices: [r1, r2], zone", "{devices: [scanner], zone", "a robot is needed here"),
        ("{devices: [r1, r2], zone", "{devices: [], zone", "`devices` has none: write at least 1."),
        ("0001, operator: trundle", "0001, operator: nobody", "no operator has the id `nobody`"),
        ("{name: Ines, operator: trundle}", "{name: Ines, operator: nobody}", "no operator has the id `nobody`"),
        ("  ines: {name: Ines, operator: trundle}\n", "", "nobody watches the robots of `trundle`"),
        ("supervisors:\n  ines: {name: Ines, operator: trundle}\n", "", "nobody watches the robots of `trundle`"),
        ("    cameras: {outside: doorbell}\n", "", "a supervisor decides on a picture"),
        (f"[{{kid: trundle-1, x: {KEY}}}]", f"[{{kid: a, x: {KEY}}}, {{kid: a, x: {KEY}}}]", "names another key"),
        ("yes_life: 20", "yes_life: 61", "yes_life"),
        ("lock: lock\n    door: reed", TWO_CLOSURES, "a robot turns no knob"),
    ],
)
def test_what_would_lock_a_robot_in_or_let_it_in_unwatched_is_refused(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in HOUSE
    text = HOUSE.replace(old, new)
    if "ines" not in text:
        text = text.replace("supervisors:\n", "")
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        home_of(tmp_path, text)


def test_a_key_of_an_operator_that_was_cut_is_asked_for_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as wrong:
        home_of(tmp_path, HOUSE.replace(KEY, KEY[:12]))
    [line] = str(wrong.value).splitlines()
    assert line.endswith("43 characters of base64url, and this is 12: ask the operator for it.")

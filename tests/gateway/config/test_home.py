"""What a house is made of: its times, and what a password file must be."""

from pathlib import Path

import pytest

from gateway.config.loader import load_home_file
from gateway.domain.timing import Timing
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.system.config_section import ConfigError
from tests.house.rules import front_door

HOME = Path(__file__).parents[3] / "config" / "home.yaml"


def test_a_password_that_cannot_be_read_is_told_with_its_file(tmp_path: Path) -> None:
    home = load_home_file(HOME)
    broker = home.broker.model_copy(update={"password_file": tmp_path / "none.password"})
    with pytest.raises(ConfigError, match=r"none\.password.*perron broker-config"):
        broker.password()


def test_the_rules_of_an_entrance_are_what_its_file_says() -> None:
    home = load_home_file(HOME)
    made = entrance_rules(home, "front")
    assert dict(made.cameras) == {"doorbell": True, "hall-camera": False}
    assert (front_door(made).guarded, made.basic_sensors, made.latency) == (True, frozenset(), 3.0)
    assert dict(made.open_limit) == {"hall": 120.0, "fridge": 240.0}


def test_every_waiting_time_of_the_file_reaches_the_rules(tmp_path: Path) -> None:
    times = {name: 1.0 + n for n, name in enumerate(Timing.model_fields)}
    lines = "".join(f"      {name}: {value}\n" for name, value in times.items())
    file = tmp_path / "home.yaml"
    file.write_text(HOME.read_text(encoding="utf-8").replace("    places:\n", f"    timing:\n{lines}    places:\n", 1))
    assert entrance_rules(load_home_file(file), "front").timing.model_dump() == times


def test_the_waiting_times_of_a_house_file_have_the_names_and_values_that_they_always_had() -> None:
    named = {
        "ring": 20, "bell": 5, "live": 5, "approval": 60, "command_life": 5, "skew": 5, "never": 30, "stable": 2,
        "advance": 180, "open_again": 60, "relock": 10, "post_roll": 10, "film_closes": 10, "outage": 60, "watch": 900,
        "lockout": 900, "merge": 10, "label": 2, "courier": 60, "probe": 10, "by_hand": 120, "incident": 600,
        "alarm_again": 60, "near": 120, "after": 900, "pre_roll": 10, "yes_life": 30,
    }  # fmt: skip
    assert entrance_rules(load_home_file(HOME), "front").timing.model_dump() == named


TLS = "tls: {ca: a.pem, certificate: c.pem, key: k.pem}"
HUB = f"hub: {{url: 'https://hub.example', home: home-1, host: mqtt.hub.example, {TLS}}}"


def with_hub(folder: Path, line: str) -> Path:
    file = folder / "home.yaml"
    file.write_text(HOME.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    return file


def test_the_hub_s_files_lie_beside_the_house_file_and_the_home_is_its_name_there(tmp_path: Path) -> None:
    hub = load_home_file(with_hub(tmp_path, HUB)).hub
    assert hub is not None
    line = hub.broker
    assert line.tls is not None
    assert (line.tls.ca, line.tls.certificate, line.tls.key) == tuple(tmp_path / n for n in ("a.pem", "c.pem", "k.pem"))
    assert (line.host, line.port, line.username, line.login) == ("mqtt.hub.example", 8883, "home-1", None)


def test_a_house_without_a_hub_is_as_before() -> None:
    assert load_home_file(HOME).hub is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (HUB.replace("home-1", "Home 1"), "home"),
        (HUB.replace(", key: k.pem", ""), "certificate and key belong together"),
        ("hub: {url: 'https://hub.example', home: home-1, host: mqtt.hub.example}", "without tls"),
        (HUB.replace("home: home-1", "home: home-1, shards: 3"), "shards"),
        ("hub: {home: home-1}", "url"),
    ],
)
def test_a_hub_that_cannot_be_meant_is_told_with_its_line(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as told:
        load_home_file(with_hub(tmp_path, line))
    assert "home.yaml:" in str(told.value)


@pytest.mark.parametrize(
    ("vendor", "declared", "expected"),
    [
        ("somfy", None, 900.0),
        ("zwave", None, 900.0),
        ("zigbee2mqtt", None, 3600.0),  # it queues until the lock checks in
        ("guard", None, 3600.0),  # nobody here knows which radio stands behind it
        ("zigbee2mqtt", 60.0, 60.0),
    ],
)
def test_an_unanswered_unlock_is_watched_as_long_as_its_vendor_may_hold_it_or_as_declared(
    vendor: str, declared: float | None, expected: float
) -> None:
    home = load_home_file(HOME)
    lock = home.devices["front-lock"].model_copy(update={"vendor": vendor, "command_hold": declared})
    made = entrance_rules(home.model_copy(update={"devices": {**home.devices, "front-lock": lock}}), "front")
    assert front_door(made).command_hold == expected

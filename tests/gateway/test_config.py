"""What a house is made of: its times, and what a password file must be."""

from pathlib import Path

import pytest

from gateway.config import ConfigError, Timing, rules
from gateway.homefile import load
from gateway.visit.state import Rules

HOME = Path(__file__).parents[2] / "config" / "home.yaml"


def test_a_password_that_cannot_be_read_is_told_with_its_file(tmp_path: Path) -> None:
    home = load(HOME)
    broker = home.broker.model_copy(update={"password_file": tmp_path / "none.password"})
    with pytest.raises(ConfigError, match=r"none\.password.*perron broker-config"):
        broker.password()


def test_the_rules_of_an_entrance_are_what_its_file_says() -> None:
    home = load(HOME)
    made = rules(home, "front")
    assert dict(made.cameras) == {"doorbell": True, "hall-camera": False}
    assert (made.guarded, made.door_answers, made.latency) == (True, True, 3.0)
    assert dict(made.open_limit) == {"hall": 120.0, "fridge": 240.0}


def test_every_waiting_time_of_the_file_reaches_the_rules() -> None:
    home = load(HOME)
    times = {name: 1.0 + n for n, name in enumerate(Timing.model_fields)}
    section = home.entrances["front"].model_copy(update={"timing": Timing(**times)})
    made = rules(home.model_copy(update={"entrances": {"front": section}}), "front")
    shared = set(times) & set(Rules.__dataclass_fields__)
    assert set(times) - shared == {"near", "after", "pre_roll"}  # the video's own
    assert {name: getattr(made, name) for name in shared} == {name: times[name] for name in shared}


def test_without_timing_the_file_means_the_designs_own_times() -> None:
    assert all(
        getattr(Rules(), name) == getattr(Timing(), name)
        for name in Timing.model_fields
        if name in Rules.__dataclass_fields__
    )

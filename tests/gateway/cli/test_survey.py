"""`perron survey`: the counted readiness of an entrance, hour by hour."""

import sqlite3
from pathlib import Path

import pytest

from gateway.cli.failure import Failure
from gateway.cli.installing import survey_lines
from gateway.config.home import Home
from gateway.evidence.rollback import STORE_FILE
from gateway.storage.store import Store
from tests.gateway.domain.delivery.shop import NOW, noon_plus


def here(home: Home, folder: Path) -> Home:
    return home.model_copy(update={"storage": home.storage.model_copy(update={"folder": folder})})


async def test_each_device_and_each_hour_has_a_line_in_the_houses_time(home: Home, tmp_path: Path) -> None:
    house = here(home, tmp_path)
    store = await Store.open(tmp_path / STORE_FILE, home=house, now=NOW)
    store.readiness.count("front", {"front-lock": True, "doorbell": False}, NOW)
    store.readiness.count("front", {"front-lock": True}, noon_plus(hours=1))
    await store.close()
    assert list(survey_lines(house, "front")) == [
        "doorbell: not ready at 1 of 1 checks",
        "front-lock: not ready at 0 of 2 checks",
        "Wed 10 Jun 2026, 15:00  front-lock 1/1",
        "Wed 10 Jun 2026, 14:00  doorbell 0/1  front-lock 1/1",
    ]


def test_before_the_first_window_it_says_how_to_look_now(home: Home, tmp_path: Path) -> None:
    [line] = survey_lines(here(home, tmp_path), "front")
    assert "no window was near" in line
    assert "perron doctor" in line


def test_a_store_of_an_older_perron_is_told_with_what_to_do(home: Home, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / STORE_FILE)
    database.execute("CREATE TABLE box (one)")
    database.close()
    with pytest.raises(Failure, match="cannot be read"):
        list(survey_lines(here(home, tmp_path), "front"))

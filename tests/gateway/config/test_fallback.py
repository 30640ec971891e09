"""The owner's order of places for a parcel that its own entrance cannot take, in the house file."""

from pathlib import Path

import pytest

from gateway.config.loader import load_home_file
from gateway.system.config_section import ConfigError
from tests.gateway.config.test_reception import DESK, HOME, home_of


def test_entrances_and_receptions_stand_in_the_owner_s_order(tmp_path: Path) -> None:
    home = home_of(tmp_path, DESK + "fallback: {order: [front, desk]}\n")
    assert home.fallback.order == ("front", "desk")
    assert home_of(tmp_path, "").fallback.order == (), "without it nothing is moved"


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ("[front, cellar]", "no entrance or reception has the id `cellar`. Known: front, desk."),
        ("[desk, front, desk]", "`desk` is listed twice"),
        ("front", "order"),
    ],
)
def test_a_place_that_is_not_there_or_stands_twice_is_refused(tmp_path: Path, order: str, why: str) -> None:
    file = tmp_path / "home.yaml"
    file.write_text(HOME + DESK + f"fallback: {{order: {order}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_home_file(file)
    assert why in str(refused.value)
    assert f"{file}:" in str(refused.value), "the file and the line"

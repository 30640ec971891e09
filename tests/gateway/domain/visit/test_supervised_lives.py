"""Seeded lives of a front door that robots use: invariant 28, judged by what bolt, leaf and robot physically did.

Each supervised opening has a yes of its own, not older than `yes_life` at the intent and used once. The bolt is never
thrown while the robot is inside, whatever a supervisor, a household, a broker or a killed gateway do, and although a
person drove it there by hand and it has no request any longer.
"""

from functools import cache

import pytest

from tests.house import robot_ways
from tests.house.robots import RobotHome, live

SEEDS = range(24)


@cache
def lived(seed: int) -> RobotHome:
    """The home after one life."""
    home = RobotHome(seed)
    live(home, seed)
    return home


@pytest.mark.parametrize("seed", SEEDS)
def test_each_opening_has_its_own_fresh_yes_and_nothing_locks_on_the_robot(seed: int) -> None:
    home = lived(seed)
    assert home.wrong == []
    moved = {visit for _, visit in (*home.premises.withdrawals, *home.premises.openings)}
    assert moved <= home.permitted, "the bolt moved, or the door opened, without a yes of its own"


def test_the_lives_reach_what_they_are_about() -> None:
    seen: set[str] = set()
    for seed in SEEDS:
        home = lived(seed)
        seen |= {*home.physical, *home.refusals, *home.houses, *home.alarms}
        seen |= {"two openings"} if len(home.used) > 1 else set()
        seen |= {"killed"} if home.crashes else set()
        seen |= {"driven by hand"} if home.strayed else set()
        seen |= {"killed while nobody knew where it is"} if home.restarts_astray else set()
    assert seen >= {
        "driven by hand", "killed while nobody knew where it is",
        "withdrawn", "open", "close", "thrown", "locked_again", "not_approved", "robot_stranded", "killed",
        "handed_to_owner", "two openings",
    }  # fmt: skip


@pytest.mark.parametrize("name", robot_ways.WAYS)
def test_on_any_way_in_each_opening_has_its_own_yes_and_nothing_moves_on_the_robot(name: str) -> None:
    seen: set[str] = set()
    closures: set[str] = set()
    for seed in range(6):
        house = robot_ways.live(name, seed)
        assert house.wrong == [], seed
        closures |= house.things.keys()
        seen |= {*house.houses, *house.refusals} | {closure for _, closure in house.orders_open}
        seen |= {"killed"} if house.crashes else set()
    assert seen >= {"locked_again", "not_approved", "killed", *closures}, seen

"""Lists all scenarios in the order of `perron demo --list`."""

from collections.abc import Mapping

from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import cameras, failures, locks, parcels, people, promises

SCENARIO_GROUPS: Mapping[str, tuple[Scenario, ...]] = {
    "parcels": tuple(parcels.SCENARIOS),
    "promises": tuple(promises.SCENARIOS),
    "people": tuple(people.SCENARIOS),
    "cameras": tuple(cameras.SCENARIOS),
    "locks": tuple(locks.SCENARIOS),
    "failures": tuple(failures.SCENARIOS),
}
SCENARIOS: tuple[Scenario, ...] = tuple(scenario for group in SCENARIO_GROUPS.values() for scenario in group)


class UnknownScenario(Exception):  # noqa: N818 - it says what is the matter
    """No scenario has this name."""


def find_scenarios(title: str) -> tuple[Scenario, ...]:
    """Return the scenario with this title (`name` or `name:variant`); a bare name means all its variants.

    Raises:
        UnknownScenario: there is none.
    """
    scenarios = tuple(scenario for scenario in SCENARIOS if title in {scenario.title, scenario.name})
    if not scenarios:
        raise UnknownScenario(f"there is no scenario {title!r}: `perron demo --list` tells all")
    return scenarios

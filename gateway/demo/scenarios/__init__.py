"""Lists all scenarios in the order of `perron demo --list`."""

from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import cameras, failures, garage, locks, parcels, people, promises

SCENARIOS: tuple[Scenario, ...] = (
    *parcels.SCENARIOS,
    *promises.SCENARIOS,
    *people.SCENARIOS,
    *cameras.SCENARIOS,
    *locks.SCENARIOS,
    *garage.SCENARIOS,
    *failures.SCENARIOS,
)


class UnknownScenario(Exception):  # noqa: N818 - it says what is the matter
    """There is no such scenario; the text names those that come close."""


def find_scenarios(title: str) -> tuple[Scenario, ...]:
    """Return the scenario with this title (`name` or `name:variant`); a bare name means all its variants.

    Raises:
        UnknownScenario: there is none.
    """
    found = tuple(scenario for scenario in SCENARIOS if title in {scenario.title, scenario.name})
    if not found:
        raise UnknownScenario(f"there is no scenario {title!r}: `perron demo --list` tells all")
    return found

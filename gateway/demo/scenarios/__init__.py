"""Lists all scenarios in the order of `perron demo --list`."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from gateway.cli.failure import Failure
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import (
    cameras,
    cars,
    couriers,
    failures,
    fallback,
    fridge,
    guests,
    killed_ways_in,
    locks,
    matter,
    own_parcels,
    parcels,
    people,
    promises,
    receptions,
    returns,
    robots,
    ways_in,
)
from gateway.system.i18n import Text, _

SCENARIO_GROUPS: Mapping[Text, Sequence[Scenario]] = {
    _("Parcels"): parcels.SCENARIOS,
    _("The fridge, item by item"): fridge.SCENARIOS,
    _("Parcels of the owner's own"): own_parcels.SCENARIOS,
    _("Returns"): returns.SCENARIOS,
    _("Codes and promises"): promises.SCENARIOS,
    _("People"): people.SCENARIOS,
    _("Couriers who meet somebody"): couriers.SCENARIOS,
    _("Receptions"): receptions.SCENARIOS,
    _("Guests"): guests.SCENARIOS,
    _("Cameras"): cameras.SCENARIOS,
    _("Lock and door"): (*locks.SCENARIOS, *matter.SCENARIOS),
    _("Other ways in"): (
        *ways_in.SCENARIOS,
        *cars.SCENARIOS,
        *fallback.SCENARIOS,
        *killed_ways_in.SCENARIOS,
    ),
    _("Robots"): robots.SCENARIOS,
    _("The box fails"): failures.SCENARIOS,
}
SCENARIOS = tuple(scenario for group in SCENARIO_GROUPS.values() for scenario in group)


def find_scenarios(title: str) -> tuple[Scenario, ...]:
    """Return the scenario with this title (`name` or `name:variant`); a bare name means all its variants.

    The `Failure` for an unknown title names the titles that look most like it.
    """
    scenarios = tuple(scenario for scenario in SCENARIOS if title in {scenario.title, bare_name(scenario)})
    if not scenarios:
        names = [*{name: None for scenario in SCENARIOS for name in (bare_name(scenario), scenario.title)}]
        near = " or ".join(repr(name) for name in get_close_matches(title, names))
        what = f"There is no scenario {title!r}.{f' Did you mean {near}?' if near else ''}"
        raise Failure(what, "`perron demo --list` lists all of them.")
    return scenarios


def bare_name(scenario: Scenario) -> str:
    """Return the title without its variant."""
    return scenario.title.partition(":")[0]

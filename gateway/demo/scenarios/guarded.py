"""Scenarios of a basic lock behind a guard, through two brokers."""

from gateway.demo.guard_setup import with_guard
from gateway.demo.scenario import ScenarioList, ScenarioRun
from gateway.demo.scenarios.failures import EXPECT_BROKER_PAUSED, pause_broker
from gateway.system.i18n import _

SCENARIOS = ScenarioList()


@SCENARIOS.add(
    "guarded",
    _("a basic lock behind a guard and a broker of its own: the whole visit by signed orders"),
    change_plan=with_guard,
)
async def _delivered(play: ScenarioRun) -> None:
    """The basic lock obeys the guard alone; the guard obeys what the box has signed."""
    await play.deliver()


@SCENARIOS.add(
    "guarded:broker-paused",
    _("the house's broker stands still as the order leaves: the guard refuses the late copy, nothing opens"),
    EXPECT_BROKER_PAUSED,
    change_plan=with_guard,
)
async def _broker_paused(play: ScenarioRun) -> None:
    """The signed order lies in the house's broker until it is out of date: the basic lock never receives it."""
    await pause_broker(play)
    await play.wait_for_visit_end()

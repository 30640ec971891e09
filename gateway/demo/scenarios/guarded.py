"""Scenarios of a basic lock behind a guard, through two brokers."""

from gateway.demo.guard_setup import with_guard
from gateway.demo.scenario import Expectation, Scenario, ScenarioRun
from gateway.demo.scenarios.failures import pause_broker
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _


async def _delivered(play: ScenarioRun) -> None:
    """The basic lock obeys the guard alone; the guard obeys what the box has signed."""
    await play.deliver(await play.announce_delivery())


async def _broker_paused(play: ScenarioRun) -> None:
    """The signed order lies in the house's broker until it is out of date: the basic lock never hears of it."""
    await pause_broker(play)
    await play.wait_for_visit_end()


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="guarded",
        summary=_("a basic lock behind a guard and a broker of its own: the whole visit by signed orders"),
        play=_delivered,
        change_plan=with_guard,
    ),
    Scenario(
        name="guarded",
        variant="broker-paused",
        summary=_(
            "the house's broker stands still as the order leaves: the guard refuses the late copy, nothing opens"
        ),
        play=_broker_paused,
        change_plan=with_guard,
        expected=Expectation(
            outcome=Outcome.UNKNOWN,
            movements=(),
            phases=(Phase.RINGING, Phase.UNLOCKING, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready"),
            refusals=(Refusal.NOT_READY,),
            alarms=(AlarmCode.UNLOCK_UNKNOWN,),
            retailer_state="not_delivered",
        ),
    ),
)

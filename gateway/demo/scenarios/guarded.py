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
    await play.delivers(await play.promised())


async def _broker_paused(play: ScenarioRun) -> None:
    """The signed order lies in the house's broker until it is out of date: the basic lock never hears of it."""
    await pause_broker(play)
    await play.visit_ends()


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="guarded",
        line=_("a basic lock behind a guard and a broker of its own: the whole visit by signed orders"),
        play=_delivered,
        plan=with_guard,
    ),
    Scenario(
        name="guarded",
        variant="broker-paused",
        line=_("the house's broker stands still as the order leaves: the guard refuses the late copy, nothing opens"),
        play=_broker_paused,
        plan=with_guard,
        expected=Expectation(
            outcome=Outcome.UNKNOWN,
            moves=(),
            phases=(Phase.RINGING, Phase.UNLOCKING, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready"),
            refusals=(Refusal.NOT_READY,),
            alarms=(AlarmCode.UNLOCK_UNKNOWN,),
            result="not_delivered",
        ),
    ),
)

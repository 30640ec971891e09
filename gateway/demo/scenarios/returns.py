"""Scenarios of returns: the courier takes a parcel with him, alone or in the opening in which he leaves another one."""

from dataclasses import replace

from gateway.demo.actors import DEFAULT_PARCEL_CODES, PromisedDelivery
from gateway.demo.scenario import (
    EXPECT_DELIVERED,
    EXPECT_REFUSED,
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.domain.delivery.result import CollectResult, Outcome, Refusal
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
RETURN = "RB123456785GB"
EXPECT_COLLECTED = replace(EXPECT_DELIVERED, outcome=Outcome.COLLECTED, retailer_state="collected")
EXPECT_KILLED_INSIDE: Expectation = replace(
    EXPECT_DELIVERED,
    movements=MOVES_ONCE_IN_AND_OUT,
    phases=(*PHASES_WHOLE_VISIT[:4], Phase.RELOCKING, *PHASES_WHOLE_VISIT[3:]),
    gateway_deaths=1,
)
"""The gateway is killed while the courier is inside; it finds the door open, and the visit goes on."""


async def announce_return(play: ScenarioRun, *, brings: bool) -> PromisedDelivery:
    """Let the retailer announce that its courier takes a parcel with him; `brings`: and leaves another one."""
    return await play.announce_delivery(codes=DEFAULT_PARCEL_CODES if brings else (), collect=(RETURN,))


async def go_in(play: ScenarioRun, delivery: PromisedDelivery) -> None:
    """Let the courier scan outside what he has, and go in: with a parcel, or with empty hands."""
    if delivery.codes:
        await play.enter_with_parcel(delivery)
        return
    await play.courier.does("arrive")
    await play.courier.scans(delivery.courier_code)
    await play.wait_for_unlocked()
    await play.courier.does("open", "walk_in")
    await play.wait_for_phase(Phase.INSIDE)


async def take_return(play: ScenarioRun) -> None:
    """Let the courier take the parcel and scan it inside."""
    play.narrate("courier", f"takes the return …{RETURN[-4:]}")

    def answered() -> int:
        return sum(body["word"] == "go" for body in play.watch.events("answer"))

    before = answered()
    await play.courier.scans(RETURN)
    await play.watch.wait_until("the scan of the return is answered", lambda: answered() > before)


def require_collected(play: ScenarioRun, result: CollectResult) -> None:
    """Require what the box said of the return, once."""
    told = [body["collected"] for body in play.watch.events("outcome")]
    play.require(told == [result.value], f"the return is {result.value.replace('_', ' ')}")


@SCENARIOS.add(
    _("a return: the courier brings nothing, comes in by his own code, and scans inside what he takes"),
    EXPECT_COLLECTED,
)
async def _return(play: ScenarioRun) -> None:
    await go_in(play, await announce_return(play, brings=False))
    await take_return(play)
    await play.leave_and_seal()
    require_collected(play, CollectResult.COLLECTED)


@SCENARIOS.add(
    _("the courier leaves the return where it lies, or does not scan it: not collected"),
    EXPECT_COLLECTED, outcome=Outcome.NOT_COLLECTED, retailer_state="not_collected",
)  # fmt: skip
async def _return__left(play: ScenarioRun) -> None:
    await go_in(play, await announce_return(play, brings=False))
    await play.leave_and_seal()
    require_collected(play, CollectResult.NOT_COLLECTED)


@SCENARIOS.add(
    _("somebody who knows the return's number scans it outside: it opens nothing"),
    EXPECT_REFUSED, refusals=(Refusal.COLLECT_INSIDE,), retailer_state="window_open",
)  # fmt: skip
async def _return__outside(play: ScenarioRun) -> None:
    await announce_return(play, brings=False)
    await play.courier.does("arrive")
    await play.scan_refused_code(RETURN, Refusal.COLLECT_INSIDE)


@SCENARIOS.add(_("drop and take: in one opening the courier leaves a parcel and takes a return"))
async def _drop_and_take(play: ScenarioRun) -> None:
    await go_in(play, await announce_return(play, brings=True))
    await take_return(play)
    await play.leave_and_seal()
    require_collected(play, CollectResult.COLLECTED)


@SCENARIOS.add(
    _("drop and take, and the gateway is killed after the return was scanned: it still knows what was taken"),
    EXPECT_KILLED_INSIDE,
)
async def _drop_and_take__gateway_killed(play: ScenarioRun) -> None:
    await go_in(play, await announce_return(play, brings=True))
    await take_return(play)
    await play.kill_gateway()
    await play.wait_for_phase(Phase.INSIDE)
    await play.leave_and_seal()
    require_collected(play, CollectResult.COLLECTED)

"""Plays one scenario and judges it."""

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from devices.simulators.control import Impossible
from gateway.cli.failure import Failure
from gateway.demo.names import afternoon_zone
from gateway.demo.observers import DemoEvent, GatewayObserver, WaitTimeout
from gateway.demo.picture import draw_picture
from gateway.demo.plan import DemoPlan, make_plan
from gateway.demo.processes import log_tail
from gateway.demo.scenario import Scenario, ScenarioRun
from gateway.demo.stage import Stage, open_stage
from gateway.demo.verdict import Judgement, judge, retailer_states
from gateway.demo.wording import THE_DOOR, DoorNames, door_names
from gateway.system.clock import machine_time
from gateway.system.i18n import Language

LAST_RESULT_TIMEOUT_S = 5.0  # seconds
PICTURE_NAME = "visit.svg"


class DemoObserver:
    """Observes a run. This one only passes events on to `listener`; `gateway.demo.terminal` has one that prints."""

    listener: Callable[[DemoEvent], None] | None = None
    doors: DoorNames = THE_DOOR

    def on_plan(self, plan: DemoPlan) -> None:
        """Called with the house of the run before anything starts."""
        self.doors = door_names(plan)

    def on_start(self, what: str) -> None:
        """Called with the name of a part before it starts."""

    def on_event(self, event: DemoEvent) -> None:
        """Called with each message of the gateway and each line of the house's physical log."""
        if self.listener is not None:
            self.listener(event)

    def on_action(self, who: str, what: str) -> None:
        """Called before a person, the house or the box does something: `who` does `what`."""


async def run_scenario(  # noqa: PLR0913 - each option of a run has a name
    scenario: Scenario,
    folder: Path,
    *,
    fast: bool,
    observer: DemoObserver,
    language: Language | None = None,
    on_judged: Callable[[Stage, Judgement], Awaitable[None]] | None = None,
) -> Judgement:
    """Play a scenario in `folder`, judge it, and draw its picture there (`PICTURE_NAME`).

    `language` is that of the owner's messages (None: as in `config/home.yaml`); `on_judged` runs while everything is
    still up. Raises what `open_stage` does.
    """
    plan = scenario.equip(make_plan(folder, fast=fast, language=language, timezone=afternoon_zone(machine_time())))
    observer.on_plan(plan)
    async with open_stage(plan, folder, on_start=observer.on_start, on_event=observer.on_event) as stage:
        failure = await _play(scenario, stage, observer)
        await _wait_for_result(scenario.expected.retailer_state, stage.watch)
        judged = judge(scenario, stage, failure)
        (folder / PICTURE_NAME).write_text(draw_picture(judged.result, stage.log.lines), encoding="utf-8")
        if on_judged is not None:
            await on_judged(stage, judged)
    return judged


async def _wait_for_result(expected: str | None, watch: GatewayObserver) -> None:
    """Wait for the retailer's last result, which comes beside the visit; `judge` checks later whether it came."""

    def has_come() -> bool:
        return expected is None or retailer_states(watch)[-1:] == [expected]

    with contextlib.suppress(WaitTimeout):
        await watch.wait_until(f"the retailer notified of {expected}", has_come, within=LAST_RESULT_TIMEOUT_S)


async def _play(scenario: Scenario, stage: Stage, observer: DemoObserver) -> str | None:
    """Play the scenario; return why it ended early, or None."""
    try:
        await scenario.play(ScenarioRun(stage, observer.on_action))
    except (WaitTimeout, Impossible, ConnectionError, Failure) as failure:
        tail = log_tail(stage.folder / "gateway.log", 5) if stage.gateway.deaths else ""
        return "\n".join(filter(None, (str(failure), tail)))
    return None

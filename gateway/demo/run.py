"""Plays one scenario and judges it."""

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from devices.simulators.control import Impossible
from gateway.cli.failure import Failure
from gateway.demo.observers import GatewayObserver, ObservedMessage, WaitTimeout
from gateway.demo.picture import draw_picture
from gateway.demo.plan import make_plan
from gateway.demo.processes import log_tail
from gateway.demo.result import LogLine
from gateway.demo.scenario import Scenario, ScenarioRun
from gateway.demo.stage import Stage, open_stage
from gateway.demo.verdict import Judgement, judge
from gateway.system.i18n import Language

LAST_RESULT_TIMEOUT_S = 5.0  # seconds
PICTURE_NAME = "visit.svg"


class DemoObserver:
    """Who looks on. This one is silent; `gateway.demo.terminal` has one that prints."""

    def on_start(self, what: str) -> None:
        """Learn what is being started."""

    def on_event(self, what: ObservedMessage | LogLine) -> None:
        """Learn what the gateway said (`ObservedMessage`) or what happened in the house (`LogLine`)."""

    def on_action(self, who: str, what: str) -> None:
        """Learn what somebody does."""


async def run_scenario(  # noqa: PLR0913 - what a run may be told, named one by one
    scenario: Scenario,
    folder: Path,
    *,
    fast: bool,
    observer: DemoObserver,
    language: Language | None = None,
    on_judged: Callable[[Stage, Judgement], Awaitable[None]] | None = None,
) -> Judgement:
    """Play a scenario in `folder`, judge it, and draw its picture there (`PICTURE_NAME`).

    `language` is what the owner is told in (None: as `config/home.yaml` says); `afterwards` runs while everything is
    still up.

    Raises:
        ProcessDied: a process did not start.
        BrokerMissing: there is no broker.
        TemplateMissing: not in a clone of the repository.
    """
    made = scenario.apply_to(make_plan(folder, fast=fast, language=language))
    async with open_stage(made, folder, on_start=observer.on_start, on_event=observer.on_event) as ready:
        failure = await _play(scenario, ready, observer)
        await _wait_for_result(scenario.expected.retailer_state, ready.watch)
        judged = judge(scenario, ready, failure)
        (folder / PICTURE_NAME).write_text(draw_picture(judged.result, judged.log), encoding="utf-8")
        if on_judged is not None:
            await on_judged(ready, judged)
    return judged


async def _wait_for_result(expected: str | None, observer: GatewayObserver) -> None:
    """Give the retailer's last word, which comes beside the visit, its time; whether it came is judged later."""

    def said() -> bool:
        states = [body["state"] for body in observer.bodies("result") if body.get("state")]
        return expected is None or states[-1:] == [expected]

    with contextlib.suppress(WaitTimeout):
        await observer.wait_until(f"the retailer told {expected}", said, within=LAST_RESULT_TIMEOUT_S)


async def _play(scenario: Scenario, stage: Stage, observer: DemoObserver) -> str | None:
    """Play; return why it could not be played to its end, if so."""
    try:
        await scenario.play(ScenarioRun(stage, observer.on_action))
    except (WaitTimeout, Impossible, ConnectionError, Failure) as failure:
        words = log_tail(stage.folder / "gateway.log", 5) if stage.gateway.deaths else ""
        return f"{failure}{words and chr(10)}{words}"
    return None

"""A whole house for tests: a real broker, the real gateway, the simulated devices, and who acts there."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from gateway.demo.plan import DemoPlan, make_plan
from gateway.demo.scenario import ScenarioRun
from gateway.demo.stage import open_stage
from tests.waiting import wait_until


@contextlib.asynccontextmanager
async def run_whole_house(
    folder: Path,
    made: Callable[[DemoPlan], DemoPlan] = lambda plan: plan,
    *,
    rigged: bool = True,
    module: str = "gateway.demo.rigged",
) -> AsyncIterator[ScenarioRun]:
    """Everything up and good in `folder`, until left. What the door did stands in `play.log.lines`.

    Unless it is `rigged` the gateway is `perron run`, without handles; else it is this `module`.
    """
    made_plan = made(make_plan(folder, fast=True))
    async with open_stage(
        made_plan, folder, on_start=_ignore, on_event=_ignore, is_rigged=rigged, module=module
    ) as ready:
        if made_plan.home.pages is not None:  # they come once the doors have answered, and write the code by which
            await wait_until(made_plan.home.claim_code_file.exists, within=60)  # their first owner claims the box
        yield ScenarioRun(ready, _ignore)


def _ignore(*_said: object) -> None:
    """Nobody looks on."""

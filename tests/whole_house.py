"""A whole house for tests: a real broker, the real gateway, the simulated devices, and who acts there."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from gateway.demo.plan import Plan, plan
from gateway.demo.scenario import Play
from gateway.demo.stage import stage
from tests.shell.parts import until


@contextlib.asynccontextmanager
async def playing(
    folder: Path,
    made: Callable[[Plan], Plan] = lambda plan: plan,
    *,
    rigged: bool = True,
    module: str = "gateway.demo.rigged",
) -> AsyncIterator[Play]:
    """Everything up and good in `folder`, until left. What the door did stands in `play.log.lines`.

    Unless it is `rigged` the gateway is `perron run`, without handles; else it is this `module`.
    """
    made_plan = made(plan(folder, fast=True))
    async with stage(made_plan, folder, say=_unheard, told=_unheard, rigged=rigged, module=module) as ready:
        if made_plan.home.pages is not None:  # they come once the doors have answered, and write the code by which
            await until(made_plan.home.claim_code.exists, within=60)  # their first owner claims the box
        yield Play(ready, _unheard)


def _unheard(*_said: object) -> None:
    """Nobody looks on."""

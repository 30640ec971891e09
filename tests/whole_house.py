"""A whole house for tests: a real broker, the real gateway, the simulated devices, and who acts there."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from gateway.demo.plan import Plan, plan
from gateway.demo.scenario import Play
from gateway.demo.stage import stage


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
        yield Play(ready, _unheard)


def _unheard(*_said: object) -> None:
    """Nobody looks on."""

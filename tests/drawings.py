"""Lets the processes of played houses draw each picture once.

What one process has rendered, the others read from a file. What the cameras of the demo's house see of a delivery is
drawn before its process is forked.
"""

import importlib.metadata
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import resvg_py

from devices.simulators.camera import SimulatedCamera
from devices.simulators.house import CameraPlan
from devices.simulators.staging import view_of
from gateway.demo.plan import make_plan


def share_renderings(folder: Path) -> None:
    """From now on this process and those forked from it keep what resvg renders as PNG files in `folder`.

    A file is named by all that decides how it looks, so no file is ever out of date.
    """
    render: Callable[..., bytes] = resvg_py.svg_to_bytes
    version = importlib.metadata.version("resvg_py")
    folder.mkdir(parents=True, exist_ok=True)

    def render_once(**asked: Any) -> bytes:  # noqa: ANN401 - as resvg has it
        file = folder / f"{sha256(repr((version, sorted(asked.items()))).encode()).hexdigest()}.png"
        try:
            return file.read_bytes()
        except FileNotFoundError:
            drawn = render(**asked)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
            part.write(drawn)
        Path(part.name).rename(file)  # whole, whoever else renders the same
        return drawn

    resvg_py.svg_to_bytes = render_once  # type: ignore[assignment]  # of its two dozen keywords it passes all on


def rehearse_deliveries() -> None:
    """Draw what both cameras of the demo's house see of a delivery.

    Each house rehearses one when it starts, which takes 0.4 s of processor time, and 0.04 s in a process that was
    forked from one that has done so.
    """
    house = make_plan(Path("unused"), fast=True).house
    for name, plan in house.devices.items():
        if isinstance(plan, CameraPlan):
            SimulatedCamera(
                name, width=plan.width, height=plan.height, fps=plan.fps, burnt_in_clock=plan.burnt_in_clock,
                scene=plan.scene, seed=0, view=view_of(house, plan), zone=house.zone,
            ).rehearse()  # fmt: skip

"""Lets the processes of played houses render each drawing once: what one rendered, the others read from a file."""

import importlib.metadata
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import resvg_py


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

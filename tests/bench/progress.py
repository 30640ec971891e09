"""Shows what is being measured: on a status line at a terminal, else in lines with the seconds passed."""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console

from tests.bench.line import ShowStatus


@contextlib.contextmanager
def progress(console: Console, first: str) -> Iterator[ShowStatus]:
    """Show until left."""
    if console.is_terminal:
        with console.status(first) as status:
            yield status.update
        return
    began = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - began:5.0f} s  {what}", highlight=False, soft_wrap=True)

    yield say

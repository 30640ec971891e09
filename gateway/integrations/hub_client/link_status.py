"""How the line to the hub stands, told in a file too: who examines the box from outside sees what its gateway sees."""

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, Field, ValidationError

from gateway.config.fields import Section
from gateway.system.atomic_file import write_whole
from gateway.system.regular_file import read_bytes

FILE = "line.json"  # in the folder `hub`
_LARGEST = 4096  # bytes


class Standing(Section):
    """Up or down since then; `why` it is down, in the library's words. `waiting`: events that the hub has not kept.

    `leaving`: the house leaves this hub, and only tells what it still owes. `cut_off`: the hub lets it in no longer.
    """

    home: str
    up: bool
    since: AwareDatetime
    why: str | None = Field(default=None, max_length=400)
    waiting: int = Field(ge=0)
    leaving: bool = False
    cut_off: bool = False


def keep(folder: Path, standing: Standing) -> None:
    """Keep it for who examines.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / FILE, standing.model_dump_json().encode())


def kept(folder: Path) -> Standing | None:
    """Read what was last told; None: nothing was."""
    try:
        return Standing.model_validate_json(read_bytes(folder / FILE, at_most=_LARGEST))
    except (OSError, ValidationError):
        return None


def begun(home: str, now: datetime, *, leaving: bool) -> Standing:
    """As it stands before the first session."""
    return Standing(home=home, up=False, since=now, waiting=0, leaving=leaving)

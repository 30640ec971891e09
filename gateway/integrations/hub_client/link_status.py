"""Stores the state of the uplink in a file, so that a diagnosis from outside sees what the gateway sees."""

from pathlib import Path

from pydantic import AwareDatetime, Field, ValidationError

from gateway.system.atomic_file import write_whole
from gateway.system.config_section import ConfigSection
from gateway.system.regular_file import read_bytes

STATUS_FILE = "line.json"  # in the folder `hub`
_MAX_FILE_BYTES = 4096  # bytes


class LinkStatus(ConfigSection):
    """Up or down since a time; `why` it is down, in the library's words. `waiting`: events that the hub lacks.

    `leaving`: the house leaves this hub, and only sends what is still due. `cut_off`: the hub no longer accepts it.
    """

    home: str
    up: bool
    since: AwareDatetime
    why: str | None = Field(default=None, max_length=400)
    waiting: int = Field(ge=0)
    leaving: bool = False
    cut_off: bool = False


def write_status(folder: Path, status: LinkStatus) -> None:
    """Store the status; OSError: the file cannot be written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / STATUS_FILE, status.model_dump_json().encode())


def read_status(folder: Path) -> LinkStatus | None:
    """Read the last status; None if there is no readable file."""
    try:
        return LinkStatus.model_validate_json(read_bytes(folder / STATUS_FILE, at_most=_MAX_FILE_BYTES))
    except (OSError, ValidationError):
        return None

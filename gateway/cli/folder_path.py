"""Refuses a folder that has no room for Unix sockets."""

import os
from pathlib import Path

from gateway.cli.failure import Failure

MAX_FOLDER_PATH_BYTES = 85  # bytes of the folder's path: Unix sockets lie in it, and their path has at most 107


def check_folder_path(folder: Path, todo: str, *, shown: Path | None = None) -> None:
    """Refuse a folder whose path is too long for the Unix sockets in it; `shown` is the folder that a person named."""
    if len(os.fsencode(folder)) > MAX_FOLDER_PATH_BYTES:
        raise Failure(f"{shown or folder} is too long a path.", todo)

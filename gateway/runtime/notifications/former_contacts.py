"""Recognises the phones' file of a household that moved out, so that none of its phones is notified."""

from hashlib import sha256
from pathlib import Path

from gateway.storage import Store
from gateway.storage.handover import TASK_FORGET_PHONES, TASK_RENEW_LINKS
from gateway.system.regular_file import read_bytes


def is_former_file(file: Path, store: Store) -> bool:
    """Return whether the phones' file is still the former household's, so that nobody in it may be notified."""
    if store.handover.pending_task(TASK_RENEW_LINKS) is not None:  # even that could not be recorded
        return True
    left = store.handover.pending_task(TASK_FORGET_PHONES)
    return left is not None and file_digest(file) == left


def file_digest(file: Path) -> str:
    """Return a digest of the file's content; an empty string if it cannot be read."""
    try:
        return sha256(read_bytes(file)).hexdigest()
    except OSError:
        return ""

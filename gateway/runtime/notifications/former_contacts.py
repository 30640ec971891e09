"""The phones' file of a household that moved out: none of its phones is told anything."""

from hashlib import sha256
from pathlib import Path

from gateway.storage import Store
from gateway.storage.handover import TASK_FORGET_PHONES, TASK_RENEW_LINKS
from gateway.system.regular_file import read_bytes


def is_former_file(file: Path, store: Store) -> bool:
    """Whether what stands in the phones' file now is the former household's, and nobody in it may be told anything."""
    if store.handover.pending(TASK_RENEW_LINKS) is not None:  # it could not even be noted
        return True
    left = store.handover.pending(TASK_FORGET_PHONES)
    return left is not None and file_digest(file) == left


def file_digest(file: Path) -> str:
    """What stands in the file, without keeping it; of one that cannot be read nothing."""
    try:
        return sha256(read_bytes(file)).hexdigest()
    except OSError:
        return ""

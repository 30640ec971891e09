"""What a hand-over left to do at the start that follows it, before anybody is told anything."""

import asyncio
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import structlog

from gateway import wipe
from gateway.config import Home
from gateway.plainfile import read_bytes
from gateway.proof.keys import renew_link_key
from gateway.store import Store, StoreFailed
from gateway.store.handover import LINKS, PHONES

log = structlog.get_logger(__name__)


async def settle(home: Home, store: Store) -> bool:
    """End the links and the phones of the former household; return whether the phones' file may be used.

    What was proposed for the house file goes. Links, in messages or to a shared visit, are signed by a key that is made
    anew. The phones' file is emptied; where it cannot be (it may be mounted read-only), what stands in it now is never
    used again, until it says something else.

    Raises:
        OSError: the key's folder or that of proposals cannot be written.
    """
    file = home.phones_file
    if store.handover.pending(LINKS) is not None:
        await asyncio.to_thread(renew_link_key, home.storage.folder / "key")
        proposed = home.storage.folder / "proposals"  # for the former owner's word, with passwords of his cameras
        if proposed.exists():
            await asyncio.to_thread(shutil.rmtree, proposed)
        left = None if wipe.empty(file) else _digest(file)
        with suppress(StoreFailed):  # then all of it is done again at the next start
            await store.handover.leave(PHONES, left)
            await store.handover.leave(LINKS, None)
        if left is not None:
            log.error("former_phones", file=str(file), todo="empty this file by hand: nobody in it is told anything")
            return False
    left = store.handover.pending(PHONES)
    if left is None:
        return True
    if _digest(file) == left and not wipe.empty(file):
        log.error("former_phones", file=str(file), todo="empty this file by hand: nobody in it is told anything")
        return False
    with suppress(StoreFailed):
        await store.handover.leave(PHONES, None)
    return True


def former(file: Path, store: Store) -> bool:
    """Whether what stands in the phones' file now is the former household's, and nobody in it may be told anything."""
    if store.handover.pending(LINKS) is not None:  # it could not even be noted
        return True
    left = store.handover.pending(PHONES)
    return left is not None and _digest(file) == left


def _digest(file: Path) -> str:
    """What stands in the file, without keeping it; of one that cannot be read nothing."""
    try:
        return sha256(read_bytes(file)).hexdigest()
    except OSError:
        return ""

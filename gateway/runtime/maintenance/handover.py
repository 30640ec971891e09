"""Finishes a hand-over at the start that follows it, before any notification is sent."""

import asyncio
import shutil
from contextlib import suppress

import structlog

from gateway.config.home import Home
from gateway.protocol.keys import renew_link_key, renew_push_key
from gateway.runtime.maintenance import factory_reset
from gateway.runtime.notifications.contacts import file_digest
from gateway.storage.handover import TASK_FORGET_PHONES, TASK_RENEW_LINKS
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store

log = structlog.get_logger(__name__)


async def finish_handover(home: Home, store: Store) -> bool:
    """End the former household's links and phones; return whether the phones' file may be used.

    Proposals for the house file are deleted. New keys replace the one that signed links, in messages or to a shared
    visit, and the one for push services. The files with addresses and keys of bookings are emptied. So is the phones'
    file; if that is impossible (it may be mounted
    read-only), Perron never uses its present content again, only a changed one.
    """
    file = home.phones_file
    if store.handover.pending_task(TASK_RENEW_LINKS) is not None:
        for renew in (renew_link_key, renew_push_key):
            await asyncio.to_thread(renew, home.storage.folder / "key")
        proposals = home.storage.folder / "proposals"  # addressed to the former owner, with passwords of his cameras
        if proposals.exists():
            await asyncio.to_thread(shutil.rmtree, proposals)
        for secret in factory_reset.empty_secrets(home.booking_secrets):
            log.error("bookings_not_ended", file=str(secret), todo="empty it by hand: by it the box reads his bookings")
        digest = None if factory_reset.truncate(file) else file_digest(file)
        with suppress(StoreFailed):  # then all of it is done again at the next start
            await store.handover.set_task(TASK_FORGET_PHONES, digest)
            await store.handover.set_task(TASK_RENEW_LINKS, None)
    else:
        digest = store.handover.pending_task(TASK_FORGET_PHONES)
        if digest is not None and (file_digest(file) != digest or factory_reset.truncate(file)):
            digest = None
            with suppress(StoreFailed):
                await store.handover.set_task(TASK_FORGET_PHONES, None)
    if digest is not None:
        log.error("former_phones", file=str(file), todo="empty this file by hand: nobody in it is told anything")
    return digest is None
